/* SPDX-License-Identifier: GPL-2.0-only */

/* How the commands find machines: what is locked meanwhile, what is cleaned up, what is said. */

#include <stdio.h>
#include <stdlib.h>

#include "fake_err.h"
#include "tap.h"
#include "x86/control_client.c"
#include "x86/control_path.c"
#include "x86/owner.c"

static char run[] = "/tmp/lkvm-test-run-XXXXXX", dir[48];

/* A socket as a machine makes it. */
static int machine(const char *name)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr;

	if (control__addr(dir, name, &addr) ||
	    bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 8))
		exit(1);
	return fd;
}

static bool exists(const char *name)
{
	struct sockaddr_un addr;

	return control__addr(dir, name, &addr) == 0 && access(addr.sun_path, F_OK) == 0;
}

static void end(const char *name, int fd)
{
	struct sockaddr_un addr;

	if (control__addr(dir, name, &addr) == 0)
		unlink(addr.sun_path);
	if (fd >= 0)
		close(fd);
}

static int take_lock(void)
{
	char path[CONTROL_PATH];
	int dirfd = control__open_dir(path, false);

	if (dirfd >= 0 && flock(dirfd, LOCK_EX | LOCK_NB) == 0)
		return dirfd;
	close(dirfd);
	return -1;
}

static void try_lock(const char *name, int fd, void *arg)
{
	int lock = take_lock(), *good = arg;

	if (lock < 0)
		return;
	++*good;
	close(lock);
}

static void test_lock(void)
{
	int good = 0, a = machine("a"), lock;

	close(machine("stale"));
	eq(control__for_each(try_lock, &good), 1, "one machine runs");
	eq(good, 1, "another can start while it is asked");
	ok(!exists("stale"), "what a killed one has left is removed");
	close(machine("stale"));
	lock = take_lock();
	alarm(10);
	eq(control__for_each(try_lock, &good), 1, "nor does one that is starting hold up the list");
	alarm(0);
	ok(exists("stale"), "which then removes nothing");
	close(lock);
	end("stale", -1);
	end("a", a);
}

/* One line that names the directory which was searched. */
static void not_found(const char *name, const char *where, const char *what)
{
	errs = 0;
	ok(connect_to(name) == -ENOENT && errs == 1 && strstr(last_err, where) &&
	       strstr(last_err, "XDG_RUNTIME_DIR"),
	   "%s: says where it looked", what);
}

static void test_not_found(void)
{
	char private[48];
	int a;

	snprintf(private, sizeof(private), " /tmp/lkvm-%u;", (unsigned int)geteuid());
	not_found(NULL, dir, "no machine");
	a = machine("a");
	not_found("b", dir, "none of that name");
	unsetenv("XDG_RUNTIME_DIR");
	not_found("no-such-machine", private, "without XDG_RUNTIME_DIR");
	setenv("XDG_RUNTIME_DIR", "run", 1);
	not_found("no-such-machine", private, "with a relative one");
	setenv("XDG_RUNTIME_DIR", run, 1);
	end("a", a);
}

int main(void)
{
	if (!mkdtemp(run) || setenv("XDG_RUNTIME_DIR", run, 1))
		exit(1);
	snprintf(dir, sizeof(dir), "%s/lkvm", run);
	if (mkdir(dir, 0700))
		exit(1);
	test_lock();
	test_not_found();
	rmdir(dir);
	rmdir(run);
	return tap_done();
}
