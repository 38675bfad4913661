/* SPDX-License-Identifier: GPL-2.0-only */

/* Talking to running machines through their control sockets. */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lkvm/cmd.h"
#include "lkvm/vm.h"
#include "x86/control.h"

#define NAME_SIZE    256
#define ASK_PATIENCE 5 /* seconds */

/*
 * Its lkvm was killed, or another is just taking its place: hence the lock, under which it is
 * looked at again.  Whoever has that may be stopped, so it is not waited for; the next to look will
 * remove the socket.
 */
static void remove_stale(int dirfd, const struct sockaddr_un *addr, const char *file)
{
	int fd;

	if (flock(dirfd, LOCK_EX | LOCK_NB) < 0)
		return;
	fd = control__connect(addr);
	if (fd >= 0)
		close(fd);
	if (fd == -ECONNREFUSED)
		unlinkat(dirfd, file, 0);
	flock(dirfd, LOCK_UN);
}

int control__for_each(void (*fn)(const char *name, int fd, void *arg), void *arg)
{
	char path[CONTROL_PATH];
	int n = 0, dirfd = control__open_dir(path, false);
	const struct dirent *e;
	DIR *dir;

	if (dirfd < 0)
		return dirfd == -ENOENT ? 0 : dirfd; /* nothing has run here */
	dir = fdopendir(dirfd);
	if (!dir) {
		pr_err("cannot read %s: %s", path, strerror(errno));
		close(dirfd);
		return -EIO;
	}
	while ((e = readdir(dir))) {
		size_t len = strlen(e->d_name), cut = strlen(CONTROL_SUFFIX);
		struct sockaddr_un addr;
		char name[NAME_SIZE];
		int fd;

		if (len <= cut || len - cut >= sizeof(name) ||
		    strcmp(e->d_name + len - cut, CONTROL_SUFFIX))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(len - cut), e->d_name);
		if (!control__is_name(name) || control__addr(path, name, &addr) < 0)
			continue; /* not ours */
		fd = control__connect(&addr);
		if (fd == -ECONNREFUSED)
			remove_stale(dirfd, &addr, e->d_name);
		if (fd < 0)
			continue;
		fn(name, fd, arg);
		close(fd);
		n++;
	}
	closedir(dir);
	return n;
}

static void keep_name(const char *name, int fd, void *arg)
{
	snprintf(arg, NAME_SIZE, "%s", name);
}

/* -ENOENT, with a printed line: one whose socket is in another directory may run all the same. */
static int no_machine(const char *name, const char *dir)
{
	pr_err("no machine %s%s has its socket in %s; %sif it was started with another "
	       "XDG_RUNTIME_DIR, or without, have it the same here",
	       name ? "named " : "of this user", name ? name : "", dir,
	       name ? "see lkvm list; " : "");
	return -ENOENT;
}

/* A connection to @name, or to the only machine there is; negative errno with a printed line. */
static int connect_to(const char *name)
{
	char only[NAME_SIZE], path[CONTROL_PATH];
	struct sockaddr_un addr;
	int n, fd, dirfd = control__open_dir(path, false);

	if (dirfd >= 0)
		close(dirfd);
	else if (dirfd != -ENOENT)
		return dirfd;
	if (!name) {
		n = control__for_each(keep_name, only);
		if (n < 0)
			return n;
		if (n == 0)
			return no_machine(NULL, path);
		if (n > 1) {
			pr_err("%d machines run; say which with --name (see lkvm list)", n);
			return -ENOENT;
		}
		name = only;
	}
	fd = control__addr(path, name, &addr);
	if (fd < 0)
		return fd;
	fd = control__connect(&addr);
	if (fd == -ENOENT || fd == -ECONNREFUSED)
		return no_machine(name, path);
	if (fd == -EAGAIN)
		pr_err("the machine %s takes no connections; its process has been stopped, perhaps",
		       name);
	else if (fd < 0)
		pr_err("cannot talk to the machine %s: %s", name, strerror(-fd));
	return fd;
}

static pid_t peer(int fd)
{
	struct ucred cred = { 0 };
	socklen_t len = sizeof(cred);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 ? 0 : cred.pid;
}

static int no_answer(int fd)
{
	if (errno == EAGAIN)
		pr_err("the machine does not answer; if its process %d was stopped: kill -CONT %d; "
		       "if nothing helps: kill -9 %d",
		       (int)peer(fd), (int)peer(fd), (int)peer(fd));
	else
		pr_err("the machine closed the connection without an answer; it has just ended, or "
		       "serves too many requests: try again");
	return VM_HOST;
}

/* The answer, to stdout, without its first line, which tells whether it is one. */
static int print_answer(int fd)
{
	FILE *f = fdopen(fd, "r");
	char buf[4096];
	size_t n;

	if (!f) {
		pr_err("cannot read the answer: %s", strerror(errno));
		close(fd);
		return VM_HOST;
	}
	errno = 0;
	if (!fgets(buf, sizeof(buf), f)) {
		no_answer(fd);
		fclose(f);
		return VM_HOST;
	}
	buf[strcspn(buf, "\n")] = 0;
	if (strcmp(buf, "ok")) {
		pr_err("%s", !strncmp(buf, "error: ", 7) ? buf + 7 : buf);
		fclose(f);
		return VM_HOST;
	}
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		fwrite(buf, 1, n, stdout);
	if (ferror(f))
		pr_err("the answer of the machine broke off: %s", strerror(errno));
	n = ferror(f);
	fclose(f);
	return n ? VM_HOST : 0;
}

int control__request(const char *name, const char *verb, const char *arg, int *pidfd)
{
	char line[CONTROL_LINE];
	int n = snprintf(line, sizeof(line), "%s%s%s\n", verb, arg ? " " : "", arg ? arg : "");
	int fd;

	if (pidfd)
		*pidfd = -1;
	if (n < 0 || n >= (int)sizeof(line) || strchr(line, '\n') != line + n - 1) {
		pr_err("the request \"%s\" is too long or not one line", verb);
		return VM_USAGE;
	}
	fd = connect_to(name);
	if (fd < 0)
		return VM_HOST;
	if (pidfd)
		/* Now, while it is there, so that the id is not another's. */
		*pidfd = (int)syscall(SYS_pidfd_open, peer(fd), 0);
	if (send(fd, line, (size_t)n, MSG_NOSIGNAL) != n) {
		pr_err("cannot send the request: %s", strerror(errno));
		close(fd);
		return VM_HOST;
	}
	return print_answer(fd);
}

bool control__ask(int fd, const char *verb, char *line, int size)
{
	struct timeval t = { .tv_sec = ASK_PATIENCE };
	FILE *f;
	bool good;
	int copy;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	if (send(fd, verb, strlen(verb), MSG_NOSIGNAL) < 0 || send(fd, "\n", 1, MSG_NOSIGNAL) < 0)
		return false;
	copy = dup(fd);
	if (copy < 0)
		return false;
	f = fdopen(copy, "r");
	if (!f) {
		close(copy);
		return false;
	}
	good = fgets(line, size, f) && !strcmp(line, "ok\n") && fgets(line, size, f);
	line[good ? strcspn(line, "\n") : 0] = 0;
	fclose(f);
	return good;
}

int control__option(const char *opt, int argc, char **argv, int *i, const char **value)
{
	size_t len = strlen(opt);

	if (!strncmp(argv[*i], opt, len) && argv[*i][len] == '=') {
		*value = argv[*i] + len + 1;
	} else if (strcmp(argv[*i], opt)) {
		return 0;
	} else if (*i + 1 < argc) {
		*value = argv[++*i];
	} else {
		pr_err("%s: %s needs a value", argv[0], opt);
		return -EINVAL;
	}
	return strcmp(opt, "--name") || control__check_name(*value) == 0 ? 1 : -EINVAL;
}
