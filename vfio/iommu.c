/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * The address spaces of assigned devices.
 *
 *   without a vIOMMU:  device -> IOAS (all of RAM, IOVA = GPA)
 *   vtd-nested:        device -> parent HWPT over that IOAS; once the guest translates, nested
 *                      HWPTs over the parent, as iommu/bind.c decides
 */

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/resource.h>

#include "lkvm/mem.h"
#include "lkvm/vm.h"
#include "vfio/device.h"
#include "vfio/iommufd.h"
#include "vfio/sys.h"
#include "vfio/uapi.h"

/* --- the VM's --- */

/* Pinning happens when the first page table appears, so any of several calls can run into this. */
static void say_no_memory(const struct vfio_iommu *iommu, const char *who, const char *what)
{
	struct rlimit lim;

	if (geteuid() != 0 && !getrlimit(RLIMIT_MEMLOCK, &lim) && lim.rlim_cur != RLIM_INFINITY)
		pr_err("%s: %s: %llu MiB of guest RAM, with what this user's other processes have "
		       "pinned, exceed the limit of locked memory (%llu MiB); run as root or raise "
		       "it (ulimit -l unlimited)",
		       who, what, iommu->mapped / MiB, (u64)lim.rlim_cur / MiB);
	else
		pr_err("%s: %s: the host is out of memory for pinning %llu MiB of guest RAM", who,
		       what, iommu->mapped / MiB);
}

static int map_ram(struct vfio_iommu *iommu, struct vm *vm)
{
	const struct mem_region *ram;
	unsigned int i, n;
	int err;

	ram = mem__regions(vm->mem, &n);
	for (i = 0; i < n; i++)
		iommu->mapped += ram[i].size;
	for (i = 0; i < n; i++) {
		err =
		    iommufd__ioas_map(iommu->fd, iommu->ioas, ram[i].gpa, ram[i].size, ram[i].hva);
		if (err == -ENOMEM)
			say_no_memory(iommu, "vfio", "cannot map guest RAM");
		else if (err)
			pr_err("vfio: cannot map guest RAM at %#llx for DMA: %s", ram[i].gpa,
			       strerror(-err));
		if (err)
			return err;
	}
	return 0;
}

/* So that KVM learns which devices there are: it decides about cache attributes by that. */
static int kvm_vfio(struct vm *vm)
{
	struct kvm_create_device arg = {
		.type = KVM_DEV_TYPE_VFIO,
		.fd = -1,
	};
	int err = sys_ioctl(vm->vm_fd, KVM_CREATE_DEVICE, &arg);

	return err < 0 ? -1 : (int)arg.fd;
}

int vfio_iommu__init(struct vfio_iommu *iommu, struct vm *vm)
{
	int err;

	iommu->nested = vtd__want_nested();
	iommu->fd = iommufd__open();
	if (iommu->fd < 0) {
		err = iommu->fd;
		iommu->fd = -1;
		pr_err("vfio: %s: %s", iommufd__path, strerror(-err));
		return err;
	}
	err = iommufd__ioas_alloc(iommu->fd, &iommu->ioas);
	if (err) {
		pr_err("vfio: %s gives no address space: %s", iommufd__path, strerror(-err));
	} else {
		raise_limit(RLIMIT_MEMLOCK);
		err = map_ram(iommu, vm);
	}
	if (err) {
		vfio_iommu__free(iommu);
		return err;
	}
	iommu->kvm = kvm_vfio(vm);
	return 0;
}

void vfio_iommu__free(struct vfio_iommu *iommu)
{
	if (iommu->kvm >= 0)
		close(iommu->kvm);
	if (iommu->fd >= 0)
		close(iommu->fd);
	*iommu = (struct vfio_iommu){ .fd = -1, .kvm = -1 };
}

/* --- a device's --- */

static const char *bind_remedy(int err)
{
	switch (err) {
	case -EBUSY:
		return "; its IOMMU group is in use through /dev/vfio/GROUP: end what uses it";
	case -EINVAL:
		return "; it is in use by another process, or its firmware reserves memory for it: "
		       "see the host's kernel log";
	/* iommu_device_claim_dma_owner(), and iommufd_device_bind() */
	case -EPERM:
		return "; another device of its IOMMU group is in use, by a host driver (bind all "
		       "that its iommu_group/devices in /sys lists to vfio-pci) or another "
		       "process, or the host has no interrupt remapping";
	case -ENODEV:
		return "; the host has no IOMMU for it: switch VT-d on in the firmware and boot "
		       "with intel_iommu=on";
	default:
		return "";
	}
}

int vfio_iommu__bind(struct vfio_dev *d)
{
	struct vfio_iommu *iommu = d->iommu;
	struct kvm_device_attr attr = {
		.group = KVM_VFIO_FILE,
		.attr = KVM_VFIO_FILE_ADD,
		.addr = (uintptr_t)&d->fd,
	};
	int err;

	/* VFIO asks for the VM at the moment of binding. */
	if (iommu->kvm >= 0 && sys_ioctl(iommu->kvm, KVM_SET_DEVICE_ATTR, &attr) < 0)
		pr_info("%s: KVM does not take notice of it; DMA that bypasses caches may not work",
			d->name);
	err = cdev__bind(d->fd, iommu->fd, &d->devid);
	if (err)
		pr_err("%s: the host does not hand it over: %s%s", d->name, strerror(-err),
		       bind_remedy(err));
	return err;
}

void vfio_iommu__say_lacks(const char *addr, const char *lacks)
{
	pr_err("vfio %s: the host lacks %s, which --viommu=vtd-nested needs; run without --viommu, "
	       "or on a host whose VT-d offers it",
	       addr, lacks);
}

static int alloc_parent(struct vfio_dev *d)
{
	const struct vfio_iommu *iommu = d->iommu;
	int err;

	d->pasid = d->info.max_pasid_log2;
	err = iommufd__hwpt_parent(iommu->fd, d->devid, iommu->ioas, d->pasid, &d->parent);
	if (d->pasid && (err == -EOPNOTSUPP || err == -EINVAL)) {
		/* A kernel that nests but knows no PASIDs (before 6.13). */
		d->pasid = false;
		d->info.max_pasid_log2 = 0;
		err = iommufd__hwpt_parent(iommu->fd, d->devid, iommu->ioas, false, &d->parent);
	}
	if (err == -ENOMEM)
		say_no_memory(iommu, d->name, "no parent page table");
	else if (err == -EOPNOTSUPP)
		pr_err("%s: the host's kernel makes no parent page table for nesting; boot it with "
		       "intel_iommu=on,sm_on, or run without --viommu",
		       d->name);
	else if (err)
		pr_err("%s: no parent page table from the host: %s", d->name, strerror(-err));
	return err;
}

static int check_host(struct vfio_dev *d)
{
	const char *lacks;
	int err;

	err = iommufd__hw_info(d->iommu->fd, d->devid, &d->info);
	if (err) {
		pr_err("%s: the host does not say what its IOMMU can do: %s", d->name,
		       strerror(-err));
		return err;
	}
	lacks = vtd__host_lacks(&d->info);
	if (!lacks)
		return 0;
	vfio_iommu__say_lacks(d->addr, lacks);
	return -EOPNOTSUPP;
}

int vfio_iommu__attach(struct vfio_dev *d)
{
	u32 pt = d->iommu->ioas;
	int err;

	if (d->iommu->nested) {
		err = check_host(d);
		if (!err)
			err = alloc_parent(d);
		if (err)
			return err;
		pt = d->parent;
	}
	err = cdev__attach(d->fd, HOST_RID, pt);
	if (err == -ENOMEM)
		say_no_memory(d->iommu, d->name, "cannot attach it to guest RAM");
	else if (err == -EADDRINUSE)
		pr_err("%s: guest RAM overlaps an address range its IOMMU reserves "
		       "(iommu_group/reserved_regions in /sys); use less --mem",
		       d->name);
	else if (err == -EINVAL && d->iommu->nested)
		pr_err("%s: cannot attach it to a page table of its own: %s; give only one device "
		       "of an IOMMU group, or run without --viommu",
		       d->name, strerror(-err));
	else if (err)
		pr_err("%s: cannot attach it to guest RAM: %s", d->name, strerror(-err));
	return err;
}

/* --- the vIOMMU's view: host_iommu_ops --- */

static int host_alloc(void *dev, const struct host_s1 *s1, u32 *hwpt)
{
	struct vfio_dev *d = dev;

	return iommufd__hwpt_s1(d->iommu->fd, d->devid, d->parent, s1, d->pasid, hwpt);
}

/*
 * The vIOMMU is torn down after its devices: what is closed by then has nothing attached and holds
 * no page tables.
 */
static int host_free(void *dev, u32 hwpt)
{
	struct vfio_dev *d = dev;

	return d->iommu->fd < 0 ? 0 : iommufd__destroy(d->iommu->fd, hwpt);
}

static int host_attach(void *dev, u32 pasid, u32 hwpt)
{
	struct vfio_dev *d = dev;

	return cdev__attach(d->fd, pasid, hwpt);
}

static int host_detach(void *dev, u32 pasid)
{
	struct vfio_dev *d = dev;

	return d->fd < 0 ? 0 : cdev__detach(d->fd, pasid);
}

static int host_invalidate(void *dev, u32 hwpt, const struct host_inv *inv, u32 *n)
{
	struct vfio_dev *d = dev;

	return iommufd__invalidate(d->iommu->fd, hwpt, inv, n);
}

static const struct host_iommu_ops host_ops = {
	.alloc = host_alloc,
	.free = host_free,
	.attach = host_attach,
	.detach = host_detach,
	.invalidate = host_invalidate,
};

int vfio_iommu__publish(struct vfio_dev *d)
{
	struct host_device host = {
		.ops = &host_ops,
		.dev = d,
		.name = d->addr,
		.parent = d->parent,
		.info = d->info,
	};

	if (!d->iommu->nested)
		return 0;
	return vtd__add_device(d->vm->vtd, d->pci.bdf, &host);
}
