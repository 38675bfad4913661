/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The queue's next turn of the event loop.  Whether there is anything left to do is in the queue's
 * registers alone, so a turn that comes after they changed (a reset, say) does what they say then.
 */

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "iommu/vtd.h"
#include "lkvm/loop.h"

/* Edge-triggered: each signal is an edge, so that nobody has to read what they add up to. */
static void go_on(void *arg, u32 events)
{
	vtd_queue__run(arg);
}

int vtd_turn__init(struct vtd *vtd)
{
	int err;

	vtd->turn_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vtd->turn_fd < 0) {
		err = -errno;
		goto failed;
	}
	vtd->turn_lfd = loop__add(vtd->vm->loop, vtd->turn_fd, EPOLLIN | EPOLLET, go_on, vtd);
	if (!vtd->turn_lfd) {
		err = -errno;
		close(vtd->turn_fd);
		goto failed;
	}
	return 0;

failed:
	pr_err("vIOMMU: its place in the event loop: %s; raise the limit on open files (ulimit -n)",
	       strerror(-err));
	return err;
}

void vtd_turn__exit(struct vtd *vtd)
{
	loop__del(vtd->turn_lfd);
	close(vtd->turn_fd);
}

void vtd_turn__ask(struct vtd *vtd)
{
	const u64 one = 1;

	/* It fails only when the counter is full, and 64 bits do not fill. */
	if (write(vtd->turn_fd, &one, sizeof(one)) < 0)
		return;
}
