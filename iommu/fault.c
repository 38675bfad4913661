/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Faults: what is recorded where (VT-d 7.2), and the interrupts of the unit itself (7.3).
 *
 * Faults of one requester are not collapsed (7.2.1 lets us choose): whoever brings up a driver sees
 * the first VTD_NFRCD of them rather than one.
 */

#include "iommu/vtd.h"
#include "iommu/vtd_regs.h"
#include "lkvm/trace.h"

#define FRCD_F BIT(63) /* of the high qword */

static const char *const texts[] = {
	/* Legacy mode, Table 30 */
	[0x01] = "root entry not present",
	[0x02] = "context entry not present",
	[0x03] = "context entry invalid",
	[0x04] = "address beyond the address width",
	[0x05] = "write not permitted",
	[0x06] = "read not permitted",
	[0x07] = "second-stage entry cannot be accessed",
	[0x08] = "root table cannot be accessed",
	[0x09] = "context table cannot be accessed",
	[0x0a] = "root entry has reserved bits set",
	[0x0b] = "context entry has reserved bits set",
	[0x0c] = "second-stage entry has reserved bits set",
	[0x0d] = "translation type blocks the request",
	[0x0e] = "output address in the interrupt range",
	/* Interrupt remapping, Table 15 */
	[0x20] = "interrupt request has reserved bits set",
	[0x21] = "interrupt index beyond the remapping table",
	[0x22] = "IRTE not present",
	[0x23] = "interrupt remapping table cannot be accessed",
	[0x24] = "IRTE has reserved bits set",
	[0x25] = "compatibility-format interrupt blocked",
	[0x26] = "IRTE refuses this requester",
	[0x27] = "posted-interrupt descriptor cannot be accessed",
	[0x28] = "posted-interrupt descriptor has reserved bits set",
	[0x29] = "malformed request to the interrupt range",
	[0x2a] = "extended interrupt mode is required",
	[0x2b] = "interrupt remapping is required",
	/* Root-table address */
	[0x30] = "translation table mode invalid",
	[0x31] = "request with PASID in legacy mode",
	[0x32] = "page request in legacy mode",
	[0x33] = "abort-dma mode",
	[0x34] = "execute permission requested",
	/* Scalable mode */
	[0x38] = "scalable-mode root table cannot be accessed",
	[0x39] = "scalable-mode root entry not present",
	[0x3a] = "scalable-mode root entry has reserved bits set",
	[0x40] = "scalable-mode context table cannot be accessed",
	[0x41] = "scalable-mode context entry not present",
	[0x42] = "scalable-mode context entry has reserved bits set",
	[0x43] = "scalable-mode context entry invalid",
	[0x44] = "device-TLB not enabled in the context entry",
	[0x45] = "PASID not enabled in the context entry",
	[0x46] = "PASID beyond the PASID directory",
	[0x47] = "page requests not enabled in the context entry",
	[0x48] = "PASID equals RID_PASID",
	[0x49] = "PASID in translated requests not enabled",
	[0x50] = "PASID directory cannot be accessed",
	[0x51] = "PASID directory entry not present",
	[0x52] = "PASID directory entry has reserved bits set",
	[0x58] = "PASID table cannot be accessed",
	[0x59] = "PASID entry not present",
	[0x5a] = "PASID entry has reserved bits set",
	[0x5b] = "PASID entry invalid",
	[0x5c] = "execute requests not supported",
	[0x5d] = "supervisor requests not enabled in the PASID entry",
	[0x60] = "address beyond the host permission table",
	[0x70] = "first-stage entry cannot be accessed",
	[0x71] = "first-stage entry not present",
	[0x72] = "first-stage entry has reserved bits set",
	[0x73] = "first-stage top table cannot be accessed",
	[0x74] = "first-stage entry points beyond the second stage",
	[0x75] = "second stage denies reading the first-stage top table",
	[0x76] = "second stage denies reading a first-stage entry",
	[0x77] = "second stage denies setting accessed or dirty bits",
	[0x78] = "second-stage entry cannot be accessed",
	[0x79] = "second-stage entry not present",
	[0x7a] = "second-stage entry has reserved bits set",
	[0x7b] = "second-stage top table cannot be accessed",
	[0x7c] = "second-stage accessed or dirty bits need a snooped walk",
	[0x7d] = "second-stage accessed or dirty bits cannot be set",
	[0x80] = "address not canonical",
	[0x81] = "user request to a supervisor page",
	[0x83] = "address beyond the host address width",
	[0x84] = "address beyond the second stage",
	[0x85] = "write not permitted",
	[0x86] = "read not permitted",
	[0x87] = "output address in the interrupt range",
	[0x89] = "PASID wider than supported",
	[0x90] = "first-stage accessed or dirty bits need a snooped walk",
	[0x91] = "first-stage accessed or dirty bits cannot be set",
	[0xa0] = "host permission table entry cannot be accessed",
	[0xa1] = "host permission table entry has reserved bits set",
	[0xa2] = "host permission table root cannot be accessed",
	[0xa3] = "host permission table: nothing mapped",
	[0xa4] = "host permission table: write not permitted",
	[0xa5] = "host permission table: read not permitted",
};

const char *vtd_fault__text(u8 reason)
{
	if (reason >= ARRAY_SIZE(texts) || !texts[reason])
		return "unknown reason";
	return texts[reason];
}

/* The "Qualified" column of Tables 15 and 30: FPD silences only these. */
static bool reason__qualified(u8 reason)
{
	switch (reason) {
	case 0x01:
	case 0x08 ... 0x0a:
	case 0x20 ... 0x21:
	case 0x23:
	case 0x25:
	case 0x29 ... 0x2b:
	case 0x30 ... 0x34:
	case 0x38 ... 0x3a:
	case 0x40:
	case 0x50:
	case 0x58:
		return false;
	}
	return true;
}

/* --- Event interrupts --- */

/* Never remapped (5.1.6); trigger mode and level are 0. */
static void event__send(struct vtd *vtd, const struct vtd_event *ev)
{
	struct msi_msg msg = {
		.addr = (u64)(ev->uaddr & GENMASK(31, 8)) << 32 | ev->addr,
		.data = ev->data & GENMASK(10, 0),
	};

	/* Not in the interrupt range: hardware would write to memory, which helps nobody. */
	if (FIELD(ev->addr, 31, 20) != 0xfee)
		return;
	irq__msi_direct(vtd->irq, &msg);
}

void vtd_event__raise(struct vtd *vtd, struct vtd_event *ev)
{
	if (ev->ctl & VTD_EVENT_IM)
		ev->ctl |= VTD_EVENT_IP;
	else
		event__send(vtd, ev);
}

void vtd_event__control(struct vtd *vtd, struct vtd_event *ev, u32 val, u32 mask)
{
	mask &= VTD_EVENT_IM;
	ev->ctl = (ev->ctl & ~mask) | (val & mask);
	if (!(ev->ctl & VTD_EVENT_IM) && (ev->ctl & VTD_EVENT_IP)) {
		ev->ctl &= ~VTD_EVENT_IP;
		event__send(vtd, ev);
	}
}

/* --- Status --- */

u32 vtd_fault__status(const struct vtd *vtd)
{
	u32 status = vtd->fsts;

	for (unsigned int i = 0; i < VTD_NFRCD; i++)
		if (vtd->frcd[i].hi & FRCD_F)
			status |= VTD_FSTS_PPF | vtd->fri << 8;
	return status;
}

void vtd_fault__raise(struct vtd *vtd, u32 fsts_bits)
{
	bool pending = vtd_fault__status(vtd);

	vtd->fsts |= fsts_bits;
	if (!pending)
		vtd_event__raise(vtd, &vtd->fe);
}

/* 7.3: IP goes away with the last condition it stands for. */
static void status__cleared(struct vtd *vtd)
{
	if (!vtd_fault__status(vtd))
		vtd->fe.ctl &= ~VTD_EVENT_IP;
}

void vtd_fault__clear(struct vtd *vtd, u32 fsts_bits)
{
	/* PPF is not cleared here, whatever is written (Linux writes it, and the old bit 7). */
	vtd->fsts &= ~(fsts_bits & (VTD_FSTS_PFO | VTD_FSTS_IQE | VTD_FSTS_ICE | VTD_FSTS_ITE));
	status__cleared(vtd);
}

void vtd_fault__clear_record(struct vtd *vtd, unsigned int n)
{
	vtd->frcd[n].hi &= ~FRCD_F;
	status__cleared(vtd);
}

/* --- Recording (7.2.1) --- */

static void frcd__add(struct vtd *vtd, u64 lo, u64 hi)
{
	struct vtd_frcd *slot = &vtd->frcd[vtd->frcd_next];
	bool pending;

	vtd->stats.faults++;
	vtd->stats.reasons[FIELD(hi, 39, 32)]++;
	if (vtd->fsts & VTD_FSTS_PFO) {
		vtd->stats.faults_dropped++;
		return;
	}
	if (slot->hi & FRCD_F) {
		vtd->stats.faults_dropped++;
		vtd->fsts |= VTD_FSTS_PFO;
		return;
	}

	pending = vtd_fault__status(vtd);
	if (!(vtd_fault__status(vtd) & VTD_FSTS_PPF))
		vtd->fri = vtd->frcd_next;
	slot->lo = lo;
	slot->hi = hi | FRCD_F;
	vtd->frcd_next = (vtd->frcd_next + 1) % VTD_NFRCD;
	if (!pending)
		vtd_event__raise(vtd, &vtd->fe);
}

static void count_silenced(struct vtd *vtd, u8 reason)
{
	vtd->stats.faults_fpd++;
	vtd->stats.reasons[reason]++;
}

void vtd_fault__record(struct vtd *vtd, const struct vtd_fault *fault)
{
	/* On the link, asking for a translation is a read. */
	bool ask = fault->kind == VTD_TRANSLATION;
	bool read = fault->access & (DMA_READ | DMA_EXEC) || ask;
	bool write = fault->access & DMA_WRITE && !ask;
	u64 hi = fault->sid | (u64)fault->reason << 32;

	trace(vtd_fault, "%02x:%02x.%x pasid %#x addr 0x%llx reason 0x%02x (%s)%s", fault->sid >> 8,
	      fault->sid >> 3 & 0x1f, fault->sid & 7, fault->pasid, fault->addr, fault->reason,
	      vtd_fault__text(fault->reason), fault->fpd ? " fpd" : "");
	if (fault->fpd && reason__qualified(fault->reason)) {
		count_silenced(vtd, fault->reason);
		return;
	}

	/*
	 * 11.4.7.6.  T1, T2: 10 read, 00 write, 11 both at once (an atomic operation), 01 page request.
	 * What is about device-TLBs or PASIDs is reserved without them.
	 */
	if (fault->kind == VTD_PAGE_REQUEST) {
		hi |= BIT(28);
	} else {
		if (vtd->ecap & VTD_ECAP_DT)
			hi |= (u64)fault->kind << 60; /* AT */
		if (read)
			hi |= BIT(62);
		if (read && write)
			hi |= BIT(28);
	}
	if (fault->pasid != DMA_NO_PASID && (vtd->ecap & VTD_ECAP_PASID)) {
		hi |= BIT(31) | (u64)(fault->pasid & GENMASK(19, 0)) << 40;
		if (fault->access & DMA_PRIV)
			hi |= BIT(29);
		if (fault->access & DMA_EXEC)
			hi |= BIT(30);
	}
	/* All of it: with a first stage, bits above the AGAW say why it was not canonical. */
	frcd__add(vtd, fault->addr & GENMASK(63, 12), hi);
}

void vtd_fault__record_ir(struct vtd *vtd, u16 sid, u16 index, u8 reason, bool fpd)
{
	trace(vtd_fault, "%02x:%02x.%x interrupt index %u reason 0x%02x (%s)%s", sid >> 8,
	      sid >> 3 & 0x1f, sid & 7, index, reason, vtd_fault__text(reason), fpd ? " fpd" : "");
	if (fpd && reason__qualified(reason)) {
		count_silenced(vtd, reason);
		return;
	}
	frcd__add(vtd, (u64)index << 48, sid | (u64)reason << 32);
}
