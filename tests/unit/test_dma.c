/* SPDX-License-Identifier: GPL-2.0-only */

/* A function's view of memory, with and without translation. */

#include "tests/unit/tap.h"
#include "x86/dma.c"
#include "x86/mem.c"
#include "x86/util.c"

#define PAGE 4096ULL

static struct dma_req seen;
static unsigned int asked;

/*
 * A page table in a few lines: page n of [0, 8) is at page map[n]; -1 is blocked; anything else is
 * blocked as well.  The length answered is to the end of the page, or none at all for @zero.
 */
static int map[8] = { 16, 17, 18, 40, -1, 30, 31, 9999999 };
static bool zero;

static int translate(void *iommu, const struct dma_req *req, u64 *gpa, u64 *len)
{
	u64 page = req->addr / PAGE;

	asked++;
	seen = *req;
	if (page >= ARRAY_SIZE(map) || map[page] < 0)
		return -EFAULT;
	*gpa = (u64)map[page] * PAGE + req->addr % PAGE;
	*len = zero ? 0 : PAGE - req->addr % PAGE;
	return 0;
}

static const struct dma_ops ops = { .translate = translate };
static struct guest_mem *mem;
static struct iovec iov[8];

static void test_identity(void)
{
	struct dma_as as = { .mem = mem };
	u64 len = ~0ULL;
	u32 v = 0x12345678, back = 0;

	eq(dma__map(&as, 0x1000, 0x10000, DMA_READ, iov, 1), 1, "identity: one piece");
	ok(iov[0].iov_base == mem__ptr(mem, 0x1000, 1) && iov[0].iov_len == 0x10000, "of RAM");
	eq(dma__map(&as, MiB, MiB + 1, DMA_READ, iov, 8), (u64)-EFAULT, "beyond RAM: refused");
	eq(dma__map(&as, 0, 0, DMA_READ, iov, 8), (u64)-EFAULT, "nothing: refused");
	ok(dma__piece(&as, 0x3000, &len, DMA_WRITE) == mem__ptr(mem, 0x3000, 1) &&
	       len == 2 * MiB - 0x3000,
	   "a piece of any length is the rest of RAM");
	len = 5;
	ok(dma__piece(&as, 0x3000, &len, DMA_WRITE) && len == 5, "and not more than asked for");
	ok(!dma__piece(&as, 2 * MiB, &len, DMA_WRITE), "where there is some");
	eq(dma__map(&as, ~0ULL, 2, DMA_READ, iov, 8), (u64)-EFAULT, "wrapping: refused");
	ok(dma__write(&as, 0x2001, &v, 4) == 0 && dma__read(&as, 0x2001, &back, 4) == 0 &&
	       back == v,
	   "what is written is read");
	eq(dma__write(&as, 2 * MiB - 2, &v, 4), (u64)-EFAULT, "a copy across the end is refused");
	eq(dma__read(&as, ~0ULL - 1, &back, 4), (u64)-EFAULT, "a copy that wraps is refused");
	eq(dma__read(&as, ~0ULL, &back, 0), 0, "a copy of nothing succeeds");
}

static void test_translated(void)
{
	struct dma_as as = { .mem = mem, .ops = &ops, .sid = 0x10 };
	char *ram = mem__ptr(mem, 0, 1), out[3 * PAGE], in[3 * PAGE];
	u64 len = ~0ULL;

	eq(dma__map(&as, 0, 3 * PAGE, DMA_WRITE, iov, 1), 1, "contiguous pages become one piece");
	ok(iov[0].iov_base == ram + 16 * PAGE && iov[0].iov_len == 3 * PAGE, "where they are");
	eq(asked, 3, "each page was translated");
	ok(seen.sid == 0x10 && seen.pasid == DMA_NO_PASID && seen.access == DMA_WRITE,
	   "the request tells who wants what");
	eq(dma__map(&as, 0x800, 3 * PAGE, DMA_READ, iov, 8), 2, "a gap makes two pieces");
	ok(iov[0].iov_base == ram + 16 * PAGE + 0x800 && iov[0].iov_len == 3 * PAGE - 0x800 &&
	       iov[1].iov_base == ram + 40 * PAGE && iov[1].iov_len == 0x800,
	   "cut where the pages are");
	eq(dma__map(&as, 0x800, 3 * PAGE, DMA_READ, iov, 1), (u64)-E2BIG, "one slot is too few");
	eq(dma__map(&as, 3 * PAGE, 2 * PAGE, DMA_READ, iov, 8), (u64)-EFAULT, "blocked: refused");
	eq(dma__map(&as, 7 * PAGE, 1, DMA_READ, iov, 8), (u64)-EFAULT, "not RAM: refused");
	ok(dma__piece(&as, 2 * PAGE + 8, &len, DMA_READ | DMA_PROBE) == ram + 18 * PAGE + 8 &&
	       len == PAGE - 8 && seen.access == (DMA_READ | DMA_PROBE),
	   "a piece is what one translation covers");
	ok(!dma__piece(&as, 4 * PAGE, &len, DMA_READ) && !dma__piece(&as, 7 * PAGE, &len, DMA_READ),
	   "blocked or not RAM: there is none");
	eq(dma__map_pasid(&as, 5, 0, 1, DMA_READ | DMA_PRIV, iov, 8), 1, "with a PASID");
	ok(seen.pasid == 5 && seen.access == (DMA_READ | DMA_PRIV), "which the IOMMU is told");
	zero = true;
	eq(dma__map(&as, 0, 1, DMA_READ, iov, 8), (u64)-EFAULT, "an answer of no bytes is no loop");
	zero = false;

	for (unsigned int i = 0; i < sizeof(out); i++)
		out[i] = (char)(i * 7);
	ok(dma__write(&as, 2 * PAGE + 5, out, sizeof(out) - 5) == -EFAULT, "a copy into a hole");
	ok(!memcmp(ram + 18 * PAGE + 5, out, PAGE - 5), "has copied what was before it");
	eq(dma__write(&as, PAGE + 5, out, 3 * PAGE - 5), 0, "a copy over scattered pages");
	ok(!memcmp(ram + 40 * PAGE, out + 2 * PAGE - 5, PAGE), "lands in each of them");
	ok(dma__read(&as, PAGE + 5, in, 3 * PAGE - 5) == 0 && !memcmp(in, out, 3 * PAGE - 5),
	   "and reads back");
	ok(seen.access == DMA_READ && seen.pasid == DMA_NO_PASID, "copies have no PASID");
}

int main(void)
{
	mem = mem__new(-1, 2 * MiB);
	test_identity();
	test_translated();
	mem__free(mem);
	return tap_done();
}
