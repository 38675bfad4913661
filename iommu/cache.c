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

#include "iommu/vtd.h"

#define WAYS	 4
#define CTX_SETS 64
#define TLB_SETS 1024
/* A page-selective invalidation of more pages than this searches the table instead. */
#define PROBES 64

struct ctx_slot {
	bool valid;
	u16 sid;
	u32 pasid; /* of the request: DMA_NO_PASID, or as sent */
	struct vtd_ctx ctx;
};

struct tlb_slot {
	u64 page; /* address >> shift */
	u32 pasid;
	u16 did;
	bool valid, fs; /* first stage or nested */
	u8 mode;	/* TLB_*: how privilege counts */
	struct vtd_leaf leaf;
};

enum { TLB_USER = 0, TLB_PRIV = 1, TLB_PRIV_WPE = 2 };

static const u8 shifts[] = { 12, 21, 30 };

struct vtd_cache {
	struct ctx_slot ctx[CTX_SETS][WAYS];
	struct tlb_slot tlb[TLB_SETS][WAYS];
	u8 ctx_next[CTX_SETS], tlb_next[TLB_SETS];
	u32 pages[ARRAY_SIZE(shifts)]; /* valid IOTLB entries of each size */
	u32 fs;			       /* of these, first stage or nested */
};

struct vtd_cache *vtd_cache__new(void)
{
	return calloc(1, sizeof(struct vtd_cache));
}

void vtd_cache__free(struct vtd_cache *cache)
{
	free(cache);
}

static u32 hash(u64 a, u64 b, u32 sets)
{
	u64 h = (a ^ (b << 24)) * 0x9e3779b97f4a7c15ULL;

	h ^= h >> 29;
	h *= 0xbf58476d1ce4e5b9ULL;
	return (h >> 40) & (sets - 1);
}

/* --- Context and PASID cache --- */

static u32 ctx_set(u16 sid, u32 pasid)
{
	return hash(pasid, sid, CTX_SETS);
}

const struct vtd_ctx *vtd_cache__ctx(struct vtd_cache *cache, u16 sid, u32 pasid)
{
	struct ctx_slot *set = cache->ctx[ctx_set(sid, pasid)];

	for (int i = 0; i < WAYS; i++)
		if (set[i].valid && set[i].sid == sid && set[i].pasid == pasid)
			return &set[i].ctx;
	return NULL;
}

const struct vtd_ctx *vtd_cache__ctx_add(struct vtd_cache *cache, u16 sid, u32 pasid,
					 const struct vtd_ctx *ctx)
{
	u32 set = ctx_set(sid, pasid);
	struct ctx_slot *slot = &cache->ctx[set][cache->ctx_next[set]++ % WAYS];

	*slot = (struct ctx_slot){ .valid = true, .sid = sid, .pasid = pasid, .ctx = *ctx };
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
		return !((slot->sid ^ inv->sid) & ~fm_mask[inv->fm & 3]);
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
	for (u32 i = 0; i < CTX_SETS * WAYS; i++) {
		struct ctx_slot *slot = &cache->ctx[i / WAYS][i % WAYS];

		if (slot->valid && matches(slot, inv))
			slot->valid = false;
	}
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

static u32 tlb_set(u16 did, u32 pasid, u64 page, int size)
{
	return hash(page, (u64)did << 24 ^ pasid << 2 ^ size, TLB_SETS);
}

static bool is_fs(const struct vtd_ctx *ctx)
{
	return ctx->pgtt == VTD_PGTT_FS || ctx->pgtt == VTD_PGTT_NESTED;
}

static u8 mode_of(const struct vtd_ctx *ctx, u8 access)
{
	if (!(access & DMA_PRIV))
		return TLB_USER;
	return ctx->wpe ? TLB_PRIV_WPE : TLB_PRIV;
}

static struct tlb_slot *tlb_find(struct vtd_cache *cache, const struct vtd_ctx *ctx, u64 addr,
				 u8 access, int size)
{
	const bool fs = is_fs(ctx);
	const u32 pasid = fs ? ctx->pasid : 0;
	const u64 page = addr >> shifts[size];
	const u8 mode = mode_of(ctx, access);
	struct tlb_slot *set = cache->tlb[tlb_set(ctx->did, pasid, page, size)];

	for (int i = 0; i < WAYS; i++)
		if (set[i].valid && set[i].page == page && set[i].did == ctx->did &&
		    set[i].pasid == pasid && set[i].fs == fs && set[i].mode == mode &&
		    set[i].leaf.shift == shifts[size])
			return &set[i];
	return NULL;
}

const struct vtd_leaf *vtd_cache__leaf(struct vtd_cache *cache, const struct vtd_ctx *ctx, u64 addr,
				       u8 access)
{
	const u8 need = access & (DMA_READ | DMA_WRITE | DMA_EXEC);

	/* Privileged requests are only ever allowed with SRE; without, the walk says so. */
	if ((access & DMA_PRIV) && !ctx->sre)
		return NULL;
	for (int size = 0; size < (int)ARRAY_SIZE(shifts); size++) {
		struct tlb_slot *slot;

		if (!cache->pages[size])
			continue;
		slot = tlb_find(cache, ctx, addr, access, size);
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
	slot->valid = false;
	cache->pages[size_of(slot->leaf.shift)]--;
	cache->fs -= slot->fs;
}

void vtd_cache__leaf_add(struct vtd_cache *cache, const struct vtd_ctx *ctx, u64 addr, u8 access,
			 const struct vtd_leaf *leaf)
{
	const int size = size_of(leaf->shift);
	struct tlb_slot *slot;

	if (size < 0) /* pass-through: the context cache alone answers */
		return;
	slot = tlb_find(cache, ctx, addr, access, size);
	if (!slot) {
		const u32 pasid = is_fs(ctx) ? ctx->pasid : 0;
		const u32 set = tlb_set(ctx->did, pasid, addr >> leaf->shift, size);

		slot = &cache->tlb[set][cache->tlb_next[set]++ % WAYS];
		if (slot->valid)
			tlb_drop(cache, slot);
		*slot = (struct tlb_slot){
			.page = addr >> leaf->shift,
			.pasid = pasid,
			.did = ctx->did,
			.valid = true,
			.fs = is_fs(ctx),
			.mode = mode_of(ctx, access),
		};
		cache->pages[size]++;
		cache->fs += slot->fs;
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

	if (!m->any_did && slot->did != m->did)
		return false;
	if (!(slot->fs ? m->fs : m->ss))
		return false;
	if (!m->any_pasid && slot->fs && slot->pasid != m->pasid)
		return false;
	return m->any_addr || !(((slot->page << slot->leaf.shift) ^ m->addr) & ~mask);
}

static void tlb_search(struct vtd_cache *cache, const struct tlb_match *m)
{
	if (tlb_empty(cache))
		return;
	for (u32 i = 0; i < TLB_SETS * WAYS; i++) {
		struct tlb_slot *slot = &cache->tlb[i / WAYS][i % WAYS];

		if (slot->valid && tlb_matches(slot, m))
			tlb_drop(cache, slot);
	}
}

/* The pages of one (domain, PASID): look where they are, if they are few. */
static void tlb_pages(struct vtd_cache *cache, const struct tlb_match *m)
{
	const u32 pasid = m->fs ? m->pasid : 0;

	if (m->mask >> 12 >= PROBES) {
		tlb_search(cache, m);
		return;
	}
	for (int size = 0; size < (int)ARRAY_SIZE(shifts); size++) {
		u64 page = (m->addr & ~m->mask) >> shifts[size];
		u64 last = (m->addr | m->mask) >> shifts[size];

		for (; cache->pages[size] && page <= last; page++) {
			struct tlb_slot *set = cache->tlb[tlb_set(m->did, pasid, page, size)];

			for (int i = 0; i < WAYS; i++)
				if (set[i].valid && tlb_matches(&set[i], m))
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
