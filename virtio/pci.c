/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The modern PCI transport (virtio 4.1): a device's life as a PCI function, doorbells and
 * interrupts.  Registers are in pci_common.c, capabilities in pci_caps.c.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lkvm/bus.h"
#include "lkvm/loop.h"
#include "lkvm/trace.h"
#include "lkvm/vm.h"
#include "virtio/pci.h"
#include "virtio/queue.h"

#define VENDOR	    0x1af4
#define DEVICE_BASE 0x1040
#define SUBSYSTEM   0x1100 /* virtio 4.1.2.1: 0x40 or above */

/* --- Doorbells --- */

void virtio_pci__notify(struct virtio_dev *dev, unsigned int q)
{
	u8 live = dev->status & (VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_NEEDS_RESET);

	dev->walked = 0;
	if (live == VIRTIO_CONFIG_S_DRIVER_OK && q < dev->ops->nqueues && dev->vq[q].enabled)
		dev->ops->notify(dev, q);
}

/* Edge-triggered: each signal is an edge, so that nobody has to read what they add up to. */
static void kicked(void *arg, u32 events)
{
	struct virtio_kick *kick = arg;

	virtio_pci__notify(kick->dev, kick->q);
}

void virtq__again(struct virtio_dev *dev, unsigned int q)
{
	struct virtio_pci *vp = dev->transport;
	u64 one = 1;

	/* The counter is 64 bits wide: it does not fill. */
	if (write(vp->kick[q].fd, &one, sizeof(one)) < 0)
		virtio__fail(dev, "an eventfd cannot be written");
}

int virtio_pci__kick_fd(struct virtio_dev *dev, unsigned int q)
{
	struct virtio_pci *vp = dev->transport;

	return vp->kick[q].fd;
}

void virtio_pci__give_kick(struct virtio_dev *dev, unsigned int q)
{
	struct virtio_pci *vp = dev->transport;

	loop__del(vp->kick[q].lfd);
	vp->kick[q].lfd = NULL;
}

typedef int bell_fn(struct bus *bus, u64 addr, u32 len, const u64 *match, int fd);

/* bus__ioeventfd() or bus__ioeventfd_del() for the doorbell of @kick in @bar, which is at @base. */
static int bell(bell_fn *fn, struct vm *vm, const struct virtio_kick *kick, int bar, u64 base)
{
	u64 q = kick->q;

	if (bar == VIRTIO_BAR_PORT)
		return fn(vm->pio, base, 2, &q, kick->fd);
	return fn(vm->mmio, base + VIRTIO_BAR_NOTIFY + VIRTIO_NOTIFY_STEP * q, 0, NULL, kick->fd);
}

static void bar_moved(struct pci_func *f, int bar, u64 gpa)
{
	struct virtio_dev *dev = f->priv;
	struct virtio_pci *vp = dev->transport;
	u64 *at = bar == VIRTIO_BAR_PORT ? &vp->port : &vp->gpa;

	for (unsigned int q = 0; q < dev->ops->nqueues; q++) {
		struct virtio_kick *kick = &vp->kick[q];

		if (kick->armed & BIT(bar))
			bell(bus__ioeventfd_del, vp->vm, kick, bar, *at);
		kick->armed &= ~BIT(bar);
		/* Where KVM refuses, the write arrives in virtio_pci__access() instead. */
		if (gpa != PCI_BAR_UNMAPPED && !bell(bus__ioeventfd, vp->vm, kick, bar, gpa))
			kick->armed |= BIT(bar);
	}
	*at = gpa;
}

static int kicks_new(struct virtio_dev *dev)
{
	struct virtio_pci *vp = dev->transport;

	for (unsigned int q = 0; q < dev->ops->nqueues; q++) {
		struct virtio_kick *kick = &vp->kick[q];

		kick->dev = dev;
		kick->q = q;
		kick->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (kick->fd < 0)
			return -errno;
		kick->lfd = loop__add(vp->vm->loop, kick->fd, EPOLLIN | EPOLLET, kicked, kick);
		if (!kick->lfd)
			return -errno;
	}
	return 0;
}

static void kicks_free(struct virtio_dev *dev)
{
	struct virtio_pci *vp = dev->transport;

	for (unsigned int q = 0; q < dev->ops->nqueues; q++) {
		loop__del(vp->kick[q].lfd);
		if (vp->kick[q].fd >= 0)
			close(vp->kick[q].fd);
	}
}

/* --- Interrupts --- */

void virtio_pci__signal(struct virtio_dev *dev, u16 vector)
{
	struct virtio_pci *vp = dev->transport;

	/* virtio 4.1.4.5.1: the ISR is for drivers without MSI-X */
	if (!pci__msix_enabled(&dev->pci))
		vp->isr |= VIRTIO_ISR_QUEUE;
	else if (vector != VIRTIO_MSI_NO_VECTOR)
		pci__msix_fire(&dev->pci, vector);
}

/* virtio 4.1.5.3, 4.1.5.4 */
static void signal_config(struct virtio_dev *dev)
{
	struct virtio_pci *vp = dev->transport;

	if (!(dev->status & VIRTIO_CONFIG_S_DRIVER_OK))
		return;
	vp->isr |= VIRTIO_ISR_CONFIG;
	if (pci__msix_enabled(&dev->pci) && vp->msix_config != VIRTIO_MSI_NO_VECTOR)
		pci__msix_fire(&dev->pci, vp->msix_config);
}

void virtio__config_changed(struct virtio_dev *dev)
{
	struct virtio_pci *vp = dev->transport;

	vp->generation++;
	signal_config(dev);
}

void virtio__fail(struct virtio_dev *dev, const char *why)
{
	static struct ratelimit rl;

	if (dev->status & VIRTIO_CONFIG_S_NEEDS_RESET)
		return;
	pr_guest(&rl, "%s: %s; stopped until the guest's driver resets it", dev->pci.name, why);
	dev->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	signal_config(dev);
}

/* --- The BARs --- */

static void device_access(struct virtio_dev *dev, u32 off, u8 *data, u32 len, bool write)
{
	const struct virtio_ops *ops = dev->ops;

	if (off >= ops->cfg_len)
		return;
	len = MIN(len, ops->cfg_len - off);
	if (!write)
		ops->cfg_read(dev, off, data, len);
	else if (ops->cfg_write)
		ops->cfg_write(dev, off, data, len);
}

static void isr_access(struct virtio_dev *dev, u8 *data, bool write)
{
	struct virtio_pci *vp = dev->transport;

	if (write)
		return;
	*data = vp->isr;
	vp->isr = 0; /* virtio 4.1.4.5: reading acknowledges */
}

/* virtio 4.1.5.2: 16 bits, the queue's number. */
static void port_access(struct virtio_dev *dev, u64 off, const u8 *data, u32 len, bool write)
{
	if (write && !off)
		virtio_pci__notify(dev, len == 1 ? data[0] : data[0] | data[1] << 8);
}

void virtio_pci__access(struct virtio_dev *dev, int bar, u64 off, u8 *data, u32 len, bool write)
{
	u64 end = off + len;

	if (!write)
		memset(data, 0, len);
	if (bar == VIRTIO_BAR_PORT) {
		port_access(dev, off, data, len, write);
		return;
	}
	if (off >= VIRTIO_BAR_NOTIFY) {
		if (write)
			virtio_pci__notify(dev, (off - VIRTIO_BAR_NOTIFY) / VIRTIO_NOTIFY_STEP);
		return;
	}
	/* The structures are further apart than an access is long, so it meets one of them. */
	if (off < VIRTIO_COMMON_SIZE) {
		virtio_common__access(dev, off, data, len, write);
	} else if (off <= VIRTIO_BAR_ISR && end > VIRTIO_BAR_ISR) {
		isr_access(dev, data + (VIRTIO_BAR_ISR - off), write);
	} else if (end > VIRTIO_BAR_DEVICE) {
		u32 skip = off < VIRTIO_BAR_DEVICE ? VIRTIO_BAR_DEVICE - off : 0;

		device_access(dev, off + skip - VIRTIO_BAR_DEVICE, data + skip, len - skip, write);
	}
}

static void bar_access(struct pci_func *f, int bar, u64 off, u8 *data, u32 len, bool write)
{
	virtio_pci__access(f->priv, bar, off, data, len, write);
}

/* --- Life --- */

void virtio_pci__reset(struct virtio_dev *dev)
{
	struct virtio_pci *vp = dev->transport;

	/* First no completion can reach the rings, then the device drops its work. */
	dev->epoch++;
	dev->status = 0;
	if (dev->ops->reset)
		dev->ops->reset(dev);
	dev->driver_features = 0;
	for (unsigned int q = 0; q < dev->ops->nqueues; q++)
		virtq__reset(&dev->vq[q]);
	vp->wanted = 0;
	vp->dfselect = vp->gfselect = 0;
	vp->msix_config = VIRTIO_MSI_NO_VECTOR;
	vp->queue_select = 0;
	vp->isr = 0;
	vp->master = pci__bus_master(&dev->pci);
}

static void func_reset(struct pci_func *f)
{
	virtio_pci__reset(f->priv);
}

/* A kernel that starts another over itself counts on this to end all DMA. */
static void follow_master(struct virtio_dev *dev)
{
	struct virtio_pci *vp = dev->transport;
	bool on = pci__bus_master(&dev->pci);

	if (on == vp->master)
		return;
	vp->master = on;
	if (!(dev->status & VIRTIO_CONFIG_S_DRIVER_OK) ||
	    (on && dev->status & VIRTIO_CONFIG_S_NEEDS_RESET))
		return;
	if (dev->ops->master)
		dev->ops->master(dev, on);
	/* Doorbells of meanwhile found nothing. */
	for (unsigned int q = 0; on && q < dev->ops->nqueues; q++)
		virtio_pci__notify(dev, q);
}

static void cfg_written(struct pci_func *f, u32 off, u32 len, u32 val)
{
	virtio_caps__cfg_written(f, off, len, val);
	follow_master(f->priv);
}

static const struct pci_func_ops func_ops = {
	.bar_access = bar_access,
	.bar_moved = bar_moved,
	.cfg_read = virtio_caps__cfg_read,
	.cfg_written = cfg_written,
	.reset = func_reset,
};

static int describe_func(struct virtio_dev *dev)
{
	struct pci_func *f = &dev->pci;
	int err;

	f->ops = &func_ops;
	f->priv = dev;
	pci__init_func(f, VENDOR, DEVICE_BASE + dev->ops->device_id, dev->ops->class_code, 1);
	pci__set_subsystem(f, VENDOR, SUBSYSTEM);
	err = pci__add_bar(f, VIRTIO_BAR, VIRTIO_BAR_SIZE, PCI_BASE_ADDRESS_MEM_TYPE_64);
	if (!err)
		err = pci__add_bar(f, VIRTIO_BAR_PORT, VIRTIO_PORT_SIZE, PCI_BASE_ADDRESS_SPACE_IO);
	if (err)
		return err;
	/* One vector per queue and one for configuration changes. */
	err = pci__add_msix(f, VIRTIO_BAR, dev->ops->nqueues + 1, VIRTIO_BAR_TABLE, VIRTIO_BAR_PBA);
	if (err < 0)
		return err;
	return virtio_caps__add(dev);
}

int virtio_pci__add(struct vm *vm, struct virtio_dev *dev, const char *name)
{
	struct virtio_pci *vp;
	int err = -ENOMEM;

	vp = calloc(1, sizeof(*vp));
	dev->vq = calloc(dev->ops->nqueues, sizeof(*dev->vq));
	if (!vp || !dev->vq) {
		pr_err("%s: out of memory", name);
		goto err_free;
	}
	dev->transport = vp;
	dev->pci.name = name;
	vp->vm = vm;
	vp->gpa = vp->port = PCI_BAR_UNMAPPED;
	vp->msix_config = VIRTIO_MSI_NO_VECTOR;
	for (unsigned int q = 0; q < VIRTIO_QUEUES; q++)
		vp->kick[q].fd = -1;
	for (unsigned int q = 0; q < dev->ops->nqueues; q++)
		virtq__reset(&dev->vq[q]);

	err = kicks_new(dev); /* before the BAR can move */
	if (!err)
		err = describe_func(dev);
	if (err) {
		pr_err("%s: cannot be set up: %s; use fewer devices", name, strerror(-err));
		goto err_kicks;
	}
	err = pci__add(vm->pci, &dev->pci, -1);
	if (err) /* it has said why */
		goto err_kicks;
	vp->features = dev->ops->features | BIT(VIRTIO_F_VERSION_1) |
		       BIT(VIRTIO_RING_F_INDIRECT_DESC) | BIT(VIRTIO_RING_F_EVENT_IDX);
	if (dev->pci.dma.ops)
		vp->features |= BIT(VIRTIO_F_ACCESS_PLATFORM);
	return 0;

err_kicks:
	pci__del(&dev->pci); /* what it holds of a function half described */
	kicks_free(dev);
err_free:
	free(dev->vq);
	free(vp);
	dev->vq = NULL;
	dev->transport = NULL;
	return err;
}

void virtio_pci__del(struct virtio_dev *dev)
{
	pci__del(&dev->pci);
	kicks_free(dev);
	free(dev->vq);
	free(dev->transport);
	dev->vq = NULL;
	dev->transport = NULL;
}
