/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests of functions with a device-TLB (VT-d 4.2): for a translation, and with an address that is
 * one.
 */

#include <errno.h>

#include "iommu/entry.h"

/*
 * Table 30, "Success with R=W=U=S=0": what the tables do not allow (now) is for the function to
 * handle, by a page request say, and no fault.
 */
static bool reason__recoverable(u8 reason)
{
	switch (reason) {
	case 0x04:
	case 0x51:
	case 0x59:
	case 0x5c ... 0x5d:
	case 0x70 ... 0x77:
	case 0x79:
	case 0x80 ... 0x81:
	case 0x83 ... 0x84:
	case 0x90 ... 0x91:
		return true;
	}
	return false;
}

/* No translation: 0 if that is all that the function is told, else -EFAULT. */
static int refuse(struct vtd *vtd, const struct vtd_fault *fault)
{
	bool recoverable = reason__recoverable(fault->reason);

	if (!recoverable || fault->reason == 0x91) /* SFS.10: reported as well */
		vtd_fault__record(vtd, fault);
	return recoverable ? 0 : -EFAULT;
}

/*
 * The translation with as many of the rights in @need as there are ("effective permission" in
 * Table 30: LGN.2, LGN.3, SGN.6, SGN.7).  0 with perhaps none, or -EFAULT.
 */
static int effective(struct vtd *vtd, const struct vtd_ctx *ctx, u64 addr, u8 need,
		     struct vtd_leaf *leaf, struct vtd_fault *fault)
{
	const u8 rights = DMA_READ | DMA_WRITE;

	while (need & rights) {
		if (!vtd_translate__leaf(vtd, ctx, addr, need, leaf, fault)) {
			leaf->perm &= need & rights;
			return 0;
		}
		if (fault->reason == 0x05 || fault->reason == 0x85)
			need &= ~DMA_WRITE;
		else if (fault->reason == 0x06 || fault->reason == 0x86)
			need &= ~DMA_READ;
		else
			return -EFAULT;
	}
	leaf->perm = 0;
	return 0;
}

/* Are there interrupts in the page of size @shift around @gpa? */
static bool meets_msi(u64 gpa, u8 shift)
{
	return ALIGN_DOWN(gpa, BIT(shift)) < VTD_MSI_BASE + VTD_MSI_SIZE &&
	       (gpa | (BIT(shift) - 1)) >= VTD_MSI_BASE;
}

/* The largest page that hardware has; pass-through is told in such (4.2.3). */
static u8 largest_shift(const struct vtd *vtd)
{
	return FIELD(vtd->cap, 37, 34) & 2 || vtd->cap & CAP_FS1GP ? 30 : 21;
}

/* @gpa is where the requested address is. */
static int complete(struct vtd *vtd, const struct vtd_ctx *ctx, u64 gpa, u8 shift, u8 perm,
		    struct dma_ats *ats, struct vtd_fault *fault)
{
	if (ctx->pgtt == VTD_PGTT_PT) {
		shift = largest_shift(vtd);
	} else if (ctx->legacy ? vtd__is_msi(gpa) : meets_msi(gpa, shift)) {
		/* LGN.4 looks at the address, SGN.8.2 at the page. */
		fault->reason = ctx->legacy ? 0x0e : 0x87;
		fault->fpd = ctx->fpd;
		return refuse(vtd, fault);
	}
	/* The function must not be led to believe that it can write there. */
	while (shift > 12 && meets_msi(gpa, shift))
		shift -= 9;
	ats->gpa = ALIGN_DOWN(gpa, BIT(shift));
	ats->size = BIT(shift);
	ats->perm = perm;
	return 0;
}

int vtd_ats__request(void *iommu, const struct dma_req *req, struct dma_ats *ats)
{
	struct vtd *vtd = iommu;
	struct vtd_fault fault = {
		.kind = VTD_TRANSLATION,
		.sid = req->sid,
		.pasid = req->pasid,
		.addr = req->addr,
		.access = req->access,
	};
	/* NWFS: without No Write it is as an atomic operation, else as a read (4.2.3.1). */
	u8 need = req->access & DMA_WRITE ? DMA_READ | DMA_WRITE : DMA_READ;
	struct vtd_ctx ctx;
	struct vtd_leaf leaf;

	*ats = (struct dma_ats){ .size = 4 * KiB };
	vtd->stats.ats++;
	if (!vtd__tes(vtd)) /* 4.2.1 */
		return -EFAULT;
	if (vtd_entry__lookup(vtd, req->sid, req->pasid, &ctx, &fault))
		return refuse(vtd, &fault);

	if (req->pasid != DMA_NO_PASID) {
		need |= req->access & (DMA_EXEC | DMA_PRIV);
	} else if (vtd__is_msi(req->addr)) {
		/* Conditions S.1 and S.2: interrupts are for untranslated writes. */
		ats->untranslated = req->access & DMA_WRITE;
		ats->perm = req->access & DMA_WRITE;
		return 0;
	} else if (ctx.rid_priv) {
		need |= DMA_PRIV;
	}

	if (effective(vtd, &ctx, req->addr, need, &leaf, &fault)) {
		/* Pass-through to where interrupts are, with PASID: not SGN.8, and no memory. */
		if (ctx.pgtt == VTD_PGTT_PT && fault.reason == 0x87)
			return 0;
		return refuse(vtd, &fault);
	}
	if (!leaf.perm)
		return 0;
	return complete(vtd, &ctx, leaf.gpa | (req->addr & (BIT(leaf.shift) - 1)), leaf.shift,
			leaf.perm, ats, &fault);
}

int vtd_ats__translated(struct vtd *vtd, const struct dma_req *req, u64 *gpa, u64 *len)
{
	struct vtd_fault fault = {
		.kind = VTD_TRANSLATED,
		.sid = req->sid,
		.pasid = req->pasid,
		.addr = req->addr,
		.access = req->access,
	};
	bool legacy = vtd__ttm(vtd) == VTD_TTM_LEGACY;
	struct vtd_ctx ctx;
	u64 end;

	vtd->stats.translated++;
	if (!vtd__tes(vtd)) /* 4.2.1 */
		return -EFAULT;
	if (vtd_entry__lookup(vtd, req->sid, req->pasid, &ctx, &fault))
		goto blocked;
	fault.fpd = ctx.fpd;
	if (req->addr >> vtd__haw(vtd)) {
		fault.reason = legacy ? 0x04 : 0x83;
		goto blocked;
	}
	if (vtd__is_msi(req->addr)) {
		fault.reason = legacy ? 0x0e : 0x87;
		goto blocked;
	}
	end = req->addr < VTD_MSI_BASE ? VTD_MSI_BASE : BIT(vtd__haw(vtd));
	*gpa = req->addr;
	*len = end - req->addr;
	return 0;

blocked:
	if (!(req->access & DMA_PROBE))
		vtd_fault__record(vtd, &fault);
	return -EFAULT;
}
