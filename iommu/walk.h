/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOMMU_WALK_H
#define IOMMU_WALK_H

/* Between walk.c, walk_fs.c and walk_ss.c. */

#include <errno.h>

#include "iommu/vtd.h"

/*
 * How often a walk looks again at an entry that the guest changed between its read and its update;
 * a guest that never lets go gets a fault, not our time.
 */
#define WALK_RETRIES 16

static inline int walk__fail(struct vtd_fault *fault, u8 reason)
{
	fault->reason = reason;
	return -EFAULT;
}

/* The size (log2) of what an entry at @level covers; level 1 is a page table. */
static inline unsigned int walk__shift(unsigned int level)
{
	return 12 + 9 * (level - 1);
}

/* The entry at @gpa is *@val (NULL: unreadable). */
static inline void walk__step(const struct vtd_fault *fault, enum vtd_entry entry,
			      unsigned int level, u64 addr, u64 gpa, const u64 *val)
{
	vtd__observe(
	    fault,
	    &(struct vtd_step){
		.entry = entry, .level = (u8)level, .addr = addr, .gpa = gpa, .val = val, .n = 1 });
}

/* Set @bits in *@ptr, which was read as @entry; false if the guest changed it meanwhile. */
static inline bool walk__set(const struct vtd_fault *fault, u64 *ptr, u64 entry, u64 bits)
{
	if (fault->observer)
		return true;
	return __atomic_compare_exchange_n(ptr, &entry, entry | bits, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

/*
 * The second stage: @addr for an access that needs @need (DMA_READ, DMA_WRITE).  @leaf->perm is
 * what it allows; without DMA_WRITE while the page is not marked dirty and must be.
 */
int walk__ss(struct vtd *vtd, const struct vtd_ctx *ctx, u64 addr, u8 need, struct vtd_leaf *leaf,
	     struct vtd_fault *fault);
/* The first stage; through the second if @ctx is nested. */
int walk__fs(struct vtd *vtd, const struct vtd_ctx *ctx, u64 addr, u8 access, struct vtd_leaf *leaf,
	     struct vtd_fault *fault);

#endif
