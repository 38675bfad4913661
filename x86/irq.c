/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * MSI routes.  A route is in one of three states, by who reads its eventfd:
 *
 *   masked   nobody: events wait in it (this is the pending bit)
 *   armed    KVM, as an irqfd: it injects gsi[]'s message, and looks for waiting events when armed
 *   watched  the loop: the message cannot be remapped now; sending it records the fault
 *
 * The order of changes is table, then irqfd: KVM must never see an event whose message is stale.
 */

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lkvm/loop.h"
#include "x86/irqchip.h"

enum route_state { ROUTE_MASKED, ROUTE_ARMED, ROUTE_WATCHED };

struct irq_route {
	struct irqchip *irq;
	enum route_state state;
	u32 gsi;
	u16 sid;
	int fd;
	struct msi_msg msg; /* as the device was told; valid unless masked */
	bool routable;	    /* in irq__refresh() */
	struct loop_fd *lfd;
};

struct irqchip *irq__new(int vm_fd, struct loop *loop)
{
	struct irqchip *irq = calloc(1, sizeof(*irq));

	if (!irq) {
		pr_err("out of memory for interrupt routes");
		return NULL;
	}
	irq->vm_fd = vm_fd;
	irq->loop = loop;
	return irq;
}

void irq__free(struct irqchip *irq)
{
	if (!irq)
		return;
	bus__del(&irq->ioapic.region);
	free(irq);
}

void irq__set_remap(struct irqchip *irq, const struct irq_remap_ops *ops, void *iommu)
{
	irq->remap = ops;
	irq->iommu = iommu;
}

/*
 * What KVM is to inject for @in.  A write that is not to FEEx_xxxx is no interrupt, and KVM refuses
 * tables with anything in the reserved byte of the upper half.
 */
static int irq_remap(struct irqchip *irq, u16 sid, const struct msi_msg *in, struct msi_msg *out,
		     bool report)
{
	*out = *in;
	if (irq->remap && irq->remap->remap(irq->iommu, sid, in, out, report) < 0)
		return -EFAULT;
	return FIELD(out->addr, 31, 20) == 0xfee && !FIELD(out->addr, 39, 32) ? 0 : -EFAULT;
}

static void irq_table_set(struct irqchip *irq, u32 gsi, const struct msi_msg *msg)
{
	struct irq_gsi *g = &irq->gsi[gsi];

	if (g->used && g->msg.addr == msg->addr && g->msg.data == msg->data)
		return;
	g->used = true;
	g->msg = *msg;
	irq->dirty = true;
}

static void irq_table_clear(struct irqchip *irq, u32 gsi)
{
	if (irq->gsi[gsi].used)
		irq->dirty = true;
	irq->gsi[gsi].used = false;
}

static int irq_table_commit(struct irqchip *irq)
{
	int ret;

	if (!irq->dirty)
		return 0;
	ret = irq_kvm__set_routes(irq->vm_fd, irq->gsi, IRQ_GSIS);
	if (ret == 0)
		irq->dirty = false;
	return ret;
}

static void pin_update(struct irqchip *irq, unsigned int pin)
{
	struct msi_msg msg, out;

	if (ioapic__pin_msg(&irq->ioapic, pin, &msg) &&
	    irq_remap(irq, SID_IOAPIC, &msg, &out, false) == 0)
		irq_table_set(irq, pin, &out);
	else
		irq_table_clear(irq, pin);
}

void irq__pin_changed(struct irqchip *irq, unsigned int pin)
{
	static struct ratelimit rl;
	int ret;

	pin_update(irq, pin);
	ret = irq_table_commit(irq);
	if (ret < 0)
		pr_guest(&rl, "KVM refuses the route of IOAPIC pin %u: %s", pin, strerror(-ret));
}

/* Nobody reads the eventfd any more. */
static void route_mask(struct irq_route *route)
{
	if (route->state == ROUTE_ARMED)
		irq_kvm__irqfd(route->irq->vm_fd, route->fd, route->gsi, false);
	loop__del(route->lfd);
	route->lfd = NULL;
	route->state = ROUTE_MASKED;
}

static void route_event(void *arg, u32 events)
{
	struct irq_route *route = arg;

	irq__route_clear(route);
	irq__msi(route->irq, route->sid, &route->msg);
}

/* Where the host cannot watch one more descriptor, unmasking and irq__refresh() try again. */
static int route_watch(struct irq_route *route)
{
	static struct ratelimit rl;
	int err;

	if (route->state == ROUTE_WATCHED && route->lfd)
		return 0;
	route_mask(route);
	route->state = ROUTE_WATCHED;
	route->lfd = loop__add(route->irq->loop, route->fd, EPOLLIN, route_event, route);
	if (route->lfd)
		return 0;
	err = -errno;
	pr_guest(&rl, "%02x:%02x.%x: no room to watch an interrupt vector, it is silent: %s",
		 route->sid >> 8, route->sid >> 3 & 0x1f, route->sid & 7, strerror(-err));
	return err;
}

/* The table holds the route's message.  Without an irqfd the loop can still do KVM's part. */
static int route_arm(struct irq_route *route)
{
	if (route->state == ROUTE_ARMED)
		return 0;
	route_mask(route);
	if (irq_kvm__irqfd(route->irq->vm_fd, route->fd, route->gsi, true) < 0)
		return route_watch(route);
	route->state = ROUTE_ARMED;
	return 0;
}

int irq__route_set(struct irq_route *route, const struct msi_msg *msg)
{
	struct irqchip *irq = route->irq;
	struct msi_msg out;

	if (!msg) {
		route_mask(route);
		return 0;
	}
	route->msg = *msg;
	if (irq_remap(irq, route->sid, msg, &out, false) < 0)
		return route_watch(route);
	irq_table_set(irq, route->gsi, &out);
	if (irq_table_commit(irq) < 0)
		return route_watch(route);
	return route_arm(route);
}

void irq__refresh(struct irqchip *irq)
{
	static struct ratelimit rl;
	int ret;

	for (unsigned int pin = 0; pin < IOAPIC_PINS; pin++)
		pin_update(irq, pin);
	for (u32 gsi = IOAPIC_PINS; gsi < IRQ_GSIS; gsi++) {
		struct irq_route *route = irq->route[gsi];
		struct msi_msg out;

		if (!route || route->state == ROUTE_MASKED)
			continue;
		route->routable = irq_remap(irq, route->sid, &route->msg, &out, false) == 0;
		if (route->routable)
			irq_table_set(irq, gsi, &out);
		else
			route_watch(route);
	}
	ret = irq_table_commit(irq);
	if (ret < 0)
		pr_guest(&rl, "KVM refuses the interrupt routes: %s", strerror(-ret));
	for (u32 gsi = IOAPIC_PINS; gsi < IRQ_GSIS; gsi++) {
		struct irq_route *route = irq->route[gsi];

		if (!route || route->state == ROUTE_MASKED || !route->routable)
			continue;
		if (ret < 0)
			route_watch(route);
		else
			route_arm(route);
	}
}

int irq__msi(struct irqchip *irq, u16 sid, const struct msi_msg *msg)
{
	struct msi_msg out;

	if (irq_remap(irq, sid, msg, &out, true) < 0)
		return -EFAULT;
	return irq_kvm__signal(irq->vm_fd, &out);
}

int irq__msi_direct(struct irqchip *irq, const struct msi_msg *msg)
{
	return irq_kvm__signal(irq->vm_fd, msg);
}

struct irq_route *irq__route_new(struct irqchip *irq, u16 sid)
{
	struct irq_route *route;
	u32 gsi = IOAPIC_PINS;

	while (gsi < IRQ_GSIS && irq->route[gsi])
		gsi++;
	if (gsi == IRQ_GSIS) {
		errno = ENOSPC;
		return NULL;
	}
	route = calloc(1, sizeof(*route));
	if (!route)
		return NULL;
	route->irq = irq;
	route->gsi = gsi;
	route->sid = sid;
	route->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (route->fd < 0) {
		int err = errno;

		free(route);
		errno = err;
		return NULL;
	}
	irq->route[gsi] = route;
	return route;
}

void irq__route_free(struct irq_route *route)
{
	if (!route)
		return;
	route_mask(route);
	irq_table_clear(route->irq, route->gsi); /* goes with the next commit */
	route->irq->route[route->gsi] = NULL;
	close(route->fd);
	free(route);
}

int irq__route_fd(const struct irq_route *route)
{
	return route->fd;
}

bool irq__route_pending(const struct irq_route *route)
{
	struct pollfd p = { .fd = route->fd, .events = POLLIN };

	return route->state == ROUTE_MASKED && poll(&p, 1, 0) == 1 && (p.revents & POLLIN);
}

void irq__route_clear(struct irq_route *route)
{
	u64 count;

	/* EAGAIN: there was nothing. */
	if (read(route->fd, &count, sizeof(count)) < 0)
		return;
}

void irq__fire(struct irq_route *route)
{
	u64 one = 1;

	/* It fails only when the counter is full, so that the event is there already. */
	if (write(route->fd, &one, sizeof(one)) < 0)
		return;
}
