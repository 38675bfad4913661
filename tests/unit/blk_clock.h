/* SPDX-License-Identifier: GPL-2.0-only */
/* The disk's interrupt moderation with a clock and a timer that a test can have as it likes. */

#include <errno.h>
#include <sys/timerfd.h>
#include <time.h>

static u64 fake_now; /* ns; 0: the clock is the real one */
static u64 timer_at; /* 0: not armed */
static bool no_timer;

static int fake_gettime(clockid_t id, struct timespec *t)
{
	if (!fake_now)
		return clock_gettime(id, t);
	*t = (struct timespec){ fake_now / 1000000000, fake_now % 1000000000 };
	return 0;
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

#define clock_gettime	fake_gettime
#define timerfd_settime fake_settime
#include "virtio/blk_moderate.c"
#undef clock_gettime
#undef timerfd_settime
