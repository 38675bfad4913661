/* SPDX-License-Identifier: GPL-2.0-only */

/* The PCI root: ECAM, configuration space, BARs. */

#include "fake_pci.h"
#include "x86/msix.c"
#include "x86/pci.c"
#include "x86/pci_bar.c"
#include "x86/pci_cfg.c"

struct dev {
	struct pci_func f;
	unsigned int moves, resets, cfg_writes, accesses;
	u64 last_move[PCI_BARS];
	u32 off, len, val;
	u64 bar_off;
	int bar;
};

static void dev_access(struct pci_func *f, int bar, u64 off, u8 *data, u32 len, bool write)
{
	struct dev *d = f->priv;

	d->accesses++;
	d->bar = bar;
	d->bar_off = off;
	if (!write)
		memset(data, 0xa0 + bar, len);
}

static void dev_moved(struct pci_func *f, int bar, u64 gpa)
{
	struct dev *d = f->priv;

	d->moves++;
	d->last_move[bar] = gpa;
}

static bool dev_cfg_read(struct pci_func *f, u32 off, u32 len, u32 *val)
{
	if (off < 0xf0 || off >= 0x100)
		return false;
	*val = 0x01234567 >> (off & 3) * 8;
	return true;
}

static void dev_cfg_written(struct pci_func *f, u32 off, u32 len, u32 val)
{
	struct dev *d = f->priv;

	d->cfg_writes++;
	d->off = off;
	d->len = len;
	d->val = val;
}

static void dev_reset(struct pci_func *f)
{
	struct dev *d = f->priv;

	d->resets++;
}

static const struct pci_func_ops dev_ops = {
	.bar_access = dev_access,
	.bar_moved = dev_moved,
	.cfg_read = dev_cfg_read,
	.cfg_written = dev_cfg_written,
	.reset = dev_reset,
};

static struct vm vm;

static void dev_init(struct dev *d, const char *name)
{
	*d = (struct dev){ .f = { .name = name, .ops = &dev_ops, .priv = d } };
	pci__init_func(&d->f, 0x1af4, 0x1041, 0x020000, 1);
	pci__set_subsystem(&d->f, 0x1af4, 0x1100);
}

static u64 cfg_at(const struct dev *d, u32 off)
{
	return ECAM_BASE + ((u64)d->f.bdf << 12) + off;
}

static void setup(unsigned int bits, u64 ram)
{
	vm = (struct vm){ .phys_bits = bits, .ram_size = ram };
	vm.mmio = bus__new(-1, false);
	vm.pio = bus__new(-1, true);
	vm.mem = mem__new(-1, ram);
	vm.pci = pci__new(&vm);
}

static void teardown(void)
{
	pci__free(vm.pci);
	mem__free(vm.mem);
	bus__free(vm.mmio);
	bus__free(vm.pio);
}

static void test_ecam(void)
{
	struct dev d;
	u64 a;

	setup(40, 64 * MiB);
	dev_init(&d, "dev");
	eq(pci__add(vm.pci, &d.f, -1), 0, "a function registers");
	eq(d.f.bdf, 8, "it gets the first slot behind the host bridge");
	eq(d.f.dma.sid, 8, "its requester id is its address");
	ok(d.f.dma.mem == vm.mem, "its DMA goes to guest memory");
	a = cfg_at(&d, 0);

	eq(rd(&vm, ECAM_BASE, 4), 0x00081b36, "00:00.0 is the host bridge");
	eq(rd(&vm, ECAM_BASE + 8, 4) >> 8, 0x060000, "its class says so");
	eq(rd(&vm, a, 4), 0x10411af4, "ids");
	eq(rd(&vm, a, 8), 0x0010000010411af4, "8 byte read: two dwords");
	eq(rd(&vm, a + 1, 2), 0x411a, "unaligned read");
	eq(rd(&vm, a + 3, 4), 0x10000010, "a read across dwords");
	eq(rd(&vm, a + 8, 4), 0x02000001, "class and revision");
	eq(rd(&vm, a + 0x2c, 4), 0x11001af4, "subsystem");
	eq(rd(&vm, a + 0xf1, 2), 0x2345, "a register the device answers");
	eq(rd(&vm, ECAM_BASE + (9 << 12), 4), 0xffffffff, "absent function: all ones");
	eq(rd(&vm, ECAM_BASE + (1 << 20), 4), 0xffffffff, "absent bus: all ones");
	eq(rd(&vm, ECAM_BASE + ECAM_SIZE - 4, 4), 0xffffffff, "the last dword: all ones");
	eq(rd(&vm, a + 0xffc, 8), 0xffffffff00000000, "a read across functions: each its own");
	wr(&vm, ECAM_BASE + (9 << 12) + 4, 4, ~0ULL);
	wr(&vm, ECAM_BASE + (1 << 20) + 4, 4, ~0ULL);
	wr(&vm, ECAM_BASE + ECAM_SIZE - 1, 1, 0xff);
	eq(rd(&vm, ECAM_BASE + 4, 2), 0, "writes to absent functions reach nobody");

	wr(&vm, a, 4, 0xdeadbeef);
	eq(rd(&vm, a, 4), 0x10411af4, "ids are read-only");
	wr(&vm, a + 4, 2, 0xffff);
	eq(rd(&vm, a + 4, 2), 0x0546, "command: memory, master, parity, SERR, INTx disable");
	eq(d.off, 4, "the device hears of the write");
	eq(d.val, 0xffff, "as it was written");
	ok(pci__bus_master(&d.f), "bus master is on");
	wr(&vm, a + 4, 1, 0);
	eq(rd(&vm, a + 4, 2), 0x0500, "a byte write leaves the other byte");
	d.f.cfg[7] |= 0xf9;
	wr(&vm, a + 6, 2, 0x8000);
	eq(rd(&vm, a + 6, 2), 0x7910, "status: written ones clear");

	pci__del(&d.f);
	eq(rd(&vm, a, 4), 0xffffffff, "gone");
	teardown();
	eq(routes, 0, "no route is left");
}

static void test_caps(void)
{
	static const u8 body[0xf0];
	struct dev d;
	int exp, a, b;

	dev_init(&d, "dev");
	exp = d.f.cfg[0x34];
	eq(d.f.cfg[exp], 0x10, "PCI Express capability first");
	eq(pci_get16(d.f.cfg, exp + 2), 0x92, "version 2, root-complex integrated endpoint");
	ok(pci_get32(d.f.cfg, exp + 4) & BIT(28), "FLR capable");
	ok(pci_get32(d.f.cfg, exp + 0x24) & BIT(21), "end-end TLP prefixes, which PASID needs");
	a = pci__add_cap(&d.f, 9, body, 13);
	b = pci__add_cap(&d.f, 9, body, 0x14);
	eq(a, exp + 0x3c, "the next one lies behind it");
	eq(b, a + 16, "then aligned to 4");
	eq(d.f.cfg[exp + 1], a, "linked");
	eq(d.f.cfg[a + 1], b, "linked");
	eq(d.f.cfg[b + 1], 0, "the last one ends the list");
	eq(pci__add_cap(&d.f, 9, body, 0xf0), (u64)-ENOSPC, "too long for the first 256 bytes");
	eq(d.f.cfg[b + 1], 0, "a refused one is not linked");

	a = pci__add_ext_cap(&d.f, 0x0f, 1, body, 8);
	b = pci__add_ext_cap(&d.f, 0x1b, 1, body, 10);
	eq(a, 0x100, "extended capabilities start at 100h");
	eq(pci_get32(d.f.cfg, 0x100), 0x1080000f | 0x10000, "id, version, next");
	eq(pci_get32(d.f.cfg, b), 0x0001001b, "the last one has no next");
	eq(pci__add_ext_cap(&d.f, 1, 1, body, 4096 - 0x10c), (u64)-ENOSPC, "not enough room");
	eq(pci__add_ext_cap(&d.f, 1, 1, d.f.initial, 4096 - 0x114), 0x114, "just enough room");
}

static void test_bars(void)
{
	struct dev d, e;
	u64 a, b, b0, b2;

	setup(40, 64 * MiB);
	dev_init(&d, "dev");
	dev_init(&e, "other");
	eq(pci__add_bar(&d.f, 0, 3000, 0), (u64)-EINVAL, "not a power of two");
	eq(pci__add_bar(&d.f, 0, 16, 0), (u64)-EINVAL, "below 4 KiB");
	eq(pci__add_bar(&d.f, 5, 4096, PCI_BASE_ADDRESS_MEM_TYPE_64), (u64)-EINVAL,
	   "no upper half");
	eq(pci__add_bar(&d.f, 6, 4096, 0), (u64)-EINVAL, "no BAR 6");
	eq(pci__add_bar(&d.f, 0, 4 * GiB, 0), (u64)-EINVAL, "32 bits cannot hold it");
	eq(pci__add_bar(&d.f, 0, 64 * KiB, 0), 0, "BAR 0, 32 bits");
	eq(pci__add_bar(&d.f, 2, 8 * GiB,
			PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH),
	   0, "BAR 2, 64 bits");
	eq(pci__add_bar(&d.f, 3, 4096, 0), (u64)-EINVAL, "the upper half is taken");
	eq(pci__add_bar(&e.f, 0, 4096, PCI_BASE_ADDRESS_MEM_TYPE_64), 0, "the other's BAR");
	eq(pci__add(vm.pci, &d.f, -1), 0, "registers");
	eq(pci__add(vm.pci, &e.f, -1), 0, "registers");
	a = cfg_at(&d, 0);
	b = cfg_at(&e, 0);

	b0 = rd(&vm, a + 0x10, 4);
	b2 = rd(&vm, a + 0x18, 8);
	eq(b0, PCI_MMIO_BASE, "32-bit window");
	eq(b2, BIT(39) | 0xc, "64-bit window, prefetchable");
	eq(rd(&vm, b + 0x10, 8), (BIT(39) + 8 * GiB) | 4, "the next one lies behind it");
	eq(d.f.bar[0].gpa, PCI_BAR_UNMAPPED, "nothing is decoded yet");
	eq(rd(&vm, b0, 4), 0xffffffff, "nobody answers");

	/* Sizing as Linux does it. */
	wr(&vm, a + 0x10, 4, ~0u);
	eq(rd(&vm, a + 0x10, 4), 0xffff0000, "BAR 0 sizes as 64 KiB");
	wr(&vm, a + 0x10, 4, b0);
	wr(&vm, a + 0x18, 4, ~0u);
	wr(&vm, a + 0x1c, 4, ~0u);
	eq(rd(&vm, a + 0x18, 8), 0xfffffffe0000000c, "BAR 2 sizes as 8 GiB");
	wr(&vm, a + 0x18, 8, b2);
	wr(&vm, a + 0x30, 4, ~0u);
	eq(rd(&vm, a + 0x30, 4), 0, "no ROM");
	wr(&vm, a + 0x20, 4, ~0u);
	eq(rd(&vm, a + 0x20, 4), 0, "no BAR 4");

	wr(&vm, a + 4, 2, 2);
	eq(d.last_move[0], b0, "memory enable: BAR 0 is decoded");
	eq(d.last_move[2], BIT(39), "and BAR 2");
	eq(rd(&vm, b0 + 0xfffc, 4), 0xa0a0a0a0, "BAR 0 answers to its end");
	eq(d.bar_off, 0xfffc, "with the offset");
	eq(rd(&vm, b0 + 0x10000, 4), 0xffffffff, "not beyond");
	eq(rd(&vm, BIT(39) + 8 * GiB - 8, 8), 0xa2a2a2a2a2a2a2a2, "BAR 2 answers");

	/* Moving while decoded, half by half. */
	d.moves = 0;
	wr(&vm, a + 0x10, 4, b0 + 0x10000);
	eq(d.moves, 2, "a move is an unmap and a map");
	eq(rd(&vm, b0, 4), 0xffffffff, "nothing at the old place");
	eq(rd(&vm, b0 + 0x10000, 1), 0xa0, "it is at the new one");
	wr(&vm, a + 0x10, 4, ~0u);
	eq(d.f.bar[0].gpa, PCI_BAR_UNMAPPED, "outside of the windows it is not decoded");
	wr(&vm, a + 0x10, 4, 0);
	eq(d.f.bar[0].gpa, PCI_BAR_UNMAPPED, "nor over RAM");
	wr(&vm, a + 0x10, 4, ECAM_BASE);
	eq(rd(&vm, ECAM_BASE, 4), 0x00081b36, "nor over the ECAM");
	wr(&vm, a + 0x1c, 4, ~0u);
	eq(d.f.bar[2].gpa, PCI_BAR_UNMAPPED, "a 64-bit BAR far away neither");
	wr(&vm, a + 0x1c, 4, 0);
	wr(&vm, a + 0x18, 4, (u32)PCI_MMIO_BASE);
	eq(d.f.bar[2].gpa, PCI_BAR_UNMAPPED, "nor one that does not fit its window");
	wr(&vm, a + 0x18, 8, b2);
	wr(&vm, a + 0x10, 4, b0);

	/* Overlaps. */
	wr(&vm, b + 4, 2, 2);
	wr(&vm, b + 0x10, 8, b0 + 0x1000);
	eq(e.f.bar[0].gpa, PCI_BAR_UNMAPPED, "a BAR on top of another is not decoded");
	eq(rd(&vm, b0 + 0x1000, 1), 0xa0, "the first keeps the place");
	wr(&vm, a + 0x10, 4, b0 + 0x100000);
	eq(e.last_move[0], b0 + 0x1000, "when that leaves the hidden one appears");
	eq(e.f.bar[0].gpa, b0 + 0x1000, "so it is told");
	wr(&vm, a + 0x10, 4, b0);
	eq(d.f.bar[0].gpa, PCI_BAR_UNMAPPED, "now the first is the hidden one");
	wr(&vm, b + 4, 2, 0);
	eq(d.f.bar[0].gpa, b0, "and appears when the other stops decoding");

	wr(&vm, a + 4, 2, 0);
	eq(d.last_move[0], PCI_BAR_UNMAPPED, "memory disable: told for BAR 0");
	eq(d.last_move[2], PCI_BAR_UNMAPPED, "and BAR 2");
	eq(rd(&vm, b0, 4), 0xffffffff, "nobody answers");

	wr(&vm, a + 4, 2, 2);
	d.moves = 0;
	pci__del(&d.f);
	eq(d.moves, 2, "deregistration unmaps");
	eq(rd(&vm, b0, 4), 0xffffffff, "nobody answers");
	pci__del(&e.f);
	teardown();
}

static u32 port(u64 addr, u32 len)
{
	u32 v = 0;

	bus__access(vm.pio, addr, (u8 *)&v, len, false);
	return v;
}

static void test_io_bars(void)
{
	struct dev d, e;
	u64 a;

	setup(40, 64 * MiB);
	dev_init(&d, "dev");
	dev_init(&e, "other");
	eq(pci__add_bar(&d.f, 2, 2, PCI_BASE_ADDRESS_SPACE_IO), (u64)-EINVAL, "below 4 ports");
	eq(pci__add_bar(&d.f, 2, 512, PCI_BASE_ADDRESS_SPACE_IO), (u64)-EINVAL, "over 256 ports");
	eq(pci__add_bar(&d.f, 0, 4 * KiB, 0), 0, "a memory BAR");
	eq(pci__add_bar(&d.f, 2, 4, PCI_BASE_ADDRESS_SPACE_IO), 0, "an I/O BAR");
	eq(pci__add_bar(&e.f, 0, 256, PCI_BASE_ADDRESS_SPACE_IO), 0, "another's");
	eq(pci__add(vm.pci, &d.f, -1), 0, "registers");
	eq(pci__add(vm.pci, &e.f, -1), 0, "registers");
	a = cfg_at(&d, 0);
	eq(rd(&vm, a + 0x18, 4), 0x1001, "the first port of the window");
	eq(rd(&vm, cfg_at(&e, 0x10), 4), 0x1101, "the next one is aligned");
	wr(&vm, a + 0x18, 4, ~0u);
	eq(rd(&vm, a + 0x18, 4), 0xfffffffd, "sizes as 4 ports");
	wr(&vm, a + 0x18, 4, 0x1002);
	eq(rd(&vm, a + 0x18, 4), 0x1001, "the two low bits stay");

	wr(&vm, a + 4, 2, 2);
	eq(d.f.bar[2].gpa, PCI_BAR_UNMAPPED, "memory decoding is not for ports");
	eq(port(0x1000, 4), 0xffffffff, "nobody answers");
	wr(&vm, a + 4, 2, 1);
	eq(d.f.bar[0].gpa, PCI_BAR_UNMAPPED, "nor I/O decoding for memory");
	eq(d.last_move[2], 0x1000, "it is told the port");
	eq(port(0x1000, 4), 0xa2a2a2a2, "which answers");
	eq(port(0x1004, 1), 0xff, "not beyond");
	wr(&vm, a + 0x18, 4, 0xfffd);
	eq(port(0xfffc, 2), 0xa2a2, "it moves");
	wr(&vm, a + 0x18, 4, 0x3f8);
	eq(d.f.bar[2].gpa, PCI_BAR_UNMAPPED, "but never over the board's ports");
	wr(&vm, a + 0x18, 4, 0x10000);
	eq(d.f.bar[2].gpa, PCI_BAR_UNMAPPED, "nor beyond 64 KiB");
	wr(&vm, cfg_at(&e, 4), 2, 1);
	wr(&vm, a + 0x18, 4, 0x1110);
	eq(d.f.bar[2].gpa, PCI_BAR_UNMAPPED, "nor over another's");
	pci__del(&d.f);
	pci__del(&e.f);

	dev_init(&d, "memory only");
	pci__add_bar(&d.f, 0, 4 * KiB, 0);
	eq(pci__add(vm.pci, &d.f, -1), 0, "without an I/O BAR");
	wr(&vm, cfg_at(&d, 4), 2, 3);
	eq(rd(&vm, cfg_at(&d, 4), 2), 2, "I/O decoding cannot come on");
	pci__del(&d.f);
	teardown();
}

static void test_reset(void)
{
	struct dev d;
	u64 a, b0;
	u32 exp;

	setup(40, 64 * MiB);
	dev_init(&d, "dev");
	exp = d.f.pcie_cap;
	eq(pci__add_bar(&d.f, 0, 64 * KiB, 0), 0, "BAR 0");
	eq(pci__add(vm.pci, &d.f, -1), 0, "registers");
	a = cfg_at(&d, 0);
	b0 = rd(&vm, a + 0x10, 4);
	wr(&vm, a + 4, 2, 6);
	wr(&vm, a + 0x10, 4, b0 + 0x20000);
	wr(&vm, a + exp + 8, 2, 0x7fff);
	eq(d.resets, 0, "DevCtl without bit 15: no reset");
	ok(rd(&vm, a + exp + 8, 2) != 0x2810, "but its bits stick");
	wr(&vm, a + exp + 9, 1, 0x80);
	eq(d.resets, 1, "a byte write of bit 15 is a reset");
	eq(rd(&vm, a + 4, 2), 0, "command is off");
	eq(rd(&vm, a + 0x10, 4), b0, "the BAR is where it was");
	eq(d.last_move[0], PCI_BAR_UNMAPPED, "it is not decoded");
	eq(rd(&vm, a + exp + 8, 2), 0x2810, "DevCtl is back, bit 15 reads zero");
	wr(&vm, a + exp + 8, 4, 0x8000);
	eq(d.resets, 2, "a dword write too");
	wr(&vm, a + exp + 4, 8, 0x800000000000);
	eq(d.resets, 3, "an 8 byte write over it too");
	wr(&vm, a + exp + 10, 2, 0x8080);
	eq(d.resets, 3, "device status is not control");
	pci__reset_all(vm.pci);
	eq(d.resets, 4, "machine reset");

	pci__del(&d.f);
	teardown();
}

static int seen[256], nseen;

static void see(struct pci_func *f, void *arg)
{
	seen[nseen++] = f->bdf;
}

static void test_slots(void)
{
	static struct dev d[34];
	u64 v;
	int i;

	setup(40, 64 * MiB);
	for (i = 0; i < 34; i++)
		dev_init(&d[i], "dev");
	eq(pci__add(vm.pci, &d[0].f, 0x18), 0, "a chosen slot");
	eq(pci__add(vm.pci, &d[1].f, 0x18), (u64)-EEXIST, "twice is refused");
	eq(pci__add(vm.pci, &d[1].f, 256), (u64)-EEXIST, "and one that does not exist");
	eq(rd(&vm, cfg_at(&d[0], 0xe), 1), 0, "single function");
	eq(pci__add(vm.pci, &d[1].f, 0x1b), 0, "function 3 of the same slot");
	eq(rd(&vm, cfg_at(&d[0], 0xe), 1), 0x80, "multi-function now");
	pci__reset_all(vm.pci);
	eq(rd(&vm, cfg_at(&d[0], 0xe), 1), 0x80, "also after a reset");
	for (i = 2; i < 32; i++)
		if (pci__add(vm.pci, &d[i].f, -1))
			break;
	eq(i, 32, "30 more");
	eq(pci__add(vm.pci, &d[32].f, -1), (u64)-ENOSPC, "then bus 0 is full");
	pci__for_each(vm.pci, see, NULL);
	eq(nseen, 33, "for_each sees all of them");
	eq(seen[0], 0, "the host bridge first");
	eq(seen[3], 0x18, "in order");
	eq(seen[4], 0x1b, "in order");
	for (i = 0; i < 33; i++)
		pci__del(&d[i].f);

	errs = 0;
	dev_init(&d[0], "big");
	dev_init(&d[1], "small");
	pci__add_bar(&d[0].f, 0, 512 * MiB, 0);
	pci__add_bar(&d[0].f, 1, 4 * KiB, 0);
	eq(pci__add(vm.pci, &d[0].f, -1), (u64)-ENOSPC, "BARs larger than the window");
	eq(errs, 1, "one line");
	ok(strstr(last_err, "big") && strstr(last_err, "BAR 1"), "names the device and the BAR");
	pci__del(&d[0].f);
	pci__add_bar(&d[1].f, 0, 512 * MiB, 0);
	eq(pci__add(vm.pci, &d[1].f, -1), 0, "what was refused took no space");
	v = rd(&vm, cfg_at(&d[1], 0x10), 4);
	eq(v, PCI_MMIO_BASE, "the whole window");
	pci__del(&d[1].f);
	teardown();
}

static void test_windows(void)
{
	static const struct {
		unsigned int bits;
		u64 ram, base, size;
	} t[] = {
		{ 36, 64 * MiB, BIT(35), BIT(34) },	      { 36, 30 * GiB, BIT(35), BIT(34) },
		{ 36, 33 * GiB, BIT(35) + BIT(34), BIT(34) }, { 46, 64 * MiB, BIT(45), BIT(44) },
		{ 52, 64 * MiB, BIT(47), BIT(46) },
	};
	const struct pci_windows *w;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(t); i++) {
		setup(t[i].bits, t[i].ram);
		w = pci__windows(vm.pci);
		ok(w->mmio64 == t[i].base && w->mmio64_size == t[i].size,
		   "64-bit window for %u bits and %llu MiB", t[i].bits, t[i].ram / MiB);
		teardown();
	}
	setup(36, 60 * GiB);
	ok(!vm.pci, "RAM that leaves no window is refused");
	teardown();
	setup(32, 64 * MiB);
	ok(!vm.pci, "so are 32 physical address bits");
	teardown();
}

/* A guest that writes anything anywhere. */
static void test_storm(void)
{
	struct dev d[3];
	unsigned int seed = 1, i;
	u64 off, v;

	setup(36, 64 * MiB);
	for (i = 0; i < 3; i++) {
		dev_init(&d[i], "dev");
		pci__add_bar(&d[i].f, 0, 4096 << i, 0);
		pci__add_bar(&d[i].f, 2, 8192 << i,
			     PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH);
		pci__add_bar(&d[i].f, 4, 4 << i, PCI_BASE_ADDRESS_SPACE_IO);
		pci__add_msix(&d[i].f, 0, 17, 0, 0x800);
		pci__add(vm.pci, &d[i].f, -1);
	}
	for (i = 0; i < 300000; i++) {
		off = rand_r(&seed) % 4 << 15 | rand_r(&seed) % (i & 1 ? 0x130 : 4096);
		v = (u64)rand_r(&seed) << 33 ^ rand_r(&seed);
		if (rand_r(&seed) % 4 == 0)
			v = PCI_MMIO_BASE + (v & 0x7000);
		wr(&vm, ECAM_BASE + off, 1 + rand_r(&seed) % 8, v);
		wr(&vm, PCI_MMIO_BASE + (v & 0xffff), 1 + rand_r(&seed) % 8, v);
		rd(&vm, PCI_MMIO_BASE + (v & 0xffff), 1 + rand_r(&seed) % 8);
		rd(&vm, ECAM_BASE + off, 1 + rand_r(&seed) % 8);
		port(PCI_PORT_BASE + v % 16, 1 + rand_r(&seed) % 4);
	}
	for (i = 0; i < 3; i++)
		eq(rd(&vm, cfg_at(&d[i], 0), 4), 0x10411af4, "function %u survived", i);
	for (i = 0; i < 3; i++)
		pci__del(&d[i].f);
	teardown();
	eq(routes, 0, "no route is left");
}

int main(void)
{
	test_ecam();
	test_caps();
	test_bars();
	test_io_bars();
	test_reset();
	test_slots();
	test_windows();
	test_storm();
	return tap_done();
}
