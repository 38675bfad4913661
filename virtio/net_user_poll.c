/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libslirp in the event loop.  It wants to be asked, before each wait, which descriptors to wait
 * for and how long.  They are put in an epoll set of their own, whose descriptor the loop watches:
 * the set can be switched off as a whole while the guest has no room, and only changes cost a call.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "lkvm/loop.h"
#include "virtio/net_user.h"

#define EVENTS 64
#define NS_MS  1000000

/* SLIRP_POLL_* and EPOLL*, both ways. */
static const struct {
	int slirp;
	u32 epoll;
} bits[] = {
	{ SLIRP_POLL_IN, EPOLLIN },   { SLIRP_POLL_OUT, EPOLLOUT }, { SLIRP_POLL_PRI, EPOLLPRI },
	{ SLIRP_POLL_ERR, EPOLLERR }, { SLIRP_POLL_HUP, EPOLLHUP },
};

/* --- Which descriptors --- */

static bool make_room(struct net_user *u, int fd)
{
	int n = MAX(2 * u->nfds, fd + 1);
	struct net_user_fd *fds;

	if (fd < u->nfds)
		return true;
	fds = realloc(u->fds, n * sizeof(*fds));
	if (!fds)
		return false;
	memset(fds + u->nfds, 0, (n - u->nfds) * sizeof(*fds));
	u->fds = fds;
	u->nfds = n;
	return true;
}

/* The descriptor itself serves as the index by which get_ready() is asked. */
static int add_poll(int fd, int events, void *opaque)
{
	struct net_user *u = opaque;

	if (fd < 0 || !make_room(u, fd))
		return -1;
	for (unsigned int i = 0; i < ARRAY_SIZE(bits); i++) {
		if (events & bits[i].slirp)
			u->fds[fd].wanted |= bits[i].epoll;
	}
	return fd;
}

static int get_ready(int fd, void *opaque)
{
	struct net_user *u = opaque;
	int events = 0;

	if (fd < 0 || fd >= u->nfds)
		return 0;
	for (unsigned int i = 0; i < ARRAY_SIZE(bits); i++) {
		if (u->fds[fd].ready & bits[i].epoll)
			events |= bits[i].slirp;
	}
	return events;
}

void net_user_poll__forget(struct net_user *u, int fd)
{
	if (fd < 0 || fd >= u->nfds)
		return;
	if (u->fds[fd].watched) /* it fails if the descriptor is closed, and gone by that */
		epoll_ctl(u->epfd, EPOLL_CTL_DEL, fd, NULL);
	u->fds[fd] = (struct net_user_fd){ 0 };
}

static void update(struct net_user *u, int fd)
{
	struct net_user_fd *f = &u->fds[fd];
	struct epoll_event ev = { .events = f->wanted, .data.fd = fd };
	int op = f->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (f->wanted == f->watched)
		return;
	if (!f->wanted) {
		net_user_poll__forget(u, fd);
		return;
	}
	/* What cannot be watched is looked at when the clock says so: libslirp has timeouts. */
	if (!epoll_ctl(u->epfd, op, fd, &ev) ||
	    (errno == ENOENT && !epoll_ctl(u->epfd, EPOLL_CTL_ADD, fd, &ev)) ||
	    (errno == EEXIST && !epoll_ctl(u->epfd, EPOLL_CTL_MOD, fd, &ev)))
		f->watched = f->wanted;
	else
		f->watched = 0;
}

bool net_user_poll__full(const struct net_user *u)
{
	return u->sockets >= NET_USER_SOCKETS;
}

/* --- Waiting --- */

static void set_on(struct net_user *u, bool on)
{
	if (u->on == on)
		return;
	u->on = on;
	if (loop__modify(u->ep_lfd, on ? EPOLLIN : 0))
		virtio__fail(&u->net->dev, "the user network's sockets cannot be watched");
}

static void set_timer(struct net_user *u, u32 ms)
{
	struct itimerspec when = { 0 };

	if (ms != UINT32_MAX) {
		when.it_value.tv_sec = ms / 1000;
		when.it_value.tv_nsec = ms % 1000 * NS_MS + 1; /* 0 would mean never */
	}
	if (timerfd_settime(u->timerfd, 0, &when, NULL))
		virtio__fail(&u->net->dev, "the user network's clock cannot be set");
}

void net_user_poll__rearm(struct net_user *u)
{
	u32 timeout = UINT32_MAX;

	if (!u->net->live || u->first) { /* libslirp rests until the guest takes frames */
		set_on(u, false);
		set_timer(u, UINT32_MAX);
		return;
	}
	for (int fd = 0; fd < u->nfds; fd++)
		u->fds[fd].wanted = 0;
	slirp_pollfds_fill(u->slirp, &timeout, add_poll, u);
	u->sockets = 0;
	for (int fd = 0; fd < u->nfds; fd++) {
		u->sockets += u->fds[fd].wanted != 0;
		update(u, fd);
	}
	set_on(u, true);
	set_timer(u, timeout);
}

static void run(struct net_user *u)
{
	struct epoll_event ev[EVENTS];
	int n;

	for (int fd = 0; fd < u->nfds; fd++)
		u->fds[fd].ready = 0;
	n = epoll_wait(u->epfd, ev, EVENTS, 0);
	for (int i = 0; i < n; i++)
		u->fds[ev[i].data.fd].ready = ev[i].events;
	slirp_pollfds_poll(u->slirp, n < 0, get_ready, u);
	net__rx_flush(u->net);
	net_user_poll__rearm(u);
}

static void ready(void *arg, u32 events)
{
	run(arg);
}

static void timer(void *arg, u32 events)
{
	struct net_user *u = arg;
	u64 count;

	if (read(u->timerfd, &count, sizeof(count)) == sizeof(count))
		run(u);
}

/* --- Life --- */

int net_user_poll__init(struct net_user *u)
{
	u->timerfd = -1;
	u->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (u->epfd < 0)
		return -errno;
	u->timerfd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return u->timerfd < 0 ? -errno : 0;
}

void net_user_poll__exit(struct net_user *u)
{
	if (u->timerfd >= 0)
		close(u->timerfd);
	if (u->epfd >= 0)
		close(u->epfd);
	free(u->fds);
}

int net_user_poll__attach(struct net_user *u, struct loop *loop)
{
	u->ep_lfd = loop__add(loop, u->epfd, 0, ready, u);
	if (!u->ep_lfd)
		return -errno;
	u->timer_lfd = loop__add(loop, u->timerfd, EPOLLIN, timer, u);
	return u->timer_lfd ? 0 : -errno;
}

void net_user_poll__detach(struct net_user *u)
{
	loop__del(u->ep_lfd);
	loop__del(u->timer_lfd);
	u->ep_lfd = u->timer_lfd = NULL;
	u->on = false;
}
