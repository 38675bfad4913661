/* SPDX-License-Identifier: GPL-2.0-only */
/* First-stage, second-stage and nested walks (VT-d 3.6-3.9): each rule by hand. */

#include <pthread.h>

#include "vtd_walk.h"

#define walks(ctx, addr, access, want, ...)                                                        \
	do {                                                                                       \
		u8 walks_got = walk(ctx, addr, access);                                            \
		ok(walks_got == (want), __VA_ARGS__);                                              \
		if (walks_got != (want))                                                           \
			printf("# reason %02xh, want %02xh\n", walks_got, (u8)(want));             \
	} while (0)

static struct vtd_ctx fs_ctx(unsigned int levels)
{
	return (struct vtd_ctx){
		.pgtt = VTD_PGTT_FS, .fsptr = page_new(), .fs_levels = levels, .pwsnp = true
	};
}

static struct vtd_ctx ss_ctx(unsigned int levels, bool legacy)
{
	return (struct vtd_ctx){ .pgtt = VTD_PGTT_SS,
				 .ssptr = page_new(),
				 .ss_levels = levels,
				 .pwsnp = true,
				 .legacy = legacy };
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
		walks(&ctx, ~0ULL, R, legacy ? 0x4 : 0x84, "%s: far beyond %u levels", mode,
		      levels);
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

/* --- A vCPU that changes an entry all the time --- */

static u64 *contended_entry;
static bool contended_stop;

static void *contend(void *arg)
{
	while (!__atomic_load_n(&contended_stop, __ATOMIC_RELAXED))
		__atomic_fetch_xor(contended_entry, BIT(9), __ATOMIC_SEQ_CST); /* ignored */
	return arg;
}

static void test_contended(void)
{
	unsigned int lost = 0, other = 0, done = 0;
	struct vtd_ctx ctx;
	pthread_t thread;

	fresh();
	ctx = fs_ctx(4);
	contended_entry = mem__ptr(guest_mem, table_map(ctx.fsptr, 4, 0x1000, 1, 0x9000 | 7, 7), 8);
	pthread_create(&thread, NULL, contend, NULL);
	for (int i = 0; i < 20000; i++) {
		u8 reason;

		__atomic_fetch_and(contended_entry, ~(FS_A | FS_D), __ATOMIC_SEQ_CST);
		reason = walk(&ctx, 0x1000, W);
		done += !reason;
		other += reason && reason != 0x91;
		lost += !reason && (READ_ONCE(*contended_entry) & (FS_A | FS_D)) != (FS_A | FS_D);
	}
	__atomic_store_n(&contended_stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	ok(!lost && !other, "flags are not lost to a vCPU that writes the entry");
	ok(done > 19000, "nor does it keep us from translating (%u)", done);
	eq(*contended_entry & ~(BIT(9) | FS_A | FS_D), 0x9000 | 7, "and its own bits stay");
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
	test_contended();
	mem__free(guest_mem);
	return tap_done();
}
