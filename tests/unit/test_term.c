/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * The terminal, on real ones: the parent process plays the shell and its user, a child the lkvm.  Every way out
 * puts the terminal back.
 */

#include <fcntl.h>
#include <pty.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tap.h"
#include "x86/loop.c"
#include "x86/term.c"

void module__register(struct module *m)
{
}

void pr_err(const char *fmt, ...)
{
}

void vm__stop(struct vm *vm, int status)
{
	loop__stop(vm->loop, status);
}

/* --- lkvm: what it gets as input it writes to @echo --- */

static int echo;

static void on_input(void *arg)
{
	u8 c;

	while (term__getc(&c))
		if (write(echo, &c, 1) != 1)
			_exit(99);
}

static int machine(void)
{
	struct vm vm = { .loop = loop__new() };
	int status;

	term__on_input(on_input, NULL);
	if (!vm.loop || term_setup(&vm) < 0)
		return 98;
	if (write(echo, "R", 1) != 1)
		return 97;
	on_input(NULL);
	status = loop__run(vm.loop);
	term_teardown(&vm);
	loop__free(vm.loop);
	return status;
}

/* --- The shell --- */

static struct termios cooked;
static int from, tty;
static pid_t pid;

static char next(void)
{
	char c = 0;

	return read(from, &c, 1) == 1 ? c : 0;
}

static void terminal_to(pid_t pgrp)
{
	tcsetpgrp(tty, pgrp);
}

/* Start one with @stdin_fd as its standard input, as the job in front or not. */
static void start(int stdin_fd, bool front)
{
	int p[2], go[2];
	char c;

	if (pipe(p) < 0 || pipe(go) < 0)
		exit(1);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGTTOU, SIG_DFL);
		signal(SIGTTIN, SIG_DFL);
		dup2(stdin_fd, STDIN_FILENO);
		echo = p[1];
		close(go[1]);
		if (read(go[0], &c, 1) < 0)
			_exit(96);
		/* Not exit(): what the parent has in its buffers is the parent's. */
		c = (char)machine();
		restore();
		_exit((u8)c);
	}
	setpgid(pid, pid);
	if (front)
		terminal_to(pid);
	close(p[1]);
	close(go[0]);
	close(go[1]);
	from = p[0];
	ok(next() == 'R', "it starts");
}

static bool is_cooked(void)
{
	struct termios now;

	return tcgetattr(tty, &now) == 0 && now.c_iflag == cooked.c_iflag &&
	       now.c_oflag == cooked.c_oflag && now.c_cflag == cooked.c_cflag &&
	       now.c_lflag == cooked.c_lflag && !memcmp(now.c_cc, cooked.c_cc, sizeof(now.c_cc));
}

/* Its end as a shell has it: the status, or 128 and the signal. */
static int ended(void)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	close(from);
	terminal_to(getpgrp());
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static bool stopped(void)
{
	int status = 0;

	return waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status);
}

/* Until what a signal does has been done: it has no other sign. */
static bool becomes(bool want)
{
	for (int i = 0; i < 2000; i++) {
		if (is_cooked() == want)
			return true;
		usleep(10000);
	}
	return false;
}

static void type(int user, const char *keys)
{
	if (write(user, keys, strlen(keys)) < 0)
		ok(false, "cannot type");
}

static void test_signals(void)
{
	const int sigs[] = { SIGTERM, SIGINT,  SIGHUP,	  SIGQUIT, SIGUSR2,  SIGALRM,
			     SIGPROF, SIGXCPU, SIGVTALRM, SIGPWR,  SIGRTMIN, SIGRTMAX };
	static const int bugs[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS };

	for (unsigned int i = 0; i < ARRAY_SIZE(sigs); i++) {
		start(tty, true);
		ok(!is_cooked(), "the terminal is raw");
		kill(pid, sigs[i]);
		eq(ended(), VM_STOPPED, "signal %d ends the run in order", sigs[i]);
		ok(is_cooked(), "and the terminal is as before");
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(bugs); i++) {
		start(tty, true);
		kill(pid, bugs[i]);
		eq(ended(), 128 + bugs[i], "signal %d ends it at once", bugs[i]);
		ok(is_cooked(), "and the terminal is as before");
	}
}

static void test_keys(int user)
{
	start(tty, true);
	type(user, "a\x03\x1a\x1c\x01\x01z");
	ok(next() == 'a' && next() == 3 && next() == 0x1a && next() == 0x1c,
	   "what signals otherwise is the guest's");
	ok(next() == 1 && next() == 'z', "Ctrl-a twice is Ctrl-a");
	kill(pid, SIGPIPE);
	type(user, "\x01qy");
	ok(next() == 'y', "a write that fails does not end it, nor does Ctrl-a and another key");
	type(user, "\x01x");
	eq(ended(), VM_STOPPED, "Ctrl-a x does");
	ok(is_cooked(), "and the terminal is as before");
}

static void test_jobs(int user)
{
	start(tty, true);
	kill(pid, SIGTSTP);
	ok(stopped(), "SIGTSTP stops the job");
	ok(is_cooked(), "and gives the terminal back");
	terminal_to(getpgrp());
	kill(pid, SIGCONT);
	type(user, "lost\n");
	tcflush(tty, TCIFLUSH);
	terminal_to(pid);
	kill(pid, SIGCONT);
	ok(becomes(false), "in front again it is raw again");
	type(user, "k");
	ok(next() == 'k', "and reads keys");
	kill(pid, SIGSTOP);
	ok(stopped() && !is_cooked(), "SIGSTOP leaves no chance");
	tcsetattr(tty, TCSANOW, &cooked);
	terminal_to(getpgrp());
	type(user, "ours\n");
	kill(pid, SIGTERM);
	kill(pid, SIGCONT);
	eq(ended(), VM_STOPPED, "ended in the background it ends");
	ok(is_cooked(), "without touching the terminal");

	start(tty, false);
	ok(is_cooked(), "started in the background it does not, either");
	terminal_to(pid);
	kill(pid, SIGCONT);
	ok(becomes(false), "until it comes to the front");
	kill(pid, SIGTERM);
	ended();
	ok(is_cooked(), "and is as before when it ends");

	start(tty, false);
	terminal_to(pid);
	ok(becomes(false), "a job that was not stopped finds out that it is in front by itself");
	terminal_to(getpgrp());
	type(user, "ours\n");
	kill(pid, SIGTERM);
	ended();
	tcflush(tty, TCIFLUSH);
	tcsetattr(tty, TCSANOW, &cooked);
}

/* As nohup starts it, and as a script without job control does. */
static void test_ignored(void)
{
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	start(tty, true);
	signal(SIGHUP, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	kill(pid, SIGHUP);
	usleep(100000);
	eq(waitpid(pid, NULL, WNOHANG), 0, "SIGHUP that is ignored from the start is");
	kill(pid, SIGINT);
	eq(ended(), VM_STOPPED, "SIGINT ends the run");
}

/* A terminal that does not control its session has no jobs, so that all of it is ours. */
static void test_foreign(void)
{
	struct termios was = cooked, now;
	int user, own = tty, other;

	if (openpty(&user, &other, NULL, NULL, NULL) < 0)
		exit(1);
	tcgetattr(other, &cooked);
	start(other, true);
	tcgetattr(other, &now);
	ok(!(now.c_lflag & ICANON), "another terminal than the session's is raw too");
	type(user, "k");
	ok(next() == 'k', "and read");
	type(user, "\x01x");
	tty = own;
	eq(ended(), VM_STOPPED, "and Ctrl-a x ends it");
	cooked = was;
	close(user);
	close(other);
}

static void test_others(void)
{
	int p[2], null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (pipe(p) < 0 || write(p[1], "\x01x!", 3) != 3)
		exit(1);
	close(p[1]);
	start(p[0], true);
	ok(next() == 1 && next() == 'x' && next() == '!', "a pipe has no keys that are ours");
	ok(is_cooked(), "and the terminal is left alone");
	kill(pid, SIGTERM);
	eq(ended(), VM_STOPPED, "the end of a pipe does not end the run");
	start(null, true);
	kill(pid, SIGTERM);
	eq(ended(), VM_STOPPED, "nor does /dev/null");
	close(p[0]);
	close(null);
}

int main(void)
{
	int user, p[2], status;
	char buf[512];
	ssize_t n;
	pid_t shell;

	/* The shell leads a session whose terminal this is; its output comes back through a pipe. */
	if (pipe(p) < 0)
		return 1;
	shell = fork();
	if (shell == 0) {
		struct rlimit none = { 0 };

		setrlimit(RLIMIT_CORE, &none);
		signal(SIGTTOU, SIG_IGN);
		dup2(p[1], STDOUT_FILENO);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setvbuf(stdout, NULL, _IOLBF, 0);
		close(p[0]);
		close(p[1]);
		setsid();
		if (openpty(&user, &tty, NULL, NULL, NULL) < 0 || ioctl(tty, TIOCSCTTY, 0) < 0)
			_exit(1);
		tcgetattr(tty, &cooked);
		test_signals();
		test_keys(user);
		test_jobs(user);
		test_others();
		test_ignored();
		test_foreign();
		return tap_done();
	}
	close(p[1]);
	while ((n = read(p[0], buf, sizeof(buf))) > 0)
		fwrite(buf, 1, (size_t)n, stdout);
	waitpid(shell, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
