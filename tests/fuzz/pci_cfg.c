/* SPDX-License-Identifier: GPL-2.0-only */
/* Configuration space by ECAM, BARs wherever the guest puts them, MSI-X tables, function resets. */

#include "tests/unit/fake_pci.h"
#include "x86/msix.c"
#include "x86/pci.c"
#include "x86/pci_bar.c"
#include "x86/pci_cfg.c"

#include "tests/fuzz/fuzz.h"

#define NVEC  70
#define NDEV  2
#define PORTS 0x10000

static struct vm vm;
static struct pci_func func[NDEV];

/* --- The devices --- */

static void dev_access(struct pci_func *f, int bar, u64 off, u8 *data, u32 len, bool write)
{
	must(bar >= 0 && bar < PCI_BARS && f->bar[bar].size, "the BAR exists");
	must(len >= 1 && len <= 8 && off < f->bar[bar].size && len <= f->bar[bar].size - off,
	     "the access is inside of it");
	must(f->bar[bar].gpa != PCI_BAR_UNMAPPED, "and it is decoded");
	if (!write)
		memset(data, 0x5a, len);
}

static void dev_moved(struct pci_func *f, int bar, u64 gpa)
{
	must(bar >= 0 && bar < PCI_BARS && f->bar[bar].size, "a BAR that exists moves");
	must(gpa == PCI_BAR_UNMAPPED || IS_ALIGNED(gpa, f->bar[bar].size), "to an aligned place");
}

static void dev_reset(struct pci_func *f)
{
}

static const struct pci_func_ops ops = {
	.bar_access = dev_access,
	.bar_moved = dev_moved,
	.reset = dev_reset,
};

static void setup(void)
{
	static const u8 body[14] = { 1, 2, 3 };

	vm = (struct vm){ .phys_bits = 40, .ram_size = 16 * MiB };
	vm.mmio = bus__new(-1, false);
	vm.pio = bus__new(-1, true);
	vm.mem = mem__new(-1, 16 * MiB);
	if (!vm.mmio || !vm.pio || !vm.mem)
		abort();
	vm.pci = pci__new(&vm);
	for (int i = 0; i < NDEV; i++) {
		func[i] = (struct pci_func){ .name = "dev", .ops = &ops };
		pci__init_func(&func[i], 0x1af4, 0x1041, 0x020000, 1);
		pci__add_bar(&func[i], 0, 64 * KiB, 0);
		pci__add_bar(&func[i], 2, i ? 4 * GiB : 16 * KiB,
			     PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH);
		pci__add_bar(&func[i], 4, 8 * KiB, PCI_BASE_ADDRESS_MEM_TYPE_64);
		pci__add_bar(&func[i], 1, 4 << i, PCI_BASE_ADDRESS_SPACE_IO);
		pci__add_cap(&func[i], 9, body, sizeof(body) + 2);
		pci__add_ext_cap(&func[i], 0x1b, 1, body, 8);
		if (pci__add_msix(&func[i], 4, NVEC, 0x1000, 0x1800) ||
		    pci__add(vm.pci, &func[i], -1))
			abort();
	}
}

static void teardown(void)
{
	for (int i = 0; i < NDEV; i++)
		pci__del(&func[i]);
	pci__free(vm.pci);
	mem__free(vm.mem);
	bus__free(vm.mmio);
	bus__free(vm.pio);
	must(!routes, "no route is left");
}

/* --- The guest --- */

static u64 place(struct input *in, u8 what)
{
	const struct pci_func *f = &func[(what >> 2) % NDEV];
	const struct pci_bar *bar = &f->bar[(what >> 3) % PCI_BARS];

	switch (what & 3) {
	case 0: /* the header, where most happens */
		return ECAM_BASE + ((u64)f->bdf << 12) + in__u8(in);
	case 1:
		return ECAM_BASE + ((u64)f->bdf << 12) + in__u16(in) % PCI_CFG_SIZE;
	case 2:
		if (bar->size && bar->gpa != PCI_BAR_UNMAPPED)
			return bar->gpa + in__u16(in) % bar->size;
		return PCI_MMIO_BASE + (u64)in__u16(in) * 4096;
	}
	return in__u64(in);
}

/* Below 64 KiB: a port. */
static void access(u64 at, u32 len, u64 val, bool write)
{
	bus__access(at < PORTS ? vm.pio : vm.mmio, at, (u8 *)&val, len, write);
}

static void step(struct input *in)
{
	const u8 how = in__u8(in), what = in__u8(in);
	const u32 len = 1 + (how >> 2) % 8;
	u64 at;

	switch (how & 3) {
	case 0:
		access(place(in, what), len, 0, false);
		break;
	case 3:
		if (how == 0xff)
			pci__reset_all(vm.pci);
		else
			pci__msix_fire(&func[what % NDEV], in__u8(in) % (NVEC + 2));
		break;
	default:
		at = place(in, what);
		access(at, len, in__n(in, len), true);
	}
}

static void check(void)
{
	for (int i = 0; i < NDEV; i++) {
		const struct pci_func *f = &func[i];

		must(!memcmp(f->cfg, f->initial, 4), "ids are read-only");
		for (int b = 0; b < PCI_BARS; b++) {
			const struct pci_bar *bar = &f->bar[b];

			if (!bar->size || bar->gpa == PCI_BAR_UNMAPPED)
				continue;
			must(f->cfg[4] & (bar->io ? 1 : 2), "decoded only when enabled");
			must(IS_ALIGNED(bar->gpa, bar->size), "where it is aligned");
			must(bar->gpa + bar->size - 1 > bar->gpa, "without wrapping");
			if (bar->io)
				must(bar->gpa >= 0x1000 && bar->gpa < PORTS, "in the window");
			else
				must(bar->gpa >= vm.ram_size, "outside of RAM");
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	setup();
	while (in.left) {
		step(&in);
		check();
	}
	pci__reset_all(vm.pci);
	for (int i = 0; i < NDEV; i++)
		must(!memcmp(func[i].cfg, func[i].initial, PCI_CFG_SIZE), "a reset puts all back");
	teardown();
	return 0;
}
