/* SPDX-License-Identifier: GPL-2.0-only */

/* What `lkvm run` takes when it is given nothing: a kernel with its initrd, processors, RAM. */

#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>

#include "tap.h"
#include "x86/run_defaults.c"
#include "x86/run_kernel.c"

static char dir[] = "/tmp/lkvm-run-XXXXXX";

/* Make @path with @magic where a bzImage has its, last changed at @time. */
static void make_as(const char *path, time_t time, const char *magic)
{
	struct timespec t[2] = { { .tv_sec = time }, { .tv_sec = time } };
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);

	if (fd < 0 || pwrite(fd, magic, 4, 0x202) != 4 || futimens(fd, t) < 0)
		ok(false, "cannot make %s", path);
	close(fd);
}

static void make(const char *path, time_t time)
{
	make_as(path, time, "HdrS");
}

static void expect_initrd(const char *kernel, const char *want, const char *what)
{
	char *got = run__default_initrd(kernel);

	ok(want ? got && !strcmp(got, want) : !got, "%s", what);
	free(got);
}

static void test_initrd(void)
{
	expect_initrd("boot/vmlinuz-3", NULL, "a kernel without an initrd");
	make("boot/initrd.img-33", 1);
	expect_initrd("boot/vmlinuz-3", NULL, "one of another version is not taken");
	make("boot/initrd-3", 1);
	expect_initrd("boot/vmlinuz-3", "boot/initrd-3", "its initrd as SUSE names it");
	make("boot/initramfs-3.img", 1);
	expect_initrd("boot/vmlinuz-3", "boot/initramfs-3.img", "as Fedora does");
	make("boot/initrd.img-3", 1);
	expect_initrd("boot/vmlinuz-3", "boot/initrd.img-3", "as Debian does");
	expect_initrd("./bzImage", NULL, "a kernel just built has none");
}

static void test_sizes(void)
{
	cpu_set_t all, one;

	eq(run__default_ram(64 * GiB), GiB, "1 GiB of a big host");
	eq(run__default_ram(2 * GiB), GiB, "of one with 2 GiB");
	eq(run__default_ram(GiB + 4096), 512 * MiB, "half of a smaller one, in whole huge pages");
	eq(run__default_ram(64 * MiB), 64 * MiB, "not less than 64 MiB");
	eq(run__default_ram(0), 64 * MiB, "also where the size is not known");
	ok(run__host_ram() >= 64 * MiB, "this host's can be known");
	ok(sched_getaffinity(0, sizeof(all), &all) < 0 ||
	       run__default_cpus() == MIN((unsigned int)CPU_COUNT(&all), 255u),
	   "as many vCPUs as there are processors");
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	if (sched_setaffinity(0, sizeof(one), &one) == 0)
		eq(run__default_cpus(), 1, "that this process may use");
}

static void expect(const char *want, const char *what)
{
	char *got = run__default_kernel("boot");

	ok(want ? got && !strcmp(got, want) : !got, "%s", what);
	if (got)
		printf("# %s\n", got);
	free(got);
}

int main(void)
{
	char cmd[64];

	if (!mkdtemp(dir) || chdir(dir) < 0) {
		ok(false, "a temporary directory");
		return tap_done();
	}
	expect(NULL, "no kernel anywhere: none");
	mkdir("boot", 0700);
	expect(NULL, "an empty /boot: none");
	make("boot/vmlinuz-1", 1000);
	expect("boot/vmlinuz-1", "the only one in /boot");
	make("boot/vmlinuz-2", 2000);
	make("boot/vmlinuz-3", 1500);
	expect("boot/vmlinuz-2", "the newest in /boot");
	mkdir("boot/vmlinuz-4", 0700);
	expect("boot/vmlinuz-2", "a directory is no kernel");
	make_as("boot/vmlinuz-5", 5000, "MZzz");
	expect("boot/vmlinuz-2", "something else of that name is none");
	mkdir("arch", 0700);
	mkdir("arch/x86", 0700);
	mkdir("arch/x86/boot", 0700);
	make("arch/x86/boot/bzImage", 3000);
	expect("arch/x86/boot/bzImage", "one just built in a kernel tree");
	make("bzImage", 3000);
	expect("./bzImage", "one as old, here");
	make("boot/vmlinuz-3", 4000);
	expect("boot/vmlinuz-3", "a newer one in /boot");
	test_initrd();
	test_sizes();
	if (snprintf(cmd, sizeof(cmd), "rm -rf %s", dir) < 0 || system(cmd) != 0)
		return 1;
	return tap_done();
}
