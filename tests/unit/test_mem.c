/* SPDX-License-Identifier: GPL-2.0-only */

/* The RAM map and its one accessor. */

#include "tests/unit/tap.h"
#include "x86/mem.c"
#include "x86/util.c"

static void test_small(void)
{
	struct guest_mem *mem = mem__new(-1, 16 * MiB);
	unsigned int n;
	const struct mem_region *r = mem__regions(mem, &n);
	char buf[16] = "0123456789abcde", back[16];

	ok(n == 1 && r[0].gpa == 0 && r[0].size == 16 * MiB, "16 MiB are one region");
	ok(IS_ALIGNED((uintptr_t)r[0].hva, 2 * MiB), "it is aligned for huge pages");
	ok(mem__ptr(mem, 0, 1) == r[0].hva, "it begins at 0");
	ok(mem__ptr(mem, 0, 16 * MiB) == r[0].hva, "all of it is one range");
	ok(!mem__ptr(mem, 0, 16 * MiB + 1), "one byte more is not");
	ok(mem__ptr(mem, 16 * MiB - 1, 1), "its last byte is RAM");
	ok(!mem__ptr(mem, 16 * MiB - 1, 2), "and the next is not");
	ok(!mem__ptr(mem, 16 * MiB, 1), "what is behind is not RAM");
	ok(!mem__ptr(mem, 0, 0), "no length gives no pointer");
	ok(!mem__ptr(mem, 1, ~0ULL), "a length that wraps is refused");
	ok(!mem__ptr(mem, ~0ULL, 1) && !mem__ptr(mem, ~0ULL, 2), "so is the last address");
	ok(mem__write(mem, 0x1001, buf, 16) == 0 && mem__read(mem, 0x1001, back, 16) == 0 &&
	       !memcmp(buf, back, 16),
	   "what is written is read");
	eq(mem__write(mem, 16 * MiB - 8, buf, 16), (u64)-EFAULT, "a write across the end fails");
	mem__read(mem, 16 * MiB - 8, back, 8);
	ok(!back[0], "and has copied nothing");
	eq(mem__read(mem, ~0ULL - 3, back, 8), (u64)-EFAULT, "a read that wraps fails");
	eq(mem__read(mem, 16 * MiB, back, 0), 0, "a copy of nothing succeeds");
	mem__free(mem);
}

static void test_split(void)
{
	struct guest_mem *mem = mem__new(-1, 4 * GiB);
	unsigned int n;
	const struct mem_region *r = mem__regions(mem, &n);

	ok(n == 2 && r[0].size == RAM_LOW_MAX && r[1].gpa == RAM_HIGH_BASE && r[1].size == GiB,
	   "4 GiB are split around the hole");
	ok(IS_ALIGNED((uintptr_t)r[0].hva, GiB) && IS_ALIGNED((uintptr_t)r[1].hva, GiB),
	   "both parts are aligned for the largest pages");
	ok(mem__ptr(mem, RAM_LOW_MAX - 1, 1) && !mem__ptr(mem, RAM_LOW_MAX - 1, 2) &&
	       !mem__ptr(mem, RAM_LOW_MAX, 1),
	   "the low part ends at the hole");
	ok(!mem__ptr(mem, RAM_HIGH_BASE - 1, 1) && mem__ptr(mem, RAM_HIGH_BASE, 1) == r[1].hva,
	   "the high part begins at 4 GiB");
	ok(mem__ptr(mem, RAM_HIGH_BASE + GiB - 1, 1) && !mem__ptr(mem, RAM_HIGH_BASE + GiB, 1),
	   "and ends where it ends");
	mem__free(mem);

	mem = mem__new(-1, RAM_LOW_MAX);
	mem__regions(mem, &n);
	eq(n, 1, "3 GiB leave no high part");
	mem__free(mem);
	mem = mem__new(-1, RAM_LOW_MAX + 4096);
	ok(mem__ptr(mem, RAM_HIGH_BASE, 4096) && !mem__ptr(mem, RAM_HIGH_BASE, 4097),
	   "a page more is a page at 4 GiB");
	mem__free(mem);
	mem__free(NULL);
}

static void test_devices(void)
{
	static char page[2 * 4096] __attribute__((aligned(4096)));
	struct guest_mem *mem = mem__new(-1, 2 * MiB);
	int a, b, n = 0;

	eq(mem__map_device(mem, 0xe0000001, 4096, page), (u64)-EINVAL, "unaligned: refused");
	eq(mem__map_device(mem, 0xe0000000, 0, page), (u64)-EINVAL, "empty: refused");
	eq(mem__map_device(mem, 0xe0000000, 4096, page + 8), (u64)-EINVAL,
	   "unaligned host: refused");
	a = mem__map_device(mem, 0xe0000000, 4096, page);
	b = mem__map_device(mem, 0xe0001000, 4096, page + 4096);
	ok(a >= 0 && b >= 0 && a != b, "two mappings get two handles");
	ok(!mem__ptr(mem, 0xe0000000, 1), "device memory is not RAM");
	mem__unmap_device(mem, a);
	eq(mem__map_device(mem, 0xe0000000, 4096, page), (u64)a, "a freed handle is used again");
	mem__unmap_device(mem, -1);
	mem__unmap_device(mem, 1 << 20);
	while (mem__map_device(mem, 0xd0000000, 4096, page) >= 0)
		n++;
	ok(n == DEVICE_SLOTS - 2, "there is an end to them");
	mem__free(mem);
}

int main(void)
{
	test_small();
	test_split();
	test_devices();
	return tap_done();
}
