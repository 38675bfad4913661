/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * Page requests that are not taken: overflow and refusals; the queue's registers, and draining (VT-d
 * 7.4 to 7.10).
 */

#include "pri.h"

#define VECTOR_PAGE 0x52

static struct edu e;
static u64 ecap;

/* The queue takes one descriptor less than it has room for. */
static void overflow(void)
{
	pri_start(&e, VECTOR_PAGE);
	vw64(R_PQH, 0x40);
	report(edu_page_request(&e, IOVA, 1 | EDU_PR_R), "one request fits");
	report_eq(vr32(R_PRS), PRS_PPR, "without overflow");
	report_eq(edu_put(&e, IOVA, 1), EDU_NO_SUCCESS, "full: Success is the unit's own answer");
	report_eq(vr64(R_PQT), 0x20, "nothing is written");
	report_eq(vr32(R_PRS), PRS_PPR | PRS_PRO, "overflow is set");
	report_eq(edu_reg(&e, EDU_PRI_LAST) >> 12, 1U << 31 >> 12 | CODE_OK,
		  "the device saw Success");
	edu_page_request(&e, IOVA, 2 | EDU_PR_R);
	report_eq(edu_reg(&e, EDU_PRI_WAITING), 2, "no answer if it is not the last of its group");
	vw64(R_PQH, 0);
	edu_page_request(&e, IOVA, 2 | EDU_PR_R | EDU_PR_LAST);
	report_eq(vr64(R_PQT), 0x20, "with room again, but PRO set: dropped");
	report_eq(edu_reg(&e, EDU_PRI_WAITING), 1, "and answered");
	vw32(R_PRS, PRS_PRO);
	report_eq(vr32(R_PRS), PRS_PPR, "PRO is cleared alone");
	edu_page_request(&e, IOVA, 3 | EDU_PR_R | EDU_PR_LAST);
	report_eq(vr64(R_PQT), 0x40, "then requests come again");
	report_eq(vtd_fault(NULL), 0, "overflow is no fault");

	/* Through the whole ring. */
	for (unsigned int i = 0; i < 300; i++) {
		vw64(R_PQH, vr64(R_PQT));
		edu_page_request(&e, IOVA + i * 0x1000, 4 | EDU_PR_R | EDU_PR_LAST);
		pri_respond(vr64(R_PQH) / 32, CODE_OK);
	}
	report_eq(vr64(R_PQT), (0x40 + 300 * 32) % 4096, "the tail wraps around");
	report_eq(vr32(R_PRS), PRS_PPR, "without overflow");
	report_eq(edu_reg(&e, EDU_PRI_WAITING), 2, "all were answered, but groups 1 and 3");
	vtd_stop();

	pri_start(&e, VECTOR_PAGE);
	vw64(R_PQA, 0xfffffffff000);
	edu_page_request(&e, IOVA, 1 | EDU_PR_R | EDU_PR_LAST);
	vw64(R_PQA, T_PRQ);
	report(vr32(R_VER) != ~0u, "a queue outside of memory does no harm");
	vtd_stop();
}

/* Conditions under which a request is not let through: a fault, and Invalid Request (Table 30). */
static void turned_away(u32 reason, const char *what)
{
	struct fault f = { 0 };
	u32 responses = edu_reg(&e, EDU_PRI_RESPONSES);

	vtd_faults_clear();
	edu_page_request(&e, IOVA, 9 | EDU_PR_W | EDU_PR_LAST);
	report_eq(vtd_fault(&f), reason, "%s: a fault, %xh", what, reason);
	report(f.sid == (u32)e.devfn && f.page_request, "%s: of this device's page request", what);
	report_eq(vr64(R_PQT), 0, "%s: nothing is written", what);
	report_eq(edu_reg(&e, EDU_PRI_LAST), 1U << 31 | CODE_INVALID << 12 | 9,
		  "%s: answered as invalid", what);
	edu_page_request(&e, IOVA, 10 | EDU_PR_W);
	report_eq(edu_reg(&e, EDU_PRI_RESPONSES), responses + 1,
		  "%s: if it is the last of its group", what);
	vtd_stop();
}

static void refusals(void)
{
	pri_start_context(&e, SM_DTE | SM_PASIDE, VECTOR_PAGE);
	turned_away(0x47, "PRE=0");
	pri_start_context(&e, SM_PASIDE | SM_PRE, VECTOR_PAGE);
	turned_away(0x43, "PRE without DTE");
	pri_start_context(&e, SM_DTE | SM_PRE, VECTOR_PAGE);
	edu_tag(&e, EDU_PASID(PRI_PASID));
	turned_away(0x45, "PASIDE=0");
	pri_start(&e, VECTOR_PAGE);
	edu_tag(&e, EDU_PASID(0x2000));
	turned_away(0x46, "a PASID beyond the directory");
	pri_start(&e, VECTOR_PAGE);
	edu_tag(&e, EDU_PASID(0));
	turned_away(0x48, "RID_PASID as a PASID");
	pri_start(&e, VECTOR_PAGE);
	edu_tag(&e, EDU_PASID(PRI_PASID + 1));
	turned_away(0x59, "PASID entry not present");
	pri_start(&e, VECTOR_PAGE);
	edu_tag(&e, EDU_PASID(64));
	turned_away(0x51, "PASID directory entry not present");
	pri_start(&e, VECTOR_PAGE);
	vtd_pasid(0, 1 | 5 << 6, PRI_DID, T_TABLES);
	turned_away(0x5b, "PGTT that does not exist");
	pri_start(&e, VECTOR_PAGE);
	at64(T_CONTEXT + e.devfn * 32)[0] = 0;
	turned_away(0x41, "context entry not present");
	pri_start(&e, VECTOR_PAGE);
	*at64(T_ROOT) = 0;
	turned_away(0x39, "root entry not present");

	pri_start(&e, VECTOR_PAGE);
	vtd_stop();
	vtd_start(TTM_LEGACY);
	vtd_context_legacy(e.devfn, 1 | 1 << 2 | T_TABLES, 2);
	turned_away(0x32, "legacy mode");

	pri_start_context(&e, SM_DTE | SM_PASIDE, VECTOR_PAGE);
	report_eq(edu_put(&e, IOVA, 1), EDU_INVALID, "PRE=0: a DMA ends as invalid");
	vtd_stop();
	pri_start_context(&e, SM_DTE | SM_PASIDE | BIT(1), VECTOR_PAGE);
	vtd_faults_clear();
	report_eq(edu_put(&e, IOVA, 1), EDU_INVALID, "the same with FPD");
	report_eq(vtd_fault(NULL), 0, "is not recorded");
	vtd_stop();
	report_eq(edu_put(&e, IOVA, 1), EDU_REFUSED, "translation off: nothing is translated");
	edu_page_request(&e, IOVA, 9 | EDU_PR_W | EDU_PR_LAST);
	report(vr64(R_PQT) == 0 && !vtd_fault(NULL), "and no page request taken");
}

/* Draining (7.10), and the descriptors' own rules (6.5.2.9, 7.6.1). */
static void queue(void)
{
	volatile u32 *status = (volatile u32 *)T_STATUS;
	u32 at;

	pri_start(&e, VECTOR_PAGE);
	*status = 0;
	edu_put(&e, IOVA, 1);
	vtd_push(5UL | 1UL << 6, 0); /* fence */
	vtd_push(INV_PIOTLB_PASID(PRI_DID, 0), 0);
	vtd_push(INV_DTLB(e.devfn), DTLB_ALL);
	vtd_push(INV_WAIT_PD | INV_WAIT_SW(0x77), T_STATUS);
	vtd_tail();
	if (ecap & ECAP_PDS) {
		report_eq(*status, 0x77, "a wait with PD completes");
		report_eq(vr64(R_PQT), 0x20, "behind the request");
	} else {
		report_eq(vr64(R_IQERCD) & 0xf, 4, "PD is reserved without PDS");
		vw64(R_FSTS, FSTS_IQE);
	}
	vtd_stop();

	pri_start(&e, VECTOR_PAGE);
	at = vtd_tail_pos();
	vtd_push(INV_RESPONSE(e.devfn, CODE_OK) | 1UL << 5, 0);
	vtd_tail();
	report(vr32(R_FSTS) & FSTS_IQE && vr64(R_IQH) == at, "a response with a reserved bit");
	report_eq(vr64(R_IQERCD) & 0xf, 4, "is an error of that kind");
	vtd_stop();
	vtd_start_queue(TTM_LEGACY);
	vtd_push(INV_RESPONSE(e.devfn, CODE_OK), 0);
	vtd_tail();
	report(vr32(R_FSTS) & FSTS_IQE, "a response in 128 bits");
	report_eq(vr64(R_IQERCD) & 0xf, 3, "is of a wrong type");
	vtd_stop();
}

static void registers(void)
{
	report_eq(vr32(R_PECTL), EV_IM, "the event is masked at first");
	vw64(R_PQH, ~0UL);
	report_eq(vr64(R_PQH), 0x7ffe0, "the head's bits");
	vw64(R_PQT, ~0UL);
	report_eq(vr64(R_PQT), 0x7ffe0, "the tail's");
	vw64(R_PQA, ~0UL);
	report_eq(vr64(R_PQA) & 0xfff, 7, "the queue's size");
	vw32(R_PRS, ~0u);
	report_eq(vr32(R_PRS), 0, "status cannot be set");
	vw64(R_PQH, 0);
	vw64(R_PQT, 0);
	report_eq(edu_pri_status(&e) & PRI_STOPPED, PRI_STOPPED,
		  "the device's page requests are stopped");
}

/* --viommu=vtd,pri=off */
static void without(void)
{
	struct fault f = { 0 };

	for (u32 reg = R_PQH; reg < R_PEADDR; reg += 4) {
		vw32(reg, ~0u);
		report_eq(vr32(reg), 0, "register %x is reserved", reg);
	}
	pri_start(&e, VECTOR_PAGE);
	vw32(R_FECTL, EV_IM);
	report_eq(edu_put(&e, IOVA, 1), EDU_REFUSED, "PRE is reserved");
	report_eq(vtd_fault(&f), 0x42, "as the fault says");
	vtd_push(INV_RESPONSE(e.devfn, CODE_OK), 0);
	vtd_tail();
	report(vr32(R_FSTS) & FSTS_IQE, "a response is an error");
	report_eq(vr64(R_IQERCD) & 0xf, 3, "of the type");
	vtd_stop();
	pri_start_context(&e, SM_DTE | SM_PASIDE, VECTOR_PAGE);
	report(edu_put(&e, IOVA, 1) == EDU_INVALID || edu_reg(&e, EDU_PRI_WAITING) == 1,
	       "a page request leads nowhere");
	vtd_stop();
}

int main(void)
{
	if (!edu_init(&e, 0)) {
		report(false, "there is a test device");
		return 0;
	}
	ecap = vr64(R_ECAP);
	report(pci_ext_cap(e.devfn, EXT_CAP_PRI), "the test device has PRI");
	if (!(ecap & ECAP_DT) || !(ecap & ECAP_PASID)) {
		report_skip("the unit offers no device-TLBs, or no PASIDs");
		return 0;
	}
	if (!(ecap & ECAP_PRS)) {
		without();
		return 0;
	}
	registers();
	overflow();
	refusals();
	queue();
	return 0;
}
