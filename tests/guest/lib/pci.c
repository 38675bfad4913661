/* SPDX-License-Identifier: GPL-2.0-only */

/* Configuration space and BARs. */

#include "pci.h"

int pci_find(u16 vendor, u16 device, unsigned int nth)
{
	u32 want = (u32)device << 16 | vendor;

	for (int devfn = 0; devfn < 256; devfn += 8)
		if (read32(PCI_CFG(devfn)) == want && !nth--)
			return devfn;
	return -1;
}

u32 pci_cap(int devfn, u8 id, u32 after)
{
	u64 cfg = PCI_CFG(devfn);
	u32 at = read8(cfg + (after ? after + 1 : PCI_CAP_PTR));

	for (int hops = 0; at && hops < 48; hops++) {
		if (read8(cfg + at) == id)
			return at;
		at = read8(cfg + at + 1);
	}
	return 0;
}

u32 pci_ext_cap(int devfn, u16 id)
{
	u32 at = 0x100;

	for (int hops = 0; at && hops < 64; hops++) {
		u32 head = read32(PCI_CFG(devfn) + at);

		if ((head & 0xffff) == id)
			return at;
		at = head >> 20;
	}
	return 0;
}

void pci_flr(int devfn)
{
	write16(PCI_CFG(devfn) + pci_cap(devfn, CAP_EXP, 0) + 8, BIT(15));
	pci_enable(devfn);
}

static bool is64(int devfn, int bar)
{
	return (read32(PCI_CFG(devfn) + PCI_BAR0 + 4 * bar) & 7) == 4;
}

u64 pci_bar(int devfn, int bar)
{
	u64 reg = PCI_CFG(devfn) + PCI_BAR0 + 4 * bar, addr = read32(reg) & ~0xfUL;

	if (is64(devfn, bar))
		addr |= (u64)read32(reg + 4) << 32;
	return addr;
}

void pci_set_bar(int devfn, int bar, u64 addr)
{
	u64 reg = PCI_CFG(devfn) + PCI_BAR0 + 4 * bar;

	write32(reg, addr);
	if (is64(devfn, bar))
		write32(reg + 4, addr >> 32);
}

u64 pci_bar_size(int devfn, int bar)
{
	u64 old = pci_bar(devfn, bar), mask;

	pci_set_bar(devfn, bar, ~0UL);
	mask = pci_bar(devfn, bar);
	if (!is64(devfn, bar) && mask)
		mask |= ~0xffffffffUL;
	pci_set_bar(devfn, bar, old);
	return -mask;
}

void pci_enable(int devfn)
{
	u64 reg = PCI_CFG(devfn) + PCI_COMMAND;

	write16(reg, read16(reg) | PCI_COMMAND_IO | PCI_COMMAND_MEM | PCI_COMMAND_BM);
}

void pci_msix(int devfn, u64 table, unsigned int vec, u64 addr, u32 data, bool mask)
{
	table += 16 * vec;
	write32(table + 12, 1);
	write32(table, addr);
	write32(table + 4, addr >> 32);
	write32(table + 8, data);
	write32(table + 12, mask);
}

void pci_msix_enable(int devfn, bool enable, bool mask_all)
{
	u64 reg = PCI_CFG(devfn) + pci_cap(devfn, CAP_MSIX, 0) + 2;

	write16(reg, (enable ? BIT(15) : 0) | (mask_all ? BIT(14) : 0));
}

/* --- The test device --- */

bool edu_init(struct edu *e, unsigned int nth)
{
	e->devfn = pci_find(EDU_VENDOR, EDU_DEVICE, nth);
	if (e->devfn < 0)
		return false;
	pci_enable(e->devfn);
	e->regs = pci_bar(e->devfn, 0);
	e->msix = pci_bar(e->devfn, 1);
	return true;
}

void edu_tag(struct edu *e, u32 tag)
{
	write32(e->regs + EDU_X_TAG, tag);
}

u32 edu_dma(struct edu *e, u64 addr, u32 len, bool to_ram)
{
	write64(e->regs + EDU_DMA_SRC, to_ram ? EDU_BUF : addr);
	write64(e->regs + EDU_DMA_DST, to_ram ? addr : EDU_BUF);
	write64(e->regs + EDU_DMA_COUNT, len);
	write64(e->regs + EDU_DMA_CMD, EDU_START | (to_ram ? EDU_TO_RAM : 0));
	return read32(e->regs + EDU_X_RESULT);
}

u32 edu_put(struct edu *e, u64 addr, u32 val)
{
	write32(e->regs + EDU_BUF, val);
	return edu_dma(e, addr, 4, true);
}

bool edu_reaches(struct edu *e, u64 iova, u64 page)
{
	volatile u32 *at = (volatile u32 *)(page + (iova & 0xfff));
	static u32 pattern = 0x1000;

	*at = 0;
	return edu_put(e, iova, ++pattern) == EDU_DONE && *at == pattern;
}

u32 edu_get(struct edu *e, u64 addr)
{
	if (edu_dma(e, addr, 4, false) != EDU_DONE)
		return ~0u;
	return read32(e->regs + EDU_BUF);
}

void edu_mode(struct edu *e, u32 mode)
{
	write32(e->regs + EDU_X_MODE, mode);
}

u32 edu_reg(struct edu *e, u32 reg)
{
	return read32(e->regs + reg);
}

void edu_enable_ats(struct edu *e, bool on)
{
	write16(PCI_CFG(e->devfn) + pci_ext_cap(e->devfn, EXT_CAP_ATS) + 6, on ? BIT(15) : 0);
}

void edu_enable_pri(struct edu *e, u32 allocation)
{
	u64 cap = PCI_CFG(e->devfn) + pci_ext_cap(e->devfn, EXT_CAP_PRI);

	write16(cap + 4, 0);
	write16(cap + 4, BIT(1)); /* forget what is outstanding */
	write32(cap + 12, allocation);
	write16(cap + 4, allocation ? 1 : 0);
}

u16 edu_pri_status(struct edu *e)
{
	return read16(PCI_CFG(e->devfn) + pci_ext_cap(e->devfn, EXT_CAP_PRI) + 6);
}

u32 edu_probe(struct edu *e, u64 addr, u64 *to)
{
	write64(e->regs + EDU_TLB_PROBE, addr);
	if (to)
		*to = read64(e->regs + EDU_TLB_ADDR);
	return edu_reg(e, EDU_TLB_FOUND);
}

bool edu_page_request(struct edu *e, u64 addr, u32 bits)
{
	write64(e->regs + EDU_PRI_ADDR, addr);
	write32(e->regs + EDU_PRI_SEND, bits);
	return edu_reg(e, EDU_PRI_SEND) == 1;
}
