/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * First-stage, second-stage and nested walks (VT-d 3.6-3.9): each rule by hand, then random tables
 * against a second walker that is written another way: recursive, stage by stage, over a copy of
 * memory.
 */

#include "vtd_guest.h"

#include "iommu/walk.c"
#include "iommu/walk_fs.c"
#include "iommu/walk_ss.c"

#define R  DMA_READ
#define W  DMA_WRITE
#define RW (DMA_READ | DMA_WRITE)
#define P  DMA_PRIV

static struct vtd vtd;
static struct vtd_leaf leaf;
static struct vtd_fault fault;

static u8 walk(const struct vtd_ctx *ctx, u64 addr, u8 access)
{
	int err;

	fault = (struct vtd_fault){ 0 };
	leaf = (struct vtd_leaf){ 0 };
	err = vtd_walk__translate(&vtd, ctx, addr, access, &leaf, &fault);
	if (err != (fault.reason ? -EFAULT : 0))
		return 0xff;
	return fault.reason;
}

#define walks(ctx, addr, access, want, ...)                                          \
	do {                                                                         \
		u8 walks_got = walk(ctx, addr, access);                              \
		ok(walks_got == (want), __VA_ARGS__);                                \
		if (walks_got != (want))                                             \
			printf("# reason %02xh, want %02xh\n", walks_got, (u8)(want)); \
	} while (0)

static bool leaf_is(u64 gpa, u8 shift, u8 perm)
{
	return leaf.gpa == gpa && leaf.shift == shift && leaf.perm == perm;
}

static void fresh(void)
{
	unit_init(&vtd, &config_all, VTD_TTM_SCALABLE);
	vtd.ecap |= ECAP_SSADS;
}

static struct vtd_ctx fs_ctx(unsigned int levels)
{
	return (struct vtd_ctx){ .pgtt = VTD_PGTT_FS, .fsptr = page_new(), .fs_levels = levels,
				 .pwsnp = true };
}

static struct vtd_ctx ss_ctx(unsigned int levels, bool legacy)
{
	return (struct vtd_ctx){ .pgtt = VTD_PGTT_SS, .ssptr = page_new(), .ss_levels = levels,
				 .pwsnp = true, .legacy = legacy };
}

static void test_fs(void)
{
	struct vtd_ctx ctx;
	u64 pte, va = 0x7f1234567000, top;

	fresh();
	ctx = fs_ctx(4);
	pte = table_map(ctx.fsptr, 4, va, 1, 0x123000 | 7, 7);
	walks(&ctx, va + 0x10, R, 0, "read through 4 levels");
	ok(leaf_is(0x123000, 12, R), "a clean page is only readable until a write sets D");
	eq(get(pte), 0x123000 | 7 | FS_A, "a read sets A");
	eq(get(ctx.fsptr + ((va >> 39) & 511) * 8) & FS_A, FS_A, "in upper entries too");
	walks(&ctx, va, W, 0, "write");
	ok(leaf_is(0x123000, 12, RW), "then it is writable");
	eq(get(pte), 0x123000 | 7 | FS_A | FS_D, "a write sets D");
	ctx.eafe = true;
	walks(&ctx, va, R, 0, "read with EAFE");
	eq(get(pte), 0x123000 | 7 | FS_A | FS_D | FS_EA, "sets EA");
	eq(get(ctx.fsptr + ((va >> 39) & 511) * 8) & FS_EA, FS_EA, "in upper entries too");

	put(pte, 0x123000 | 6);
	walks(&ctx, va, R, 0x71, "P=0");
	put(pte, 0x123000 | 7 | BIT(46));
	walks(&ctx, va, R, 0x72, "address above HAW");
	put(pte, 0x123000 | 7 | BIT(51));
	walks(&ctx, va, R, 0x72, "bit 51");
	put(pte, 0x123000 | 7 | BIT(63) | BIT(52) | BIT(8) | BIT(7) | BIT(11));
	walks(&ctx, va, R, 0, "63:52, G, PAT and bit 11 are ignored");
	ok(leaf_is(0x123000, 12, R), "and not part of the address");
	put(pte, 0x123000 | 5);
	walks(&ctx, va, R, 0, "read of a read-only page");
	walks(&ctx, va, W, 0x85, "write to it");
	eq(get(pte) & FS_D, 0, "a refused write does not set D");
	put(pte, 0x123000 | 3);
	walks(&ctx, va, R, 0x81, "user read of a supervisor page");

	/* Privileged requests (3.6.1) */
	walks(&ctx, va, R | P, 0x5d, "privileged without SRE");
	ctx.sre = true;
	walks(&ctx, va, R | P, 0, "privileged read of a supervisor page");
	put(pte, 0x123000 | 1);
	walks(&ctx, va, W | P, 0, "privileged write to a read-only page with WPE=0");
	ok(leaf_is(0x123000, 12, RW), "may be cached so");
	ctx.wpe = true;
	walks(&ctx, va, W | P, 0x85, "with WPE=1");
	walks(&ctx, va, R | P, 0, "privileged read with WPE=1");
	ok(leaf_is(0x123000, 12, R), "is not writable though D is set");
	walks(&ctx, va, R | DMA_EXEC, 0x5c, "execute requests are not offered");

	/* Rights of upper entries */
	ctx = fs_ctx(4);
	pte = table_map(ctx.fsptr, 4, va, 1, 0x123000 | 7, 7);
	top = ctx.fsptr + ((va >> 39) & 511) * 8;
	put(top, get(top) & ~2ULL);
	walks(&ctx, va, W, 0x85, "R/W of an upper entry counts");
	put(top, (get(top) | 2) & ~4ULL);
	walks(&ctx, va, R, 0x81, "U/S of an upper entry counts");
	put(top, get(top) | 4 | FS_PS);
	walks(&ctx, va, R, 0x72, "PS in a PML4 entry");
	put(top, (GUEST_RAM + 4096) | 7);
	walks(&ctx, va, R, 0x70, "table outside RAM");
	ctx.fsptr = GUEST_RAM;
	walks(&ctx, va, R, 0x73, "top table outside RAM");

	/* Canonical (3.6) */
	ctx = fs_ctx(4);
	walks(&ctx, BIT(47), R, 0x80, "bit 47 alone");
	walks(&ctx, ~0ULL << 48, R, 0x80, "bits 63:48 alone");
	table_map(ctx.fsptr, 4, ~0xfffULL, 1, 0x5000 | 7, 7);
	walks(&ctx, ~0xfffULL, R, 0, "the last page of the upper half");
	ctx = fs_ctx(5);
	walks(&ctx, BIT(56), R, 0x80, "5 levels: bit 56 alone");
	table_map(ctx.fsptr, 5, BIT(55) | BIT(47), 1, 0x5000 | 7, 7);
	walks(&ctx, BIT(55) | BIT(47), R, 0, "5 levels: bit 47 is an ordinary one");
	ok(leaf_is(0x5000, 12, R), "5 levels");
	put(ctx.fsptr + ((BIT(55) >> 48) & 511) * 8, 7 | FS_PS);
	walks(&ctx, BIT(55), R, 0x72, "PS in a PML5 entry");
}

static void test_fs_large(void)
{
	struct vtd_ctx ctx;
	u64 pte;

	fresh();
	ctx = fs_ctx(4);
	pte = table_map(ctx.fsptr, 4, 0x40000000, 2, 0x600000 | 7 | FS_PS | FS_D, 7);
	walks(&ctx, 0x40123456, R, 0, "2 MiB page");
	ok(leaf_is(0x600000, 21, RW), "2 MiB page, already dirty");
	put(pte, 0x600000 | 7 | FS_PS | BIT(12));
	walks(&ctx, 0x40000000, R, 0, "bit 12 is PAT");
	ok(leaf_is(0x600000, 21, R), "and not part of the address");
	put(pte, 0x600000 | 7 | FS_PS | BIT(13));
	walks(&ctx, 0x40000000, R, 0x72, "2 MiB page, bit 13");
	put(pte, 0x600000 | 7 | FS_PS | BIT(20));
	walks(&ctx, 0x40000000, R, 0x72, "2 MiB page, bit 20");
	pte = table_map(ctx.fsptr, 4, 0x80000000, 3, 0x100000000 | 7 | FS_PS, 7);
	walks(&ctx, 0xbfffffff, W, 0, "1 GiB page");
	ok(leaf_is(0x100000000, 30, RW), "1 GiB page, written");
	put(pte, 0x100000000 | 7 | FS_PS | BIT(29));
	walks(&ctx, 0x80000000, W, 0x72, "1 GiB page, bit 29");
	put(pte, 0x100000000 | 7 | FS_PS);
	vtd.cap &= ~CAP_FS1GP;
	walks(&ctx, 0x80000000, W, 0x72, "1 GiB page without FS1GP");

	table_map(ctx.fsptr, 4, 0x1000, 1, 0xfee00000 | 7, 7);
	walks(&ctx, 0x1000, W, 0x87, "output in the interrupt range");
	table_map(ctx.fsptr, 4, 0x200000, 2, 0xfee00000 | 7 | FS_PS, 7);
	walks(&ctx, 0x2ff000, W, 0x87, "within a large page");
	walks(&ctx, 0x300000, W, 0, "behind it in the same page");

	/* Updates that need a snooped walk (3.10) */
	ctx = fs_ctx(4);
	ctx.pwsnp = false;
	pte = table_map(ctx.fsptr, 4, 0x1000, 1, 0x9000 | 7, 7);
	walks(&ctx, 0x1000, R, 0x90, "A to be set without PWSNP");
	for (u64 t = ctx.fsptr; t != ALIGN_DOWN(pte, 4096); t = get(t) & GENMASK(51, 12))
		put(t, get(t) | FS_A);
	put(pte, 0x9000 | 7 | FS_A);
	walks(&ctx, 0x1000, R, 0, "A set before");
	ok(leaf_is(0x9000, 12, R), "readable only");
	walks(&ctx, 0x1000, W, 0x90, "D to be set without PWSNP");
}

static void test_ss(bool legacy)
{
	const char *mode = legacy ? "legacy" : "scalable";
	struct vtd_ctx ctx;
	u64 pte;

	fresh();
	vtd.ecap &= ~ECAP_SC;
	for (unsigned int levels = 3; levels <= 4; levels++) {
		const u64 max = BIT(12 + 9 * levels);

		ctx = ss_ctx(levels, legacy);
		table_map(ctx.ssptr, levels, max - 0x1000, 1, 0x7000 | 3, 3);
		walks(&ctx, max - 1, RW, 0, "%s: last page of %u levels", mode, levels);
		ok(leaf_is(0x7000, 12, RW), "%s: %u levels", mode, levels);
		walks(&ctx, max, R, legacy ? 0x4 : 0x84, "%s: beyond %u levels", mode, levels);
		walks(&ctx, ~0ULL, R, legacy ? 0x4 : 0x84, "%s: far beyond %u levels", mode, levels);
	}
	ctx = ss_ctx(5, legacy);
	table_map(ctx.ssptr, 5, BIT(56), 1, 0x7000 | 3, 3);
	vtd.cap = (vtd.cap & ~GENMASK(21, 16)) | 56ULL << 16;
	walks(&ctx, BIT(56), RW, 0, "%s: 5 levels", mode);
	vtd.cap = (vtd.cap & ~GENMASK(21, 16)) | 47ULL << 16;
	walks(&ctx, BIT(48), R, legacy ? 0x4 : 0x84, "%s: MGAW limits 5 levels", mode);

	ctx = ss_ctx(4, legacy);
	pte = table_map(ctx.ssptr, 4, 0x5000, 1, 0x7000 | 1, 3);
	walks(&ctx, 0x5000, R, 0, "%s: read-only page", mode);
	ok(leaf_is(0x7000, 12, R), "%s: is read-only", mode);
	walks(&ctx, 0x5000, W, legacy ? 0x5 : 0x85, "%s: write to it", mode);
	walks(&ctx, 0x5000, RW, legacy ? 0x5 : 0x85, "%s: atomic on it", mode);
	put(pte, 0x7000 | 2);
	walks(&ctx, 0x5000, R, legacy ? 0x6 : 0x86, "%s: read of a write-only page", mode);
	walks(&ctx, 0x5000, W, 0, "%s: write to it", mode);
	ok(leaf_is(0x7000, 12, W), "%s: is write-only", mode);
	put(pte, 0x7000);
	walks(&ctx, 0x5000, R, legacy ? 0x6 : 0x79, "%s: R=W=0, read", mode);
	walks(&ctx, 0x5000, W, legacy ? 0x5 : 0x79, "%s: R=W=0, write", mode);
	put(pte, 0x7000 | 3 | BIT(46));
	walks(&ctx, 0x5000, R, legacy ? 0xc : 0x7a, "%s: address above HAW", mode);
	put(pte, 0x7000 | 3 | BIT(62));
	walks(&ctx, 0x5000, R, legacy ? 0xc : 0x7a, "%s: bit 62", mode);
	put(pte, 0x7000 | 3 | BIT(11));
	walks(&ctx, 0x5000, R, legacy ? 0xc : 0x7a, "%s: SNP without SC", mode);
	vtd.ecap |= ECAP_SC;
	walks(&ctx, 0x5000, R, 0, "%s: SNP with SC", mode);
	put(pte, 0x7000 | 3 | BIT(63) | BIT(61) | BIT(52) | BIT(7) | BIT(2));
	walks(&ctx, 0x5000, R, 0, "%s: ignored bits", mode);
	put(pte, 0x7000 | 3);
	put(ctx.ssptr, get(ctx.ssptr) & ~2ULL);
	walks(&ctx, 0x5000, W, legacy ? 0x5 : 0x85, "%s: W of an upper entry counts", mode);
	put(pte, 0x7000 | 2);
	walks(&ctx, 0x5000, W, legacy ? 0x5 : 0x79, "%s: no common right", mode);
	put(ctx.ssptr, get(ctx.ssptr) | 3 | BIT(11));
	walks(&ctx, 0x5000, W, legacy ? 0xc : 0x7a, "%s: bit 11 above the leaf", mode);
	put(ctx.ssptr, (get(ctx.ssptr) & ~BIT(11)) | SS_PS);
	walks(&ctx, 0x5000, W, legacy ? 0xc : 0x7a, "%s: PS in a PML4 entry", mode);
	put(ctx.ssptr, GUEST_RAM | 3);
	walks(&ctx, 0x5000, W, legacy ? 0x7 : 0x78, "%s: table outside RAM", mode);
	ctx.ssptr = GUEST_RAM;
	walks(&ctx, 0x5000, W, legacy ? 0x3 : 0x7b, "%s: top table outside RAM", mode);

	ctx = ss_ctx(4, legacy);
	pte = table_map(ctx.ssptr, 4, 0x200000, 2, 0x400000 | 3 | SS_PS, 3);
	walks(&ctx, 0x3fffff, W, 0, "%s: 2 MiB page", mode);
	ok(leaf_is(0x400000, 21, RW), "%s: 2 MiB page", mode);
	put(pte, 0x400000 | 3 | SS_PS | BIT(12));
	walks(&ctx, 0x3fffff, W, legacy ? 0xc : 0x7a, "%s: 2 MiB page, bit 12", mode);
	put(pte, 0x400000 | 3 | SS_PS);
	vtd.cap &= ~BIT(34);
	walks(&ctx, 0x3fffff, W, legacy ? 0xc : 0x7a, "%s: 2 MiB page without SSLPS", mode);
	pte = table_map(ctx.ssptr, 4, 0x40000000, 3, 0x80000000 | 3 | SS_PS, 3);
	walks(&ctx, 0x40000000, W, 0, "%s: 1 GiB page", mode);
	ok(leaf_is(0x80000000, 30, RW), "%s: 1 GiB page", mode);
	vtd.cap &= ~BIT(35);
	walks(&ctx, 0x40000000, W, legacy ? 0xc : 0x7a, "%s: 1 GiB page without SSLPS", mode);
	table_map(ctx.ssptr, 4, 0x1000, 1, 0xfeeff000 | 3, 3);
	walks(&ctx, 0x1000, W, legacy ? 0xe : 0x87, "%s: output in the interrupt range", mode);
}

static void test_ss_dirty(void)
{
	struct vtd_ctx ctx;
	u64 pte;

	fresh();
	ctx = ss_ctx(4, false);
	pte = table_map(ctx.ssptr, 4, 0x1000, 1, 0x7000 | 3, 3);
	walks(&ctx, 0x1000, W, 0, "write without SSADE");
	eq(get(pte), 0x7000 | 3, "touches no flags");
	ctx.ssade = true;
	walks(&ctx, 0x1000, R, 0, "read with SSADE");
	eq(get(pte), 0x7000 | 3 | SS_A, "sets A");
	ok(leaf_is(0x7000, 12, R), "and is readable only until D is set");
	eq(get(ctx.ssptr) & (SS_A | SS_D), SS_A, "upper entries have A only");
	walks(&ctx, 0x1000, W, 0, "write with SSADE");
	eq(get(pte), 0x7000 | 3 | SS_A | SS_D, "sets D");
	ok(leaf_is(0x7000, 12, RW), "then it is writable");
	put(pte, 0x7000 | 3 | SS_A);
	ctx.pwsnp = false;
	walks(&ctx, 0x1000, W, 0x7c, "D to be set without PWSNP");
}

static void test_pass_through(void)
{
	struct vtd_ctx ctx = { .pgtt = VTD_PGTT_PT };

	fresh();
	walks(&ctx, BIT(46) - 1, RW, 0, "pass-through up to HAW");
	ok(leaf_is(0, 63, RW), "is identity");
	walks(&ctx, BIT(46), RW, 0x83, "beyond HAW");
	walks(&ctx, 0xfee00000, W, 0x87, "into the interrupt range");
	walks(&ctx, 0xfef00000, W, 0, "behind it");
	walks(&ctx, 0, R | P, 0x5d, "privileged without SRE");
	ctx.legacy = true;
	walks(&ctx, BIT(46), RW, 0x4, "legacy: beyond HAW");
	walks(&ctx, 0xfeefffff, R, 0xe, "legacy: into the interrupt range");
	ctx.fpd = true;
	walks(&ctx, BIT(60), RW, 0x4, "FPD of the entry");
	ok(fault.fpd, "goes with the fault");
}

/* A nested context whose second stage maps [0, 64 MiB) to itself with 4 KiB pages. */
static struct vtd_ctx nested_ctx(u64 flags)
{
	struct vtd_ctx ctx = ss_ctx(4, false);

	for (u64 gpa = 0; gpa < 2 * MiB; gpa += 4 * KiB)
		table_map(ctx.ssptr, 4, gpa, 1, gpa | 3 | flags, 3);
	ctx.pgtt = VTD_PGTT_NESTED;
	ctx.fsptr = page_new();
	ctx.fs_levels = 4;
	return ctx;
}

static u64 ss_pte(const struct vtd_ctx *ctx, u64 gpa)
{
	u64 t = ctx->ssptr;

	for (int shift = 39; shift > 12; shift -= 9)
		t = get(t + ((gpa >> shift) & 511) * 8) & GENMASK(51, 12);
	return t + ((gpa >> 12) & 511) * 8;
}

static void test_nested(void)
{
	struct vtd_ctx ctx;
	u64 pte, table, ss;

	fresh();
	ctx = nested_ctx(0);
	pte = table_map(ctx.fsptr, 4, 0x12345000, 1, 0x55000 | 7, 7);
	table = ALIGN_DOWN(pte, 4096);
	put(ss_pte(&ctx, 0x55000), 0x1055000 | 3);
	walks(&ctx, 0x12345678, R, 0, "nested read");
	ok(leaf_is(0x1055000, 12, R), "goes through both stages");
	walks(&ctx, 0x12345678, W, 0, "nested write");
	ok(leaf_is(0x1055000, 12, RW), "goes through both stages");
	eq(get(pte), 0x55000 | 7 | FS_A | FS_D, "first-stage flags are set");

	put(ss_pte(&ctx, 0x55000), 0x1055000 | 1);
	walks(&ctx, 0x12345678, W, 0x85, "second stage read-only, write");
	walks(&ctx, 0x12345678, R, 0, "second stage read-only, read");
	ok(leaf_is(0x1055000, 12, R), "the lesser right holds");
	put(ss_pte(&ctx, 0x55000), 0x1055000 | 2);
	walks(&ctx, 0x12345678, R, 0x86, "second stage write-only, read");
	put(ss_pte(&ctx, 0x55000), 0);
	walks(&ctx, 0x12345678, R, 0x79, "second stage absent");
	put(ss_pte(&ctx, 0x55000), 0x55000 | 3 | BIT(62));
	walks(&ctx, 0x12345678, R, 0x7a, "second stage reserved");
	put(ss_pte(&ctx, 0x55000), 0x55000 | 3);

	/* Reading and updating the first-stage tables through the second stage (3.8.1) */
	put(ss_pte(&ctx, table), table | 2);
	walks(&ctx, 0x12345678, R, 0x76, "second stage denies reading a table");
	put(ss_pte(&ctx, table), 0);
	walks(&ctx, 0x12345678, R, 0x79, "second stage does not map a table");
	put(ss_pte(&ctx, table), table | 1);
	walks(&ctx, 0x12345678, R, 0, "read-only table with the flags set");
	put(pte, 0x55000 | 7);
	walks(&ctx, 0x12345678, R, 0x77, "A cannot be written through a read-only mapping");
	put(pte, 0x55000 | 7 | FS_A);
	walks(&ctx, 0x12345678, W, 0x77, "nor D");
	eq(get(pte), 0x55000 | 7 | FS_A, "nothing was written");
	put(ss_pte(&ctx, table), table | 3);
	put(ss_pte(&ctx, ctx.fsptr), ctx.fsptr | 2);
	walks(&ctx, 0x12345678, R, 0x75, "second stage denies reading the top table");
	put(ss_pte(&ctx, ctx.fsptr), ctx.fsptr | 3);
	put(ss_pte(&ctx, table), GUEST_RAM | 3);
	walks(&ctx, 0x12345678, R, 0x70, "table mapped outside RAM");
	put(ss_pte(&ctx, table), table | 3);
	put(ss_pte(&ctx, ctx.fsptr), GUEST_RAM | 3);
	walks(&ctx, 0x12345678, R, 0x73, "top table mapped outside RAM");
	put(ss_pte(&ctx, ctx.fsptr), ctx.fsptr | 3);
	ctx.ss_levels = 3; /* of 39 bits */
	ctx.ssptr = get(ctx.ssptr) & GENMASK(51, 12);
	put(pte, BIT(39) | 7);
	walks(&ctx, 0x12345678, R, 0x74, "first-stage output beyond the second stage");

	/* Page sizes: the smaller one holds */
	fresh();
	ctx = nested_ctx(0);
	pte = table_map(ctx.fsptr, 4, 0x40000000, 2, 0x0 | 7 | FS_PS | FS_D, 7);
	put(ss_pte(&ctx, 0x34000), 0x1034000 | 3);
	walks(&ctx, 0x40034567, W, 0, "2 MiB over 4 KiB");
	ok(leaf_is(0x1034000, 12, RW), "is 4 KiB");
	table_map(ctx.ssptr, 4, 0x40000000, 3, 0x80000000 | 3 | SS_PS, 3);
	put(pte, 0x40600000 | 7 | FS_PS);
	walks(&ctx, 0x40034567, W, 0, "2 MiB over 1 GiB");
	ok(leaf_is(0x80600000, 21, RW), "is 2 MiB, at the right place");
	table_map(ctx.fsptr, 4, 0x5000, 1, 0x40607000 | 7, 7);
	walks(&ctx, 0x5000, W, 0, "4 KiB over 1 GiB");
	ok(leaf_is(0x80607000, 12, RW), "is 4 KiB, at the right place");

	/* SSADE: a table access is a write to the table's page */
	fresh();
	ctx = nested_ctx(0);
	ctx.ssade = true;
	pte = table_map(ctx.fsptr, 4, 0x12345000, 1, 0x55000 | 7, 7);
	ss = ss_pte(&ctx, ALIGN_DOWN(pte, 4096));
	walks(&ctx, 0x12345678, R, 0, "nested read with SSADE");
	eq(get(ss) & (SS_A | SS_D), SS_A | SS_D, "the table's page is dirty");
	eq(get(ss_pte(&ctx, 0x55000)) & (SS_A | SS_D), SS_A, "the final page is not");
	put(ss, get(ss) & ~2ULL);
	walks(&ctx, 0x12345678, R, 0x77, "and must be writable");
}

/* --- Random tables --- */

#define POOL  12
#define PSIZE (POOL * 4096)

static u64 pool; /* guest-physical address */
static u8 shadow[PSIZE];
static u64 seed = 88172645463325252ULL;

static u64 rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1dULL;
}

static bool one_in(u32 n)
{
	return (rnd() >> 33) % n == 0;
}

/* Entries that lead on, most of the time; all bits of both stages' formats occur. */
static u64 random_entry(u32 rare)
{
	u64 e = (pool + (rnd() >> 33) % POOL * 4096) | 7;

	e |= rnd() & (FS_A | FS_D | FS_EA | SS_A | SS_D);
	if (one_in(8)) {
		e |= BIT(7); /* PS: aligned for a large page or not */
		if (!one_in(3))
			e &= ~(one_in(2) ? GENMASK(29, 12) : GENMASK(20, 12));
	}
	if (one_in(rare))
		e &= ~BIT(0);
	if (one_in(rare))
		e &= ~BIT(1);
	if (one_in(rare))
		e &= ~BIT(2);
	if (one_in(rare))
		e |= BIT((rnd() >> 33) % 64);
	if (one_in(rare))
		e = rnd();
	return e;
}

static u64 *model_ptr(u64 gpa)
{
	static u64 outside;

	if (gpa >= pool && gpa < pool + PSIZE)
		return (u64 *)(shadow + (gpa - pool));
	if (!mem__ptr(guest_mem, gpa, 8))
		return NULL;
	outside = get(gpa); /* never dirtied: all zero */
	return &outside;
}

struct model {
	const struct vtd_ctx *ctx;
	u8 reason;
	u64 page; /* of the output */
	u8 shift, perm;
};

static u64 mask(int hi, int lo)
{
	u64 m = 0;

	for (int i = lo; i <= hi; i++)
		m |= 1ULL << i;
	return m;
}

/* The second stage, from @level down; @r and @w are the rights so far. */
static void model_ss(struct model *m, u64 table, int level, u64 in, bool need_r, bool need_w,
		     bool r, bool w)
{
	u64 *e = model_ptr(table + 8 * (in >> (12 + 9 * (level - 1)) & 0x1ff));
	bool final;

	if (!e) {
		m->reason = level == m->ctx->ss_levels ? 0x7b : 0x78;
		return;
	}
	if ((*e & 3) == 0) {
		m->reason = 0x79;
		return;
	}
	final = level == 1 || (level < 4 && (*e & 0x80));
	if ((*e & mask(51, 46)) || (*e >> 62 & 1) || (level >= 4 && (*e & 0x80)) ||
	    (!final && (*e & 0x800)) || (final && level == 2 && (*e & mask(20, 12))) ||
	    (final && level == 3 && (*e & mask(29, 12)))) {
		m->reason = 0x7a;
		return;
	}
	r = r && (*e & 1);
	w = w && (*e & 2);
	if (!final) {
		if (m->ctx->ssade)
			*e |= 0x100;
		model_ss(m, *e & mask(45, 12), level - 1, in, need_r, need_w, r, w);
		return;
	}
	if (!r && !w)
		m->reason = 0x79;
	else if (need_w && !w)
		m->reason = 0x85;
	else if (need_r && !r)
		m->reason = 0x86;
	if (m->reason)
		return;
	if (m->ctx->ssade)
		*e |= need_w ? 0x300 : 0x100;
	m->shift = 12 + 9 * (level - 1);
	m->page = *e & mask(45, m->shift);
	m->perm = (r ? R : 0) | (w && (!m->ctx->ssade || (*e & 0x200)) ? W : 0);
}

static void model_second(struct model *m, u64 in, bool need_r, bool need_w)
{
	const int bits = m->ctx->ss_levels == 3 ? 39 : 48;

	if (in >> bits)
		m->reason = 0x84;
	else
		model_ss(m, m->ctx->ssptr, m->ctx->ss_levels, in, need_r, need_w, true, true);
}

/* A first-stage entry's address as the model's memory has it. */
static u64 *model_fs_entry(struct model *m, u64 at, bool top, bool write)
{
	u64 *e;

	if (m->ctx->pgtt == VTD_PGTT_NESTED) {
		model_second(m, at, true, write || m->ctx->ssade);
		if (m->reason == 0x85)
			m->reason = 0x77;
		if (m->reason == 0x86)
			m->reason = top ? 0x75 : 0x76;
		if (m->reason)
			return NULL;
		at = m->page + at % (1ULL << m->shift);
	}
	e = model_ptr(at);
	if (!e)
		m->reason = top ? 0x73 : 0x70;
	return e;
}

static void model_fs(struct model *m, u64 table, int level, u64 va, u8 access, bool us, bool rw)
{
	const bool top = level == m->ctx->fs_levels, nested = m->ctx->pgtt == VTD_PGTT_NESTED;
	const u64 at = table + 8 * (va >> (12 + 9 * (level - 1)) & 0x1ff);
	u64 *e = model_fs_entry(m, at, top, false), val, set = m->ctx->eafe ? 0x420 : 0x20, page;
	u8 shift = 12 + 9 * (level - 1), ss_perm = RW;
	bool final, writable;

	if (m->reason)
		return;
	val = *e;
	final = level == 1 || (level < 4 && (val & 0x80));
	if (!(val & 1)) {
		m->reason = 0x71;
		return;
	}
	if ((val & mask(51, 46)) || (level >= 4 && (val & 0x80)) ||
	    (final && level == 2 && (val & mask(20, 13))) ||
	    (final && level == 3 && (val & mask(29, 13)))) {
		m->reason = 0x72;
		return;
	}
	if (nested && (val & mask(51, 12)) >= 1ULL << (m->ctx->ss_levels == 3 ? 39 : 48)) {
		m->reason = 0x74;
		return;
	}
	us = us && (val & 4);
	rw = rw && (val & 2);
	if (!(access & P) && !us) {
		m->reason = 0x81;
		return;
	}
	writable = rw || ((access & P) && !m->ctx->wpe);
	page = val & mask(45, shift);
	if (final) {
		if ((access & W) && !writable) {
			m->reason = 0x85;
			return;
		}
		if (nested) {
			u64 out = page + va % (1ULL << shift);

			model_second(m, out, access & R, access & W);
			if (m->reason)
				return;
			ss_perm = m->perm;
			/* The output as an exact address, then the smaller page around it. */
			out = m->page + out % (1ULL << m->shift);
			shift = m->shift < shift ? m->shift : shift;
			page = out - out % (1ULL << shift);
		}
		if (access & W)
			set |= 0x40;
	}
	if ((val & set) != set) {
		e = model_fs_entry(m, at, top, true);
		if (m->reason)
			return;
		*e |= set;
	}
	if (!final) {
		model_fs(m, val & mask(45, 12), level - 1, va, access, us, rw);
		return;
	}
	m->page = page;
	m->shift = shift;
	m->perm = ss_perm & (R | (writable && ((val | set) & 0x40) ? W : 0));
}

static void model_walk(struct model *m, u64 addr, u8 access)
{
	const struct vtd_ctx *ctx = m->ctx;

	if ((access & P) && !ctx->sre) {
		m->reason = 0x5d;
	} else if (ctx->pgtt == VTD_PGTT_SS) {
		model_second(m, addr, access & R, access & W);
	} else {
		const u64 half = 1ULL << (ctx->fs_levels == 5 ? 56 : 47);

		if (addr + half >= 2 * half)
			m->reason = 0x80;
		else
			model_fs(m, ctx->fsptr, ctx->fs_levels, addr, access, true, true);
	}
	if (!m->reason && (m->page + addr % (1ULL << m->shift)) >> 20 == 0xfee)
		m->reason = 0x87;
}

static void random_ctx(struct vtd_ctx *ctx)
{
	*ctx = (struct vtd_ctx){
		.pgtt = 1 + (rnd() >> 33) % 3,
		.pwsnp = true,
		.fsptr = pool + (rnd() >> 33) % POOL * 4096,
		.fs_levels = 4 + one_in(2),
		.sre = one_in(2),
		.wpe = one_in(2),
		.eafe = one_in(2),
		.ssptr = pool + (rnd() >> 33) % POOL * 4096,
		.ss_levels = 3 + one_in(2),
		.ssade = one_in(2),
	};
}

static u64 random_addr(void)
{
	u64 addr = rnd();

	if (one_in(2))
		addr &= mask(38, 0);
	else if (one_in(2))
		addr = (u64)((long long)(addr << 16) >> 16);
	return addr;
}

static void test_random(void)
{
	static const u8 accesses[] = { R, W, RW, R | P, W | P };
	unsigned int bad = 0, good = 0, runs = 60000, reasons[256] = { 0 };

	fresh();
	vtd.cap = (vtd.cap & ~GENMASK(21, 16)) | 47ULL << 16;
	pool = page_new();
	while (guest_next < pool + PSIZE)
		page_new();
	for (unsigned int i = 0; i < runs; i++) {
		u8 access = accesses[(rnd() >> 33) % ARRAY_SIZE(accesses)], got;
		u64 *mem = mem__ptr(guest_mem, pool, PSIZE), addr = random_addr();
		struct vtd_ctx ctx;
		struct model m = { .ctx = &ctx };
		bool same;

		if (i % 40 == 0) {
			const u32 rare = one_in(2) ? 20 : 400;

			for (unsigned int j = 0; j < PSIZE / 8; j++)
				mem[j] = random_entry(rare);
		}
		random_ctx(&ctx);
		memcpy(shadow, mem, PSIZE);
		model_walk(&m, addr, access);
		got = walk(&ctx, addr, access);
		same = got == m.reason && !memcmp(shadow, mem, PSIZE);
		if (!got)
			same = same && leaf_is(m.page, m.shift, m.perm);
		good += !got;
		reasons[got]++;
		if (!same && !bad++)
			printf("# run %u: pgtt=%u addr=%llx access=%u: %02xh %llx/%u/%u, want %02xh "
			       "%llx/%u/%u\n", i, ctx.pgtt, addr, access, got, leaf.gpa, leaf.shift,
			       leaf.perm, m.reason, m.page, m.shift, m.perm);
	}
	eq(bad, 0, "%u random walks agree with the model, in memory too", runs);
	ok(good > runs / 10, "of these, %u translate", good);
	for (unsigned int i = 0; i < 256; i++)
		if (reasons[i])
			printf("# %02xh: %u\n", i, reasons[i]);
	ok(reasons[0x71] && reasons[0x72] && reasons[0x74] && reasons[0x76] && reasons[0x77] &&
	   reasons[0x79] && reasons[0x7a] && reasons[0x80] && reasons[0x81] && reasons[0x84] &&
	   reasons[0x85] && reasons[0x86], "and the faults are of all kinds");
}

int main(void)
{
	test_fs();
	test_fs_large();
	test_ss(true);
	test_ss(false);
	test_ss_dirty();
	test_pass_through();
	test_nested();
	test_random();
	mem__free(guest_mem);
	return tap_done();
}
