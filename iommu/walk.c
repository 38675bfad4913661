/* SPDX-License-Identifier: GPL-2.0-only */
/* The walk that a context or PASID entry asks for, and what is checked around it (VT-d 3.6-3.9). */

#include "iommu/walk.h"

static int pass_through(struct vtd *vtd, const struct vtd_ctx *ctx, u64 addr, struct vtd_leaf *leaf,
			struct vtd_fault *fault)
{
	if (addr >> vtd__haw(vtd))
		return walk__fail(fault, ctx->legacy ? 0x4 : 0x83);
	*leaf = (struct vtd_leaf){ .shift = 63, .perm = DMA_READ | DMA_WRITE };
	return 0;
}

int vtd_walk__translate(struct vtd *vtd, const struct vtd_ctx *ctx, u64 addr, u8 access,
			struct vtd_leaf *leaf, struct vtd_fault *fault)
{
	int err;

	vtd->stats.walks++;
	fault->fpd = ctx->fpd;
	if (access & DMA_EXEC) /* ECAP.ERS is 0 */
		return walk__fail(fault, 0x5c);
	if ((access & DMA_PRIV) && !ctx->sre)
		return walk__fail(fault, 0x5d);

	if (ctx->pgtt == VTD_PGTT_PT)
		err = pass_through(vtd, ctx, addr, leaf, fault);
	else if (ctx->pgtt == VTD_PGTT_SS)
		err = walk__ss(vtd, ctx, addr, access & (DMA_READ | DMA_WRITE), leaf, fault);
	else
		err = walk__fs(vtd, ctx, addr, access, leaf, fault);
	if (err)
		return err;

	/* 3.15: nothing may be mapped to where interrupts are. */
	if (vtd__is_msi(leaf->gpa | (addr & (BIT(leaf->shift) - 1))))
		return walk__fail(fault, ctx->legacy ? 0xe : 0x87);
	return 0;
}
