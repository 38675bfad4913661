/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Second-stage walk (VT-d 3.7, 9.8): 3, 4 or 5 levels; pages of 4 KiB, 2 MiB, 1 GiB; accessed and
 * dirty bits where the PASID entry has SSADE.
 */

#include "iommu/entry.h"
#include "iommu/walk.h"

#define SS_R	       BIT(0)
#define SS_W	       BIT(1)
#define SS_PS	       BIT(7)
#define SS_A	       BIT(8)
#define SS_D	       BIT(9)
#define SS_SNP	       BIT(11)
#define SS_IW	       BIT(62) /* SSIRWS is not offered */
#define CAP_SSLPS(cap) FIELD(cap, 35, 34)

/* Fault reasons of the two modes (Table 30). */
struct reasons {
	u8 top, access, reserved, absent_r, absent_w, width, write, read;
};

static const struct reasons reasons_legacy = { 0x3, 0x7, 0xc, 0x6, 0x5, 0x4, 0x5, 0x6 };
static const struct reasons reasons_scalable = { 0x7b, 0x78, 0x7a, 0x79, 0x79, 0x84, 0x85, 0x86 };

static u64 ss_reserved(const struct vtd *vtd, unsigned int level, bool leaf)
{
	u64 rsvd = GENMASK(51, 0) & entry__above_haw(vtd);

	rsvd |= SS_IW;
	if (level > 3)
		rsvd |= SS_PS;
	/* SSLPS: bit 0 is 2 MiB, bit 1 is 1 GiB. */
	if (level == 2 && !(CAP_SSLPS(vtd->cap) & 1))
		rsvd |= SS_PS;
	if (level == 3 && !(CAP_SSLPS(vtd->cap) & 2))
		rsvd |= SS_PS;
	if (leaf && level > 1)
		rsvd |= GENMASK(walk__shift(level) - 1, 12);
	if (!leaf || !(vtd->ecap & ECAP_SC))
		rsvd |= SS_SNP;
	return rsvd;
}

static int check_perm(u64 perm, u8 need, const struct reasons *why, struct vtd_fault *fault)
{
	if (!perm)
		return walk__fail(fault, need & DMA_WRITE ? why->absent_w : why->absent_r);
	if ((need & DMA_WRITE) && !(perm & SS_W))
		return walk__fail(fault, why->write);
	if ((need & DMA_READ) && !(perm & SS_R))
		return walk__fail(fault, why->read);
	return 0;
}

int walk__ss(struct vtd *vtd, const struct vtd_ctx *ctx, u64 addr, u8 need, struct vtd_leaf *leaf,
	     struct vtd_fault *fault)
{
	const struct reasons *why = ctx->legacy ? &reasons_legacy : &reasons_scalable;
	u64 table = ctx->ssptr, perm = SS_R | SS_W, entry;
	unsigned int level = ctx->ss_levels, retries = 0;

	/* Also what keeps the top index within 9 bits. */
	if (addr >> MIN(vtd__mgaw(vtd), 12u + 9 * level))
		return walk__fail(fault, why->width);

	for (;;) {
		u64 index = (addr >> walk__shift(level)) & 511, flags = SS_A;
		u64 *ptr = mem__ptr(vtd->mem, table + index * 8, 8);
		bool last;

		if (!ptr) {
			walk__step(fault, VTD_SS, level, addr, table + index * 8, NULL);
			return walk__fail(fault, level == ctx->ss_levels ? why->top : why->access);
		}
		entry = READ_ONCE(*ptr);
		vtd->stats.ss_reads++;
		walk__step(fault, VTD_SS, level, addr, table + index * 8, &entry);
		if (!(entry & (SS_R | SS_W)))
			return walk__fail(fault, need & DMA_WRITE ? why->absent_w : why->absent_r);
		last = level == 1 || (entry & SS_PS);
		if (entry & ss_reserved(vtd, level, last))
			return walk__fail(fault, why->reserved);
		if (last) {
			int err = check_perm(perm & entry, need, why, fault);

			if (err)
				return err;
			if (need & DMA_WRITE)
				flags |= SS_D;
		}
		if (ctx->ssade && (entry & flags) != flags) {
			if (!ctx->pwsnp)
				return walk__fail(fault, 0x7c);
			if (!walk__set(fault, ptr, entry, flags)) {
				if (retries++ == WALK_RETRIES)
					return walk__fail(fault, 0x7d);
				continue;
			}
			entry |= flags;
		}
		perm &= entry;
		if (last)
			break;
		table = entry & GENMASK(51, 12);
		level--;
	}

	leaf->shift = walk__shift(level);
	leaf->gpa = entry & GENMASK(51, leaf->shift);
	leaf->perm = perm & SS_R ? DMA_READ : 0;
	/* A write must come back here while the dirty bit is still to be set. */
	if ((perm & SS_W) && (!ctx->ssade || (entry & SS_D)))
		leaf->perm |= DMA_WRITE;
	return 0;
}
