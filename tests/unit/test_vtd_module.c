/* SPDX-License-Identifier: GPL-2.0-only */
/* --viommu: what it takes, and that set-up undoes what it did when a step fails. */

#include "vtd_fake.h"

#include "iommu/cap.c"
#include "iommu/fault.c"
#include "iommu/queue.c"
#include "iommu/regs.c"
#include "iommu/vtd.c"

const struct dma_ops vtd_dma_ops;
const struct irq_remap_ops vtd_remap_ops;

static const struct module *registered;
static const char *fails; /* the step that fails */
static int bus_regions, caches, turns;
static bool dma_set, irq_set;

void module__register(struct module *m)
{
	registered = m;
}

static bool failing(const char *step)
{
	return fails && !strcmp(fails, step);
}

struct vtd_cache *vtd_cache__new(void)
{
	if (failing("cache"))
		return NULL;
	caches++;
	return (struct vtd_cache *)&caches;
}

void vtd_cache__free(struct vtd_cache *cache)
{
	caches--;
}

int vtd_turn__init(struct vtd *vtd)
{
	if (failing("turn")) {
		pr_err("told by the real one");
		return -EMFILE;
	}
	turns++;
	return 0;
}

void vtd_turn__exit(struct vtd *vtd)
{
	turns--;
}

int bus__add(struct bus *bus, struct bus_region *r)
{
	if (failing("bus"))
		return -EEXIST;
	bus_regions += r->base == VTD_BASE && r->size == VTD_SIZE ? 1 : 100;
	return 0;
}

void bus__del(struct bus_region *r)
{
	bus_regions--;
}

void pci__set_iommu(struct pci_root *root, const struct dma_ops *ops, void *iommu)
{
	dma_set = ops == &vtd_dma_ops && iommu;
}

void irq__set_remap(struct irqchip *irq, const struct irq_remap_ops *ops, void *iommu)
{
	irq_set = ops == &vtd_remap_ops && iommu;
}

void vtd_bind__reset(struct vtd *vtd)
{
	inv__note('B', NULL);
}

void vtd_bind__free(struct vtd *vtd)
{
}

static unsigned int cpus = 1;

unsigned int run__cpus(void)
{
	return cpus;
}

static int parse(const char *arg)
{
	return registered->options[0].parse(arg);
}

static void test_option(void)
{
	static const char *const bad[] = { "",
					   "on",
					   "vt",
					   "vtdx",
					   "vtd-neste",
					   "vtd-nested2",
					   "off,",
					   "vtd,bogus",
					   "vtd,aw=40",
					   "vtd,scalable=off,fs",
					   "vtd,ats=off,pri",
					   "vtd-nested,ss",
					   "vtd-nested,cm=off" };

	ok(!vtd__wanted() && !vtd__want_nested(), "off is the default");
	eq(parse("vtd"), 0, "vtd");
	ok(vtd__wanted() && !vtd__want_nested(), "is wanted, not nested");
	ok((option.cap & BIT(60)) && (option.ecap & BIT(26)), "five levels, nested translation");
	eq(parse("vtd-nested"), 0, "vtd-nested");
	ok(vtd__wanted() && vtd__want_nested(), "is wanted and nested");
	ok((option.cap & BIT(7)) && !FIELD(option.cap, 12, 8), "CM=1, SAGAW=0");
	eq(parse("vtd-nested,pasid=off,5lp=off"), 0, "vtd-nested with options");
	eq(parse("off"), 0, "off");
	ok(!vtd__wanted() && !vtd__want_nested(), "takes it back");
	eq(parse("vtd,aw=39,scalable=off"), 0, "vtd with options");
	eq(option.ecap & BIT(43), 0, "that have an effect");
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		errors_printed = 0;
		ok(parse(bad[i]) == -EINVAL && errors_printed == 1, "\"%s\" is refused", bad[i]);
	}
}

static void test_cpus(void)
{
	parse("off");
	cpus = CPUS_XAPIC;
	eq(registered->validate(), 0, "255 CPUs need no vIOMMU");
	cpus++;
	errors_printed = 0;
	ok(registered->validate() == -EINVAL && errors_printed == 1, "256 do");
	parse("vtd,eim=off");
	eq(registered->validate(), -EINVAL, "with EIM");
	parse("vtd");
	eq(registered->validate(), 0, "which is the default");
	parse("off");
	cpus = 1;
}

static void test_setup(void)
{
	static const char *const steps[] = { "cache", "turn", "bus" };
	struct vm vm = { .phys_bits = 39 };

	parse("off");
	eq(registered->setup(&vm), 0, "off: set up");
	ok(!vm.vtd && !vtd__nested(vm.vtd) && !bus_regions, "to nothing");
	registered->reset(&vm);
	registered->teardown(&vm);

	parse("vtd");
	for (unsigned int i = 0; i < ARRAY_SIZE(steps); i++) {
		fails = steps[i];
		errors_printed = 0;
		ok(registered->setup(&vm) < 0 && !vm.vtd && errors_printed == 1,
		   "%s fails: so does set-up, with one line", fails);
		ok(!bus_regions && !caches && !turns && !dma_set && !irq_set,
		   "and leaves nothing behind");
	}
	fails = NULL;
	eq(registered->setup(&vm), 0, "set up");
	ok(vm.vtd && bus_regions == 1 && caches == 1 && turns == 1 && dma_set && irq_set,
	   "registers and hooks");
	vm.vtd->gsts = VTD_GCMD_TE;
	fake__forget();
	registered->reset(&vm);
	eq(vm.vtd->gsts, 0, "reset clears the registers");
	ok(!strcmp(inv_log, "AB") && refreshed == 1, "then caches, bindings and routes");
	registered->teardown(&vm);
	ok(!vm.vtd && !bus_regions && !caches && !turns, "torn down");

	irq_set = false;
	parse("vtd,ir=off");
	registered->setup(&vm);
	ok(vm.vtd && !irq_set, "without IR interrupts are left alone");
	registered->teardown(&vm);
	parse("vtd-nested");
	registered->setup(&vm);
	ok(vtd__nested(vm.vtd), "vtd-nested is nested");
	registered->teardown(&vm);
}

int main(void)
{
	test_option();
	test_cpus();
	test_setup();
	return tap_done();
}
