/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_BUS_H
#define LKVM_BUS_H

/*
 * Dispatch of memory-mapped and port accesses to the device that claims the address.
 *
 * Two buses exist, vm->mmio and vm->pio.  Reads of unclaimed addresses give all ones, writes to them
 * are dropped, and so is every access that crosses the end of a region (its in-region part too).
 * Any length from 1 to 8 and any alignment can arrive: a callback must cope with all of them.
 */

#include "lkvm/util.h"

struct bus;

struct bus_region {
	u64 base, size; /* owned by the bus while registered; size > 0 */
	/*
	 * @off is from base, @off + @len <= size, @data is @len bytes, little endian; a read fills
	 * all of them (preset to 0xff).  Loop lock held.
	 */
	void (*access)(struct bus_region *r, u64 off, u8 *data, u32 len, bool write);
	const char *name;
	struct bus *bus; /* NULL while not registered */
};

/* @vm_fd for ioeventfds (-1: none, for tests); @pio: ports rather than memory. */
struct bus *bus__new(int vm_fd, bool pio);
void bus__free(struct bus *bus);

/* -EEXIST on overlap with a registered region, -EINVAL on wrap.  Lock held or before running. */
int bus__add(struct bus *bus, struct bus_region *r);
/* Nothing happens if @r is not registered. */
void bus__del(struct bus_region *r);

/* Lock held. */
void bus__access(struct bus *bus, u64 addr, u8 *data, u32 len, bool write);

/*
 * Let KVM signal @fd, without an exit, on a write of @len bytes (0: any) to @addr; with @match, only
 * if the value written is *@match.  Negative errno on failure: the write then still arrives as an
 * access.  Undone with the same arguments.
 */
int bus__ioeventfd(struct bus *bus, u64 addr, u32 len, const u64 *match, int fd);
int bus__ioeventfd_del(struct bus *bus, u64 addr, u32 len, const u64 *match, int fd);

#endif
