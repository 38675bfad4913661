/* SPDX-License-Identifier: GPL-2.0-only */
/* The balloon: what it gives back to the host, what it tells people, and what it refuses. */

#include <stdbool.h>
#include <sys/mman.h>

static int fake_madvise(void *p, size_t len, int advice);
#define madvise fake_madvise
#include "virtio/balloon.c"
#undef madvise
#include "tests/unit/virtio_drive.h"

static struct vm vm = { .name = "m", .cpus = 1, .ram_size = RAM_SIZE };

/* --- The host --- */

static unsigned int calls, pages, wrong;
static bool given[PAGES];
static bool host_refuses;

static int fake_madvise(void *p, size_t len, int advice)
{
	u64 off = (u8 *)p - ram;

	calls++;
	if (advice != MADV_DONTNEED || off % PAGE || len % PAGE || off >= RAM_SIZE ||
	    len > RAM_SIZE - off) {
		wrong++;
		return 0;
	}
	if (host_refuses) {
		errno = EINVAL;
		return -1;
	}
	for (u64 i = off / PAGE; i < (off + len) / PAGE; i++, pages++)
		given[i] = true;
	return 0;
}

void *mem__ptr(const struct guest_mem *mem, u64 gpa, u64 len)
{
	return gpa < RAM_SIZE && len <= RAM_SIZE - gpa ? ram + gpa : NULL;
}

static const char *pinned;
static bool viommu;

const char *mem__pinned(void)
{
	return pinned;
}

bool vtd__wanted(void)
{
	return viommu;
}

int parse_mib(const char *s, u64 *size)
{
	char *end;

	errno = 0;
	*size = strtoull(s, &end, 10);
	if (errno || end == s || *size >> 44)
		return -EINVAL;
	*size <<= *end == 'K' ? 10 : 20;
	return 0;
}

static char *ask(const char *name, const char *arg)
{
	static char *answer;
	size_t len;
	FILE *f;

	free(answer);
	f = open_memstream(&answer, &len);
	for (const struct control_verb *v = registered->verbs; f && v->name; v++) {
		if (!strcmp(v->name, name))
			v->handle(&vm, arg, f);
	}
	fclose(f);
	return answer;
}

/* --- The tests --- */

static void give(const u32 *pfn, unsigned int n)
{
	calls = pages = 0;
	memset(given, 0, sizeof(given));
	memcpy(ram + DRV_DATA, pfn, 4 * n);
	drv_desc(0, DRV_DATA, 4 * n, 0, 0);
	drv_add(0);
	ring();
}

static void test_inflate(void)
{
	static const u32 up[] = { 100, 101, 102, 103, 200 };
	static const u32 down[] = { 103, 102, 101, 100 };
	static const u32 bad[] = { 256, 0x00100000, 0xffffffff, 0x80000000, 255 };
	u32 many[PAGES_MAX + 10];

	drive(&balloon.dev, QUEUE_INFLATE, balloon_ops.features);
	give(up, 5);
	ok(pages == 5 && calls == 2 && given[100] && given[103] && given[200],
	   "neighbours go in one call");
	ok(drv_used_idx() == 1 && fired[1] == 1, "and are answered");
	give(down, 4);
	ok(pages == 4 && calls == 1, "as well downwards");
	give(bad, 5);
	ok(pages == 1 && calls == 1 && given[255], "what is not RAM is passed over");
	for (unsigned int i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = i < PAGES_MAX ? 90 : 91;
	give(many, ARRAY_SIZE(many));
	ok(pages == PAGES_MAX && !given[91], "a chain has a limit");
	host_refuses = true;
	give(up, 5);
	ok(messages == 2 && drv_used_idx() == 5 && !broken_dev(), "a host that refuses: %s",
	   last_msg);
	host_refuses = false;
	drv_desc(0, RAM_SIZE, 16, 0, 0);
	drv_add(0);
	drv_desc(1, DRV_DATA, 3, 0, 0);
	drv_add(1);
	drv_desc(2, DRV_DATA, 16, WRITE, 0);
	drv_add(2);
	calls = 0;
	ring();
	ok(!calls && drv_used_idx() == 8 && !broken_dev(), "chains without page numbers");
	for (u16 i = 0; i < 3 * TURN; i++) {
		drv_desc(i, DRV_DATA, 4, 0, 0);
		drv_add(i);
	}
	ring();
	eq(drv_used_idx(), 8 + TURN, "many chains: one turn");
	ok(settle() && drv_used_idx() == 8 + 3 * TURN, "and the next ones");

	drive(&balloon.dev, QUEUE_DEFLATE, balloon_ops.features);
	give(up, 5);
	ok(!calls && drv_used_idx() == 1, "deflating touches nothing");
	eq(wrong, 0, "only whole pages of RAM were given to the host");
}

static void put_stat(unsigned int i, u16 tag, u64 val)
{
	struct virtio_balloon_stat s = { .tag = tag, .val = val };

	memcpy(ram + DRV_DATA + i * sizeof(s), &s, sizeof(s));
}

static void test_stats(void)
{
	drive(&balloon.dev, QUEUE_STATS, balloon_ops.features);
	ok(strstr(ask("balloon-stat", ""), "nothing yet"), "no statistics yet");
	ok(!strcmp(ask("balloon-stat", "json"), "{\"wanted\": 0, \"given\": 0}\n"), "nor as JSON");
	put_stat(0, VIRTIO_BALLOON_S_MEMFREE, 12345678);
	put_stat(1, VIRTIO_BALLOON_S_MEMTOT, 99999999);
	put_stat(2, VIRTIO_BALLOON_S_NR, 1);
	put_stat(3, 0xffff, 1);
	drv_desc(0, DRV_DATA, 40, 0, 0);
	drv_add(0);
	ring();
	eq(drv_used_idx(), 0, "the buffer is kept");
	ok(strstr(ask("balloon-stat", ""), "free-memory 12345678\ntotal-memory 99999999\n"),
	   "are told");
	ok(drv_used_idx() == 1 && fired[3] == 1, "and fresh ones asked for");
	ok(strstr(ask("balloon-stat", ""), "free-memory 12345678"), "the old ones stay until then");
	eq(drv_used_idx(), 1, "asked for once");
	put_stat(0, VIRTIO_BALLOON_S_MEMFREE, 777);
	drv_add(0);
	ring();
	ok(strstr(ask("balloon-stat", ""), "free-memory 777\n"), "fresh ones");
	ok(strstr(ask("balloon-stat", "json"), ", \"free-memory\": 777"), "as JSON");
	for (u16 i = 1; i < 5; i++) {
		drv_desc(i, DRV_DATA, i * 1000, 0, 0);
		drv_add(i);
	}
	drv_desc(5, RAM_SIZE, 8, 0, 0);
	drv_add(5);
	ring();
	ok(drv_used_idx() == 6 && balloon.holding && !broken_dev(), "a driver with many out");
	put(20, 1, 0);
	ok(!balloon.holding && strstr(ask("balloon-stat", ""), "nothing yet"),
	   "a reset forgets them");
}

static void test_target(void)
{
	u8 before;

	drive(&balloon.dev, QUEUE_INFLATE, balloon_ops.features);
	before = get(21, 1);
	ok(strstr(ask("balloon", ""), "0 MiB wanted, 0 MiB given"), "nothing at first");
	ask("balloon", "1");
	eq(get(VIRTIO_BAR_DEVICE, 4), 256, "balloon 1: a MiB");
	ok(fired[0] == 1 && get(21, 1) != before, "the driver is told");
	ask("balloon", "512K");
	eq(get(VIRTIO_BAR_DEVICE, 4), 128, "balloon 512K");
	put(VIRTIO_BAR_DEVICE + 4, 4, 256);
	put(VIRTIO_BAR_DEVICE, 4, 77);
	ok(get(VIRTIO_BAR_DEVICE, 8) == (256ULL << 32 | 128), "the driver writes one field");
	put(VIRTIO_BAR_DEVICE + 2, 4, 0xffffffff);
	ok(get(VIRTIO_BAR_DEVICE, 8) == (0xffffULL << 32 | 128), "at any alignment");
	ok(strstr(ask("balloon", ""), "255 MiB given"), "and people can see it");
	ok(!strncmp(ask("balloon", "2"), "error: balloon 2: ", 18) &&
	       strstr(ask("balloon", "2"), "up to 1M") &&
	       !strncmp(ask("balloon", "x"), "error: ", 7) &&
	       !strncmp(ask("balloon", "99999999999999999999"), "error: ", 7) &&
	       !strncmp(ask("balloon", "17592186044416"), "error: ", 7),
	   "nonsense is refused, which is an error");
	eq(get(VIRTIO_BAR_DEVICE, 4), 128, "and changes nothing");
}

static void test_options(void)
{
	eq(registered->validate(), 0, "not asked for");
	eq(registered->setup(&vm), 0, "not set up");
	ok(!balloon.dev.transport && strstr(ask("balloon", "1"), "error: m has no balloon") &&
	       strstr(ask("balloon-stat", ""), "error: m has no balloon"),
	   "not there, and whoever asks is told");
	registered->teardown(&vm);
	registered->options[0].parse(NULL);
	pinned = "--vfio";
	eq(registered->validate(), -EINVAL, "with --vfio");
	ok(strstr(last_msg, "--balloon") && strstr(last_msg, "--vfio"), "says: %s", last_msg);
	pinned = NULL;
	viommu = true;
	eq(registered->validate(), -EINVAL, "with --viommu");
	ok(strstr(last_msg, "--viommu"), "says: %s", last_msg);
	viommu = false;
	eq(registered->validate(), 0, "alone");
}

int main(void)
{
	test_options();
	eq(registered->setup(&vm), 0, "set up");
	test_inflate();
	test_stats();
	test_target();
	registered->teardown(&vm);
	eq(watching(), 0, "nothing is left after teardown");
	return tap_done();
}
