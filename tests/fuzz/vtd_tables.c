/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Translation tables of any content.  A request that is answered from the caches must get what a
 * fresh lookup and walk of the same memory gives, and every byte of the range it is told; a page that
 * a device-TLB gets must be what walks give, too.  Page requests are in the queue, or refused.
 */

#include "tests/unit/vtd_dma.h"

#include "tests/fuzz/fuzz.h"

/* Where tables are: all that requests can change is here. */
#define ARENA	    0x10000ULL
#define ARENA_PAGES 24
#define ARENA_SIZE  (ARENA_PAGES * 4096)

#define MAX_REQUESTS 256
#define MAX_SEEN     64

static u8 before[ARENA_SIZE];

/*
 * Domains met since the caches were empty.  Entries of one domain with different tables make the
 * IOTLB's answer any of them (6.2.3.1), so that nothing can be compared.
 */
static struct vtd_ctx seen[MAX_SEEN];
static unsigned int n_seen;

static u8 *arena(void)
{
	return mem__ptr(guest_mem, ARENA, ARENA_SIZE);
}

static void forget(void)
{
	vtd_cache__clear(vtd.cache);
	n_seen = 0;
}

static bool ambiguous(const struct vtd_ctx *ctx)
{
	for (unsigned int i = 0; i < n_seen; i++) {
		if (seen[i].did != ctx->did)
			continue;
		if (seen[i].pasid == ctx->pasid) {
			if (memcmp(seen[i].raw, ctx->raw, sizeof(ctx->raw)))
				return true;
		} else if (seen[i].pgtt != VTD_PGTT_FS || ctx->pgtt != VTD_PGTT_FS) {
			return true; /* a second stage is the domain's, whatever the PASID */
		}
	}
	if (n_seen == MAX_SEEN)
		return true;
	seen[n_seen++] = *ctx;
	return false;
}

/* Entries of five bytes and more: which, what it points to, and the bits around. */
static void edit(struct input *in)
{
	const u8 page = in__u8(in), i = in__u8(in);
	const u16 bits = in__u16(in);
	const u8 target = in__u8(in);
	/* Requests are for low addresses mostly, so these entries count. */
	const u16 index = i < 0xc0 ? i & 63 : i * 8 % 512 + 7;
	u64 val = bits & 0xfff;

	/* Mostly a table; else memory, large pages, the interrupt range, or what is not there. */
	if (target < 0xc0)
		val |= ARENA + (target % ARENA_PAGES) * 4096ULL;
	else if (target < 0xe0)
		val |= (target & 0x1full) << 21;
	else if (target < 0xf0)
		val |= (target & 0xfull) << 30;
	else if (target == 0xf0)
		val |= VTD_MSI_BASE;
	else
		val |= in__u64(in);
	val |= (u64)(bits >> 12) << 60;
	memcpy(arena() + (page % ARENA_PAGES) * 4096 + index * 8, &val, 8);
}

static void entry(unsigned int page, unsigned int index, u64 val)
{
	put(ARENA + page * 4096 + index * 8, val);
}

static u64 at(unsigned int page)
{
	return ARENA + page * 4096;
}

/*
 * Something that works, to spoil: PASID i is of PGTT i + 1, in a domain of its own; the second stage
 * maps memory to itself, the first stage its first pages.
 */
static void skeleton(enum vtd_ttm ttm)
{
	for (unsigned int sid = 0; sid < 4 && ttm == VTD_TTM_LEGACY; sid++) {
		entry(1, sid * 2, at(8) | (sid == 3 ? 8 : sid == 2 ? 4 : 0) | 1);
		entry(1, sid * 2 + 1, (sid + 1) << 8 | 2); /* 48 bits */
	}
	for (unsigned int sid = 0; sid < 4 && ttm != VTD_TTM_LEGACY; sid++) {
		entry(1, sid * 4, at(2) | BIT(3) | (sid != 1 ? BIT(2) : 0) | (sid & 1 ? 0 : BIT(4)) | 1);
		entry(1, sid * 4 + 1, sid);
	}
	entry(0, 0, at(1) | 1);
	entry(2, 0, at(3) | 1);
	for (unsigned int pasid = 0; pasid < 4; pasid++) {
		entry(3, pasid * 8, PE(pasid + 1) | PE_AW48 | at(8));
		entry(3, pasid * 8 + 1, (pasid + 1) | PE_PWSNP);
		entry(3, pasid * 8 + 2, at(4));
	}
	for (unsigned int level = 0; level < 3; level++) {
		entry(4 + level, 0, at(5 + level) | 0x27);
		entry(8 + level, 0, at(9 + level) | 3);
	}
	for (u64 i = 1; i < 16; i++) { /* 1 GiB pages, one of which holds the interrupts */
		entry(5, i, i << 30 | 0xe7);
		entry(9, i, i << 30 | BIT(7) | 3);
	}
	for (unsigned int i = 0; i < 64; i++) {
		entry(7, i, i << 12 | 0x67);
		entry(10, i, (u64)i << 21 | BIT(7) | 3);
	}
}

static int cached(const struct dma_req *req, u64 *gpa, u64 *len)
{
	last_fault = (struct vtd_fault){ 0 };
	*gpa = *len = 0;
	return vtd_dma_ops.translate(&vtd, req, gpa, len);
}

static int fresh(const struct vtd_ctx *ctx, const struct dma_req *req, u64 addr, u64 *gpa,
		 struct vtd_fault *fault)
{
	u8 access = req->access;
	struct vtd_leaf leaf;

	if (req->pasid == DMA_NO_PASID) {
		access &= DMA_READ | DMA_WRITE;
		access |= ctx->rid_priv ? DMA_PRIV : 0;
	}
	if (vtd_walk__translate(&vtd, ctx, addr, access, &leaf, fault))
		return -EFAULT;
	*gpa = leaf.gpa | (addr & (BIT(leaf.shift) - 1));
	return 0;
}

static void check_answer(const struct dma_req *req, const struct vtd_ctx *ctx, int err, u64 gpa, u64 len)
{
	struct vtd_fault fault = { 0 };
	u64 want = 0;

	if (fresh(ctx, req, req->addr, &want, &fault)) {
		must(err, "what a walk refuses is refused");
		must(last_fault.reason == fault.reason, "for the same reason");
		must(last_fault.fpd == fault.fpd, "with the same FPD");
		return;
	}
	must(!err, "what a walk allows is allowed");
	must(gpa == want, "and goes to the same place");
	must(len && len - 1 <= ~0ULL - req->addr, "with a length that does not wrap");
	must(!fresh(ctx, req, req->addr + len - 1, &want, &fault), "its last byte is allowed too");
	must(want == gpa + len - 1, "and is that far away");
	must(want < VTD_MSI_BASE || gpa >= VTD_MSI_BASE + VTD_MSI_SIZE, "no interrupt is in it");
}

static struct dma_req any_request(struct input *in)
{
	static const u8 shifts[] = { 12, 21, 30, 39 };
	const u8 who = in__u8(in), where = in__u8(in);
	struct dma_req req = {
		.sid = who & 3,
		.pasid = who & 4 ? (who >> 3) & 3 : DMA_NO_PASID,
		.access = 1 + (who >> 5),
		.addr = (u64)(where & 63) << shifts[where >> 6],
	};

	req.addr |= in__u16(in) & 0xfff;
	if (who == 0xff) {
		req.sid = in__u16(in);
		req.pasid = in__u32(in) & 0xfffff;
		req.addr = in__u64(in);
		req.access = 1 + in__u8(in) % 15;
	}
	return req;
}

static void request(struct input *in)
{
	const struct dma_req req = any_request(in);
	struct vtd_fault fault = { 0 };
	struct vtd_ctx ctx;
	bool found;
	u64 gpa, len;
	int err;

	memcpy(before, arena(), ARENA_SIZE);
	found = !vtd_entry__lookup(&vtd, req.sid, req.pasid, &ctx, &fault);
	if (found && ambiguous(&ctx)) {
		forget();
		ambiguous(&ctx);
	}
	err = cached(&req, &gpa, &len);
	if (req.pasid == DMA_NO_PASID && vtd__is_msi(req.addr)) {
		must(err && last_fault.reason == 0x29, "an interrupt is no DMA");
		return;
	}
	if (!found) {
		must(err && last_fault.reason == fault.reason && last_fault.fpd == fault.fpd,
		     "without an entry there is its fault");
		return;
	}
	/* Accessed bits went into the tables they were found by: caches may now be stale. */
	if (memcmp(before, arena(), ARENA_SIZE)) {
		forget();
		return;
	}
	check_answer(&req, &ctx, err, gpa, len);
	if (memcmp(before, arena(), ARENA_SIZE)) /* by the walk of the last byte */
		forget();
}

/* --- ATS and page requests --- */

/* The function may do with the page what it is told. */
static void check_page(const struct dma_req *req, const struct vtd_ctx *ctx,
		       const struct dma_ats *ats)
{
	const u64 first = ALIGN_DOWN(req->addr, ats->size);

	must(ats->size >= 4096 && !(ats->size & (ats->size - 1)), "a page has a size");
	must(!(ats->gpa & (ats->size - 1)), "and is aligned to it");
	must(ats->gpa + ats->size <= VTD_MSI_BASE || ats->gpa >= VTD_MSI_BASE + VTD_MSI_SIZE,
	     "and has no interrupts in it");
	for (u8 right = DMA_READ; right <= DMA_WRITE; right <<= 1) {
		struct dma_req one = *req;
		struct vtd_fault fault = { 0 };
		u64 gpa = 0;

		if (!(ats->perm & right))
			continue;
		must(req->access & DMA_WRITE || right == DMA_READ, "No Write is obeyed");
		one.access = right | (req->access & (DMA_EXEC | DMA_PRIV));
		must(!fresh(ctx, &one, first, &gpa, &fault), "a walk allows its first byte");
		must(gpa == ats->gpa, "and goes to the same place");
		must(!fresh(ctx, &one, first + ats->size - 1, &gpa, &fault), "and its last");
		must(gpa == ats->gpa + ats->size - 1, "which is that far away");
	}
}

static void ats_request(struct input *in)
{
	const struct dma_req req = any_request(in);
	struct vtd_fault fault = { .kind = VTD_TRANSLATION };
	struct dma_ats ats;
	struct vtd_ctx ctx;
	bool found;
	int err;

	memcpy(before, arena(), ARENA_SIZE);
	found = !vtd_entry__lookup(&vtd, req.sid, req.pasid, &ctx, &fault);
	if (found && ambiguous(&ctx)) {
		forget();
		ambiguous(&ctx);
	}
	last_fault = (struct vtd_fault){ 0 };
	n_faults = 0;
	err = vtd_dma_ops.ats(&vtd, &req, &ats);
	must(!err || n_faults == 1, "a refusal is recorded, once");
	must(err || !n_faults || last_fault.reason == 0x91, "an answer is no fault");
	must(!ats.perm || !err, "who is refused gets nothing");
	if (!found) {
		must(!ats.perm && !ats.untranslated, "without an entry there is no translation");
		must(!err || last_fault.reason == fault.reason, "but its fault, if it is one");
	} else if (memcmp(before, arena(), ARENA_SIZE)) {
		forget();
	} else if (ats.perm && !ats.untranslated) {
		check_page(&req, &ctx, &ats);
		if (memcmp(before, arena(), ARENA_SIZE))
			forget();
	}
}

static void translated(struct input *in)
{
	struct dma_req req = any_request(in);
	struct vtd_fault fault = { .kind = VTD_TRANSLATED };
	struct vtd_ctx ctx;
	u64 gpa, len;
	bool want;
	int err;

	req.access |= DMA_TRANSLATED;
	want = !vtd_entry__lookup(&vtd, req.sid, req.pasid, &ctx, &fault) &&
	       !(req.addr >> vtd__haw(&vtd)) && !vtd__is_msi(req.addr);
	err = cached(&req, &gpa, &len);
	must(!err == want, "a translated request passes by its context entry and address alone");
	must(err || (gpa == req.addr && len && !((gpa + len - 1) >> vtd__haw(&vtd)) &&
		     (gpa + len <= VTD_MSI_BASE || gpa >= VTD_MSI_BASE + VTD_MSI_SIZE)),
	     "and goes where it says");
}

/* Behind all tables, so that they do not change. */
#define RING 0x200000ULL

static void page_request(struct input *in)
{
	const struct dma_req req = any_request(in);
	const u8 how = in__u8(in);
	const struct dma_page_req page = { .addr = ALIGN_DOWN(req.addr, 4096),
					   .pasid = req.pasid,
					   .sid = req.sid,
					   .prgi = how & 63,
					   .access = req.access,
					   .last = how & 64 };
	struct vtd_fault fault = { .kind = VTD_PAGE_REQUEST };
	const u64 tail = vtd.pqt & 4095, next = (tail + 32) & 4095;
	const bool full = next == (vtd.pqh & 4095) || vtd.prs & 2;
	struct vtd_ctx ctx;
	bool found;

	memcpy(before, arena(), ARENA_SIZE);
	found = !vtd_entry__lookup(&vtd, req.sid, req.pasid, &ctx, &fault);
	last_fault = (struct vtd_fault){ 0 };
	vtd_dma_ops.page_request(&vtd, &page);
	must(!memcmp(before, arena(), ARENA_SIZE), "a page request changes no table");
	must(found ? !last_fault.reason : last_fault.reason == fault.reason, "its fault");
	must((vtd.pqt & 4095) == (found && !full ? next : tail), "the tail");
	must(!found || vtd.prs & (full ? 2 : 1), "and the status");
	/* The guest goes on: the queue is empty, nearly full, or anything. */
	if (how & 128) {
		vtd.pqh = how & 32 ? vtd.pqt : vtd.pqt + 32 * (how & 3);
		if (!(how & 28))
			vtd.pqh = in__u16(in);
		vtd.pqh &= 0x7ffe0;
		vtd.prs = 0;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	const u8 how = in__u8(&in);
	struct vtd_config cfg = config_all();
	struct vtd_cache *cache = vtd.cache ? vtd.cache : vtd_cache__new();
	unsigned int requests = 0;

	cfg.fl5 = how & 4;
	cfg.ssads = how & 16;
	cfg.aw = how & 8 ? 39 : cfg.fl5 ? 57 : 48;
	guest_reset();
	if (vtd_cap__build(&cfg, &vtd.cap, &vtd.ecap))
		cfg = config_all();
	unit_init(&vtd, cfg, how & 3);
	vtd.cache = cache;
	memset(arena(), 0, ARENA_SIZE);
	vtd.root = ARENA | (u64)(how & 3) << 10;
	vtd.pqa = RING;
	if (how & 32)
		skeleton(how & 3);
	forget();
	while (in.left && requests < MAX_REQUESTS) {
		const u8 op = in__u8(&in);

		requests += op & 1;
		if (!(op & 1)) {
			edit(&in);
			forget();
		} else if ((op & 0xe0) == 0x20) {
			ats_request(&in);
		} else if ((op & 0xe0) == 0x40) {
			translated(&in);
		} else if ((op & 0xe0) == 0x60) {
			page_request(&in);
		} else {
			request(&in);
		}
	}
	return 0;
}
