/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOMMU_CHANGE_H
#define IOMMU_CHANGE_H

/* Trace event vtd_table: entries that are in use and now say something else. */

#include "iommu/vtd.h"
#include "lkvm/trace.h"

/* The entry of (@sid, @pasid) was @old and is @now (NULL: none that is valid). */
void vtd_change__tell(u16 sid, u32 pasid, const struct vtd_ctx *old, const struct vtd_ctx *now);

/* @drop what @inv covers from the context and PASID cache, and tell what had changed of it. */
void vtd_change__drop(struct vtd *vtd,
		      void (*drop)(struct vtd_cache *cache, const struct vtd_inv *inv),
		      const struct vtd_inv *inv);

#endif
