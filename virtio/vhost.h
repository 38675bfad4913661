/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_VHOST_H
#define VIRTIO_VHOST_H

/*
 * Queues that the host's kernel serves (vhost): it reads the guest's rings itself, takes doorbells
 * from the queue's eventfd, and raises interrupts through the vector's.  What is particular to a
 * kind of device (its backend) is the device's own business.
 *
 * Behind the vIOMMU it asks for each translation (vhost_iotlb.c), and is told when one ends.  It is
 * then the guest's addresses that it is given, else lkvm's.
 *
 *	at set-up	vhost__init(), after virtio_pci__add()
 *	ops->start	vhost__start(), then the device's own "go"
 *	ops->reset	the device's own "stop", then vhost__stop()
 *	ops->notify	virtq__again(): a doorbell that did not come by the eventfd
 *	ops->vector	vhost__vector()
 *	ops->master	as start, or stop; and no start without bus mastering
 *	at teardown	"stop", vhost__exit(), before virtio_pci__del()
 *
 * Loop lock held, or set-up.  Nothing here prints, but for a queue that vhost cannot go on with.
 */

#include "lkvm/dma.h"
#include "lkvm/virtio.h"

struct loop_fd;

struct vhost {
	int fd;	      /* -1: not there */
	u64 features; /* what this vhost can do */
	/* The device's queues @first .. @first + @n - 1; to vhost they are 0 .. @n - 1. */
	struct virtio_dev *dev;
	unsigned int first, n;
	const char *failed; /* the step that failed, for the caller's message */
	bool running;
	int err_fd;
	struct loop_fd *err_lfd;
	/* vhost_iotlb.c */
	bool translated; /* the function is behind an IOMMU */
	struct dma_listener listener;
	struct loop_fd *miss_lfd;
};

/*
 * Make @fd (an opened /dev/vhost-..., owned by @v from here on, also on failure) ours, tell it
 * where guest RAM is, and give it the doorbells of the queues for good.  Negative errno on failure
 * (-EOPNOTSUPP if it lacks what the transport offers, or translation and needs it): @v->failed says
 * at what.
 */
int vhost__init(struct vhost *v, struct vm *vm, int fd, struct virtio_dev *dev, unsigned int first,
		unsigned int n);
/* Also for one whose init failed, or that is zero but for fd = -1. */
void vhost__exit(struct vhost *v);

/*
 * Hand the queues over as the driver has set them up; of the features it accepted, vhost is told
 * those it knows, and @extra (VHOST_NET_F_VIRTIO_NET_HDR).  Negative errno with @v->failed: not
 * running.
 */
int vhost__start(struct vhost *v, u64 extra);
/*
 * Take them back; nothing happens if they are here.  The backend must have been stopped before.
 * Without a reset in between vhost__start() goes on where it was.
 */
void vhost__stop(struct vhost *v);
/* The driver gave queue @q (the device's number) another vector; harmless at any time. */
void vhost__vector(struct vhost *v, unsigned int q);

/* --- Between vhost.c and vhost_iotlb.c, for a function behind an IOMMU --- */

/* An ioctl; on failure @v->failed is @name.  0 or a negative errno. */
int vhost__request(struct vhost *v, unsigned long req, void *arg, const char *name);
#define VHOST_REQUEST(v, req, arg) vhost__request(v, req, arg, #req)

/* Take part in translation: @v->features, @v->fd and @v->dev are set.  As vhost__init(). */
int vhost_iotlb__init(struct vhost *v, struct loop *loop);
void vhost_iotlb__exit(struct vhost *v);
/* vhost has its features and rings: give it what it looks at before it can ask.  As vhost__start(). */
int vhost_iotlb__start(struct vhost *v);
/* The queues are back: vhost forgets all translations, and its questions. */
void vhost_iotlb__stop(struct vhost *v);

#endif
