/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vhost behind the vIOMMU.  It knows rings and buffers by the guest's DMA addresses and keeps an
 * IOTLB of its own, which starts empty: a miss is read from its descriptor, and answered, by the
 * event loop.  Whatever the IOMMU invalidates is taken from it before the guest learns that the
 * invalidation is complete: writing the message waits for the queues' locks, under which the kernel
 * uses a translation.
 *
 * The kernel has some habits to get along with:
 *  - It asks with one permission and later finds the same entry lacking another, without asking
 *    again.  So each answer has all permissions that there are.
 *  - It reads and writes the head of a used ring when it is given a queue, before it can ask.
 *  - A question stays, and stands in the way of new ones, until it is answered or the feature is
 *    taken back.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lkvm/loop.h"
#include "lkvm/trace.h"
#include "virtio/queue.h"
#include "virtio/vhost.h"

#define GRANULE 4096 /* the least that is translated as one */
#define HALF	BIT(63)

_Static_assert(VHOST_ACCESS_RO == DMA_READ && VHOST_ACCESS_WO == DMA_WRITE, "the same bits");

/* 0 or -EIO: vhost says EFAULT to everything, which is not to be taken for the IOMMU's. */
static int tell(struct vhost *v, const struct vhost_iotlb_msg *iotlb)
{
	struct vhost_msg_v2 msg = { .type = VHOST_IOTLB_MSG_V2, .iotlb = *iotlb };

	return write(v->fd, &msg, sizeof(msg)) == sizeof(msg) ? 0 : -EIO;
}

/*
 * What one translation has around @addr, if @access is allowed there.  It begins where its page begins,
 * because it has to end with any part of that: as long as more follows than a page of one size has, it
 * is of a larger one.  No other page is looked at, whose dirty bit would be set for nothing.
 */
static bool piece(struct vhost *v, u64 addr, u8 access, struct vhost_iotlb_msg *m)
{
	static const u64 pages[] = { GRANULE, 2 * MiB, GiB };

	m->size = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(pages); i++) {
		u64 start = ALIGN_DOWN(addr, pages[i]), len = ~0ULL;
		void *p =
		    dma__piece(&v->dev->pci.dma, start, &len, i ? access | DMA_PROBE : access);

		if (!p || len <= addr - start)
			break;
		m->iova = start;
		m->size = len;
		m->uaddr = (uintptr_t)p;
		m->perm = access & (DMA_READ | DMA_WRITE);
		if (len <= pages[i])
			break;
	}
	return m->size;
}

/* Let vhost do @access at @addr, and what else is allowed there.  -EIO, or -EFAULT if it is not. */
static int give(struct vhost *v, u64 addr, u8 access)
{
	struct vhost_iotlb_msg m = { .type = VHOST_IOTLB_UPDATE };
	bool given =
	    piece(v, addr, DMA_READ | DMA_WRITE | DMA_PROBE, &m) || piece(v, addr, access, &m);

	trace(vhost, "%s wants %#llx, access %u: %#llx bytes, access %u", v->dev->pci.name, addr,
	      access, m.size, m.perm);
	return given ? tell(v, &m) : -EFAULT;
}

/* The next question; false if there is none. */
static bool question(struct vhost *v, struct vhost_iotlb_msg *miss)
{
	struct vhost_msg_v2 msg;

	if (read(v->fd, &msg, sizeof(msg)) != sizeof(msg))
		return false;
	*miss = msg.iotlb;
	return true;
}

/* One at a time: each answer can lead to a question, and others want their turn of the loop. */
static void missed(void *arg, u32 events)
{
	struct vhost *v = arg;
	struct vhost_iotlb_msg miss;
	int err;

	if (!question(v, &miss) || miss.type != VHOST_IOTLB_MISS || !v->running)
		return;
	/* One refusal, one fault: vhost would ask at every doorbell. */
	if (v->dev->status & VIRTIO_CONFIG_S_NEEDS_RESET)
		return;
	err = give(v, miss.iova, miss.perm & VHOST_ACCESS_RW);
	if (err == -EFAULT)
		virtio__fail(v->dev, "vhost needs an address that the IOMMU refuses");
	else if (err)
		virtio__fail(v->dev, "vhost does not take a translation");
}

static int take(struct vhost *v, u64 addr, u64 len)
{
	return tell(v, &(struct vhost_iotlb_msg){
			   .type = VHOST_IOTLB_INVALIDATE, .iova = addr, .size = len });
}

static void invalidate(struct dma_listener *l, u32 pasid, u64 addr, u64 len, bool all)
{
	struct vhost *v = container_of(l, struct vhost, listener);
	int err;

	if (!v->running) /* it has no translation */
		return;
	trace(vhost, "%s invalidate %#llx, %#llx bytes", v->dev->pci.name, addr, len);
	if (len) {
		err = take(v, addr, addr ? MIN(len, -addr) : len);
	} else {
		/* A size of 2^64 has no number. */
		err = take(v, 0, HALF);
		if (!err)
			err = take(v, HALF, HALF);
	}
	if (!err)
		return;
	/* What cannot be taken from vhost is taken with the queues. */
	virtio__fail(v->dev, "vhost does not end a translation");
	v->dev->ops->reset(v->dev);
}

int vhost_iotlb__init(struct vhost *v, struct loop *loop)
{
	u64 features = 0;
	int err, flags;

	v->failed = "VIRTIO_F_ACCESS_PLATFORM";
	if (!(v->features & BIT(VIRTIO_F_ACCESS_PLATFORM)))
		return -EOPNOTSUPP;
	err = VHOST_REQUEST(v, VHOST_GET_BACKEND_FEATURES, &features);
	v->failed = "VHOST_BACKEND_F_IOTLB_MSG_V2";
	features &= BIT(VHOST_BACKEND_F_IOTLB_MSG_V2);
	if (err || !features)
		return -EOPNOTSUPP;
	err = VHOST_REQUEST(v, VHOST_SET_BACKEND_FEATURES, &features);
	if (err)
		return err;
	/* A question can be gone by the time it is read. */
	v->failed = "O_NONBLOCK";
	flags = fcntl(v->fd, F_GETFL);
	if (flags < 0 || fcntl(v->fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	v->failed = "its place in the event loop";
	v->miss_lfd = loop__add(loop, v->fd, EPOLLIN, missed, v);
	if (!v->miss_lfd)
		return -errno;
	v->listener.invalidate = invalidate;
	dma__listen(&v->dev->pci.dma, &v->listener);
	return 0;
}

void vhost_iotlb__exit(struct vhost *v)
{
	if (!v->miss_lfd)
		return;
	dma__unlisten(&v->dev->pci.dma, &v->listener);
	loop__del(v->miss_lfd);
	v->miss_lfd = NULL;
}

int vhost_iotlb__start(struct vhost *v)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < v->n; i++)
		err = give(v, v->dev->vq[v->first + i].used.addr, VHOST_ACCESS_RW);
	if (err)
		v->failed =
		    err == -EFAULT ? "a used ring that the IOMMU refuses" : "VHOST_IOTLB_UPDATE";
	return err;
}

void vhost_iotlb__stop(struct vhost *v)
{
	struct vhost_iotlb_msg miss;
	u64 none = 0;

	/* Without the feature there is neither IOTLB nor question; older kernels keep the latter. */
	VHOST_REQUEST(v, VHOST_SET_FEATURES, &none);
	while (question(v, &miss))
		;
}
