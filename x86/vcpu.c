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
#include <time.h>
#include <unistd.h>

#include "lkvm/bus.h"
#include "lkvm/irq.h"
#include "lkvm/loop.h"
#include "lkvm/module.h"
#include "lkvm/vm.h"
#include "x86/vcpu.h"

/* Makes KVM_RUN return; has an empty handler. */
#define SIG_KICK SIGUSR1

/* Ample for an access in place, with sanitizers too; the usual 8 MiB times hundreds is not. */
#define STACK_SIZE (512 * KiB)

struct vcpu {
	struct vm *vm;
	unsigned int index;
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	bool started;
	struct vcpu_stat stat; /* written by its thread */
};

static struct vcpu *vcpus;
static unsigned int nvcpus;
static size_t run_size;
static bool quitting; /* atomic */

/* Under the lock: who keeps the vCPUs out of the guest, and clearing immediate_exit. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned int count; /* written under the lock */
} hold = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static void count(u64 *n)
{
	WRITE_ONCE(*n, *n + 1);
}

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

/* The machine cannot go on with this vCPU, and why was printed. */
static void give_up(struct vcpu *cpu, int status)
{
	vcpu__print_regs(cpu->fd, cpu->index);
	vm__stop(cpu->vm, status);
}

static void handle_exit(struct vcpu *cpu)
{
	struct kvm_run *run = cpu->run;

	switch (run->exit_reason) {
	case KVM_EXIT_MMIO:
		count(&cpu->stat.mmio);
		do_mmio(cpu);
		return;
	case KVM_EXIT_IO:
		count(&cpu->stat.port);
		do_io(cpu);
		return;
	case KVM_EXIT_IOAPIC_EOI:
		count(&cpu->stat.eoi);
		do_eoi(cpu);
		return;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		break;
	case KVM_EXIT_SHUTDOWN:
		/* On AMD, KVM has reset the vCPU by now: its registers are those of power-on. */
		pr_err("vCPU %u: the guest triple-faulted", cpu->index);
		give_up(cpu, VM_TRIPLE);
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		vm__stop(cpu->vm,
			 run->system_event.type == KVM_SYSTEM_EVENT_CRASH ? VM_PANIC : VM_OFF);
		break;
	default:
		vcpu__print_exit(run, cpu->index);
		give_up(cpu, VM_KVM);
	}
	count(&cpu->stat.other);
}

static bool is_quitting(void)
{
	return __atomic_load_n(&quitting, __ATOMIC_ACQUIRE);
}

/* Somebody wanted this vCPU out of the guest: wait while that is so. */
static void stand(struct vcpu *cpu)
{
	bool stood = false;

	pthread_mutex_lock(&hold.lock);
	for (; hold.count && !is_quitting(); stood = true)
		pthread_cond_wait(&hold.changed, &hold.lock);
	if (!is_quitting())
		WRITE_ONCE(cpu->run->immediate_exit, 0);
	pthread_mutex_unlock(&hold.lock);
	/* The guest's watchdogs shall know; it fails for guests without KVM's clock. */
	if (stood)
		ioctl(cpu->fd, KVM_KVMCLOCK_CTRL, 0);
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *cpu = arg;
	char name[16];

	snprintf(name, sizeof(name), "vcpu%u", cpu->index);
	pthread_setname_np(pthread_self(), name);
	while (!is_quitting()) {
		if (unlikely(READ_ONCE(hold.count)))
			stand(cpu);
		if (ioctl(cpu->fd, KVM_RUN, 0) < 0) {
			if (errno == EINTR) {
				stand(cpu);
				continue;
			}
			/* EAGAIN: an AP got its first INIT.  EFAULT and others: fatal. */
			if (errno == EAGAIN)
				continue;
			vcpu__print_error(cpu->run, cpu->index, errno);
			give_up(cpu, VM_KVM);
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
	/* What a device does within an access is not disturbed; KVM_RUN returns all the same. */
	struct sigaction sa = { .sa_handler = kicked, .sa_flags = SA_RESTART };
	sigset_t all, old;
	pthread_attr_t attr;
	int err = pthread_attr_init(&attr);

	if (err)
		return -err;
	pthread_attr_setstacksize(&attr, STACK_SIZE);
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
		err = pthread_create(&vcpus[i].thread, &attr, vcpu_thread, &vcpus[i]);
		vcpus[i].started = !err;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
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

/* Make all vCPUs leave the guest; under the hold lock. */
static void kick_all(void)
{
	for (unsigned int i = 0; i < nvcpus; i++) {
		if (!vcpus[i].started)
			continue;
		/* If the signal comes before KVM_RUN, this makes KVM_RUN return all the same. */
		WRITE_ONCE(vcpus[i].run->immediate_exit, 1);
		pthread_kill(vcpus[i].thread, SIG_KICK);
	}
}

static void stop_threads(void)
{
	vcpu__quit();
	pthread_mutex_lock(&hold.lock);
	kick_all();
	pthread_cond_broadcast(&hold.changed);
	pthread_mutex_unlock(&hold.lock);
	for (unsigned int i = 0; i < nvcpus; i++)
		if (vcpus[i].started)
			pthread_join(vcpus[i].thread, NULL);
}

void vcpu__hold(void)
{
	pthread_mutex_lock(&hold.lock);
	WRITE_ONCE(hold.count, hold.count + 1);
	kick_all();
	pthread_mutex_unlock(&hold.lock);
}

void vcpu__release(void)
{
	pthread_mutex_lock(&hold.lock);
	WRITE_ONCE(hold.count, hold.count - 1);
	pthread_cond_broadcast(&hold.changed);
	pthread_mutex_unlock(&hold.lock);
}

void vcpu__stat(unsigned int index, struct vcpu_stat *st)
{
	const struct vcpu *cpu = &vcpus[index];
	struct timespec t = { 0 };
	clockid_t clock;

	*st = (struct vcpu_stat){
		.mmio = READ_ONCE(cpu->stat.mmio),
		.port = READ_ONCE(cpu->stat.port),
		.eoi = READ_ONCE(cpu->stat.eoi),
		.other = READ_ONCE(cpu->stat.other),
	};
	/* It fails for a thread that has ended. */
	if (pthread_getcpuclockid(cpu->thread, &clock) == 0 && clock_gettime(clock, &t) == 0)
		st->cpu_ns = (u64)t.tv_sec * 1000000000 + (u64)t.tv_nsec;
}

void vcpu__regs(FILE *out)
{
	/* KVM gives them when the vCPU has left KVM_RUN, which a kick makes happen at once. */
	vcpu__hold();
	for (unsigned int i = 0; i < nvcpus; i++)
		vcpu__dump_regs(out, vcpus[i].fd, i);
	vcpu__release();
}

static int create_vcpu(struct vm *vm, struct vcpu *cpu, struct kvm_cpuid2 *cpuid)
{
	int ret, khz;

	cpu->fd = ioctl(vm->vm_fd, KVM_CREATE_VCPU, (unsigned long)cpu->index);
	if (cpu->fd < 0)
		goto err;
	cpu->run = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, cpu->fd, 0);
	if (cpu->run == MAP_FAILED) {
		cpu->run = NULL;
		goto err;
	}
	cpuid__set_topology(cpuid, cpu->index, vm->cpus);
	khz = ioctl(cpu->fd, KVM_GET_TSC_KHZ, 0);
	cpuid__set_clock(cpuid, khz > 0 ? (u32)khz : 0);
	if (ioctl(cpu->fd, KVM_SET_CPUID2, cpuid) < 0)
		goto err;
	return vcpu__init_state(vm, cpu->fd, cpu->index);
err:
	ret = -errno;
	if (ret == -EMFILE)
		pr_err(
		    "--cpus %u: no file descriptor for vCPU %u; raise the hard limit (ulimit -Hn)",
		    vm->cpus, cpu->index);
	else
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
