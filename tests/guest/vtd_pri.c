/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * Page requests that are taken: what the queue says, the event, and what responses do (VT-d 7.4 to
 * 7.6).
 */

#include "pri.h"

#define VECTOR_PAGE 0x52
#define DID_SS	    3

static struct edu e;

static void grant(u64 bits)
{
	*vtd_leaf(T_TABLES, IOVA) = PAGE_A | bits;
}

static u32 result(void)
{
	return edu_reg(&e, EDU_X_RESULT);
}

static void request(void)
{
	volatile u32 *at = (volatile u32 *)(PAGE_A + OFFSET);
	volatile u64 *d = pri_desc(0);

	pri_start(&e, VECTOR_PAGE);
	*at = 0;
	report_eq(edu_put(&e, IOVA, 0xabcd), EDU_PENDING, "a DMA to a missing page waits");
	report_eq(vr64(R_PQT), 0x20, "one request is in the queue");
	report_eq(D_TYPE(d), 1, "a page request");
	report_eq(D_RID(d), e.devfn, "of this device");
	report_eq(d[0] & (D_PP | D_EXE | D_PRIV), 0, "without PASID");
	report_eq(d[1] & (D_R | D_W | D_LAST), D_W | D_LAST, "to write, the last of its group");
	report_eq(d[1] & ~0xfffUL, PAGE, "for the page");
	report(!d[2] && !d[3], "the rest is zero");
	report_eq(vr32(R_PRS), PRS_PPR, "a request is pending");
	report_eq(vr64(R_PQH), 0, "the head is software's");
	report_eq(vtd_fault(NULL), 0, "no fault is recorded");
	grant(FS_ALL);
	report(pri_respond(0, CODE_OK), "the response is taken");
	report_eq(result(), EDU_DONE, "then the DMA is done");
	report_eq(*at, 0xabcd, "and arrived");
	report_eq(edu_reg(&e, EDU_PRI_WAITING), 0, "nothing is outstanding");
	vw32(R_PRS, PRS_PPR);
	report_eq(vr32(R_PRS), 0, "the status is cleared by writing 1");
	vw64(R_PQH, 0x20);
	report_eq(vr64(R_PQH), 0x20, "and the head moved");

	edu_tag(&e, EDU_PASID(PRI_PASID) | EDU_PRIV);
	grant(0);
	vtd_inv(INV_PIOTLB_PASID(PRI_DID, PRI_PASID), 0);
	report_eq(edu_dma(&e, IOVA, 4, false), EDU_PENDING, "a privileged read with PASID");
	d = pri_desc(1);
	report_eq(d[0] & (D_PP | D_EXE | D_PRIV), D_PP | D_PRIV, "is recorded so");
	report_eq(D_PASID(d), PRI_PASID, "with its PASID");
	report_eq(d[1] & (D_R | D_W | D_LAST), D_R | D_LAST, "to read");
	grant(FS_ALL);
	pri_respond(1, CODE_OK);
	report_eq(result(), EDU_DONE, "and is done after the response");
	vtd_stop();

	/* 6.5.3.1: more permissions need no invalidation, the request itself was one. */
	pri_start(&e, VECTOR_PAGE);
	grant(FS_P | FS_US | FS_A | FS_D);
	report_eq(edu_dma(&e, IOVA, 4, false), EDU_DONE, "a read-only page is read");
	report_eq(edu_put(&e, IOVA, 1), EDU_PENDING, "a write to it waits");
	grant(FS_ALL);
	pri_respond(0, CODE_OK);
	report_eq(result(), EDU_DONE, "it is done without an invalidation");
	vtd_stop();
}

/* The same where a second stage denied the write, alone and under a first one (Table 27). */
static void upgrade(bool nested)
{
	const char *name = nested ? "nested" : "second stage";
	u64 iova = nested ? IOVA : PAGE_B + OFFSET;

	pri_start(&e, VECTOR_PAGE);
	vtd_map(T_TABLES, IOVA, PAGE_B, FS_DIR, FS_ALL);
	vtd_map_2m(T_TABLES2, PAGE_B, PAGE_A, SS_R | SS_W, SS_R);
	vtd_map_2m(T_TABLES2, T_TABLES, T_TABLES, SS_R | SS_W, SS_R | SS_W);
	vtd_pasid(0, 1 | (nested ? PGTT_NESTED : PGTT_SS) << 6 | 2 << 2 | T_TABLES2, DID_SS,
		  T_TABLES);
	report_eq(edu_dma(&e, iova, 4, false), EDU_DONE, "%s: a read-only page is read", name);
	report_eq(edu_put(&e, iova, 1), EDU_PENDING, "%s: a write to it waits", name);
	report_eq(pri_desc(0)[1] & ~0xfffUL, iova & ~0xfffUL, "%s: for this address", name);
	vtd_map_2m(T_TABLES2, PAGE_B, PAGE_A, SS_R | SS_W, SS_R | SS_W);
	pri_respond(0, CODE_OK);
	report_eq(result(), EDU_DONE, "%s: it is done without an invalidation", name);
	vtd_stop();
}

static void answers(void)
{
	pri_start(&e, VECTOR_PAGE);
	edu_put(&e, IOVA, 1);
	pri_respond(0, CODE_INVALID);
	report_eq(result(), EDU_INVALID, "Invalid Request ends the DMA");
	report_eq(edu_reg(&e, EDU_PRI_LAST) >> 12 & 0xf, CODE_INVALID, "the device saw the code");
	edu_put(&e, IOVA, 1);
	pri_respond(1, CODE_OK);
	report_eq(result(), EDU_PENDING, "Success that is not true: it asks again");
	report_eq(vr64(R_PQT), 0x60, "by a third request");
	report(D_GROUP(pri_desc(2)) != D_GROUP(pri_desc(1)), "of another group");
	for (unsigned int i = 2; i < 30 && result() == EDU_PENDING; i++)
		pri_respond(i, CODE_OK);
	report_eq(result(), EDU_NO_SUCCESS, "but not for ever");
	edu_put(&e, IOVA, 1);
	pri_respond(vr64(R_PQT) / 32 - 1, CODE_FAILED);
	report_eq(result(), EDU_FAILED, "Response Failure ends the DMA");
	report_eq(edu_pri_status(&e) & PRI_RF, PRI_RF, "and is in the capability");
	report_eq(edu_put(&e, IOVA, 1), EDU_NO_ACCESS, "then no more page requests are sent");
	edu_enable_pri(&e, 16);
	report_eq(edu_put(&e, IOVA, 1), EDU_PENDING, "until they are enabled anew");
	edu_enable_pri(&e, 0);
	vtd_stop();

	pri_start(&e, VECTOR_PAGE);
	write64(e.regs + EDU_DMA_SRC, EDU_BUF);
	write64(e.regs + EDU_DMA_DST, IOVA);
	write64(e.regs + EDU_DMA_COUNT, 4);
	write64(e.regs + EDU_DMA_CMD, EDU_START | EDU_TO_RAM | EDU_IRQ);
	report_eq(edu_reg(&e, EDU_IRQ_STATUS), 0, "no interrupt while it waits");
	grant(FS_ALL);
	pri_respond(0, CODE_OK);
	report_eq(edu_reg(&e, EDU_IRQ_STATUS), 0x100, "but at its end");

	report(vtd_inv(INV_RESPONSE(e.devfn, CODE_OK), RESPONSE_GROUP(77)),
	       "a response to nothing");
	report_eq(edu_pri_status(&e) & PRI_UPRGI, PRI_UPRGI, "is unexpected, as the device says");
	report(vtd_inv(INV_RESPONSE(0xfff8, CODE_OK), 0), "one to nobody is dropped");
	report(vtd_inv(INV_RESPONSE(e.devfn, CODE_OK), BIT(2)), "bit 66 is ignored");
	grant(0);
	vtd_inv(INV_IOTLB_GLOBAL, 0);
	vtd_inv(INV_DTLB(e.devfn), DTLB_ALL);
	report_eq(edu_put(&e, IOVA, 1), EDU_PENDING, "a DMA waits");
	pci_flr(e.devfn);
	grant(FS_ALL);
	report(pri_respond(1, CODE_OK), "the device was reset meanwhile");
	report_eq(result(), EDU_NONE, "the response does nothing");
	report_eq(edu_pri_status(&e), 0x8100, "nor is it unexpected: page requests are stopped");
	vtd_stop();
}

static void event(void)
{
	pri_start(&e, VECTOR_PAGE);
	irq_settle();
	report_eq(irq_count[VECTOR_PAGE], 0, "no event yet");
	edu_page_request(&e, IOVA, 1 | EDU_PR_R);
	irq_settle();
	report_eq(irq_count[VECTOR_PAGE], 0, "masked: no event");
	report_eq(vr32(R_PECTL), EV_IM | EV_IP, "but it is pending");
	vw32(R_PECTL, 0);
	report(irq_wait(VECTOR_PAGE, 1), "unmasked: it comes");
	report_eq(vr32(R_PECTL), 0, "and is pending no more");
	edu_page_request(&e, IOVA, 1 | EDU_PR_R);
	irq_settle();
	report_eq(irq_count[VECTOR_PAGE], 1, "a second request, while PPR is set, is silent");
	vw32(R_PRS, PRS_PPR);
	edu_page_request(&e, IOVA, 1 | EDU_PR_R | EDU_PR_LAST);
	report(irq_wait(VECTOR_PAGE, 2), "cleared, the next one interrupts");
	vw32(R_PRS, PRS_PPR);
	vw32(R_PECTL, EV_IM);
	edu_page_request(&e, IOVA, 2 | EDU_PR_R | EDU_PR_LAST);
	vw32(R_PRS, PRS_PPR);
	report_eq(vr32(R_PECTL), EV_IM, "cleared while it is pending: it is gone");
	vw32(R_PECTL, 0);
	irq_settle();
	report_eq(irq_count[VECTOR_PAGE], 2, "and does not come");
	vtd_stop();
}

static void fields(void)
{
	volatile u64 *d;

	pri_start(&e, VECTOR_PAGE);
	edu_tag(&e, EDU_PASID(PRI_PASID) | EDU_EXEC);
	report(edu_page_request(&e, IOVA, 0x1ff | EDU_PR_R), "a request that is not the last");
	d = pri_desc(0);
	report_eq(d[1] & 0xfff, 0x1ff << 3 | D_R, "is recorded so, with its group");
	report_eq(d[0] & (D_PP | D_EXE | D_PRIV), D_PP | D_EXE, "and to execute");
	edu_page_request(&e, 0xfedcba9876543210, 0x155 | EDU_PR_R | EDU_PR_W | EDU_PR_LAST);
	d = pri_desc(1);
	report_eq(d[1], 0xfedcba9876543000 | 0x155 << 3 | D_R | D_W | D_LAST,
		  "any address, to read and write");
	pri_respond(1, CODE_OK);
	report_eq(edu_reg(&e, EDU_PRI_LAST), 1U << 31 | 0x155, "the response names its group");
	report_eq(edu_reg(&e, EDU_PRI_LAST_PASID), 1U << 31 | PRI_PASID, "and PASID");
	report_eq(edu_reg(&e, EDU_PRI_WAITING), 1, "the other one is outstanding");
	vtd_stop();
}

int main(void)
{
	u64 ecap = vr64(R_ECAP);

	irq_init();
	if (!edu_init(&e, 0)) {
		report(false, "there is a test device");
		return 0;
	}
	if (!(ecap & ECAP_PRS) || !(ecap & ECAP_PASID)) {
		report_skip("the unit offers no page requests, or no PASIDs");
		return 0;
	}
	request();
	upgrade(false);
	if (ecap & ECAP_NEST)
		upgrade(true);
	answers();
	event();
	fields();
	return 0;
}
