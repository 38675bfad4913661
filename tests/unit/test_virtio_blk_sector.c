/* SPDX-License-Identifier: GPL-2.0-only */
/* The disk: a host's block device whose sectors are larger than 512 bytes. */

#include "tests/unit/blk_fake.h"

static void grow(u64 size)
{
	if (truncate(path, size))
		exit(1);
}

static bool start_4k(const char *opts)
{
	int err;

	host_sector = 4096;
	err = start_with(opts, FEATURES | BIT(VIRTIO_BLK_F_WRITE_ZEROES));
	if (err)
		ok(true, "%s # SKIP %s", opts, last_msg);
	return !err;
}

static void test_told(const char *opts)
{
	if (!start_4k(opts))
		return;
	eq(get(VIRTIO_BAR_DEVICE, 8), SECTORS, "4 KiB%s: capacity in 512 bytes", opts);
	eq(get(VIRTIO_BAR_DEVICE + 20, 4), 4096, "4 KiB%s: blk_size", opts);
	eq(get(VIRTIO_BAR_DEVICE + 24, 1), 0, "4 KiB%s: a physical block is a logical one", opts);
	eq(get(VIRTIO_BAR_DEVICE + 26, 2), 1, "4 KiB%s: and the least to read or write", opts);
	eq(io(VIRTIO_BLK_T_IN, 8, BUF, 8192), 0, "4 KiB%s: whole blocks are read", opts);
	ok(!memcmp(ram + BUF, image + 4096, 8192), "4 KiB%s: the right ones", opts);
}

/* What is not whole blocks: the page cache can do it, O_DIRECT cannot, and then nothing is done. */
static void test_parts(bool direct)
{
	static const struct {
		u64 sector;
		u32 len;
	} part[] = {
		{ 0, 512 }, { 1, 4096 }, { 7, 1024 }, { 8, 4096 + 512 }, { 9, 131072 + 4096 }
	};
	u8 want = direct ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
	unsigned int submits;

	if (!start_4k(direct ? ",direct" : ""))
		return;
	submits = host_submits;
	for (unsigned int i = 0; i < ARRAY_SIZE(part); i++) {
		eq(io(VIRTIO_BLK_T_IN, part[i].sector, BUF, part[i].len), want,
		   "a read of %u at %llu", part[i].len, part[i].sector);
		memset(ram + BUF, 0x99, part[i].len);
		eq(io(VIRTIO_BLK_T_OUT, part[i].sector, BUF, part[i].len), want, "a write");
		if (direct)
			ok(on_disk(0, image, SIZE), "nothing of it is written");
		else
			ok(on_disk(part[i].sector * SECTOR, ram + BUF, part[i].len), "is written");
	}
	if (direct)
		eq(host_submits, submits, "the host is not asked for that");
}

static u8 zero(u64 sector, u32 n)
{
	struct virtio_blk_discard_write_zeroes seg = { .sector = sector, .num_sectors = n };

	memcpy(ram + BUF, &seg, sizeof(seg));
	return io(VIRTIO_BLK_T_WRITE_ZEROES, 0, BUF, sizeof(seg));
}

/* No command of a disk does parts of a block. */
static void test_zero(void)
{
	if (!start_4k(""))
		return;
	eq(zero(8, 16), 0, "zeroes in whole blocks");
	eq(host_zeroouts, 1, "are the disk's to write");
	eq(zero(1, 8), VIRTIO_BLK_S_IOERR, "not at part of a block");
	eq(zero(0, 1), VIRTIO_BLK_S_IOERR, "nor into part of one");
	eq(host_zeroouts, 1, "and the host is not asked for it");
}

static int reopen(u64 size, const char *opts)
{
	char arg[64];
	int err;

	stop();
	write_image();
	grow(size);
	snprintf(arg, sizeof(arg), "%s%s", path, opts);
	err = blk_file__parse(&file, arg);
	return err ? err : blk_file__open(&file);
}

static void test_size(void)
{
	struct blk_file reader;

	host_sector = 4096;
	eq(reopen(3 * 4096 + 512, ""), 0, "a device that ends with part of a block");
	eq(file.size, 3 * 4096, "ends before it");
	eq(reopen(512, ""), -EINVAL, "one without any block");
	ok(strstr(last_msg, path), "is refused: %s", last_msg);
	host_sector = 512;
	eq(reopen(3 * 4096 + 512, ""), 0, "sectors of 512 bytes");
	ok(file.size == 3 * 4096 + 512 && file.align == 512, "are all there");
	host_sector = 65536;
	ok(!reopen(SIZE, "") && file.align == 65536 && file.optimal == 65536, "sectors of 64 KiB");
	if (!reopen(SIZE, ",direct"))
		eq(file.align, 65536, "with O_DIRECT, too");
	host_claimed = true;
	eq(reopen(SIZE, ""), -EBUSY, "a device that is mounted or another's");
	ok(strstr(last_msg, path) && strstr(last_msg, "mounted"), "is refused: %s", last_msg);
	eq(reopen(SIZE, ",ro"), 0, "but to be read");
	host_claimed = false;
	host_readonly = true;
	eq(reopen(SIZE, ""), -EROFS, "a device that is read-only");
	ok(strstr(last_msg, path) && strstr(last_msg, "add ,ro"), "is refused: %s", last_msg);
	eq(reopen(SIZE, ",ro"), 0, "but to be read");
	host_readonly = false;
	eq(reopen(SIZE, ""), 0, "a device to write to");
	ok(!blk_file__parse(&reader, path) && (reader.ro = true) &&
	       blk_file__open(&reader) == -EBUSY,
	   "is not read by another machine");
	host_sector = 0;
	stop();
}

int main(void)
{
	blk_image();
	test_told("");
	test_told(",direct");
	test_parts(false);
	test_parts(true);
	test_zero();
	test_size();
	unlink(path);
	return tap_done();
}
