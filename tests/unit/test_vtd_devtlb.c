/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the invalidation queue has for devices (VT-d 6.5.2.5, 6.5.2.6, 7.6.1): device-TLB
 * invalidations, page group responses, and devices that do not answer.
 */

#include "vtd_queue.h"

#define DEVICE	0x1234
#define DEVICE2 0x4321

static struct {
	unsigned int n;
	u64 addr, len;
	u32 pasid;
	bool all;
} inv_heard;

static struct {
	unsigned int n;
	u32 pasid;
	u16 prgi;
	u8 code;
} response_heard;

static void hear_invalidate(struct dma_listener *l, u32 pasid, u64 addr, u64 len, bool all)
{
	inv_heard.n++;
	inv_heard.pasid = pasid;
	inv_heard.addr = addr;
	inv_heard.len = len;
	inv_heard.all = all;
	inv__note('d', NULL);
}

static void hear_response(struct dma_listener *l, u32 pasid, u16 prgi, enum dma_page_resp code)
{
	response_heard.n++;
	response_heard.pasid = pasid;
	response_heard.prgi = prgi;
	response_heard.code = code;
}

static struct dma_listener device = {
	.invalidate = hear_invalidate, .page_response = hear_response, .ats = true, .sid = DEVICE
};
static struct dma_listener device2 = { .invalidate = hear_invalidate, .ats = true, .sid = DEVICE2 };
/* The same function, but as one that the guest does not know to keep anything. */
static struct dma_listener other = { .invalidate = hear_invalidate,
				     .page_response = hear_response,
				     .sid = DEVICE };

static void start_devices(void)
{
	start(1, true);
	vtd_devtlb__listen(vtd, &device);
	vtd_devtlb__listen(vtd, &other);
	vtd_devtlb__listen(vtd, &device2);
	memset(&inv_heard, 0, sizeof(inv_heard));
	memset(&response_heard, 0, sizeof(response_heard));
}

/* Put at the head, run, and the queue is as if fresh. */
static void run_one(u64 q0, u64 q1)
{
	memset(&inv_heard, 0, sizeof(inv_heard));
	memset(&response_heard, 0, sizeof(response_heard));
	put(vtd->iqh / 32, q0, q1, 0, 0);
	tail((vtd->iqh / 32 + 1) % 128);
}

static void test_devtlb(void)
{
	static const struct {
		u64 addr; /* with S */
		u64 start, len;
	} range[] = {
		{ 0x5000, 0x4000, 0x4000 }, /* bit 12 set, 13 clear */
		{ 0x4000, 0x4000, 0x2000 },
		{ 0x6000, 0x6000, 0x2000 },
		{ 0x7000, 0, 0x10000 },
		{ 0x1ff000, 0, 4 * MiB },
		{ 0x2ff000, 0x200000, 2 * MiB },
		{ 0xffff8000000ff000, 0xffff800000000000, 2 * MiB },
		{ GENMASK(60, 12), 0, BIT(62) },
		{ GENMASK(61, 12) | BIT(63), BIT(63), BIT(63) },
		{ GENMASK(62, 12), 0, 0 },
		{ GENMASK(63, 12), 0, 0 },
	};

	start_devices();
	run_one(3 | SID(DEVICE) | 31ULL << 16, 0x7000);
	ok(inv_heard.n == 1 && inv_heard.pasid == DMA_NO_PASID && inv_heard.addr == 0x7000 &&
	       inv_heard.len == 0x1000 && !inv_heard.all,
	   "a page of requests without PASID, once, to the device-TLB alone");
	for (unsigned int i = 0; i < ARRAY_SIZE(range); i++) {
		run_one(3 | SID(DEVICE), range[i].addr | 1);
		ok(inv_heard.addr == range[i].start && inv_heard.len == range[i].len,
		   "S: 0x%llx is [0x%llx, +0x%llx)", range[i].addr, range[i].start, range[i].len);
		run_one(8 | DID(DEVICE) | PASID(5), range[i].addr | BIT(11));
		ok(inv_heard.addr == range[i].start && inv_heard.len == range[i].len,
		   "with PASID too");
	}
	run_one(8 | DID(DEVICE) | PASID(0xfffff) | 31ULL << 4, 0xffff800000001000);
	ok(inv_heard.n == 1 && inv_heard.pasid == 0xfffff && inv_heard.addr == 0xffff800000001000 &&
	       inv_heard.len == 0x1000 && !inv_heard.all,
	   "a page of a PASID");
	run_one(8 | DID(DEVICE) | PASID(5), 0x1000 | 1);
	ok(inv_heard.all && inv_heard.addr == 0x1000, "G: of all PASIDs");
	run_one(8 | DID(DEVICE2) | PASID(5), 0);
	eq(inv_heard.n, 1, "another device");
	eq(rd(vtd, VTD_FSTS, 4), 0, "no errors");
	eq(vtd->stats.desc[3] + vtd->stats.desc[8], 3 + 1 + 2 * ARRAY_SIZE(range), "counted");

	fake__forget();
	put(0, 6 | G(2), 0, 0, 0);
	put(1, 8 | DID(DEVICE), 0, 0, 0);
	put(2, 5 | BIT(5) | 9ULL << 32, STATUS, 0, 0);
	vtd->iqh = vtd->iqt = 0;
	tail(3);
	ok(!strncmp(inv_log, "Pd", 2) && status() == 9, "in order, and before the wait completes");
	vtd_devtlb__unlisten(vtd, &device);
	vtd_devtlb__unlisten(vtd, &device);
	run_one(3 | SID(DEVICE2), 0);
	eq(inv_heard.n, 1, "who stays still hears");
	run_one(3 | SID(DEVICE), 0);
	eq(inv_heard.n, 0, "who left does not");
	fake__free(vtd);
}

static void test_page_response(void)
{
	start_devices();
	run_one(9 | BIT(4) | DID(DEVICE) | PASID(0xabcde), 0x1ffULL << 3);
	ok(response_heard.n == 1 && response_heard.pasid == 0xabcde &&
	       response_heard.prgi == 0x1ff && response_heard.code == DMA_PAGE_OK,
	   "success, with PASID");
	run_one(9 | DID(DEVICE) | PASID(5) | 1ULL << 12, 3 << 3 | BIT(2));
	ok(response_heard.n == 1 && response_heard.pasid == DMA_NO_PASID &&
	       response_heard.prgi == 3 && response_heard.code == DMA_PAGE_INVALID,
	   "invalid, without PASID; bit 66 is ignored");
	run_one(9 | DID(DEVICE) | 15ULL << 12, 0);
	eq(response_heard.code, DMA_PAGE_FAILED, "failure");
	run_one(9 | DID(DEVICE2), 0);
	run_one(9 | DID(0x99), 0);
	eq(response_heard.n, 0, "to a device without page requests, or none: dropped");
	eq(rd(vtd, VTD_FSTS, 4), 0, "without an error");
	fake__free(vtd);
}

/* 6.5.2.11: nobody answers. */
static void test_timeout(void)
{
	start_devices();
	wr(vtd, VTD_FECTL, 0, 4);
	wr(vtd, VTD_FEADDR, 0xfee00000, 4);
	wr(vtd, VTD_IECTL, 0, 4);
	wr(vtd, VTD_IEADDR, 0xfee00000, 4);
	fake__forget();
	put(0, 3 | SID(0x99), 0, 0, 0);
	put(1, 8 | DID(0x98), 0, 0, 0);
	put(2, 3 | SID(DEVICE), 0, 0, 0);
	put(3, 5 | BIT(5) | BIT(4) | 1ULL << 32, STATUS, 0, 0);
	put(4, 5 | BIT(5) | 2ULL << 32, STATUS, 0, 0);
	tail(5);
	eq(rd(vtd, VTD_FSTS, 4), VTD_FSTS_ITE, "ITE");
	eq(FIELD(rd(vtd, VTD_IQERCD, 8), 47, 32), 0x99, "ITESID is the first of them");
	eq(msi_sent, 1, "a fault event");
	eq(inv_heard.n, 1, "what does not wait is done");
	eq(rd(vtd, VTD_IQH, 8), 4 * 32, "the wait is behind the head");
	eq(status() | vtd->ics, 0, "but aborted");
	put(5, 7 | G(3), 0, 0, 0);
	tail(6);
	eq(rd(vtd, VTD_IQH, 8), 4 * 32, "a new tail does not start it");
	wr(vtd, VTD_FSTS, VTD_FSTS_IQE, 4);
	eq(rd(vtd, VTD_IQH, 8), 4 * 32, "nor does clearing something else");
	wr(vtd, VTD_FSTS, VTD_FSTS_ITE, 4);
	eq(rd(vtd, VTD_IQH, 8), 6 * 32, "clearing ITE does");
	eq(status(), 2, "with waits that complete");
	eq(rd(vtd, VTD_FSTS, 4), 0, "no error is left");

	put(6, 3 | SID(0x55), 0, 0, 0);
	tail(7);
	eq(rd(vtd, VTD_FSTS, 4), VTD_FSTS_ITE, "without a wait behind: ITE all the same");
	eq(FIELD(rd(vtd, VTD_IQERCD, 8), 47, 32), 0x55, "of the new one");
	wr(vtd, VTD_FSTS, VTD_FSTS_ITE, 4);
	put(7, 3 | SID(0x44), 0, 0, 0);
	put(8, 0, 0, 0, 0);
	tail(9);
	eq(rd(vtd, VTD_FSTS, 4), VTD_FSTS_ITE | VTD_FSTS_IQE, "with a bad one behind: both");
	eq(rd(vtd, VTD_IQERCD, 8), 0x44ULL << 32 | 3, "each with its reason");
	fake__free(vtd);
}

/* Descriptors and bits that options take away. */
static void test_without(void)
{
	static const struct {
		const char *options;
		u64 q0;
		u8 want;
	} t[] = {
		{ "ats=off", 3 | SID(DEVICE), 3 }, { "ats=off", 8 | DID(DEVICE), 3 },
		{ "ats=off", 9 | DID(DEVICE), 3 }, { "ats=off", 5 | BIT(7), 4 },
		{ "pri=off", 3 | SID(DEVICE), 0 }, { "pri=off", 8 | DID(DEVICE), 0 },
		{ "pri=off", 9 | DID(DEVICE), 3 }, { "pri=off", 5 | BIT(7), 4 },
		{ "pri", 5 | BIT(7), 0 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(t); i++) {
		struct vtd_config cfg = vtd_config_emulated;

		vtd_cap__parse(t[i].options, &cfg);
		start_devices();
		vtd_cap__build(&cfg, &vtd->cap, &vtd->ecap);
		run_one(t[i].q0, 0);
		eq(rd(vtd, VTD_IQERCD, 8), t[i].want, "%s: 0x%llx", t[i].options, t[i].q0);
		fake__free(vtd);
	}
}

int main(void)
{
	test_devtlb();
	test_page_response();
	test_timeout();
	test_without();
	return tap_done();
}
