/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The register page (VT-d 11.4).
 *
 * Every access is cut into the dwords it touches, in ascending order, each with a mask of the bytes
 * really accessed; registers of 64 bits are two dwords.  What a write sets off hangs on one dword
 * only (IQT: the low one; CCMD and IOTLB: the one with the command bit), so a 64-bit write sets it
 * off once, after its low half is in place.
 */

#include <string.h>

#include "iommu/names.h"
#include "iommu/vtd_regs.h"
#include "lkvm/trace.h"

/*
 * The registers that are stored as written, by dword; everything else is zero or has its own code
 * below.
 */
struct reg {
	u16 field; /* in struct vtd; 0 (which is vm): none */
	u32 writable;
};

#define REG32(o, f, w) [(o) / 4] = { .field = offsetof(struct vtd, f), .writable = (u32)(w) }
#define REG64(o, f, w)                                                                             \
	REG32(o, f, w),                                                                            \
	    [(o) / 4 + 1] = { .field = offsetof(struct vtd, f) + 4, .writable = (u64)(w) >> 32 }

static const struct reg regs[] = {
	REG64(VTD_CAP, cap, 0),
	REG64(VTD_ECAP, ecap, 0),
	REG32(VTD_GSTS, gsts, 0),
	REG64(VTD_RTADDR, rtaddr, GENMASK(63, 10)),
	REG64(VTD_CCMD, ccmd, GENMASK(63, 61) | GENMASK(33, 0)),
	REG32(VTD_FECTL, fe.ctl, 0),
	REG32(VTD_FEDATA, fe.data, GENMASK(15, 0)),
	REG32(VTD_FEADDR, fe.addr, GENMASK(31, 2)),
	REG32(VTD_FEUADDR, fe.uaddr, GENMASK(31, 0)),
	REG64(VTD_IQH, iqh, 0),
	REG64(VTD_IQT, iqt, GENMASK(18, 4)),
	REG64(VTD_IQA, iqa, GENMASK(63, 11) | GENMASK(2, 0)),
	REG32(VTD_ICS, ics, 0),
	REG32(VTD_IECTL, ie.ctl, 0),
	REG32(VTD_IEDATA, ie.data, GENMASK(15, 0)),
	REG32(VTD_IEADDR, ie.addr, GENMASK(31, 2)),
	REG32(VTD_IEUADDR, ie.uaddr, GENMASK(31, 0)),
	REG64(VTD_IQERCD, iqercd, 0),
	REG64(VTD_IRTA, irta_reg, GENMASK(63, 11) | GENMASK(3, 0)),
	REG64(VTD_PQH, pqh, GENMASK(18, 5)),
	REG64(VTD_PQT, pqt, GENMASK(18, 5)),
	REG64(VTD_PQA, pqa, GENMASK(63, 12) | GENMASK(2, 0)),
	REG32(VTD_PRS, prs, 0),
	REG32(VTD_PECTL, pe.ctl, 0),
	REG32(VTD_PEDATA, pe.data, GENMASK(15, 0)),
	REG32(VTD_PEADDR, pe.addr, GENMASK(31, 2)),
	REG32(VTD_PEUADDR, pe.uaddr, GENMASK(31, 0)),
	REG64(VTD_IVA, iva_reg, GENMASK(63, 12) | GENMASK(6, 0)),
	REG64(VTD_IOTLB, iotlb_reg, BIT(63) | GENMASK(61, 60) | GENMASK(49, 32)),
};

/* NULL: reserved. */
static const struct reg *reg__find(const struct vtd *vtd, u32 off)
{
	if (off >= VTD_PQH && off <= VTD_PEUADDR && !(vtd->ecap & VTD_ECAP_PRS))
		return NULL;
	return off / 4 < ARRAY_SIZE(regs) && regs[off / 4].field ? &regs[off / 4] : NULL;
}

/*
 * Reporting no second stage at all, legacy mode included (SAGAW=0), is a matter of major version 6,
 * which has no register-based invalidation (11.4.2, 6.5).
 */
static u32 reg__version(const struct vtd *vtd)
{
	return FIELD(vtd->cap, 12, 8) ? 0x10 : 0x60;
}

static u32 *frcd__dword(struct vtd *vtd, u32 off)
{
	if (off < VTD_FRCD || off >= VTD_FRCD + sizeof(vtd->frcd))
		return NULL;
	return (u32 *)vtd->frcd + (off - VTD_FRCD) / 4;
}

static u32 dword__read(struct vtd *vtd, u32 off)
{
	const u32 *frcd = frcd__dword(vtd, off);
	const struct reg *reg = reg__find(vtd, off);

	if (frcd)
		return *frcd;
	if (off == VTD_VER)
		return reg__version(vtd);
	if (off == VTD_FSTS)
		return vtd_fault__status(vtd);
	if (!reg)
		return 0;
	return *(u32 *)((u8 *)vtd + reg->field);
}

/* --- Global commands (11.4.4, 6.6, 6.7) --- */

static void gcmd__set_root(struct vtd *vtd)
{
	trace(vtd_table, "root 0x%llx -> 0x%llx", vtd->root, vtd->rtaddr);
	vtd->root = vtd->rtaddr;
	vtd->gsts |= VTD_GCMD_SRTP;
	/* ESRTPS: the guest relies on it. */
	vtd_inv__all(vtd);
}

static void gcmd__queue(struct vtd *vtd)
{
	vtd->iqh = 0;
	if (vtd->gsts & VTD_GCMD_QIE)
		vtd_queue__run(vtd);
}

/*
 * TE, QIE, IRE and CFI are levels, SRTP and SIRTP act when written as 1.  One write should change
 * one thing; if it changes several, tables are set before what uses them is enabled.
 */
static void gcmd__write(struct vtd *vtd, u32 val, u32 mask)
{
	bool ir = vtd->ecap & VTD_ECAP_IR;
	u32 levels = VTD_GCMD_TE | VTD_GCMD_QIE | (ir ? VTD_GCMD_IRE | VTD_GCMD_CFI : 0);
	u32 changed = (val ^ vtd->gsts) & mask & levels;

	if (val & VTD_GCMD_SRTP)
		gcmd__set_root(vtd);
	if (ir && (val & VTD_GCMD_SIRTP)) {
		vtd->irta = vtd->irta_reg;
		vtd->gsts |= VTD_GCMD_SIRTP;
	}
	vtd->gsts ^= changed & ~VTD_GCMD_TE;
	if (changed & VTD_GCMD_QIE)
		gcmd__queue(vtd);
	if (ir && ((changed & (VTD_GCMD_IRE | VTD_GCMD_CFI)) || (val & VTD_GCMD_SIRTP)))
		irq__refresh(vtd->irq);
	if (changed & VTD_GCMD_TE) {
		vtd->gsts ^= VTD_GCMD_TE;
		vtd_inv__all(vtd);
	}
	/* 7.2.1: the fault index starts over when nothing is left that can fault. */
	if (!(vtd->gsts & (VTD_GCMD_TE | VTD_GCMD_IRE)))
		vtd->frcd_next = 0;
}

/* --- Register-based invalidation (6.5.1): legacy mode, and only while the queue is off --- */

static bool reg_inv__allowed(const struct vtd *vtd)
{
	return FIELD(reg__version(vtd), 7, 4) < 6 && vtd__ttm(vtd) == VTD_TTM_LEGACY &&
	       !(vtd->gsts & VTD_GCMD_QIE);
}

static void ccmd__run(struct vtd *vtd)
{
	static const enum vtd_gran gran[] = {
		[1] = VTD_GRAN_GLOBAL, [2] = VTD_GRAN_DOMAIN, [3] = VTD_GRAN_DEVICE
	};
	u64 done = FIELD(vtd->ccmd, 62, 61);
	struct vtd_inv inv = {
		.gran = gran[done],
		.did = FIELD(vtd->ccmd, 15, 0),
		.sid = FIELD(vtd->ccmd, 31, 16),
		.fm = FIELD(vtd->ccmd, 33, 32),
	};

	if (done && reg_inv__allowed(vtd)) {
		vtd_inv__context(vtd, &inv);
		vtd_inv__sync(vtd);
	} else {
		done = 0; /* CAIG=00: an incorrect request, ignored */
	}
	vtd->ccmd = (vtd->ccmd & ~(BIT(63) | GENMASK(60, 59))) | done << 59;
}

static void iotlb__run(struct vtd *vtd)
{
	static const enum vtd_gran gran[] = {
		[1] = VTD_GRAN_GLOBAL, [2] = VTD_GRAN_DOMAIN, [3] = VTD_GRAN_PAGE
	};
	u64 done = FIELD(vtd->iotlb_reg, 61, 60);
	struct vtd_inv inv = {
		.gran = gran[done],
		.did = FIELD(vtd->iotlb_reg, 47, 32),
		.addr = vtd->iva_reg & GENMASK(63, 12),
		.am = FIELD(vtd->iva_reg, 5, 0),
		.ih = vtd->iva_reg & BIT(6),
	};

	if (done == 3 && inv.am > VTD_MAMV)
		done = 0;
	if (done && reg_inv__allowed(vtd)) {
		vtd_inv__iotlb(vtd, &inv);
		vtd_inv__sync(vtd);
	} else {
		done = 0; /* IAIG=00 */
	}
	vtd->iotlb_reg = (vtd->iotlb_reg & ~(BIT(63) | GENMASK(58, 57))) | done << 57;
}

/* --- Writes --- */

static u32 reg__writable(const struct vtd *vtd, u32 off)
{
	const u32 writable = regs[off / 4].writable;

	if (ALIGN_DOWN(off, 8) != VTD_IRTA)
		return writable;
	if (!(vtd->ecap & VTD_ECAP_IR))
		return 0;
	return vtd->ecap & VTD_ECAP_EIM || off != VTD_IRTA ? writable : writable & ~VTD_IRTA_EIME;
}

static void reg__store(struct vtd *vtd, u32 off, u32 val, u32 mask)
{
	const struct reg *reg = reg__find(vtd, off);
	u32 *dword, writable;

	if (!reg)
		return;
	dword = (u32 *)((u8 *)vtd + reg->field);
	writable = reg__writable(vtd, off) & mask;
	*dword = (*dword & ~writable) | (val & writable);
}

/* @val has only bits of @mask. */
static void dword__write(struct vtd *vtd, u32 off, u32 val, u32 mask)
{
	trace(vtd_reg, "%s 0x%03x = 0x%08x mask 0x%08x", vtd_name__reg(off), off, val, mask);

	/* FRCD: of each record only F, bit 127, is more than read-only. */
	if (frcd__dword(vtd, off)) {
		if (off % 16 == 12 && (val & BIT(31)))
			vtd_fault__clear_record(vtd, (off - VTD_FRCD) / 16);
		return;
	}
	switch (off) {
	case VTD_GCMD:
		gcmd__write(vtd, val, mask);
		return;
	case VTD_FSTS:
		vtd_fault__clear(vtd, val);
		/* 6.5.2.11: fetching resumes at the head, without a new write of the tail. */
		if (val & (VTD_FSTS_IQE | VTD_FSTS_ITE))
			vtd_queue__run(vtd);
		return;
	case VTD_FECTL:
		vtd_event__control(vtd, &vtd->fe, val, mask);
		return;
	case VTD_IECTL:
		vtd_event__control(vtd, &vtd->ie, val, mask);
		return;
	case VTD_PECTL:
		if (reg__find(vtd, off))
			vtd_event__control(vtd, &vtd->pe, val, mask);
		return;
	case VTD_PRS:
		vtd->prs &= ~val;
		if (!vtd->prs)
			vtd->pe.ctl &= ~VTD_EVENT_IP;
		return;
	case VTD_ICS:
		if (val & 1) {
			vtd->ics = 0;
			vtd->ie.ctl &= ~VTD_EVENT_IP;
		}
		return;
	}

	reg__store(vtd, off, val, mask);
	if (off == VTD_IQT)
		vtd_queue__run(vtd);
	/* The act of writing the uppermost byte with the command bit set (11.4.6). */
	if (off == VTD_CCMD + 4 && (val & BIT(31)))
		ccmd__run(vtd);
	if (off == VTD_IOTLB + 4 && (val & BIT(31)))
		iotlb__run(vtd);
}

void vtd_regs__access(struct bus_region *r, u64 off, u8 *data, u32 len, bool write)
{
	struct vtd *vtd = container_of(r, struct vtd, mmio);

	while (len) {
		u32 shift = 8 * (off & 3);
		u32 n = MIN(4 - (u32)(off & 3), len);
		u32 val = 0;

		if (write) {
			u32 mask = GENMASK(8 * n - 1, 0);

			if (likely(n == 4)) /* no loop over bytes for the tail of the queue */
				memcpy(&val, data, 4);
			else
				memcpy(&val, data, n);
			dword__write(vtd, off & ~3ULL, val << shift, mask << shift);
		} else {
			val = dword__read(vtd, off & ~3ULL) >> shift;
			memcpy(data, &val, n);
		}
		off += n;
		data += n;
		len -= n;
	}
}

void vtd_regs__reset(struct vtd *vtd)
{
	vtd->gsts = 0;
	vtd->rtaddr = vtd->root = 0;
	vtd->irta_reg = vtd->irta = 0;
	vtd->ccmd = vtd->iotlb_reg = vtd->iva_reg = 0;
	vtd->iqh = vtd->iqt = vtd->iqa = 0;
	vtd->ics = 0;
	vtd->iqercd = 0;
	vtd->pqh = vtd->pqt = vtd->pqa = 0;
	vtd->prs = 0;
	vtd->fsts = 0;
	vtd->fri = 0;
	vtd->fe = vtd->ie = vtd->pe = (struct vtd_event){ .ctl = VTD_EVENT_IM };
	memset(vtd->frcd, 0, sizeof(vtd->frcd));
	vtd->frcd_next = 0;
}
