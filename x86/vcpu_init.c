/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * How vCPUs start.  vCPU 0 begins where the boot protocol says, either in 64-bit mode (bzImage: flat
 * segments and identity-mapped pages for the low 4 GiB) or in 32-bit protected mode without paging
 * (PVH).  The others wait for INIT and SIPI in the kernel, in the state KVM resets them to.
 */

#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "lkvm/layout.h"
#include "lkvm/mem.h"
#include "lkvm/vm.h"
#include "x86/vcpu.h"

/* Selectors of the GDT at LOW_GDT; the 64-bit boot protocol wants 10h and 18h. */
#define SEL_CODE32 0x08
#define SEL_CODE64 0x10
#define SEL_DATA   0x18

#define CR0_PE	 BIT(0)
#define CR0_MP	 BIT(1)
#define CR0_ET	 BIT(4)
#define CR0_NE	 BIT(5)
#define CR0_WP	 BIT(16)
#define CR0_AM	 BIT(18)
#define CR0_PG	 BIT(31)
#define CR4_PAE	 BIT(5)
#define CR4_LA57 BIT(12)
#define EFER_LME BIT(8)
#define EFER_LMA BIT(10)

#define PTE_P  BIT(0)
#define PTE_W  BIT(1)
#define PTE_PS BIT(7)

#define PORT_PM_RESET (PORT_PM + 2)

#define MSR_APIC_BASE	  0x1b
#define APIC_BASE_EXTD	  BIT(10)
#define MSR_MISC_ENABLE	  0x1a0
#define MISC_FAST_STRINGS BIT(0)
#define MCG_CAP_BANKS	  1 /* bits 7:0: the number of banks */
#define MSR_MTRR_DEF_TYPE 0x2ff
#define MTRR_ENABLED_WB	  (BIT(11) | 6)

static int put(struct vm *vm, u64 gpa, const void *data, u64 len)
{
	int ret = mem__write(vm->mem, gpa, data, len);

	if (ret < 0)
		pr_err("guest RAM is too small for the boot tables; try a larger --mem");
	return ret;
}

static int write_gdt(struct vm *vm)
{
	static const u64 gdt[] = {
		0, 0x00cf9b000000ffff, /* 32-bit code, flat */
		0x00af9b000000ffff,    /* 64-bit code */
		0x00cf93000000ffff,    /* data, flat */
	};

	return put(vm, LOW_GDT, gdt, sizeof(gdt));
}

/* PML4, PDPT, four page directories of 2 MiB pages; and a PML5 above them. */
static int write_page_tables(struct vm *vm)
{
	u64(*t)[512] = calloc(7, sizeof(*t));
	int ret;

	if (!t) {
		pr_err("out of memory for the boot page tables");
		return -ENOMEM;
	}
	t[0][0] = (LOW_PGTABLE + 0x1000) | PTE_P | PTE_W;
	for (u64 i = 0; i < 4; i++)
		t[1][i] = (LOW_PGTABLE + 0x2000 + i * 0x1000) | PTE_P | PTE_W;
	for (u64 i = 0; i < 4 * 512; i++)
		t[2 + i / 512][i % 512] = i * 2 * MiB | PTE_P | PTE_W | PTE_PS;
	t[6][0] = LOW_PGTABLE | PTE_P | PTE_W;
	ret = put(vm, LOW_PGTABLE, t, 7 * sizeof(*t));
	free(t);
	return ret;
}

/*
 * What is at the BIOS's entry point.  To reboot a hardware-reduced machine, a Linux built with EFI
 * support asks only EFI, and where there is none jumps there in real mode.
 */
static int write_reset_vector(struct vm *vm)
{
	static const u8 code[] = {
		0xba,
		PORT_PM_RESET & 0xff,
		PORT_PM_RESET >> 8, /* mov $PORT_PM_RESET, %dx */
		0xb0,
		0x01, /* mov $1, %al */
		0xee, /* out %al, (%dx) */
		0xf4, /* hlt */
		0xeb,
		0xfd, /* jmp to the hlt */
	};

	return put(vm, RESET_VECTOR, code, sizeof(code));
}

static int set_boot_sregs(struct vm *vm, int fd)
{
	struct kvm_segment code = {
		.base = 0,
		.limit = 0xffffffff,
		.selector = SEL_CODE64,
		.type = 0xb,
		.present = 1,
		.s = 1,
		.l = 1,
		.g = 1,
	};
	struct kvm_segment data = {
		.base = 0,
		.limit = 0xffffffff,
		.selector = SEL_DATA,
		.type = 3,
		.present = 1,
		.db = 1,
		.s = 1,
		.g = 1,
	};
	/* KVM's own is a 16-bit one on AMD; PVH says what it has to be (Xen's docs/misc/pvh.pandoc). */
	struct kvm_segment task = {
		.base = 0,
		.limit = 0x67,
		.type = 0xb, /* 32- or 64-bit, busy */
		.present = 1,
	};
	struct kvm_sregs s, five;

	if (ioctl(fd, KVM_GET_SREGS, &s) < 0)
		return -errno;
	s.gdt.base = LOW_GDT;
	s.gdt.limit = 4 * 8 - 1;
	if (vm->entry_pvh) {
		code.selector = SEL_CODE32;
		code.l = 0;
		code.db = 1;
		s.cr0 = CR0_PE | CR0_ET;
		s.cr4 = 0;
		s.efer = 0;
	} else {
		s.cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG;
		s.cr3 = LOW_PGTABLE;
		s.cr4 = CR4_PAE;
		s.efer = EFER_LME | EFER_LMA;
	}
	s.cs = code;
	s.ds = s.es = s.fs = s.gs = s.ss = data;
	s.tr = task;
	if (vm->entry_la57) {
		/* KVM refuses it to a guest whose processor has no five levels. */
		five = s;
		five.cr3 = LOW_PML5;
		five.cr4 |= CR4_LA57;
		if (ioctl(fd, KVM_SET_SREGS, &five) == 0)
			return 0;
	}
	return ioctl(fd, KVM_SET_SREGS, &s) < 0 ? -errno : 0;
}

static int set_boot_regs(struct vm *vm, int fd)
{
	struct kvm_regs r = {
		.rip = vm->entry,
		.rax = vm->entry_rax,
		.rsi = vm->entry_rsi,
		.rbx = vm->entry_rbx,
		.rflags = 2, /* the bit that is always set */
	};

	return ioctl(fd, KVM_SET_REGS, &r) < 0 ? -errno : 0;
}

/* Get or set one MSR with KVM_GET_MSRS or KVM_SET_MSRS. */
static int one_msr(int fd, unsigned long request, u32 index, u64 *data)
{
	struct kvm_msrs *m = calloc(1, sizeof(*m) + sizeof(m->entries[0]));
	int ret;

	if (!m)
		return -ENOMEM;
	m->nmsrs = 1;
	m->entries[0].index = index;
	m->entries[0].data = *data;
	ret = ioctl(fd, request, m);
	ret = ret < 0 ? -errno : ret == 1 ? 0 : -EINVAL;
	*data = m->entries[0].data;
	free(m);
	return ret;
}

/*
 * x2APIC mode, which INIT keeps.  With APIC ids of more than 8 bits firmware hands over in it (MADT
 * entries of such ids count for nothing in a Linux that finds xAPIC mode); else a kernel may be one
 * that knows no other than xAPIC mode.
 */
static int set_x2apic(int fd)
{
	u64 base = 0;
	int ret = one_msr(fd, KVM_GET_MSRS, MSR_APIC_BASE, &base);

	if (ret < 0)
		return ret;
	base |= APIC_BASE_EXTD;
	return one_msr(fd, KVM_SET_MSRS, MSR_APIC_BASE, &base);
}

/* Registers that firmware would have set on every processor. */
static int set_msrs(const struct vm *vm, int fd)
{
	u64 misc = 0, mtrr = MTRR_ENABLED_WB, mcg_cap = MCG_CAP_BANKS;
	int ret = vm->cpus > CPUS_XAPIC ? set_x2apic(fd) : 0;

	if (ret < 0)
		return ret;
	/* Nothing here reports machine checks, and each of KVM's 32 banks costs Linux six exits at boot. */
	if (ioctl(fd, KVM_X86_SETUP_MCE, &mcg_cap) < 0)
		return -errno;
	ret = one_msr(fd, KVM_GET_MSRS, MSR_MISC_ENABLE, &misc);
	if (ret < 0)
		return ret;
	/* Without it Linux believes that REP MOVS is slow.  The rest says what KVM cannot do. */
	misc |= MISC_FAST_STRINGS;
	ret = one_msr(fd, KVM_SET_MSRS, MSR_MISC_ENABLE, &misc);
	if (ret < 0)
		return ret;
	/* Linux uses the PAT only with MTRRs on; it makes MMIO uncached by PAT. */
	return one_msr(fd, KVM_SET_MSRS, MSR_MTRR_DEF_TYPE, &mtrr);
}

int vcpu__init_state(struct vm *vm, int fd, unsigned int index)
{
	int ret = set_msrs(vm, fd);

	if (ret < 0)
		goto err;
	if (index)
		return 0;
	/* These print their own line. */
	ret = write_gdt(vm);
	if (ret < 0)
		return ret;
	ret = write_reset_vector(vm);
	if (ret < 0)
		return ret;
	if (!vm->entry_pvh) {
		ret = write_page_tables(vm);
		if (ret < 0)
			return ret;
	}
	ret = set_boot_sregs(vm, fd);
	if (ret < 0)
		goto err;
	ret = set_boot_regs(vm, fd);
	if (ret < 0)
		goto err;
	return 0;
err:
	pr_err("KVM refuses the initial state of vCPU %u: %s", index, strerror(-ret));
	return ret;
}
