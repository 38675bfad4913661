/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * DMA that is refused is in the kernel's log with reason, source and address (VT-d 7.1.3).  That log
 * is rate-limited, so each DMA is repeated until it is there.
 */

#include "nested.h"

#define IOVA  0x2345678a000ull
#define TRIES 20

enum direction { READS, WRITES };

static bool logged(struct host *h, enum direction dir, u64 addr, u32 tag, unsigned int reason)
{
	char kind[40], source[40], where[40], why[40];

	if (tag)
		snprintf(kind, sizeof(kind), "[DMA %s PASID 0x%x]", dir == READS ? "Read" : "Write",
			 (u32)(tag & ~TAG_PASID));
	else
		snprintf(kind, sizeof(kind), "[DMA %s NO_PASID]", dir == READS ? "Read" : "Write");
	snprintf(source, sizeof(source), "[%s]", h->addr);
	snprintf(where, sizeof(where), "addr 0x%llx ", addr);
	snprintf(why, sizeof(why), "[fault reason 0x%02x]", reason);

	klog__mark();
	for (int i = 0; i < TRIES; i++) {
		u32 got = dir == READS ? host__dma_read(h, addr, 64, tag)
				       : host__dma_write(h, addr, 64, 1, tag);

		if (got != DMA_REFUSED) {
			printf("# the device's result is %u\n", got);
			return false;
		}
		if (klog__has(kind, source, where, why, NULL))
			return true;
	}
	return false;
}

void test_faults(struct host *h)
{
	u64 root = ram__page(), page = ram__page();
	int ioas = iommufd__ioas(), parent, hwpt;

	iommufd__map((u32)ioas, ram__base(), RAM_SIZE, RAM_BASE);
	ok(logged(h, WRITES, RAM_BASE, 0, 0x59), "a device that is not attached: no PASID entry");
	parent = hwpt__paging(h->dev, (u32)ioas, IOMMUFD_HWPT_NEST_PARENT);
	host__attach(h, (u32)parent, NO_PASID);
	ok(logged(h, READS, RAM_BASE + RAM_SIZE, 0, 0x79), "a read that the second stage lacks");

	*table__entry(root, IOVA, 1) = page | PTE_P | PTE_U;
	*table__entry(root, IOVA + 2 * PAGE, 1) = (RAM_BASE + RAM_SIZE) | PTE_USER;
	*table__entry(root, IOVA + 3 * PAGE, 1) = page | PTE_P | PTE_W;
	*table__entry(root, IOVA + (1ull << 30), 2) = (RAM_BASE + 2 * PAGE) | PTE_USER | PTE_PS;
	*table__entry(root, IOVA + (1ull << 39), 4) = (RAM_BASE + RAM_SIZE) | PTE_USER;
	hwpt = hwpt__nested(h->dev, (u32)parent, root, 48, 0, 0);
	eq(host__attach(h, (u32)hwpt, NO_PASID), 0, "both stages are attached");
	ok(logged(h, READS, IOVA + PAGE, 0, 0x71), "a page that the first stage lacks");
	ok(logged(h, WRITES, IOVA, 0, 0x85), "a write to a read-only page");
	ok(logged(h, READS, IOVA + 3 * PAGE, 0, 0x81), "a read of a supervisor's page");
	ok(logged(h, WRITES, IOVA + 2 * PAGE, 0, 0x79), "a page that the second stage lacks");
	ok(logged(h, READS, IOVA + (1ull << 30), 0, 0x72), "reserved bits in a large page's entry");
	ok(logged(h, READS, IOVA + (1ull << 39), 0, 0x79), "a table that the second stage lacks");
	ok(logged(h, WRITES, 1ull << 47, 0, 0x80), "an address that is not canonical");
	ok(logged(h, READS, IOVA, TAG_PASID | 5, 0x59), "a PASID that has no entry");
	ok(logged(h, WRITES, IOVA, TAG_PASID | 0xfffff, 0x51), "a PASID that has no table");
	eq(host__dma_read(h, IOVA, 64, 0), DMA_DONE, "what is allowed still works");
	host__detach(h, NO_PASID);
	eq(iommufd__destroy((u32)hwpt) | iommufd__destroy((u32)parent) |
	       iommufd__destroy((u32)ioas),
	   0, "all can be destroyed");
}
