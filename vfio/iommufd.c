/* SPDX-License-Identifier: GPL-2.0-only */

/* iommufd: filling in structs and asking the kernel. */

#include <fcntl.h>
#include <string.h>

#include "vfio/iommufd.h"
#include "vfio/sys.h"
#include "vfio/uapi.h"

/* Invalidations given to the kernel by one ioctl. */
#define INV_BATCH 64u

const char *iommufd__path = "/dev/iommu";

static int call(int fd, unsigned long req, void *arg)
{
	int ret = sys_ioctl(fd, req, arg);

	return ret < 0 ? ret : 0;
}

int iommufd__open(void)
{
	int fd = open(iommufd__path, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int iommufd__destroy(int fd, u32 id)
{
	struct iommufd_destroy arg = {
		.size = sizeof(arg),
		.id = id,
	};

	return call(fd, IOMMUFD_DESTROY, &arg);
}

int iommufd__ioas_alloc(int fd, u32 *ioas)
{
	struct iommufd_ioas_alloc arg = {
		.size = sizeof(arg),
	};
	int err = call(fd, IOMMUFD_IOAS_ALLOC, &arg);

	if (!err)
		*ioas = arg.out_ioas_id;
	return err;
}

int iommufd__ioas_map(int fd, u32 ioas, u64 iova, u64 len, void *va)
{
	struct iommufd_ioas_map arg = {
		.size = sizeof(arg),
		/* Nesting parents refuse read-only mappings. */
		.flags = IOMMUFD_MAP_FIXED_IOVA | IOMMUFD_MAP_WRITE | IOMMUFD_MAP_READ,
		.ioas_id = ioas,
		.user_va = (uintptr_t)va,
		.length = len,
		.iova = iova,
	};

	return call(fd, IOMMUFD_IOAS_MAP, &arg);
}

int iommufd__ioas_unmap(int fd, u32 ioas, u64 iova, u64 len)
{
	struct iommufd_ioas_unmap arg = {
		.size = sizeof(arg),
		.ioas_id = ioas,
		.iova = iova,
		.length = len,
	};

	return call(fd, IOMMUFD_IOAS_UNMAP, &arg);
}

int iommufd__hw_info(int fd, u32 dev, struct host_iommu_info *info)
{
	struct iommufd_hw_info_vtd vtd = { 0 };
	struct iommufd_hw_info arg = {
		.size = sizeof(arg),
		.dev_id = dev,
		.data_len = sizeof(vtd),
		.data_uptr = (uintptr_t)&vtd,
	};
	int err = call(fd, IOMMUFD_GET_HW_INFO, &arg);

	if (err)
		return err;
	*info = (struct host_iommu_info){
		.vtd = arg.out_data_type == IOMMUFD_HW_INFO_VTD,
		.max_pasid_log2 = arg.out_max_pasid_log2,
	};
	/* Of another IOMMU the same bytes mean something else. */
	if (info->vtd) {
		info->cap = vtd.cap_reg;
		info->ecap = vtd.ecap_reg;
		info->errata = vtd.flags;
	}
	return 0;
}

static int hwpt_alloc(int fd, struct iommufd_hwpt_alloc *arg, u32 *hwpt)
{
	int err = call(fd, IOMMUFD_HWPT_ALLOC, arg);

	if (err)
		return err;
	/* The uAPI does not say so, but no iommufd object has id 0: it would read as "none". */
	if (arg->out_hwpt_id == HOST_HWPT_NONE)
		return -EPROTO;
	*hwpt = arg->out_hwpt_id;
	return 0;
}

int iommufd__hwpt_parent(int fd, u32 dev, u32 ioas, bool pasid, u32 *hwpt)
{
	struct iommufd_hwpt_alloc arg = {
		.size = sizeof(arg),
		.flags = IOMMUFD_HWPT_NEST_PARENT | (pasid ? IOMMUFD_HWPT_PASID : 0),
		.dev_id = dev,
		.pt_id = ioas,
		.data_type = IOMMUFD_HWPT_DATA_NONE,
	};

	return hwpt_alloc(fd, &arg, hwpt);
}

int iommufd__hwpt_s1(int fd, u32 dev, u32 parent, const struct host_s1 *s1, bool pasid, u32 *hwpt)
{
	struct iommufd_vtd_s1 data = {
		.flags = (s1->sre ? IOMMUFD_VTD_S1_SRE : 0) | (s1->eafe ? IOMMUFD_VTD_S1_EAFE : 0) |
			 (s1->wpe ? IOMMUFD_VTD_S1_WPE : 0),
		.pgtbl_addr = s1->pgtbl,
		.addr_width = s1->width,
	};
	struct iommufd_hwpt_alloc arg = {
		.size = sizeof(arg),
		.flags = pasid ? IOMMUFD_HWPT_PASID : 0,
		.dev_id = dev,
		.pt_id = parent,
		.data_type = IOMMUFD_HWPT_DATA_VTD_S1,
		.data_len = sizeof(data),
		.data_uptr = (uintptr_t)&data,
	};

	return hwpt_alloc(fd, &arg, hwpt);
}

/* One ioctl; *@n (<= INV_BATCH) becomes how many of @inv were done. */
static int invalidate_batch(int fd, u32 hwpt, const struct host_inv *inv, u32 *n)
{
	struct iommufd_vtd_inv entry[INV_BATCH];
	struct iommufd_invalidate arg = {
		.size = sizeof(arg),
		.hwpt_id = hwpt,
		.data_uptr = (uintptr_t)entry,
		.data_type = IOMMUFD_INVALIDATE_VTD_S1,
		.entry_len = sizeof(entry[0]),
		.entry_num = *n,
	};
	u32 i, asked = *n;
	int err;

	for (i = 0; i < asked; i++)
		entry[i] = (struct iommufd_vtd_inv){
			.addr = inv[i].addr,
			.npages = inv[i].npages,
			.flags = inv[i].leaf ? IOMMUFD_VTD_INV_LEAF : 0,
		};
	err = call(fd, IOMMUFD_HWPT_INVALIDATE, &arg);
	/*
	 * A call refused before the kernel looked at any entry leaves entry_num as it was: all of
	 * them done and an error cannot both be true.
	 */
	if (err && arg.entry_num >= asked)
		arg.entry_num = 0;
	*n = MIN(arg.entry_num, asked);
	if (!err && *n < asked)
		err = -EIO;
	return err;
}

int iommufd__invalidate(int fd, u32 hwpt, const struct host_inv *inv, u32 *n)
{
	u32 done = 0, batch, total = *n;
	int err = 0;

	while (done < total && !err) {
		batch = MIN(total - done, INV_BATCH);
		err = invalidate_batch(fd, hwpt, inv + done, &batch);
		done += batch;
	}
	*n = done;
	return err;
}
