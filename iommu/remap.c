/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interrupt remapping (VT-d 5.1).
 *
 * Nothing is cached here: an entry is read when a message is sent or a route is computed.  KVM's
 * routes are the interrupt entry cache (6.4), refreshed when the guest invalidates.
 */

#include <errno.h>

#include "iommu/entry.h"
#include "iommu/vtd_regs.h"
#include "lkvm/trace.h"

/* Table 15 */
enum {
	IR_REQUEST_RESERVED = 0x20,
	IR_INDEX = 0x21,
	IR_NOT_PRESENT = 0x22,
	IR_TABLE_ACCESS = 0x23,
	IR_ENTRY_RESERVED = 0x24,
	IR_COMPATIBILITY = 0x25,
	IR_SID = 0x26,
};

/* Interrupt remapping table entry, remapped format (9.9). */
struct irte {
	u64 lo, hi;
};
#define IRTE_P	 BIT(0)
#define IRTE_FPD BIT(1)
#define IRTE_DM	 BIT(2)
#define IRTE_RH	 BIT(3)
#define IRTE_TM	 BIT(4)
/* IM (bit 15) is reserved without posted interrupts. */
#define IRTE_RSVD	(GENMASK(31, 24) | GENMASK(15, 12))
#define IRTE_RSVD_XAPIC (GENMASK(63, 48) | GENMASK(39, 32))
#define IRTE_RSVD_HI	GENMASK(63, 20)

/* Fetch entry @index: 0 or a fault reason. */
static u8 irte__fetch(const struct vtd *vtd, u32 index, struct irte *e)
{
	u64 gpa = (vtd->irta & GENMASK(63, 12)) + 16ULL * index;
	u64 val[2];

	if (index >= 2u << FIELD(vtd->irta, 3, 0))
		return IR_INDEX;
	if (gpa >> vtd->vm->phys_bits)
		return IR_INDEX;
	if (!entry__read(vtd, gpa, val, 2))
		return IR_TABLE_ACCESS;
	*e = (struct irte){ .lo = val[0], .hi = val[1] };
	return 0;
}

/* SVT, SQ and SID (9.9). */
static u8 irte__verify(const struct irte *e, u16 sid)
{
	static const u16 ignored[] = { 0, 4, 6, 7 }; /* by SQ */
	u16 want = FIELD(e->hi, 15, 0);
	u8 bus = sid >> 8;

	switch (FIELD(e->hi, 19, 18)) {
	case 0:
		return 0;
	case 1:
		return ((sid ^ want) & ~ignored[FIELD(e->hi, 17, 16)]) ? IR_SID : 0;
	case 2:
		return bus < want >> 8 || bus > (want & 0xff) ? IR_SID : 0;
	default:
		return IR_ENTRY_RESERVED;
	}
}

static u8 irte__check(const struct irte *e, bool eime)
{
	u8 mode = FIELD(e->lo, 7, 5);

	if ((e->lo & IRTE_RSVD) || (e->hi & IRTE_RSVD_HI))
		return IR_ENTRY_RESERVED;
	if (!eime && (e->lo & IRTE_RSVD_XAPIC))
		return IR_ENTRY_RESERVED;
	return mode == 3 || mode == 6 ? IR_ENTRY_RESERVED : 0; /* no such delivery mode */
}

/* The entry as a message in compatibility format (5.1.2.1). */
static void irte__message(const struct irte *e, bool eime, struct msi_msg *out)
{
	u32 dest = eime ? FIELD(e->lo, 63, 32) : FIELD(e->lo, 47, 40);

	out->addr = 0xfee00000ULL | (u64)(dest & 0xff) << 12 | (u64)(dest >> 8) << 40;
	if (e->lo & IRTE_RH)
		out->addr |= BIT(3);
	if (e->lo & IRTE_DM)
		out->addr |= BIT(2);
	/* The level is always "asserted" (5.1.4). */
	out->data = FIELD(e->lo, 23, 16) | FIELD(e->lo, 7, 5) << 8 | BIT(14);
	if (e->lo & IRTE_TM)
		out->data |= BIT(15);
}

/* A message in remappable format (5.1.2.2, 5.1.3): 0 or a fault reason. */
static u8 remap__entry(const struct vtd *vtd, u16 sid, const struct msi_msg *in,
		       struct msi_msg *out, u32 *index, bool *fpd)
{
	bool eime = vtd->irta & VTD_IRTA_EIME;
	struct irte e = { 0 };
	u8 reason;

	*index = FIELD(in->addr, 19, 5) | FIELD(in->addr, 2, 2) << 15;
	if (in->addr & BIT(3)) {
		if (in->data >> 16)
			return IR_REQUEST_RESERVED;
		*index += in->data;
	}
	reason = irte__fetch(vtd, *index, &e);
	if (reason)
		return reason;
	*fpd = e.lo & IRTE_FPD;
	if (!(e.lo & IRTE_P))
		return IR_NOT_PRESENT;
	reason = irte__verify(&e, sid);
	if (reason)
		return reason;
	reason = irte__check(&e, eime);
	if (reason)
		return reason;
	irte__message(&e, eime, out);
	return 0;
}

static int remap__message(void *iommu, u16 sid, const struct msi_msg *in, struct msi_msg *out,
			  bool report)
{
	struct vtd *vtd = iommu;
	struct msi_msg msg = *in;
	bool fpd = false;
	u32 index = 0;
	u8 reason = 0;

	if (!(vtd->gsts & VTD_GCMD_IRE)) {
		*out = msg;
		return 0;
	}
	/* Not a write to the interrupt range: no interrupt (5.1.4), nothing to remap or record. */
	if (msg.addr >> 20 != 0xfee)
		return -EFAULT;

	if (msg.addr & BIT(4))
		reason = remap__entry(vtd, sid, &msg, out, &index, &fpd);
	else if ((vtd->irta & VTD_IRTA_EIME) || !(vtd->gsts & VTD_GCMD_CFI))
		reason = IR_COMPATIBILITY;
	else
		*out = msg;

	trace(vtd_ir, "%02x:%02x.%x 0x%llx/0x%x -> 0x%llx/0x%x reason 0x%02x", sid >> 8,
	      sid >> 3 & 0x1f, sid & 7, msg.addr, msg.data, reason ? 0 : out->addr,
	      reason ? 0 : out->data, reason);
	if (!reason) {
		vtd->stats.ir_remapped++;
		return 0;
	}
	if (report) {
		vtd->stats.ir_blocked++;
		vtd_fault__record_ir(vtd, sid, index, reason, fpd);
	}
	return -EFAULT;
}

const struct irq_remap_ops vtd_remap_ops = {
	.remap = remap__message,
};
