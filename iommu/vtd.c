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

/* Everything that is emulated, as far as a common guest can use it. */
static const struct vtd_config config_vtd = {
	.aw = 48,
	.scalable = true,
	.fs = true,
	.ss = true,
	.nest = true,
	.pt = true,
	.fs1gp = true,
	.srs = true,
	.eafs = true,
	.smpwc = true,
	.ir = true,
	.eim = true,
	.sc = true,
	.pasid_bits = 20,
};

/* The most that host page tables can stand behind; assigned devices narrow it to what they have. */
static const struct vtd_config config_nested = {
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
		option.cfg = config_vtd;
	} else if (len == 10 && !memcmp(arg, "vtd-nested", len)) {
		option.cfg = config_nested;
	} else {
		pr_err("--viommu=%s: give off, vtd or vtd-nested, options behind a comma", arg);
		return -EINVAL;
	}
	err = vtd_cap__parse(list, &option.cfg);
	if (err)
		return err;
	return vtd_cap__build(&option.cfg, &option.cap, &option.ecap);
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

static void debug__handle(struct vm *vm, const char *arg, void *out)
{
	if (vm->vtd)
		vtd_debug__print(vm->vtd, out);
	else
		fprintf(out, "no vIOMMU: started with --viommu=off\n");
}

static struct control_verb debug_verb = {
	.name = "iommu",
	.help = "vIOMMU registers, translation tables, bindings and counts",
	.handle = debug__handle,
};

static int viommu__setup(struct vm *vm)
{
	struct vtd *vtd;
	int err = -ENOMEM;

	control__register(&debug_verb);
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
	err = bus__add(vm->mmio, &vtd->mmio);
	if (err) {
		pr_err("vIOMMU: its registers at 0x%llx collide with another device (%s)", VTD_BASE,
		       strerror(-err));
		goto no_bus;
	}
	err = vtd_dmar__add(vtd);
	if (err) {
		pr_err("vIOMMU: out of memory for the DMAR table");
		goto no_dmar;
	}
	pci__set_iommu(vm->pci, &vtd_dma_ops, vtd);
	if (vtd->cfg.ir)
		irq__set_remap(vm->irq, &vtd_remap_ops, vtd);
	vm->vtd = vtd;
	return 0;

no_dmar:
	bus__del(&vtd->mmio);
no_bus:
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
	.setup = viommu__setup,
	.teardown = viommu__teardown,
	.reset = viommu__reset,
};
LKVM_MODULE(viommu)
