/* SPDX-License-Identifier: GPL-2.0-only */

/* Talking to running machines through their control sockets, and `lkvm debug`. */

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

#define NAME_SIZE 256

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
	flock(dirfd, LOCK_EX);
	while ((e = readdir(dir))) {
		size_t len = strlen(e->d_name), cut = strlen(CONTROL_SUFFIX);
		struct sockaddr_un addr;
		char name[NAME_SIZE];
		int fd;

		if (len <= cut || len - cut >= sizeof(name) ||
		    strcmp(e->d_name + len - cut, CONTROL_SUFFIX))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(len - cut), e->d_name);
		if (control__addr(path, name, &addr) < 0)
			continue;
		fd = control__connect(&addr);
		if (fd == -ECONNREFUSED)
			unlink(
			    addr.sun_path); /* its lkvm was killed; the lock keeps starters out */
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

/* A connection to @name, or to the only machine there is; negative errno with a printed line. */
static int connect_to(const char *name)
{
	char only[NAME_SIZE], path[CONTROL_PATH];
	struct sockaddr_un addr;
	int n, fd, dirfd;

	if (!name) {
		n = control__for_each(keep_name, only);
		if (n < 0)
			return n;
		if (n != 1) {
			pr_err(n ? "%d machines run; say which with --name (see lkvm list)"
				 : "no machine of this user is running",
			       n);
			return -ENOENT;
		}
		name = only;
	}
	dirfd = control__open_dir(path, false);
	if (dirfd >= 0)
		close(dirfd);
	else if (dirfd != -ENOENT)
		return dirfd;
	fd = control__addr(path, name, &addr);
	if (fd < 0)
		return fd;
	fd = control__connect(&addr);
	if (fd == -ENOENT || fd == -ECONNREFUSED)
		pr_err("no machine named %s is running; see lkvm list", name);
	else if (fd < 0)
		pr_err("cannot talk to the machine %s: %s", name, strerror(-fd));
	return fd;
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
	if (!fgets(buf, sizeof(buf), f)) {
		pr_err("the machine closed the connection without an answer");
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
	fclose(f);
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	pr_err("cannot write the answer to stdout: %s", strerror(errno));
	return VM_HOST;
}

/* A descriptor of the process at the other end of @fd, or -1. */
static int open_peer(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -1;
	return (int)syscall(SYS_pidfd_open, cred.pid, 0);
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
		*pidfd = open_peer(fd); /* while it is there, so that the id is not another's */
	if (send(fd, line, (size_t)n, MSG_NOSIGNAL) != n) {
		pr_err("cannot send the request: %s", strerror(errno));
		close(fd);
		return VM_HOST;
	}
	return print_answer(fd);
}

const char *control__option(const char *opt, int argc, char **argv, int *i)
{
	size_t len = strlen(opt);

	if (!strncmp(argv[*i], opt, len) && argv[*i][len] == '=')
		return argv[*i] + len + 1;
	if (!strcmp(argv[*i], opt) && *i + 1 < argc)
		return argv[++*i];
	return NULL;
}

int cmd_debug(int argc, char **argv)
{
	const char *name = NULL, *verb = NULL, *arg = NULL;

	for (int i = 1; i < argc; i++) {
		const char *n = control__option("--name", argc, argv, &i);
		char *eq;

		if (n) {
			name = n;
		} else if (!verb && !strncmp(argv[i], "--", 2) && argv[i][2]) {
			verb = argv[i] + 2;
			eq = strchr(argv[i], '=');
			if (eq) {
				*eq = 0;
				arg = eq + 1;
			}
		} else if (verb && !arg && argv[i][0] != '-') {
			arg = argv[i];
		} else {
			pr_err("debug: unexpected %s; use lkvm debug [--name NAME] --WHAT [ARG]",
			       argv[i]);
			return VM_USAGE;
		}
	}
	if (!verb) {
		pr_err("debug: say what, e.g. lkvm debug --help to ask the machine what it knows");
		return VM_USAGE;
	}
	return control__request(name, verb, arg, NULL);
}
