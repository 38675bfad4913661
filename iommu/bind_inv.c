/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * First-stage invalidations on their way to the host.  Those between two waits become one call per
 * HWPT; the host knows neither domain nor PASID of the guest, only the HWPT.  One that the host
 * does not manage is widened to everything, and if that fails too, the binding is blocked: the
 * guest is never told that an invalidation is done that was not.
 */

#include "iommu/bind.h"
#include "lkvm/trace.h"

static void queue_all(struct binding *b)
{
	b->flush_all = true;
	b->n_ranges = 0;
}

/*
 * Makes one of @a and @b, behind it, if that is a power of two of pages, aligned: hosts before Linux 6.10 invalidate the
 * smallest such range that has the size, around the start, and of others that can miss the end.
 */
static bool merge(struct host_inv *a, const struct host_inv *b)
{
	const u64 size = a->npages * 4 * KiB;

	if (a->leaf != b->leaf || a->npages != b->npages || a->addr + size != b->addr ||
	    !IS_ALIGNED(a->addr, 2 * size))
		return false;
	a->npages *= 2;
	return true;
}

static void queue_range(struct binding *b, const struct host_inv *inv)
{
	if (b->flush_all)
		return;
	if (b->n_ranges == BIND_RANGES) {
		queue_all(b);
		return;
	}
	b->ranges[b->n_ranges++] = *inv;
	while (b->n_ranges > 1 && merge(&b->ranges[b->n_ranges - 2], &b->ranges[b->n_ranges - 1]))
		b->n_ranges--;
	if (b->ranges[b->n_ranges - 1].npages >> 52) /* whose size in bytes has no number */
		queue_all(b);
}

static void queue_domain(struct binding *b, bool any, u16 did)
{
	if (b->state == BIND_NESTED && (any || !b->valid || b->ctx.did == did))
		queue_all(b);
}

void bind__queue_domain(struct vtd *vtd, bool any, u16 did)
{
	for (struct vtd_bind *dev = vtd->binds; dev; dev = dev->next) {
		bind__work(vtd, dev);
		queue_domain(&dev->rid, any, did);
		for (struct binding *b = dev->pasids; b; b = b->next)
			queue_domain(b, any, did);
	}
}

static void queue_pasid(struct binding *b, const struct vtd_inv *inv)
{
	/* 52 address bits of pages are all there are. */
	const u64 npages = inv->am < 52 ? BIT(inv->am) : 0;

	if (b->state != BIND_NESTED)
		return;
	if (b->valid && (b->ctx.did != inv->did || b->ctx.pasid != inv->pasid))
		return;
	if (inv->gran != VTD_GRAN_PAGE || !npages) {
		queue_all(b);
		return;
	}
	queue_range(b, &(struct host_inv){ .addr = inv->addr & ~(npages * 4 * KiB - 1),
					   .npages = npages,
					   .leaf = inv->ih });
}

void bind__queue_pasid(struct vtd *vtd, const struct vtd_inv *inv)
{
	for (struct vtd_bind *dev = vtd->binds; dev; dev = dev->next) {
		bind__work(vtd, dev);
		queue_pasid(&dev->rid, inv);
		for (struct binding *b = dev->pasids; b; b = b->next)
			queue_pasid(b, inv);
	}
}

/* Did the host do all of them? */
static bool invalidate(struct vtd *vtd, struct vtd_bind *dev, struct binding *b,
		       const struct host_inv *inv, u32 n)
{
	u32 done = n;
	int err = dev->host.ops->invalidate(dev->host.dev, b->hwpt->id, inv, &done);

	trace(bind_inv, "%s pasid=%s hwpt=%u %s=%u done=%u result=%d", bind__bdf(dev->sid),
	      bind__pasid(b->pasid), b->hwpt->id, inv->npages == ~0ULL ? "all" : "ranges", n, done,
	      err);
	vtd->work += VTD_WORK_HOST;
	vtd->stats.host_inv_calls++;
	vtd->stats.host_inv_ranges += MIN(done, n);
	b->invalidations += MIN(done, n);
	return !err && done >= n;
}

static void flush(struct vtd *vtd, struct vtd_bind *dev, struct binding *b)
{
	static const struct host_inv everything = { .npages = ~0ULL };
	bool done = false;

	if (!b->flush_all && !b->n_ranges)
		return;
	if (!b->flush_all)
		done = invalidate(vtd, dev, b, b->ranges, b->n_ranges);
	if (!done)
		done = invalidate(vtd, dev, b, &everything, 1);
	b->flush_all = false;
	b->n_ranges = 0;
	if (!done)
		bind__fail(vtd, dev, b, 0x5b, &b->ctx);
}

void bind__flush(struct vtd *vtd)
{
	for (struct vtd_bind *dev = vtd->binds; dev; dev = dev->next) {
		bind__work(vtd, dev);
		flush(vtd, dev, &dev->rid);
		for (struct binding *b = dev->pasids; b; b = b->next)
			flush(vtd, dev, b);
	}
}

void vtd_inv__sync(struct vtd *vtd)
{
	if (!vtd->binds)
		return;
	bind__flush(vtd);
	for (struct vtd_bind *dev = vtd->binds; dev; dev = dev->next)
		bind_host__settle(vtd, dev);
}
