/* SPDX-License-Identifier: GPL-2.0-only */
/* A DMA request of an emulated device, from start to end (VT-d chapter 3). */

#include <errno.h>

#include "iommu/cache.h"

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

	if (likely(cached)) {
		vtd->stats.ctx_hit++;
		return cached;
	}
	vtd->stats.ctx_miss++;
	if (vtd_entry__lookup(vtd, req->sid, req->pasid, &ctx, fault))
		return NULL;
	return vtd_cache__ctx_add(vtd->cache, req->sid, req->pasid, &ctx);
}

int vtd_translate__leaf(struct vtd *vtd, const struct vtd_ctx *ctx, u64 addr, u8 access,
			struct vtd_leaf *leaf, struct vtd_fault *fault)
{
	const struct vtd_leaf *cached = vtd_cache__leaf(vtd->cache, ctx, addr, access);

	if (likely(cached)) {
		vtd->stats.iotlb_hit++;
		*leaf = *cached;
		return 0;
	}
	vtd->stats.iotlb_miss += ctx->pgtt != VTD_PGTT_PT;
	if (vtd_walk__translate(vtd, ctx, addr, access, leaf, fault))
		return -EFAULT;
	vtd_cache__leaf_add(vtd->cache, ctx, addr, access, leaf);
	return 0;
}

/* All that a request can meet. */
static __attribute__((noinline)) int translate_any(struct vtd *vtd, const struct dma_req *req,
						   u64 *gpa, u64 *len)
{
	struct vtd_fault fault = {
		.sid = req->sid, .pasid = req->pasid, .addr = req->addr, .access = req->access
	};
	const struct vtd_ctx *ctx;
	struct vtd_leaf leaf;
	u8 access = req->access & ~DMA_PROBE;
	u64 offset, rest;

	if (unlikely(req->access & DMA_TRANSLATED))
		return vtd_ats__translated(vtd, req, gpa, len);
	if (!vtd__tes(vtd)) {
		*gpa = req->addr;
		*len = req->addr ? -req->addr : ~0ULL;
		return 0;
	}

	/* 3.15: interrupts go by irq__msi(), and nothing else may be there. */
	if (req->pasid == DMA_NO_PASID && vtd__is_msi(req->addr)) {
		if (!(req->access & DMA_PROBE))
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

	if (vtd_translate__leaf(vtd, ctx, req->addr, access, &leaf, &fault))
		goto blocked;

	offset = req->addr & (BIT(leaf.shift) - 1);
	rest = BIT(leaf.shift) - offset;
	if (ctx->pgtt == VTD_PGTT_PT)
		rest = BIT(vtd__haw(vtd)) - offset;
	*gpa = leaf.gpa | offset;
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
	if (!(req->access & DMA_PROBE))
		vtd_fault__record(vtd, &fault);
	return -EFAULT;
}

/*
 * What most requests meet: an IOTLB entry of 4 KiB, whose page the walk has found to be allowed and
 * outside of the interrupt range.  No entry gives rights beyond reading and writing, so requests of
 * other kinds go the other way.
 */
static int translate(void *iommu, const struct dma_req *req, u64 *gpa, u64 *len)
{
	struct vtd *vtd = iommu;
	const u64 addr = req->addr, offset = addr & (4 * KiB - 1);
	const u8 need = req->access & ~DMA_PROBE;
	const struct ctx_slot *ctx = cache__ctx_find(vtd->cache, req->sid, req->pasid);
	const struct tlb_slot *slot;

	if (unlikely(!ctx || !vtd__tes(vtd) || vtd__is_msi(addr)))
		return translate_any(vtd, req, gpa, len);
	slot = cache__tlb_find(vtd->cache, ctx->tag, addr >> 12);
	if (unlikely(!slot || (slot->leaf.perm & need) != need))
		return translate_any(vtd, req, gpa, len);

	vtd->stats.ctx_hit++;
	vtd->stats.iotlb_hit++;
	*gpa = slot->leaf.gpa | offset;
	*len = 4 * KiB - offset;
	return 0;
}

const struct dma_ops vtd_dma_ops = {
	.translate = translate,
	.ats = vtd_ats__request,
	.page_request = vtd_prq__request,
	.listen = vtd_devtlb__listen,
	.unlisten = vtd_devtlb__unlisten,
};
