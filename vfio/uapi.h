/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VFIO_UAPI_H
#define VFIO_UAPI_H

/*
 * The kernel interfaces of iommufd and of VFIO's character devices, for systems whose headers are
 * older than their kernel.  Names are our own, so that newer headers do not collide; numbers and
 * layouts are the kernel's and the assertions hold them in place.
 *
 * iommufd takes structs that grow: it reads `size` bytes, and refuses unknown bytes only if they
 * are not zero.  So the newest layout works with every kernel that has the call.
 */

#include <linux/ioctl.h>

#include "lkvm/util.h"

#define UAPI_SIZE(type, size) _Static_assert(sizeof(struct type) == (size), #type)

/* --- iommufd: ioctls on /dev/iommu --- */

#define IOMMUFD_DESTROY		_IO(';', 0x80)
#define IOMMUFD_IOAS_ALLOC	_IO(';', 0x81)
#define IOMMUFD_IOAS_MAP	_IO(';', 0x85)
#define IOMMUFD_IOAS_UNMAP	_IO(';', 0x86)
#define IOMMUFD_HWPT_ALLOC	_IO(';', 0x89)
#define IOMMUFD_GET_HW_INFO	_IO(';', 0x8a)
#define IOMMUFD_HWPT_INVALIDATE _IO(';', 0x8d)

struct iommufd_destroy {
	u32 size;
	u32 id;
};
UAPI_SIZE(iommufd_destroy, 8);

struct iommufd_ioas_alloc {
	u32 size;
	u32 flags;
	u32 out_ioas_id;
};
UAPI_SIZE(iommufd_ioas_alloc, 12);

#define IOMMUFD_MAP_FIXED_IOVA BIT(0)
#define IOMMUFD_MAP_WRITE      BIT(1)
#define IOMMUFD_MAP_READ       BIT(2)

struct iommufd_ioas_map {
	u32 size;
	u32 flags;
	u32 ioas_id;
	u32 reserved;
	u64 user_va;
	u64 length;
	u64 iova;
};
UAPI_SIZE(iommufd_ioas_map, 40);

struct iommufd_ioas_unmap {
	u32 size;
	u32 ioas_id;
	u64 iova;
	u64 length; /* out: how much was unmapped */
};
UAPI_SIZE(iommufd_ioas_unmap, 24);

#define IOMMUFD_HWPT_NEST_PARENT BIT(0)
#define IOMMUFD_HWPT_PASID	 BIT(3)

#define IOMMUFD_HWPT_DATA_NONE	 0
#define IOMMUFD_HWPT_DATA_VTD_S1 1

struct iommufd_hwpt_alloc {
	u32 size;
	u32 flags;
	u32 dev_id;
	u32 pt_id; /* an IOAS, or the nesting parent */
	u32 out_hwpt_id;
	u32 reserved;
	u32 data_type;
	u32 data_len;
	u64 data_uptr;
	u32 fault_id;
	u32 reserved2;
};
UAPI_SIZE(iommufd_hwpt_alloc, 48);

#define IOMMUFD_VTD_S1_SRE  BIT(0)
#define IOMMUFD_VTD_S1_EAFE BIT(1)
#define IOMMUFD_VTD_S1_WPE  BIT(2)

struct iommufd_vtd_s1 {
	u64 flags;
	u64 pgtbl_addr;
	u32 addr_width;
	u32 reserved;
};
UAPI_SIZE(iommufd_vtd_s1, 24);

#define IOMMUFD_HW_INFO_VTD 1

struct iommufd_hw_info {
	u32 size;
	u32 flags;
	u32 dev_id;
	u32 data_len; /* in: room; out: what the kernel has */
	u64 data_uptr;
	u32 out_data_type;
	u8 out_max_pasid_log2;
	u8 reserved[3];
	u64 out_capabilities;
};
UAPI_SIZE(iommufd_hw_info, 40);

struct iommufd_hw_info_vtd {
	u32 flags;
	u32 reserved;
	u64 cap_reg;
	u64 ecap_reg;
};
UAPI_SIZE(iommufd_hw_info_vtd, 24);

#define IOMMUFD_INVALIDATE_VTD_S1 0
#define IOMMUFD_VTD_INV_LEAF	  BIT(0)

struct iommufd_invalidate {
	u32 size;
	u32 hwpt_id;
	u64 data_uptr;
	u32 data_type;
	u32 entry_len;
	u32 entry_num; /* out: how many were done */
	u32 reserved;
};
UAPI_SIZE(iommufd_invalidate, 32);

struct iommufd_vtd_inv {
	u64 addr;
	u64 npages;
	u32 flags;
	u32 reserved;
};
UAPI_SIZE(iommufd_vtd_inv, 24);

/* --- VFIO: what <linux/vfio.h> of Linux 6.1 lacks; ioctls on /dev/vfio/devices/vfioN --- */

#define VFIO_CDEV_BIND	 _IO(';', 118)
#define VFIO_CDEV_ATTACH _IO(';', 119)
#define VFIO_CDEV_DETACH _IO(';', 120)

/* The layout of 6.6; later kernels have a token behind it, which stays absent. */
struct vfio_cdev_bind {
	u32 argsz;
	u32 flags;
	int iommufd;
	u32 out_devid;
};
UAPI_SIZE(vfio_cdev_bind, 16);

#define VFIO_CDEV_PASID BIT(0)

struct vfio_cdev_attach {
	u32 argsz;
	u32 flags;
	u32 pt_id; /* IOAS or HWPT; out: the HWPT */
	u32 pasid;
};
UAPI_SIZE(vfio_cdev_attach, 16);

struct vfio_cdev_detach {
	u32 argsz;
	u32 flags;
	u32 pasid;
};
UAPI_SIZE(vfio_cdev_detach, 12);

/* KVM's VFIO device takes a cdev where it used to take a group, under the same number. */
#define KVM_VFIO_FILE	  1
#define KVM_VFIO_FILE_ADD 1

#endif
