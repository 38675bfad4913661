/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * The event loop: epoll, and one mutex.
 *
 * Between epoll_wait() returning an entry and the lock being taken, a vCPU thread may delete that
 * entry.  So loop__del() only marks it and puts it in the graveyard, which the loop thread empties at
 * the end of a dispatch: then it holds no entry, and epoll no longer knows the deleted ones.  One
 * event is taken per wait, because a handler may delete what another event of a batch refers to.
 */

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lkvm/loop.h"

/* So many deleted entries wake the loop to bury them: a guest cannot pile them up. */
#define GRAVES_MAX 64

struct loop_fd {
	struct loop *loop;
	int fd;
	bool dead;
	loop_fn fn;
	void *arg;
	struct loop_fd *next_grave;
};

struct loop {
	int epfd, wakefd;
	/* Who waits for lock holds next, for which all others wait: none of them overtakes it. */
	pthread_mutex_t lock, next;
	struct loop_fd *wake;
	struct loop_fd *graveyard;
	unsigned int graves;
	/* Atomic: -1 until loop__stop(). */
	int status;
};

static void wake_up(struct loop *loop)
{
	u64 one = 1;

	/* It fails only when the counter is full, and then the loop is woken anyway. */
	if (write(loop->wakefd, &one, sizeof(one)) < 0)
		return;
}

static void woken(void *arg, u32 events)
{
	struct loop *loop = arg;
	u64 count;

	if (read(loop->wakefd, &count, sizeof(count)) < 0)
		return;
}

struct loop *loop__new(void)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop) {
		pr_err("out of memory for the event loop");
		return NULL;
	}
	loop->status = -1;
	pthread_mutex_init(&loop->lock, NULL);
	pthread_mutex_init(&loop->next, NULL);
	loop->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epfd < 0)
		goto err_free;
	loop->wakefd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->wakefd < 0)
		goto err_epfd;
	loop->wake = loop__add(loop, loop->wakefd, EPOLLIN, woken, loop);
	if (!loop->wake)
		goto err_wakefd;
	return loop;

err_wakefd:
	close(loop->wakefd);
err_epfd:
	close(loop->epfd);
err_free:
	pr_err("cannot make the event loop: %s", strerror(errno));
	pthread_mutex_destroy(&loop->lock);
	pthread_mutex_destroy(&loop->next);
	free(loop);
	return NULL;
}

static void bury(struct loop *loop)
{
	while (loop->graveyard) {
		struct loop_fd *lfd = loop->graveyard;

		loop->graveyard = lfd->next_grave;
		free(lfd);
	}
	loop->graves = 0;
}

void loop__free(struct loop *loop)
{
	if (!loop)
		return;
	loop__del(loop->wake);
	bury(loop);
	close(loop->wakefd);
	close(loop->epfd);
	pthread_mutex_destroy(&loop->lock);
	pthread_mutex_destroy(&loop->next);
	free(loop);
}

void loop__lock(struct loop *loop)
{
	pthread_mutex_lock(&loop->next);
	pthread_mutex_lock(&loop->lock);
	pthread_mutex_unlock(&loop->next);
}

void loop__unlock(struct loop *loop)
{
	pthread_mutex_unlock(&loop->lock);
}

struct loop_fd *loop__add(struct loop *loop, int fd, u32 events, loop_fn fn, void *arg)
{
	struct loop_fd *lfd = calloc(1, sizeof(*lfd));
	struct epoll_event ev = { .events = events, .data.ptr = lfd };

	if (!lfd)
		return NULL;
	lfd->loop = loop;
	lfd->fd = fd;
	lfd->fn = fn;
	lfd->arg = arg;
	if (epoll_ctl(loop->epfd, EPOLL_CTL_ADD, fd, &ev) < 0) {
		int err = errno;

		free(lfd);
		errno = err;
		return NULL;
	}
	return lfd;
}

int loop__modify(struct loop_fd *lfd, u32 events)
{
	struct epoll_event ev = { .events = events, .data.ptr = lfd };

	return epoll_ctl(lfd->loop->epfd, EPOLL_CTL_MOD, lfd->fd, &ev) < 0 ? -errno : 0;
}

void loop__del(struct loop_fd *lfd)
{
	struct loop *loop;

	if (!lfd)
		return;
	loop = lfd->loop;
	/* A failure means that the fd is closed already, and out of the epoll set by that. */
	epoll_ctl(loop->epfd, EPOLL_CTL_DEL, lfd->fd, NULL);
	lfd->dead = true;
	lfd->next_grave = loop->graveyard;
	loop->graveyard = lfd;
	if (++loop->graves == GRAVES_MAX)
		wake_up(loop);
}

int loop__run(struct loop *loop)
{
	int status;

	while ((status = __atomic_load_n(&loop->status, __ATOMIC_ACQUIRE)) < 0) {
		struct epoll_event ev;
		struct loop_fd *lfd;
		int n = epoll_wait(loop->epfd, &ev, 1, -1);

		if (n <= 0)
			continue; /* EINTR is the only error an open epoll descriptor gives */
		lfd = ev.data.ptr;
		loop__lock(loop);
		if (!lfd->dead)
			lfd->fn(lfd->arg, ev.events);
		bury(loop);
		loop__unlock(loop);
	}
	return status;
}

void loop__stop(struct loop *loop, int status)
{
	int none = -1;

	__atomic_compare_exchange_n(&loop->status, &none, status, false, __ATOMIC_ACQ_REL,
				    __ATOMIC_ACQUIRE);
	wake_up(loop);
}
