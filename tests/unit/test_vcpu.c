/* SPDX-License-Identifier: GPL-2.0-only */

/* vCPU threads above a KVM that exits as it is told: every reason, being held, and the clock. */

#include <errno.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lkvm/module.h"
#include "lkvm/trace.h"
#include "tap.h"

static int fake_ioctl(int fd, unsigned long req, ...);
#include "x86/bus.c"
#include "x86/loop.c"
#define ioctl fake_ioctl
#include "x86/vcpu.c"
#include "x86/vcpu_regs.c"
#undef ioctl

bool trace_on[TRACE_MAX];

void trace__emit(const char *event, const char *fmt, ...)
{
}

void module__register(struct module *m)
{
}

/* What was said, all lines of it, and how the machine was ended. */
static char said[8192];
static int status;

void pr_err(const char *fmt, ...)
{
	size_t at = strlen(said);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(said + at, sizeof(said) - at, fmt, ap);
	va_end(ap);
}

void vm__stop(struct vm *vm, int st)
{
	vcpu__quit();
	status = st;
	loop__stop(vm->loop, st);
}

static unsigned int eois;

void irq__eoi(struct irqchip *irq, u8 vector)
{
	eois += vector;
}

struct kvm_cpuid2 *cpuid__supported(int kvm_fd)
{
	return calloc(1, sizeof(struct kvm_cpuid2));
}

void cpuid__set_topology(struct kvm_cpuid2 *cpuid, unsigned int index, unsigned int cpus)
{
}

static u32 told_khz;

void cpuid__set_clock(struct kvm_cpuid2 *cpuid, u32 tsc_khz)
{
	told_khz = tsc_khz;
}

int vcpu__init_state(struct vm *vm, int vcpu_fd, unsigned int index)
{
	return 0;
}

/* --- KVM: @guest fills the exit and returns an errno; when it has nothing to do the vCPU halts --- */

#define HALT (-1)

static struct vm vm;
static int (*guest)(struct kvm_run *run);
static int tsc_khz;

static struct kvm_run *run_of(int fd)
{
	for (unsigned int i = 0; i < nvcpus; i++)
		if (vcpus[i].fd == fd)
			return vcpus[i].run;
	return NULL;
}

static int fake_run(struct kvm_run *run)
{
	int err = run->immediate_exit ? EINTR : guest(run);

	while (err == HALT) {
		usleep(100);
		if (READ_ONCE(run->immediate_exit))
			err = EINTR;
	}
	errno = err;
	return err ? -1 : 0;
}

static int fake_ioctl(int fd, unsigned long req, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, req);
	arg = va_arg(ap, void *);
	va_end(ap);
	switch (req) {
	case KVM_RUN:
		return fake_run(run_of(fd));
	case KVM_GET_VCPU_MMAP_SIZE:
		return 4096;
	case KVM_CREATE_VCPU:
		fd = memfd_create("vcpu", MFD_CLOEXEC);
		return ftruncate(fd, 4096) < 0 ? -1 : fd;
	case KVM_GET_SREGS:
		memset(arg, 0, sizeof(struct kvm_sregs));
		return 0;
	case KVM_GET_REGS:
		memset(arg, 0, sizeof(struct kvm_regs));
		return 0;
	case KVM_GET_TSC_KHZ:
		errno = EIO;
		return tsc_khz;
	}
	return 0;
}

static void setup(unsigned int cpus, int (*fn)(struct kvm_run *run))
{
	guest = fn;
	status = -1;
	said[0] = 0;
	quitting = false;
	vm.cpus = cpus;
	vm.loop = loop__new();
	ok(vcpu_setup(&vm) == 0 && vcpu__start(&vm) == 0, "%u vCPU(s) start", cpus);
}

static void teardown(void)
{
	vcpu_teardown(&vm);
	loop__free(vm.loop);
}

/* --- Every reason --- */

static struct kvm_run script;
static int script_errno;

static int exit_once(struct kvm_run *run)
{
	static const size_t from = offsetof(struct kvm_run, exit_reason);

	memcpy((char *)run + from, (char *)&script + from,
	       offsetof(struct kvm_run, padding) + sizeof(script.padding) - from);
	return script_errno;
}

static void ends(int want, const char *line, const char *what)
{
	int got;

	setup(1, exit_once);
	got = loop__run(vm.loop);
	teardown();
	ok(got == want && (line ? !!strstr(said, line) : !said[0]), "%s: status %d", what, want);
	if (got != want || (line && !strstr(said, line)))
		printf("# %d, %s\n", got, said);
	script = (struct kvm_run){ 0 };
	script_errno = 0;
}

static void test_reasons(void)
{
	u64 fault[3] = { 0, 0x12345000, 0x1000 };

	script.exit_reason = KVM_EXIT_SHUTDOWN;
	ends(VM_TRIPLE, "triple-faulted", "shutdown");
	script.exit_reason = KVM_EXIT_SYSTEM_EVENT;
	script.system_event.type = KVM_SYSTEM_EVENT_SHUTDOWN;
	ends(VM_OFF, NULL, "system event, off");
	script.exit_reason = KVM_EXIT_SYSTEM_EVENT;
	script.system_event.type = KVM_SYSTEM_EVENT_CRASH;
	ends(VM_PANIC, NULL, "system event, crash");
	script.exit_reason = KVM_EXIT_FAIL_ENTRY;
	script.fail_entry.hardware_entry_failure_reason = 0x80000021;
	ends(VM_KVM, "0x80000021", "entry failed");
	script.exit_reason = KVM_EXIT_UNKNOWN;
	script.hw.hardware_exit_reason = 0x4d;
	ends(VM_KVM, "0x4d", "a reason unknown to KVM");
	script.exit_reason = 0x7777;
	ends(VM_KVM, "30583", "an exit unknown to lkvm");
	script.exit_reason = KVM_EXIT_HYPERCALL;
	ends(VM_KVM, "KVM exit 3", "one that was not asked for");
	script.exit_reason = KVM_EXIT_INTERNAL_ERROR;
	script.internal.suberror = KVM_INTERNAL_ERROR_DELIVERY_EV;
	script.internal.ndata = 1;
	script.internal.data[0] = 0xabc;
	ends(VM_KVM, "suberror 3, data abc", "internal error");
	script.exit_reason = KVM_EXIT_INTERNAL_ERROR;
	script.internal.suberror = KVM_INTERNAL_ERROR_EMULATION;
	ends(VM_KVM, "an instruction of the guestvCPU", "emulation, nothing more told");
	script.exit_reason = KVM_EXIT_INTERNAL_ERROR;
	script.internal.suberror = KVM_INTERNAL_ERROR_EMULATION;
	script.internal.ndata = 3;
	script.emulation_failure.flags = KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES;
	script.emulation_failure.insn_size = 2;
	script.emulation_failure.insn_bytes[0] = 0x0f;
	script.emulation_failure.insn_bytes[1] = 0xae;
	ends(VM_KVM, "of the guest: 0f aevCPU", "emulation, with the instruction");
	script.exit_reason = KVM_EXIT_INTERNAL_ERROR;
	script.internal.suberror = KVM_INTERNAL_ERROR_EMULATION;
	script.internal.ndata = 3;
	script.emulation_failure.flags = KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES;
	script.emulation_failure.insn_size = 255;
	ends(VM_KVM, "of the guest: 00", "emulation, more bytes than there are");
	script_errno = ENOSYS;
	ends(VM_KVM, "KVM_RUN failed: Function not implemented", "KVM_RUN fails");
	script_errno = EFAULT;
	script.exit_reason = KVM_EXIT_MMIO;
	ends(VM_KVM, "KVM_RUN failed: Bad address", "no memory, address unknown");
	script_errno = EHWPOISON;
	script.exit_reason = EXIT_MEMORY_FAULT;
	memcpy(script.padding, fault, sizeof(fault));
	ends(VM_KVM, "memory at 0x12345000", "no memory, address known");
}

/* --- Accesses: bytes and repetitions --- */

static u32 writes, sum;

static void region_access(struct bus_region *r, u64 off, u8 *data, u32 len, bool write)
{
	writes += write;
	sum += (u32)off + len * 16 + data[0] * 256;
}

static struct bus_region port = { .base = 0x100, .size = 4, .access = region_access };
static struct bus_region mmio = { .base = 0x1000, .size = 64, .access = region_access };
static int step;

static int some_accesses(struct kvm_run *run)
{
	switch (step++) {
	case 0:
		run->exit_reason = KVM_EXIT_IO;
		run->io.direction = KVM_EXIT_IO_OUT;
		run->io.port = 0x102;
		run->io.size = 2;
		run->io.count = 3;
		run->io.data_offset = 2048;
		memcpy((char *)run + 2048, "\1\0\2\0\4", 6);
		return 0;
	case 1:
		run->exit_reason = KVM_EXIT_MMIO;
		run->mmio.phys_addr = 0x1008;
		run->mmio.len = 0xffffffff; /* not even KVM is believed */
		run->mmio.is_write = 1;
		run->mmio.data[0] = 0x10;
		return 0;
	case 2:
		run->exit_reason = KVM_EXIT_IOAPIC_EOI;
		run->eoi.vector = 0x42;
		return 0;
	case 3:
		return EAGAIN;
	case 4:
		run->exit_reason = KVM_EXIT_INTR;
		return 0;
	}
	run->exit_reason = KVM_EXIT_SHUTDOWN;
	return 0;
}

static void test_accesses(void)
{
	struct vcpu_stat st;

	setup(1, some_accesses);
	eq(loop__run(vm.loop), VM_TRIPLE, "some accesses, and the end");
	stop_threads();
	vcpus[0].started = false;
	eq(writes, 4, "three ports at once, one of memory");
	eq(sum, 3 * (2 + 32) + 7 * 256 + 8 + 8 * 16 + 0x10 * 256, "with their widths and values");
	eq(eois, 0x42, "and an EOI");
	vcpu__stat(0, &st);
	ok(st.mmio == 1 && st.port == 1 && st.eoi == 1 && st.other == 2, "all are counted");
	teardown();
}

/* --- Holding --- */

static unsigned int laps; /* atomic */

static int spin(struct kvm_run *run)
{
	__atomic_add_fetch(&laps, 1, __ATOMIC_RELAXED);
	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = 0x1000;
	run->mmio.len = 4;
	run->mmio.is_write = 0;
	return 0;
}

static unsigned int laps_now(void)
{
	return __atomic_load_n(&laps, __ATOMIC_RELAXED);
}

static void wait_lap(void)
{
	unsigned int before = laps_now();

	while (laps_now() == before)
		usleep(100);
}

/* Sooner or later no lap within a while in which there would be many: nobody is in the guest. */
static bool stands(void)
{
	for (int tries = 0; tries < 200; tries++) {
		unsigned int before = laps_now();

		usleep(10000);
		if (laps_now() == before)
			return true;
	}
	return false;
}

static void test_hold(void)
{
	setup(3, spin);
	wait_lap();
	vcpu__hold();
	ok(stands(), "held vCPUs do not enter the guest");
	vcpu__hold();
	vcpu__release();
	ok(stands(), "not before all have released them");
	vcpu__release();
	wait_lap();
	ok(true, "then they do");
	for (int i = 0; i < 500; i++) {
		vcpu__hold();
		vcpu__release();
	}
	wait_lap();
	ok(true, "and after any number of times");
	vcpu__hold();
	teardown();
	vcpu__release();
	ok(true, "held ones can be ended");
}

/* An access that waits in the kernel, while its vCPU is kicked. */
static int pipefd[2];
static ssize_t got;
static bool reading; /* atomic */

static void wait_access(struct bus_region *r, u64 off, u8 *data, u32 len, bool write)
{
	char c;

	__atomic_store_n(&reading, true, __ATOMIC_RELEASE);
	got = read(pipefd[0], &c, 1);
}

static int one_access(struct kvm_run *run)
{
	if (__atomic_load_n(&reading, __ATOMIC_ACQUIRE))
		return HALT;
	return spin(run);
}

static void test_undisturbed(void)
{
	if (pipe(pipefd) < 0)
		ok(false, "a pipe");
	mmio.access = wait_access;
	setup(1, one_access);
	while (!__atomic_load_n(&reading, __ATOMIC_ACQUIRE))
		usleep(100);
	usleep(20000);
	vcpu__hold();
	usleep(20000);
	if (write(pipefd[1], "x", 1) != 1)
		ok(false, "a byte for the access");
	vcpu__release();
	teardown();
	eq(got, 1, "a system call of an access is not interrupted by a kick");
	mmio.access = region_access;
}

/* --- The clock --- */

/* Of vCPUs that are made and never run. */
static void tells(int khz, u32 want, const char *what)
{
	tsc_khz = khz;
	vm.cpus = 1;
	ok(vcpu_setup(&vm) == 0 && told_khz == want, "%s", what);
	vcpu_teardown(&vm);
}

static void test_clock(void)
{
	tells(2500000, 2500000, "the TSC's rate is told");
	tells(-1, 0, "a rate that KVM does not know is not told");
}

int main(void)
{
	vm.mmio = bus__new(-1, false);
	vm.pio = bus__new(-1, true);
	bus__add(vm.mmio, &mmio);
	bus__add(vm.pio, &port);
	test_reasons();
	test_accesses();
	test_hold();
	test_undisturbed();
	test_clock();
	bus__free(vm.mmio);
	bus__free(vm.pio);
	return tap_done();
}
