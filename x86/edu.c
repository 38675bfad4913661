/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * --testdev: a function with the register interface of QEMU's "edu" device, and an extension by
 * which a guest chooses how its DMA looks to the IOMMU and learns how it ended (docs/testdev.md).
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lkvm/module.h"
#include "lkvm/vm.h"
#include "x86/edu.h"
#include "x86/pci_priv.h"

#define EDU_VENDOR   0x1234
#define EDU_DEVICE   0x11e8
#define EDU_CLASS    0x00ff00
#define EDU_REVISION 0x10
#define EDU_MAX	     8

#define BAR_REGS      0
#define BAR_REGS_SIZE (1 * MiB)
#define BAR_MSIX      1
#define MSIX_PBA      0x800

/* Fields that <linux/pci_regs.h> has as functions or not at all (PCIe 10.5.1.2, 7.8.9.2). */
#define ATS_CAP_GLOBAL BIT(6)
#define PASID_WIDTH    20

static struct edu edus[EDU_MAX];
static unsigned int nr_wanted, nr_added;

/* PCIe 7.8.9: 20 bits, execute and privileged. */
static int add_pasid(struct edu *e)
{
	u8 body[PCI_EXT_CAP_PASID_SIZEOF - 4] = { 0 };
	struct pci_func *f = &e->pci;
	int cap = pci__add_ext_cap(f, PCI_EXT_CAP_ID_PASID, 1, body, PCI_EXT_CAP_PASID_SIZEOF);

	if (cap < 0)
		return cap;
	e->pasid_cap = cap;
	pci_put16(f->cfg, cap + PCI_PASID_CAP,
		  PCI_PASID_CAP_EXEC | PCI_PASID_CAP_PRIV | PASID_WIDTH << 8);
	pci_put16(f->wmask, cap + PCI_PASID_CTRL,
		  PCI_PASID_CTRL_ENABLE | PCI_PASID_CTRL_EXEC | PCI_PASID_CTRL_PRIV);
	return 0;
}

/* PCIe 10.5.1: an invalidation is done when it is asked for, so there is no queue to overrun. */
static int add_ats(struct edu *e)
{
	u8 body[PCI_EXT_CAP_ATS_SIZEOF - 4] = { 0 };
	struct pci_func *f = &e->pci;
	int cap = pci__add_ext_cap(f, PCI_EXT_CAP_ID_ATS, 1, body, PCI_EXT_CAP_ATS_SIZEOF);

	if (cap < 0)
		return cap;
	e->ats_cap = cap;
	/* Invalidate Queue Depth 0 stands for 32. */
	pci_put16(f->cfg, cap + PCI_ATS_CAP, PCI_ATS_CAP_PAGE_ALIGNED | ATS_CAP_GLOBAL);
	pci_put16(f->wmask, cap + PCI_ATS_CTRL, PCI_ATS_CTRL_ENABLE | PCI_ATS_CTRL_STU(~0));
	return 0;
}

/* PCIe 10.5.2 */
static int add_pri(struct edu *e)
{
	u8 body[PCI_EXT_CAP_PRI_SIZEOF - 4] = { 0 };
	struct pci_func *f = &e->pci;
	int cap = pci__add_ext_cap(f, PCI_EXT_CAP_ID_PRI, 1, body, PCI_EXT_CAP_PRI_SIZEOF);

	if (cap < 0)
		return cap;
	e->pri_cap = cap;
	pci_put16(f->cfg, cap + PCI_PRI_STATUS, PCI_PRI_STATUS_STOPPED | PCI_PRI_STATUS_PASID);
	pci_put32(f->cfg, cap + PCI_PRI_MAX_REQ, EDU_PRI_MAX);
	pci_put16(f->wmask, cap + PCI_PRI_CTRL, PCI_PRI_CTRL_ENABLE);
	pci_put16(f->w1c, cap + PCI_PRI_STATUS, PCI_PRI_STATUS_RF | PCI_PRI_STATUS_UPRGI);
	pci_put32(f->wmask, cap + PCI_PRI_ALLOC_REQ, ~0u);
	return 0;
}

static void edu_cfg_written(struct pci_func *f, u32 off, u32 len, u32 val)
{
	struct edu *e = f->priv;
	u32 ctrl = e->pri_cap + PCI_PRI_CTRL;

	/* With ATS off, nothing is cached. */
	if (pci_touches(off, len, e->ats_cap + PCI_ATS_CTRL, 2) && !edu_tlb__enabled(e))
		edu_tlb__flush(e);
	if (pci_touches(off, len, ctrl, 1))
		edu_pri__control(e, val >> 8 * (ctrl - off) & PCI_PRI_CTRL_RESET);
}

/* The DMA under way and all that is outstanding are forgotten; a late answer is ignored. */
static void edu_reset(struct pci_func *f)
{
	struct edu *e = f->priv;

	e->live = e->factorial = e->status = e->irq_status = 0;
	e->tag = e->mode = e->result = e->vector = 0;
	e->src = e->dst = e->count = e->cmd = 0;
	e->probe = e->page_addr = e->page_result = 0;
	e->job = (struct edu_job){ 0 };
	e->tlb = (struct edu_tlb){ 0 };
	e->pri = (struct edu_pri){ 0 };
	memset(e->buf, 0, sizeof(e->buf));
}

static const struct pci_func_ops edu_ops = {
	.bar_access = edu_regs__access,
	.cfg_written = edu_cfg_written,
	.reset = edu_reset,
};

static int edu_describe(struct edu *e)
{
	struct pci_func *f = &e->pci;
	int err;

	pci__init_func(f, EDU_VENDOR, EDU_DEVICE, EDU_CLASS, EDU_REVISION);
	err = pci__add_bar(f, BAR_REGS, BAR_REGS_SIZE, 0);
	if (!err)
		err = pci__add_bar(f, BAR_MSIX, 4 * KiB, 0);
	if (!err)
		err = MIN(pci__add_msix(f, BAR_MSIX, EDU_VECTORS, 0, MSIX_PBA), 0);
	if (!err)
		err = add_pasid(e);
	if (!err)
		err = add_ats(e);
	if (!err)
		err = add_pri(e);
	return err;
}

static int edu_add(struct vm *vm, struct edu *e, unsigned int index)
{
	struct pci_func *f = &e->pci;
	int err;

	*e = (struct edu){ 0 };
	snprintf(e->name, sizeof(e->name), "testdev.%u", index);
	f->name = e->name;
	f->ops = &edu_ops;
	f->priv = e;
	err = edu_describe(e);
	if (err)
		pr_err("%s: cannot be described: %s", f->name, strerror(-err));
	else
		err = pci__add(vm->pci, f, -1); /* it says why not */
	if (err) {
		pci__del(f);
		return err;
	}
	e->listener = (struct dma_listener){
		.invalidate = edu_tlb__invalidate,
		.page_response = edu_pri__response,
		.ats = true,
	};
	dma__listen(&f->dma, &e->listener);
	return 0;
}

static void edu_del(struct edu *e)
{
	dma__unlisten(&e->pci.dma, &e->listener);
	pci__del(&e->pci);
}

static void edu_teardown(struct vm *vm)
{
	while (nr_added)
		edu_del(&edus[--nr_added]);
}

static int edu_setup(struct vm *vm)
{
	while (nr_added < nr_wanted) {
		int err = edu_add(vm, &edus[nr_added], nr_added);

		if (err) {
			edu_teardown(vm);
			return err;
		}
		nr_added++;
	}
	return 0;
}

static int edu_parse(const char *arg)
{
	if (nr_wanted == EDU_MAX) {
		pr_err("--testdev: %d test devices are the most there can be; give fewer", EDU_MAX);
		return -EINVAL;
	}
	nr_wanted++;
	return 0;
}

static const struct option_def edu_options[] = {
	{ .name = "testdev",
	  .parse = edu_parse,
	  .help = "a PCI function for tests of DMA, ATS, page requests and interrupts (may be "
		  "repeated)" },
	{ .name = NULL },
};

static struct module edu_module = {
	.name = "testdev",
	.level = MODULE_DEVICE,
	.options = edu_options,
	.setup = edu_setup,
	.teardown = edu_teardown,
};
LKVM_MODULE(edu_module)
