/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_PCI_H
#define VIRTIO_PCI_H

/*
 * The modern PCI transport (virtio 4.1), in a 64-bit BAR:
 *
 *	page 0	common configuration, ISR, device configuration
 *	page 1	notifications: queue q at 4 * q
 *	page 2	MSI-X table
 *	page 3	MSI-X pending bits
 *
 * Pages of their own for the last three let whoever assigns the function to a guest of his map
 * the notification page alone.
 *
 * A second BAR is a port for notifications of all queues; the value says which.  It is the one that
 * drivers are to prefer: on AMD's processors KVM must decode the instruction that writes to memory, and of an OUT
 * the exit says everything.
 */

#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>

#include "lkvm/virtio.h"

#define VIRTIO_BAR	   0
#define VIRTIO_BAR_PORT	   2 /* BAR 1 is the upper half of BAR 0 */
#define VIRTIO_BAR_SIZE	   0x4000
#define VIRTIO_BAR_ISR	   0x100
#define VIRTIO_BAR_DEVICE  0x200
#define VIRTIO_BAR_NOTIFY  0x1000
#define VIRTIO_BAR_TABLE   0x2000
#define VIRTIO_BAR_PBA	   0x3000
#define VIRTIO_COMMON_SIZE 0x38 /* up to and including queue_used */
#define VIRTIO_NOTIFY_STEP 4
#define VIRTIO_PORT_SIZE   4

/* virtio 4.1.4.5 */
#define VIRTIO_ISR_QUEUE  1
#define VIRTIO_ISR_CONFIG 2

struct loop_fd;

/* The doorbell of one queue. */
struct virtio_kick {
	struct virtio_dev *dev;
	unsigned int q;
	int fd;	  /* eventfd; -1: none */
	u8 armed; /* bits of the BARs for whose writes KVM signals it */
	struct loop_fd *lfd;
};

struct virtio_pci {
	struct vm *vm;
	u64 features; /* offered */
	u64 wanted;   /* as the driver writes them; dev->driver_features once accepted */
	u32 dfselect, gfselect;
	u16 msix_config;
	u16 queue_select;
	u8 isr;
	u8 generation; /* of the device's configuration (virtio 2.5.1) */
	u32 window;    /* offset of the PCI configuration access capability */
	u64 gpa, port; /* of the BARs, or PCI_BAR_UNMAPPED */
	bool master;   /* pci__bus_master() as last seen */
	struct virtio_kick kick[VIRTIO_QUEUES];
};

/* The common configuration structure (virtio/pci_common.c): as bus_region.access. */
void virtio_common__access(struct virtio_dev *dev, u32 off, u8 *data, u32 len, bool write);

/* Everything in the BARs but the MSI-X pages; any @off and @len inside @bar. */
void virtio_pci__access(struct virtio_dev *dev, int bar, u64 off, u8 *data, u32 len, bool write);
void virtio_pci__reset(struct virtio_dev *dev);
/* The driver wants queue @q looked at; harmless at any time. */
void virtio_pci__notify(struct virtio_dev *dev, unsigned int q);

/*
 * Doorbells for vhost: the eventfd of queue @q, and that the loop does not watch it any more.
 * ops->notify then comes only for doorbells that KVM did not take.
 */
int virtio_pci__kick_fd(struct virtio_dev *dev, unsigned int q);
void virtio_pci__give_kick(struct virtio_dev *dev, unsigned int q);

/* The capabilities (virtio/pci_caps.c), and the window on the BAR in configuration space. */
int virtio_caps__add(struct virtio_dev *dev);
bool virtio_caps__cfg_read(struct pci_func *f, u32 off, u32 len, u32 *val);
void virtio_caps__cfg_written(struct pci_func *f, u32 off, u32 len, u32 val);

#endif
