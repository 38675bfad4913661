/* SPDX-License-Identifier: GPL-2.0-only */

/* The test device's device-TLB and page requests. */

#include "edu_fake.h"

#define PAGE 0x200000ULL /* RAM */
#define VA   0x7000000000ULL

static void config16(u32 off, u16 val)
{
	wr(&vm, cfg + off, 2, val);
}

static u16 pri_status(void)
{
	return rd(&vm, cfg + edus[0].pri_cap + PCI_PRI_STATUS, 2);
}

static void pri_allocate(u32 n)
{
	wr(&vm, cfg + edus[0].pri_cap + PCI_PRI_ALLOC_REQ, 4, n);
}

static void start(u32 mode, u32 tag)
{
	flr();
	memset(maps, 0, sizeof(maps));
	requests = ats_requests = page_requests = 0;
	refuse = refuse_ats = false;
	answer_at_once = -1;
	config16(edus[0].ats_cap + PCI_ATS_CTRL, PCI_ATS_CTRL_ENABLE);
	pri_allocate(8);
	config16(edus[0].pri_cap + PCI_PRI_CTRL, PCI_PRI_CTRL_ENABLE);
	set(REG_X_MODE, mode);
	set(REG_X_TAG, tag);
}

static void map_page(unsigned int i, u64 addr, u64 size, u32 pasid, u8 perm)
{
	maps[i] = (struct fake_map){
		.addr = addr, .size = size, .gpa = PAGE, .pasid = pasid, .perm = perm
	};
}

/* What the device-TLB has of @addr. */
static u32 probe_at(u64 addr)
{
	wr(&vm, regs + REG_TLB_PROBE, 8, addr);
	return reg(REG_TLB_FOUND);
}

#define RW		 (DMA_READ | DMA_WRITE)
#define HIT(shift, perm) (FOUND_HIT | (shift) << 8 | (perm))

static void test_translate(void)
{
	start(EDU_MODE_ATS, 0);
	map_page(0, VA, 4096, DMA_NO_PASID, RW);
	eq(dma(VA + 8, EDU_BUF_BASE, 4, true), EDU_DONE, "a DMA by the device-TLB");
	ok(last_ats.addr == VA && last_ats.access == RW && last_ats.pasid == DMA_NO_PASID,
	   "asked for its page, to read and write");
	ok(last.addr == PAGE + 8 && last.access == (DMA_WRITE | DMA_TRANSLATED),
	   "and sent a translated request");
	eq(dma(VA + 16, EDU_BUF_BASE, 4, true), EDU_DONE, "another one");
	eq(ats_requests, 1, "asks no more");
	ok(reg(REG_TLB_COUNT) == 1 && reg(REG_TLB_REQUESTS) == 1, "as the registers say");
	eq(probe_at(VA + 0x123), HIT(12, RW), "the probe finds it");
	eq(rd(&vm, regs + REG_TLB_ADDR, 8), PAGE + 0x123, "and where it leads");
	eq(probe_at(VA + 4096), 0, "not the next page");
	eq(rd(&vm, regs + REG_TLB_ADDR, 8), ~0ULL, "which leads nowhere");
	set(REG_X_TAG, EDU_TAG_VALID | 5);
	eq(probe_at(VA), 0, "nor that of a PASID");

	start(EDU_MODE_ATS, EDU_TAG_VALID | 5);
	map_page(0, VA, 2 * MiB, 5, DMA_READ);
	eq(dma(VA + 0x3000, EDU_BUF_BASE, 4, false), EDU_DONE, "a read with PASID");
	eq(last_ats.access, DMA_READ, "is asked for without write");
	eq(last.pasid, DMA_NO_PASID, "the translated request has no PASID (VT-d 4.2.1)");
	eq(last.addr, PAGE + 0x3000, "and goes to its part of the large page");
	eq(probe_at(VA + 0x1ff000), HIT(21, DMA_READ), "which is one entry");
	set(REG_X_TAG, EDU_TAG_VALID | EDU_TAG_PRIV | 5);
	eq(probe_at(VA), 0, "privileged requests have their own");
	set(REG_X_TAG, EDU_TAG_VALID | 5);
	eq(dma(VA, EDU_BUF_BASE, 4, true), EDU_NO_ACCESS, "a write is not granted");
	eq(ats_requests, 2, "though it was asked for anew");
	eq(reg(REG_TLB_COUNT), 1, "in place of the old entry");
	maps[0].perm = RW;
	eq(dma(VA, EDU_BUF_BASE, 4, true), EDU_DONE, "granted later, it is done");
	set(REG_X_TAG, EDU_TAG_VALID | EDU_TAG_EXEC | 5);
	eq(dma(VA, EDU_BUF_BASE, 4, false), EDU_NO_ACCESS, "to execute is not granted");

	start(EDU_MODE_ATS, 0);
	eq(dma(VA, EDU_BUF_BASE, 4, false), EDU_NO_ACCESS, "nothing there");
	eq(reg(REG_TLB_COUNT), 0, "is not kept");
	refuse_ats = true;
	eq(dma(VA, EDU_BUF_BASE, 4, false), EDU_REFUSED, "a refused translation request");
	eq(requests, 0, "and no access at all");
	refuse_ats = false;
	map_page(0, VA, 4096, DMA_NO_PASID, RW);
	refuse = true;
	eq(dma(VA, EDU_BUF_BASE, 4, false), EDU_REFUSED, "a refused translated request");
	refuse = false;
	map_page(1, VA + 4096, 4096, DMA_NO_PASID, RW);
	eq(dma(VA + 4092, EDU_BUF_BASE, 8, false), EDU_DONE, "two pages in one DMA");
	ok(last.addr == PAGE && reg(REG_TLB_COUNT) == 2, "take two entries");
	eq(dma(~0ULL - 3, EDU_BUF_BASE, 8, false), EDU_REFUSED, "around the end of the addresses");

	/* VT-d Table 30, S.1: what the interrupt range is answered with. */
	start(EDU_MODE_ATS, 0);
	map_page(0, 0xfee00000, 4096, DMA_NO_PASID, DMA_WRITE);
	maps[0].untranslated = true;
	msis = 0;
	eq(dma(0xfee00010, EDU_BUF_BASE, 4, true), EDU_DONE, "a dword to the interrupt range");
	ok(msis == 1 && last_msi.addr == 0xfee00010, "is an interrupt");
	ok(ats_requests == 1 && requests == 0, "once the device-TLB was asked");
	maps[0].untranslated = false;
	set(REG_TLB_FLUSH, 0);
	eq(dma(0xfee00010, EDU_BUF_BASE, 4, true), EDU_DONE, "were it translated");
	ok(msis == 1 && last.addr == PAGE + 0x10 && last.access == (DMA_WRITE | DMA_TRANSLATED),
	   "it would be a translated request");

	start(EDU_MODE_ATS, EDU_TAG_VALID | 5);
	map_page(0, VA, 4096, 5, DMA_WRITE);
	maps[0].untranslated = true;
	dma(VA + 4, EDU_BUF_BASE, 4, true);
	ok(last.addr == VA + 4 && last.access == DMA_WRITE && last.pasid == 5,
	   "an untranslated-only page is accessed so");
	maps[0].untranslated = false;
	maps[0].global = true;
	set(REG_TLB_FLUSH, 0);
	eq(reg(REG_TLB_COUNT), 0, "emptied by its register");
	dma(VA, EDU_BUF_BASE, 4, true);
	set(REG_X_TAG, EDU_TAG_VALID | 6);
	eq(probe_at(VA), HIT(12, DMA_WRITE) | 1 << 3, "a global page serves all PASIDs");
	set(REG_X_TAG, 0);
	eq(probe_at(VA), 0, "but not requests without");

	config16(edus[0].ats_cap + PCI_ATS_CTRL, 0);
	eq(reg(REG_TLB_COUNT), 0, "ATS off empties the device-TLB");
	ats_requests = 0;
	eq(dma(PAGE, EDU_BUF_BASE, 4, true), EDU_DONE, "and DMA");
	ok(!ats_requests && last.access == DMA_WRITE, "is untranslated");
}

static void test_capacity(void)
{
	start(EDU_MODE_ATS, 0);
	for (unsigned int i = 0; i < 80; i++) {
		map_page(i, VA + i * 4096, 4096, DMA_NO_PASID, RW);
		dma(VA + i * 4096, EDU_BUF_BASE, 4, true);
	}
	eq(reg(REG_TLB_COUNT), EDU_TLB_SIZE, "the device-TLB is bounded");
	ok(!probe_at(VA + 15 * 4096) && probe_at(VA + 16 * 4096), "the oldest went first");
}

struct inv_case {
	const char *what;
	u64 addr, len;
	u32 pasid;
	bool all;
	u32 left; /* bit per entry: A B of PASID 5, C without */
};

static void test_invalidate(void)
{
	static const struct inv_case cases[] = {
		{ "one page", VA, 4096, 5, false, 6 },
		{ "the other page", VA + 4096, 4096, 5, false, 5 },
		{ "both", VA, 8192, 5, false, 4 },
		{ "a range that begins below", VA - 8192, 12288, 5, false, 6 },
		{ "neither", VA + 8192, 4096, 5, false, 7 },
		{ "another PASID", VA, 8192, 6, false, 7 },
		{ "a PASID's all", 0, 0, 5, false, 4 },
		{ "no PASID", VA, 4096, DMA_NO_PASID, false, 3 },
		{ "no PASID's all", 0, 0, DMA_NO_PASID, false, 3 },
		{ "one page of all PASIDs", VA, 4096, 0, true, 2 },
		{ "all", 0, 0, 0, true, 0 },
		{ "up to the last address", VA, -VA, 5, false, 4 },
		{ "the last page", -4096ULL, 4096, 5, false, 7 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct inv_case *c = &cases[i];
		u32 left = 0;

		start(EDU_MODE_ATS, EDU_TAG_VALID | 5);
		map_page(0, VA, 4096, 5, RW);
		map_page(1, VA + 4096, 4096, 5, RW);
		map_page(2, VA, 4096, DMA_NO_PASID, RW);
		dma(VA, EDU_BUF_BASE, 4, true);
		dma(VA + 4096, EDU_BUF_BASE, 4, true);
		set(REG_X_TAG, 0);
		dma(VA, EDU_BUF_BASE, 4, true);
		listener->invalidate(listener, c->pasid, c->addr, c->len, c->all);
		left |= probe_at(VA) ? 4 : 0;
		set(REG_X_TAG, EDU_TAG_VALID | 5);
		left |= (probe_at(VA) ? 1 : 0) | (probe_at(VA + 4096) ? 2 : 0);
		eq(left, c->left, "invalidated: %s", c->what);
		eq(reg(REG_TLB_DROPPED), 3 - (u32)__builtin_popcount(left), "and counted: %s",
		   c->what);
		eq(reg(REG_TLB_INVS), 1, "as one invalidation: %s", c->what);
	}
	start(EDU_MODE_ATS, 0);
	map_page(0, VA, 2 * MiB, DMA_NO_PASID, RW);
	dma(VA, EDU_BUF_BASE, 4, true);
	listener->invalidate(listener, DMA_NO_PASID, VA + 0x155000, 4096, false);
	eq(reg(REG_TLB_COUNT), 0, "a page inside a large page takes it all");
}

static void answer(enum dma_page_resp code)
{
	listener->page_response(listener, last_page.pasid, last_page.prgi, code);
}

static void test_page_request(void)
{
	u32 *ram = mem__ptr(vm.mem, PAGE, 4096);

	start(EDU_MODE_ATS | EDU_MODE_PRI, EDU_TAG_VALID | EDU_TAG_PRIV | 5);
	ram[0] = 0;
	wr(&vm, regs + EDU_BUF_BASE, 4, 0xfeed);
	eq(dma(VA + 0xffc, EDU_BUF_BASE, 4, true), EDU_PENDING, "a page is missing");
	eq(reg(REG_DMA_CMD), EDU_CMD_START | EDU_CMD_TO_RAM, "the DMA is not over");
	ok(last_page.addr == VA && last_page.pasid == 5 && last_page.last &&
	       last_page.access == (DMA_WRITE | DMA_PRIV) && last_page.sid == edus[0].pci.bdf,
	   "it was asked for");
	ok(reg(REG_PRI_WAITING) == 1 && reg(REG_PRI_SENT) == 1, "one is outstanding");
	eq(dma(VA + 0x5000, EDU_BUF_BASE, 4, true), EDU_PENDING, "a second start");
	eq(page_requests, 1, "does nothing");
	set(REG_DMA_CMD, 0);
	eq(reg(REG_DMA_CMD), EDU_CMD_START, "nor can it be stopped so");
	set(REG_X_TAG, 0);
	set(REG_X_MODE, 0);
	listener->page_response(listener, 5, (last_page.prgi + 1) & 0x1ff, DMA_PAGE_OK);
	ok(pri_status() & PCI_PRI_STATUS_UPRGI, "another group's response is unexpected");
	listener->page_response(listener, DMA_NO_PASID, last_page.prgi, DMA_PAGE_OK);
	eq(reg(REG_X_RESULT), EDU_PENDING, "and so is one without its PASID");
	map_page(0, VA, 4096, 5, RW);
	answer(DMA_PAGE_OK);
	eq(reg(REG_X_RESULT), EDU_DONE, "the response lets it finish, as it was started");
	ok(ram[1023] == 0xfeed && !reg(REG_DMA_CMD), "at its place");
	eq(reg(REG_PRI_LAST), BIT(31) | last_page.prgi, "the response can be seen");
	eq(reg(REG_PRI_LAST_PASID), BIT(31) | 5, "and its PASID");
	ok(!reg(REG_PRI_WAITING) && reg(REG_PRI_RESPONSES) == 3, "nothing is outstanding");

	start(EDU_MODE_ATS | EDU_MODE_PRI, 0);
	wr(&vm, regs + REG_DMA_DST, 8, EDU_BUF_BASE);
	wr(&vm, regs + REG_DMA_SRC, 8, VA);
	wr(&vm, regs + REG_DMA_COUNT, 8, 4);
	set(REG_DMA_CMD, EDU_CMD_START | EDU_CMD_IRQ);
	eq(last_page.access, DMA_READ, "a read asks to read");
	eq(reg(REG_IRQ_STATUS), 0, "pending: no interrupt yet");
	answer(DMA_PAGE_INVALID);
	eq(reg(REG_X_RESULT), EDU_INVALID, "answered as invalid");
	eq(reg(REG_IRQ_STATUS), EDU_IRQ_DMA, "then it comes");
	eq(reg(REG_PRI_LAST), BIT(31) | 1 << 12 | last_page.prgi, "with its code");

	page_requests = 0;
	dma(VA, EDU_BUF_BASE, 4, false);
	for (unsigned int i = 0; i < 20; i++)
		if (reg(REG_X_RESULT) == EDU_PENDING)
			answer(DMA_PAGE_OK);
	eq(reg(REG_X_RESULT), EDU_NO_SUCCESS, "success that is never true");
	eq(page_requests, 8, "is believed eight times");
	page_requests = ats_requests = 0;
	answer_at_once = DMA_PAGE_OK;
	eq(dma(VA, EDU_BUF_BASE, 4, false), EDU_NO_SUCCESS, "the same at once");
	ok(page_requests == 8 && ats_requests == 9, "as often");
	answer_at_once = DMA_PAGE_INVALID;
	eq(dma(VA, EDU_BUF_BASE, 4, false), EDU_INVALID, "invalid at once");
	answer_at_once = DMA_PAGE_FAILED;
	eq(dma(VA, EDU_BUF_BASE, 4, false), EDU_FAILED, "failed at once");
}

static void send(u64 addr, u32 bits)
{
	wr(&vm, regs + REG_PRI_ADDR, 8, addr);
	set(REG_PRI_SEND, bits);
}

static void test_pri_registers(void)
{
	u32 ctrl = edus[0].pri_cap + PCI_PRI_CTRL;

	start(EDU_MODE_ATS | EDU_MODE_PRI, EDU_TAG_VALID | EDU_TAG_EXEC | 6);
	send(VA + 0x123, 0x1ff | SEND_READ);
	ok(last_page.addr == VA && last_page.prgi == 0x1ff && !last_page.last &&
	       last_page.pasid == 6 && last_page.access == (DMA_READ | DMA_EXEC),
	   "any page request can be sent");
	eq(reg(REG_PRI_SEND), SEND_DONE, "and was");
	send(VA, 0x1ff | SEND_WRITE | SEND_LAST);
	ok(last_page.last && last_page.access == DMA_WRITE, "the last of its group");
	eq(reg(REG_PRI_WAITING), 2, "two of one group are outstanding");
	answer(DMA_PAGE_OK);
	eq(reg(REG_PRI_WAITING), 0, "one response ends both");
	send(VA, SEND_LAST);
	ok(last_page.last && !last_page.access && !reg(REG_PRI_WAITING),
	   "a stop marker waits for nothing");
	for (unsigned int i = 0; i < 10; i++)
		send(VA, i | SEND_READ);
	ok(reg(REG_PRI_SEND) == SEND_REFUSED && reg(REG_PRI_WAITING) == 8,
	   "no more than allocated");
	eq(dma(VA, EDU_BUF_BASE, 4, true), EDU_NO_ACCESS, "not for a DMA either");

	config16(ctrl, 0);
	eq(pri_status() & PCI_PRI_STATUS_STOPPED, 0, "disabled, but not stopped");
	config16(ctrl, PCI_PRI_CTRL_RESET);
	eq(pri_status() & PCI_PRI_STATUS_STOPPED, PCI_PRI_STATUS_STOPPED, "until it is reset");
	eq(rd(&vm, cfg + ctrl, 2), 0, "the reset bit reads as 0");
	eq(reg(REG_PRI_WAITING), 0, "nothing is outstanding");
	send(VA, SEND_READ | SEND_LAST);
	eq(reg(REG_PRI_SEND), SEND_REFUSED, "disabled, nothing is sent");
	eq(dma(VA, EDU_BUF_BASE, 4, true), EDU_NO_ACCESS, "not for a DMA either");
	config16(ctrl, PCI_PRI_CTRL_ENABLE);
	pri_allocate(1000);
	for (unsigned int i = 0; i < 40; i++)
		send(VA, i | SEND_READ);
	eq(reg(REG_PRI_WAITING), EDU_PRI_MAX, "an allocation beyond the capacity is the capacity");
	config16(ctrl, PCI_PRI_CTRL_ENABLE | PCI_PRI_CTRL_RESET);
	eq(reg(REG_PRI_WAITING), EDU_PRI_MAX, "reset does nothing while enabled");
	config16(ctrl, PCI_PRI_CTRL_RESET);

	config16(ctrl, PCI_PRI_CTRL_ENABLE);
	answer(DMA_PAGE_OK);
	eq(pri_status() & PCI_PRI_STATUS_UPRGI, PCI_PRI_STATUS_UPRGI, "unexpected: flagged");
	config16(edus[0].pri_cap + PCI_PRI_STATUS, PCI_PRI_STATUS_UPRGI);
	eq(pri_status() & PCI_PRI_STATUS_UPRGI, 0, "and cleared by writing 1");
	send(VA, 3 | SEND_READ | SEND_LAST);
	dma(VA, EDU_BUF_BASE, 4, true);
	listener->page_response(listener, 6, 3, DMA_PAGE_FAILED);
	eq(pri_status() & PCI_PRI_STATUS_RF, PCI_PRI_STATUS_RF, "a response failure");
	ok(reg(REG_X_RESULT) == EDU_FAILED && !reg(REG_PRI_WAITING), "ends all that waits");
	send(VA, SEND_READ | SEND_LAST);
	eq(reg(REG_PRI_SEND), SEND_REFUSED, "and stops page requests");
	config16(ctrl, 0);
	config16(ctrl, PCI_PRI_CTRL_ENABLE);
	eq(pri_status() & PCI_PRI_STATUS_RF, 0, "until they are enabled anew");
	send(VA, SEND_READ | SEND_LAST);
	eq(reg(REG_PRI_SEND), SEND_DONE, "and sent again");

	config16(ctrl, 0);
	config16(ctrl, PCI_PRI_CTRL_RESET);
	config16(ctrl, PCI_PRI_CTRL_ENABLE);
	dma(VA, EDU_BUF_BASE, 4, true);
	config16(ctrl, 0);
	config16(ctrl, PCI_PRI_CTRL_RESET);
	eq(reg(REG_X_RESULT), EDU_NO_ACCESS, "reset under a waiting DMA ends it");

	start(EDU_MODE_ATS | EDU_MODE_PRI, 0);
	send(VA, 1 | SEND_READ);
	dma(VA, EDU_BUF_BASE, 4, true);
	eq(last_page.prgi, 2, "a DMA's request is not of a group that is outstanding");
	start(EDU_MODE_ATS | EDU_MODE_PRI, 0);
	eq(dma(VA, EDU_BUF_BASE, 4, true), EDU_PENDING, "a DMA waits");
	wr(&vm, cfg + PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	map_page(0, VA, 4096, DMA_NO_PASID, RW);
	answer(DMA_PAGE_OK);
	eq(reg(REG_X_RESULT), EDU_NO_MASTER, "bus mastering went off meanwhile");

	start(EDU_MODE_ATS | EDU_MODE_PRI, 0);
	eq(dma(VA, EDU_BUF_BASE, 4, true), EDU_PENDING, "a DMA waits");
	flr();
	answer(DMA_PAGE_OK);
	ok(!reg(REG_X_RESULT) && !reg(REG_PRI_RESPONSES) && pri_status() == 0x8100,
	   "a response after FLR is ignored");
}

static void test_alone(void)
{
	struct dma_as *as = &edus[0].pci.dma;

	start(EDU_MODE_ATS | EDU_MODE_PRI, 0);
	as->ops = NULL;
	eq(dma(PAGE, EDU_BUF_BASE, 4, true), EDU_REFUSED, "without an IOMMU nobody translates");
	send(PAGE, SEND_READ | SEND_LAST);
	eq(reg(REG_PRI_WAITING), 1, "or answers");
	set(REG_X_MODE, 0);
	eq(dma(PAGE, EDU_BUF_BASE, 4, true), EDU_DONE, "plain DMA is done");
	as->ops = &fake_ops;
}

int main(void)
{
	fake_machine(1);
	test_translate();
	test_capacity();
	test_invalidate();
	test_page_request();
	test_pri_registers();
	test_alone();
	edu_teardown(&vm);
	fake_machine_end();
	return tap_done();
}
