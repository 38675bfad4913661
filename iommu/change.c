/* SPDX-License-Identifier: GPL-2.0-only */
/* What an invalidation changed, for `--trace vtd_table`. */

#include <stdlib.h>
#include <string.h>

#include "iommu/cache.h"
#include "iommu/change.h"
#include "iommu/names.h"

#define TEXT 160

static const char *describe(const struct vtd_ctx *ctx, char *text)
{
	bool fs, ss;
	int n;

	if (!ctx) {
		snprintf(text, TEXT, "none");
		return text;
	}
	fs = ctx->pgtt == VTD_PGTT_FS || ctx->pgtt == VTD_PGTT_NESTED;
	ss = ctx->pgtt == VTD_PGTT_SS || ctx->pgtt == VTD_PGTT_NESTED;
	n = snprintf(text, TEXT, "%s did=%u", vtd_name__pgtt(ctx->pgtt), ctx->did);
	if (fs)
		n += snprintf(text + n, TEXT - n, " fsptr=0x%llx fs-levels=%u", ctx->fsptr,
			      ctx->fs_levels);
	if (ss)
		n += snprintf(text + n, TEXT - n, " ssptr=0x%llx ss-levels=%u", ctx->ssptr,
			      ctx->ss_levels);
	snprintf(text + n, TEXT - n, " raw=%llx:%llx:%llx", ctx->raw[0], ctx->raw[1], ctx->raw[2]);
	return text;
}

void vtd_change__tell(u16 sid, u32 pasid, const struct vtd_ctx *old, const struct vtd_ctx *now)
{
	char was[TEXT], is[TEXT], number[16] = "none";

	if (!trace_on[TRACE_vtd_table] || (!old && !now))
		return;
	if (old && now && !memcmp(old->raw, now->raw, sizeof(old->raw)) &&
	    old->legacy == now->legacy && old->pasid == now->pasid)
		return;
	if (pasid != DMA_NO_PASID)
		snprintf(number, sizeof(number), "%u", pasid);
	trace(vtd_table, "%02x:%02x.%x pasid %s: %s -> %s", sid >> 8, sid >> 3 & 0x1f, sid & 7,
	      number, describe(old, was), describe(now, is));
}

static void compare(struct vtd *vtd, const struct ctx_slot *old)
{
	const u16 sid = FIELD(old->key, 47, 32);
	const u32 pasid = FIELD(old->key, 31, 0);
	struct vtd_fault fault = { .sid = sid, .pasid = pasid };
	struct vtd_ctx now;
	bool found = vtd__tes(vtd) && !vtd_entry__lookup(vtd, sid, pasid, &now, &fault);

	vtd_change__tell(sid, pasid, &old->ctx, found ? &now : NULL);
}

void vtd_change__drop(struct vtd *vtd,
		      void (*drop)(struct vtd_cache *cache, const struct vtd_inv *inv),
		      const struct vtd_inv *inv)
{
	struct ctx_slot *now = vtd->cache->ctx[0], *old = NULL;
	const size_t size = sizeof(vtd->cache->ctx);

	if (unlikely(trace_on[TRACE_vtd_table]))
		old = malloc(size);
	if (old)
		memcpy(old, now, size);
	drop(vtd->cache, inv);
	for (size_t i = 0; old && i < size / sizeof(*old); i++)
		if (old[i].key && !now[i].key)
			compare(vtd, &old[i]);
	free(old);
}
