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

static struct control_verb verbs[] = {
	{ .name = "iommu",
	  .help = "vIOMMU registers, translation tables, bindings, caches and counts",
	  .handle = verb_iommu },
	{ .name = "iommu-stat",
	  .help = "vIOMMU counts, as lkvm stat --iommu (json: as JSON)",
	  .handle = verb_stat },
	{ .name = "walk",
	  .help = "what a DMA to BB:DD.F[,PASID],ADDRESS meets, entry by entry",
	  .handle = verb_walk },
};

static int verbs_setup(struct vm *vm)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(verbs); i++)
		control__register(&verbs[i]);
	return 0;
}

static struct module verbs_module = {
	.name = "viommu-verbs",
	.level = MODULE_LATE,
	.setup = verbs_setup,
};
LKVM_MODULE(verbs_module)
