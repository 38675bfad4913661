/* SPDX-License-Identifier: GPL-2.0-only */

/* How vCPU 0 starts in each mode: what KVM is told of it. */

#include <errno.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "tap.h"
#include "x86/mem.c"

static int fake_ioctl(int fd, unsigned long req, void *arg);
#define ioctl fake_ioctl
#include "x86/vcpu_init.c"
#undef ioctl

void pr_err(const char *fmt, ...)
{
}

static struct vm vm;
static struct kvm_sregs sregs;
static struct kvm_regs regs;
static u64 mcg_cap;

static int fake_ioctl(int fd, unsigned long req, void *arg)
{
	switch (req) {
	case KVM_GET_SREGS:
		*(struct kvm_sregs *)arg = sregs;
		return 0;
	case KVM_SET_SREGS:
		sregs = *(struct kvm_sregs *)arg;
		return 0;
	case KVM_SET_REGS:
		regs = *(struct kvm_regs *)arg;
		return 0;
	case KVM_X86_SETUP_MCE:
		mcg_cap = *(u64 *)arg;
		return 0;
	case KVM_GET_MSRS:
	case KVM_SET_MSRS:
		return 1;
	}
	errno = ENOTTY;
	return -1;
}

/* From the task segment that KVM has on AMD, a 16-bit one. */
static void start(bool pvh)
{
	sregs = (struct kvm_sregs){ .tr = { .limit = 0xffff, .type = 3, .present = 1 } };
	vm.entry_pvh = pvh;
	eq(vcpu__init_state(&vm, -1, 0), 0, "vCPU 0 has a state");
}

static void test_pvh(void)
{
	vm.entry = 0x200040;
	vm.entry_rbx = 0x1000;
	start(true);
	eq(sregs.cr0 & (CR0_PE | CR0_PG), CR0_PE, "PVH: protected mode without paging");
	ok(sregs.cs.db && !sregs.cs.l && !sregs.cs.base && sregs.cs.limit == ~0u,
	   "a flat 32-bit code segment");
	ok(sregs.tr.type == 0xb && sregs.tr.limit == 0x67 && !sregs.tr.base && sregs.tr.present &&
	       !sregs.tr.s,
	   "an active 32-bit TSS of 67h");
	ok(regs.rip == vm.entry && regs.rbx == vm.entry_rbx && regs.rflags == 2, "and registers");
	eq(mcg_cap, 1, "one bank for machine checks");
}

static void test_bzimage(void)
{
	start(false);
	ok((sregs.cr0 & CR0_PG) && sregs.cs.l && !sregs.cs.db && sregs.efer == 0x500,
	   "bzImage: 64-bit mode");
	eq(sregs.tr.type, 0xb, "with a TSS that this mode takes");
}

int main(void)
{
	vm.cpus = 1;
	vm.mem = mem__new(-1, 4 * MiB);
	test_pvh();
	test_bzimage();
	mem__free(vm.mem);
	return tap_done();
}
