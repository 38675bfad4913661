/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rings of a split virtqueue (virtio 2.7): taking chains, giving them back, and telling the
 * driver only when it wants to know.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <string.h>

#include "virtio/queue.h"

/* Offsets behind the rings of @n entries (virtio 2.7.6, 2.7.8). */
#define AVAIL_FLAGS	    0
#define AVAIL_IDX	    2
#define AVAIL_RING(i)	    (4 + 2 * (u64)(i))
#define AVAIL_USED_EVENT(n) (4 + 2 * (u64)(n))
#define AVAIL_SIZE(n)	    (6 + 2 * (u64)(n))
#define USED_IDX	    2
#define USED_RING(i)	    (4 + 8 * (u64)(i))
#define USED_AVAIL_EVENT(n) (4 + 8 * (u64)(n))
#define USED_SIZE(n)	    (6 + 8 * (u64)(n))

/* Of chains, whatever their number, before a device goes back to the loop. */
#define WALK_BYTES (64 * MiB)

#define smp_mb()  __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)

void *virtq__ptr(struct virtio_dev *dev, const struct virtq_ring *ring, u64 off, u32 len, u8 access)
{
	struct iovec iov;

	if (ring->host)
		return ring->host + off;
	if (dma__map(&dev->pci.dma, ring->addr + off, len, access, &iov, 1) != 1)
		return NULL;
	return iov.iov_base;
}

/* Aligned, so that these are single accesses and within a page. */
static int read16(struct virtio_dev *dev, const struct virtq_ring *ring, u64 off, u16 *val)
{
	const u16 *p = virtq__ptr(dev, ring, off, sizeof(*p), DMA_READ);

	if (!p)
		return -EFAULT;
	*val = READ_ONCE(*p);
	return 0;
}

static int write16(struct virtio_dev *dev, const struct virtq_ring *ring, u64 off, u16 val)
{
	u16 *p = virtq__ptr(dev, ring, off, sizeof(*p), DMA_WRITE);

	if (!p)
		return -EFAULT;
	WRITE_ONCE(*p, val);
	return 0;
}

static int write32(struct virtio_dev *dev, const struct virtq_ring *ring, u64 off, u32 val)
{
	u32 *p = virtq__ptr(dev, ring, off, sizeof(*p), DMA_WRITE);

	if (!p)
		return -EFAULT;
	WRITE_ONCE(*p, val);
	return 0;
}

static const char *ring_check(struct virtio_dev *dev, struct virtq_ring *ring, u64 size, u32 align,
			      u8 access)
{
	struct iovec iov;

	if (!IS_ALIGNED(ring->addr, align))
		return "a ring is misaligned";
	if (size - 1 > ~0ULL - ring->addr)
		return "a ring wraps";
	/* Without an IOMMU an address means the same for ever. */
	if (!dev->pci.dma.ops && dma__map(&dev->pci.dma, ring->addr, size, access, &iov, 1) == 1)
		ring->host = iov.iov_base;
	return NULL;
}

void virtq__reset(struct virtq *vq)
{
	*vq = (struct virtq){
		.size = VIRTIO_QUEUE_MAX,
		.vector = VIRTIO_MSI_NO_VECTOR,
	};
}

const char *virtq__enable(struct virtio_dev *dev, struct virtq *vq)
{
	const char *why;

	why = ring_check(dev, &vq->desc, 16 * (u64)vq->size, 16, DMA_READ);
	if (!why)
		why = ring_check(dev, &vq->avail, AVAIL_SIZE(vq->size), 2, DMA_READ);
	if (!why)
		why = ring_check(dev, &vq->used, USED_SIZE(vq->size), 4, DMA_WRITE);
	if (!why)
		vq->enabled = true;
	return why;
}

/* Touch the rings only while driver, bus and device agree that they may be. */
static bool usable(struct virtio_dev *dev, struct virtq *vq)
{
	u8 live = dev->status & (VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_NEEDS_RESET);

	return live == VIRTIO_CONFIG_S_DRIVER_OK && vq->enabled && pci__bus_master(&dev->pci);
}

static bool event_idx(struct virtio_dev *dev)
{
	return dev->driver_features & BIT(VIRTIO_RING_F_EVENT_IDX);
}

static int broken(struct virtio_dev *dev, const char *why)
{
	virtio__fail(dev, why);
	return -EINVAL;
}

int virtq__pop(struct virtio_dev *dev, unsigned int q, struct virtq_chain *c)
{
	struct virtq *vq = &dev->vq[q];
	const char *why;
	u16 idx, head;

	if (dev->status & VIRTIO_CONFIG_S_NEEDS_RESET)
		return -EINVAL;
	if (!usable(dev, vq))
		return 0;

	if (read16(dev, &vq->avail, AVAIL_IDX, &idx))
		return broken(dev, "the available ring is not accessible");
	if (idx == vq->next_avail && event_idx(dev)) {
		/* Ask for a notification, then look again: the driver may just have added one. */
		if (write16(dev, &vq->used, USED_AVAIL_EVENT(vq->size), vq->next_avail))
			return broken(dev, "the used ring is not accessible");
		smp_mb();
		if (read16(dev, &vq->avail, AVAIL_IDX, &idx))
			return broken(dev, "the available ring is not accessible");
	}
	if (idx == vq->next_avail)
		return 0;
	if ((u16)(idx - vq->next_avail) > vq->size)
		return broken(dev, "the available index jumped");
	/* Heads are descriptors: there cannot be more of them out than the table has. */
	if (vq->inflight >= vq->size)
		return broken(dev, "more chains are available than there are descriptors");

	/* Behind an IOMMU gigabytes of buffers take their time, and others want their turn. */
	if (dev->walked >= WALK_BYTES) {
		virtq__again(dev, q);
		return 0;
	}

	smp_rmb(); /* the entry and its descriptors were written before idx */
	if (read16(dev, &vq->avail, AVAIL_RING(vq->next_avail & (vq->size - 1)), &head))
		return broken(dev, "the available ring is not accessible");
	why = virtq__walk(dev, vq, head, c);
	if (why)
		return broken(dev, why);
	vq->next_avail++;
	vq->inflight++;
	return 1;
}

bool virtq__ready(struct virtio_dev *dev, unsigned int q)
{
	struct virtq *vq = &dev->vq[q];
	u16 idx;

	return usable(dev, vq) && !read16(dev, &vq->avail, AVAIL_IDX, &idx) &&
	       idx != vq->next_avail;
}

void virtq__unpop(struct virtio_dev *dev, unsigned int q, unsigned int n)
{
	struct virtq *vq = &dev->vq[q];

	vq->next_avail -= n;
	vq->inflight -= n;
}

void virtq__push_all(struct virtio_dev *dev, unsigned int q, const struct virtq_used *used,
		     unsigned int n)
{
	struct virtq *vq = &dev->vq[q];

	if (!usable(dev, vq))
		return;
	for (unsigned int i = 0; i < n; i++) {
		u64 off = USED_RING((u16)(vq->next_used + i) & (vq->size - 1));

		if (write32(dev, &vq->used, off, used[i].head) ||
		    write32(dev, &vq->used, off + 4, used[i].written))
			goto fault;
	}
	smp_wmb(); /* the entries, and the buffers they speak of, before idx */
	vq->next_used += n;
	vq->inflight -= n;
	if (write16(dev, &vq->used, USED_IDX, vq->next_used))
		goto fault;
	return;

fault:
	virtio__fail(dev, "the used ring is not accessible");
}

void virtq__push(struct virtio_dev *dev, unsigned int q, u16 head, u32 written)
{
	virtq__push_all(dev, q, &(struct virtq_used){ head, written }, 1);
}

/* virtio 2.7.7.2: with event-idx the driver names the entry it waits for, else it sets a flag. */
static int wanted(struct virtio_dev *dev, struct virtq *vq, bool *want)
{
	u16 old = vq->signalled, now = vq->next_used, val;
	bool once = vq->signalled_once;

	if (!event_idx(dev)) {
		if (read16(dev, &vq->avail, AVAIL_FLAGS, &val))
			return -EFAULT;
		*want = !(val & VRING_AVAIL_F_NO_INTERRUPT);
		return 0;
	}
	if (read16(dev, &vq->avail, AVAIL_USED_EVENT(vq->size), &val))
		return -EFAULT;
	vq->signalled = now;
	vq->signalled_once = true;
	/* Did [old, now) contain the entry it named?  In 16 bits, which wrap. */
	*want = !once || (u16)(now - val - 1) < (u16)(now - old);
	return 0;
}

void virtq__interrupt(struct virtio_dev *dev, unsigned int q)
{
	struct virtq *vq = &dev->vq[q];
	bool want;

	if (!usable(dev, vq))
		return;
	smp_mb(); /* idx before the driver's wish: it writes the wish, then reads idx */
	if (wanted(dev, vq, &want))
		virtio__fail(dev, "the available ring is not accessible");
	else if (want)
		virtio_pci__signal(dev, vq->vector);
}
