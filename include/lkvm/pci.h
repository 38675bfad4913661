/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_PCI_H
#define LKVM_PCI_H

/*
 * The PCIe root complex: one segment, ECAM only (no CF8/CFC), functions as root-complex integrated
 * endpoints on bus 0.
 *
 * A device fills a struct pci_func, adds capabilities and BARs, and registers it.  The root keeps the
 * configuration space, decodes BARs (they move when the guest moves them) and owns MSI-X.  The
 * callbacks run with the loop lock held.
 */

#include "lkvm/dma.h"
#include "lkvm/irq.h"
#include "lkvm/util.h"

struct bus;
struct pci_func;
struct pci_msix;
struct pci_root;
struct vm;

#define PCI_CFG_SIZE	 4096
#define PCI_BARS	 6
#define PCI_BAR_UNMAPPED (~0ULL)

struct pci_func_ops {
	/*
	 * An access inside BAR @bar, outside the MSI-X table and PBA: as bus_region.access.
	 */
	void (*bar_access)(struct pci_func *f, int bar, u64 off, u8 *data, u32 len, bool write);
	/*
	 * BAR @bar is now decoded at @gpa (an I/O BAR: at that port), or not at all
	 * (PCI_BAR_UNMAPPED); called on each change, for ioeventfds and memory slots.  May be NULL.
	 */
	void (*bar_moved)(struct pci_func *f, int bar, u64 gpa);
	/*
	 * Configuration reads the device answers itself: fill @val and return true; false leaves it
	 * to f->cfg.  @off + @len stays inside one dword.  May be NULL.
	 */
	bool (*cfg_read)(struct pci_func *f, u32 off, u32 len, u32 *val);
	/*
	 * After f->cfg changed by a guest's write (masks applied, BARs and MSI-X followed).  @val is
	 * what the guest wrote.  May be NULL.
	 */
	void (*cfg_written)(struct pci_func *f, u32 off, u32 len, u32 val);
	/*
	 * FLR, or machine reset: back to the state after registration.  The root has already put
	 * configuration space, BAR decoding and MSI-X back.
	 */
	void (*reset)(struct pci_func *f);
};

struct pci_bar {
	u64 size;  /* 0: absent; a power of two, >= 4 KiB (I/O: 4 to 256) */
	bool io;   /* ports */
	bool is64; /* the next BAR is its upper half */
	u64 gpa;   /* where it is decoded, or PCI_BAR_UNMAPPED; the root's */
};

struct pci_func {
	const char *name; /* for messages, e.g. "virtio-blk.0" */
	const struct pci_func_ops *ops;
	void *priv;
	/* Set by pci__add(): */
	u16 bdf;	   /* also the requester id */
	struct dma_as dma; /* its one way to memory */
	struct vm *vm;
	/* Configuration space, the bits a guest can write, those it clears by writing 1, and what
	 * cfg goes back to on reset. */
	u8 cfg[PCI_CFG_SIZE];
	u8 wmask[PCI_CFG_SIZE];
	u8 w1c[PCI_CFG_SIZE];
	u8 initial[PCI_CFG_SIZE];
	struct pci_bar bar[PCI_BARS];
	struct pci_msix *msix;
	/* The root's own: */
	u32 cap_last, ext_cap_last, cap_free, ext_cap_free;
	u32 pcie_cap;
	void *root_priv;
};

struct pci_root *pci__new(struct vm *vm);
void pci__free(struct pci_root *root);

/* Functions registered from now on translate through @ops.  Once, before the first of them. */
void pci__set_iommu(struct pci_root *root, const struct dma_ops *ops, void *iommu);

/*
 * Start a type-0 header: ids, class, and the PCIe capability of a root-complex integrated endpoint
 * with FLR.  @class_code is 24 bits (class, subclass, prog-if); @revision 8.
 */
void pci__init_func(struct pci_func *f, u16 vendor, u16 device, u32 class_code, u8 revision);
void pci__set_subsystem(struct pci_func *f, u16 vendor, u16 device);

/*
 * Append a capability of @len bytes including its 2 byte header (which the root writes; @body starts
 * behind it and is @len - 2 bytes).  Returns its offset, or -ENOSPC.
 */
int pci__add_cap(struct pci_func *f, u8 id, const void *body, u32 len);
/* Extended: @len includes the 4 byte header, @body is @len - 4 bytes. */
int pci__add_ext_cap(struct pci_func *f, u16 id, u8 version, const void *body, u32 len);

/*
 * Give BAR @bar @size bytes, or ports.  @flags are its low bits: PCI_BASE_ADDRESS_SPACE_IO, or
 * PCI_BASE_ADDRESS_MEM_TYPE_64 (the next BAR is its upper half) and _MEM_PREFETCH.  -EINVAL if that
 * is no valid BAR.
 */
int pci__add_bar(struct pci_func *f, int bar, u64 size, u32 flags);

/*
 * @nvec (1..2048) MSI-X vectors, table at @table in BAR @bar, PBA at @pba of the same BAR; adds the
 * capability.  After pci__add_bar(), before pci__add().
 */
int pci__add_msix(struct pci_func *f, int bar, unsigned int nvec, u32 table, u32 pba);
/* For a function whose capability is already in f->cfg (an assigned device). */
int pci__adopt_msix(struct pci_func *f, u32 cap_off);
/* Raise vector @vec if MSI-X is enabled; masked vectors become pending.  From any thread. */
void pci__msix_fire(struct pci_func *f, unsigned int vec);
/* The eventfd of @vec (valid after pci__add), or -EINVAL. */
int pci__msix_fd(const struct pci_func *f, unsigned int vec);
bool pci__msix_enabled(const struct pci_func *f);
/*
 * Called after the guest changed MSI-X enable or function mask; for devices (VFIO) that must arm
 * their own side.  Set before pci__add(); may stay NULL.
 */
void pci__msix_on_change(struct pci_func *f, void (*fn)(struct pci_func *f));

/*
 * Register: takes the next free slot on bus 0 (or @devfn if >= 0), assigns BARs, sets f->bdf and
 * f->dma.  0, -ENOSPC or -EEXIST.  @f must stay until pci__del().
 */
int pci__add(struct pci_root *root, struct pci_func *f, int devfn);
/* Deregister and free what the root keeps; also for a function that was never (quite) registered. */
void pci__del(struct pci_func *f);

/* Bus mastering is on: DMA and interrupts of the function are allowed. */
bool pci__bus_master(const struct pci_func *f);
void pci__reset_all(struct pci_root *root);

/* The windows, for ACPI. */
struct pci_windows {
	u64 io, io_size;
	u64 mmio32, mmio32_size;
	u64 mmio64, mmio64_size;
};
const struct pci_windows *pci__windows(const struct pci_root *root);
/* Calls @fn for each function in devfn order. */
void pci__for_each(struct pci_root *root, void (*fn)(struct pci_func *f, void *arg), void *arg);

#endif
