/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What descriptors cost of a turn when there are assigned devices: a guest with a full PASID directory
 * or many bindings, the queue, and the event loop that goes on with it.
 */

#include <pthread.h>
#include <sched.h>

#include "iommu/queue.c"
#include "iommu/turn.c"
#include "x86/loop.c"

#include "vtd_host.h"

void vtd_fault__raise(struct vtd *unit, u32 bits)
{
	unit->fsts |= bits;
}

void irq__refresh(struct irqchip *irq)
{
}

#define QUEUE	0x3000000ULL
#define STATUS	0x2fff000ULL
#define QS	7
#define ENTRIES (128u << QS)

/* Scalable mode, translation on, the largest queue, a context entry for 20 bits of PASIDs. */
static void start_queue(void)
{
	u64 ctx, dir;

	start(VTD_TTM_SCALABLE, 1);
	vtd.binds->host.info.max_pasid_log2 = 20;
	dir = guest_next;
	for (int i = 0; i < 32; i++)
		page_new();
	ctx = context_gpa(&vtd, SID);
	put(ctx, dir | 7ULL << 9 | BIT(3) | 1);
	te(true);
	vtd.gsts |= VTD_GCMD_QIE;
	vtd.iqa = QUEUE | VTD_IQA_DW | QS;
	vtd.iqh = vtd.iqt = 0;
	put(STATUS, 0);
	host.log[0] = '\0';
}

static void submit(u64 lo, u64 hi)
{
	const u64 q = QUEUE + vtd.iqt;

	put(q, lo);
	put(q + 8, hi);
	put(q + 16, 0);
	put(q + 24, 0);
	vtd.iqt = (vtd.iqt + 32) & (ENTRIES * 32 - 1);
}

static void submit_wait(u32 val)
{
	submit(DESC_WAIT | BIT(5) | (u64)val << 32, STATUS);
}

/* All directory entries lead to one table, which is empty. */
static void fill_directory(void)
{
	const u64 dir = ALIGN_DOWN(get(context_gpa(&vtd, SID)), 4 * KiB), table = page_new();

	for (u32 i = 0; i < BIT(14); i++)
		put(dir + i * 8, table | 1);
}

#define PC_GLOBAL (DESC_PASID | 3 << 4)
#define CC_GLOBAL (DESC_CONTEXT | 1 << 4)

/* How many of a kind the first turn does. */
static u64 first_turn(u64 lo)
{
	for (int i = 0; i < 1000; i++)
		submit(lo, 0);
	submit_wait(1);
	vtd_queue__run(&vtd);
	return vtd.iqh / 32;
}

static void test_directory(void)
{
	u64 n;

	start_queue();
	n = first_turn(PC_GLOBAL);
	ok(n >= 16 && n < 1000, "an empty directory: many in a turn (%llu)", n);
	start_queue();
	fill_directory();
	eq(first_turn(PC_GLOBAL), 1, "a full one: a PASID-cache invalidation is a turn");
	eq(get(STATUS), 0, "and the wait not reached");
	start_queue();
	fill_directory();
	eq(first_turn(CC_GLOBAL), 1, "so is one of the context cache");
	start_queue();
	fill_directory();
	n = first_turn(DESC_PASID | 1 << 4);
	ok(n >= 256, "of one PASID there are many in a turn (%llu)", n);
}

/* The host's part is what counts: each descriptor finds all bindings changed. */
static void test_host(void)
{
	u64 calls;

	start_queue();
	for (u32 p = 1; p <= 32; p++)
		set_fs(SID, p, 5, fs1);
	submit(PC_GLOBAL, 0);
	submit_wait(1);
	vtd_queue__run(&vtd);
	ok(get(STATUS) == 1 && live_hwpts() == 32, "32 bindings are made within the write");
	host.log[0] = '\0';

	for (int i = 0; i < 500; i++) {
		submit(DESC_IOTLB | 1 << 4, 0);
		submit_wait(i + 2);
	}
	vtd_queue__run(&vtd);
	calls = vtd.stats.host_inv_calls;
	ok(calls && calls <= 2 * VTD_WORK_TURN / VTD_WORK_HOST && get(STATUS) == 1 + calls / 32,
	   "a turn ends after so many calls to the host (%llu), all waited for completed", calls);
	host.log[0] = '\0';
}

static struct source {
	pthread_t thread;
	struct loop *loop;
} run;

static void *run_loop(void *arg)
{
	return (void *)(intptr_t)loop__run(run.loop);
}

static u64 status_now(void)
{
	u64 val;

	loop__lock(run.loop);
	val = get(STATUS);
	loop__unlock(run.loop);
	return val;
}

static void test_loop(void)
{
	void *status;
	u64 n;

	start_queue();
	run.loop = loop__new();
	guest_vm.loop = run.loop;
	eq(vtd_turn__init(&vtd), 0, "a place in the loop");
	fill_directory();
	pthread_create(&run.thread, NULL, run_loop, NULL);
	loop__lock(run.loop);
	for (int i = 0; i < 40; i++)
		submit(PC_GLOBAL, 0);
	submit_wait(7);
	vtd_queue__run(&vtd);
	n = vtd.iqh;
	loop__unlock(run.loop);
	eq(n, 32, "the write does one");
	while (status_now() != 7)
		sched_yield();
	loop__lock(run.loop);
	ok(vtd.iqh == vtd.iqt && vtd.stats.desc[DESC_PASID] == 40, "the loop does the others");

	for (int i = 0; i < 40; i++)
		submit(PC_GLOBAL, 0);
	vtd_queue__run(&vtd);
	n = vtd.iqh;
	vtd_turn__exit(&vtd);
	loop__stop(run.loop, 3);
	loop__unlock(run.loop);
	pthread_join(run.thread, &status);
	eq(vtd.iqh, n, "torn down, nothing goes on");
	loop__free(run.loop);
	guest_vm.loop = NULL;
}

static void test_no_loop(void)
{
	struct loop closed = { .epfd = -1 };

	guest_vm.loop = &closed;
	ok(vtd_turn__init(&vtd) < 0, "no place in the loop is an error");
	guest_vm.loop = NULL;
}

int main(void)
{
	test_directory();
	test_host();
	test_loop();
	test_no_loop();
	host_done();
	return tap_done();
}
