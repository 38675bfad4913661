/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * Ports and memory at every width and alignment, claimed or not: the answer where there is one, all
 * ones where there is none, and a machine that goes on in any case.
 */

#include "pci.h"

static u64 read_any(u64 addr, unsigned int bytes)
{
	switch (bytes) {
	case 1:
		return read8(addr);
	case 2:
		return read16(addr);
	case 4:
		return read32(addr);
	default:
		return read64(addr);
	}
}

static void write_any(u64 addr, unsigned int bytes, u64 v)
{
	switch (bytes) {
	case 1:
		write8(addr, v);
		break;
	case 2:
		write16(addr, v);
		break;
	case 4:
		write32(addr, v);
		break;
	default:
		write64(addr, v);
	}
}

static void unclaimed_ports(void)
{
	static const u16 ports[] = { 0x0000, 0x80, 0x2f8, 0x500, 0xcf8, 0xffff };
	static u8 buf[16];
	void *to = buf;
	u64 n = 7;

	for (unsigned int i = 0; i < ARRAY_SIZE(ports); i++) {
		u16 p = ports[i];

		out8(p, 0);
		out16(p, 0);
		out32(p, 0);
		report(in8(p) == 0xff && in16(p) == 0xffff && in32(p) == ~0u,
		       "port %x, which nobody claims, reads as ones", p);
	}
	memset(buf, 0, sizeof(buf));
	asm volatile("rep insb" : "+D"(to), "+c"(n) : "d"(0x80) : "memory");
	report(n == 0 && buf[0] == 0xff && buf[6] == 0xff && buf[7] == 0, "so does a string of it");
}

static void claimed_ports(void)
{
	out8(PORT_COM1 + 7, 0x5a);
	report_eq(in8(PORT_COM1 + 7), 0x5a, "the serial port's scratch register");
	in16(PORT_COM1 + 2);
	in32(PORT_COM1 + 4);
	report_eq(in8(PORT_COM1 + 7), 0x5a, "is the same after wide reads beside it");
	in32(PORT_COM1 + 6);
	in16(PORT_COM1 + 7);
	report_eq(in8(PORT_COM1 + 7), 0x5a, "and after reads across the port's end");
	for (u16 p = 0xf4; p < 0xf8; p++) {
		in8(p);
		in16(p);
		in32(p);
	}
	report(true, "reading the exit device does not end the machine");
	report_eq(in8(0x64) & 2, 0, "the keyboard controller takes commands");
	for (u16 p = 0x5fe; p < 0x604; p++) {
		in16(p);
		in32(p);
	}
	out32(0x601, 0);
	report(true, "nor do accesses around the sleep registers");
}

/* Every width at every alignment from @at - 8 to @at + 8; writes give back what was read. */
static void sweep(u64 at, bool write, const char *what)
{
	for (u64 addr = at - 8; addr < at + 8; addr++)
		for (unsigned int bytes = 1; bytes <= 8; bytes *= 2) {
			u64 v = read_any(addr, bytes);

			if (write)
				write_any(addr, bytes, v);
		}
	report(true, "every access around %s", what);
}

static void unclaimed_memory(void)
{
	static const u64 hole[] = { 0xbffff000, 0xfed00000, 0xfeb00ffd, 0xfffffff0 };

	for (unsigned int i = 0; i < ARRAY_SIZE(hole); i++) {
		bool good = true;

		for (unsigned int bytes = 1; bytes <= 8; bytes *= 2) {
			u64 ones = bytes == 8 ? ~0UL : BIT(8 * bytes) - 1;

			write_any(hole[i] + 1, bytes, 0);
			good &= read_any(hole[i] + 1, bytes) == ones;
		}
		report(good, "memory at %lx, which nobody claims, reads as ones", hole[i]);
	}
}

/* Bytes, words and dwords of one register agree, and string moves come through. */
static void narrow(void)
{
	u32 id = read32(PCI_CFG(0)), v = 0;
	u64 cap = read64(VTD_BASE + 8), w = 0;
	static u8 copy[64];
	bool good = true;

	for (int i = 3; i >= 0; i--)
		v = v << 8 | read8(PCI_CFG(0) + i);
	report_eq(v, id, "four bytes of configuration space make its dword");
	report_eq(read16(PCI_CFG(0) + 1), id >> 8 & 0xffff, "a word from its middle too");
	report_eq(read64(PCI_CFG(0)), id | (u64)read32(PCI_CFG(0) + 4) << 32, "and a qword");
	for (int i = 7; i >= 0; i--)
		w = w << 8 | read8(VTD_BASE + 8 + i);
	report_eq(w, cap, "eight bytes of CAP make its qword");
	report_eq(read32(VTD_BASE + 10), cap >> 16 & 0xffffffff, "so does a misaligned dword of it");
	memcpy(copy, (void *)PCI_CFG(0), sizeof(copy));
	for (unsigned int i = 0; i < sizeof(copy); i += 4)
		good &= *(u32 *)(copy + i) == read32(PCI_CFG(0) + i);
	report(good, "rep movs reads the header as dwords do");
}

int main(void)
{
	struct edu e;

	unclaimed_ports();
	claimed_ports();
	unclaimed_memory();
	narrow();
	sweep(IOAPIC_BASE, false, "the IOAPIC's start");
	sweep(IOAPIC_BASE + 0x10, true, "its window");
	sweep(IOAPIC_BASE + 0x1000, true, "its end");
	sweep(ECAM_BASE + 8, true, "the host bridge's configuration space");
	sweep(ECAM_BASE + 0x1000, true, "its end");
	sweep(ECAM_BASE + 0x10000000, true, "the end of ECAM");
	sweep(VTD_BASE, true, "the start of the VT-d registers");
	sweep(VTD_BASE + 0x20, false, "its root-table register");
	sweep(VTD_BASE + 0x88, false, "its queue registers");
	sweep(VTD_BASE + 0x230, true, "its fault records");
	sweep(VTD_BASE + 0x1000, true, "its end");
	if (edu_init(&e, 0)) {
		sweep(e.regs + 8, true, "the test device's registers");
		sweep(e.regs + 0x98, true, "its DMA registers");
		sweep(e.regs + 0x41000, true, "its buffer's end");
		sweep(e.regs + 0x100000, true, "its BAR's end");
		sweep(e.msix + 8, true, "its MSI-X table");
		sweep(e.msix + 64, true, "the table's end");
		sweep(e.msix + 0x800, true, "its pending bits");
		report_eq(read32(e.regs + EDU_ID), 0x010000ed, "and it still answers");
	}
	report_eq(read64(VTD_BASE + 8), read64(VTD_BASE + 8), "the machine goes on");
	return 0;
}
