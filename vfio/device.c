/* SPDX-License-Identifier: GPL-2.0-only */

/* One assigned function, from the character device to the guest's bus and back. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lkvm/vm.h"
#include "vfio/device.h"

/* FLR by the guest, or machine reset: the PCI root has done its part, this is the device's. */
static void device_reset(struct pci_func *f)
{
	static struct ratelimit rl;
	struct vfio_dev *d = f->priv;
	int err;

	vfio_irq__disarm(d);
	/* Bus mastering off first: the kernel saves the configuration and restores it. */
	vfio_config__sync(d);
	if (!d->can_reset)
		return;
	err = cdev__reset(d->fd);
	if (err)
		pr_guest(&rl, "%s: the host could not reset it: %s", d->name, strerror(-err));
	vfio_config__sync(d);
}

static const struct pci_func_ops func_ops = {
	.bar_access = vfio_bar__access,
	.bar_moved = vfio_bar__moved,
	.cfg_read = vfio_config__read,
	.cfg_written = vfio_config__written,
	.reset = device_reset,
};

static void init(struct vfio_dev *d, struct vm *vm, struct vfio_iommu *iommu, const char *addr)
{
	memset(d, 0, sizeof(*d));
	snprintf(d->addr, sizeof(d->addr), "%s", addr);
	snprintf(d->name, sizeof(d->name), "vfio %s", addr);
	d->vm = vm;
	d->iommu = iommu;
	d->fd = -1;
	d->notice[0].fd = -1;
	d->notice[1].fd = -1;
	d->pci.name = d->name;
	d->pci.ops = &func_ops;
	d->pci.priv = d;
}

/* Take the device from the host: from here on its DMA reaches nothing. */
static int take(struct vfio_dev *d)
{
	char path[PATH_MAX];
	int err;

	err = sysfs__cdev(d->addr, path);
	if (err)
		return err;
	d->fd = cdev__open(path);
	if (d->fd < 0) {
		err = d->fd;
		pr_err("%s: cannot open %s: %s; run as root or chown it to yourself", d->name, path,
		       strerror(-err));
		return err;
	}
	err = vfio_iommu__bind(d);
	if (err)
		return err;
	err = cdev__info(d->fd, &d->can_reset);
	if (err) {
		pr_err("%s: VFIO does not know it as a PCI device: %s", d->name, strerror(-err));
		return err;
	}
	/* Binding has reset it (vfio-pci does at every first open), if it can be. */
	if (!d->can_reset)
		pr_warn("%s: cannot be reset: this guest may see what its previous user left in it",
			d->name);
	return 0;
}

int vfio_dev__open(struct vfio_dev *d, struct vm *vm, struct vfio_iommu *iommu, const char *addr)
{
	int err;

	init(d, vm, iommu, addr);
	err = take(d);
	if (!err)
		err = vfio_iommu__attach(d);
	if (!err)
		err = vfio_config__init(d);
	if (!err)
		err = vfio_bar__init(d);
	if (!err)
		err = vfio_irq__init(d);
	if (!err)
		err = pci__add(vm->pci, &d->pci, -1);
	if (!err)
		err = vfio_iommu__publish(d);
	if (err) {
		vfio_dev__close(d);
		return err;
	}
	vfio_irq__watch(d);
	return 0;
}

void vfio_dev__close(struct vfio_dev *d)
{
	vfio_irq__free(d);
	pci__del(&d->pci);
	vfio_bar__free(d);
	/* The kernel detaches, resets and gives it back; its page tables go with the iommufd. */
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}
