/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BLK_FAKE_H
#define BLK_FAKE_H

/* The disk on real files and real Linux AIO, and a driver that talks to it through queue and transport. */

#include <errno.h>
#include <fcntl.h>
#include <libaio.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- A host that can be made to do less, or refuse --- */

static bool host_short, host_no_fdsync, host_one;
/* It does nothing before it is waited for. */
static bool host_lazy;
static struct iocb *host_kept[1024];
static unsigned int host_nkept;
static int host_error;
/* The result of all completions but the first @host_fail_after. */
static long host_fail;
static unsigned int host_fail_after;
/* What the driver does while the host is at a submission. */
static void (*host_meanwhile)(void);
static unsigned int host_submits, host_sync_writes, host_bounced, host_gets, host_reads;

/* Of eventfds. */
static inline ssize_t fake_read(int fd, void *buf, size_t len)
{
	host_reads++;
	return read(fd, buf, len);
}

/* The host gets on with what it has. */
static inline void host_go(io_context_t ctx)
{
	unsigned int n = host_nkept;

	host_nkept = 0;
	if (n && io_submit(ctx, n, host_kept) != (int)n)
		exit(1);
}

static int fake_submit(io_context_t ctx, long n, struct iocb **cb)
{
	if (host_error)
		return host_error;
	if (host_one && n > 1)
		n = 1;
	for (long i = 0; i < n; i++) {
		struct iocb *c = cb[i];
		short op = c->aio_lio_opcode;

		if (op == IO_CMD_FDSYNC && host_no_fdsync)
			return i ? i : -EINVAL;
		if (host_short && (op == IO_CMD_PREADV || op == IO_CMD_PWRITEV))
			c->u.v.nr = 1;
		if (op == IO_CMD_PREAD || op == IO_CMD_PWRITE) {
			host_bounced++;
			if (host_short && c->u.c.nbytes > 4096)
				c->u.c.nbytes = 4096;
		}
		host_sync_writes += c->aio_rw_flags != 0;
	}
	host_submits++;
	if (host_meanwhile)
		host_meanwhile();
	if (!host_lazy)
		return io_submit(ctx, n, cb);
	for (long i = 0; i < n; i++)
		host_kept[host_nkept++] = cb[i];
	return n;
}

static int fake_getevents(io_context_t ctx, long min, long nr, struct io_event *ev,
			  struct timespec *timeout)
{
	int n;

	if (min)
		host_go(ctx);
	n = io_getevents(ctx, min, nr, ev, timeout);
	host_gets += n > 0; /* libaio asks the kernel only if there is something */
	for (int i = 0; host_fail && i < n; i++) {
		if (host_fail_after)
			host_fail_after--;
		else
			ev[i].res = (unsigned long)host_fail;
	}
	return n;
}

static bool host_full;

static int fake_fallocate(int fd, int mode, off_t off, off_t len)
{
	errno = ENOSPC;
	return host_full ? -1 : fallocate(fd, mode, off, len);
}

/* --- A file that passes for a block device with sectors of this size --- */

static unsigned int host_sector, host_zeroouts;
static bool host_claimed;
static bool host_readonly; /* by another */

static int fake_open(const char *path, int flags)
{
	errno = EBUSY;
	return host_claimed && (flags & O_EXCL) ? -1 : open(path, flags);
}

static int fake_fstat(int fd, struct stat *st)
{
	int err = fstat(fd, st);

	if (host_sector)
		st->st_mode = S_IFBLK | 0600;
	return err;
}

static int fake_ioctl(int fd, unsigned long req, void *arg)
{
	struct stat st;

	fstat(fd, &st);
	errno = ENOTTY;
	switch (req) {
	case BLKGETSIZE64:
		*(unsigned long long *)arg = st.st_size;
		return 0;
	case BLKSSZGET:
	case BLKPBSZGET:
		*(unsigned int *)arg = host_sector;
		return 0;
	case BLKROGET:
		*(int *)arg = host_readonly;
		return 0;
	case BLKZEROOUT:
		host_zeroouts++;
		return 0;
	}
	return -1;
}

static ssize_t fake_pread(int fd, void *buf, size_t len, off_t off)
{
	errno = EINVAL;
	return host_sector && len % host_sector ? -1 : pread(fd, buf, len, off);
}

#define read	     fake_read
#define io_submit    fake_submit
#define io_getevents fake_getevents
#include "virtio/blk_aio.c"
#undef io_submit
#undef io_getevents
#undef read
#include "virtio/blk.c"
#include "virtio/blk_drain.c"
#include "tests/unit/blk_clock.h"
#define open  fake_open
#define fstat fake_fstat
#define ioctl fake_ioctl
#define pread fake_pread
#include "virtio/blk_file.c"
#define fallocate fake_fallocate
#include "virtio/blk_zero.c"
#undef fallocate
#undef open
#undef fstat
#undef ioctl
#undef pread
#define read fake_read
#include "tests/unit/virtio_drive.h"
#undef read

#define SIZE	(256 * KiB)
#define SECTORS (SIZE / SECTOR)

static struct vm vm = { .cpus = 1 };
static struct blk_file file;
static struct blk blk;
static char path[] = "/tmp/lkvm-test-blk-XXXXXX";
static u8 image[SIZE];

static inline void write_image(void)
{
	int fd = open(path, O_RDWR | O_TRUNC);

	for (unsigned int i = 0; i < SIZE; i++)
		image[i] = i * 7 + i / 512;
	if (fd < 0 || write(fd, image, SIZE) != (ssize_t)SIZE)
		exit(1);
	close(fd);
}

static inline void start_driver(u64 features)
{
	memset(ram, 0, sizeof(ram));
	drive(&blk.dev, 0, features);
}

#define FEATURES (BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_BLK_F_FLUSH))

static inline void stop(void)
{
	if (blk.dev.transport)
		blk__exit(&blk);
	blk_file__close(&file);
	host_short = host_no_fdsync = host_one = host_lazy = false;
	host_error = 0;
	host_meanwhile = NULL;
	host_fail = host_fail_after = host_full = 0;
	host_submits = host_sync_writes = host_bounced = messages = 0;
	host_gets = host_reads = host_zeroouts = 0;
	memset(fired, 0, sizeof(fired));
}

static inline int start_with(const char *opts, u64 features)
{
	char arg[128];
	int err;

	stop();
	write_image();
	memset(&file, 0, sizeof(file));
	snprintf(arg, sizeof(arg), "%s%s", path, opts);
	err = blk_file__parse(&file, arg);
	if (!err)
		err = blk_file__open(&file);
	if (!err)
		err = blk__init(&blk, &vm, &file, 0);
	if (!err)
		start_driver(features);
	return err;
}

static inline void set_header(u32 type, u64 sector)
{
	struct virtio_blk_outhdr hdr = { .type = type, .sector = sector };

	memcpy(ram + DRV_DATA, &hdr, sizeof(hdr));
}

#define STATUS_AT (DRV_DATA + 0x20u)
#define BUF	  (DRV_DATA + 0x1000u)

static inline void ring_and_wait(u16 count)
{
	u16 want = drv_used_idx() + count;

	ring();
	for (int i = 0; i < 100 && drv_used_idx() != want; i++)
		loop_turn(50);
}

/* One request with one data buffer; its status, or 0xee if it was not answered. */
static inline u8 io(u32 type, u64 sector, u32 addr, u32 len)
{
	bool in = type == VIRTIO_BLK_T_IN || type == VIRTIO_BLK_T_GET_ID;

	set_header(type, sector);
	ram[STATUS_AT] = 0xee;
	drv_desc(0, DRV_DATA, 16, NEXT, len ? 1 : 2);
	drv_desc(1, addr, len, NEXT | (in ? WRITE : 0), 2);
	drv_desc(2, STATUS_AT, 1, WRITE, 0);
	drv_add(0);
	ring_and_wait(1);
	return ram[STATUS_AT];
}

/* Make available a read of sector @i, by an indirect table, with a status byte (0xee) behind a gap. */
static inline void blk_add_read(u16 i)
{
	struct virtio_blk_outhdr hdr = { .type = VIRTIO_BLK_T_IN, .sector = i };
	u32 at = DRV_DATA + 16 * i, table = DRV_TABLE + 48 * i;

	memcpy(ram + at, &hdr, sizeof(hdr));
	drv_desc(i, table, 48, INDIRECT, 0);
	drv_desc_at(table, 0, at, 16, NEXT, 1);
	drv_desc_at(table, 1, 0x20000 + 1024 * i, 512, NEXT | WRITE, 2);
	drv_desc_at(table, 2, 0x20000 + 1024 * i + 600, 1, WRITE, 0);
	ram[0x20000 + 1024 * i + 600] = 0xee;
	drv_add(i);
}

static inline u32 last_len(void)
{
	return drv_used_len(drv_used_idx() - 1);
}

static inline bool on_disk(u64 off, const void *what, u64 len)
{
	static u8 buf[SIZE];
	int fd = open(path, O_RDONLY);
	bool same = pread(fd, buf, len, off) == (ssize_t)len && !memcmp(buf, what, len);

	close(fd);
	return same;
}

static inline void blk_image(void)
{
	int fd = mkstemp(path);

	if (fd < 0)
		exit(1);
	close(fd);
}

#endif
