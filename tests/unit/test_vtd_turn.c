/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Turns of the invalidation queue: what a guest submits at once is done within its write; more is done
 * by the event loop, in pieces, and nothing is told to be done before it is.
 */

#include "vtd_queue.h"

#define QS	7
#define ENTRIES (128u << QS) /* of 32 bytes */

/* What one invalidation of all PASIDs costs when the directory is full. */
#define FULL (BIT(14) + BIT(20))

/* A wide queue of the largest size, in scalable mode. */
static void start_large(void)
{
	start(1, true);
	wr(vtd, VTD_IQA, QUEUE | VTD_IQA_DW | QS, 8);
}

static void put_wait(u64 index, u32 val)
{
	put(index, 5 | BIT(5) | (u64)val << 32, STATUS, 0, 0);
}

/* The event loop's part; how many turns that were. */
static unsigned int go_on(void)
{
	unsigned int turns = 0;

	while (turns_asked) {
		turns_asked = 0;
		vtd_queue__run(vtd);
		turns++;
	}
	return turns;
}

static u64 head(void)
{
	return rd(vtd, VTD_IQH, 8) / 32;
}

static void test_at_once(void)
{
	start_large();
	for (u64 i = 0; i < 64; i++)
		put(i, 6 | G(3), i << 12, 0, 0);
	put_wait(64, 1);
	inv_work = VTD_WORK_IOTLB;
	tail(65);
	ok(status() == 1 && head() == 65 && !turns_asked,
	   "64 pages and a wait are done within the write");
	put(65, 7 | G(3), 0, 0, 0);
	put_wait(66, 2);
	inv_work = BIT(14);
	tail(67);
	ok(status() == 2 && !turns_asked, "a search of an empty directory and a wait too");
	put_wait(67, 3);
	tail(68);
	ok(status() == 3 && !turns_asked, "what one write cost is not held against the next");
	inv_work = 0;
	fake__free(vtd);
}

static void test_flood(void)
{
	const u64 n = ENTRIES - 2;
	unsigned int turns;
	bool early = false;
	u64 last = 0;

	start_large();
	for (u64 i = 0; i < n; i++)
		put(i, 7 | G(3), 0, 0, 0);
	put_wait(n, 1);
	inv_work = FULL;
	tail(n + 1);
	eq(head(), 1, "of invalidations that take a turn each the write does one");
	eq(turns_asked, 1, "and leaves the others to the loop");
	eq(status(), 0, "the wait behind them is not complete");
	ok(!strcmp(inv_log, "ps"), "what was done is with the host");
	for (turns = 0; turns_asked && turns < ENTRIES; turns++) {
		turns_asked = 0;
		inv_log[0] = 0;
		vtd_queue__run(vtd);
		early |= status() && head() <= n;
		early |= head() != last + 1 && head() != turns + 2;
		last = head();
	}
	eq(head(), n + 1, "the loop comes to the end");
	ok(!early, "one at a time, the head with them, the wait last");
	eq(status(), 1, "which then completes");
	eq(vtd->stats.desc[7], n, "each invalidation was done once");
	inv_work = 0;
	fake__free(vtd);

	start_large();
	for (u64 i = 0; i < ENTRIES - 1; i++)
		put(i, 5, 0, 0, 0);
	tail(ENTRIES - 1);
	turns = go_on();
	ok(head() == ENTRIES - 1 && turns < 4, "waits alone are cheap: few turns");
	fake__free(vtd);

	start_large();
	for (u64 i = 0; i < 1000; i += 2) {
		put(i, 4, 0, 0, 0);
		put_wait(i + 1, i);
	}
	tail(1000);
	ok(refreshed >= 2 && refreshed <= 20 && turns_asked, "routes are set some times in a turn");
	eq(refreshed, head() / 2, "before each wait that completed");
	eq(status(), head() - 2, "the last one says so");
	go_on();
	ok(refreshed == 500 && head() == 1000 && status() == 998, "to the end");
	fake__free(vtd);
}

/* Four invalidations and a wait, of which the write does one. */
static void start_pending(void)
{
	start_large();
	for (u64 i = 0; i < 4; i++)
		put(i, 7 | G(3), 0, 0, 0);
	put_wait(4, 1);
	inv_work = FULL;
	tail(5);
	inv_log[0] = 0;
}

static void test_registers(void)
{
	start_pending();
	eq(rd(vtd, VTD_IQH, 8), 32, "the head is read where it is");
	eq(rd(vtd, VTD_IQT, 8), 5 * 32, "and the tail");
	eq(rd(vtd, VTD_FSTS, 4), 0, "nothing is wrong");
	put_wait(5, 2);
	tail(6);
	ok(status() == 0 && head() > 1 && head() < 5, "another tail does a turn, not all");
	go_on();
	ok(status() == 2 && head() == 6, "and is reached in the end");
	eq(vtd->stats.desc[7], 4, "with everything done once");
	fake__free(vtd);

	start_pending();
	wr(vtd, VTD_GCMD, 0, 4);
	eq(rd(vtd, VTD_IQH, 8), 0, "QIE off resets the head");
	go_on();
	ok(!inv_log[0] && !status(), "and no turn does anything");
	put_wait(0, 3);
	wr(vtd, VTD_IQT, 32, 8);
	turns_asked = 1;
	go_on();
	eq(status(), 0, "nor when the tail is written");
	wr(vtd, VTD_GCMD, VTD_GCMD_QIE, 4);
	ok(status() == 3 && head() == 1, "on again: it begins at the start of the queue");
	fake__free(vtd);

	start_pending();
	vtd_regs__reset(vtd);
	go_on();
	ok(!inv_log[0] && !status() && !vtd->iqh, "a reset ends it");
	fake__free(vtd);

	start_pending();
	wr(vtd, VTD_IQA, QUEUE | VTD_IQA_DW, 8);
	go_on();
	ok(status() == 1 && head() == 5, "a smaller queue is taken up where it was");
	fake__free(vtd);

	start_pending();
	wr(vtd, VTD_IQA, FAKE_RAM | VTD_IQA_DW, 8);
	go_on();
	ok(rd(vtd, VTD_FSTS, 4) == VTD_FSTS_IQE && rd(vtd, VTD_IQERCD, 8) == 2 && head() == 1,
	   "one that is not memory is an error");
	fake__free(vtd);

	start_pending();
	set_mode(0);
	go_on();
	ok(rd(vtd, VTD_FSTS, 4) == VTD_FSTS_IQE && rd(vtd, VTD_IQERCD, 8) == 3 && !status(),
	   "SRTP to legacy mode: there are no PASID descriptors any more");
	fake__free(vtd);
	inv_work = 0;
}

static void test_errors(void)
{
	start_pending();
	wr(vtd, VTD_FECTL, 0, 4);
	wr(vtd, VTD_FEADDR, 0xfee00000, 4);
	put(2, 10, 0, 0, 0);
	go_on();
	ok(head() == 2 && rd(vtd, VTD_FSTS, 4) == VTD_FSTS_IQE && msi_sent == 1,
	   "a bad descriptor in a later turn stops it there, with an event");
	eq(turns_asked, 0, "for good");
	put(2, 7 | G(3), 0, 0, 0);
	wr(vtd, VTD_FSTS, VTD_FSTS_IQE, 4);
	ok(head() == 3 && turns_asked && !status(), "mended and cleared, it does a turn");
	go_on();
	ok(status() == 1 && head() == 5, "and the rest");
	fake__free(vtd);

	start_pending();
	put(2, 3 | SID(0x1234), 0, 0, 0);
	go_on();
	ok(rd(vtd, VTD_FSTS, 4) == VTD_FSTS_ITE && !status() && !turns_asked,
	   "a device-TLB that is not there stops a later turn");
	wr(vtd, VTD_FSTS, VTD_FSTS_ITE, 4);
	go_on();
	eq(head(), 5, "until ITE is cleared");
	fake__free(vtd);

	/* The turn ends behind the descriptor that has no answer. */
	start_large();
	put(0, 3 | SID(0x1234), 0, 0, 0);
	put(1, 7 | G(3), 0, 0, 0);
	put(2, 7 | G(3), 0, 0, 0);
	put_wait(3, 1);
	tail(4);
	ok(rd(vtd, VTD_FSTS, 4) == VTD_FSTS_ITE && !status() && !turns_asked,
	   "its time-out does not wait for another turn");
	wr(vtd, VTD_FSTS, VTD_FSTS_ITE, 4);
	go_on();
	ok(head() == 4 && !(rd(vtd, VTD_FSTS, 4) & VTD_FSTS_ITE), "cleared: on to the end");
	eq(status(), 1, "with the wait, which was not pending when it came");
	fake__free(vtd);

	start_pending();
	lose_isolation = true;
	go_on();
	ok(!status() && head() < 4 && !turns_asked, "isolation lost: no turn any more");
	lose_isolation = false;
	vtd->isolation_lost = true;
	turns_asked = 1;
	go_on();
	eq(status(), 0, "no wait completes");
	fake__free(vtd);
	inv_work = 0;
}

int main(void)
{
	test_at_once();
	test_flood();
	test_registers();
	test_errors();
	return tap_done();
}
