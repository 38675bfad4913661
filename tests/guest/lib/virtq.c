/* SPDX-License-Identifier: GPL-2.0-only */

/* Driving a virtio device. */

#include "virtq.h"

#define LOW_BAR 0xd0000000UL

bool virtio_find(struct virtio *v, u16 device)
{
	u32 cap = 0;
	u64 cfg;

	v->devfn = pci_find(0x1af4, device, 0);
	if (v->devfn < 0)
		return false;
	cfg = PCI_CFG(v->devfn);
	pci_set_bar(v->devfn, 0, LOW_BAR);
	pci_enable(v->devfn);
	while ((cap = pci_cap(v->devfn, CAP_VENDOR, cap))) {
		u64 at = LOW_BAR + read32(cfg + cap + 8);

		switch (read8(cfg + cap + 3)) {
		case 1:
			v->common = at;
			break;
		case 2:
			if (read8(cfg + cap + 4) == 2) {
				v->port = read32(cfg + PCI_BAR0 + 8) & ~3u;
				break;
			}
			v->notify = at;
			v->notify_step = read32(cfg + cap + 16);
			break;
		case 3:
			v->isr = at;
			break;
		case 4:
			v->device = at;
			break;
		}
	}
	write32(v->common + C_DFSELECT, 1);
	v->features = (u64)read32(v->common + C_DF) << 32;
	write32(v->common + C_DFSELECT, 0);
	v->features |= read32(v->common + C_DF);
	return v->common && v->notify && v->isr;
}

u8 virtio_status(struct virtio *v)
{
	return read8(v->common + C_STATUS);
}

bool virtio_reset(struct virtio *v)
{
	write8(v->common + C_STATUS, 0);
	return virtio_status(v) == 0;
}

bool virtio_negotiate(struct virtio *v, u64 features)
{
	write8(v->common + C_STATUS, S_ACK);
	write8(v->common + C_STATUS, S_ACK | S_DRIVER);
	write32(v->common + C_GFSELECT, 0);
	write32(v->common + C_GF, features);
	write32(v->common + C_GFSELECT, 1);
	write32(v->common + C_GF, features >> 32);
	write8(v->common + C_STATUS, S_ACK | S_DRIVER | S_FEATURES_OK);
	return virtio_status(v) & S_FEATURES_OK;
}

void virtio_queue(struct virtio *v, u64 desc, u64 avail, u64 used, u16 size)
{
	write16(v->common + C_QSELECT, 0);
	write16(v->common + C_QSIZE, size);
	write64(v->common + C_QDESC, desc);
	write64(v->common + C_QAVAIL, avail);
	write64(v->common + C_QUSED, used);
	write16(v->common + C_QENABLE, 1);
}

bool virtio_start(struct virtio *v, struct virtq *q)
{
	v->q = q;
	memset(q, 0, sizeof(*q));
	virtio_queue(v, (u64)q->desc, (u64)&q->avail_flags, (u64)&q->used_flags, Q_SIZE);
	write8(v->common + C_STATUS, S_ACK | S_DRIVER | S_FEATURES_OK | S_DRIVER_OK);
	return virtio_status(v) == (S_ACK | S_DRIVER | S_FEATURES_OK | S_DRIVER_OK);
}

bool virtio_up(struct virtio *v, struct virtq *q, u64 extra)
{
	return virtio_reset(v) &&
	       virtio_negotiate(v, F_VERSION_1 | (v->features & F_PLATFORM) | extra) &&
	       virtio_start(v, q);
}

void virtio_add(struct virtio *v, u16 head)
{
	v->q->avail_ring[v->q->avail_idx % Q_SIZE] = head;
	asm volatile("" : : : "memory");
	v->q->avail_idx++;
}

void virtio_kick(struct virtio *v, u16 head)
{
	virtio_add(v, head);
	write16(v->notify + v->notify_step * read16(v->common + C_QNOTIFY), 0);
}

bool virtio_used(struct virtio *v, u16 idx)
{
	for (int i = 0; i < 100000 && v->q->used_idx != idx; i++)
		in8(0xed);
	return v->q->used_idx == idx;
}
