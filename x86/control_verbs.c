/* SPDX-License-Identifier: GPL-2.0-only */

/* What every machine answers to `lkvm stop`, `pause`, `resume`, `stat` and `debug`. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "lkvm/irq.h"
#include "lkvm/layout.h"
#include "lkvm/loop.h"
#include "lkvm/module.h"
#include "lkvm/vm.h"
#include "x86/control.h"
#include "x86/ged.h"
#include "x86/vcpu.h"

#define NMI_DELIVERY (4u << 8)

static struct {
	bool paused;
	u64 started; /* CLOCK_MONOTONIC */
	u64 grace;
	int timer; /* runs out when the guest should have powered off */
	struct loop_fd *timer_lfd;
} ctl = { .timer = -1 };

static void set_paused(bool paused)
{
	if (paused == ctl.paused)
		return;
	ctl.paused = paused;
	if (paused)
		vcpu__hold();
	else
		vcpu__release();
}

static void verb_pause(struct vm *vm, const char *arg, void *out)
{
	set_paused(true);
}

static void verb_resume(struct vm *vm, const char *arg, void *out)
{
	set_paused(false);
}

static void grace_over(void *arg, u32 events)
{
	u64 count;

	if (read(ctl.timer, &count, sizeof(count)) < 0)
		return;
	pr_warn("the guest did not power off within %llu seconds of lkvm stop; ended it",
		ctl.grace);
	vm__stop(arg, VM_STOPPED);
}

/* "stop SECONDS": press the power button, and end the run when that has not for so long; 0: now. */
static void verb_stop(struct vm *vm, const char *arg, void *out)
{
	struct itimerspec in = { 0 };
	u64 grace;

	if (parse_uint(arg, 0, CONTROL_GRACE_MAX, &grace) < 0) {
		fprintf(out, "error: stop: give the seconds to wait, up to %d\n",
			CONTROL_GRACE_MAX);
		return;
	}
	ctl.grace = grace;
	in.it_value.tv_sec = (time_t)grace;
	if (!grace || timerfd_settime(ctl.timer, 0, &in, NULL) < 0) {
		vm__stop(vm, VM_STOPPED);
		return;
	}
	set_paused(false); /* it must run to power off */
	ged__press(vm);
}

static const char *state(void)
{
	return ctl.paused ? "paused" : "running";
}

/* For lkvm list: one word. */
static void verb_state(struct vm *vm, const char *arg, void *out)
{
	fprintf(out, "%s\n", state());
}

/* The memory of ours that is backed, in bytes. */
static u64 resident(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	u64 pages = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%*u %llu", &pages) != 1)
		pages = 0;
	fclose(f);
	return pages * (u64)sysconf(_SC_PAGESIZE);
}

/* Milliseconds as seconds, without the locale's idea of a decimal point. */
#define SECONDS	   "%llu.%03llu"
#define SEC_OF(ns) (ns) / NSEC_PER_SEC, (ns) % NSEC_PER_SEC / 1000000

static void stat_text(const struct vm *vm, FILE *out)
{
	fprintf(out, "name: %s\npid: %d\nstate: %s\nuptime: " SECONDS " s\n", vm->name,
		(int)getpid(), state(), SEC_OF(monotonic_ns() - ctl.started));
	fprintf(out, "memory: %llu MiB\nresident: %llu MiB\n", vm->ram_size / MiB,
		resident() / MiB);
	for (unsigned int i = 0; i < vm->cpus; i++) {
		struct vcpu_stat s;

		vcpu__stat(i, &s);
		fprintf(out,
			"vcpu %u: " SECONDS " s, exits: mmio %llu port %llu eoi %llu other %llu\n",
			i, SEC_OF(s.cpu_ns), s.mmio, s.port, s.eoi, s.other);
	}
}

/* The name needs no quoting: see parse_name() in run.c. */
static void stat_json(const struct vm *vm, FILE *out)
{
	fprintf(out,
		"{\"name\": \"%s\", \"pid\": %d, \"state\": \"%s\", \"uptime\": " SECONDS
		", \"memory\": %llu, \"resident\": %llu, \"vcpus\": [",
		vm->name, (int)getpid(), state(), SEC_OF(monotonic_ns() - ctl.started),
		vm->ram_size, resident());
	for (unsigned int i = 0; i < vm->cpus; i++) {
		struct vcpu_stat s;

		vcpu__stat(i, &s);
		fprintf(out,
			"%s{\"seconds\": " SECONDS ", \"mmio\": %llu, \"port\": %llu, "
			"\"eoi\": %llu, \"other\": %llu}",
			i ? ", " : "", SEC_OF(s.cpu_ns), s.mmio, s.port, s.eoi, s.other);
	}
	fprintf(out, "]}\n");
}

static void verb_stat(struct vm *vm, const char *arg, void *out)
{
	if (!strcmp(arg, "json"))
		stat_json(vm, out);
	else
		stat_text(vm, out);
}

static void verb_regs(struct vm *vm, const char *arg, void *out)
{
	vcpu__regs(out);
}

static bool check_nmi(const char *arg, void *out)
{
	u64 cpu;

	if (!*arg || parse_uint(arg, 0, CPUS_MAX - 1, &cpu) == 0)
		return true;
	fprintf(out, "error: --nmi %s: give a vCPU's number, 0 for the first\n", arg);
	return false;
}

/* The message of an NMI (SDM 3A 11.11) to one vCPU, by default the first, whatever it is doing. */
static void verb_nmi(struct vm *vm, const char *arg, void *out)
{
	struct msi_msg msg = { .addr = LAPIC_BASE, .data = NMI_DELIVERY };
	u64 cpu = 0;

	if (*arg && parse_uint(arg, 0, vm->cpus - 1, &cpu) < 0) {
		fprintf(out, "error: --nmi %s: give a vCPU from 0 to %u\n", arg, vm->cpus - 1);
		return;
	}
	/* In KVM's form of 32-bit destinations. */
	msg.addr |= (cpu & 0xff) << 12 | (cpu >> 8) << 40;
	if (irq__msi_direct(vm->irq, &msg) < 0)
		fprintf(out, "error: --nmi: KVM did not take it\n");
}

static const struct control_verb verbs[] = {
	{ .name = "stop", .handle = verb_stop },
	{ .name = "pause", .handle = verb_pause },
	{ .name = "resume", .handle = verb_resume },
	{ .name = "state", .handle = verb_state },
	{ .name = "stat", .handle = verb_stat },
	{ .name = "regs", .help = "print the registers of all vCPUs", .handle = verb_regs },
	{ .name = "nmi",
	  .arg = "[VCPU]",
	  .help = "send an NMI to a vCPU (default 0)",
	  .check = check_nmi,
	  .handle = verb_nmi },
	{ .name = NULL },
};

static int verbs_setup(struct vm *vm)
{
	int ret;

	ctl.started = monotonic_ns();
	ctl.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (ctl.timer < 0)
		goto err;
	ctl.timer_lfd = loop__add(vm->loop, ctl.timer, EPOLLIN, grace_over, vm);
	if (!ctl.timer_lfd)
		goto err;
	return 0;
err:
	ret = -errno;
	pr_err("cannot make the timer of lkvm stop: %s", strerror(-ret));
	if (ctl.timer >= 0)
		close(ctl.timer);
	ctl.timer = -1;
	return ret;
}

static void verbs_teardown(struct vm *vm)
{
	loop__del(ctl.timer_lfd);
	ctl.timer_lfd = NULL;
	close(ctl.timer);
	ctl.timer = -1;
}

/* Set up after "control" (by name), which calls it only while the loop runs. */
static struct module verbs_module = {
	.name = "control-verbs",
	.level = MODULE_LATE,
	.verbs = verbs,
	.setup = verbs_setup,
	.teardown = verbs_teardown,
};
LKVM_MODULE(verbs_module);
