/* SPDX-License-Identifier: GPL-2.0-only */
/* The page request queue (VT-d 7.4, 7.5): what gets into it, and what is answered instead. */

#include "iommu/vtd_regs.h"
#include "vtd_dma.h"

#define NONE DMA_NO_PASID
#define DTE  BIT(2)
#define PRE  BIT(4)
#define IOVA 0x40000000ULL

static u64 ring;

static struct {
	unsigned int n;
	u32 pasid;
	u16 prgi;
	enum dma_page_resp code;
} response;

static void respond(struct dma_listener *l, u32 pasid, u16 prgi, enum dma_page_resp code)
{
	response.n++;
	response.pasid = pasid;
	response.prgi = prgi;
	response.code = code;
}

static void told(struct dma_listener *l, u32 pasid, u64 addr, u64 len, bool all)
{
}

static struct dma_listener device = {
	.invalidate = told, .page_response = respond, .ats = true, .sid = SID
};

static void request(u32 pasid, u64 addr, u8 access, u16 prgi, bool last)
{
	const struct dma_page_req req = { .addr = addr,
					  .pasid = pasid,
					  .sid = SID,
					  .prgi = prgi,
					  .access = access,
					  .last = last };

	memset(&response, 0, sizeof(response));
	n_faults = n_events = 0;
	vtd_dma_ops.page_request(&vtd, &req);
}

static bool answered(u32 pasid, u16 prgi, enum dma_page_resp code)
{
	return response.n == 1 && response.pasid == pasid && response.prgi == prgi &&
	       response.code == code;
}

/* A device that may ask, and a queue of @pages (a power of two). */
static u64 start_prq(unsigned int pqs)
{
	u64 fs, ctx;

	start(VTD_TTM_SCALABLE);
	vtd.listeners = NULL;
	vtd_dma_ops.listen(&vtd, &device);
	fs = page_new();
	pasid_set(&vtd, SID, 0, PE(1), 5 | PE_PWSNP, fs);
	pasid_set(&vtd, SID, 7, PE(1), 5 | PE_PWSNP, fs);
	ctx = sm_context_set(&vtd, SID);
	put(ctx, get(ctx) | DTE | PRE);
	ring = page_new();
	for (unsigned int i = 1; i < 1u << pqs; i++)
		page_new();
	vtd.pqa = ring | pqs;
	return fs;
}

static u64 word(u64 at, unsigned int n)
{
	return get(ring + at + 8 * n);
}

static void test_descriptor(void)
{
	start_prq(0);
	request(NONE, IOVA, R, 5, true);
	eq(word(0, 0), 1 | (u64)SID << 16, "type and requester, no PASID");
	eq(word(0, 1), IOVA | 5 << 3 | BIT(2) | BIT(0), "address, group, last, read");
	eq(word(0, 2) | word(0, 3), 0, "the rest is zero");
	eq(vtd.pqt, 32, "the tail is behind it");
	eq(vtd.prs, VTD_PRS_PPR, "PPR");
	eq(n_events, 1, "an event");
	eq(response.n + n_faults, 0, "no answer yet");
	request(7, 0xffff800000001000, W, 0x1ff, false);
	eq(word(32, 0), 1 | BIT(8) | (u64)SID << 16 | 7ULL << 32, "with PASID");
	eq(word(32, 1), 0xffff800000001000 | 0x1ffULL << 3 | BIT(1), "write, not the last");
	eq(n_events, 0, "no event while one is to be serviced");
	request(7, IOVA, R | DMA_EXEC | DMA_PRIV, 0, true);
	eq(word(64, 0), 1 | BIT(8) | (u64)SID << 16 | 7ULL << 32 | BIT(52) | BIT(53),
	   "execute and privileged");
	request(NONE, IOVA, R | DMA_EXEC | DMA_PRIV, 0, true);
	eq(word(96, 0), 1 | (u64)SID << 16, "which nothing is without PASID");
	request(7, 0, 0, 3, true);
	eq(word(128, 1), 3 << 3 | BIT(2), "a stop marker");
	eq(vtd.pqt, 160, "five in all");
	vtd.prs = 0;
	request(NONE, IOVA, R, 0, true);
	eq(n_events, 1, "PPR serviced: a new event");
}

static void test_full(void)
{
	start_prq(0);
	for (unsigned int i = 0; i < 127; i++)
		request(NONE, IOVA, R, i, true);
	eq(vtd.pqt, 127 * 32, "a page of 128 takes 127");
	eq(vtd.prs, VTD_PRS_PPR, "without overflow");
	request(NONE, IOVA, R, 200, false);
	eq(vtd.prs, VTD_PRS_PPR | VTD_PRS_PRO, "one more overflows");
	eq(response.n + n_faults + n_events, 0, "and is dropped: no answer, fault or event");
	request(NONE, IOVA, R, 201, true);
	ok(answered(NONE, 201, DMA_PAGE_OK), "the last of a group is told Success");
	request(7, 0, 0, 3, true);
	eq(response.n, 0, "a stop marker has no answer");
	eq(vtd.pqt, 127 * 32, "the tail stays");
	eq(word(127 * 32, 0), 0, "nothing is written");

	vtd.pqh = 127 * 32;
	request(7, IOVA, R, 202, true);
	ok(answered(7, 202, DMA_PAGE_OK) && vtd.pqt == 127 * 32,
	   "room again, but PRO set: the same");
	vtd.prs = 0;
	request(7, IOVA, R, 203, true);
	ok(!response.n && vtd.pqt == 0 && n_events == 1, "PRO cleared: in, around the end");

	/* The event of an overflow alone. */
	vtd.pqh = 32;
	vtd.prs = 0;
	request(7, IOVA, R, 204, true);
	eq(vtd.prs, VTD_PRS_PRO, "full at once");
	eq(n_events, 1, "has an event of its own");

	start_prq(2);
	for (unsigned int i = 0; i < 511; i++)
		request(NONE, IOVA, R, i, true);
	ok(vtd.pqt == 511 * 32 && vtd.prs == VTD_PRS_PPR, "PQS=2: four times as many");
	request(NONE, IOVA, R, 0, true);
	eq(vtd.prs, VTD_PRS_PPR | VTD_PRS_PRO, "and not one more");
	/* The guest shrinks a queue in use. */
	vtd.prs = 0;
	vtd.pqa = ring;
	vtd.pqt = 511 * 32;
	vtd.pqh = 300 * 32;
	request(NONE, IOVA, R, 0, true);
	ok(!vtd.pqt && vtd.prs == VTD_PRS_PPR, "shrunk: the tail is brought inside");

	start_prq(0);
	vtd.pqa = GUEST_RAM;
	request(NONE, IOVA, R, 9, true);
	ok(answered(NONE, 9, DMA_PAGE_INVALID) && !vtd.pqt && !vtd.prs,
	   "a queue outside of memory");
	vtd.pqa = GENMASK(63, 12);
	request(NONE, IOVA, R, 9, true);
	ok(answered(NONE, 9, DMA_PAGE_INVALID) && !vtd.pqt, "or at the end of the address space");
}

/* Each refusal with and without the need of an answer. */
static void test_refused(void)
{
	static const struct {
		const char *what;
		u64 clear, set; /* in the context entry */
		u32 pasid;
		u8 reason;
	} t[] = {
		{ "PRE=0", PRE, 0, NONE, 0x47 },
		{ "PRE without DTE", DTE, 0, NONE, 0x43 },
		{ "PASIDE=0", BIT(3), 0, 7, 0x45 },
		{ "context P=0", 1, 0, NONE, 0x41 },
		{ "context reserved bit", 0, BIT(7), NONE, 0x42 },
		{ "PASID entry P=0", 0, 0, 9, 0x59 },
		{ "PASID directory P=0", 0, 0, 1000, 0x51 },
		{ "PASID beyond the directory", 0, 0, BIT(13), 0x46 },
		{ "PASID is RID_PASID", 0, 0, 0, 0x48 },
		{ "context P=0 with FPD", 1, 2, NONE, 0x41 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(t); i++) {
		u64 ctx;

		start_prq(0);
		ctx = context_gpa(&vtd, SID);
		put(ctx, (get(ctx) & ~t[i].clear) | t[i].set);
		request(t[i].pasid, IOVA, R, 5, true);
		ok(answered(t[i].pasid, 5, DMA_PAGE_INVALID) && n_faults == 1 &&
		       last_fault.reason == t[i].reason && last_fault.kind == VTD_PAGE_REQUEST &&
		       last_fault.addr == IOVA && last_fault.pasid == t[i].pasid &&
		       last_fault.fpd == !!(t[i].set & 2),
		   "%s: Invalid Request and fault %02xh", t[i].what, t[i].reason);
		request(t[i].pasid, IOVA, R, 5, false);
		ok(!response.n && n_faults == 1, "no answer if it is not the last");
		ok(!vtd.pqt && !vtd.prs, "nothing in the queue");
	}

	start_prq(0);
	vtd.root &= ~GENMASK(11, 10);
	request(NONE, IOVA, R, 5, true);
	ok(answered(NONE, 5, DMA_PAGE_INVALID) && last_fault.reason == 0x32, "legacy mode");
	start_prq(0);
	vtd.gsts = 0;
	request(NONE, IOVA, R, 5, true);
	ok(answered(NONE, 5, DMA_PAGE_INVALID) && !n_faults, "translation off: no fault");
	start_prq(0);
	vtd.ecap &= ~ECAP_PRS;
	request(NONE, IOVA, R, 5, true);
	ok(answered(NONE, 5, DMA_PAGE_INVALID) && !n_faults && !vtd.pqt, "PRS=0: no fault");
}

/* Table 27: what denied the access is gone, by itself. */
static void test_implicit(void)
{
	u64 fs = start_prq(0), pte, other, ss;

	pte = table_map(fs, 4, IOVA, 1, 0x9000 | 7, 7);
	other = table_map(fs, 4, IOVA + 0x1000, 1, 0xa000 | 7, 7);
	ok(dma(SID, NONE, IOVA, R) && dma(SID, NONE, IOVA + 0x1000, R), "two pages");
	put(pte, 0xb000 | 7);
	put(other, 0xb000 | 7);
	ok(dma(SID, NONE, IOVA, R) && out_gpa == 0x9000, "are cached");
	request(NONE, IOVA, W, 1, true);
	ok(dma(SID, NONE, IOVA, R) && out_gpa == 0xb000,
	   "first stage: a page request drops its own");
	ok(dma(SID, NONE, IOVA + 0x1000, R) && out_gpa == 0xa000, "and no other");

	ss = page_new();
	pasid_set(&vtd, SID, 0, PE(2) | PE_AW48 | ss, 8 | PE_PWSNP, 0);
	vtd_cache__clear(vtd.cache);
	pte = table_map(ss, 4, IOVA, 1, 0x9000 | 3, 3);
	ok(dma(SID, NONE, IOVA, R) && out_gpa == 0x9000, "second stage");
	put(pte, 0xb000 | 3);
	request(NONE, IOVA, W, 1, true);
	ok(dma(SID, NONE, IOVA, R) && out_gpa == 0xb000, "too");

	for (u64 gpa = 0; gpa < GUEST_RAM; gpa += 2 * MiB)
		table_map(ss, 4, gpa, 2, gpa | BIT(7) | 3, 3);
	pasid_set(&vtd, SID, 0, PE(3) | PE_AW48 | ss, 9 | PE_PWSNP, fs);
	vtd_cache__clear(vtd.cache);
	pte = table_map(fs, 4, IOVA, 1, 0x9000 | 7, 7);
	ok(dma(SID, NONE, IOVA, R) && out_gpa == 0x9000, "nested");
	put(pte, 0xb000 | 7);
	request(NONE, IOVA, W, 1, true);
	ok(dma(SID, NONE, IOVA, R) && out_gpa == 0xb000, "too");
}

int main(void)
{
	test_descriptor();
	test_full();
	test_refused();
	test_implicit();
	vtd_cache__free(vtd.cache);
	mem__free(guest_mem);
	return tap_done();
}
