/* SPDX-License-Identifier: GPL-2.0-only */

/* Requests with PASID, each through page tables of its own; needs the device's PASID capability. */

#include "nested.h"

#define LEN  64u
#define IOVA 0x3456789ab000ull

/* Two in one table of 64 entries, one in another (VT-d 9.5). */
static const u32 pasids[] = { 1, 63, 0x4321 };
#define NR ARRAY_SIZE(pasids)

struct space {
	u64 root, page;
	int hwpt;
};

static struct space make_space(struct host *h, int parent)
{
	struct space s = { .root = ram__page(), .page = ram__page() };

	*table__entry(s.root, IOVA, 1) = s.page | PTE_USER;
	s.hwpt = hwpt__nested(h->dev, (u32)parent, s.root, 48, IOMMUFD_HWPT_PASID, 0);
	return s;
}

static u32 write_as(struct host *h, u64 addr, u32 pasid, u8 fill)
{
	return host__dma_write(h, addr, LEN, fill, TAG_PASID | pasid);
}

static void test_isolation(struct host *h, struct space *s)
{
	bool good = true;

	for (u32 i = 0; i < NR; i++)
		good &= host__attach(h, (u32)s[i].hwpt, pasids[i]) == 0;
	ok(good, "page tables are attached to three PASIDs");
	for (u32 i = 0; i < NR; i++)
		good &= write_as(h, IOVA, pasids[i], (u8)(0x10 + i)) == DMA_DONE;
	ok(good, "the device writes to the same address with each");
	for (u32 i = 0; i < NR; i++)
		good &= ram__holds(s[i].page, LEN, (u8)(0x10 + i));
	ok(good, "each write is in its own page");
	for (u32 i = 0; i < NR; i++)
		good &= host__dma_read(h, IOVA, LEN, TAG_PASID | pasids[i]) == DMA_DONE &&
			host__holds(h, LEN, (u8)(0x10 + i));
	ok(good, "and read from there");
	eq(write_as(h, IOVA, 2, 1), DMA_REFUSED, "another PASID is refused");
	eq(host__dma_write(h, IOVA, LEN, 1, 0), DMA_REFUSED,
	   "requests without PASID are not theirs");
	eq(host__dma_write(h, s[0].page, LEN, 0x1f, 0), DMA_DONE, "they go through the parent");
	ok(ram__holds(s[0].page, LEN, 0x1f), "to where that says");
}

static void test_changes(struct host *h, struct space *s)
{
	u64 page = ram__page();

	*table__entry(s[0].root, IOVA, 1) = page | PTE_USER;
	eq(hwpt__invalidate((u32)s[0].hwpt, IOVA, 1, IOMMUFD_VTD_INV_LEAF), 0,
	   "a page of the first PASID is invalidated");
	write_as(h, IOVA, pasids[0], 0x21);
	write_as(h, IOVA, pasids[1], 0x22);
	ok(ram__holds(page, LEN, 0x21), "its DMA goes to the new page");
	ok(ram__holds(s[1].page, LEN, 0x22), "the second's where it went");

	eq(host__attach(h, (u32)s[2].hwpt, pasids[0]), 0,
	   "the third page table replaces the first");
	write_as(h, IOVA, pasids[0], 0x23);
	ok(ram__holds(s[2].page, LEN, 0x23) && ram__holds(page, LEN, 0x21),
	   "DMA with the first PASID goes by it");
	*table__entry(s[2].root, IOVA, 1) = s[0].page | PTE_USER;
	eq(hwpt__invalidate((u32)s[2].hwpt, 0, ~0ull, 0), 0,
	   "a page table with two PASIDs is invalidated");
	write_as(h, IOVA, pasids[0], 0x24);
	ok(ram__holds(s[0].page, LEN, 0x24), "for one");
	write_as(h, IOVA, pasids[2], 0x25);
	ok(ram__holds(s[0].page, LEN, 0x25), "and the other");

	eq(host__detach(h, pasids[1]), 0, "the second PASID is detached");
	eq(write_as(h, IOVA, pasids[1], 1), DMA_REFUSED, "its DMA is refused");
	eq(write_as(h, IOVA, pasids[2], 0x26), DMA_DONE, "the third's is not");
	eq(host__attach(h, (u32)s[1].hwpt, pasids[1]), 0, "it is attached again");
	eq(write_as(h, IOVA, pasids[1], 0x27), DMA_DONE, "and its DMA passes");
	ok(ram__holds(s[1].page, LEN, 0x27), "to its page");
}

void test_pasid(struct host *h)
{
	struct iommufd_hw_info_vtd vtd;
	struct iommufd_hw_info info;
	struct space s[NR];
	int ioas, parent, plain;
	int err = 0;

	eq(iommufd__hw_info(h->dev, &info, &vtd), 0, "the hardware describes itself");
	eq(info.out_max_pasid_log2, 20, "PASIDs have 20 bits");
	ioas = iommufd__ioas();
	iommufd__map((u32)ioas, ram__base(), RAM_SIZE, RAM_BASE);
	parent = hwpt__paging(h->dev, (u32)ioas, IOMMUFD_HWPT_NEST_PARENT | IOMMUFD_HWPT_PASID);
	ok(parent > 0, "a parent for PASIDs is made");
	for (u32 i = 0; i < NR; i++)
		s[i] = make_space(h, parent);
	ok(s[0].hwpt > 0 && s[1].hwpt > 0 && s[2].hwpt > 0, "and three page tables over it");
	eq(host__attach(h, (u32)parent, NO_PASID), 0, "the device is attached to the parent");
	test_isolation(h, s);
	test_changes(h, s);

	eq(host__attach(h, (u32)parent, 5), 0, "a PASID can have the parent itself");
	eq(write_as(h, s[0].page, 5, 0x31), DMA_DONE, "its DMA passes the second stage alone");
	ok(ram__holds(s[0].page, LEN, 0x31), "to where that says");
	plain = hwpt__nested(h->dev, (u32)parent, s[0].root, 48, 0, 0);
	ok(plain > 0 && host__attach(h, (u32)plain, 6) < 0,
	   "a page table that was not made for PASIDs is refused");
	iommufd__destroy((u32)plain);
	host__detach(h, 5);
	for (u32 i = 0; i < NR; i++)
		err |= host__detach(h, pasids[i]);
	err |= host__detach(h, NO_PASID);
	for (u32 i = 0; i < NR; i++)
		err |= iommufd__destroy((u32)s[i].hwpt);
	err |= iommufd__destroy((u32)parent) | iommufd__destroy((u32)ioas);
	eq(err, 0, "all can be detached and destroyed");
	eq(write_as(h, IOVA, pasids[0], 1), DMA_REFUSED, "and DMA is refused");
}
