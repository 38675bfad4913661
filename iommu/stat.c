/* SPDX-License-Identifier: GPL-2.0-only */
/* What the unit has counted since it was made, as text or JSON: groups of names and numbers. */

#include "iommu/debug.h"
#include "iommu/names.h"

struct form {
	FILE *out;
	const char *prefix; /* NULL: JSON */
	unsigned int groups, values;
};

static void group(struct form *f, const char *name)
{
	if (f->prefix)
		fprintf(f->out, "%s%s%s", f->groups ? "\n" : "", f->prefix, name);
	else
		fprintf(f->out, "%s\"%s\": {", f->groups ? "}, " : "{", name);
	f->groups++;
	f->values = 0;
}

static void value(struct form *f, const char *name, u64 val)
{
	if (f->prefix)
		fprintf(f->out, " %s=%llu", name, val);
	else
		fprintf(f->out, "%s\"%s\": %llu", f->values ? ", " : "", name, val);
	f->values++;
}

static void queue(struct form *f, const struct vtd_stats *s)
{
	group(f, "descriptors");
	for (u32 i = 0; i < ARRAY_SIZE(s->desc); i++)
		if (vtd_name__desc(i))
			value(f, vtd_name__desc(i), s->desc[i]);
	group(f, "queue_errors");
	for (u32 i = 0; i < ARRAY_SIZE(s->iqe); i++)
		if (vtd_name__iqei(i))
			value(f, vtd_name__iqei(i), s->iqe[i]);
	value(f, "timeout", s->ite);
}

static void faults(struct form *f, const struct vtd_stats *s)
{
	group(f, "faults");
	value(f, "recorded", s->faults - s->faults_dropped);
	value(f, "dropped", s->faults_dropped);
	value(f, "fpd", s->faults_fpd);
	group(f, "reasons");
	for (u32 i = 0; i < ARRAY_SIZE(s->reasons); i++) {
		char name[8];

		if (!s->reasons[i])
			continue;
		snprintf(name, sizeof(name), "0x%02x", (u8)i);
		value(f, name, s->reasons[i]);
		if (f->prefix)
			fprintf(f->out, " (%s)", vtd_fault__text((u8)i));
	}
}

static void translation(struct form *f, const struct vtd_stats *s)
{
	group(f, "context_cache");
	value(f, "hit", s->ctx_hit);
	value(f, "miss", s->ctx_miss);
	group(f, "iotlb");
	value(f, "hit", s->iotlb_hit);
	value(f, "miss", s->iotlb_miss);
	group(f, "walks");
	value(f, "walks", s->walks);
	value(f, "first_stage_reads", s->fs_reads);
	value(f, "second_stage_reads", s->ss_reads);
	group(f, "device_tlb");
	value(f, "translation_requests", s->ats);
	value(f, "translated_requests", s->translated);
	value(f, "invalidations", s->desc[3] + s->desc[8]);
	group(f, "page_requests");
	value(f, "received", s->page_requests);
	value(f, "lost", s->page_lost);
	value(f, "responses", s->desc[9]);
}

static void rest(struct form *f, const struct vtd_stats *s)
{
	group(f, "bind");
	value(f, "attach", s->attach);
	value(f, "replace", s->replace);
	value(f, "detach", s->detach);
	value(f, "to_parent", s->to_parent);
	value(f, "failed", s->bind_failed);
	group(f, "host_inv");
	value(f, "calls", s->host_inv_calls);
	value(f, "ranges", s->host_inv_ranges);
	group(f, "interrupts");
	value(f, "remapped", s->ir_remapped);
	value(f, "blocked", s->ir_blocked);
}

static void all(struct form *f, const struct vtd_stats *s)
{
	queue(f, s);
	faults(f, s);
	translation(f, s);
	rest(f, s);
}

void stat__print(const struct vtd *vtd, const char *prefix, FILE *out)
{
	struct form f = { .out = out, .prefix = prefix };

	all(&f, &vtd->stats);
	fputc('\n', out);
}

void stat__json(const struct vtd *vtd, FILE *out)
{
	struct form f = { .out = out };

	all(&f, &vtd->stats);
	fprintf(out, "}}\n");
}
