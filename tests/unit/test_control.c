/* SPDX-License-Identifier: GPL-2.0-only */

/* What a machine answers on its control socket. */

#include <stdarg.h>

#include "tap.h"
#include "x86/module.c"
#define ctl verbs_ctl
#include "x86/control_verbs.c"
#undef ctl
#include "x86/control.c"
#include "x86/control_path.c"
#include "x86/control_socket.c"
#include "x86/owner.c"

static struct vm vm = { .name = "m", .cpus = 2, .ram_size = 64 * MiB };
static int status, holds, presses, nmis, msi_ret;
static struct msi_msg last_msi;
static loop_fn timer_fn;
static void *timer_arg;

void pr_err(const char *fmt, ...)
{
}

void pr_warn(const char *fmt, ...)
{
}

int parse_uint(const char *s, u64 min, u64 max, u64 *out)
{
	char *end;

	*out = strtoull(s, &end, 10);
	return *s && !*end && *out >= min && *out <= max ? 0 : -EINVAL;
}

const char *run__name(void)
{
	return vm.name;
}

void vm__stop(struct vm *v, int s)
{
	status = s;
}

struct loop_fd *loop__add(struct loop *loop, int fd, u32 events, loop_fn fn, void *arg)
{
	timer_fn = fn;
	timer_arg = arg;
	return (struct loop_fd *)&timer_fn;
}

int loop__modify(struct loop_fd *lfd, u32 events)
{
	return 0;
}

void loop__del(struct loop_fd *lfd)
{
}

void vcpu__hold(void)
{
	holds++;
}

void vcpu__release(void)
{
	holds--;
}

void vcpu__stat(unsigned int index, struct vcpu_stat *st)
{
	*st = (struct vcpu_stat){
		.mmio = 10 + index, .port = 20, .eoi = 30, .other = 40, .cpu_ns = 1234567890
	};
}

void vcpu__regs(FILE *out)
{
	fprintf(out, "rip\n");
}

void ged__press(struct vm *v)
{
	presses++;
}

int irq__msi_direct(struct irqchip *irq, const struct msi_msg *msg)
{
	nmis++;
	last_msi = *msg;
	return msi_ret;
}

static char got[4096];

/* The answer to @line as the client gets it. */
static const char *ask(const char *line)
{
	struct client c = { .fd = -1 };

	snprintf(c.line, sizeof(c.line), "%s", line);
	answer(&c);
	snprintf(got, sizeof(got), "%s", c.answer ? c.answer + c.sent : "(none)");
	free(c.answer);
	return got;
}

static void test_pause(void)
{
	ok(!strcmp(ask("pause"), "ok\n") && holds == 1, "pause holds the vCPUs");
	ask("pause");
	eq(holds, 1, "twice is once");
	ok(strstr(ask("stat"), "state: paused\n"), "and stat says so");
	ok(!strcmp(ask("state"), "ok\npaused\n"), "and what lkvm list asks");
	ok(!strcmp(ask("resume"), "ok\n") && holds == 0, "resume lets them go");
	ask("resume");
	eq(holds, 0, "resume without pause does nothing");
}

static void test_stat(void)
{
	ok(strstr(ask("stat"), "name: m\n") && strstr(got, "state: running\n"), "stat: the state");
	ok(strstr(got, "vcpu 1: 1.234 s, exits: mmio 11 port 20 eoi 30 other 40\n"),
	   "stat: every vCPU");
	ask("stat json");
	ok(!strncmp(got, "ok\n{\"name\": \"m\", ", 17) && strstr(got, "\"memory\": 67108864,") &&
	       strstr(got, "{\"seconds\": 1.234, \"mmio\": 11,") && strstr(got, "]}\n"),
	   "stat as JSON");
}

static void test_stop(void)
{
	struct itimerspec left;

	ask("pause");
	status = -1;
	ok(!strcmp(ask("stop 5"), "ok\n") && presses == 1, "stop presses the power button");
	eq(holds, 0, "of a machine that runs");
	eq(status, (u64)-1, "and does not end it");
	timerfd_gettime(verbs_ctl.timer, &left);
	ok(left.it_value.tv_sec == 4 || left.it_value.tv_sec == 5, "yet");
	verbs_ctl.grace = 0;
	left.it_value = (struct timespec){ .tv_nsec = 1 };
	timerfd_settime(verbs_ctl.timer, 0, &left, NULL);
	usleep(20000);
	timer_fn(timer_arg, EPOLLIN);
	eq(status, VM_STOPPED, "but when its time is over");
	status = -1;
	ask("stop 0");
	ok(status == VM_STOPPED && presses == 1, "by force: at once");
	status = -1;
	ok(!strncmp(ask("stop"), "error: ", 7) && !strncmp(ask("stop -1"), "error: ", 7) &&
	       !strncmp(ask("stop 99999999999"), "error: ", 7) && status == -1,
	   "nonsense is refused");
}

static void test_debug(void)
{
	ok(!strcmp(ask("regs"), "ok\nrip\n"), "registers");
	ok(!strcmp(ask("nmi 1"), "ok\n") && nmis == 1, "an NMI");
	ok(last_msi.addr == (LAPIC_BASE | 1 << 12) && last_msi.data == 0x400, "to that vCPU");
	ok(!strncmp(ask("nmi 2"), "error: ", 7) && nmis == 1, "not to one that is not there");
	vm.cpus = 288;
	ok(!strcmp(ask("nmi 287"), "ok\n") && last_msi.addr == (LAPIC_BASE | 31 << 12 | 1ULL << 40),
	   "an APIC id of more than 8 bits");
	vm.cpus = 2;
	msi_ret = -EFAULT;
	ok(!strncmp(ask("nmi"), "error: ", 7), "a failure is told");
	ok(!strncmp(ask("nonsense"), "error: ", 7), "an unknown request is an error");
}

/* Root, in the session of another user. */
static void test_dir(void)
{
	char run[] = "/tmp/lkvm-test-run-XXXXXX", sub[64], path[CONTROL_PATH];
	int fd;

	if (geteuid() != 0) {
		ok(true, "another user's directory # SKIP this is not root");
		return;
	}
	if (!mkdtemp(run) || setenv("XDG_RUNTIME_DIR", run, 1))
		exit(1);
	snprintf(sub, sizeof(sub), "%s/lkvm", run);
	fd = control__open_dir(path, true);
	ok(fd >= 0 && !strcmp(path, sub), "sockets are in XDG_RUNTIME_DIR");
	close(fd);
	rmdir(sub);
	if (chown(run, 1234, 1234))
		exit(1);
	fd = control__open_dir(path, false);
	ok(!strcmp(path, "/tmp/lkvm-0"), "but not in another user's");
	if (fd >= 0)
		close(fd);
	rmdir(run);
}

int main(void)
{
	test_dir();
	eq(verbs_setup(&vm), 0, "set-up");
	ctl.vm = &vm;
	test_stat();
	test_pause();
	test_stop();
	test_debug();
	verbs_teardown(&vm);
	return tap_done();
}
