/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_QUEUE_H
#define VIRTIO_QUEUE_H

/*
 * A split virtqueue (virtio 2.7): three rings in the driver's memory.
 *
 *	desc[size]	by the driver: address, length, flags, next
 *	avail		by the driver: flags, idx, ring[size] of chain heads, used_event
 *	used		by the device: flags, idx, ring[size] of {head, length}, avail_event
 *
 * The addresses are DMA addresses.  Behind an IOMMU what they translate to may change between any
 * two accesses, so each access is translated; without one the pointers are kept.
 */

#include <linux/virtio_ring.h>

#include "lkvm/virtio.h"

struct virtq_ring {
	u64 addr;
	u8 *host; /* NULL: translate each access */
};

struct virtq {
	u16 size;   /* entries, a power of two */
	u16 vector; /* MSI-X, or VIRTIO_MSI_NO_VECTOR */
	bool enabled;
	struct virtq_ring desc, avail, used;
	u16 next_avail; /* the next entry of avail to take */
	u16 next_used;	/* the next entry of used to fill */
	u16 signalled;	/* next_used when an interrupt was last considered */
	bool signalled_once;
	u32 inflight; /* taken and not given back */
};

void virtq__reset(struct virtq *vq);
/* Checks the ring addresses the driver has set (virtio 2.7): NULL, or what is wrong with them. */
const char *virtq__enable(struct virtio_dev *dev, struct virtq *vq);

/*
 * Bytes [@off, @off + @len) of a ring, which do not cross a page; NULL if the IOMMU or the memory
 * map refuses.
 */
void *virtq__ptr(struct virtio_dev *dev, const struct virtq_ring *ring, u64 off, u32 len,
		 u8 access);

/* Turn the chain at @head into pieces (virtio/chain.c): NULL, or which rule it breaks. */
const char *virtq__walk(struct virtio_dev *dev, struct virtq *vq, u16 head, struct virtq_chain *c);

/* Interrupt on behalf of a queue with @vector (virtio/pci.c). */
void virtio_pci__signal(struct virtio_dev *dev, u16 vector);

#endif
