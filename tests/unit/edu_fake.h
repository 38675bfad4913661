/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef EDU_FAKE_H
#define EDU_FAKE_H

/*
 * A machine of test devices behind a fake IOMMU.  Untranslated and translated requests go where they
 * say, 4 KiB at a time; translation requests are answered from a short list; page requests are kept,
 * and answered at once if told to.
 */

#include "fake_pci.h"
#include "x86/dma.c"
#include "x86/edu.c"
#include "x86/edu_dma.c"
#include "x86/edu_pri.c"
#include "x86/edu_regs.c"
#include "x86/edu_tlb.c"
#include "x86/msix.c"
#include "x86/pci.c"
#include "x86/pci_bar.c"
#include "x86/pci_cfg.c"

struct fake_map {
	u64 addr, size, gpa;
	u32 pasid;
	u8 perm;
	bool global, untranslated;
};

static struct vm vm;
static u64 regs, cfg;
static struct dma_req last;
static unsigned int requests;
static bool refuse, refuse_ats;
static struct fake_map maps[80];
static struct dma_req last_ats;
static unsigned int ats_requests;
static struct dma_page_req last_page;
static unsigned int page_requests;
static int answer_at_once = -1;
static struct dma_listener *listener; /* of the first device */
static unsigned int listeners;

static struct msi_msg last_msi;
static unsigned int msis;
static bool refuse_msi;

int irq__msi(struct irqchip *irq, u16 sid, const struct msi_msg *msg)
{
	ok(sid == edus[0].pci.bdf, "an interrupt is of this function");
	last_msi = *msg;
	msis++;
	return refuse_msi ? -EFAULT : 0;
}

static int fake_translate(void *iommu, const struct dma_req *req, u64 *gpa, u64 *len)
{
	last = *req;
	requests++;
	if (refuse)
		return -EFAULT;
	*gpa = req->addr;
	*len = 4096 - req->addr % 4096;
	return 0;
}

static int fake_ats(void *iommu, const struct dma_req *req, struct dma_ats *ats)
{
	last_ats = *req;
	ats_requests++;
	if (refuse_ats)
		return -EFAULT;
	*ats = (struct dma_ats){ .size = 4096 };
	for (unsigned int i = 0; i < ARRAY_SIZE(maps); i++)
		if (maps[i].size && maps[i].pasid == req->pasid &&
		    req->addr - maps[i].addr < maps[i].size)
			*ats = (struct dma_ats){
				.gpa = maps[i].gpa,
				.size = maps[i].size,
				.perm = maps[i].perm,
				.global = maps[i].global,
				.untranslated = maps[i].untranslated,
			};
	return 0;
}

static void fake_page_request(void *iommu, const struct dma_page_req *req)
{
	last_page = *req;
	page_requests++;
	if (answer_at_once >= 0)
		listener->page_response(listener, req->pasid, req->prgi, answer_at_once);
}

static void fake_listen(void *iommu, struct dma_listener *l)
{
	if (!listeners++)
		listener = l;
}

static void fake_unlisten(void *iommu, struct dma_listener *l)
{
	listeners--;
}

static const struct dma_ops fake_ops = {
	.translate = fake_translate,
	.ats = fake_ats,
	.page_request = fake_page_request,
	.listen = fake_listen,
	.unlisten = fake_unlisten,
};

static inline u32 dma(u64 ram, u64 at, u64 count, bool to_ram)
{
	wr(&vm, regs + REG_DMA_SRC, 8, to_ram ? at : ram);
	wr(&vm, regs + REG_DMA_DST, 8, to_ram ? ram : at);
	wr(&vm, regs + REG_DMA_COUNT, 8, count);
	wr(&vm, regs + REG_DMA_CMD, 4, EDU_CMD_START | (to_ram ? EDU_CMD_TO_RAM : 0));
	return rd(&vm, regs + REG_X_RESULT, 4);
}

static inline u32 reg(u32 off)
{
	return rd(&vm, regs + off, 4);
}

static inline void set(u32 off, u64 val)
{
	wr(&vm, regs + off, 4, val);
}

/* Bus mastering on, and nothing else as after FLR. */
static inline void flr(void)
{
	wr(&vm, cfg + edus[0].pci.pcie_cap + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR);
	wr(&vm, cfg + PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

/* @devices of them; the first is driven. */
static inline void fake_machine(unsigned int devices)
{
	vm.ram_size = 64 * MiB;
	vm.phys_bits = 40;
	vm.mem = mem__new(-1, vm.ram_size);
	vm.mmio = bus__new(-1, false);
	vm.pci = pci__new(&vm);
	pci__set_iommu(vm.pci, &fake_ops, NULL);
	for (unsigned int i = 0; i < devices; i++)
		eq(edu_parse(NULL), 0, "--testdev number %u", i + 1);
	eq(edu_setup(&vm), 0, "set-up");
	cfg = ECAM_BASE + ((u64)edus[0].pci.bdf << 12);
	flr();
	regs = rd(&vm, cfg + PCI_BASE_ADDRESS_0, 4) & ~0xfULL;
}

static inline void fake_machine_end(void)
{
	pci__free(vm.pci);
	bus__free(vm.mmio);
	mem__free(vm.mem);
}

#endif
