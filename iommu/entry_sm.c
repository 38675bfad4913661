/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Scalable mode: root entry, context entry, PASID directory, PASID-table entry (VT-d 3.4.3, 9.2,
 * 9.4-9.6).  What a capability does not offer is reserved, with one exception that real guests need:
 * the AW of first-stage and pass-through entries, which is ignored.
 */

#include "iommu/entry.h"

#define PASID_NUM BIT(20)

/* Scalable-mode context entry (9.4) */
#define SMC_DTE	     BIT(2)
#define SMC_PASIDE   BIT(3)
#define SMC_PRE	     BIT(4)
#define SMC_HPTE     BIT(5)
#define SMC_EPTR     BIT(6)
#define SMC_PDTS(v)  FIELD((v)[0], 11, 9)
#define SMC_PTR(v)   ALIGN_DOWN((v)[0], 4 * KiB)
#define SMC_RID(v)   FIELD((v)[1], 19, 0)
#define SMC_RID_PRIV BIT(20)

static u64 unless(const struct vtd *vtd, u64 ecap, u64 bits)
{
	return (vtd->ecap & ecap) == ecap ? 0 : bits;
}

/* The context entry of @sid, present and without reserved bits. */
static int sm_context(struct vtd *vtd, u16 sid, u64 val[4], struct vtd_fault *fault)
{
	u64 root, rsvd0, rsvd1, pos = (sid >> 8) * 16 + (sid & 0x80 ? 8 : 0);

	if (!entry__fetch(vtd, fault, VTD_ROOT, ALIGN_DOWN(vtd->root, 4 * KiB) + pos, &root, 1))
		return entry__fail(fault, 0x38);
	if (!(root & 1))
		return entry__fail(fault, 0x39);
	if (root & (GENMASK(11, 1) | entry__above_haw(vtd)))
		return entry__fail(fault, 0x3a);
	if (!entry__fetch(vtd, fault, VTD_CONTEXT, ALIGN_DOWN(root, 4 * KiB) + (sid & 0x7f) * 32,
			  val, 4))
		return entry__fail(fault, 0x40);

	fault->fpd = val[0] & BIT(1); /* counts even if P=0 */
	if (!(val[0] & 1))
		return entry__fail(fault, 0x41);

	rsvd0 = GENMASK(8, 7) | entry__above_haw(vtd) | unless(vtd, ECAP_DT, SMC_DTE) |
		unless(vtd, ECAP_PASID, SMC_PASIDE) | unless(vtd, ECAP_PRS, SMC_PRE) |
		unless(vtd, ECAP_HPTS, SMC_HPTE) | unless(vtd, ECAP_PTRS, SMC_EPTR);
	rsvd1 = GENMASK(63, 21) | unless(vtd, ECAP_RPS, GENMASK(19, 0)) |
		unless(vtd, ECAP_RPRIVS, SMC_RID_PRIV);
	if ((val[0] & rsvd0) || (val[1] & rsvd1) || val[2] || val[3])
		return entry__fail(fault, 0x42);
	/* 2^(PDTS + 7) directory entries of 2^6 PASIDs. */
	if (((val[0] & SMC_PRE) && !(val[0] & SMC_DTE)) ||
	    ((val[0] & SMC_EPTR) && !(val[0] & SMC_PASIDE)) || SMC_RID(val) >> (SMC_PDTS(val) + 13))
		return entry__fail(fault, 0x43);
	return 0;
}

/* May it send this kind of request (SCT.5, SCT.8)?  PRE without DTE is invalid. */
static int check_kind(const u64 val[4], struct vtd_fault *fault)
{
	switch (fault->kind) {
	case VTD_TRANSLATION:
	case VTD_TRANSLATED:
		return val[0] & SMC_DTE ? 0 : entry__fail(fault, 0x44);
	case VTD_PAGE_REQUEST:
		return val[0] & SMC_PRE ? 0 : entry__fail(fault, 0x47);
	}
	return 0;
}

/* May @sid use @pasid at all (Table 30: SCT.6, SGN.10, SCT.7, SCT.9)? */
static int check_pasid(struct vtd *vtd, const u64 val[4], u32 pasid, struct vtd_fault *fault)
{
	if (!(val[0] & SMC_PASIDE))
		return entry__fail(fault, 0x45);
	if (fault->kind != VTD_PAGE_REQUEST && pasid >> (FIELD(vtd->ecap, 39, 35) + 1))
		return entry__fail(fault, 0x89);
	if (pasid >> (SMC_PDTS(val) + 13))
		return entry__fail(fault, 0x46);
	if (pasid == SMC_RID(val))
		return entry__fail(fault, 0x48);
	return 0;
}

static bool has_reserved(const struct vtd *vtd, const u64 v[8])
{
	/* Linux writes AW into first-stage and pass-through entries whatever SSTS says: not here. */
	const u64 rsvd0 = GENMASK(11, 10) | BIT(5) | entry__above_haw(vtd) |
			  unless(vtd, ECAP_SSTS, GENMASK(63, 12)) |
			  unless(vtd, ECAP_SSTS | ECAP_SSADS, BIT(9));
	const u64 rsvd1 =
	    GENMASK(22, 16) | unless(vtd, ECAP_SMPWCS, BIT(23)) | unless(vtd, ECAP_SC, BIT(24)) |
	    unless(vtd, ECAP_MTS, GENMASK(63, 32) | GENMASK(26, 25)) | GENMASK(31, 27);
	/* WPE, FSPM and FSPTPTR are the first stage's; 6:5 are ignored. */
	const u64 rsvd2 = GENMASK(11, 8) | BIT(1) | entry__above_haw(vtd) |
			  unless(vtd, ECAP_FSTS, GENMASK(63, 12) | GENMASK(4, 2)) |
			  unless(vtd, ECAP_SRS, BIT(0)) | unless(vtd, ECAP_EAFS, BIT(7));

	/* 511:256 are the host permission tables' and reserved; HPTS is not offered. */
	return (v[0] & rsvd0) || (v[1] & rsvd1) || (v[2] & rsvd2) || v[3] || v[4] || v[5] || v[6] ||
	       v[7];
}

static int decode(const struct vtd *vtd, struct vtd_ctx *ctx, struct vtd_fault *fault)
{
	const u64 *v = ctx->raw;
	bool fs, ss;

	ctx->pgtt = FIELD(v[0], 8, 6);
	ctx->did = FIELD(v[1], 15, 0);
	fs = ctx->pgtt == VTD_PGTT_FS || ctx->pgtt == VTD_PGTT_NESTED;
	ss = ctx->pgtt == VTD_PGTT_SS || ctx->pgtt == VTD_PGTT_NESTED;
	if (has_reserved(vtd, v))
		return entry__fail(fault, 0x5a);

	switch (ctx->pgtt) {
	case VTD_PGTT_FS:
		if (!(vtd->ecap & ECAP_FSTS))
			return entry__fail(fault, 0x5b);
		break;
	case VTD_PGTT_SS:
		if (!(vtd->ecap & ECAP_SSTS))
			return entry__fail(fault, 0x5b);
		break;
	case VTD_PGTT_NESTED:
		if (!(vtd->ecap & ECAP_NEST))
			return entry__fail(fault, 0x5b);
		break;
	case VTD_PGTT_PT:
		if (!(vtd->ecap & ECAP_PT))
			return entry__fail(fault, 0x5b);
		break;
	default:
		return entry__fail(fault, 0x5b);
	}

	ctx->pwsnp = v[1] & BIT(23);
	ctx->sre = v[2] & BIT(0);
	if (ss) {
		ctx->ssptr = ALIGN_DOWN(v[0], 4 * KiB);
		ctx->ss_levels = entry__ss_levels(vtd, FIELD(v[0], 4, 2));
		ctx->ssade = v[0] & BIT(9);
		if (!ctx->ss_levels)
			return entry__fail(fault, 0x5b);
	}
	if (fs) {
		unsigned int fspm = FIELD(v[2], 3, 2);

		ctx->fsptr = ALIGN_DOWN(v[2], 4 * KiB);
		ctx->fs_levels = 4 + fspm;
		ctx->wpe = v[2] & BIT(4);
		ctx->eafe = v[2] & BIT(7);
		if (fspm > 1 || (fspm == 1 && !(vtd->cap & CAP_FS5LP)))
			return entry__fail(fault, 0x5b);
		/* SPT.4.4: a nested FSPTPTR is an address that the second stage must take. */
		if (ss && ctx->fsptr >> MIN(vtd__mgaw(vtd), 12u + 9 * ctx->ss_levels))
			return entry__fail(fault, 0x5b);
	}
	return 0;
}

int entry__sm_lookup(struct vtd *vtd, u16 sid, u32 pasid, struct vtd_ctx *ctx,
		     struct vtd_fault *fault)
{
	u64 smc[4], dir;
	int err;

	err = sm_context(vtd, sid, smc, fault);
	ctx->fpd = fault->fpd;
	if (!err)
		err = check_kind(smc, fault);
	if (err)
		return err;
	/* PTRS is not offered, so that there is no EPTR (SCT.10); nothing else matters (4.2.5). */
	if (fault->kind == VTD_TRANSLATED)
		return pasid == DMA_NO_PASID ? 0 : entry__fail(fault, 0x49);
	if (pasid == DMA_NO_PASID) {
		pasid = SMC_RID(smc);
		ctx->rid_priv = smc[1] & SMC_RID_PRIV;
	} else {
		err = check_pasid(vtd, smc, pasid, fault);
		if (err)
			return err;
	}
	ctx->pasid = pasid;

	if (!entry__fetch(vtd, fault, VTD_PASID_DIR, SMC_PTR(smc) + (pasid >> 6) * 8, &dir, 1))
		return entry__fail(fault, 0x50);
	ctx->fpd = fault->fpd |= !!(dir & BIT(1));
	if (!(dir & 1))
		return entry__fail(fault, 0x51);
	if (dir & (GENMASK(11, 2) | entry__above_haw(vtd)))
		return entry__fail(fault, 0x52);

	if (!entry__fetch(vtd, fault, VTD_PASID, ALIGN_DOWN(dir, 4 * KiB) + (pasid & 63) * 64,
			  ctx->raw, 8))
		return entry__fail(fault, 0x58);
	ctx->fpd = fault->fpd |= !!(ctx->raw[0] & BIT(1));
	if (!(ctx->raw[0] & 1))
		return entry__fail(fault, 0x59);
	return decode(vtd, ctx, fault);
}

u32 vtd_entry__pasids(struct vtd *vtd, u16 sid, u32 *rid_pasid)
{
	struct vtd_fault fault = { 0 };
	u64 smc[4];

	*rid_pasid = 0;
	if (vtd__ttm(vtd) != VTD_TTM_SCALABLE || sm_context(vtd, sid, smc, &fault))
		return 0;
	*rid_pasid = SMC_RID(smc);
	return MIN(1u << (SMC_PDTS(smc) + 13), PASID_NUM);
}

bool vtd_entry__next_pasid(struct vtd *vtd, u16 sid, u32 *pasid, u32 end)
{
	struct vtd_fault fault = { 0 };
	u64 smc[4], dir;

	if (vtd__ttm(vtd) != VTD_TTM_SCALABLE || sm_context(vtd, sid, smc, &fault) ||
	    !(smc[0] & SMC_PASIDE))
		return false;
	end = MIN(end, MIN(1u << (SMC_PDTS(smc) + 13), PASID_NUM));
	for (u32 p = *pasid; p < end; p = (p | 63) + 1) {
		const u64 *table;

		vtd->work++;
		if (!entry__read(vtd, SMC_PTR(smc) + (p >> 6) * 8, &dir, 1))
			return false;
		if (!(dir & 1) || (dir & (GENMASK(11, 2) | entry__above_haw(vtd))))
			continue;
		vtd->work += 64;
		table = mem__ptr(vtd->mem, ALIGN_DOWN(dir, 4 * KiB), 4 * KiB);
		for (u32 q = p; table && q < end && q <= (p | 63); q++)
			if (READ_ONCE(table[(q & 63) * 8]) & 1) {
				*pasid = q;
				return true;
			}
	}
	return false;
}
