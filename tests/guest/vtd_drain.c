/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * A disk whose memory is taken back while it reads into it: once the invalidation is complete, the
 * memory is as quiet as if there were no disk (VT-d 6.5.4).  Each round waits a little longer between
 * the request and the invalidation, so that this meets the request at every stage.
 */

#include "virtq.h"
#include "vtd.h"

#define BLK_DEVICE 0x1042
#define PAGES	   96
#define LEN	   (PAGES * 4096UL)
#define BUFFER	   (IOVA & ~0xfffUL)
#define PROGRAM	   0x200000UL /* and its data (guest.ld) */
#define ROUNDS	   24

static struct virtio v;
static struct virtq q __attribute__((aligned(4096)));
static struct {
	u32 type, reserved;
	u64 sector;
} header;
static volatile u8 status;

/* The entry that leads to the table of all of the buffer's pages. */
static volatile u64 *directory(void)
{
	return at64(T_TABLES + 0x2000) + (BUFFER >> 21 & 511);
}

static void map_buffer(void)
{
	*directory() = T_TABLES + 0x3000 + (SS_R | SS_W);
}

static void unmap_buffer(void)
{
	*directory() = 0;
}

/* The last word of each page: enough to see the disk at work, and quick where guests are slow. */
static volatile u64 *word(unsigned int page)
{
	return at64(PAGE_A + 4096UL * page + 4088);
}

static void fill(void)
{
	for (unsigned int i = 0; i < PAGES; i++)
		*word(i) = ~0UL;
}

static unsigned int filled(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < PAGES; i++)
		n += *word(i) == ~0UL;
	return n;
}

static bool start(void)
{
	virtio_reset(&v);
	vtd_start(TTM_LEGACY);
	for (u64 off = 0; off < LEN; off += 4096)
		vtd_map(T_TABLES, BUFFER + off, PAGE_A + off, SS_R | SS_W, SS_R | SS_W);
	vtd_map_2m(T_TABLES, PROGRAM, PROGRAM, SS_R | SS_W, SS_R | SS_W);
	vtd_context_legacy(v.devfn, 1 | T_TABLES, 2);
	return virtio_up(&v, &q, 0);
}

static void desc(int i, u64 addr, u32 len, u16 flags)
{
	q.desc[i].addr = addr;
	q.desc[i].len = len;
	q.desc[i].flags = flags;
	q.desc[i].next = i + 1;
}

static void submit(void)
{
	status = 0xff;
	desc(0, (u64)&header, sizeof(header), D_NEXT);
	desc(1, BUFFER, LEN, D_NEXT | D_WRITE);
	desc(2, (u64)&status, 1, D_WRITE);
	virtio_kick(&v, 0);
}

/* Is the invalidation @lo, @hi the end of it, @wait after the request? */
static bool quiet(u64 lo, u64 hi, unsigned int wait)
{
	u16 used = q.used_idx + 1;
	unsigned int then;

	map_buffer();
	fill();
	submit();
	for (unsigned int i = 0; i < wait; i++)
		in8(0xed);
	unmap_buffer();
	if (!vtd_inv(lo, hi))
		return false;
	then = filled();
	/* Done, or an I/O error: both are good answers, and none is not. */
	if (!virtio_used(&v, used) || status > 1)
		return false;
	vtd_faults_clear();
	return filled() == then;
}

static void rounds(u64 lo, u64 hi, const char *what)
{
	unsigned int bad = 0;
	u16 used;

	report(start(), "%s: the disk starts", what);
	for (unsigned int i = 0; i < ROUNDS; i++)
		bad += !quiet(lo, hi, i);
	report_eq(bad, 0, "%s: memory taken back is left alone", what);
	map_buffer();
	vtd_inv(lo, hi);
	fill();
	used = q.used_idx + 1;
	submit();
	report(virtio_used(&v, used) && !status && !filled(), "%s: and the disk goes on", what);
	virtio_reset(&v);
	vtd_stop();
}

int main(void)
{
	if (!virtio_find(&v, BLK_DEVICE)) {
		report(false, "there is a virtio disk");
		return 0;
	}
	rounds(INV_IOTLB_GLOBAL, 0, "global");
	rounds(INV_IOTLB_DOMAIN(0), 0, "domain");
	rounds(INV_IOTLB_PAGE(0), BUFFER | 8, "page");
	return 0;
}
