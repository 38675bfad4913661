/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests under way, and the IOMMU.  The host reads and writes guest memory by pointers, long
 * after they were translated.  When a guest's invalidation is over, so must be all accesses by what
 * it invalidated (VT-d 6.5.4, draining).  So each request whose memory is not where it was is
 * waited for; the others, which is all of them unless a driver takes back what it lent to the disk,
 * go on.
 *
 * Only the host is waited for.  Answers, which write to rings and interrupt, are the loop's: by
 * then the IOMMU has done with the invalidation, and they are translated as any access.
 */
#include "virtio/blk.h"

/*
 * Of spans and pages between two turns of the loop.  A guest with gigabytes in flight and a queue
 * full of invalidations gets no more of our time than that: then it waits for its disk.
 */
#define LOOKS_MAX 65536

/* Does an invalidation of [@addr, @addr + @len) concern the data of @req?  Modulo 2^64. */
static bool touched(struct blk *blk, const struct blk_req *req, u64 addr, u64 len)
{
	if (!len)
		return req->nspans;
	for (int i = 0; i < req->nspans; i++) {
		const struct virtq_span *s = &req->span[i];

		blk->looks++;
		if (addr - s->addr < s->len || s->addr - addr < len)
			return true;
	}
	return false;
}

/*
 * Is what is still to do of @req where it was?  This is the same access as before, so it leaves its
 * marks in the guest's tables again: a dirty bit that the guest has just cleared must be set for
 * what the host writes from now on.
 */
static bool in_place(struct blk *blk, const struct blk_req *req)
{
	const u8 access = DMA_PROBE | (req->op == BLK_READ ? DMA_WRITE : DMA_READ);
	u64 skip = req->skip + req->len - req->left, left = req->left, used = 0;
	const struct iovec *v = req->v;

	for (const struct virtq_span *s = req->span; left; s++) {
		u64 at = s->addr + skip, end = s->addr + s->len;

		if (skip >= s->len) {
			skip -= s->len;
			continue;
		}
		skip = 0;
		while (left && at != end) {
			u64 n = MIN(MIN(left, end - at), v->iov_len - used);

			if (blk->looks++ > LOOKS_MAX)
				return true; /* it will be waited for anyway */
			if (dma__piece(&blk->dev.pci.dma, at, &n, access) !=
			    (u8 *)v->iov_base + used)
				return false;
			at += n;
			left -= n;
			used += n;
			if (used == v->iov_len) {
				v++;
				used = 0;
			}
		}
	}
	return true;
}

static void invalidate(struct dma_listener *l, u32 pasid, u64 addr, u64 len, bool all)
{
	struct blk *blk = container_of(l, struct blk, listener);

	for (struct blk_req *req = blk->out; req; req = req->next) {
		req->revoked = touched(blk, req, addr, len) && !in_place(blk, req);
		req->awaited = req->revoked || (req->nspans && blk->looks > LOOKS_MAX);
		blk->awaited += req->awaited;
	}
	if (blk->awaited)
		blk_aio__await(blk);
}

void blk_drain__all(struct blk *blk)
{
	for (struct blk_req *req = blk->out; req; req = req->next) {
		req->awaited = true;
		blk->awaited++;
	}
	blk_aio__await(blk);
}

void blk_drain__init(struct blk *blk)
{
	blk->listener.invalidate = invalidate;
	dma__listen(&blk->dev.pci.dma, &blk->listener);
}

void blk_drain__exit(struct blk *blk)
{
	dma__unlisten(&blk->dev.pci.dma, &blk->listener);
}
