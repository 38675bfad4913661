/* SPDX-License-Identifier: GPL-2.0-only */

/* `lkvm run`: options, checks, set-up, the guest's life, teardown. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lkvm/cmd.h"
#include "lkvm/loop.h"
#include "lkvm/mem.h"
#include "lkvm/module.h"
#include "lkvm/vm.h"
#include "x86/boot.h"
#include "x86/control.h"
#include "x86/options.h"
#include "x86/run.h"
#include "x86/vcpu.h"

#define MEM_MIN (2 * MiB)
#define MEM_MAX (1ULL << 50) /* what KVM takes is asked later; here only sums must not wrap */

/* Zeroes are what the user has not said; run_validate() replaces them. */
static struct vm vm = {
	.kvm_fd = -1,
	.vm_fd = -1,
};
static char default_name[32];
static char *default_kernel, *default_initrd; /* if the user names none */

const char *run__name(void)
{
	return vm.name;
}

static int parse_kernel(const char *arg)
{
	if (vm.kernel) {
		pr_err("two kernels: %s and %s; give one", vm.kernel, arg);
		return -EINVAL;
	}
	vm.kernel = arg;
	return 0;
}

static int parse_initrd(const char *arg)
{
	vm.initrd = arg;
	return 0;
}

static int parse_params(const char *arg)
{
	vm.params = arg;
	return 0;
}

static int parse_cpus(const char *arg)
{
	u64 n;

	if (parse_uint(arg, 1, CPUS_MAX, &n) < 0) {
		pr_err("--cpus %s: give a number from 1 to %d", arg, CPUS_MAX);
		return -EINVAL;
	}
	vm.cpus = (unsigned int)n;
	return 0;
}

unsigned int run__cpus(void)
{
	return vm.cpus;
}

static int parse_mem(const char *arg)
{
	u64 size = 0;
	int ret = parse_mib(arg, &size);

	if (ret == -EINVAL) {
		pr_err("--mem %s: give a size like 512, 512M or 4G", arg);
	} else if (ret < 0 || size > MEM_MAX) {
		pr_err("--mem %s: no host has that much; give less", arg);
	} else if (size < MEM_MIN || !IS_ALIGNED(size, 4 * KiB)) {
		pr_err("--mem %s: give at least 2M, in multiples of 4K", arg);
	} else {
		vm.ram_size = size;
		return 0;
	}
	return -EINVAL;
}

static int parse_name(const char *arg)
{
	int ret = control__check_name(arg);

	if (ret == 0)
		vm.name = arg;
	return ret;
}

static int parse_kernel_cache(const char *arg)
{
	if (strcmp(arg, "on") && strcmp(arg, "off")) {
		pr_err("--kernel-cache %s: give on or off", arg);
		return -EINVAL;
	}
	vm.no_kernel_cache = !strcmp(arg, "off");
	return 0;
}

static int parse_hugepages(const char *arg)
{
	mem__use_hugepages();
	/* They are reserved for this guest, and giving back parts of them would not free them. */
	mem__pin("--hugepages");
	return 0;
}

static int parse_quiet(const char *arg)
{
	pr__set_quiet(true);
	return 0;
}

/* A kernel that lkvm finds comes with its initrd; to one that is named nothing is added. */
static int find_kernel(void)
{
	vm.kernel = default_kernel = run__default_kernel("/boot");
	if (!vm.kernel) {
		pr_err("no kernel given, and no readable bzImage at ./bzImage, "
		       "arch/x86/boot/bzImage or /boot/vmlinuz-*; use lkvm run --kernel FILE");
		return -EINVAL;
	}
	if (!vm.initrd)
		vm.initrd = default_initrd = run__default_initrd(vm.kernel);
	pr_info("no kernel given; using %s%s%s", vm.kernel, default_initrd ? " with " : "",
		default_initrd ? default_initrd : "");
	return 0;
}

static int run_validate(void)
{
	if (!vm.cpus)
		vm.cpus = run__default_cpus();
	if (!vm.ram_size)
		vm.ram_size = run__default_ram(run__host_ram());
	if (!vm.kernel && find_kernel() < 0)
		return -EINVAL;
	/* Linux is silent unless told where to talk; other payloads may take it for an argument. */
	if (!vm.params && run__is_bzimage(vm.kernel))
		vm.params = "console=ttyS0";
	if (boot__check(&vm) < 0)
		return -EINVAL;
	return mem__check(vm.ram_size);
}

static const struct option_def run_options[] = {
	{ .name = "kernel",
	  .letter = 'k',
	  .arg = "FILE",
	  .parse = parse_kernel,
	  .help = "the kernel: bzImage or ELF (--kernel may be left out; without any: the newest "
		  "here or in /boot, with its initrd)" },
	{ .name = "initrd",
	  .letter = 'i',
	  .arg = "FILE",
	  .parse = parse_initrd,
	  .help = "initial RAM disk" },
	{ .name = "params",
	  .letter = 'p',
	  .arg = "TEXT",
	  .parse = parse_params,
	  .help = "the kernel's command line (default for a bzImage: console=ttyS0)" },
	{ .name = "kernel-cache",
	  .arg = "on|off",
	  .parse = parse_kernel_cache,
	  .help = "keep what a bzImage unpacks when it is booted again (default on)" },
	{ .name = "cpus",
	  .letter = 'c',
	  .arg = "N",
	  .parse = parse_cpus,
	  .help = "number of vCPUs (default: as many as this process may use, up to 255)" },
	{ .name = "mem",
	  .letter = 'm',
	  .arg = "SIZE",
	  .parse = parse_mem,
	  .help = "RAM, in MiB or with K, M, G; a multiple of 4K (default 1G, at most half of the "
		  "host's)" },
	{ .name = "hugepages",
	  .parse = parse_hugepages,
	  .help = "RAM of reserved huge pages (2 MiB each; vm.nr_hugepages)" },
	{ .name = "name",
	  .arg = "NAME",
	  .parse = parse_name,
	  .help = "the machine's name for the other commands (default lkvm-PID)" },
	{ .name = "quiet", .parse = parse_quiet, .help = "errors and warnings only" },
	{ .name = NULL },
};

static struct module run_module = {
	.name = "run",
	.level = MODULE_CORE,
	.options = run_options,
	.validate = run_validate,
};
LKVM_MODULE(run_module);

/* Undo the set-ups of all modules before @end, the last first. */
static void teardown_until(const struct module *end)
{
	struct module *last;

	while (end != module__first()) {
		last = module__first();
		while (last->next != end)
			last = last->next;
		if (last->teardown)
			last->teardown(&vm);
		end = last;
	}
}

static int setup_all(void)
{
	for (struct module *m = module__first(); m; m = m->next) {
		int ret = m->setup ? m->setup(&vm) : 0;

		if (ret < 0) {
			teardown_until(m);
			return ret;
		}
	}
	return 0;
}

void cmd_run__usage(void)
{
	printf("\n");
	options__print();
	printf("\nCtrl-a x ends the run, Ctrl-a Ctrl-a types Ctrl-a.  Exit status: 0 powered off, "
	       "2 usage,\n3 host or set-up, 4 guest panic, 5 triple fault, 6 KVM, "
	       "7 isolation lost, 124 timeout,\n130 stopped, 2n+1 the guest wrote n to the exit "
	       "device.\n");
}

int cmd_run(int argc, char **argv)
{
	bool help = false;
	int status;

	if (options__parse(argc, argv, parse_kernel, &help) < 0)
		return VM_USAGE;
	if (help) {
		printf("Usage: lkvm run [OPTION]... [KERNEL]\nboot a kernel\n");
		cmd_run__usage();
		return 0;
	}
	if (!vm.name) {
		snprintf(default_name, sizeof(default_name), "lkvm-%d", (int)getpid());
		vm.name = default_name;
	}
	for (struct module *m = module__first(); m; m = m->next) {
		status = m->validate ? m->validate() : 0;
		if (status)
			return status < 0 ? VM_USAGE : status;
	}
	if (setup_all() < 0)
		return VM_HOST;
	status = vcpu__start(&vm) < 0 ? VM_HOST : loop__run(vm.loop);
	teardown_until(NULL);
	free(default_kernel);
	free(default_initrd);
	return status;
}

int cmd_check(int argc, char **argv)
{
	bool good = true;

	if (argc > 1) {
		pr_err("check takes no arguments");
		return VM_USAGE;
	}
	for (struct module *m = module__first(); m; m = m->next)
		if (m->check && !m->check())
			good = false;
	return good ? 0 : VM_HOST;
}
