/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * First-stage, second-stage and nested walks of random tables, against a second walker that is written
 * another way: recursive, stage by stage, over a copy of memory.
 */

#include "rnd.h"
#include "vtd_walk.h"

#define POOL  12
#define PSIZE (POOL * 4096)

static u64 pool; /* guest-physical address */
static u8 shadow[PSIZE];
/* What the unit says of itself. */
static struct {
	unsigned int haw, mgaw;
	bool fs_1g, ss_2m, ss_1g, snoop;
} unit;

static bool one_in(u32 n)
{
	return rnd(n) == 0;
}

/* Entries that lead on, most of the time; all bits of both stages' formats occur. */
static u64 random_entry(u32 rare)
{
	u64 e = (pool + rnd(POOL) * 4096) | 7;

	e |= rnd64() & (FS_A | FS_D | FS_EA | SS_A | SS_D);
	if (one_in(8)) {
		e |= BIT(7); /* PS: aligned for a large page or not */
		if (!one_in(3))
			e &= ~(one_in(2) ? GENMASK(29, 12) : GENMASK(20, 12));
	}
	if (one_in(rare))
		e &= ~BIT(0);
	if (one_in(rare))
		e &= ~BIT(1);
	if (one_in(rare))
		e &= ~BIT(2);
	if (one_in(rare))
		e |= BIT(rnd(64));
	if (one_in(rare))
		e = rnd64();
	return e;
}

static u64 *model_ptr(u64 gpa)
{
	static u64 outside;

	if (gpa >= pool && gpa < pool + PSIZE)
		return (u64 *)(shadow + (gpa - pool));
	if (!mem__ptr(guest_mem, gpa, 8))
		return NULL;
	outside = get(gpa); /* never dirtied: all zero */
	return &outside;
}

struct model {
	const struct vtd_ctx *ctx;
	u8 reason;
	u64 page; /* of the output */
	u8 shift, perm;
};

static u64 mask(int hi, int lo)
{
	u64 m = 0;

	for (int i = lo; i <= hi; i++)
		m |= 1ULL << i;
	return m;
}

/* Above what a second stage takes. */
static bool model_beyond(const struct model *m, u64 addr)
{
	static const unsigned int widths[] = { [3] = 39, [4] = 48, [5] = 57 };
	const unsigned int width = widths[m->ctx->ss_levels];

	return addr >> (width < unit.mgaw ? width : unit.mgaw);
}

/* The second stage, from @level down; @r and @w are the rights so far. */
static void model_ss(struct model *m, u64 table, int level, u64 in, bool need_r, bool need_w,
		     bool r, bool w)
{
	u64 *e = model_ptr(table + 8 * (in >> (12 + 9 * (level - 1)) & 0x1ff));
	bool final;
	u64 set;

	if (!e) {
		m->reason = level == m->ctx->ss_levels ? 0x7b : 0x78;
		return;
	}
	if ((*e & 3) == 0) {
		m->reason = 0x79;
		return;
	}
	final = level == 1 || (level < 4 && (*e & 0x80));
	if ((*e & mask(51, unit.haw)) || (*e >> 62 & 1) || (level >= 4 && (*e & 0x80)) ||
	    (level == 3 && final && !unit.ss_1g) || (level == 2 && final && !unit.ss_2m) ||
	    ((!final || !unit.snoop) && (*e & 0x800)) ||
	    (final && level == 2 && (*e & mask(20, 12))) ||
	    (final && level == 3 && (*e & mask(29, 12)))) {
		m->reason = 0x7a;
		return;
	}
	r = r && (*e & 1);
	w = w && (*e & 2);
	if (final && !r && !w)
		m->reason = 0x79;
	else if (final && need_w && !w)
		m->reason = 0x85;
	else if (final && need_r && !r)
		m->reason = 0x86;
	set = !m->ctx->ssade ? 0 : final && need_w ? 0x300 : 0x100;
	if (!m->reason && (*e & set) != set && !m->ctx->pwsnp)
		m->reason = 0x7c;
	if (m->reason)
		return;
	*e |= set;
	if (!final) {
		model_ss(m, *e & mask(51, 12), level - 1, in, need_r, need_w, r, w);
		return;
	}
	m->shift = 12 + 9 * (level - 1);
	m->page = *e & mask(51, m->shift);
	m->perm = (r ? R : 0) | (w && (!m->ctx->ssade || (*e & 0x200)) ? W : 0);
}

static void model_second(struct model *m, u64 in, bool need_r, bool need_w)
{
	if (model_beyond(m, in))
		m->reason = 0x84;
	else
		model_ss(m, m->ctx->ssptr, m->ctx->ss_levels, in, need_r, need_w, true, true);
}

/* A first-stage entry's address as the model's memory has it. */
static u64 *model_fs_entry(struct model *m, u64 at, bool top, bool write)
{
	u64 *e;

	if (m->ctx->pgtt == VTD_PGTT_NESTED) {
		model_second(m, at, true, write || m->ctx->ssade);
		if (m->reason == 0x85)
			m->reason = 0x77;
		if (m->reason == 0x86)
			m->reason = top ? 0x75 : 0x76;
		if (m->reason)
			return NULL;
		at = m->page + at % (1ULL << m->shift);
	}
	e = model_ptr(at);
	if (!e)
		m->reason = top ? 0x73 : 0x70;
	return e;
}

static void model_fs(struct model *m, u64 table, int level, u64 va, u8 access, bool us, bool rw)
{
	const bool top = level == m->ctx->fs_levels, nested = m->ctx->pgtt == VTD_PGTT_NESTED;
	const u64 at = table + 8 * (va >> (12 + 9 * (level - 1)) & 0x1ff);
	u64 *e = model_fs_entry(m, at, top, false), val, set = m->ctx->eafe ? 0x420 : 0x20, page;
	u8 shift = 12 + 9 * (level - 1), ss_perm = RW;
	bool final, writable;

	if (m->reason)
		return;
	val = *e;
	final = level == 1 || (level < 4 && (val & 0x80));
	if (!(val & 1)) {
		m->reason = 0x71;
		return;
	}
	if ((val & mask(51, unit.haw)) || (level >= 4 && (val & 0x80)) ||
	    (final && level == 3 && !unit.fs_1g) || (final && level == 2 && (val & mask(20, 13))) ||
	    (final && level == 3 && (val & mask(29, 13)))) {
		m->reason = 0x72;
		return;
	}
	if (nested && model_beyond(m, val & mask(51, 12))) {
		m->reason = 0x74;
		return;
	}
	us = us && (val & 4);
	rw = rw && (val & 2);
	if (!(access & P) && !us) {
		m->reason = 0x81;
		return;
	}
	writable = rw || ((access & P) && !m->ctx->wpe);
	page = val & mask(51, shift);
	if (final) {
		if ((access & W) && !writable) {
			m->reason = 0x85;
			return;
		}
		if (nested) {
			u64 out = page + va % (1ULL << shift);

			model_second(m, out, access & R, access & W);
			if (m->reason)
				return;
			ss_perm = m->perm;
			/* The output as an exact address, then the smaller page around it. */
			out = m->page + out % (1ULL << m->shift);
			shift = m->shift < shift ? m->shift : shift;
			page = out - out % (1ULL << shift);
		}
		if (access & W)
			set |= 0x40;
	}
	if ((val & set) != set) {
		if (!m->ctx->pwsnp) {
			m->reason = 0x90;
			return;
		}
		e = model_fs_entry(m, at, top, true);
		if (m->reason)
			return;
		*e |= set;
	}
	if (!final) {
		model_fs(m, val & mask(51, 12), level - 1, va, access, us, rw);
		return;
	}
	m->page = page;
	m->shift = shift;
	m->perm = ss_perm & (R | (writable && ((val | set) & 0x40) ? W : 0));
}

/* The same in legacy mode (Table 30). */
static u8 legacy_reason(u8 reason, bool write)
{
	switch (reason) {
	case 0x78:
		return 0x7;
	case 0x79:
		return write ? 0x5 : 0x6;
	case 0x7a:
		return 0xc;
	case 0x7b:
		return 0x3;
	case 0x84:
		return 0x4;
	case 0x85:
		return 0x5;
	case 0x86:
		return 0x6;
	case 0x87:
		return 0xe;
	}
	return reason;
}

static void model_walk(struct model *m, u64 addr, u8 access)
{
	const struct vtd_ctx *ctx = m->ctx;

	if ((access & P) && !ctx->sre) {
		m->reason = 0x5d;
	} else if (ctx->pgtt == VTD_PGTT_SS) {
		model_second(m, addr, access & R, access & W);
	} else {
		const u64 half = 1ULL << (ctx->fs_levels == 5 ? 56 : 47);

		if (addr + half >= 2 * half)
			m->reason = 0x80;
		else
			model_fs(m, ctx->fsptr, ctx->fs_levels, addr, access, true, true);
	}
	if (!m->reason && (m->page + addr % (1ULL << m->shift)) >> 20 == 0xfee)
		m->reason = 0x87;
	if (ctx->legacy)
		m->reason = legacy_reason(m->reason, access & W);
}

static void random_ctx(struct vtd_ctx *ctx)
{
	*ctx = (struct vtd_ctx){
		.pgtt = 1 + rnd(3),
		.pwsnp = !one_in(8),
		.fsptr = pool + rnd(POOL) * 4096,
		.fs_levels = 4 + one_in(2),
		.sre = one_in(2),
		.wpe = one_in(2),
		.eafe = one_in(2),
		.ssptr = pool + rnd(POOL) * 4096,
		.ss_levels = 3 + rnd(3),
		.ssade = one_in(2),
	};
	if (ctx->pgtt == VTD_PGTT_SS && one_in(3)) {
		ctx->legacy = true;
		ctx->ssade = false;
	}
}

static u64 random_addr(void)
{
	u64 addr = rnd64();

	if (one_in(2))
		addr &= mask(38, 0);
	else if (one_in(2))
		addr = (u64)((long long)(addr << 16) >> 16);
	else if (one_in(2))
		addr = (u64)((long long)(addr << 7) >> 7) & (one_in(2) ? mask(56, 0) : ~0ULL);
	return addr;
}

static void random_unit(void)
{
	static const unsigned int haws[] = { 39, 46, 52 }, mgaws[] = { 39, 48, 57 };

	unit.haw = haws[rnd(3)];
	unit.mgaw = mgaws[rnd(3)];
	unit.fs_1g = !one_in(4);
	unit.ss_2m = !one_in(4);
	unit.ss_1g = !one_in(4);
	unit.snoop = one_in(2);
	guest_vm.phys_bits = unit.haw;
	vtd.cap &= ~(CAP_FS1GP | GENMASK(35, 34) | GENMASK(21, 16));
	vtd.cap |= (unit.fs_1g ? CAP_FS1GP : 0) | (unit.ss_2m ? BIT(34) : 0) |
		   (unit.ss_1g ? BIT(35) : 0) | (u64)(unit.mgaw - 1) << 16;
	vtd.ecap = unit.snoop ? vtd.ecap | ECAP_SC : vtd.ecap & ~ECAP_SC;
}

static void test_random(void)
{
	static const u8 accesses[] = { R, W, RW, R | P, W | P };
	unsigned int bad = 0, good = 0, runs = 60000, reasons[256] = { 0 };

	fresh();
	pool = page_new();
	while (guest_next < pool + PSIZE)
		page_new();
	for (unsigned int i = 0; i < runs; i++) {
		u8 access = accesses[rnd(ARRAY_SIZE(accesses))], got;
		u64 *mem = mem__ptr(guest_mem, pool, PSIZE), addr = random_addr();
		struct vtd_ctx ctx;
		struct model m = { .ctx = &ctx };
		bool same;

		if (i % 40 == 0) {
			const u32 rare = one_in(2) ? 20 : 400;

			random_unit();
			for (unsigned int j = 0; j < PSIZE / 8; j++)
				mem[j] = random_entry(rare);
		}
		random_ctx(&ctx);
		memcpy(shadow, mem, PSIZE);
		model_walk(&m, addr, access);
		got = walk(&ctx, addr, access);
		same = got == m.reason && !memcmp(shadow, mem, PSIZE);
		if (!got)
			same = same && leaf_is(m.page, m.shift, m.perm);
		good += !got;
		reasons[got]++;
		if (!same && !bad++)
			printf(
			    "# run %u: pgtt=%u addr=%llx access=%u: %02xh %llx/%u/%u, want %02xh "
			    "%llx/%u/%u\n",
			    i, ctx.pgtt, addr, access, got, leaf.gpa, leaf.shift, leaf.perm,
			    m.reason, m.page, m.shift, m.perm);
	}
	eq(bad, 0, "%u random walks agree with the model, in memory too", runs);
	ok(good > runs / 10, "of these, %u translate", good);
	for (unsigned int i = 0; i < 256; i++)
		if (reasons[i])
			printf("# %02xh: %u\n", i, reasons[i]);
	ok(reasons[0x5] && reasons[0x6] && reasons[0xc] && reasons[0x71] && reasons[0x72] &&
	       reasons[0x74] && reasons[0x76] && reasons[0x77] && reasons[0x79] && reasons[0x7a] &&
	       reasons[0x80] && reasons[0x81] && reasons[0x84] && reasons[0x85] && reasons[0x86] &&
	       reasons[0x7c] && reasons[0x90] && reasons[0x75],
	   "and the faults are of all kinds");
}

int main(void)
{
	test_random();
	mem__free(guest_mem);
	return tap_done();
}
