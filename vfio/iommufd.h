/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VFIO_IOMMUFD_H
#define VFIO_IOMMUFD_H

/*
 * iommufd, one function per call.  All return 0 or a negative errno and print nothing.  Objects are
 * named by ids within the descriptor @fd; 0 is never one.  Closing @fd destroys them all.
 */

#include "lkvm/iommu.h"
#include "lkvm/util.h"

extern const char *iommufd__path;

/* A descriptor (>= 0), close-on-exec. */
int iommufd__open(void);

/* -EBUSY while something uses @id. */
int iommufd__destroy(int fd, u32 id);

int iommufd__ioas_alloc(int fd, u32 *ioas);
/* Readable and writeable, at exactly @iova. */
int iommufd__ioas_map(int fd, u32 ioas, u64 iova, u64 len, void *va);
int iommufd__ioas_unmap(int fd, u32 ioas, u64 iova, u64 len);

/* What the IOMMU in front of @dev can do. */
int iommufd__hw_info(int fd, u32 dev, struct host_iommu_info *info);

/* A page table that maps @ioas for @dev and can be a nesting parent; @pasid: also for PASIDs. */
int iommufd__hwpt_parent(int fd, u32 dev, u32 ioas, bool pasid, u32 *hwpt);
/* The guest's first stage over @parent. */
int iommufd__hwpt_s1(int fd, u32 dev, u32 parent, const struct host_s1 *s1, bool pasid, u32 *hwpt);
/* As host_iommu_ops.invalidate. */
int iommufd__invalidate(int fd, u32 hwpt, const struct host_inv *inv, u32 *n);

#endif
