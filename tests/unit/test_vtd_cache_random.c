/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random edits of all tables, each followed by the invalidations that VT-d 6.5.3.3, Table 28, asks of a
 * guest and no more: cached translations must then be what uncached ones are, and what was accessed and
 * written must be marked so.
 */

#include "rnd.h"
#include "vtd_dma.h"

#define N_SIDS	 3
#define N_PASIDS 3 /* 0 is RID_PASID */
#define N_PAGES	 6

/* One tree per domain, and flags that go with the tree, as 6.2.3.1 demands. */
static struct tree {
	u64 top;
	bool flags; /* EAFE of a first stage, SSADE of a second */
} fs_tree[4], ss_tree[4];
static u64 out_page[8];

static u16 a_sid(void)
{
	return 0x10 + 8 * rnd(N_SIDS);
}

static u64 an_addr(void)
{
	static const u64 pages[N_PAGES] = { 0x1000,   0x2000,	  0x200000,
					    0x3ff000, 0x40000000, 0x7fe00000 };

	return pages[rnd(N_PAGES)];
}

static void inv_context(struct vtd_inv inv)
{
	vtd_inv__context(&vtd, &inv);
}

static void inv_pasid(struct vtd_inv inv)
{
	vtd_inv__pasid_cache(&vtd, &inv);
}

static void inv_iotlb(struct vtd_inv inv)
{
	vtd_inv__iotlb(&vtd, &inv);
}

static void inv_piotlb(struct vtd_inv inv)
{
	vtd_inv__piotlb(&vtd, &inv);
}

/* Domains 1-2: first stage, 3-4: second, 5-6: nested, 7: pass-through. */
static void edit_pasid_entry(u16 sid, u32 pasid)
{
	const u64 gpa = pasid_gpa(&vtd, sid, pasid), old = get(gpa),
		  old_did = get(gpa + 8) & 0xffff;
	const u32 did = 1 + rnd(7), i = did & 1;
	const struct tree *fs = &fs_tree[did <= 2 ? i : 2 + i],
			  *ss = &ss_tree[did <= 4 ? i : 2 + i];
	const u64 second = PE_AW48 | ss->top | (ss->flags ? BIT(9) : 0);
	u64 v0;

	if (rnd(8) == 0)
		v0 = old & ~1ULL;
	else if (did <= 2)
		v0 = PE(1);
	else if (did <= 4)
		v0 = PE(2) | second;
	else if (did <= 6)
		v0 = PE(3) | second;
	else
		v0 = PE(4);
	if (v0 & 1) {
		put(gpa + 8, did | PE_PWSNP);
		/* Privileged requests (SRE, WPE) are each entry's own matter. */
		put(gpa + 16, fs->top | rnd(2) | rnd(2) << 4 | (fs->flags ? BIT(7) : 0));
	}
	put(gpa, v0);
	if (!(old & 1))
		return; /* CM=0: nothing to invalidate */
	inv_pasid((struct vtd_inv){ .gran = VTD_GRAN_PASID, .did = old_did, .pasid = pasid });
	if (!(v0 & 1) && (FIELD(old, 8, 6) == 2 || FIELD(old, 8, 6) == 3))
		inv_iotlb((struct vtd_inv){ .gran = VTD_GRAN_DOMAIN, .did = old_did });
	else
		inv_piotlb(
		    (struct vtd_inv){ .gran = VTD_GRAN_PASID, .did = old_did, .pasid = pasid });
}

/*
 * @entry for @addr in the tables, made once; at level 2 a large page in place of a table, or the table
 * back.
 */
static void edit_tree(u64 top, u64 addr, u32 level, u64 entry)
{
	static u64 tables[1 << 16];
	u64 pde = top;
	u32 key;

	for (int shift = 39; shift > 21; shift -= 9)
		pde = get(pde + ((addr >> shift) & 511) * 8) & GENMASK(51, 12);
	pde += ((addr >> 21) & 511) * 8;
	key = (pde >> 3) & 0xffff;
	if (level == 1) {
		if (!(get(pde) & FS_PS))
			put((get(pde) & GENMASK(51, 12)) + ((addr >> 12) & 511) * 8, entry);
	} else if (get(pde) & FS_PS) {
		put(pde, tables[key]);
	} else {
		tables[key] = get(pde);
		put(pde, (entry & ~GENMASK(20, 12)) | FS_PS);
	}
}

static void edit_fs(void)
{
	const u32 i = rnd(4), level = 1 + rnd(2);
	const u64 addr = an_addr(), dids[2] = { i < 2 ? 1 + !(i & 1) : 5 + !(i & 1), 0 };
	const u64 out = rnd(12) ? out_page[rnd(8)] : 0;

	/* R/W and U/S of any value; G, too, which means nothing (Table 40). */
	edit_tree(fs_tree[i].top, addr, level,
		  out | (out ? 7 - 2 * rnd(2) - 4 * !rnd(3) : 0) | rnd(2) << 8);
	for (u32 pasid = 0; pasid < N_PASIDS; pasid++)
		inv_piotlb((struct vtd_inv){ .gran = VTD_GRAN_PAGE,
					     .did = dids[0],
					     .pasid = pasid,
					     .addr = addr,
					     .am = level == 2 ? 9 : 0 });
}

static void edit_ss(void)
{
	const u32 i = rnd(4);
	/* Of nested domains, also where first-stage tables and outputs are. */
	const u64 addr = i < 2 ? an_addr() : out_page[rnd(8)];
	const u64 out = i < 2 ? out_page[rnd(8)] : rnd(3) ? addr : out_page[rnd(8)];
	const u16 did = i < 2 ? 3 + !(i & 1) : 5 + !(i & 1);
	/* What is below a nested domain's large pages stays where it is. */
	const u32 level = i < 2 ? 1 + rnd(2) : 1;

	edit_tree(ss_tree[i].top, addr, level, out | (rnd(6) ? 3 - rnd(3) : 0));
	inv_iotlb((struct vtd_inv){
	    .gran = VTD_GRAN_PAGE, .did = did, .addr = addr, .am = level == 2 ? 9 : 0 });
}

static void swap(struct tree *trees)
{
	const struct tree first = trees[0];

	trees[0] = trees[1];
	trees[1] = first;
}

/* Two domains are given up, and their numbers used again, each with the other's tables. */
static void reuse_domains(void)
{
	const u32 kind = rnd(3); /* first stage, second, nested */
	const u16 dids[2] = { 1 + 2 * kind, 2 + 2 * kind };

	for (u16 sid = 0x10; sid < 0x10 + 8 * N_SIDS; sid += 8) {
		/* Also under a directory entry that is not present now. */
		u64 gpa = get(dir_gpa(&vtd, sid, 0)) & GENMASK(51, 12);

		for (u32 pasid = 0; pasid < N_PASIDS; pasid++, gpa += 64) {
			const u16 did = get(gpa + 8) & 0xffff;

			if (did == dids[0] || did == dids[1])
				put(gpa, get(gpa) & ~1ULL);
		}
	}
	for (int i = 0; i < 2; i++) {
		inv_pasid((struct vtd_inv){ .gran = VTD_GRAN_DOMAIN, .did = dids[i] });
		inv_iotlb((struct vtd_inv){ .gran = VTD_GRAN_DOMAIN, .did = dids[i] });
	}
	if (kind != 1)
		swap(kind ? fs_tree + 2 : fs_tree);
	if (kind)
		swap(kind == 2 ? ss_tree + 2 : ss_tree);
}

static void edit_context(void)
{
	const u16 sid = a_sid();
	const u64 gpa = sm_context_set(&vtd, sid);

	if (rnd(2)) { /* PASIDE */
		put(gpa, rnd(4) ? get(gpa) | BIT(3) : get(gpa) & ~BIT(3));
	} else if (rnd(2)) { /* the directory entry */
		const u64 dir = dir_gpa(&vtd, sid, 0), old = get(dir);

		put(dir, rnd(4) ? old | 1 : old & ~1ULL);
		if (old & 1) {
			for (u32 pasid = 0; pasid < N_PASIDS; pasid++)
				for (u16 did = 1; did <= 7; did++) {
					inv_pasid((struct vtd_inv){
					    .gran = VTD_GRAN_PASID, .did = did, .pasid = pasid });
					inv_iotlb((struct vtd_inv){ .gran = VTD_GRAN_DOMAIN,
								    .did = did });
				}
		}
		return;
	} else {
		put(gpa, get(gpa) ^ 2); /* FPD */
	}
	inv_context((struct vtd_inv){ .gran = VTD_GRAN_DEVICE, .sid = sid });
	for (u16 did = 1; did <= 7; did++) {
		inv_pasid((struct vtd_inv){ .gran = VTD_GRAN_DOMAIN, .did = did });
		inv_iotlb((struct vtd_inv){ .gran = VTD_GRAN_DOMAIN, .did = did });
	}
}

static void build_trees(void)
{
	for (int i = 0; i < 8; i++) {
		static const u64 outs[8] = { 0x2000000, 0x2001000, 0x2200000, 0x23ff000,
					     0x2400000, 0x2600000, 0x2601000, 0x2800000 };

		out_page[i] = outs[i];
	}
	for (int i = 0; i < 4; i++) {
		static const u64 pages[N_PAGES] = { 0x1000,   0x2000,	  0x200000,
						    0x3ff000, 0x40000000, 0x7fe00000 };

		fs_tree[i] = (struct tree){ page_new(), i & 1 };
		ss_tree[i] = (struct tree){ page_new(), i & 1 };
		for (int j = 0; j < N_PAGES; j++) {
			table_map(fs_tree[i].top, 4, pages[j], 1, out_page[j] | 7, 7);
			table_map(ss_tree[i].top, 4, pages[j], 1, out_page[7 - j] | 3, 3);
		}
	}
	/* The second stages of nested domains map all of memory to itself. */
	for (int i = 2; i < 4; i++)
		for (u64 gpa = 0; gpa < GUEST_RAM; gpa += 4096)
			table_map(ss_tree[i].top, 4, gpa, 1, gpa | 3, 3);
}

/* What an uncached translation says. */
static bool fresh_is(u16 sid, u32 pasid, u64 addr, u8 access, bool good, u64 gpa)
{
	struct vtd_fault fault = { 0 };
	struct vtd_ctx ctx;
	struct vtd_leaf leaf;

	if (vtd_entry__lookup(&vtd, sid, pasid, &ctx, &fault) ||
	    vtd_walk__translate(&vtd, &ctx, addr, access, &leaf, &fault))
		return !good && last_fault.reason == fault.reason && last_fault.fpd == fault.fpd;
	return good && gpa == (leaf.gpa | (addr & (BIT(leaf.shift) - 1)));
}

/* All entries for @addr have @a, the last of them @d; *@out is what that one says. */
static bool marked(u64 table, u64 addr, u64 a, u64 d, u64 *out)
{
	for (int shift = 39;; shift -= 9) {
		const u64 e = get(table + ((addr >> shift) & 511) * 8);
		const bool last = shift == 12 || (e & FS_PS);

		if ((e & a) != a || (last && (e & d) != d))
			return false;
		table = e & GENMASK(51, 12);
		if (last) {
			*out = (e & GENMASK(51, shift)) | (addr & (BIT(shift) - 1));
			return true;
		}
	}
}

/* 3.6.2, 3.7.2: nobody has used a page without its being marked. */
static bool all_marked(u16 sid, u32 pasid, u64 addr, bool written)
{
	struct vtd_fault fault = { 0 };
	struct vtd_ctx ctx;

	if (vtd_entry__lookup(&vtd, sid, pasid, &ctx, &fault))
		return false;
	if (ctx.pgtt != VTD_PGTT_SS && ctx.pgtt != VTD_PGTT_PT &&
	    !marked(ctx.fsptr, addr, FS_A | (ctx.eafe ? FS_EA : 0), written ? FS_D : 0, &addr))
		return false;
	return !ctx.ssade || marked(ctx.ssptr, addr, SS_A, written ? SS_D : 0, &addr);
}

static void test_edits(void)
{
	unsigned int bad = 0, good = 0, unmarked = 0, privileged = 0, runs = 300000;

	start(VTD_TTM_SCALABLE);
	vtd.ecap |= ECAP_SSADS;
	build_trees();
	for (u16 sid = 0x10; sid < 0x10 + 8 * N_SIDS; sid += 8)
		for (u32 pasid = 0; pasid < N_PASIDS; pasid++)
			pasid_set(&vtd, sid, pasid, 0, 0, 0);
	for (unsigned int i = 0; i < runs; i++) {
		const u16 sid = a_sid();
		const u32 pasid = rnd(2) ? DMA_NO_PASID : 1 + rnd(N_PASIDS - 1);
		const u64 addr = an_addr() + rnd(4096);
		const u8 priv = pasid != DMA_NO_PASID && rnd(3) == 0 ? DMA_PRIV : 0;
		const u8 access = (1 + rnd(2)) | priv;
		const u32 what = rnd(120);
		bool can;

		if (what == 0)
			edit_context();
		else if (what < 5 && (get(dir_gpa(&vtd, sid, 0)) & 1))
			edit_pasid_entry(sid, rnd(N_PASIDS));
		else if (what < 9)
			edit_fs();
		else if (what < 13)
			edit_ss();
		else if (what == 13 && rnd(6) == 0)
			reuse_domains();
		can = dma(sid, pasid, addr, access);
		good += can;
		privileged += can && priv;
		/* Before a fresh walk would do it. */
		unmarked += can && !all_marked(sid, pasid, addr, access & W);
		if (!fresh_is(sid, pasid, addr, access, can, out_gpa) && !bad++)
			printf(
			    "# run %u: sid=%x pasid=%x addr=%llx access=%u: %d %llx reason %02xh\n",
			    i, sid, pasid, addr, access, can, out_gpa, last_fault.reason);
	}
	eq(bad, 0, "after each edit and its invalidations, %u cached translations are fresh ones",
	   runs);
	eq(unmarked, 0, "no page is used without its accessed and dirty flags");
	ok(privileged > runs / 50, "%u privileged ones", privileged);
	ok(good > runs / 4 && vtd.stats.iotlb_hit > runs / 12, "%u translated, %llu hits", good,
	   vtd.stats.iotlb_hit);
}

static void test_legacy_edits(void)
{
	unsigned int bad = 0, good = 0, runs = 30000;

	start(VTD_TTM_LEGACY);
	build_trees();
	for (unsigned int i = 0; i < runs; i++) {
		const u16 sid = a_sid();
		const u64 addr = an_addr() + rnd(4096), ctx = context_gpa(&vtd, sid);
		const u8 access = 1 + rnd(2);
		const u32 what = rnd(40);
		bool can;

		if (what == 0) {
			const u64 old = get(ctx), old_did = FIELD(get(ctx + 8), 23, 8);
			const u32 did = 3 + rnd(3);

			put(ctx + 8, did << 8 | 2);
			put(ctx, did == 5 ? 1 | 2 << 2 : ss_tree[did & 1].top | 1);
			if (rnd(6) == 0)
				put(ctx, 0);
			if (old & 1) {
				inv_context((struct vtd_inv){
				    .gran = VTD_GRAN_DEVICE, .sid = sid, .did = old_did });
				inv_iotlb(
				    (struct vtd_inv){ .gran = VTD_GRAN_DOMAIN, .did = old_did });
			}
		} else if (what < 4) {
			edit_ss();
		}
		can = dma(sid, DMA_NO_PASID, addr, access);
		good += can;
		if (!fresh_is(sid, DMA_NO_PASID, addr, access, can, out_gpa) && !bad++)
			printf("# run %u: sid=%x addr=%llx: %d %llx reason %02xh\n", i, sid, addr,
			       can, out_gpa, last_fault.reason);
	}
	eq(bad, 0, "legacy mode: the same");
	ok(good > runs / 3, "%u translated", good);
	ok(!dma(SID, 3, 0x1000, R) && last_fault.reason == 0x31, "legacy mode has no PASIDs");
}

int main(void)
{
	test_edits();
	test_legacy_edits();
	vtd_cache__free(vtd.cache);
	mem__free(guest_mem);
	return tap_done();
}
