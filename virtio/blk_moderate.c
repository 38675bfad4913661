/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interrupt moderation, for answers that come early.  What the host has in its page cache is there
 * before the guest's processor has got to its next request, so that each answer interrupts it.  If
 * it has more requests to make, it would rather have two answers at a time; if it waits for this
 * one, at once.
 *
 * Which of the two it is shows when an interrupt is deferred.  Either the guest notifies the device
 * again, after about the time that it took before, and is told of both.  Or it does not; then a
 * timer ends that, and the next answers are told at once, as all were before, until it is time to
 * try again.
 *
 * Answers of a disk that takes its time are none of this: they come when the loop is told of them.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "lkvm/loop.h"
#include "virtio/blk.h"

/* Answers between two tries.  A guest that waits loses less than a percent: two gaps each time. */
#define AT_ONCE 256
#define GAP_MAX (NSEC_PER_SEC / 1000)

void blk_moderate__kicked(struct blk *blk, unsigned int q)
{
	struct blk_moderation *m = &blk->moderation[q];
	u64 t = monotonic_ns(), gap = MIN(t - m->kicked, GAP_MAX);

	m->kicked = t;
	m->gap = m->gap - m->gap / 8 + gap / 8;
}

static void arm(struct blk *blk, u64 until)
{
	struct itimerspec when = { .it_value = { until / NSEC_PER_SEC, until % NSEC_PER_SEC } };

	blk->armed = timerfd_settime(blk->timer, TFD_TIMER_ABSTIME, &when, NULL) ? 0 : until;
}

void blk_moderate__answered(struct blk *blk, unsigned int q, unsigned int answers)
{
	struct blk_moderation *m = &blk->moderation[q];
	bool second = blk->deferred & BIT(q);

	if (!(blk->dirty & BIT(q)))
		return;
	blk->deferred &= ~BIT(q);
	if (m->at_once) {
		m->at_once -= MIN(m->at_once, answers);
		return;
	}
	if (second || answers > 1)
		return;
	m->until = m->kicked + 2 * m->gap;
	/* One that is under way finds out by itself that there is more time. */
	if (!blk->armed || m->until < blk->armed)
		arm(blk, m->until);
	if (blk->armed)
		blk->deferred |= BIT(q);
}

static void expired(void *arg, u32 events)
{
	struct blk *blk = arg;
	u64 t = monotonic_ns(), next = ~0ULL, count;

	if (read(blk->timer, &count, sizeof(count)) != sizeof(count))
		return;
	blk->armed = 0;
	for (unsigned int q = 0; q < blk->ops.nqueues; q++) {
		struct blk_moderation *m = &blk->moderation[q];

		if (!(blk->deferred & BIT(q)))
			continue;
		if (m->until > t) {
			next = MIN(next, m->until);
		} else {
			m->at_once = AT_ONCE;
			blk__signal(blk, BIT(q));
		}
	}
	if (next == ~0ULL)
		return;
	arm(blk, next);
	if (!blk->armed)
		blk__signal(blk, ~0u);
}

void blk_moderate__reset(struct blk *blk)
{
	blk->deferred = 0;
	for (unsigned int q = 0; q < BLK_QUEUES; q++)
		blk->moderation[q] = (struct blk_moderation){ .at_once = AT_ONCE };
}

int blk_moderate__init(struct blk *blk, struct loop *loop)
{
	int err;

	blk_moderate__reset(blk);
	blk->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (blk->timer < 0) {
		err = -errno;
		pr_err("%s: timerfd: %s; raise the limit on open files (ulimit -n)", blk->name,
		       strerror(-err));
		return err;
	}
	blk->timer_lfd = loop__add(loop, blk->timer, EPOLLIN, expired, blk);
	if (!blk->timer_lfd) {
		err = -errno;
		pr_err("%s: cannot watch its timer: %s", blk->name, strerror(-err));
		close(blk->timer);
		return err;
	}
	return 0;
}

void blk_moderate__exit(struct blk *blk)
{
	loop__del(blk->timer_lfd);
	close(blk->timer);
}
