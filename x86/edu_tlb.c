/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * The test device's device-TLB (PCIe 10.2, 10.3): it asks for translations, keeps them until told
 * otherwise, and lets a guest look at what it keeps.
 */

#include <errno.h>

#include "x86/edu.h"
#include "x86/pci_priv.h"

bool edu_tlb__enabled(const struct edu *e)
{
	return pci_get16(e->pci.cfg, e->ats_cap + PCI_ATS_CTRL) & PCI_ATS_CTRL_ENABLE;
}

static struct edu_tlb_entry *lookup(struct edu *e, const struct edu_tag *tag, u64 addr)
{
	for (u32 i = 0; i < EDU_TLB_SIZE; i++) {
		struct edu_tlb_entry *t = &e->tlb.entry[i];
		bool global = t->global && tag->pasid != DMA_NO_PASID;

		if (addr - t->addr < t->size && (t->pasid == tag->pasid || global) &&
		    t->priv == !!(tag->attr & DMA_PRIV))
			return t;
	}
	return NULL;
}

const struct edu_tlb_entry *edu_tlb__find(struct edu *e, const struct edu_tag *tag, u64 addr)
{
	return lookup(e, tag, addr);
}

int edu_tlb__translate(struct edu *e, const struct edu_tag *tag, u64 addr, u8 access,
		       struct edu_tlb_entry *out)
{
	struct edu_tlb_entry *t = lookup(e, tag, addr);
	struct edu_tlb *tlb = &e->tlb;
	struct dma_ats ats;
	u8 need = access | (tag->attr & DMA_EXEC);

	if (t && (t->perm & need) == need) {
		*out = *t;
		return 0;
	}
	/* VT-d 7.1.2: what led to a page request must not be used again after the response. */
	if (t)
		t->size = 0;
	/* What is wanted for writes is wanted whole; for reads No Write is set (PCIe 10.2.2). */
	if (access & DMA_WRITE)
		access |= DMA_READ;
	tlb->requests++;
	if (dma__ats(&e->pci.dma, tag->pasid, ALIGN_DOWN(addr, 4096), access | tag->attr, &ats))
		return -EFAULT;
	if (!(ats.perm & (DMA_READ | DMA_WRITE)))
		return -EACCES; /* and nothing to keep */
	t = &tlb->entry[tlb->next++ % EDU_TLB_SIZE];
	*t = (struct edu_tlb_entry){
		.addr = ALIGN_DOWN(addr, ats.size),
		.size = ats.size,
		.gpa = ats.gpa,
		.pasid = tag->pasid,
		.perm = ats.perm,
		.priv = tag->attr & DMA_PRIV,
		.global = ats.global,
		.untranslated = ats.untranslated,
	};
	*out = *t;
	return (t->perm & need) == need ? 0 : -EACCES;
}

u32 edu_tlb__count(const struct edu *e)
{
	u32 n = 0;

	for (u32 i = 0; i < EDU_TLB_SIZE; i++)
		n += e->tlb.entry[i].size != 0;
	return n;
}

void edu_tlb__flush(struct edu *e)
{
	for (u32 i = 0; i < EDU_TLB_SIZE; i++)
		e->tlb.entry[i].size = 0;
}

/* A translation that is the same for all PASIDs goes with any of them. */
void edu_tlb__invalidate(struct dma_listener *l, u32 pasid, u64 addr, u64 len, bool all)
{
	struct edu *e = container_of(l, struct edu, listener);

	e->tlb.invalidations++;
	for (u32 i = 0; i < EDU_TLB_SIZE; i++) {
		struct edu_tlb_entry *t = &e->tlb.entry[i];
		/* Modulo 2^64: one begins inside the other. */
		bool hit = !len || addr - t->addr < t->size || t->addr - addr < len;

		if (t->size && hit && (all || t->pasid == pasid || t->global)) {
			t->size = 0;
			e->tlb.dropped++;
		}
	}
}
