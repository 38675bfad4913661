/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The disk behind an IOMMU: memory that the guest takes back while requests use it is not touched
 * any more once the invalidation is over (VT-d 6.5.4).
 */

#include <linux/pci_regs.h>

#include "tests/unit/blk_fake.h"

#define LEN   (4 * PAGE)
#define OLD   0x80000u /* where the data was to go */
#define OTHER 0xc0000u
#define HEAD  4u /* descriptors of a request */

static void map(u32 addr, u32 to, u32 len)
{
	for (u32 i = 0; i < len / PAGE; i++)
		iova[addr / PAGE + i] = to / PAGE + i;
}

static void unmap(u32 addr)
{
	iova[addr / PAGE] = IOVA_NONE;
}

static bool start_iommu(const char *opts)
{
	if (start_with(opts, FEATURES)) {
		ok(true, "# SKIP %s", last_msg);
		return false;
	}
	map(BUF, OLD, LEN);
	host_lazy = true;
	dma_faults = 0;
	return true;
}

/* Request @n at sector 0, with @len bytes at @addr; its status lies in a page of its own. */
static u32 status_at(u16 n)
{
	return 0x30000 + n * PAGE;
}

static void submit(u16 n, u32 type, u32 addr, u32 len)
{
	struct virtio_blk_outhdr hdr = { .type = type };
	u16 d = HEAD * n;

	memcpy(ram + DRV_DATA + 32 * n, &hdr, sizeof(hdr));
	ram[status_at(n)] = 0xee;
	drv_desc(d, DRV_DATA + 32 * n, 16, NEXT, d + 1);
	if (type == VIRTIO_BLK_T_FLUSH) {
		drv_desc(d + 1, status_at(n), 1, WRITE, 0);
	} else {
		u16 flags = NEXT | (type == VIRTIO_BLK_T_IN ? WRITE : 0);

		drv_desc(d + 1, addr, len / 2, flags, d + 2);
		drv_desc(d + 2, addr + len / 2, len - len / 2, flags, d + 3);
		drv_desc(d + 3, status_at(n), 1, WRITE, 0);
	}
	drv_add(d);
	ring();
}

static void perform(u64 addr, u64 len)
{
	if (listening)
		listening->invalidate(listening, DMA_NO_PASID, addr, len, false);
}

static void wait_used(u16 idx)
{
	for (int i = 0; i < 100 && drv_used_idx() != idx; i++)
		loop_turn(50);
	loop_turn(0);
}

/* What the guest has once its invalidation is over, to be compared with what it has later. */
static u8 then[RAM_SIZE];

static bool untouched(u32 at, u32 len)
{
	return !memcmp(then + at, ram + at, len);
}

static void test_read(const char *opts, u32 skew)
{
	u32 buf = BUF + skew, len = LEN - PAGE;

	if (!start_iommu(opts))
		return;
	submit(0, VIRTIO_BLK_T_IN, buf, len);
	eq(blk.inflight, 1, "%s+%u: a read is under way", opts, skew);
	perform(BUF, LEN);
	perform(0, 0);
	eq(blk.inflight, 1, "and goes on if its memory is still there");
	unmap(BUF + PAGE);
	perform(0xd0000, 0x10000);
	eq(blk.inflight, 1, "or if that is not what is invalidated");
	perform(BUF + PAGE, PAGE);
	eq(blk.inflight, 0, "else it is waited for");
	ok(!memcmp(ram + OLD + skew, image, len), "its data came before the invalidation was over");
	memcpy(then, ram, RAM_SIZE);
	ok(!drv_used_idx() && ram[status_at(0)] == 0xee && !fired[1] && !dma_faults,
	   "but no answer from within it");
	wait_used(1);
	ok(drv_used_idx() == 1 && ram[status_at(0)] == 0 && last_len() == len + 1 && fired[1] == 1,
	   "the answer follows");
	ok(untouched(OLD, LEN), "and the memory is left alone");
	ok(!dma_faults && !broken_dev(), "nothing was done that the IOMMU refuses");
}

/* Pages go elsewhere, or lose a right; an end of a chain is enough. */
static void test_changes(void)
{
	static const struct {
		u32 type, page;
		bool ro, waited;
		const char *how;
	} change[] = {
		{ VIRTIO_BLK_T_IN, 0, false, true, "a read whose first page moves" },
		{ VIRTIO_BLK_T_IN, 3, false, true, "a read whose last page moves" },
		{ VIRTIO_BLK_T_OUT, 0, false, true, "a write whose first page moves" },
		{ VIRTIO_BLK_T_OUT, 3, false, true, "a write whose last page moves" },
		{ VIRTIO_BLK_T_IN, 2, true, true, "a read into what becomes read-only" },
		{ VIRTIO_BLK_T_OUT, 2, true, false, "a write from it" },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(change); i++) {
		u32 page = BUF / PAGE + change[i].page;

		start_iommu("");
		memset(ram + OLD, 0x3c, LEN);
		memset(ram + OTHER, 0xc3, LEN);
		submit(0, change[i].type, BUF, LEN);
		if (change[i].ro)
			iova_ro[page] = true;
		else
			iova[page] = OTHER / PAGE;
		perform(0, 0);
		eq(blk.inflight, !change[i].waited, "%s", change[i].how);
		memcpy(then, ram, RAM_SIZE);
		memset(ram + OLD, 0x55, LEN);
		memcpy(ram + OLD, then + OLD, change[i].waited ? 0 : LEN);
		host_go(blk.ctx);
		wait_used(1);
		eq(ram[status_at(0)], 0, "is done all the same");
		if (change[i].type == VIRTIO_BLK_T_OUT)
			ok(on_disk(0, then + OLD, LEN), "with the old page's data");
		else
			ok(!memcmp(then + OLD, image, LEN) && untouched(OTHER, LEN),
			   "in the old page");
	}
}

/* Only what lost its memory is waited for; what the host finishes besides is kept. */
static void test_others(void)
{
	start_iommu("");
	map(0xa0000, 0xa0000, LEN);
	submit(0, VIRTIO_BLK_T_IN, 0xa0000, LEN);
	submit(1, VIRTIO_BLK_T_IN, BUF, LEN);
	submit(2, VIRTIO_BLK_T_FLUSH, 0, 0);
	unmap(BUF);
	host_lazy = false;
	perform(BUF, PAGE);
	ok(!drv_used_idx() && !memcmp(ram + OLD, image, LEN),
	   "three are under way, one is waited for");
	wait_used(3);
	ok(drv_used_idx() == 3 && !ram[status_at(0)] && !ram[status_at(1)] && !ram[status_at(2)],
	   "all are answered, once");
	ok(!memcmp(ram + 0xa0000, image, LEN), "with their data");
	eq(blk.inflight, 0, "nothing is left");

	start_iommu("");
	submit(0, VIRTIO_BLK_T_FLUSH, 0, 0);
	unmap(BUF);
	perform(0, 0);
	eq(blk.inflight, 1, "a flush has no memory to lose");
	host_go(blk.ctx);
	wait_used(1);
	eq(ram[status_at(0)], 0, "it ends as always");
	host_nkept = 0;
}

/* What the host does not do at once has no memory any more for the rest. */
static void test_short(const char *opts, u32 skew)
{
	if (!start_iommu(opts))
		return;
	host_short = true;
	iova[BUF / PAGE + 1] = (OTHER + PAGE) / PAGE; /* a second piece */
	submit(0, VIRTIO_BLK_T_IN, BUF + skew, LEN - PAGE);
	unmap(BUF + 2 * PAGE);
	perform(BUF + 2 * PAGE, PAGE);
	eq(blk.inflight, 0, "%s: a read of which the host does a part", opts);
	memcpy(then, ram, RAM_SIZE);
	messages = 0;
	wait_used(1);
	eq(ram[status_at(0)], VIRTIO_BLK_S_IOERR, "is an error");
	ok(messages == 1 && untouched(OLD, LEN) && untouched(OTHER, LEN), "told of: %s", last_msg);
	host_short = false;
	map(BUF, OLD, LEN);
	host_lazy = false;
	eq(io(VIRTIO_BLK_T_IN, 0, BUF, LEN), 0, "and not the end");

	start_iommu(opts);
	host_short = true;
	submit(0, VIRTIO_BLK_T_IN, BUF + skew, LEN - PAGE);
	host_go(blk.ctx);
	host_lazy = false;
	wait_used(1);
	eq(ram[status_at(0)], 0, "%s: without it, the rest follows", opts);
}

/* Memory that was done with may go; what is still to come may not. */
static void test_progress(u32 gone, bool waited)
{
	start_iommu("");
	map(BUF + 2 * PAGE, OTHER, 2 * PAGE);
	host_short = true; /* one piece at a time, of which there are two */
	submit(0, VIRTIO_BLK_T_IN, BUF, LEN);
	host_go(blk.ctx);
	for (int i = 0; i < 100 && !host_nkept; i++)
		loop_turn(50);
	unmap(gone);
	perform(0, 0);
	eq(blk.inflight, !waited, "half of a read is done, and %s half is taken back",
	   waited ? "the other" : "that");
	host_go(blk.ctx);
	wait_used(1);
	ok(!ram[status_at(0)] && !memcmp(ram + OLD, image, 2 * PAGE) &&
	       !memcmp(ram + OTHER, image + 2 * PAGE, 2 * PAGE),
	   "it is completed");
}

/* The status goes where its address leads when it is written. */
static void test_status(void)
{
	start_iommu("");
	submit(0, VIRTIO_BLK_T_IN, BUF, LEN);
	iova[status_at(0) / PAGE] = OTHER / PAGE;
	perform(status_at(0), PAGE);
	host_go(blk.ctx);
	ram[OTHER] = 0xee;
	wait_used(1);
	ok(ram[status_at(0)] == 0xee && !ram[OTHER], "a status whose page has moved");

	start_iommu("");
	submit(0, VIRTIO_BLK_T_IN, BUF, LEN);
	unmap(status_at(0));
	perform(status_at(0), PAGE);
	host_go(blk.ctx);
	for (int i = 0; i < 100 && !broken_dev(); i++)
		loop_turn(50);
	ok(ram[status_at(0)] == 0xee && dma_faults == 1 && broken_dev(),
	   "one that has gone is a fault and the end");
}

/* A reset between the invalidation and the answer: nobody wants that any more. */
static void test_reset(void)
{
	start_iommu("");
	submit(0, VIRTIO_BLK_T_IN, BUF, LEN);
	unmap(BUF);
	perform(0, 0);
	put(20, 1, 0);
	memcpy(then, ram, RAM_SIZE);
	for (int i = 0; i < 3; i++)
		loop_turn(10);
	ok(untouched(0, RAM_SIZE), "a reset before the answer: there is none");
	host_lazy = false;
	start_driver(FEATURES);
	eq(io(VIRTIO_BLK_T_IN, 0, BUF, LEN), 0, "and the next driver is served");

	start_iommu("");
	submit(0, VIRTIO_BLK_T_IN, BUF, LEN);
	unmap(BUF);
	perform(0, 0);
	stop();
	ok(!listening && !watching(), "nor has the end of the machine anything left");
}

static void bus_master(bool on)
{
	fake_master = on;
	blk.dev.pci.ops->cfg_written(&blk.dev.pci, PCI_COMMAND, 2, on ? PCI_COMMAND_MASTER : 0);
}

/* A function that may not access memory does not, though the host had begun. */
static void test_master(bool iommu)
{
	fake_behind_iommu = iommu;
	start_iommu("");
	submit(0, VIRTIO_BLK_T_IN, OLD, LEN);
	submit(1, VIRTIO_BLK_T_FLUSH, 0, 0);
	bus_master(false);
	memcpy(then, ram, RAM_SIZE);
	host_go(blk.ctx);
	for (int i = 0; i < 3; i++)
		loop_turn(10);
	ok(untouched(0, RAM_SIZE), "without bus mastering memory is quiet at once");
	ok(!memcmp(ram + OLD, image, LEN), "what the host had begun was done before");
	bus_master(true);
	wait_used(2);
	ok(drv_used_idx() == 2 && !ram[status_at(0)] && !ram[status_at(1)] && !broken_dev(),
	   "with it the answers come");
	submit(0, VIRTIO_BLK_T_IN, OLD, LEN);
	bus_master(false);
	fake_master = true;
	host_lazy = false;
	start_driver(FEATURES);
	eq(io(VIRTIO_BLK_T_IN, 0, BUF, LEN), 0, "or a reset, and they do not");
	eq(drv_used_idx(), 1, "not even late");
	fake_behind_iommu = true;
}

/* Looking costs time, which a guest does not get without end. */
static void test_bounded(void)
{
	unsigned int n;

	start_iommu("");
	submit(0, VIRTIO_BLK_T_IN, BUF, LEN);
	for (n = 0; n < 1000000 && blk.inflight; n++)
		perform(0, 0);
	ok(n > 1000 && n < 1000000, "after %u invalidations it is rather waited for", n);
	wait_used(1);
	ok(!ram[status_at(0)] && !memcmp(ram + OLD, image, LEN), "without harm");
	submit(0, VIRTIO_BLK_T_IN, BUF, LEN);
	perform(0, 0);
	eq(blk.inflight, 1, "the next one is looked at again");
	host_go(blk.ctx);
	wait_used(2);

	start_iommu(",direct");
	host_short = true;
	submit(0, VIRTIO_BLK_T_IN, BUF + 3, 3 * PAGE);
	for (n = 0; n < 1000000 && blk.inflight; n++)
		perform(0, 0);
	wait_used(1);
	ok(!ram[status_at(0)] && !memcmp(ram + OLD + 3, image, 3 * PAGE),
	   "then all of it, if the host does it in parts");
}

int main(void)
{
	blk_image();
	fake_behind_iommu = true;
	test_read("", 0);
	test_read(",direct", 0);
	test_read(",direct", 7);
	test_changes();
	test_others();
	test_short("", 0);
	test_short(",direct", 7);
	test_progress(BUF + PAGE, false);
	test_progress(BUF + 3 * PAGE, true);
	test_status();
	test_reset();
	test_master(true);
	test_master(false);
	test_bounded();
	stop();
	unlink(path);
	return tap_done();
}
