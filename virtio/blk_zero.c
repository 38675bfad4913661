/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests that carry no data: DISCARD and WRITE_ZEROES (virtio 5.2.6).
 *
 * Linux AIO has no such operation, so they are done in place.  That holds the loop, hence the
 * limits on their size: writing zeroes may be as slow as writing.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/virtio_config.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "virtio/blk.h"
#include "virtio/iov.h"

/* Segments of a request, and sectors of a segment. */
#define DISCARD_SEGS	16u
#define DISCARD_SECTORS (64 * MiB / SECTOR)
#define ZERO_SEGS	1u
#define ZERO_SECTORS	(4 * MiB / SECTOR)

#define PUNCH (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)
#define ZERO  (FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE)

/* Can the disk @dev discard?  A partition's queue is its parent's. */
static bool can_discard(dev_t dev)
{
	static const char *const where[] = { "", "../" };
	unsigned long long max = 0;
	char path[96];

	for (unsigned int i = 0; i < ARRAY_SIZE(where) && !max; i++) {
		FILE *f;

		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%squeue/discard_max_bytes",
			 major(dev), minor(dev), where[i]);
		f = fopen(path, "re");
		if (!f)
			continue;
		if (fscanf(f, "%llu", &max) != 1)
			max = 0;
		fclose(f);
	}
	return max > 0;
}

/*
 * A file system says whether it can punch holes and make zeroes only when it is asked to; behind
 * the end of the file that changes nothing, and the hole also takes back what the zeroes reserved.
 * (Without holes that stays reserved until the file goes, which does no harm.)
 */
static void probe_file(struct blk_file *file)
{
	off_t end = ALIGN_UP(file->size, 1 * MiB);

	file->zero = !fallocate(file->fd, ZERO, end, 4096);
	file->discard = !fallocate(file->fd, PUNCH, end, 4096);
}

void blk_zero__probe(struct blk_file *file)
{
	struct stat st;

	file->discard = file->zero = file->block = false;
	if (file->ro || fstat(file->fd, &st))
		return;
	file->block = S_ISBLK(st.st_mode);
	if (!file->block) {
		probe_file(file);
		return;
	}
	file->zero = true; /* the kernel writes zeroes where the disk has no command for it */
	file->discard = can_discard(st.st_rdev);
}

u64 blk_zero__describe(const struct blk_file *file, struct virtio_blk_config *config)
{
	if (file->discard) {
		config->max_discard_sectors = DISCARD_SECTORS;
		config->max_discard_seg = DISCARD_SEGS;
		config->discard_sector_alignment = file->optimal / SECTOR;
	}
	if (file->zero) {
		config->max_write_zeroes_sectors = ZERO_SECTORS;
		config->max_write_zeroes_seg = ZERO_SEGS;
		config->write_zeroes_may_unmap = file->discard && !file->block;
	}
	return (file->discard ? BIT(VIRTIO_BLK_F_DISCARD) : 0) |
	       (file->zero ? BIT(VIRTIO_BLK_F_WRITE_ZEROES) : 0);
}

/* What virtio 5.2.6.2 asks of a segment: the status if it is not so, else OK. */
static u8 check(const struct blk_file *file, const struct virtio_blk_discard_write_zeroes *seg,
		bool discard)
{
	u64 sectors = file->size / SECTOR, n = seg->num_sectors;

	/* A flag that is unknown, or that makes no sense for a discard. */
	if (seg->flags & ~(discard ? 0u : VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP))
		return VIRTIO_BLK_S_UNSUPP;
	if (n > (discard ? DISCARD_SECTORS : ZERO_SECTORS) || seg->sector > sectors ||
	    n > sectors - seg->sector)
		return VIRTIO_BLK_S_IOERR;
	/* Parts of blocks are nothing that a disk has commands for; a file system cuts them out. */
	if (file->block && (seg->sector | n) % (file->align / SECTOR))
		return VIRTIO_BLK_S_IOERR;
	return VIRTIO_BLK_S_OK;
}

static int apply(const struct blk_file *file, const struct virtio_blk_discard_write_zeroes *seg,
		 bool discard)
{
	u64 range[2] = { seg->sector * SECTOR, (u64)seg->num_sectors * SECTOR };
	bool punch = discard || (file->discard && seg->flags); /* a hole reads as zeroes */
	int err;

	if (!range[1])
		return 0;
	do {
		if (file->block)
			err = ioctl(file->fd, discard ? BLKDISCARD : BLKZEROOUT, range);
		else
			err = fallocate(file->fd, punch ? PUNCH : ZERO, range[0], range[1]);
	} while (err && errno == EINTR);
	return err ? -errno : 0;
}

u8 blk_zero__request(struct blk *blk, bool discard, const struct iovec *out, int nout)
{
	static struct ratelimit rl;
	struct virtio_blk_discard_write_zeroes seg[DISCARD_SEGS];
	u64 len = iov__len(out, nout), n = len / sizeof(seg[0]);
	u64 need = BIT(discard ? VIRTIO_BLK_F_DISCARD : VIRTIO_BLK_F_WRITE_ZEROES);
	const struct blk_file *file = blk->file;
	int err = 0;

	if (!(blk->dev.driver_features & need))
		return VIRTIO_BLK_S_UNSUPP;
	if (!n || n > (discard ? DISCARD_SEGS : ZERO_SEGS) || len % sizeof(seg[0]))
		return VIRTIO_BLK_S_IOERR;
	iov__read(out, nout, seg, len);
	/* All of them are checked before the first is done. */
	for (u64 i = 0; i < n; i++) {
		u8 status = check(file, &seg[i], discard);

		if (status != VIRTIO_BLK_S_OK)
			return status;
	}
	for (u64 i = 0; i < n && !err; i++)
		err = apply(file, &seg[i], discard);
	/* virtio 5.2.6.2: who cannot flush must not have to */
	if (!err && !discard && !(blk->dev.driver_features & BIT(VIRTIO_BLK_F_FLUSH)) &&
	    fdatasync(file->fd))
		err = -errno;
	if (!err)
		return VIRTIO_BLK_S_OK;
	pr_guest(&rl, "%s: %s of %s: %s; the guest sees an I/O error", blk->name,
		 discard ? "discard" : "writing zeroes", file->path, strerror(-err));
	return VIRTIO_BLK_S_IOERR;
}
