/* SPDX-License-Identifier: GPL-2.0-only */
/* The source of random numbers. */

#include "virtio/rng.c"
#include "tests/unit/virtio_drive.h"

static struct vm vm = { .cpus = 1 };

static bool zero(u32 at, u32 len)
{
	for (u32 i = 0; i < len; i++) {
		if (ram[at + i])
			return false;
	}
	return true;
}

static void test_requests(void)
{
	u8 first[256];

	drive(&rng, 0, 0);
	memset(ram + DRV_DATA, 0, 0x4000);
	drv_desc(0, DRV_DATA, 64, WRITE, 0);
	drv_add(0);
	ring();
	ok(drv_used_idx() == 1 && drv_used_len(0) == 64 && fired[1] == 1, "64 bytes");
	ok(!zero(DRV_DATA, 64) && zero(DRV_DATA + 64, 64), "and no more");
	memcpy(first, ram + DRV_DATA, 64);
	drv_add(0);
	ring();
	ok(memcmp(first, ram + DRV_DATA, 64), "not the same twice");
	drv_desc(1, DRV_DATA, 0x4000, WRITE, 0);
	drv_add(1);
	ring();
	eq(drv_used_len(2), 256, "a large buffer gets its first bytes");
	drv_desc(2, DRV_DATA, 3, NEXT | WRITE, 3);
	drv_desc(3, DRV_DATA + 0x1000, 5, WRITE, 0);
	drv_add(2);
	ring();
	eq(drv_used_len(3), 8, "pieces");
}

static void test_abuse(void)
{
	drive(&rng, 0, 0);
	memset(ram + DRV_DATA, 0x55, 64);
	drv_desc(0, DRV_DATA, 64, 0, 0);
	drv_add(0);
	drv_desc(1, RAM_SIZE - 1, 64, WRITE, 0);
	drv_add(1);
	drv_desc(2, DRV_DATA, 0, WRITE, 0);
	drv_add(2);
	ring();
	ok(drv_used_idx() == 3 && !drv_used_len(0) && !drv_used_len(1) && !drv_used_len(2),
	   "buffers that cannot be filled come back empty");
	ok(ram[DRV_DATA] == 0x55 && !broken_dev(), "untouched, and the device lives");
	drv_add(64);
	ring();
	ok(broken_dev(), "a bad index does not");

	/* More than a turn takes: the rest comes from the loop. */
	drive(&rng, 0, 0);
	put(20, 1, 0);
	drv_reset(0);
	drv_size = 256;
	drv_queue(0);
	put(20, 1, 15);
	for (u16 i = 0; i < 200; i++) {
		drv_desc(i, DRV_DATA + 16 * i, 16, WRITE, 0);
		drv_add(i);
	}
	ring();
	eq(drv_used_idx(), TURN, "one turn takes so many");
	ok(settle() && drv_used_idx() == 200, "later ones the rest");
}

int main(void)
{
	eq(registered->setup(&vm), 0, "not asked for");
	ok(!rng.transport, "not there");
	registered->teardown(&vm);
	registered->options[0].parse(NULL);
	eq(registered->setup(&vm), 0, "--rng");
	test_requests();
	test_abuse();
	registered->teardown(&vm);
	eq(watching(), 0, "nothing is left after teardown");
	fake_pci_error = -ENOSPC;
	eq(registered->setup(&vm), -ENOSPC, "no slot");
	return tap_done();
}
