/* SPDX-License-Identifier: GPL-2.0-only */

/* vfio/iommufd.c: what the kernel is asked, and what becomes of its answers. */

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tests/unit/tap.h"
#include "tests/unit/vfio_fake.h"

static int fake_ioctl(int fd, unsigned long req, void *arg);
#define ioctl fake_ioctl
#include "vfio/iommufd.c"
#undef ioctl

#define KERNEL_FD 42
#define ENTRIES	  200

/* The kernel: what it saw last, and what it will say. */
static struct {
	int fd;
	unsigned long req;
	unsigned int calls;
	union {
		u32 size;
		struct iommufd_destroy destroy;
		struct iommufd_ioas_alloc ioas;
		struct iommufd_ioas_map map;
		struct iommufd_ioas_unmap unmap;
		struct iommufd_hwpt_alloc hwpt;
		struct iommufd_hw_info info;
		struct iommufd_invalidate inv;
		u8 raw[64];
	} arg;
	struct iommufd_vtd_s1 s1;
	struct iommufd_vtd_inv entry[ENTRIES]; /* all that were done, over several calls */
	unsigned int done;
	/* answers */
	int err, interrupts;
	u32 id, type;
	u8 pasid_log2;
	unsigned int bad; /* the entry that is refused */
	bool refuse_early, lazy;
} k;

static void reset_kernel(void)
{
	memset(&k, 0, sizeof(k));
	k.id = 7;
	k.bad = ENTRIES;
}

static int do_invalidate(struct iommufd_invalidate *inv)
{
	const struct iommufd_vtd_inv *e = (const void *)(uintptr_t)inv->data_uptr;
	u32 i;

	if (k.refuse_early)
		return k.err; /* entry_num untouched */
	for (i = 0; i < inv->entry_num && k.done != k.bad; i++)
		k.entry[k.done++] = e[i];
	if (i == inv->entry_num)
		return 0;
	inv->entry_num = i;
	return k.lazy ? 0 : k.err;
}

static int fake_ioctl(int fd, unsigned long req, void *arg)
{
	int err = k.err;

	k.fd = fd;
	k.req = req;
	k.calls++;
	memset(&k.arg, 0, sizeof(k.arg));
	memcpy(&k.arg, arg, *(u32 *)arg);
	if (k.interrupts) {
		k.interrupts--;
		errno = EINTR;
		return -1;
	}
	if (req == IOMMUFD_HWPT_INVALIDATE)
		err = do_invalidate(arg);
	if (req == IOMMUFD_HWPT_ALLOC && k.arg.hwpt.data_len == sizeof(k.s1))
		memcpy(&k.s1, (void *)(uintptr_t)k.arg.hwpt.data_uptr, sizeof(k.s1));
	if (req == IOMMUFD_GET_HW_INFO && !err) {
		struct iommufd_hw_info *info = arg;
		struct iommufd_hw_info_vtd vtd = { .flags = 1,
						   .cap_reg = 0x1234,
						   .ecap_reg = 0x5678 };

		memcpy((void *)(uintptr_t)info->data_uptr, &vtd, MIN(sizeof(vtd), info->data_len));
		info->out_data_type = k.type;
		info->out_max_pasid_log2 = k.pasid_log2;
	}
	if (err) {
		errno = -err;
		return -1;
	}
	if (req == IOMMUFD_IOAS_ALLOC)
		((struct iommufd_ioas_alloc *)arg)->out_ioas_id = k.id;
	if (req == IOMMUFD_HWPT_ALLOC)
		((struct iommufd_hwpt_alloc *)arg)->out_hwpt_id = k.id;
	return 0;
}

static void test_numbers(void)
{
	/* include/uapi/linux/iommufd.h: type ';', no direction and no size in the number. */
	eq(IOMMUFD_DESTROY, 0x3b80, "DESTROY's number");
	eq(IOMMUFD_HWPT_ALLOC, 0x3b89, "HWPT_ALLOC's number");
	eq(IOMMUFD_HWPT_INVALIDATE, 0x3b8d, "HWPT_INVALIDATE's number");
	eq(VFIO_CDEV_BIND, 0x3b76, "BIND_IOMMUFD's number");
	eq(VFIO_CDEV_DETACH, 0x3b78, "DETACH_IOMMUFD_PT's number");
	eq(offsetof(struct iommufd_hwpt_alloc, data_uptr), 32, "HWPT_ALLOC data_uptr's place");
	eq(offsetof(struct iommufd_hw_info, out_max_pasid_log2), 28, "max_pasid_log2's place");
	eq(offsetof(struct iommufd_invalidate, entry_num), 24, "entry_num's place");
}

static void test_ioas(void)
{
	u32 id = 99;

	reset_kernel();
	eq(iommufd__ioas_alloc(KERNEL_FD, &id), 0, "an IOAS is allocated");
	eq(id, 7, "and its id handed on");
	eq(k.arg.size, 12, "IOAS_ALLOC's size");
	eq(k.fd, KERNEL_FD, "on the descriptor given");

	k.err = -ENOMEM;
	id = 99;
	ok(iommufd__ioas_alloc(KERNEL_FD, &id) == -ENOMEM, "its failure is an errno");
	eq(id, 99, "and leaves the id alone");

	reset_kernel();
	eq(iommufd__ioas_map(KERNEL_FD, 7, 0x100000000, 0x200000, (void *)0x7000000), 0, "map");
	eq(k.req, IOMMUFD_IOAS_MAP, "is IOAS_MAP");
	eq(k.arg.size, 40, "IOAS_MAP's size");
	eq(k.arg.map.flags, 7, "fixed, readable, writeable");
	eq(k.arg.map.ioas_id, 7, "map: IOAS");
	eq(k.arg.map.iova, 0x100000000, "map: IOVA");
	eq(k.arg.map.length, 0x200000, "map: length");
	eq(k.arg.map.user_va, 0x7000000, "map: address");

	eq(iommufd__ioas_unmap(KERNEL_FD, 7, 0x1000, 0x2000), 0, "unmap");
	eq(k.arg.unmap.iova, 0x1000, "unmap: IOVA");
	eq(k.arg.unmap.length, 0x2000, "unmap: length");

	eq(iommufd__destroy(KERNEL_FD, 5), 0, "destroy");
	eq(k.arg.destroy.id, 5, "destroys what it was told to");
	k.err = -EBUSY;
	ok(iommufd__destroy(KERNEL_FD, 5) == -EBUSY, "an object in use is not destroyed");
}

static void test_eintr(void)
{
	reset_kernel();
	k.interrupts = 3;
	eq(iommufd__ioas_map(KERNEL_FD, 7, 0, 0x1000, NULL), 0, "a signal does not fail a call");
	eq(k.calls, 4, "it is made again");
}

static void test_hwpt(void)
{
	struct host_s1 s1 = { .pgtbl = 0xabc000, .width = 57, .sre = true, .wpe = true };
	u32 id = 99;

	reset_kernel();
	eq(iommufd__hwpt_parent(KERNEL_FD, 3, 7, true, &id), 0, "a parent with PASIDs");
	eq(k.arg.size, 48, "HWPT_ALLOC's size");
	eq(k.arg.hwpt.flags, 1 | 8, "is NEST_PARENT and ALLOC_PASID");
	eq(k.arg.hwpt.dev_id, 3, "for the device");
	eq(k.arg.hwpt.pt_id, 7, "over the IOAS");
	eq(k.arg.hwpt.data_type, 0, "without data");
	eq(id, 7, "and its id handed on");
	eq(iommufd__hwpt_parent(KERNEL_FD, 3, 7, false, &id), 0, "a parent without PASIDs");
	eq(k.arg.hwpt.flags, 1, "is NEST_PARENT");

	eq(iommufd__hwpt_s1(KERNEL_FD, 3, 11, &s1, true, &id), 0, "a nested table");
	eq(k.arg.hwpt.flags, 8, "is ALLOC_PASID only");
	eq(k.arg.hwpt.pt_id, 11, "over the parent");
	eq(k.arg.hwpt.data_type, 1, "of type VTD_S1");
	eq(k.arg.hwpt.data_len, 24, "with 24 bytes");
	eq(k.s1.flags, 1 | 4, "SRE and WPE");
	eq(k.s1.pgtbl_addr, 0xabc000, "its table");
	eq(k.s1.addr_width, 57, "its width");
	eq(k.s1.reserved, 0, "and nothing more");
	s1 = (struct host_s1){ .width = 48, .eafe = true };
	eq(iommufd__hwpt_s1(KERNEL_FD, 3, 11, &s1, false, &id), 0, "another");
	eq(k.s1.flags, 2, "EAFE alone");
	eq(k.arg.hwpt.flags, 0, "without PASIDs");

	k.err = -EOPNOTSUPP;
	id = 99;
	ok(iommufd__hwpt_s1(KERNEL_FD, 3, 11, &s1, true, &id) == -EOPNOTSUPP, "a refusal");
	eq(id, 99, "leaves the id alone");
	reset_kernel();
	k.id = 0;
	ok(iommufd__hwpt_parent(KERNEL_FD, 3, 7, false, &id) < 0, "id 0 is not accepted");
	eq(id, 99, "nor stored");
}

static void test_hw_info(void)
{
	struct host_iommu_info info;

	reset_kernel();
	k.type = 1;
	k.pasid_log2 = 20;
	eq(iommufd__hw_info(KERNEL_FD, 3, &info), 0, "a VT-d is asked");
	eq(k.arg.size, 40, "GET_HW_INFO's size");
	eq(k.arg.info.data_len, 24, "with room for 24 bytes");
	eq(k.arg.info.flags, 0, "without flags");
	ok(info.vtd, "it is a VT-d");
	eq(info.cap, 0x1234, "its CAP");
	eq(info.ecap, 0x5678, "its ECAP");
	eq(info.errata, 1, "its errata");
	eq(info.max_pasid_log2, 20, "the device's PASIDs");

	k.type = 2;
	eq(iommufd__hw_info(KERNEL_FD, 3, &info), 0, "another IOMMU is asked");
	ok(!info.vtd && !info.cap && !info.ecap && !info.errata,
	   "its data is not taken for VT-d's");
	k.err = -EOPNOTSUPP;
	ok(iommufd__hw_info(KERNEL_FD, 3, &info) == -EOPNOTSUPP, "a refusal is an errno");
}

static void test_invalidate(void)
{
	struct host_inv inv[ENTRIES];
	u32 i, n;
	bool good = true;

	for (i = 0; i < ENTRIES; i++)
		inv[i] = (struct host_inv){ .addr = i * 0x1000, .npages = i + 1, .leaf = i & 1 };
	reset_kernel();
	n = 2;
	eq(iommufd__invalidate(KERNEL_FD, 9, inv, &n), 0, "two ranges");
	eq(n, 2, "are done");
	eq(k.calls, 1, "by one call");
	eq(k.arg.size, 32, "HWPT_INVALIDATE's size");
	eq(k.arg.inv.hwpt_id, 9, "for the HWPT");
	eq(k.arg.inv.data_type, 0, "of type VTD_S1");
	eq(k.arg.inv.entry_len, 24, "of 24 bytes each");
	eq(k.arg.inv.entry_num, 2, "and two of them");
	eq(k.entry[1].flags, 1, "LEAF where asked for");
	eq(k.entry[0].flags, 0, "and not elsewhere");

	reset_kernel();
	n = ENTRIES;
	eq(iommufd__invalidate(KERNEL_FD, 9, inv, &n), 0, "many ranges");
	eq(n, ENTRIES, "are all done");
	for (i = 0; i < ENTRIES; i++)
		good &= k.entry[i].addr == inv[i].addr && k.entry[i].npages == inv[i].npages;
	ok(good, "in order");

	reset_kernel();
	k.bad = 70;
	k.err = -EINVAL;
	n = ENTRIES;
	ok(iommufd__invalidate(KERNEL_FD, 9, inv, &n) == -EINVAL, "a bad range stops it");
	eq(n, 70, "and the ones before are counted, across calls");

	reset_kernel();
	k.refuse_early = true;
	k.err = -ENOENT;
	n = 3;
	ok(iommufd__invalidate(KERNEL_FD, 9, inv, &n) == -ENOENT, "an unknown HWPT");
	eq(n, 0, "has nothing done, whatever entry_num still says");

	reset_kernel();
	k.bad = 1;
	k.lazy = true;
	n = 3;
	ok(iommufd__invalidate(KERNEL_FD, 9, inv, &n) < 0, "success with less than all is none");
	eq(n, 1, "and counts what was done");

	reset_kernel();
	n = 0;
	eq(iommufd__invalidate(KERNEL_FD, 9, inv, &n), 0, "nothing to do");
	eq(k.calls, 0, "asks nobody");

	reset_kernel();
	n = 1;
	inv[0] = (struct host_inv){ .addr = 0, .npages = ~0ULL };
	eq(iommufd__invalidate(KERNEL_FD, 9, inv, &n), 0, "everything");
	eq(k.entry[0].npages, ~0ULL, "is all ones for the kernel too");
}

static void test_open(void)
{
	int fd;

	iommufd__path = "/nonexistent/iommu";
	ok(iommufd__open() == -ENOENT, "no /dev/iommu: an errno");
	iommufd__path = "/dev/null";
	fd = iommufd__open();
	ok(fd >= 0, "a descriptor");
	ok(fcntl(fd, F_GETFD) & FD_CLOEXEC, "that no child inherits");
	close(fd);
}

int main(void)
{
	test_numbers();
	test_ioas();
	test_eintr();
	test_hwpt();
	test_hw_info();
	test_invalidate();
	test_open();
	return tap_done();
}
