/* SPDX-License-Identifier: GPL-2.0-only */
/* Entries of the guest's tables in words, as they are, valid or not. */

#include "iommu/debug.h"
#include "iommu/names.h"

void debug__flags(FILE *out, u64 value, const char *const *names, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (names[i] && (value & BIT(i)))
			fprintf(out, " %s", names[i]);
}

void debug__legacy_context(FILE *out, const u64 *e)
{
	static const char *const tt[] = { "translate", "translate+ats", "pass-through", "invalid" };
	static const char *const flags[] = { [1] = "fpd" };

	fprintf(out, " legacy tt=%s did=%llu ssptr=0x%llx ss-levels=%llu", tt[FIELD(e[0], 3, 2)],
		FIELD(e[1], 23, 8), e[0] & GENMASK(63, 12), FIELD(e[1], 2, 0) + 2);
	debug__flags(out, e[0], flags, ARRAY_SIZE(flags));
}

void debug__scalable_context(FILE *out, const u64 *e)
{
	static const char *const flags[] = { [1] = "fpd", "dte", "paside", "pre" };
	static const char *const rid[] = { [84 - 64] = "rid-priv" };

	fprintf(out, " pasid-dir=0x%llx pasids=%u rid-pasid=%llu", e[0] & GENMASK(63, 12),
		(128u << FIELD(e[0], 11, 9)) * 64, FIELD(e[1], 19, 0));
	debug__flags(out, e[0], flags, ARRAY_SIZE(flags));
	debug__flags(out, e[1], rid, ARRAY_SIZE(rid));
}

void debug__pasid(FILE *out, const u64 *e)
{
	static const char *const flags0[] = { [1] = "fpd", [9] = "ssade" };
	static const char *const flags1[] = { [87 - 64] = "pwsnp", [88 - 64] = "pgsnp" };
	static const char *const flags2[] = { [0] = "sre",
					      [132 - 128] = "wpe",
					      [135 - 128] = "eafe" };
	const u32 type = FIELD(e[0], 8, 6);

	fprintf(out, " pgtt=%s did=%llu", vtd_name__pgtt(type), FIELD(e[1], 15, 0));
	if (type == VTD_PGTT_FS || type == VTD_PGTT_NESTED)
		fprintf(out, " fsptr=0x%llx fs-levels=%llu", e[2] & GENMASK(63, 12),
			FIELD(e[2], 3, 2) + 4);
	if (type == VTD_PGTT_SS || type == VTD_PGTT_NESTED)
		fprintf(out, " ssptr=0x%llx ss-levels=%llu", e[0] & GENMASK(63, 12),
			FIELD(e[0], 4, 2) + 2);
	debug__flags(out, e[0], flags0, ARRAY_SIZE(flags0));
	debug__flags(out, e[1], flags1, ARRAY_SIZE(flags1));
	debug__flags(out, e[2], flags2, ARRAY_SIZE(flags2));
}

/* Where a page-table entry points: to the next table, or to a page. */
static void pointer(FILE *out, u64 e, unsigned int level)
{
	bool page = level == 1 || (e & BIT(7));

	fprintf(out, " %s=0x%llx", page ? "page" : "table",
		e & GENMASK(51, 12) & ~(page ? BIT(12 + 9 * (level - 1)) - 1 : 0));
}

void debug__fs(FILE *out, u64 e, unsigned int level)
{
	static const char *const table[] = { "P",  "R/W", "U/S", "PWT", "PCD", "A",
					     NULL, NULL,  NULL,	 NULL,	"EA" };
	static const char *const page[] = { "P", "R/W", "U/S", "PWT", "PCD", "A",
					    "D", "PS",	NULL,  NULL,  "EA" };

	if (e & 1)
		pointer(out, e, level);
	if (level == 1) /* bit 7 is PAT */
		debug__flags(out, e & ~BIT(7), page, ARRAY_SIZE(page));
	else
		debug__flags(out, e, e & BIT(7) ? page : table, ARRAY_SIZE(page));
}

void debug__ss(FILE *out, u64 e, unsigned int level)
{
	static const char *const names[] = { "R",  "W",	 NULL, NULL, NULL, NULL,
					     NULL, "PS", "A",  "D",  NULL, "SNP" };

	if (e & 3)
		pointer(out, e, level);
	debug__flags(out, level == 1 ? e & ~BIT(7) : e, names, ARRAY_SIZE(names));
}
