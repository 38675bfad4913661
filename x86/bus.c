/* SPDX-License-Identifier: GPL-2.0-only */

/* Address dispatch: a sorted array of regions and a binary search. */

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "lkvm/bus.h"
#include "lkvm/trace.h"

struct bus {
	int vm_fd;
	bool pio;
	struct bus_region **region; /* ascending, without overlaps */
	unsigned int n, room;
};

struct bus *bus__new(int vm_fd, bool pio)
{
	struct bus *bus = calloc(1, sizeof(*bus));

	if (!bus) {
		pr_err("out of memory for the %s bus", pio ? "port" : "memory");
		return NULL;
	}
	bus->vm_fd = vm_fd;
	bus->pio = pio;
	return bus;
}

void bus__free(struct bus *bus)
{
	if (!bus)
		return;
	free(bus->region);
	free(bus);
}

/* The index of the first region that ends behind @addr. */
static unsigned int bus_search(const struct bus *bus, u64 addr)
{
	unsigned int lo = 0, hi = bus->n;

	while (lo < hi) {
		unsigned int mid = (lo + hi) / 2;
		const struct bus_region *r = bus->region[mid];

		if (r->base + (r->size - 1) < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int bus__add(struct bus *bus, struct bus_region *r)
{
	u64 last = r->base + (r->size - 1);
	unsigned int i;

	if (!r->size || last < r->base)
		return -EINVAL;
	i = bus_search(bus, r->base);
	if (i < bus->n && bus->region[i]->base <= last)
		return -EEXIST;
	if (bus->n == bus->room) {
		unsigned int room = bus->room ? 2 * bus->room : 16;
		void *p = realloc(bus->region, room * sizeof(bus->region[0]));

		if (!p)
			return -ENOMEM;
		bus->region = p;
		bus->room = room;
	}
	memmove(&bus->region[i + 1], &bus->region[i], (bus->n - i) * sizeof(bus->region[0]));
	bus->region[i] = r;
	bus->n++;
	r->bus = bus;
	return 0;
}

void bus__del(struct bus_region *r)
{
	struct bus *bus = r->bus;
	unsigned int i;

	if (!bus)
		return;
	i = bus_search(bus, r->base);
	bus->n--;
	memmove(&bus->region[i], &bus->region[i + 1], (bus->n - i) * sizeof(bus->region[0]));
	r->bus = NULL;
}

void bus__access(struct bus *bus, u64 addr, u8 *data, u32 len, bool write)
{
	unsigned int i = bus_search(bus, addr);
	struct bus_region *r = i < bus->n ? bus->region[i] : NULL;

	if (!write)
		memset(data, 0xff, len);
	if (!r || addr < r->base || addr - r->base > r->size - 1 ||
	    len > r->size - (addr - r->base)) {
		trace(exit, "%s %s of %u bytes at %#llx: nobody there",
		      bus->pio ? "port" : "memory", write ? "write" : "read", len, addr);
		return;
	}
	/* The callback may change the bus (a BAR moves): nothing of it is used afterwards. */
	r->access(r, addr - r->base, data, len, write);
}

static int set_ioeventfd(struct bus *bus, u64 addr, u32 len, const u64 *match, int fd, u32 flags)
{
	struct kvm_ioeventfd e = {
		.datamatch = match ? *match : 0,
		.addr = addr,
		.len = len,
		.fd = fd,
		.flags = flags | (match ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0) |
			 (bus->pio ? KVM_IOEVENTFD_FLAG_PIO : 0),
	};

	if (bus->vm_fd < 0)
		return -EOPNOTSUPP;
	return ioctl(bus->vm_fd, KVM_IOEVENTFD, &e) < 0 ? -errno : 0;
}

int bus__ioeventfd(struct bus *bus, u64 addr, u32 len, const u64 *match, int fd)
{
	return set_ioeventfd(bus, addr, len, match, fd, 0);
}

int bus__ioeventfd_del(struct bus *bus, u64 addr, u32 len, const u64 *match, int fd)
{
	return set_ioeventfd(bus, addr, len, match, fd, KVM_IOEVENTFD_FLAG_DEASSIGN);
}
