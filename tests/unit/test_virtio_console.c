/* SPDX-License-Identifier: GPL-2.0-only */
/* The virtio console, between a driver and a terminal that is slow when told to be. */

#include "virtio/console.c"
#include "tests/unit/virtio_drive.h"

static struct vm vm = { .cpus = 1 };

/* --- The terminal --- */

static void (*input_fn)(void *arg), (*room_fn)(void *arg);
static u8 out[1 << 20];
static u32 out_len, out_max = ~0u; /* room ends here */
static u32 typed, typed_end;	   /* the n-th byte of input is pattern(n) */
static bool taken;

static u8 pattern(u32 n)
{
	return n * 7 + n / 251;
}

void term__take(void)
{
	taken = true;
}

void term__on_input(void (*fn)(void *arg), void *arg)
{
	input_fn = fn;
}

void term__on_room(void (*fn)(void *arg), void *arg)
{
	room_fn = fn;
}

bool term__getc(u8 *c)
{
	if (typed == typed_end)
		return false;
	*c = pattern(typed++);
	return true;
}

bool term__room(void)
{
	return out_len < out_max;
}

void term__putc(u8 c)
{
	if (out_len < sizeof(out))
		out[out_len++] = c;
}

static bool printed(u32 from, u32 at, u32 len)
{
	return out_len == from + len && !memcmp(out + from, ram + at, len);
}

static void fill(u32 at, u32 len)
{
	for (u32 i = 0; i < len; i++)
		ram[at + i] = pattern(i);
}

/* --- Output --- */

static void test_output(void)
{
	u32 before;

	out_len = 0;
	drive(&console.dev, QUEUE_TX, 0);
	fill(DRV_DATA, 0x20000);
	drv_desc(0, DRV_DATA, 5, NEXT, 1);
	drv_desc(1, DRV_DATA + 5, 1000, 0, 0);
	drv_add(0);
	ring();
	ok(printed(0, DRV_DATA, 1005) && drv_used_idx() == 1 && fired[2] == 1, "pieces in order");

	out_max = out_len + 2000;
	before = out_len;
	drv_desc(2, DRV_DATA, 10000, 0, 0);
	drv_desc(3, DRV_DATA + 10000, 100, 0, 0);
	drv_add(2);
	drv_add(3);
	ring();
	ok(drv_used_idx() == 1 && out_len >= out_max && out_len < out_max + 512,
	   "a full terminal: the chain is kept");
	ring();
	ok(out_len < out_max + 512, "a doorbell changes nothing");
	out_max = ~0u;
	room_fn(&console);
	ok(printed(before, DRV_DATA, 10100) && drv_used_idx() == 3, "room again: nothing lost");

	before = out_len;
	drv_desc(4, DRV_DATA, 0x20000, 0, 0);
	drv_add(4);
	ring();
	eq(out_len - before, TURN_BYTES, "128 KiB are more than a turn prints");
	ok(settle() && printed(before, DRV_DATA, 0x20000) && drv_used_idx() == 4,
	   "the next turns print the rest");

	before = out_len;
	for (u16 i = 0; i < 64; i++)
		drv_desc(i, DRV_DATA + i, 1, 0, 0);
	for (u16 i = 0; i < 64; i++)
		drv_add(i);
	ring();
	ok(settle() && printed(before, DRV_DATA, 64) && drv_used_idx() == 68, "64 small chains");

	drv_desc(0, DRV_DATA, 16, NEXT | WRITE, 1);
	drv_desc(1, RAM_SIZE, 16, WRITE, 0);
	drv_desc(2, RAM_SIZE, 16, 0, 0);
	drv_desc(3, DRV_DATA, 16, WRITE, 0);
	drv_add(0);
	drv_add(2);
	drv_add(3);
	ring();
	ok(drv_used_idx() == 71 && out_len == before + 64 && !broken_dev(),
	   "buffers that cannot be printed come back");
}

static void test_reset(void)
{
	u32 before;

	out_len = 0;
	drive(&console.dev, QUEUE_TX, 0);
	out_max = 100;
	drv_desc(0, DRV_DATA, 10000, 0, 0);
	drv_add(0);
	ring();
	put(20, 1, 0);
	before = out_len;
	out_max = ~0u;
	room_fn(&console);
	input_fn(&console);
	eq(out_len, before, "a reset drops what was not printed");
	drive(&console.dev, QUEUE_TX, 0);
	drv_desc(0, DRV_DATA, 10, 0, 0);
	drv_add(0);
	ring();
	ok(printed(before, DRV_DATA, 10) && drv_used_idx() == 1, "the next driver starts afresh");
}

/* --- Input --- */

static bool received(u32 at, u32 n, u32 len)
{
	for (u32 i = 0; i < len; i++) {
		if (ram[at + i] != pattern(n + i))
			return false;
	}
	return true;
}

static void test_input(void)
{
	u32 got = 0;

	typed = 0;
	typed_end = 3;
	drive(&console.dev, QUEUE_RX, 0);
	input_fn(&console);
	eq(drv_used_idx(), 0, "typed before there is a buffer");
	drv_desc(0, DRV_DATA, 100, WRITE, 0);
	drv_add(0);
	ring();
	ok(drv_used_idx() == 1 && drv_used_len(0) == 3 && received(DRV_DATA, 0, 3) && fired[1] == 1,
	   "is there when there is one");
	drv_add(0);
	ring();
	ok(drv_used_idx() == 1, "a buffer waits");
	typed_end = 4;
	input_fn(&console);
	ok(drv_used_idx() == 2 && drv_used_len(1) == 1 && ram[DRV_DATA] == pattern(3), "for a key");

	/* A stream, into buffers of odd sizes; none is lost, none comes twice. */
	typed_end = 100000;
	got = 4;
	for (u16 i = 0; got < typed_end && i < 5000; i++) {
		u32 len = 1 + i * 37 % 400;

		drv_desc(i % 64, DRV_DATA, len, NEXT | WRITE, (i + 1) % 64);
		drv_desc((i + 1) % 64, DRV_DATA + len, 1, WRITE, 0);
		drv_add(i % 64);
		ring();
		len = drv_used_len(drv_used_idx() - 1);
		if (!received(DRV_DATA, got, len))
			break;
		got += len;
	}
	eq(got, 100000, "100000 bytes in order");

	typed_end += 600;
	drv_desc(0, DRV_DATA, 16, 0, 0);
	drv_desc(1, RAM_SIZE, 16, WRITE, 0);
	drv_desc(2, DRV_DATA, 300, WRITE, 0);
	drv_add(0);
	drv_add(1);
	drv_add(2);
	ring();
	ok(received(DRV_DATA, got, drv_used_len(drv_used_idx() - 1)) && !broken_dev(),
	   "buffers that cannot be filled cost no input");
	got += drv_used_len(drv_used_idx() - 1);

	drive(&console.dev, QUEUE_RX, 0);
	for (u16 i = 0; i < 8; i++) {
		drv_desc(i, DRV_DATA + 1000 * i, 1000, WRITE, 0);
		drv_add(i);
	}
	ring();
	ok(settle() && received(DRV_DATA, got, drv_used_len(0)), "a new driver gets what is next");
}

static void test_options(void)
{
	int (*parse_console)(const char *) = registered->options[0].parse;

	eq(parse_console("serial"), 0, "--console serial");
	eq(registered->validate(), 0, "is valid");
	eq(registered->setup(&vm), 0, "is set up elsewhere");
	ok(!console.dev.transport && !taken && !input_fn, "there is none of this");
	registered->teardown(&vm);
	eq(parse_console("tty"), -EINVAL, "--console tty");
	ok(strstr(last_msg, "tty") && strstr(last_msg, "serial or virtio"), "says: %s", last_msg);
	eq(parse_console("virtio"), 0, "--console virtio");
	eq(parse_console("serial"), 0, "then serial");
	registered->validate();
	ok(!taken, "the last one counts");
	eq(parse_console("virtio"), 0, "and virtio again");
	registered->validate();
	ok(taken, "takes the terminal");
}

int main(void)
{
	test_options();
	eq(registered->setup(&vm), 0, "set up");
	input_fn(&console);
	room_fn(&console);
	test_output();
	test_reset();
	test_input();
	fake_behind_iommu = false;
	registered->teardown(&vm);
	ok(!watching() && !input_fn && !room_fn, "nothing is left after teardown");
	return tap_done();
}
