/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VFIO_SYSFS_H
#define VFIO_SYSFS_H

/*
 * From the PCI address a person types to the character device that stands for the function.  Only
 * looks: nothing is opened or changed.
 */

#include <limits.h>

#include "lkvm/iommu.h"
#include "lkvm/util.h"

#define VFIO_ADDR_LEN 20 /* "10000:3a:00.0" and its end */

/*
 * [dddd:]bb:dd.f, hexadecimal, into @out as the kernel writes it ("0000:3a:00.0").  0 or -EINVAL.
 */
int sysfs__parse_addr(const char *s, char out[VFIO_ADDR_LEN]);

/*
 * The path of the VFIO character device of @addr into @path.  0, or a negative errno with a printed
 * line that says how to get there: no such device, driver not vfio-pci, kernel without cdevs.
 */
int sysfs__cdev(const char *addr, char path[PATH_MAX]);

/*
 * The capability registers of the VT-d unit in front of @addr as the kernel shows them without
 * binding the device (info->max_pasid_log2 is not among them).  info->vtd false: it has none.
 */
void sysfs__iommu_info(const char *addr, struct host_iommu_info *info);

/* Calls @fn for every VT-d unit that the host's kernel uses, with its name there ("dmar0"). */
void sysfs__for_each_unit(void (*fn)(const char *name, const struct host_iommu_info *info,
				     void *arg),
			  void *arg);

/* Calls @fn for every PCI function that has a VFIO character device. */
void sysfs__for_each(void (*fn)(const char *addr, void *arg), void *arg);

#endif
