/* SPDX-License-Identifier: GPL-2.0-only */

/* MSI-X: table, pending bits, and what makes a vector live. */

#include "fake_pci.h"
#include "x86/msix.c"
#include "x86/pci.c"
#include "x86/pci_bar.c"
#include "x86/pci_cfg.c"

#define NVEC  70
#define TABLE 0x1000
#define PBA   0x1800

static struct vm vm;
static struct pci_func f;
static unsigned int changes, resets, dev_accesses;
static u64 cfg, bar, table, pba;
static u32 cap;

static void dev_access(struct pci_func *func, int n, u64 off, u8 *data, u32 len, bool write)
{
	dev_accesses++;
	if (!write)
		memset(data, 0x5a, len);
}

static void dev_reset(struct pci_func *func)
{
	resets++;
}

static void on_change(struct pci_func *func)
{
	changes++;
}

static const struct pci_func_ops ops = { .bar_access = dev_access, .reset = dev_reset };

static struct irq_route *r(unsigned int vec)
{
	return f.msix->vec[vec].route;
}

static void flags(u16 v)
{
	wr(&vm, cfg + cap + 2, 2, v);
}

static void entry(unsigned int vec, u64 addr, u32 data, u32 ctrl)
{
	wr(&vm, table + vec * 16, 8, addr);
	wr(&vm, table + vec * 16 + 8, 8, (u64)ctrl << 32 | data);
}

static void setup(void)
{
	vm = (struct vm){ .phys_bits = 40, .ram_size = 16 * MiB };
	vm.mmio = bus__new(-1, false);
	vm.mem = mem__new(-1, 16 * MiB);
	vm.pci = pci__new(&vm);
	f = (struct pci_func){ .name = "dev", .ops = &ops };
	pci__init_func(&f, 1, 2, 3, 4);
	pci__add_bar(&f, 4, 8 * KiB, PCI_BASE_ADDRESS_MEM_TYPE_64);
	eq(pci__add_msix(&f, 4, NVEC, TABLE, PBA), 0, "MSI-X is added");
	pci__msix_on_change(&f, on_change);
	eq(pci__msix_fd(&f, 0), (u64)-EINVAL, "no eventfd before registration");
	eq(pci__add(vm.pci, &f, -1), 0, "registers");
	cfg = ECAM_BASE + (f.bdf << 12);
	cap = pci_cfg__find_cap(&f, PCI_CAP_ID_MSIX);
	bar = rd(&vm, cfg + 0x20, 8) & ~0xfULL;
	table = bar + TABLE;
	pba = bar + PBA;
	wr(&vm, cfg + 4, 2, 6);
}

static void teardown(void)
{
	pci__del(&f);
	pci__free(vm.pci);
	mem__free(vm.mem);
	bus__free(vm.mmio);
	eq(routes, 0, "no route is left");
}

static void test_invalid(void)
{
	struct pci_func g = { .name = "g" };

	pci__init_func(&g, 1, 2, 3, 4);
	pci__add_bar(&g, 0, 4 * KiB, 0);
	eq(pci__add_msix(&g, 0, 0, 0, 0x800), (u64)-EINVAL, "no vectors");
	eq(pci__add_msix(&g, 0, 2049, 0, 0x800), (u64)-EINVAL, "too many");
	eq(pci__add_msix(&g, 0, 4, 4, 0x800), (u64)-EINVAL, "misaligned table");
	eq(pci__add_msix(&g, 0, 256, 8, 0), (u64)-EINVAL, "table beyond its BAR");
	ok(!g.msix, "nothing is kept");

	/* What a broken assigned device may say. */
	memset(&g, 0, sizeof(g));
	pci__add_bar(&g, 0, 4 * KiB, 0);
	g.cfg[0x50] = PCI_CAP_ID_MSIX;
	pci_put16(g.cfg, 0x52, 0xc7ff);
	eq(pci__adopt_msix(&g, 0x50), (u64)-EINVAL, "2048 vectors in 4 KiB");
	pci_put16(g.cfg, 0x52, 0xc003);
	pci_put32(g.cfg, 0x54, 0x7);
	eq(pci__adopt_msix(&g, 0x50), (u64)-EINVAL, "BAR 7");
	pci_put32(g.cfg, 0x54, 0x1);
	eq(pci__adopt_msix(&g, 0x50), (u64)-EINVAL, "an absent BAR");
	pci_put32(g.cfg, 0x54, 0xfffffff8);
	eq(pci__adopt_msix(&g, 0x50), (u64)-EINVAL, "far beyond the BAR");
	pci_put32(g.cfg, 0x54, 0);
	pci_put32(g.cfg, 0x58, 0x20);
	eq(pci__adopt_msix(&g, 0x50), (u64)-EINVAL, "PBA inside the table");
	eq(pci__adopt_msix(&g, 0xf8), (u64)-EINVAL, "a capability beyond 100h");
	pci_put32(g.cfg, 0x58, 0x40);
	eq(pci__adopt_msix(&g, 0x50), 0, "a sane one");
	eq(pci_get16(g.cfg, 0x52), 3, "adopted off");
	eq(pci_get16(g.wmask, 0x52), 0xc000, "enable and mask are writeable");
	pci__del(&g);
}

/* An assigned device may have a BAR beyond 4 GiB, and its table at the end of the first 4. */
static void test_far_table(void)
{
	static struct pci_func g;
	u64 at;

	vm = (struct vm){ .phys_bits = 40, .ram_size = 16 * MiB };
	vm.mmio = bus__new(-1, false);
	vm.mem = mem__new(-1, 16 * MiB);
	vm.pci = pci__new(&vm);
	g = (struct pci_func){ .name = "far", .ops = &ops };
	pci__init_func(&g, 1, 2, 3, 4);
	pci__add_bar(&g, 0, 8 * GiB, PCI_BASE_ADDRESS_MEM_TYPE_64);
	pci_put16(g.cfg, 0x52, 255);
	pci_put32(g.cfg, 0x54, 0xfffff000);
	pci_put32(g.cfg, 0x58, 0xfffff800);
	eq(pci__adopt_msix(&g, 0x50), (u64)-EINVAL, "a PBA inside a table that ends at 4 GiB");
	pci_put32(g.cfg, 0x58, 0xffffe000);
	eq(pci__adopt_msix(&g, 0x50), 0, "and one before it");
	pci__add(vm.pci, &g, -1);
	wr(&vm, ECAM_BASE + (g.bdf << 12) + 4, 2, 2);
	at = (rd(&vm, ECAM_BASE + (g.bdf << 12) + 0x10, 8) & ~0xfULL) + 0xfffff000;
	dev_accesses = 0;
	eq(rd(&vm, at + 12, 4), 1, "the table is there");
	wr(&vm, at + 0xffc, 4, 0);
	eq(rd(&vm, at + 0xffc, 4), 0, "to its end");
	eq(dev_accesses, 0, "and the device sees nothing of it");
	eq(rd(&vm, at + 0x1000, 4), 0x5a5a5a5a, "but of what is behind");
	pci__del(&g);
	pci__free(vm.pci);
	mem__free(vm.mem);
	bus__free(vm.mmio);
}

static void test_table(void)
{
	u64 old;

	setup();
	eq(rd(&vm, cfg + cap + 2, 2), NVEC - 1, "table size");
	eq(rd(&vm, cfg + cap + 4, 4), TABLE | 4, "table place");
	eq(rd(&vm, cfg + cap + 8, 4), PBA | 4, "PBA place");
	eq(rd(&vm, table + 12, 4), 1, "an entry starts masked");
	entry(3, 0x1fee01000, 0x4041, 0xfffffffe);
	eq(rd(&vm, table + 48, 8), 0x1fee01000, "address, 8 bytes");
	eq(rd(&vm, table + 52, 4), 1, "upper address, 4 bytes");
	eq(rd(&vm, table + 56, 4), 0x4041, "data");
	eq(rd(&vm, table + 60, 4), 0, "only the mask bit of vector control exists");
	wr(&vm, table + 49, 1, 0xab);
	eq(rd(&vm, table + 48, 4), 0xfee0ab00, "a byte write merges");
	eq(rd(&vm, table + 47, 3), 0xab0000, "a read across entries");
	wr(&vm, table + 48 + 13, 7, ~0ULL);
	eq(rd(&vm, table + 60, 4), 0, "a write across entries: reserved bits stay");
	eq(rd(&vm, table + 64, 4), 0xfffffffc, "and the next address is written, bits 1:0 not");
	wr(&vm, table + 16 * NVEC - 4, 4, 0);
	eq(rd(&vm, table + 16 * NVEC - 4, 4), 0, "the last entry");

	dev_accesses = 0;
	old = rd(&vm, table + 16 * NVEC, 4);
	eq(old, 0x5a5a5a5a, "behind the table is the device");
	eq(rd(&vm, table - 4, 4), 0x5a5a5a5a, "and before it");
	eq(dev_accesses, 2, "which sees these");
	eq(rd(&vm, table - 2, 4), 0xffffffff, "across the edge: all ones");
	wr(&vm, table + 16 * NVEC - 2, 4, ~0ULL);
	eq(rd(&vm, table + 16 * NVEC - 4, 4), 0, "a write across the edge is dropped");
	eq(dev_accesses, 2, "the device does not see these");
	wr(&vm, pba, 8, ~0ULL);
	eq(rd(&vm, pba, 8), 0, "the PBA is read-only");
	teardown();
}

static void test_live(void)
{
	unsigned int sets;

	setup();
	changes = 0;
	entry(1, 0xfee01000, 0x41, 0);
	pci__msix_fire(&f, 1);
	eq(r(1)->delivered + r(1)->pending, 0, "off: nothing is raised");
	ok(!pci__msix_enabled(&f), "off");
	flags(0xc000);
	ok(pci__msix_enabled(&f), "on");
	eq(changes, 1, "the device hears of it");
	ok(!r(1)->live, "function mask: not live");
	pci__msix_fire(&f, 1);
	eq(rd(&vm, pba, 8), 2, "pending");
	flags(0x8000);
	eq(changes, 2, "the device hears of it");
	eq(r(1)->delivered, 1, "unmasking delivers");
	eq(rd(&vm, pba, 8), 0, "not pending any more");
	eq(r(1)->msg.addr, 0xfee01000, "the address");
	eq(r(1)->msg.data, 0x41, "the data");
	eq(r(1)->sid, f.bdf, "as this requester");
	ok(!r(0)->live, "vector 0 is still masked");

	wr(&vm, table + 28, 4, 1);
	ok(!r(1)->live, "vector mask");
	pci__msix_fire(&f, 1);
	eq(rd(&vm, pba, 1), 2, "pending");
	sets = r(1)->sets;
	entry(1, 0xfee02000, 0x42, 1);
	eq(r(1)->sets, sets, "a masked vector costs no route");
	wr(&vm, table + 28, 4, 0);
	eq(r(1)->msg.data, 0x42, "unmasking takes the new message");
	eq(r(1)->delivered, 2, "and delivers");
	sets = r(1)->sets;
	wr(&vm, table + 28, 4, 0);
	flags(0x8000);
	eq(r(1)->sets, sets, "writing the same changes nothing");

	wr(&vm, cfg + 4, 2, 2);
	ok(!r(1)->live, "no bus master, no interrupt");
	pci__msix_fire(&f, 1);
	eq(r(1)->delivered, 2, "really none");
	wr(&vm, cfg + 4, 2, 6);
	eq(r(1)->delivered, 3, "it comes with bus mastering");

	pci__msix_fire(&f, 69);
	eq(rd(&vm, pba + 8, 8), BIT(5), "vector 69 is in the second word");
	eq(rd(&vm, pba + 7, 2), 0x2000, "also unaligned");
	pci__msix_fire(&f, NVEC);
	pci__msix_fire(&f, ~0u);
	eq(rd(&vm, pba + 8, 8), BIT(5), "vectors that do not exist are ignored");
	eq(pci__msix_fd(&f, NVEC), (u64)-EINVAL, "and have no eventfd");
	eq(pci__msix_fd(&f, 2), 1000 + f.bdf, "others have");

	flags(0);
	ok(!r(1)->live, "disabled");
	eq(rd(&vm, pba + 8, 8), 0, "what was pending is gone");
	flags(0x8000);
	pci__msix_fire(&f, 69);
	changes = 0;
	wr(&vm, cfg + f.pcie_cap + 9, 1, 0x80);
	eq(resets, 1, "FLR");
	eq(changes, 1, "MSI-X went off by it");
	ok(!pci__msix_enabled(&f), "off");
	ok(!r(1)->live && !r(69)->pending, "nothing live, nothing pending");
	wr(&vm, cfg + 4, 2, 2);
	eq(rd(&vm, table + 16, 8), 0, "entries are cleared");
	eq(rd(&vm, table + 28, 4), 1, "and masked");
	teardown();
}

static void test_no_routes(void)
{
	errs = 0;
	routes_max = 10;
	vm = (struct vm){ .phys_bits = 40, .ram_size = 16 * MiB };
	vm.mmio = bus__new(-1, false);
	vm.mem = mem__new(-1, 16 * MiB);
	vm.pci = pci__new(&vm);
	f = (struct pci_func){ .name = "dev", .ops = &ops };
	pci__init_func(&f, 1, 2, 3, 4);
	pci__add_bar(&f, 0, 8 * KiB, 0);
	pci__add_msix(&f, 0, 16, 0, 0x1000);
	eq(pci__add(vm.pci, &f, -1), (u64)-EMFILE, "out of descriptors");
	eq(errs, 1, "one line");
	teardown();
}

int main(void)
{
	test_invalid();
	test_far_table();
	test_table();
	test_live();
	test_no_routes();
	return tap_done();
}
