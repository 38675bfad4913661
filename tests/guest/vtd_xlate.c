/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * The unit's five ways to an address, as a driver without an operating system sets them up: legacy
 * pass-through and tables, scalable pass-through, second stage and first stage.
 */

#include "vtd.h"

static struct edu e;

/* A dword by DMA to IOVA is to be found at @want and nowhere else. */
static void check(u64 want, const char *name)
{
	u32 pattern = 0x12345678;

	*(volatile u32 *)(PAGE_A + OFFSET) = 0;
	*(volatile u32 *)IOVA = 0;
	report_eq(edu_put(&e, IOVA, pattern), EDU_DONE, "%s: DMA is let through", name);
	report_eq(*(volatile u32 *)want, pattern, "%s: and arrives at %lx", name, want);
	report_eq(*(volatile u32 *)(want == IOVA ? PAGE_A + OFFSET : IOVA), 0,
		  "%s: and not elsewhere", name);
	*(volatile u32 *)want = 0xfeed;
	report_eq(edu_get(&e, IOVA), 0xfeed, "%s: reads come from there as well", name);
	report_eq(vtd_fault(NULL), 0, "%s: no fault", name);
	vtd_stop();
}

static void legacy(void)
{
	vtd_start(TTM_LEGACY);
	vtd_context_legacy(e.devfn, 1 | 2 << 2, 2);
	check(IOVA, "legacy pass-through");

	vtd_start(TTM_LEGACY);
	vtd_map(T_TABLES, IOVA, PAGE_A, SS_R | SS_W, SS_R | SS_W);
	vtd_context_legacy(e.devfn, 1 | T_TABLES, 2);
	check(PAGE_A + OFFSET, "legacy tables");

	vtd_start(TTM_LEGACY);
	vtd_map_2m(T_TABLES, IOVA, PAGE_A, SS_R | SS_W, SS_R | SS_W);
	vtd_context_legacy(e.devfn, 1 | T_TABLES, 2);
	check((PAGE_A & ~0x1fffffUL) | (IOVA & 0x1fffff), "legacy 2 MiB page");
}

static void scalable(u64 ecap)
{
	if (!(ecap & ECAP_SMTS)) {
		report_skip("no scalable mode");
		return;
	}
	vtd_start(TTM_SCALABLE);
	vtd_context_scalable(e.devfn, 0, 0);
	vtd_pasid(0, 1 | PGTT_PT << 6, 0, 0);
	check(IOVA, "scalable pass-through");

	vtd_start(TTM_SCALABLE);
	vtd_context_scalable(e.devfn, 0, 0);
	vtd_map(T_TABLES, IOVA, PAGE_A, SS_R | SS_W, SS_R | SS_W);
	vtd_pasid(0, 1 | PGTT_SS << 6 | 2 << 2 | T_TABLES, 0, 0);
	check(PAGE_A + OFFSET, "scalable second stage");

	vtd_start(TTM_SCALABLE);
	vtd_context_scalable(e.devfn, 0, 0);
	vtd_map(T_TABLES, IOVA, PAGE_A, FS_P | FS_RW | FS_US | FS_A, FS_ALL);
	vtd_pasid(0, 1 | PGTT_FS << 6, 0, T_TABLES);
	check(PAGE_A + OFFSET, "scalable first stage");

	vtd_start(TTM_SCALABLE);
	vtd_context_scalable(e.devfn, 0, 0);
	vtd_map(T_TABLES, IOVA, PAGE_A, FS_P | FS_RW | FS_US, FS_P | FS_RW | FS_US);
	vtd_pasid(0, 1 | PGTT_FS << 6, BIT(23), T_TABLES); /* PWSNP: flags may be set */
	edu_get(&e, IOVA);
	report_eq(*vtd_leaf(T_TABLES, IOVA) & (FS_A | FS_D), FS_A, "a read sets A");
	edu_put(&e, IOVA, 1);
	report_eq(*vtd_leaf(T_TABLES, IOVA) & (FS_A | FS_D), FS_A | FS_D, "a write sets D");
	check(PAGE_A + OFFSET, "first stage, A and D set by the unit");
}

static void registers(void)
{
	static u32 before[0x230 / 4];
	u64 cap = vr64(R_CAP), ecap = vr64(R_ECAP);
	bool same = true;

	report(vr32(R_VER) != ~0u, "there is a unit, version %x", vr32(R_VER));
	report(cap >> 24 & 0x3ff && ecap >> 8 & 0x3ff && ecap & 2, "with records and a queue");
	report(cap >> 8 & 0x1f, "with second-stage widths");
	report_eq(cap & 7, 6, "16-bit domain ids");
	for (u32 i = 0; i < 0x230; i += 4)
		before[i / 4] = vr32(i);
	vw64(R_CAP, 0);
	vw64(R_ECAP, ~0UL);
	vw32(R_GSTS, ~0u);
	vw64(R_IQH, ~0UL);
	vw64(R_IQERCD, ~0UL);
	for (u32 i = 0; i < 0x230; i += 4)
		same &= before[i / 4] == vr32(i);
	report(same, "read-only registers are");
}

int main(void)
{
	if (!edu_init(&e, 0)) {
		report(false, "there is a test device");
		return 0;
	}
	registers();
	report_eq(edu_put(&e, PAGE_A, 0x77), EDU_DONE, "translation off: DMA goes where it says");
	legacy();
	scalable(vr64(R_ECAP));
	report_eq(edu_put(&e, PAGE_A, 0x78), EDU_DONE, "off again: DMA goes where it says");
	return 0;
}
