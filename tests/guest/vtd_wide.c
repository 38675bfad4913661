/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * Five levels of either stage, pages of 1 GiB, and the flags by which tables say what was used: extended
 * accessed ones of a first stage, accessed and dirty ones of a second.  Needs --viommu=vtd,aw=57.
 */

#include "vtd.h"

#define TOP5	   (T_TABLES + 0x4000) /* of five levels, over T_TABLES or T_TABLES2 */
#define TOP5_SS	   (T_TABLES2 + 0x4000)
#define FAR	   (BIT(55) | IOVA)
#define UPPER	   (0xff00UL << 48 | IOVA)
#define FS_DIR	   (FS_P | FS_RW | FS_US)
#define FS_EA	   BIT(10)
#define SS_RW	   (SS_R | SS_W)
#define SS_A	   BIT(8)
#define SS_D	   BIT(9)
#define CAP_FS1GP  BIT(56)
#define CAP_FS5LP  BIT(60)
#define CAP_AW57   BIT(11)
#define ECAP_EAFS  BIT(34)
#define ECAP_SSADS BIT(45)
#define PE_AW(n)   ((u64)(n) << 2)
#define PE_SSADE   BIT(9)
#define PE_PWSNP   BIT(23)
#define PE_5LP	   BIT(2)
#define PE_EAFE	   BIT(7)
#define DID	   3

static struct edu e;

static void start(u64 v0, u64 v1, u64 v2)
{
	vtd_start(TTM_SCALABLE);
	vtd_context_scalable(e.devfn, 0, 0);
	vtd_pasid(0, 1 | v0, DID | v1, v2);
}

static void map5(u64 top5, u64 top4, u64 iova, u64 dir_bits)
{
	at64(top5)[iova >> 48 & 511] = top4 | dir_bits;
}

static void first_stage(u64 cap)
{
	if (!(cap & CAP_FS5LP)) {
		report_skip("no first stage of five levels");
		return;
	}
	start(PGTT_FS << 6, 0, TOP5 | PE_5LP);
	vtd_map(T_TABLES, FAR, PAGE_A, FS_DIR | FS_A, FS_ALL);
	map5(TOP5, T_TABLES, FAR, FS_DIR | FS_A);
	map5(TOP5, T_TABLES, UPPER, FS_DIR | FS_A);
	report(edu_reaches(&e, FAR, PAGE_A), "five levels: an address of 56 bits");
	report(edu_reaches(&e, UPPER, PAGE_A), "the upper half");
	report_eq(vtd_refusal(&e, BIT(56) | IOVA), 0x80, "bit 56 alone is not canonical");
	report_eq(vtd_refusal(&e, BIT(54) | IOVA), 0x71, "a top entry that is not present");
	vtd_pasid(0, 1 | PGTT_FS << 6, DID, T_TABLES);
	vtd_inv(INV_PASID_ONE(DID, 0), 0);
	vtd_inv(INV_PIOTLB_PASID(DID, 0), 0);
	report_eq(vtd_refusal(&e, FAR), 0x80, "four levels: it is not canonical either");
	report(edu_reaches(&e, IOVA, PAGE_A), "the lower tables serve by themselves");
	vtd_pasid(0, 1 | PGTT_FS << 6, DID, T_TABLES | 2 << 2);
	vtd_inv(INV_PASID_ONE(DID, 0), 0);
	report_eq(vtd_refusal(&e, IOVA), 0x5b, "there are no six levels");
	vtd_stop();
}

static void second_stage(u64 cap)
{
	if (!(cap & CAP_AW57)) {
		report_skip("no second stage of five levels");
		return;
	}
	start(PGTT_SS << 6 | PE_AW(3) | TOP5_SS, 0, 0);
	vtd_map(T_TABLES2, FAR, PAGE_A, SS_RW, SS_RW);
	map5(TOP5_SS, T_TABLES2, FAR, SS_RW);
	report(edu_reaches(&e, FAR, PAGE_A), "second stage of five levels");
	report_eq(vtd_refusal(&e, BIT(57) | IOVA), 0x84, "beyond its width");
	vtd_pasid(0, 1 | PGTT_SS << 6 | PE_AW(1) | (T_TABLES2 + 0x1000), DID + 1, 0);
	vtd_inv(INV_PASID_ONE(DID, 0), 0);
	vtd_inv(INV_IOTLB_DOMAIN(DID), 0);
	report(edu_reaches(&e, IOVA, PAGE_A), "three levels of the same tables");
	report_eq(vtd_refusal(&e, BIT(39) | IOVA), 0x84, "beyond their width");
	vtd_stop();

	vtd_start(TTM_LEGACY);
	vtd_context_legacy(e.devfn, 1 | TOP5_SS, 3);
	vtd_map(T_TABLES2, FAR, PAGE_A, SS_RW, SS_RW);
	map5(TOP5_SS, T_TABLES2, FAR, SS_RW);
	report(edu_reaches(&e, FAR, PAGE_A), "legacy mode, five levels");
	report_eq(vtd_refusal(&e, BIT(57) | IOVA), 4, "beyond their width");
	vtd_stop();
}

static void large(u64 cap)
{
	const u64 gib = IOVA & ~0x3fffffffUL;

	start(PGTT_SS << 6 | PE_AW(2) | T_TABLES2, 0, 0);
	vtd_map(T_TABLES2, IOVA, PAGE_A, SS_RW, SS_RW);
	at64(T_TABLES2 + 0x1000)[gib >> 30] = SS_RW | SS_PS;
	report(edu_reaches(&e, PAGE_A + 0x567, PAGE_A), "second stage: a page of 1 GiB");
	at64(T_TABLES2 + 0x1000)[gib >> 30] = SS_RW | SS_PS | BIT(29);
	vtd_inv(INV_IOTLB_PAGE(DID), gib | 18);
	report_eq(vtd_refusal(&e, PAGE_A), 0x7a, "not aligned to its size");
	vtd_stop();
	if (!(cap & CAP_FS1GP)) {
		report_skip("no first-stage pages of 1 GiB");
		return;
	}
	start(PGTT_FS << 6, 0, T_TABLES);
	vtd_map(T_TABLES, IOVA, PAGE_A, FS_DIR | FS_A, FS_ALL);
	at64(T_TABLES + 0x1000)[gib >> 30] = FS_ALL | FS_PS;
	report(edu_reaches(&e, PAGE_A + 0x567, PAGE_A), "first stage: a page of 1 GiB");
	at64(T_TABLES + 0x1000)[gib >> 30] = FS_ALL | FS_PS | BIT(20);
	vtd_inv(INV_PIOTLB_PAGE(DID, 0), gib | 18);
	report_eq(vtd_refusal(&e, PAGE_A), 0x72, "not aligned to its size");
	vtd_stop();
}

static void extended_accessed(u64 ecap)
{
	if (!(ecap & ECAP_EAFS)) {
		report_skip("no extended accessed flag");
		return;
	}
	start(PGTT_FS << 6, PE_PWSNP, T_TABLES | PE_EAFE);
	vtd_map(T_TABLES, IOVA, PAGE_A, FS_DIR, FS_DIR);
	edu_get(&e, IOVA);
	report_eq(*vtd_leaf(T_TABLES, IOVA) & (FS_A | FS_D | FS_EA), FS_A | FS_EA,
		  "EAFE: A and EA");
	report_eq(*at64(T_TABLES) & (FS_A | FS_EA), FS_A | FS_EA, "of upper entries too");
	vtd_stop();
	start(PGTT_FS << 6, 0, T_TABLES | PE_EAFE);
	vtd_map(T_TABLES, IOVA, PAGE_A, FS_DIR | FS_A, FS_ALL);
	report_eq(vtd_refusal(&e, IOVA), 0x90, "EA cannot be set by walks that do not snoop");
	vtd_stop();
}

static u64 flags_of(u64 gpa)
{
	return *vtd_leaf(T_TABLES2, gpa) & (SS_A | SS_D);
}

static void dirty(u64 ecap)
{
	if (!(ecap & ECAP_SSADS)) {
		report_skip("no second-stage accessed and dirty flags");
		return;
	}
	start(PGTT_SS << 6 | PE_AW(2) | PE_SSADE | T_TABLES2, PE_PWSNP, 0);
	vtd_map(T_TABLES2, IOVA, PAGE_A, SS_RW, SS_RW);
	edu_get(&e, IOVA);
	report_eq(flags_of(IOVA), SS_A, "SSADE: a read sets A");
	report_eq(*at64(T_TABLES2) & (SS_A | SS_D), SS_A, "of upper entries too");
	report(edu_reaches(&e, IOVA, PAGE_A), "a write passes");
	report_eq(flags_of(IOVA), SS_A | SS_D, "and sets D");
	*vtd_leaf(T_TABLES2, IOVA) &= ~SS_D;
	vtd_inv(INV_IOTLB_PAGE(DID), IOVA & ~0xfffUL);
	edu_get(&e, IOVA);
	report_eq(flags_of(IOVA), SS_A, "cleared and invalidated: a read does not set it");
	edu_put(&e, IOVA, 1);
	report_eq(flags_of(IOVA), SS_A | SS_D, "the next write does");
	*vtd_leaf(T_TABLES2, IOVA) &= ~SS_D;
	vtd_pasid(0, 1 | PGTT_SS << 6 | PE_AW(2) | PE_SSADE | T_TABLES2, DID, 0);
	vtd_inv(INV_PASID_ONE(DID, 0), 0);
	vtd_inv(INV_IOTLB_DOMAIN(DID), 0);
	report_eq(vtd_refusal(&e, IOVA), 0x7c, "D cannot be set by walks that do not snoop");
	vtd_stop();

	/* Nested: first-stage tables are in the same 2 MiB as what they name (one leaf table). */
	start(PGTT_NESTED << 6 | PE_AW(2) | PE_SSADE | T_TABLES2, PE_PWSNP, T_TABLES);
	vtd_map(T_TABLES, IOVA, PAGE_A, FS_DIR, FS_DIR);
	for (u64 pa = T_TABLES; pa < T_TABLES + 0x4000; pa += 0x1000)
		vtd_map(T_TABLES2, pa, pa, SS_RW, SS_RW);
	vtd_map(T_TABLES2, PAGE_A, PAGE_B, SS_RW, SS_RW);
	edu_get(&e, IOVA);
	report_eq(flags_of(PAGE_A), SS_A, "nested: a read sets A of the page");
	report_eq(flags_of(T_TABLES + 0x3000), SS_A | SS_D, "and D of where the tables are");
	report(edu_reaches(&e, IOVA, PAGE_B), "nested: a write passes");
	report_eq(flags_of(PAGE_A), SS_A | SS_D, "and sets D of the page");
	*vtd_leaf(T_TABLES2, T_TABLES + 0x3000) &= ~SS_W;
	vtd_inv(INV_IOTLB_DOMAIN(DID), 0);
	report_eq(vtd_refusal(&e, IOVA), 0x77,
		  "tables that cannot be written cannot be read either");
	vtd_stop();
}

int main(void)
{
	u64 cap = vr64(R_CAP), ecap = vr64(R_ECAP);

	if (!edu_init(&e, 0)) {
		report(false, "there is a test device");
		return 0;
	}
	first_stage(cap);
	second_stage(cap);
	large(cap);
	extended_accessed(ecap);
	dirty(ecap);
	return 0;
}
