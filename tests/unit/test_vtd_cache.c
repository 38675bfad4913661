/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The caches under vtd_dma_ops: what a hit may answer, what each invalidation must drop (VT-d 6.5.2,
 * Tables 23 and 24), and that the invalidations which Table 28 asks of a guest are enough.
 */

#include "vtd_guest.h"

#include "iommu/bind.c"
#include "iommu/bind_dev.c"
#include "iommu/bind_host.c"
#include "iommu/bind_inv.c"
#include "iommu/cache.c"
#include "iommu/inv.c"
#include "iommu/translate.c"
#include "iommu/walk.c"
#include "iommu/walk_fs.c"
#include "iommu/walk_ss.c"

#define R DMA_READ
#define W DMA_WRITE

#define SID  0x10
#define SID2 0x18

static struct vtd vtd;
static u64 out_gpa, out_len;

static bool dma(u16 sid, u32 pasid, u64 addr, u8 access)
{
	const struct dma_req req = { .addr = addr, .pasid = pasid, .sid = sid, .access = access };

	out_gpa = out_len = 0;
	return !vtd_dma_ops.translate(&vtd, &req, &out_gpa, &out_len);
}

static bool dma_is(u16 sid, u32 pasid, u64 addr, u8 access, u64 gpa)
{
	return dma(sid, pasid, addr, access) && out_gpa == gpa;
}

static void start(enum vtd_ttm ttm)
{
	struct vtd_cache *cache = vtd.cache ? vtd.cache : vtd_cache__new();

	unit_init(&vtd, &config_all, ttm);
	vtd.cache = cache;
	vtd_cache__clear(cache);
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
	u64 fs, pte;

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

	ok(!dma(SID, DMA_NO_PASID, 0x6000, W), "unmapped");
	ok(n_faults == 1 && last_fault.reason == 0x71 && last_fault.sid == SID &&
	   last_fault.pasid == DMA_NO_PASID && last_fault.addr == 0x6000 && last_fault.access == W,
	   "is recorded as it was asked");
	table_map(fs, 4, 0x6000, 1, 0xb000 | 7, 7);
	ok(dma_is(SID, DMA_NO_PASID, 0x6000, W, 0xb000), "a fault is not cached");
	ok(!dma(SID2, DMA_NO_PASID, 0x6000, W) && last_fault.reason == 0x41, "another source");
	ok(!dma(SID, 9, 0x6000, W) && last_fault.reason == 0x59 && last_fault.pasid == 9, "a PASID");
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
	ok(dma(SID2, DMA_NO_PASID, 0xfedff000, R) && out_len == 0x1000 &&
	   out_gpa == 0x7edff000, "a large page ends where interrupts begin");
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
	eq(after(vtd_cache__inv_piotlb,
		 (struct vtd_inv){ .gran = VTD_GRAN_PAGE, .did = 5, .pasid = 1,
				   .addr = 0xffff800000000000, .am = 4 }),
	   BUT(G), "P_IOTLB pages in the upper half");
	eq(after(vtd_cache__inv_piotlb,
		 (struct vtd_inv){ .gran = VTD_GRAN_PAGE, .did = 5, .pasid = 1, .addr = 0x3ff000 }),
	   BUT(B), "P_IOTLB page within a large page");
	eq(after(vtd_cache__inv_piotlb,
		 (struct vtd_inv){ .gran = VTD_GRAN_PAGE, .did = 5, .pasid = 1, .addr = ~0ULL,
				   .am = 52 }),
	   BUT(A, B, G), "P_IOTLB page: everything");
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
	ok(!ctx_left((struct vtd_inv){ .gran = VTD_GRAN_DEVICE, .sid = 0x13, .did = 5 }, false, true),
	   "context device");
	ok(ctx_left((struct vtd_inv){ .gran = VTD_GRAN_DEVICE, .sid = 0x10, .did = 5 }, false, true),
	   "context, another device");
	ok(ctx_left((struct vtd_inv){ .gran = VTD_GRAN_DEVICE, .sid = 0x10, .fm = 2 }, false, false),
	   "context, function mask 2 leaves bit 0");
	ok(!ctx_left((struct vtd_inv){ .gran = VTD_GRAN_DEVICE, .sid = 0x10, .fm = 3 }, false, false),
	   "context, function mask 3");
	ok(!ctx_left((struct vtd_inv){ .gran = VTD_GRAN_GLOBAL }, true, false), "PASID global");
	ok(!ctx_left((struct vtd_inv){ .gran = VTD_GRAN_DOMAIN, .did = 5 }, true, false), "PASID domain");
	ok(ctx_left((struct vtd_inv){ .gran = VTD_GRAN_DOMAIN, .did = 6 }, true, false),
	   "PASID, another domain");
	ok(!ctx_left((struct vtd_inv){ .gran = VTD_GRAN_PASID, .did = 5, .pasid = 3 }, true, false),
	   "PASID selective");
	ok(ctx_left((struct vtd_inv){ .gran = VTD_GRAN_PASID, .did = 5, .pasid = 4 }, true, false),
	   "another PASID");
	ok(ctx_left((struct vtd_inv){ .gran = VTD_GRAN_PASID, .did = 6, .pasid = 3 }, true, false),
	   "the PASID of another domain");
}

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
	ok(hits <= TLB_SETS * WAYS && hits > TLB_SETS * WAYS / 2, "%u entries are kept", hits);
	vtd_cache__inv_iotlb(vtd.cache, &(struct vtd_inv){ .gran = VTD_GRAN_GLOBAL });
	eq(vtd.cache->pages[0] + vtd.cache->fs, 0, "none is left, and the counts know");
}

/* --- Random edits with the invalidations of Table 28 --- */

static u64 seed = 0x9e3779b97f4a7c15ULL;

static u32 rnd(u32 n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (u32)((seed * 0x2545f4914f6cdd1dULL) >> 33) % n;
}

#define N_SIDS	 3
#define N_PASIDS 3 /* 0 is RID_PASID */
#define N_PAGES	 6

/* PGTT of domain i: one tree per domain, as 6.2.3.1 demands. */
static u64 fs_tree[4], ss_tree[4], out_page[8];

static u16 a_sid(void)
{
	return 0x10 + 8 * rnd(N_SIDS);
}

static u64 an_addr(void)
{
	static const u64 pages[N_PAGES] = { 0x1000, 0x2000, 0x200000, 0x3ff000, 0x40000000,
					    0x7fe00000 };

	return pages[rnd(N_PAGES)];
}

static void inv_context(struct vtd_inv inv)
{
	vtd_inv__context(&vtd, &inv);
}

static void inv_pasid(struct vtd_inv inv)
{
	vtd_inv__pasid_cache(&vtd, &inv);
}

static void inv_iotlb(struct vtd_inv inv)
{
	vtd_inv__iotlb(&vtd, &inv);
}

static void inv_piotlb(struct vtd_inv inv)
{
	vtd_inv__piotlb(&vtd, &inv);
}

/* Domains 1-2: first stage, 3-4: second, 5-6: nested, 7: pass-through. */
static void edit_pasid_entry(u16 sid, u32 pasid)
{
	const u64 gpa = pasid_gpa(&vtd, sid, pasid), old = get(gpa), old_did = get(gpa + 8) & 0xffff;
	const u32 did = 1 + rnd(7), i = did & 1;
	u64 v0;

	if (rnd(8) == 0)
		v0 = old & ~1ULL;
	else if (did <= 2)
		v0 = PE(1);
	else if (did <= 4)
		v0 = PE(2) | PE_AW48 | ss_tree[i];
	else if (did <= 6)
		v0 = PE(3) | PE_AW48 | ss_tree[2 + i];
	else
		v0 = PE(4);
	if (v0 & 1) {
		put(gpa + 8, did | PE_PWSNP);
		put(gpa + 16, (did <= 2 ? fs_tree[i] : fs_tree[2 + i]));
	}
	put(gpa, v0);
	if (!(old & 1))
		return; /* CM=0: nothing to invalidate */
	inv_pasid((struct vtd_inv){ .gran = VTD_GRAN_PASID, .did = old_did, .pasid = pasid });
	if (!(v0 & 1) && (FIELD(old, 8, 6) == 2 || FIELD(old, 8, 6) == 3))
		inv_iotlb((struct vtd_inv){ .gran = VTD_GRAN_DOMAIN, .did = old_did });
	else
		inv_piotlb((struct vtd_inv){ .gran = VTD_GRAN_PASID, .did = old_did, .pasid = pasid });
}

static void edit_fs(void)
{
	const u32 i = rnd(4), level = 1 + rnd(2);
	const u64 addr = an_addr(), dids[2] = { i < 2 ? 1 + !(i & 1) : 5 + !(i & 1), 0 };
	const u64 out = rnd(12) ? out_page[rnd(8)] : 0;
	u64 pde = fs_tree[i];

	/* Through the tables, made once; a large page in place of a table and back. */
	for (int shift = 39; shift > 21; shift -= 9)
		pde = get(pde + ((addr >> shift) & 511) * 8) & GENMASK(51, 12);
	pde += ((addr >> 21) & 511) * 8;
	if (level == 2) {
		static u64 tables[1 << 16];
		const u32 key = (pde >> 3) & 0xffff;

		if (!(get(pde) & FS_PS))
			tables[key] = get(pde);
		put(pde, get(pde) & FS_PS ? tables[key] :
			 ALIGN_DOWN(out, 2 * MiB) | (out ? 7 - 2 * rnd(2) : 0) | FS_PS);
	} else if (!(get(pde) & FS_PS)) {
		put((get(pde) & GENMASK(51, 12)) + ((addr >> 12) & 511) * 8,
		    out | (out ? 7 - 2 * rnd(2) : 0));
	}
	for (u32 pasid = 0; pasid < N_PASIDS; pasid++)
		inv_piotlb((struct vtd_inv){ .gran = VTD_GRAN_PAGE, .did = dids[0], .pasid = pasid,
					     .addr = addr, .am = level == 2 ? 9 : 0 });
}

static void edit_ss(void)
{
	const u32 i = rnd(4);
	/* Of nested domains, also where first-stage tables and outputs are. */
	const u64 addr = i < 2 ? an_addr() : out_page[rnd(8)];
	const u64 out = i < 2 ? out_page[rnd(8)] : rnd(3) ? addr : out_page[rnd(8)];
	const u16 did = i < 2 ? 3 + !(i & 1) : 5 + !(i & 1);

	table_map(ss_tree[i], 4, addr, 1, out | (rnd(6) ? 3 - 2 * rnd(2) : 0), 3);
	inv_iotlb((struct vtd_inv){ .gran = VTD_GRAN_PAGE, .did = did, .addr = addr });
}

static void edit_context(void)
{
	const u16 sid = a_sid();
	const u64 gpa = sm_context_set(&vtd, sid);

	if (rnd(2)) { /* PASIDE */
		put(gpa, rnd(4) ? get(gpa) | BIT(3) : get(gpa) & ~BIT(3));
	} else if (rnd(2)) { /* the directory entry */
		const u64 dir = dir_gpa(&vtd, sid, 0), old = get(dir);

		put(dir, rnd(4) ? old | 1 : old & ~1ULL);
		if (old & 1) {
			for (u32 pasid = 0; pasid < N_PASIDS; pasid++)
				for (u16 did = 1; did <= 7; did++) {
					inv_pasid((struct vtd_inv){ .gran = VTD_GRAN_PASID,
								    .did = did, .pasid = pasid });
					inv_iotlb((struct vtd_inv){ .gran = VTD_GRAN_DOMAIN,
								    .did = did });
				}
		}
		return;
	} else {
		put(gpa, get(gpa) ^ 2); /* FPD */
	}
	inv_context((struct vtd_inv){ .gran = VTD_GRAN_DEVICE, .sid = sid });
	for (u16 did = 1; did <= 7; did++) {
		inv_pasid((struct vtd_inv){ .gran = VTD_GRAN_DOMAIN, .did = did });
		inv_iotlb((struct vtd_inv){ .gran = VTD_GRAN_DOMAIN, .did = did });
	}
}

static void build_trees(void)
{
	for (int i = 0; i < 8; i++) {
		static const u64 outs[8] = { 0x2000000, 0x2001000, 0x2200000, 0x23ff000, 0x2400000,
					     0x2600000, 0x2601000, 0x2800000 };

		out_page[i] = outs[i];
	}
	for (int i = 0; i < 4; i++) {
		static const u64 pages[N_PAGES] = { 0x1000, 0x2000, 0x200000, 0x3ff000, 0x40000000,
						    0x7fe00000 };

		fs_tree[i] = page_new();
		ss_tree[i] = page_new();
		for (int j = 0; j < N_PAGES; j++) {
			table_map(fs_tree[i], 4, pages[j], 1, out_page[j] | 7, 7);
			table_map(ss_tree[i], 4, pages[j], 1, out_page[7 - j] | 3, 3);
		}
	}
	/* The second stages of nested domains map all of memory to itself. */
	for (int i = 2; i < 4; i++)
		for (u64 gpa = 0; gpa < GUEST_RAM; gpa += 4096)
			table_map(ss_tree[i], 4, gpa, 1, gpa | 3, 3);
}

/* What an uncached translation says. */
static bool fresh_is(u16 sid, u32 pasid, u64 addr, u8 access, bool good, u64 gpa)
{
	struct vtd_fault fault = { 0 };
	struct vtd_ctx ctx;
	struct vtd_leaf leaf;

	if (vtd_entry__lookup(&vtd, sid, pasid, &ctx, &fault) ||
	    vtd_walk__translate(&vtd, &ctx, addr, access, &leaf, &fault))
		return !good && last_fault.reason == fault.reason && last_fault.fpd == fault.fpd;
	return good && gpa == (leaf.gpa | (addr & (BIT(leaf.shift) - 1)));
}

static void test_edits(void)
{
	unsigned int bad = 0, good = 0, runs = 100000;

	start(VTD_TTM_SCALABLE);
	build_trees();
	for (u16 sid = 0x10; sid < 0x10 + 8 * N_SIDS; sid += 8)
		for (u32 pasid = 0; pasid < N_PASIDS; pasid++)
			pasid_set(&vtd, sid, pasid, 0, 0, 0);
	for (unsigned int i = 0; i < runs; i++) {
		const u16 sid = a_sid();
		const u32 pasid = rnd(2) ? DMA_NO_PASID : 1 + rnd(N_PASIDS - 1);
		const u64 addr = an_addr() + rnd(4096);
		const u8 access = 1 + rnd(2);
		const u32 what = rnd(120);
		bool can;

		if (what == 0)
			edit_context();
		else if (what < 5 && (get(dir_gpa(&vtd, sid, 0)) & 1))
			edit_pasid_entry(sid, rnd(N_PASIDS));
		else if (what < 9)
			edit_fs();
		else if (what < 13)
			edit_ss();
		can = dma(sid, pasid, addr, access);
		good += can;
		if (!fresh_is(sid, pasid, addr, access, can, out_gpa) && !bad++)
			printf("# run %u: sid=%x pasid=%x addr=%llx access=%u: %d %llx reason %02xh\n",
			       i, sid, pasid, addr, access, can, out_gpa, last_fault.reason);
	}
	eq(bad, 0, "after each edit and its invalidations, %u cached translations are fresh ones", runs);
	ok(good > runs / 3 && vtd.stats.iotlb_hit > runs / 8, "%u translated, %llu hits", good,
	   vtd.stats.iotlb_hit);
}

static void test_legacy_edits(void)
{
	unsigned int bad = 0, good = 0, runs = 30000;

	start(VTD_TTM_LEGACY);
	build_trees();
	for (unsigned int i = 0; i < runs; i++) {
		const u16 sid = a_sid();
		const u64 addr = an_addr() + rnd(4096), ctx = context_gpa(&vtd, sid);
		const u8 access = 1 + rnd(2);
		const u32 what = rnd(40);
		bool can;

		if (what == 0) {
			const u64 old = get(ctx), old_did = FIELD(get(ctx + 8), 23, 8);
			const u32 did = 3 + rnd(3);

			put(ctx + 8, did << 8 | 2);
			put(ctx, did == 5 ? 1 | 2 << 2 : ss_tree[did & 1] | 1);
			if (rnd(6) == 0)
				put(ctx, 0);
			if (old & 1) {
				inv_context((struct vtd_inv){ .gran = VTD_GRAN_DEVICE, .sid = sid,
							      .did = old_did });
				inv_iotlb((struct vtd_inv){ .gran = VTD_GRAN_DOMAIN,
							    .did = old_did });
			}
		} else if (what < 4) {
			edit_ss();
		}
		can = dma(sid, DMA_NO_PASID, addr, access);
		good += can;
		if (!fresh_is(sid, DMA_NO_PASID, addr, access, can, out_gpa) && !bad++)
			printf("# run %u: sid=%x addr=%llx: %d %llx reason %02xh\n", i, sid, addr,
			       can, out_gpa, last_fault.reason);
	}
	eq(bad, 0, "legacy mode: the same");
	ok(good > runs / 3, "%u translated", good);
	ok(!dma(SID, 3, 0x1000, R) && last_fault.reason == 0x31, "legacy mode has no PASIDs");
}

int main(void)
{
	test_off();
	test_requests();
	test_ranges();
	test_granularity();
	test_ctx_granularity();
	test_bounded();
	test_edits();
	test_legacy_edits();
	vtd_cache__free(vtd.cache);
	mem__free(guest_mem);
	return tap_done();
}
