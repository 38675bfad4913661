/* SPDX-License-Identifier: GPL-2.0-only */

/* KVM's side of interrupts: the GSI routing table, irqfds, and single messages. */

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "x86/irqchip.h"

int irq_kvm__set_routes(int vm_fd, const struct irq_gsi *gsi, unsigned int n)
{
	struct kvm_irq_routing *table;
	int ret;

	table = calloc(1, sizeof(*table) + n * sizeof(table->entries[0]));
	if (!table)
		return -ENOMEM;
	for (unsigned int i = 0; i < n; i++) {
		if (!gsi[i].used)
			continue;
		table->entries[table->nr++] = (struct kvm_irq_routing_entry){
			.gsi = i,
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi = {
				.address_lo = (u32)gsi[i].msg.addr,
				.address_hi = (u32)(gsi[i].msg.addr >> 32),
				.data = gsi[i].msg.data,
			},
		};
	}
	ret = ioctl(vm_fd, KVM_SET_GSI_ROUTING, table) < 0 ? -errno : 0;
	free(table);
	return ret;
}

int irq_kvm__irqfd(int vm_fd, int fd, u32 gsi, bool assign)
{
	struct kvm_irqfd irqfd = {
		.fd = (u32)fd,
		.gsi = gsi,
		.flags = assign ? 0 : KVM_IRQFD_FLAG_DEASSIGN,
	};

	return ioctl(vm_fd, KVM_IRQFD, &irqfd) < 0 ? -errno : 0;
}

int irq_kvm__signal(int vm_fd, const struct msi_msg *msg)
{
	struct kvm_msi msi = {
		.address_lo = (u32)msg->addr,
		.address_hi = (u32)(msg->addr >> 32),
		.data = msg->data,
	};

	/* 0: the destination did not take it, which is the guest's business. */
	return ioctl(vm_fd, KVM_SIGNAL_MSI, &msi) < 0 ? -errno : 0;
}
