/* SPDX-License-Identifier: GPL-2.0-only */
/* The invalidation queue (VT-d 6.5.2): every type, every error, and going on after one. */

#include "vtd_queue.h"

/* One descriptor in a fresh queue: what IQERCD says, 0 if it was taken. */
static u64 one(u64 ttm, bool dw, u64 q0, u64 q1, u64 q2)
{
	u64 err = 0;

	start(ttm, dw);
	put(0, q0, q1, q2, 0);
	tail(1);
	if (rd(vtd, VTD_FSTS, 4) & VTD_FSTS_IQE)
		err = rd(vtd, VTD_IQERCD, 8);
	if (!!err != (rd(vtd, VTD_IQH, 8) == 0))
		err = 99; /* the head passes valid descriptors and stays on bad ones */
	fake__free(vtd);
	return err;
}

static void test_context(void)
{
	eq(one(0, false, 1 | G(1), 0, 0), 0, "context global");
	ok(!strcmp(inv_log, "cs") && inv_last.gran == VTD_GRAN_GLOBAL, "is global");
	eq(one(0, false, 1 | G(2) | DID(7), 0, 0), 0, "context domain");
	ok(inv_last.gran == VTD_GRAN_DOMAIN && inv_last.did == 7, "is of the domain");
	eq(one(1, true, 1 | G(2) | DID(7), 0, 0), 0, "context domain in scalable mode");
	eq(inv_last.gran, VTD_GRAN_GLOBAL, "is global");
	eq(one(1, true, 1 | G(3) | DID(7) | SID(0x1234) | FM(2), 0, 0), 0, "context device");
	ok(inv_last.gran == VTD_GRAN_DEVICE && inv_last.did == 7 && inv_last.sid == 0x1234 &&
	       inv_last.fm == 2,
	   "with source id and function mask");
	eq(one(0, false, 1 | G(0), 0, 0), 4, "context G=0");
	eq(inv_log[0] == 'c', 0, "does nothing");
}

static void test_iotlb(void)
{
	eq(one(0, false, 2 | G(1) | BIT(6) | BIT(7), 0, 0), 0, "IOTLB global, draining");
	ok(!strcmp(inv_log, "is") && inv_last.gran == VTD_GRAN_GLOBAL, "is global");
	eq(one(0, true, 2 | G(2) | DID(9), 0, 0), 0, "IOTLB domain");
	ok(inv_last.gran == VTD_GRAN_DOMAIN && inv_last.did == 9, "is of the domain");
	eq(one(1, true, 2 | G(3) | DID(9), 0x7f000000 | BIT(6) | 18, 0), 0, "IOTLB page");
	ok(inv_last.gran == VTD_GRAN_PAGE && inv_last.addr == 0x7f000000 && inv_last.am == 18 &&
	       inv_last.ih,
	   "address, mask, hint");
	eq(one(1, true, 2 | G(3) | DID(9), 19, 0), 4, "AM above MAMV");
	eq(one(1, true, 2 | G(2) | DID(9), 63, 0), 0, "AM is ignored for a domain");
	eq(one(0, false, 2 | G(0), 0, 0), 4, "IOTLB G=0");
}

static void test_pasid_types(void)
{
	eq(one(1, true, 7 | G(0) | DID(3), 0, 0), 0, "PASID cache domain");
	ok(!strcmp(inv_log, "ps") && inv_last.gran == VTD_GRAN_DOMAIN && inv_last.did == 3,
	   "is of the domain");
	eq(one(1, true, 7 | G(1) | DID(3) | PASID(0xfffff), 0, 0), 0, "PASID cache PASID");
	ok(inv_last.gran == VTD_GRAN_PASID && inv_last.pasid == 0xfffff && inv_last.did == 3,
	   "is of the PASID");
	eq(one(1, true, 7 | G(3), 0, 0), 0, "PASID cache global");
	eq(inv_last.gran, VTD_GRAN_GLOBAL, "is global");
	eq(one(1, true, 7 | G(2), 0, 0), 4, "PASID cache G=2");

	eq(one(1, true, 6 | G(2) | DID(3) | PASID(5), ~0xf80ULL, 0), 0, "P_IOTLB PASID");
	ok(!strcmp(inv_log, "Ps") && inv_last.gran == VTD_GRAN_PASID && inv_last.pasid == 5 &&
	       !inv_last.addr && !inv_last.am && !inv_last.ih,
	   "ignores address, mask and hint");
	eq(one(1, true, 6 | G(3) | DID(3) | PASID(5), 0xffff800000000000 | BIT(6) | 30, 0), 0,
	   "P_IOTLB page");
	ok(inv_last.gran == VTD_GRAN_PAGE && inv_last.addr == 0xffff800000000000 &&
	       inv_last.am == 30 && inv_last.ih,
	   "takes masks above MAMV");
	eq(one(1, true, 6 | G(3) | PASID(5), 51, 0), 0, "P_IOTLB AM=51");
	ok(inv_last.gran == VTD_GRAN_PAGE && inv_last.am == 51, "is the largest range");
	eq(one(1, true, 6 | G(3) | PASID(5), 52, 0), 0, "P_IOTLB AM=52");
	eq(inv_last.gran, VTD_GRAN_PASID, "is all of the PASID");
	eq(one(1, true, 6 | G(3) | PASID(5), 63, 0), 0, "P_IOTLB AM=63 is defined too");
	eq(one(1, true, 6 | G(0), 0, 0), 4, "P_IOTLB G=0");
	eq(one(1, true, 6 | G(1), 0, 0), 4, "P_IOTLB G=1");
}

static void test_iec(void)
{
	struct vtd_config cfg = vtd_config_emulated;

	eq(one(0, false, 4, 0, 0), 0, "IEC global");
	eq(refreshed, 1, "refreshes routes");
	eq(one(1, true, 4 | BIT(4) | 15ULL << 27 | 0xffffULL << 32, 0, 0), 0, "IEC index");
	eq(refreshed, 1, "refreshes routes");
	eq(one(1, true, 4 | BIT(4) | 16ULL << 27, 0, 0), 4, "IM above MHMV");
	eq(refreshed, 0, "refreshes nothing");

	start(1, true);
	for (u64 i = 0; i < 100; i++)
		put(i, 4 | BIT(4) | i << 32, 0, 0, 0);
	tail(100);
	eq(refreshed, 1, "a hundred IEC descriptors refresh routes once");
	fake__free(vtd);

	cfg.ir = cfg.eim = false;
	vtd = fake__new(&cfg);
	wide = false;
	wr(vtd, VTD_IQA, QUEUE, 8);
	wr(vtd, VTD_GCMD, VTD_GCMD_QIE, 4);
	put(0, 4, 0, 0, 0);
	tail(1);
	eq(rd(vtd, VTD_IQERCD, 8), 3, "without IR there is no such type");
	fake__free(vtd);
}

static void test_wait(void)
{
	start(1, true);
	put(0, 6 | G(2), 0, 0, 0);
	put(1, 4, 0, 0, 0);
	put(2, 5 | BIT(5) | BIT(6) | 0xcafef00dULL << 32, STATUS, 0, 0);
	put(3, 7 | G(3), 0, 0, 0);
	tail(4);
	eq(status(), 0xcafef00d, "the status is written");
	ok(!strncmp(inv_log, "Psp", 3), "after a sync, before what follows");
	eq(refreshed, 1, "and after the routes");
	eq(vtd->ics | msi_sent, 0, "without IF no completion event");
	eq(rd(vtd, VTD_IQH, 8), 4 * 32, "the head is at the tail");
	eq(vtd->stats.desc[5] | vtd->stats.desc[6] << 4 | vtd->stats.desc[7] << 8, 0x111,
	   "counted");

	wr(vtd, VTD_IECTL, 0, 4);
	wr(vtd, VTD_IEADDR, 0xfee00000, 4);
	put(4, 5 | BIT(4), 0, 0, 0);
	put(5, 5 | BIT(4), 0, 0, 0);
	tail(6);
	eq(rd(vtd, VTD_ICS, 4), 1, "IF sets IWC");
	eq(msi_sent, 1, "one event for two completions not yet serviced");
	wr(vtd, VTD_ICS, 1, 4);
	put(6, 5 | BIT(4), 0, 0, 0);
	tail(7);
	eq(msi_sent, 2, "the next one after IWC was cleared");
	wr(vtd, VTD_IECTL, BIT(31), 4);
	wr(vtd, VTD_ICS, 1, 4);
	put(7, 5 | BIT(4), 0, 0, 0);
	tail(8);
	eq(msi_sent, 2, "masked: not sent");
	wr(vtd, VTD_IECTL, 0, 4);
	eq(msi_sent, 3, "but on unmasking");
	fake__free(vtd);

	eq(one(1, true, 5 | BIT(5), 0xfffffffffffffffc, 0), 0,
	   "a status that is not memory is dropped");
	eq(one(1, true, 5 | BIT(5), FAKE_RAM - 4, 0), 0, "the last dword of memory is fine");
	eq(one(1, true, 5, ~3ULL, 0), 0, "without SW the address does not matter");
	start(1, true);
	put(0, 5 | BIT(5) | 7ULL << 32, STATUS | 1ULL << 39, 0, 0);
	tail(1);
	eq(status(), 7, "address bits above the host address width are ignored");
	fake__free(vtd);

	start(1, true);
	lose_isolation = true;
	wr(vtd, VTD_IECTL, 0, 4);
	put(0, 5 | BIT(5) | BIT(4) | 7ULL << 32, STATUS, 0, 0);
	put(1, 7 | G(3), 0, 0, 0);
	tail(2);
	lose_isolation = false;
	eq(status(), 0, "a wait never completes over an invalidation that did not happen");
	eq(vtd->ics | msi_sent, 0, "nor with an event");
	ok(!strchr(inv_log, 'p'), "and nothing behind it is executed");
	fake__free(vtd);
}

/* Every bit of every type that must be zero, set alone. */
static void test_reserved(void)
{
	static const struct {
		u64 q0, lo, hi; /* a valid descriptor, and the bits defined in it */
		const char *name;
	} type[] = {
		{ 1 | G(1), GENMASK(49, 16) | GENMASK(5, 4), 0, "context" },
		{ 2 | G(1), GENMASK(31, 16) | GENMASK(7, 4), GENMASK(63, 12) | GENMASK(6, 0),
		  "IOTLB" },
		{ 4, GENMASK(47, 27) | BIT(4), 0, "IEC" },
		{ 3, GENMASK(47, 32) | GENMASK(20, 16), GENMASK(63, 12) | BIT(0), "device-TLB" },
		{ 5, GENMASK(63, 32) | GENMASK(7, 4), GENMASK(63, 2), "wait" },
		{ 6 | G(2), GENMASK(51, 16) | GENMASK(5, 4), GENMASK(63, 12) | GENMASK(6, 0),
		  "P_IOTLB" },
		{ 7 | G(3), GENMASK(51, 16) | GENMASK(5, 4), 0, "PASID cache" },
		{ 8, GENMASK(51, 16) | GENMASK(8, 4), GENMASK(63, 11) | BIT(0),
		  "PASID-based device-TLB" },
		{ 9, GENMASK(51, 16) | GENMASK(15, 12) | BIT(4), GENMASK(11, 2), "page group" },
	};

	for (unsigned int t = 0; t < ARRAY_SIZE(type); t++) {
		u64 lo = type[t].lo | GENMASK(11, 9) | GENMASK(3, 0);
		bool refused = true, taken = true;

		for (unsigned int b = 0; b < 64; b++) {
			if (!(lo & BIT(b)))
				refused &= one(1, true, type[t].q0 | BIT(b), 0, 0) == 4;
			if (!(type[t].hi & BIT(b)))
				refused &= one(1, true, type[t].q0, BIT(b), 0) == 4;
			else
				taken &= one(1, true, type[t].q0, BIT(b), 0) == 0;
			refused &= one(1, true, type[t].q0, 0, BIT(b)) == 4;
		}
		ok(refused, "%s: every reserved bit is refused", type[t].name);
		ok(taken, "%s: every other bit of the high qword is not", type[t].name);
	}
	start(1, true);
	put(0, 1 | G(1), 0, 0, BIT(63));
	tail(1);
	eq(rd(vtd, VTD_IQERCD, 8), 4, "nor may the last qword have a bit set");
	fake__free(vtd);
}

/* Table 26 */
static void test_types(void)
{
	bool legacy = true, scalable = true;

	for (u64 t = 0; t < 128; t++) {
		u64 q0 = (t >> 4) << 9 | (t & 15) |
			 (t == 3 || t == 4 ? 0
			  : t == 6	   ? G(2)
			  : t == 7	   ? G(3)
					   : G(1));
		bool base = t >= 1 && t <= 5;

		legacy &= one(0, false, q0, 0, 0) == (base ? 0 : 3);
		legacy &= one(0, true, q0, 0, 0) == (base ? 0 : 3);
		scalable &= one(1, true, q0, 0, 0) == (t >= 1 && t <= 9 ? 0 : 3);
	}
	ok(legacy, "legacy mode: types 1 to 5 at both widths, no other");
	ok(scalable, "scalable mode: 1 to 9; no HPT type");
	eq(one(1, false, 1 | G(1), 0, 0), 5, "scalable mode refuses 128-bit descriptors");
	eq(one(2, true, 1 | G(1), 0, 0), 7, "TTM=10 is an error of its own");
	eq(one(3, true, 1 | G(1), 0, 0), 7, "so is abort-dma, which is not supported");
}

static void test_without_scalable(void)
{
	struct vtd_config cfg = vtd_config_emulated;

	vtd_cap__parse("scalable=off", &cfg);
	vtd = fake__new(&cfg);
	wide = true;
	wr(vtd, VTD_IQA, QUEUE | VTD_IQA_DW, 8);
	wr(vtd, VTD_GCMD, VTD_GCMD_QIE, 4);
	put(0, 1 | G(1), 0, 0, 0);
	tail(1);
	eq(rd(vtd, VTD_IQERCD, 8), 5, "SMTS=0 refuses 256-bit descriptors");
	fake__free(vtd);
	vtd = fake__new(&cfg);
	wide = false;
	set_mode(1);
	wr(vtd, VTD_IQA, QUEUE, 8);
	wr(vtd, VTD_GCMD, VTD_GCMD_QIE, 4);
	put(0, 1 | G(1), 0, 0, 0);
	tail(1);
	eq(rd(vtd, VTD_IQERCD, 8), 7, "and TTM=01");
	fake__free(vtd);
}

static void test_tail(void)
{
	start(1, true);
	wr(vtd, VTD_IQT, 16, 4);
	eq(rd(vtd, VTD_IQERCD, 8), 6, "a tail between two descriptors");
	fake__free(vtd);
	start(0, false);
	wr(vtd, VTD_IQT, 4096, 4);
	eq(rd(vtd, VTD_IQERCD, 8), 1, "a tail behind the end");
	fake__free(vtd);
	start(0, false);
	wr(vtd, VTD_IQA, FAKE_RAM, 8);
	tail(1);
	eq(rd(vtd, VTD_IQERCD, 8), 2, "a queue that is not in memory");
	fake__free(vtd);
	start(0, false);
	wr(vtd, VTD_IQA, GENMASK(63, 12) | 7, 8);
	wr(vtd, VTD_IQT, GENMASK(18, 4), 8);
	eq(rd(vtd, VTD_IQERCD, 8), 2, "a queue at the end of the address space");
	fake__free(vtd);

	/* QS=1 with 128 bits: 512 entries. */
	start(0, false);
	wr(vtd, VTD_IQA, QUEUE | 1, 8);
	for (u64 i = 0; i < 512; i++)
		put(i, 5, 0, 0, 0);
	tail(511);
	eq(rd(vtd, VTD_IQH, 8), 511 * 16, "QS doubles the queue");
	tail(2);
	eq(rd(vtd, VTD_IQH, 8), 2 * 16, "which wraps");
	eq(vtd->stats.desc[5], 514, "having run three more");
	fake__free(vtd);

	/* The guest reprograms IQA under a head that no longer fits. */
	start(0, false);
	wr(vtd, VTD_IQA, QUEUE | 1, 8);
	for (u64 i = 0; i < 512; i++)
		put(i, 5, 0, 0, 0);
	tail(511);
	wr(vtd, VTD_IQA, QUEUE | VTD_IQA_DW, 8);
	wr(vtd, VTD_IQT, 0, 4);
	ok(rd(vtd, VTD_IQH, 8) < 4096 && !(rd(vtd, VTD_IQH, 8) & 31), "the head is brought inside");
	fake__free(vtd);
}

static void test_enable(void)
{
	vtd = fake__new(&vtd_config_emulated);
	wide = true;
	set_mode(1);
	wr(vtd, VTD_IQA, QUEUE | VTD_IQA_DW, 8);
	put(0, 7 | G(3), 0, 0, 0);
	fake__forget();
	tail(1);
	ok(!strchr(inv_log, 'p') && !rd(vtd, VTD_IQH, 8), "nothing runs before QIE");
	wr(vtd, VTD_GCMD, VTD_GCMD_QIE, 4);
	ok(strchr(inv_log, 'p') && rd(vtd, VTD_IQH, 8) == 32, "QIE starts it");
	fake__forget();
	wr(vtd, VTD_IQT, 32ULL | ~0ULL << 32, 8);
	ok(!strchr(inv_log, 'p'), "an 8-byte write of the same tail runs nothing");
	put(1, 7 | G(3), 0, 0, 0);
	wr(vtd, VTD_IQT, 64, 8);
	ok(!strcmp(inv_log, "sps") || !strcmp(inv_log, "ps"), "an 8-byte write runs it once");
	put(2, 7 | G(3), 0, 0, 0);
	wr(vtd, VTD_IQT, 96, 1);
	eq(rd(vtd, VTD_IQH, 8), 96, "so does one byte");
	wr(vtd, VTD_GCMD, 0, 4);
	eq(rd(vtd, VTD_IQH, 8), 0, "disabling resets the head");
	fake__free(vtd);
}

/* What Linux does on IQE: overwrite the bad descriptor with a wait, clear IQE, leave the tail. */
static void test_resume(void)
{
	start(1, true);
	wr(vtd, VTD_FECTL, 0, 4);
	wr(vtd, VTD_FEADDR, 0xfee00000, 4);
	put(0, 7 | G(3), 0, 0, 0);
	put(1, 10 | G(1), 0, 0, 0); /* HPT cache: not there */
	put(2, 5 | BIT(5) | 1ULL << 32, STATUS, 0, 0);
	tail(3);
	eq(rd(vtd, VTD_FSTS, 4), VTD_FSTS_IQE, "IQE");
	eq(rd(vtd, VTD_IQERCD, 8), 3, "the reason");
	eq(msi_sent, 1, "a fault event");
	eq(rd(vtd, VTD_IQH, 8), 32, "the head is on the bad descriptor");
	ok(strchr(inv_log, 'p'), "what was ahead of it is done");
	eq(status(), 0, "what is behind is not");
	tail(3);
	eq(rd(vtd, VTD_IQH, 8), 32, "a new tail changes nothing while IQE is set");
	put(1, 5 | BIT(5) | 2ULL << 32, STATUS + 4, 0, 0);
	tail(3);
	eq(rd(vtd, VTD_IQH, 8), 32, "not even with the descriptor mended");
	wr(vtd, VTD_FSTS, VTD_FSTS_IQE, 4);
	eq(rd(vtd, VTD_IQH, 8), 96, "clearing IQE resumes without a new tail");
	eq(status(), 1, "to the end");
	eq(rd(vtd, VTD_FSTS, 4), 0, "no error is left");
	put(3, 0, 0, 0, 0);
	tail(4);
	eq(msi_sent, 2, "the next error is a new event");
	wr(vtd, VTD_FSTS, VTD_FSTS_IQE, 4);
	eq(rd(vtd, VTD_FSTS, 4), VTD_FSTS_IQE, "clearing without mending fails again");
	eq(msi_sent, 3, "with an event");
	fake__free(vtd);
}

/* Random descriptors: nothing but counts and errors. */
static void test_storm(void)
{
	u64 x = 0x9e3779b97f4a7c15ULL, taken = 0;

	start(1, true);
	for (int i = 0; i < 20000; i++) {
		u64 q[4];

		for (int j = 0; j < 4; j++) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			q[j] = j > 1 && i % 8 ? 0 : x;
		}
		if (i % 4) {
			u64 t = 1 + q[0] % 9;

			q[0] = (q[0] & types[t].lo) | t;
			q[1] &= types[t].hi;
		}
		put(i % 128, q[0], q[1], q[2], q[3]);
		tail((i + 1) % 128);
		if (rd(vtd, VTD_FSTS, 4) & VTD_FSTS_IQE) {
			put(i % 128, 5, 0, 0, 0);
			wr(vtd, VTD_FSTS, VTD_FSTS_IQE, 4);
		} else {
			taken++;
		}
		wr(vtd, VTD_FSTS, VTD_FSTS_ITE, 4); /* most devices do not exist */
		inv_log[0] = 0;
	}
	ok(taken > 1000 && rd(vtd, VTD_IQH, 8) == rd(vtd, VTD_IQT, 8), "20000 random descriptors");
	fake__free(vtd);
}

int main(void)
{
	test_context();
	test_iotlb();
	test_pasid_types();
	test_iec();
	test_wait();
	test_reserved();
	test_types();
	test_without_scalable();
	test_tail();
	test_enable();
	test_resume();
	test_storm();
	return tap_done();
}
