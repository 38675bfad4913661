/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * What an invalidation must remove from the IOTLB, and what stays: three modes, three granularities,
 * page-selective next to a page that is kept; then PASID-tagged invalidations.
 */

#include "vtd.h"

enum mode { LEGACY, SCALABLE_SS, SCALABLE_FS, MODES };
static const char *const names[] = { "legacy", "second stage", "first stage" };

static struct edu e;

static void set(enum mode mode, u64 iova, u64 pa)
{
	if (mode == SCALABLE_FS)
		vtd_map(T_TABLES, iova, pa, FS_P | FS_RW | FS_US | FS_A, FS_ALL);
	else
		vtd_map(T_TABLES, iova, pa, SS_R | SS_W, SS_R | SS_W);
}

static void start(enum mode mode)
{
	vtd_start(mode == LEGACY ? TTM_LEGACY : TTM_SCALABLE);
	set(mode, IOVA, PAGE_A);
	if (mode == LEGACY) {
		vtd_context_legacy(e.devfn, 1 | T_TABLES, 2);
		return;
	}
	vtd_context_scalable(e.devfn, 0, 0);
	if (mode == SCALABLE_SS)
		vtd_pasid(0, 1 | PGTT_SS << 6 | 2 << 2 | T_TABLES, 0, 0);
	else
		vtd_pasid(0, 1 | PGTT_FS << 6, 0, T_TABLES);
}

static void one(enum mode mode, u64 lo, u64 hi, const char *what)
{
	const char *name = names[mode];

	start(mode);
	report(edu_reaches(&e, IOVA, PAGE_A), "%s, %s: DMA reaches the first page", name, what);
	set(mode, IOVA, PAGE_B);
	report(edu_reaches(&e, IOVA, PAGE_A), "%s, %s: and still does, from the IOTLB", name, what);
	report(vtd_inv(lo, hi), "%s, %s: the invalidation completes", name, what);
	report(edu_reaches(&e, IOVA, PAGE_B), "%s, %s: then DMA reaches the second page", name, what);
	vtd_stop();
}

/*
 * Two pages are cached, one is invalidated.  First-stage translations of a domain all go by a
 * page-selective IOTLB invalidation (VT-d 6.5.2.3), second-stage ones need not.
 */
static void page_selective(enum mode mode)
{
	const char *name = names[mode];
	u64 next = IOVA + 0x1000;

	start(mode);
	set(mode, next, PAGE_B);
	report(edu_reaches(&e, IOVA, PAGE_A) && edu_reaches(&e, next, PAGE_B), "%s: two pages are cached", name);
	set(mode, IOVA, PAGE_C);
	set(mode, next, PAGE_C);
	vtd_inv(INV_IOTLB_PAGE(0), IOVA & ~0xfffUL);
	report(edu_reaches(&e, IOVA, PAGE_C), "%s: the invalidated one is walked again", name);
	report(edu_reaches(&e, next, mode == SCALABLE_FS ? PAGE_C : PAGE_B), "%s: the other one %s", name,
	       mode == SCALABLE_FS ? "goes with its domain" : "is kept");
	vtd_inv(INV_IOTLB_PAGE(0), (IOVA & ~0x3fffUL) | 2);
	report(edu_reaches(&e, next, PAGE_C), "%s: an address mask takes both", name);
	vtd_stop();
}

static void other_domain(void)
{
	start(LEGACY);
	edu_reaches(&e, IOVA, PAGE_A);
	set(LEGACY, IOVA, PAGE_B);
	vtd_inv(INV_IOTLB_DOMAIN(7), 0);
	report(edu_reaches(&e, IOVA, PAGE_A), "another domain's invalidation leaves this one alone");
	/* Register-based, with the queue off (6.5.1). */
	vtd_command(G_QIE, false);
	vw64((vr64(R_ECAP) >> 8 & 0x3ff) * 16 + 8, BIT(63) | 1UL << 60);
	report(edu_reaches(&e, IOVA, PAGE_B), "a register-based global one does not");
	vtd_stop();
}

static void tagged(void)
{
	start(SCALABLE_FS);
	edu_reaches(&e, IOVA, PAGE_A);
	set(SCALABLE_FS, IOVA, PAGE_B);
	vtd_inv(INV_PIOTLB_PASID(0, 9), 0);
	report(edu_reaches(&e, IOVA, PAGE_A), "another PASID's invalidation leaves this one alone");
	vtd_inv(INV_PIOTLB_PAGE(0, 0), (IOVA & ~0xfffUL) + 0x100000);
	report(edu_reaches(&e, IOVA, PAGE_A), "so does another page's");
	vtd_inv(INV_PIOTLB_PAGE(0, 0), IOVA & ~0xfffUL);
	report(edu_reaches(&e, IOVA, PAGE_B), "its own page's does not");
	set(SCALABLE_FS, IOVA, PAGE_C);
	vtd_inv(INV_PIOTLB_PASID(0, 0), 0);
	report(edu_reaches(&e, IOVA, PAGE_C), "nor does the whole PASID's");

	/* The PASID entry is cached apart from what it leads to. */
	vtd_map(T_TABLES2, IOVA, PAGE_A, FS_P | FS_RW | FS_US | FS_A, FS_ALL);
	vtd_pasid(0, 1 | PGTT_FS << 6, 0, T_TABLES2);
	report(edu_reaches(&e, IOVA, PAGE_C), "a replaced PASID entry is not seen yet");
	vtd_inv(INV_PASID_ONE(0, 0), 0);
	vtd_inv(INV_PIOTLB_PASID(0, 0), 0);
	report(edu_reaches(&e, IOVA, PAGE_A), "until it is invalidated");
	vtd_pasid(0, PGTT_FS << 6, 0, T_TABLES2);
	vtd_inv(INV_PASID_DOMAIN(0), 0);
	vtd_inv(INV_PIOTLB_PASID(0, 0), 0);
	report_eq(edu_put(&e, IOVA, 1), EDU_REFUSED, "with P cleared and invalidated, DMA is refused");
	report_eq(vtd_fault(NULL), 0x59, "as PASID entry not present");
	vtd_stop();
}

int main(void)
{
	if (!edu_init(&e, 0)) {
		report(false, "there is a test device");
		return 0;
	}
	for (enum mode mode = 0; mode < MODES; mode++) {
		if (mode != LEGACY && !(vr64(R_ECAP) & ECAP_SMTS)) {
			report_skip("no scalable mode");
			continue;
		}
		one(mode, INV_IOTLB_GLOBAL, 0, "global");
		one(mode, INV_IOTLB_DOMAIN(0), 0, "domain");
		one(mode, INV_IOTLB_PAGE(0), IOVA & ~0xfffUL, "page");
		page_selective(mode);
	}
	other_domain();
	if (vr64(R_ECAP) & ECAP_SMTS)
		tagged();
	return 0;
}
