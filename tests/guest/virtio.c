/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * A driver that breaks the rules of virtio, on a disk: what breaks a ring ends in NEEDS_RESET, what
 * breaks a request ends the request, and after a reset the device works as if nothing had been.
 */

#include "virtq.h"

#define BLK_DEVICE 0x1042
#define T_IN	   0
#define T_OUT	   1
#define T_GET_ID   8
#define SECTOR	   512

static struct virtio v;
static struct virtq q __attribute__((aligned(4096)));
static u8 data[4096] __attribute__((aligned(4096)));
static struct {
	u32 type, reserved;
	u64 sector;
} header;
static volatile u8 status;
static struct desc table[Q_SIZE], inner[Q_SIZE] __attribute__((aligned(16)));

static void desc(int i, u64 addr, u32 len, u16 flags, u16 next)
{
	q.desc[i].addr = addr;
	q.desc[i].len = len;
	q.desc[i].flags = flags;
	q.desc[i].next = next;
}

static void request(u32 type, u64 sector, u32 len)
{
	header.type = type;
	header.sector = sector;
	status = 0xff;
	desc(0, (u64)&header, sizeof(header), D_NEXT, 1);
	desc(1, (u64)data, len, D_NEXT | (type == T_OUT ? 0 : D_WRITE), 2);
	desc(2, (u64)&status, 1, D_WRITE, 0);
}

/* The status of what is made available at @head, or ffh if it does not complete. */
static u8 submit(u16 head)
{
	u16 want = q.used_idx + 1;

	virtio_kick(&v, head);
	return virtio_used(&v, want) ? status : 0xff;
}

static u8 run(u32 type, u64 sector, u32 len)
{
	request(type, sector, len);
	return submit(0);
}

/* Reset, and up to FEATURES_OK with what any driver must take. */
static void prepare(void)
{
	virtio_reset(&v);
	virtio_negotiate(&v, F_VERSION_1 | (v.features & F_PLATFORM));
}

static bool up(void)
{
	return virtio_up(&v, &q, v.features & F_INDIRECT);
}

/* The device now wants a reset; it takes one, and works. */
static void wants_reset(const char *what)
{
	for (int i = 0; i < 100000 && !(virtio_status(&v) & S_NEEDS_RESET); i++)
		in8(0xed);
	report(virtio_status(&v) & S_NEEDS_RESET, "%s: the device needs a reset", what);
	report(up() && run(T_IN, 0, SECTOR) == 0, "%s: and works after it", what);
}

static void good(void)
{
	static u8 pattern[SECTOR];

	report(up(), "the device starts");
	memset(data, 0x5a, SECTOR);
	memset(pattern, 0x5a, SECTOR);
	report_eq(run(T_OUT, 1, SECTOR), 0, "a write");
	memset(data, 0, SECTOR);
	report_eq(run(T_IN, 1, SECTOR), 0, "and a read");
	report(!memcmp(data, pattern, SECTOR), "give the data back");
	report_eq(q.used[(q.used_idx - 1) % Q_SIZE].len, SECTOR + 1, "with the length written");
	report_eq(run(T_GET_ID, 0, 20), 0, "the serial number");
	for (int i = 0; i < 40; i++)
		if (run(T_IN, i % 8, SECTOR))
			report(false, "request %u", i);
	report_eq(q.used_idx, 43, "the ring wraps around");
}

static void bad_requests(void)
{
	report_eq(run(T_IN, 1UL << 40, SECTOR), 1, "a read beyond the end is an I/O error");
	report_eq(run(T_IN, ~0UL, SECTOR), 1, "so is one that wraps");
	report_eq(run(T_IN, 0, SECTOR - 1), 1, "and half a sector");
	report_eq(run(77, 0, SECTOR), 2, "an unknown type is unsupported");
	request(T_IN, 0, SECTOR);
	q.desc[1].addr = MSI_BASE;
	report_eq(submit(0), 1, "a buffer outside of memory is an I/O error");
	request(T_IN, 0, SECTOR);
	q.desc[0].len = 3;
	report_eq(submit(0), 1, "so is a short header");
	report_eq(run(T_IN, 0, SECTOR), 0, "and the device goes on");
}

static void bad_rings(void)
{
	virtio_kick(&v, Q_SIZE);
	wants_reset("a head beyond the table");
	virtio_kick(&v, 0xffff);
	wants_reset("head ffffh");
	request(T_IN, 0, SECTOR);
	q.desc[2].flags = D_NEXT | D_WRITE;
	q.desc[2].next = 2;
	virtio_kick(&v, 0);
	wants_reset("a chain that loops");
	request(T_IN, 0, SECTOR);
	q.desc[1].next = 500;
	virtio_kick(&v, 0);
	wants_reset("a next beyond the table");
	request(T_OUT, 0, SECTOR);
	q.desc[0].flags |= D_WRITE;
	virtio_kick(&v, 0);
	wants_reset("readable behind writable");
	request(T_IN, 0, SECTOR);
	q.avail_idx += Q_SIZE + 5;
	virtio_kick(&v, 0);
	wants_reset("an available index that jumps");
	request(T_IN, 0, SECTOR);
	desc(0, (u64)&header, sizeof(header), 0, 0);
	virtio_kick(&v, 0);
	wants_reset("no status byte");
	request(T_IN, 0, SECTOR);
	q.desc[0].len = q.desc[1].len = ~0u;
	q.desc[1].flags = D_NEXT;
	virtio_kick(&v, 0);
	wants_reset("a chain of 8 GiB");
}

static void indirect(void)
{
	static const u32 bad[] = { 0, 15, 17 };

	if (!(v.features & F_INDIRECT)) {
		report_skip("no indirect descriptors");
		return;
	}
	request(T_IN, 0, SECTOR);
	memcpy(table, (void *)q.desc, sizeof(table));
	desc(5, (u64)table, 3 * 16, D_INDIRECT, 0);
	report_eq(submit(5), 0, "an indirect table is taken");
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		desc(5, (u64)table, bad[i], D_INDIRECT, 0);
		virtio_kick(&v, 5);
		wants_reset("an indirect table of bad length");
	}
	/* The inner table is good: only that it is one is wrong. */
	request(T_IN, 0, SECTOR);
	memcpy(inner, (void *)q.desc, sizeof(inner));
	table[0] = (struct desc){ (u64)inner, 3 * 16, D_INDIRECT, 0 };
	desc(5, (u64)table, 3 * 16, D_INDIRECT, 0);
	virtio_kick(&v, 5);
	wants_reset("an indirect table in another");
	desc(5, (u64)table, 3 * 16, D_INDIRECT | D_NEXT, 0);
	virtio_kick(&v, 5);
	wants_reset("an indirect descriptor with a successor");
	desc(5, ~0UL << 4, 32, D_INDIRECT, 0);
	virtio_kick(&v, 5);
	wants_reset("an indirect table that wraps");
	report(virtio_up(&v, &q, 0), "without the feature");
	desc(5, (u64)table, 3 * 16, D_INDIRECT, 0);
	virtio_kick(&v, 5);
	wants_reset("an indirect descriptor");
}

/* Rings in places where there is no memory; registers at odd moments. */
static void bad_setup(void)
{
	static const u64 where[] = { MSI_BASE, ~0UL << 12, 1UL << 62, ECAM_BASE };
	u64 ok = (u64)q.desc;

	report(virtio_reset(&v) && !virtio_negotiate(&v, 0), "without VERSION_1 no FEATURES_OK");
	report(virtio_reset(&v) && !virtio_negotiate(&v, ~0UL), "nor with features never offered");
	for (unsigned int i = 0; i < ARRAY_SIZE(where); i++) {
		prepare();
		virtio_queue(&v, ok, where[i], ok + 512, Q_SIZE);
		write8(v.common + C_STATUS, S_ACK | S_DRIVER | S_FEATURES_OK | S_DRIVER_OK);
		write16(v.notify, 0);
		wants_reset("an available ring outside of memory");
	}
	prepare();
	virtio_queue(&v, ok + 1, ok + 256, ok + 512, Q_SIZE);
	wants_reset("a misaligned table");
	virtio_reset(&v);
	write8(v.common + C_STATUS, S_DRIVER_OK);
	write16(v.notify, 0);
	write16(v.notify + 0xffc, 0);
	report_eq(virtio_status(&v) & S_DRIVER_OK, 0, "DRIVER_OK without the steps before is not taken");
	write16(v.common + C_QSELECT, 0xffff);
	report_eq(read16(v.common + C_QSIZE), 0, "a queue that is not there has size 0");
	write16(v.common + C_QENABLE, 1);
	write16(v.common + C_QSELECT, 0);
	write16(v.common + C_QSIZE, 3);
	write16(v.common + C_QSIZE, 0xffff);
	report(read16(v.common + C_QSIZE) != 3 && read16(v.common + C_QSIZE) <= 1024,
	       "a bad queue size is not taken");
	for (u64 off = 0; off < 0x1000; off += 7) {
		if (off / 4 == C_STATUS / 4)
			continue;
		write64(v.common + off, off * 0x0101010101010101);
		read64(v.common + off);
	}
	report(up() && run(T_IN, 0, SECTOR) == 0, "after writes to all registers the device works");
	write16(PCI_CFG(v.devfn) + PCI_COMMAND, PCI_COMMAND_MEM);
	request(T_IN, 0, SECTOR);
	virtio_kick(&v, 0);
	in8(0xed);
	report_eq(status, 0xff, "without bus mastering nothing happens");
	pci_enable(v.devfn);
	report(up() && run(T_IN, 0, SECTOR) == 0, "with it the device works");
	write16(PCI_CFG(v.devfn) + pci_cap(v.devfn, CAP_EXP, 0) + 8, BIT(15));
	pci_set_bar(v.devfn, 0, 0xd0000000);
	pci_enable(v.devfn);
	report(virtio_status(&v) == 0 && up() && run(T_IN, 0, SECTOR) == 0, "and after FLR");
}

static u8 submit_by_port(void)
{
	u16 want = q.used_idx + 1;

	request(T_IN, 0, SECTOR);
	virtio_add(&v, 0);
	out16(v.port, 0);
	return virtio_used(&v, want) ? status : 0xff;
}

static void port(void)
{
	u64 bar = PCI_CFG(v.devfn) + PCI_BAR0 + 8;
	u16 old = v.port;

	report(old, "there is a port for notifications");
	report(up() && submit_by_port() == 0, "a request that is told there");
	report(run(T_IN, 0, SECTOR) == 0, "and one in memory behind it");
	write32(bar, old + 0x100);
	v.port = old + 0x100;
	report(submit_by_port() == 0, "the port moves");
	request(T_IN, 0, SECTOR);
	virtio_add(&v, 0);
	out16(old, 0);
	in8(0xed);
	report_eq(status, 0xff, "nothing is left where it was");
	out8(v.port, 0);
	report(virtio_used(&v, q.avail_idx) && status == 0, "it takes 8 bits too");
	out16(v.port, 1);
	out16(v.port, 0xffff);
	out16(v.port + 2, 0);
	report_eq(in16(v.port), 0, "it reads as zero");
	report(run(T_IN, 0, SECTOR) == 0, "queues that are not there do nothing");
}

int main(void)
{
	if (!virtio_find(&v, BLK_DEVICE)) {
		report(false, "there is a virtio disk");
		return 0;
	}
	good();
	bad_requests();
	bad_rings();
	indirect();
	bad_setup();
	port();
	return 0;
}
