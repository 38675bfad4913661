/* SPDX-License-Identifier: GPL-2.0-only */
/* The modern PCI transport: registers at every width, negotiation, reset, doorbells. */

#include "virtio/chain.c"
#include "virtio/pci.c"
#include "virtio/pci_caps.c"
#include "virtio/pci_common.c"
#include "virtio/queue.c"

#define FAKE_TRANSPORT
#include "tests/unit/virtio_fake.h"

#define NQ 3

static unsigned int starts, resets, notifies[NQ];
static u8 config[12];

static void dev_start(struct virtio_dev *d)
{
	starts++;
}

static void dev_notify(struct virtio_dev *d, unsigned int q)
{
	notifies[q]++;
}

static void dev_reset(struct virtio_dev *d)
{
	resets++;
}

static void dev_read(struct virtio_dev *d, u32 off, u8 *data, u32 len)
{
	for (u32 i = 0; i < len; i++)
		data[i] = config[off + i]; /* ASan knows its size */
}

static void dev_write(struct virtio_dev *d, u32 off, const u8 *data, u32 len)
{
	for (u32 i = 0; i < len; i++)
		config[off + i] = data[i];
}

static const struct virtio_ops ops = {
	.device_id = 4,
	.class_code = 0xff0000,
	.features = BIT(5),
	.nqueues = NQ,
	.cfg_len = sizeof(config),
	.cfg_read = dev_read,
	.cfg_write = dev_write,
	.start = dev_start,
	.notify = dev_notify,
	.reset = dev_reset,
};

static struct vm vm;
static struct virtio_dev dev;

static u64 get(u32 off, u32 len)
{
	u64 val = 0;

	dev.pci.ops->bar_access(&dev.pci, 0, off, (u8 *)&val, len, false);
	return val;
}

static void put(u32 off, u32 len, u64 val)
{
	dev.pci.ops->bar_access(&dev.pci, 0, off, (u8 *)&val, len, true);
}

#define STATUS 20
#define OFFERED                                                                                    \
	(BIT(5) | BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_RING_F_INDIRECT_DESC) |                     \
	 BIT(VIRTIO_RING_F_EVENT_IDX))

static void fresh(void)
{
	if (dev.transport)
		virtio_pci__del(&dev);
	memset(&dev, 0, sizeof(dev));
	memset(notifies, 0, sizeof(notifies));
	memset(fired, 0, sizeof(fired));
	memset(ram, 0, sizeof(ram));
	iova_identity();
	starts = resets = messages = 0;
	fake_msix = true;
	dev.ops = &ops;
	virtio_pci__add(&vm, &dev, "virtio-test.0");
}

static void features(u64 bits)
{
	put(8, 4, 0);
	put(12, 4, (u32)bits);
	put(8, 4, 1);
	put(12, 4, bits >> 32);
}

static void queue_setup(u16 q)
{
	put(22, 2, q);
	put(24, 2, 8);
	put(26, 2, q + 1);
	put(32, 4, DRV_DESC);
	put(36, 4, 0);
	put(40, 4, DRV_AVAIL);
	put(44, 4, 0);
	put(48, 8, DRV_USED);
	put(28, 2, 1);
}

/* As Linux does it. */
static void bring_up(u64 bits)
{
	fresh();
	put(STATUS, 1, 0);
	put(STATUS, 1, 1);
	put(STATUS, 1, 3);
	features(bits);
	put(STATUS, 1, 11);
	put(16, 2, 0);
	queue_setup(0);
	queue_setup(1);
	put(STATUS, 1, 15);
}

static void test_identity(void)
{
	u8 *cfg, off;
	u32 word, seen = 0, ports = 0;

	fresh();
	cfg = dev.pci.cfg;
	ok(cfg[0] == 0xf4 && cfg[1] == 0x1a && cfg[2] == 0x44 && cfg[3] == 0x10, "1af4:1044");
	eq(cfg[8], 1, "revision 1");
	eq(nvectors, NQ + 1, "a vector per queue and one more");
	ok(dev.pci.bar[2].io && dev.pci.bar[2].size == 4, "a port besides the memory");
	for (off = cfg[0x34]; off; off = cfg[off + 1]) {
		seen |= 1u << cfg[off + 3];
		memcpy(&word, cfg + off + 8, 4);
		if (cfg[off + 3] == 2 && cfg[off + 4] == 2) {
			ports++;
			ok(cfg[off + 2] == 20 && cfg[off + 16] == 0 && word == 0,
			   "one port for the notifications of all queues");
		} else if (cfg[off + 3] == 2) {
			eq(ports, 1, "the port is preferred");
			ok(cfg[off + 2] == 20 && cfg[off + 16] == 4 && word == 0x1000,
			   "notifications have a page of their own");
			eq(cfg[off + 12], 4 * NQ, "of one word per queue");
		}
	}
	eq(seen, 0x3e, "all five capabilities");
	eq(get(18, 2), NQ, "num_queues");
}

static u64 offered(void)
{
	u64 bits;

	put(0, 4, 0);
	bits = get(4, 4);
	put(0, 4, 1);
	return bits | get(4, 4) << 32;
}

static bool negotiate(u64 bits)
{
	fresh();
	put(STATUS, 1, 3);
	features(bits);
	put(STATUS, 1, 11);
	return get(STATUS, 1) == 11;
}

static void test_features(void)
{
	u64 access = BIT(VIRTIO_F_ACCESS_PLATFORM);

	fresh();
	eq(offered(), OFFERED, "what is offered");
	put(0, 4, 2);
	eq(get(4, 4), 0, "nothing above bit 63");
	put(0, 4, ~0u);
	eq(get(4, 4), 0, "nor anywhere else");
	ok(negotiate(OFFERED), "all of it can be had");
	eq(dev.driver_features, OFFERED, "and is remembered");
	features(BIT(VIRTIO_F_VERSION_1));
	put(STATUS, 1, 15);
	eq(dev.driver_features, OFFERED, "for good");
	ok(negotiate(BIT(VIRTIO_F_VERSION_1)), "VERSION_1 alone is enough");
	ok(!negotiate(OFFERED & ~BIT(VIRTIO_F_VERSION_1)), "without it: FEATURES_OK refused");
	put(STATUS, 1, 15);
	eq(get(STATUS, 1), 3, "and DRIVER_OK too");
	eq(starts, 0, "not started");
	ok(!negotiate(OFFERED | BIT(6)), "a bit that was not offered: refused");
	ok(!negotiate(OFFERED | access), "ACCESS_PLATFORM without an IOMMU: refused");
	fake_behind_iommu = true;
	ok(!negotiate(OFFERED), "behind an IOMMU, without ACCESS_PLATFORM: refused");
	ok(negotiate(OFFERED | access), "with it: accepted");
	eq(offered(), OFFERED | access, "it is offered there");
	fake_behind_iommu = false;
}

static void test_status(void)
{
	u32 epoch;

	bring_up(OFFERED);
	eq(get(STATUS, 1), 15, "DRIVER_OK");
	eq(starts, 1, "started once");
	ok(notifies[0] == 1 && notifies[1] == 1 && notifies[2] == 0, "enabled queues looked at");
	put(STATUS, 1, 15);
	put(STATUS, 1, 7);
	ok(starts == 1 && get(STATUS, 1) == 15, "bits are only ever added");
	put(STATUS, 1, 0x4f);
	eq(get(STATUS, 1), 15, "NEEDS_RESET is not the driver's to set");
	put(STATUS, 1, 0x8f);
	eq(get(STATUS, 1), 0x8f, "FAILED is");

	epoch = dev.epoch;
	put(STATUS, 1, 0);
	ok(get(STATUS, 1) == 0 && resets == 2 && dev.epoch == epoch + 1, "reset by status 0");
	put(22, 2, 0);
	ok(get(24, 2) == VIRTIO_QUEUE_MAX && get(28, 2) == 0 && get(32, 8) == 0 &&
	       get(26, 2) == 0xffff && get(16, 2) == 0xffff && get(12, 4) == 0,
	   "everything is back");
	put(VIRTIO_BAR_NOTIFY, 2, 0);
	eq(notifies[0], 1, "no doorbell after it");

	bring_up(OFFERED);
	dev.pci.ops->reset(&dev.pci);
	ok(get(STATUS, 1) == 0 && resets == 2 && !dev.vq[0].enabled, "reset by FLR");

	bring_up(OFFERED);
	virtio__fail(&dev, "test");
	virtio__fail(&dev, "test");
	ok(get(STATUS, 1) == 0x4f && messages == 1, "NEEDS_RESET, told once");
	eq(fired[0], 1, "and a configuration interrupt");
	eq(get(VIRTIO_BAR_ISR, 1), 2, "with its ISR bit");
	put(VIRTIO_BAR_NOTIFY, 2, 0);
	eq(notifies[0], 1, "a stopped device hears no doorbell");
	put(STATUS, 1, 0);
	eq(get(STATUS, 1), 0, "until it is reset");
	fresh();
	put(STATUS, 1, 3);
	virtio__fail(&dev, "test");
	put(STATUS, 1, 11);
	features(OFFERED);
	put(STATUS, 1, 15);
	ok(!(get(STATUS, 1) & 4) && !starts && !fired[0], "failed early: never starts, silent");
}

static void test_queues(void)
{
	static const u16 sizes[] = { 0, 3, 255, 257, 512, 0x8000, 0xffff };

	fresh();
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		put(24, 2, sizes[i]);
		eq(get(24, 2), VIRTIO_QUEUE_MAX, "size %u is refused", sizes[i]);
	}
	put(24, 2, 1);
	eq(get(24, 2), 1, "size 1 is taken");
	put(26, 2, NQ);
	eq(get(26, 2), NQ, "the last vector");
	put(26, 2, NQ + 1);
	eq(get(26, 2), 0xffff, "one beyond it reads back as none");
	put(16, 2, 0x100);
	eq(get(16, 2), 0xffff, "for the configuration vector too");
	put(22, 2, 2);
	eq(get(30, 2), 2, "queue_notify_off");
	put(28, 2, 1);
	eq(get(28, 2), 0, "not enabled before FEATURES_OK");

	for (u32 q = NQ; q < 0x10000; q += 0x1ffd) {
		put(22, 2, q);
		for (u32 off = 24; off < 56; off += 2)
			put(off, 2, 0x5555);
		put(28, 2, 1);
		ok(get(22, 2) == q && get(24, 2) == 0 && get(26, 2) == 0xffff && get(28, 4) == 0 &&
		       get(32, 8) == 0 && get(48, 8) == 0,
		   "queue %u does not exist", q);
	}

	bring_up(OFFERED);
	put(22, 2, 0);
	put(32, 8, 0xdead0);
	put(24, 2, 16);
	put(28, 2, 0);
	ok(get(32, 8) == DRV_DESC && get(24, 2) == 8 && get(28, 2) == 1,
	   "an enabled queue does not change");
	put(26, 2, 2);
	eq(get(26, 2), 2, "but for its vector");

	fresh();
	put(STATUS, 1, 3);
	features(OFFERED);
	put(STATUS, 1, 11);
	put(32, 8, 8);
	put(28, 2, 1);
	ok(get(28, 2) == 0 && (get(STATUS, 1) & 0x40), "a misaligned ring: NEEDS_RESET");
}

/* The eventfd that a write to @addr signals, or -1. */
static int doorbell_at(u64 addr)
{
	for (unsigned int i = 0; i < doorbells; i++) {
		if (doorbell[i].addr == addr)
			return doorbell[i].fd;
	}
	return -1;
}

/* The eventfd that 16 bits with @val signal at @port, or -1. */
static int port_doorbell(u64 port, u16 val)
{
	for (unsigned int i = 0; i < doorbells; i++) {
		if (doorbell[i].bus == vm.pio && doorbell[i].addr == port &&
		    doorbell[i].match == val)
			return doorbell[i].fd;
	}
	return -1;
}

static void out(u64 off, u32 len, u32 val)
{
	dev.pci.ops->bar_access(&dev.pci, 2, off, (u8 *)&val, len, true);
}

static void test_port(void)
{
	u64 gpa = 0xc0000000;
	u32 val = ~0u;

	vm.pio = (struct bus *)&vm;
	bring_up(OFFERED);
	out(0, 2, 1);
	eq(notifies[1], 2, "a notification through the port");
	out(0, 1, 1);
	out(0, 4, 0xabcd0001);
	eq(notifies[1], 4, "of other widths");
	out(0, 2, 2);
	out(0, 2, NQ);
	out(0, 2, 0xffff);
	out(2, 2, 1);
	out(3, 1, 1);
	ok(notifies[0] == 1 && notifies[1] == 4 && notifies[2] == 0,
	   "a queue that is not enabled, or not there, or not at the port");
	dev.pci.ops->bar_access(&dev.pci, 2, 0, (u8 *)&val, 4, false);
	eq(val, 0, "it reads as zero");

	dev.pci.ops->bar_moved(&dev.pci, 0, gpa);
	dev.pci.ops->bar_moved(&dev.pci, 2, 0x1000);
	eq(doorbells, 2 * NQ, "doorbells in both places");
	eq(port_doorbell(0x1000, 1), doorbell_at(gpa + 0x1004), "of one eventfd");
	eq(port_doorbell(0x1000, NQ), -1, "and for no other queue");
	dev.pci.ops->bar_moved(&dev.pci, 0, PCI_BAR_UNMAPPED);
	ok(doorbells == NQ && port_doorbell(0x1000, 2) >= 0, "each goes by itself");
	dev.pci.ops->bar_moved(&dev.pci, 2, 0x2000);
	ok(doorbells == NQ && port_doorbell(0x2000, 2) >= 0 && port_doorbell(0x1000, 2) < 0,
	   "and moves by itself");
	dev.pci.ops->bar_moved(&dev.pci, 2, PCI_BAR_UNMAPPED);
	ok(!doorbells && !doorbell_errors, "nothing is left, nor undone twice");
}

static void test_doorbells(void)
{
	u64 gpa = 0xc0000000;

	bring_up(OFFERED);
	put(VIRTIO_BAR_NOTIFY + 4, 2, 1);
	ok(notifies[0] == 1 && notifies[1] == 2, "a notification that arrives as an access");
	put(VIRTIO_BAR_NOTIFY + 8, 2, 0);
	put(VIRTIO_BAR_NOTIFY + 4 * NQ, 2, 0);
	put(VIRTIO_BAR_NOTIFY + 0xffc, 4, 0);
	put(VIRTIO_BAR_SIZE - 8, 8, 0);
	ok(notifies[0] == 1 && notifies[1] == 2 && notifies[2] == 0,
	   "a queue that is not enabled, or not there");

	dev.pci.ops->bar_moved(&dev.pci, 0, gpa);
	ok(doorbells == NQ && doorbell_at(gpa + 0x1008) >= 0, "doorbells where the BAR is");
	eventfd_write(doorbell_at(gpa + 0x1004), 3);
	eq(loop_turn(0), 1, "an eventfd");
	eq(notifies[1], 3, "notifies once, however often it was written");
	dev.pci.ops->bar_moved(&dev.pci, 0, gpa + 0x4000);
	ok(doorbells == NQ && doorbell_at(gpa + 0x5000) >= 0 && doorbell_at(gpa + 0x1000) < 0,
	   "they move with it");
	eventfd_write(doorbell_at(gpa + 0x5000), 1);
	eventfd_write(doorbell_at(gpa + 0x5008), 1);
	put(STATUS, 1, 0);
	loop_turn(0);
	ok(notifies[0] == 1 && notifies[2] == 0, "one that was under way at reset is dropped");
	fake_no_ioeventfd = true;
	dev.pci.ops->bar_moved(&dev.pci, 0, gpa);
	eq(doorbells, 0, "KVM refuses");
	dev.pci.ops->bar_moved(&dev.pci, 0, PCI_BAR_UNMAPPED);
	fake_no_ioeventfd = false;
	dev.pci.ops->bar_moved(&dev.pci, 0, gpa);
	dev.pci.ops->bar_moved(&dev.pci, 0, PCI_BAR_UNMAPPED);
	dev.pci.ops->bar_moved(&dev.pci, 0, gpa);
	dev.pci.ops->bar_moved(&dev.pci, 0, PCI_BAR_UNMAPPED);
	ok(!doorbells && !doorbell_errors, "nothing is undone that was not done");

	test_port();
	bring_up(OFFERED);
	virtq__again(&dev, 1);
	loop_turn(0);
	eq(notifies[1], 2, "again");
}

static void test_interrupts(void)
{
	bring_up(OFFERED);
	virtio_pci__signal(&dev, 2);
	ok(fired[2] == 1 && get(VIRTIO_BAR_ISR, 1) == 0, "MSI-X: the vector, no ISR");
	virtio_pci__signal(&dev, 0xffff);
	eq(fired_bad, 0, "no vector: no interrupt");
	fake_msix = false;
	virtio_pci__signal(&dev, 2);
	eq(fired[2], 1, "without MSI-X: no message");
	eq(get(VIRTIO_BAR_ISR - 3, 8), 1ULL << 24, "but the ISR, in any access that covers it");
	eq(get(VIRTIO_BAR_ISR, 1), 0, "read once");
}

/*
 * Every width at every offset of the pages that are ours: reads agree with byte reads, and writes
 * of anything keep the device within what ASan, UBSan and the fakes accept.
 */
static void test_sweep(void)
{
	unsigned int differ = 0, seed = 1;
	u64 val, byte;

	for (unsigned int i = 0; i < sizeof(config); i++)
		config[i] = 0x10 + i;
	bring_up(OFFERED);
	put(0, 4, 0);
	for (u32 off = 0; off < 0x240; off++) {
		for (u32 len = 1; len <= 8; len++) {
			val = get(off, len);
			for (u32 i = 0; i < len; i++) {
				byte = get(off + i, 1);
				differ += (u8)(val >> 8 * i) != byte;
			}
		}
	}
	eq(differ, 0, "reads of any width agree");
	eq(get(VIRTIO_BAR_DEVICE + 10, 8), 0x1b1a, "device configuration ends where it ends");
	eq(get(VIRTIO_BAR_DEVICE - 2, 4), 0x11100000, "and begins where it begins");

	for (unsigned int round = 0; round < 40; round++) {
		fresh();
		if (round & 1)
			bring_up(OFFERED);
		for (u32 off = 0; off < 0x2000; off += off < 0x300 || off > 0xff0 ? 1 : 0x10) {
			u32 at = rand_r(&seed) % 2 ? off : (u32)rand_r(&seed) % 0x40;
			u32 len = 1 + rand_r(&seed) % 8;

			val = (u64)rand_r(&seed) << 32 | rand_r(&seed);
			put(at, len, rand_r(&seed) % 4 ? val : 1);
		}
	}
	ok(fired_bad == 0, "writes of any width, anywhere");
	put(STATUS, 1, 0);
	put(32, 8, 0x1122334455667788);
	put(33, 2, 0xaabb);
	eq(get(32, 8), 0x1122334455aabb88, "part of a field");
	put(30, 8, 0x0102030405060708);
	eq(get(32, 8), 0x1122010203040506, "several fields, some of them read-only");
}

static void test_window(void)
{
	struct virtio_pci *vp;
	u32 cap, val, off;
	const struct pci_func_ops *po;

	bring_up(OFFERED);
	vp = dev.transport;
	cap = vp->window;
	po = dev.pci.ops;
	off = STATUS;
	memcpy(&dev.pci.cfg[cap + 8], &off, 4);
	dev.pci.cfg[cap + 12] = 1;
	ok(po->cfg_read(&dev.pci, cap + 16, 4, &val) && val == 15, "a register through the window");
	ok(!po->cfg_read(&dev.pci, cap + 12, 4, &val), "its own registers are configuration space");
	dev.pci.cfg[cap + 16] = 0;
	po->cfg_written(&dev.pci, cap + 12, 4, 1);
	eq(get(STATUS, 1), 15, "writing those does nothing");
	po->cfg_written(&dev.pci, cap + 16, 1, 0);
	eq(get(STATUS, 1), 0, "writing the data does");
	for (u32 bad = 0; bad < 7; bad++) {
		static const struct {
			u32 bar, off, len;
		} w[] = { { 1, 0, 4 }, { 0, 0x2000, 4 }, { 0, 2, 4 }, { 0, ~3u, 4 },
			  { 0, 0, 3 }, { 2, 4, 2 },	 { 3, 0, 4 } };

		dev.pci.cfg[cap + 4] = w[bad].bar;
		memcpy(&dev.pci.cfg[cap + 8], &w[bad].off, 4);
		memcpy(&dev.pci.cfg[cap + 12], &w[bad].len, 4);
		po->cfg_written(&dev.pci, cap + 16, 4, ~0u);
		ok(!po->cfg_read(&dev.pci, cap + 16, 4, &val), "a window on nothing (%u)", bad);
	}

	bring_up(OFFERED);
	memset(&dev.pci.cfg[cap + 4], 0, 16);
	dev.pci.cfg[cap + 4] = 2;
	dev.pci.cfg[cap + 12] = 2;
	dev.pci.cfg[cap + 16] = 1;
	po->cfg_written(&dev.pci, cap + 16, 2, 1);
	eq(notifies[1], 2, "the port through the window");
}

static void test_life(void)
{
	fresh();
	virtio_pci__del(&dev);
	ok(watching() == 0 && doorbells == 0, "nothing is left after removal");
	memset(&dev, 0, sizeof(dev));
	dev.ops = &ops;
	fake_pci_error = -ENOSPC;
	eq(virtio_pci__add(&vm, &dev, "virtio-test.0"), -ENOSPC, "the bus is full");
	ok(watching() == 0 && !dev.vq && !dev.transport, "everything is undone");
	fake_pci_error = 0;
}

int main(void)
{
	test_identity();
	test_features();
	test_status();
	test_queues();
	test_doorbells();
	test_interrupts();
	test_sweep();
	test_window();
	test_life();
	return tap_done();
}
