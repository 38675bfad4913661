/* SPDX-License-Identifier: GPL-2.0-only */

/* The test device: how its DMA looks to the IOMMU, and what hostile register writes do. */

#include "edu_fake.h"

static void test_requests(void)
{
	u32 *ram = mem__ptr(vm.mem, 0x100000, 16384);

	wr(&vm, regs + EDU_BUF_BASE, 4, 0x12345678);
	eq(dma(0x100004, EDU_BUF_BASE, 4, true), EDU_DONE, "a write");
	eq(ram[1], 0x12345678, "is there");
	ok(last.addr == 0x100004 && last.pasid == DMA_NO_PASID && last.access == DMA_WRITE &&
	       last.sid == edus[0].pci.bdf,
	   "and was a plain write of this function");

	set(REG_X_TAG, EDU_TAG_EXEC | EDU_TAG_PRIV | 7);
	dma(0x100000, EDU_BUF_BASE, 4, false);
	ok(last.pasid == DMA_NO_PASID && last.access == DMA_READ, "no PASID, no attributes");
	set(REG_X_TAG, EDU_TAG_VALID | EDU_TAG_EXEC | EDU_TAG_PRIV | 7);
	dma(0x100000, EDU_BUF_BASE, 4, false);
	ok(last.pasid == 7 && last.access == (DMA_READ | DMA_EXEC | DMA_PRIV), "all on a read");
	dma(0x100000, EDU_BUF_BASE, 4, true);
	ok(last.pasid == 7 && last.access == (DMA_WRITE | DMA_PRIV), "a write executes nothing");
	set(REG_X_TAG, ~0u);
	eq(reg(REG_X_TAG), 0xe00fffff, "a PASID has 20 bits");
	set(REG_X_TAG, EDU_TAG_VALID | 9);
	set(REG_X_MODE, EDU_MODE_FORGED);
	dma(0x100000, EDU_BUF_BASE, 4, true);
	ok(last.pasid == 9 && last.access == (DMA_WRITE | DMA_TRANSLATED),
	   "a forged translated request, with its PASID");
	set(REG_X_TAG, 0);
	set(REG_X_MODE, ~0u);
	eq(reg(REG_X_MODE), 7, "the mode has three bits");
	set(REG_X_MODE, 0);

	requests = 0;
	eq(dma(0x100801, EDU_BUF_BASE, 4096, true), EDU_DONE, "a whole buffer, misaligned");
	eq(requests, 2, "in two pieces");
	refuse = true;
	memset(ram, 0x11, 8192);
	eq(dma(0x100000, EDU_BUF_BASE, 4096, true), EDU_REFUSED, "the IOMMU refuses");
	eq(ram[0], 0x11111111, "and nothing is written");
	refuse = false;
}

/* VT-d 3.15: which DMA is an interrupt. */
static void test_interrupts(void)
{
	static const struct {
		u64 addr, count;
		bool to_ram;
		u32 tag, mode;
		const char *what;
	} other[] = {
		{ 0xfee00000, 4, false, 0, 0, "a read" },
		{ 0xfee00000, 8, true, 0, 0, "two dwords" },
		{ 0xfee00000, 2, true, 0, 0, "half of one" },
		{ 0xfee00002, 4, true, 0, 0, "a misaligned one" },
		{ 0xfedffffc, 4, true, 0, 0, "one before the range" },
		{ 0xfef00000, 4, true, 0, 0, "one behind it" },
		{ 0x1fee00000, 4, true, 0, 0, "one 4 GiB higher" },
		{ 0xfee00000, 4, true, EDU_TAG_VALID, 0, "one with PASID" },
		{ 0xfee00000, 4, true, 0, EDU_MODE_FORGED, "one that is said to be translated" },
	};

	wr(&vm, regs + EDU_BUF_BASE + 8, 4, 0x4041);
	requests = 0;
	eq(dma(0xfee01004, EDU_BUF_BASE + 8, 4, true), EDU_DONE, "a dword to the interrupt range");
	ok(msis == 1 && last_msi.addr == 0xfee01004 && last_msi.data == 0x4041, "is a message");
	eq(requests, 0, "and translated by nobody");
	refuse_msi = true;
	eq(dma(0xfeeffffc, EDU_BUF_BASE, 4, true), EDU_REFUSED, "which may be blocked");
	refuse_msi = false;
	refuse = true;
	for (unsigned int i = 0; i < ARRAY_SIZE(other); i++) {
		msis = 0;
		set(REG_X_TAG, other[i].tag);
		set(REG_X_MODE, other[i].mode);
		eq(dma(other[i].addr, EDU_BUF_BASE, other[i].count, other[i].to_ram), EDU_REFUSED,
		   "%s is not", other[i].what);
		eq(msis, 0, "no message");
	}
	refuse = false;
	set(REG_X_TAG, 0);
	set(REG_X_MODE, 0);
}

static u32 ext_cap(u16 id)
{
	u32 off = 0x100, head;

	while (off) {
		head = rd(&vm, cfg + off, 4);
		if ((head & 0xffff) == id)
			return off;
		off = head >> 20;
	}
	return 0;
}

static void test_capabilities(void)
{
	u32 pasid = ext_cap(PCI_EXT_CAP_ID_PASID), ats = ext_cap(PCI_EXT_CAP_ID_ATS),
	    pri = ext_cap(PCI_EXT_CAP_ID_PRI);

	ok(pasid && ats && pri, "PASID, ATS and PRI are there");
	eq(rd(&vm, cfg + pasid + PCI_PASID_CAP, 2), 0x1406, "PASID: 20 bits, execute, privileged");
	eq(rd(&vm, cfg + ats + PCI_ATS_CAP, 2), 0x60, "ATS: page-aligned, global invalidation");
	eq(rd(&vm, cfg + pri + PCI_PRI_STATUS, 2), 0x8100, "PRI: stopped, PASID in responses");
	eq(rd(&vm, cfg + pri + PCI_PRI_MAX_REQ, 4), EDU_PRI_MAX, "PRI: its capacity");
	eq(rd(&vm, cfg + pri + PCI_PRI_ALLOC_REQ, 4), 0, "PRI: nothing is allocated");
	wr(&vm, cfg + pasid + PCI_PASID_CAP, 4, ~0u);
	wr(&vm, cfg + ats + PCI_ATS_CAP, 4, ~0u);
	wr(&vm, cfg + pri + PCI_PRI_CTRL, 4, ~0u);
	wr(&vm, cfg + pri + PCI_PRI_MAX_REQ, 4, 1);
	eq(rd(&vm, cfg + pasid + PCI_PASID_CAP, 4), 0x00071406, "PASID: what can be written");
	eq(rd(&vm, cfg + ats + PCI_ATS_CAP, 4), 0x801f0060, "ATS: what can be written");
	eq(rd(&vm, cfg + pri + PCI_PRI_CTRL, 4), 0x80000001, "PRI: what can be written");
	eq(rd(&vm, cfg + pri + PCI_PRI_MAX_REQ, 4), EDU_PRI_MAX, "PRI: the capacity cannot");
	flr();
	eq(rd(&vm, cfg + pri + PCI_PRI_CTRL, 4), 0x81000000, "FLR: as before");
}

static void test_hostile(void)
{
	static const u64 odd[] = { 0, 1, 4095, 4096, 4097, 0x7fffffffffffffff, ~0ULL };
	u64 ends[] = { 0,     EDU_BUF_BASE - 1, EDU_BUF_BASE + 4095, EDU_BUF_BASE + 4096,
		       ~0ULL, 64 * MiB - 1 };
	u64 seed = 1;

	for (u32 mode = 0; mode < 8; mode++) {
		set(REG_X_MODE, mode);
		for (unsigned int i = 0; i < ARRAY_SIZE(odd); i++)
			for (unsigned int j = 0; j < ARRAY_SIZE(ends); j++)
				for (unsigned int k = 0; k < ARRAY_SIZE(ends); k++) {
					dma(ends[j], ends[k], odd[i], true);
					dma(ends[j], ends[k], odd[i], false);
				}
	}
	ok(true, "lengths and addresses of every kind");
	for (unsigned int i = 0; i < 40; i++)
		maps[i] = (struct fake_map){
			.addr = 0x100000 + i * 4096,
			.size = 4096,
			.gpa = 0x100000 + i * 4096,
			.pasid = i % 3 ? DMA_NO_PASID : i,
			.perm = i & 3,
		};
	for (unsigned int i = 0; i < 300000; i++) {
		u64 off, val;

		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		off = (seed >> 40) % 4 ? (seed >> 33) % 0x170
				       : EDU_BUF_BASE - 8 + (seed >> 33) % 4112;
		val = seed >> 7;
		if (seed >> 63)
			val = 0x100000 + val % 8192;
		wr(&vm, regs + off, 1 + (seed >> 50) % 8, val);
		rd(&vm, regs + off, 1 + (seed >> 53) % 8);
		if (i % 64 == 0)
			wr(&vm, cfg + edus[0].ats_cap + (seed >> 20) % 40, 1 + (seed >> 10) % 4,
			   seed >> 30);
		if (i % 50 == 0)
			listener->page_response(listener,
						seed & 1 ? DMA_NO_PASID : (seed >> 4) % 40,
						(seed >> 12) % 512, (seed >> 24) % 16);
		if (i % 50 == 25)
			listener->invalidate(listener, (seed >> 4) % 40, val, val >> 33, seed & 4);
		answer_at_once = i % 300 < 100 ? (int)((seed >> 28) % 3) : -1;
	}
	answer_at_once = -1;
	memset(maps, 0, sizeof(maps));
	ok(edu_pri__outstanding(&edus[0]) <= EDU_PRI_MAX, "300000 accesses of any width anywhere");
	flr();
	ok(reg(REG_LIVE) == 0 && rd(&vm, regs + EDU_BUF_BASE, 8) == 0, "FLR clears all");
	ok(!reg(REG_X_MODE) && !reg(REG_TLB_COUNT) && !reg(REG_PRI_WAITING) && !reg(REG_PRI_SENT),
	   "the device-TLB and page requests too");
	wr(&vm, cfg + PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	requests = 0;
	eq(dma(0x100000, EDU_BUF_BASE, 4, true), EDU_NO_MASTER, "no DMA without bus mastering");
	eq(requests, 0, "not even a request");
}

int main(void)
{
	fake_machine(EDU_MAX);
	eq(listeners, EDU_MAX, "each hears of invalidations");
	errs = 0;
	eq(edu_parse(NULL), (u64)-EINVAL, "one more is refused");
	eq(errs, 1, "in one line");
	test_requests();
	test_interrupts();
	test_capabilities();
	test_hostile();
	edu_teardown(&vm);
	eq(routes, 0, "teardown frees the vectors");
	eq(listeners, 0, "and nobody listens");
	errs = 0;
	routes_max = 10;
	eq(edu_setup(&vm), (u64)-EMFILE, "out of descriptors: set-up fails");
	ok(errs == 1 && routes == 0 && listeners == 0, "in one line, and undoes what it did");
	fake_machine_end();
	return tap_done();
}
