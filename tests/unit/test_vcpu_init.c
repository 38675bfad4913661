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
static bool has_la57;

static int fake_ioctl(int fd, unsigned long req, void *arg)
{
	switch (req) {
	case KVM_GET_SREGS:
		*(struct kvm_sregs *)arg = sregs;
		return 0;
	case KVM_SET_SREGS:
		if (!has_la57 && (((struct kvm_sregs *)arg)->cr4 & CR4_LA57)) {
			errno = EINVAL;
			return -1;
		}
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
	ok(sregs.cr3 == LOW_PGTABLE && sregs.cr4 == CR4_PAE, "and four levels of page tables");
}

/* Where @va leads with the tables of the last start(). */
static u64 walk(u64 va)
{
	u64 table = sregs.cr3, e;

	for (int level = sregs.cr4 & CR4_LA57 ? 5 : 4; level >= 2; level--) {
		mem__read(vm.mem, table + ((va >> (12 + 9 * (level - 1))) & 511) * 8, &e,
			  sizeof(e));
		if (!(e & PTE_P))
			return ~0ULL;
		table = ALIGN_DOWN(e, 4096);
		if (e & PTE_PS)
			return table + (va & (2 * MiB - 1));
	}
	return ~0ULL;
}

static void test_la57(void)
{
	vm.entry_la57 = true;
	has_la57 = true;
	start(false);
	ok(sregs.cr4 & CR4_LA57, "five levels where kernel and processor have them");
	ok(walk(0x1000040) == 0x1000040 && walk(4 * GiB - 1) == 4 * GiB - 1 &&
	       walk(4 * GiB) == ~0ULL,
	   "lead to the lower 4 GiB");
	has_la57 = false;
	start(false);
	ok(!(sregs.cr4 & CR4_LA57) && sregs.cr3 == LOW_PGTABLE,
	   "four where the processor has no more");
	ok(walk(0x1000040) == 0x1000040 && walk(4 * GiB - 1) == 4 * GiB - 1 &&
	       walk(4 * GiB) == ~0ULL,
	   "lead there too");
	vm.entry_la57 = false;
}

int main(void)
{
	vm.cpus = 1;
	vm.mem = mem__new(-1, 4 * MiB);
	test_pvh();
	test_bzimage();
	test_la57();
	mem__free(vm.mem);
	return tap_done();
}
