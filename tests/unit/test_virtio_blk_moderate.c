/* SPDX-License-Identifier: GPL-2.0-only */
/* The disk: when a guest is interrupted that makes one request after the other. */

#include "tests/unit/blk_fake.h"

#define US 1000ULL

static u16 at;

/* One more request, @gap after the last; the loop sees no timer. */
static void ask(u64 gap)
{
	fake_now += gap;
	blk_add_read(at++ % 64);
	put(VIRTIO_BAR_NOTIFY, 2, 0);
}

static void ask_n(unsigned int n, u64 gap)
{
	while (n--)
		ask(gap);
}

/* The loop's turn when the timer has expired. */
static void expire(void)
{
	fake_now = timer_at;
	timer_at = 0;
	settle();
}

static void fresh(void)
{
	start_with("", FEATURES | BIT(VIRTIO_RING_F_INDIRECT_DESC));
	fake_now = 1000000000;
	timer_at = at = 0;
	no_timer = false;
}

/* Up to where the next answer is deferred; how many interrupts that took. */
static unsigned int until_tried(void)
{
	fresh();
	ask_n(AT_ONCE, 20 * US);
	return fired[1];
}

static void test_waits(void)
{
	fresh();
	ask_n(AT_ONCE, 20 * US);
	ok(fired[1] == AT_ONCE && !timer_at, "the first %d answers are told at once", AT_ONCE);
	ask(20 * US);
	ok(fired[1] == AT_ONCE && drv_used_idx() == AT_ONCE + 1,
	   "the next one is not, but it is there");
	ok(timer_at > fake_now + 39 * US && timer_at < fake_now + 41 * US, "for two gaps");
	expire();
	eq(fired[1], AT_ONCE + 1, "then it is told");
	ask_n(AT_ONCE, 20 * US);
	ok(fired[1] == 2 * AT_ONCE + 1 && !timer_at, "and a guest that waited is left alone");
	ask(20 * US);
	ok(fired[1] == 2 * AT_ONCE + 1 && timer_at, "for so long");
}

static void test_busy(void)
{
	unsigned int before = until_tried();

	ask(20 * US);
	eq(fired[1], before, "a guest that goes on is not interrupted");
	ask(20 * US);
	eq(fired[1], before + 1, "before there are two answers");
	ask_n(200, 20 * US);
	eq(fired[1], before + 101, "and so on");

	ask(20 * US);
	timer_at = 0;
	fake_now += 10 * US;
	settle();
	ok(timer_at > fake_now && fired[1] == before + 101,
	   "a timer from before waits for the last");
	expire();
	eq(fired[1], before + 102, "which ends it");
	ask_n(10, 20 * US);
	eq(fired[1], before + 112, "now all are told at once");
}

static void test_many(void)
{
	unsigned int before = until_tried();

	blk_add_read(at++ % 64);
	ask(20 * US);
	eq(fired[1], before + 1, "two answers in one turn are told at its end");
	eq(io(VIRTIO_BLK_T_IN, 0, BUF, BIG), 0, "one that is large");
	eq(fired[1], before + 2, "too");
}

static void test_lazy(void)
{
	unsigned int before = until_tried();

	host_lazy = true;
	ask(20 * US);
	ok(fired[1] == before && !timer_at, "a host that takes its time: nothing to tell yet");
	host_lazy = false;
	if (io_submit(blk.ctx, host_nkept, host_kept) != 1)
		exit(1);
	host_nkept = 0;
	settle();
	eq(fired[1], before + 1, "and that is told when it is there");
}

static void test_resets(void)
{
	fresh();
	ask_n(AT_ONCE + 1, 20 * US);
	ok(timer_at, "an answer is deferred");
	start_driver(FEATURES | BIT(VIRTIO_RING_F_INDIRECT_DESC));
	at = 0;
	expire();
	eq(fired[1], 0, "its interrupt does not outlive a reset");
	ask(20 * US);
	eq(fired[1], 1, "and the new driver is told at once");

	fresh();
	no_timer = true;
	ask_n(AT_ONCE + 1, 20 * US);
	eq(fired[1], AT_ONCE + 1, "without a timer nothing is deferred");
	no_timer = false;
	ask(20 * US);
	fake_now -= 10 * US;
	no_timer = true;
	settle();
	eq(fired[1], AT_ONCE + 2, "and if it cannot go on, all is told");
}

static void test_gap(void)
{
	fresh();
	ask_n(AT_ONCE, 5000000 * US);
	ask(5000000 * US);
	ok(timer_at <= fake_now + 2 * GAP_MAX,
	   "a guest that seldom asks waits no longer than 2 ms");
	expire();
	fake_now = 1000000000; /* a clock that went back */
	ask_n(3, 20 * US);
	ok(blk.moderation[0].gap <= GAP_MAX, "whatever the clock says");
}

/* Bus mastering goes off and on while an answer is deferred. */
static void master(bool on)
{
	fake_master = on;
	driven->pci.ops->cfg_written(&driven->pci, 4, 2, on ? 6 : 2);
}

static void test_master(void)
{
	unsigned int before = until_tried();

	ask(20 * US);
	master(false);
	expire();
	eq(fired[1], before, "a function that is not bus master does not interrupt");
	master(true);
	settle();
	eq(fired[1], before + 1, "but does when it is again");
}

/* --- Two queues --- */

#define Q1_DESC	 0x8000u
#define Q1_AVAIL 0xa000u
#define Q1_USED	 0xb000u
#define Q1_DATA	 0xc000u

static void start_two(void)
{
	vm.cpus = 2;
	fresh();
	vm.cpus = 1;
	memset(ram, 0, sizeof(ram));
	drv_reset(FEATURES | BIT(VIRTIO_RING_F_INDIRECT_DESC));
	drv_queue(0);
	put(VIRTIO_PCI_COMMON_Q_SELECT, 2, 1);
	put(VIRTIO_PCI_COMMON_Q_SIZE, 2, 64);
	put(VIRTIO_PCI_COMMON_Q_MSIX, 2, 2);
	put(VIRTIO_PCI_COMMON_Q_DESCLO, 8, Q1_DESC);
	put(VIRTIO_PCI_COMMON_Q_AVAILLO, 8, Q1_AVAIL);
	put(VIRTIO_PCI_COMMON_Q_USEDLO, 8, Q1_USED);
	put(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	put(VIRTIO_PCI_COMMON_STATUS, 1, 15);
	settle();
}

/* The first request of queue 1. */
static void ask_queue_1(void)
{
	struct virtio_blk_outhdr hdr = { .type = VIRTIO_BLK_T_IN };

	memcpy(ram + Q1_DATA, &hdr, sizeof(hdr));
	drv_desc_at(Q1_DESC, 0, Q1_DATA, sizeof(hdr), NEXT, 1);
	drv_desc_at(Q1_DESC, 1, Q1_DATA + 0x100, SECTOR, NEXT | WRITE, 2);
	drv_desc_at(Q1_DESC, 2, Q1_DATA + 0x800, 1, WRITE, 0);
	poke16(Q1_AVAIL + 2, 1);
	put(VIRTIO_BAR_NOTIFY + 4, 2, 1);
	settle();
}

static void finish_queue_1(void)
{
	host_meanwhile = NULL;
	host_go(blk.ctx);
}

static void test_other_queue(void)
{
	u64 until;

	start_two();
	host_lazy = true;
	ask_queue_1();
	host_lazy = false;
	host_meanwhile = finish_queue_1;
	ask(20 * US);
	ok(peek16(Q1_USED + 2) == 1 && fired[1] == 1, "queue 1 is answered in a turn of queue 0");
	settle();
	eq(fired[2], 1, "and interrupts");

	start_two();
	ask_n(AT_ONCE + 1, 20 * US);
	ok(timer_at && fired[1] == AT_ONCE, "an answer of queue 0 is deferred");
	ask_queue_1();
	ok(fired[2] == 1 && fired[1] == AT_ONCE, "which one of queue 1 does not end");
	expire();
	eq(fired[1], AT_ONCE + 1, "but its timer");

	start_two();
	ask_n(AT_ONCE + 1, 500 * US);
	until = timer_at;
	blk.moderation[1].at_once = 0;
	blk.moderation[1].kicked = fake_now;
	ask_queue_1();
	ok(fired[2] == 0 && timer_at < until, "the timer goes by the sooner of two");
}

int main(void)
{
	blk_image();
	test_waits();
	test_busy();
	test_many();
	test_lazy();
	test_resets();
	test_gap();
	test_master();
	test_other_queue();
	fake_now = 0;
	stop();
	unlink(path);
	return tap_done();
}
