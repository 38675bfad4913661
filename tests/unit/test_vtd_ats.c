/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Translation requests and translated requests (VT-d 4.2, Table 30): what is answered, with which
 * page, which refusals are faults, and which are for the function to handle.
 */

#include "vtd_dma.h"

#define NONE DMA_NO_PASID
#define DTE  BIT(2)
#define IOVA 0x40000000ULL

static struct dma_ats ats;

static int ask(u32 pasid, u64 addr, u8 access)
{
	const struct dma_req req = { .addr = addr, .pasid = pasid, .sid = SID, .access = access };

	n_faults = 0;
	last_fault = (struct vtd_fault){ 0 };
	memset(&ats, 0xee, sizeof(ats));
	return vtd_dma_ops.ats(&vtd, &req, &ats);
}

/* Answered with a page. */
static bool got(u32 pasid, u64 addr, u8 access, u64 gpa, u64 size, u8 perm)
{
	return !ask(pasid, addr, access) && ats.gpa == gpa && ats.size == size &&
	       ats.perm == perm && !ats.untranslated && !ats.global && !n_faults;
}

/* Answered with nothing: for the function to handle. */
static bool nothing(u32 pasid, u64 addr, u8 access)
{
	return !ask(pasid, addr, access) && !ats.perm && !ats.untranslated && !n_faults;
}

/* Refused, and recorded as a translation request. */
static bool refused(u32 pasid, u64 addr, u8 access, u8 reason)
{
	return ask(pasid, addr, access) == -EFAULT && n_faults == 1 &&
	       last_fault.reason == reason && last_fault.kind == VTD_TRANSLATION &&
	       last_fault.sid == SID && last_fault.pasid == pasid && last_fault.addr == addr;
}

static void allow(void)
{
	const u64 ctx = sm_context_set(&vtd, SID);

	put(ctx, get(ctx) | DTE);
}

static u64 start_fs(u32 pasid, u64 flags)
{
	u64 fs;

	start(VTD_TTM_SCALABLE);
	fs = page_new();
	pasid_set(&vtd, SID, pasid, PE(1), 5 | PE_PWSNP, fs | flags);
	allow();
	return fs;
}

static u64 start_ss(u64 flags)
{
	u64 ss;

	start(VTD_TTM_SCALABLE);
	ss = page_new();
	pasid_set(&vtd, SID, 0, PE(2) | PE_AW48 | ss | flags, 6 | PE_PWSNP, 0);
	allow();
	return ss;
}

static void test_first_stage(void)
{
	u64 fs = start_fs(0, 0), pte;

	pte = table_map(fs, 4, IOVA, 1, 0x9000 | 7, 7);
	ok(got(NONE, IOVA, R, 0x9000, 4 * KiB, R), "a read-only request (No Write)");
	eq(get(pte) & (FS_A | FS_D), FS_A, "marks the page as accessed");
	ok(got(NONE, IOVA + 0xabc, R | W, 0x9000, 4 * KiB, R | W), "a read-write request");
	eq(get(pte) & (FS_A | FS_D), FS_A | FS_D, "marks it as dirty too");
	ok(got(NONE, IOVA, W, 0x9000, 4 * KiB, R | W), "one for writes is one for both");
	ok(got(NONE, IOVA, R, 0x9000, 4 * KiB, R), "No Write again: no write permission");

	pte = table_map(fs, 4, IOVA + 0x1000, 1, 0xa000 | 5, 7);
	ok(got(NONE, IOVA + 0x1000, R | W, 0xa000, 4 * KiB, R), "a read-only page: so much of it");
	eq(get(pte) & FS_D, 0, "is not dirty");
	put(pte, 0xa000 | 7);
	ok(got(NONE, IOVA + 0x1000, R | W, 0xa000, 4 * KiB, R | W),
	   "more rights are seen without an invalidation");
	ok(nothing(NONE, IOVA + 0x2000, R | W), "an absent page is no fault");
	table_map(fs, 4, IOVA + 4 * MiB, 2, 0x600000 | BIT(7) | 7, 7);
	ok(got(NONE, IOVA + 5 * MiB, R | W, 0x600000, 2 * MiB, R | W), "a page of 2 MiB");
	table_map(fs, 4, 2 * GiB, 3, GiB | BIT(7) | 7, 7);
	ok(got(NONE, 2 * GiB + 0x123456, R, GiB, GiB, R), "one of 1 GiB");
	ok(nothing(NONE, BIT(50), R), "not canonical");
	table_map(fs, 4, IOVA + 0x3000, 1, 0xb000 | 3, 7);
	ok(nothing(NONE, IOVA + 0x3000, R), "a supervisor's page");
	table_map(fs, 4, IOVA + 0x4000, 1, 0xb000 | 7 | BIT(50), 7);
	ok(nothing(NONE, IOVA + 0x4000, R), "reserved bits of a first stage are no fault either");

	put(pasid_gpa(&vtd, SID, 0) + 16, GUEST_RAM);
	ok(nothing(NONE, 5 * GiB, R), "nor is a top table that is not there");
	put(pasid_gpa(&vtd, SID, 0) + 16, fs);
	put(pasid_gpa(&vtd, SID, 0) + 8, 5);
	table_map(fs, 4, IOVA + 0x5000, 1, 0xc000 | 7, 7);
	ok(nothing(NONE, IOVA + 0x5000, R), "nor accessed bits that cannot be set");
}

static void test_pasid(void)
{
	u64 fs = start_fs(9, BIT(0));

	table_map(fs, 4, IOVA, 1, 0x9000 | 7, 7);
	table_map(fs, 4, IOVA + 0x1000, 1, 0xa000 | 3, 7);
	ok(got(9, IOVA, R | W, 0x9000, 4 * KiB, R | W), "with PASID");
	ok(nothing(9, IOVA + 0x1000, R), "a supervisor's page");
	ok(got(9, IOVA + 0x1000, R | DMA_PRIV, 0xa000, 4 * KiB, R), "for a privileged request");
	ok(nothing(9, IOVA, R | DMA_EXEC), "execution is never granted (5Ch)");
	put(pasid_gpa(&vtd, SID, 9) + 16, fs);
	ok(nothing(9, IOVA, R | DMA_PRIV), "SRE=0: nothing for privileged requests (5Dh)");
	ok(nothing(NONE, IOVA, R), "an absent PASID entry is no fault (59h)");
	ok(nothing(1000, IOVA, R), "nor an absent directory entry (51h)");
	ok(refused(0, IOVA, R, 0x48), "RID_PASID as a PASID");
	ok(refused(BIT(13), IOVA, R, 0x46), "beyond the directory");
	ok(refused(BIT(20), IOVA, R, 0x89), "wider than there are");
	table_map(fs, 4, 0xfee00000, 1, 0xb000 | 7, 7);
	ok(got(9, 0xfee00000, R | W, 0xb000, 4 * KiB, R | W),
	   "with PASID, the interrupt range is like any other");
}

static void test_second_stage(void)
{
	u64 ss = start_ss(0);
	const u64 pos = table_map(ss, 4, IOVA, 1, 0x9000 | 3, 3);

	ok(got(NONE, IOVA, R | W, 0x9000, 4 * KiB, R | W), "second stage");
	vtd_cache__clear(vtd.cache);
	put(pos, 0x9000 | 1);
	ok(got(NONE, IOVA, R | W, 0x9000, 4 * KiB, R), "read-only");
	put(pos, 0x9000 | 2);
	vtd_cache__clear(vtd.cache);
	ok(got(NONE, IOVA, R | W, 0x9000, 4 * KiB, W), "write-only");
	ok(nothing(NONE, IOVA, R), "of which No Write leaves nothing");
	put(pos, 0);
	vtd_cache__clear(vtd.cache);
	ok(nothing(NONE, IOVA, R | W), "absent (79h)");
	ok(nothing(NONE, BIT(48), R), "beyond its width (84h)");
	put(pos, 0x9000 | 3 | BIT(51));
	ok(refused(NONE, IOVA, R, 0x7a), "reserved bits are a fault");
	put(pasid_gpa(&vtd, SID, 0), PE(2) | PE_AW48 | GUEST_RAM);
	ok(refused(NONE, IOVA, R, 0x7b), "and a top table that is not there");

	ss = start_ss(BIT(9));
	vtd.ecap |= ECAP_SSADS;
	table_map(ss, 4, IOVA, 1, 0x9000 | 3, 3);
	ok(got(NONE, IOVA, R, 0x9000, 4 * KiB, R), "with SSADE: read-only");
	ok(got(NONE, IOVA, R | W, 0x9000, 4 * KiB, R | W), "then for writes");
	eq(get(table_map(ss, 4, 0, 1, 0, 3)), 0, "(the table is still reached)");

	ss = start_ss(0);
	table_map(ss, 4, IOVA, 1, VTD_MSI_BASE | 3, 3);
	ok(refused(NONE, IOVA, R | W, 0x87), "a page of interrupts");
	table_map(ss, 4, IOVA + 2 * MiB, 2, 0xfee00000 | BIT(7) | 3, 3);
	ok(refused(NONE, IOVA + 2 * MiB + 0x1ff000, R | W, 0x87),
	   "a large page with interrupts in it, wherever they are");
}

static void test_nested(void)
{
	u64 fs, ss;

	start(VTD_TTM_SCALABLE);
	fs = page_new();
	ss = page_new();
	for (u64 gpa = 0; gpa < GUEST_RAM; gpa += 2 * MiB)
		table_map(ss, 4, gpa, 2, gpa | BIT(7) | 3, 3);
	pasid_set(&vtd, SID, 0, PE(3) | PE_AW48 | ss, 7 | PE_PWSNP, fs);
	allow();
	table_map(fs, 4, IOVA, 2, BIT(32) | BIT(7) | 7, 7);
	table_map(ss, 4, BIT(32) + 0x3000, 1, 0x9000 | 3, 3);
	table_map(ss, 4, BIT(32) + 0x4000, 1, 0xa000 | 1, 3);
	ok(got(NONE, IOVA + 0x3000, R | W, 0x9000, 4 * KiB, R | W),
	   "nested: the final address, and the smaller of both pages");
	ok(got(NONE, IOVA + 0x4000, R | W, 0xa000, 4 * KiB, R), "rights of both");
	ok(nothing(NONE, IOVA + 0x5000, R), "absent in the second stage (79h)");
	put(pasid_gpa(&vtd, SID, 0) + 16, BIT(32));
	vtd_cache__clear(vtd.cache);
	ok(nothing(NONE, IOVA, R), "first-stage tables that it does not have");
}

static void test_pass_through(void)
{
	start(VTD_TTM_SCALABLE);
	pasid_set(&vtd, SID, 0, PE(4), 1, 0);
	pasid_set(&vtd, SID, 3, PE(4), 1, 0);
	allow();
	ok(got(NONE, 0x12345678, R | W, 0, GiB, R | W), "pass-through: the largest page");
	ok(got(NONE, 5 * GiB + 1, R, 5 * GiB, GiB, R), "where it is");
	ok(got(NONE, 0xc0000000, R | W, 0xc0000000, 2 * MiB, R | W),
	   "smaller, if interrupts would be in it");
	ok(got(NONE, 0xfef01000, R | W, 0xfef01000, 4 * KiB, R | W), "smaller still");
	ok(nothing(NONE, BIT(46), R), "beyond HAW (83h)");
	ok(got(3, 0x12345678, R | W, 0, GiB, R | W), "with PASID");
	ok(nothing(3, 0xfee00000, R | W), "with PASID, interrupts are not memory");

	ok(!ask(NONE, 0xfee00000, W) && ats.untranslated && ats.perm == W && ats.size == 4 * KiB &&
	       !n_faults,
	   "S.1: interrupts are for untranslated writes");
	ok(nothing(NONE, 0xfeefffff, R), "S.2: and for nothing else");
	ok(got(NONE, 0xfef00000, R | W, 0xfef00000, 4 * KiB, R | W), "behind them is memory");
}

static void test_legacy(void)
{
	u64 ss, pos;

	start(VTD_TTM_LEGACY);
	ss = page_new();
	legacy_set(&vtd, SID, ss | 1 << 2 | 1, 9 << 8 | 2);
	pos = table_map(ss, 4, IOVA, 1, 0x9000 | 3, 3);
	ok(got(NONE, IOVA, R | W, 0x9000, 4 * KiB, R | W), "legacy mode, TT=01");
	ok(dma(SID, NONE, IOVA, W) && out_gpa == 0x9000, "takes untranslated requests too");
	vtd_cache__clear(vtd.cache);
	put(pos, 0x9000 | 1);
	ok(got(NONE, IOVA, R | W, 0x9000, 4 * KiB, R), "read-only");
	put(pos, 0);
	vtd_cache__clear(vtd.cache);
	ok(nothing(NONE, IOVA, R | W), "absent");
	ok(nothing(NONE, BIT(48), R), "beyond its width (4h)");
	put(pos, 0x9000 | 3 | BIT(51));
	ok(refused(NONE, IOVA, R, 0x0c), "reserved bits");
	table_map(ss, 4, IOVA + GiB, 3, 0xc0000000 | BIT(7) | 3, 3);
	ok(got(NONE, IOVA + GiB, R | W, 0xc0000000, 2 * MiB, R | W),
	   "a large page is cut before interrupts");
	ok(refused(NONE, IOVA + GiB + 0x3ee00000, R | W, 0x0e), "which are refused");
	legacy_set(&vtd, SID, ss | 1, 9 << 8 | 2);
	ok(refused(NONE, IOVA, R, 0x0d), "TT=00");
	legacy_set(&vtd, SID, 2 << 2 | 1, 9 << 8 | 2);
	ok(refused(NONE, IOVA, R, 0x0d), "TT=10");
	ok(refused(5, IOVA, R, 0x31), "a PASID");
	legacy_set(&vtd, SID, 0, 0);
	ok(refused(NONE, IOVA, R, 0x02), "no context entry");
}

static void test_scalable_refusals(void)
{
	u64 ctx;

	start_fs(0, 0);
	ctx = sm_context_set(&vtd, SID);
	put(ctx, get(ctx) & ~DTE);
	ok(refused(NONE, IOVA, R, 0x44), "DTE=0");
	put(ctx, get(ctx) | BIT(1));
	eq(ask(NONE, IOVA, R), -EFAULT, "with FPD");
	ok(last_fault.fpd, "it is told so");
	put(ctx, (get(ctx) | DTE | BIT(7)) & ~BIT(1));
	ok(refused(NONE, IOVA, R, 0x42), "reserved bits of the context entry");
	put(ctx, 0);
	ok(refused(NONE, IOVA, R, 0x41), "no context entry");
	start_fs(0, 0);
	put(pasid_gpa(&vtd, SID, 0), PE(5));
	ok(refused(NONE, IOVA, R, 0x5b), "an invalid PASID entry");
	put(pasid_gpa(&vtd, SID, 0), PE(1) | BIT(5));
	ok(refused(NONE, IOVA, R, 0x5a), "one with reserved bits");
	start_fs(0, 0);
	vtd.root = VTD_TTM_RSVD << 10;
	ok(refused(NONE, IOVA, R, 0x30), "an invalid TTM");
	vtd.gsts = 0;
	ok(ask(NONE, IOVA, R) == -EFAULT && !n_faults,
	   "translation off: refused, nothing recorded");
}

/* --- Translated requests --- */

static bool passes(u64 addr, u8 access, u64 len)
{
	n_faults = 0;
	return dma(SID, NONE, addr, access | DMA_TRANSLATED) && out_gpa == addr && out_len == len &&
	       !n_faults;
}

static bool blocked(u32 pasid, u64 addr, u8 access, u8 reason)
{
	n_faults = 0;
	return !dma(SID, pasid, addr, access | DMA_TRANSLATED) && n_faults == 1 &&
	       last_fault.reason == reason && last_fault.kind == VTD_TRANSLATED &&
	       last_fault.addr == addr;
}

static void test_translated(void)
{
	const u64 top = BIT(46);
	u64 ctx, dir;

	start_fs(0, 0);
	ctx = sm_context_set(&vtd, SID);
	dir = dir_gpa(&vtd, SID, 0);
	ok(passes(0x1234, R, VTD_MSI_BASE - 0x1234), "a translated request goes where it says");
	ok(passes(0xfef00000, W, top - 0xfef00000), "above interrupts too");
	ok(passes(top - 1, W, 1), "to the last byte");
	put(dir, 0);
	ok(passes(0x1234, W, VTD_MSI_BASE - 0x1234), "whatever the PASID entry is");
	ok(blocked(NONE, top, R, 0x83), "beyond HAW");
	ok(blocked(NONE, 0xfee00000, W, 0x87), "to interrupts");
	ok(blocked(NONE, 0xfeefffff, R, 0x87), "to the last of them");
	ok(blocked(7, 0x1234, R, 0x49), "with PASID");
	put(ctx, get(ctx) & ~DTE);
	ok(blocked(NONE, 0x1234, W, 0x44), "DTE=0");
	put(ctx, get(ctx) | DTE | BIT(1));
	ok(blocked(NONE, top, R, 0x83) && last_fault.fpd, "with FPD");
	n_faults = 0;
	ok(!dma(SID, NONE, top, R | DMA_TRANSLATED | DMA_PROBE) && !n_faults,
	   "only asked about: nothing is recorded");
	ok(!dma(SID2, NONE, 0x1000, R | DMA_TRANSLATED) && last_fault.reason == 0x41,
	   "of a function without an entry");
	vtd.gsts = 0;
	n_faults = 0;
	ok(!dma(SID, NONE, 0x1000, R | DMA_TRANSLATED) && !n_faults,
	   "translation off: blocked, nothing recorded");

	/* An entry in the caches does not help. */
	start_fs(0, 0);
	table_map(ALIGN_DOWN(get(pasid_gpa(&vtd, SID, 0) + 16), 4096), 4, 0x5000, 1, 0x9000 | 7, 7);
	ok(dma(SID, NONE, 0x5000, R) && out_gpa == 0x9000, "cached");
	ok(passes(0x5000, R, VTD_MSI_BASE - 0x5000), "does not matter");

	start(VTD_TTM_LEGACY);
	legacy_set(&vtd, SID, page_new() | 1 << 2 | 1, 9 << 8 | 2);
	ok(passes(0x1234, R, VTD_MSI_BASE - 0x1234), "legacy mode, TT=01");
	ok(blocked(NONE, top, R, 0x04), "beyond HAW");
	ok(blocked(NONE, 0xfee00000, W, 0x0e), "to interrupts");
	ok(blocked(7, 0x1234, R, 0x31), "with PASID");
	legacy_set(&vtd, SID, page_new() | 1, 9 << 8 | 2);
	ok(blocked(NONE, 0x1234, W, 0x0d), "TT=00");
	legacy_set(&vtd, SID, 2 << 2 | 1, 9 << 8 | 2);
	ok(blocked(NONE, 0x1234, W, 0x0d), "TT=10");
	legacy_set(&vtd, SID, 3 << 2 | 1, 9 << 8 | 2);
	ok(blocked(NONE, 0x1234, W, 0x03), "TT=11");
}

int main(void)
{
	test_first_stage();
	test_pasid();
	test_second_stage();
	test_nested();
	test_pass_through();
	test_legacy();
	test_scalable_refusals();
	test_translated();
	vtd_cache__free(vtd.cache);
	mem__free(guest_mem);
	return tap_done();
}
