/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * The test device's page requests (PCIe 10.4): which are outstanding, what the capability's
 * registers say of them, and what a response does.
 */

#include "x86/edu.h"
#include "x86/pci_priv.h"

static void set_status(struct edu *e, u16 clear, u16 set)
{
	u32 reg = e->pri_cap + PCI_PRI_STATUS;

	pci_put16(e->pci.cfg, reg, (pci_get16(e->pci.cfg, reg) & ~clear) | set);
}

u32 edu_pri__outstanding(const struct edu *e)
{
	u32 n = 0;

	for (u32 i = 0; i < EDU_PRI_MAX; i++)
		n += e->pri.req[i].used;
	return n;
}

/* PCIe 10.5.2.3, Stopped: nothing more will be sent, and all that was is answered. */
static void update_stopped(struct edu *e)
{
	bool stopped = !e->pri.enabled && !edu_pri__outstanding(e);

	set_status(e, PCI_PRI_STATUS_STOPPED, stopped ? PCI_PRI_STATUS_STOPPED : 0);
}

static void forget_all(struct edu *e, enum edu_result result)
{
	for (u32 i = 0; i < EDU_PRI_MAX; i++)
		e->pri.req[i].used = false;
	if (e->job.waiting)
		edu_dma__answer(e, result);
}

void edu_pri__control(struct edu *e, bool reset)
{
	bool was = e->pri.enabled;

	e->pri.enabled = pci_get16(e->pci.cfg, e->pri_cap + PCI_PRI_CTRL) & PCI_PRI_CTRL_ENABLE;
	if (e->pri.enabled && !was) {
		e->pri.halted = false;
		set_status(e, PCI_PRI_STATUS_RF | PCI_PRI_STATUS_UPRGI, 0);
	}
	if (reset && !e->pri.enabled)
		forget_all(e, EDU_NO_ACCESS);
	update_stopped(e);
}

static struct edu_page_req *find_group(struct edu *e, u16 prgi)
{
	for (u32 i = 0; i < EDU_PRI_MAX; i++)
		if (e->pri.req[i].used && e->pri.req[i].prgi == prgi)
			return &e->pri.req[i];
	return NULL;
}

/* There are more indices than outstanding requests. */
u16 edu_pri__new_group(struct edu *e)
{
	do
		e->pri.prgi = (e->pri.prgi + 1) % 512;
	while (find_group(e, e->pri.prgi));
	return e->pri.prgi;
}

bool edu_pri__send(struct edu *e, const struct edu_tag *tag, u64 addr, u8 access, u16 prgi,
		   bool last)
{
	u32 allowed = pci_get32(e->pci.cfg, e->pri_cap + PCI_PRI_ALLOC_REQ);
	struct edu_page_req *free = e->pri.req;

	if (!e->pri.enabled || e->pri.halted)
		return false;
	/* PCIe 10.4.1.2: a stop marker has no response, and takes nothing from the allocation. */
	if (access & (DMA_READ | DMA_WRITE)) {
		if (edu_pri__outstanding(e) >= MIN(allowed, EDU_PRI_MAX))
			return false;
		while (free->used)
			free++;
		*free = (struct edu_page_req){ .pasid = tag->pasid, .prgi = prgi, .used = true };
	}
	e->pri.sent++;
	/* The answer may come before this returns. */
	dma__page_request(&e->pci.dma, tag->pasid, ALIGN_DOWN(addr, 4096), access | tag->attr, prgi,
			  last);
	return true;
}

void edu_pri__response(struct dma_listener *l, u32 pasid, u16 prgi, enum dma_page_resp code)
{
	struct edu *e = container_of(l, struct edu, listener);
	bool known = false;

	for (u32 i = 0; i < EDU_PRI_MAX; i++) {
		struct edu_page_req *r = &e->pri.req[i];

		if (r->used && r->prgi == prgi && r->pasid == pasid) {
			r->used = false;
			known = true;
		}
	}
	/* VT-d 7.9: what was sent before a reset is answered after it, to no effect. */
	if (!known && !e->pri.enabled)
		return;
	e->pri.responses++;
	e->pri.last = BIT(31) | (u32)(code & 0xf) << 12 | (prgi & 0x1ff);
	e->pri.last_pasid = pasid == DMA_NO_PASID ? 0 : BIT(31) | pasid;
	if (!known) {
		set_status(e, 0, PCI_PRI_STATUS_UPRGI);
		return;
	}
	if (code != DMA_PAGE_OK && code != DMA_PAGE_INVALID) {
		/* PCIe 10.4.2.1: it ends all of the function's page requests. */
		set_status(e, 0, PCI_PRI_STATUS_RF);
		e->pri.halted = true;
		forget_all(e, EDU_FAILED);
	} else if (e->job.waiting && e->job.prgi == prgi && e->job.tag.pasid == pasid) {
		edu_dma__answer(e, code == DMA_PAGE_OK ? EDU_DONE : EDU_INVALID);
	}
	update_stopped(e);
}
