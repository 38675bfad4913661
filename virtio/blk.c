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

/* Of data in a turn: what the host does for that takes longer than a notification, which is then asked for at once. */
#define BIG (64 * KiB)

/* The driver adds header and status to its segments. */
#define SEG_MAX (VIRTIO_QUEUE_MAX - 2)

static struct blk *to_blk(struct virtio_dev *dev)
{
	return container_of(dev, struct blk, dev);
}

/* The status goes where its address leads now, which may not be where it led at first. */
static void answer(struct blk *blk, unsigned int q, u16 head, u64 status, u8 val, u64 written)
{
	if (dma__write(&blk->dev.pci.dma, status, &val, 1)) {
		virtio__fail(&blk->dev, "a status byte cannot be reached any more");
		return;
	}
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

void blk__signal(struct blk *blk, u32 queues)
{
	u32 dirty = blk->dirty & queues;

	if (!pci__bus_master(&blk->dev.pci))
		return; /* may_access() comes back to it */
	blk->dirty &= ~queues;
	blk->deferred &= ~queues;
	for (unsigned int q = 0; q < blk->ops.nqueues; q++)
		if (dirty & BIT(q))
			virtq__interrupt(&blk->dev, q);
}

/*
 * The bounds of virtio 5.2.6.1, in a form that cannot overflow.  The host's page cache knows parts of
 * blocks; without it half a request would be done before the host refuses the rest.
 */
static bool in_bounds(const struct blk *blk, u64 sector, u64 len)
{
	u64 sectors = blk->file->size / SECTOR;
	u32 unit = blk->file->direct ? blk->file->align : SECTOR;

	return len % unit == 0 && sector % (unit / SECTOR) == 0 && sector <= sectors &&
	       len / SECTOR <= sectors - sector;
}

/* For blk_drain.c: the data of @req, which lies behind header or in front of the status in @c. */
static void keep_spans(struct blk_req *req, const struct virtq_chain *c)
{
	bool in = req->op == BLK_READ;
	struct virtq_span *span = (struct virtq_span *)(req->iov + req->nv);

	req->nspans = in ? c->span_in : c->span_out;
	req->skip = in ? 0 : sizeof(struct virtio_blk_outhdr);
	memcpy(span, c->span + (in ? c->span_out : 0), req->nspans * sizeof(*span));
	req->span = span;
}

/* Give a request of @c to the host; false if that is not possible. */
static bool begin(struct blk *blk, unsigned int q, const struct virtq_chain *c, enum blk_op op,
		  u64 sector, const struct iovec *iov, int n, u64 status)
{
	size_t spans = (c->span_out + c->span_in) * sizeof(c->span[0]);
	struct blk_req *req = malloc(sizeof(*req) + n * sizeof(*iov) + spans);

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
		.head = c->head,
		.status = status,
	};
	req->v = req->iov;
	memcpy(req->iov, iov, n * sizeof(*iov));
	req->left = req->len = iov__len(iov, n);
	blk->bytes += req->len;
	if (blk->dev.pci.dma.ops && op != BLK_FLUSH)
		keep_spans(req, c);
	blk_aio__start(blk, req);
	return true;
}

/*
 * Do, or begin, one request, with @nin pieces in front of the status byte.  Returns the status, or
 * -1 if the request has begun and answers later.
 */
static int request(struct blk *blk, unsigned int q, struct virtq_chain *c, int nin, u64 status,
		   u64 *written)
{
	struct iovec *out = c->iov, *in = c->iov + c->nout;
	struct virtio_blk_outhdr hdr;
	int nout = c->nout;
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
		if (!begin(blk, q, c, BLK_READ, hdr.sector, in, nin, status))
			return VIRTIO_BLK_S_IOERR;
		return -1;
	case VIRTIO_BLK_T_OUT:
		len = iov__len(out, nout);
		if (blk->file->ro || !in_bounds(blk, hdr.sector, len))
			return VIRTIO_BLK_S_IOERR;
		if (!len)
			return VIRTIO_BLK_S_OK;
		if (!begin(blk, q, c, BLK_WRITE, hdr.sector, out, nout, status))
			return VIRTIO_BLK_S_IOERR;
		return -1;
	case VIRTIO_BLK_T_FLUSH:
		if (blk->file->ro)
			return VIRTIO_BLK_S_OK;
		if (!begin(blk, q, c, BLK_FLUSH, 0, in, 0, status))
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
	int nin = c->nin, status = VIRTIO_BLK_S_IOERR;
	const struct virtq_span *span;
	struct iovec *last;
	u64 written = 0, where;

	if (!c->in_len) {
		virtio__fail(&blk->dev, "a request without a status byte that can be reached");
		return;
	}
	span = &c->span[c->span_out + c->span_in - 1];
	where = span->addr + span->len - 1;
	last = &c->iov[c->nout + nin - 1];
	if (!--last->iov_len)
		nin--;
	if (!c->error)
		status = request(blk, q, c, nin, where, &written);
	if (status >= 0)
		answer(blk, q, c->head, where, status, written);
}

/*
 * The next request, if there is one.  virtq__pop() asks for a notification when it finds nothing, and virtq__ready() does
 * not: what the driver adds while the host is at a few small requests is found without one, and costs no exit.
 */
static bool more(struct blk *blk, unsigned int q, struct virtq_chain *c)
{
	return !blk->slow && blk->requests < VIRTIO_QUEUE_MAX &&
	       (blk->bytes >= BIG || virtq__ready(&blk->dev, q)) && virtq__pop(&blk->dev, q, c) > 0;
}

static void notify(struct virtio_dev *dev, unsigned int q)
{
	struct blk *blk = to_blk(dev);
	struct virtq_chain c;
	bool at_once;

	blk->slow = false;
	blk->requests = 0;
	blk->bytes = 0;
	blk->looks = 0;
	blk_moderate__kicked(blk, q);
	at_once = blk_aio__reap(blk);
	while (blk->bytes < BIG && virtq__pop(dev, q, &c) > 0) {
		do {
			handle(blk, q, &c);
			blk->requests++;
		} while (more(blk, q, &c));
		blk_aio__submit(blk);
		blk_aio__reap(blk);
		/* Others want their turn too. */
		if (blk->slow || blk->requests == VIRTIO_QUEUE_MAX) {
			virtq__again(dev, q);
			at_once = true;
			break;
		}
	}
	if (!at_once && blk->bytes < BIG)
		blk_moderate__answered(blk, q, blk->requests);
	else
		blk->deferred = 0;
	/* The host may have finished requests of other queues too. */
	blk__signal(blk, ~blk->deferred);
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
	blk_moderate__reset(blk);
}

/* Without bus mastering nothing may reach memory, be it begun or not; notify() goes on with it. */
static void may_access(struct virtio_dev *dev, bool on)
{
	if (on)
		blk__signal(to_blk(dev), ~0u);
	else
		blk_drain__all(to_blk(dev));
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
		.master = may_access,
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
	err = blk_moderate__init(blk, vm->loop);
	if (err)
		goto err_aio;
	err = virtio_pci__add(vm, &blk->dev, blk->name);
	if (err)
		goto err_moderate;
	blk_drain__init(blk);
	return 0;

err_moderate:
	blk_moderate__exit(blk);
err_aio:
	blk_aio__exit(blk);
	return err;
}

void blk__exit(struct blk *blk)
{
	blk_drain__exit(blk);
	blk->dev.epoch++; /* what is still out answers nobody */
	blk_aio__exit(blk);
	blk_moderate__exit(blk);
	virtio_pci__del(&blk->dev);
}
