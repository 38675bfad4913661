/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The page request queue (VT-d 7.4, 7.5, 11.4.11): what devices ask for on its way to the guest.
 * The guest's answers come through the invalidation queue.
 *
 * A request is in the queue, or refused, when vtd_prq__request() returns, so that there is never
 * anything to drain (7.7).
 */

#include "iommu/vtd.h"
#include "iommu/vtd_regs.h"
#include "lkvm/trace.h"

/* The queue is bytes at vtd->pqa; a descriptor has 32 of them (7.4.1.1). */
#define DESC_SIZE 32
#define DESC_TYPE 1

/* Only the last request of a group has an answer, and a stop marker has none (PCIe 10.4.1.2). */
static void answer(struct vtd *vtd, const struct dma_page_req *req, enum dma_page_resp code)
{
	if (req->last && (req->access & (DMA_READ | DMA_WRITE)))
		vtd_devtlb__respond(vtd, req->sid, req->pasid, req->prgi, code);
}

/* 7.5: an event only if nothing was waiting to be serviced. */
static void set_status(struct vtd *vtd, u32 bit)
{
	bool pending = vtd->prs;

	vtd->prs |= bit;
	if (!pending)
		vtd_event__raise(vtd, &vtd->pe);
}

/*
 * Table 27.  The guest need not invalidate after it gave a page more rights, so what denied them must
 * be gone when it answers.
 */
static void invalidate_page(struct vtd *vtd, const struct vtd_ctx *ctx, u64 addr)
{
	struct vtd_inv inv = {
		.gran = VTD_GRAN_PAGE,
		.did = ctx->did,
		.pasid = ctx->pasid,
		.addr = ALIGN_DOWN(addr, 4 * KiB),
	};

	if (ctx->pgtt == VTD_PGTT_FS) {
		vtd_cache__inv_piotlb(vtd->cache, &inv);
		return;
	}
	if (ctx->pgtt == VTD_PGTT_NESTED)
		inv.gran = VTD_GRAN_DOMAIN;
	vtd_cache__inv_iotlb(vtd->cache, &inv);
}

/* False: the queue is not in memory. */
static bool enqueue(struct vtd *vtd, const struct dma_page_req *req, u64 tail)
{
	u64 desc[DESC_SIZE / 8] = { 0 };

	desc[0] = DESC_TYPE | (u64)req->sid << 16;
	if (req->pasid != DMA_NO_PASID) {
		desc[0] |= BIT(8) | (req->pasid & GENMASK(19, 0)) << 32;
		if (req->access & DMA_EXEC)
			desc[0] |= BIT(52);
		if (req->access & DMA_PRIV)
			desc[0] |= BIT(53);
	}
	desc[1] = (req->prgi & GENMASK(8, 0)) << 3 | (req->addr & GENMASK(63, 12));
	if (req->access & DMA_READ)
		desc[1] |= BIT(0);
	if (req->access & DMA_WRITE)
		desc[1] |= BIT(1);
	if (req->last)
		desc[1] |= BIT(2);
	return !mem__write(vtd->mem, (vtd->pqa & GENMASK(63, 12)) + tail, desc, sizeof(desc));
}

void vtd_prq__request(void *iommu, const struct dma_page_req *req)
{
	struct vtd *vtd = iommu;
	struct vtd_fault fault = {
		.kind = VTD_PAGE_REQUEST,
		.sid = req->sid,
		.pasid = req->pasid,
		.addr = req->addr,
		.access = req->access,
	};
	const u64 mask = (4096ULL << FIELD(vtd->pqa, 2, 0)) - 1;
	/* PQA may have shrunk under a queue in use. */
	const u64 tail = vtd->pqt & mask, next = (tail + DESC_SIZE) & mask;
	struct vtd_ctx ctx;

	trace(vtd_prq, "%02x:%02x.%x pasid %#x addr 0x%llx group %u access %#x%s", req->sid >> 8,
	      req->sid >> 3 & 0x1f, req->sid & 7, req->pasid, req->addr, req->prgi, req->access,
	      req->last ? " last" : "");
	vtd->stats.page_requests++;
	/* As if there were no root port that takes such a message: nothing to record it. */
	if (!vtd__tes(vtd) || !(vtd->ecap & VTD_ECAP_PRS)) {
		answer(vtd, req, DMA_PAGE_INVALID);
		return;
	}
	if (vtd_entry__lookup(vtd, req->sid, req->pasid, &ctx, &fault)) {
		vtd_fault__record(vtd, &fault);
		answer(vtd, req, DMA_PAGE_INVALID);
		return;
	}
	/* Table 31: dropped; whoever waits for an answer will find out when trying again. */
	if (next == (vtd->pqh & mask))
		set_status(vtd, VTD_PRS_PRO);
	if (vtd->prs & VTD_PRS_PRO) {
		vtd->stats.page_lost++;
		answer(vtd, req, DMA_PAGE_OK);
		return;
	}
	invalidate_page(vtd, &ctx, req->addr);
	if (!enqueue(vtd, req, tail)) {
		answer(vtd, req, DMA_PAGE_INVALID);
		return;
	}
	vtd->pqt = next;
	set_status(vtd, VTD_PRS_PPR);
}
