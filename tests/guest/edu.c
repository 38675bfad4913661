/* SPDX-License-Identifier: GPL-2.0-only */

/* The test device itself: edu's registers, DMA without an IOMMU, and how it refuses. */

#include "pci.h"

static struct edu e;
static u32 page[2048] __attribute__((aligned(4096)));

static void registers(void)
{
	report_eq(read32(e.regs + EDU_ID), 0x010000ed, "identification");
	report_eq(read32(e.regs + EDU_X_ID), 0x6b760002, "the extension says its version");
	write32(e.regs + EDU_LIVE, 0x12345678);
	report_eq(read32(e.regs + EDU_LIVE), ~0x12345678u, "liveness gives the complement");
	write32(e.regs + EDU_FACTORIAL, 5);
	report_eq(read32(e.regs + EDU_FACTORIAL), 120, "5! = 120");
	write32(e.regs + EDU_FACTORIAL, 0xffffffff);
	report_eq(read32(e.regs + EDU_FACTORIAL), 0, "a huge factorial is 0 modulo 2^32, at once");
	write32(e.regs + EDU_IRQ_RAISE, 0x30);
	report_eq(read32(e.regs + EDU_IRQ_STATUS), 0x30, "raise sets the interrupt status");
	write32(e.regs + EDU_IRQ_ACK, 0x10);
	report_eq(read32(e.regs + EDU_IRQ_STATUS), 0x20, "acknowledge clears what it names");
	write32(e.regs + EDU_IRQ_ACK, ~0u);
	write32(e.regs + EDU_STATUS, 0x80);
	write32(e.regs + EDU_FACTORIAL, 3);
	report_eq(read32(e.regs + EDU_IRQ_STATUS), 1, "a factorial raises 1 when asked to");
	write32(e.regs + EDU_STATUS, 0);
	write32(e.regs + EDU_IRQ_ACK, ~0u);
}

static void widths(void)
{
	report_eq(read8(e.regs + EDU_ID), 0xff, "a byte of a register reads as ones");
	report_eq(read64(e.regs + EDU_ID), ~0UL, "so does a qword below 80h");
	report_eq(read32(e.regs + 2), ~0u, "and a misaligned dword");
	write64(e.regs + EDU_DMA_SRC, 0x1122334455667788);
	report_eq(read64(e.regs + EDU_DMA_SRC), 0x1122334455667788, "DMA registers have 64 bits");
	write32(e.regs + EDU_DMA_SRC + 4, 0xabcd);
	report_eq(read64(e.regs + EDU_DMA_SRC), 0xabcd55667788, "and two halves");
	report_eq(read32(e.regs + 0x1000), ~0u, "nothing behind the registers");
	/* KVM cuts an access where the page ends: five bytes and three. */
	write64(e.regs + EDU_BUF + 4091, 0x0807060504030201);
	report_eq(read64(e.regs + EDU_BUF + 4091), 0xffffff0504030201, "the buffer ends with its page");
	write32(e.regs + EDU_BUF + 4091, 0x04030201);
	report_eq(read32(e.regs + EDU_BUF + 4091), 0x04030201, "the buffer takes any alignment");
}

static void dma(void)
{
	u64 at = (u64)page;

	page[1] = 0;
	report_eq(edu_put(&e, at + 4, 0xcafe1234), EDU_DONE, "DMA to memory is done");
	report_eq(((volatile u32 *)page)[1], 0xcafe1234, "and is there");
	page[2] = 0x600d;
	report_eq(edu_get(&e, at + 8), 0x600d, "DMA from memory");
	memset(page, 0xa5, 4096);
	report_eq(edu_dma(&e, at, 4096, false), EDU_DONE, "a whole buffer in");
	report_eq(edu_dma(&e, at + 2049, 4096, true), EDU_DONE, "and out, misaligned, over two pages");
	report(!memcmp(page, (u8 *)page + 2049, 4096), "with the same bytes");
	report_eq(edu_dma(&e, at, 4097, true), EDU_BAD_RANGE, "more than the buffer is refused");
	report_eq(edu_dma(&e, at, 0, true), EDU_BAD_RANGE, "nothing at all is refused");
	report_eq(edu_dma(&e, MSI_BASE, 8, true), EDU_REFUSED, "what is not RAM is refused");
	report_eq(edu_dma(&e, ~0UL - 1, 4, true), EDU_REFUSED, "so is an address that wraps");
	report_eq(edu_dma(&e, ECAM_BASE, 4, false), EDU_REFUSED, "and another device's registers");
	write64(e.regs + EDU_DMA_CMD, EDU_START | EDU_IRQ);
	report_eq(read32(e.regs + EDU_IRQ_STATUS), 0x100, "the end of a DMA raises 100h");
	report_eq(read64(e.regs + EDU_DMA_CMD), EDU_IRQ, "and the start bit is gone");
	write16(PCI_CFG(e.devfn) + PCI_COMMAND, PCI_COMMAND_MEM);
	report_eq(edu_put(&e, at, 1), EDU_NO_MASTER, "without bus mastering there is no DMA");
}

/* ATS and page requests where there is no IOMMU to serve them. */
static void alone(void)
{
	u64 at = (u64)page;

	report(pci_ext_cap(e.devfn, EXT_CAP_PASID) && pci_ext_cap(e.devfn, EXT_CAP_ATS) &&
		       pci_ext_cap(e.devfn, EXT_CAP_PRI),
	       "PASID, ATS and PRI are there");
	pci_enable(e.devfn);
	edu_mode(&e, EDU_ATS | EDU_PRI);
	report_eq(edu_put(&e, at, 1), EDU_DONE, "off, they change nothing");
	edu_enable_ats(&e, true);
	report_eq(edu_put(&e, at, 1), EDU_REFUSED, "nobody answers a translation request");
	report(!edu_page_request(&e, at, 1 | EDU_PR_R), "no page request with PRI off");
	edu_enable_pri(&e, 1);
	report(edu_page_request(&e, at, 1 | EDU_PR_R | EDU_PR_LAST), "one with PRI on");
	report(!edu_page_request(&e, at, 2 | EDU_PR_R), "no more than are allocated");
	report_eq(edu_reg(&e, EDU_PRI_WAITING), 1, "and nobody answers it");
}

static void reset(void)
{
	u64 exp = PCI_CFG(e.devfn) + pci_cap(e.devfn, CAP_EXP, 0);

	write16(exp + 8, BIT(15)); /* Initiate Function Level Reset */
	pci_enable(e.devfn);
	report_eq(read32(e.regs + EDU_IRQ_STATUS), 0, "FLR clears the interrupt status");
	report_eq(read32(e.regs + EDU_BUF + 4091), 0, "and the buffer");
	report_eq(edu_reg(&e, EDU_PRI_WAITING), 0, "and what is outstanding");
	report_eq(edu_put(&e, (u64)page, 1), EDU_DONE, "and the device works again");
}

int main(void)
{
	if (!edu_init(&e, 0)) {
		report(false, "there is a test device");
		return 0;
	}
	registers();
	widths();
	dma();
	alone();
	reset();
	return 0;
}
