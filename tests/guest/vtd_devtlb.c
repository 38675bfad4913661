/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * What empties a device-TLB: device-TLB invalidations of each kind (VT-d 6.5.2.5, 6.5.2.8), and only
 * they; and what the queue makes of wrong ones.
 */

#include "vtd.h"

#define FS_DIR	 (FS_P | FS_RW | FS_US | FS_A)
#define SS_RW	 (SS_R | SS_W)
#define DID_FS	 4
#define PASID	 5
#define PAGE	 (IOVA & ~0xfffUL)
#define FS_ENTRY (1 | PGTT_FS << 6)

static struct edu e;

static void start(int ttm)
{
	pci_flr(e.devfn);
	edu_enable_ats(&e, true);
	edu_mode(&e, EDU_ATS);
	vtd_start(ttm);
}

/*
 * The pages IOVA and the next, without PASID and with two, all in the device-TLB; the tables then
 * say another page.  Which of the six still come from the device-TLB, a bit each?
 */
#define PAGES 2
static const u32 tags[] = { 0, EDU_PASID(PASID), EDU_PASID(PASID + 1) };

static void fill(u64 page)
{
	for (unsigned int i = 0; i < PAGES; i++)
		*vtd_leaf(T_TABLES, IOVA + i * 0x1000) = page | FS_ALL;
}

static u32 stale(void)
{
	u32 bits = 0;

	for (unsigned int t = 0; t < ARRAY_SIZE(tags); t++)
		for (unsigned int i = 0; i < PAGES; i++) {
			edu_tag(&e, tags[t]);
			if (edu_reaches(&e, IOVA + i * 0x1000, PAGE_A))
				bits |= 1U << (t * PAGES + i);
			else if (!edu_reaches(&e, IOVA + i * 0x1000, PAGE_B))
				report(false, "tag %u, page %u: neither old nor new", t, i);
		}
	edu_tag(&e, 0);
	return bits;
}

static void invalidation(u64 lo, u64 hi, u32 left, const char *what)
{
	start(TTM_SCALABLE);
	vtd_context_scalable(e.devfn, SM_DTE | SM_PASIDE, 0);
	vtd_map(T_TABLES, IOVA, PAGE_A, FS_DIR, FS_ALL);
	vtd_pasid(0, FS_ENTRY, DID_FS, T_TABLES);
	vtd_pasid(PASID, FS_ENTRY, DID_FS, T_TABLES);
	vtd_pasid(PASID + 1, FS_ENTRY, DID_FS, T_TABLES);
	fill(PAGE_A);
	report_eq(stale(), 0x3f, "%s: six translations are kept", what);
	fill(PAGE_B);
	vtd_inv(INV_IOTLB_DOMAIN(DID_FS), 0);
	report_eq(stale(), 0x3f, "%s: and not asked for again when only the IOTLB is emptied",
		  what);
	report(vtd_inv(lo, hi), "%s: completes", what);
	report_eq(stale(), left, "%s: what is left", what);
	vtd_stop();
}

static void invalidations(void)
{
	u32 sid = e.devfn;

	invalidation(INV_DTLB(sid), PAGE, 0x3e, "device-TLB, one page");
	invalidation(INV_DTLB(sid), PAGE + 0x1000, 0x3d, "device-TLB, the other page");
	invalidation(INV_DTLB(sid), PAGE | DTLB_S, 0x3c, "device-TLB, two pages");
	invalidation(INV_DTLB(sid), (PAGE & ~0xffffUL) | 0x7000 | DTLB_S, 0x3c,
		     "device-TLB, sixteen pages");
	invalidation(INV_DTLB(sid), (PAGE + 0x2000) | DTLB_S, 0x3f, "device-TLB, two others");
	invalidation(INV_DTLB(sid), DTLB_ALL, 0x3c, "device-TLB, all");
	invalidation(INV_DTLB(sid), ~0xfffUL | DTLB_S, 0x3c, "device-TLB, all ones");
	invalidation(INV_DTLB(sid) | 31UL << 16, DTLB_ALL, 0x3c, "device-TLB, any MIP");
	invalidation(INV_PDTLB(sid, PASID), PAGE, 0x3b, "PASID, one page");
	invalidation(INV_PDTLB(sid, PASID), PAGE | PDTLB_S, 0x33, "PASID, two pages");
	invalidation(INV_PDTLB(sid, PASID), (PAGE + 0x2000) | PDTLB_S, 0x3f, "PASID, two others");
	invalidation(INV_PDTLB(sid, PASID), PDTLB_ALL, 0x33, "PASID, all");
	invalidation(INV_PDTLB(sid, PASID + 2), PDTLB_ALL, 0x3f, "another PASID");
	invalidation(INV_PDTLB(sid, PASID), PAGE | PDTLB_G, 0x2a, "all PASIDs, one page");
	invalidation(INV_PDTLB(sid, PASID), PDTLB_ALL | PDTLB_G, 0, "all PASIDs, all");

	start(TTM_LEGACY);
	vtd_map(T_TABLES, IOVA, PAGE_A, SS_RW, SS_RW);
	vtd_context_legacy(e.devfn, 1 | 1 << 2 | T_TABLES, 2);
	report(edu_reaches(&e, IOVA, PAGE_A), "legacy: a page is kept");
	vtd_map(T_TABLES, IOVA, PAGE_B, SS_RW, SS_RW);
	vtd_inv(INV_IOTLB_GLOBAL, 0);
	report(edu_reaches(&e, IOVA, PAGE_A), "legacy: though the IOTLB is emptied");
	vtd_inv(INV_DTLB(e.devfn), PAGE);
	report(edu_reaches(&e, IOVA, PAGE_B), "legacy: until it is invalidated");
	report_eq(edu_reg(&e, EDU_TLB_INVS), 1, "legacy: the device saw one invalidation");
	vtd_stop();
}

/* Descriptors that are refused, and one for a device that does not answer (6.5.2.11). */
static void queue_error(int ttm, u64 lo, u64 hi, u32 why, const char *what)
{
	u32 at;

	vtd_start_queue(ttm);
	vw32(R_FECTL, EV_IM);
	at = vtd_tail_pos();
	vtd_push(lo, hi);
	vtd_tail();
	report(vr32(R_FSTS) & FSTS_IQE && vr64(R_IQH) == at, "%s: an error of the queue", what);
	report_eq(vr64(R_IQERCD) & 0xf, why, "%s: and the reason is %u", what, why);
	vtd_stop();
}

static void queue(void)
{
	volatile u32 *status = (volatile u32 *)T_STATUS;
	u32 sid = e.devfn;

	queue_error(TTM_SCALABLE, INV_DTLB(sid) | BIT(4), 0, 4, "device-TLB, bit 4");
	queue_error(TTM_SCALABLE, INV_DTLB(sid) | BIT(48), 0, 4, "device-TLB, bit 48");
	queue_error(TTM_SCALABLE, INV_DTLB(sid), BIT(1), 4, "device-TLB, bit 65");
	queue_error(TTM_SCALABLE, INV_PDTLB(sid, PASID), BIT(1), 4, "PASID, bit 65");
	queue_error(TTM_LEGACY, INV_PDTLB(sid, PASID), 0, 3, "PASID in legacy mode");

	vtd_start_queue(TTM_SCALABLE);
	vw32(R_FECTL, EV_IM);
	*status = 0;
	vtd_push(INV_DTLB(0xf8), DTLB_ALL);
	vtd_push(INV_WAIT_SW(1), T_STATUS);
	vtd_tail();
	report_eq(vr32(R_FSTS) & (FSTS_ITE | FSTS_IQE), FSTS_ITE,
		  "nobody's device-TLB: a time-out");
	report_eq(vr64(R_IQERCD) >> 32 & 0xffff, 0xf8, "of that source");
	report_eq(*status, 0, "the wait is aborted");
	vtd_push(INV_WAIT_SW(2), T_STATUS);
	vtd_tail();
	report_eq(*status, 0, "the queue stands still");
	vw32(R_FSTS, FSTS_ITE);
	report_eq(vr32(R_FSTS) & FSTS_ITE, 0, "until the time-out is cleared");
	report(*status == 2 && vr64(R_IQH) == vtd_tail_pos(), "then it goes on");
	vtd_stop();
}

/* --viommu=vtd,ats=off */
static void without(void)
{
	queue_error(TTM_SCALABLE, INV_DTLB(e.devfn), 0, 3, "no device-TLBs, type 3");
	queue_error(TTM_SCALABLE, INV_PDTLB(e.devfn, 0), 0, 3, "no device-TLBs, type 8");
}

int main(void)
{
	u64 ecap = vr64(R_ECAP);

	if (!edu_init(&e, 0)) {
		report(false, "there is a test device");
		return 0;
	}
	if (!(ecap & ECAP_SMTS) || !(ecap & ECAP_PASID)) {
		report_skip("the unit offers no PASIDs");
		return 0;
	}
	if (!(ecap & ECAP_DT)) {
		without();
		return 0;
	}
	invalidations();
	queue();
	return 0;
}
