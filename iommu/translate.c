/* SPDX-License-Identifier: GPL-2.0-only */
/* A DMA request of an emulated device, from start to end (VT-d chapter 3). */

#include <errno.h>

#include "iommu/vtd.h"

/* Bytes from @addr to where the interrupt range begins; all the address space if it is behind. */
static u64 until_msi(u64 addr)
{
	return addr < VTD_MSI_BASE ? VTD_MSI_BASE - addr : ~0ULL;
}

static const struct vtd_ctx *find_ctx(struct vtd *vtd, const struct dma_req *req,
				      struct vtd_fault *fault)
{
	const struct vtd_ctx *cached = vtd_cache__ctx(vtd->cache, req->sid, req->pasid);
	struct vtd_ctx ctx;

	if (likely(cached))
		return cached;
	if (vtd_entry__lookup(vtd, req->sid, req->pasid, &ctx, fault))
		return NULL;
	return vtd_cache__ctx_add(vtd->cache, req->sid, req->pasid, &ctx);
}

static int translate(void *iommu, const struct dma_req *req, u64 *gpa, u64 *len)
{
	struct vtd *vtd = iommu;
	struct vtd_fault fault = {
		.sid = req->sid, .pasid = req->pasid, .addr = req->addr, .access = req->access
	};
	const struct vtd_ctx *ctx;
	const struct vtd_leaf *leaf;
	struct vtd_leaf walked;
	u8 access = req->access;
	u64 offset, rest;

	if (!vtd__tes(vtd)) {
		*gpa = req->addr;
		*len = req->addr ? -req->addr : ~0ULL;
		return 0;
	}

	/* 3.15: interrupts are not made of DMA; a vector takes the interrupt's path. */
	if (req->pasid == DMA_NO_PASID && vtd__is_msi(req->addr)) {
		vtd_fault__record_ir(vtd, req->sid, 0, 0x29, false);
		return -EFAULT;
	}

	ctx = find_ctx(vtd, req, &fault);
	if (!ctx)
		goto blocked;
	if (req->pasid == DMA_NO_PASID) {
		access &= DMA_READ | DMA_WRITE;
		if (ctx->rid_priv)
			access |= DMA_PRIV;
	}

	leaf = vtd_cache__leaf(vtd->cache, ctx, req->addr, access);
	if (likely(leaf)) {
		vtd->stats.iotlb_hit++;
	} else {
		vtd->stats.iotlb_miss += ctx->pgtt != VTD_PGTT_PT;
		if (vtd_walk__translate(vtd, ctx, req->addr, access, &walked, &fault))
			goto blocked;
		vtd_cache__leaf_add(vtd->cache, ctx, req->addr, access, &walked);
		leaf = &walked;
	}

	offset = req->addr & (BIT(leaf->shift) - 1);
	rest = BIT(leaf->shift) - offset;
	if (ctx->pgtt == VTD_PGTT_PT)
		rest = BIT(vtd__haw(vtd)) - offset;
	*gpa = leaf->gpa | offset;
	/*
	 * Neither what is asked for nor where it goes may run into interrupts; a large page may
	 * begin outside of them, so a hit is checked as well.
	 */
	if (unlikely(vtd__is_msi(*gpa))) {
		fault.reason = ctx->legacy ? 0xe : 0x87;
		fault.fpd = ctx->fpd;
		goto blocked;
	}
	rest = MIN(rest, until_msi(*gpa));
	if (req->pasid == DMA_NO_PASID)
		rest = MIN(rest, until_msi(req->addr));
	*len = rest;
	return 0;

blocked:
	vtd_fault__record(vtd, &fault);
	return -EFAULT;
}

const struct dma_ops vtd_dma_ops = {
	.translate = translate,
};
