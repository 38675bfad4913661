/* SPDX-License-Identifier: GPL-2.0-only */

/* `lkvm run --timeout`: the run ends with a status of its own when it has lasted too long. */

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "lkvm/loop.h"
#include "lkvm/module.h"
#include "lkvm/vm.h"

#define SECONDS_MAX 4000000000ULL

static u64 seconds; /* 0: no limit */
static int timer = -1;
static struct loop_fd *timer_lfd;

static int parse_timeout(const char *arg)
{
	if (parse_uint(arg, 1, SECONDS_MAX, &seconds) == 0)
		return 0;
	pr_err("--timeout %s: give a number of seconds from 1 to %llu", arg, SECONDS_MAX);
	return -EINVAL;
}

static void expired(void *arg, u32 events)
{
	u64 count;

	if (read(timer, &count, sizeof(count)) < 0)
		return;
	pr_err("the guest was still running after %llu seconds; ended it (--timeout)", seconds);
	vm__stop(arg, VM_TIMEOUT);
}

static int timeout_setup(struct vm *vm)
{
	struct itimerspec in = { .it_value.tv_sec = (time_t)seconds };
	int ret;

	if (!seconds)
		return 0;
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (timer < 0 || timerfd_settime(timer, 0, &in, NULL) < 0)
		goto err;
	timer_lfd = loop__add(vm->loop, timer, EPOLLIN, expired, vm);
	if (!timer_lfd)
		goto err;
	return 0;
err:
	ret = -errno;
	pr_err("cannot make the timer of --timeout: %s", strerror(-ret));
	if (timer >= 0)
		close(timer);
	timer = -1;
	return ret;
}

static void timeout_teardown(struct vm *vm)
{
	if (timer < 0)
		return;
	loop__del(timer_lfd);
	timer_lfd = NULL;
	close(timer);
	timer = -1;
}

static const struct option_def timeout_options[] = {
	{ .name = "timeout",
	  .arg = "SECONDS",
	  .parse = parse_timeout,
	  .help = "end the run with status 124 when it has lasted that long" },
	{ .name = NULL },
};

static struct module timeout_module = {
	.name = "timeout",
	.level = MODULE_LATE,
	.options = timeout_options,
	.setup = timeout_setup,
	.teardown = timeout_teardown,
};
LKVM_MODULE(timeout_module);
