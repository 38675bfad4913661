/* SPDX-License-Identifier: GPL-2.0-only */
/* What a machine answers about its vIOMMU: `lkvm debug --iommu`, `--walk`, `lkvm stat --iommu`. */

#include <string.h>

#include "iommu/debug.h"
#include "lkvm/module.h"

static struct vtd *unit(struct vm *vm, FILE *out)
{
	if (!vm->vtd)
		fprintf(out, "error: %s has no vIOMMU; start it with --viommu=vtd or vtd-nested\n",
			vm->name);
	return vm->vtd;
}

static void verb_iommu(struct vm *vm, const char *arg, void *out)
{
	struct vtd *vtd = unit(vm, out);

	if (vtd)
		debug__print(vtd, out);
}

static bool check_walk(const char *arg, void *out)
{
	return debug__check_walk(arg, out);
}

static void verb_walk(struct vm *vm, const char *arg, void *out)
{
	struct vtd *vtd = unit(vm, out);

	if (vtd)
		debug__walk(vtd, arg, out);
}

static void verb_stat(struct vm *vm, const char *arg, void *out)
{
	struct vtd *vtd = unit(vm, out);

	if (vtd && !strcmp(arg, "json"))
		stat__json(vtd, out);
	else if (vtd)
		stat__print(vtd, "", out);
}

static const struct control_verb verbs[] = {
	{ .name = "iommu",
	  .help = "print the vIOMMU's registers, translation tables, bindings, caches and counts",
	  .handle = verb_iommu },
	{ .name = "iommu-stat", .handle = verb_stat },
	{ .name = "walk",
	  .arg = "BB:DD.F[,PASID],ADDRESS",
	  .help = "print what a DMA to there would meet, entry by entry",
	  .check = check_walk,
	  .handle = verb_walk },
	{ .name = NULL },
};

static struct module verbs_module = {
	.name = "viommu-verbs",
	.level = MODULE_LATE,
	.verbs = verbs,
};
LKVM_MODULE(verbs_module)
