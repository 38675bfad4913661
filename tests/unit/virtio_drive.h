/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_DRIVE_H
#define VIRTIO_DRIVE_H

/* A driver for any device, through the whole transport; its rings are those of virtio_fake.h. */

#include "virtio/chain.c"
#include "virtio/iov.c"
#include "virtio/pci.c"
#include "virtio/pci_caps.c"
#include "virtio/pci_common.c"
#include "virtio/queue.c"

#define FAKE_TRANSPORT
#include "tests/unit/virtio_fake.h"

static struct module *registered;
static struct virtio_dev *driven;
static unsigned int driven_queue;

void module__register(struct module *m)
{
	registered = m;
}

static inline void put(u32 off, u32 len, u64 val)
{
	driven->pci.ops->bar_access(&driven->pci, 0, off, (u8 *)&val, len, true);
}

static inline u64 get(u32 off, u32 len)
{
	u64 val = 0;

	driven->pci.ops->bar_access(&driven->pci, 0, off, (u8 *)&val, len, false);
	return val;
}

static inline void drv_queue(unsigned int q)
{
	put(22, 2, q);
	put(24, 2, drv_size);
	put(26, 2, q + 1); /* its vector; 0 is the configuration's */
	put(32, 8, DRV_DESC);
	put(40, 8, DRV_AVAIL);
	put(48, 8, DRV_USED);
	put(28, 2, 1);
}

static inline void drv_reset(u64 features)
{
	memset(ram + DRV_DESC, 0, DRV_DATA - DRV_DESC);
	memset(fired, 0, sizeof(fired));
	iova_identity();
	messages = 0;
	drv_size = 64;
	features |= BIT(VIRTIO_F_VERSION_1);
	if (fake_behind_iommu)
		features |= BIT(VIRTIO_F_ACCESS_PLATFORM);
	put(20, 1, 0);
	put(20, 1, 3);
	put(8, 4, 0);
	put(12, 4, (u32)features);
	put(8, 4, 1);
	put(12, 4, features >> 32);
	put(20, 1, 11);
	put(16, 2, 0);
}

/* From nothing to DRIVER_OK with queue @q. */
static inline void drive(struct virtio_dev *dev, unsigned int q, u64 features)
{
	driven = dev;
	driven_queue = q;
	drv_reset(features);
	drv_queue(q);
	put(20, 1, 15);
}

static inline void ring(void)
{
	put(VIRTIO_BAR_NOTIFY + 4 * driven_queue, 2, driven_queue);
}

static inline bool broken_dev(void)
{
	return get(20, 1) & 0x40;
}

/* What the device left for later; false if that did not end. */
static inline bool settle(void)
{
	for (int i = 0; i < 1000; i++) {
		if (!loop_turn(0))
			return true;
	}
	return false;
}

#endif
