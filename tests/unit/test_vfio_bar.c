/* SPDX-License-Identifier: GPL-2.0-only */

/* vfio/bar.c: what is mapped, what is trapped, and how trapped accesses reach the device. */

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/tap.h"
#include "tests/unit/vfio_fake.h"

static ssize_t fake_pread(int fd, void *buf, size_t len, off_t off);
static ssize_t fake_pwrite(int fd, const void *buf, size_t len, off_t off);
static void *fake_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off);
static int fake_munmap(void *at, size_t len);
#define pread	    fake_pread
#define pwrite	    fake_pwrite
#define mmap(...)   fake_mmap(__VA_ARGS__)
#define munmap(...) fake_munmap(__VA_ARGS__)
#include "vfio/bar.c"
#undef pread
#undef pwrite
#undef mmap
#undef munmap

#define OFF(bar) ((u64)(bar) << 40)
#define MSIX_CAP 0xa0

static struct vfio_region region[PCI_BARS];
static u8 file[PCI_BARS][0x100];
static struct vm vm;
static struct vfio_dev dev;

/* What was done: mappings of the file, slots in the guest, accesses. */
static struct {
	u64 off, len;
	bool live;
} mapped[32];
static unsigned int nmapped, nlive;
static struct {
	u64 gpa, size;
	void *hva;
	bool live;
} slot[32];
static unsigned int nslots, live_slots, slots_left;
static struct {
	u64 off;
	u32 len;
} acc[16];
static unsigned int nacc;
static bool dead, no_mmap;

static int take_access(size_t len, off_t off)
{
	if (dead) {
		errno = EIO;
		return -1;
	}
	acc[nacc].off = off;
	acc[nacc++].len = len;
	return 0;
}

static ssize_t fake_pread(int fd, void *buf, size_t len, off_t off)
{
	if (take_access(len, off))
		return -1;
	memcpy(buf, &file[off >> 40][off & 0xff], len);
	return len;
}

static ssize_t fake_pwrite(int fd, const void *buf, size_t len, off_t off)
{
	if (take_access(len, off))
		return -1;
	memcpy(&file[off >> 40][off & 0xff], buf, len);
	return len;
}

static void *fake_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off)
{
	if (no_mmap) {
		errno = EINVAL;
		return MAP_FAILED;
	}
	mapped[nmapped].off = off;
	mapped[nmapped].len = len;
	mapped[nmapped].live = true;
	nlive++;
	return (void *)(uintptr_t)(0x10000000 + 0x1000000 * nmapped++);
}

static int fake_munmap(void *at, size_t len)
{
	unsigned int i = ((uintptr_t)at - 0x10000000) / 0x1000000;

	if (mapped[i].live && mapped[i].len == len)
		nlive--;
	mapped[i].live = false;
	return 0;
}

int mem__map_device(struct guest_mem *mem, u64 gpa, u64 size, void *hva)
{
	if (!slots_left)
		return -ENOSPC;
	slots_left--;
	slot[nslots].gpa = gpa;
	slot[nslots].size = size;
	slot[nslots].hva = hva;
	slot[nslots].live = true;
	live_slots++;
	return nslots++;
}

void mem__unmap_device(struct guest_mem *mem, int handle)
{
	if (slot[handle].live)
		live_slots--;
	slot[handle].live = false;
}

int cdev__region(int fd, u32 index, struct vfio_region *r)
{
	if (index >= PCI_BARS)
		return -EINVAL;
	*r = region[index];
	return 0;
}

static u32 bar_flags[PCI_BARS];

int pci__add_bar(struct pci_func *f, int bar, u64 size, u32 flags)
{
	if (size < 4096 || (size & (size - 1)))
		return -EINVAL;
	f->bar[bar] =
	    (struct pci_bar){ .size = size, .is64 = flags & PCI_BASE_ADDRESS_MEM_TYPE_64 };
	bar_flags[bar] = flags;
	return 0;
}

static void fresh(void)
{
	memset(&dev, 0, sizeof(dev));
	memset(region, 0, sizeof(region));
	memset(file, 0, sizeof(file));
	memset(mapped, 0, sizeof(mapped));
	memset(slot, 0, sizeof(slot));
	nmapped = nlive = nslots = live_slots = nacc = fake_lines = 0;
	slots_left = 32;
	dead = no_mmap = false;
	strcpy(dev.name, "vfio test");
	dev.vm = &vm;
	dev.pci.priv = &dev;
}

static void set_reg(int bar, u32 val)
{
	memcpy(dev.pci.cfg + PCI_BASE_ADDRESS_0 + 4 * bar, &val, 4);
}

static void set_bar(int bar, u64 size, bool mmap, u32 reg)
{
	region[bar] = (struct vfio_region){
		.size = size,
		.off = OFF(bar),
		.read = true,
		.write = true,
		.mmap = mmap,
	};
	set_reg(bar, reg);
}

static void set_msix(u32 nvec, u32 table, u32 pba)
{
	u16 flags = nvec - 1;

	dev.msix_cap = MSIX_CAP;
	memcpy(dev.pci.cfg + MSIX_CAP + PCI_MSIX_FLAGS, &flags, 2);
	memcpy(dev.pci.cfg + MSIX_CAP + PCI_MSIX_TABLE, &table, 4);
	memcpy(dev.pci.cfg + MSIX_CAP + PCI_MSIX_PBA, &pba, 4);
}

static bool is_map(unsigned int i, u64 off, u64 len)
{
	return i < nmapped && mapped[i].off == off && mapped[i].len == len;
}

static void test_kinds(void)
{
	fresh();
	set_bar(0, 0x100000, true, 0xfe000004 | PCI_BASE_ADDRESS_MEM_PREFETCH);
	set_reg(1, 0x00000007); /* the upper half: must not be taken for a BAR of its own */
	region[1].size = 0x1000;
	set_bar(2, 0x2000, true, 0xfd000000);
	set_bar(3, 0x20, false, 0xc001);
	set_bar(4, 0x100, true, 0xfc000000);
	set_bar(5, 0x1000, false, 0xfb000006);
	eq(vfio_bar__init(&dev), 0, "BARs of all kinds");
	ok(dev.pci.bar[0].size == 0x100000 && bar_flags[0] == 0xc, "64-bit, prefetchable");
	eq(dev.pci.bar[1].size, 0, "its upper half is no BAR");
	ok(dev.pci.bar[2].size == 0x2000 && !dev.pci.bar[2].is64, "32-bit");
	eq(dev.pci.bar[3].size, 0, "I/O ports are left out");
	ok(dev.pci.bar[5].size == 0x1000 && !dev.pci.bar[5].is64, "a reserved type is not 64-bit");
	eq(fake_lines, 1, "with one message");
	eq(dev.pci.bar[4].size, 0x1000, "a small BAR becomes a page");
	eq(dev.bar[4].nmaps, 0, "that is trapped");
	ok(nmapped == 2 && is_map(0, OFF(0), 0x100000) && is_map(1, OFF(2), 0x2000),
	   "whole BARs are mapped whole");
	vfio_bar__free(&dev);
	eq(nlive, 0, "and unmapped");

	fresh();
	set_bar(0, 0x3000, true, 0);
	ok(vfio_bar__init(&dev) == -EINVAL, "a size that is no power of two is refused");
	fresh();
	set_bar(0, 0x4000, true, 0);
	no_mmap = true;
	eq(vfio_bar__init(&dev), 0, "a kernel that does not map");
	eq(dev.bar[0].nmaps, 0, "means trapping");
}

static void test_msix_cut(void)
{
	fresh();
	set_bar(0, 0x10000, true, 0);
	set_msix(64, 0x2000, 0x8000);
	vfio_bar__init(&dev);
	ok(nmapped == 3 && is_map(0, OFF(0), 0x2000) && is_map(1, OFF(0) + 0x3000, 0x5000) &&
	       is_map(2, OFF(0) + 0x9000, 0x7000),
	   "the pages of the table and of the PBA are cut out");
	vfio_bar__free(&dev);

	fresh();
	set_bar(0, 0x10000, true, 0);
	set_msix(3, 0xff8 + 0x1000, 0x2800);
	vfio_bar__init(&dev);
	ok(nmapped == 2 && is_map(0, OFF(0), 0x1000) && is_map(1, OFF(0) + 0x3000, 0xd000),
	   "a table across a page's end takes both");
	vfio_bar__free(&dev);

	fresh();
	set_bar(0, 0x1000, true, 0);
	set_bar(1, 0x4000, true, 0);
	set_msix(4, 1, 0x800 | 1);
	vfio_bar__init(&dev);
	ok(nmapped == 2 && is_map(0, OFF(0), 0x1000) && is_map(1, OFF(1) + 0x1000, 0x3000),
	   "only the BAR that holds them is cut");
	vfio_bar__free(&dev);

	fresh();
	set_bar(0, 0x1000, true, 0);
	set_msix(2048, 0, 0x8000);
	vfio_bar__init(&dev);
	eq(nmapped, 0, "a BAR that is all table is all trapped");

	fresh();
	set_bar(0, 0x10000, true, 0);
	set_msix(1, 0xfffffff8, 0xfffffff8);
	vfio_bar__init(&dev);
	ok(nmapped == 1 && is_map(0, OFF(0), 0x10000), "a table outside the BAR cuts nothing");
	vfio_bar__free(&dev);
}

static void test_sparse(void)
{
	unsigned int i;

	fresh();
	set_bar(0, 0x10000, true, 0);
	region[0].nsparse = 3;
	region[0].sparse[0] = (struct vfio_area){ 0x0, 0x3000 };
	region[0].sparse[1] = (struct vfio_area){ 0x4800, 0x2000 };
	region[0].sparse[2] = (struct vfio_area){ 0xf000, 0x2000 };
	set_msix(4, 0x1000, 0x1800);
	vfio_bar__init(&dev);
	ok(nmapped == 3 && is_map(0, OFF(0), 0x1000) && is_map(1, OFF(0) + 0x2000, 0x1000) &&
	       is_map(2, OFF(0) + 0x5000, 0x1000),
	   "areas: cut, to whole pages, inside the BAR");
	vfio_bar__free(&dev);
	eq(nlive, 0, "all unmapped");

	fresh();
	set_bar(0, 0x100000, true, 0);
	region[0].nsparse = VFIO_SPARSE_MAX;
	for (i = 0; i < VFIO_SPARSE_MAX; i++)
		region[0].sparse[i] = (struct vfio_area){ i * 0x4000, 0x3000 };
	set_msix(4, 0x1000, 0x5000);
	vfio_bar__init(&dev);
	eq(nmapped, VFIO_MAPS_MAX, "as many as can be, cut twice");
	vfio_bar__free(&dev);

	fresh();
	set_bar(0, 0x10000, true, 0);
	region[0].nsparse = 1;
	region[0].sparse[0] = (struct vfio_area){ 0x1000, ~0ULL };
	vfio_bar__init(&dev);
	eq(nmapped, 0, "an area that wraps is none");
}

static void test_moved(void)
{
	fresh();
	set_bar(0, 0x10000, true, 0);
	set_msix(4, 0x2000, 0x2800);
	vfio_bar__init(&dev);
	eq(live_slots, 0, "nothing in the guest at first");
	vfio_bar__moved(&dev.pci, 0, 0xc0000000);
	eq(live_slots, 2, "decoding maps both pieces");
	ok(slot[0].gpa == 0xc0000000 && slot[0].size == 0x2000 && slot[1].gpa == 0xc0003000 &&
	       slot[1].size == 0xd000,
	   "where they belong");
	vfio_bar__moved(&dev.pci, 0, 0xc0100000);
	eq(live_slots, 2, "moving leaves nothing behind");
	eq(slot[3].gpa, 0xc0103000, "and maps anew");
	vfio_bar__moved(&dev.pci, 0, PCI_BAR_UNMAPPED);
	eq(live_slots, 0, "decoding off unmaps");
	slots_left = 1;
	vfio_bar__moved(&dev.pci, 0, 0xc0000000);
	eq(live_slots, 1, "a piece without a slot is trapped");
	eq(fake_lines, 1, "and that is said");
	vfio_bar__free(&dev);
	ok(!live_slots && !nlive, "the end takes everything away");
}

static bool did(unsigned int i, u64 off, u32 len)
{
	return i < nacc && acc[i].off == off && acc[i].len == len;
}

static void test_access(void)
{
	u8 data[8], want[8];
	u64 off;
	u32 len, i;
	bool good = true;

	fresh();
	set_bar(0, 0x80, false, 0);
	set_bar(1, 0x1000, false, 0);
	vfio_bar__init(&dev);
	for (i = 0; i < 0x100; i++)
		file[0][i] = file[1][i] = i;

	vfio_bar__access(&dev.pci, 1, 0x10, data, 8, false);
	ok(nacc == 1 && did(0, OFF(1) + 0x10, 8), "8 aligned bytes are one access");
	nacc = 0;
	vfio_bar__access(&dev.pci, 1, 0x11, data, 8, false);
	ok(nacc == 4 && did(0, OFF(1) + 0x11, 1) && did(1, OFF(1) + 0x12, 2) &&
	       did(2, OFF(1) + 0x14, 4) && did(3, OFF(1) + 0x18, 1),
	   "unaligned ones are aligned pieces");
	nacc = 0;
	memset(data, 0xab, 3);
	vfio_bar__access(&dev.pci, 1, 0x20, data, 3, true);
	ok(nacc == 2 && did(0, OFF(1) + 0x20, 2) && did(1, OFF(1) + 0x22, 1), "so are three");
	ok(file[1][0x20] == 0xab && file[1][0x22] == 0xab && file[1][0x23] == 0x23,
	   "and they are written");

	for (off = 0; off < 0xf8; off++) {
		for (len = 1; len <= 8; len++) {
			nacc = 0;
			memset(data, 0x55, sizeof(data));
			memset(want, 0x55, sizeof(want));
			vfio_bar__access(&dev.pci, 0, off, data, len, false);
			for (i = 0; i < len; i++)
				want[i] = off + i < 0x80 ? off + i : 0xff;
			good &= !memcmp(data, want, sizeof(data));
			for (i = 0; i < nacc; i++)
				good &= acc[i].off + acc[i].len <= OFF(0) + 0x80 &&
					IS_ALIGNED(acc[i].off, acc[i].len);
		}
	}
	ok(good, "every width at every place; behind the device's end ones, and no access");
	nacc = 0;
	vfio_bar__access(&dev.pci, 0, 0x80, data, 4, true);
	eq(nacc, 0, "nor a write there");

	dead = true;
	vfio_bar__access(&dev.pci, 1, 0, data, 4, false);
	ok(data[0] == 0xff && data[3] == 0xff, "a dead device reads as ones");
	vfio_bar__access(&dev.pci, 1, 0, data, 4, true);
	dead = false;
	dev.bar[1].region.write = false;
	nacc = 0;
	vfio_bar__access(&dev.pci, 1, 0, data, 4, true);
	eq(nacc, 0, "what is read-only is not written");
}

int main(void)
{
	test_kinds();
	test_msix_cut();
	test_sparse();
	test_moved();
	test_access();
	return tap_done();
}
