/* SPDX-License-Identifier: GPL-2.0-only */

/* Address dispatch. */

#include "tests/unit/tap.h"
#include "x86/bus.c"
#include "x86/util.c"

bool trace_on[TRACE_MAX];

void trace__emit(const char *event, const char *fmt, ...)
{
}

static struct {
	unsigned int calls;
	struct bus_region *r;
	u64 off;
	u32 len;
	bool write;
	u8 data[8];
} last;

static void record(struct bus_region *r, u64 off, u8 *data, u32 len, bool write)
{
	last.calls++;
	last.r = r;
	last.off = off;
	last.len = len;
	last.write = write;
	if (write)
		memcpy(last.data, data, len);
	else
		memset(data, 0x5a, len);
}

static struct bus *bus;

static u64 rd(u64 addr, u32 len)
{
	u64 v = 0;

	last.calls = 0;
	bus__access(bus, addr, (u8 *)&v, len, false);
	return v;
}

static void wr(u64 addr, u64 v, u32 len)
{
	last.calls = 0;
	bus__access(bus, addr, (u8 *)&v, len, true);
}

static struct bus_region region(u64 base, u64 size)
{
	return (struct bus_region){ .base = base, .size = size, .access = record, .name = "r" };
}

static void test_adding(void)
{
	struct bus_region a = region(0x1000, 0x1000), b = region(0x3000, 0x1000);
	struct bus_region c = region(0x2000, 0x1000), top = region(~0ULL - 0xfff, 0x1000);
	struct bus_region bad[] = {
		region(0x1fff, 1), region(0x1000, 1),  region(0, 0x1001),
		region(0x2fff, 2), region(0, 0x10000), region(0x1000, 0x1000),
	};

	eq(bus__add(bus, &a), 0, "a region is added");
	eq(bus__add(bus, &b), 0, "another");
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		ok(bus__add(bus, &bad[i]) == -EEXIST && !bad[i].bus, "overlap %u is refused", i);
	eq(bus__add(bus, &c), 0, "one fits exactly between two");
	eq(bus__add(bus, &top), 0, "one ends at the last address");
	bad[0] = region(0x10000, 0);
	eq(bus__add(bus, &bad[0]), (u64)-EINVAL, "an empty one is refused");
	bad[0] = region(~0ULL - 0xfff, 0x1001);
	eq(bus__add(bus, &bad[0]), (u64)-EINVAL, "one that wraps is refused");

	rd(0x2000, 4);
	ok(last.r == &c && last.off == 0, "the right region of three neighbours is found");
	rd(0x3ffc, 4);
	ok(last.r == &b && last.off == 0xffc, "its last dword too");
	rd(~0ULL - 7, 8);
	ok(last.r == &top && last.off == 0xff8, "the last quadword of all too");

	bus__del(&c);
	rd(0x2000, 4);
	eq(last.calls, 0, "a removed region is not called");
	bus__del(&c);
	ok(!c.bus, "removing twice does nothing");
	eq(bus__add(bus, &c), 0, "it can be added again");
	bus__del(&a);
	bus__del(&b);
	bus__del(&c);
	bus__del(&top);
	rd(0x1000, 4);
	eq(last.calls, 0, "the bus is empty");
}

static void test_access(void)
{
	struct bus_region a = region(0x1000, 0x10);

	bus__add(bus, &a);
	for (u32 len = 1; len <= 8; len++) {
		u64 want = 0x5a5a5a5a5a5a5a5aULL >> (64 - 8 * len);

		ok(rd(0x1003, len) == want && last.off == 3 && last.len == len,
		   "a read of %u bytes arrives as it is", len);
	}
	wr(0x1008, 0x1122334455667788, 8);
	ok(last.write && last.data[0] == 0x88 && last.data[7] == 0x11, "a write too");
	eq(rd(0xff0, 4), 0xffffffff, "nobody's address reads all ones");
	eq(rd(0x100d, 4), 0xffffffff, "a read across the end reads all ones");
	eq(last.calls, 0, "and calls nobody");
	wr(0x100f, 0, 2);
	eq(last.calls, 0, "a write across the end is dropped");
	eq(rd(0xffe, 4), 0xffffffff, "a read into the start from before is nobody's");
	eq(last.calls, 0, "and calls nobody");
	eq(rd(~0ULL, 8), ~0ULL, "a read that wraps reads all ones");
	wr(0x100c, 0, 4);
	eq(last.calls, 1, "the last dword is inside");
	bus__del(&a);
}

static void delete_self(struct bus_region *r, u64 off, u8 *data, u32 len, bool write)
{
	bus__del(r);
	last.calls++;
}

static void test_moving_in_callback(void)
{
	struct bus_region a = region(0x1000, 0x10);

	a.access = delete_self;
	bus__add(bus, &a);
	wr(0x1000, 0, 1);
	ok(last.calls == 1 && !a.bus, "a region may remove itself");
}

static void test_many(void)
{
	static struct bus_region r[100];
	unsigned int good = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(r); i++) {
		unsigned int j = i * 37 % ARRAY_SIZE(r); /* in no order */

		r[j] = region(j * 0x100, 0x80);
		good += bus__add(bus, &r[j]) == 0;
	}
	eq(good, ARRAY_SIZE(r), "a hundred regions in any order");
	good = 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(r); i++) {
		rd(i * 0x100 + 0x7c, 4);
		good += last.calls == 1 && last.r == &r[i];
		rd(i * 0x100 + 0x80, 4);
		good += last.calls == 0;
	}
	eq(good, 2 * ARRAY_SIZE(r), "each is found, and the gaps are gaps");
	for (unsigned int i = 0; i < ARRAY_SIZE(r); i++)
		bus__del(&r[i]);
}

int main(void)
{
	bus = bus__new(-1, false);
	ok(bus, "a bus is made");
	test_adding();
	test_access();
	test_moving_in_callback();
	test_many();
	ok(bus__ioeventfd(bus, 0, 4, NULL, 0) < 0, "ioeventfds need KVM");
	bus__free(bus);
	return tap_done();
}
