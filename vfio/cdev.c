/* SPDX-License-Identifier: GPL-2.0-only */

/* VFIO's ioctls on a device. */

#include <fcntl.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>

#include "lkvm/iommu.h"
#include "vfio/cdev.h"
#include "vfio/sys.h"
#include "vfio/uapi.h"

/* More than the kernel has ever had to say about a region. */
#define REGION_INFO_MAX (64 * KiB)

static int call(int fd, unsigned long req, void *arg)
{
	int ret = sys_ioctl(fd, req, arg);

	return ret < 0 ? ret : 0;
}

int cdev__open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int cdev__bind(int fd, int iommufd, u32 *devid)
{
	struct vfio_cdev_bind arg = {
		.argsz = sizeof(arg),
		.iommufd = iommufd,
	};
	int err = call(fd, VFIO_CDEV_BIND, &arg);

	if (!err)
		*devid = arg.out_devid;
	return err;
}

int cdev__attach(int fd, u32 pasid, u32 pt)
{
	struct vfio_cdev_attach arg = {
		.argsz = sizeof(arg),
		.flags = pasid == HOST_RID ? 0 : VFIO_CDEV_PASID,
		.pt_id = pt,
		.pasid = pasid == HOST_RID ? 0 : pasid,
	};

	return call(fd, VFIO_CDEV_ATTACH, &arg);
}

int cdev__detach(int fd, u32 pasid)
{
	struct vfio_cdev_detach arg = {
		.argsz = sizeof(arg),
		.flags = pasid == HOST_RID ? 0 : VFIO_CDEV_PASID,
		.pasid = pasid == HOST_RID ? 0 : pasid,
	};

	return call(fd, VFIO_CDEV_DETACH, &arg);
}

int cdev__info(int fd, bool *reset)
{
	struct vfio_device_info arg = {
		.argsz = sizeof(arg),
	};
	int err = call(fd, VFIO_DEVICE_GET_INFO, &arg);

	if (err)
		return err;
	if (!(arg.flags & VFIO_DEVICE_FLAGS_PCI))
		return -ENODEV;
	*reset = arg.flags & VFIO_DEVICE_FLAGS_RESET;
	return 0;
}

static void take_sparse(struct vfio_region *region,
			const struct vfio_region_info_cap_sparse_mmap *cap, u32 room)
{
	u32 i, n = 0;

	if (room >= sizeof(*cap))
		n = MIN(cap->nr_areas, (room - sizeof(*cap)) / sizeof(cap->areas[0]));
	for (i = 0; i < n && region->nsparse < VFIO_SPARSE_MAX; i++)
		region->sparse[region->nsparse++] = (struct vfio_area){
			.off = cap->areas[i].offset,
			.size = cap->areas[i].size,
		};
	/* No areas to map is not the same as all of it. */
	if (!region->nsparse)
		region->mmap = false;
}

/* The capability chain behind a region's info; offsets are from the info's start. */
static void take_caps(struct vfio_region *region, const struct vfio_region_info *info, u32 len)
{
	const struct vfio_info_cap_header *cap;
	u32 off = info->cap_offset, room;
	int hops;

	for (hops = 0; off && hops < 16; hops++) {
		if (off < sizeof(*info) || off > len || len - off < sizeof(*cap))
			return;
		room = len - off;
		cap = (const void *)((const u8 *)info + off);
		if (cap->id == VFIO_REGION_INFO_CAP_SPARSE_MMAP)
			take_sparse(region, (const void *)cap, room);
		off = cap->next;
	}
}

int cdev__region(int fd, u32 index, struct vfio_region *region)
{
	struct vfio_region_info first = {
		.argsz = sizeof(first),
		.index = index,
	};
	struct vfio_region_info *info;
	u32 len;
	int err;

	err = call(fd, VFIO_DEVICE_GET_REGION_INFO, &first);
	if (err)
		return err;
	*region = (struct vfio_region){
		.size = first.size,
		.off = first.offset,
		.read = first.flags & VFIO_REGION_INFO_FLAG_READ,
		.write = first.flags & VFIO_REGION_INFO_FLAG_WRITE,
		.mmap = first.flags & VFIO_REGION_INFO_FLAG_MMAP,
	};
	/* argsz came back larger: there are capabilities, and this is the room they need. */
	if (!(first.flags & VFIO_REGION_INFO_FLAG_CAPS) || first.argsz <= sizeof(first))
		return 0;
	len = first.argsz;
	if (len > REGION_INFO_MAX)
		return -E2BIG;
	info = calloc(1, len);
	if (!info)
		return -ENOMEM;
	info->argsz = len;
	info->index = index;
	err = call(fd, VFIO_DEVICE_GET_REGION_INFO, info);
	if (!err)
		take_caps(region, info, len);
	free(info);
	return err;
}

int cdev__irq_count(int fd, u32 index, u32 *count)
{
	struct vfio_irq_info arg = {
		.argsz = sizeof(arg),
		.index = index,
	};
	int err = call(fd, VFIO_DEVICE_GET_IRQ_INFO, &arg);

	if (!err)
		*count = arg.flags & VFIO_IRQ_INFO_EVENTFD ? arg.count : 0;
	return err;
}

int cdev__set_irqs(int fd, u32 index, const int *fds, u32 count)
{
	struct vfio_irq_set *arg;
	size_t len = sizeof(*arg) + count * sizeof(*fds);
	int ret;

	arg = calloc(1, len);
	if (!arg)
		return -ENOMEM;
	arg->argsz = len;
	arg->flags = VFIO_IRQ_SET_ACTION_TRIGGER |
		     (count ? VFIO_IRQ_SET_DATA_EVENTFD : VFIO_IRQ_SET_DATA_NONE);
	arg->index = index;
	arg->count = count;
	if (count)
		memcpy(arg->data, fds, count * sizeof(*fds));
	ret = sys_ioctl(fd, VFIO_DEVICE_SET_IRQS, arg);
	free(arg);
	return ret;
}

int cdev__reset(int fd)
{
	return call(fd, VFIO_DEVICE_RESET, NULL);
}
