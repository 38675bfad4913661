/* SPDX-License-Identifier: GPL-2.0-only */

/* The test device: how its DMA looks to the IOMMU, and what hostile register writes do. */

#include "fake_pci.h"
#include "x86/dma.c"
#include "x86/edu.c"
#include "x86/msix.c"
#include "x86/pci.c"
#include "x86/pci_bar.c"
#include "x86/pci_cfg.c"

static struct vm vm;
static struct dma_req last;
static unsigned int requests;
static bool refuse;
static u64 regs, cfg;

/* Every page is where it says, 4 KiB at a time. */
static int translate(void *iommu, const struct dma_req *req, u64 *gpa, u64 *len)
{
	last = *req;
	requests++;
	if (refuse)
		return -EFAULT;
	*gpa = req->addr;
	*len = 4096 - req->addr % 4096;
	return 0;
}

static const struct dma_ops ops = { .translate = translate };

static u32 dma(u64 ram, u64 at, u64 count, bool to_ram)
{
	wr(&vm, regs + REG_DMA_SRC, 8, to_ram ? at : ram);
	wr(&vm, regs + REG_DMA_DST, 8, to_ram ? ram : at);
	wr(&vm, regs + REG_DMA_COUNT, 8, count);
	wr(&vm, regs + REG_DMA_CMD, 4, CMD_START | (to_ram ? CMD_TO_RAM : 0));
	return rd(&vm, regs + REG_X_RESULT, 4);
}

static void test_requests(void)
{
	u32 *ram = mem__ptr(vm.mem, 0x100000, 16384);

	wr(&vm, regs + BUF_BASE, 4, 0x12345678);
	eq(dma(0x100004, BUF_BASE, 4, true), X_DONE, "a write");
	eq(ram[1], 0x12345678, "is there");
	ok(last.addr == 0x100004 && last.pasid == DMA_NO_PASID && last.access == DMA_WRITE &&
	       last.sid == edus[0].pci.bdf,
	   "and was a plain write of this function");

	wr(&vm, regs + REG_X_TAG, 4, TAG_EXEC | TAG_PRIV | 7);
	dma(0x100000, BUF_BASE, 4, false);
	ok(last.pasid == DMA_NO_PASID && last.access == DMA_READ, "no PASID, no attributes");
	wr(&vm, regs + REG_X_TAG, 4, TAG_VALID | TAG_EXEC | TAG_PRIV | 7);
	dma(0x100000, BUF_BASE, 4, false);
	ok(last.pasid == 7 && last.access == (DMA_READ | DMA_EXEC | DMA_PRIV), "all on a read");
	dma(0x100000, BUF_BASE, 4, true);
	ok(last.pasid == 7 && last.access == (DMA_WRITE | DMA_PRIV), "a write executes nothing");
	wr(&vm, regs + REG_X_TAG, 4, ~0u);
	eq(rd(&vm, regs + REG_X_TAG, 4), 0xe00fffff, "a PASID has 20 bits");
	wr(&vm, regs + REG_X_TAG, 4, 0);

	requests = 0;
	eq(dma(0x100801, BUF_BASE, 4096, true), X_DONE, "a whole buffer, misaligned");
	eq(requests, 2, "in two pieces");
	refuse = true;
	memset(ram, 0x11, 8192);
	eq(dma(0x100000, BUF_BASE, 4096, true), X_REFUSED, "the IOMMU refuses");
	eq(ram[0], 0x11111111, "and nothing is written");
	refuse = false;
}

static void test_hostile(void)
{
	static const u64 odd[] = { 0, 1, 4095, 4096, 4097, 0x7fffffffffffffff, ~0ULL };
	u64 ends[] = { 0, BUF_BASE - 1, BUF_BASE + 4095, BUF_BASE + 4096, ~0ULL, 64 * MiB - 1 };
	u64 seed = 1;

	for (unsigned int i = 0; i < ARRAY_SIZE(odd); i++)
		for (unsigned int j = 0; j < ARRAY_SIZE(ends); j++)
			for (unsigned int k = 0; k < ARRAY_SIZE(ends); k++) {
				dma(ends[j], ends[k], odd[i], true);
				dma(ends[j], ends[k], odd[i], false);
			}
	ok(true, "lengths and addresses of every kind");
	for (unsigned int i = 0; i < 200000; i++) {
		u64 off, val;

		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		off = (seed >> 40) % 4 ? (seed >> 33) % 0x120 : BUF_BASE - 8 + (seed >> 33) % 4112;
		val = seed >> 7;
		if (seed >> 63)
			val = 0x100000 + val % 8192;
		wr(&vm, regs + off, 1 + (seed >> 50) % 8, val);
		rd(&vm, regs + off, 1 + (seed >> 53) % 8);
	}
	ok(true, "200000 accesses of any width anywhere");
	wr(&vm, cfg + edus[0].pci.pcie_cap + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR);
	wr(&vm, cfg + PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	ok(rd(&vm, regs + REG_LIVE, 4) == 0 && rd(&vm, regs + BUF_BASE, 8) == 0, "FLR clears all");
	wr(&vm, cfg + PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	requests = 0;
	eq(dma(0x100000, BUF_BASE, 4, true), X_NO_MASTER, "no DMA without bus mastering");
	eq(requests, 0, "not even a request");
}

int main(void)
{
	vm.ram_size = 64 * MiB;
	vm.phys_bits = 40;
	vm.mem = mem__new(-1, vm.ram_size);
	vm.mmio = bus__new(-1, false);
	vm.pci = pci__new(&vm);
	pci__set_iommu(vm.pci, &ops, NULL);
	for (unsigned int i = 0; i < EDU_MAX; i++)
		eq(edu_parse(NULL), 0, "--testdev number %u", i + 1);
	errs = 0;
	eq(edu_parse(NULL), (u64)-EINVAL, "one more is refused");
	eq(errs, 1, "in one line");
	eq(edu_setup(&vm), 0, "set-up");
	cfg = ECAM_BASE + ((u64)edus[0].pci.bdf << 12);
	wr(&vm, cfg + PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	regs = rd(&vm, cfg + PCI_BASE_ADDRESS_0, 4) & ~0xfULL;
	test_requests();
	test_hostile();
	edu_teardown(&vm);
	eq(routes, 0, "teardown frees the vectors");
	errs = 0;
	routes_max = 10;
	eq(edu_setup(&vm), (u64)-EMFILE, "out of descriptors: set-up fails");
	ok(errs == 1 && routes == 0, "in one line, and undoes what it did");
	pci__free(vm.pci);
	bus__free(vm.mmio);
	mem__free(vm.mem);
	return tap_done();
}
