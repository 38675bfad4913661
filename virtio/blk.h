/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_BLK_H
#define VIRTIO_BLK_H

/*
 * A disk in six parts: blk_file.c opens the image (and is the module with the option), blk.c
 * understands the requests (virtio 5.2), blk_aio.c does them, blk_zero.c those that carry no data.
 * blk_drain.c keeps those that are under way from outliving the IOMMU's translations, and
 * blk_moderate.c says when a guest is interrupted.
 */

#include <libaio.h>
#include <limits.h>
#include <linux/virtio_blk.h>

#include "lkvm/virtio.h"

#define SECTOR 512

#define BLK_QUEUES 4
#define BLK_BATCH  64

struct blk;
struct loop;
struct loop_fd;

/* An opened image. */
struct blk_file {
	char path[PATH_MAX];
	int fd;
	bool ro, direct;
	bool block;	    /* a block device */
	bool discard, zero; /* what the host can do to it */
	u64 size;	    /* bytes, a multiple of @align */
	u32 align;   /* a block: the disk's, and what O_DIRECT asks of requests and buffers */
	u32 optimal; /* a block the host handles well: a power of two, >= @align */
	char serial[VIRTIO_BLK_ID_BYTES + 1];
};

enum blk_op { BLK_READ, BLK_WRITE, BLK_FLUSH };

/* A request at the host. */
struct blk_req {
	struct iocb iocb;
	struct blk_req *next, **pprev; /* blk->out; then blk->held */
	enum blk_op op;
	bool sync;	 /* a write that must be on the medium when it completes */
	u64 pos;	 /* what is still to do: bytes from here, */
	u64 left;	 /* this many, */
	struct iovec *v; /* to or from here */
	int nv;
	u8 *bounce; /* O_DIRECT with buffers it does not take */
	/* Where the answer goes. */
	u32 epoch;
	u16 queue, head;
	u64 len;    /* of all data */
	u64 status; /* DMA address */
	int err;    /* while it is held */
	/* blk_drain.c: the data by its DMA addresses, behind @skip bytes; none without an IOMMU. */
	const struct virtq_span *span;
	int nspans;
	u64 skip;
	bool awaited; /* an invalidation waits for it */
	bool revoked; /* because its memory has been taken back */
	struct iovec iov[];
};

/* Of a queue (blk_moderate.c); times in ns. */
struct blk_moderation {
	u64 kicked;	      /* the last notification */
	u64 gap;	      /* between two, on average */
	unsigned int at_once; /* answers to come that will not be deferred */
	u64 until;	      /* of one that is the driver must be told by then */
};

struct blk {
	struct virtio_dev dev;
	struct virtio_ops ops;
	struct virtio_blk_config config;
	struct blk_file *file;
	char name[24];
	/* In this turn: */
	bool slow; /* one was done in place, and took its time */
	unsigned int requests;
	u64 bytes;
	u32 dirty; /* queues with answers the driver was not told of */
	/* blk_aio.c */
	io_context_t ctx;
	int event;
	struct loop_fd *lfd;
	unsigned int inflight, nbatch;
	struct iocb *batch[BLK_BATCH];
	struct blk_req *out;  /* begun and not finished */
	struct blk_req *held; /* finished, and to be answered by the loop */
	bool hold;	      /* there they go */
	unsigned int awaited; /* of those out */
	/* blk_moderate.c */
	struct blk_moderation moderation[BLK_QUEUES];
	u32 deferred; /* queues of which an interrupt is */
	int timer;
	u64 armed; /* until then; 0: not */
	struct loop_fd *timer_lfd;
	/* blk_drain.c */
	struct dma_listener listener;
	u32 looks; /* at translations since the guest was last served */
};

/* @vm->loop, @vm->pci and @vm->cpus are used.  0 or a negative errno with a printed line. */
int blk__init(struct blk *blk, struct vm *vm, struct blk_file *file, unsigned int index);
void blk__exit(struct blk *blk);
/* @req is done with 0 or a negative errno; frees it. */
void blk__done(struct blk *blk, struct blk_req *req, int err);
/* Tell the driver about what is done in these queues. */
void blk__signal(struct blk *blk, u32 queues);

/* The driver has notified the device of requests in queue @q. */
void blk_moderate__kicked(struct blk *blk, unsigned int q);
/*
 * That many requests of queue @q have been done in a turn, at most.  If the driver was not told of them yet, decides whether
 * that is deferred: @blk->deferred.  The next answer or a timer will end it.
 */
void blk_moderate__answered(struct blk *blk, unsigned int q, unsigned int answers);
void blk_moderate__reset(struct blk *blk);
/* 0 or a negative errno with a printed line. */
int blk_moderate__init(struct blk *blk, struct loop *loop);
void blk_moderate__exit(struct blk *blk);

/* At most @depth requests are ever given.  0 or a negative errno with a printed line. */
int blk_aio__init(struct blk *blk, struct loop *loop, unsigned int depth);
void blk_aio__exit(struct blk *blk);
/* Begin @req; given to the host at the latest by blk_aio__submit().  Ends in blk__done(). */
void blk_aio__start(struct blk *blk, struct blk_req *req);
void blk_aio__submit(struct blk *blk);
/* Take what is finished, if the function may write answers; false if there is nothing. */
bool blk_aio__reap(struct blk *blk);
/* Wait until the host has let go of all buffers. */
void blk_aio__drain(struct blk *blk);
/* The same for those that are awaited; all answers are left to the loop. */
void blk_aio__await(struct blk *blk);

/* Have invalidations wait for requests whose memory they take back. */
void blk_drain__init(struct blk *blk);
void blk_drain__exit(struct blk *blk);
/* Wait for all of them; their answers follow. */
void blk_drain__all(struct blk *blk);

/* Find out what the host can do to an opened image. */
void blk_zero__probe(struct blk_file *file);
/* Fills in the limits; the features. */
u64 blk_zero__describe(const struct blk_file *file, struct virtio_blk_config *config);
/* Does a discard (or writes zeroes), whose segments are in @out; the status. */
u8 blk_zero__request(struct blk *blk, bool discard, const struct iovec *out, int nout);

/* FILE[,ro][,direct][,serial=TEXT].  -EINVAL or -ENOMEM with a printed line. */
int blk_file__parse(struct blk_file *file, const char *arg);
/* Opens and measures.  A negative errno with a printed line. */
int blk_file__open(struct blk_file *file);
void blk_file__close(struct blk_file *file);

#endif
