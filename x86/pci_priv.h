/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef X86_PCI_PRIV_H
#define X86_PCI_PRIV_H

/* What the four files of the PCI root share: pci.c, pci_cfg.c, pci_bar.c, msix.c. */

#include <linux/pci_regs.h>
#include <string.h>

#include "lkvm/bus.h"
#include "lkvm/pci.h"
#include "lkvm/vm.h"

#define PCI_DEVFNS 256

/* A window from which BARs are handed out at registration; nothing is ever given back. */
struct pci_window {
	u64 next, end;
};

struct pci_root {
	struct vm *vm;
	struct pci_func *func[PCI_DEVFNS]; /* bus 0 is all there is */
	struct bus_region ecam;
	struct pci_windows win;
	struct pci_window io, low, high;
	const struct dma_ops *dma_ops;
	void *iommu;
	struct pci_func *host;
};

/* One BAR's place on the bus. */
struct pci_decode {
	struct pci_func *f;
	int bar;
	struct bus_region region;
};

/* pci_func.root_priv: what the root keeps of a registered function. */
struct pci_slot {
	struct pci_root *root;
	struct pci_decode decode[PCI_BARS];
};

static inline u16 pci_get16(const u8 *cfg, u32 off)
{
	u16 v;

	memcpy(&v, cfg + off, sizeof(v));
	return v;
}

static inline u32 pci_get32(const u8 *cfg, u32 off)
{
	u32 v;

	memcpy(&v, cfg + off, sizeof(v));
	return v;
}

static inline void pci_put16(u8 *cfg, u32 off, u16 v)
{
	memcpy(cfg + off, &v, sizeof(v));
}

static inline void pci_put32(u8 *cfg, u32 off, u32 v)
{
	memcpy(cfg + off, &v, sizeof(v));
}

/* Does the access [@off, @off + @len) touch a byte of [@reg, @reg + @size)? */
static inline bool pci_touches(u64 off, u64 len, u64 reg, u64 size)
{
	return off < reg + size && reg < off + len;
}

/* pci_cfg.c: a guest's access to f->cfg; it stays inside one dword. */
u32 pci_cfg__read(struct pci_func *f, u32 off, u32 len);
void pci_cfg__write(struct pci_func *f, u32 off, u32 len, u32 val);
/* The offset of the first capability @id, or 0. */
u32 pci_cfg__find_cap(const struct pci_func *f, u8 id);
/* Function-level reset, down to the device. */
void pci_cfg__reset(struct pci_func *f);

/* pci_bar.c: give every BAR of @f an address; prints and returns -ENOSPC if a window is full. */
int pci_bar__assign(struct pci_root *root, struct pci_func *f);
/* Prepare the decoders in f->root_priv. */
void pci_bar__init(struct pci_func *f);
/* f->cfg's command register or BARs changed: decode accordingly. */
void pci_bar__update(struct pci_root *root);
/* Stop decoding @f's BARs, whatever its configuration says. */
void pci_bar__unmap_all(struct pci_func *f);

/* msix.c: create the routes (f->bdf and f->vm set); free them; free everything. */
int msix__attach(struct pci_func *f);
void msix__detach(struct pci_func *f);
void msix__free(struct pci_func *f);
/* f->cfg's message control or bus master enable changed. */
void msix__update(struct pci_func *f);
/* All entries masked, nothing pending. */
void msix__reset(struct pci_func *f);
/* Is the access to @bar one to the table or the PBA?  Then it is done. */
bool msix__access(struct pci_func *f, int bar, u64 off, u8 *data, u32 len, bool write);

#endif
