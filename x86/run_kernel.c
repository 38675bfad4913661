/* SPDX-License-Identifier: GPL-2.0-only */

/* The kernel of a `lkvm run` that names none: the newest of those that are usually meant. */

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "x86/run.h"

struct newest {
	char *path; /* malloc()ed */
	struct timespec time;
};

static void consider(struct newest *best, const char *path)
{
	struct stat st;
	char *copy;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode) || access(path, R_OK) < 0)
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
		snprintf(path, sizeof(path), "%s/vmlinuz-%s", boot, u.release);
		consider(&best, path);
	}
	snprintf(path, sizeof(path), "%s/vmlinuz-*", boot);
	if (glob(path, 0, NULL, &g) == 0) {
		for (size_t i = 0; i < g.gl_pathc; i++)
			consider(&best, g.gl_pathv[i]);
		globfree(&g);
	}
	return best.path;
}
