/* SPDX-License-Identifier: GPL-2.0-only */
/* Fault recording and the fault event (VT-d 7.2, 7.3). */

#include "vtd_fake.h"

#include "iommu/cap.c"
#include "iommu/fault.c"
#include "iommu/queue.c"
#include "iommu/regs.c"

static struct vtd *vtd;

static void start(void)
{
	vtd = fake__new(&vtd_config_emulated);
	wr(vtd, VTD_FECTL, 0, 4);
	wr(vtd, VTD_FEADDR, 0xfee00000, 4);
	/* Translation enabled, as for any DMA fault: the index is not reset under our feet. */
	wr(vtd, VTD_GCMD, VTD_GCMD_TE, 4);
	fake__forget();
}

static void record(u8 reason, u16 sid, u32 pasid, u64 addr, u8 access, bool fpd)
{
	struct vtd_fault f = { .reason = reason,
			       .sid = sid,
			       .pasid = pasid,
			       .addr = addr,
			       .access = access,
			       .fpd = fpd };

	vtd_fault__record(vtd, &f);
}

static void simple(u16 sid)
{
	record(0x59, sid, DMA_NO_PASID, 0x1000, DMA_READ, false);
}

static u64 lo(unsigned int n)
{
	return rd(vtd, VTD_FRCD + 16 * n, 8);
}

static u64 hi(unsigned int n)
{
	return rd(vtd, VTD_FRCD + 16 * n + 8, 8);
}

static void test_fields(void)
{
	start();
	record(0x06, 0x1234, DMA_NO_PASID, 0x123456789abc, DMA_READ, false);
	eq(lo(0), 0x123456789000, "FI: bits 63:12 of the address");
	eq(hi(0), BIT(63) | BIT(62) | 0x06ULL << 32 | 0x1234, "F, read, reason, source");
	record(0x85, 0xffff, DMA_NO_PASID, 0xffff800000001000, DMA_WRITE, false);
	eq(lo(1), 0xffff800000001000, "an upper-half address");
	eq(hi(1), BIT(63) | 0x85ULL << 32 | 0xffff, "write");
	record(0x81, 8, 0xfffff, 0x1000, DMA_READ | DMA_PRIV, false);
	eq(hi(2), BIT(63) | BIT(62) | 0xfffffULL << 40 | 0x81ULL << 32 | BIT(31) | BIT(29) | 8,
	   "PASID, all 20 bits, and privilege");
	record(0x71, 8, 0, 0x1000, DMA_READ | DMA_EXEC, false);
	eq(hi(3), BIT(63) | BIT(62) | 0x71ULL << 32 | BIT(31) | BIT(30) | 8, "execute, PASID 0");
	record(0x71, 8, DMA_NO_PASID, 0, DMA_READ | DMA_WRITE | DMA_PRIV, false);
	eq(hi(4), BIT(63) | BIT(62) | BIT(28) | 0x71ULL << 32 | 8,
	   "both directions are an atomic; no privilege without PASID");
	vtd_fault__record_ir(vtd, 0xfff8, 0xbeef, 0x22, false);
	eq(lo(5), 0xbeefULL << 48, "interrupts: FI is the index");
	eq(hi(5), BIT(63) | 0x22ULL << 32 | 0xfff8, "reason and source");
	fake__free(vtd);
}

/* 11.4.7.6: what tells of PASIDs and device-TLBs is reserved in a unit that has none. */
static void test_absent_fields(void)
{
	struct vtd_fault f = { .reason = 0x45,
			       .sid = 8,
			       .pasid = 0xfffff,
			       .addr = 0x1000,
			       .access = DMA_READ | DMA_PRIV | DMA_EXEC,
			       .kind = VTD_TRANSLATION };
	const u64 base = BIT(63) | BIT(62) | 0x45ULL << 32 | 8;
	const u64 at = (u64)VTD_TRANSLATION << 60;
	const u64 pasid = 0xfffffULL << 40 | BIT(31) | BIT(30) | BIT(29);
	static const struct {
		const char *options;
		bool at, pasid;
	} t[] = {
		{ "", true, true },
		{ "pasid=off", true, false },
		{ "ats=off", false, true },
		{ "ats=off,pasid=off", false, false },
		{ "scalable=off", true, false },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(t); i++) {
		struct vtd_config cfg = vtd_config_emulated;

		vtd_cap__parse(t[i].options, &cfg);
		vtd = fake__new(&cfg);
		vtd_fault__record(vtd, &f);
		eq(hi(0), base | (t[i].at ? at : 0) | (t[i].pasid ? pasid : 0),
		   "\"%s\": AT %s, PASID %s", t[i].options, t[i].at ? "told" : "reserved",
		   t[i].pasid ? "told" : "reserved");
		fake__free(vtd);
	}
}

static void test_ring(void)
{
	start();
	eq(rd(vtd, VTD_FSTS, 4), 0, "nothing pending");
	for (unsigned int i = 0; i < VTD_NFRCD; i++)
		simple(i);
	eq(rd(vtd, VTD_FSTS, 4), VTD_FSTS_PPF, "pending from index 0, no overflow");
	eq(msi_sent, 1, "one event");
	simple(100);
	eq(rd(vtd, VTD_FSTS, 4), VTD_FSTS_PPF | VTD_FSTS_PFO, "one more overflows");
	eq(hi(0) & 0xffff, 0, "the oldest record is kept");
	eq(msi_sent, 1, "without an event");

	/* As Linux: from FRI on until F is clear, then PFO, PPF and bit 7. */
	for (unsigned int i = 0; i < VTD_NFRCD; i++)
		wr(vtd, VTD_FRCD + 16 * i + 12, BIT(31), 4);
	eq(rd(vtd, VTD_FSTS, 4), VTD_FSTS_PFO, "PPF goes with the last F");
	simple(101);
	eq(rd(vtd, VTD_FSTS, 4), VTD_FSTS_PFO, "with PFO set nothing is recorded");
	wr(vtd, VTD_FSTS, VTD_FSTS_PFO | VTD_FSTS_PPF | BIT(7), 4);
	eq(rd(vtd, VTD_FSTS, 4), 0, "all clear");
	simple(102);
	eq(hi(0) & 0xffff, 102, "recording goes on where it was");
	eq(msi_sent, 2, "with an event");
	eq(vtd->stats.faults, 11, "faults are counted");
	eq(vtd->stats.faults_dropped, 2, "dropped ones too");
	wr(vtd, VTD_FRCD + 12, BIT(31), 4);
	simple(103);
	eq(rd(vtd, VTD_FSTS, 4), VTD_FSTS_PPF | 1 << 8, "FRI is 1");
	simple(104);
	eq(FIELD(rd(vtd, VTD_FSTS, 4), 15, 8), 1, "and stays at the first pending one");
	eq(msi_sent, 3, "no event while one is pending");
	fake__free(vtd);
}

static void test_w1c(void)
{
	bool kept = true;

	start();
	simple(7);
	for (u32 off = 0; off < 15; off++) {
		wr(vtd, VTD_FRCD + off, 0xff, 1);
		kept &= hi(0) == (BIT(63) | BIT(62) | 0x59ULL << 32 | 7) && lo(0) == 0x1000;
	}
	wr(vtd, VTD_FRCD + 8, GENMASK(62, 0), 8);
	wr(vtd, VTD_FRCD, ~0ULL, 8);
	ok(kept && hi(0) == (BIT(63) | BIT(62) | 0x59ULL << 32 | 7), "records are read-only");
	wr(vtd, VTD_FRCD + 15, 0x80, 1);
	eq(hi(0), BIT(62) | 0x59ULL << 32 | 7, "but for F, cleared by one");
	simple(8);
	wr(vtd, VTD_FRCD + 16 + 8, BIT(63), 8);
	ok(!(hi(1) & BIT(63)), "in a write of 8 bytes too");
	simple(9);
	wr(vtd, VTD_FRCD + 32 + 13, ~0ULL, 3);
	ok(!(hi(2) & BIT(63)), "and in one of 3");
	eq(rd(vtd, VTD_FRCD + 16 * VTD_NFRCD, 8), 0, "nothing behind the last record");
	fake__free(vtd);
}

static void test_fpd(void)
{
	static const u8 unqualified[] = { 0x01, 0x08, 0x09, 0x0a, 0x20, 0x21, 0x23, 0x25,
					  0x29, 0x2a, 0x2b, 0x30, 0x31, 0x32, 0x33, 0x34,
					  0x38, 0x39, 0x3a, 0x40, 0x50, 0x58 };
	unsigned int wrong = 0;

	start();
	for (unsigned int reason = 1; reason < 256; reason++) {
		bool reported, want = memchr(unqualified, reason, sizeof(unqualified));

		record(reason, 1, DMA_NO_PASID, 0, DMA_READ, true);
		reported = rd(vtd, VTD_FSTS, 4) & VTD_FSTS_PPF;
		wrong += reported != want;
		vtd_regs__reset(vtd);
		vtd_fault__record_ir(vtd, 1, 1, reason, true);
		reported = rd(vtd, VTD_FSTS, 4) & VTD_FSTS_PPF;
		wrong += reported != want;
		vtd_regs__reset(vtd);
		record(reason, 1, DMA_NO_PASID, 0, DMA_READ, false);
		wrong += !(rd(vtd, VTD_FSTS, 4) & VTD_FSTS_PPF);
		vtd_regs__reset(vtd);
	}
	eq(wrong, 0, "FPD silences qualified faults and no others");
	fake__free(vtd);
}

static void test_masked(void)
{
	start();
	wr(vtd, VTD_FECTL, BIT(31), 4);
	simple(1);
	eq(msi_sent, 0, "masked");
	ok(rd(vtd, VTD_FECTL, 4) & BIT(30), "IP");
	wr(vtd, VTD_FECTL, 0, 4);
	eq(msi_sent, 1, "sent on unmasking");
	wr(vtd, VTD_FRCD + 12, BIT(31), 4);
	wr(vtd, VTD_FECTL, BIT(31), 4);
	simple(2);
	wr(vtd, VTD_FRCD + 16 + 12, BIT(31), 4);
	ok(!(rd(vtd, VTD_FECTL, 4) & BIT(30)), "serviced while masked: IP goes");
	/* A queue error is pending: a fault is recorded, without an event of its own. */
	wr(vtd, VTD_FECTL, 0, 4);
	vtd_fault__raise(vtd, VTD_FSTS_IQE);
	eq(msi_sent, 2, "a queue error");
	simple(3);
	eq(msi_sent, 2, "then a fault: no second event");
	eq(rd(vtd, VTD_FSTS, 4), VTD_FSTS_IQE | VTD_FSTS_PPF | 2 << 8, "both are there, FRI is 2");
	fake__free(vtd);
}

static void test_index(void)
{
	start();
	simple(1);
	wr(vtd, VTD_FRCD + 12, BIT(31), 4);
	wr(vtd, VTD_GCMD, 0, 4);
	simple(2);
	eq(FIELD(rd(vtd, VTD_FSTS, 4), 15, 8), 0, "the index starts over when TE and IRE are off");
	fake__free(vtd);
	start();
	wr(vtd, VTD_GCMD, VTD_GCMD_TE | VTD_GCMD_IRE, 4);
	simple(1);
	wr(vtd, VTD_FRCD + 12, BIT(31), 4);
	wr(vtd, VTD_GCMD, VTD_GCMD_IRE, 4);
	simple(2);
	eq(FIELD(rd(vtd, VTD_FSTS, 4), 15, 8), 1, "not while one is on");
	fake__free(vtd);
}

/* Every reason of Tables 15 and 30, first and last of each run. */
static void test_text(void)
{
	static const u8 listed[][2] = {
		{ 0x01, 0x0e }, { 0x20, 0x2b }, { 0x30, 0x34 }, { 0x38, 0x3a }, { 0x40, 0x49 },
		{ 0x50, 0x52 }, { 0x58, 0x5d }, { 0x60, 0x60 }, { 0x70, 0x7d }, { 0x80, 0x81 },
		{ 0x83, 0x87 }, { 0x89, 0x89 }, { 0x90, 0x91 }, { 0xa0, 0xa5 },
	};
	unsigned int wrong = 0;

	for (unsigned int reason = 0; reason < 256; reason++) {
		bool known = strcmp(vtd_fault__text(reason), "unknown reason"), want = false;

		for (unsigned int i = 0; i < ARRAY_SIZE(listed); i++)
			want |= reason >= listed[i][0] && reason <= listed[i][1];
		wrong += known != want;
	}
	eq(wrong, 0, "the reasons of the specification have texts, and no others");
}

int main(void)
{
	test_fields();
	test_absent_fields();
	test_ring();
	test_w1c();
	test_fpd();
	test_masked();
	test_index();
	test_text();
	return tap_done();
}
