/* SPDX-License-Identifier: GPL-2.0-only */

/* How a control socket is made where something is in the way. */

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>

#include "fake_err.h"
#include "tap.h"
#include "x86/control_path.c"
#include "x86/control_socket.c"
#include "x86/owner.c"

static char run[] = "/tmp/lkvm-test-run-XXXXXX", dir[48], sock[64];

/* No machine m starts, for which there is one line with both texts. */
static void refused(const char *cause, const char *remedy, const char *what)
{
	int fd;

	errs = 0;
	fd = control__listen("m");
	ok(fd < 0 && errs == 1 && strstr(last_err, sock) && strstr(last_err, cause) &&
	       strstr(last_err, remedy),
	   "%s: one line with cause and remedy", what);
	if (errs != 1 || !strstr(last_err, remedy))
		printf("# %u lines, %s\n", errs, last_err);
	if (fd >= 0)
		control__unlisten(fd);
}

static void test_in_the_way(void)
{
	if (mkdir(sock, 0700))
		exit(1);
	refused("Is a directory", "remove it or choose another --name", "a directory");
	rmdir(sock);
	if (symlink("/nonexistent/x", sock))
		exit(1);
	refused("already in use", "remove it or choose another --name", "a dangling link");
	unlink(sock);
}

/* What a machine leaves that was killed. */
static void leave_stale(void)
{
	int fd = control__listen("m");

	close(bound.dirfd);
	close(fd);
	ok(fd >= 0 && access(sock, F_OK) == 0, "a socket is left behind");
}

static void test_stale(void)
{
	int fd;

	leave_stale();
	fd = control__listen("m");
	ok(fd >= 0, "the next machine of that name takes its place");
	ok(control__check_free("m") == -EADDRINUSE, "but not that of one that runs");
	control__unlisten(fd);
	ok(access(sock, F_OK) < 0, "which removes it at its end");
}

/* As when the session of a user ends, and logind removes the directory or what is in it. */
static void test_removed(bool also_dir)
{
	const char *what = also_dir ? "directory" : "socket";
	int other, fd = control__listen("m");
	struct stat st;

	unlink(sock);
	if (also_dir)
		rmdir(dir);
	if (also_dir && mkdir(dir, 0700))
		exit(1);
	other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(other, (struct sockaddr *)&bound.addr, sizeof(bound.addr)) || listen(other, 8))
		exit(1);
	control__unlisten(fd);
	ok(stat(sock, &st) == 0, "its %s was removed: its end leaves that of the next", what);
	close(other);
	unlink(sock);
}

/* Each lkvm list leaves a connection behind that a machine finds when it goes on. */
static void test_stuck(void)
{
	int good = 0, machine = control__listen("m");

	for (int i = 0; i < 64; i++) {
		int fd = control__connect(&bound.addr);

		if (fd < 0)
			break;
		close(fd);
		good++;
	}
	eq(good, 64, "a machine that is stuck can be asked often");
	control__unlisten(machine);
}

static void test_read_only(void)
{
	leave_stale();
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(run, run, NULL, MS_BIND, NULL) < 0 ||
	    mount(NULL, run, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0) {
		ok(true, "a read-only directory # SKIP needs root");
		unlink(sock);
		return;
	}
	refused("Read-only", "set XDG_RUNTIME_DIR to", "a stale one in a read-only directory");
	umount(run);
	unlink(sock);
	mount(run, run, NULL, MS_BIND, NULL);
	mount(NULL, run, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL);
	refused("Read-only", "set XDG_RUNTIME_DIR to", "a read-only directory");
	umount(run);
}

int main(void)
{
	if (!mkdtemp(run) || setenv("XDG_RUNTIME_DIR", run, 1))
		exit(1);
	snprintf(dir, sizeof(dir), "%s/lkvm", run);
	snprintf(sock, sizeof(sock), "%s/m.sock", dir);
	test_stale();
	test_in_the_way();
	test_removed(false);
	test_removed(true);
	test_stuck();
	test_read_only();
	rmdir(dir);
	rmdir(run);
	return tap_done();
}
