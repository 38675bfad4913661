/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * vCPU threads.  Each runs its guest until an exit needs the device model; then it takes the loop
 * lock, does the access in place, and goes back.
 */

#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lkvm/bus.h"
#include "lkvm/irq.h"
#include "lkvm/loop.h"
#include "lkvm/module.h"
#include "lkvm/vm.h"
#include "x86/vcpu.h"

/* Makes KVM_RUN return; has an empty handler. */
#define SIG_KICK SIGUSR1

struct vcpu {
	struct vm *vm;
	unsigned int index;
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	bool started;
};

static struct vcpu *vcpus;
static unsigned int nvcpus;
static size_t run_size;
static bool quitting; /* atomic */

static void do_mmio(struct vcpu *cpu)
{
	struct kvm_run *run = cpu->run;

	loop__lock(cpu->vm->loop);
	bus__access(cpu->vm->mmio, run->mmio.phys_addr, run->mmio.data,
		    MIN(run->mmio.len, (u32)sizeof(run->mmio.data)), run->mmio.is_write);
	loop__unlock(cpu->vm->loop);
}

static void do_io(struct vcpu *cpu)
{
	struct kvm_run *run = cpu->run;
	u8 *data = (u8 *)run + run->io.data_offset;
	bool write = run->io.direction == KVM_EXIT_IO_OUT;

	loop__lock(cpu->vm->loop);
	for (u32 i = 0; i < run->io.count; i++, data += run->io.size)
		bus__access(cpu->vm->pio, run->io.port, data, run->io.size, write);
	loop__unlock(cpu->vm->loop);
}

static void do_eoi(struct vcpu *cpu)
{
	loop__lock(cpu->vm->loop);
	irq__eoi(cpu->vm->irq, cpu->run->eoi.vector);
	loop__unlock(cpu->vm->loop);
}

static void do_internal_error(struct vcpu *cpu)
{
	const struct kvm_run *run = cpu->run;

	if (run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION)
		pr_err("vCPU %u: KVM cannot emulate an instruction of the guest", cpu->index);
	else
		pr_err("vCPU %u: KVM internal error, suberror %u, data %llx", cpu->index,
		       run->internal.suberror, run->internal.ndata ? run->internal.data[0] : 0ULL);
	vcpu__print_regs(cpu->fd, cpu->index);
	vm__stop(cpu->vm, VM_KVM);
}

static void handle_exit(struct vcpu *cpu)
{
	struct kvm_run *run = cpu->run;

	switch (run->exit_reason) {
	case KVM_EXIT_MMIO:
		do_mmio(cpu);
		break;
	case KVM_EXIT_IO:
		do_io(cpu);
		break;
	case KVM_EXIT_IOAPIC_EOI:
		do_eoi(cpu);
		break;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		break;
	case KVM_EXIT_SHUTDOWN:
		pr_err("vCPU %u: the guest triple-faulted", cpu->index);
		vm__stop(cpu->vm, VM_TRIPLE);
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		vm__stop(cpu->vm, run->system_event.type == KVM_SYSTEM_EVENT_CRASH ? VM_PANIC
										    : VM_OFF);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		pr_err("vCPU %u: the CPU refuses to enter the guest, reason %#llx", cpu->index,
		       run->fail_entry.hardware_entry_failure_reason);
		vcpu__print_regs(cpu->fd, cpu->index);
		vm__stop(cpu->vm, VM_KVM);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		do_internal_error(cpu);
		break;
	default:
		pr_err("vCPU %u: KVM exit %u, which lkvm does not know", cpu->index,
		       run->exit_reason);
		vcpu__print_regs(cpu->fd, cpu->index);
		vm__stop(cpu->vm, VM_KVM);
	}
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *cpu = arg;
	char name[16];

	snprintf(name, sizeof(name), "vcpu%u", cpu->index);
	pthread_setname_np(pthread_self(), name);
	while (!__atomic_load_n(&quitting, __ATOMIC_ACQUIRE)) {
		if (ioctl(cpu->fd, KVM_RUN, 0) < 0) {
			/* EAGAIN: an AP got its first INIT.  EFAULT and others: fatal. */
			if (errno == EINTR || errno == EAGAIN)
				continue;
			pr_err("vCPU %u: KVM_RUN failed: %s", cpu->index, strerror(errno));
			vcpu__print_regs(cpu->fd, cpu->index);
			vm__stop(cpu->vm, VM_KVM);
			break;
		}
		handle_exit(cpu);
	}
	return NULL;
}

static void kicked(int sig)
{
}

/* The threads take SIG_KICK and nothing else: all other signals belong to the main thread. */
static int start_threads(void)
{
	struct sigaction sa = { .sa_handler = kicked };
	sigset_t all, old;
	int err = 0;

	sigaction(SIG_KICK, &sa, NULL);
	sigfillset(&all);
	sigdelset(&all, SIG_KICK);
	/* A fault of lkvm itself must still reach the handler that restores the terminal. */
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGABRT);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (unsigned int i = 0; i < nvcpus && !err; i++) {
		err = pthread_create(&vcpus[i].thread, NULL, vcpu_thread, &vcpus[i]);
		vcpus[i].started = !err;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -err;
}

int vcpu__start(struct vm *vm)
{
	int ret = start_threads();

	if (ret < 0)
		pr_err("cannot start the vCPU threads: %s; try fewer --cpus", strerror(-ret));
	return ret;
}

void vcpu__quit(void)
{
	__atomic_store_n(&quitting, true, __ATOMIC_RELEASE);
}

static void stop_threads(void)
{
	vcpu__quit();
	for (unsigned int i = 0; i < nvcpus; i++) {
		if (!vcpus[i].started)
			continue;
		/* If the signal comes before KVM_RUN, this makes KVM_RUN return all the same. */
		WRITE_ONCE(vcpus[i].run->immediate_exit, 1);
		pthread_kill(vcpus[i].thread, SIG_KICK);
	}
	for (unsigned int i = 0; i < nvcpus; i++)
		if (vcpus[i].started)
			pthread_join(vcpus[i].thread, NULL);
}

static int create_vcpu(struct vm *vm, struct vcpu *cpu, struct kvm_cpuid2 *cpuid)
{
	int ret;

	cpu->fd = ioctl(vm->vm_fd, KVM_CREATE_VCPU, (unsigned long)cpu->index);
	if (cpu->fd < 0)
		goto err;
	cpu->run = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, cpu->fd, 0);
	if (cpu->run == MAP_FAILED) {
		cpu->run = NULL;
		goto err;
	}
	cpuid__set_topology(cpuid, cpu->index, vm->cpus);
	if (ioctl(cpu->fd, KVM_SET_CPUID2, cpuid) < 0)
		goto err;
	return vcpu__init_state(vm, cpu->fd, cpu->index);
err:
	ret = -errno;
	pr_err("KVM cannot make vCPU %u: %s", cpu->index, strerror(-ret));
	return ret;
}

static void vcpu_teardown(struct vm *vm)
{
	stop_threads();
	for (unsigned int i = 0; i < nvcpus; i++) {
		if (vcpus[i].run)
			munmap(vcpus[i].run, run_size);
		if (vcpus[i].fd >= 0)
			close(vcpus[i].fd);
	}
	free(vcpus);
	vcpus = NULL;
	nvcpus = 0;
}

static int vcpu_setup(struct vm *vm)
{
	struct kvm_cpuid2 *cpuid;
	int ret = ioctl(vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);

	if (ret < (int)sizeof(struct kvm_run)) {
		pr_err("KVM does not tell the size of its vCPU state: %s", strerror(errno));
		return -EIO;
	}
	run_size = (size_t)ret;
	cpuid = cpuid__supported(vm->kvm_fd);
	if (!cpuid)
		return -EIO;
	vcpus = calloc(vm->cpus, sizeof(*vcpus));
	if (!vcpus) {
		pr_err("out of memory for %u vCPUs", vm->cpus);
		ret = -ENOMEM;
		goto out;
	}
	ret = 0;
	while (nvcpus < vm->cpus && ret == 0) {
		vcpus[nvcpus] = (struct vcpu){ .vm = vm, .index = nvcpus, .fd = -1 };
		ret = create_vcpu(vm, &vcpus[nvcpus++], cpuid);
	}
	if (ret < 0)
		vcpu_teardown(vm);
out:
	free(cpuid);
	return ret;
}

/* Last of all by its name: its teardown, the first, ends the threads that use everything else. */
static struct module vcpu_module = {
	.name = "zz-vcpu",
	.level = MODULE_LATE,
	.setup = vcpu_setup,
	.teardown = vcpu_teardown,
};
LKVM_MODULE(vcpu_module);
