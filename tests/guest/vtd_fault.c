/* SPDX-License-Identifier: GPL-2.0-only */

/* Fault records, their interrupt, overflow; and the queue's errors and how it recovers. */

#include "vtd.h"

#define VECTOR_FAULT 0x50
#define VECTOR_INV   0x51
#define VECTOR_DMA   0x52

static struct edu e;

static void record(void)
{
	struct fault f = { 0 };

	vtd_start(TTM_LEGACY);
	vtd_faults_clear();
	vtd_map(T_TABLES, IOVA, PAGE_A, SS_R | SS_W, SS_R);
	report_eq(edu_put(&e, IOVA, 1), EDU_REFUSED, "without a context entry DMA is refused");
	report_eq(vtd_fault(&f), 2, "as context entry not present");
	report_eq(f.sid, e.devfn, "by this device");
	report_eq(f.addr, IOVA & ~0xfffUL, "at this page");
	report(f.write && !f.has_pasid, "on a write without PASID");
	vtd_context_legacy(e.devfn, 1 | T_TABLES, 2);
	report_eq(edu_get(&e, IOVA + 0x1000), ~0u, "a read of an unmapped page gives ones");
	report_eq(vtd_fault(&f), 6, "as read not permitted");
	report(!f.write, "on a read");
	edu_put(&e, IOVA, 1);
	report_eq(vtd_fault(&f), 5, "a write to a read-only page");
	edu_put(&e, 1UL << 48, 1);
	report_eq(vtd_fault(&f), 4, "an address beyond the width");
	edu_dma(&e, MSI_BASE, 8, true);
	report_eq(vtd_fault(&f), 0x29, "two dwords written to the interrupt range");
	edu_dma(&e, MSI_BASE + 2, 4, true);
	report_eq(vtd_fault(&f), 0x29, "one that is misaligned");
	edu_get(&e, MSI_BASE);
	report_eq(vtd_fault(&f), 0x29, "one that is read");
	report_eq(edu_put(&e, MSI_BASE, VECTOR_DMA), EDU_DONE, "a dword written there is done");
	report(irq_wait(VECTOR_DMA, 1), "and is an interrupt");
	report_eq(vtd_fault(&f), 0, "whatever the tables say");
	edu_put(&e, (IOVA & ~0xfffUL) + 0xffe, 1);
	report(vtd_fault(NULL) != 0, "a write that crosses into an unmapped page");
	*at64(T_ROOT) = 0;
	vtd_inv(INV_CONTEXT_GLOBAL, 0);
	edu_put(&e, IOVA, 1);
	report_eq(vtd_fault(NULL), 1, "root entry not present");
	*at64(T_ROOT) = 0xfffffffff000 | 1;
	edu_put(&e, IOVA, 1);
	report(vtd_fault(NULL) != 0, "a root entry that leads out of memory");
	*at64(T_ROOT) = T_CONTEXT | 1;
	vtd_context_legacy(e.devfn, 2, 2);
	edu_put(&e, IOVA, 1);
	report_eq(vtd_fault(NULL), 0, "FPD keeps a qualified fault quiet");
	vtd_stop();
}

static void interrupt(void)
{
	vtd_start(TTM_LEGACY);
	vtd_faults_clear();
	vw32(R_FECTL, EV_IM);
	vw32(R_FEADDR, MSI_BASE);
	vw32(R_FEUADDR, 0);
	vw32(R_FEDATA, MSI_DATA(VECTOR_FAULT));
	edu_put(&e, IOVA, 1);
	irq_settle();
	report_eq(irq_count[VECTOR_FAULT], 0, "masked: no interrupt");
	report_eq(vr32(R_FECTL) & EV_IP, EV_IP, "but one is pending");
	vw32(R_FECTL, 0);
	report(irq_wait(VECTOR_FAULT, 1), "unmasked: it comes");
	report_eq(vr32(R_FECTL) & EV_IP, 0, "and is pending no longer");
	edu_put(&e, IOVA, 1);
	irq_settle();
	report_eq(irq_count[VECTOR_FAULT], 1, "a second fault, while one is recorded, is silent");
	report_eq(vtd_fault(NULL), 2, "both are recorded: the first");
	report_eq(vr32(R_FSTS) & FSTS_PPF, FSTS_PPF, "leaves the second");
	vtd_faults_clear();
	report_eq(vr32(R_FSTS), 0, "cleared: no status");
	edu_put(&e, IOVA, 1);
	report(irq_wait(VECTOR_FAULT, 2), "after that the next one interrupts");
	for (unsigned int i = 0; i < 300; i++)
		write64(e.regs + EDU_DMA_CMD, EDU_START | EDU_TO_RAM);
	report_eq(vr32(R_FSTS) & (FSTS_PFO | FSTS_PPF), FSTS_PFO | FSTS_PPF, "a storm overflows");
	vtd_faults_clear();
	report_eq(vr32(R_FSTS), 0, "and can be cleared");
	edu_put(&e, IOVA, 1);
	report_eq(vtd_fault(NULL), 2, "then faults are recorded again");
	vtd_stop();
}

static void completion(void)
{
	vtd_start_queue(TTM_LEGACY);
	vw32(R_IEADDR, MSI_BASE);
	vw32(R_IEDATA, MSI_DATA(VECTOR_INV));
	vw32(R_IECTL, 0);
	vtd_push(INV_WAIT_IF, 0);
	vtd_tail();
	report(irq_wait(VECTOR_INV, 1), "a wait with IF interrupts");
	report_eq(vr32(R_ICS) & 1, 1, "and sets IWC");
	vtd_push(INV_WAIT_IF, 0);
	vtd_tail();
	irq_settle();
	report_eq(irq_count[VECTOR_INV], 1, "not again while IWC is set");
	vw32(R_ICS, 1);
	vtd_push(INV_WAIT_IF, 0);
	vtd_tail();
	report(irq_wait(VECTOR_INV, 2), "again after it was cleared");
	for (unsigned int i = 0; i < 600; i++)
		vtd_push(INV_IOTLB_GLOBAL, 0);
	report(vtd_inv(INV_CONTEXT_GLOBAL, 0), "the queue wraps around");
	vtd_stop();
}

/* A bad descriptor: the queue stops there, says why, and goes on once it is mended (6.5.2.11). */
static void broken(u64 lo, u64 hi, u32 why, const char *what)
{
	volatile u32 *status = (volatile u32 *)T_STATUS;
	u32 at = vtd_tail_pos();

	*status = 0;
	vtd_push(lo, hi);
	vtd_push(INV_WAIT_SW(1), T_STATUS);
	vtd_tail();
	report_eq(vr32(R_FSTS) & FSTS_IQE, FSTS_IQE, "%s: an error", what);
	report(vr64(R_IQH) == at && !*status, "%s: the head stays, the wait does not complete", what);
	report_eq(vr64(R_IQERCD) & 0xf, why, "%s: and the reason is %u", what, why);
	at64(T_QUEUE + at)[1] = T_STATUS;
	at64(T_QUEUE + at)[0] = INV_WAIT_SW(2);
	vw32(R_FSTS, FSTS_IQE);
	report(vr64(R_IQH) == vtd_tail_pos() && *status == 1,
	       "%s: overwritten and cleared, the queue runs on without a new tail", what);
}

static void errors(void)
{
	vtd_start_queue(TTM_LEGACY);
	vw32(R_FECTL, EV_IM);
	broken(0xf, 0, 3, "an unknown type");
	broken(0, 0, 3, "type 0");
	broken(INV_PASID_GLOBAL, 0, 3, "a PASID descriptor in legacy mode");
	broken(INV_IOTLB_GLOBAL | BIT(12), 0, 4, "a reserved bit");
	broken(2, 0, 4, "granularity 0");
	broken(INV_IOTLB_PAGE(0), 63, 4, "an address mask that is too large");
	report(vtd_inv(5, 0), "a wait that asks for nothing is fine");
	report(vtd_inv(INV_WAIT_SW(7), 0xfffffffff000), "a status outside of memory is dropped");
	vtd_command(G_QIE, false);
	report_eq(vr64(R_IQH), 0, "disabled, the head is 0");

	vw64(R_IQA, 0xfffffffff000);
	vw64(R_IQT, 0);
	vtd_command(G_QIE, true);
	vw64(R_IQT, 16);
	report_eq(vr32(R_FSTS) & FSTS_IQE, FSTS_IQE, "a queue outside of memory is an error");
	report_eq(vr64(R_IQERCD) & 0xf, 2, "of fetching");
	vtd_stop();
	vtd_start_queue(TTM_LEGACY);
	vw64(R_IQT, 0x7fff0);
	report_eq(vr32(R_FSTS) & FSTS_IQE, FSTS_IQE, "a tail outside of the queue is an error");
	report_eq(vr64(R_IQERCD) & 0xf, 1, "of the tail");
	vtd_stop();
	vtd_start_queue(TTM_LEGACY);
	report(vtd_inv(INV_IOTLB_GLOBAL, 0), "after all that the queue works");
	vtd_stop();
}

/* The largest queue, full: more than is done before the write of the tail is over. */
static void full(void)
{
	const u32 entries = 4096 << 7 >> 4, end = (entries - 1) * 16;
	volatile u32 *status = (u32 *)T_STATUS;
	u32 done = 0;
	u64 head;
	bool early = false, back = false;

	vtd_start_queue(TTM_LEGACY);
	vtd_command(G_QIE, false);
	vw64(R_IQA, T_LARGE | 7);
	for (u32 i = 0; i < entries; i++) {
		at64(T_LARGE + i * 16)[0] = i & 1 ? INV_WAIT_SW(i) : INV_IOTLB_GLOBAL;
		at64(T_LARGE + i * 16)[1] = i & 1 ? T_STATUS : 0;
	}
	*status = 0;
	vtd_command(G_QIE, true);
	vw64(R_IQT, end);
	do {
		const u32 now = *status;

		head = vr64(R_IQH);
		early |= now && head < (now + 1) * 16;
		back |= now < done;
		done = now;
	} while (head != end && !vr32(R_FSTS));
	report_eq(head, end, "a full queue is executed to its tail");
	report_eq(*status, entries - 3, "with its last wait");
	report(!early && !back, "a wait completes in its turn");
	vtd_stop();
	vtd_start_queue(TTM_LEGACY);
	report(vtd_inv(INV_IOTLB_GLOBAL, 0), "and a small one works again");
	vtd_stop();
}

int main(void)
{
	irq_init();
	if (!edu_init(&e, 0)) {
		report(false, "there is a test device");
		return 0;
	}
	record();
	interrupt();
	completion();
	errors();
	full();
	return 0;
}
