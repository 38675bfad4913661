/* SPDX-License-Identifier: GPL-2.0-only */
/* The register page (VT-d 11.4): every register, width and alignment; commands; events. */

#include "vtd_fake.h"

#include "iommu/cap.c"
#include "iommu/fault.c"
#include "iommu/queue.c"
#include "iommu/regs.c"

/* What is read back after all ones were written to the register, wherever that has no effect. */
static const struct {
	u32 off, len;
	u64 sticks;
	const char *name;
} stored[] = {
	{ VTD_RTADDR, 8, GENMASK(63, 10), "RTADDR" },
	{ VTD_FEDATA, 4, 0xffff, "FEDATA" },
	{ VTD_FEADDR, 4, 0xfffffffc, "FEADDR" },
	{ VTD_FEUADDR, 4, 0xffffffff, "FEUADDR" },
	{ 0x064, 4, 0, "PMEN" },
	{ VTD_IQH, 8, 0, "IQH" },
	{ VTD_IQT, 8, GENMASK(18, 4), "IQT" },
	{ VTD_IQA, 8, GENMASK(63, 11) | 7, "IQA" },
	{ VTD_IEDATA, 4, 0xffff, "IEDATA" },
	{ VTD_IEADDR, 4, 0xfffffffc, "IEADDR" },
	{ VTD_IEUADDR, 4, 0xffffffff, "IEUADDR" },
	{ VTD_IQERCD, 8, 0, "IQERCD" },
	{ VTD_IRTA, 8, GENMASK(63, 11) | 15, "IRTA" },
	{ VTD_PQH, 8, GENMASK(18, 5), "PQH" },
	{ VTD_PQT, 8, GENMASK(18, 5), "PQT" },
	{ VTD_PQA, 8, GENMASK(63, 12) | 7, "PQA" },
	{ VTD_PRS, 4, 0, "PRS" },
	{ VTD_PEDATA, 4, 0xffff, "PEDATA" },
	{ VTD_PEADDR, 4, 0xfffffffc, "PEADDR" },
	{ VTD_PEUADDR, 4, 0xffffffff, "PEUADDR" },
	{ VTD_IVA, 8, GENMASK(63, 12) | 0x7f, "IVA" },
	{ 0x400, 8, 0, "ECMD" },
	{ 0xe00, 8, 0, "VCMD" },
};

static void test_stored(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(stored); i++) {
		u32 off = stored[i].off, len = stored[i].len;
		bool bytes = true, dwords = true;
		struct vtd *vtd;
		u64 seen = 0;

		vtd = fake__new(&vtd_config_emulated);
		wr(vtd, off, ~0ULL, len);
		eq(rd(vtd, off, len), stored[i].sticks, "%s keeps its writable bits",
		   stored[i].name);
		for (u32 b = 0; b < len; b++)
			seen |= rd(vtd, off + b, 1) << 8 * b;
		eq(seen, stored[i].sticks, "%s reads the same byte by byte", stored[i].name);
		fake__free(vtd);

		/* Byte by byte, each leaves the others alone. */
		vtd = fake__new(&vtd_config_emulated);
		for (u32 b = 0; b < len; b++) {
			u64 want = stored[i].sticks & GENMASK(8 * b + 7, 0);

			wr(vtd, off + b, 0xff, 1);
			bytes &= rd(vtd, off, len) == want;
		}
		ok(bytes, "%s can be written byte by byte", stored[i].name);
		fake__free(vtd);

		vtd = fake__new(&vtd_config_emulated);
		for (u32 b = 0; b < len; b += 4)
			wr(vtd, off + b, 0xffffffff, 4);
		dwords = rd(vtd, off, len) == stored[i].sticks;
		ok(dwords, "%s can be written in dwords", stored[i].name);
		fake__free(vtd);
	}
}

/* What is at each offset after some state was built up, by single bytes, against every width. */
static void test_widths(void)
{
	struct vtd *vtd = fake__new(&vtd_config_emulated);
	struct vtd_fault fault = {
		.reason = 0x59, .sid = 0x1234, .pasid = 7, .addr = 0xabc000, .access = DMA_READ
	};
	u8 image[VTD_SIZE];
	bool same = true;

	wr(vtd, VTD_RTADDR, 0x123456789abc0400, 8);
	wr(vtd, VTD_FEDATA, 0x1122, 4);
	wr(vtd, VTD_IQA, 0xfedcba9876543001, 8);
	vtd_fault__record(vtd, &fault);
	for (u32 off = 0; off < VTD_SIZE; off++)
		image[off] = rd(vtd, off, 1);
	for (u32 len = 1; len <= 8; len++)
		for (u32 off = 0; off + len <= VTD_SIZE; off++) {
			u64 want = 0;

			memcpy(&want, image + off, len);
			same &= rd(vtd, off, len) == want;
		}
	ok(same, "reads of 1 to 8 bytes at every offset agree with reads of single bytes");
	fake__free(vtd);
}

/* Anything anywhere: what the sanitizers watch over. */
static void test_storm(void)
{
	struct vtd *vtd = fake__new(&vtd_config_emulated);
	u64 x = 88172645463325252ULL;
	bool ro = true;

	for (int i = 0; i < 300000; i++) {
		u32 len, off;

		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		len = 1 + x % 8;
		/* Most of the time where registers are. */
		off = (x >> 8) % (i % 4 ? 0x100 : VTD_SIZE - 8);
		wr(vtd, off, x >> 20 | x << 44, len);
		ro &= rd(vtd, VTD_CAP, 8) == vtd->cap && rd(vtd, VTD_VER, 4) == 0x10;
		inv_log[0] = 0;
	}
	ok(ro, "300000 random writes leave the read-only registers alone");
	ok(vtd->frcd_next < VTD_NFRCD && vtd->iqh < 1 << 19 && !(vtd->iqh & 15),
	   "and the indices in range");
	fake__free(vtd);
}

static void test_reset(void)
{
	struct vtd *vtd = fake__new(&vtd_config_emulated);

	eq(rd(vtd, VTD_VER, 4), 0x10, "version 1.0");
	eq(rd(vtd, VTD_CAP, 8), vtd->cap, "CAP");
	eq(rd(vtd, VTD_ECAP, 8), vtd->ecap, "ECAP");
	eq(rd(vtd, VTD_FECTL, 4), BIT(31), "FECTL: IM");
	eq(rd(vtd, VTD_IECTL, 4), BIT(31), "IECTL: IM");
	eq(rd(vtd, VTD_PECTL, 4), BIT(31), "PECTL: IM");
	wr(vtd, VTD_CAP, 0, 8);
	wr(vtd, VTD_ECAP, 0, 8);
	wr(vtd, VTD_VER, 0, 4);
	wr(vtd, VTD_GSTS, ~0ULL, 4);
	eq(rd(vtd, VTD_CAP, 8), vtd->cap, "CAP is read-only");
	eq(rd(vtd, VTD_VER, 4), 0x10, "VER is read-only");
	eq(rd(vtd, VTD_GSTS, 4), 0, "GSTS is read-only");
	wr(vtd, VTD_RTADDR, 0x5000, 8);
	wr(vtd, VTD_FECTL, 0, 4);
	wr(vtd, VTD_PECTL, 0, 4);
	wr(vtd, VTD_PQA, 0x6000, 8);
	wr(vtd, VTD_PQH, 0x20, 8);
	wr(vtd, VTD_PQT, 0x40, 8);
	vtd->prs = VTD_PRS_PPR | VTD_PRS_PRO;
	wr(vtd, VTD_GCMD, BIT(30), 4);
	vtd_regs__reset(vtd);
	eq(rd(vtd, VTD_RTADDR, 8) | rd(vtd, VTD_GSTS, 4) | vtd->root, 0, "reset clears");
	eq(rd(vtd, VTD_FECTL, 4), BIT(31), "and masks the fault event");
	eq(rd(vtd, VTD_PECTL, 4), BIT(31), "and that of page requests");
	eq(rd(vtd, VTD_PQA, 8) | rd(vtd, VTD_PQH, 8) | rd(vtd, VTD_PQT, 8) | rd(vtd, VTD_PRS, 4), 0,
	   "whose queue is forgotten");
	fake__free(vtd);
}

static void test_gcmd(void)
{
	struct vtd *vtd = fake__new(&vtd_config_emulated);

	wr(vtd, VTD_RTADDR, 0x5400, 8);
	eq(vtd->root, 0, "RTADDR does nothing by itself");
	eq(inv_log[0], 0, "and invalidates nothing");
	wr(vtd, VTD_GCMD, BIT(30), 4);
	eq(vtd->root, 0x5400, "SRTP latches it");
	eq(rd(vtd, VTD_GSTS, 4), BIT(30), "RTPS");
	ok(!strcmp(inv_log, "A"), "and invalidates everything (ESRTPS)");
	fake__forget();
	wr(vtd, VTD_GCMD, 0, 4);
	eq(rd(vtd, VTD_GSTS, 4), BIT(30), "writing SRTP as 0 does nothing");
	ok(!strcmp(inv_log, ""), "nothing at all");

	wr(vtd, VTD_GCMD, BIT(31), 4);
	eq(rd(vtd, VTD_GSTS, 4), BIT(31) | BIT(30), "TE");
	ok(!strcmp(inv_log, "A"), "brings bindings to the tables");
	fake__forget();
	wr(vtd, VTD_GCMD, BIT(31), 4);
	ok(!strcmp(inv_log, ""), "TE again is no change");
	wr(vtd, VTD_GCMD, BIT(31) | BIT(26), 4);
	eq(rd(vtd, VTD_GSTS, 4), BIT(31) | BIT(30) | BIT(26), "QIE beside TE");
	ok(!strchr(inv_log, 'A'), "leaves translation alone");
	fake__forget();
	wr(vtd, VTD_GCMD, BIT(26), 4);
	eq(rd(vtd, VTD_GSTS, 4), BIT(30) | BIT(26), "TE off");
	ok(!strcmp(inv_log, "A"), "brings bindings back");

	fake__forget();
	wr(vtd, VTD_IRTA, 0x780f, 8);
	wr(vtd, VTD_GCMD, BIT(26) | BIT(24), 4);
	eq(vtd->irta, 0x780f, "SIRTP latches IRTA");
	eq(rd(vtd, VTD_GSTS, 4), BIT(30) | BIT(26) | BIT(24), "IRTPS");
	eq(refreshed, 1, "and refreshes routes (ESIRTPS)");
	wr(vtd, VTD_GCMD, BIT(26) | BIT(25), 4);
	eq(rd(vtd, VTD_GSTS, 4), BIT(30) | BIT(26) | BIT(25) | BIT(24), "IRE");
	eq(refreshed, 2, "refreshes routes");
	wr(vtd, VTD_GCMD, BIT(26) | BIT(25) | BIT(23), 4);
	ok(rd(vtd, VTD_GSTS, 4) & BIT(23), "CFI");
	eq(refreshed, 3, "refreshes routes");
	wr(vtd, VTD_GCMD, BIT(26) | BIT(25), 4);
	ok(!(rd(vtd, VTD_GSTS, 4) & BIT(23)), "CFI off");
	wr(vtd, VTD_GCMD, 0, 4);
	eq(rd(vtd, VTD_GSTS, 4), BIT(30) | BIT(24), "all levels off");

	wr(vtd, VTD_GCMD + 3, 0x04, 1);
	eq(rd(vtd, VTD_GSTS, 4), BIT(30) | BIT(26) | BIT(24), "one byte of GCMD sets QIE");
	wr(vtd, VTD_GCMD, 0xff, 1);
	wr(vtd, VTD_GCMD + 1, 0xffff, 1);
	eq(rd(vtd, VTD_GSTS, 4), BIT(30) | BIT(26) | BIT(24),
	   "bytes not written keep their levels");
	wr(vtd, VTD_GCMD, BIT(26) | BIT(27) | BIT(28) | BIT(29) | 0x7fffff, 4);
	eq(rd(vtd, VTD_GSTS, 4), BIT(30) | BIT(26) | BIT(24), "WBF and reserved bits do nothing");
	fake__forget();
	wr(vtd, VTD_RTADDR, 0x9000, 8);
	wr(vtd, VTD_GCMD, BIT(31) | BIT(30) | BIT(26), 8);
	eq(vtd->root, 0x9000, "SRTP and TE at once: the root is set");
	ok(!strcmp(inv_log, "AA") && (vtd->gsts & BIT(31)), "before translation is enabled");
	fake__free(vtd);
}

static void test_without_ir(void)
{
	struct vtd_config cfg = vtd_config_emulated;
	struct vtd *vtd;

	cfg.ir = cfg.eim = false;
	vtd = fake__new(&cfg);
	wr(vtd, VTD_IRTA, ~0ULL, 8);
	wr(vtd, VTD_GCMD, BIT(25) | BIT(24) | BIT(23), 4);
	eq(rd(vtd, VTD_IRTA, 8) | rd(vtd, VTD_GSTS, 4) | refreshed, 0,
	   "without IR: no IRTA, no IRE");
	fake__free(vtd);
	cfg.ir = true;
	vtd = fake__new(&cfg);
	wr(vtd, VTD_IRTA, ~0ULL, 8);
	eq(rd(vtd, VTD_IRTA, 8), GENMASK(63, 12) | 15, "without EIM: no EIME");
	fake__free(vtd);
}

/* Without PRS nothing of it is there (11.4.11); with it, PRS and PECTL act. */
static void test_page_requests(void)
{
	struct vtd_config cfg = vtd_config_emulated;
	struct vtd *vtd = fake__new(&cfg);

	wr(vtd, VTD_PEADDR, 0xfee00000, 4);
	vtd->prs = VTD_PRS_PPR | VTD_PRS_PRO;
	vtd_event__raise(vtd, &vtd->pe);
	eq(rd(vtd, VTD_PECTL, 4), BIT(31) | BIT(30), "masked: pending");
	wr(vtd, VTD_PRS, 0, 4);
	eq(rd(vtd, VTD_PRS, 4), 3, "PRS is cleared by ones only");
	wr(vtd, VTD_PRS, VTD_PRS_PPR, 1);
	eq(rd(vtd, VTD_PRS, 4), VTD_PRS_PRO, "each bit alone");
	eq(rd(vtd, VTD_PECTL, 4), BIT(31) | BIT(30), "with one left the event stays pending");
	wr(vtd, VTD_PRS, ~0ULL, 4);
	eq(rd(vtd, VTD_PRS, 4), 0, "and then the other");
	eq(rd(vtd, VTD_PECTL, 4), BIT(31), "serviced: IP is clear");
	vtd_event__raise(vtd, &vtd->pe);
	wr(vtd, VTD_PECTL, 0, 4);
	eq(msi_sent, 1, "unmasking sends what is pending");
	wr(vtd, VTD_PECTL, BIT(30), 4);
	eq(rd(vtd, VTD_PECTL, 4), 0, "IP is read-only");
	fake__free(vtd);

	cfg.pri = false;
	vtd = fake__new(&cfg);
	for (u32 off = VTD_PQH; off < VTD_IVA; off += 4)
		wr(vtd, off, ~0ULL, 4);
	for (u32 off = VTD_PQH; off < VTD_IVA; off += 4)
		if (rd(vtd, off, 4))
			ok(false, "0x%x is reserved without PRS", off);
	ok(!vtd->pqh && !vtd->pqt && !vtd->pqa && vtd->pe.ctl == BIT(31),
	   "without PRS its registers are reserved");
	fake__free(vtd);
}

static void test_ccmd(void)
{
	struct vtd *vtd = fake__new(&vtd_config_emulated);

	wr(vtd, VTD_CCMD, BIT(63) | 1ULL << 61, 8);
	eq(rd(vtd, VTD_CCMD, 8) & GENMASK(63, 59), 1ULL << 61 | 1ULL << 59,
	   "global: ICC off, CAIG 1");
	ok(!strcmp(inv_log, "cs"), "invalidated once");
	eq(inv_last.gran, VTD_GRAN_GLOBAL, "globally");
	wr(vtd, VTD_CCMD, BIT(63) | 2ULL << 61 | 0x1234, 8);
	eq(FIELD(rd(vtd, VTD_CCMD, 8), 60, 59), 2, "domain: CAIG 2");
	ok(inv_last.gran == VTD_GRAN_DOMAIN && inv_last.did == 0x1234, "of the domain");
	wr(vtd, VTD_CCMD, BIT(63) | 3ULL << 61 | 3ULL << 32 | 0xabcd1234, 8);
	eq(FIELD(rd(vtd, VTD_CCMD, 8), 60, 59), 3, "device: CAIG 3");
	ok(inv_last.gran == VTD_GRAN_DEVICE && inv_last.sid == 0xabcd && inv_last.fm == 3,
	   "of the device");
	fake__forget();
	wr(vtd, VTD_CCMD, 0x55, 4);
	wr(vtd, VTD_CCMD + 4, 1u << 29, 4);
	ok(!strcmp(inv_log, ""), "without ICC nothing happens");
	wr(vtd, VTD_CCMD + 4, BIT(31) | 2u << 29, 4);
	ok(!strcmp(inv_log, "cs") && inv_last.did == 0x55, "the upper dword alone triggers");
	fake__forget();
	wr(vtd, VTD_CCMD + 7, 0x80 | 1 << 5, 1);
	ok(!strcmp(inv_log, "cs") && inv_last.gran == VTD_GRAN_GLOBAL,
	   "so does the uppermost byte");
	fake__forget();
	wr(vtd, VTD_CCMD, BIT(63), 8);
	ok(!strcmp(inv_log, "") && !FIELD(rd(vtd, VTD_CCMD, 8), 63, 59), "CIRG 0: CAIG 0, ignored");
	wr(vtd, VTD_GCMD, BIT(26), 4);
	fake__forget();
	wr(vtd, VTD_CCMD, BIT(63) | 1ULL << 61, 8);
	ok(!strcmp(inv_log, "") && !FIELD(rd(vtd, VTD_CCMD, 8), 60, 59), "queue enabled: refused");
	wr(vtd, VTD_GCMD, 0, 4);
	wr(vtd, VTD_RTADDR, 0x5400, 8);
	wr(vtd, VTD_GCMD, BIT(30), 4);
	fake__forget();
	wr(vtd, VTD_CCMD, BIT(63) | 1ULL << 61, 8);
	ok(!strcmp(inv_log, "") && !FIELD(rd(vtd, VTD_CCMD, 8), 60, 59), "scalable mode: refused");
	fake__free(vtd);
}

static void test_iotlb(void)
{
	struct vtd *vtd = fake__new(&vtd_config_emulated);
	struct vtd_config nested = vtd_config_emulated;

	wr(vtd, VTD_IOTLB, BIT(63) | 1ULL << 60, 8);
	eq(rd(vtd, VTD_IOTLB, 8) & GENMASK(63, 57), 1ULL << 60 | 1ULL << 57, "global: IAIG 1");
	ok(!strcmp(inv_log, "is") && inv_last.gran == VTD_GRAN_GLOBAL, "invalidated once");
	wr(vtd, VTD_IOTLB, BIT(63) | 2ULL << 60 | 0x77ULL << 32, 8);
	eq(FIELD(rd(vtd, VTD_IOTLB, 8), 58, 57), 2, "domain: IAIG 2");
	ok(inv_last.gran == VTD_GRAN_DOMAIN && inv_last.did == 0x77, "of the domain");
	wr(vtd, VTD_IVA, 0x12345fff & ~0xf80ULL & ~0x3fULL, 8);
	wr(vtd, VTD_IVA, 0x12345000 | BIT(6) | 9, 8);
	wr(vtd, VTD_IOTLB, BIT(63) | 3ULL << 60 | 0x77ULL << 32, 8);
	eq(FIELD(rd(vtd, VTD_IOTLB, 8), 58, 57), 3, "page: IAIG 3");
	ok(inv_last.gran == VTD_GRAN_PAGE && inv_last.addr == 0x12345000 && inv_last.am == 9 &&
	       inv_last.ih,
	   "address, mask and hint");
	fake__forget();
	wr(vtd, VTD_IVA, 19, 8);
	wr(vtd, VTD_IOTLB, BIT(63) | 3ULL << 60, 8);
	ok(!strcmp(inv_log, "") && !FIELD(rd(vtd, VTD_IOTLB, 8), 58, 57), "AM above MAMV: IAIG 0");
	wr(vtd, VTD_IOTLB, BIT(63), 8);
	ok(!strcmp(inv_log, "") && !(rd(vtd, VTD_IOTLB, 8) & BIT(63)), "IIRG 0: ignored");
	/* An 8 byte access that starts in IVA and ends in the lower half of IOTLB. */
	wr(vtd, VTD_IVA + 4, ~0ULL, 8);
	ok(!strcmp(inv_log, ""), "half of IOTLB triggers nothing");
	fake__free(vtd);

	nested.ss = nested.nest = nested.sc = nested.ssads = false;
	nested.cm = nested.assigned = true;
	vtd = fake__new(&nested);
	eq(rd(vtd, VTD_VER, 4), 0x60, "SAGAW=0: version 6.0");
	wr(vtd, VTD_IOTLB, BIT(63) | 1ULL << 60, 8);
	wr(vtd, VTD_CCMD, BIT(63) | 1ULL << 61, 8);
	ok(!strcmp(inv_log, "") && !FIELD(rd(vtd, VTD_IOTLB, 8), 58, 57),
	   "which has no register-based invalidation");
	fake__free(vtd);
}

static void test_events(void)
{
	struct vtd *vtd = fake__new(&vtd_config_emulated);

	wr(vtd, VTD_FEDATA, 0xffff, 4);
	wr(vtd, VTD_FEADDR, 0xfee01004, 4);
	wr(vtd, VTD_FEUADDR, 0x123456ff, 4);
	vtd_fault__raise(vtd, VTD_FSTS_IQE);
	eq(msi_sent, 0, "masked after reset");
	eq(rd(vtd, VTD_FECTL, 4), BIT(31) | BIT(30), "IP");
	wr(vtd, VTD_FECTL, 0, 4);
	eq(msi_sent, 1, "unmasking sends what is pending");
	eq(msi_last.addr, 0x12345600fee01004, "to the address, destination 31:8 above");
	eq(msi_last.data, 0x7ff, "edge-triggered");
	eq(rd(vtd, VTD_FECTL, 4), 0, "IP is clear");
	wr(vtd, VTD_FECTL, BIT(30), 4);
	eq(rd(vtd, VTD_FECTL, 4), 0, "IP is read-only");
	wr(vtd, VTD_FECTL, BIT(31), 4);
	vtd_fault__raise(vtd, VTD_FSTS_ITE);
	eq(rd(vtd, VTD_FECTL, 4), BIT(31), "no new event while a condition is pending");
	wr(vtd, VTD_FSTS, VTD_FSTS_IQE | VTD_FSTS_ITE, 4);
	vtd_fault__raise(vtd, VTD_FSTS_IQE);
	eq(rd(vtd, VTD_FECTL, 4), BIT(31) | BIT(30), "pending again");
	wr(vtd, VTD_FSTS, VTD_FSTS_PPF | BIT(7), 4);
	eq(rd(vtd, VTD_FSTS, 4), VTD_FSTS_IQE, "PPF and bit 7 clear nothing");
	wr(vtd, VTD_FSTS, VTD_FSTS_IQE, 1);
	eq(rd(vtd, VTD_FSTS, 4), 0, "IQE is cleared by a byte");
	eq(rd(vtd, VTD_FECTL, 4), BIT(31), "serviced: IP is clear");
	wr(vtd, VTD_FECTL + 3, 0, 1);
	eq(msi_sent, 1, "and nothing is sent on unmasking");

	wr(vtd, VTD_FEADDR, 0x1000, 4);
	vtd_fault__raise(vtd, VTD_FSTS_IQE);
	eq(msi_sent, 1, "an address that is not in the interrupt range is not written to");

	vtd->ics = 1;
	vtd_event__raise(vtd, &vtd->ie);
	eq(rd(vtd, VTD_IECTL, 4), BIT(31) | BIT(30), "invalidation event pending");
	wr(vtd, VTD_ICS, 0, 4);
	eq(rd(vtd, VTD_ICS, 4), 1, "ICS is cleared by ones only");
	wr(vtd, VTD_ICS, 1, 4);
	eq(rd(vtd, VTD_ICS, 4), 0, "IWC is clear");
	eq(rd(vtd, VTD_IECTL, 4), BIT(31), "and IP with it");
	fake__free(vtd);
}

int main(void)
{
	test_reset();
	test_stored();
	test_widths();
	test_gcmd();
	test_without_ir();
	test_page_requests();
	test_ccmd();
	test_iotlb();
	test_events();
	test_storm();
	return tap_done();
}
