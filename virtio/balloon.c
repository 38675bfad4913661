/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio-balloon (virtio 5.5): memory the guest can do without goes back to the host.
 *
 *	queue 0	inflate: page numbers of what the guest gives up
 *	queue 1	deflate: of what it takes back
 *	queue 2	statistics: a buffer the device keeps until it wants fresh ones
 *
 * Page numbers are guest-physical, not DMA addresses, which is why Linux's driver does not work
 * behind an IOMMU.  A page given up reads as zero when it is touched again; nothing has to be
 * undone, so the deflate queue is only answered.  What a hostile guest discards is its own.
 */
#include <errno.h>
#include <linux/virtio_balloon.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "lkvm/iommu.h"
#include "lkvm/mem.h"
#include "lkvm/module.h"
#include "lkvm/virtio.h"
#include "lkvm/vm.h"
#include "virtio/iov.h"

#define CLASS_OTHER 0xff0000
#define PAGE_SIZE   4096ULL
#define TURN	    16	 /* chains at a time */
#define PAGES_MAX   1024 /* of a chain: Linux gives 256 */
#define STATS_MAX   32	 /* of a buffer */

enum { QUEUE_INFLATE, QUEUE_DEFLATE, QUEUE_STATS, QUEUES };

static struct balloon {
	struct virtio_dev dev;
	struct virtio_balloon_config config;
	/* The statistics as last told, and the chain that waits until they are asked for again. */
	u64 stat[VIRTIO_BALLOON_S_NR];
	u32 stat_valid; /* bits */
	time_t stat_time;
	bool holding;
	u16 held;
} balloon;
static bool asked;

static time_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* --- Inflating --- */

/* Neighbouring pages, given back in one system call. */
struct run {
	u8 *start;
	u64 len;
};

static void give_back(struct run *run)
{
	static struct ratelimit rl;

	if (run->len && madvise(run->start, run->len, MADV_DONTNEED))
		pr_guest(&rl, "virtio-balloon: the host does not take memory back: %s",
			 strerror(errno));
	run->len = 0;
}

static void add_page(struct run *run, u8 *page)
{
	if (run->len && page == run->start + run->len) {
		run->len += PAGE_SIZE;
	} else if (run->len && page + PAGE_SIZE == run->start) {
		run->start = page;
		run->len += PAGE_SIZE;
	} else {
		give_back(run);
		*run = (struct run){ page, PAGE_SIZE };
	}
}

/* Page numbers beyond PAGES_MAX are not looked at: those pages stay with the guest's share. */
static void inflate(struct balloon *b, const struct virtq_chain *c)
{
	u32 pfn[PAGES_MAX];
	struct run run = { 0 };
	u64 n;

	if (c->error)
		return;
	n = iov__read(c->iov, c->nout, pfn, sizeof(pfn)) / sizeof(pfn[0]);
	for (u64 i = 0; i < n; i++) {
		u8 *page = mem__ptr(b->dev.pci.dma.mem, pfn[i] * PAGE_SIZE, PAGE_SIZE);

		if (page)
			add_page(&run, page);
	}
	give_back(&run);
}

/* --- Statistics (virtio 5.5.6.3) --- */

static void take_stats(struct balloon *b, const struct virtq_chain *c)
{
	struct virtio_balloon_stat s[STATS_MAX];
	u64 n;

	n = c->error ? 0 : iov__read(c->iov, c->nout, s, sizeof(s)) / sizeof(s[0]);
	b->stat_valid = 0;
	b->stat_time = now();
	for (u64 i = 0; i < n; i++) {
		if (s[i].tag >= VIRTIO_BALLOON_S_NR)
			continue;
		b->stat[s[i].tag] = s[i].val;
		b->stat_valid |= BIT(s[i].tag);
	}
}

/* Giving the buffer back asks for fresh ones. */
static void release(struct balloon *b)
{
	if (!b->holding)
		return;
	b->holding = false;
	virtq__push(&b->dev, QUEUE_STATS, b->held, 0);
	virtq__interrupt(&b->dev, QUEUE_STATS);
}

static void notify(struct virtio_dev *dev, unsigned int q)
{
	struct balloon *b = container_of(dev, struct balloon, dev);
	struct virtq_chain c;
	int n;

	for (n = 0; n < TURN && virtq__pop(dev, q, &c) > 0; n++) {
		if (q == QUEUE_STATS) {
			release(b); /* a driver that has two out */
			take_stats(b, &c);
			b->held = c.head;
			b->holding = true;
			continue;
		}
		if (q == QUEUE_INFLATE)
			inflate(b, &c);
		virtq__push(dev, q, c.head, 0);
	}
	if (n && q != QUEUE_STATS)
		virtq__interrupt(dev, q);
	if (n == TURN)
		virtq__again(dev, q);
}

/* --- Configuration --- */

static void config_read(struct virtio_dev *dev, u32 off, u8 *data, u32 len)
{
	struct balloon *b = container_of(dev, struct balloon, dev);

	memcpy(data, (u8 *)&b->config + off, len);
}

/* Of the configuration the driver may write how much it has given up. */
static void config_write(struct virtio_dev *dev, u32 off, const u8 *data, u32 len)
{
	struct balloon *b = container_of(dev, struct balloon, dev);

	for (u32 i = 0; i < len; i++) {
		if (off + i >= offsetof(struct virtio_balloon_config, actual))
			((u8 *)&b->config)[off + i] = data[i];
	}
}

static void reset(struct virtio_dev *dev)
{
	struct balloon *b = container_of(dev, struct balloon, dev);

	b->config.actual = 0;
	b->stat_valid = 0;
	b->holding = false;
}

static const struct virtio_ops balloon_ops = {
	.device_id = VIRTIO_ID_BALLOON,
	.class_code = CLASS_OTHER,
	.features = BIT(VIRTIO_BALLOON_F_STATS_VQ) | BIT(VIRTIO_BALLOON_F_DEFLATE_ON_OOM),
	.nqueues = QUEUES,
	.cfg_len = offsetof(struct virtio_balloon_config, free_page_hint_cmd_id),
	.cfg_read = config_read,
	.cfg_write = config_write,
	.notify = notify,
	.reset = reset,
};

/* --- People's side --- */

static bool there(struct vm *vm, FILE *out)
{
	if (!asked)
		fprintf(out, "error: %s has no balloon; start it with --balloon\n", vm->name);
	return asked;
}

static void verb_balloon(struct vm *vm, const char *arg, void *out)
{
	struct virtio_balloon_config *config = &balloon.config;
	u64 size, max = MIN(vm->ram_size, 0xffffffffULL * PAGE_SIZE);

	if (!there(vm, out))
		return;
	if (*arg) {
		if (parse_mib(arg, &size) < 0 || size > max) {
			fprintf(out, "error: balloon %s: give a size like 64 or 64M, up to %lluM\n",
				arg, max / MiB);
			return;
		}
		config->num_pages = size / PAGE_SIZE;
		virtio__config_changed(&balloon.dev);
	}
	fprintf(out, "balloon: %llu MiB wanted, %llu MiB given\n",
		config->num_pages * PAGE_SIZE / MiB, config->actual * PAGE_SIZE / MiB);
}

/* Text or, with "json", one object; the numbers are the guest's, in bytes and counts. */
static void verb_stat(struct vm *vm, const char *arg, void *out)
{
	static const char *const name[] = VIRTIO_BALLOON_S_NAMES;
	bool json = !strcmp(arg, "json");

	if (!there(vm, out))
		return;
	if (json)
		fprintf(out, "{\"wanted\": %llu, \"given\": %llu",
			balloon.config.num_pages * PAGE_SIZE, balloon.config.actual * PAGE_SIZE);
	else if (!balloon.stat_valid)
		fprintf(out, "stat: the guest's driver has told nothing yet\n");
	if (balloon.stat_valid)
		fprintf(out, json ? ", \"age\": %lld" : "age %lld\n",
			(long long)(now() - balloon.stat_time));
	for (unsigned int i = 0; i < VIRTIO_BALLOON_S_NR; i++) {
		if (balloon.stat_valid & BIT(i))
			fprintf(out, json ? ", \"%s\": %llu" : "%s %llu\n", name[i],
				balloon.stat[i]);
	}
	if (json)
		fprintf(out, "}\n");
	release(&balloon);
}

static const struct control_verb verbs[] = {
	{ .name = "balloon", .handle = verb_balloon },
	{ .name = "balloon-stat", .handle = verb_stat },
	{ .name = NULL },
};

static int parse(const char *arg)
{
	asked = true;
	return 0;
}

static int validate(void)
{
	if (!asked)
		return 0;
	if (mem__pinned()) {
		pr_err("--balloon: %s keeps all of the guest's RAM pinned, so nothing can be given "
		       "back; leave out one of them",
		       mem__pinned());
		return -EINVAL;
	}
	if (vtd__wanted()) {
		pr_err("--balloon: its driver does not work behind an IOMMU; leave out --viommu or "
		       "--balloon");
		return -EINVAL;
	}
	return 0;
}

static int setup(struct vm *vm)
{
	if (!asked)
		return 0;
	balloon = (struct balloon){ .dev.ops = &balloon_ops };
	return virtio_pci__add(vm, &balloon.dev, "virtio-balloon");
}

static void teardown(struct vm *vm)
{
	if (balloon.dev.transport)
		virtio_pci__del(&balloon.dev);
}

static const struct option_def options[] = {
	{
	    .name = "balloon",
	    .help = "a virtio balloon: lkvm balloon SIZE takes memory from the guest",
	    .parse = parse,
	},
	{ 0 },
};

static struct module module_balloon = {
	.name = "virtio-balloon",
	.level = MODULE_DEVICE,
	.options = options,
	.verbs = verbs,
	.validate = validate,
	.setup = setup,
	.teardown = teardown,
};
LKVM_MODULE(module_balloon)
