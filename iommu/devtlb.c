/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Those who keep translations beyond a request (struct dma_listener).
 *
 * Device-TLBs (VT-d 4.3) hear what the guest asks of them by device-TLB descriptors.  Anything else is
 * a cache that the guest knows nothing of, so it goes with ours: it hears of every invalidation, of
 * whatever function, before a wait behind that completes.
 */

#include "iommu/vtd.h"
#include "lkvm/trace.h"

void vtd_devtlb__listen(void *iommu, struct dma_listener *l)
{
	struct vtd *vtd = iommu;

	l->next = vtd->listeners;
	vtd->listeners = l;
}

void vtd_devtlb__unlisten(void *iommu, struct dma_listener *l)
{
	struct vtd *vtd = iommu;

	for (struct dma_listener **p = &vtd->listeners; *p; p = &(*p)->next)
		if (*p == l) {
			*p = l->next;
			return;
		}
}

bool vtd_devtlb__invalidate(struct vtd *vtd, u16 sid, u32 pasid, u64 addr, u64 len, bool all)
{
	bool found = false;

	for (struct dma_listener *l = vtd->listeners; l; l = l->next)
		if (l->ats && l->sid == sid) {
			l->invalidate(l, pasid, addr, len, all);
			found = true;
		}
	return found;
}

void vtd_devtlb__respond(struct vtd *vtd, u16 sid, u32 pasid, u16 prgi, enum dma_page_resp code)
{
	trace(vtd_prq, "%02x:%02x.%x pasid %#x group %u response %u", sid >> 8, sid >> 3 & 0x1f,
	      sid & 7, pasid, prgi, code);
	for (struct dma_listener *l = vtd->listeners; l; l = l->next)
		if (l->ats && l->sid == sid && l->page_response)
			l->page_response(l, pasid, prgi, code);
}

void vtd_devtlb__changed(struct vtd *vtd, u64 addr, u64 len)
{
	for (struct dma_listener *l = vtd->listeners; l; l = l->next)
		if (!l->ats) {
			l->invalidate(l, DMA_NO_PASID, addr, len, false);
			vtd->work += VTD_WORK_HOST;
		}
}
