/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * Page requests (VT-d 7.4): the device asks for a page that is not there, iommufd's fault queue tells
 * the program, its answer lets the DMA go on; with PASID and without.
 */

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "nested.h"

#define LEN	64u
#define IOVA	0x456789abc000ull
#define WAIT_MS 20000

#define REG_RESULT   0x108
#define REG_PRI_ADDR 0x140
#define REG_PRI_SEND 0x148
#define REG_PRI_LAST 0x158
#define SEND_LAST    BIT(16)
#define SEND_READ    BIT(17)
#define SEND_WRITE   BIT(18)

/* Linux sets bits there that its interface does not name. */
#define FLAGS (IOMMUFD_FAULT_PASID | IOMMUFD_FAULT_LAST)

/* One that is asked for its pages: the device, or one of its PASIDs. */
struct asked {
	u32 pasid, tag;
	u64 root;
	int hwpt;
};

static int fault_fd;

/* The next group, of @n page requests, which a read gives whole or not; false if none comes. */
static bool next_faults(struct iommufd_fault *f, u32 n)
{
	struct pollfd p = { .fd = fault_fd, .events = POLLIN };
	ssize_t size = (ssize_t)(n * sizeof(*f));

	memset(f, 0, (size_t)size);
	return poll(&p, 1, WAIT_MS) == 1 && read(fault_fd, f, (size_t)size) == size;
}

static void answer(const struct iommufd_fault *f, u32 code)
{
	struct iommufd_fault_answer a = { .cookie = f->cookie, .code = code };

	eq(write(fault_fd, &a, sizeof(a)), sizeof(a), "the answer is taken");
}

/* What @off is when it is no longer @while_is, or is still after some time. */
static u32 changed(struct host *h, u32 off, u32 while_is)
{
	u32 r = while_is;

	for (int i = 0; i < WAIT_MS / 10 && r == while_is; i++) {
		r = host__reg(h, off);
		if (r == while_is)
			usleep(10000);
	}
	return r;
}

static u32 result(struct host *h)
{
	return changed(h, REG_RESULT, DMA_PENDING);
}

static void test_answers(struct host *h, const struct asked *s)
{
	u64 a = ram__page(), b = ram__page();
	struct iommufd_fault f;

	eq(host__dma_write(h, IOVA + 64, LEN, 0x11, s->tag), DMA_PENDING,
	   "a write to a page that is not there waits");
	ok(next_faults(&f, 1), "and is a page request in the fault queue");
	eq(f.addr, IOVA, "for that page");
	eq(f.dev_id, h->dev, "of that device");
	eq(f.flags & FLAGS, s->tag ? FLAGS : IOMMUFD_FAULT_LAST, "the last of its group");
	if (s->tag)
		eq(f.pasid, s->pasid, "with that PASID");
	ok(f.perm & IOMMUFD_FAULT_WRITE, "which wants to write");
	*table__entry(s->root, IOVA, 1) = a | PTE_USER;
	answer(&f, 0);
	eq(result(h), DMA_DONE, "the write is then done");
	ok(ram__holds(a + 64, LEN, 0x11), "and where it belongs");

	eq(host__dma_read(h, IOVA + PAGE, LEN, s->tag), DMA_PENDING, "a read waits");
	ok(next_faults(&f, 1), "for a page request");
	eq(f.addr, IOVA + PAGE, "for its page");
	eq(f.perm & (IOMMUFD_FAULT_READ | IOMMUFD_FAULT_WRITE), IOMMUFD_FAULT_READ,
	   "which wants to read");
	answer(&f, 1);
	eq(result(h), DMA_INVALID, "an answer of \"invalid\" ends it");

	/* The device has the translation (ATS): its invalidation must reach it. */
	*table__entry(s->root, IOVA, 1) = b | PTE_USER;
	eq(hwpt__invalidate((u32)s->hwpt, IOVA, 1, IOMMUFD_VTD_INV_LEAF), 0,
	   "a page is invalidated");
	eq(host__dma_write(h, IOVA, LEN, 0x12, s->tag), DMA_DONE,
	   "a write through the device's cache");
	ok(ram__holds(b, LEN, 0x12), "goes to the new page");
}

static void send(struct host *h, u64 addr, u64 what)
{
	*(volatile u64 *)(h->regs + REG_PRI_ADDR) = addr;
	*(volatile u32 *)(h->regs + REG_PRI_SEND) = (u32)what;
}

/* The tag is that of the last DMA. */
static void test_group(struct host *h)
{
	u32 before = host__reg(h, REG_PRI_LAST), group = 300;
	struct iommufd_fault f[2];

	send(h, IOVA + 8 * PAGE, group | SEND_READ);
	send(h, IOVA + 9 * PAGE, group | SEND_WRITE | SEND_LAST);
	ok(next_faults(f, 2), "two page requests of a group arrive");
	eq(f[0].addr, IOVA + 8 * PAGE, "in order");
	eq(f[1].addr, IOVA + 9 * PAGE, "both");
	eq(f[0].flags & IOMMUFD_FAULT_LAST, 0, "the first is not the last");
	eq(f[1].flags & IOMMUFD_FAULT_LAST, IOMMUFD_FAULT_LAST, "the second is");
	ok(f[0].grpid == group && f[1].grpid == group && f[0].cookie == f[1].cookie,
	   "they have the group's index, and one answer");
	answer(&f[1], 0);
	eq(changed(h, REG_PRI_LAST, before), BIT(31) | group,
	   "which is one response of success to the device");
}

/* A request that is never answered must not hold up the detach. */
static void test_detach(struct host *h, const struct asked *s)
{
	eq(host__dma_write(h, IOVA + 5 * PAGE, LEN, 1, s->tag), DMA_PENDING, "one more waits");
	eq(host__detach(h, s->pasid), 0, "its page table is detached");
	ok(result(h) != DMA_PENDING, "which ends the waiting");
}

static struct asked make_asked(struct host *h, int parent, u32 fault, u32 pasid)
{
	struct asked s = {
		.pasid = pasid,
		.tag = pasid == NO_PASID ? 0 : (u32)TAG_PASID | pasid,
		.root = ram__page(),
	};

	table__entry(s.root, IOVA, 1);
	s.hwpt = hwpt__nested(h->dev, (u32)parent, s.root, 48, IOMMUFD_HWPT_PASID, fault);
	ok(s.hwpt > 0, "a page table with the fault queue is made");
	eq(host__attach(h, (u32)s.hwpt, pasid), 0, "and attached %s",
	   pasid == NO_PASID ? "for requests without PASID" : "to a PASID");
	return s;
}

void test_pri(struct host *h)
{
	struct iommufd_fault_alloc queue = { .size = sizeof(queue) };
	int ioas = iommufd__ioas(), parent, err = 0;
	struct asked s[2];

	iommufd__map((u32)ioas, ram__base(), RAM_SIZE, RAM_BASE);
	parent = hwpt__paging(h->dev, (u32)ioas, IOMMUFD_HWPT_NEST_PARENT | IOMMUFD_HWPT_PASID);
	eq(iommufd__call(IOMMUFD_FAULT_ALLOC, &queue), 0, "a fault queue is made");
	fault_fd = (int)queue.out_fault_fd;
	h->mode = MODE_ATS | MODE_PRI;
	s[0] = make_asked(h, parent, queue.out_fault_id, NO_PASID);
	s[1] = make_asked(h, parent, queue.out_fault_id, 0x77);
	for (int i = 0; i < 2; i++) {
		test_answers(h, &s[i]);
		test_group(h);
	}
	test_detach(h, &s[1]);
	test_detach(h, &s[0]);
	h->mode = 0;
	for (int i = 0; i < 2; i++)
		err |= iommufd__destroy((u32)s[i].hwpt);
	close(fault_fd);
	err |= iommufd__destroy(queue.out_fault_id) | iommufd__destroy((u32)parent) |
	       iommufd__destroy((u32)ioas);
	eq(err, 0, "all can be destroyed");
}
