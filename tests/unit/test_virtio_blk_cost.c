/* SPDX-License-Identifier: GPL-2.0-only */
/* The disk: what requests cost in system calls, doorbells and interrupts. */

#include "tests/unit/blk_fake.h"

#define N 64

static unsigned int answered(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < N; i++)
		n += !ram[0x20000 + 1024 * i + 600];
	return n;
}

/* The doorbell as KVM rings it. */
static void doorbell_and_wait(u16 used)
{
	if (write(virtio_pci__kick_fd(&blk.dev, 0), &(u64){ 1 }, 8) != 8)
		exit(1);
	for (int i = 0; i < 100 && drv_used_idx() != used; i++)
		loop_turn(50);
	settle();
}

static u16 avail_event(void)
{
	return peek16(DRV_USED + 4 + 8 * drv_size);
}

static void test_batch(void)
{
	for (u16 i = 0; i < N; i++)
		blk_add_read(i);
	doorbell_and_wait(N);
	eq(answered(), N, "%d requests behind one doorbell", N);
	eq(host_submits, 1, "one submission");
	eq(host_reads, 0, "no call to learn of the doorbell, nor of completions");
	ok(host_gets >= 1 && fired[1] <= host_gets, "%u interrupts for %u looks at what is done",
	   fired[1], host_gets);
	eq(avail_event(), N, "the next doorbell is wanted for the next request");
}

/* One after the other, each with its own doorbell, as a program that waits for each does. */
static void test_single(void)
{
	host_submits = host_reads = host_gets = 0;
	memset(fired, 0, sizeof(fired));
	for (u16 i = 0; i < N; i++) {
		u16 used = drv_used_idx();

		blk_add_read(i);
		poke16(DRV_AVAIL + 4 + 2 * drv_size, used); /* used_event */
		doorbell_and_wait(used + 1);
	}
	eq(answered(), N, "%d requests with a doorbell each", N);
	ok(host_submits == N && host_gets == N && fired[1] == N && !host_reads,
	   "each costs a submission, a look and an interrupt");
}

static u16 next;
static unsigned int doorbells;

static void add_another(void)
{
	if (next == N)
		return;
	blk_add_read(next);
	doorbells += avail_event() == next++;
}

/* A driver that is as fast as the device: it has the next one when one is done. */
static void test_busy(void)
{
	next = 1;
	host_meanwhile = add_another;
	blk_add_read(0);
	doorbell_and_wait(N);
	eq(answered(), N, "%d requests, each added while another is at the host", N);
	eq(doorbells, 0, "none of them needs a doorbell");
	eq(avail_event(), N, "the next doorbell is wanted for the next request");
}

#define START FEATURES | BIT(VIRTIO_RING_F_INDIRECT_DESC) | BIT(VIRTIO_RING_F_EVENT_IDX)

int main(void)
{
	blk_image();
	start_with("", START);
	test_batch();
	test_single();
	start_with("", START);
	test_busy();
	stop();
	unlink(path);
	return tap_done();
}
