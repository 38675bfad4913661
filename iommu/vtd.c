/* SPDX-License-Identifier: GPL-2.0-only */
/* The vIOMMU as a module: its option, how it is put together, reset, taken apart. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "iommu/vtd.h"
#include "lkvm/layout.h"
#include "lkvm/module.h"
#include "lkvm/pci.h"

static struct {
	bool wanted;
	struct vtd_config cfg;
	u64 cap, ecap;
} option;

static int viommu__parse(const char *arg)
{
	size_t len = strcspn(arg, ",");
	const char *list = arg[len] ? arg + len + 1 : NULL;
	int err;

	option.wanted = true;
	if (!strcmp(arg, "off")) {
		option.wanted = false;
		return 0;
	} else if (len == 3 && !memcmp(arg, "vtd", len)) {
		option.cfg = vtd_config_emulated;
	} else if (len == 10 && !memcmp(arg, "vtd-nested", len)) {
		option.cfg = vtd_config_nested;
	} else {
		pr_err("--viommu=%s: give off, vtd or vtd-nested, options behind a comma", arg);
		return -EINVAL;
	}
	err = vtd_cap__parse(list, &option.cfg);
	if (err)
		return err;
	return vtd_cap__build(&option.cfg, &option.cap, &option.ecap);
}

/* An IRTE has room for every APIC id if EIM lets it, a plain MSI for those below 255. */
static int viommu__validate(void)
{
	if (run__cpus() <= CPUS_XAPIC || (option.wanted && option.cfg.eim))
		return 0;
	pr_err(
	    "--cpus %u: more than %d need interrupt remapping in x2APIC mode; add --viommu=vtd%s",
	    run__cpus(), CPUS_XAPIC, option.wanted ? " without ir=off or eim=off" : "");
	return -EINVAL;
}

static const struct option_def viommu_options[] = {
	{ .name = "viommu",
	  .arg = "off|vtd[,OPT...]|vtd-nested[,OPT...]",
	  .help = "Intel VT-d for the guest; vtd-nested: over the host's (default: off)",
	  .parse = viommu__parse },
	{ .name = NULL },
};

bool vtd__wanted(void)
{
	return option.wanted;
}

bool vtd__want_nested(void)
{
	return option.wanted && option.cfg.assigned;
}

bool vtd__nested(const struct vtd *vtd)
{
	return vtd && vtd->cfg.assigned;
}

static int viommu__setup(struct vm *vm)
{
	struct vtd *vtd;
	int err = -ENOMEM;

	if (!option.wanted)
		return 0;

	vtd = calloc(1, sizeof(*vtd));
	if (!vtd)
		goto no_memory;
	vtd->vm = vm;
	vtd->mem = vm->mem;
	vtd->irq = vm->irq;
	vtd->cfg = option.cfg;
	vtd->cap = option.cap;
	vtd->ecap = option.ecap;
	vtd->mmio = (struct bus_region){
		.base = VTD_BASE,
		.size = VTD_SIZE,
		.access = vtd_regs__access,
		.name = "vtd",
	};
	vtd_regs__reset(vtd);

	vtd->cache = vtd_cache__new();
	if (!vtd->cache)
		goto no_cache;
	err = vtd_turn__init(vtd);
	if (err)
		goto no_turn;
	err = bus__add(vm->mmio, &vtd->mmio);
	if (err) {
		pr_err("vIOMMU: its registers at 0x%llx collide with another device (%s)", VTD_BASE,
		       strerror(-err));
		goto no_bus;
	}
	pci__set_iommu(vm->pci, &vtd_dma_ops, vtd);
	if (vtd->cfg.ir)
		irq__set_remap(vm->irq, &vtd_remap_ops, vtd);
	vm->vtd = vtd;
	return 0;

no_bus:
	vtd_turn__exit(vtd);
no_turn:
	vtd_cache__free(vtd->cache);
	free(vtd);
	return err;
no_cache:
	free(vtd);
no_memory:
	pr_err("vIOMMU: out of memory");
	return -ENOMEM;
}

static void viommu__teardown(struct vm *vm)
{
	struct vtd *vtd = vm->vtd;

	if (!vtd)
		return;
	bus__del(&vtd->mmio);
	vtd_turn__exit(vtd);
	vtd_bind__free(vtd);
	vtd_cache__free(vtd->cache);
	free(vtd);
	vm->vtd = NULL;
}

static void viommu__reset(struct vm *vm)
{
	struct vtd *vtd = vm->vtd;

	if (!vtd)
		return;
	vtd_regs__reset(vtd);
	vtd_inv__all(vtd);
	vtd_bind__reset(vtd);
	if (vtd->cfg.ir)
		irq__refresh(vtd->irq);
}

static struct module viommu = {
	.name = "viommu",
	.level = MODULE_IOMMU,
	.options = viommu_options,
	.validate = viommu__validate,
	.setup = viommu__setup,
	.teardown = viommu__teardown,
	.reset = viommu__reset,
};
LKVM_MODULE(viommu)
