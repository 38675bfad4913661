/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Keeping the host's page tables to what the guest's entries say.
 *
 * Linux changes an entry in memory before it invalidates it, so an invalidation is matched against
 * the entry as it was accepted, and what is in memory now decides what becomes of the binding.
 */

#include <stdlib.h>
#include <string.h>

#include "iommu/bind.h"
#include "iommu/change.h"

/* Nothing is there for the requester: it is blocked without anybody having done wrong. */
static bool absent(u8 reason)
{
	switch (reason) {
	case 0x01: /* root entry */
	case 0x02: /* context entry */
	case 0x31: /* no PASIDs in legacy mode */
	case 0x33: /* abort-dma mode */
	case 0x39: /* scalable-mode root entry */
	case 0x41: /* scalable-mode context entry */
	case 0x45: /* PASID not enabled */
	case 0x46: /* PASID beyond the directory */
	case 0x48: /* PASID is RID_PASID */
	case 0x51: /* PASID directory entry */
	case 0x59: /* PASID entry */
	case 0x89: /* PASID beyond PSS */
		return true;
	}
	return false;
}

/* One fault per cause, not one per invalidation that finds it again. */
static void report(struct vtd *vtd, struct vtd_bind *dev, struct binding *b, u8 reason,
		   const struct vtd_ctx *ctx)
{
	vtd->stats.bind_failed++;
	if (b->reason == reason && !memcmp(b->failed, ctx->raw, sizeof(b->failed)))
		return;
	b->reason = reason;
	memcpy(b->failed, ctx->raw, sizeof(b->failed));
	vtd_fault__record(vtd, &(struct vtd_fault){
				   .reason = reason,
				   .sid = dev->sid,
				   .pasid = b->pasid == HOST_RID ? DMA_NO_PASID : b->pasid,
				   .access = DMA_READ,
				   .fpd = ctx->fpd,
			       });
}

void bind__fail(struct vtd *vtd, struct vtd_bind *dev, struct binding *b, u8 reason,
		const struct vtd_ctx *ctx)
{
	b->valid = false;
	bind_host__block(vtd, dev, b);
	report(vtd, dev, b, reason, ctx);
}

static bool same(const struct binding *b, const struct vtd_ctx *ctx)
{
	return b->valid && b->ctx.legacy == ctx->legacy && b->ctx.pasid == ctx->pasid &&
	       !memcmp(b->ctx.raw, ctx->raw, sizeof(ctx->raw));
}

/* The entry @ctx is there and passed its checks. */
static void serve(struct vtd *vtd, struct vtd_bind *dev, struct binding *b,
		  const struct vtd_ctx *ctx)
{
	static struct ratelimit limit;
	int err;

	if (ctx->pgtt == VTD_PGTT_FS) {
		const struct host_s1 s1 = {
			.pgtbl = ctx->fsptr,
			.width = ctx->fs_levels == 5 ? 57 : 48,
			.sre = ctx->sre,
			.eafe = ctx->eafe,
			.wpe = ctx->wpe,
		};

		if (same(b, ctx)) {
			b->ctx.fpd = ctx->fpd; /* may come from the context entry */
			return;
		}
		if (!mem__ptr(vtd->mem, ctx->fsptr, 4 * KiB)) {
			bind__fail(vtd, dev, b, 0x73, ctx);
			return;
		}
		err = bind_host__nest(vtd, dev, b, &s1);
	} else if (ctx->pgtt == VTD_PGTT_PT) {
		err = bind_host__parent(vtd, dev, b);
	} else {
		bind__fail(vtd, dev, b, ctx->legacy ? 0x3 : 0x5b, ctx);
		return;
	}
	if (err) {
		pr_guest(&limit,
			 "%s (guest %s, pasid %s): the host refused the guest's page table: "
			 "%s; blocked: see the host's kernel log",
			 dev->host.name, bind__bdf(dev->sid), bind__pasid(b->pasid),
			 strerror(-err));
		bind__fail(vtd, dev, b, 0x5b, ctx);
		return;
	}
	b->valid = true;
	b->ctx = *ctx;
	b->reason = 0;
}

/*
 * Does the invalidation cover @b, whose entry is now @ctx (not @found: it has none)?  An entry that
 * is not served has no domain (6.2.3: tagged 0), so anything retries it.
 */
static bool covers(const struct bind_match *m, const struct binding *b, const struct vtd_ctx *ctx,
		   bool found)
{
	if (!b->valid)
		return m->any_pasid || b->pasid == HOST_RID || b->pasid == m->pasid;
	if (!m->any_pasid && b->ctx.pasid != m->pasid && !(found && ctx->pasid == m->pasid))
		return false;
	return m->any_did || b->ctx.did == m->did || (found && ctx->did == m->did);
}

/* What @b was made of is @now (NULL: nothing). */
static void tell(const struct vtd_bind *dev, const struct binding *b, const struct vtd_ctx *now)
{
	vtd_change__tell(dev->sid, b->pasid == HOST_RID ? DMA_NO_PASID : b->pasid,
			 b->valid ? &b->ctx : NULL, now);
}

static void update(struct vtd *vtd, struct vtd_bind *dev, struct binding *b,
		   const struct bind_match *m)
{
	struct vtd_fault fault = { 0 };
	struct vtd_ctx ctx;
	int err;

	vtd->work += VTD_WORK_LOOKUP;
	err = vtd_entry__lookup(vtd, dev->sid, b->pasid == HOST_RID ? DMA_NO_PASID : b->pasid, &ctx,
				&fault);
	if (!covers(m, b, &ctx, !err))
		return;
	tell(dev, b, err ? NULL : &ctx);
	if (!err) {
		serve(vtd, dev, b, &ctx);
	} else if (!absent(fault.reason)) {
		bind__fail(vtd, dev, b, fault.reason, &ctx);
	} else {
		b->valid = false;
		if (bind_host__block(vtd, dev, b))
			report(vtd, dev, b, 0x5b, &ctx);
		else
			b->reason = 0;
	}
}

/* --- PASIDs --- */

static struct binding *find(struct vtd_bind *dev, u32 pasid)
{
	struct binding *b = dev->pasids;

	while (b && b->pasid != pasid)
		b = b->next;
	return b;
}

/* PASIDs that the device and its IOMMU can have. */
static u32 pasid_end(const struct vtd *vtd, const struct vtd_bind *dev)
{
	const u8 bits = MIN(vtd->cfg.pasid_bits, dev->host.info.max_pasid_log2);

	return bits ? 1u << MIN(bits, 20) : 0;
}

/* @pasid has no binding: make one if the guest has an entry.  False: there are too many. */
static bool discover(struct vtd *vtd, struct vtd_bind *dev, u32 pasid)
{
	static const struct bind_match any = { .any_sid = true,
					       .any_did = true,
					       .any_pasid = true };
	struct vtd_fault fault = { 0 };
	struct vtd_ctx ctx;
	struct binding *b = NULL;

	vtd->work += VTD_WORK_LOOKUP;
	if (vtd_entry__lookup(vtd, dev->sid, pasid, &ctx, &fault) && absent(fault.reason))
		return true;
	if (dev->n_pasids < BIND_PASIDS)
		b = calloc(1, sizeof(*b));
	if (!b) {
		struct binding none = { .pasid = pasid };

		report(vtd, dev, &none, 0x5b, &ctx);
		return false;
	}
	b->pasid = pasid;
	b->next = dev->pasids;
	dev->pasids = b;
	dev->n_pasids++;
	update(vtd, dev, b, &any);
	return true;
}

/* Forget the bindings that bind nothing. */
static void prune(struct vtd_bind *dev)
{
	struct binding **p = &dev->pasids;

	while (*p) {
		struct binding *b = *p;

		if (b->state != BIND_BLOCKED || b->reason) {
			p = &b->next;
			continue;
		}
		*p = b->next;
		dev->n_pasids--;
		free(b);
	}
}

static void update_pasids(struct vtd *vtd, struct vtd_bind *dev, const struct bind_match *m)
{
	const u32 end = pasid_end(vtd, dev);

	bind__work(vtd, dev);
	for (struct binding *b = dev->pasids; b; b = b->next)
		if (m->any_pasid || b->pasid == m->pasid)
			update(vtd, dev, b, m);
	prune(dev);

	if (!m->any_pasid) {
		if (m->pasid < end && !find(dev, m->pasid))
			discover(vtd, dev, m->pasid);
	} else {
		for (u32 p = 0; vtd_entry__next_pasid(vtd, dev->sid, &p, end); p++) {
			bind__work(vtd, dev);
			if (!find(dev, p) && !discover(vtd, dev, p))
				break;
		}
	}
	prune(dev);
}

/* --- All of them --- */

void bind__update(struct vtd *vtd, const struct bind_match *m)
{
	static const u16 fm_mask[] = { 0, 4, 6, 7 }; /* Table 21 */

	if (!vtd__tes(vtd))
		return;
	for (struct vtd_bind *dev = vtd->binds; dev; dev = dev->next) {
		if (!m->any_sid && ((dev->sid ^ m->sid) & ~fm_mask[m->fm & 3]))
			continue;
		update(vtd, dev, &dev->rid, m);
		update_pasids(vtd, dev, m);
	}
}

void bind__put_back(struct vtd *vtd)
{
	for (struct vtd_bind *dev = vtd->binds; dev; dev = dev->next) {
		struct binding *b = &dev->rid;
		int err;

		tell(dev, b, NULL);
		b->valid = false;
		b->reason = 0;
		err = bind_host__parent(vtd, dev, b);
		if (err) {
			bind_host__block(vtd, dev, b);
			bind_host__give_up(vtd, dev, b, "put it back on the guest's memory", err);
		}
		for (b = dev->pasids; b; b = b->next) {
			tell(dev, b, NULL);
			b->valid = false;
			b->reason = 0;
			err = bind_host__block(vtd, dev, b);
			if (err)
				bind_host__give_up(vtd, dev, b, "detach it", err);
		}
		prune(dev);
		bind_host__reap(dev);
	}
}
