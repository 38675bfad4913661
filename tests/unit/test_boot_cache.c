/* SPDX-License-Identifier: GPL-2.0-only */

/* Where unpacked kernels are kept: which are, whose the directory may be, and what is left alone. */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tap.h"
#include "x86/boot_cache.c"
#include "x86/boot_file.c"
#include "x86/mem.c"
#include "x86/owner.c"

#include "boot_fake.h"

#define KERNEL "a kernel, unpacked"

static char root[48], cache[80], own[96];
static const u8 zeros[512];
static unsigned int len = 1;

/* Keep @size bytes for a kernel that has not been there before; what boot_cache__keep() returns. */
static int keep(size_t size)
{
	struct boot_file f, out;
	int err;

	put(kernel, zeros, len++);
	if (boot_file__open(&f, kernel, "kernel"))
		exit(1);
	err = boot_cache__keep(&f, KERNEL, size, &out);
	if (!err)
		boot_file__close(&out);
	boot_file__close(&f);
	return err;
}

/* What is kept for the kernel as it is: its size, or a negative errno. */
static long long find(void)
{
	struct boot_file f, out;
	long long ret;

	if (boot_file__open(&f, kernel, "kernel"))
		exit(1);
	ret = boot_cache__find(&f, &out);
	if (!ret) {
		ret = out.size;
		boot_file__close(&out);
	}
	boot_file__close(&f);
	return ret;
}

/* How many files with content, or without, are in the directory. */
static unsigned int files(bool content)
{
	struct dirent *e;
	unsigned int n = 0;
	struct stat st;
	DIR *d = opendir(own);

	while (d && (e = readdir(d)))
		if (!fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) &&
		    S_ISREG(st.st_mode) && !st.st_size != content)
			n++;
	if (d)
		closedir(d);
	return n;
}

static void forget(void)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", cache);
	if (system(cmd))
		exit(1);
}

static void test_kept(void)
{
	struct stat st;
	int i;

	eq(keep(sizeof(KERNEL)), 0, "a kernel is kept");
	eq(find(), sizeof(KERNEL), "and found");
	ok(!stat(own, &st) && (st.st_mode & 07777) == 0700, "the directory is private");
	put(kernel, zeros, len++);
	eq(find(), (u64)-ENOENT, "but not for a file that has changed");
	for (i = 0; i < 2 * KEPT; i++)
		keep(sizeof(KERNEL));
	eq(files(true), KEPT, "so many are kept");
	eq(find(), sizeof(KERNEL), "the last is one of them");
	for (i = 0; i < NOTED + KEPT; i++)
		keep(0);
	ok(files(true) == KEPT && files(false) == NOTED,
	   "kernels that are booted once do not push them out, and are not noted for ever");
	forget();
}

/* The directory might be something else that has the same name. */
static void test_strangers(void)
{
	static const char *const names[] = { "Makefile", "README.md", "lkvm.c", "a-b",
					     "1-2-3-4.5" };
	char path[128];
	unsigned int i;

	keep(sizeof(KERNEL));
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", own, names[i]);
		put(path, zeros, 100);
	}
	for (i = 0; i < 2 * KEPT; i++)
		keep(sizeof(KERNEL));
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", own, names[i]);
		ok(!access(path, F_OK), "a file %s in the directory is left alone", names[i]);
	}
	forget();
}

static void refused(const char *what)
{
	ok(keep(sizeof(KERNEL)) == -ENOTSUP && find() == -ENOTSUP, "%s: nothing is kept", what);
	forget();
}

/* As under sudo, which may leave HOME as it was. */
static void test_foreign(void)
{
	char target[96];

	if (geteuid()) {
		ok(true, "root in another user's home # SKIP this is not root");
		return;
	}
	mkdir(cache, 0755);
	if (chown(cache, 1234, 1234))
		exit(1);
	setenv("XDG_CACHE_HOME", own, 1);
	ok(keep(sizeof(KERNEL)) == -ENOTSUP && access(own, F_OK),
	   "another user's home: nothing is left there");
	setenv("XDG_CACHE_HOME", cache, 1);
	refused("another user's directory");

	snprintf(target, sizeof(target), "%s/mine", root);
	mkdir(target, 0700);
	if (symlink(target, cache))
		exit(1);
	eq(keep(sizeof(KERNEL)), 0, "a link to one's own directory is followed");
	if (lchown(cache, 1234, 1234))
		exit(1);
	ok(keep(sizeof(KERNEL)) == -ENOTSUP && find() == -ENOTSUP, "but not another user's link");
	unlink(cache);
}

static void test_places(void)
{
	keep(0);
	chmod(own, 0770);
	refused("a directory that others can write to");
	if (mkdir(cache, 0700) || symlink("/tmp", own))
		exit(1);
	refused("a link");
	put(cache, zeros, 0);
	refused("no directory");
	test_foreign();
	unsetenv("XDG_CACHE_HOME");
	setenv("HOME", "relative", 1);
	refused("no place");
	setenv("HOME", root, 1);
	snprintf(own, sizeof(own), "%s/.cache/lkvm", root);
	ok(keep(sizeof(KERNEL)) == 0 && files(true) == 1, "below HOME");
}

int main(void)
{
	snprintf(root, sizeof(root), "/tmp/lkvm-test-cache-XXXXXX");
	if (!mkdtemp(root))
		exit(1);
	snprintf(cache, sizeof(cache), "%s/cache", root);
	snprintf(own, sizeof(own), "%s/lkvm", cache);
	snprintf(kernel, sizeof(kernel), "%s/kernel", root);
	setenv("XDG_CACHE_HOME", cache, 1);
	test_kept();
	test_strangers();
	test_places();
	snprintf(cache, sizeof(cache), "%s", root);
	forget();
	return tap_done();
}
