/* SPDX-License-Identifier: GPL-2.0-only */

/* The IOAPIC and the routes, above a KVM that only writes down what it is told. */

#include <string.h>

#include "tests/unit/tap.h"
#include "x86/bus.c"
#include "x86/ioapic.c"
#include "x86/irq.c"
#include "x86/loop.c"
#include "x86/util.c"

bool trace_on[TRACE_MAX];

void trace__emit(const char *event, const char *fmt, ...)
{
}

/* --- KVM --- */

static struct {
	unsigned int sent, commits, armed;
	struct msi_msg msg;
	struct irq_gsi gsi[IRQ_GSIS];
	bool irqfd[IRQ_GSIS];
	int fail_routes, fail_irqfd;
} kvm;

int irq_kvm__set_routes(int vm_fd, const struct irq_gsi *gsi, unsigned int n)
{
	if (kvm.fail_routes)
		return kvm.fail_routes;
	kvm.commits++;
	memcpy(kvm.gsi, gsi, n * sizeof(*gsi));
	return 0;
}

int irq_kvm__irqfd(int vm_fd, int fd, u32 gsi, bool assign)
{
	if (assign && kvm.fail_irqfd)
		return kvm.fail_irqfd;
	if (kvm.irqfd[gsi] == assign)
		return -EBUSY;
	kvm.irqfd[gsi] = assign;
	kvm.armed += assign ? 1 : -1;
	return 0;
}

int irq_kvm__signal(int vm_fd, const struct msi_msg *msg)
{
	kvm.sent++;
	kvm.msg = *msg;
	return 0;
}

/* --- an IOMMU: a constant is added to the data, or all is blocked --- */

static struct {
	bool blocked;
	u32 add;
	unsigned int reports;
	u16 sid;
	struct msi_msg in;
} iommu;

static int remap(void *arg, u16 sid, const struct msi_msg *in, struct msi_msg *out, bool report)
{
	iommu.sid = sid;
	iommu.in = *in;
	if (iommu.blocked) {
		iommu.reports += report;
		return -EFAULT;
	}
	out->addr = 0xfee00000;
	out->data = in->data + iommu.add;
	return 0;
}

static const struct irq_remap_ops remap_ops = { .remap = remap };

static struct irqchip *irq;
static struct bus *bus;
static struct loop *loop;

static void wr(u64 off, u32 v)
{
	bus__access(bus, IOAPIC_BASE + off, (u8 *)&v, 4, true);
}

static u32 rd(u64 off)
{
	u32 v;

	bus__access(bus, IOAPIC_BASE + off, (u8 *)&v, 4, false);
	return v;
}

static void reg_set(u8 reg, u32 v)
{
	wr(IOREGSEL, reg);
	wr(IOWIN, v);
}

static u32 reg_get(u8 reg)
{
	wr(IOREGSEL, reg);
	return rd(IOWIN);
}

static void rte_set(unsigned int pin, u64 rte)
{
	reg_set(REG_RTE + 2 * pin + 1, (u32)(rte >> 32));
	reg_set(REG_RTE + 2 * pin, (u32)rte);
}

static u64 rte_get(unsigned int pin)
{
	return reg_get(REG_RTE + 2 * pin) | (u64)reg_get(REG_RTE + 2 * pin + 1) << 32;
}

static void test_registers(void)
{
	u64 wide = 0;
	u8 byte;

	eq(reg_get(REG_VER), 0x00090020, "version 20h, 10 pins");
	reg_set(REG_ID, 0xffffffff);
	eq(reg_get(REG_ID), 0x0f000000, "the id has four bits");
	eq(reg_get(REG_ARB), 0x0f000000, "and is the arbitration id");
	reg_set(REG_VER, 0);
	eq(reg_get(REG_VER), 0x00090020, "the version is read-only");
	eq(rte_get(0), RTE_MASKED, "pins start masked");
	rte_set(5, 0xff00000000000000 | RTE_MASKED | RTE_READ_ONLY | 0x31);
	eq(rte_get(5), 0xff00000000000000 | RTE_MASKED | 0x31, "read-only bits stay clear");
	eq(reg_get(0x40), 0, "beyond the last pin there is nothing");
	reg_set(0xff, 0x12345678);
	eq(reg_get(0xff), 0, "at the last index neither");

	/* Odd accesses: no effect but on the register whose first byte they hit. */
	wr(IOREGSEL, REG_VER);
	for (u32 len = 1; len <= 8; len++)
		for (u32 off = 0; off < 0x60; off++)
			bus__access(bus, IOAPIC_BASE + off, (u8 *)&wide, len, false);
	bus__access(bus, IOAPIC_BASE + IOWIN + 2, &byte, 1, false);
	eq(byte, 0x09, "a byte of a register can be read");
	bus__access(bus, IOAPIC_BASE + IOWIN, (u8 *)&wide, 8, false);
	eq(wide, 0x00090020, "a quadword read is zero-extended");
	byte = 0;
	bus__access(bus, IOAPIC_BASE + IOREGSEL + 1, &byte, 1, true);
	eq(rd(IOREGSEL), REG_VER, "a write behind the first byte is dropped");
	eq(rd(0x20), 0, "other offsets read 0");
	rte_set(5, RTE_MASKED);
}

static void test_edge(void)
{
	kvm.sent = 0;
	irq__line(irq, 4, true);
	irq__line(irq, 4, false);
	eq(kvm.sent, 0, "an edge on a masked pin is lost");
	rte_set(4, 0x0300000000000000 | 0x41);
	irq__line(irq, 4, true);
	ok(kvm.sent == 1 && kvm.msg.addr == 0xfee03000 && kvm.msg.data == 0x41,
	   "an edge is sent as the entry says");
	irq__line(irq, 4, true);
	eq(kvm.sent, 1, "only the edge");
	irq__line(irq, 4, false);
	irq__line(irq, 4, true);
	eq(kvm.sent, 2, "and the next edge");
	irq__line(irq, 4, false);
	rte_set(4, 0x0300000000000000 | RTE_LOGICAL | 1 << 8 | 0x41);
	irq__line(irq, 4, true);
	ok(kvm.msg.addr == 0xfee03004 && kvm.msg.data == 0x141, "logical, lowest priority");
	irq__line(irq, 4, false);
	rte_set(4, RTE_MASKED);
	irq__line(irq, 99, true);
	eq(kvm.sent, 3, "a pin that does not exist is ignored");
}

static void test_level(void)
{
	u64 rte = 0x0200000000000000 | RTE_LEVEL | 0x52;

	kvm.sent = 0;
	rte_set(9, rte | RTE_MASKED);
	irq__line(irq, 9, true);
	eq(kvm.sent, 0, "a masked level waits");
	ok(kvm.gsi[9].used && kvm.gsi[9].msg.data == 0xc052 && kvm.gsi[9].msg.addr == 0xfee02000,
	   "KVM knows of a level-triggered pin, also masked, so that it tells EOIs");
	rte_set(9, rte);
	ok(kvm.sent == 1 && kvm.msg.data == 0xc052, "unmasking sends it");
	eq(rte_get(9), rte | RTE_REMOTE_IRR, "and sets remote IRR");
	irq__line(irq, 9, false);
	irq__line(irq, 9, true);
	eq(kvm.sent, 1, "nothing more until the EOI");
	irq__eoi(irq, 0x51);
	eq(kvm.sent, 1, "an EOI of another vector is not its");
	irq__eoi(irq, 0x52);
	eq(kvm.sent, 2, "still asserted at the EOI: sent again");
	irq__line(irq, 9, false);
	wr(IOEOI, 0x52);
	ok(kvm.sent == 2 && rte_get(9) == rte, "the EOI register works, and the line is off");
	irq__line(irq, 9, true);
	rte_set(9, rte & ~RTE_LEVEL);
	eq(rte_get(9), rte & ~RTE_LEVEL, "switching to edge clears remote IRR");
	ok(!kvm.gsi[9].used, "KVM need not know of an edge-triggered pin");
	rte_set(9, rte);
	eq(kvm.sent, 4, "and back to level sends it again");
	irq__line(irq, 9, false);
	rte_set(9, RTE_MASKED);
}

static void test_remapped_pin(void)
{
	unsigned int commits;
	/* Index 0x8123: bits 14:0 in 63:49, bit 15 in bit 11. */
	u64 rte = 0x0123ULL << 49 | RTE_REMAP | BIT(11) | RTE_LEVEL | 0x60;

	irq__set_remap(irq, &remap_ops, NULL);
	iommu.add = 1;
	kvm.sent = 0;
	rte_set(8, rte);
	irq__line(irq, 8, true);
	ok(iommu.sid == SID_IOAPIC, "the requester is the IOAPIC");
	eq(iommu.in.addr, 0xfee00000 | 0x0123 << 5 | 1 << 4 | 1 << 2,
	   "the handle is in the address");
	eq(iommu.in.data, 0xc060, "the vector is in the data");
	ok(kvm.sent == 1 && kvm.msg.data == 0xc061, "what is sent is remapped");
	ok(kvm.gsi[8].used && kvm.gsi[8].msg.data == 0xc061, "so is what KVM knows");
	commits = kvm.commits;
	irq__refresh(irq);
	eq(kvm.commits, commits, "a refresh that changes nothing tells KVM nothing");
	iommu.add = 2;
	irq__refresh(irq);
	ok(kvm.commits == commits + 1 && kvm.gsi[8].msg.data == 0xc062, "one that does, once");
	iommu.blocked = true;
	irq__refresh(irq);
	ok(!kvm.gsi[8].used && !iommu.reports, "a blocked pin has no route, and no fault yet");
	irq__eoi(irq, 0x60);
	ok(iommu.reports == 1 && kvm.sent == 1, "sending it is a fault");
	irq__line(irq, 8, false);
	rte_set(8, RTE_MASKED);
	iommu.blocked = false;
	irq__set_remap(irq, NULL, NULL);
}

static const struct msi_msg msi = { .addr = 0xfee01000, .data = 0x33 };

static void end(void *arg, u32 events)
{
	loop__stop(arg, 0);
}

/* Let the loop look at the route's eventfd, if it watches it. */
static void run_loop(void)
{
	int fd = eventfd(1, EFD_CLOEXEC);
	struct loop_fd *lfd;

	loop->status = -1;
	lfd = loop__add(loop, fd, EPOLLIN, end, loop);
	loop__run(loop);
	loop->status = -1;
	loop__run(loop); /* the one that ended it may have come first */
	loop__del(lfd);
	close(fd);
}

static void test_routes(void)
{
	struct irq_route *r = irq__route_new(irq, 0x18), *other = irq__route_new(irq, 0x20);
	struct msi_msg changed = { .addr = 0xfee01000, .data = 0x34 };
	struct msi_msg ram = { .addr = 0x1000, .data = 0x34 };
	u32 gsi = r->gsi;
	unsigned int commits;
	int epfd;

	ok(gsi >= IOAPIC_PINS && other->gsi != gsi, "a route has a GSI of its own, not a pin's");
	irq__fire(r);
	ok(irq__route_pending(r), "an event of a masked route pends");
	irq__route_clear(r);
	ok(!irq__route_pending(r), "and can be cleared");
	irq__fire(r);
	eq(irq__route_set(r, &msi), 0, "a message is set");
	ok(kvm.irqfd[gsi] && kvm.gsi[gsi].used && kvm.gsi[gsi].msg.data == 0x33, "KVM has it");
	ok(!irq__route_pending(r), "what waits is KVM's to deliver, and pends no more");
	commits = kvm.commits;
	irq__route_set(r, NULL);
	ok(!kvm.irqfd[gsi], "masking takes the irqfd away");
	ok(irq__route_pending(r), "the event is still there");
	irq__route_clear(r);
	irq__route_set(r, &msi);
	ok(kvm.irqfd[gsi] && kvm.commits == commits, "unmasking the same tells KVM no routes");
	irq__route_set(r, &changed);
	ok(kvm.irqfd[gsi] && kvm.gsi[gsi].msg.data == 0x34, "a changed message replaces it");

	irq__route_set(r, &ram);
	ok(!kvm.irqfd[gsi], "an address that is no interrupt is not routed");
	irq__route_set(r, &changed);
	changed.addr |= 0x100000000ULL;
	eq(irq__msi(irq, 0x18, &changed), (u64)-EFAULT, "bits KVM refuses are refused before");

	iommu.blocked = true;
	iommu.reports = 0;
	irq__set_remap(irq, &remap_ops, NULL);
	irq__refresh(irq);
	ok(!kvm.irqfd[gsi] && !iommu.reports, "a blocked route has no irqfd, and is no fault yet");
	irq__fire(r);
	kvm.sent = 0;
	run_loop();
	ok(iommu.reports == 1 && iommu.sid == 0x18 && !kvm.sent, "its event is a fault");
	irq__fire(r);
	irq__route_set(r, NULL);
	run_loop();
	ok(iommu.reports == 1 && irq__route_pending(r), "masked, it pends instead");
	irq__route_set(r, &msi);
	iommu.blocked = false;
	irq__refresh(irq);
	ok(kvm.irqfd[gsi] && kvm.gsi[gsi].msg.data == 0x33 + iommu.add, "unblocked, it is KVM's");
	irq__set_remap(irq, NULL, NULL);
	irq__refresh(irq);

	irq__route_clear(r);
	irq__route_set(r, NULL);
	kvm.fail_irqfd = -ENOSPC;
	eq(irq__route_set(r, &msi), 0, "without an irqfd");
	irq__fire(r);
	kvm.sent = 0;
	run_loop();
	ok(kvm.sent == 1 && kvm.msg.data == 0x33, "the loop delivers");

	irq__route_set(r, NULL);
	epfd = loop->epfd;
	loop->epfd = -1;
	eq(irq__route_set(r, &msi), (u64)-EBADF,
	   "where the loop cannot watch it either that is an error");
	irq__refresh(irq);
	loop->epfd = epfd;
	irq__fire(r);
	irq__refresh(irq);
	kvm.sent = 0;
	run_loop();
	ok(kvm.sent == 1, "until it can, when a change of the routes brings it back");
	kvm.fail_irqfd = 0;

	irq__route_free(r);
	ok(!kvm.irqfd[gsi] && !irq->route[gsi], "a freed route is gone");
	irq__route_free(other);
	irq__route_free(NULL);
	eq(kvm.armed, 0, "no irqfd is left");
}

int main(void)
{
	loop = loop__new();
	bus = bus__new(-1, false);
	irq = irq__new(-1, loop);
	eq(irq__ioapic_init(irq, bus), 0, "the IOAPIC is on the bus");
	test_registers();
	test_edge();
	test_level();
	test_remapped_pin();
	test_routes();
	irq__free(irq);
	bus__free(bus);
	loop__free(loop);
	return tap_done();
}
