/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_VIRTIO_H
#define LKVM_VIRTIO_H

/*
 * virtio 1.2 over the modern PCI transport.  virtio/pci.c is the transport, virtio/queue.c the split
 * virtqueue; a device implements struct virtio_ops in a file of its own.
 *
 * The rings and every buffer are reached through the function's dma_as only.  Everything a guest
 * wrote is read once and checked; what breaks the rules sets DEVICE_NEEDS_RESET and stops the device
 * until the driver resets it (virtio 2.1).  Loop lock held throughout.
 */

#include <sys/uio.h>

#include "lkvm/pci.h"
#include "lkvm/util.h"

struct virtio_dev;
struct virtq;

#define VIRTIO_QUEUE_MAX 256 /* entries; also the longest chain */
#define VIRTIO_QUEUES	 32
/*
 * Pieces of a chain: behind an IOMMU one descriptor can be several.  More than the host takes at a
 * time (IOV_MAX), because a disk request of Linux can be 4 MiB in pages without neighbours.
 */
#define VIRTIO_CHAIN_IOV 2048

struct virtio_ops {
	u16 device_id;	/* virtio 5 */
	u32 class_code; /* PCI class */
	u64 features;	/* device-specific; the transport adds VERSION_1, ACCESS_PLATFORM, ... */
	unsigned int nqueues; /* 1..VIRTIO_QUEUES */
	/* Device configuration space; bytes beyond @cfg_len read as zero.  Writes may be NULL. */
	u32 cfg_len;
	void (*cfg_read)(struct virtio_dev *dev, u32 off, u8 *data, u32 len);
	void (*cfg_write)(struct virtio_dev *dev, u32 off, const u8 *data, u32 len);
	/* DRIVER_OK was set: queues may be used. */
	void (*start)(struct virtio_dev *dev);
	/* The driver notified queue @q (or the device just started). */
	void (*notify)(struct virtio_dev *dev, unsigned int q);
	/*
	 * Reset: drop all work.  Completions that arrive later for requests of before must not touch
	 * the rings: compare dev->epoch.
	 */
	void (*reset)(struct virtio_dev *dev);
	/* Queue @q has another interrupt vector; for vhost, may be NULL. */
	void (*vector)(struct virtio_dev *dev, unsigned int q);
	/*
	 * While DRIVER_OK is set, bus mastering was switched @on, or off: the virtq functions then do
	 * nothing by themselves.  For work that goes on elsewhere, may be NULL.
	 */
	void (*master)(struct virtio_dev *dev, bool on);
};

/*
 * One request: a chain of descriptors as pointers.  Out (device reads) first, then in.
 *
 * A buffer that cannot be reached costs the request, not the device: with @error set (-EFAULT, or
 * -E2BIG for more than VIRTIO_CHAIN_IOV pieces) only the last descriptor is given, and only if it is
 * an in one that can be reached: where a status would go.  The chain must still be pushed.
 */
struct virtq_chain {
	u16 head;
	int error;
	int nout, nin;
	int span_out, span_in;
	u64 out_len, in_len; /* bytes in the pieces given */
	struct iovec iov[VIRTIO_CHAIN_IOV];
	/* The same bytes by their DMA addresses, out first: for what outlives the turn (lkvm/dma.h). */
	struct virtq_span {
		u64 addr, len;
	} span[VIRTIO_QUEUE_MAX];
};

struct virtio_dev {
	const struct virtio_ops *ops;
	struct pci_func pci;
	void *priv;
	u64 driver_features; /* as accepted */
	u8 status;	     /* device status field (virtio 2.1) */
	u32 epoch;	     /* counts resets */
	u64 walked;	     /* bytes of the chains taken since the last notification */
	struct virtq *vq;    /* ops->nqueues of them */
	void *transport;     /* virtio/pci.c's own */
};

/*
 * Register @dev (ops, priv set, zero otherwise) as a PCI function named @name (kept).  0 or a
 * negative errno with a printed line.
 */
int virtio_pci__add(struct vm *vm, struct virtio_dev *dev, const char *name);
void virtio_pci__del(struct virtio_dev *dev);

/*
 * Take the next available chain.  1: @c filled; 0: none, or enough for now (virtq__again() was
 * called); -EINVAL: the ring is broken, NEEDS_RESET is set.
 */
int virtq__pop(struct virtio_dev *dev, unsigned int q, struct virtq_chain *c);
/* Whether virtq__pop() would find something; asks for no notification. */
bool virtq__ready(struct virtio_dev *dev, unsigned int q);
/* Put @head on the used ring, @written bytes of its in part filled. */
void virtq__push(struct virtio_dev *dev, unsigned int q, u16 head, u32 written);
/* The same for @n chains at once: the driver sees all of them or none. */
struct virtq_used {
	u16 head;
	u32 written;
};
void virtq__push_all(struct virtio_dev *dev, unsigned int q, const struct virtq_used *used,
		     unsigned int n);
/*
 * Undo the last @n pops, none of which was pushed: the chains are available again.  A device that
 * waits for something to put in keeps nothing over its return to the loop (lkvm/dma.h).
 */
void virtq__unpop(struct virtio_dev *dev, unsigned int q, unsigned int n);
/* Interrupt the driver if it wants to know about what was pushed (event-idx, virtio 2.7.10). */
void virtq__interrupt(struct virtio_dev *dev, unsigned int q);
/*
 * Have ops->notify called for @q again from the loop: for a device that stops taking chains because
 * it has taken many, so that a guest that never stops adding them cannot hold the loop.
 */
void virtq__again(struct virtio_dev *dev, unsigned int q);
/* The device configuration has changed by itself: the driver should read it again. */
void virtio__config_changed(struct virtio_dev *dev);
/* Give up: NEEDS_RESET and a configuration-change interrupt. */
void virtio__fail(struct virtio_dev *dev, const char *why);

#endif
