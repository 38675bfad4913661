/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * First-stage walk (VT-d 3.6, 9.7): the processor's 4- and 5-level tables, without execute-disable.
 * Nested (3.8), the address of every table and of the final page goes through the second stage.
 */

#include "iommu/entry.h"
#include "iommu/walk.h"

#define FS_P  BIT(0)
#define FS_RW BIT(1)
#define FS_US BIT(2)
#define FS_A  BIT(5)
#define FS_D  BIT(6)
#define FS_PS BIT(7)
#define FS_EA BIT(10)

static u64 fs_reserved(const struct vtd *vtd, unsigned int level, bool leaf)
{
	/* 63:52 are ignored: there is no execute-disable, and older guests set bit 63. */
	u64 rsvd = GENMASK(51, 0) & entry__above_haw(vtd);

	if (level > 3 || (level == 3 && !(vtd->cap & CAP_FS1GP)))
		rsvd |= FS_PS;
	if (leaf && level > 1) /* bit 12 is PAT */
		rsvd |= GENMASK(walk__shift(level) - 1, 13);
	return rsvd;
}

/*
 * Where the entry at @addr is in memory; @addr is a second-stage input if nested.  @update: it is
 * to be written.
 */
static int locate(struct vtd *vtd, const struct vtd_ctx *ctx, u64 addr, bool top, bool update,
		  u64 **ptr, struct vtd_fault *fault)
{
	if (ctx->pgtt == VTD_PGTT_NESTED) {
		/* With SSADE, reading a first-stage table counts as writing to it (3.8.1). */
		u8 need = update || ctx->ssade ? DMA_READ | DMA_WRITE : DMA_READ;
		struct vtd_leaf leaf;
		int err = walk__ss(vtd, ctx, addr, need, &leaf, fault);

		if (err && fault->reason == 0x85) /* lacks write permission */
			fault->reason = 0x77;
		else if (err && fault->reason == 0x86)
			fault->reason = top ? 0x75 : 0x76;
		if (err)
			return err;
		addr = leaf.gpa | (addr & (BIT(leaf.shift) - 1));
	}
	*ptr = mem__ptr(vtd->mem, addr, 8);
	if (!*ptr)
		return walk__fail(fault, top ? 0x73 : 0x70);
	return 0;
}

/*
 * Set accessed (extended accessed, dirty) bits in the entry at @addr, read as *@entry through @ptr.
 * 1: the guest changed it meanwhile, look again.
 */
static int set_flags(struct vtd *vtd, const struct vtd_ctx *ctx, u64 addr, bool top, u64 *ptr,
		     u64 *entry, u64 flags, struct vtd_fault *fault)
{
	int err;

	if ((*entry & flags) == flags)
		return 0;
	if (!ctx->pwsnp)
		return walk__fail(fault, 0x90);
	if (ctx->pgtt == VTD_PGTT_NESTED) {
		err = locate(vtd, ctx, addr, top, true, &ptr, fault);
		if (err)
			return err;
	}
	if (!walk__set(fault, ptr, *entry, flags))
		return 1;
	*entry |= flags;
	return 0;
}

static bool canonical(u64 addr, unsigned int levels)
{
	u64 upper = (long long)addr >> (levels == 5 ? 56 : 47);

	return upper == 0 || upper == ~0ULL;
}

/* A nested first stage's output, and the final page behind it. */
static int final_page(struct vtd *vtd, const struct vtd_ctx *ctx, u64 addr, u8 need,
		      struct vtd_leaf *leaf, struct vtd_fault *fault)
{
	u64 out = leaf->gpa | (addr & (BIT(leaf->shift) - 1));
	struct vtd_leaf ss;
	int err = walk__ss(vtd, ctx, out, need, &ss, fault);

	if (err)
		return err;
	/* The smaller page of both holds for this address. */
	if (ss.shift >= leaf->shift) {
		leaf->gpa = ss.gpa | (leaf->gpa & (BIT(ss.shift) - 1));
	} else {
		leaf->gpa = ss.gpa;
		leaf->shift = ss.shift;
	}
	leaf->perm = ss.perm;
	return 0;
}

int walk__fs(struct vtd *vtd, const struct vtd_ctx *ctx, u64 addr, u8 access, struct vtd_leaf *leaf,
	     struct vtd_fault *fault)
{
	const bool nested = ctx->pgtt == VTD_PGTT_NESTED, priv = access & DMA_PRIV;
	const u64 used = FS_A | (ctx->eafe ? FS_EA : 0);
	u64 table = ctx->fsptr, perm = FS_RW, entry;
	unsigned int level = ctx->fs_levels, retries = 0;
	bool writable;
	int err;

	if (!canonical(addr, ctx->fs_levels))
		return walk__fail(fault, 0x80);

	for (;;) {
		u64 pos = table + ((addr >> walk__shift(level)) & 511) * 8, flags = used, *ptr;
		bool top = level == ctx->fs_levels, last;

		err = locate(vtd, ctx, pos, top, false, &ptr, fault);
		if (err) {
			walk__step(fault, VTD_FS, level, addr, pos, NULL);
			return err;
		}
		entry = READ_ONCE(*ptr);
		vtd->stats.fs_reads++;
		walk__step(fault, VTD_FS, level, addr, pos, &entry);
		if (!(entry & FS_P))
			return walk__fail(fault, 0x71);
		last = level == 1 || (entry & FS_PS);
		if (entry & fs_reserved(vtd, level, last))
			return walk__fail(fault, 0x72);
		/* SFS.5: what it points to must be an address that the second stage takes. */
		if (nested &&
		    (entry & GENMASK(51, 12)) >> MIN(vtd__mgaw(vtd), 12u + 9 * ctx->ss_levels))
			return walk__fail(fault, 0x74);
		if (!priv && !(entry & FS_US))
			return walk__fail(fault, 0x81);
		writable = (perm & entry) || (priv && !ctx->wpe);
		if (last) {
			if ((access & DMA_WRITE) && !writable)
				return walk__fail(fault, 0x85);
			leaf->shift = walk__shift(level);
			leaf->gpa = entry & GENMASK(51, leaf->shift);
			leaf->perm = DMA_READ | DMA_WRITE;
			if (nested) {
				err = final_page(vtd, ctx, addr, access & (DMA_READ | DMA_WRITE),
						 leaf, fault);
				if (err)
					return err;
			}
			if (access & DMA_WRITE)
				flags |= FS_D;
		}
		err = set_flags(vtd, ctx, pos, top, ptr, &entry, flags, fault);
		if (err < 0)
			return err;
		if (err) {
			if (retries++ == WALK_RETRIES)
				return walk__fail(fault, 0x91);
			continue;
		}
		perm &= entry;
		if (last)
			break;
		table = entry & GENMASK(51, 12);
		level--;
	}

	/* A write must come back here while the dirty bit is still to be set. */
	if (!writable || !(entry & FS_D))
		leaf->perm &= ~DMA_WRITE;
	return 0;
}
