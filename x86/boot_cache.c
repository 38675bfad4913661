/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * Unpacked kernels, kept from one run to the next in $XDG_CACHE_HOME/lkvm (~/.cache/lkvm), the last used ones.  The name of a
 * file says which kernel's it is, and changes when that does; one without content says that the kernel was booted.  A
 * file has its name only when it is complete and on its disk, so that neither a run that is killed nor a crash of the
 * host leaves half a kernel.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "x86/boot.h"

#define KEPT	 4
#define NOTED	 64 /* files without content */
#define NAME_LEN 160

/*
 * The directory if it is this user's and nobody else can write to it.  None is made in another user's, where HOME points to
 * under sudo.
 */
static int open_dir(void)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char path[PATH_MAX];
	struct stat st;
	int fd, n;

	if (cache && cache[0] == '/')
		n = snprintf(path, sizeof(path), "%s", cache);
	else if (home && home[0] == '/')
		n = snprintf(path, sizeof(path), "%s/.cache", home);
	else
		return -ENOENT;
	if (n < 0 || (size_t)n >= sizeof(path) - sizeof("/lkvm"))
		return -ENAMETOOLONG;
	if (!parent_is_foreign(path) && mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (lstat(path, &st) < 0 || st.st_uid != geteuid() || stat(path, &st) < 0 ||
	    st.st_uid != geteuid())
		return -EPERM;
	snprintf(path + n, sizeof(path) - n, "/lkvm");
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 022)) {
		close(fd);
		return -EPERM;
	}
	return fd;
}

static void name_of(const struct stat *st, char name[NAME_LEN])
{
	snprintf(name, NAME_LEN, "%llx-%llx-%llx-%llx.%lx-%llx.%lx", (u64)st->st_dev,
		 (u64)st->st_ino, (u64)st->st_size, (u64)st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
		 (u64)st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
}

/* Whether name_of() could have made @name; other files are somebody else's. */
static bool is_ours(const char *name)
{
	static const char between[] = "---.-.";

	for (unsigned int i = 0; i < sizeof(between); i++) {
		size_t n = strspn(name, "0123456789abcdef");

		if (!n || name[n] != between[i])
			return false;
		name += n + 1;
	}
	return true;
}

/* Whether @f is still what is called @name: who writes into a kernel's file may do so while it is unpacked. */
static bool is_still(const struct boot_file *f, const char *name)
{
	char now[NAME_LEN];
	struct stat st;

	if (fstat(f->fd, &st) < 0)
		return false;
	name_of(&st, now);
	return !strcmp(now, name);
}

/* The directory, and the @name in it of what is kept for @f; -ENOTSUP if nothing can be. */
static int open_for(const struct boot_file *f, char name[NAME_LEN])
{
	int dir = open_dir();

	name_of(&f->st, name);
	return dir < 0 ? -ENOTSUP : dir;
}

int boot_cache__find(const struct boot_file *f, struct boot_file *out)
{
	char name[NAME_LEN];
	struct stat st;
	int dir = open_for(f, name), err = 0;

	if (dir < 0)
		return dir;
	*out = (struct boot_file){ .path = f->path, .what = "unpacked kernel" };
	out->fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (out->fd < 0) {
		err = -errno;
	} else if (fstat(out->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		err = -ENOTSUP;
		boot_file__close(out);
	} else {
		out->size = st.st_size;
		futimens(out->fd, NULL); /* used now; if that cannot be said, it goes sooner */
	}
	close(dir);
	return err;
}

/* Of the files without content, or of the others, removes the one that was not used for longest if there are too many. */
static bool remove_one(int dir, bool empty)
{
	struct timespec since = { 0 };
	unsigned int n = 0;
	struct dirent *e;
	char oldest[sizeof(e->d_name)] = "";
	struct stat st;
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while ((e = readdir(d))) {
		if (!is_ours(e->d_name) || fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode) || !st.st_size != empty)
			continue;
		if (n++ &&
		    (st.st_mtim.tv_sec > since.tv_sec ||
		     (st.st_mtim.tv_sec == since.tv_sec && st.st_mtim.tv_nsec >= since.tv_nsec)))
			continue;
		snprintf(oldest, sizeof(oldest), "%s", e->d_name);
		since = st.st_mtim;
	}
	closedir(d);
	return n > (empty ? NOTED : KEPT) && unlinkat(dir, oldest, 0) == 0;
}

static int write_all(int fd, const u8 *p, u64 size)
{
	u64 done = 0;
	ssize_t n;

	while (done < size) {
		n = pwrite(fd, p + done, size - done, done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += n;
	}
	return fdatasync(fd) < 0 ? -errno : 0;
}

int boot_cache__keep(const struct boot_file *f, const void *data, u64 size, struct boot_file *out)
{
	char name[NAME_LEN], self[64];
	int dir = open_for(f, name), err;

	if (dir < 0)
		return dir;
	*out = (struct boot_file){ .path = f->path, .what = "unpacked kernel", .size = size };
	out->fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (out->fd < 0) {
		err = -errno;
		goto out_close;
	}
	err = write_all(out->fd, data, size);
	if (err) {
		boot_file__close(out);
		goto out_close;
	}
	snprintf(self, sizeof(self), "/proc/self/fd/%d", out->fd);
	/* Another run may be faster; and without a name, it is good for this run. */
	unlinkat(dir, name, 0);
	if (is_still(f, name) && linkat(AT_FDCWD, self, dir, name, AT_SYMLINK_FOLLOW) == 0)
		while (remove_one(dir, !size))
			;
out_close:
	close(dir);
	return err;
}
