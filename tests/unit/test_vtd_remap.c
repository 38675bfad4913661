/* SPDX-License-Identifier: GPL-2.0-only */
/* Interrupt remapping (VT-d 5.1, 9.9). */

#include "vtd_fake.h"
#include "vtd_flip.h"

#include "iommu/cap.c"
#include "iommu/entry.c"
#include "iommu/entry_sm.c"
#include "iommu/fault.c"
#include "iommu/queue.c"
#include "iommu/regs.c"
#include "iommu/remap.c"

#define TABLE 0x20000ULL

static struct vtd *vtd;
static struct msi_msg out;

static void start(bool eime, bool cfi)
{
	vtd = fake__new(&vtd_config_emulated);
	wr(vtd, VTD_IRTA, TABLE | (eime ? VTD_IRTA_EIME : 0) | 7, 8); /* 256 entries */
	wr(vtd, VTD_GCMD, VTD_GCMD_SIRTP, 4);
	wr(vtd, VTD_GCMD, VTD_GCMD_IRE | (cfi ? VTD_GCMD_CFI : 0), 4);
}

static void entry(u32 index, u64 lo, u64 hi)
{
	u64 *p = (u64 *)(fake_mem.ram + TABLE + 16 * index);

	p[0] = lo;
	p[1] = hi;
}

static int remap(u16 sid, u64 addr, u32 data)
{
	struct msi_msg in = { .addr = addr, .data = data };

	memset(&out, 0xee, sizeof(out));
	return vtd_remap_ops.remap(vtd, sid, &in, &out, true);
}

/* A remappable address for @handle. */
static u64 handle(u32 h, bool shv)
{
	return 0xfee00010 | (h & 0x7fff) << 5 | (h >> 15) << 2 | (shv ? 8 : 0);
}

/* The reason of the fault that @sid's message got, 0 if it passed; the record is cleared. */
static u8 reason(u16 sid, u64 addr, u32 data)
{
	u64 hi;
	int err = remap(sid, addr, data);
	u32 n = FIELD(rd(vtd, VTD_FSTS, 4), 15, 8);

	if (!(rd(vtd, VTD_FSTS, 4) & VTD_FSTS_PPF))
		return err ? 0xff : 0;
	hi = rd(vtd, VTD_FRCD + 16 * n + 8, 8);
	wr(vtd, VTD_FRCD + 16 * n + 12, BIT(31), 4);
	if (!err || FIELD(hi, 15, 0) != sid)
		return 0xfe;
	return FIELD(hi, 39, 32);
}

static u8 entry_reason(u16 sid, u64 lo, u64 hi)
{
	entry(5, lo, hi);
	return reason(sid, handle(5, false), 0);
}

static void test_off(void)
{
	vtd = fake__new(&vtd_config_emulated);
	eq(remap(1, 0xfee01000, 0x4041), 0, "disabled: passes");
	ok(out.addr == 0xfee01000 && out.data == 0x4041, "as it is");
	fake__free(vtd);
}

static void test_message(void)
{
	start(true, false);
	entry(5, 1 | 0x31ULL << 16 | 0x12345678ULL << 32, 0);
	eq(remap(1, handle(5, false), 0xffffffff), 0, "x2APIC, data ignored without SHV");
	eq(out.addr, 0x123456 * BIT(40) | 0xfee78000, "destination in both halves");
	eq(out.data, 0x4031, "vector, fixed, edge, asserted");
	entry(5, 1 | BIT(2) | BIT(3) | BIT(4) | 1ULL << 5 | 0xfeULL << 16 | 3ULL << 32, 0);
	eq(remap(1, handle(5, false), 0), 0, "logical, redirection hint, level, lowest priority");
	eq(out.addr, 0xfee03000 | BIT(3) | BIT(2), "DM and RH");
	eq(out.data, 0xc1fe, "TM, DLM");
	entry(200, 1 | 0x44ULL << 16 | 9ULL << 32, 0);
	eq(remap(1, handle(190, true), 10), 0, "handle and subhandle");
	eq(out.data, 0x4044, "are added");
	eq(remap(1, handle(200, false), 10), 0, "without SHV");
	eq(out.data, 0x4044, "they are not");
	ok(vtd->stats.ir_remapped == 4 && !vtd->stats.ir_blocked, "counted");
	fake__free(vtd);

	start(false, false);
	entry(5, 1 | 0x31ULL << 16 | 0x56ULL << 40, 0);
	eq(remap(1, handle(5, false), 0), 0, "xAPIC");
	eq(out.addr, 0xfee56000, "destination 47:40");
	fake__free(vtd);
}

static void test_requests(void)
{
	start(true, true);
	eq(reason(3, 0xfee01000, 0x31), 0x25, "EIME blocks compatibility format, CFI or not");
	fake__free(vtd);
	start(false, false);
	eq(reason(3, 0xfee01000, 0x31), 0x25, "so does CFI=0");
	fake__free(vtd);
	start(false, true);
	eq(reason(3, 0xfee01000, 0x31), 0, "CFI=1 lets it pass");
	eq(out.addr, 0xfee01000, "as it is");

	eq(reason(3, handle(5, true), 0x10000), 0x20, "data 31:16 with SHV");
	eq(reason(3, handle(256, false), 0), 0x21, "an index behind the table");
	eq(reason(3, handle(255, true), 1), 0x21, "a sum behind the table");
	eq(reason(3, handle(0xffff, true), 0xffff), 0x21, "a sum of more than 16 bits");
	eq(reason(3, handle(0x8000, false), 0), 0x21, "handle bit 15 is address bit 2");
	eq(reason(3, handle(255, false), 0), 0x22, "the last entry is in it");
	eq(reason(3, 0x1000, 0), 0xff, "no write to the interrupt range: blocked, no record");
	eq(reason(3, handle(5, false) | BIT(32), 0), 0xff, "nor this one");
	fake__free(vtd);

	start(true, false);
	wr(vtd, VTD_IRTA, FAKE_RAM | 15, 8);
	wr(vtd, VTD_GCMD, VTD_GCMD_SIRTP | VTD_GCMD_IRE, 4);
	eq(reason(3, handle(5, false), 0), 0x23, "a table that is not in memory");
	wr(vtd, VTD_IRTA, 1ULL << 39 | 15, 8);
	wr(vtd, VTD_GCMD, VTD_GCMD_SIRTP | VTD_GCMD_IRE, 4);
	eq(reason(3, handle(5, false), 0), 0x21, "a table beyond the host address width");
	wr(vtd, VTD_IRTA, GENMASK(63, 12) | 15, 8);
	wr(vtd, VTD_GCMD, VTD_GCMD_SIRTP | VTD_GCMD_IRE, 4);
	ok(remap(3, handle(0xffff, false), 0) == -EFAULT, "a table at the end of everything");
	fake__free(vtd);
}

/* Two entries in turn, each for a function of its own. */
static void test_whole(void)
{
	unsigned int torn = 0, passed = 0;
	u16 sid = 1;

	start(true, false);
	for (u64 i = 0; i < 2; i++) {
		sides[i][0] = 1 | (0x31 + i) << 16;
		sides[i][1] = (i + 1) | BIT(18);
	}
	flip_start((u64 *)(fake_mem.ram + TABLE + 16 * 5));
	for (int i = 0; i < 1000000; i++) {
		struct msi_msg in = { .addr = handle(5, false) };

		if (vtd_remap_ops.remap(vtd, sid, &in, &out, false)) {
			sid ^= 3; /* it is the other's now */
			continue;
		}
		passed++;
		torn += (out.data & 0xff) != 0x30u + sid;
	}
	flip_end();
	eq(torn, 0, "an entry is read in one piece");
	printf("# passed %u times\n", passed);
	fake__free(vtd);
}

static void test_entries(void)
{
	unsigned int wrong = 0;

	start(true, false);
	eq(entry_reason(3, 0, 0), 0x22, "not present");
	eq(entry_reason(3, ~1ULL & ~2ULL, ~0ULL), 0x22, "whatever the rest");
	for (unsigned int b = 2; b < 64; b++) {
		bool rsvd = (b >= 12 && b <= 15) || (b >= 24 && b <= 31);

		wrong += entry_reason(3, 1 | BIT(b), 0) != (rsvd ? 0x24 : 0);
	}
	for (unsigned int b = 20; b < 64; b++)
		wrong += entry_reason(3, 1, BIT(b)) != 0x24;
	eq(wrong, 0, "each reserved bit, IM among them, is refused; the others are not");
	wrong = 0;
	for (u64 dlm = 0; dlm < 8; dlm++)
		wrong += entry_reason(3, 1 | dlm << 5, 0) != (dlm == 3 || dlm == 6 ? 0x24 : 0);
	eq(wrong, 0, "delivery modes 3 and 6 do not exist");
	eq(entry_reason(3, 1, 3ULL << 18), 0x24, "SVT=3");

	eq(entry_reason(0x1234, 1, 1ULL << 18 | 0x1234), 0, "SVT=1: the source itself");
	eq(entry_reason(0x1235, 1, 1ULL << 18 | 0x1234), 0x26, "another function");
	eq(entry_reason(0x1334, 1, 1ULL << 18 | 0x1234), 0x26, "another bus");
	eq(entry_reason(0x1230, 1, 1ULL << 18 | 1ULL << 16 | 0x1234), 0, "SQ=1 ignores bit 2");
	eq(entry_reason(0x1236, 1, 1ULL << 18 | 1ULL << 16 | 0x1234), 0x26, "only");
	eq(entry_reason(0x1232, 1, 1ULL << 18 | 2ULL << 16 | 0x1234), 0, "SQ=2 ignores bits 2:1");
	eq(entry_reason(0x1233, 1, 1ULL << 18 | 2ULL << 16 | 0x1234), 0x26, "only");
	eq(entry_reason(0x1233, 1, 1ULL << 18 | 3ULL << 16 | 0x1234), 0, "SQ=3 ignores bits 2:0");
	eq(entry_reason(0x123c, 1, 1ULL << 18 | 3ULL << 16 | 0x1234), 0x26, "only");
	eq(entry_reason(0x10ff, 1, 2ULL << 18 | 0x1012), 0, "SVT=2: first bus");
	eq(entry_reason(0x1200, 1, 2ULL << 18 | 0x1012), 0, "last bus");
	eq(entry_reason(0x0fff, 1, 2ULL << 18 | 0x1012), 0x26, "before");
	eq(entry_reason(0x1300, 1, 2ULL << 18 | 0x1012), 0x26, "behind");
	fake__free(vtd);

	start(false, false);
	wrong = 0;
	for (unsigned int b = 32; b < 64; b++)
		wrong += entry_reason(3, 1 | BIT(b), 0) != (b >= 40 && b <= 47 ? 0 : 0x24);
	eq(wrong, 0, "xAPIC mode has 8 bits of destination, the others are reserved");
	fake__free(vtd);
}

static void test_report(void)
{
	struct msi_msg in = { .addr = handle(5, false) };

	start(true, false);
	eq(vtd_remap_ops.remap(vtd, 3, &in, &out, false), -EFAULT, "a route that is blocked");
	eq(rd(vtd, VTD_FSTS, 4), 0, "is no fault");
	eq(remap(3, in.addr, 0), -EFAULT, "a message is");
	ok(rd(vtd, VTD_FSTS, 4) & VTD_FSTS_PPF, "recorded");
	eq(rd(vtd, VTD_FRCD, 8), 5ULL << 48, "with its index");
	wr(vtd, VTD_FRCD + 12, BIT(31), 4);
	eq(entry_reason(3, 2, 0), 0xff, "FPD: not present, blocked without a record");
	eq(entry_reason(3, 3 | BIT(12), 0), 0xff, "FPD: reserved bits too");
	eq(entry_reason(3, 3, 1ULL << 18 | 9), 0xff, "FPD: source id too");
	eq(reason(3, handle(300, false), 0), 0x21, "the index is never silent");
	fake__free(vtd);
}

int main(void)
{
	test_off();
	test_message();
	test_requests();
	test_entries();
	test_whole();
	test_report();
	return tap_done();
}
