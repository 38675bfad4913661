/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a requester id to the entry that says how its requests are translated: the root table, and
 * context entries of legacy mode (VT-d 3.4.2, 9.1, 9.3).  Scalable mode goes on in entry_sm.c.
 *
 * The guest may rewrite an entry while it is read: it is copied, then checked and used from the
 * copy.
 */

#include <emmintrin.h>
#include <errno.h>
#include <string.h>

#include "iommu/entry.h"

/* Context-entry TT (9.3) */
enum { TT_UNTRANSLATED = 0, TT_ALL = 1, TT_PASS_THROUGH = 2 };

/*
 * 128 bits are read at once (VT-d 9): software that replaces them so relies on never having its tables
 * used with another's domain (6.2.2.1, 6.2.3.1), or its vector by another's device (9.9).  An aligned
 * move of that size is one access.
 */
static void read_pair(const u64 *ptr, u64 *val)
{
	__m128i pair;

	__asm__ volatile("movdqa %1, %0" : "=x"(pair) : "m"(*(const __m128i *)ptr));
	memcpy(val, &pair, sizeof(pair));
}

bool entry__read(const struct vtd *vtd, u64 gpa, u64 *val, unsigned int n)
{
	const u64 *ptr = mem__ptr(vtd->mem, gpa, n * sizeof(*val));

	if (!ptr)
		return false;
	if (n == 1)
		*val = READ_ONCE(*ptr);
	for (unsigned int i = 0; i + 1 < n; i += 2)
		read_pair(ptr + i, val + i);
	return true;
}

bool entry__fetch(struct vtd *vtd, const struct vtd_fault *fault, enum vtd_entry entry, u64 gpa,
		  u64 *val, unsigned int n)
{
	bool found = entry__read(vtd, gpa, val, n);

	vtd__observe(fault, &(struct vtd_step){
				.entry = entry, .gpa = gpa, .val = found ? val : NULL, .n = n });
	return found;
}

int entry__fail(struct vtd_fault *fault, u8 reason)
{
	fault->reason = reason;
	return -EFAULT;
}

u64 entry__above_haw(const struct vtd *vtd)
{
	return ~(BIT(vtd__haw(vtd)) - 1);
}

u8 entry__ss_levels(const struct vtd *vtd, unsigned int aw)
{
	/* AW 1, 2, 3 are 39, 48, 57 bits, and so is SAGAW's bit of that number (11.4.2). */
	if (aw < 1 || aw > 3 || !(FIELD(vtd->cap, 12, 8) & BIT(aw)))
		return 0;
	return aw + 2;
}

static int legacy_context(struct vtd *vtd, u16 sid, u64 val[2], struct vtd_fault *fault)
{
	u64 root[2];

	if (!entry__fetch(vtd, fault, VTD_ROOT, ALIGN_DOWN(vtd->root, 4 * KiB) + (sid >> 8) * 16,
			  root, 2))
		return entry__fail(fault, 0x8);
	if (!(root[0] & 1))
		return entry__fail(fault, 0x1);
	if ((root[0] & (GENMASK(11, 1) | entry__above_haw(vtd))) || root[1])
		return entry__fail(fault, 0xa);
	if (!entry__fetch(vtd, fault, VTD_CONTEXT, ALIGN_DOWN(root[0], 4 * KiB) + (sid & 0xff) * 16,
			  val, 2))
		return entry__fail(fault, 0x9);
	return 0;
}

/* LCT.5: TT is for untranslated requests only. */
static int check_untranslated(struct vtd_fault *fault)
{
	return fault->kind == VTD_UNTRANSLATED ? 0 : entry__fail(fault, 0xd);
}

static int legacy_lookup(struct vtd *vtd, u16 sid, struct vtd_ctx *ctx, struct vtd_fault *fault)
{
	u64 val[2], rsvd = GENMASK(11, 4);
	unsigned int tt;
	u8 levels;
	int err;

	err = legacy_context(vtd, sid, val, fault);
	if (err)
		return err;
	ctx->raw[0] = val[0];
	ctx->raw[1] = val[1];
	ctx->fpd = val[0] & BIT(1); /* counts even if P=0 */
	fault->fpd = ctx->fpd;
	if (!(val[0] & 1))
		return entry__fail(fault, 0x2);

	tt = FIELD(val[0], 3, 2);
	if (tt != TT_PASS_THROUGH) /* which ignores SSPTPTR */
		rsvd |= entry__above_haw(vtd);
	if ((val[0] & rsvd) || (val[1] & (BIT(7) | GENMASK(63, 24))))
		return entry__fail(fault, 0xb);

	ctx->legacy = true;
	ctx->did = FIELD(val[1], 23, 8);
	if ((tt == TT_ALL && !(vtd->ecap & ECAP_DT)) ||
	    (tt == TT_PASS_THROUGH && !(vtd->ecap & ECAP_PT)) || tt > TT_PASS_THROUGH)
		return entry__fail(fault, 0x3);
	levels = entry__ss_levels(vtd, FIELD(val[1], 2, 0));
	if (tt == TT_PASS_THROUGH) {
		/* AW is to be the largest there is (9.3), if any; the address is checked against HAW. */
		if (!levels && FIELD(vtd->cap, 12, 8))
			return entry__fail(fault, 0x3);
		ctx->pgtt = VTD_PGTT_PT;
		return check_untranslated(fault);
	}
	if (!levels)
		return entry__fail(fault, 0x3);
	ctx->pgtt = VTD_PGTT_SS;
	ctx->ssptr = ALIGN_DOWN(val[0], 4 * KiB);
	ctx->ss_levels = levels;
	return tt == TT_ALL ? 0 : check_untranslated(fault);
}

int vtd_entry__lookup(struct vtd *vtd, u16 sid, u32 pasid, struct vtd_ctx *ctx,
		      struct vtd_fault *fault)
{
	*ctx = (struct vtd_ctx){ 0 };
	fault->reason = 0;
	fault->fpd = false;

	switch (vtd__ttm(vtd)) {
	case VTD_TTM_LEGACY:
		if (fault->kind == VTD_PAGE_REQUEST)
			return entry__fail(fault, 0x32);
		if (pasid != DMA_NO_PASID)
			return entry__fail(fault, 0x31);
		return legacy_lookup(vtd, sid, ctx, fault);
	case VTD_TTM_SCALABLE:
		if (!(vtd->ecap & ECAP_SMTS))
			return entry__fail(fault, 0x30);
		return entry__sm_lookup(vtd, sid, pasid, ctx, fault);
	case VTD_TTM_ABORT:
		return entry__fail(fault, vtd->ecap & ECAP_ADMS ? 0x33 : 0x30);
	default:
		return entry__fail(fault, 0x30);
	}
}
