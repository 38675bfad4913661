/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef GUEST_PCI_H
#define GUEST_PCI_H

/* PCI functions of bus 0 through ECAM, and the test device. */

#include "guest.h"

#define PCI_COMMAND	0x04
#define PCI_COMMAND_IO	BIT(0)
#define PCI_COMMAND_MEM BIT(1)
#define PCI_COMMAND_BM	BIT(2)
#define PCI_BAR0	0x10
#define PCI_CAP_PTR	0x34
#define CAP_MSIX	0x11
#define CAP_EXP		0x10
#define CAP_VENDOR	0x09
#define EXT_CAP_PASID	0x1b
#define EXT_CAP_ATS	0x0f
#define EXT_CAP_PRI	0x13

/* The address of @devfn's configuration space. */
#define PCI_CFG(devfn) (ECAM_BASE + ((u64)(devfn) << 12))

/* The @nth function with these ids; -1: none. */
int pci_find(u16 vendor, u16 device, unsigned int nth);
/* The capability @id behind @after (0: the first) or 0. */
u32 pci_cap(int devfn, u8 id, u32 after);
/* The extended capability @id or 0. */
u32 pci_ext_cap(int devfn, u16 id);
/* Function-level reset; memory decoding and bus mastering come on again. */
void pci_flr(int devfn);
/* Where BAR @bar is, and its size as sizing finds it. */
u64 pci_bar(int devfn, int bar);
u64 pci_bar_size(int devfn, int bar);
void pci_set_bar(int devfn, int bar, u64 addr);
/* I/O decoding (where there is an I/O BAR), memory decoding and bus mastering on. */
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
#define EDU_X_MODE	0x110
#define EDU_TLB_COUNT	0x114
#define EDU_TLB_PROBE	0x118
#define EDU_TLB_FOUND	0x120
#define EDU_TLB_ADDR	0x128
#define EDU_TLB_REQUESTS 0x130
#define EDU_TLB_INVS	0x134
#define EDU_TLB_DROPPED 0x138
#define EDU_TLB_FLUSH	0x13c
#define EDU_PRI_ADDR	0x140
#define EDU_PRI_SEND	0x148
#define EDU_PRI_WAITING 0x14c
#define EDU_PRI_SENT	0x150
#define EDU_PRI_RESPONSES 0x154
#define EDU_PRI_LAST	0x158
#define EDU_PRI_LAST_PASID 0x15c
#define EDU_BUF		0x40000UL

#define EDU_START  1
#define EDU_TO_RAM 2
#define EDU_IRQ	   4
#define EDU_PASID(n) (BIT(31) | (n))
#define EDU_PRIV   BIT(30)
#define EDU_EXEC   BIT(29)

#define EDU_ATS	   1
#define EDU_PRI	   2
#define EDU_FORGED 4

/* EDU_TLB_FOUND: its page size as a shift, and what it permits. */
#define EDU_HIT	   BIT(31)
#define EDU_HIT_SHIFT(v) ((v) >> 8 & 0x3f)
#define EDU_HIT_R  BIT(0)
#define EDU_HIT_W  BIT(1)
#define EDU_HIT_U  BIT(4)

/* EDU_PRI_SEND, besides the group index. */
#define EDU_PR_LAST BIT(16)
#define EDU_PR_R    BIT(17)
#define EDU_PR_W    BIT(18)

enum {
	EDU_NONE,
	EDU_DONE,
	EDU_REFUSED,
	EDU_BAD_RANGE,
	EDU_NO_MASTER,
	EDU_PENDING,
	EDU_NO_ACCESS,
	EDU_INVALID,
	EDU_FAILED,
	EDU_NO_SUCCESS,
};

/* The @nth test device, enabled; false if there is none. */
bool edu_init(struct edu *e, unsigned int nth);
/* DMA of @len bytes between the buffer's start and @addr; returns the result. */
u32 edu_dma(struct edu *e, u64 addr, u32 len, bool to_ram);
/* Write a dword to memory by DMA; the result. */
u32 edu_put(struct edu *e, u64 addr, u32 val);
/* A dword put to @iova arrives in the page at @page. */
bool edu_reaches(struct edu *e, u64 iova, u64 page);
/* Read a dword by DMA; ones if it was refused. */
u32 edu_get(struct edu *e, u64 addr);
void edu_tag(struct edu *e, u32 tag);
void edu_mode(struct edu *e, u32 mode);
u32 edu_reg(struct edu *e, u32 reg);
/* Capabilities on or off; page requests with an allocation, 0: off. */
void edu_enable_ats(struct edu *e, bool on);
void edu_enable_pri(struct edu *e, u32 allocation);
u16 edu_pri_status(struct edu *e);
/* What the device-TLB has of @addr with the tag (EDU_TLB_FOUND), and where it leads. */
u32 edu_probe(struct edu *e, u64 addr, u64 *to);
/* Send a page request with the tag; @bits: group and EDU_PR_*.  True if it was sent. */
bool edu_page_request(struct edu *e, u64 addr, u32 bits);

#endif
