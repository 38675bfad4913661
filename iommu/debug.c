/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The state of the unit, for people and scripts: one fact a line, "name: value..." or, for the
 * guest's tables, "context BB:DD.F ..." and "pasid BB:DD.F PASID ...".
 *
 * Tables are shown as they are in guest memory, not as they are cached.  A guest can make them as
 * large as 2^36 entries, and the loop lock is held: both lines and entries read are limited.
 */

#include "iommu/cache.h"
#include "iommu/debug.h"
#include "iommu/names.h"

#define MAX_LINES   1024
#define MAX_ENTRIES 200000

struct dump {
	struct vtd *vtd;
	FILE *out;
	u32 lines, entries;
};

/* Read a table entry; false: unreadable, or enough has been read. */
static bool dump__read(struct dump *d, u64 gpa, void *entry, u32 len)
{
	if (d->entries >= MAX_ENTRIES || d->lines >= MAX_LINES)
		return false;
	d->entries++;
	return !mem__read(d->vtd->mem, gpa, entry, len);
}

static void dump__bdf(struct dump *d, const char *what, u32 sid)
{
	d->lines++;
	fprintf(d->out, "%s %02x:%02x.%x", what, sid >> 8, sid >> 3 & 0x1f, sid & 7);
}

/* --- Translation tables (9.1-9.6) --- */

static void dump__pasid(struct dump *d, u32 sid, u32 pasid, const u64 *e)
{
	dump__bdf(d, "pasid", sid);
	fprintf(d->out, " %u", pasid);
	debug__pasid(d->out, e);
	fputc('\n', d->out);
}

static void dump__directory(struct dump *d, u32 sid, u64 dir, u32 entries)
{
	for (u32 i = 0; i < entries && d->entries < MAX_ENTRIES; i++) {
		u64 de;

		if (!dump__read(d, dir + 8ULL * i, &de, sizeof(de)) || !(de & 1))
			continue;
		for (u32 j = 0; j < 64; j++) {
			u64 e[8];

			if (dump__read(d, (de & GENMASK(63, 12)) + 64ULL * j, e, sizeof(e)) &&
			    (e[0] & 1))
				dump__pasid(d, sid, i * 64 + j, e);
		}
	}
}

static void dump__scalable_context(struct dump *d, u32 sid, const u64 *e)
{
	dump__bdf(d, "context", sid);
	debug__scalable_context(d->out, e);
	fputc('\n', d->out);
	dump__directory(d, sid, e[0] & GENMASK(63, 12), 128u << FIELD(e[0], 11, 9));
}

static void dump__legacy_context(struct dump *d, u32 sid, const u64 *e)
{
	dump__bdf(d, "context", sid);
	debug__legacy_context(d->out, e);
	fputc('\n', d->out);
}

/* A legacy context table holds 256 entries of 16 bytes, a scalable-mode one 128 of 32. */
static void dump__contexts(struct dump *d, u32 sid, u64 table, bool scalable)
{
	u32 size = scalable ? 32 : 16;

	for (u32 i = 0; i < 4096 / size; i++) {
		u64 e[4];

		if (!dump__read(d, table + (u64)size * i, e, size) || !(e[0] & 1))
			continue;
		if (scalable)
			dump__scalable_context(d, sid + i, e);
		else
			dump__legacy_context(d, sid + i, e);
	}
}

static void dump__tables(struct dump *d)
{
	u64 root = d->vtd->root & GENMASK(63, 12);
	bool scalable = vtd__ttm(d->vtd) == VTD_TTM_SCALABLE;

	if (!(d->vtd->gsts & VTD_GCMD_SRTP) || (!scalable && vtd__ttm(d->vtd) != VTD_TTM_LEGACY))
		return;
	for (u32 bus = 0; bus < 256; bus++) {
		u64 e[2];

		if (!dump__read(d, root + 16 * bus, e, sizeof(e)))
			continue;
		if (e[0] & 1)
			dump__contexts(d, bus << 8, e[0] & GENMASK(63, 12), scalable);
		if (scalable && (e[1] & 1))
			dump__contexts(d, bus << 8 | 0x80, e[1] & GENMASK(63, 12), scalable);
	}
	if (d->entries >= MAX_ENTRIES || d->lines >= MAX_LINES)
		fprintf(d->out, "tables: stopped after %u lines and %u entries\n", d->lines,
			d->entries);
}

/* --- Registers, faults, counts --- */

static void dump__registers(struct dump *d)
{
	static const char *const ttm[] = { "legacy", "scalable", "reserved", "abort-dma" };
	static const char *const gsts[] = { [23] = "CFIS", "IRTPS",	  "IRES",
					    "QIES",	   [30] = "RTPS", "TES" };
	const struct vtd *vtd = d->vtd;
	u32 iqei = vtd->fsts & VTD_FSTS_IQE ? FIELD(vtd->iqercd, 3, 0) : 0;

	vtd_cap__print(vtd->cap, vtd->ecap, d->out);
	fprintf(d->out, "gsts: 0x%08x", vtd->gsts);
	debug__flags(d->out, vtd->gsts, gsts, ARRAY_SIZE(gsts));
	fprintf(d->out, "\nroot: 0x%llx ttm=%s\n", vtd->root & GENMASK(63, 12), ttm[vtd__ttm(vtd)]);
	fprintf(d->out, "irta: 0x%llx entries=%u %s\n", vtd->irta & GENMASK(63, 12),
		2u << FIELD(vtd->irta, 3, 0), vtd->irta & VTD_IRTA_EIME ? "x2apic" : "xapic");
	fprintf(d->out, "queue: base=0x%llx bytes=%llu width=%u", vtd->iqa & GENMASK(63, 12),
		4096ULL << FIELD(vtd->iqa, 2, 0), vtd->iqa & VTD_IQA_DW ? 256u : 128u);
	fprintf(d->out, " head=0x%llx tail=0x%llx error=%u", vtd->iqh, vtd->iqt, iqei);
	if (iqei)
		fprintf(d->out, " (%s)", vtd_name__iqei(iqei) ?: "unknown");
	fputc('\n', d->out);
}

/* T1 and T2 (11.4.7.6) */
static const char *dump__type(const struct vtd_frcd *f)
{
	if (f->hi & BIT(28))
		return f->hi & BIT(62) ? "atomic" : "page-request";
	return f->hi & BIT(62) ? "read" : "write";
}

static void dump__faults(struct dump *d)
{
	static const char *const at[] = { "", " at=translation", " at=translated", "" };
	static const char *const fsts[] = { "PFO", "PPF", [4] = "IQE", "ICE", "ITE" };
	const struct vtd *vtd = d->vtd;
	u32 status = vtd_fault__status(vtd);

	fprintf(d->out, "fsts: 0x%08x", status);
	debug__flags(d->out, status, fsts, ARRAY_SIZE(fsts));
	fputc('\n', d->out);
	for (u32 i = 0; i < VTD_NFRCD; i++) {
		const struct vtd_frcd *f = &vtd->frcd[i];
		u8 reason = FIELD(f->hi, 39, 32);

		if (!(f->hi & BIT(63)))
			continue;
		dump__bdf(d, "fault", FIELD(f->hi, 15, 0));
		if (reason >= 0x20 && reason < 0x30)
			fprintf(d->out, " index=%llu", FIELD(f->lo, 63, 48));
		else
			fprintf(d->out, " %s%s addr=0x%llx", dump__type(f),
				at[FIELD(f->hi, 61, 60)], f->lo);
		if (f->hi & BIT(31))
			fprintf(d->out, " pasid=%llu", FIELD(f->hi, 59, 40));
		fprintf(d->out, " reason=0x%02x (%s)\n", reason, vtd_fault__text(reason));
	}
}

/* --- Page requests, caches --- */

static void dump__page_requests(struct dump *d)
{
	static const char *const prs[] = { "PPR", "PRO" };
	const struct vtd *vtd = d->vtd;

	if (!(vtd->ecap & VTD_ECAP_PRS))
		return;
	fprintf(d->out, "page-requests: base=0x%llx bytes=%llu head=0x%llx tail=0x%llx prs=0x%x",
		vtd->pqa & GENMASK(63, 12), 4096ULL << FIELD(vtd->pqa, 2, 0), vtd->pqh, vtd->pqt,
		vtd->prs);
	debug__flags(d->out, vtd->prs, prs, ARRAY_SIZE(prs));
	fputc('\n', d->out);
}

static void dump__caches(struct dump *d)
{
	const struct vtd_cache *cache = d->vtd->cache;
	const struct ctx_slot *slot = cache->ctx[0];
	unsigned int n = 0;

	for (unsigned int i = 0; i < sizeof(cache->ctx) / sizeof(*slot); i++)
		n += slot[i].key != 0;
	fprintf(d->out, "cached: contexts=%u iotlb 4K=%u 2M=%u 1G=%u first-stage=%u\n", n,
		cache->pages[0], cache->pages[1], cache->pages[2], cache->fs);
}

void debug__print(struct vtd *vtd, FILE *out)
{
	struct dump d = { .vtd = vtd, .out = out };

	dump__registers(&d);
	dump__tables(&d);
	vtd_bind__print(vtd, out);
	dump__faults(&d);
	dump__page_requests(&d);
	dump__caches(&d);
	stat__print(vtd, "counts: ", out);
}
