/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The state of the unit, for people and scripts: one fact a line, "name: value..." or, for the
 * guest's tables, "context BB:DD.F ..." and "pasid BB:DD.F PASID ...".
 *
 * Tables are shown as they are in guest memory, not as they are cached.  A guest can make them as
 * large as 2^36 entries, and the loop lock is held: both lines and entries read are limited.
 */

#include "iommu/vtd.h"
#include "iommu/vtd_regs.h"

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

static void dump__flag(struct dump *d, u64 value, unsigned int bit, const char *name)
{
	if (value & BIT(bit))
		fprintf(d->out, " %s", name);
}

/* --- Translation tables (9.1-9.6) --- */

static void dump__pasid(struct dump *d, u32 sid, u32 pasid, const u64 *e)
{
	static const char *const pgtt[8] = {
		[VTD_PGTT_FS] = "first-stage",
		[VTD_PGTT_SS] = "second-stage",
		[VTD_PGTT_NESTED] = "nested",
		[VTD_PGTT_PT] = "pass-through",
	};
	u32 type = FIELD(e[0], 8, 6);

	dump__bdf(d, "pasid", sid);
	fprintf(d->out, " %u pgtt=%s did=%llu", pasid, pgtt[type] ?: "invalid", FIELD(e[1], 15, 0));
	if (type == VTD_PGTT_FS || type == VTD_PGTT_NESTED)
		fprintf(d->out, " fsptr=0x%llx fs-levels=%llu", e[2] & GENMASK(63, 12),
			FIELD(e[2], 3, 2) + 4);
	if (type == VTD_PGTT_SS || type == VTD_PGTT_NESTED)
		fprintf(d->out, " ssptr=0x%llx ss-levels=%llu", e[0] & GENMASK(63, 12),
			FIELD(e[0], 4, 2) + 2);
	dump__flag(d, e[0], 1, "fpd");
	dump__flag(d, e[0], 9, "ssade");
	dump__flag(d, e[1], 87 - 64, "pwsnp");
	dump__flag(d, e[1], 88 - 64, "pgsnp");
	dump__flag(d, e[2], 128 - 128, "sre");
	dump__flag(d, e[2], 132 - 128, "wpe");
	dump__flag(d, e[2], 135 - 128, "eafe");
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
	u32 entries = 128u << FIELD(e[0], 11, 9);

	dump__bdf(d, "context", sid);
	fprintf(d->out, " pasid-dir=0x%llx pasids=%u rid-pasid=%llu", e[0] & GENMASK(63, 12),
		entries * 64, FIELD(e[1], 19, 0));
	dump__flag(d, e[0], 1, "fpd");
	dump__flag(d, e[0], 2, "dte");
	dump__flag(d, e[0], 3, "paside");
	dump__flag(d, e[0], 4, "pre");
	dump__flag(d, e[1], 84 - 64, "rid-priv");
	fputc('\n', d->out);
	dump__directory(d, sid, e[0] & GENMASK(63, 12), entries);
}

static void dump__legacy_context(struct dump *d, u32 sid, const u64 *e)
{
	static const char *const tt[] = { "translate", "translate+ats", "pass-through", "invalid" };

	dump__bdf(d, "context", sid);
	fprintf(d->out, " legacy tt=%s did=%llu ssptr=0x%llx ss-levels=%llu", tt[FIELD(e[0], 3, 2)],
		FIELD(e[1], 23, 8), e[0] & GENMASK(63, 12), FIELD(e[1], 2, 0) + 2);
	dump__flag(d, e[0], 1, "fpd");
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
	const struct vtd *vtd = d->vtd;

	vtd_cap__print(vtd->cap, vtd->ecap, d->out);
	fprintf(d->out, "gsts: 0x%08x", vtd->gsts);
	dump__flag(d, vtd->gsts, 31, "TES");
	dump__flag(d, vtd->gsts, 30, "RTPS");
	dump__flag(d, vtd->gsts, 26, "QIES");
	dump__flag(d, vtd->gsts, 25, "IRES");
	dump__flag(d, vtd->gsts, 24, "IRTPS");
	dump__flag(d, vtd->gsts, 23, "CFIS");
	fprintf(d->out, "\nroot: 0x%llx ttm=%s\n", vtd->root & GENMASK(63, 12), ttm[vtd__ttm(vtd)]);
	fprintf(d->out, "irta: 0x%llx entries=%u %s\n", vtd->irta & GENMASK(63, 12),
		2u << FIELD(vtd->irta, 3, 0), vtd->irta & VTD_IRTA_EIME ? "x2apic" : "xapic");
	fprintf(d->out, "queue: base=0x%llx bytes=%llu width=%u", vtd->iqa & GENMASK(63, 12),
		4096ULL << FIELD(vtd->iqa, 2, 0), vtd->iqa & VTD_IQA_DW ? 256u : 128u);
	fprintf(d->out, " head=0x%llx tail=0x%llx error=%llu\n", vtd->iqh, vtd->iqt,
		vtd->fsts & VTD_FSTS_IQE ? vtd->iqercd : 0);
}

static void dump__faults(struct dump *d)
{
	const struct vtd *vtd = d->vtd;
	u32 status = vtd_fault__status(vtd);

	fprintf(d->out, "fsts: 0x%08x", status);
	dump__flag(d, status, 0, "PFO");
	dump__flag(d, status, 1, "PPF");
	dump__flag(d, status, 4, "IQE");
	dump__flag(d, status, 5, "ICE");
	dump__flag(d, status, 6, "ITE");
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
			fprintf(d->out, " %s addr=0x%llx", f->hi & BIT(62) ? "read" : "write",
				f->lo);
		if (f->hi & BIT(31))
			fprintf(d->out, " pasid=%llu", FIELD(f->hi, 59, 40));
		fprintf(d->out, " reason=0x%02x (%s)\n", reason, vtd_fault__text(reason));
	}
}

static void dump__counts(struct dump *d)
{
	static const char *const type[] = {
		[1] = "context", [2] = "iotlb",	 [4] = "iec",
		[5] = "wait",	 [6] = "piotlb", [7] = "pasid-cache",
	};
	const struct vtd_stats *s = &d->vtd->stats;

	fprintf(d->out, "counts: descriptors");
	for (unsigned int i = 0; i < ARRAY_SIZE(type); i++)
		if (type[i])
			fprintf(d->out, " %s=%llu", type[i], s->desc[i]);
	fprintf(d->out, "\ncounts: faults=%llu dropped=%llu\n", s->faults, s->faults_dropped);
	fprintf(d->out, "counts: iotlb hit=%llu miss=%llu\n", s->iotlb_hit, s->iotlb_miss);
	fprintf(d->out, "counts: bind attach=%llu replace=%llu detach=%llu", s->attach, s->replace,
		s->detach);
	fprintf(d->out, " to-parent=%llu failed=%llu\n", s->to_parent, s->bind_failed);
	fprintf(d->out, "counts: host-inv calls=%llu ranges=%llu\n", s->host_inv_calls,
		s->host_inv_ranges);
	fprintf(d->out, "counts: interrupts remapped=%llu blocked=%llu\n", s->ir_remapped,
		s->ir_blocked);
}

void vtd_debug__print(struct vtd *vtd, FILE *out)
{
	struct dump d = { .vtd = vtd, .out = out };

	dump__registers(&d);
	dump__tables(&d);
	vtd_bind__print(vtd, out);
	dump__faults(&d);
	dump__counts(&d);
}
