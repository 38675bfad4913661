/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * Base address registers.  Sizing needs no code: the write masks leave the low bits of a BAR zero,
 * which is what a guest looks for after writing ones (PCIe 7.5.1.2.1).  What is left is to keep the
 * bus in step with what the guest wrote.
 */

#include <errno.h>

#include "lkvm/trace.h"
#include "x86/pci_priv.h"

static u32 bar_reg(int bar)
{
	return PCI_BASE_ADDRESS_0 + 4 * bar;
}

/* PCIe 7.5.1.2.1: no more than 256 ports to a BAR. */
static bool size_ok(u64 size, bool io, bool is64)
{
	u64 min = io ? 4 : 4 * KiB, max = io ? 256 : 2 * GiB;

	return size >= min && !(size & (size - 1)) && (is64 || size <= max);
}

int pci__add_bar(struct pci_func *f, int bar, u64 size, u32 flags)
{
	bool io = flags & PCI_BASE_ADDRESS_SPACE_IO;
	bool is64 = !io && (flags & PCI_BASE_ADDRESS_MEM_TYPE_64);
	u64 mask = ~(size - 1);

	if (bar < 0 || bar >= PCI_BARS || (is64 && bar == PCI_BARS - 1))
		return -EINVAL;
	if (!size_ok(size, io, is64))
		return -EINVAL;
	if (f->bar[bar].size || (bar && f->bar[bar - 1].is64) || (is64 && f->bar[bar + 1].size))
		return -EINVAL;

	f->bar[bar] = (struct pci_bar){
		.size = size,
		.io = io,
		.is64 = is64,
		.gpa = PCI_BAR_UNMAPPED,
	};
	if (io)
		pci_put16(f->wmask, PCI_COMMAND, pci_get16(f->wmask, PCI_COMMAND) | PCI_COMMAND_IO);
	pci_put32(f->cfg, bar_reg(bar), flags);
	pci_put32(f->wmask, bar_reg(bar), mask);
	if (is64) {
		pci_put32(f->cfg, bar_reg(bar + 1), 0);
		pci_put32(f->wmask, bar_reg(bar + 1), mask >> 32);
	}
	return 0;
}

/* The bits of the register that are not the address. */
static u32 flag_bits(const struct pci_func *f, int bar)
{
	return f->bar[bar].io ? ~(u32)PCI_BASE_ADDRESS_IO_MASK : ~(u32)PCI_BASE_ADDRESS_MEM_MASK;
}

static void set_addr(struct pci_func *f, int bar, u64 addr)
{
	u32 flags = pci_get32(f->cfg, bar_reg(bar)) & flag_bits(f, bar);

	pci_put32(f->cfg, bar_reg(bar), (u32)addr | flags);
	if (f->bar[bar].is64)
		pci_put32(f->cfg, bar_reg(bar + 1), addr >> 32);
}

static u64 get_addr(const struct pci_func *f, int bar)
{
	u64 addr = pci_get32(f->cfg, bar_reg(bar)) & ~flag_bits(f, bar);

	if (f->bar[bar].is64)
		addr |= (u64)pci_get32(f->cfg, bar_reg(bar + 1)) << 32;
	return addr;
}

int pci_bar__assign(struct pci_root *root, struct pci_func *f)
{
	struct pci_window io = root->io, low = root->low, high = root->high, *w;
	const struct pci_bar *b;
	u64 addr;
	int i;

	for (i = 0; i < PCI_BARS; i++) {
		b = &f->bar[i];
		if (!b->size)
			continue;
		w = b->io ? &io : b->is64 ? &high : &low;
		addr = ALIGN_UP(w->next, b->size);
		if (addr < w->next || addr >= w->end || b->size > w->end - addr) {
			pr_err("%s: no room for BAR %d (%llu bytes) in the guest's %s PCI window; "
			       "use fewer devices or smaller BARs",
			       f->name, i, b->size,
			       b->io	 ? "I/O"
			       : b->is64 ? "64-bit"
					 : "32-bit");
			return -ENOSPC;
		}
		set_addr(f, i, addr);
		w->next = addr + b->size;
	}
	root->io = io;
	root->low = low;
	root->high = high;
	return 0;
}

static void decode_access(struct bus_region *r, u64 off, u8 *data, u32 len, bool write)
{
	struct pci_decode *d = container_of(r, struct pci_decode, region);
	struct pci_func *f = d->f;

	if (msix__access(f, d->bar, off, data, len, write))
		return;
	if (f->ops && f->ops->bar_access)
		f->ops->bar_access(f, d->bar, off, data, len, write);
}

void pci_bar__init(struct pci_func *f)
{
	struct pci_slot *slot = f->root_priv;
	int i;

	for (i = 0; i < PCI_BARS; i++) {
		f->bar[i].gpa = PCI_BAR_UNMAPPED;
		slot->decode[i] = (struct pci_decode){
			.f = f,
			.bar = i,
			.region = { .access = decode_access, .name = f->name },
		};
	}
}

static bool within(u64 addr, u64 size, u64 base, u64 len)
{
	return addr >= base && size <= len && addr - base <= len - size;
}

/* Where BAR @bar ought to be decoded. */
static u64 wanted(const struct pci_root *root, const struct pci_func *f, int bar)
{
	const struct pci_windows *w = &root->win;
	u64 addr = get_addr(f, bar), size = f->bar[bar].size;
	bool io = f->bar[bar].io;

	if (!size || !(f->cfg[PCI_COMMAND] & (io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY)))
		return PCI_BAR_UNMAPPED;
	/* As a host bridge would: only its windows are routed to it, RAM and the rest never are. */
	if (io)
		return within(addr, size, w->io, w->io_size) ? addr : PCI_BAR_UNMAPPED;
	if (!within(addr, size, w->mmio32, w->mmio32_size) &&
	    !within(addr, size, w->mmio64, w->mmio64_size))
		return PCI_BAR_UNMAPPED;
	return addr;
}

static void moved(struct pci_func *f, int bar, u64 gpa)
{
	f->bar[bar].gpa = gpa;
	trace(pci_bar, "%s bar %d at %#llx", f->name, bar, gpa);
	if (f->ops && f->ops->bar_moved)
		f->ops->bar_moved(f, bar, gpa);
}

static void unmap(struct pci_func *f, int bar)
{
	struct pci_slot *slot = f->root_priv;

	if (f->bar[bar].gpa == PCI_BAR_UNMAPPED)
		return;
	bus__del(&slot->decode[bar].region);
	moved(f, bar, PCI_BAR_UNMAPPED);
}

static void map(struct pci_func *f, int bar, u64 gpa)
{
	struct pci_slot *slot = f->root_priv;
	struct bus_region *r = &slot->decode[bar].region;
	struct vm *vm = slot->root->vm;

	r->base = gpa;
	r->size = f->bar[bar].size;
	/* Taken by another BAR: this one stays dark until that one moves away. */
	if (bus__add(f->bar[bar].io ? vm->pio : vm->mmio, r) < 0)
		return;
	moved(f, bar, gpa);
}

/*
 * First everything leaves that has to, then everything finds its place: so BARs can swap, and a BAR
 * hidden behind another one appears when that one goes.
 */
void pci_bar__update(struct pci_root *root)
{
	struct pci_func *f;
	u64 gpa;
	int i, bar;

	for (i = 0; i < PCI_DEVFNS; i++) {
		f = root->func[i];
		for (bar = 0; f && bar < PCI_BARS; bar++) {
			if (f->bar[bar].gpa != wanted(root, f, bar))
				unmap(f, bar);
		}
	}
	for (i = 0; i < PCI_DEVFNS; i++) {
		f = root->func[i];
		for (bar = 0; f && bar < PCI_BARS; bar++) {
			gpa = wanted(root, f, bar);
			if (f->bar[bar].gpa != gpa)
				map(f, bar, gpa);
		}
	}
}

void pci_bar__unmap_all(struct pci_func *f)
{
	int bar;

	for (bar = 0; bar < PCI_BARS; bar++)
		unmap(f, bar);
}
