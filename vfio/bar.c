/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * The BARs of an assigned function.
 *
 * What VFIO lets us mmap() becomes memory slots of the guest, so that registers are reached without
 * an exit.  Pages that hold the MSI-X table or the PBA stay out: those are emulated, and other
 * registers beside them in the same page are reached by exits.
 */

#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/mman.h>

#include "lkvm/mem.h"
#include "lkvm/vm.h"
#include "vfio/device.h"
#include "vfio/sys.h"

#define PAGE 4096ull

/* A list of areas being cut; one more than may remain. */
struct areas {
	unsigned int n;
	struct vfio_area a[VFIO_MAPS_MAX];
};

/* Whole pages of [@start, @end) only; what finds no room is trapped, which always works. */
static void add_area(struct areas *list, u64 start, u64 end)
{
	start = ALIGN_UP(start, PAGE);
	end = ALIGN_DOWN(end, PAGE);
	if (start < end && list->n < ARRAY_SIZE(list->a))
		list->a[list->n++] = (struct vfio_area){ .off = start, .size = end - start };
}

/* Take the pages of [@start, @end) out. */
static void cut(struct areas *list, u64 start, u64 end)
{
	struct areas out = { 0 };
	unsigned int i;
	u64 first, last;

	start = ALIGN_DOWN(start, PAGE);
	end = ALIGN_UP(end, PAGE);
	for (i = 0; i < list->n; i++) {
		first = list->a[i].off;
		last = first + list->a[i].size;
		add_area(&out, first, MIN(last, start));
		add_area(&out, MAX(first, end), last);
	}
	*list = out;
}

/* @reg: the capability's register that says where the structure of @len bytes is. */
static void cut_msix(struct vfio_dev *d, int bar, struct areas *list, u32 reg, u32 len)
{
	u32 where, off;

	memcpy(&where, d->pci.cfg + d->msix_cap + reg, sizeof(where));
	off = where & PCI_MSIX_TABLE_OFFSET;
	if ((int)(where & PCI_MSIX_TABLE_BIR) == bar)
		cut(list, off, (u64)off + len);
}

static void mappable(struct vfio_dev *d, int bar, struct areas *list)
{
	const struct vfio_region *r = &d->bar[bar].region;
	const struct vfio_area *a;
	unsigned int i;
	u16 flags;
	u32 nvec;

	if (!r->mmap)
		return;
	if (!r->nsparse)
		add_area(list, 0, r->size);
	for (i = 0; i < r->nsparse; i++) {
		a = &r->sparse[i];
		if (a->off < r->size && a->size <= r->size - a->off)
			add_area(list, a->off, a->off + a->size);
	}
	if (!d->msix_cap)
		return;
	memcpy(&flags, d->pci.cfg + d->msix_cap + PCI_MSIX_FLAGS, sizeof(flags));
	nvec = (flags & PCI_MSIX_FLAGS_QSIZE) + 1;
	cut_msix(d, bar, list, PCI_MSIX_TABLE, nvec * PCI_MSIX_ENTRY_SIZE);
	cut_msix(d, bar, list, PCI_MSIX_PBA, ALIGN_UP(nvec, 64) / 8);
}

static void map_bar(struct vfio_dev *d, int bar)
{
	struct vfio_bar *b = &d->bar[bar];
	struct areas list = { 0 };
	unsigned int i;
	void *hva;

	mappable(d, bar, &list);
	for (i = 0; i < list.n; i++) {
		hva = mmap(NULL, list.a[i].size, PROT_READ | PROT_WRITE, MAP_SHARED, d->fd,
			   b->region.off + list.a[i].off);
		if (hva == MAP_FAILED) {
			pr_info("%s: BAR %d cannot be mapped (%s): slower, but works", d->name, bar,
				strerror(errno));
			continue;
		}
		b->map[b->nmaps++] = (struct vfio_map){
			.off = list.a[i].off,
			.size = list.a[i].size,
			.hva = hva,
			.slot = -1,
		};
	}
}

/* One BAR of the device, whose register reads @reg. */
static int add_bar(struct vfio_dev *d, int bar, u32 reg)
{
	struct vfio_region *r = &d->bar[bar].region;
	u32 flags;
	int err;

	err = cdev__region(d->fd, VFIO_PCI_BAR0_REGION_INDEX + bar, r);
	if (err) {
		pr_err("%s: cannot ask about BAR %d: %s", d->name, bar, strerror(-err));
		return err;
	}
	if (!r->size)
		return 0;
	if (reg & PCI_BASE_ADDRESS_SPACE_IO) {
		pr_info("%s: BAR %d has I/O ports, which the guest does not get", d->name, bar);
		*r = (struct vfio_region){ 0 };
		return 0;
	}
	/* A smaller BAR is shown as a page of which the rest reads as ones. */
	flags = reg & PCI_BASE_ADDRESS_MEM_PREFETCH;
	if ((reg & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64)
		flags |= PCI_BASE_ADDRESS_MEM_TYPE_64;
	err = pci__add_bar(&d->pci, bar, MAX(r->size, PAGE), flags);
	if (err) {
		pr_err("%s: BAR %d of %llu bytes is not one that a guest can have", d->name, bar,
		       r->size);
		return err;
	}
	map_bar(d, bar);
	return 0;
}

int vfio_bar__init(struct vfio_dev *d)
{
	u32 reg[PCI_BARS];
	int bar, err;

	memcpy(reg, d->pci.cfg + PCI_BASE_ADDRESS_0, sizeof(reg));
	memset(d->pci.cfg + PCI_BASE_ADDRESS_0, 0, sizeof(reg));
	for (bar = 0; bar < PCI_BARS; bar++) {
		err = add_bar(d, bar, reg[bar]);
		if (err) {
			vfio_bar__free(d);
			return err;
		}
		/* The upper half of a 64-bit BAR is none of its own. */
		if (d->pci.bar[bar].is64)
			bar++;
	}
	return 0;
}

void vfio_bar__free(struct vfio_dev *d)
{
	struct vfio_map *m;
	int bar;

	for (bar = 0; bar < PCI_BARS; bar++) {
		vfio_bar__moved(&d->pci, bar, PCI_BAR_UNMAPPED);
		while (d->bar[bar].nmaps) {
			m = &d->bar[bar].map[--d->bar[bar].nmaps];
			munmap(m->hva, m->size);
		}
	}
}

void vfio_bar__moved(struct pci_func *f, int bar, u64 gpa)
{
	static struct ratelimit rl;
	struct vfio_dev *d = f->priv;
	struct vfio_bar *b = &d->bar[bar];
	struct vfio_map *m;

	for (m = b->map; m < b->map + b->nmaps; m++) {
		if (m->slot >= 0)
			mem__unmap_device(d->vm->mem, m->slot);
		m->slot = -1;
		if (gpa == PCI_BAR_UNMAPPED)
			continue;
		/* Refused: its accesses exit and go to vfio_bar__access(). */
		m->slot = mem__map_device(d->vm->mem, gpa + m->off, m->size, m->hva);
		if (m->slot < 0)
			pr_guest(&rl, "%s: BAR %d at %#llx cannot be mapped into the guest: %s",
				 d->name, bar, gpa, strerror(-m->slot));
	}
}

/* The widest access that @off is aligned for and @len has room for. */
static u32 width(u64 off, u32 len)
{
	u32 w = 8;

	while (w > len || !IS_ALIGNED(off, w))
		w /= 2;
	return w;
}

void vfio_bar__access(struct pci_func *f, int bar, u64 off, u8 *data, u32 len, bool write)
{
	struct vfio_dev *d = f->priv;
	const struct vfio_region *r = &d->bar[bar].region;
	u32 w;
	int err;

	for (; len; off += w, data += w, len -= w) {
		w = width(off, len);
		/* Sizes are powers of two: a piece is inside the region, or it is not. */
		err = off < r->size && w <= r->size - off ? 0 : -EFAULT;
		/* A device that does not answer reads as ones, and is deaf. */
		if (write && !err && r->write)
			(void)sys_pwrite(d->fd, data, w, r->off + off);
		else if (!write && (err || !r->read || sys_pread(d->fd, data, w, r->off + off)))
			memset(data, 0xff, w);
	}
}
