/* SPDX-License-Identifier: GPL-2.0-only */

/* The kernel that `lkvm run` takes when it is given none. */

#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>

#include "tap.h"
#include "x86/run_kernel.c"

static char dir[] = "/tmp/lkvm-run-XXXXXX";

/* Make @path, last changed at @time. */
static void make(const char *path, time_t time)
{
	struct timespec t[2] = { { .tv_sec = time }, { .tv_sec = time } };
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);

	if (fd < 0 || futimens(fd, t) < 0)
		ok(false, "cannot make %s", path);
	close(fd);
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
	mkdir("arch", 0700);
	mkdir("arch/x86", 0700);
	mkdir("arch/x86/boot", 0700);
	make("arch/x86/boot/bzImage", 3000);
	expect("arch/x86/boot/bzImage", "one just built in a kernel tree");
	make("bzImage", 3000);
	expect("./bzImage", "one as old, here");
	make("boot/vmlinuz-3", 4000);
	expect("boot/vmlinuz-3", "a newer one in /boot");
	if (snprintf(cmd, sizeof(cmd), "rm -rf %s", dir) < 0 || system(cmd) != 0)
		return 1;
	return tap_done();
}
