/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VTD_TABLES_H
#define VTD_TABLES_H

/* Guest memory, and what builds the tables of VT-d chapter 9 in it: for tests and benchmarks. */

#include <string.h>

#include "iommu/vtd.h"

/* --- Memory --- */

#define GUEST_RAM (64 * MiB)

static struct guest_mem *guest_mem;
static u64 guest_next; /* the next unused page */

static inline u64 get(u64 gpa)
{
	return *(u64 *)mem__ptr(guest_mem, gpa, 8);
}

static inline void put(u64 gpa, u64 val)
{
	*(u64 *)mem__ptr(guest_mem, gpa, 8) = val;
}

/* A zeroed page. */
static inline u64 page_new(void)
{
	u64 gpa = guest_next;

	guest_next += 4 * KiB;
	memset(mem__ptr(guest_mem, gpa, 4 * KiB), 0, 4 * KiB);
	return gpa;
}

/* Memory starting over. */
static inline void tables_reset(void)
{
	if (!guest_mem)
		guest_mem = mem__new(-1, GUEST_RAM);
	guest_next = 16 * KiB;
}

/* --- Tables --- */

static inline u64 root_gpa(const struct vtd *vtd, u16 sid)
{
	const u64 half = vtd__ttm(vtd) == VTD_TTM_SCALABLE && (sid & 0x80) ? 8 : 0;

	return ALIGN_DOWN(vtd->root, 4 * KiB) + (sid >> 8) * 16 + half;
}

/* Where the context entry of @sid is; its table is made if there is none. */
static inline u64 context_gpa(const struct vtd *vtd, u16 sid)
{
	const u64 root = root_gpa(vtd, sid);

	if (!(get(root) & 1))
		put(root, page_new() | 1);
	if (vtd__ttm(vtd) == VTD_TTM_LEGACY)
		return ALIGN_DOWN(get(root), 4 * KiB) + (sid & 0xff) * 16;
	return ALIGN_DOWN(get(root), 4 * KiB) + (sid & 0x7f) * 32;
}

static inline void legacy_set(const struct vtd *vtd, u16 sid, u64 lo, u64 hi)
{
	const u64 ctx = context_gpa(vtd, sid);

	put(ctx, lo);
	put(ctx + 8, hi);
}

/* A context entry with PASIDs and a directory of 128 entries. */
static inline u64 sm_context_set(const struct vtd *vtd, u16 sid)
{
	const u64 ctx = context_gpa(vtd, sid);

	if (!(get(ctx) & 1))
		put(ctx, page_new() | BIT(3) | 1);
	return ctx;
}

static inline u64 dir_gpa(const struct vtd *vtd, u16 sid, u32 pasid)
{
	return ALIGN_DOWN(get(sm_context_set(vtd, sid)), 4 * KiB) + (pasid >> 6) * 8;
}

static inline u64 pasid_gpa(const struct vtd *vtd, u16 sid, u32 pasid)
{
	const u64 dir = dir_gpa(vtd, sid, pasid);

	if (!(get(dir) & 1))
		put(dir, page_new() | 1);
	return ALIGN_DOWN(get(dir), 4 * KiB) + (pasid & 63) * 64;
}

static inline void pasid_set(const struct vtd *vtd, u16 sid, u32 pasid, u64 v0, u64 v1, u64 v2)
{
	const u64 pte = pasid_gpa(vtd, sid, pasid);

	put(pte + 8, v1);
	put(pte + 16, v2);
	put(pte, v0);
}

#define PE(pgtt) (1 | (u64)(pgtt) << 6)
#define PE_AW48	 (2 << 2)
#define PE_PWSNP BIT(23)

/* Map @addr to @out at @level in a table tree of @levels; @flags also for the tables on the way. */
static inline u64 table_map(u64 table, unsigned int levels, u64 addr, unsigned int level, u64 entry,
			    u64 flags)
{
	for (;; levels--) {
		const u64 pos = table + ((addr >> (12 + 9 * (levels - 1))) & 511) * 8;

		if (levels == level) {
			put(pos, entry);
			return pos;
		}
		if (!(get(pos) & 3))
			put(pos, page_new() | flags);
		table = get(pos) & GENMASK(51, 12);
	}
}

#endif
