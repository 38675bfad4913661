/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef GUEST_PCI_H
#define GUEST_PCI_H

/* PCI functions of bus 0 through ECAM, and the test device. */

#include "guest.h"

#define PCI_COMMAND	0x04
#define PCI_COMMAND_MEM BIT(1)
#define PCI_COMMAND_BM	BIT(2)
#define PCI_BAR0	0x10
#define PCI_CAP_PTR	0x34
#define CAP_MSIX	0x11
#define CAP_EXP		0x10
#define CAP_VENDOR	0x09

/* The address of @devfn's configuration space. */
#define PCI_CFG(devfn) (ECAM_BASE + ((u64)(devfn) << 12))

/* The @nth function with these ids; -1: none. */
int pci_find(u16 vendor, u16 device, unsigned int nth);
/* The capability @id behind @after (0: the first) or 0. */
u32 pci_cap(int devfn, u8 id, u32 after);
/* Where BAR @bar is, and its size as sizing finds it. */
u64 pci_bar(int devfn, int bar);
u64 pci_bar_size(int devfn, int bar);
void pci_set_bar(int devfn, int bar, u64 addr);
/* Memory decoding and bus mastering on. */
void pci_enable(int devfn);
/* Program entry @vec of the table (at @table), and enable MSI-X. */
void pci_msix(int devfn, u64 table, unsigned int vec, u64 addr, u32 data, bool mask);
void pci_msix_enable(int devfn, bool enable, bool mask_all);

/* The test device (docs/testdev.md). */
struct edu {
	int devfn;
	u64 regs, msix;
};

#define EDU_VENDOR 0x1234
#define EDU_DEVICE 0x11e8

#define EDU_ID		0x00
#define EDU_LIVE	0x04
#define EDU_FACTORIAL	0x08
#define EDU_STATUS	0x20
#define EDU_IRQ_STATUS	0x24
#define EDU_IRQ_RAISE	0x60
#define EDU_IRQ_ACK	0x64
#define EDU_DMA_SRC	0x80
#define EDU_DMA_DST	0x88
#define EDU_DMA_COUNT	0x90
#define EDU_DMA_CMD	0x98
#define EDU_X_ID	0x100
#define EDU_X_TAG	0x104
#define EDU_X_RESULT	0x108
#define EDU_X_VECTOR	0x10c
#define EDU_BUF		0x40000UL

#define EDU_START  1
#define EDU_TO_RAM 2
#define EDU_IRQ	   4
#define EDU_PASID(n) (BIT(31) | (n))
#define EDU_PRIV   BIT(30)
#define EDU_EXEC   BIT(29)

enum { EDU_NONE, EDU_DONE, EDU_REFUSED, EDU_BAD_RANGE, EDU_NO_MASTER };

/* The @nth test device, enabled; false if there is none. */
bool edu_init(struct edu *e, unsigned int nth);
/* DMA of @len bytes between the buffer's start and @addr; returns the result. */
u32 edu_dma(struct edu *e, u64 addr, u32 len, bool to_ram);
/* Write a dword to memory by DMA; the result. */
u32 edu_put(struct edu *e, u64 addr, u32 val);
/* Read a dword by DMA; ones if it was refused. */
u32 edu_get(struct edu *e, u64 addr);
void edu_tag(struct edu *e, u32 tag);

#endif
