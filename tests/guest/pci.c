/* SPDX-License-Identifier: GPL-2.0-only */

/* ECAM enumeration, capability walks, BAR sizing and moving. */

#include "pci.h"

#define WINDOW	   0xc0000000UL
#define WINDOW_END 0xe0000000UL

static int disk;
static struct edu e, e2;

static void enumerate(void)
{
	unsigned int found = 0;
	u8 slots[32];

	for (int dev = 0; dev < 32; dev++) {
		u32 id = read32(PCI_CFG(dev << 3));

		slots[dev] = id != ~0u;
		found += id != ~0u;
	}
	report(found >= 4, "bus 0 has at least four functions (%u)", found);
	report(slots[0] && read16(PCI_CFG(0) + 10) == 0x0600, "the first is a host bridge");
	report_eq(read32(PCI_CFG(31 << 3)), ~0u, "an empty slot reads as ones");
	report_eq(read32(ECAM_BASE + (1 << 20)), ~0u, "so does bus 1");
	report_eq(read32(ECAM_BASE + (255 << 20)), ~0u, "and bus 255");
	for (int dev = 0; dev < 32; dev++) {
		u64 cfg = PCI_CFG(dev << 3), old;

		if (!slots[dev])
			continue;
		old = read32(cfg);
		report_eq(read8(cfg + 14) & 0x7f, 0, "slot %u has a type 0 header", dev);
		write32(cfg, 0);
		write32(cfg + 8, 0);
		report(read32(cfg) == old && read32(cfg + 8), "ids of slot %u cannot be written", dev);
	}
}

static void capabilities(int devfn, const char *name)
{
	u64 cfg = PCI_CFG(devfn);
	u32 at = read8(cfg + PCI_CAP_PTR), hops = 0, exp = pci_cap(devfn, CAP_EXP, 0);
	bool good = read16(cfg + 6) & BIT(4);

	for (; at && hops < 48; hops++) {
		good &= at >= 0x40 && !(at & 3) && read8(cfg + at) != 0 && read8(cfg + at) != 0xff;
		at = read8(cfg + at + 1);
	}
	report(good && !at, "%s: its list of %u capabilities is well formed and ends", name, hops);
	report(exp && (read16(cfg + exp + 2) >> 4 & 0xf) == 9,
	       "%s: is a root-complex integrated endpoint", name);
	report(exp && read32(cfg + exp + 4) & BIT(28), "%s: has FLR", name);
	report(pci_cap(devfn, CAP_MSIX, 0), "%s: has MSI-X", name);
	at = 0x100;
	for (hops = 0; at && read32(cfg + at) && hops < 64; hops++)
		at = read32(cfg + at) >> 20;
	report(hops < 64, "%s: its extended list ends (%u)", name, hops);
}

static void sizing(void)
{
	u64 old = pci_bar(e.devfn, 0), bar;

	report_eq(pci_bar_size(e.devfn, 0), 0x100000, "the test device's BAR 0 has 1 MiB");
	report_eq(pci_bar_size(e.devfn, 1), 0x1000, "its BAR 1 4 KiB");
	report_eq(pci_bar_size(disk, 0), 0x4000, "the disk's 64-bit BAR 16 KiB");
	write32(PCI_CFG(e.devfn) + PCI_BAR0 + 8, ~0u);
	report_eq(read32(PCI_CFG(e.devfn) + PCI_BAR0 + 8), 0, "a BAR that is not there stays zero");
	report_eq(pci_bar(e.devfn, 0), old, "sizing with decoding on leaves it where it was");
	report_eq(read32(e.regs + EDU_ID), 0x010000ed, "and decoded");
	bar = pci_bar(disk, 0);
	report(bar >= BIT(32), "the disk's BAR is above 4 GiB (0x%lx)", bar);
	pci_enable(disk);
	report_eq(read16((u64)io_map(bar) + 0x12), 1, "and answers there: one queue");
}

static void moving(void)
{
	u64 old = pci_bar(e.devfn, 0), other = pci_bar(e2.devfn, 0), high = pci_bar(disk, 0);

	pci_set_bar(e.devfn, 0, old + 0x1000000);
	report_eq(read32(old + EDU_ID), ~0u, "a moved BAR leaves its place");
	report_eq(read32(old + 0x1000000 + EDU_ID), 0x010000ed, "and is at its new one");

	/* Onto the other's: that one was first. */
	write32(other + EDU_LIVE, ~0x22222222u);
	write32(old + 0x1000000 + EDU_LIVE, ~0x11111111u);
	pci_set_bar(e.devfn, 0, other);
	report_eq(read32(other + EDU_LIVE), 0x22222222, "two BARs at one place: the older one wins");
	pci_set_bar(e2.devfn, 0, old);
	report_eq(read32(other + EDU_LIVE), 0x11111111, "the other appears when that one goes");
	report_eq(read32(old + EDU_LIVE), 0x22222222, "they have swapped places");

	pci_set_bar(e.devfn, 0, 0x1000000);
	write32(0x1000000, 0x33);
	report_eq(read32(0x1000000), 0x33, "a BAR over RAM leaves RAM alone");
	pci_set_bar(e.devfn, 0, IOAPIC_BASE & ~0xfffffUL);
	report_eq(read32(IOAPIC_BASE), 0, "a BAR over the IOAPIC leaves that alone");
	pci_set_bar(e.devfn, 0, WINDOW_END - 0x100000);
	report_eq(read32(WINDOW_END - 0x100000), 0x010000ed, "the window's last MiB is good");

	pci_set_bar(disk, 0, WINDOW + 0x8000000);
	report_eq(read16(WINDOW + 0x8000012), 1, "a 64-bit BAR below 4 GiB");
	pci_set_bar(disk, 0, ~0UL << 14);
	report_eq(read16(WINDOW + 0x8000012), 0xffff, "at the very end of the address space: dark");
	pci_set_bar(disk, 0, high);

	write16(PCI_CFG(e.devfn) + PCI_COMMAND, 0);
	report_eq(read32(WINDOW_END - 0x100000), ~0u, "without memory decoding it is gone");
	pci_enable(e.devfn);
	for (u64 i = 0; i < 200; i++)
		write32(PCI_CFG(e.devfn) + PCI_BAR0 + i % 6 * 4, i * 0x01357913);
	pci_set_bar(e.devfn, 0, old + 0x2000000);
	report_eq(read32(old + 0x2000000), 0x010000ed, "after 200 moves to anywhere it can come back");
}

int main(void)
{
	disk = pci_find(0x1af4, 0x1042, 0);
	report(disk > 0, "there is a virtio disk");
	report(edu_init(&e, 0) && edu_init(&e2, 1), "and two test devices");
	enumerate();
	capabilities(disk, "disk");
	capabilities(e.devfn, "test device");
	sizing();
	moving();
	return 0;
}
