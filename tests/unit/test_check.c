/* SPDX-License-Identifier: GPL-2.0-only */

/* What `lkvm check` says of a host, on made-up hosts. */

#include <stdlib.h>
#include <sys/stat.h>

#include "tests/unit/tap.h"
#include "vfio/check.c"
#include "x86/check.c"

/* --- the host --- */

static char tree[] = "/tmp/lkvm-check-XXXXXX";
static unsigned int units, devices;
static const char *lacking;
static int cdev_error;
const char *iommufd__path;

void module__register(struct module *m)
{
}

const char *vtd__host_lacks(const struct host_iommu_info *info)
{
	return lacking;
}

void sysfs__for_each_unit(void (*fn)(const char *name, const struct host_iommu_info *info,
				     void *arg),
			  void *arg)
{
	static const char *const names[] = { "dmar0", "dmar1" };
	struct host_iommu_info info = { .vtd = true };

	for (unsigned int i = 0; i < units; i++)
		fn(names[i], &info, arg);
}

void sysfs__for_each(void (*fn)(const char *addr, void *arg), void *arg)
{
	for (unsigned int i = 0; i < devices; i++)
		fn("0000:3a:00.0", arg);
}

int sysfs__cdev(const char *addr, char path[PATH_MAX])
{
	strcpy(path, "/dev/vfio/devices/vfio0");
	return cdev_error;
}

void sysfs__iommu_info(const char *addr, struct host_iommu_info *info)
{
	*info = (struct host_iommu_info){ .vtd = true };
}

static void put(const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", tree, name);
	f = fopen(path, "w");
	if (!f || fprintf(f, "%s\n", text) < 0 || fclose(f))
		ok(false, "cannot write %s", path);
}

static void put_dir(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", tree, name);
	mkdir(path, 0700);
}

/* --- what is said --- */

static char *said;
static size_t said_len;
static FILE *real_stdout;

static void listen(void)
{
	free(said);
	real_stdout = stdout;
	stdout = open_memstream(&said, &said_len);
}

static void heard(void)
{
	fclose(stdout);
	stdout = real_stdout;
}

#define SAYS(call)                                                                                 \
	do {                                                                                       \
		listen();                                                                          \
		call;                                                                              \
		heard();                                                                           \
	} while (0)

static bool has(const char *text)
{
	if (strstr(said, text))
		return true;
	printf("# said: %s\n", said);
	return false;
}

static unsigned int lines(void)
{
	unsigned int n = 0;

	for (const char *p = said; *p; p++)
		n += *p == '\n';
	return n;
}

static void test_node(void)
{
	char path[256];
	bool there = false;

	put("node", "");
	snprintf(path, sizeof(path), "%s/node", tree);
	SAYS(there = check__node("thing", path, "thing_mod", "--thing"));
	ok(there && has("thing: yes (") && lines() == 1, "a node that opens is there");
	snprintf(path, sizeof(path), "%s/none", tree);
	SAYS(there = check__node("thing", path, "thing_mod", "--thing"));
	ok(!there && has("thing: no: ") && has("/none: No such file") &&
	       has("for --thing: modprobe thing_mod") && lines() == 1,
	   "one that is not there wants its module");
	SAYS(say_node("thing", "/dev/thing", EACCES, "thing_mod", "--thing"));
	ok(has("Permission denied; for --thing run as root") && !strstr(said, "modprobe"),
	   "one that may not be opened wants rights, not a module");
	SAYS(say_node("thing", "/dev/thing", ENODEV, "thing_mod", "--thing"));
	ok(has("modprobe thing_mod"), "one with nothing behind it wants the module");
}

static void test_transparent(void)
{
	SAYS(check_transparent());
	ok(has("no: the host's kernel has none") && has("--hugepages"), "a kernel without THP");
	put_dir("transparent_hugepage");
	put("transparent_hugepage/enabled", "always madvise [never]");
	SAYS(check_transparent());
	ok(has("no: switched off") && has("echo madvise > ") && lines() == 1,
	   "never: with what to do");
	put("transparent_hugepage/enabled", "always [madvise] never");
	SAYS(check_transparent());
	ok(has("transparent huge pages: yes (madvise)"), "madvise is enough");
	put("transparent_hugepage/enabled", "[always] madvise never");
	SAYS(check_transparent());
	ok(has("transparent huge pages: yes (always)"), "always as well");
}

static void put_huge(const char *all, const char *left, const char *promised)
{
	put("hugepages/hugepages-2048kB/nr_hugepages", all);
	put("hugepages/hugepages-2048kB/free_hugepages", left);
	put("hugepages/hugepages-2048kB/resv_hugepages", promised);
}

static void test_reserved(void)
{
	SAYS(check_reserved());
	ok(has("no: none are set aside") && has("vm.nr_hugepages"), "a kernel without hugetlb");
	put_dir("hugepages");
	put_dir("hugepages/hugepages-2048kB");
	put_huge("0", "0", "0");
	SAYS(check_reserved());
	ok(has("no: none are set aside"), "none reserved");
	put_huge("512", "512", "0");
	SAYS(check_reserved());
	ok(has("yes (1024 of 1024 MiB free)"), "all free");
	put_huge("512", "200", "50");
	SAYS(check_reserved());
	ok(has("yes (300 of 1024 MiB free)"), "what is promised to others is not free");
	put_huge("512", "50", "50");
	SAYS(check_reserved());
	ok(has("no: all are in use"), "none left");
}

static void test_vfio(void)
{
	bool good = false;

	iommufd__path = "/nonexistent/iommu";
	SAYS(good = check_vfio());
	ok(good, "no VFIO is no failure");
	ok(has("iommufd: no: ") && has("modprobe iommufd") && has("iommu: no: no VT-d") &&
	       has("intel_iommu=on,sm_on") && has("no PCI function is bound") &&
	       has("echo ADDR > /sys/bus/pci/drivers_probe"),
	   "each missing thing comes with how to get it");
	units = 2;
	lacking = "NEST";
	SAYS(check_units());
	ok(has("iommu dmar0: VT-d; not for --viommu=vtd-nested: it lacks NEST") &&
	       has("iommu dmar1: ") && lines() == 2,
	   "a line for each unit, with the capability it lacks");
	lacking = NULL;
	SAYS(check_units());
	ok(has("dmar1: VT-d; it can nest"), "one that lacks none can nest");
	devices = 1;
	SAYS(check_vfio());
	ok(has("vfio: 0000:3a:00.0 (/dev/vfio/devices/vfio0): can be assigned, and nested"),
	   "a device behind it");
	lacking = "first-stage translation";
	SAYS(check_vfio());
	ok(has("can be assigned; not with --viommu=vtd-nested: the host lacks first-stage"),
	   "one behind a unit that cannot nest");
	cdev_error = -ENODEV;
	SAYS(check_vfio());
	ok(!strstr(said, "vfio: 0000") && !strstr(said, "no PCI function"),
	   "of one that cannot be used the reason has been printed, and no more");
	SAYS(say_memlock(64 * MiB, false));
	ok(has("locked memory: 64 MiB: ") && has("ulimit -l"), "a limit, and how to raise it");
	SAYS(say_memlock(64 * MiB, true));
	ok(has("no limit"), "which does not bind root");
	SAYS(say_memlock(RLIM_INFINITY, false));
	ok(has("no limit"), "no limit");
}

int main(void)
{
	char cmd[64];

	if (!mkdtemp(tree)) {
		ok(false, "a temporary directory");
		return tap_done();
	}
	mm_root = tree;
	test_node();
	test_transparent();
	test_reserved();
	test_vfio();
	free(said);
	if (snprintf(cmd, sizeof(cmd), "rm -rf %s", tree) < 0 || system(cmd) != 0)
		return 1;
	return tap_done();
}
