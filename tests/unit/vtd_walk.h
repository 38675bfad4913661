/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VTD_WALK_H
#define VTD_WALK_H

/* One walk at a time, without caches. */

#include "vtd_guest.h"

#include "iommu/walk.c"
#include "iommu/walk_fs.c"
#include "iommu/walk_ss.c"

#define R  DMA_READ
#define W  DMA_WRITE
#define RW (DMA_READ | DMA_WRITE)
#define P  DMA_PRIV

static struct vtd vtd;
static struct vtd_leaf leaf;
static struct vtd_fault fault;

static u8 walk(const struct vtd_ctx *ctx, u64 addr, u8 access)
{
	int err;

	fault = (struct vtd_fault){ 0 };
	leaf = (struct vtd_leaf){ 0 };
	err = vtd_walk__translate(&vtd, ctx, addr, access, &leaf, &fault);
	if (err != (fault.reason ? -EFAULT : 0))
		return 0xff;
	return fault.reason;
}

static inline bool leaf_is(u64 gpa, u8 shift, u8 perm)
{
	return leaf.gpa == gpa && leaf.shift == shift && leaf.perm == perm;
}

static void fresh(void)
{
	unit_init(&vtd, config_all(), VTD_TTM_SCALABLE);
	vtd.ecap |= ECAP_SSADS;
}

#endif
