/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_IRQ_H
#define LKVM_IRQ_H

/*
 * Interrupts: a split irqchip.  The local APICs are KVM's; the IOAPIC is ours (x86/ioapic.c), and
 * its pins are GSIs 0..9, each routed as the MSI its redirection entry stands for.
 *
 * Every MSI of a device passes one function, which applies interrupt remapping when an IOMMU has
 * installed it.  A device vector is an irq_route: an eventfd that KVM turns into the (remapped)
 * message without an exit.  While a route is masked its events stay in the eventfd, which is what a
 * pending bit is; unmasking delivers them.  While a route's message cannot be remapped, an event is
 * taken by the loop and given to the IOMMU, which records the fault.
 *
 * Lock held (or set-up) for everything but irq__fire().
 */

#include "lkvm/util.h"

struct irqchip;
struct irq_route;
struct loop;

struct msi_msg {
	u64 addr;
	u32 data;
};

struct irq_remap_ops {
	/*
	 * Turn what the requester @sid wrote into a message KVM takes (compatibility format; bits
	 * 31:8 of an x2APIC destination in addr[63:40]).  Returns 0, or -EFAULT if it is blocked:
	 * recorded as a fault only with @report, for a message really sent (not one being routed).
	 */
	int (*remap)(void *iommu, u16 sid, const struct msi_msg *in, struct msi_msg *out,
		     bool report);
};

struct irqchip *irq__new(int vm_fd, struct loop *loop);
void irq__free(struct irqchip *irq);

/* Once, before devices exist. */
void irq__set_remap(struct irqchip *irq, const struct irq_remap_ops *ops, void *iommu);
/* The remapping of some messages changed: recompute every route that is in use. */
void irq__refresh(struct irqchip *irq);

/* Send one MSI of requester @sid, remapped.  0, or -EFAULT if it was blocked. */
int irq__msi(struct irqchip *irq, u16 sid, const struct msi_msg *msg);
/* Send an MSI that is never remapped: the IOMMU's own event interrupts (VT-d 5.1.6). */
int irq__msi_direct(struct irqchip *irq, const struct msi_msg *msg);

/* A masked route for requester @sid.  NULL with errno on failure. */
struct irq_route *irq__route_new(struct irqchip *irq, u16 sid);
void irq__route_free(struct irq_route *route);
/*
 * Set the message; NULL masks.  Delivers a pending event when unmasking.  A negative errno, told in a
 * line, where the host can neither give the route to KVM nor watch it: silent until it can.
 */
int irq__route_set(struct irq_route *route, const struct msi_msg *msg);
/* The eventfd: whoever writes to it (vhost, VFIO, irq__fire) raises the interrupt. */
int irq__route_fd(const struct irq_route *route);
/* An event waits in the eventfd of a masked route. */
bool irq__route_pending(const struct irq_route *route);
void irq__route_clear(struct irq_route *route);
/* Raise; from any thread. */
void irq__fire(struct irq_route *route);

/* Drive IOAPIC pin @gsi (0..9), active @level. */
void irq__line(struct irqchip *irq, unsigned int gsi, bool level);
/* KVM_EXIT_IOAPIC_EOI. */
void irq__eoi(struct irqchip *irq, u8 vector);
struct bus;
/* Puts the IOAPIC's registers on the bus. */
int irq__ioapic_init(struct irqchip *irq, struct bus *mmio);
void irq__ioapic_reset(struct irqchip *irq);

#endif
