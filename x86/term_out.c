/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * Console output.  Each write(2) wakes whoever reads our output, which under nested virtualisation
 * costs more than the bytes do; so a line is one write, and a timer sends what has no end of line.
 *
 * stdout is never made non-blocking, because that would change it for everyone who shares it.  A
 * poll() before each write does: a pipe that is ready takes PIPE_BUF bytes.
 */

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "lkvm/loop.h"
#include "lkvm/module.h"
#include "lkvm/term.h"
#include "lkvm/vm.h"

#define OUT_SIZE (1u << 20) /* a power of two; untouched pages cost nothing */
#define IDLE_NS	 5000000
/* How long a guest that ignores "not ready" waits for a reader that does not read. */
#define PATIENCE_MS 1000

static u8 buf[OUT_SIZE]; /* not below, whose initialiser would put it into the binary */
static struct {
	u32 head, tail; /* free running; tail..head is to be written */
	struct loop *loop;
	int timer;
	bool armed; /* the timer runs */
	bool stuck; /* the reader was given PATIENCE_MS and did not use it */
	struct loop_fd *timer_lfd;
	struct loop_fd *wait; /* for room in stdout */
	void (*room_fn)(void *arg);
	void *room_arg;
} out = { .timer = -1 };

void term__on_room(void (*fn)(void *arg), void *arg)
{
	out.room_fn = fn;
	out.room_arg = arg;
}

bool term__room(void)
{
	return out.head - out.tail < OUT_SIZE / 2;
}

/* Wait up to @ms for stdout; false if it takes nothing now. */
static bool out_ready(int ms)
{
	struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };
	int n;

	do
		n = poll(&p, 1, ms);
	while (n < 0 && errno == EINTR);
	return n > 0;
}

/* Write what stdout takes, waiting up to @ms each time; true if the buffer is empty. */
static bool out_flush(int ms)
{
	while (out.head != out.tail) {
		u32 at = out.tail % OUT_SIZE;
		u32 n = MIN(out.head - out.tail, OUT_SIZE - at);
		ssize_t done;

		if (!out_ready(ms))
			return false;
		done = write(STDOUT_FILENO, buf + at, MIN(n, (u32)PIPE_BUF));
		if (done < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (done < 0)
			out.tail = out.head; /* EPIPE and the like: nobody will ever read it */
		else
			out.tail += (u32)done;
	}
	return true;
}

static void out_push(void);

static void out_writable(void *arg, u32 events)
{
	loop__del(out.wait);
	out.wait = NULL;
	out.stuck = false;
	out_push();
	if (out.room_fn && term__room())
		out.room_fn(out.room_arg);
}

/* Send what can be sent, and the rest when there is room. */
static void out_push(void)
{
	if (out_flush(0) || out.wait || !out.loop)
		return;
	/* Regular files are always ready, so they never come here (epoll refuses them). */
	out.wait = loop__add(out.loop, STDOUT_FILENO, EPOLLOUT, out_writable, NULL);
}

static void out_idle(void *arg, u32 events)
{
	u64 count;

	if (read(out.timer, &count, sizeof(count)) < 0)
		return;
	out.armed = false;
	out_push();
}

static void out_arm(void)
{
	struct itimerspec in = { .it_value.tv_nsec = IDLE_NS };

	if (out.armed)
		return;
	out.armed = out.timer >= 0 && timerfd_settime(out.timer, 0, &in, NULL) == 0;
	if (!out.armed)
		out_push();
}

void term__putc(u8 c)
{
	if (out.head - out.tail == OUT_SIZE) {
		if (!out.stuck)
			out.stuck = !out_flush(PATIENCE_MS);
		if (out.head - out.tail == OUT_SIZE)
			return; /* lost */
	}
	buf[out.head++ % OUT_SIZE] = c;
	if (c == '\n' || out.head - out.tail >= PIPE_BUF)
		out_push();
	else
		out_arm();
}

static int out_setup(struct vm *vm)
{
	out.loop = vm->loop;
	out.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (out.timer < 0)
		goto err;
	out.timer_lfd = loop__add(vm->loop, out.timer, EPOLLIN, out_idle, NULL);
	if (!out.timer_lfd)
		goto err;
	return 0;
err:
	pr_err("cannot make a timer for the console: %s", strerror(errno));
	if (out.timer >= 0)
		close(out.timer);
	out.timer = -1;
	return -EIO;
}

static void out_teardown(struct vm *vm)
{
	out_flush(PATIENCE_MS);
	loop__del(out.wait);
	out.wait = NULL;
	loop__del(out.timer_lfd);
	out.timer_lfd = NULL;
	close(out.timer);
	out.timer = -1;
	out.loop = NULL;
}

/* By name behind "vm" and so torn down before it, but after every device that prints. */
static struct module out_module = {
	.name = "vm-output",
	.level = MODULE_CORE,
	.setup = out_setup,
	.teardown = out_teardown,
};
LKVM_MODULE(out_module);
