/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * The machine's side of the control socket.  A client cannot hold up the loop: a request is at most
 * CONTROL_LINE bytes, an answer is made in memory and sent as the client takes it.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lkvm/loop.h"
#include "lkvm/module.h"
#include "lkvm/vm.h"
#include "x86/control.h"
#include "x86/run.h"

#define CLIENTS_MAX 16
#define OK	    "ok\n"

struct client {
	int fd; /* -1: free */
	struct loop_fd *lfd;
	char line[CONTROL_LINE];
	size_t len;
	char *answer; /* malloc()ed; NULL while the request is incomplete */
	size_t answer_len, sent;
};

static struct {
	struct vm *vm;
	int fd;
	struct loop_fd *lfd;
	struct client client[CLIENTS_MAX];
} ctl = { .fd = -1 };

static void client_close(struct client *c)
{
	loop__del(c->lfd);
	close(c->fd);
	free(c->answer);
	*c = (struct client){ .fd = -1 };
}

const struct control_verb *control__verb(const char *name)
{
	for (const struct module *m = module__first(); m; m = m->next)
		for (const struct control_verb *v = m->verbs; v && v->name; v++)
			if (!strcmp(v->name, name))
				return v;
	return NULL;
}

/* The answer to the request in c->line, which is a string. */
static void answer(struct client *c)
{
	FILE *out = open_memstream(&c->answer, &c->answer_len);
	char *arg = strchr(c->line, ' ');
	const struct control_verb *v;

	if (!out)
		return;
	if (arg)
		*arg++ = 0;
	v = control__verb(c->line);
	if (v) {
		fputs(OK, out);
		v->handle(ctl.vm, arg ? arg : "", out);
	} else {
		fprintf(out,
			"error: this machine does not know \"%s\"; is its lkvm another version?\n",
			c->line);
	}
	if (fclose(out) != 0) { /* out of memory */
		free(c->answer);
		c->answer = NULL;
	} else if (v && !strncmp(c->answer + strlen(OK), "error: ", 7)) {
		c->sent = strlen(OK); /* it is not */
	}
}

/* Send what the client takes; true when all is sent or it is gone. */
static bool client_send(struct client *c)
{
	while (c->sent < c->answer_len) {
		ssize_t n = send(c->fd, c->answer + c->sent, c->answer_len - c->sent,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno != EAGAIN;
		c->sent += (size_t)n;
	}
	return true;
}

static void client_ready(void *arg, u32 events)
{
	struct client *c = arg;

	if (!c->answer) {
		char *end;
		ssize_t n = recv(c->fd, c->line + c->len, sizeof(c->line) - c->len, MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			client_close(c);
			return;
		}
		c->len += (size_t)n;
		end = memchr(c->line, '\n', c->len);
		if (!end) {
			if (c->len == sizeof(c->line))
				client_close(c); /* no request is that long */
			return;
		}
		*end = 0;
		answer(c);
		if (!c->answer || loop__modify(c->lfd, EPOLLOUT) < 0) {
			client_close(c);
			return;
		}
	}
	if (client_send(c))
		client_close(c);
}

/* Only this user and root are listened to, also where the directory's mode was changed. */
static bool may_talk(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return false;
	return cred.uid == geteuid() || cred.uid == 0;
}

static void client_arrived(void *arg, u32 events)
{
	int fd = accept4(ctl.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return; /* it left again */
	if (!may_talk(fd))
		goto refuse;
	for (unsigned int i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &ctl.client[i];

		if (c->fd >= 0)
			continue;
		c->lfd = loop__add(ctl.vm->loop, fd, EPOLLIN, client_ready, c);
		if (!c->lfd)
			goto refuse;
		c->fd = fd;
		return;
	}
refuse:
	close(fd);
}

static int control_setup(struct vm *vm)
{
	int ret;

	ctl.vm = vm;
	for (unsigned int i = 0; i < CLIENTS_MAX; i++)
		ctl.client[i].fd = -1;
	ctl.fd = control__listen(vm->name);
	if (ctl.fd < 0)
		return ctl.fd;
	ctl.lfd = loop__add(vm->loop, ctl.fd, EPOLLIN, client_arrived, NULL);
	if (!ctl.lfd) {
		ret = -errno;
		pr_err("cannot watch the control socket: %s", strerror(-ret));
		control__unlisten(ctl.fd);
		return ret;
	}
	return 0;
}

static void control_teardown(struct vm *vm)
{
	for (unsigned int i = 0; i < CLIENTS_MAX; i++)
		if (ctl.client[i].fd >= 0)
			client_close(&ctl.client[i]);
	loop__del(ctl.lfd);
	control__unlisten(ctl.fd);
	ctl.fd = -1;
}

/* The clash is found again at set-up; here it is found before anything is made. */
static int control_validate(void)
{
	int ret = control__check_free(run__name());

	/* A name that is taken is a bad argument, a directory that cannot be used is not. */
	return ret < 0 && ret != -EADDRINUSE ? VM_HOST : ret;
}

static struct module control_module = {
	.name = "control",
	.level = MODULE_LATE,
	.validate = control_validate,
	.setup = control_setup,
	.teardown = control_teardown,
};
LKVM_MODULE(control_module);
