/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The calls to the host's IOMMU that change what a device reaches, and what is owed when one is
 * refused.  A page table is replaced by attaching the new one: there is no moment in between.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "iommu/bind.h"
#include "lkvm/trace.h"

static int free_hwpt(struct vtd_bind *dev, struct bind_hwpt *hwpt)
{
	int err = dev->host.ops->free(dev->host.dev, hwpt->id);

	trace(hwpt_free, "%s hwpt=%u result=%d", bind__bdf(dev->sid), hwpt->id, err);
	if (!err)
		free(hwpt);
	return err;
}

/* Nothing is attached to @hwpt any more: destroy it, now or later.  NULL is fine. */
static void drop_hwpt(struct vtd_bind *dev, struct bind_hwpt *hwpt)
{
	if (hwpt && free_hwpt(dev, hwpt)) {
		hwpt->next = dev->zombies;
		dev->zombies = hwpt;
	}
}

void bind_host__reap(struct vtd_bind *dev)
{
	struct bind_hwpt *hwpt = dev->zombies;

	dev->zombies = NULL;
	while (hwpt) {
		struct bind_hwpt *next = hwpt->next;

		drop_hwpt(dev, hwpt);
		hwpt = next;
	}
}

/* @b now is on @hwpt (NULL: the parent or nothing); the page table it was on is not used any more.
 */
static void moved(struct vtd_bind *dev, struct binding *b, enum bind_state state,
		  struct bind_hwpt *hwpt)
{
	struct bind_hwpt *old = b->hwpt;

	b->state = state;
	b->hwpt = hwpt;
	b->stuck = false;
	/* What was to be invalidated went with the old page table. */
	b->flush_all = false;
	b->n_ranges = 0;
	drop_hwpt(dev, old);
}

static void count_attach(struct vtd *vtd, struct binding *b)
{
	if (b->state == BIND_BLOCKED) {
		vtd->stats.attach++;
		b->attaches++;
	} else {
		vtd->stats.replace++;
		b->replaces++;
	}
}

int bind_host__nest(struct vtd *vtd, struct vtd_bind *dev, struct binding *b,
		    const struct host_s1 *s1)
{
	struct bind_hwpt *hwpt = calloc(1, sizeof(*hwpt));
	int err;

	if (!hwpt)
		return -ENOMEM;
	vtd->work += 3 * VTD_WORK_HOST; /* alloc, attach, free */
	err = dev->host.ops->alloc(dev->host.dev, s1, &hwpt->id);
	trace(hwpt_alloc, "%s pasid=%s hwpt=%u pgtbl=0x%llx width=%u result=%d",
	      bind__bdf(dev->sid), bind__pasid(b->pasid), hwpt->id, s1->pgtbl, s1->width, err);
	if (err) {
		free(hwpt);
		return err;
	}
	err = dev->host.ops->attach(dev->host.dev, b->pasid, hwpt->id);
	trace(bind_attach, "%s pasid=%s hwpt=%u result=%d", bind__bdf(dev->sid),
	      bind__pasid(b->pasid), hwpt->id, err);
	if (err) {
		drop_hwpt(dev, hwpt);
		return err;
	}
	count_attach(vtd, b);
	moved(dev, b, BIND_NESTED, hwpt);
	return 0;
}

int bind_host__parent(struct vtd *vtd, struct vtd_bind *dev, struct binding *b)
{
	int err;

	if (b->state == BIND_PARENT) {
		b->stuck = false;
		return 0;
	}
	vtd->work += 2 * VTD_WORK_HOST; /* attach, free */
	err = dev->host.ops->attach(dev->host.dev, b->pasid, dev->host.parent);
	trace(bind_parent, "%s pasid=%s hwpt=%u result=%d", bind__bdf(dev->sid),
	      bind__pasid(b->pasid), dev->host.parent, err);
	if (err)
		return err;
	count_attach(vtd, b);
	vtd->stats.to_parent++;
	moved(dev, b, BIND_PARENT, NULL);
	return 0;
}

int bind_host__block(struct vtd *vtd, struct vtd_bind *dev, struct binding *b)
{
	int err;

	if (b->state == BIND_BLOCKED)
		return 0;
	vtd->work += 2 * VTD_WORK_HOST; /* detach, free */
	err = dev->host.ops->detach(dev->host.dev, b->pasid);
	trace(bind_detach, "%s pasid=%s hwpt=%u result=%d", bind__bdf(dev->sid),
	      bind__pasid(b->pasid), b->hwpt ? b->hwpt->id : dev->host.parent, err);
	if (err) {
		b->stuck = true;
		return err;
	}
	vtd->stats.detach++;
	moved(dev, b, BIND_BLOCKED, NULL);
	return 0;
}

void bind_host__give_up(struct vtd *vtd, struct vtd_bind *dev, struct binding *b, const char *what,
			int err)
{
	pr_err(
	    "%s (guest %s, pasid %s): the host refused to %s: %s; stopping, since nobody can vouch "
	    "for its DMA: see the host's kernel log",
	    dev->host.name, bind__bdf(dev->sid), bind__pasid(b->pasid), what, strerror(-err));
	vtd->isolation_lost = true;
	vm__stop(vtd->vm, VM_ISOLATION);
}

static void settle(struct vtd *vtd, struct vtd_bind *dev, struct binding *b)
{
	int err;

	if (!b->stuck)
		return;
	err = bind_host__block(vtd, dev, b);
	if (err)
		bind_host__give_up(vtd, dev, b, "detach it", err);
}

void bind_host__settle(struct vtd *vtd, struct vtd_bind *dev)
{
	bind__work(vtd, dev);
	settle(vtd, dev, &dev->rid);
	for (struct binding *b = dev->pasids; b; b = b->next)
		settle(vtd, dev, b);
	bind_host__reap(dev);
}
