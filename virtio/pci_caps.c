/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The vendor capabilities that tell a driver where the structures are (virtio 4.1.4), and the last
 * of them, a window through which firmware without the BAR mapped reaches it (virtio 4.1.4.9).
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

static int add_cap(struct virtio_dev *dev, u8 type, u32 off, u32 size, bool extra)
{
	u32 len = 2 + sizeof(struct cap_body) - (extra ? 0 : 4);
	struct cap_body body = {
		.len = len,
		.type = type,
		.bar = VIRTIO_BAR,
		.off = off,
		.size = size,
		.extra = type == VIRTIO_PCI_CAP_NOTIFY_CFG ? VIRTIO_NOTIFY_STEP : 0,
	};

	return pci__add_cap(&dev->pci, PCI_CAP_ID_VNDR, &body, len);
}

int virtio_caps__add(struct virtio_dev *dev)
{
	struct virtio_pci *vp = dev->transport;
	struct pci_func *f = &dev->pci;
	int err;

	err = add_cap(dev, VIRTIO_PCI_CAP_COMMON_CFG, 0, VIRTIO_COMMON_SIZE, false);
	if (err < 0)
		return err;
	err = add_cap(dev, VIRTIO_PCI_CAP_ISR_CFG, VIRTIO_BAR_ISR, 1, false);
	if (err < 0)
		return err;
	err = add_cap(dev, VIRTIO_PCI_CAP_NOTIFY_CFG, VIRTIO_BAR_NOTIFY,
		      VIRTIO_NOTIFY_STEP * dev->ops->nqueues, true);
	if (err < 0)
		return err;
	if (dev->ops->cfg_len) {
		err = add_cap(dev, VIRTIO_PCI_CAP_DEVICE_CFG, VIRTIO_BAR_DEVICE, dev->ops->cfg_len,
			      false);
		if (err < 0)
			return err;
	}
	err = add_cap(dev, VIRTIO_PCI_CAP_PCI_CFG, 0, 0, true);
	if (err < 0)
		return err;
	vp->window = err;
	f->wmask[vp->window + VIRTIO_PCI_CAP_BAR] = 0xff;
	memset(&f->wmask[vp->window + VIRTIO_PCI_CAP_OFFSET], 0xff, 12); /* offset, length, data */
	return 0;
}

/* What the window shows; false if it is set to nothing that can be accessed. */
static bool window(struct pci_func *f, u32 *off, u32 *len)
{
	struct virtio_dev *dev = f->priv;
	struct virtio_pci *vp = dev->transport;
	const u8 *cap = &f->cfg[vp->window];

	memcpy(off, cap + VIRTIO_PCI_CAP_OFFSET, 4);
	memcpy(len, cap + VIRTIO_PCI_CAP_LENGTH, 4);
	if (cap[VIRTIO_PCI_CAP_BAR] != VIRTIO_BAR || (*len != 1 && *len != 2 && *len != 4))
		return false;
	/* MSI-X, behind these two pages, is the root's and not reached this way. */
	return *off < VIRTIO_BAR_TABLE && *off % *len == 0;
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
	u32 boff, blen, shift = 8 * (off % 4);
	u8 data[4] = { 0 };
	u32 word;

	if (!hits(f, off, len) || !window(f, &boff, &blen))
		return false;
	virtio_pci__access(dev, boff, data, blen, false);
	memcpy(&word, data, 4);
	word >>= shift;
	*val = len < 4 ? word & GENMASK(8 * len - 1, 0) : word;
	return true;
}

void virtio_caps__cfg_written(struct pci_func *f, u32 off, u32 len, u32 val)
{
	struct virtio_dev *dev = f->priv;
	struct virtio_pci *vp = dev->transport;
	u32 boff, blen;
	u8 data[4];

	if (!hits(f, off, len) || !window(f, &boff, &blen))
		return;
	memcpy(data, &f->cfg[vp->window + sizeof(struct virtio_pci_cap)], 4);
	virtio_pci__access(dev, boff, data, blen, true);
}
