/* SPDX-License-Identifier: GPL-2.0-only */

/* Where control sockets are, for both sides. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "x86/control.h"

#define NAME_MAX_LEN 64
#define NAME_CHARS   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
#define PATIENCE     30 /* seconds for a machine that does not answer; it may just be very slow */

bool control__is_name(const char *name)
{
	size_t len = strlen(name);

	return len && len <= NAME_MAX_LEN && strspn(name, NAME_CHARS) == len &&
	       !strchr(".-", name[0]);
}

int control__check_name(const char *name)
{
	if (control__is_name(name))
		return 0;
	pr_err("--name %s: use 1 to %d letters, digits and ._- (not . or - first)", name,
	       NAME_MAX_LEN);
	return -EINVAL;
}

int control__open_dir(char path[CONTROL_PATH], bool make)
{
	const char *run = getenv("XDG_RUNTIME_DIR");
	bool own = run && run[0] == '/';
	struct stat st;
	int fd, n = 0;

	if (own) {
		n = snprintf(path, CONTROL_PATH, "%s/lkvm", run);
		/* Under sudo or su it may be that of whoever they were. */
		own = n >= (int)CONTROL_PATH || !parent_is_foreign(path);
	}
	if (!own)
		n = snprintf(path, CONTROL_PATH, "/tmp/lkvm-%u", (unsigned int)geteuid());
	if (n < 0 || (size_t)n >= CONTROL_PATH) {
		pr_err("the path %s/lkvm is too long for a socket; set XDG_RUNTIME_DIR to a "
		       "shorter one",
		       run);
		return -ENAMETOOLONG;
	}
	if (make && mkdir(path, 0700) < 0 && errno != EEXIST) {
		int err = errno;

		pr_err("cannot make the directory %s: %s; set XDG_RUNTIME_DIR to a directory of "
		       "this user's, or unset it",
		       path, strerror(err));
		return -err;
	}
	/* /tmp is everybody's: only a directory, ours, and closed to others will do. */
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		int err = errno;

		if (err == ENOENT && !make)
			return -ENOENT;
		pr_err("cannot open the directory %s: %s; set XDG_RUNTIME_DIR to a directory of "
		       "this user's, or unset it",
		       path, strerror(err));
		if (fd >= 0)
			close(fd);
		return -err;
	}
	if (st.st_uid != geteuid() || (st.st_mode & 077)) {
		pr_err("%s is not private to this user (mode 0700); remove it or set "
		       "XDG_RUNTIME_DIR",
		       path);
		close(fd);
		return -EPERM;
	}
	return fd;
}

int control__addr(const char *dir, const char *name, struct sockaddr_un *addr)
{
	int n;

	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	n = snprintf(addr->sun_path, sizeof(addr->sun_path), "%s/%s" CONTROL_SUFFIX, dir, name);
	if (n < 0 || (size_t)n >= sizeof(addr->sun_path)) {
		pr_err("the socket path %s/%s" CONTROL_SUFFIX " is too long; use a shorter --name",
		       dir, name);
		return -ENAMETOOLONG;
	}
	return 0;
}

int control__connect(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval t = { .tv_sec = PATIENCE };
	int err;

	if (fd < 0)
		return -errno;
	/* A stopped process takes no connections, and answers none. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0)
		return fd;
	err = errno;
	close(fd);
	return -err;
}
