/* SPDX-License-Identifier: GPL-2.0-only */

/* `lkvm check`: iommufd, the host's VT-d units, locked memory, and the devices that can be assigned. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lkvm/check.h"
#include "lkvm/module.h"
#include "vfio/iommufd.h"
#include "vfio/sysfs.h"

static void check_unit(const char *name, const struct host_iommu_info *info, void *arg)
{
	const char *lacks = vtd__host_lacks(info);
	unsigned int *n = arg;

	(*n)++;
	if (lacks)
		printf("iommu %s: VT-d; not for --viommu=vtd-nested: it lacks %s\n", name, lacks);
	else
		printf("iommu %s: VT-d; it can nest (--viommu=vtd-nested, if the host runs it with "
		       "intel_iommu=on,sm_on)\n",
		       name);
}

static void check_units(void)
{
	unsigned int n = 0;

	sysfs__for_each_unit(check_unit, &n);
	if (!n)
		printf("iommu: no: no VT-d is in use; for --viommu=vtd-nested enable VT-d in the "
		       "firmware, and put intel_iommu=on,sm_on on the host's command line\n");
}

static void say_memlock(u64 limit, bool privileged)
{
	if (limit == RLIM_INFINITY || privileged)
		printf("locked memory: yes (no limit)\n");
	else
		printf(
		    "locked memory: %llu MiB: --vfio pins all of the guest's RAM; for more raise "
		    "the limit (ulimit -l, memlock in limits.conf), or run as root\n",
		    limit / MiB);
}

static void check_memlock(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_MEMLOCK, &r) == 0)
		say_memlock(r.rlim_max, geteuid() == 0);
}

static void check_device(const char *addr, void *arg)
{
	struct host_iommu_info info;
	const char *lacks;
	char path[PATH_MAX];
	unsigned int *n = arg;

	(*n)++;
	if (sysfs__cdev(addr, path))
		return;
	sysfs__iommu_info(addr, &info);
	lacks = vtd__host_lacks(&info);
	if (lacks)
		printf("vfio: %s (%s): can be assigned; not with --viommu=vtd-nested: the host "
		       "lacks %s\n",
		       addr, path, lacks);
	else
		printf("vfio: %s (%s): can be assigned, and nested (--viommu=vtd-nested)\n", addr,
		       path);
}

/* All of this is optional: a machine without any still runs guests. */
static bool check_vfio(void)
{
	unsigned int n = 0;

	check__node("iommufd", iommufd__path, "iommufd (Linux 6.6 or later, with its IOMMU on)",
		    "--vfio");
	check_units();
	check_memlock();
	sysfs__for_each(check_device, &n);
	if (!n)
		printf("vfio: no: no PCI function is bound to vfio-pci; for --vfio ADDR (see lspci "
		       "-D), as root: modprobe vfio-pci; echo vfio-pci > "
		       "/sys/bus/pci/devices/ADDR/driver_override; echo ADDR > "
		       "/sys/bus/pci/devices/ADDR/driver/unbind; echo ADDR > "
		       "/sys/bus/pci/drivers_probe\n");
	return true;
}

static struct module check_vfio_module = {
	.name = "vfio-check",
	.level = MODULE_DEVICE,
	.check = check_vfio,
};
LKVM_MODULE(check_vfio_module)
