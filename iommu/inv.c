/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an invalidation does (VT-d 6.5.2): first our caches, then those of whoever else keeps
 * translations, then the host page tables bound to the entries it covers.
 */

#include "iommu/bind.h"
#include "iommu/change.h"
#include "iommu/entry.h"

static void changed(struct vtd *vtd, const struct vtd_inv *inv, bool page)
{
	const u64 len = page ? 4096ULL << inv->am : 0;

	vtd_devtlb__changed(vtd, page ? inv->addr & ~(len - 1) : 0, len);
}

void vtd_inv__context(struct vtd *vtd, const struct vtd_inv *inv)
{
	struct bind_match match = { .any_pasid = true, .any_sid = true, .any_did = true };

	vtd->work += VTD_WORK_CONTEXTS;
	bind__flush(vtd);
	vtd_change__drop(vtd, vtd_cache__inv_context, inv);
	vtd_devtlb__changed(vtd, 0, 0);

	if (inv->gran == VTD_GRAN_DEVICE) {
		match.any_sid = false;
		match.sid = inv->sid;
		match.fm = inv->fm;
	} else if (inv->gran == VTD_GRAN_DOMAIN && vtd__ttm(vtd) == VTD_TTM_LEGACY) {
		match.any_did = false;
		match.did = inv->did;
	}
	bind__update(vtd, &match);
}

void vtd_inv__pasid_cache(struct vtd *vtd, const struct vtd_inv *inv)
{
	struct bind_match match = { .any_sid = true, .any_did = true, .any_pasid = true };

	vtd->work += VTD_WORK_CONTEXTS;
	bind__flush(vtd);
	vtd_change__drop(vtd, vtd_cache__inv_pasid, inv);
	vtd_devtlb__changed(vtd, 0, 0);

	if (inv->gran == VTD_GRAN_DOMAIN || inv->gran == VTD_GRAN_PASID) {
		match.any_did = false;
		match.did = inv->did;
	}
	if (inv->gran == VTD_GRAN_PASID) {
		match.any_pasid = false;
		match.pasid = inv->pasid;
	}
	bind__update(vtd, &match);
}

void vtd_inv__iotlb(struct vtd *vtd, const struct vtd_inv *inv)
{
	struct vtd_inv within = *inv;

	vtd->work += VTD_WORK_IOTLB;
	/* Address bits above MGAW are ignored (6.5.2.3, 11.4.6.4). */
	within.addr &= BIT(vtd__mgaw(vtd)) - 1;
	vtd_cache__inv_iotlb(vtd->cache, &within);
	/* Nested, the address is not what devices use, and of a first stage all goes (Table 23). */
	changed(vtd, &within, inv->gran == VTD_GRAN_PAGE && vtd__ttm(vtd) == VTD_TTM_LEGACY);
	/* Of first-stage entries, a page-selective one takes the whole domain (Table 23). */
	bind__queue_domain(vtd, inv->gran == VTD_GRAN_GLOBAL, inv->did);
}

static void first_stage(struct vtd *vtd, const struct vtd_inv *inv)
{
	vtd->work += VTD_WORK_IOTLB;
	vtd_cache__inv_piotlb(vtd->cache, inv);
	changed(vtd, inv, inv->gran == VTD_GRAN_PAGE);
	bind__queue_pasid(vtd, inv);
}

/* Bit @top of @addr and those below it, as an address that a first stage translates has them. */
static u64 extend(u64 addr, unsigned int top)
{
	const u64 low = addr & GENMASK(top, 0);

	return low & BIT(top) ? low | ~GENMASK(top, 0) : low;
}

/*
 * First-stage entries are tagged with the address bits that their tables translate (Table 18), 47:12 or
 * 56:12; those above are not looked at.  Which it is, the descriptor does not say.
 */
void vtd_inv__piotlb(struct vtd *vtd, const struct vtd_inv *inv)
{
	const u64 narrow = extend(inv->addr, 47), wide = extend(inv->addr, 56);
	struct vtd_inv within = *inv;

	/* If bit 47 is masked four levels have nothing left to compare; coarser is allowed (6.5.2.4). */
	if (inv->gran != VTD_GRAN_PAGE || inv->am > 47 - 12) {
		within = (struct vtd_inv){ .gran = VTD_GRAN_PASID,
					   .did = inv->did,
					   .pasid = inv->pasid };
		first_stage(vtd, &within);
		return;
	}
	within.addr = narrow;
	first_stage(vtd, &within);
	if (wide != narrow && (vtd->cap & CAP_FS5LP)) {
		within.addr = wide;
		first_stage(vtd, &within);
	}
}

static void clear(struct vtd_cache *cache, const struct vtd_inv *inv)
{
	vtd_cache__clear(cache);
}

/*
 * A register write does this once and at once: it is about what one descriptor can ask for, and the
 * bit of GSTS that follows says that it is done (11.4.4.2).
 */
void vtd_inv__all(struct vtd *vtd)
{
	const struct bind_match everything = { .any_sid = true,
					       .any_did = true,
					       .any_pasid = true };

	vtd_change__drop(vtd, clear, NULL);
	vtd_devtlb__changed(vtd, 0, 0);
	if (!vtd__tes(vtd)) {
		bind__put_back(vtd);
		return;
	}
	/* All caches are flushed, the host's for page tables that stay too (6.6). */
	bind__queue_domain(vtd, true, 0);
	bind__update(vtd, &everything);
	vtd_inv__sync(vtd);
}
