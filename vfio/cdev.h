/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VFIO_CDEV_H
#define VFIO_CDEV_H

/*
 * A VFIO device behind its character device, one function per call.  All return 0 (or what is said)
 * or a negative errno and print nothing.  @fd is the open cdev; closing it gives the device back to
 * the host, reset and with its DMA blocked.
 */

#include "lkvm/util.h"

#define VFIO_SPARSE_MAX 16

struct vfio_area {
	u64 off, size;
};

struct vfio_region {
	u64 size, off; /* off: within the device's file */
	bool read, write, mmap;
	/* Where mmap is possible: these areas, or everywhere if nsparse is 0. */
	unsigned int nsparse;
	struct vfio_area sparse[VFIO_SPARSE_MAX];
};

/* A descriptor; nothing but cdev__bind() works on it before that has. */
int cdev__open(const char *path);
/* The kernel owns the device's DMA from here on: blocked until attached. */
int cdev__bind(int fd, int iommufd, u32 *devid);

/* Attach to the IOAS or HWPT @pt; @pasid is a PASID or HOST_RID.  Replaces what was attached. */
int cdev__attach(int fd, u32 pasid, u32 pt);
int cdev__detach(int fd, u32 pasid);

/* *@reset: the device can be reset.  -ENODEV if it is no PCI function. */
int cdev__info(int fd, bool *reset);
int cdev__region(int fd, u32 index, struct vfio_region *region);
int cdev__irq_count(int fd, u32 index, u32 *count);
/*
 * Bind eventfds to vectors 0..@count of interrupt @index; @count 0 disables it.  The host may have
 * less than asked for: then the number it would give (> 0) is returned and nothing has changed.
 */
int cdev__set_irqs(int fd, u32 index, const int *fds, u32 count);
int cdev__reset(int fd);

#endif
