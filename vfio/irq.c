/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * Interrupts of an assigned function: MSI-X, by eventfds that VFIO signals and KVM turns into the
 * guest's message without us.  The table is the PCI root's; the device's own table is the host
 * kernel's.  All vectors are armed together when the guest enables MSI-X, and masking happens on
 * our side of the eventfd, where an event that waits is the pending bit.
 */

#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lkvm/loop.h"
#include "lkvm/trace.h"
#include "lkvm/vm.h"
#include "vfio/device.h"

#define MSIX_VECTORS_MAX (PCI_MSIX_FLAGS_QSIZE + 1)

/* If the host is short of vectors, the first ones work: better than none. */
static void arm(struct vfio_dev *d)
{
	static struct ratelimit rl;
	int fd[MSIX_VECTORS_MAX] = { 0 }, ret;
	u32 i, n = d->nvec;

	for (i = 0; i < n; i++)
		fd[i] = pci__msix_fd(&d->pci, i);
	ret = cdev__set_irqs(d->fd, VFIO_PCI_MSIX_IRQ_INDEX, fd, n);
	if (ret > 0 && (u32)ret < n) {
		pr_guest(&rl, "%s: the host has only %d of %u interrupt vectors for it", d->name,
			 ret, n);
		n = ret;
		ret = cdev__set_irqs(d->fd, VFIO_PCI_MSIX_IRQ_INDEX, fd, n);
	}
	if (ret) {
		pr_guest(&rl, "%s: the host cannot give it %u interrupt vectors: %s", d->name, n,
			 ret < 0 ? strerror(-ret) : "too few are left");
		vfio_config__intx_off(d);
		return;
	}
	d->armed = n;
	trace(vfio_irq, "%s: %u vectors armed", d->name, n);
}

void vfio_irq__disarm(struct vfio_dev *d)
{
	static struct ratelimit rl;
	int err;

	if (!d->armed)
		return;
	err = cdev__set_irqs(d->fd, VFIO_PCI_MSIX_IRQ_INDEX, NULL, 0);
	if (err)
		pr_guest(&rl, "%s: cannot disable its interrupts: %s", d->name, strerror(-err));
	vfio_config__intx_off(d);
	d->armed = 0;
	trace(vfio_irq, "%s: disarmed", d->name);
}

/* The guest changed MSI-X enable (or function mask, which is not the host's business). */
static void changed(struct pci_func *f)
{
	struct vfio_dev *d = f->priv;
	bool on = pci__msix_enabled(f);

	if (on && !d->armed)
		arm(d);
	else if (!on)
		vfio_irq__disarm(d);
}

int vfio_irq__init(struct vfio_dev *d)
{
	u32 host = 0;
	u16 flags;
	int err;

	if (!d->msix_cap) {
		pr_warn("%s: has no MSI-X, and lkvm passes neither MSI nor INTx: the guest gets no "
			"interrupts from it",
			d->name);
		return 0;
	}
	memcpy(&flags, d->pci.cfg + d->msix_cap + PCI_MSIX_FLAGS, sizeof(flags));
	d->nvec = (flags & PCI_MSIX_FLAGS_QSIZE) + 1;
	err = cdev__irq_count(d->fd, VFIO_PCI_MSIX_IRQ_INDEX, &host);
	if (!err && host < d->nvec)
		err = -ENXIO;
	if (!err)
		err = pci__adopt_msix(&d->pci, d->msix_cap);
	if (err) {
		pr_err("%s: its MSI-X (%u vectors, %u of them VFIO's) cannot be used: %s", d->name,
		       d->nvec, host, strerror(-err));
		return err;
	}
	pci__msix_on_change(&d->pci, changed);
	return 0;
}

static void noticed(void *arg, u32 events)
{
	static struct ratelimit rl;
	struct vfio_notice *n = arg;
	eventfd_t count;

	if (eventfd_read(n->fd, &count) < 0)
		return;
	if (n->index == VFIO_PCI_REQ_IRQ_INDEX)
		pr_guest(&rl,
			 "%s: the host wants the device back; power the guest off to release it",
			 n->dev->name);
	else
		pr_guest(&rl,
			 "%s: the host reports an uncorrectable PCIe error of this device; "
			 "see its kernel log",
			 n->dev->name);
}

/* A host or a device that has none of these is fine too. */
static void watch(struct vfio_dev *d, struct vfio_notice *n, u32 index)
{
	u32 count = 0;

	if (cdev__irq_count(d->fd, index, &count) || !count)
		return;
	n->dev = d;
	n->index = index;
	n->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (n->fd < 0)
		return;
	n->lfd = loop__add(d->vm->loop, n->fd, EPOLLIN, noticed, n);
	if (n->lfd && !cdev__set_irqs(d->fd, index, &n->fd, 1))
		return;
	loop__del(n->lfd);
	close(n->fd);
	*n = (struct vfio_notice){ .fd = -1 };
}

void vfio_irq__watch(struct vfio_dev *d)
{
	watch(d, &d->notice[0], VFIO_PCI_ERR_IRQ_INDEX);
	watch(d, &d->notice[1], VFIO_PCI_REQ_IRQ_INDEX);
}

void vfio_irq__free(struct vfio_dev *d)
{
	struct vfio_notice *n;

	vfio_irq__disarm(d);
	for (n = d->notice; n < d->notice + ARRAY_SIZE(d->notice); n++) {
		loop__del(n->lfd);
		if (n->fd >= 0)
			close(n->fd);
		*n = (struct vfio_notice){ .fd = -1 };
	}
}
