/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Disk requests on Linux AIO: submitted in batches, completed through an eventfd in the loop.
 *
 * The host may do less than it was asked for; the rest is asked for again.  It may also refuse
 * buffers that O_DIRECT cannot use, so those go through a bounce buffer of bounded size, piece by
 * piece in the same way.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lkvm/loop.h"
#include "virtio/blk.h"
#include "virtio/iov.h"

/* So that a guest that aims for it pins 128 MiB in all its requests, not what it asks for. */
#define BOUNCE_SIZE (128 * KiB)

static bool needs_bounce(const struct blk *blk, const struct blk_req *req)
{
	if (!blk->file->direct || req->op == BLK_FLUSH)
		return false;
	for (int i = 0; i < req->nv; i++) {
		if (!IS_ALIGNED((uintptr_t)req->v[i].iov_base, blk->file->align) ||
		    !IS_ALIGNED(req->v[i].iov_len, blk->file->align))
			return true;
	}
	return false;
}

static void prepare(struct blk *blk, struct blk_req *req)
{
	struct iocb *cb = &req->iocb;
	int fd = blk->file->fd;
	u64 n = MIN(req->left, BOUNCE_SIZE);
	int nv = MIN(req->nv, IOV_MAX); /* the rest follows, as after anything that was not all */

	if (req->op == BLK_FLUSH) {
		io_prep_fdsync(cb, fd);
	} else if (req->bounce && req->op == BLK_READ) {
		io_prep_pread(cb, fd, req->bounce, n, req->pos);
	} else if (req->bounce) {
		iov__read(req->v, req->nv, req->bounce, n);
		io_prep_pwrite(cb, fd, req->bounce, n, req->pos);
	} else if (req->op == BLK_READ) {
		io_prep_preadv(cb, fd, req->v, nv, req->pos);
	} else {
		io_prep_pwritev(cb, fd, req->v, nv, req->pos);
	}
	if (req->op == BLK_WRITE && req->sync)
		cb->aio_rw_flags = RWF_DSYNC;
	cb->data = req;
	io_set_eventfd(cb, blk->event);
}

static void enqueue(struct blk *blk, struct blk_req *req)
{
	if (blk->nbatch == BLK_BATCH)
		blk_aio__submit(blk);
	prepare(blk, req);
	blk->batch[blk->nbatch++] = &req->iocb;
}

/* Nothing of @req is at the host any more, nor will be. */
static void end(struct blk *blk, struct blk_req *req, int err)
{
	*req->pprev = req->next;
	if (req->next)
		req->next->pprev = req->pprev;
	blk->awaited -= req->awaited;
	if (!blk->hold) {
		blk__done(blk, req, err);
		return;
	}
	req->err = err;
	req->next = blk->held;
	blk->held = req;
}

/* Those that were held are done now. */
static void answer_held(struct blk *blk)
{
	while (blk->held) {
		struct blk_req *req = blk->held;

		blk->held = req->next;
		blk__done(blk, req, req->err);
	}
}

void blk_aio__start(struct blk *blk, struct blk_req *req)
{
	void *bounce = NULL;

	req->next = blk->out;
	req->pprev = &blk->out;
	if (req->next)
		req->next->pprev = &req->next;
	blk->out = req;
	if (needs_bounce(blk, req)) {
		if (posix_memalign(&bounce, blk->file->align, BOUNCE_SIZE)) {
			end(blk, req, -ENOMEM);
			return;
		}
	}
	req->bounce = bounce;
	enqueue(blk, req);
}

/* The host did @res bytes of @req, or failed with that errno. */
static void finished(struct blk *blk, struct blk_req *req, long res)
{
	u64 n;

	if (res < 0 || req->op == BLK_FLUSH) {
		end(blk, req, res < 0 ? res : 0);
		return;
	}
	n = MIN((u64)res, req->left);
	if (!n) { /* the image has become shorter */
		end(blk, req, -EIO);
		return;
	}
	if (req->bounce && req->op == BLK_READ)
		iov__write(req->v, req->nv, req->bounce, n);
	iov__skip(&req->v, &req->nv, n);
	req->pos += n;
	req->left -= n;
	if (!req->left)
		end(blk, req, 0);
	else if (req->epoch != blk->dev.epoch) /* reset meanwhile: nobody waits for the rest */
		end(blk, req, -ECANCELED);
	else if (req->revoked) /* the rest has no memory */
		end(blk, req, -EFAULT);
	else
		enqueue(blk, req);
}

static void refused(struct blk *blk, struct blk_req *req, int err)
{
	/* No asynchronous flush in this file system. */
	if (req->op == BLK_FLUSH && err == -EINVAL)
		err = fdatasync(blk->file->fd) ? -errno : 0;
	finished(blk, req, err);
}

void blk_aio__submit(struct blk *blk)
{
	struct iocb **p = blk->batch;
	long n = blk->nbatch;

	blk->nbatch = 0;
	while (n) {
		long r = io_submit(blk->ctx, n, p);

		if (r == -EINTR)
			continue;
		if (r > 0) {
			blk->inflight += r;
		} else { /* that is about the first of them, and ends it: nothing is queued here */
			refused(blk, (*p)->data, r ? r : -EAGAIN);
			r = 1;
		}
		p += r;
		n -= r;
	}
}

/* Take at least @min completions; false when there are none. */
static bool take(struct blk *blk, long min)
{
	struct timespec zero = { 0 };
	struct io_event ev[BLK_BATCH];
	int n;

	do {
		n = io_getevents(blk->ctx, min, BLK_BATCH, ev, min ? NULL : &zero);
	} while (n == -EINTR);
	for (int i = 0; i < n; i++) {
		blk->inflight--;
		finished(blk, ev[i].data, (long)ev[i].res);
	}
	return n > 0;
}

bool blk_aio__reap(struct blk *blk)
{
	bool any = blk->held;

	/* All that is finished waits for that (blk_drain__all()). */
	if (!pci__bus_master(&blk->dev.pci))
		return false;
	answer_held(blk);
	while (blk->inflight && take(blk, 0)) {
		blk_aio__submit(blk);
		any = true;
	}
	return any;
}

void blk_aio__drain(struct blk *blk)
{
	answer_held(blk);
	blk_aio__submit(blk);
	while (blk->inflight && take(blk, 1))
		blk_aio__submit(blk);
}

void blk_aio__await(struct blk *blk)
{
	u64 one = 1;

	blk->hold = true;
	blk_aio__submit(blk);
	while (blk->awaited && take(blk, 1))
		blk_aio__submit(blk);
	blk->hold = false;
	/* The counter is 64 bits wide: it does not fill. */
	if (blk->held && write(blk->event, &one, sizeof(one)) < 0)
		virtio__fail(&blk->dev, "an eventfd cannot be written");
}

/* Edge-triggered, as doorbells are. */
static void completed(void *arg, u32 events)
{
	struct blk *blk = arg;

	blk->looks = 0;
	if (blk_aio__reap(blk))
		blk__signal(blk, ~0u);
}

int blk_aio__init(struct blk *blk, struct loop *loop, unsigned int depth)
{
	int err;

	blk->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (blk->event < 0) {
		err = -errno;
		pr_err("%s: eventfd: %s; raise the limit on open files (ulimit -n)", blk->name,
		       strerror(-err));
		return err;
	}
	err = io_setup(depth, &blk->ctx);
	if (err) {
		pr_err("%s: io_setup for %u requests: %s; raise /proc/sys/fs/aio-max-nr", blk->name,
		       depth, strerror(-err));
		goto err_event;
	}
	blk->lfd = loop__add(loop, blk->event, EPOLLIN | EPOLLET, completed, blk);
	if (!blk->lfd) {
		err = -errno;
		pr_err("%s: cannot watch its completions: %s", blk->name, strerror(-err));
		goto err_ctx;
	}
	return 0;

err_ctx:
	io_destroy(blk->ctx);
err_event:
	close(blk->event);
	return err;
}

void blk_aio__exit(struct blk *blk)
{
	blk_aio__drain(blk);
	loop__del(blk->lfd);
	io_destroy(blk->ctx);
	close(blk->event);
}
