/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Those who keep translations and are no device-TLB: each invalidation that may concern them is
 * heard, after our own caches have followed it.
 */

#include "vtd_dma.h"

static struct {
	unsigned int n;
	u32 pasid;
	u64 addr, len, seen;
	bool all;
} heard;

/* As a vhost backend would, it asks again. */
static void told(struct dma_listener *l, u32 pasid, u64 addr, u64 len, bool all)
{
	heard.n++;
	heard.pasid = pasid;
	heard.addr = addr;
	heard.len = len;
	heard.all = all;
	heard.seen = dma(SID, DMA_NO_PASID, 0x5000, R) ? out_gpa : 0;
}

static struct dma_listener keeper = { .invalidate = told, .sid = SID };
static struct dma_listener device = { .invalidate = told, .ats = true, .sid = SID };
static struct dma_listener keeper2 = { .invalidate = told, .sid = SID2 };

static bool all_of_it(unsigned int n)
{
	return heard.n == n && heard.pasid == DMA_NO_PASID && !heard.addr && !heard.len &&
	       !heard.all;
}

static bool only(u64 addr, u64 len)
{
	return heard.n == 1 && heard.pasid == DMA_NO_PASID && heard.addr == addr &&
	       heard.len == len && !heard.all;
}

static void perform(void (*what)(struct vtd *vtd, const struct vtd_inv *inv), struct vtd_inv inv)
{
	memset(&heard, 0, sizeof(heard));
	what(&vtd, &inv);
}

static void test_scalable(void)
{
	u64 fs, pte;

	start(VTD_TTM_SCALABLE);
	vtd.listeners = NULL;
	vtd_dma_ops.listen(&vtd, &keeper);
	vtd_dma_ops.listen(&vtd, &device);
	fs = page_new();
	pasid_set(&vtd, SID, 0, PE(1), 5 | PE_PWSNP, fs);
	pte = table_map(fs, 4, 0x5000, 1, 0x9000 | 7, 7);
	ok(dma(SID, DMA_NO_PASID, 0x5000, R) && out_gpa == 0x9000, "something is cached");
	put(pte, 0xa000 | 7);

	perform(vtd_inv__piotlb,
		(struct vtd_inv){ .gran = VTD_GRAN_PAGE, .did = 5, .addr = 0x5000 });
	ok(only(0x5000, 0x1000), "P_IOTLB page: that page, as of requests without PASID");
	eq(heard.seen, 0xa000, "our caches have followed before");
	perform(vtd_inv__piotlb,
		(struct vtd_inv){ .gran = VTD_GRAN_PAGE, .did = 9, .addr = 0x7000, .am = 2 });
	ok(only(0x4000, 0x4000), "a mask makes it a range; of another domain, too");
	perform(
	    vtd_inv__piotlb,
	    (struct vtd_inv){ .gran = VTD_GRAN_PAGE, .did = 5, .addr = GENMASK(63, 12), .am = 35 });
	ok(only(-BIT(47), BIT(47)), "the largest");
	perform(vtd_inv__piotlb, (struct vtd_inv){ .gran = VTD_GRAN_PAGE, .did = 5, .am = 36 });
	ok(all_of_it(1), "a larger one is everything");
	perform(vtd_inv__piotlb,
		(struct vtd_inv){ .gran = VTD_GRAN_PAGE, .did = 5, .addr = 0x1800000005000 });
	ok(heard.n == 2 && heard.addr == 0x1800000005000,
	   "what is different with five levels is told for both");
	perform(vtd_inv__piotlb, (struct vtd_inv){ .gran = VTD_GRAN_PASID, .did = 5 });
	ok(all_of_it(1), "P_IOTLB PASID: everything");
	perform(vtd_inv__iotlb,
		(struct vtd_inv){ .gran = VTD_GRAN_PAGE, .did = 5, .addr = 0x5000 });
	ok(all_of_it(1), "IOTLB page: everything, for the address may be a second stage's");
	perform(vtd_inv__iotlb, (struct vtd_inv){ .gran = VTD_GRAN_DOMAIN, .did = 5 });
	ok(all_of_it(1), "IOTLB domain");
	perform(vtd_inv__iotlb, (struct vtd_inv){ .gran = VTD_GRAN_GLOBAL });
	ok(all_of_it(1), "IOTLB global");
	perform(vtd_inv__pasid_cache, (struct vtd_inv){ .gran = VTD_GRAN_PASID, .did = 5 });
	ok(all_of_it(1), "PASID cache");
	perform(vtd_inv__context, (struct vtd_inv){ .gran = VTD_GRAN_DEVICE, .sid = SID2 });
	ok(all_of_it(1), "context cache, whoever's");

	put(pte, 0xb000 | 7);
	memset(&heard, 0, sizeof(heard));
	vtd_inv__all(&vtd);
	ok(all_of_it(1) && heard.seen == 0xb000, "SRTP, TE, reset");
	vtd.gsts = 0;
	memset(&heard, 0, sizeof(heard));
	vtd_inv__all(&vtd);
	ok(all_of_it(1) && heard.seen == 0x5000, "translation off: identity from now on");

	vtd_dma_ops.listen(&vtd, &keeper2);
	perform(vtd_inv__iotlb, (struct vtd_inv){ .gran = VTD_GRAN_GLOBAL });
	ok(all_of_it(2), "every one of them is told");
	vtd_dma_ops.unlisten(&vtd, &keeper);
	perform(vtd_inv__iotlb, (struct vtd_inv){ .gran = VTD_GRAN_GLOBAL });
	ok(all_of_it(1), "until it leaves");
}

static void test_legacy(void)
{
	start(VTD_TTM_LEGACY);
	vtd.listeners = NULL;
	vtd_dma_ops.listen(&vtd, &keeper);
	perform(vtd_inv__iotlb,
		(struct vtd_inv){ .gran = VTD_GRAN_PAGE, .did = 5, .addr = 0x5000, .am = 1 });
	ok(only(0x4000, 0x2000), "legacy mode: an IOTLB page is a range");
	perform(vtd_inv__iotlb, (struct vtd_inv){ .gran = VTD_GRAN_DOMAIN, .did = 5 });
	ok(all_of_it(1), "a domain is everything");
}

int main(void)
{
	test_scalable();
	test_legacy();
	vtd_cache__free(vtd.cache);
	mem__free(guest_mem);
	return tap_done();
}
