/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * Nested translation, and requests with PASID.
 *
 * The second stage maps an input window of 2 MiB pages 1 GiB above where they really are, so that a
 * first-stage table that was read without it would not be found.
 */

#include "vtd.h"

#define SHIFT	 0x40000000UL
#define FS_DIR	 (FS_P | FS_RW | FS_US | FS_A)
#define SS_RW	 (SS_R | SS_W)
#define DID_NEST 3
#define DID_FS	 4
#define PASID	 5

static struct edu e;

/* First-stage tables at T_TABLES, which name each other by second-stage inputs. */
static void first_stage(u64 iova, u64 pa)
{
	volatile u64 *t = at64(T_TABLES);

	vtd_map(T_TABLES, iova, pa + SHIFT, FS_DIR, FS_ALL);
	for (int level = 4; level > 1; level--, t += 512)
		t[iova >> (3 + 9 * level) & 511] += SHIFT;
}

static void start(void)
{
	vtd_start(TTM_SCALABLE);
	vtd_context_scalable(e.devfn, 0, 0);
	first_stage(IOVA, PAGE_A);
	vtd_map_2m(T_TABLES2, T_TABLES + SHIFT, T_TABLES, SS_RW, SS_RW);
	vtd_map_2m(T_TABLES2, PAGE_B + SHIFT, PAGE_B, SS_RW, SS_RW);
	vtd_pasid(0, 1 | PGTT_NESTED << 6 | 2 << 2 | T_TABLES2, DID_NEST, T_TABLES + SHIFT);
}

static void nested(void)
{
	start();
	report(edu_reaches(&e, IOVA, PAGE_A), "nested: DMA goes through both stages");
	first_stage(IOVA, PAGE_B);
	report(edu_reaches(&e, IOVA, PAGE_A), "nested: the old page is cached");
	vtd_inv(INV_PIOTLB_PAGE(DID_NEST, 0), IOVA & ~0xfffUL);
	report(edu_reaches(&e, IOVA, PAGE_B), "nested: a first-stage invalidation shows the new one");
	vtd_map_2m(T_TABLES2, PAGE_B + SHIFT, PAGE_B + 0x400000, SS_RW, SS_RW);
	vtd_inv(INV_IOTLB_DOMAIN(DID_NEST), 0);
	report(edu_reaches(&e, IOVA, PAGE_B + 0x400000), "nested: so does a second-stage one");
	first_stage(IOVA, PAGE_B + 0x1000);
	vtd_inv(INV_IOTLB_DOMAIN(DID_NEST), 0);
	report(edu_reaches(&e, IOVA, PAGE_B + 0x401000), "nested: an IOTLB one of the domain takes both");
	vtd_stop();

	start();
	*vtd_leaf(T_TABLES, IOVA) = 0;
	report_eq(vtd_refusal(&e, IOVA), 0x71, "nested: first-stage entry not present");
	first_stage(IOVA, PAGE_A + 0x800000);
	report_eq(vtd_refusal(&e, IOVA), 0x79, "nested: page not in the second stage");
	*vtd_leaf(T_TABLES, IOVA) = PAGE_A | FS_ALL | 1UL << 35;
	report_eq(vtd_refusal(&e, IOVA), 0x79, "nested: nor is a far one");
	first_stage(IOVA, PAGE_B);
	vtd_map_2m(T_TABLES2, PAGE_B + SHIFT, PAGE_B, SS_RW, SS_R);
	report_eq(vtd_refusal(&e, IOVA), 0x85, "nested: page read-only in the second stage");
	vtd_map_2m(T_TABLES2, T_TABLES + SHIFT, T_TABLES, SS_RW, SS_W);
	vtd_inv(INV_IOTLB_DOMAIN(DID_NEST), 0);
	report_eq(vtd_refusal(&e, IOVA), 0x75, "nested: first-stage table not readable");
	vtd_stop();

	start();
	first_stage(IOVA, PAGE_B);
	*vtd_leaf(T_TABLES, IOVA) &= ~(FS_A | FS_D);
	vtd_pasid(0, 1 | PGTT_NESTED << 6 | 2 << 2 | T_TABLES2, DID_NEST | BIT(23),
		  T_TABLES + SHIFT);
	vtd_map_2m(T_TABLES2, T_TABLES + SHIFT, T_TABLES, SS_RW, SS_R);
	report_eq(vtd_refusal(&e, IOVA), 0x77, "nested: the second stage denies setting A and D");
	vtd_map_2m(T_TABLES2, T_TABLES + SHIFT, T_TABLES, SS_RW, SS_RW);
	vtd_inv(INV_IOTLB_DOMAIN(DID_NEST), 0);
	report(edu_reaches(&e, IOVA, PAGE_B), "nested: allowed, DMA goes on");
	report_eq(*vtd_leaf(T_TABLES, IOVA) & (FS_A | FS_D), FS_A | FS_D, "nested: and both are set");
	vtd_stop();
}

static void with_pasid(void)
{
	vtd_start(TTM_SCALABLE);
	vtd_context_scalable(e.devfn, BIT(3), 0); /* PASIDE */
	vtd_pasid(0, 1 | PGTT_PT << 6, 1, 0);
	vtd_map(T_TABLES, IOVA, PAGE_A, FS_DIR, FS_ALL);
	vtd_pasid(PASID, 1 | PGTT_FS << 6, DID_FS, T_TABLES);
	report(edu_reaches(&e, IOVA, IOVA & ~0xfffUL), "without a PASID: RID_PASID's pass-through");
	edu_tag(&e, EDU_PASID(PASID));
	report(edu_reaches(&e, IOVA, PAGE_A), "with one: its own first stage");
	edu_tag(&e, EDU_PASID(PASID + 1));
	report_eq(vtd_refusal(&e, IOVA), 0x59, "an absent PASID");
	edu_tag(&e, EDU_PASID(64));
	report_eq(vtd_refusal(&e, IOVA), 0x51, "one beyond the present directory entries");
	edu_tag(&e, EDU_PASID(0x2000));
	report_eq(vtd_refusal(&e, IOVA), 0x46, "one beyond the directory");
	edu_tag(&e, EDU_PASID(0));
	report_eq(vtd_refusal(&e, IOVA), 0x48, "RID_PASID as a PASID");

	edu_tag(&e, EDU_PASID(PASID) | EDU_PRIV);
	report_eq(vtd_refusal(&e, IOVA), 0x5d, "a privileged request without SRE");
	edu_tag(&e, EDU_PASID(PASID) | EDU_EXEC);
	vtd_faults_clear();
	report(edu_get(&e, IOVA) == ~0u && vtd_fault(NULL) == 0x5c, "an execute request");

	*vtd_leaf(T_TABLES, IOVA) &= ~FS_US;
	vtd_inv(INV_PIOTLB_PASID(DID_FS, PASID), 0);
	edu_tag(&e, EDU_PASID(PASID));
	report_eq(vtd_refusal(&e, IOVA), 0x81, "a user request to a supervisor page");
	*vtd_leaf(T_TABLES, IOVA) |= FS_US;
	*vtd_leaf(T_TABLES, IOVA) &= ~FS_RW;
	vtd_pasid(PASID, 1 | PGTT_FS << 6, DID_FS, T_TABLES | 1); /* SRE */
	vtd_inv(INV_PASID_ONE(DID_FS, PASID), 0);
	vtd_inv(INV_PIOTLB_PASID(DID_FS, PASID), 0);
	report_eq(vtd_refusal(&e, IOVA), 0x85, "a user's write to a read-only page");
	edu_tag(&e, EDU_PASID(PASID) | EDU_PRIV);
	report(edu_reaches(&e, IOVA, PAGE_A), "a privileged one, with SRE and without WPE, passes");
	vtd_pasid(PASID, 1 | PGTT_FS << 6, DID_FS, T_TABLES | BIT(4) | 1); /* WPE */
	vtd_inv(INV_PASID_ONE(DID_FS, PASID), 0);
	vtd_inv(INV_PIOTLB_PASID(DID_FS, PASID), 0);
	report_eq(vtd_refusal(&e, IOVA), 0x85, "with WPE it does not");

	edu_tag(&e, EDU_PASID(PASID));
	report_eq(vtd_refusal(&e, 0x800000000000), 0x80, "an address that is not canonical");
	vtd_context_scalable(e.devfn, 0, 0);
	vtd_inv(INV_CONTEXT_DEVICE(e.devfn, 0), 0);
	vtd_inv(INV_PASID_GLOBAL, 0);
	vtd_inv(INV_IOTLB_GLOBAL, 0);
	report_eq(vtd_refusal(&e, IOVA), 0x45, "a PASID without PASIDE");
	edu_tag(&e, 0);
	vtd_stop();

	vtd_start(TTM_LEGACY);
	vtd_context_legacy(e.devfn, 1 | 2 << 2, 2);
	edu_tag(&e, EDU_PASID(PASID));
	report_eq(vtd_refusal(&e, IOVA), 0x31, "a PASID in legacy mode");
	edu_tag(&e, 0);
	vtd_stop();
}

/* PGTT changes under one device, each seen after its PASID-cache invalidation. */
static void replace(void)
{
	vtd_start(TTM_SCALABLE);
	vtd_context_scalable(e.devfn, 0, 0);
	vtd_map(T_TABLES, IOVA, PAGE_A, FS_DIR, FS_ALL);
	vtd_map(T_TABLES2, IOVA, PAGE_B, SS_RW, SS_RW);
	vtd_pasid(0, 1 | PGTT_FS << 6, DID_FS, T_TABLES);
	report(edu_reaches(&e, IOVA, PAGE_A), "first stage");
	vtd_pasid(0, 1 | PGTT_SS << 6 | 2 << 2 | T_TABLES2, DID_NEST, 0);
	vtd_inv(INV_PASID_ONE(DID_FS, 0), 0);
	vtd_inv(INV_PIOTLB_PASID(DID_FS, 0), 0);
	report(edu_reaches(&e, IOVA, PAGE_B), "then second stage");
	vtd_pasid(0, 1 | PGTT_PT << 6, 1, 0);
	vtd_inv(INV_PASID_ONE(DID_NEST, 0), 0);
	vtd_inv(INV_IOTLB_DOMAIN(DID_NEST), 0);
	report(edu_reaches(&e, IOVA, IOVA & ~0xfffUL), "then pass-through");
	vtd_pasid(0, 1 | 5 << 6, 1, 0);
	vtd_inv(INV_PASID_GLOBAL, 0);
	vtd_inv(INV_IOTLB_GLOBAL, 0);
	report_eq(vtd_refusal(&e, IOVA), 0x5b, "then a type that does not exist");
	vtd_pasid(0, 1 | PGTT_PT << 6 | 1 << 5, 1, 0);
	report_eq(vtd_refusal(&e, IOVA), 0x5a, "then a reserved bit");
	vtd_stop();
}

int main(void)
{
	u64 ecap = vr64(R_ECAP);

	if (!edu_init(&e, 0)) {
		report(false, "there is a test device");
		return 0;
	}
	if (!(ecap & ECAP_NEST) || !(ecap & ECAP_PASID)) {
		report_skip("the unit offers no nested translation or no PASIDs");
		return 0;
	}
	nested();
	with_pasid();
	replace();
	return 0;
}
