/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOMMU_CACHE_H
#define IOMMU_CACHE_H

/* The tables of cache.c, and the lookups in them, inline for the path of every DMA. */

#include "iommu/vtd.h"

#define CACHE_WAYS     4
#define CACHE_CTX_BITS 6 /* sets, a power of two */
#define CACHE_TLB_BITS 10

struct ctx_slot {
	u64 key; /* CTX_VALID, source, PASID of the request; 0: unused */
	u64 tag; /* of its translations in the IOTLB; of those for requests with PASID, not privileged */
	struct vtd_ctx ctx;
};

#define CTX_VALID BIT(63)

struct tlb_slot {
	u64 page; /* address >> shift */
	u64 tag;  /* 0: unused */
	struct vtd_leaf leaf;
};

/*
 * Whose translation: 63:62 how privilege counts, 61:42 PASID (of first-stage entries), 41:26 domain,
 * 25:24 which size, 23 first stage, 22 set, the rest 0.
 */
#define TAG_MODE(tag)  FIELD(tag, 63, 62)
#define TAG_PASID(tag) FIELD(tag, 61, 42)
#define TAG_DID(tag)   FIELD(tag, 41, 26)
#define TAG_SIZE(n)    ((u64)(n) << 24)
#define TAG_FS	       BIT(23)
#define TAG_VALID      BIT(22)
#define TAG_NONE       1 /* of what is never in the IOTLB: no entry has it */

struct vtd_cache {
	struct ctx_slot ctx[1 << CACHE_CTX_BITS][CACHE_WAYS];
	struct tlb_slot tlb[1 << CACHE_TLB_BITS][CACHE_WAYS];
	u8 ctx_next[1 << CACHE_CTX_BITS], tlb_next[1 << CACHE_TLB_BITS];
	u32 pages[3]; /* valid IOTLB entries of each size */
	u32 fs;	      /* of these, first stage or nested */
};

/* The top bits of a product depend on all bits of its factors. */
static inline u32 cache__hash(u64 val, unsigned int bits)
{
	return (val * 0x9e3779b97f4a7c15ULL) >> (64 - bits);
}

static inline u64 cache__ctx_key(u16 sid, u32 pasid)
{
	return CTX_VALID | (u64)sid << 32 | pasid;
}

static inline struct ctx_slot *cache__ctx_find(struct vtd_cache *cache, u16 sid, u32 pasid)
{
	const u64 key = cache__ctx_key(sid, pasid);
	struct ctx_slot *set = cache->ctx[cache__hash(key, CACHE_CTX_BITS)];

	for (int i = 0; i < CACHE_WAYS; i++)
		if (set[i].key == key)
			return &set[i];
	return NULL;
}

/* The set of the IOTLB where @page of @tag is, however privilege counts. */
static inline u32 cache__tlb_set(u64 tag, u64 page)
{
	return cache__hash(page ^ tag << 2, CACHE_TLB_BITS);
}

/* The entry of @page, its size being in @tag; or NULL. */
static inline struct tlb_slot *cache__tlb_find(struct vtd_cache *cache, u64 tag, u64 page)
{
	struct tlb_slot *set = cache->tlb[cache__tlb_set(tag, page)];

	for (int i = 0; i < CACHE_WAYS; i++)
		if (set[i].page == page && set[i].tag == tag)
			return &set[i];
	return NULL;
}

#endif
