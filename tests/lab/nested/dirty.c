/* SPDX-License-Identifier: GPL-2.0-only */

/* Dirty tracking by the second stage's D bits (VT-d 3.7.2). */

#include "nested.h"

#define LEN   64u
#define BASE  0x80000000ull
#define PAGES 64u
#define IOVA  0x56789abcd000ull

static u64 bitmap;

static int tracking(int hwpt, bool on)
{
	struct iommufd_set_dirty cmd = { .size = sizeof(cmd), .flags = on, .hwpt_id = (u32)hwpt };

	return iommufd__call(IOMMUFD_HWPT_SET_DIRTY, &cmd);
}

/* Reads the bits of all pages, and so clears them. */
static int read_bitmap(int hwpt)
{
	struct iommufd_get_dirty cmd = {
		.size = sizeof(cmd),
		.hwpt_id = (u32)hwpt,
		.iova = BASE,
		.length = PAGES * PAGE,
		.page_size = PAGE,
		.bitmap_uptr = (uintptr_t)&bitmap,
	};

	bitmap = 0;
	return iommufd__call(IOMMUFD_HWPT_GET_DIRTY, &cmd);
}

static void test_second_stage(struct host *h, int hwpt)
{
	eq(host__attach(h, (u32)hwpt, NO_PASID), 0, "it is attached");
	eq(tracking(hwpt, true), 0, "tracking is switched on");
	eq(read_bitmap(hwpt), 0, "the bitmap can be read");
	eq(bitmap, 0, "and is empty");
	host__dma_write(h, BASE + 3 * PAGE, LEN, 1, 0);
	host__dma_write(h, BASE + 63 * PAGE, LEN, 1, 0);
	host__dma_read(h, BASE + 5 * PAGE, LEN, 0);
	read_bitmap(hwpt);
	eq(bitmap, BIT(3) | BIT(63),
	   "it has the pages that were written, not those that were read");
	read_bitmap(hwpt);
	eq(bitmap, 0, "reading it has cleared it");
	host__dma_write(h, BASE + 3 * PAGE, LEN, 2, 0);
	read_bitmap(hwpt);
	eq(bitmap, BIT(3), "a page written again is there again");
}

static void test_nested(struct host *h, int parent)
{
	u64 root = ram__page();
	int hwpt;

	*table__entry(root, IOVA, 1) = (BASE + 9 * PAGE) | PTE_USER;
	hwpt = hwpt__nested(h->dev, (u32)parent, root, 48, 0, 0);
	ok(hwpt > 0, "a page table is made over a parent with tracking");
	eq(host__attach(h, (u32)hwpt, NO_PASID), 0, "it is attached");
	eq(tracking(parent, true), 0, "tracking is switched on");
	read_bitmap(parent);
	eq(host__dma_write(h, IOVA, LEN, 1, 0), DMA_DONE, "the device writes through both stages");
	read_bitmap(parent);
	eq(bitmap, BIT(9), "the bitmap has the page that the second stage wrote");
	eq(tracking(parent, false), 0, "tracking is switched off");
	host__detach(h, NO_PASID);
	eq(iommufd__destroy((u32)hwpt), 0, "the page table is destroyed");
}

void test_dirty(struct host *h)
{
	struct iommufd_hw_info_vtd vtd;
	struct iommufd_hw_info info;
	int ioas = iommufd__ioas(), hwpt, parent, err = 0;

	iommufd__hw_info(h->dev, &info, &vtd);
	ok(info.out_capabilities & IOMMUFD_CAP_DIRTY, "the hardware can track");
	iommufd__map((u32)ioas, ram__base(), RAM_SIZE, RAM_BASE);
	/* One by one, because a bit stands for an entry and neighbours would share a large one. */
	for (u32 i = 0; i < PAGES; i++)
		err |= iommufd__map((u32)ioas, ram__at(ram__page()), PAGE, BASE + i * PAGE);
	eq(err, 0, "pages are mapped one by one");
	hwpt = hwpt__paging(h->dev, (u32)ioas, IOMMUFD_HWPT_DIRTY);
	ok(hwpt > 0, "a page table with dirty bits is made");
	parent = hwpt__paging(h->dev, (u32)ioas, IOMMUFD_HWPT_DIRTY | IOMMUFD_HWPT_NEST_PARENT);
	ok(parent > 0, "and a nesting parent with them");
	test_second_stage(h, hwpt);
	test_nested(h, parent);
	eq(iommufd__destroy((u32)hwpt) | iommufd__destroy((u32)parent) |
	       iommufd__destroy((u32)ioas),
	   0, "all can be destroyed");
}
