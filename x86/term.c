/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * Console input, the terminal's mode, and the signals that end lkvm.
 *
 * A terminal is always read, so that Ctrl-a x works whatever the guest does; other input (a pipe)
 * is read only as fast as the guest takes it.  The terminal goes back to its mode on every way out:
 * teardown, exit(), and the signals a bug raises.
 */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <termios.h>
#include <unistd.h>

#include "lkvm/loop.h"
#include "lkvm/module.h"
#include "lkvm/term.h"
#include "lkvm/vm.h"

#define IN_SIZE 4096 /* a power of two */
#define ESCAPE	0x01 /* Ctrl-a */

static struct {
	u8 buf[IN_SIZE];
	u32 head, tail;
	struct vm *vm;
	bool tty;	 /* ours to read and to set */
	bool background; /* but now another job's */
	bool file;	 /* epoll does not take it: read when wanted */
	bool eof;
	bool escape; /* Ctrl-a was typed */
	struct loop_fd *lfd;
	void (*fn)(void *arg);
	void *fn_arg;
	int signals, jobs;
	struct loop_fd *signals_lfd, *jobs_lfd;
} in = { .signals = -1, .jobs = -1 };

static struct termios saved;
static volatile sig_atomic_t raw;

/* Sent by others: ends the run in order.  A bug: the terminal at least is put back.  The error of one call. */
static const int ending[] = { SIGTERM,	 SIGINT,  SIGHUP, SIGQUIT, SIGUSR2, SIGALRM,
			      SIGVTALRM, SIGPROF, SIGIO,  SIGPWR,  SIGXCPU };
static const int fatal[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS, SIGSTKFLT };
static const int ignored[] = { SIGPIPE, SIGTTIN };

void term__on_input(void (*fn)(void *arg), void *arg)
{
	in.fn = fn;
	in.fn_arg = arg;
}

/*
 * The job that has the terminal is the one whose keys it sends; touching another's would stop us.  One that does not control
 * our session has no jobs.
 */
static bool in_foreground(void)
{
	pid_t job = tcgetpgrp(STDIN_FILENO);

	return job < 0 ? errno == ENOTTY : job == getpgrp();
}

/* Async-signal-safe. */
static void restore(void)
{
	if (raw && in_foreground())
		tcsetattr(STDIN_FILENO, TCSANOW, &saved);
	raw = 0;
}

static void set_raw(void)
{
	struct termios t = saved;

	cfmakeraw(&t);
	/* The guest ends lines with CR LF itself; lkvm's own messages need the LF translated. */
	t.c_oflag |= OPOST | ONLCR;
	raw = 1;
	tcsetattr(STDIN_FILENO, TCSANOW, &t);
}

static void fatal_signal(int sig)
{
	restore();
	raise(sig); /* the handler was one-shot: this time it kills */
}

/* Shells tell a job that it has the terminal by SIGCONT only if it was stopped. */
static void watch_jobs(bool on)
{
	const struct itimerspec second = { .it_value.tv_sec = on, .it_interval.tv_sec = on };

	if (in.jobs >= 0)
		timerfd_settime(in.jobs, 0, &second, NULL);
}

static u32 in_room(void)
{
	return IN_SIZE - (in.head - in.tail);
}

/* One typed byte: Ctrl-a x quits, Ctrl-a Ctrl-a is one Ctrl-a. */
static void typed(u8 c)
{
	if (in.escape) {
		in.escape = false;
		if (c == 'x' || c == 'X') {
			vm__stop(in.vm, VM_STOPPED);
			return;
		}
		if (c != ESCAPE)
			return;
	} else if (c == ESCAPE) {
		in.escape = true;
		return;
	}
	if (in_room())
		in.buf[in.head++ % IN_SIZE] = c;
}

static void in_read(void)
{
	u8 buf[256];
	u32 max = in.tty ? sizeof(buf) : MIN((u32)sizeof(buf), in_room());
	ssize_t n;

	if (in.eof || !max)
		return;
	n = read(STDIN_FILENO, buf, max);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	/* EIO: the terminal is gone, or we have just been put into the background (SIGTTIN is ignored). */
	if (n < 0 && errno == EIO && in.tty && !in_foreground()) {
		in.background = true;
		watch_jobs(true);
		return;
	}
	if (n <= 0)
		in.eof = true;
	for (ssize_t i = 0; i < n; i++) {
		if (in.tty)
			typed(buf[i]);
		else
			in.buf[in.head++ % IN_SIZE] = buf[i];
	}
}

static void in_ready(void *arg, u32 events);

/* Watch stdin exactly while there is use for what it gives. */
static void in_watch(void)
{
	bool want = in.vm && !in.eof && !in.file && !in.background && (in.tty || in_room());

	if (!want) {
		loop__del(in.lfd);
		in.lfd = NULL;
	} else if (!in.lfd) {
		in.lfd = loop__add(in.vm->loop, STDIN_FILENO, EPOLLIN, in_ready, NULL);
		if (!in.lfd && errno == EPERM)
			in.file = true; /* a regular file or /dev/null */
		else if (!in.lfd)
			in.eof = true; /* closed */
	}
}

static void in_ready(void *arg, u32 events)
{
	in_read();
	in_watch();
	if (in.fn)
		in.fn(in.fn_arg);
}

bool term__getc(u8 *c)
{
	if (in.file && in.head == in.tail)
		in_read();
	if (in.head == in.tail)
		return false;
	*c = in.buf[in.tail++ % IN_SIZE];
	in_watch();
	return true;
}

/* Stopped as a job: whoever gets the terminal finds it as we found it. */
static void stop_job(void)
{
	restore();
	kill(getpid(), SIGSTOP);
}

/* Continued, as the foreground job or not; a job in the background reads nothing. */
static void continue_job(void)
{
	if (!in.tty)
		return;
	in.background = !in_foreground();
	watch_jobs(in.background);
	if (in.background) {
		raw = 0;
	} else {
		if (!raw)
			tcgetattr(STDIN_FILENO, &saved);
		set_raw();
	}
	in_watch();
}

static void look_at_jobs(void *arg, u32 events)
{
	u64 count;

	if (read(in.jobs, &count, sizeof(count)) == sizeof(count) && in.background &&
	    in_foreground())
		continue_job();
}

static void got_signal(void *arg, u32 events)
{
	struct signalfd_siginfo si;

	if (read(in.signals, &si, sizeof(si)) != sizeof(si))
		return;
	if (si.ssi_signo == SIGTSTP)
		stop_job();
	else if (si.ssi_signo == SIGCONT)
		continue_job();
	else
		vm__stop(in.vm, VM_STOPPED);
}

/* nohup's.  A script's & ignores SIGINT and SIGQUIT too, but to be sent them there is to be meant. */
static bool keep_ignored(int sig)
{
	struct sigaction sa;

	return sig == SIGHUP && !sigaction(sig, NULL, &sa) && sa.sa_handler == SIG_IGN;
}

static int watch_signals(struct vm *vm)
{
	sigset_t set;

	sigemptyset(&set);
	for (unsigned int i = 0; i < ARRAY_SIZE(ending); i++)
		if (!keep_ignored(ending[i]))
			sigaddset(&set, ending[i]);
	for (int sig = SIGRTMIN; sig <= SIGRTMAX; sig++) /* they end a process by default, too */
		sigaddset(&set, sig);
	sigaddset(&set, SIGTSTP);
	sigaddset(&set, SIGCONT);
	in.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (in.signals < 0)
		goto err;
	in.signals_lfd = loop__add(vm->loop, in.signals, EPOLLIN, got_signal, NULL);
	if (!in.signals_lfd)
		goto err_close;
	sigprocmask(SIG_BLOCK, &set, NULL);
	return 0;

err_close:
	close(in.signals);
err:
	pr_err("cannot watch for signals: %s", strerror(errno));
	return -EIO;
}

static void term_teardown(struct vm *vm)
{
	restore();
	loop__del(in.lfd);
	in.lfd = NULL;
	loop__del(in.jobs_lfd);
	in.jobs_lfd = NULL;
	if (in.jobs >= 0)
		close(in.jobs);
	in.jobs = -1;
	loop__del(in.signals_lfd);
	in.signals_lfd = NULL;
	/* Signals stay blocked: one more Ctrl-c must not cut the teardown short. */
	close(in.signals);
	in.signals = -1;
	in.vm = NULL;
}

static int term_setup(struct vm *vm)
{
	struct sigaction sa = { .sa_handler = fatal_signal, .sa_flags = SA_RESETHAND | SA_NODEFER };
	int ret = watch_signals(vm);

	if (ret < 0)
		return ret;
	in.vm = vm;
	for (unsigned int i = 0; i < ARRAY_SIZE(ignored); i++)
		signal(ignored[i], SIG_IGN);
	in.tty = isatty(STDIN_FILENO);
	if (in.tty) {
		for (unsigned int i = 0; i < ARRAY_SIZE(fatal); i++)
			sigaction(fatal[i], &sa, NULL);
		atexit(restore);
		/* Without a timer, a job that comes to the front unstopped is not noticed: no more than that. */
		in.jobs = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
		if (in.jobs >= 0)
			in.jobs_lfd = loop__add(vm->loop, in.jobs, EPOLLIN, look_at_jobs, NULL);
		continue_job();
	}
	in_watch();
	return 0;
}

static struct module term_module = {
	.name = "term",
	.level = MODULE_LATE,
	.setup = term_setup,
	.teardown = term_teardown,
};
LKVM_MODULE(term_module);
