/* SPDX-License-Identifier: GPL-2.0-only */

/* The machine's control socket: whether its name is free, how it is made and taken away. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "x86/control.h"

static struct {
	struct sockaddr_un addr;
	int dirfd;
	dev_t dev; /* with ino: what was made there */
	ino_t ino;
} bound;

/* The socket's name in its directory. */
static const char *file(void)
{
	return strrchr(bound.addr.sun_path, '/') + 1;
}

/* -EADDRINUSE with a printed line if a machine of that name runs; -ECONNREFUSED if one has run. */
static int check_name(const char *name, const struct sockaddr_un *addr)
{
	int fd = control__connect(addr);

	/* One that takes no connections (-EAGAIN) is there all the same. */
	if (fd >= 0 || fd == -EAGAIN) {
		if (fd >= 0)
			close(fd);
		pr_err(
		    "a machine named %s is running; choose another --name, or lkvm stop --name %s",
		    name, name);
		return -EADDRINUSE;
	}
	return fd == -ECONNREFUSED ? fd : 0;
}

/* @err, with a printed line. */
static int cannot(const char *what, int err)
{
	bool in_the_way = err == EADDRINUSE || err == EISDIR;

	pr_err("cannot %s the control socket %s: %s; %s", what, bound.addr.sun_path, strerror(err),
	       in_the_way ? "remove it or choose another --name"
			  : "set XDG_RUNTIME_DIR to a directory that this user can write to");
	return -err;
}

static int make_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int ret;

	if (fd < 0) {
		ret = -errno;
		pr_err("no file descriptor for the control socket: %s; raise the limit on open "
		       "files (ulimit -n)",
		       strerror(-ret));
		return ret;
	}
	/*
	 * Linux makes the file with the mode that the socket has when it is bound.  While we are
	 * stuck, whoever asked and left keeps a place in the queue, and a full one would hide us
	 * from lkvm list.
	 */
	if (fchmod(fd, 0600) == 0 &&
	    bind(fd, (struct sockaddr *)&bound.addr, sizeof(bound.addr)) == 0 &&
	    listen(fd, SOMAXCONN) == 0)
		return fd;
	ret = cannot("make", errno);
	close(fd);
	return ret;
}

int control__listen(const char *name)
{
	char dir[CONTROL_PATH];
	struct stat st;
	int ret;

	bound.dirfd = control__open_dir(dir, true);
	if (bound.dirfd < 0)
		return bound.dirfd;
	/* Two that start at once must not remove each other's socket. */
	flock(bound.dirfd, LOCK_EX);
	ret = control__addr(dir, name, &bound.addr);
	if (ret == 0)
		ret = check_name(name, &bound.addr);
	if (ret == -ECONNREFUSED)
		ret = unlinkat(bound.dirfd, file(), 0) < 0 ? cannot("replace", errno) : 0;
	if (ret == 0)
		ret = make_socket();
	if (ret < 0) {
		close(bound.dirfd);
		return ret;
	}
	if (fstatat(bound.dirfd, file(), &st, AT_SYMLINK_NOFOLLOW) == 0) {
		bound.dev = st.st_dev;
		bound.ino = st.st_ino;
	}
	flock(bound.dirfd, LOCK_UN);
	return ret;
}

/*
 * Somebody may have removed ours, as logind does at the end of a session, and another machine may
 * have taken the name since.  The number is not used again while the socket is open.  That needs no
 * lock, whose holder may be stopped: nobody replaces a socket that is listened to.
 */
void control__unlisten(int fd)
{
	struct stat st;

	if (fstatat(bound.dirfd, file(), &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == bound.dev &&
	    st.st_ino == bound.ino)
		unlinkat(bound.dirfd, file(), 0);
	close(bound.dirfd);
	close(fd);
}

int control__check_free(const char *name)
{
	char dir[CONTROL_PATH];
	struct sockaddr_un addr;
	int ret, dirfd = control__open_dir(dir, false);

	if (dirfd < 0)
		return dirfd == -ENOENT ? 0 : dirfd;
	close(dirfd);
	ret = control__addr(dir, name, &addr);
	if (ret < 0)
		return ret;
	return check_name(name, &addr) == -EADDRINUSE ? -EADDRINUSE : 0;
}
