/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef GUEST_VIRTQ_H
#define GUEST_VIRTQ_H

/* A virtio device over modern PCI with one split queue, driven as well or as badly as one likes. */

#include "pci.h"

#define Q_SIZE 16

#define S_ACK	      1
#define S_DRIVER      2
#define S_DRIVER_OK   4
#define S_FEATURES_OK 8
#define S_NEEDS_RESET 0x40
#define S_FAILED      0x80

#define F_VERSION_1   BIT(32)
#define F_PLATFORM    BIT(33)
#define F_INDIRECT    BIT(28)
#define F_EVENT_IDX   BIT(29)

#define D_NEXT	   1
#define D_WRITE	   2
#define D_INDIRECT 4

/* The common configuration structure (virtio 4.1.4.3). */
#define C_DFSELECT 0x00
#define C_DF	   0x04
#define C_GFSELECT 0x08
#define C_GF	   0x0c
#define C_MSIX	   0x10
#define C_NUMQ	   0x12
#define C_STATUS   0x14
#define C_QSELECT  0x16
#define C_QSIZE	   0x18
#define C_QMSIX	   0x1a
#define C_QENABLE  0x1c
#define C_QNOTIFY  0x1e
#define C_QDESC	   0x20
#define C_QAVAIL   0x28
#define C_QUSED	   0x30

struct desc {
	u64 addr;
	u32 len;
	u16 flags, next;
};

struct virtq {
	volatile struct desc desc[Q_SIZE];
	volatile u16 avail_flags, avail_idx, avail_ring[Q_SIZE], used_event;
	u16 pad __attribute__((aligned(8)));
	volatile u16 used_flags __attribute__((aligned(64))), used_idx;
	volatile struct {
		u32 id, len;
	} used[Q_SIZE];
	volatile u16 avail_event;
};

struct virtio {
	int devfn;
	u64 common, notify, isr, device;
	u32 notify_step;
	u16 port; /* for notifications too */
	struct virtq *q;
	u64 features; /* offered */
};

/* Find the @device's structures; memory BARs are moved below 4 GiB.  False if it is not there. */
bool virtio_find(struct virtio *v, u16 device);
u8 virtio_status(struct virtio *v);
/* Write 0 and see it read back. */
bool virtio_reset(struct virtio *v);
/* Up to FEATURES_OK with @features (of those offered); true if they are taken. */
bool virtio_negotiate(struct virtio *v, u64 features);
/* Queue 0 at @q, then DRIVER_OK; true unless NEEDS_RESET. */
bool virtio_start(struct virtio *v, struct virtq *q);
void virtio_queue(struct virtio *v, u64 desc, u64 avail, u64 used, u16 size);
/* Reset, VERSION_1 (and PLATFORM where offered) with @extra, start. */
bool virtio_up(struct virtio *v, struct virtq *q, u64 extra);
/* Make @head available. */
void virtio_add(struct virtio *v, u16 head);
/* And notify. */
void virtio_kick(struct virtio *v, u16 head);
/* Wait for the used index to become @idx. */
bool virtio_used(struct virtio *v, u16 idx);

#endif
