/* SPDX-License-Identifier: GPL-2.0-only */
/* The disk: reading and writing, framing, files, and what can go wrong. */

#include "tests/unit/blk_fake.h"

static void test_io(const char *how, const char *opts, u32 skew)
{
	u32 buf = BUF + skew;

	if (start_with(opts, FEATURES)) {
		ok(true, "%s # SKIP %s", how, last_msg);
		return;
	}
	eq(io(VIRTIO_BLK_T_IN, 0, buf, 512), 0, "%s: read", how);
	ok(!memcmp(ram + buf, image, 512) && last_len() == 513, "%s: the right bytes", how);
	eq(fired[1], 1, "%s: an interrupt", how);
	eq(io(VIRTIO_BLK_T_IN, 8, buf, SIZE - 4096), 0, "%s: read to the end", how);
	ok(!memcmp(ram + buf, image + 4096, SIZE - 4096), "%s: all of it", how);
	memset(ram + buf, 0xa5, 8192);
	eq(io(VIRTIO_BLK_T_OUT, 16, buf, 8192), 0, "%s: write", how);
	eq(last_len(), 1, "%s: only the status is written to memory", how);
	eq(io(VIRTIO_BLK_T_FLUSH, 0, buf, 0), 0, "%s: flush", how);
	ok(on_disk(8192, ram + buf, 8192) && on_disk(0, image, 8192) &&
	       on_disk(16384, image + 16384, SIZE - 16384),
	   "%s: the right place, and only that", how);
	eq(host_sync_writes, 0, "%s: writes are cached", how);

	host_short = true;
	eq(io(VIRTIO_BLK_T_IN, 64, buf, 65536), 0, "%s: read from a host that does less", how);
	ok(!memcmp(ram + buf, image + 32768, 65536), "%s: is complete in the end", how);
	memset(ram + buf, 0x5a, 65536);
	eq(io(VIRTIO_BLK_T_OUT, 64, buf, 65536), 0, "%s: write to it", how);
	ok(on_disk(32768, ram + buf, 65536), "%s: too", how);
}

static void test_scattered(const char *how, const char *opts)
{
	u8 want[3 * 512 + 1];

	if (start_with(opts, FEATURES | BIT(VIRTIO_RING_F_INDIRECT_DESC))) {
		ok(true, "%s # SKIP %s", how, last_msg);
		return;
	}
	/* The framing is the driver's choice: a split header, odd pieces, the status in the last */
	set_header(VIRTIO_BLK_T_IN, 2);
	drv_desc(0, DRV_TABLE, 5 * 16, INDIRECT, 0);
	drv_desc_at(DRV_TABLE, 0, DRV_DATA, 5, NEXT, 1);
	drv_desc_at(DRV_TABLE, 1, DRV_DATA + 5, 11, NEXT, 2);
	drv_desc_at(DRV_TABLE, 2, BUF + 3, 100, NEXT | WRITE, 3);
	drv_desc_at(DRV_TABLE, 3, BUF + 2000, 1000, NEXT | WRITE, 4);
	drv_desc_at(DRV_TABLE, 4, BUF + 5000, 436 + 1, WRITE, 0);
	ram[BUF + 5436] = 0xee;
	drv_add(0);
	host_short = true;
	ring_and_wait(1);
	memcpy(want, ram + BUF + 3, 100);
	memcpy(want + 100, ram + BUF + 2000, 1000);
	memcpy(want + 1100, ram + BUF + 5000, 436);
	ok(ram[BUF + 5436] == 0 && !memcmp(want, image + 1024, 1536), "%s: oddly framed read", how);
	ok(ram[BUF + 2] == 0 && ram[BUF + 103] == 0 && ram[BUF + 3000] == 0 && ram[BUF + 5437] == 0,
	   "%s: and nothing beside it", how);
}

static void test_batch(void)
{
	unsigned int bad = 0;

	start_with("", FEATURES | BIT(VIRTIO_RING_F_INDIRECT_DESC) | BIT(VIRTIO_RING_F_EVENT_IDX));
	host_one = true;
	for (u16 i = 0; i < 64; i++)
		blk_add_read(i);
	ring_and_wait(64);
	for (u16 i = 0; i < 64; i++)
		bad += ram[0x20000 + 1024 * i + 600] ||
		       memcmp(ram + 0x20000 + 1024 * i, image + 512 * i, 512);
	eq(bad, 0, "64 requests at once, submitted one by one");
	ok(fired[1] >= 1 && fired[1] < 64, "with fewer interrupts");
	eq(blk.inflight, 0, "nothing is left at the host");
}

static void test_bounds(void)
{
	static const struct {
		u64 sector;
		u32 len;
	} bad[] = {
		{ SECTORS, 512 },
		{ SECTORS - 1, 1024 },
		{ ~0ULL, 512 },
		{ ~0ULL, 1024 },
		{ 1ULL << 55, 512 },
		{ (1ULL << 55) - 1, 1024 },
		{ 0, 511 },
		{ 0, 513 },
		{ 0, 1 },
		{ SECTORS + 1, 0 },
	};

	start_with("", FEATURES);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		eq(io(VIRTIO_BLK_T_IN, bad[i].sector, BUF, bad[i].len), VIRTIO_BLK_S_IOERR,
		   "read of %u at %#llx", bad[i].len, bad[i].sector);
		eq(io(VIRTIO_BLK_T_OUT, bad[i].sector, BUF, bad[i].len), VIRTIO_BLK_S_IOERR,
		   "write of %u at %#llx", bad[i].len, bad[i].sector);
	}
	eq(host_submits, 0, "none of them reached the host");
	eq(last_len(), 1, "one byte written: the status");
	eq(io(VIRTIO_BLK_T_IN, SECTORS - 1, BUF, 512), 0, "the last sector");
	eq(io(VIRTIO_BLK_T_IN, SECTORS, BUF, 0), 0, "nothing at the very end");
	eq(io(VIRTIO_BLK_T_DISCARD, 0, BUF, 16), VIRTIO_BLK_S_UNSUPP, "discard is unsupported");
	eq(io(~0u, 0, BUF, 512), VIRTIO_BLK_S_UNSUPP, "so is nonsense");

	/* The image shrinks under us. */
	if (truncate(path, 4096 + 100))
		exit(1);
	eq(io(VIRTIO_BLK_T_IN, 8, BUF, 4096), VIRTIO_BLK_S_IOERR, "a read the host ends early");
	ok(strstr(last_msg, path) && strstr(last_msg, "virtio-blk.0"), "is told: %s", last_msg);
}

static void test_framing(void)
{
	start_with("", FEATURES);
	set_header(VIRTIO_BLK_T_IN, 0);
	drv_desc(0, DRV_DATA, 15, NEXT, 1);
	drv_desc(1, STATUS_AT, 1, WRITE, 0);
	ram[STATUS_AT] = 0xee;
	drv_add(0);
	ring_and_wait(1);
	eq(ram[STATUS_AT], VIRTIO_BLK_S_IOERR, "a header too short");
	drv_desc(2, DRV_DATA, 16, NEXT, 3);
	drv_desc(3, RAM_SIZE - 256, 512, NEXT | WRITE, 1);
	ram[STATUS_AT] = 0xee;
	drv_add(2);
	ring_and_wait(1);
	eq(ram[STATUS_AT], VIRTIO_BLK_S_IOERR, "a buffer that is not RAM");
	ok(!(get(20, 1) & 0x40), "both leave the device alive");
	drv_desc(4, DRV_DATA, 16, 0, 0);
	drv_add(4);
	ring_and_wait(0);
	ok(get(20, 1) & 0x40, "no status byte: NEEDS_RESET");
	eq(fired[0], 1, "and a configuration interrupt");
	start_driver(FEATURES);
	eq(io(VIRTIO_BLK_T_IN, 0, BUF, 512), 0, "after a reset it works again");
	drv_desc(5, DRV_DATA, 16, NEXT, 6);
	drv_desc(6, RAM_SIZE, 1, WRITE, 0);
	drv_add(5);
	ring_and_wait(0);
	ok(get(20, 1) & 0x40, "a status byte outside RAM: NEEDS_RESET");
}

static void test_id_and_config(void)
{
	start_with(",serial=ABCDEFGHIJKLMNOPQRST", FEATURES);
	memset(ram + BUF, 0xee, 64);
	eq(io(VIRTIO_BLK_T_GET_ID, 0, BUF, 20), 0, "GET_ID");
	ok(!memcmp(ram + BUF, "ABCDEFGHIJKLMNOPQRST", 20) && ram[BUF + 20] == 0xee,
	   "20 bytes of serial");
	eq(last_len(), 21, "and as many are told");
	memset(ram + BUF, 0xee, 64);
	eq(io(VIRTIO_BLK_T_GET_ID, 0, BUF, 4), 0, "GET_ID into 4 bytes");
	ok(!memcmp(ram + BUF, "ABCD\xee", 5), "gives 4");
	eq(get(VIRTIO_BAR_DEVICE, 8), SECTORS, "capacity");
	eq(get(VIRTIO_BAR_DEVICE + 12, 4), VIRTIO_QUEUE_MAX - 2, "seg_max");
	eq(get(VIRTIO_BAR_DEVICE + 20, 4), 512, "blk_size");
	eq(get(VIRTIO_BAR_DEVICE + 24, 1), 3, "4 KiB are a physical block");
	eq(get(VIRTIO_BAR_DEVICE + 34, 2), 1, "one queue for one CPU");
	vm.cpus = 16;
	start_with("", FEATURES);
	eq(get(VIRTIO_BAR_DEVICE + 34, 2), 4, "four for many");
	ok(blk.ops.features & BIT(VIRTIO_BLK_F_MQ), "MQ");
	ok(!(blk.ops.features & BIT(VIRTIO_BLK_F_RO)), "not RO");
	vm.cpus = 1;
}

static void test_ro(void)
{
	start_with(",ro", FEATURES | BIT(VIRTIO_BLK_F_RO));
	ok(get(20, 1) == 15, "RO is offered");
	eq(io(VIRTIO_BLK_T_IN, 0, BUF, 512), 0, "ro: read");
	eq(io(VIRTIO_BLK_T_OUT, 0, BUF, 512), VIRTIO_BLK_S_IOERR, "ro: write");
	eq(io(VIRTIO_BLK_T_FLUSH, 0, BUF, 0), 0, "ro: flush");
	ok(on_disk(0, image, SIZE), "ro: unchanged");
}

static void test_flush(void)
{
	start_with("", FEATURES);
	host_no_fdsync = true;
	eq(io(VIRTIO_BLK_T_FLUSH, 0, BUF, 0), 0, "a host without asynchronous fdsync");
	start_with("", BIT(VIRTIO_F_VERSION_1));
	memset(ram + BUF, 0x33, 512);
	eq(io(VIRTIO_BLK_T_OUT, 0, BUF, 512), 0, "a driver that cannot flush");
	eq(host_sync_writes, 1, "has its writes on the medium");
	host_error = -EAGAIN;
	eq(io(VIRTIO_BLK_T_IN, 0, BUF, 512), VIRTIO_BLK_S_IOERR, "a host that refuses");
	host_error = 0;
	eq(io(VIRTIO_BLK_T_IN, 0, BUF, 512), 0, "once");
}

/* What goes wrong at the host is an I/O error to the guest, and is told of once each. */
static void test_host_errors(void)
{
	static const struct {
		u32 type;
		long err;
		const char *how;
	} bad[] = {
		{ VIRTIO_BLK_T_OUT, -ENOSPC, "a write to a full disk" },
		{ VIRTIO_BLK_T_OUT, -EIO, "a write that fails" },
		{ VIRTIO_BLK_T_IN, -EIO, "a read that fails" },
		{ VIRTIO_BLK_T_FLUSH, -EIO, "a flush that fails" },
	};

	start_with("", FEATURES);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		u32 len = bad[i].type == VIRTIO_BLK_T_FLUSH ? 0 : 65536;

		messages = 0;
		host_fail = bad[i].err;
		eq(io(bad[i].type, 0, BUF, len), VIRTIO_BLK_S_IOERR, "%s", bad[i].how);
		ok(messages == 1 && strstr(last_msg, strerror(-(int)bad[i].err)) && last_len() == 1,
		   "is told: %s", last_msg);
		host_fail = 0;
		eq(io(bad[i].type, 0, BUF, len), 0, "the next one does not");
	}
	/* Part of it is done, and then no more: one vector, or what fits into the bounce buffer. */
	for (int direct = 0; direct < 2; direct++) {
		if (start_with(direct ? ",direct" : "", FEATURES))
			continue;
		for (unsigned int i = 0; i < 3; i++) {
			set_header(bad[i].type, 0);
			ram[STATUS_AT] = 0xee;
			drv_desc(0, DRV_DATA, 16, NEXT, 1);
			drv_desc(1, BUF + 3, 1024, NEXT | (i == 2 ? WRITE : 0), 2);
			drv_desc(2, BUF + 8195, 65536 - 1024, NEXT | (i == 2 ? WRITE : 0), 3);
			drv_desc(3, STATUS_AT, 1, WRITE, 0);
			host_short = true;
			host_fail_after = 1;
			host_fail = bad[i].err;
			messages = 0;
			drv_add(0);
			ring_and_wait(1);
			ok(ram[STATUS_AT] == VIRTIO_BLK_S_IOERR && !host_fail_after &&
			       messages == 1 && last_len() == 1,
			   "%s%s, after a part of it", bad[i].how, direct ? " (direct)" : "");
		}
	}
	eq(blk.inflight, 0, "nothing is left at the host");
}

/* No wait between submission and reset: the answer must not come, nor memory change after it. */
static void test_reset(void)
{
	static u8 before[RAM_SIZE];

	if (start_with(",direct", FEATURES))
		start_with("", FEATURES);
	set_header(VIRTIO_BLK_T_IN, 0);
	drv_desc(0, DRV_DATA, 16, NEXT, 1);
	drv_desc(1, BUF, 65536, NEXT | WRITE, 2);
	drv_desc(2, STATUS_AT, 1, WRITE, 0);
	drv_add(0);
	put(VIRTIO_BAR_NOTIFY, 2, 0);
	put(20, 1, 0);
	eq(blk.inflight, 0, "reset waits for the host");
	memcpy(before, ram, RAM_SIZE);
	for (int i = 0; i < 3; i++)
		loop_turn(10);
	ok(!memcmp(before, ram, RAM_SIZE), "memory is quiet after it");
	start_driver(FEATURES);
	eq(io(VIRTIO_BLK_T_IN, 0, BUF, 512), 0, "and the next driver starts afresh");
	eq(drv_used_idx(), 1, "with the first used entry");
}

#define LARGE (1200ull * PAGE)

static void test_iommu(void)
{
	unsigned int bad = 0;
	u64 features = FEATURES | BIT(VIRTIO_F_ACCESS_PLATFORM);

	fake_behind_iommu = true;
	start_with("", features);
	for (unsigned int i = 0; i < 64; i++)
		iova[0x40 + i] = 0xff - i;
	eq(io(VIRTIO_BLK_T_IN, 0, 0x40200, SIZE - 4096), 0, "a scattered read");
	ok(!memcmp(ram + 0xff200, image, 0xe00) && !memcmp(ram + 0xfe000, image + 0xe00, 4096),
	   "reaches every page");
	iova[0x45] = IOVA_NONE;
	eq(io(VIRTIO_BLK_T_IN, 0, 0x40200, 65536), VIRTIO_BLK_S_IOERR, "a page that is blocked");
	iova[0x45] = 0x45;
	iova_ro[0x45] = true;
	eq(io(VIRTIO_BLK_T_IN, 0, 0x40200, 65536), VIRTIO_BLK_S_IOERR, "one that is read-only");
	eq(io(VIRTIO_BLK_T_OUT, 0, 0x40200, 65536), 0, "which is good to write from");

	/* No two neighbours anywhere, in more pieces than the host takes at once. */
	start_with("", features);
	file.size = LARGE;
	memset(ram + 0x80000, 0xaa, PAGE);
	memset(ram + 0x84000, 0xbb, PAGE);
	for (unsigned int i = 0x20; i < PAGES; i++)
		iova[i] = 0x80 + (i & 1) * 4;
	set_header(VIRTIO_BLK_T_OUT, 0);
	ram[STATUS_AT] = 0xee;
	drv_desc(0, DRV_DATA, 16, NEXT, 1);
	for (u16 i = 1; i <= LARGE / (200 * PAGE); i++)
		drv_desc(i, 0x20000, 200 * PAGE, NEXT, i + 1);
	drv_desc(LARGE / (200 * PAGE), 0x20000, 200 * PAGE, NEXT, 9);
	drv_desc(9, STATUS_AT, 1, WRITE, 0);
	drv_add(0);
	ring_and_wait(1);
	eq(ram[STATUS_AT], 0, "%llu pieces in a request", LARGE / PAGE);
	for (u64 i = 0; i < LARGE / PAGE; i++)
		bad += !on_disk(i * PAGE, ram + 0x80000 + (i & 1) * 0x4000, PAGE);
	eq(bad, 0, "all of them are written");
	fake_behind_iommu = false;
}

static int opened(const char *arg)
{
	struct blk_file f = { 0 };
	int err = blk_file__parse(&f, arg);

	if (!err)
		err = blk_file__open(&f);
	if (!err)
		blk_file__close(&f);
	return err;
}

static void test_files(void)
{
	struct blk_file f = { 0 };
	char arg[64];

	stop();
	eq(opened(""), -EINVAL, "no file");
	eq(opened(",ro"), -EINVAL, "only options");
	eq(opened("/nonexistent/x"), -ENOENT, "a file that is not there");
	ok(strstr(last_msg, "/nonexistent/x"), "named: %s", last_msg);
	eq(opened("/tmp"), -EISDIR, "a directory");
	eq(opened("/tmp,ro"), -EINVAL, "a directory to read");
	eq(opened("/dev/null"), -EINVAL, "a character device");
	eq(opened("/dev/null,rw"), -EINVAL, "an unknown option");
	eq(opened("/dev/null,serial="), -EINVAL, "an empty serial");
	eq(opened("/dev/null,serial=012345678901234567890"), -EINVAL, "a serial of 21 characters");
	if (truncate(path, 0))
		exit(1);
	eq(opened(path), -EINVAL, "an empty file");
	ok(strstr(last_msg, "empty"), "says: %s", last_msg);
	if (truncate(path, 1000))
		exit(1);
	eq(opened(path), -EINVAL, "a file of 1000 bytes");
	ok(strstr(last_msg, "1000") && strstr(last_msg, "512"), "says: %s", last_msg);
	if (truncate(path, 512))
		exit(1);
	eq(opened(path), 0, "a file of 512 bytes");

	snprintf(arg, sizeof(arg), "%s,ro", path);
	ok(!blk_file__parse(&f, path) && !blk_file__open(&f), "open to write");
	eq(opened(path), -EBUSY, "not by two");
	eq(opened(arg), -EBUSY, "nor to read then");
	blk_file__close(&f);
	ok(!blk_file__parse(&f, arg) && !blk_file__open(&f), "open to read");
	eq(opened(arg), 0, "by two");
	eq(opened(path), -EBUSY, "but not to write");
	blk_file__close(&f);
}

static void test_module(void)
{
	char arg[64];

	write_image();
	ok(registered && registered->level == MODULE_DEVICE, "the module registers itself");
	snprintf(arg, sizeof(arg), "%s,ro", path);
	for (int i = 0; i < 2; i++)
		eq(registered->options[0].parse(arg), 0, "--disk, number %d", i);
	eq(registered->validate(), 0, "both can be opened");
	eq(registered->setup(&vm), 0, "both are set up");
	ok(!strcmp(disks[1]->blk.name, "virtio-blk.1") &&
	       !strcmp(disks[1]->file.serial, "lkvm-disk-1"),
	   "names and serials follow the order");
	registered->teardown(&vm);
	eq(watching(), 0, "nothing is left after teardown");
	eq(registered->validate(), 0, "once more");
	fake_pci_error = -ENOSPC;
	eq(registered->setup(&vm), -ENOSPC, "no slot");
	ok(watching() == 0 && disks[0]->file.fd < 0, "is undone");
	fake_pci_error = 0;
}

/* A driver that writes garbage everywhere it can; ASan and UBSan watch. */
static void test_random(void)
{
	unsigned int seed = 99, answered = 0;

	start_with("", FEATURES | BIT(VIRTIO_RING_F_INDIRECT_DESC));
	start_driver(
	    FEATURES | BIT(VIRTIO_RING_F_INDIRECT_DESC) |
	    (blk.ops.features & (BIT(VIRTIO_BLK_F_DISCARD) | BIT(VIRTIO_BLK_F_WRITE_ZEROES))));
	for (int round = 0; round < 2000; round++) {
		u8 wild = rand_r(&seed) % 32;

		if (get(20, 1) != 15)
			start_driver(FEATURES | BIT(VIRTIO_RING_F_INDIRECT_DESC));
		set_header(rand_r(&seed) % 10, rand_r(&seed) % (SECTORS + 8));
		drv_desc(0, DRV_DATA, rand_r(&seed) % 32, NEXT, 1);
		drv_desc(1, wild == 1 ? RAM_SIZE - 99 : BUF + (u32)rand_r(&seed) % 4096,
			 rand_r(&seed) % 3 ? 512u * (rand_r(&seed) % 128) : (u32)rand_r(&seed),
			 NEXT | (rand_r(&seed) & WRITE), wild == 2 ? rand_r(&seed) : 2);
		drv_desc(2, STATUS_AT, rand_r(&seed) % 4, rand_r(&seed) % 8 ? WRITE : 0, 0);
		drv_add(wild == 3 ? rand_r(&seed) : 0);
		put(VIRTIO_BAR_NOTIFY, 2, 0);
		if (rand_r(&seed) % 50 == 0)
			put(20, 1, 0);
		loop_turn(0);
		answered += drv_used_idx() != 0;
	}
	ok(answered > 100, "a wild driver is answered %u times", answered);
	put(20, 1, 0);
	eq(blk.inflight, 0, "and leaves nothing behind");
}

int main(void)
{
	blk_image();
	test_io("cached", "", 0);
	test_io("cached, misaligned", "", 3);
	test_io("direct", ",direct", 0);
	eq(host_bounced, 0, "direct: aligned buffers are used as they are");
	test_io("direct, misaligned", ",direct", 5);
	test_scattered("cached", "");
	test_scattered("direct", ",direct");
	test_batch();
	test_bounds();
	test_framing();
	test_id_and_config();
	test_ro();
	test_flush();
	test_host_errors();
	test_reset();
	test_iommu();
	test_random();
	test_files();
	test_module();
	unlink(path);
	return tap_done();
}
