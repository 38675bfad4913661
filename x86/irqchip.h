/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef X86_IRQCHIP_H
#define X86_IRQCHIP_H

/*
 * Between the three files of the interrupt machinery: irq.c (routes and remapping), ioapic.c (pins and
 * redirection entries) and irq_kvm.c (the ioctls, replaced by fakes in unit tests).
 */

#include "lkvm/bus.h"
#include "lkvm/irq.h"
#include "lkvm/layout.h"

/* KVM_MAX_IRQ_ROUTES; 0..IOAPIC_PINS-1 are the IOAPIC's. */
#define IRQ_GSIS 4096

struct ioapic {
	u8 index; /* IOREGSEL */
	u32 id;	  /* bits 27:24 of the ID register */
	u64 rte[IOAPIC_PINS];
	bool line[IOAPIC_PINS]; /* asserted */
	struct bus_region region;
};

/* What a GSI stands for in KVM's routing table. */
struct irq_gsi {
	bool used;
	struct msi_msg msg; /* remapped */
};

struct irqchip {
	int vm_fd;
	struct loop *loop;
	const struct irq_remap_ops *remap; /* NULL: none */
	void *iommu;
	struct irq_gsi gsi[IRQ_GSIS];
	bool dirty; /* gsi[] differs from what KVM has */
	struct irq_route *route[IRQ_GSIS];
	struct ioapic ioapic;
};

/*
 * ioapic.c: the message pin @pin stands for, before remapping.  False if KVM need not know it: only of
 * level-triggered pins it must tell the EOIs.
 */
bool ioapic__pin_msg(const struct ioapic *ioapic, unsigned int pin, struct msi_msg *msg);
/* irq.c: the redirection entry of @pin changed. */
void irq__pin_changed(struct irqchip *irq, unsigned int pin);

/* irq_kvm.c; 0 or a negative errno. */
int irq_kvm__set_routes(int vm_fd, const struct irq_gsi *gsi, unsigned int n);
int irq_kvm__irqfd(int vm_fd, int fd, u32 gsi, bool assign);
int irq_kvm__signal(int vm_fd, const struct msi_msg *msg);

#endif
