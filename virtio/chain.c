/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a head index to pointers: walking a descriptor chain (virtio 2.7.5).
 *
 * The driver may change every byte while it is read, so each descriptor is copied once and the copy
 * is checked.  Two kinds of trouble are kept apart.  A chain that breaks the rules of the ring ends
 * the device (NEEDS_RESET).  A buffer the memory map or the IOMMU refuses ends only the request:
 * the rest of the chain is still followed, to find where its status goes.
 */
#include <errno.h>
#include <string.h>

#include "virtio/queue.h"

/* virtio 2.7.5: a chain's buffers are not longer than this in total. */
#define CHAIN_BYTES BIT(32)

/* Mapped at a time, so that a descriptor of any length needs few pieces on the stack. */
#define STEP	    (256 * KiB)
#define STEP_PIECES 72 /* 65 pages, and some for the seams of RAM */

struct walk {
	struct virtio_dev *dev;
	struct virtq_chain *c;
	u64 bytes;
	u32 seen; /* descriptors with a buffer */
	bool in;  /* a device-writable one was seen */
};

/* Neighbours become one piece: fewer for the host to look at, and pages mostly are neighbours. */
static int append(struct virtq_chain *c, const struct iovec *piece, bool in)
{
	int n = c->nout + c->nin;

	if (n > (in ? c->nout : 0)) {
		struct iovec *prev = &c->iov[n - 1];

		if ((char *)prev->iov_base + prev->iov_len == (char *)piece->iov_base) {
			prev->iov_len += piece->iov_len;
			return 0;
		}
	}
	if (n == VIRTIO_CHAIN_IOV)
		return -E2BIG;
	c->iov[n] = *piece;
	if (in)
		c->nin++;
	else
		c->nout++;
	return 0;
}

static int map_buffer(struct walk *w, u64 addr, u64 len, bool in)
{
	struct iovec piece[STEP_PIECES];

	if (len && len - 1 > ~0ULL - addr)
		return -EFAULT;
	while (len) {
		u64 step = MIN(len, STEP);
		int n = dma__map(&w->dev->pci.dma, addr, step, in ? DMA_WRITE : DMA_READ, piece,
				 STEP_PIECES);

		if (n < 0)
			return n;
		for (int i = 0; i < n; i++) {
			int err = append(w->c, &piece[i], in);

			if (err)
				return err;
		}
		addr += step;
		len -= step;
	}
	return 0;
}

/* There is room: no chain has more descriptors. */
static void add_span(struct virtq_chain *c, const struct vring_desc *d, bool in)
{
	if (!d->len)
		return;
	c->span[c->span_out + c->span_in] = (struct virtq_span){ d->addr, d->len };
	if (in)
		c->span_in++;
	else
		c->span_out++;
}

static const char *add_buffer(struct walk *w, const struct vring_desc *d)
{
	bool in = d->flags & VRING_DESC_F_WRITE;
	bool last = !(d->flags & VRING_DESC_F_NEXT);
	struct virtq_chain *c = w->c;
	int err;

	/* virtio 2.7.4.2: device-writable descriptors come last */
	if (w->in && !in)
		return "a device-readable descriptor follows a device-writable one";
	w->in = in;
	w->bytes += d->len;
	if (w->bytes > CHAIN_BYTES)
		return "a descriptor chain is longer than 4 GiB";

	if (c->error && !last)
		return NULL;
	err = map_buffer(w, d->addr, d->len, in);
	if (!err && !c->error) {
		*(in ? &c->in_len : &c->out_len) += d->len;
		add_span(c, d, in);
		return NULL;
	}
	/* From here on only the last descriptor counts, in a chain emptied before. */
	if (!c->error)
		c->error = err;
	c->span_out = c->span_in = 0;
	if (err || !last || !in) {
		c->nout = c->nin = 0;
		c->out_len = c->in_len = 0;
	} else {
		c->in_len = d->len;
		add_span(c, d, in);
	}
	return NULL;
}

static int read_desc(struct virtio_dev *dev, struct virtq *vq, bool indirect, u64 table, u32 i,
		     struct vring_desc *d)
{
	const void *p;

	if (indirect) /* an indirect table may lie at any address, so across pages */
		return dma__read(&dev->pci.dma, table + i * sizeof(*d), d, sizeof(*d));
	p = virtq__ptr(dev, &vq->desc, i * sizeof(*d), sizeof(*d), DMA_READ);
	if (!p)
		return -EFAULT;
	memcpy(d, p, sizeof(*d));
	__atomic_signal_fence(__ATOMIC_SEQ_CST); /* from here on only the copy is looked at */
	return 0;
}

/* virtio 2.7.5.3.1: what a descriptor that refers to an indirect table must not be. */
static const char *check_indirect(struct virtio_dev *dev, const struct vring_desc *d, bool nested)
{
	if (!(dev->driver_features & BIT(VIRTIO_RING_F_INDIRECT_DESC)))
		return "an indirect descriptor, which was not negotiated";
	if (nested)
		return "an indirect descriptor inside an indirect table";
	if (d->flags & VRING_DESC_F_NEXT)
		return "an indirect descriptor with a successor";
	if (!d->len || d->len % sizeof(*d))
		return "an indirect table of bad length";
	if (d->len - 1 > ~0ULL - d->addr)
		return "an indirect table that wraps";
	return NULL;
}

const char *virtq__walk(struct virtio_dev *dev, struct virtq *vq, u16 head, struct virtq_chain *c)
{
	struct walk w = { .dev = dev, .c = c };
	u32 entries = vq->size, i = head;
	bool indirect = false;
	u64 table = 0;

	c->head = head;
	c->error = c->nout = c->nin = 0;
	c->span_out = c->span_in = 0;
	c->out_len = c->in_len = 0;
	for (;;) {
		struct vring_desc d;
		const char *why;

		if (i >= entries)
			return "a descriptor index is out of range";
		if (read_desc(dev, vq, indirect, table, i, &d))
			return "a descriptor table is not accessible";
		if (d.flags & VRING_DESC_F_INDIRECT) {
			why = check_indirect(dev, &d, indirect);
			if (why)
				return why;
			indirect = true;
			table = d.addr;
			entries = d.len / sizeof(d);
			i = 0;
			continue;
		}
		/* More descriptors than there are means that some came twice. */
		if (++w.seen > (indirect ? VIRTIO_QUEUE_MAX : vq->size))
			return "a descriptor chain is too long or loops";
		why = add_buffer(&w, &d);
		if (why)
			return why;
		if (!(d.flags & VRING_DESC_F_NEXT))
			break;
		i = d.next;
	}
	dev->walked += w.bytes;
	return NULL;
}
