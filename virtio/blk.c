/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio-blk (virtio 5.2): what a request means and where its answer goes.
 *
 *	out: header {type, reserved, sector}, data to write
 *	in:  data read, status byte
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lkvm/vm.h"
#include "virtio/blk.h"
#include "virtio/iov.h"

#define CLASS_STORAGE_OTHER 0x018000

/* The driver adds header and status to its segments. */
#define SEG_MAX (VIRTIO_QUEUE_MAX - 2)

static struct blk *to_blk(struct virtio_dev *dev)
{
	return container_of(dev, struct blk, dev);
}

static void answer(struct blk *blk, unsigned int q, u16 head, u8 *status, u8 val, u64 written)
{
	WRITE_ONCE(*status, val);
	virtq__push(&blk->dev, q, head, MIN(written + 1, 0xffffffffu));
	blk->dirty |= BIT(q);
}

void blk__done(struct blk *blk, struct blk_req *req, int err)
{
	static const char *const verb[] = { "read", "write", "flush" };
	static struct ratelimit rl;

	if (req->epoch == blk->dev.epoch) {
		if (err)
			pr_guest(&rl, "%s: %s at %#llx of %s: %s; the guest sees an I/O error",
				 blk->name, verb[req->op], req->pos, blk->file->path,
				 strerror(-err));
		answer(blk, req->queue, req->head, req->status,
		       err ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK,
		       req->op == BLK_READ && !err ? req->len : 0);
	}
	free(req->bounce);
	free(req);
}

void blk__signal(struct blk *blk)
{
	u32 dirty = blk->dirty;

	blk->dirty = 0;
	for (unsigned int q = 0; q < blk->ops.nqueues; q++) {
		if (dirty & BIT(q))
			virtq__interrupt(&blk->dev, q);
	}
}

/* The bounds of virtio 5.2.6.1, in a form that cannot overflow. */
static bool in_bounds(const struct blk *blk, u64 sector, u64 len)
{
	u64 sectors = blk->file->size / SECTOR;

	return len % SECTOR == 0 && sector <= sectors && len / SECTOR <= sectors - sector;
}

/* Give a request to the host; false if that is not possible. */
static bool begin(struct blk *blk, unsigned int q, u16 head, enum blk_op op, u64 sector,
		  const struct iovec *iov, int n, u8 *status)
{
	struct blk_req *req = malloc(sizeof(*req) + n * sizeof(*iov));

	if (!req)
		return false;
	*req = (struct blk_req){
		.op = op,
		/* virtio 5.2.6.2: who cannot flush must not have to */
		.sync = !(blk->dev.driver_features & BIT(VIRTIO_BLK_F_FLUSH)),
		.pos = sector * SECTOR,
		.nv = n,
		.epoch = blk->dev.epoch,
		.queue = q,
		.head = head,
		.status = status,
	};
	req->v = req->iov;
	memcpy(req->iov, iov, n * sizeof(*iov));
	req->left = req->len = iov__len(iov, n);
	blk_aio__start(blk, req);
	return true;
}

/*
 * Do, or begin, one request.  @in is without the status byte.  Returns the status, or -1 if the
 * request has begun and answers later.
 */
static int request(struct blk *blk, unsigned int q, u16 head, struct iovec *out, int nout,
		   struct iovec *in, int nin, u8 *status, u64 *written)
{
	struct virtio_blk_outhdr hdr;
	u64 len;

	if (iov__read(out, nout, &hdr, sizeof(hdr)) != sizeof(hdr))
		return VIRTIO_BLK_S_IOERR;
	iov__skip(&out, &nout, sizeof(hdr));

	switch (hdr.type) {
	case VIRTIO_BLK_T_IN:
		len = iov__len(in, nin);
		if (!in_bounds(blk, hdr.sector, len))
			return VIRTIO_BLK_S_IOERR;
		if (!len)
			return VIRTIO_BLK_S_OK;
		if (!begin(blk, q, head, BLK_READ, hdr.sector, in, nin, status))
			return VIRTIO_BLK_S_IOERR;
		return -1;
	case VIRTIO_BLK_T_OUT:
		len = iov__len(out, nout);
		if (blk->file->ro || !in_bounds(blk, hdr.sector, len))
			return VIRTIO_BLK_S_IOERR;
		if (!len)
			return VIRTIO_BLK_S_OK;
		if (!begin(blk, q, head, BLK_WRITE, hdr.sector, out, nout, status))
			return VIRTIO_BLK_S_IOERR;
		return -1;
	case VIRTIO_BLK_T_FLUSH:
		if (blk->file->ro)
			return VIRTIO_BLK_S_OK;
		if (!begin(blk, q, head, BLK_FLUSH, 0, in, 0, status))
			return VIRTIO_BLK_S_IOERR;
		return -1;
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		blk->slow = true;
		return blk_zero__request(blk, hdr.type == VIRTIO_BLK_T_DISCARD, out, nout);
	case VIRTIO_BLK_T_GET_ID:
		*written = iov__write(in, nin, blk->file->serial, VIRTIO_BLK_ID_BYTES);
		return VIRTIO_BLK_S_OK;
	}
	return VIRTIO_BLK_S_UNSUPP;
}

static void handle(struct blk *blk, unsigned int q, struct virtq_chain *c)
{
	struct iovec *in = c->iov + c->nout, *last = in + c->nin - 1;
	int nin = c->nin, status = VIRTIO_BLK_S_IOERR;
	u64 written = 0;
	u8 *where;

	if (!c->in_len) {
		virtio__fail(&blk->dev, "a request without a status byte that can be reached");
		return;
	}
	where = (u8 *)last->iov_base + --last->iov_len;
	if (!last->iov_len)
		nin--;
	if (!c->error)
		status = request(blk, q, c->head, c->iov, c->nout, in, nin, where, &written);
	if (status >= 0)
		answer(blk, q, c->head, where, status, written);
}

static void notify(struct virtio_dev *dev, unsigned int q)
{
	struct blk *blk = to_blk(dev);
	struct virtq_chain c;
	int n;

	/* One that is done in place is enough for a turn. */
	blk->slow = false;
	for (n = 0; n < VIRTIO_QUEUE_MAX && !blk->slow && virtq__pop(dev, q, &c) > 0; n++)
		handle(blk, q, &c);
	blk_aio__submit(blk);
	blk_aio__reap(blk);
	if (n == VIRTIO_QUEUE_MAX || blk->slow)
		virtq__again(dev, q);
}

static void config_read(struct virtio_dev *dev, u32 off, u8 *data, u32 len)
{
	memcpy(data, (u8 *)&to_blk(dev)->config + off, len);
}

/*
 * A driver may use the buffers for something else once the reset is over, so it is not over before
 * the host has finished with them.
 */
static void reset(struct virtio_dev *dev)
{
	struct blk *blk = to_blk(dev);

	blk_aio__drain(blk);
	blk->dirty = 0;
}

static void describe(struct blk *blk, unsigned int cpus)
{
	const struct blk_file *file = blk->file;
	unsigned int queues = MIN(MAX(cpus, 1u), BLK_QUEUES);
	u64 features;

	blk->config = (struct virtio_blk_config){
		.capacity = file->size / SECTOR,
		.seg_max = SEG_MAX,
		.blk_size = file->align,
		.physical_block_exp = __builtin_ctz(file->optimal / file->align),
		.min_io_size = file->optimal / file->align,
		.num_queues = queues,
	};
	features = blk_zero__describe(file, &blk->config);
	blk->ops = (struct virtio_ops){
		.device_id = VIRTIO_ID_BLOCK,
		.class_code = CLASS_STORAGE_OTHER,
		.features = features | BIT(VIRTIO_BLK_F_SEG_MAX) | BIT(VIRTIO_BLK_F_BLK_SIZE) |
			    BIT(VIRTIO_BLK_F_FLUSH) | BIT(VIRTIO_BLK_F_TOPOLOGY) |
			    (queues > 1 ? BIT(VIRTIO_BLK_F_MQ) : 0) |
			    (file->ro ? BIT(VIRTIO_BLK_F_RO) : 0),
		.nqueues = queues,
		.cfg_len = offsetof(struct virtio_blk_config, max_secure_erase_sectors),
		.cfg_read = config_read,
		.notify = notify,
		.reset = reset,
	};
}

int blk__init(struct blk *blk, struct vm *vm, struct blk_file *file, unsigned int index)
{
	int err;

	*blk = (struct blk){ .file = file, .event = -1 };
	snprintf(blk->name, sizeof(blk->name), "virtio-blk.%u", index);
	describe(blk, vm->cpus);
	blk->dev.ops = &blk->ops;
	err = blk_aio__init(blk, vm->loop, blk->ops.nqueues * VIRTIO_QUEUE_MAX);
	if (err)
		return err;
	err = virtio_pci__add(vm, &blk->dev, blk->name);
	if (err)
		blk_aio__exit(blk);
	return err;
}

void blk__exit(struct blk *blk)
{
	blk->dev.epoch++; /* what is still out answers nobody */
	blk_aio__exit(blk);
	virtio_pci__del(&blk->dev);
}
