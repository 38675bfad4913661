/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The invalidation queue (VT-d 6.5.2).
 *
 * A write to the tail runs the queue there and then, until it is empty or a descriptor is refused.
 * What a descriptor asks for may be batched on its way to the host (vtd_inv__sync) and to KVM's
 * interrupt routes; both batches are closed before a wait descriptor completes, and when the run
 * ends.
 *
 * A run holds the loop's lock, so it is bounded by the work that it does (VTD_WORK_TURN): what a driver
 * submits at once is done within the write, but a guest can queue tens of thousands of descriptors that
 * each take milliseconds.  The event loop goes on with those, as hardware would after the write.
 */

#include "iommu/names.h"
#include "iommu/vtd_regs.h"
#include "lkvm/trace.h"

/* IQERCD.IQEI (11.4.9.9); 0 here: the descriptor is fine. */
enum iqei {
	IQEI_NONE = 0,
	IQEI_TAIL = 1,
	IQEI_FETCH = 2,
	IQEI_TYPE = 3,
	IQEI_RESERVED = 4,
	IQEI_WIDTH = 5,
	IQEI_ALIGN = 6,
	IQEI_TTM = 7,
};

enum desc_type {
	DESC_CONTEXT = 1,
	DESC_IOTLB = 2,
	DESC_DEVTLB = 3,
	DESC_IEC = 4,
	DESC_WAIT = 5,
	DESC_PIOTLB = 6,
	DESC_PASID = 7,
	DESC_PDEVTLB = 8,
	DESC_PAGE_RESPONSE = 9,
};

/* One run of the queue. */
struct run {
	struct vtd *vtd;
	u64 size;      /* of the queue, in bytes */
	u32 width;     /* of a descriptor */
	bool scalable; /* TTM=01 */
	bool iec;      /* interrupt entries were invalidated: routes to refresh */
	bool settled;  /* nothing was asked for since the batches were closed */
	bool timeout;  /* there is no device-TLB of this source: a wait is for its time-out */
	u16 timeout_sid;
};

/* Close the batches: what was asked for so far has now happened. */
static void run__settle(struct run *run)
{
	if (run->settled)
		return;
	vtd_inv__sync(run->vtd);
	if (run->iec) {
		irq__refresh(run->vtd->irq);
		run->vtd->work += VTD_WORK_ROUTES;
	}
	run->iec = false;
	run->settled = true;
}

/* --- One function per descriptor type: 0 or IQEI_RESERVED --- */

static enum iqei desc__context(struct run *run, const u64 *q)
{
	struct vtd_inv inv = {
		.did = FIELD(q[0], 31, 16),
		.sid = FIELD(q[0], 47, 32),
		.fm = FIELD(q[0], 49, 48),
	};

	switch (FIELD(q[0], 5, 4)) {
	case 1:
		inv.gran = VTD_GRAN_GLOBAL;
		break;
	case 2:
		/* 6.5.2.1: without DID tags in scalable mode, as global. */
		inv.gran = run->scalable ? VTD_GRAN_GLOBAL : VTD_GRAN_DOMAIN;
		break;
	case 3:
		inv.gran = VTD_GRAN_DEVICE;
		break;
	default:
		return IQEI_RESERVED;
	}
	vtd_inv__context(run->vtd, &inv);
	return IQEI_NONE;
}

static enum iqei desc__iotlb(struct run *run, const u64 *q)
{
	struct vtd_inv inv = {
		.did = FIELD(q[0], 31, 16),
		.addr = q[1] & GENMASK(63, 12),
		.am = FIELD(q[1], 5, 0),
		.ih = q[1] & BIT(6),
	};

	switch (FIELD(q[0], 5, 4)) {
	case 1:
		inv.gran = VTD_GRAN_GLOBAL;
		break;
	case 2:
		inv.gran = VTD_GRAN_DOMAIN;
		break;
	case 3:
		if (inv.am > VTD_MAMV)
			return IQEI_RESERVED;
		inv.gran = VTD_GRAN_PAGE;
		break;
	default:
		return IQEI_RESERVED;
	}
	vtd_inv__iotlb(run->vtd, &inv);
	return IQEI_NONE;
}

static enum iqei desc__iec(struct run *run, const u64 *q)
{
	/* Routes are all recomputed whatever the index: IRTEs are not cached one by one. */
	if ((q[0] & BIT(4)) && FIELD(q[0], 31, 27) > VTD_MHMV)
		return IQEI_RESERVED;
	run->iec = true;
	return IQEI_NONE;
}

/* 6.5.2.11: the queue stands still until the guest clears ITE. */
static void run__time_out(struct run *run)
{
	struct vtd *vtd = run->vtd;

	run->timeout = false;
	trace(vtd_inv, "ITE: no device-TLB of %02x:%02x.%x", run->timeout_sid >> 8,
	      run->timeout_sid >> 3 & 0x1f, run->timeout_sid & 7);
	vtd->stats.ite++;
	vtd->iqercd = (vtd->iqercd & ~GENMASK(47, 32)) | (u64)run->timeout_sid << 32;
	vtd_fault__raise(vtd, VTD_FSTS_ITE);
}

/* PD (7.7) asks for nothing: page requests are never on their way. */
static enum iqei desc__wait(struct run *run, const u64 *q)
{
	struct vtd *vtd = run->vtd;

	run__settle(run);
	if (vtd->isolation_lost)
		return IQEI_NONE;
	if (run->timeout) { /* which aborts the waits that are pending: this one */
		run__time_out(run);
		return IQEI_NONE;
	}
	if (q[0] & BIT(5)) {
		/* Status address bits above the host address width are ignored. */
		u64 gpa = q[1] & GENMASK(vtd->vm->phys_bits - 1, 2);
		u32 *status = mem__ptr(vtd->mem, gpa, sizeof(*status));

		/* Not memory: undefined by 6.5.2.9, nothing here. */
		if (status)
			__atomic_store_n(status, (u32)FIELD(q[0], 63, 32), __ATOMIC_RELEASE);
	}
	if ((q[0] & BIT(4)) && !vtd->ics) {
		vtd->ics = 1;
		vtd_event__raise(vtd, &vtd->ie);
	}
	return IQEI_NONE;
}

static enum iqei desc__piotlb(struct run *run, const u64 *q)
{
	struct vtd_inv inv = {
		.did = FIELD(q[0], 31, 16),
		.pasid = FIELD(q[0], 51, 32),
		.addr = q[1] & GENMASK(63, 12),
		.am = FIELD(q[1], 5, 0),
		.ih = q[1] & BIT(6),
	};

	switch (FIELD(q[0], 5, 4)) {
	case 2:
		inv.gran = VTD_GRAN_PASID;
		break;
	case 3:
		/* Every address mask is defined (11.4.2 MAMV); 52 and more mean all addresses. */
		inv.gran = inv.am > 51 ? VTD_GRAN_PASID : VTD_GRAN_PAGE;
		break;
	default:
		return IQEI_RESERVED;
	}
	if (inv.gran == VTD_GRAN_PASID)
		inv.addr = inv.am = inv.ih = 0;
	vtd_inv__piotlb(run->vtd, &inv);
	return IQEI_NONE;
}

static enum iqei desc__pasid(struct run *run, const u64 *q)
{
	struct vtd_inv inv = {
		.did = FIELD(q[0], 31, 16),
		.pasid = FIELD(q[0], 51, 32),
	};

	switch (FIELD(q[0], 5, 4)) {
	case 0:
		inv.gran = VTD_GRAN_DOMAIN;
		break;
	case 1:
		inv.gran = VTD_GRAN_PASID;
		break;
	case 3:
		inv.gran = VTD_GRAN_GLOBAL;
		break;
	default:
		return IQEI_RESERVED;
	}
	vtd_inv__pasid_cache(run->vtd, &inv);
	return IQEI_NONE;
}

/* Device-TLB ranges: if S is set, as large as the lowest zero among the address bits says (PCIe 10.3). */
static void devtlb__range(u64 addr, bool s, u64 *start, u64 *len)
{
	const u64 ones = addr | GENMASK(11, 0);

	*len = 4096;
	if (s)
		*len = (ones ^ (ones + 1)) + 1; /* 2^64 is 0: all addresses */
	*start = *len ? addr & ~(*len - 1) : 0;
}

static void devtlb__invalidate(struct run *run, u16 sid, u32 pasid, u64 addr, bool s, bool all)
{
	u64 start, len;

	devtlb__range(addr & GENMASK(63, 12), s, &start, &len);
	if (vtd_devtlb__invalidate(run->vtd, sid, pasid, start, len, all) || run->timeout)
		return;
	run->timeout = true;
	run->timeout_sid = sid;
}

static enum iqei desc__devtlb(struct run *run, const u64 *q)
{
	devtlb__invalidate(run, FIELD(q[0], 47, 32), DMA_NO_PASID, q[1], q[1] & BIT(0), false);
	return IQEI_NONE;
}

static enum iqei desc__pdevtlb(struct run *run, const u64 *q)
{
	devtlb__invalidate(run, FIELD(q[0], 31, 16), FIELD(q[0], 51, 32), q[1], q[1] & BIT(11),
			   q[1] & BIT(0));
	return IQEI_NONE;
}

static enum iqei desc__page_response(struct run *run, const u64 *q)
{
	u32 pasid = q[0] & BIT(4) ? FIELD(q[0], 51, 32) : DMA_NO_PASID;

	vtd_devtlb__respond(run->vtd, FIELD(q[0], 31, 16), pasid, FIELD(q[1], 11, 3),
			    FIELD(q[0], 15, 12));
	return IQEI_NONE;
}

/* Bits 11:9 and 3:0, which every type has. */
#define TYPE_BITS (GENMASK(11, 9) | GENMASK(3, 0))

/*
 * What a type has beside its number: the bits of the low and high qword that are not reserved (the
 * upper half of a 256-bit descriptor always is), and who executes it.
 */
static const struct {
	u64 lo, hi;
	enum iqei (*execute)(struct run *run, const u64 *q);
} types[] = {
	[DESC_CONTEXT] = { .lo = GENMASK(49, 16) | GENMASK(5, 4), .execute = desc__context },
	[DESC_IOTLB] = { .lo = GENMASK(31, 16) | GENMASK(7, 4),
			 .hi = GENMASK(63, 12) | GENMASK(6, 0),
			 .execute = desc__iotlb },
	[DESC_IEC] = { .lo = GENMASK(47, 27) | BIT(4), .execute = desc__iec },
	[DESC_WAIT] = { .lo = GENMASK(63, 32) | GENMASK(7, 4),
			.hi = GENMASK(63, 2),
			.execute = desc__wait },
	[DESC_PIOTLB] = { .lo = GENMASK(51, 16) | GENMASK(5, 4),
			  .hi = GENMASK(63, 12) | GENMASK(6, 0),
			  .execute = desc__piotlb },
	[DESC_PASID] = { .lo = GENMASK(51, 16) | GENMASK(5, 4), .execute = desc__pasid },
	/* DIT is not offered, which leaves PFSID reserved. */
	[DESC_DEVTLB] = { .lo = GENMASK(47, 32) | GENMASK(20, 16),
			  .hi = GENMASK(63, 12) | BIT(0),
			  .execute = desc__devtlb },
	[DESC_PDEVTLB] = { .lo = GENMASK(51, 16) | GENMASK(8, 4),
			   .hi = GENMASK(63, 11) | BIT(0),
			   .execute = desc__pdevtlb },
	/* Bit 66 is ignored: older software sets it (7.6.1). */
	[DESC_PAGE_RESPONSE] = { .lo = GENMASK(51, 16) | GENMASK(15, 12) | BIT(4),
				 .hi = GENMASK(11, 2),
				 .execute = desc__page_response },
};

/* Table 26.  Host permission tables (A) are not there. */
static bool type__valid(const struct run *run, u32 type)
{
	switch (type) {
	case DESC_IEC:
		return run->vtd->ecap & VTD_ECAP_IR;
	case DESC_CONTEXT:
	case DESC_IOTLB:
	case DESC_WAIT:
		return true;
	case DESC_DEVTLB:
		return run->vtd->ecap & VTD_ECAP_DT;
	case DESC_PIOTLB:
	case DESC_PASID:
		return run->scalable;
	case DESC_PDEVTLB:
		return run->scalable && run->vtd->ecap & VTD_ECAP_DT;
	case DESC_PAGE_RESPONSE:
		return run->scalable && run->vtd->ecap & VTD_ECAP_PRS;
	}
	return false;
}

/* The bits of the low qword that are not reserved. */
static u64 type__bits(const struct run *run, u32 type)
{
	u64 bits = types[type].lo | TYPE_BITS;

	if (type == DESC_WAIT && !(run->vtd->ecap & VTD_ECAP_PDS))
		bits &= ~BIT(7);
	return bits;
}

static enum iqei desc__execute(struct run *run, const u64 *q)
{
	u32 type = FIELD(q[0], 11, 9) << 4 | FIELD(q[0], 3, 0);
	enum iqei err;

	trace(vtd_inv, "%s (%u) %016llx %016llx", vtd_name__desc(type) ?: "invalid", type, q[0],
	      q[1]);
	if (!type__valid(run, type))
		return IQEI_TYPE;
	if ((q[0] & ~type__bits(run, type)) || (q[1] & ~types[type].hi) || q[2] || q[3])
		return IQEI_RESERVED;
	run->settled = run->settled && type == DESC_WAIT;
	run->vtd->work += VTD_WORK_DESC;
	err = types[type].execute(run, q);
	if (!err)
		run->vtd->stats.desc[type]++;
	return err;
}

/* --- The ring --- */

static enum iqei queue__check(const struct run *run)
{
	const struct vtd *vtd = run->vtd;
	bool smts = vtd->ecap & VTD_ECAP_SMTS;
	bool wide = vtd->iqa & VTD_IQA_DW;

	if (!(vtd__ttm(vtd) == VTD_TTM_LEGACY || (run->scalable && smts)))
		return IQEI_TTM;
	if (wide ? !smts : run->scalable)
		return IQEI_WIDTH;
	if (wide && (vtd->iqt & 16))
		return IQEI_ALIGN;
	if (vtd->iqt >= run->size)
		return IQEI_TAIL;
	return IQEI_NONE;
}

/* Execute the descriptor at the head and move the head past it. */
static enum iqei queue__step(struct run *run)
{
	struct vtd *vtd = run->vtd;
	u64 q[4] = { 0 };
	const u64 *desc;
	enum iqei err;

	/* Aligned to its width, so in one piece. */
	desc = mem__ptr(vtd->mem, (vtd->iqa & GENMASK(63, 12)) + vtd->iqh, run->width);
	if (!desc)
		return IQEI_FETCH;
	q[0] = READ_ONCE(desc[0]);
	q[1] = READ_ONCE(desc[1]);
	if (run->width == 32) {
		q[2] = READ_ONCE(desc[2]);
		q[3] = READ_ONCE(desc[3]);
	}
	err = desc__execute(run, q);
	if (err)
		return err;
	vtd->iqh = (vtd->iqh + run->width) & (run->size - 1);
	return IQEI_NONE;
}

static bool queue__runs(const struct vtd *vtd)
{
	return (vtd->gsts & VTD_GCMD_QIE) && vtd->iqh != vtd->iqt &&
	       !(vtd->fsts & (VTD_FSTS_IQE | VTD_FSTS_ITE)) && !vtd->isolation_lost;
}

void vtd_queue__run(struct vtd *vtd)
{
	struct run run = {
		.vtd = vtd,
		.size = 4096ULL << FIELD(vtd->iqa, 2, 0),
		.width = vtd->iqa & VTD_IQA_DW ? 32 : 16,
		.scalable = vtd__ttm(vtd) == VTD_TTM_SCALABLE,
	};
	enum iqei err;

	if (!queue__runs(vtd))
		return;
	/* What it looks at stays what it is while the run lasts. */
	err = queue__check(&run);
	/* IQA may have shrunk or widened under a queue in use: keep the head inside and aligned. */
	if (!err)
		vtd->iqh = ALIGN_DOWN(vtd->iqh, run.width) & (run.size - 1);
	vtd->work = 0;
	while (!err && queue__runs(vtd) && vtd->work < VTD_WORK_TURN)
		err = queue__step(&run);

	/* 6.5.2.11: also what is ahead of a bad descriptor completes as normal. */
	run__settle(&run);
	if (run.timeout)
		run__time_out(&run);
	if (!err && queue__runs(vtd)) {
		trace(vtd_inv, "more in the next turn, from 0x%llx to 0x%llx", vtd->iqh, vtd->iqt);
		vtd_turn__ask(vtd);
	}
	if (err) {
		trace(vtd_inv, "IQE at 0x%llx: IQEI %u (%s)", vtd->iqh, err, vtd_name__iqei(err));
		vtd->stats.iqe[err]++;
		vtd->iqercd = (vtd->iqercd & ~GENMASK(3, 0)) | err;
		vtd_fault__raise(vtd, VTD_FSTS_IQE);
	}
}
