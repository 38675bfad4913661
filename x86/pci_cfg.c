/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * Configuration space: the header and the capabilities as a device declares them, and what a
 * guest's reads and writes do to them (PCIe 7.5).
 */

#include <errno.h>

#include "x86/pci_priv.h"

#define CAP_FIRST     0x40u  /* behind the type 0 header */
#define CAP_LIMIT     0x100u /* what the 8 bit pointers reach */
#define EXT_CAP_FIRST 0x100u
#define EXP_LEN	      0x3cu /* the PCI Express capability, version 2 (PCIe 7.5.3) */

#define CMD_WRITABLE                                                                               \
	(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY | PCI_COMMAND_SERR |         \
	 PCI_COMMAND_INTX_DISABLE)
#define STATUS_W1C                                                                                 \
	(PCI_STATUS_PARITY | PCI_STATUS_SIG_TARGET_ABORT | PCI_STATUS_REC_TARGET_ABORT |           \
	 PCI_STATUS_REC_MASTER_ABORT | PCI_STATUS_SIG_SYSTEM_ERROR | PCI_STATUS_DETECTED_PARITY)

/*
 * PCIe 7.5.3: a root-complex integrated endpoint has no link, so the registers between Device
 * Status and Device Capabilities 2 stay zero.
 */
static void add_exp_cap(struct pci_func *f)
{
	u8 body[EXP_LEN - 2] = { 0 };
	int cap;

	cap = pci__add_cap(f, PCI_CAP_ID_EXP, body, EXP_LEN);
	if (cap < 0)
		return; /* cannot happen: it is the first one */
	f->pcie_cap = cap;
	pci_put16(f->cfg, cap + PCI_EXP_FLAGS, 2 | PCI_EXP_TYPE_RC_END << 4);
	pci_put32(f->cfg, cap + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_RBER | PCI_EXP_DEVCAP_FLR);
	pci_put16(f->cfg, cap + PCI_EXP_DEVCTL,
		  PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_NOSNOOP_EN | PCI_EXP_DEVCTL_READRQ_512B);
	pci_put16(f->wmask, cap + PCI_EXP_DEVCTL,
		  PCI_EXP_DEVCTL_CERE | PCI_EXP_DEVCTL_NFERE | PCI_EXP_DEVCTL_FERE |
		      PCI_EXP_DEVCTL_URRE | PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_PAYLOAD |
		      PCI_EXP_DEVCTL_NOSNOOP_EN | PCI_EXP_DEVCTL_READRQ);
	/* One end-end TLP prefix: that is the PASID. */
	pci_put32(f->cfg, cap + PCI_EXP_DEVCAP2,
		  PCI_EXP_DEVCAP2_COMP_TMOUT_DIS | PCI_EXP_DEVCAP2_EE_PREFIX | 1u << 22);
	pci_put16(f->wmask, cap + PCI_EXP_DEVCTL2,
		  PCI_EXP_DEVCTL2_COMP_TIMEOUT | PCI_EXP_DEVCTL2_COMP_TMOUT_DIS);
}

void pci__init_func(struct pci_func *f, u16 vendor, u16 device, u32 class_code, u8 revision)
{
	pci_put16(f->cfg, PCI_VENDOR_ID, vendor);
	pci_put16(f->cfg, PCI_DEVICE_ID, device);
	pci_put32(f->cfg, PCI_CLASS_REVISION, class_code << 8 | revision);
	pci_put16(f->wmask, PCI_COMMAND, CMD_WRITABLE);
	pci_put16(f->w1c, PCI_STATUS, STATUS_W1C);
	f->wmask[PCI_CACHE_LINE_SIZE] = 0xff;
	f->wmask[PCI_INTERRUPT_LINE] = 0xff;
	add_exp_cap(f);
}

void pci__set_subsystem(struct pci_func *f, u16 vendor, u16 device)
{
	pci_put16(f->cfg, PCI_SUBSYSTEM_VENDOR_ID, vendor);
	pci_put16(f->cfg, PCI_SUBSYSTEM_ID, device);
}

int pci__add_cap(struct pci_func *f, u8 id, const void *body, u32 len)
{
	u32 off = f->cap_free ? ALIGN_UP(f->cap_free, 4) : CAP_FIRST;

	if (len < 2 || off >= CAP_LIMIT || len > CAP_LIMIT - off)
		return -ENOSPC;
	f->cfg[off] = id;
	f->cfg[off + 1] = 0;
	if (len > 2)
		memcpy(f->cfg + off + 2, body, len - 2);
	f->cfg[f->cap_last ? f->cap_last + 1 : PCI_CAPABILITY_LIST] = off;
	f->cfg[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	f->cap_last = off;
	f->cap_free = off + len;
	return off;
}

int pci__add_ext_cap(struct pci_func *f, u16 id, u8 version, const void *body, u32 len)
{
	u32 off = f->ext_cap_free ? ALIGN_UP(f->ext_cap_free, 4) : EXT_CAP_FIRST;
	u32 prev;

	if (len < 4 || off >= PCI_CFG_SIZE || len > PCI_CFG_SIZE - off)
		return -ENOSPC;
	/* The list has no head pointer: its first header is at 100h (PCIe 7.6.3). */
	if (!f->ext_cap_last && off != EXT_CAP_FIRST)
		return -ENOSPC;
	pci_put32(f->cfg, off, id | (u32)(version & 0xf) << 16);
	if (len > 4)
		memcpy(f->cfg + off + 4, body, len - 4);
	if (f->ext_cap_last) {
		prev = pci_get32(f->cfg, f->ext_cap_last) & GENMASK(19, 0);
		pci_put32(f->cfg, f->ext_cap_last, prev | off << 20);
	}
	f->ext_cap_last = off;
	f->ext_cap_free = off + len;
	return off;
}

u32 pci_cfg__find_cap(const struct pci_func *f, u8 id)
{
	u32 off = f->cfg[PCI_CAPABILITY_LIST] & ~3u;
	int hops;

	/* An adopted list may be a loop: it has at most 48 members. */
	for (hops = 0; off >= CAP_FIRST && hops < 48; hops++) {
		if (f->cfg[off] == id)
			return off;
		off = f->cfg[off + 1] & ~3u;
	}
	return 0;
}

u32 pci_cfg__read(struct pci_func *f, u32 off, u32 len)
{
	u32 val = 0;

	if (f->ops && f->ops->cfg_read && f->ops->cfg_read(f, off, len, &val))
		return val;
	val = 0;
	memcpy(&val, f->cfg + off, len);
	return val;
}

void pci_cfg__reset(struct pci_func *f)
{
	struct pci_slot *slot = f->root_priv;

	memcpy(f->cfg, f->initial, PCI_CFG_SIZE);
	pci_bar__update(slot->root);
	msix__reset(f);
	if (f->ops && f->ops->reset)
		f->ops->reset(f);
}

/* PCIe 7.5.3.4: Initiate Function Level Reset, the top bit of Device Control; reads as zero. */
static bool wants_flr(const struct pci_func *f, u32 off, u32 len, u32 val)
{
	u32 byte = f->pcie_cap + PCI_EXP_DEVCTL + 1;

	return f->pcie_cap && pci_touches(off, len, byte, 1) &&
	       (pci_get32(f->cfg, f->pcie_cap + PCI_EXP_DEVCAP) & PCI_EXP_DEVCAP_FLR) &&
	       (val >> (byte - off) * 8 & 0x80);
}

void pci_cfg__write(struct pci_func *f, u32 off, u32 len, u32 val)
{
	struct pci_slot *slot = f->root_priv;
	bool command = pci_touches(off, len, PCI_COMMAND, 2);
	u8 *cfg = f->cfg, in;
	u32 i, at;

	if (wants_flr(f, off, len, val)) {
		pci_cfg__reset(f);
		return;
	}
	for (i = 0; i < len; i++) {
		at = off + i;
		in = val >> i * 8;
		cfg[at] = (cfg[at] & ~f->wmask[at]) | (in & f->wmask[at]);
		cfg[at] &= ~(in & f->w1c[at]);
	}
	if (command || pci_touches(off, len, PCI_BASE_ADDRESS_0, PCI_BARS * 4))
		pci_bar__update(slot->root);
	/* Cheap when neither message control nor bus master enable changed. */
	msix__update(f);
	if (f->ops && f->ops->cfg_written)
		f->ops->cfg_written(f, off, len, val);
}

bool pci__bus_master(const struct pci_func *f)
{
	return f->cfg[PCI_COMMAND] & PCI_COMMAND_MASTER;
}
