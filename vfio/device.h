/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VFIO_DEVICE_H
#define VFIO_DEVICE_H

/*
 * An assigned PCI function, and how the room is divided:
 *
 *   vfio.c     --vfio: the devices of this VM, from the command line to teardown
 *   sysfs.c    PCI address to character device
 *   cdev.c     VFIO's ioctls
 *   iommufd.c  iommufd's ioctls
 *   iommu.c    address spaces: the IOAS that is the guest's RAM, the nesting parents
 *   device.c   one device from opening to closing
 *   config.c   its configuration space
 *   bar.c      its BARs
 *   irq.c      its interrupts
 *
 * Loop lock held everywhere, once the guest runs.
 */

#include "lkvm/iommu.h"
#include "lkvm/pci.h"
#include "lkvm/util.h"
#include "vfio/cdev.h"
#include "vfio/sysfs.h"

struct loop_fd;
struct vm;

/* One per VM: the IOAS has all of RAM mapped, IOVA = guest-physical address. */
struct vfio_iommu {
	int fd;	 /* iommufd; -1: closed */
	int kvm; /* KVM's VFIO device; -1: none */
	u32 ioas;
	u64 mapped; /* bytes, for messages */
	bool nested;
};

/* A piece of a BAR that the guest reaches without an exit. */
struct vfio_map {
	u64 off, size;
	void *hva;
	int slot; /* mem__map_device()'s handle; < 0: not in the guest now */
};

/* Sparse areas, cut by the MSI-X table and by the PBA. */
#define VFIO_MAPS_MAX (VFIO_SPARSE_MAX + 2)

struct vfio_bar {
	struct vfio_region region;
	unsigned int nmaps;
	struct vfio_map map[VFIO_MAPS_MAX];
};

/* The interrupts by which VFIO tells us about the device itself. */
struct vfio_notice {
	struct vfio_dev *dev;
	u32 index;
	int fd;
	struct loop_fd *lfd;
};

struct vfio_dev {
	struct pci_func pci;
	char addr[VFIO_ADDR_LEN];
	char name[VFIO_ADDR_LEN + 5]; /* "vfio ADDR" */
	struct vm *vm;
	int fd; /* the cdev; -1: closed */
	u32 devid;
	bool can_reset;
	/* config.c */
	struct vfio_region config;
	u32 exp_cap, msix_cap; /* offsets, 0: none */
	u16 devctl;	       /* Device Control as the host left it */
	u8 from_dev[256];      /* bits that are read from the device */
	bool to_dev[256];      /* bytes that a guest's writes reach as they are */
	/* bar.c */
	struct vfio_bar bar[PCI_BARS];
	/* irq.c */
	u32 nvec, armed; /* vectors the guest sees; bound to eventfds now */
	struct vfio_notice notice[2];
	/* iommu.c */
	struct vfio_iommu *iommu;
	struct host_iommu_info info;
	bool pasid; /* the parent takes PASIDs */
	u32 parent; /* HOST_HWPT_NONE unless nested */
};

/* --- device.c --- */
/* 0, or a negative errno with a printed line and nothing left behind. */
int vfio_dev__open(struct vfio_dev *d, struct vm *vm, struct vfio_iommu *iommu, const char *addr);
void vfio_dev__close(struct vfio_dev *d);

/* --- config.c --- */
/* Read the host's configuration space and make the guest's of it.  Prints on failure. */
int vfio_config__init(struct vfio_dev *d);
/* Bring what goes through to the device in line with the guest's copy. */
void vfio_config__sync(struct vfio_dev *d);
/* The same for INTx, which the host's kernel switches on in the device whenever it frees MSI-X vectors. */
void vfio_config__intx_off(struct vfio_dev *d);
bool vfio_config__read(struct pci_func *f, u32 off, u32 len, u32 *val);
void vfio_config__written(struct pci_func *f, u32 off, u32 len, u32 val);

/* --- bar.c --- */
/* Declare the BARs and map what can be mapped; needs config.c done.  Prints on failure. */
int vfio_bar__init(struct vfio_dev *d);
void vfio_bar__free(struct vfio_dev *d);
void vfio_bar__access(struct pci_func *f, int bar, u64 off, u8 *data, u32 len, bool write);
void vfio_bar__moved(struct pci_func *f, int bar, u64 gpa);

/* --- irq.c --- */
/* Take over MSI-X; after the BARs, before pci__add().  Prints on failure. */
int vfio_irq__init(struct vfio_dev *d);
/* Watch for errors and for the host wanting the device back; after pci__add(). */
void vfio_irq__watch(struct vfio_dev *d);
void vfio_irq__disarm(struct vfio_dev *d);
void vfio_irq__free(struct vfio_dev *d);

/* --- iommu.c --- */
/* Open iommufd and map all of RAM; iommu->fd and ->kvm are -1 before.  Prints on failure. */
int vfio_iommu__init(struct vfio_iommu *iommu, struct vm *vm);
void vfio_iommu__free(struct vfio_iommu *iommu);
/* Take the device (open) from the host.  Prints on failure. */
int vfio_iommu__bind(struct vfio_dev *d);
/* Give @d (bound) its address space.  Prints on failure. */
int vfio_iommu__attach(struct vfio_dev *d);
/* Hand @d (registered) to the vIOMMU, if there is one.  Prints on failure. */
int vfio_iommu__publish(struct vfio_dev *d);
/* What a person reads when the host's IOMMU cannot nest; @lacks from vtd__host_lacks(). */
void vfio_iommu__say_lacks(const char *addr, const char *lacks);

#endif
