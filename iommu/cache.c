/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The context and PASID cache, and the IOTLB (VT-d 6.2): fixed tables, set-associative, replaced
 * round robin.  What is in them may be stale until the guest invalidates it, as in hardware;
 * nothing that faulted is ever in them.
 *
 * One table serves as context and as PASID cache: its entries hold what both said.  An invalidation
 * of either takes the whole, which is coarser than asked and allowed (6.5.2).
 *
 * The IOTLB is looked up by domain rather than by source, so that a page-selective invalidation,
 * the common one, finds its entries without a search.  6.2.3.1 makes that safe: the tables of one
 * (domain, PASID) are the same for all sources.  Only the treatment of privileged requests may
 * differ, and is part of the key.  Second-stage entries are the domain's alone; their PASID is 0.
 */

#include <stdlib.h>
#include <string.h>

#include "iommu/cache.h"

/* A page-selective invalidation of more pages than this searches the table instead. */
#define PROBES 64

static const u8 shifts[] = { 12, 21, 30 };

struct vtd_cache *vtd_cache__new(void)
{
	return calloc(1, sizeof(struct vtd_cache));
}

void vtd_cache__free(struct vtd_cache *cache)
{
	free(cache);
}

/* --- Context and PASID cache --- */

const struct vtd_ctx *vtd_cache__ctx(struct vtd_cache *cache, u16 sid, u32 pasid)
{
	const struct ctx_slot *slot = cache__ctx_find(cache, sid, pasid);

	return slot ? &slot->ctx : NULL;
}

static bool is_fs(const struct vtd_ctx *ctx)
{
	return ctx->pgtt == VTD_PGTT_FS || ctx->pgtt == VTD_PGTT_NESTED;
}

/*
 * The tag of 4 KiB translations by @ctx.  Privileged requests are
 * only ever allowed with SRE; without, the walk says so.
 */
static u64 tag_of(const struct vtd_ctx *ctx, bool priv)
{
	const u64 mode = !priv ? 0 : ctx->wpe ? 2 : 1;
	u64 tag = TAG_VALID | (u64)ctx->did << 26 | mode << 62;

	if (ctx->pgtt == VTD_PGTT_PT || (priv && !ctx->sre))
		return TAG_NONE;
	if (is_fs(ctx))
		tag |= TAG_FS | (u64)ctx->pasid << 42;
	return tag;
}

const struct vtd_ctx *vtd_cache__ctx_add(struct vtd_cache *cache, u16 sid, u32 pasid,
					 const struct vtd_ctx *ctx)
{
	const u64 key = cache__ctx_key(sid, pasid);
	const u32 set = cache__hash(key, CACHE_CTX_BITS);
	struct ctx_slot *slot = &cache->ctx[set][cache->ctx_next[set]++ % CACHE_WAYS];

	*slot = (struct ctx_slot){
		.key = key,
		/* Requests without PASID are what the context entry says (9.4). */
		.tag = tag_of(ctx, pasid == DMA_NO_PASID && ctx->rid_priv),
		.ctx = *ctx,
	};
	return &slot->ctx;
}

/* Which bits of a source id FM masks (Table 21). */
static const u16 fm_mask[] = { 0, 4, 6, 7 };

static bool ctx_matches(const struct ctx_slot *slot, const struct vtd_inv *inv)
{
	switch (inv->gran) {
	case VTD_GRAN_DOMAIN:
		/* Scalable-mode context entries have no domain: all of them. */
		return !slot->ctx.legacy || slot->ctx.did == inv->did;
	case VTD_GRAN_DEVICE:
		return !((FIELD(slot->key, 47, 32) ^ inv->sid) & ~fm_mask[inv->fm & 3]);
	default:
		return true;
	}
}

static bool pasid_matches(const struct ctx_slot *slot, const struct vtd_inv *inv)
{
	switch (inv->gran) {
	case VTD_GRAN_DOMAIN:
		return slot->ctx.did == inv->did;
	case VTD_GRAN_PASID:
		return slot->ctx.did == inv->did && slot->ctx.pasid == inv->pasid;
	default:
		return true;
	}
}

static void ctx_drop(struct vtd_cache *cache, const struct vtd_inv *inv,
		     bool (*matches)(const struct ctx_slot *slot, const struct vtd_inv *inv))
{
	struct ctx_slot *slot = cache->ctx[0];

	for (u32 i = 0; i < sizeof(cache->ctx) / sizeof(*slot); i++, slot++)
		if (slot->key && matches(slot, inv))
			slot->key = 0;
}

void vtd_cache__inv_context(struct vtd_cache *cache, const struct vtd_inv *inv)
{
	ctx_drop(cache, inv, ctx_matches);
}

void vtd_cache__inv_pasid(struct vtd_cache *cache, const struct vtd_inv *inv)
{
	ctx_drop(cache, inv, pasid_matches);
}

/* --- IOTLB --- */

const struct vtd_leaf *vtd_cache__leaf(struct vtd_cache *cache, const struct vtd_ctx *ctx, u64 addr,
				       u8 access)
{
	const u8 need = access & (DMA_READ | DMA_WRITE | DMA_EXEC);
	const u64 tag = tag_of(ctx, access & DMA_PRIV);

	for (int size = 0; size < (int)ARRAY_SIZE(shifts); size++) {
		const struct tlb_slot *slot;

		if (!cache->pages[size])
			continue;
		slot = cache__tlb_find(cache, tag | TAG_SIZE(size), addr >> shifts[size]);
		if (slot && (slot->leaf.perm & need) == need)
			return &slot->leaf;
	}
	return NULL;
}

static int size_of(u8 shift)
{
	for (int size = 0; size < (int)ARRAY_SIZE(shifts); size++)
		if (shifts[size] == shift)
			return size;
	return -1;
}

static void tlb_drop(struct vtd_cache *cache, struct tlb_slot *slot)
{
	cache->pages[size_of(slot->leaf.shift)]--;
	cache->fs -= !!(slot->tag & TAG_FS);
	slot->tag = 0;
}

void vtd_cache__leaf_add(struct vtd_cache *cache, const struct vtd_ctx *ctx, u64 addr, u8 access,
			 const struct vtd_leaf *leaf)
{
	const int size = size_of(leaf->shift);
	const u64 page = addr >> leaf->shift;
	struct tlb_slot *slot;
	u64 tag = tag_of(ctx, access & DMA_PRIV);
	u32 set;

	if (tag == TAG_NONE || size < 0) /* pass-through: the context cache alone answers */
		return;
	tag |= TAG_SIZE(size);
	slot = cache__tlb_find(cache, tag, page);
	if (!slot) {
		set = cache__tlb_set(tag, page);
		slot = &cache->tlb[set][cache->tlb_next[set]++ % CACHE_WAYS];
		if (slot->tag)
			tlb_drop(cache, slot);
		slot->page = page;
		slot->tag = tag;
		cache->pages[size]++;
		cache->fs += !!(tag & TAG_FS);
	}
	slot->leaf = *leaf;
}

static bool tlb_empty(const struct vtd_cache *cache)
{
	return !(cache->pages[0] | cache->pages[1] | cache->pages[2]);
}

/* What to drop: entries of @did, and of these only some. */
struct tlb_match {
	u16 did;
	bool fs, ss; /* these kinds */
	bool any_did, any_pasid, any_addr;
	u32 pasid; /* first-stage entries only */
	u64 addr, mask;
};

static bool tlb_matches(const struct tlb_slot *slot, const struct tlb_match *m)
{
	/* A page larger than the region is dropped if it contains it. */
	const u64 mask = m->mask | (BIT(slot->leaf.shift) - 1);

	if (!m->any_did && TAG_DID(slot->tag) != m->did)
		return false;
	if (!(slot->tag & TAG_FS ? m->fs : m->ss))
		return false;
	if (!m->any_pasid && (slot->tag & TAG_FS) && TAG_PASID(slot->tag) != m->pasid)
		return false;
	return m->any_addr || !(((slot->page << slot->leaf.shift) ^ m->addr) & ~mask);
}

static void tlb_search(struct vtd_cache *cache, const struct tlb_match *m)
{
	struct tlb_slot *slot = cache->tlb[0];

	if (tlb_empty(cache))
		return;
	for (u32 i = 0; i < sizeof(cache->tlb) / sizeof(*slot); i++, slot++)
		if (slot->tag && tlb_matches(slot, m))
			tlb_drop(cache, slot);
}

/* The pages of one (domain, PASID): look where they are, if they are few. */
static void tlb_pages(struct vtd_cache *cache, const struct tlb_match *m)
{
	const u64 tag = TAG_VALID | (u64)m->did << 26 | (m->fs ? TAG_FS | (u64)m->pasid << 42 : 0);

	if (m->mask >> 12 >= PROBES) {
		tlb_search(cache, m);
		return;
	}
	for (int size = 0; size < (int)ARRAY_SIZE(shifts); size++) {
		u64 page = (m->addr & ~m->mask) >> shifts[size];
		u64 last = (m->addr | m->mask) >> shifts[size];

		for (; cache->pages[size] && page <= last; page++) {
			const u64 of_size = tag | TAG_SIZE(size);
			struct tlb_slot *set = cache->tlb[cache__tlb_set(of_size, page)];

			for (int i = 0; i < CACHE_WAYS; i++)
				if (set[i].tag && tlb_matches(&set[i], m))
					tlb_drop(cache, &set[i]);
		}
	}
}

/* AM counts pages in powers of two (Table 22); from 52 on that is every address. */
static u64 am_mask(u8 am)
{
	return am >= 52 ? ~0ULL : (4 * KiB << am) - 1;
}

void vtd_cache__inv_iotlb(struct vtd_cache *cache, const struct vtd_inv *inv)
{
	struct tlb_match m = { .did = inv->did,
			       .fs = true,
			       .ss = true,
			       .any_pasid = true,
			       .any_addr = true,
			       .any_did = inv->gran == VTD_GRAN_GLOBAL };

	if (inv->gran != VTD_GRAN_PAGE) {
		tlb_search(cache, &m);
		return;
	}
	/* Table 23: all first-stage entries of the domain, second-stage ones by address. */
	m.ss = false;
	if (cache->fs)
		tlb_search(cache, &m);
	m = (struct tlb_match){
		.did = inv->did, .ss = true, .addr = inv->addr, .mask = am_mask(inv->am)
	};
	tlb_pages(cache, &m);
}

void vtd_cache__inv_piotlb(struct vtd_cache *cache, const struct vtd_inv *inv)
{
	/* Table 24; second-stage entries do not know their PASID: those of the domain go. */
	struct tlb_match m = { .did = inv->did, .pasid = inv->pasid, .fs = true };

	if (inv->gran == VTD_GRAN_PAGE) {
		m.addr = inv->addr;
		m.mask = am_mask(inv->am);
		tlb_pages(cache, &m);
		return;
	}
	m.ss = true;
	m.any_addr = true;
	tlb_search(cache, &m);
}

void vtd_cache__clear(struct vtd_cache *cache)
{
	memset(cache, 0, sizeof(*cache));
}
