/* SPDX-License-Identifier: GPL-2.0-only */

/* vfio/sysfs.c on a made-up /sys, and vfio/cdev.c on a made-up kernel. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/tap.h"
#include "tests/unit/vfio_fake.h"

static int fake_ioctl(int fd, unsigned long req, void *arg);
#define ioctl fake_ioctl
#include "vfio/cdev.c"
#undef ioctl
#include "vfio/sysfs.c"

/* --- the tree --- */

static char tree[] = "/tmp/lkvm-cdev-XXXXXX";
static char sys_root[64], dev_dir[64];

static void run(const char *fmt, ...)
{
	char cmd[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	if (system(cmd))
		printf("# failed: %s\n", cmd);
}

static void make_tree(void)
{
	if (!mkdtemp(tree))
		exit(1);
	snprintf(sys_root, sizeof(sys_root), "%s/sys", tree);
	snprintf(dev_dir, sizeof(dev_dir), "%s/dev", tree);
	pci_root = sys_root;
	dev_root = dev_dir;
	run("cd %s && mkdir -p dev drv/ixgbe drv/vfio-pci drv/mlx5_vfio_pci", tree);
	/* 03.0 is ready; 04.0 belongs to ixgbe; 05.0 to none; 06.0: an old kernel; 07.0: no node */
	run("cd %s && for i in 3 4 5 6 7 8; do mkdir -p sys/0000:00:0$i.0; done", tree);
	run("cd %s && mkdir -p sys/0000:00:03.0/vfio-dev/vfio7 sys/0000:00:07.0/vfio-dev/vfio8 "
	    "sys/0000:00:08.0/vfio-dev/vfio9 && touch dev/vfio7 dev/vfio9",
	    tree);
	run("cd %s/sys && ln -s ../../drv/vfio-pci 0000:00:03.0/driver && "
	    "ln -s ../../drv/ixgbe 0000:00:04.0/driver && "
	    "ln -s ../../drv/vfio-pci 0000:00:06.0/driver && "
	    "ln -s ../../drv/vfio-pci 0000:00:07.0/driver && "
	    "ln -s ../../drv/mlx5_vfio_pci 0000:00:08.0/driver",
	    tree);
	run("cd %s/sys && mkdir -p 0000:00:03.0/iommu/intel-iommu && "
	    "echo d2008c40660462 > 0000:00:03.0/iommu/intel-iommu/cap && "
	    "echo f050da > 0000:00:03.0/iommu/intel-iommu/ecap",
	    tree);
	run("cd %s/sys && mkdir -p 0000:00:04.0/iommu/intel-iommu && "
	    "echo garbage > 0000:00:04.0/iommu/intel-iommu/cap && "
	    "echo f050da > 0000:00:04.0/iommu/intel-iommu/ecap",
	    tree);
}

static void test_addr(void)
{
	static const char *const bad[] = {
		"",
		"3a:00",
		"3a:00.",
		"3a:00.8",
		"3a:20.0",
		"3a:0.0",
		"3:00.0",
		"003a:00.0",
		"0000:3a:00.0 ",
		" 0000:3a:00.0",
		"0000:3a:00.00",
		"0000:3a:00.0/..",
		"0000:3a:00:0",
		"000:3a:00.0",
		"000000000:3a:00.0",
		"g000:3a:00.0",
		"0x00:3a:00.0",
		"../../../x",
		"0000:0000:3a:00.0",
		"-1:00.0",
		"+1:00.0",
	};
	char addr[VFIO_ADDR_LEN];
	unsigned int i;

	eq(sysfs__parse_addr("0000:3A:1f.7", addr), 0, "a full address");
	ok(!strcmp(addr, "0000:3a:1f.7"), "comes back as the kernel writes it");
	eq(sysfs__parse_addr("3a:00.1", addr), 0, "a short address");
	ok(!strcmp(addr, "0000:3a:00.1"), "is in domain 0");
	eq(sysfs__parse_addr("10000:e1:00.0", addr), 0, "a five-digit domain");
	ok(!strcmp(addr, "10000:e1:00.0"), "is kept");
	eq(sysfs__parse_addr("ffffffff:ff:1f.7", addr), 0, "the largest address fits");
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		ok(sysfs__parse_addr(bad[i], addr) == -EINVAL, "'%s' is no address", bad[i]);
}

static void test_find(void)
{
	char path[PATH_MAX], want[128];

	fake_lines = 0;
	eq(sysfs__cdev("0000:00:03.0", path), 0, "a device that is ready");
	snprintf(want, sizeof(want), "%s/vfio7", dev_dir);
	ok(!strcmp(path, want), "has its node");
	eq(sysfs__cdev("0000:00:08.0", path), 0, "a variant driver serves as well");
	eq(fake_lines, 0, "and nothing is said");

	ok(sysfs__cdev("0000:00:1f.0", path) == -ENODEV, "no such function");
	ok(fake_has("no such PCI function"), "is said to be none");
	fake_lines = 0;
	ok(sysfs__cdev("0000:00:04.0", path) == -ENODEV, "another driver's device");
	ok(fake_has("bound to ixgbe"), "its driver is named");
	ok(fake_has("echo vfio-pci > ") && fake_has("driver_override") && fake_has("unbind") &&
	       fake_has("drivers_probe"),
	   "and how to bind it");
	eq(fake_lines, 1, "in one line");
	ok(!strchr(fake_said, '\n'), "really one");
	ok(sysfs__cdev("0000:00:05.0", path) == -ENODEV, "a device without a driver");
	ok(fake_has("no driver") && !fake_has("unbind"), "needs no unbinding");
	ok(sysfs__cdev("0000:00:06.0", path) == -ENODEV, "vfio-pci without character devices");
	ok(fake_has("CONFIG_VFIO_DEVICE_CDEV"), "wants another kernel");
	ok(sysfs__cdev("0000:00:07.0", path) == -ENODEV, "a device whose node is missing");
	ok(fake_has("/dev/vfio8"), "the node is named");
}

static void collect(const char *addr, void *arg)
{
	strcat(arg, addr);
	strcat(arg, " ");
}

static void collect_unit(const char *name, const struct host_iommu_info *info, void *arg)
{
	char text[64];

	snprintf(text, sizeof(text), "%s=%llx/%llx ", name, info->cap, info->ecap);
	strcat(arg, text);
}

static void test_units(void)
{
	char root[128], all[256] = "";

	snprintf(root, sizeof(root), "%s/iommu", tree);
	unit_root = root;
	sysfs__for_each_unit(collect_unit, all);
	ok(!all[0], "a host without IOMMU has no units");
	run("mkdir -p %s && cd %s && mkdir -p dmar1/intel-iommu dmar0/intel-iommu ivhd0/amd-iommu "
	    "&& "
	    "echo 12 > dmar0/intel-iommu/cap && echo a3 > dmar0/intel-iommu/ecap && "
	    "echo 4 > dmar1/intel-iommu/cap && echo 5 > dmar1/intel-iommu/ecap",
	    root, root);
	sysfs__for_each_unit(collect_unit, all);
	ok(!strcmp(all, "dmar0=12/a3 dmar1=4/5 "), "its VT-d units are listed, and no others");
}

static void test_info(void)
{
	struct host_iommu_info info;
	char all[256] = "";

	sysfs__iommu_info("0000:00:03.0", &info);
	ok(info.vtd, "a VT-d is found");
	eq(info.cap, 0xd2008c40660462, "its CAP");
	eq(info.ecap, 0xf050da, "its ECAP");
	sysfs__iommu_info("0000:00:04.0", &info);
	ok(!info.vtd && !info.cap && !info.ecap, "a file that is no number gives none");
	sysfs__iommu_info("0000:00:05.0", &info);
	ok(!info.vtd, "no IOMMU, no VT-d");
	sysfs__for_each(collect, all);
	ok(!strcmp(all, "0000:00:03.0 0000:00:07.0 0000:00:08.0 "), "all VFIO devices are listed");
	pci_root = "/nonexistent";
	all[0] = '\0';
	sysfs__for_each(collect, all);
	ok(!all[0], "a host without PCI has none");
	pci_root = sys_root;
}

/* --- the kernel --- */

static struct {
	unsigned long req;
	u8 arg[256];
	u32 argsz;
	int ret, err;
	/* GET_REGION_INFO: */
	struct vfio_region_info region;
	u8 caps[256];
	u32 caps_len, want_argsz;
	/* GET_INFO, GET_IRQ_INFO: */
	u32 flags, count;
} k;

static int fake_ioctl(int fd, unsigned long req, void *arg)
{
	k.req = req;
	k.argsz = arg ? *(u32 *)arg : 0;
	memset(k.arg, 0, sizeof(k.arg));
	if (arg)
		memcpy(k.arg, arg, MIN(k.argsz, sizeof(k.arg)));
	if (k.err) {
		errno = -k.err;
		return -1;
	}
	if (req == VFIO_CDEV_BIND)
		((struct vfio_cdev_bind *)arg)->out_devid = 5;
	if (req == VFIO_DEVICE_GET_INFO)
		((struct vfio_device_info *)arg)->flags = k.flags;
	if (req == VFIO_DEVICE_GET_IRQ_INFO) {
		((struct vfio_irq_info *)arg)->flags = k.flags;
		((struct vfio_irq_info *)arg)->count = k.count;
	}
	if (req == VFIO_DEVICE_GET_REGION_INFO) {
		struct vfio_region_info *info = arg;

		k.region.index = info->index;
		k.region.argsz = k.want_argsz ? k.want_argsz : sizeof(*info) + k.caps_len;
		if (k.argsz >= sizeof(*info) + k.caps_len)
			memcpy(info + 1, k.caps, k.caps_len);
		memcpy(info, &k.region, sizeof(*info));
	}
	return k.ret;
}

static void reset_kernel(void)
{
	memset(&k, 0, sizeof(k));
}

static void test_attach(void)
{
	const struct vfio_cdev_attach *at = (const void *)k.arg;
	const struct vfio_cdev_detach *det = (const void *)k.arg;
	const struct vfio_cdev_bind *bind = (const void *)k.arg;
	u32 id = 0;

	reset_kernel();
	eq(cdev__bind(3, 9, &id), 0, "bind");
	eq(id, 5, "gives the device's id");
	eq(k.argsz, 16, "BIND's size is the oldest one");
	eq(bind->iommufd, 9, "to the iommufd");
	eq(cdev__attach(3, HOST_RID, 11), 0, "attach the device");
	eq(k.argsz, 16, "ATTACH's size");
	eq(at->flags, 0, "without PASID");
	eq(at->pt_id, 11, "to a page table");
	eq(cdev__attach(3, 0, 11), 0, "attach PASID 0");
	eq(at->flags, 1, "is with PASID");
	eq(cdev__attach(3, 0xfffff, 12), 0, "attach a PASID");
	eq(at->pasid, 0xfffff, "that one");
	eq(cdev__detach(3, HOST_RID), 0, "detach the device");
	eq(k.argsz, 12, "DETACH's size");
	eq(det->flags, 0, "without PASID");
	eq(cdev__detach(3, 77), 0, "detach a PASID");
	eq(det->flags, 1, "is with PASID");
	eq(det->pasid, 77, "that one");
	k.err = -EBUSY;
	ok(cdev__attach(3, HOST_RID, 11) == -EBUSY, "a refusal is an errno");
	id = 0;
	ok(cdev__bind(3, 9, &id) == -EBUSY && !id, "of binding too");
}

static void add_sparse(u32 claimed, const struct vfio_area *area, u32 n)
{
	struct vfio_region_info_cap_sparse_mmap *cap = (void *)k.caps;
	u32 i;

	cap->header.id = VFIO_REGION_INFO_CAP_SPARSE_MMAP;
	cap->header.version = 1;
	cap->nr_areas = claimed;
	for (i = 0; i < n; i++) {
		cap->areas[i].offset = area[i].off;
		cap->areas[i].size = area[i].size;
	}
	k.caps_len = sizeof(*cap) + n * sizeof(cap->areas[0]);
	k.region.flags |= VFIO_REGION_INFO_FLAG_CAPS;
	k.region.cap_offset = sizeof(struct vfio_region_info);
}

static void test_region(void)
{
	static const struct vfio_area two[] = { { 0, 0x2000 }, { 0x4000, 0x4000 } };
	struct vfio_info_cap_header *hdr = (void *)k.caps;
	struct vfio_region r;

	reset_kernel();
	k.region.size = 0x8000;
	k.region.offset = 2ULL << 40;
	k.region.flags =
	    VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE | VFIO_REGION_INFO_FLAG_MMAP;
	eq(cdev__region(3, 2, &r), 0, "a region");
	ok(r.size == 0x8000 && r.off == 2ULL << 40 && r.read && r.write && r.mmap && !r.nsparse,
	   "is mappable all over");

	add_sparse(2, two, 2);
	eq(cdev__region(3, 2, &r), 0, "a region with areas");
	eq(k.argsz, sizeof(k.region) + k.caps_len, "is asked for with the room it needs");
	eq(r.nsparse, 2, "has both");
	ok(r.sparse[1].off == 0x4000 && r.sparse[1].size == 0x4000, "as the kernel said");

	add_sparse(1000, two, 2);
	eq(cdev__region(3, 2, &r), 0, "more areas claimed than there are");
	eq(r.nsparse, 2, "are not read");

	add_sparse(0, two, 0);
	eq(cdev__region(3, 2, &r), 0, "an empty list of areas");
	ok(!r.mmap, "means that nothing can be mapped");

	reset_kernel();
	k.region.flags = VFIO_REGION_INFO_FLAG_MMAP | VFIO_REGION_INFO_FLAG_CAPS;
	k.region.cap_offset = sizeof(k.region);
	k.caps_len = sizeof(*hdr);
	hdr->id = VFIO_REGION_INFO_CAP_MSIX_MAPPABLE;
	hdr->next = sizeof(k.region);
	eq(cdev__region(3, 2, &r), 0, "a capability list that loops ends");
	ok(r.mmap && !r.nsparse, "and others than areas change nothing");
	k.region.cap_offset = 0xffff0000;
	eq(cdev__region(3, 2, &r), 0, "a list outside the answer is not followed");
	k.want_argsz = 0x7fffffff;
	ok(cdev__region(3, 2, &r) == -E2BIG, "nor is endless memory given");
	k.err = -EINVAL;
	ok(cdev__region(3, 2, &r) == -EINVAL, "no such region");
}

static void test_irqs(void)
{
	const struct vfio_irq_set *set = (const void *)k.arg;
	int fds[3] = { 10, 11, 12 };
	u32 count = 0;

	reset_kernel();
	eq(cdev__set_irqs(3, VFIO_PCI_MSIX_IRQ_INDEX, fds, 3), 0, "three vectors");
	eq(k.argsz, sizeof(*set) + 12, "SET_IRQS's size");
	eq(set->flags, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, "by eventfd");
	ok(set->index == 2 && set->start == 0 && set->count == 3, "from the first");
	ok(!memcmp(set->data, fds, sizeof(fds)), "these");
	eq(cdev__set_irqs(3, VFIO_PCI_MSIX_IRQ_INDEX, NULL, 0), 0, "none");
	eq(k.argsz, sizeof(*set), "needs no data");
	eq(set->flags, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER, "and disables");
	k.ret = 2;
	eq(cdev__set_irqs(3, VFIO_PCI_MSIX_IRQ_INDEX, fds, 3), 2, "what the host has is told");

	reset_kernel();
	k.count = 5;
	k.flags = VFIO_IRQ_INFO_EVENTFD;
	eq(cdev__irq_count(3, 2, &count), 0, "a count");
	eq(count, 5, "of vectors");
	k.flags = 0;
	eq(cdev__irq_count(3, 2, &count), 0, "without eventfds");
	eq(count, 0, "there are none to use");
}

static void test_device(void)
{
	bool reset = false;

	reset_kernel();
	k.flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
	eq(cdev__info(3, &reset), 0, "a PCI device");
	ok(reset, "that can be reset");
	k.flags = VFIO_DEVICE_FLAGS_PCI;
	eq(cdev__info(3, &reset), 0, "another");
	ok(!reset, "that cannot");
	k.flags = VFIO_DEVICE_FLAGS_PLATFORM;
	ok(cdev__info(3, &reset) == -ENODEV, "what is no PCI device is none for us");
	eq(cdev__reset(3), 0, "reset");
	eq(k.req, VFIO_DEVICE_RESET, "is RESET");
}

int main(void)
{
	make_tree();
	test_addr();
	test_find();
	test_info();
	test_units();
	test_attach();
	test_region();
	test_irqs();
	test_device();
	run("rm -rf %s", tree);
	return tap_done();
}
