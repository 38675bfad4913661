/* SPDX-License-Identifier: GPL-2.0-only */

/* iommufd's calls (vfio/uapi.h), each with what the tests vary as its arguments. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "nested.h"

static int iommufd = -1;

void iommufd__open(void)
{
	iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (iommufd < 0) {
		perror("/dev/iommu");
		exit(1);
	}
}

int iommufd__call(unsigned long nr, void *arg)
{
	return ioctl(iommufd, nr, arg) < 0 ? -errno : 0;
}

int iommufd__destroy(u32 id)
{
	struct iommufd_destroy cmd = { .size = sizeof(cmd), .id = id };

	return iommufd__call(IOMMUFD_DESTROY, &cmd);
}

int iommufd__ioas(void)
{
	struct iommufd_ioas_alloc cmd = { .size = sizeof(cmd) };
	int err = iommufd__call(IOMMUFD_IOAS_ALLOC, &cmd);

	return err ? err : (int)cmd.out_ioas_id;
}

int iommufd__map(u32 ioas, void *va, u64 len, u64 iova)
{
	struct iommufd_ioas_map cmd = {
		.size = sizeof(cmd),
		.flags = IOMMUFD_MAP_FIXED_IOVA | IOMMUFD_MAP_READ | IOMMUFD_MAP_WRITE,
		.ioas_id = ioas,
		.user_va = (uintptr_t)va,
		.length = len,
		.iova = iova,
	};

	return iommufd__call(IOMMUFD_IOAS_MAP, &cmd);
}

int iommufd__unmap(u32 ioas, u64 iova, u64 len)
{
	struct iommufd_ioas_unmap cmd = {
		.size = sizeof(cmd), .ioas_id = ioas, .iova = iova, .length = len
	};

	return iommufd__call(IOMMUFD_IOAS_UNMAP, &cmd);
}

int iommufd__bind(int cdev, u32 *dev)
{
	struct vfio_cdev_bind cmd = { .argsz = sizeof(cmd), .iommufd = iommufd };

	if (ioctl(cdev, VFIO_CDEV_BIND, &cmd) < 0)
		return -errno;
	*dev = cmd.out_devid;
	return 0;
}

int iommufd__hw_info(u32 dev, struct iommufd_hw_info *info, struct iommufd_hw_info_vtd *vtd)
{
	*vtd = (struct iommufd_hw_info_vtd){ 0 };
	*info = (struct iommufd_hw_info){
		.size = sizeof(*info),
		.dev_id = dev,
		.data_len = sizeof(*vtd),
		.data_uptr = (uintptr_t)vtd,
	};
	return iommufd__call(IOMMUFD_GET_HW_INFO, info);
}

int hwpt__paging(u32 dev, u32 ioas, u32 flags)
{
	struct iommufd_hwpt_alloc cmd = {
		.size = sizeof(cmd), .flags = flags, .dev_id = dev, .pt_id = ioas
	};
	int err = iommufd__call(IOMMUFD_HWPT_ALLOC, &cmd);

	return err ? err : (int)cmd.out_hwpt_id;
}

int hwpt__nested(u32 dev, u32 parent, u64 root, u32 width, u32 flags, u32 fault)
{
	struct iommufd_vtd_s1 s1 = { .flags = IOMMUFD_VTD_S1_WPE,
				     .pgtbl_addr = root,
				     .addr_width = width };
	struct iommufd_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = flags | (fault ? IOMMUFD_HWPT_FAULT_ID : 0),
		.dev_id = dev,
		.pt_id = parent,
		.data_type = IOMMUFD_HWPT_DATA_VTD_S1,
		.data_len = sizeof(s1),
		.data_uptr = (uintptr_t)&s1,
		.fault_id = fault,
	};
	int err = iommufd__call(IOMMUFD_HWPT_ALLOC, &cmd);

	return err ? err : (int)cmd.out_hwpt_id;
}

int hwpt__invalidate(u32 hwpt, u64 addr, u64 npages, u32 flags)
{
	struct iommufd_vtd_inv inv = { .addr = addr, .npages = npages, .flags = flags };
	struct iommufd_invalidate cmd = {
		.size = sizeof(cmd),
		.hwpt_id = hwpt,
		.data_uptr = (uintptr_t)&inv,
		.data_type = IOMMUFD_INVALIDATE_VTD_S1,
		.entry_len = sizeof(inv),
		.entry_num = 1,
	};
	int err = iommufd__call(IOMMUFD_HWPT_INVALIDATE, &cmd);

	return err ? err : cmd.entry_num == 1 ? 0 : -EIO;
}
