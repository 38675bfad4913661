/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The common configuration structure (virtio 4.1.4.3): feature negotiation, the status state
 * machine, and the set-up of queues.
 *
 * A driver should use each field's own width, but a hostile one need not: a table of fields turns
 * any access into whole-field reads and writes, in ascending order.
 */
#include <string.h>

#include "lkvm/trace.h"
#include "virtio/pci.h"
#include "virtio/queue.h"

static const struct {
	u8 off, size;
} fields[] = {
	{ VIRTIO_PCI_COMMON_DFSELECT, 4 },  { VIRTIO_PCI_COMMON_DF, 4 },
	{ VIRTIO_PCI_COMMON_GFSELECT, 4 },  { VIRTIO_PCI_COMMON_GF, 4 },
	{ VIRTIO_PCI_COMMON_MSIX, 2 },	    { VIRTIO_PCI_COMMON_NUMQ, 2 },
	{ VIRTIO_PCI_COMMON_STATUS, 1 },    { VIRTIO_PCI_COMMON_CFGGENERATION, 1 },
	{ VIRTIO_PCI_COMMON_Q_SELECT, 2 },  { VIRTIO_PCI_COMMON_Q_SIZE, 2 },
	{ VIRTIO_PCI_COMMON_Q_MSIX, 2 },    { VIRTIO_PCI_COMMON_Q_ENABLE, 2 },
	{ VIRTIO_PCI_COMMON_Q_NOFF, 2 },    { VIRTIO_PCI_COMMON_Q_DESCLO, 4 },
	{ VIRTIO_PCI_COMMON_Q_DESCHI, 4 },  { VIRTIO_PCI_COMMON_Q_AVAILLO, 4 },
	{ VIRTIO_PCI_COMMON_Q_AVAILHI, 4 }, { VIRTIO_PCI_COMMON_Q_USEDLO, 4 },
	{ VIRTIO_PCI_COMMON_Q_USEDHI, 4 },
};

/* The two halves of a 64-bit field that is written one at a time. */
static u32 half(u64 val, bool hi)
{
	return hi ? val >> 32 : val;
}

static void set_half(u64 *val, bool hi, u32 to)
{
	*val = hi ? (u64)to << 32 | (u32)*val : (*val & ~0xffffffffULL) | to;
}

static u32 read_queue(const struct virtq *vq, u32 off, u16 index)
{
	switch (off) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		return vq->size;
	case VIRTIO_PCI_COMMON_Q_MSIX:
		return vq->vector;
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		return vq->enabled;
	case VIRTIO_PCI_COMMON_Q_NOFF:
		return index;
	case VIRTIO_PCI_COMMON_Q_DESCLO:
	case VIRTIO_PCI_COMMON_Q_DESCHI:
		return half(vq->desc.addr, off == VIRTIO_PCI_COMMON_Q_DESCHI);
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
	case VIRTIO_PCI_COMMON_Q_AVAILHI:
		return half(vq->avail.addr, off == VIRTIO_PCI_COMMON_Q_AVAILHI);
	case VIRTIO_PCI_COMMON_Q_USEDLO:
	case VIRTIO_PCI_COMMON_Q_USEDHI:
		return half(vq->used.addr, off == VIRTIO_PCI_COMMON_Q_USEDHI);
	}
	return 0;
}

static u32 read_field(struct virtio_dev *dev, u32 off)
{
	struct virtio_pci *vp = dev->transport;

	switch (off) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		return vp->dfselect;
	case VIRTIO_PCI_COMMON_DF:
		return vp->dfselect < 2 ? half(vp->features, vp->dfselect) : 0;
	case VIRTIO_PCI_COMMON_GFSELECT:
		return vp->gfselect;
	case VIRTIO_PCI_COMMON_GF:
		return vp->gfselect < 2 ? half(vp->wanted, vp->gfselect) : 0;
	case VIRTIO_PCI_COMMON_MSIX:
		return vp->msix_config;
	case VIRTIO_PCI_COMMON_NUMQ:
		return dev->ops->nqueues;
	case VIRTIO_PCI_COMMON_STATUS:
		return dev->status;
	case VIRTIO_PCI_COMMON_CFGGENERATION:
		return vp->generation;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		return vp->queue_select;
	}
	if (vp->queue_select < dev->ops->nqueues)
		return read_queue(&dev->vq[vp->queue_select], off, vp->queue_select);
	/* virtio 4.1.4.3.1: size 0 says that there is no such queue */
	return off == VIRTIO_PCI_COMMON_Q_MSIX ? VIRTIO_MSI_NO_VECTOR : 0;
}

/* virtio 4.1.5.1.2.1: a vector that cannot be had reads back as none. */
static u16 vector(struct virtio_dev *dev, u32 val)
{
	return val <= dev->ops->nqueues ? val : VIRTIO_MSI_NO_VECTOR;
}

static void write_queue(struct virtio_dev *dev, struct virtq *vq, u32 off, u32 val)
{
	const char *why;

	if (off == VIRTIO_PCI_COMMON_Q_MSIX) {
		vq->vector = vector(dev, val);
		if (dev->ops->vector)
			dev->ops->vector(dev, vq - dev->vq);
		return;
	}
	if (vq->enabled) /* the rest is fixed from here on, until a reset */
		return;
	switch (off) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		if (val && val <= VIRTIO_QUEUE_MAX && !(val & (val - 1)))
			vq->size = val;
		break;
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		if (val != 1 || !(dev->status & VIRTIO_CONFIG_S_FEATURES_OK) ||
		    (dev->status & VIRTIO_CONFIG_S_NEEDS_RESET))
			break;
		why = virtq__enable(dev, vq);
		if (why)
			virtio__fail(dev, why);
		break;
	case VIRTIO_PCI_COMMON_Q_DESCLO:
	case VIRTIO_PCI_COMMON_Q_DESCHI:
		set_half(&vq->desc.addr, off == VIRTIO_PCI_COMMON_Q_DESCHI, val);
		break;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
	case VIRTIO_PCI_COMMON_Q_AVAILHI:
		set_half(&vq->avail.addr, off == VIRTIO_PCI_COMMON_Q_AVAILHI, val);
		break;
	case VIRTIO_PCI_COMMON_Q_USEDLO:
	case VIRTIO_PCI_COMMON_Q_USEDHI:
		set_half(&vq->used.addr, off == VIRTIO_PCI_COMMON_Q_USEDHI, val);
		break;
	}
}

/*
 * virtio 3.1.1 step 5.  Only this device model's way exists: VERSION_1, and behind an IOMMU
 * addresses that the driver knows to be DMA addresses (virtio 6.1: ACCESS_PLATFORM).
 */
static bool features_ok(struct virtio_dev *dev)
{
	struct virtio_pci *vp = dev->transport;
	u64 must = BIT(VIRTIO_F_VERSION_1);

	if (dev->pci.dma.ops)
		must |= BIT(VIRTIO_F_ACCESS_PLATFORM);
	return !(vp->wanted & ~vp->features) && (vp->wanted & must) == must;
}

static void start(struct virtio_dev *dev)
{
	if (dev->ops->start)
		dev->ops->start(dev);
	for (unsigned int q = 0; q < dev->ops->nqueues; q++)
		virtio_pci__notify(dev, q);
}

static void write_status(struct virtio_dev *dev, u8 val)
{
	struct virtio_pci *vp = dev->transport;
	u8 old = dev->status, new;

	if (!val) {
		trace(virtio, "%s reset by the driver", dev->pci.name);
		virtio_pci__reset(dev);
		return;
	}
	/* virtio 2.1.1: a driver only ever adds bits; NEEDS_RESET is the device's. */
	new = (val & ~old) &
	      (VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK |
	       VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_FAILED);
	if (new &VIRTIO_CONFIG_S_FEATURES_OK) {
		if (features_ok(dev))
			dev->driver_features = vp->wanted;
		else
			new &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	}
	if (!((old | new) & VIRTIO_CONFIG_S_FEATURES_OK) || (old & VIRTIO_CONFIG_S_NEEDS_RESET))
		new &= ~VIRTIO_CONFIG_S_DRIVER_OK;
	dev->status |= new;
	trace(virtio, "%s status %#x, wrote %#x, features %#llx", dev->pci.name, dev->status, val,
	      dev->driver_features);
	if (new &VIRTIO_CONFIG_S_DRIVER_OK)
		start(dev);
}

static void write_field(struct virtio_dev *dev, u32 off, u32 val)
{
	struct virtio_pci *vp = dev->transport;

	switch (off) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		vp->dfselect = val;
		return;
	case VIRTIO_PCI_COMMON_GFSELECT:
		vp->gfselect = val;
		return;
	case VIRTIO_PCI_COMMON_GF:
		if (vp->gfselect < 2 && !(dev->status & VIRTIO_CONFIG_S_FEATURES_OK))
			set_half(&vp->wanted, vp->gfselect, val);
		return;
	case VIRTIO_PCI_COMMON_MSIX:
		vp->msix_config = vector(dev, val);
		return;
	case VIRTIO_PCI_COMMON_STATUS:
		write_status(dev, val);
		return;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		vp->queue_select = val;
		return;
	}
	if (off > VIRTIO_PCI_COMMON_Q_SELECT && vp->queue_select < dev->ops->nqueues)
		write_queue(dev, &dev->vq[vp->queue_select], off, val);
}

void virtio_common__access(struct virtio_dev *dev, u32 off, u8 *data, u32 len, bool write)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(fields); i++) {
		u32 at = fields[i].off, end = at + fields[i].size;
		u32 from = MAX(off, at), to = MIN(off + len, end);
		u32 val;

		if (from >= to)
			continue;
		val = read_field(dev, at);
		if (write) {
			memcpy((u8 *)&val + (from - at), data + (from - off), to - from);
			write_field(dev, at, val);
		} else {
			memcpy(data + (from - off), (u8 *)&val + (from - at), to - from);
		}
	}
}
