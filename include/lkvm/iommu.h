/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_IOMMU_H
#define LKVM_IOMMU_H

/*
 * The vIOMMU as the rest of the machine sees it: a VT-d unit (VT-d spec, Rev 5.10), and the ops by
 * which it drives the host's IOMMU for assigned devices.  Loop lock held for everything here.
 */

#include "lkvm/util.h"

struct vm;
struct vtd;

/* --- The host side: implemented by vfio/, called by iommu/bind.c --- */

/* No host page table. iommufd never gives an object this id. */
#define HOST_HWPT_NONE 0u
/* The device's requests without PASID. */
#define HOST_RID 0xffffffffu

/* A nested page table: the guest's first stage over the device's parent. */
struct host_s1 {
	u64 pgtbl; /* guest-physical address of the top table, 4 KiB aligned */
	u8 width;  /* 48 or 57 */
	bool sre, eafe, wpe;
};

/* First-stage cache invalidation; npages of all ones with addr 0: everything. */
struct host_inv {
	u64 addr; /* 4 KiB aligned */
	u64 npages;
	bool leaf; /* leaf entries only */
};

/* The host IOMMU behind one device; what IOMMU_GET_HW_INFO says. */
struct host_iommu_info {
	bool vtd;	   /* the host's IOMMU is a VT-d: cap and ecap are valid */
	u64 cap, ecap;	   /* its CAP_REG and ECAP_REG */
	u32 errata;	   /* IOMMU_HW_INFO_VTD_* flags */
	u8 max_pasid_log2; /* 0: no PASID */
};

struct host_iommu_ops {
	/*
	 * All return 0 or a negative errno, having printed nothing: the caller decides what the guest
	 * and the user are told.  @pasid is HOST_RID or a PASID.
	 */
	/* A nested HWPT over the device's parent; *@hwpt is never HOST_HWPT_NONE.  The host checks
	 * little of @s1 here and the rest at attach. */
	int (*alloc)(void *dev, const struct host_s1 *s1, u32 *hwpt);
	/* Destroy; -EBUSY while something is attached to it. */
	int (*free)(void *dev, u32 hwpt);
	/* Attach, replacing what was attached.  On failure the old attachment stays. */
	int (*attach)(void *dev, u32 pasid, u32 hwpt);
	/* Detach: DMA is blocked.  Detaching what is not attached is 0. */
	int (*detach)(void *dev, u32 pasid);
	/* Invalidate @n ranges in order; *@n becomes how many were done, also on failure. */
	int (*invalidate)(void *dev, u32 hwpt, const struct host_inv *inv, u32 *n);
};

struct host_device {
	const struct host_iommu_ops *ops;
	void *dev;	  /* for the ops */
	const char *name; /* for messages: the host's PCI address */
	u32 parent;	  /* the NEST_PARENT HWPT; attached when handed over */
	struct host_iommu_info info;
};

/*
 * Put an assigned device with guest requester id @bdf behind the vIOMMU.  Checks that the host can
 * back what the guest is (going to be) told: -EOPNOTSUPP with one printed line that names the missing
 * capability.  Before the guest runs.  The struct is copied.
 */
int vtd__add_device(struct vtd *vtd, u16 bdf, const struct host_device *host);

/*
 * Can a host with @info back `--viommu=vtd-nested`?  NULL: yes; else the name of the first missing
 * capability ("NEST", "first-stage translation", ...), a constant string.
 */
const char *vtd__host_lacks(const struct host_iommu_info *info);

/* The mode is vtd-nested: assigned devices are nested rather than identity mapped. */
bool vtd__nested(const struct vtd *vtd);

/* --viommu was given as vtd-nested (usable in validate(), before the vtd exists). */
bool vtd__want_nested(void);
bool vtd__wanted(void);

#endif
