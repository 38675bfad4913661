/* SPDX-License-Identifier: GPL-2.0-only */

/* The kernel of a `lkvm run` that names none: the newest of those that are usually meant. */

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "x86/run.h"

#define KERNEL_PREFIX "vmlinuz-"

struct newest {
	char *path; /* malloc()ed */
	struct timespec time;
};

/* Documentation/arch/x86/boot.rst: the setup header's magic. */
bool run__is_bzimage(const char *path)
{
	char magic[4];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool is = fd >= 0 && pread(fd, magic, sizeof(magic), 0x202) == sizeof(magic) &&
		  !memcmp(magic, "HdrS", sizeof(magic));

	if (fd >= 0)
		close(fd);
	return is;
}

static void consider(struct newest *best, const char *path)
{
	struct stat st;
	char *copy;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || !run__is_bzimage(path))
		return;
	/* Of equally old ones the first wins. */
	if (best->path &&
	    (st.st_mtim.tv_sec < best->time.tv_sec ||
	     (st.st_mtim.tv_sec == best->time.tv_sec && st.st_mtim.tv_nsec <= best->time.tv_nsec)))
		return;
	copy = strdup(path);
	if (!copy)
		return;
	free(best->path);
	*best = (struct newest){ .path = copy, .time = st.st_mtim };
}

char *run__default_kernel(const char *boot)
{
	struct newest best = { 0 };
	char path[512];
	struct utsname u;
	glob_t g;

	consider(&best, "./bzImage");
	consider(&best, "arch/x86/boot/bzImage");
	if (uname(&u) == 0) {
		snprintf(path, sizeof(path), "%s/" KERNEL_PREFIX "%s", boot, u.release);
		consider(&best, path);
	}
	snprintf(path, sizeof(path), "%s/" KERNEL_PREFIX "*", boot);
	if (glob(path, 0, NULL, &g) == 0) {
		for (size_t i = 0; i < g.gl_pathc; i++)
			consider(&best, g.gl_pathv[i]);
		globfree(&g);
	}
	return best.path;
}

char *run__default_initrd(const char *kernel)
{
	/* As Debian, Fedora and SUSE name them. */
	static const struct {
		const char *before, *after;
	} names[] = { { "initrd.img-", "" }, { "initramfs-", ".img" }, { "initrd-", "" } };
	const char *slash = strrchr(kernel, '/'), *base = slash ? slash + 1 : kernel;
	char *path;

	if (strncmp(base, KERNEL_PREFIX, strlen(KERNEL_PREFIX)))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (asprintf(&path, "%.*s%s%s%s", (int)(base - kernel), kernel, names[i].before,
			     base + strlen(KERNEL_PREFIX), names[i].after) < 0)
			return NULL;
		if (access(path, R_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}
