/* SPDX-License-Identifier: GPL-2.0-only */
/* What one request would meet: every entry on its way, the outcome, and what is cached of it. */

#include <stdio.h>
#include <string.h>

#include "iommu/debug.h"

struct look {
	struct vtd_observer observer;
	FILE *out;
	struct vtd *vtd;
	u16 sid;
	u32 pasid; /* or DMA_NO_PASID */
	u64 addr;
};

static void print_step(const struct vtd_observer *o, const struct vtd_step *s)
{
	static const char *const names[] = { "root", "context", "pasid-dir", "pasid", "fs", "ss" };
	FILE *out = container_of(o, struct look, observer)->out;

	fputs(names[s->entry], out);
	if (s->entry == VTD_FS || s->entry == VTD_SS)
		fprintf(out, " level %u of 0x%llx", s->level, s->addr);
	fprintf(out, " at 0x%llx:", s->gpa);
	for (unsigned int i = 0; s->val && i < s->n; i++)
		fprintf(out, " 0x%llx", s->val[i]);
	if (!s->val)
		fprintf(out, " cannot be read");
	else if (s->entry == VTD_SS)
		debug__ss(out, s->val[0], s->level);
	else if (s->entry == VTD_FS)
		debug__fs(out, s->val[0], s->level);
	else if (!(s->val[0] & 1))
		fprintf(out, " not present");
	else if (s->entry == VTD_PASID)
		debug__pasid(out, s->val);
	else if (s->entry == VTD_CONTEXT && s->n == 2)
		debug__legacy_context(out, s->val);
	else if (s->entry == VTD_CONTEXT)
		debug__scalable_context(out, s->val);
	else
		fprintf(out, " table=0x%llx", s->val[0] & GENMASK(63, 12));
	fputc('\n', out);
}

static void print_nothing(const struct vtd_observer *o, const struct vtd_step *s)
{
}

static const char *page_name(u8 shift)
{
	switch (shift) {
	case 12:
		return "4 KiB page";
	case 21:
		return "2 MiB page";
	case 30:
		return "1 GiB page";
	}
	return "identity";
}

/* Both ways of access, the second without telling the same steps again. */
static void outcome(struct look *l, const char *what, const struct vtd_ctx *ctx, u8 access,
		    struct vtd_fault *fault)
{
	struct vtd_leaf leaf;

	fault->access = access;
	if (ctx && !vtd_walk__translate(l->vtd, ctx, l->addr, access, &leaf, fault)) {
		fprintf(l->out, "%s: 0x%llx (%s)\n", what,
			leaf.gpa | (l->addr & (BIT(leaf.shift) - 1)), page_name(leaf.shift));
		return;
	}
	fprintf(l->out, "%s: fault 0x%02x (%s)%s\n", what, fault->reason,
		vtd_fault__text(fault->reason), fault->fpd ? " fpd" : "");
}

/* @ctx: what memory says, or NULL. */
static void cached(struct look *l, const struct vtd_ctx *ctx)
{
	struct vtd_cache *cache = l->vtd->cache;
	const struct vtd_ctx *held = vtd_cache__ctx(cache, l->sid, l->pasid);
	const struct vtd_leaf *leaf = NULL;
	bool same = held && ctx && !memcmp(held->raw, ctx->raw, sizeof(held->raw)) &&
		    held->pasid == ctx->pasid && held->legacy == ctx->legacy;

	fprintf(l->out, "cached context: %s\n",
		!held  ? "none"
		: same ? "as in memory"
		       : "not what is in memory: in use until it is invalidated");
	/* Where a request would look. */
	if (!held)
		held = ctx;
	if (held) {
		u8 priv = l->pasid == DMA_NO_PASID && held->rid_priv ? DMA_PRIV : 0;

		leaf = vtd_cache__leaf(cache, held, l->addr, priv);
	}
	if (leaf)
		fprintf(l->out, "cached iotlb: 0x%llx (%s)%s%s\n",
			leaf->gpa | (l->addr & (BIT(leaf->shift) - 1)), page_name(leaf->shift),
			leaf->perm & DMA_READ ? " read" : "",
			leaf->perm & DMA_WRITE ? " write" : "");
	else
		fprintf(l->out, "cached iotlb: none\n");
}

static void walk(struct look *l)
{
	struct vtd_fault fault = {
		.sid = l->sid, .pasid = l->pasid, .addr = l->addr, .observer = &l->observer
	};
	struct vtd_ctx found;
	const struct vtd_ctx *ctx = NULL;
	u8 priv = 0;

	if (!vtd__tes(l->vtd)) {
		fprintf(l->out, "read, write: 0x%llx (translation is off)\n", l->addr);
		return;
	}
	if (l->pasid == DMA_NO_PASID && vtd__is_msi(l->addr)) {
		fprintf(l->out, "read: fault 0x29 (%s)\nwrite: an interrupt\n",
			vtd_fault__text(0x29));
		return;
	}
	if (!vtd_entry__lookup(l->vtd, l->sid, l->pasid, &found, &fault))
		ctx = &found;
	if (ctx && l->pasid == DMA_NO_PASID && ctx->rid_priv)
		priv = DMA_PRIV;
	outcome(l, "read", ctx, DMA_READ | priv, &fault);
	l->observer.step = print_nothing;
	outcome(l, "write", ctx, DMA_WRITE | priv, &fault);
	cached(l, ctx);
}

/* "BB:DD.F[,PASID],ADDRESS" */
static bool parse(struct look *l, const char *arg)
{
	unsigned int bus, dev, fn;
	char pasid[24], rest = 0;
	const char *p = strchr(arg, ',');
	const char *q = p ? strchr(p + 1, ',') : NULL;
	u64 val;

	if (sscanf(arg, "%2x:%2x.%1x%c", &bus, &dev, &fn, &rest) != 4 || rest != ',' || bus > 255 ||
	    dev > 31 || fn > 7)
		return false;
	l->sid = (u16)(bus << 8 | dev << 3 | fn);
	l->pasid = DMA_NO_PASID;
	if (q) {
		if (q - p > (long)sizeof(pasid))
			return false;
		snprintf(pasid, sizeof(pasid), "%.*s", (int)(q - p - 1), p + 1);
		if (parse_uint(pasid, 0, GENMASK(19, 0), &val))
			return false;
		l->pasid = (u32)val;
		p = q;
	}
	return !parse_uint(p + 1, 0, ~0ULL, &l->addr);
}

bool debug__check_walk(const char *arg, FILE *out)
{
	struct look l;

	if (parse(&l, arg))
		return true;
	fprintf(out,
		"error: --walk %s: give BB:DD.F,ADDRESS or BB:DD.F,PASID,ADDRESS, such as "
		"00:03.0,0xfff000\n",
		arg);
	return false;
}

void debug__walk(struct vtd *vtd, const char *arg, FILE *out)
{
	/* What is looked at on behalf of people does not count. */
	const struct vtd_stats before = vtd->stats;
	struct look l = { .observer.step = print_step, .out = out, .vtd = vtd };

	if (!debug__check_walk(arg, out) || !parse(&l, arg))
		return;
	walk(&l);
	vtd->stats = before;
}
