/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * `lkvm run --dump-dtb`: the machine as it was built, as a flattened device tree (Devicetree
 * Specification 0.4), for people and programs.  The guest does not see it: it has ACPI.
 */

#include <errno.h>
#include <libfdt.h>
#include <stdio.h>
#include <string.h>

#include "lkvm/layout.h"
#include "lkvm/mem.h"
#include "lkvm/pci.h"
#include "lkvm/vm.h"
#include "x86/dtb.h"

#define IOAPIC_PHANDLE 1
#define EDGE_RISING    0 /* as Linux's ce4100-ioapic binding counts */
#define ECAM_BUS       MiB

/* The first cell of a PCI address (PCI Bus Binding to IEEE 1275, 2.2.1.1). */
#define PCI_SPACE_32 0x02000000
#define PCI_SPACE_64 0x43000000 /* prefetchable */

/* Appending; the first error stays in @err and makes the rest do nothing. */
struct tree {
	void *fdt;
	int err;
};

static void begin(struct tree *t, const char *name)
{
	if (!t->err)
		t->err = fdt_begin_node(t->fdt, name);
}

static void end(struct tree *t)
{
	if (!t->err)
		t->err = fdt_end_node(t->fdt);
}

static void put_string(struct tree *t, const char *name, const char *s)
{
	if (!t->err)
		t->err = fdt_property_string(t->fdt, name, s);
}

static void put_empty(struct tree *t, const char *name)
{
	if (!t->err)
		t->err = fdt_property(t->fdt, name, NULL, 0);
}

static void put_cells(struct tree *t, const char *name, unsigned int n, const u32 *cells)
{
	fdt32_t *p = NULL;

	if (!t->err)
		t->err = fdt_property_placeholder(t->fdt, name, (int)(n * sizeof(*p)), (void **)&p);
	for (unsigned int i = 0; !t->err && i < n; i++)
		p[i] = cpu_to_fdt32(cells[i]);
}

#define CELLS(t, name, ...)                                                                        \
	put_cells(t, name, sizeof((u32[]){ __VA_ARGS__ }) / sizeof(u32), (u32[]){ __VA_ARGS__ })
#define HI(v) ((u32)((v) >> 32))
#define LO(v) ((u32)(v))

static void put_sizes(struct tree *t, u32 address, u32 size)
{
	CELLS(t, "#address-cells", address);
	CELLS(t, "#size-cells", size);
}

static void put_cpus(struct tree *t, const struct vm *vm)
{
	char name[32];

	begin(t, "cpus");
	put_sizes(t, 1, 0);
	for (u32 i = 0; i < vm->cpus; i++) {
		snprintf(name, sizeof(name), "cpu@%x", i);
		begin(t, name);
		put_string(t, "device_type", "cpu");
		CELLS(t, "reg", i); /* the APIC id */
		end(t);
	}
	end(t);
}

static void put_memory(struct tree *t, const struct vm *vm)
{
	unsigned int n;
	const struct mem_region *r = mem__regions(vm->mem, &n);
	char name[32];

	for (; n--; r++) {
		snprintf(name, sizeof(name), "memory@%llx", r->gpa);
		begin(t, name);
		put_string(t, "device_type", "memory");
		CELLS(t, "reg", HI(r->gpa), LO(r->gpa), HI(r->size), LO(r->size));
		end(t);
	}
}

static void put_function(struct pci_func *f, void *arg)
{
	struct tree *t = arg;
	char name[32];

	if (f->bdf & 7)
		snprintf(name, sizeof(name), "device@%x,%x", f->bdf >> 3 & 0x1f, f->bdf & 7);
	else
		snprintf(name, sizeof(name), "device@%x", f->bdf >> 3 & 0x1f);
	begin(t, name);
	put_string(t, "label", f->name);
	CELLS(t, "reg", (u32)f->bdf << 8, 0, 0, 0, 0);
	CELLS(t, "vendor-id", f->cfg[0] | f->cfg[1] << 8);
	CELLS(t, "device-id", f->cfg[2] | f->cfg[3] << 8);
	end(t);
}

static void put_pcie(struct tree *t, const struct vm *vm)
{
	const struct pci_windows *w = pci__windows(vm->pci);
	char name[32];

	snprintf(name, sizeof(name), "pcie@%llx", ECAM_BASE);
	begin(t, name);
	put_string(t, "device_type", "pci");
	put_string(t, "compatible", "pci-host-ecam-generic");
	put_sizes(t, 3, 2);
	CELLS(t, "bus-range", 0, 0); /* as the MCFG says */
	CELLS(t, "reg", HI(ECAM_BASE), LO(ECAM_BASE), HI(ECAM_BUS), LO(ECAM_BUS));
	CELLS(t, "ranges", PCI_SPACE_32, HI(w->mmio32), LO(w->mmio32), HI(w->mmio32), LO(w->mmio32),
	      HI(w->mmio32_size), LO(w->mmio32_size), PCI_SPACE_64, HI(w->mmio64), LO(w->mmio64),
	      HI(w->mmio64), LO(w->mmio64), HI(w->mmio64_size), LO(w->mmio64_size));
	put_empty(t, "dma-coherent");
	pci__for_each(vm->pci, put_function, t);
	end(t);
}

static void put_board(struct tree *t)
{
	char name[48];

	snprintf(name, sizeof(name), "interrupt-controller@%llx", IOAPIC_BASE);
	begin(t, name);
	put_string(t, "compatible", "intel,ce4100-ioapic");
	CELLS(t, "reg", HI(IOAPIC_BASE), LO(IOAPIC_BASE), HI(IOAPIC_SIZE), LO(IOAPIC_SIZE));
	put_empty(t, "interrupt-controller");
	CELLS(t, "#address-cells", 0);
	CELLS(t, "#interrupt-cells", 2);
	CELLS(t, "phandle", IOAPIC_PHANDLE);
	end(t);

	/* Ports, in the way of the ISA binding to IEEE 1275: the first cell says I/O. */
	begin(t, "isa");
	put_string(t, "device_type", "isa");
	put_string(t, "compatible", "isa");
	put_sizes(t, 2, 1);
	snprintf(name, sizeof(name), "serial@i%x", PORT_COM1);
	begin(t, name);
	put_string(t, "device_type", "serial");
	put_string(t, "compatible", "ns16550a");
	CELLS(t, "reg", 1, PORT_COM1, 8);
	CELLS(t, "clock-frequency", 1843200);
	CELLS(t, "interrupt-parent", IOAPIC_PHANDLE);
	CELLS(t, "interrupts", GSI_COM1, EDGE_RISING);
	end(t);
	end(t);
}

static void put_chosen(struct tree *t, const struct vm *vm)
{
	char path[32];

	begin(t, "chosen");
	put_string(t, "bootargs", vm->params ? vm->params : "");
	snprintf(path, sizeof(path), "/isa/serial@i%x", PORT_COM1);
	put_string(t, "stdout-path", path);
	end(t);
}

int dtb__build(const struct vm *vm, void *buf, u32 size)
{
	struct tree t = { .fdt = buf };

	t.err = fdt_create(buf, (int)size);
	if (!t.err)
		t.err = fdt_finish_reservemap(buf);
	begin(&t, "");
	put_string(&t, "model", "lkvm");
	put_string(&t, "compatible", "lkvm,pc");
	put_sizes(&t, 2, 2);
	put_chosen(&t, vm);
	put_cpus(&t, vm);
	put_memory(&t, vm);
	put_board(&t);
	put_pcie(&t, vm);
	end(&t);
	if (!t.err)
		t.err = fdt_finish(buf);
	return t.err ? -ENOSPC : (int)fdt_totalsize(buf);
}
