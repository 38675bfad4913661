/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests through vtd_dma_ops and its caches: what a hit may answer, and what each invalidation must
 * drop (VT-d 6.5.2, Tables 23 and 24).
 */

#include "vtd_dma.h"

static bool dma_is(u16 sid, u32 pasid, u64 addr, u8 access, u64 gpa)
{
	return dma(sid, pasid, addr, access) && out_gpa == gpa;
}

/* --- Requests --- */

static void test_off(void)
{
	start(VTD_TTM_SCALABLE);
	vtd.gsts = 0;
	ok(dma_is(SID, DMA_NO_PASID, 0x1234, W, 0x1234), "off: identity");
	eq(out_len, -0x1234ULL, "off: up to the end of the address space");
	ok(dma(SID, DMA_NO_PASID, 0, W) && out_len >= BIT(63), "off: from 0");
	ok(dma(SID, DMA_NO_PASID, ~0ULL, W) && out_len == 1, "off: the last byte");
	ok(dma(SID, 5, 0xfee00000, W), "off: the interrupt range is not ours");
	eq(n_faults, 0, "off: no faults");
}

static void test_requests(void)
{
	u64 fs, ss, pte;

	start(VTD_TTM_SCALABLE);
	fs = page_new();
	pasid_set(&vtd, SID, 0, PE(1), 5 | PE_PWSNP, fs);
	pte = table_map(fs, 4, 0x5000, 1, 0x9000 | 7, 7);
	ok(dma_is(SID, DMA_NO_PASID, 0x5123, R, 0x9123), "read");
	eq(out_len, 0x1000 - 0x123, "to the end of the page");
	eq(vtd.stats.iotlb_miss, 1, "was a miss");
	ok(dma(SID, DMA_NO_PASID, 0x5000, R), "again");
	eq(vtd.stats.iotlb_hit, 1, "is a hit");
	put(pte, 0xa000 | 7);
	ok(dma_is(SID, DMA_NO_PASID, 0x5000, R, 0x9000), "a hit does not look at memory");
	ok(dma_is(SID, DMA_NO_PASID, 0x5000, W, 0xa000), "a read's entry does not serve a write");
	eq(get(pte) & FS_D, FS_D, "which sets the dirty bit");
	ok(dma_is(SID, DMA_NO_PASID, 0x5000, R, 0xa000), "and takes the read's place");

	ok(!dma(SID, DMA_NO_PASID, 0x6000, R | W | DMA_PROBE) &&
	       !dma(SID, DMA_NO_PASID, 0xfee00000, W | DMA_PROBE) && !n_faults,
	   "unmapped, and the interrupt range: only asked, that is no fault");
	ok(!dma(SID, DMA_NO_PASID, 0x6000, W), "unmapped");
	ok(n_faults == 1 && last_fault.reason == 0x71 && last_fault.sid == SID &&
	       last_fault.pasid == DMA_NO_PASID && last_fault.addr == 0x6000 &&
	       last_fault.access == W,
	   "is recorded as it was asked");
	table_map(fs, 4, 0x6000, 1, 0xb000 | 7, 7);
	ok(dma_is(SID, DMA_NO_PASID, 0x6000, W, 0xb000), "a fault is not cached");
	ok(!dma(SID2, DMA_NO_PASID, 0x6000, W) && last_fault.reason == 0x41, "another source");
	ok(!dma(SID, 9, 0x6000, W) && last_fault.reason == 0x59 && last_fault.pasid == 9,
	   "a PASID");
	pasid_set(&vtd, SID, 9, PE(1), 5 | PE_PWSNP, fs);
	ok(dma_is(SID, 9, 0x6000, W, 0xb000), "an absent entry is not cached");
	ok(!dma(SID, 9, 0x6000, R | DMA_EXEC) && last_fault.reason == 0x5c, "execute");
	ok(!dma(SID, 9, 0x6000, R | DMA_PRIV) && last_fault.reason == 0x5d, "privileged, SRE=0");
	ok(dma(SID, DMA_NO_PASID, 0x6000, R | DMA_PRIV | DMA_EXEC), "mean nothing without a PASID");
	put(context_gpa(&vtd, SID), get(context_gpa(&vtd, SID)) | 2);
	vtd_cache__clear(vtd.cache);
	ok(!dma(SID, 9, 0x7000, W) && last_fault.fpd, "FPD reaches the fault");

	/* Privilege is part of the key. */
	start(VTD_TTM_SCALABLE);
	fs = page_new();
	pasid_set(&vtd, SID, 7, PE(1), 5 | PE_PWSNP, fs | 1);
	pasid_set(&vtd, SID2, 7, PE(1), 5 | PE_PWSNP, fs);
	table_map(fs, 4, 0x5000, 1, 0x9000 | 3, 7); /* supervisor */
	ok(dma(SID, 7, 0x5000, W | DMA_PRIV), "privileged");
	ok(!dma(SID, 7, 0x5000, W) && last_fault.reason == 0x81, "its entry does not serve a user");
	ok(!dma(SID2, 7, 0x5000, W | DMA_PRIV) && last_fault.reason == 0x5d,
	   "nor a source without SRE");
	pasid_set(&vtd, SID2, 7, PE(1), 5 | PE_PWSNP, fs | 1 | BIT(4));
	vtd_cache__inv_pasid(vtd.cache, &(struct vtd_inv){ .gran = VTD_GRAN_GLOBAL });
	table_map(fs, 4, 0x6000, 1, 0x9000 | 1, 7);
	ok(dma(SID, 7, 0x6000, W | DMA_PRIV), "privileged write to a read-only page, WPE=0");
	ok(!dma(SID2, 7, 0x6000, W | DMA_PRIV) && last_fault.reason == 0x85,
	   "its entry does not serve WPE=1");

	/* A hit is what was checked for, and nothing else. */
	table_map(fs, 4, 0x8000, 1, 0xc000 | 5, 7);
	ok(dma_is(SID, 7, 0x8010, R, 0xc010) && dma_is(SID, 7, 0x8010, R, 0xc010),
	   "user, and again");
	ok(!dma(SID, 7, 0x8000, R | DMA_EXEC) && last_fault.reason == 0x5c,
	   "its entry does not serve execute requests");
	ok(!dma(SID2, 7, 0x8000, W | DMA_PRIV) && last_fault.reason == 0x85, "nor privileged ones");
	ss = page_new();
	pasid_set(&vtd, SID, 0, PE(2) | PE_AW48 | ss, 6, 0);
	pasid_set(&vtd, SID, 3, PE(2) | PE_AW48 | ss, 6, 0);
	table_map(ss, 4, 0xfee01000, 1, 0xd000 | 3, 3);
	table_map(ss, 4, 0xfef01000, 1, 0xe000 | 3, 3);
	ok(dma_is(SID, 3, 0xfef01000, R, 0xe000) &&
	       dma_is(SID, DMA_NO_PASID, 0xfef01000, R, 0xe000),
	   "a domain's second stage is cached for all its PASIDs");
	eq(vtd.stats.iotlb_hit, 2, "as a hit shows");
	ok(dma_is(SID, 3, 0xfee01000, R, 0xd000), "the interrupt range, with a PASID");
	ok(!dma(SID, DMA_NO_PASID, 0xfee01000, R) && last_fault.reason == 0x29,
	   "its entry does not serve requests without");
	vtd.gsts = 0;
	ok(dma_is(SID, 7, 0x8000, R, 0x8000), "nor does any when translation is off");
}

static void test_ranges(void)
{
	u64 fs;

	start(VTD_TTM_SCALABLE);
	fs = page_new();
	pasid_set(&vtd, SID, 0, PE(4), 5, 0);
	pasid_set(&vtd, SID, 1, PE(4), 5, 0);
	ok(dma_is(SID, DMA_NO_PASID, 0x1234, W, 0x1234), "pass-through");
	eq(out_len, 0xfee00000 - 0x1234, "runs up to the interrupt range");
	ok(dma(SID, DMA_NO_PASID, 0xfef00000, W) && out_len == BIT(46) - 0xfef00000,
	   "from behind it up to HAW");
	ok(!dma(SID, DMA_NO_PASID, 0xfee00000, W) && last_fault.reason == 0x29,
	   "a DMA into the interrupt range");
	ok(!dma(SID, 1, 0xfee00000, W) && last_fault.reason == 0x87, "with a PASID");
	ok(!dma(SID, DMA_NO_PASID, BIT(46), W) && last_fault.reason == 0x83, "beyond HAW");

	pasid_set(&vtd, SID2, 0, PE(1), 6 | PE_PWSNP, fs);
	pasid_set(&vtd, SID2, 1, PE(1), 6 | PE_PWSNP, fs);
	table_map(fs, 4, 0xc0000000, 3, 0x40000000 | 7 | FS_PS, 7);
	ok(dma(SID2, DMA_NO_PASID, 0xfedff000, R) && out_len == 0x1000 && out_gpa == 0x7edff000,
	   "a large page ends where interrupts begin");
	ok(!dma(SID2, DMA_NO_PASID, 0xfeeff000, R) && last_fault.reason == 0x29, "in the range");
	ok(dma_is(SID2, 1, 0xfee00000, R, 0x7ee00000), "with a PASID it is an address");
	table_map(fs, 4, 0x40000000, 3, 0xc0000000 | 7 | FS_PS, 7);
	ok(dma(SID2, DMA_NO_PASID, 0x7edff800, R) && out_len == 0x800,
	   "nor does the output run into interrupts");
	ok(!dma(SID2, DMA_NO_PASID, 0x7ee00000, R) && last_fault.reason == 0x87, "or start there");
}

/* --- Invalidations by granularity --- */

static void fill(u16 did, u32 pasid, u8 pgtt, u64 addr, u8 shift)
{
	const struct vtd_ctx ctx = { .pgtt = pgtt, .did = did, .pasid = pasid };
	const struct vtd_leaf leaf = { .gpa = 0, .shift = shift, .perm = R | W };

	vtd_cache__leaf_add(vtd.cache, &ctx, addr, R, &leaf);
}

static bool has(u16 did, u32 pasid, u8 pgtt, u64 addr)
{
	const struct vtd_ctx ctx = { .pgtt = pgtt, .did = did, .pasid = pasid };

	return vtd_cache__leaf(vtd.cache, &ctx, addr, R);
}

enum { A, B, C, D, E, F, G, H, N_FILLED };

static const struct {
	u16 did;
	u32 pasid;
	u8 pgtt;
	u64 addr;
	u8 shift;
} filled[] = {
	[A] = { 5, 1, VTD_PGTT_FS, 0x1000, 12 },
	[B] = { 5, 1, VTD_PGTT_FS, 0x200000, 21 },
	[C] = { 5, 2, VTD_PGTT_NESTED, 0x1000, 12 },
	[D] = { 6, 1, VTD_PGTT_FS, 0x1000, 12 },
	[E] = { 7, 1, VTD_PGTT_SS, 0x1000, 12 },
	[F] = { 7, 1, VTD_PGTT_SS, 0x40000000, 30 },
	[G] = { 5, 1, VTD_PGTT_FS, 0xffff800000001000, 12 },
	[H] = { 7, 1, VTD_PGTT_SS, 0x3000, 12 },
};

/* What is left, one bit per entry. */
static u32 after(void (*invalidate_fn)(struct vtd_cache *, const struct vtd_inv *),
		 struct vtd_inv inv)
{
	u32 left = 0;

	vtd_cache__clear(vtd.cache);
	for (int i = 0; i < N_FILLED; i++)
		fill(filled[i].did, filled[i].pasid, filled[i].pgtt, filled[i].addr,
		     filled[i].shift);
	for (int i = 0; i < N_FILLED; i++)
		if (!has(filled[i].did, filled[i].pasid, filled[i].pgtt, filled[i].addr))
			ok(false, "entry %d is there before", i);
	invalidate_fn(vtd.cache, &inv);
	for (int i = 0; i < N_FILLED; i++)
		if (has(filled[i].did, filled[i].pasid, filled[i].pgtt, filled[i].addr))
			left |= 1u << i;
	return left;
}

#define BUT(...) (((1u << N_FILLED) - 1) & ~but((int[]){ __VA_ARGS__, -1 }))

static u32 but(const int *list)
{
	u32 bits = 0;

	for (; *list >= 0; list++)
		bits |= 1u << *list;
	return bits;
}

static void test_granularity(void)
{
	start(VTD_TTM_SCALABLE);
	eq(after(vtd_cache__inv_iotlb, (struct vtd_inv){ .gran = VTD_GRAN_GLOBAL }), 0,
	   "IOTLB global drops all");
	eq(after(vtd_cache__inv_iotlb, (struct vtd_inv){ .gran = VTD_GRAN_DOMAIN, .did = 5 }),
	   BUT(A, B, C, G), "IOTLB domain");
	eq(after(vtd_cache__inv_iotlb,
		 (struct vtd_inv){ .gran = VTD_GRAN_PAGE, .did = 5, .addr = 0x7000 }),
	   BUT(A, B, C, G), "IOTLB page: first-stage entries of the domain go wherever they are");
	eq(after(vtd_cache__inv_iotlb,
		 (struct vtd_inv){ .gran = VTD_GRAN_PAGE, .did = 7, .addr = 0x1000 }),
	   BUT(E), "IOTLB page: second-stage entries by address");
	eq(after(vtd_cache__inv_iotlb,
		 (struct vtd_inv){ .gran = VTD_GRAN_PAGE, .did = 7, .addr = 0x2000, .am = 1 }),
	   BUT(H), "IOTLB pages by mask");
	eq(after(vtd_cache__inv_iotlb,
		 (struct vtd_inv){ .gran = VTD_GRAN_PAGE, .did = 7, .addr = 0x7fe00000 }),
	   BUT(F), "IOTLB page: a larger page that contains it");
	eq(after(vtd_cache__inv_iotlb,
		 (struct vtd_inv){ .gran = VTD_GRAN_PAGE, .did = 7, .addr = 0, .am = 18 }),
	   BUT(E, H), "IOTLB page: 1 GiB");
	eq(after(vtd_cache__inv_iotlb,
		 (struct vtd_inv){ .gran = VTD_GRAN_PAGE, .did = 7, .addr = 0, .am = 63 }),
	   BUT(E, F, H), "IOTLB page: any mask");
	eq(after(vtd_cache__inv_piotlb,
		 (struct vtd_inv){ .gran = VTD_GRAN_PASID, .did = 5, .pasid = 1 }),
	   BUT(A, B, G), "P_IOTLB PASID");
	eq(after(vtd_cache__inv_piotlb,
		 (struct vtd_inv){ .gran = VTD_GRAN_PASID, .did = 7, .pasid = 1 }),
	   BUT(E, F, H), "P_IOTLB PASID: second-stage entries too");
	eq(after(vtd_cache__inv_piotlb,
		 (struct vtd_inv){ .gran = VTD_GRAN_PAGE, .did = 5, .pasid = 1, .addr = 0x1000 }),
	   BUT(A), "P_IOTLB page");
	eq(after(vtd_cache__inv_piotlb,
		 (struct vtd_inv){ .gran = VTD_GRAN_PAGE, .did = 7, .pasid = 1, .addr = 0x1000 }),
	   BUT(-1), "P_IOTLB page: first-stage entries only");
	eq(after(vtd_cache__inv_piotlb, (struct vtd_inv){ .gran = VTD_GRAN_PAGE,
							  .did = 5,
							  .pasid = 1,
							  .addr = 0xffff800000000000,
							  .am = 4 }),
	   BUT(G), "P_IOTLB pages in the upper half");
	eq(after(vtd_cache__inv_piotlb,
		 (struct vtd_inv){ .gran = VTD_GRAN_PAGE, .did = 5, .pasid = 1, .addr = 0x3ff000 }),
	   BUT(B), "P_IOTLB page within a large page");
	eq(after(vtd_cache__inv_piotlb,
		 (struct vtd_inv){
		     .gran = VTD_GRAN_PAGE, .did = 5, .pasid = 1, .addr = ~0ULL, .am = 52 }),
	   BUT(A, B, G), "P_IOTLB page: everything");
}

/* Table 18: first-stage entries are found by the address bits that they translate; the others are copies. */
static void test_not_canonical(void)
{
	static const struct {
		u8 levels;
		u64 addr, inv;
		u8 am;
		bool gone;
		const char *what;
	} t[] = {
		{ 4, 0xffff800000005000, 0x0000800000005000, 0, true, "upper half, zeroes above" },
		{ 4, 0xffff800000005000, 0x8001800000005000, 0, true,
		  "upper half, anything above" },
		{ 4, 0x0000700000005000, 0xff00700000005000, 0, true, "lower half, ones above" },
		{ 4, 0xffff800000005000, 0x0000000000005000, 0, false, "the other half" },
		{ 4, 0xffff800000005000, 0x0000800000004000, 1, true, "two pages" },
		{ 4, 0xffff800000005000, 0x0000800000000000, 35, true, "the half" },
		{ 4, 0x0000700000005000, 0xffff800000000000, 35, false, "not both" },
		{ 4, 0x0000700000005000, 0xffff800000000000, 36, true, "both" },
		{ 4, 0xffff800000005000, 0x1234000000000000, 36, true, "both, anything above" },
		{ 5, 0xff80800000005000, 0x0180800000005000, 0, true, "5 levels, upper half" },
		{ 5, 0x0000800000005000, 0x0000800000005000, 0, true, "5 levels, as it is" },
		{ 5, 0xffff800000005000, 0x01ff800000005000, 0, true, "5 levels, zeroes above" },
		{ 5, 0x0080000000005000, 0xfe80000000005000, 0, true, "5 levels, ones above" },
		{ 5, 0x0080000000005000, 0x0000000000005000, 0, false, "5 levels, another" },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(t); i++) {
		u64 fs, pos;

		start(VTD_TTM_SCALABLE);
		fs = page_new();
		pasid_set(&vtd, SID, 0, PE(1), 5 | PE_PWSNP, fs | (t[i].levels - 4) << 2);
		pos = table_map(fs, t[i].levels, t[i].addr, 1, 0x9000 | 7, 7);
		ok(dma_is(SID, DMA_NO_PASID, t[i].addr, R, 0x9000), "%s: cached", t[i].what);
		put(pos, 0xa000 | 7);
		vtd_inv__piotlb(
		    &vtd, &(struct vtd_inv){
			      .gran = VTD_GRAN_PAGE, .did = 5, .addr = t[i].inv, .am = t[i].am });
		ok(dma_is(SID, DMA_NO_PASID, t[i].addr, R, t[i].gone ? 0xa000 : 0x9000), "%s: %s",
		   t[i].what, t[i].gone ? "gone" : "stays");
	}
}

/* 6.5.2.3, 11.4.6.4: a second stage has no address above MGAW, and those bits are not looked at. */
static void test_above_mgaw(void)
{
	u64 ss, pos;

	start(VTD_TTM_SCALABLE);
	ss = page_new();
	pasid_set(&vtd, SID, 0, PE(2) | PE_AW48 | ss, 6, 0);
	pos = table_map(ss, 4, 0x5000, 1, 0x9000 | 3, 3);
	ok(dma_is(SID, DMA_NO_PASID, 0x5000, R, 0x9000), "a page is cached");
	put(pos, 0xa000 | 3);
	vtd_inv__iotlb(
	    &vtd,
	    &(struct vtd_inv){ .gran = VTD_GRAN_PAGE, .did = 6, .addr = 0x5000 | 0x8001ULL << 48 });
	ok(dma_is(SID, DMA_NO_PASID, 0x5000, R, 0xa000),
	   "and found by an invalidation with bits above MGAW");
}

static bool ctx_left(struct vtd_inv inv, bool pasid_cache, bool legacy)
{
	const struct vtd_ctx ctx = { .pgtt = VTD_PGTT_SS, .did = 5, .pasid = 3, .legacy = legacy };

	vtd_cache__clear(vtd.cache);
	vtd_cache__ctx_add(vtd.cache, 0x13, legacy ? DMA_NO_PASID : 3, &ctx);
	if (pasid_cache)
		vtd_cache__inv_pasid(vtd.cache, &inv);
	else
		vtd_cache__inv_context(vtd.cache, &inv);
	return vtd_cache__ctx(vtd.cache, 0x13, legacy ? DMA_NO_PASID : 3);
}

static void test_ctx_granularity(void)
{
	start(VTD_TTM_SCALABLE);
	ok(!ctx_left((struct vtd_inv){ .gran = VTD_GRAN_GLOBAL }, false, true), "context global");
	ok(!ctx_left((struct vtd_inv){ .gran = VTD_GRAN_DOMAIN, .did = 5 }, false, true),
	   "context domain");
	ok(ctx_left((struct vtd_inv){ .gran = VTD_GRAN_DOMAIN, .did = 6 }, false, true),
	   "context, another domain");
	ok(!ctx_left((struct vtd_inv){ .gran = VTD_GRAN_DOMAIN, .did = 6 }, false, false),
	   "scalable mode: any domain is all");
	ok(!ctx_left((struct vtd_inv){ .gran = VTD_GRAN_DEVICE, .sid = 0x13, .did = 5 }, false,
		     true),
	   "context device");
	ok(ctx_left((struct vtd_inv){ .gran = VTD_GRAN_DEVICE, .sid = 0x10, .did = 5 }, false,
		    true),
	   "context, another device");
	ok(ctx_left((struct vtd_inv){ .gran = VTD_GRAN_DEVICE, .sid = 0x10, .fm = 2 }, false,
		    false),
	   "context, function mask 2 leaves bit 0");
	ok(!ctx_left((struct vtd_inv){ .gran = VTD_GRAN_DEVICE, .sid = 0x10, .fm = 3 }, false,
		     false),
	   "context, function mask 3");
	ok(!ctx_left((struct vtd_inv){ .gran = VTD_GRAN_GLOBAL }, true, false), "PASID global");
	ok(!ctx_left((struct vtd_inv){ .gran = VTD_GRAN_DOMAIN, .did = 5 }, true, false),
	   "PASID domain");
	ok(ctx_left((struct vtd_inv){ .gran = VTD_GRAN_DOMAIN, .did = 6 }, true, false),
	   "PASID, another domain");
	ok(!ctx_left((struct vtd_inv){ .gran = VTD_GRAN_PASID, .did = 5, .pasid = 3 }, true, false),
	   "PASID selective");
	ok(ctx_left((struct vtd_inv){ .gran = VTD_GRAN_PASID, .did = 5, .pasid = 4 }, true, false),
	   "another PASID");
	ok(ctx_left((struct vtd_inv){ .gran = VTD_GRAN_PASID, .did = 6, .pasid = 3 }, true, false),
	   "the PASID of another domain");
}

#define ENTRIES (sizeof(vtd.cache->tlb) / sizeof(struct tlb_slot))

static void test_bounded(void)
{
	unsigned int hits = 0;

	start(VTD_TTM_SCALABLE);
	for (u64 i = 0; i < 100000; i++) {
		fill(1 + i % 7, i % 13, 1 + i % 3, i << 12, 12);
		hits += has(1 + i % 7, i % 13, 1 + i % 3, i << 12);
	}
	eq(hits, 100000, "what was just added is found, however full it is");
	hits = 0;
	for (u64 i = 0; i < 100000; i++)
		hits += has(1 + i % 7, i % 13, 1 + i % 3, i << 12);
	ok(hits <= ENTRIES && hits > ENTRIES / 2, "%u entries are kept", hits);
	vtd_cache__inv_iotlb(vtd.cache, &(struct vtd_inv){ .gran = VTD_GRAN_GLOBAL });
	eq(vtd.cache->pages[0] + vtd.cache->fs, 0, "none is left, and the counts know");
}

int main(void)
{
	test_off();
	test_requests();
	test_ranges();
	test_granularity();
	test_above_mgaw();
	test_not_canonical();
	test_ctx_granularity();
	test_bounded();
	vtd_cache__free(vtd.cache);
	mem__free(guest_mem);
	return tap_done();
}
