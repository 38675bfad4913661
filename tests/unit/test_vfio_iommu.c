/* SPDX-License-Identifier: GPL-2.0-only */

/* vfio/iommu.c and vfio/irq.c: page tables, refusals and their wording, arming of interrupts. */

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/tap.h"
#include "tests/unit/vfio_fake.h"

static int fake_ioctl(int fd, unsigned long req, void *arg);
static int fake_getrlimit(int what, struct rlimit *lim);
static uid_t fake_geteuid(void);
static int fake_close(int fd);
#define geteuid	       fake_geteuid
#define ioctl	       fake_ioctl
#define getrlimit(...) fake_getrlimit(__VA_ARGS__)
#define close	       fake_close
#include "vfio/iommu.c"
#undef ioctl
#undef getrlimit
#undef geteuid
#undef close
#include "vfio/irq.c"

bool trace_on[TRACE_MAX];
const char *iommufd__path = "/dev/iommu";

/* The world around: what it was asked, and its answers. */
static struct {
	/* asked */
	unsigned int maps, parents, closes, set_irqs, intx_offs, added;
	bool last_pasid;
	u32 attached, attached_pasid, last_count, freed;
	u64 mapped;
	struct host_device host;
	void (*on_change)(struct pci_func *f);
	/* answers */
	int open, map, parent, parent_pasid, attach, bind, info_err, adopt;
	const char *lacks;
	u32 vectors_left, irq_count;
	struct host_iommu_info info;
	u64 limit, hard_limit;
	uid_t uid;
	bool nested, msix_on, kvm_refuses;
} w;

static struct vm vm;
static struct vfio_iommu iommu;
static struct vfio_dev dev;

static int fake_ioctl(int fd, unsigned long req, void *arg)
{
	if (req == KVM_CREATE_DEVICE)
		((struct kvm_create_device *)arg)->fd = 55;
	if (w.kvm_refuses) {
		errno = ENXIO;
		return -1;
	}
	return 0;
}

static int fake_getrlimit(int what, struct rlimit *lim)
{
	lim->rlim_cur = w.limit;
	return 0;
}

void raise_limit(int resource)
{
	if (resource == RLIMIT_MEMLOCK)
		w.limit = w.hard_limit;
}

static uid_t fake_geteuid(void)
{
	return w.uid;
}

static int fake_close(int fd)
{
	w.closes++;
	return 0;
}

const struct mem_region *mem__regions(const struct guest_mem *mem, unsigned int *n)
{
	static const struct mem_region ram[] = {
		{ .gpa = 0, .size = 3 * GiB, .hva = (void *)0x1000 },
		{ .gpa = 4 * GiB, .size = GiB, .hva = (void *)0x2000 },
	};

	*n = ARRAY_SIZE(ram);
	return ram;
}

int iommufd__open(void)
{
	return w.open;
}

int iommufd__destroy(int fd, u32 id)
{
	w.freed = id;
	return 0;
}

int iommufd__ioas_alloc(int fd, u32 *ioas)
{
	*ioas = 7;
	return 0;
}

int iommufd__ioas_map(int fd, u32 ioas, u64 iova, u64 len, void *va)
{
	w.maps++;
	w.mapped += len;
	return w.map;
}

int iommufd__hw_info(int fd, u32 id, struct host_iommu_info *info)
{
	*info = w.info;
	return w.info_err;
}

int iommufd__hwpt_parent(int fd, u32 id, u32 ioas, bool pasid, u32 *hwpt)
{
	int err = pasid ? w.parent_pasid : w.parent;

	w.parents++;
	w.last_pasid = pasid;
	if (!err)
		*hwpt = 21;
	return err;
}

int iommufd__hwpt_s1(int fd, u32 id, u32 parent, const struct host_s1 *s1, bool pasid, u32 *hwpt)
{
	*hwpt = parent + 1;
	w.last_pasid = pasid;
	return 0;
}

int iommufd__invalidate(int fd, u32 hwpt, const struct host_inv *inv, u32 *n)
{
	*n = 1;
	return -EINVAL;
}

void vfio_config__intx_off(struct vfio_dev *d)
{
	w.intx_offs++;
}

int cdev__bind(int fd, int iommufd, u32 *devid)
{
	*devid = 3;
	return w.bind;
}

int cdev__attach(int fd, u32 pasid, u32 pt)
{
	if (w.attach)
		return w.attach;
	w.attached = pt;
	w.attached_pasid = pasid;
	return 0;
}

int cdev__detach(int fd, u32 pasid)
{
	if (fd < 0)
		return -EBADF;
	w.attached = 0;
	w.attached_pasid = pasid;
	return 0;
}

int cdev__irq_count(int fd, u32 index, u32 *count)
{
	*count = w.irq_count;
	return 0;
}

int cdev__set_irqs(int fd, u32 index, const int *fds, u32 count)
{
	w.set_irqs++;
	w.last_count = count;
	if (count && (fds[0] != 100 || fds[count - 1] != 100 + (int)count - 1))
		return -EBADF;
	return count > w.vectors_left ? (w.vectors_left ? (int)w.vectors_left : -ENOSPC) : 0;
}

const char *vtd__host_lacks(const struct host_iommu_info *info)
{
	return w.lacks;
}

bool vtd__want_nested(void)
{
	return w.nested;
}

int vtd__add_device(struct vtd *vtd, u16 bdf, const struct host_device *host)
{
	w.added = bdf;
	w.host = *host;
	return 0;
}

int pci__adopt_msix(struct pci_func *f, u32 cap_off)
{
	return w.adopt;
}

void pci__msix_on_change(struct pci_func *f, void (*fn)(struct pci_func *f))
{
	w.on_change = fn;
}

int pci__msix_fd(const struct pci_func *f, unsigned int vec)
{
	return 100 + vec;
}

bool pci__msix_enabled(const struct pci_func *f)
{
	return w.msix_on;
}

struct loop_fd *loop__add(struct loop *loop, int fd, u32 events, loop_fn fn, void *arg)
{
	return NULL;
}

void loop__del(struct loop_fd *lfd)
{
}

void trace__emit(const char *event, const char *fmt, ...)
{
}

static void fresh(bool nested)
{
	memset(&w, 0, sizeof(w));
	w.open = 9;
	w.limit = w.hard_limit = RLIM_INFINITY;
	w.uid = 1000;
	w.nested = nested;
	w.vectors_left = w.irq_count = 2048;
	w.info = (struct host_iommu_info){ .vtd = true, .ecap = BIT(26), .max_pasid_log2 = 20 };
	iommu = (struct vfio_iommu){ .fd = -1, .kvm = -1 };
	memset(&dev, 0, sizeof(dev));
	strcpy(dev.addr, "0000:00:03.0");
	strcpy(dev.name, "vfio 0000:00:03.0");
	dev.fd = 33;
	dev.vm = &vm;
	dev.iommu = &iommu;
	dev.pci.priv = &dev;
	dev.pci.bdf = 0x18;
	fake_lines = 0;
}

static void test_identity(void)
{
	fresh(false);
	eq(vfio_iommu__init(&iommu, &vm), 0, "an address space");
	eq(w.maps, 2, "both regions of RAM are mapped");
	eq(w.mapped, 4 * GiB, "all of them");
	eq(vfio_iommu__bind(&dev), 0, "a device is bound");
	eq(vfio_iommu__attach(&dev), 0, "and attached");
	eq(w.attached, 7, "to the IOAS");
	eq(w.attached_pasid, HOST_RID, "as itself");
	eq(w.parents, 0, "without a parent");
	eq(vfio_iommu__publish(&dev), 0, "and no vIOMMU");
	eq(w.added, 0, "is told");
	eq(fake_lines, 0, "all in silence");
	vfio_iommu__free(&iommu);
	eq(w.closes, 2, "iommufd and KVM's device are closed");
	ok(iommu.fd == -1 && iommu.kvm == -1, "once");

	fresh(false);
	w.kvm_refuses = true;
	vfio_iommu__init(&iommu, &vm);
	eq(iommu.kvm, -1, "a KVM without VFIO");
	eq(vfio_iommu__bind(&dev), 0, "is no obstacle");
}

static void test_refusals(void)
{
	fresh(false);
	w.open = -EACCES;
	ok(vfio_iommu__init(&iommu, &vm) == -EACCES && fake_has("/dev/iommu"), "no iommufd");
	eq(iommu.fd, -1, "nothing is kept of it");

	fresh(false);
	w.map = -ENOMEM;
	w.limit = 4 * MiB;
	w.hard_limit = 8 * MiB;
	ok(vfio_iommu__init(&iommu, &vm) == -ENOMEM, "RAM that cannot be pinned");
	ok(fake_has("4096 MiB") && fake_has("(8 MiB)") && fake_has("ulimit -l"),
	   "is told with the limit, raised as far as it goes, and the remedy");
	w.uid = 0;
	ok(vfio_iommu__init(&iommu, &vm) == -ENOMEM && fake_has("out of memory"),
	   "root has no such limit");
	w.closes--;
	eq(w.closes, 1, "and iommufd is closed");

	fresh(false);
	vfio_iommu__init(&iommu, &vm);
	w.attach = -ENOMEM;
	w.limit = 8 * MiB;
	ok(vfio_iommu__attach(&dev) == -ENOMEM && fake_has("ulimit -l"),
	   "pinning at attach fails the same way");
	w.attach = -EADDRINUSE;
	ok(vfio_iommu__attach(&dev) == -EADDRINUSE && fake_has("reserved_regions"),
	   "reserved ranges are named");
	w.bind = -EBUSY;
	ok(vfio_iommu__bind(&dev) == -EBUSY && fake_has("/dev/vfio/GROUP"), "so is a group in use");
	w.bind = -EPERM;
	ok(vfio_iommu__bind(&dev) == -EPERM && fake_has("iommu_group/devices") &&
	       fake_has("interrupt remapping"),
	   "or one that is not all ours");
	w.bind = -EINVAL;
	ok(vfio_iommu__bind(&dev) == -EINVAL && fake_has("another process"), "or a device");

	fresh(true);
	vfio_iommu__init(&iommu, &vm);
	w.attach = -EINVAL;
	ok(vfio_iommu__attach(&dev) == -EINVAL && fake_has("one device of an IOMMU group"),
	   "a group has one page table");
}

static void test_nested(void)
{
	fresh(true);
	vfio_iommu__init(&iommu, &vm);
	w.lacks = "NEST";
	ok(vfio_iommu__attach(&dev) == -EOPNOTSUPP, "an IOMMU that cannot nest");
	ok(fake_has("vfio 0000:00:03.0: the host lacks NEST") && fake_lines == 1,
	   "is refused in one line with the missing bit");
	eq(w.parents, 0, "before anything is allocated");
	eq(w.attached, 0, "or attached");

	fresh(true);
	vfio_iommu__init(&iommu, &vm);
	eq(vfio_iommu__attach(&dev), 0, "one that can");
	ok(w.parents == 1 && w.last_pasid, "gives a parent with PASIDs");
	eq(w.attached, 21, "which the device is attached to");
	eq(vfio_iommu__publish(&dev), 0, "the vIOMMU is told");
	ok(w.added == 0x18 && w.host.parent == 21 && w.host.info.max_pasid_log2 == 20 &&
	       !strcmp(w.host.name, "0000:00:03.0"),
	   "who, which parent, and what the host can do");

	fresh(true);
	vfio_iommu__init(&iommu, &vm);
	w.parent_pasid = -EOPNOTSUPP;
	eq(vfio_iommu__attach(&dev), 0, "a kernel without PASIDs");
	ok(w.parents == 2 && !w.last_pasid && !dev.pasid, "gives a parent without");
	vfio_iommu__publish(&dev);
	eq(w.host.info.max_pasid_log2, 0, "and the vIOMMU learns that");

	fresh(true);
	vfio_iommu__init(&iommu, &vm);
	w.parent = w.parent_pasid = -EOPNOTSUPP;
	ok(vfio_iommu__attach(&dev) == -EOPNOTSUPP && fake_has("sm_on"),
	   "a kernel with scalable mode off is told how to switch it on");
	fresh(true);
	vfio_iommu__init(&iommu, &vm);
	w.parent_pasid = -ENOMEM;
	ok(vfio_iommu__attach(&dev) == -ENOMEM && w.parents == 1, "no second try without memory");
}

static void test_ops(void)
{
	const struct host_iommu_ops *ops;
	struct host_s1 s1 = { .width = 48 };
	struct host_inv inv[2] = { { 0 } };
	u32 hwpt = 0, n = 2;

	fresh(true);
	vfio_iommu__init(&iommu, &vm);
	vfio_iommu__attach(&dev);
	vfio_iommu__publish(&dev);
	ops = w.host.ops;
	eq(ops->alloc(w.host.dev, &s1, &hwpt), 0, "ops: alloc");
	eq(hwpt, 22, "is over the parent");
	ok(w.last_pasid, "and for PASIDs, as the parent is");
	eq(ops->attach(w.host.dev, 5, hwpt), 0, "ops: attach");
	ok(w.attached == 22 && w.attached_pasid == 5, "that PASID to it");
	eq(ops->detach(w.host.dev, 5), 0, "ops: detach");
	ok(ops->invalidate(w.host.dev, hwpt, inv, &n) == -EINVAL && n == 1,
	   "ops: invalidate tells how far it got");
	eq(ops->free(w.host.dev, hwpt), 0, "ops: free");
	eq(w.freed, 22, "that one");
	dev.fd = -1;
	vfio_iommu__free(&iommu);
	w.freed = 0;
	eq(ops->detach(w.host.dev, HOST_RID), 0, "after closing, nothing is attached");
	eq(ops->free(w.host.dev, 22), 0, "and nothing is left to free");
	eq(w.freed, 0, "or asked for");
}

static void test_irq(void)
{
	u16 flags = 31;

	fresh(false);
	eq(vfio_irq__init(&dev), 0, "a device without MSI-X");
	ok(fake_has("no interrupts"), "is told of");

	fresh(false);
	dev.msix_cap = 0x40;
	memcpy(dev.pci.cfg + 0x42, &flags, 2);
	eq(vfio_irq__init(&dev), 0, "a device with MSI-X");
	eq(dev.nvec, 32, "of 32 vectors");
	w.on_change(&dev.pci);
	eq(w.set_irqs, 0, "nothing happens while it is off");
	w.msix_on = true;
	w.on_change(&dev.pci);
	ok(w.last_count == 32 && dev.armed == 32, "enabling arms all");
	w.on_change(&dev.pci);
	eq(w.set_irqs, 1, "once: the function mask is no change");
	w.msix_on = false;
	w.on_change(&dev.pci);
	ok(w.set_irqs == 2 && w.last_count == 0 && !dev.armed, "disabling disarms");
	eq(w.intx_offs, 1, "and INTx stays off");

	w.vectors_left = 8;
	w.msix_on = true;
	w.on_change(&dev.pci);
	ok(dev.armed == 8 && fake_has("8 of 32"), "a host short of vectors gives what it has");
	vfio_irq__disarm(&dev);
	w.vectors_left = w.intx_offs = 0;
	w.on_change(&dev.pci);
	ok(!dev.armed && w.intx_offs == 1, "or none, and INTx stays off");
	w.set_irqs = 0;
	vfio_irq__disarm(&dev);
	eq(w.set_irqs, 0, "and then there is nothing to disarm");

	fresh(false);
	dev.msix_cap = 0x40;
	memcpy(dev.pci.cfg + 0x42, &flags, 2);
	w.irq_count = 16;
	ok(vfio_irq__init(&dev) < 0, "VFIO with fewer vectors than the capability is refused");
}

int main(void)
{
	test_identity();
	test_refusals();
	test_nested();
	test_ops();
	test_irq();
	return tap_done();
}
