/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the unit says it can do: CAP and ECAP (VT-d 11.4.2, 11.4.3) from the options, and the
 * dependencies between them that those sections state.
 */

#include <errno.h>
#include <string.h>

#include "iommu/vtd.h"
#include "iommu/vtd_regs.h"

/*
 * Everything that is emulated but for two things that Linux would use to no gain: caching mode would
 * have it invalidate also what it maps, and 57 address bits give all its tables a fifth level.
 */
const struct vtd_config vtd_config_emulated = {
	.aw = 48,
	.scalable = true,
	.fs = true,
	.ss = true,
	.nest = true,
	.pt = true,
	.fl5 = true,
	.fs1gp = true,
	.srs = true,
	.eafs = true,
	.smpwc = true,
	.ir = true,
	.eim = true,
	.sc = true,
	.ssads = true,
	.ats = true,
	.pri = true,
	.pasid_bits = 20,
};

/* The most that host page tables can stand behind; assigned devices narrow it to what they have. */
const struct vtd_config vtd_config_nested = {
	.aw = 48,
	.scalable = true,
	.fs = true,
	.pt = true,
	.fl5 = true,
	.fs1gp = true,
	.srs = true,
	.eafs = true,
	.smpwc = true,
	.ir = true,
	.eim = true,
	.cm = true,
	.pasid_bits = 20,
	.assigned = true,
};

enum { IN_CAP, IN_ECAP };

/*
 * A capability bit.  With an option, the bit follows a byte of struct vtd_config (a bool, or the
 * number of PASID bits); without, it is always set (those are what the rest of this room does).
 */
struct feature {
	const char *name, *option;
	const char *needs[2]; /* options */
	u16 field;	      /* in struct vtd_config; 0 (which is aw): always on */
	u8 reg, bit;
};

#define FIXED(n, r, b)                                                                             \
	{                                                                                          \
		.name = n, .reg = r, .bit = b                                                      \
	}
#define OPTION(n, r, b, o, f, ...)                                                                 \
	{                                                                                          \
		.name = n, .option = o, .needs = { __VA_ARGS__ }, .reg = r, .bit = b,              \
		.field = offsetof(struct vtd_config, f)                                            \
	}

/* Each option stands behind those it needs. */
static const struct feature features[] = {
	OPTION("CM", IN_CAP, 7, "cm", cm, NULL),
	FIXED("PSI", IN_CAP, 39),
	FIXED("DWD", IN_CAP, 54),
	FIXED("DRD", IN_CAP, 55),
	FIXED("ESRTPS", IN_CAP, 63),
	FIXED("C", IN_ECAP, 0),
	FIXED("QI", IN_ECAP, 1),
	OPTION("IR", IN_ECAP, 3, "ir", ir, NULL),
	OPTION("ESIRTPS", IN_CAP, 62, NULL, ir, NULL),
	OPTION("EIM", IN_ECAP, 4, "eim", eim, "ir"),
	OPTION("PT", IN_ECAP, 6, "pt", pt, NULL),
	OPTION("SC", IN_ECAP, 7, "sc", sc, NULL),
	OPTION("SMTS", IN_ECAP, 43, "scalable", scalable, NULL),
	OPTION("FSTS", IN_ECAP, 47, "fs", fs, "scalable"),
	OPTION("SSTS", IN_ECAP, 46, "ss", ss, "scalable"),
	OPTION("NEST", IN_ECAP, 26, "nest", nest, "fs", "ss"),
	OPTION("PASID", IN_ECAP, 40, "pasid", pasid_bits, "scalable"),
	OPTION("FS1GP", IN_CAP, 56, "1gp", fs1gp, "fs"),
	OPTION("FS5LP", IN_CAP, 60, "5lp", fl5, "fs"),
	OPTION("SRS", IN_ECAP, 31, "srs", srs, "scalable"),
	OPTION("SMPWCS", IN_ECAP, 48, "smpwc", smpwc, "scalable"),
	OPTION("EAFS", IN_ECAP, 34, "eafs", eafs, "fs", "smpwc"),
	OPTION("SSADS", IN_ECAP, 45, "ssad", ssads, "ss", "smpwc"),
	OPTION("DT", IN_ECAP, 2, "ats", ats, NULL),
	OPTION("NWFS", IN_ECAP, 33, NULL, ats, NULL),
	OPTION("PRS", IN_ECAP, 29, "pri", pri, "ats", "scalable"),
	OPTION("PDS", IN_ECAP, 42, NULL, pri, NULL),
};

static u8 *feature__value(const struct feature *f, struct vtd_config *cfg)
{
	return (u8 *)cfg + f->field;
}

static bool feature__on(const struct feature *f, const struct vtd_config *cfg)
{
	return !f->field || *((const u8 *)cfg + f->field);
}

/* By option name of @len bytes. */
static const struct feature *feature__find(const char *option, size_t len)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(features); i++)
		if (features[i].option && strlen(features[i].option) == len &&
		    !memcmp(features[i].option, option, len))
			return &features[i];
	return NULL;
}

/* The option that @f needs and @cfg does not have, or NULL. */
static const char *feature__lacks(const struct feature *f, const struct vtd_config *cfg)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(f->needs) && f->needs[i]; i++)
		if (!feature__on(feature__find(f->needs[i], strlen(f->needs[i])), cfg))
			return f->needs[i];
	return NULL;
}

/* --- Building --- */

static int cap__refuse(const char *why)
{
	pr_err("--viommu: %s", why);
	return -EINVAL;
}

/* What is not a matter of one option needing another. */
static int cap__check(const struct vtd_config *cfg)
{
	if (cfg->aw != 39 && cfg->aw != 48 && cfg->aw != 57)
		return cap__refuse("aw must be 39, 48 or 57");
	if (cfg->pasid_bits > 20)
		return cap__refuse("pasid must be off or at most 20 bits");
	if (cfg->scalable && !cfg->fs && !cfg->ss)
		return cap__refuse("scalable needs fs or ss: add one, or use scalable=off");
	if (!cfg->assigned)
		return 0;
	if (!cfg->scalable || !cfg->fs || !cfg->pt)
		return cap__refuse("vtd-nested needs scalable, fs and pt: leave them on");
	if (!cfg->cm)
		return cap__refuse("vtd-nested needs cm: without it the guest does not tell when "
				   "an entry becomes present");
	if (cfg->ss || cfg->nest || cfg->sc)
		return cap__refuse("vtd-nested has no second stage for the guest: leave out ss, "
				   "nest and sc, or use vtd");
	return 0;
}

int vtd_cap__build(const struct vtd_config *cfg, u64 *cap, u64 *ecap)
{
	u64 reg[] = { [IN_CAP] = 0, [IN_ECAP] = 0 };
	int err = cap__check(cfg);

	if (err)
		return err;
	for (unsigned int i = 0; i < ARRAY_SIZE(features); i++) {
		const struct feature *f = &features[i];
		const char *lacks;

		if (!feature__on(f, cfg))
			continue;
		lacks = feature__lacks(f, cfg);
		if (lacks) {
			pr_err("--viommu: %s needs %s, which is off: add %s or use %s=off",
			       f->option, lacks, lacks, f->option);
			return -EINVAL;
		}
		reg[f->reg] |= BIT(f->bit);
	}

	reg[IN_CAP] |= 6 | /* ND: 16-bit domain ids */
		       (u64)(cfg->aw - 1) << 16 | (u64)(VTD_FRCD / 16) << 24 |
		       (u64)(VTD_NFRCD - 1) << 40 | (u64)VTD_MAMV << 48;
	/*
	 * A second stage of our own, in legacy mode too: SAGAW, and SLLPS of 2 MiB and 1 GiB.  Over
	 * assigned devices there is none: the host's second stage holds the guest's memory.
	 */
	if (!cfg->assigned)
		reg[IN_CAP] |= BIT(9) | (cfg->aw >= 48 ? BIT(10) : 0) |
			       (cfg->aw >= 57 ? BIT(11) : 0) | 3ULL << 34;

	reg[IN_ECAP] |= (u64)(VTD_IVA / 16) << 8;
	if (cfg->ir)
		reg[IN_ECAP] |= (u64)VTD_MHMV << 20;
	if (cfg->pasid_bits)
		reg[IN_ECAP] |= (u64)(cfg->pasid_bits - 1) << 35;

	*cap = reg[IN_CAP];
	*ecap = reg[IN_ECAP];
	return 0;
}

/* --- Parsing --- */

static int option__number(const char *name, const char *text, u64 min, u64 max, u8 *out)
{
	u64 n;

	if (parse_uint(text, min, max, &n)) {
		pr_err("--viommu: %s=%s: give a number from %llu to %llu", name, text, min, max);
		return -EINVAL;
	}
	*out = n;
	return 0;
}

/* One "name[=value]"; *@f is the feature it set, NULL for aw. */
static int option__apply(const char *text, struct vtd_config *cfg, const struct feature **f)
{
	size_t len = strcspn(text, "=");
	const char *value = text[len] ? text + len + 1 : "on";

	*f = NULL;
	if (len == 2 && !memcmp(text, "aw", 2))
		return option__number("aw", value, 39, 57, &cfg->aw);
	*f = feature__find(text, len);
	if (!*f) {
		pr_err("--viommu: unknown option \"%s\": known: aw=39|48|57, pasid=BITS|off, and "
		       "on or off: scalable fs ss nest pt 5lp 1gp srs eafs smpwc ssad ir eim cm sc "
		       "ats pri",
		       text);
		return -EINVAL;
	}
	if (!strcmp(value, "off")) {
		*feature__value(*f, cfg) = 0;
		return 0;
	}
	if ((*f)->field == offsetof(struct vtd_config, pasid_bits)) {
		if (!strcmp(value, "on"))
			value = "20";
		return option__number("pasid", value, 1, 20, &cfg->pasid_bits);
	}
	if (strcmp(value, "on")) {
		pr_err("--viommu: %s: a value of on or off is needed", text);
		return -EINVAL;
	}
	*feature__value(*f, cfg) = 1;
	return 0;
}

int vtd_cap__parse(const char *list, struct vtd_config *cfg)
{
	bool named[ARRAY_SIZE(features)] = { false };

	while (list && *list) {
		size_t len = strcspn(list, ",");
		const struct feature *f;
		char text[32];
		int err;

		if (len >= sizeof(text)) {
			pr_err("--viommu: no option is as long as \"%.*s\"", (int)len, list);
			return -EINVAL;
		}
		memcpy(text, list, len);
		text[len] = '\0';
		err = option__apply(text, cfg, &f);
		if (err)
			return err;
		if (f)
			named[f - features] = true;
		list += len + (list[len] == ',');
	}

	/*
	 * A first stage has 48 bits or more, and Linux leaves a unit alone whose two stages have no
	 * width in common.
	 */
	if (cfg->aw < 48 && cfg->ss && !named[feature__find("fs", 2) - features])
		cfg->fs = false;
	/* A default whose base was switched off goes with it; what was asked for is checked. */
	for (unsigned int i = 0; i < ARRAY_SIZE(features); i++)
		if (features[i].option && !named[i] && feature__lacks(&features[i], cfg))
			*feature__value(&features[i], cfg) = 0;
	return 0;
}

/* --- Printing --- */

void vtd_cap__print(u64 cap, u64 ecap, FILE *out)
{
	for (int reg = IN_CAP; reg <= IN_ECAP; reg++) {
		u64 val = reg == IN_CAP ? cap : ecap;

		fprintf(out, "%s: 0x%016llx", reg == IN_CAP ? "cap" : "ecap", val);
		for (unsigned int i = 0; i < ARRAY_SIZE(features); i++)
			if (features[i].reg == reg && (val & BIT(features[i].bit)))
				fprintf(out, " %s", features[i].name);
		if (reg == IN_CAP)
			fprintf(out, " sagaw=0x%llx mgaw=%llu mamv=%llu nfr=%llu\n",
				FIELD(val, 12, 8), FIELD(val, 21, 16) + 1, FIELD(val, 53, 48),
				FIELD(val, 47, 40) + 1);
		else
			fprintf(out, " pasid-bits=%llu mhmv=%llu\n",
				val & BIT(40) ? FIELD(val, 39, 35) + 1 : 0, FIELD(val, 23, 20));
	}
}
