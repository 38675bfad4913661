/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VTD_DMA_H
#define VTD_DMA_H

/* Requests through vtd_dma_ops, with caches and without a host behind. */

#include "vtd_guest.h"

#include "iommu/ats.c"
#include "iommu/bind.c"
#include "iommu/bind_dev.c"
#include "iommu/bind_host.c"
#include "iommu/bind_inv.c"
#include "iommu/cache.c"
#include "iommu/change.c"
#include "iommu/devtlb.c"
#include "iommu/inv.c"
#include "iommu/prq.c"
#include "iommu/translate.c"
#include "iommu/walk.c"
#include "iommu/walk_fs.c"
#include "iommu/walk_ss.c"

#define R DMA_READ
#define W DMA_WRITE

#define SID  0x10
#define SID2 0x18

static struct vtd vtd;
static u64 out_gpa, out_len;

static bool dma(u16 sid, u32 pasid, u64 addr, u8 access)
{
	const struct dma_req req = { .addr = addr, .pasid = pasid, .sid = sid, .access = access };

	out_gpa = out_len = 0;
	return !vtd_dma_ops.translate(&vtd, &req, &out_gpa, &out_len);
}

static void start(enum vtd_ttm ttm)
{
	struct vtd_cache *cache = vtd.cache ? vtd.cache : vtd_cache__new();

	unit_init(&vtd, config_all(), ttm);
	vtd.cache = cache;
	vtd_cache__clear(cache);
}

#endif
