/* SPDX-License-Identifier: GPL-2.0-only */
/* The disk's interrupt moderation with a clock and a timer that a test can have as it likes. */

#include <errno.h>
#include <sys/timerfd.h>
#include <time.h>

static u64 fake_now; /* ns; 0: the clock is the real one */
static u64 timer_at; /* 0: not armed */
static bool no_timer;

static u64 fake_monotonic(void)
{
	return fake_now ? fake_now : monotonic_ns();
}

static int fake_settime(int fd, int flags, const struct itimerspec *when, void *old)
{
	struct itimerspec real = { .it_value = { 0, 1 } };

	if (!fake_now)
		return timerfd_settime(fd, flags, when, old);
	timer_at = when->it_value.tv_sec * 1000000000ULL + when->it_value.tv_nsec;
	/* It has already expired when the loop looks, and the test says when that is. */
	errno = ENOMEM;
	return no_timer ? -1 : timerfd_settime(fd, 0, &real, old);
}

#define monotonic_ns	fake_monotonic
#define timerfd_settime fake_settime
#include "virtio/blk_moderate.c"
#undef monotonic_ns
#undef timerfd_settime
