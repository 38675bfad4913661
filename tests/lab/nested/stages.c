/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * Nested translation of requests without PASID: what iommufd is told, where DMA lands, which
 * invalidation makes a change visible, and what attach, replace and detach do.
 */

#include <errno.h>
#include <string.h>

#include "nested.h"

#define ECAP_NEST  BIT(26)
#define LEN	   64u
#define EVERYTHING ~0ull

/* Different indices at all four levels. */
#define IOVA 0x123456789000ull

static int ioas, parent, hwpt;
static u64 root;

static u32 write_at(struct host *h, u64 addr, u8 fill)
{
	return host__dma_write(h, addr, LEN, fill, 0);
}

static void set(volatile u64 *entry, u64 val)
{
	*entry = val;
}

static void test_parent(struct host *h)
{
	struct iommufd_hw_info_vtd vtd;
	struct iommufd_hw_info info;
	u64 page = ram__page();

	eq(iommufd__hw_info(h->dev, &info, &vtd), 0, "the hardware describes itself");
	eq(info.out_data_type, IOMMUFD_HW_INFO_VTD, "as VT-d");
	ok(vtd.ecap_reg & ECAP_NEST, "that nests");

	ioas = iommufd__ioas();
	eq(iommufd__map((u32)ioas, ram__base(), RAM_SIZE, RAM_BASE), 0, "memory is mapped");
	parent = hwpt__paging(h->dev, (u32)ioas, IOMMUFD_HWPT_NEST_PARENT);
	ok(parent > 0, "a nesting parent is made");
	eq(write_at(h, RAM_BASE, 1), DMA_REFUSED, "a device that is not attached cannot do DMA");
	eq(host__attach(h, (u32)parent, NO_PASID), 0, "the parent is attached");
	eq(write_at(h, page, 0x11), DMA_DONE, "the device writes through the second stage");
	ok(ram__holds(page, LEN, 0x11) && ram__holds(page + LEN, PAGE - LEN, 0),
	   "what it wrote is there, and no more");
	eq(write_at(h, RAM_BASE + RAM_SIZE, 1), DMA_REFUSED, "beyond the mapping it cannot");
}

static void test_both_stages(struct host *h)
{
	volatile u64 *pte, *other;
	u64 page = ram__page();

	root = ram__page();
	pte = table__entry(root, IOVA, 1);
	set(pte, page | PTE_USER);
	hwpt = hwpt__nested(h->dev, (u32)parent, root, 48, 0, 0);
	ok(hwpt > 0, "a first-stage page table is made over the parent");
	eq(host__attach(h, (u32)hwpt, NO_PASID), 0, "it replaces the parent");
	eq(write_at(h, IOVA + 128, 0x22), DMA_DONE, "the device writes through both stages");
	ok(ram__holds(page + 128, LEN, 0x22) && ram__holds(page, 128, 0),
	   "what it wrote is where both say");
	eq(*pte & (PTE_A | PTE_D), PTE_A | PTE_D, "the leaf is marked accessed and dirty");
	ok(*table__entry(root, IOVA, 4) & PTE_A, "the top entry is marked accessed");
	memset(ram__at(page), 0x33, PAGE);
	eq(host__dma_read(h, IOVA, LEN, 0), DMA_DONE, "it reads through both stages");
	ok(host__holds(h, LEN, 0x33), "and has what is there");

	eq(write_at(h, IOVA + PAGE, 1), DMA_REFUSED, "an address the first stage lacks is refused");
	eq(write_at(h, page, 1), DMA_REFUSED, "so is an address that only the second stage has");
	other = table__entry(root, IOVA + 2 * PAGE, 1);
	set(other, (RAM_BASE + RAM_SIZE) | PTE_USER);
	eq(write_at(h, IOVA + 2 * PAGE, 1), DMA_REFUSED, "and a page that the second stage lacks");
	set(table__entry(root, IOVA + 3 * PAGE, 1), page | PTE_P | PTE_U);
	eq(write_at(h, IOVA + 3 * PAGE, 1), DMA_REFUSED, "a read-only page cannot be written");
	eq(host__dma_read(h, IOVA + 3 * PAGE, LEN, 0), DMA_DONE, "but read");
	eq(write_at(h, 1ull << 47, 1), DMA_REFUSED, "an address that is not canonical is refused");
}

static void test_large(struct host *h)
{
	u64 big = RAM_BASE + RAM_SIZE / 2, iova = 0x7fc000000000ull;

	set(table__entry(root, iova, 2), big | PTE_USER | PTE_PS);
	eq(write_at(h, iova + MiB + 8, 0x44), DMA_DONE, "the device writes to a page of 2 MiB");
	ok(ram__holds(big + MiB + 8, LEN, 0x44), "what it wrote is where that says");
	set(table__entry(root, iova + (1ull << 30), 3), RAM_BASE | PTE_USER | PTE_PS);
	eq(write_at(h, iova + (1ull << 30) + (big - RAM_BASE), 0x45), DMA_DONE,
	   "to one of 1 GiB, as far as the second stage goes");
	ok(ram__holds(big, LEN, 0x45), "what it wrote is where that says");
	eq(write_at(h, iova + (1ull << 30) + RAM_SIZE, 1), DMA_REFUSED, "and no further");
	/* The upper canonical half, which the first stage has too. */
	set(table__entry(root, ~0ull << 47, 1), big | PTE_USER);
	eq(write_at(h, ~0ull << 47, 0x46), DMA_DONE, "the upper half of the addresses works");
	ok(ram__holds(big, LEN, 0x46), "what it wrote is where that says");
}

static void test_invalidate(struct host *h)
{
	u64 a = ram__page(), b = ram__page(), table = ram__page();
	volatile u64 *pte = table__entry(root, IOVA, 1), *pde = table__entry(root, IOVA, 2);

	set(pte, a | PTE_USER);
	eq(hwpt__invalidate((u32)hwpt, IOVA, 1, IOMMUFD_VTD_INV_LEAF), 0, "a page is invalidated");
	write_at(h, IOVA, 0x51);
	ok(ram__holds(a, LEN, 0x51), "DMA then goes to the new page");
	set(pte, b | PTE_USER);
	eq(hwpt__invalidate((u32)hwpt, 0, EVERYTHING, 0), 0, "everything is invalidated");
	write_at(h, IOVA, 0x52);
	ok(ram__holds(a, LEN, 0x51) && ram__holds(b, LEN, 0x52), "DMA then goes to the new page");

	/* Another table: paging-structure caches count. */
	((u64 *)ram__at(table))[IOVA / PAGE % 512] = a | PTE_USER;
	set(pde, table | PTE_USER);
	eq(hwpt__invalidate((u32)hwpt, IOVA, 1, 0), 0,
	   "a page and what leads to it is invalidated");
	write_at(h, IOVA, 0x53);
	ok(ram__holds(a, LEN, 0x53) && ram__holds(b, LEN, 0x52), "DMA then goes by the new table");

	set(pde, 0);
	eq(hwpt__invalidate((u32)hwpt, ALIGN_DOWN(IOVA, 2 * MiB), 512, 0), 0, "so are 512 pages");
	eq(write_at(h, IOVA, 1), DMA_REFUSED, "DMA is then refused");
	ok(ram__holds(a, LEN, 0x53), "and changes nothing");
	eq(-hwpt__invalidate((u32)hwpt, IOVA + 1, 1, 0), EINVAL, "a crooked address is refused");
	set(pde, table | PTE_USER);
	write_at(h, IOVA, 0x54);
	ok(ram__holds(a, LEN, 0x54), "an entry that becomes present needs no invalidation");
}

/* The second stage changes below a first stage that stays. */
static void test_unmap(struct host *h)
{
	static u8 extra[PAGE] __attribute__((aligned(4096)));
	u64 gpa = RAM_BASE + RAM_SIZE + MiB, iova = IOVA + 0x200000;

	memset(extra, 0, sizeof(extra));
	set(table__entry(root, iova, 1), gpa | PTE_USER);
	eq(write_at(h, iova, 1), DMA_REFUSED, "DMA to a hole in the second stage is refused");
	eq(iommufd__map((u32)ioas, extra, PAGE, gpa), 0, "the hole is filled");
	eq(write_at(h, iova, 0x61), DMA_DONE, "DMA then passes");
	ok(extra[0] == 0x61 && extra[LEN - 1] == 0x61 && !extra[LEN], "and is where it belongs");
	eq(iommufd__unmap((u32)ioas, gpa, PAGE), 0, "the page is taken away");
	eq(write_at(h, iova, 0x62), DMA_REFUSED, "DMA is refused again");
	ok(extra[0] == 0x61, "and changes nothing");
}

static void test_replace(struct host *h)
{
	u64 second = ram__page(), a = ram__page(), b = ram__page();
	int other;

	set(table__entry(root, IOVA, 1), a | PTE_USER);
	hwpt__invalidate((u32)hwpt, 0, EVERYTHING, 0);
	write_at(h, IOVA, 0x71);
	ok(ram__holds(a, LEN, 0x71), "DMA goes by the first of two page tables");
	set(table__entry(second, IOVA, 1), b | PTE_USER);
	other = hwpt__nested(h->dev, (u32)parent, second, 48, 0, 0);
	ok(other > 0, "a second one is made");
	eq(host__attach(h, (u32)other, NO_PASID), 0, "it replaces the first");
	write_at(h, IOVA, 0x72);
	ok(ram__holds(a, LEN, 0x71) && ram__holds(b, LEN, 0x72), "DMA goes by the second");
	eq(-iommufd__destroy((u32)other), EBUSY, "which cannot be destroyed while it is attached");
	eq(host__attach(h, (u32)parent, NO_PASID), 0, "the parent replaces it");
	eq(write_at(h, IOVA, 1), DMA_REFUSED, "its addresses are gone");
	eq(write_at(h, a, 0x73), DMA_DONE, "the parent's are there");
	ok(ram__holds(a, LEN, 0x73), "DMA goes by the second stage alone");
	eq(iommufd__destroy((u32)other), 0, "now it can be destroyed");
	eq(host__attach(h, (u32)hwpt, NO_PASID), 0, "the first is attached again");
	eq(write_at(h, IOVA, 0x74), DMA_DONE, "DMA goes by it");
	ok(ram__holds(a, LEN, 0x74), "to its page");
	eq(host__detach(h, NO_PASID), 0, "the device is detached");
	eq(write_at(h, IOVA, 1), DMA_REFUSED, "DMA by the first stage is refused");
	eq(write_at(h, a, 1), DMA_REFUSED, "and by the second");
	ok(ram__holds(a, LEN, 0x74), "nothing has changed");
}

/* Five levels reach what four call non-canonical. */
static void test_five_levels(struct host *h)
{
	u64 top = ram__page(), second = ram__page(), a = ram__page(), b = ram__page();
	volatile u64 *entry = ram__at(top);
	int wide;

	set(table__entry(root, IOVA, 1), a | PTE_USER);
	set(table__entry(second, IOVA, 1), b | PTE_USER);
	set(&entry[0], root | PTE_USER);
	set(&entry[1], second | PTE_USER);
	wide = hwpt__nested(h->dev, (u32)parent, top, 57, 0, 0);
	ok(wide > 0, "a page table of five levels is made");
	eq(host__attach(h, (u32)wide, NO_PASID), 0, "and attached");
	write_at(h, IOVA, 0x79);
	ok(ram__holds(a, LEN, 0x79), "DMA goes through all five");
	write_at(h, IOVA | BIT(48), 0x7a);
	ok(ram__holds(b, LEN, 0x7a) && ram__holds(a, LEN, 0x79), "also beyond 48 bits");
	eq(host__detach(h, NO_PASID), 0, "the device is detached");
	eq(iommufd__destroy((u32)wide), 0, "and the page table destroyed");
}

/* What VT-d cannot do is refused, and the device is no worse for it. */
static void test_refusals(struct host *h)
{
	u64 a = ram__page();

	ok(hwpt__nested(h->dev, (u32)hwpt, root, 48, 0, 0) < 0,
	   "a first stage over a first stage is refused");
	set(table__entry(root, IOVA, 1), a | PTE_USER);
	hwpt__invalidate((u32)hwpt, 0, EVERYTHING, 0);
	eq(host__attach(h, (u32)hwpt, NO_PASID), 0, "the device can still be attached");
	write_at(h, IOVA, 0x81);
	ok(ram__holds(a, LEN, 0x81), "and do DMA");
	eq(host__detach(h, NO_PASID), 0, "the device is detached");
}

void test_stages(struct host *h)
{
	test_parent(h);
	test_both_stages(h);
	test_large(h);
	test_invalidate(h);
	test_unmap(h);
	test_replace(h);
	test_five_levels(h);
	test_refusals(h);
	eq(iommufd__destroy((u32)hwpt) | iommufd__destroy((u32)parent), 0, "all can be destroyed");
	eq(iommufd__destroy((u32)ioas), 0, "the address space as well");
}
