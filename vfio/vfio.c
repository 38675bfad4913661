/* SPDX-License-Identifier: GPL-2.0-only */

/* --vfio ADDR: which functions of the host this VM is given. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lkvm/iommu.h"
#include "lkvm/mem.h"
#include "lkvm/module.h"
#include "vfio/device.h"
#include "vfio/iommufd.h"

#define DEVICES_MAX 16

static char wanted[DEVICES_MAX][VFIO_ADDR_LEN];
static unsigned int nwanted, nopen;

/* Not freed at teardown: the vIOMMU, torn down later, may still want to detach them. */
static struct vfio_dev devices[DEVICES_MAX];
static struct vfio_iommu iommu = { .fd = -1, .kvm = -1 };

static int parse_vfio(const char *arg)
{
	char addr[VFIO_ADDR_LEN];
	unsigned int i;

	if (sysfs__parse_addr(arg, addr)) {
		pr_err("--vfio %s: not a PCI address; write it as 0000:3a:00.0 (see lspci -D)",
		       arg);
		return -EINVAL;
	}
	for (i = 0; i < nwanted; i++) {
		if (!strcmp(wanted[i], addr)) {
			pr_err("--vfio %s: given twice; a function can be assigned once", arg);
			return -EINVAL;
		}
	}
	if (nwanted == DEVICES_MAX) {
		pr_err("--vfio %s: lkvm assigns at most %d functions", arg, DEVICES_MAX);
		return -EINVAL;
	}
	memcpy(wanted[nwanted++], addr, sizeof(addr));
	mem__pin("--vfio");
	return 0;
}

/* 0, or a negative errno and a line that says what is wrong with /dev/iommu. */
static int try_iommufd(void)
{
	int fd = iommufd__open();

	if (fd >= 0) {
		close(fd);
		return 0;
	}
	pr_err("vfio: %s: %s; %s", iommufd__path, strerror(-fd),
	       fd == -EACCES || fd == -EPERM
		   ? "run as root or chown it to yourself"
		   : "modprobe iommufd, on a host with Linux 6.6 or later and its IOMMU on");
	return fd;
}

static int vfio_validate(void)
{
	struct host_iommu_info info;
	char path[PATH_MAX];
	const char *lacks;
	unsigned int i;
	int err;

	if (!nwanted)
		return 0;
	if (vtd__wanted() && !vtd__want_nested()) {
		pr_err("--vfio %s: --viommu=vtd translates in software, which an assigned device's "
		       "DMA does not pass; use --viommu=vtd-nested, or none",
		       wanted[0]);
		return -EINVAL;
	}
	for (i = 0; i < nwanted; i++) {
		err = sysfs__cdev(wanted[i], path);
		if (err)
			return err;
		/* The kernel's last word is in vfio_iommu__attach(); this one costs nothing. */
		sysfs__iommu_info(wanted[i], &info);
		lacks = vtd__want_nested() && info.vtd ? vtd__host_lacks(&info) : NULL;
		if (lacks) {
			vfio_iommu__say_lacks(wanted[i], lacks);
			return -EOPNOTSUPP;
		}
	}
	return try_iommufd();
}

static void vfio_teardown(struct vm *vm)
{
	while (nopen)
		vfio_dev__close(&devices[--nopen]);
	vfio_iommu__free(&iommu);
}

static int vfio_setup(struct vm *vm)
{
	int err;

	if (!nwanted)
		return 0;
	err = vfio_iommu__init(&iommu, vm);
	while (!err && nopen < nwanted) {
		err = vfio_dev__open(&devices[nopen], vm, &iommu, wanted[nopen]);
		if (!err)
			nopen++;
	}
	if (err)
		vfio_teardown(vm);
	return err;
}

static const struct option_def vfio_options[] = {
	{
	    .name = "vfio",
	    .arg = "ADDR",
	    .help = "assign the host's PCI function ADDR (bound to vfio-pci); repeatable",
	    .parse = parse_vfio,
	},
	{ .name = NULL },
};

static struct module vfio_module = {
	.name = "vfio",
	.level = MODULE_DEVICE,
	.options = vfio_options,
	.validate = vfio_validate,
	.setup = vfio_setup,
	.teardown = vfio_teardown,
};
LKVM_MODULE(vfio_module)
