/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The vendor capabilities that tell a driver where the structures are (virtio 4.1.4), and the last
 * of them, a window through which firmware without the BARs mapped reaches them (virtio 4.1.4.9).
 */
#include <linux/pci_regs.h>
#include <string.h>

#include "virtio/pci.h"

/* Behind the two bytes the root writes. */
struct cap_body {
	u8 len, type, bar, id, pad[2];
	u32 off, size;
	u32 extra; /* notify: the multiplier; window: the data */
} __attribute__((packed));

static int put_cap(struct virtio_dev *dev, struct cap_body body, bool extra)
{
	body.len = 2 + sizeof(body) - (extra ? 0 : 4);
	return pci__add_cap(&dev->pci, PCI_CAP_ID_VNDR, &body, body.len);
}

static int add_cap(struct virtio_dev *dev, u8 type, u32 off, u32 size)
{
	struct cap_body body = { .type = type, .bar = VIRTIO_BAR, .off = off, .size = size };

	return put_cap(dev, body, type == VIRTIO_PCI_CAP_PCI_CFG);
}

/* The first is the device's preference (virtio 4.1.4).  The second is for whoever has no I/O ports to give. */
static int add_notify_caps(struct virtio_dev *dev)
{
	struct cap_body port = {
		.type = VIRTIO_PCI_CAP_NOTIFY_CFG,
		.bar = VIRTIO_BAR_PORT,
		.size = VIRTIO_PORT_SIZE,
	};
	struct cap_body mem = {
		.type = VIRTIO_PCI_CAP_NOTIFY_CFG,
		.bar = VIRTIO_BAR,
		.off = VIRTIO_BAR_NOTIFY,
		.size = VIRTIO_NOTIFY_STEP * dev->ops->nqueues,
		.extra = VIRTIO_NOTIFY_STEP,
	};
	int err = put_cap(dev, port, true);

	return err < 0 ? err : put_cap(dev, mem, true);
}

int virtio_caps__add(struct virtio_dev *dev)
{
	struct virtio_pci *vp = dev->transport;
	struct pci_func *f = &dev->pci;
	int err;

	err = add_cap(dev, VIRTIO_PCI_CAP_COMMON_CFG, 0, VIRTIO_COMMON_SIZE);
	if (err < 0)
		return err;
	err = add_cap(dev, VIRTIO_PCI_CAP_ISR_CFG, VIRTIO_BAR_ISR, 1);
	if (err < 0)
		return err;
	err = add_notify_caps(dev);
	if (err < 0)
		return err;
	if (dev->ops->cfg_len) {
		err = add_cap(dev, VIRTIO_PCI_CAP_DEVICE_CFG, VIRTIO_BAR_DEVICE, dev->ops->cfg_len);
		if (err < 0)
			return err;
	}
	err = add_cap(dev, VIRTIO_PCI_CAP_PCI_CFG, 0, 0);
	if (err < 0)
		return err;
	vp->window = err;
	f->wmask[vp->window + VIRTIO_PCI_CAP_BAR] = 0xff;
	memset(&f->wmask[vp->window + VIRTIO_PCI_CAP_OFFSET], 0xff, 12); /* offset, length, data */
	return 0;
}

struct window {
	u32 bar, off, len;
};

/* What the window shows; false if it is set to nothing that can be accessed. */
static bool window(struct pci_func *f, struct window *w)
{
	struct virtio_dev *dev = f->priv;
	struct virtio_pci *vp = dev->transport;
	const u8 *cap = &f->cfg[vp->window];
	u32 end;

	w->bar = cap[VIRTIO_PCI_CAP_BAR];
	memcpy(&w->off, cap + VIRTIO_PCI_CAP_OFFSET, 4);
	memcpy(&w->len, cap + VIRTIO_PCI_CAP_LENGTH, 4);
	if (w->len != 1 && w->len != 2 && w->len != 4)
		return false;
	/* MSI-X, behind the first two pages, is the root's and not reached this way. */
	if (w->bar == VIRTIO_BAR)
		end = VIRTIO_BAR_TABLE;
	else
		end = w->bar == VIRTIO_BAR_PORT ? VIRTIO_PORT_SIZE : 0;
	return w->off < end && w->off % w->len == 0;
}

/* Is the access to the data field? */
static bool hits(struct pci_func *f, u32 off, u32 len)
{
	struct virtio_dev *dev = f->priv;
	struct virtio_pci *vp = dev->transport;
	u32 data = vp->window + sizeof(struct virtio_pci_cap);

	return vp->window && off < data + 4 && off + len > data;
}

bool virtio_caps__cfg_read(struct pci_func *f, u32 off, u32 len, u32 *val)
{
	struct virtio_dev *dev = f->priv;
	u32 word, shift = 8 * (off % 4);
	u8 data[4] = { 0 };
	struct window w;

	if (!hits(f, off, len) || !window(f, &w))
		return false;
	virtio_pci__access(dev, w.bar, w.off, data, w.len, false);
	memcpy(&word, data, 4);
	word >>= shift;
	*val = len < 4 ? word & GENMASK(8 * len - 1, 0) : word;
	return true;
}

void virtio_caps__cfg_written(struct pci_func *f, u32 off, u32 len, u32 val)
{
	struct virtio_dev *dev = f->priv;
	struct virtio_pci *vp = dev->transport;
	struct window w;
	u8 data[4];

	if (!hits(f, off, len) || !window(f, &w))
		return;
	memcpy(data, &f->cfg[vp->window + sizeof(struct virtio_pci_cap)], 4);
	virtio_pci__access(dev, w.bar, w.off, data, w.len, true);
}
