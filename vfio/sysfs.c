/* SPDX-License-Identifier: GPL-2.0-only */

/* What /sys says about a PCI function and the driver it is bound to. */

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vfio/sysfs.h"

/* Roots, so that tests can bring their own trees. */
static const char *pci_root = "/sys/bus/pci/devices";
static const char *dev_root = "/dev/vfio/devices";
static const char *unit_root = "/sys/class/iommu";

/* Exactly @min to @max hexadecimal digits, then @end; where the text goes on, or NULL. */
static const char *hex_field(const char *s, int min, int max, char end, unsigned long *val)
{
	char *after;
	int n = 0;

	while (isxdigit((unsigned char)s[n]))
		n++;
	if (n < min || n > max || s[n] != end)
		return NULL;
	*val = strtoul(s, &after, 16);
	return end ? after + 1 : after;
}

int sysfs__parse_addr(const char *s, char out[VFIO_ADDR_LEN])
{
	unsigned long dom = 0, bus = 0, dev = 0, fn = 0;
	const char *p;

	/* Segments of VMD and the like have five digits. */
	p = hex_field(s, 4, 8, ':', &dom);
	if (p)
		s = p;
	s = hex_field(s, 2, 2, ':', &bus);
	if (s)
		s = hex_field(s, 2, 2, '.', &dev);
	if (s)
		s = hex_field(s, 1, 1, '\0', &fn);
	if (!s || dev > 0x1f || fn > 7)
		return -EINVAL;
	snprintf(out, VFIO_ADDR_LEN, "%04lx:%02lx:%02lx.%lx", dom, bus, dev, fn);
	return 0;
}

/* The name of the driver bound to @addr; empty if none. */
static void driver_name(const char *addr, char name[NAME_MAX + 1])
{
	char path[PATH_MAX], target[PATH_MAX], *base;
	ssize_t n;

	*name = '\0';
	snprintf(path, sizeof(path), "%s/%s/driver", pci_root, addr);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return;
	target[n] = '\0';
	base = strrchr(target, '/');
	snprintf(name, NAME_MAX + 1, "%.*s", NAME_MAX, base ? base + 1 : target);
}

/* The "vfioN" of @addr; -ENOENT if there is none. */
static int cdev_name(const char *addr, char name[NAME_MAX + 1])
{
	char path[PATH_MAX];
	struct dirent *e;
	int err = -ENOENT;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s/vfio-dev", pci_root, addr);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while ((e = readdir(dir))) {
		if (!strncmp(e->d_name, "vfio", 4) && isdigit((unsigned char)e->d_name[4])) {
			snprintf(name, NAME_MAX + 1, "%s", e->d_name);
			err = 0;
			break;
		}
	}
	closedir(dir);
	return err;
}

static void say_how_to_bind(const char *addr, const char *driver)
{
	char unbind[256] = "";

	if (*driver)
		snprintf(unbind, sizeof(unbind), "echo %s > %s/%s/driver/unbind; ", addr, pci_root,
			 addr);
	pr_err("vfio %s: %s%s, not to vfio-pci; as root: modprobe vfio-pci; "
	       "echo vfio-pci > %s/%s/driver_override; %secho %s > /sys/bus/pci/drivers_probe",
	       addr, *driver ? "bound to " : "bound to no driver", driver, pci_root, addr, unbind,
	       addr);
}

int sysfs__cdev(const char *addr, char path[PATH_MAX])
{
	char name[NAME_MAX + 1], driver[NAME_MAX + 1];
	int err;

	snprintf(path, PATH_MAX, "%s/%s", pci_root, addr);
	if (access(path, F_OK) < 0) {
		pr_err("vfio %s: this host has no such PCI function; lspci -D shows those it has",
		       addr);
		return -ENODEV;
	}
	/* Not by the driver's name: variant drivers (mlx5_vfio_pci, ...) serve just as well. */
	err = cdev_name(addr, name);
	if (err) {
		driver_name(addr, driver);
		if (strcmp(driver, "vfio-pci"))
			say_how_to_bind(addr, driver);
		else
			pr_err("vfio %s: bound to vfio-pci, but the host's kernel makes no device "
			       "node; it needs Linux 6.6 with CONFIG_VFIO_DEVICE_CDEV and "
			       "CONFIG_IOMMUFD",
			       addr);
		return -ENODEV;
	}
	snprintf(path, PATH_MAX, "%s/%s", dev_root, name);
	if (access(path, F_OK) < 0) {
		pr_err("vfio %s: %s: %s; udev or devtmpfs should have made it", addr, path,
		       strerror(errno));
		return -ENODEV;
	}
	if (access(path, R_OK | W_OK) < 0) {
		pr_err("vfio %s: %s: %s; run as root or chown it to yourself", addr, path,
		       strerror(errno));
		return -EACCES;
	}
	return 0;
}

static bool read_hex(const char *unit, const char *file, u64 *val)
{
	char path[PATH_MAX], text[32], *end;
	FILE *f;
	bool ok;

	snprintf(path, sizeof(path), "%s/intel-iommu/%s", unit, file);
	f = fopen(path, "re");
	if (!f)
		return false;
	ok = fgets(text, sizeof(text), f);
	fclose(f);
	if (!ok)
		return false;
	errno = 0;
	*val = strtoull(text, &end, 16);
	return !errno && end != text;
}

/* What the kernel shows of the unit whose directory is @unit. */
static void unit_info(const char *unit, struct host_iommu_info *info)
{
	u64 cap, ecap;

	*info = (struct host_iommu_info){ 0 };
	if (!read_hex(unit, "cap", &cap) || !read_hex(unit, "ecap", &ecap))
		return;
	info->vtd = true;
	info->cap = cap;
	info->ecap = ecap;
}

void sysfs__iommu_info(const char *addr, struct host_iommu_info *info)
{
	char unit[PATH_MAX];

	snprintf(unit, sizeof(unit), "%s/%s/iommu", pci_root, addr);
	unit_info(unit, info);
}

void sysfs__for_each_unit(void (*fn)(const char *name, const struct host_iommu_info *info,
				     void *arg),
			  void *arg)
{
	struct host_iommu_info info;
	struct dirent **list;
	char unit[PATH_MAX];
	int i, n;

	n = scandir(unit_root, &list, NULL, alphasort);
	for (i = 0; i < n; i++) {
		snprintf(unit, sizeof(unit), "%s/%s", unit_root, list[i]->d_name);
		unit_info(unit, &info);
		if (info.vtd)
			fn(list[i]->d_name, &info, arg);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
}

void sysfs__for_each(void (*fn)(const char *addr, void *arg), void *arg)
{
	char addr[VFIO_ADDR_LEN], name[NAME_MAX + 1];
	struct dirent **list;
	int i, n;

	n = scandir(pci_root, &list, NULL, alphasort);
	for (i = 0; i < n; i++) {
		if (!sysfs__parse_addr(list[i]->d_name, addr) && !cdev_name(addr, name))
			fn(addr, arg);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
}
