/* SPDX-License-Identifier: GPL-2.0-only */

/* What a vCPU's registers look like, for whoever asks, and the last words of one that cannot go on. */

#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "x86/vcpu.h"

/* KVM_EXIT_MEMORY_FAULT of Linux 6.8 (KVM api.rst 5), which older headers lack. */
#define EXIT_MEMORY_FAULT 39

/* The local APIC's registers, as KVM_GET_LAPIC has them; of ISR and IRR the first of eight. */
#define APIC_TPR 0x80
#define APIC_ISR 0x100
#define APIC_IRR 0x200

/* " 31 ec": the vectors whose bits are set in the eight registers from @reg on. */
static void print_vectors(FILE *out, const char *name, const struct kvm_lapic_state *apic, u32 reg)
{
	bool any = false;

	fprintf(out, " %s", name);
	for (u32 vec = 0; vec < 256; vec++) {
		u32 bits;

		memcpy(&bits, apic->regs + reg + vec / 32 * 16, sizeof(bits));
		if (!(bits & BIT(vec % 32)))
			continue;
		fprintf(out, " %02x", vec);
		any = true;
	}
	if (!any)
		fprintf(out, " -");
}

/* Where an interrupt is stuck: requested, on its way into the vCPU, or in service without an EOI. */
static void dump_interrupts(FILE *out, int fd, unsigned int index)
{
	struct kvm_lapic_state apic;
	struct kvm_vcpu_events ev;
	u32 tpr;

	if (ioctl(fd, KVM_GET_LAPIC, &apic) < 0 || ioctl(fd, KVM_GET_VCPU_EVENTS, &ev) < 0) {
		fprintf(out, "vCPU %u: KVM does not give its interrupts\n", index);
		return;
	}
	memcpy(&tpr, apic.regs + APIC_TPR, sizeof(tpr));
	fprintf(out, "vCPU %u: tpr %02x", index, tpr);
	print_vectors(out, "isr", &apic, APIC_ISR);
	print_vectors(out, "irr", &apic, APIC_IRR);
	if (ev.interrupt.injected)
		fprintf(out, " injected %02x\n", ev.interrupt.nr);
	else
		fprintf(out, " injected -\n");
}

void vcpu__dump_regs(FILE *out, int fd, unsigned int index)
{
	struct kvm_regs r;
	struct kvm_sregs s;

	if (ioctl(fd, KVM_GET_REGS, &r) < 0 || ioctl(fd, KVM_GET_SREGS, &s) < 0) {
		fprintf(out, "vCPU %u: KVM does not give its registers\n", index);
		return;
	}
	fprintf(out, "vCPU %u: rip %016llx rflags %08llx cs %04x ss %04x\n", index, r.rip, r.rflags,
		s.cs.selector, s.ss.selector);
	fprintf(out, "vCPU %u: rax %016llx rbx %016llx rcx %016llx rdx %016llx\n", index, r.rax,
		r.rbx, r.rcx, r.rdx);
	fprintf(out, "vCPU %u: rsi %016llx rdi %016llx rsp %016llx rbp %016llx\n", index, r.rsi,
		r.rdi, r.rsp, r.rbp);
	fprintf(out, "vCPU %u: r8  %016llx r9  %016llx r10 %016llx r11 %016llx\n", index, r.r8,
		r.r9, r.r10, r.r11);
	fprintf(out, "vCPU %u: r12 %016llx r13 %016llx r14 %016llx r15 %016llx\n", index, r.r12,
		r.r13, r.r14, r.r15);
	fprintf(out, "vCPU %u: cr0 %08llx cr2 %016llx cr3 %016llx cr4 %08llx efer %llx\n", index,
		s.cr0, s.cr2, s.cr3, s.cr4, s.efer);
	dump_interrupts(out, fd, index);
}

void vcpu__print_regs(int fd, unsigned int index)
{
	char *text = NULL, *rest = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return;
	vcpu__dump_regs(out, fd, index);
	if (fclose(out) == 0)
		for (char *line = strtok_r(text, "\n", &rest); line;
		     line = strtok_r(NULL, "\n", &rest))
			pr_err("%s", line);
	free(text);
}

/* " 0f 0b": the instruction that KVM could not emulate, as far as it tells. */
static void insn_text(const struct kvm_run *run, char *text, size_t len)
{
	u32 n = MIN(run->emulation_failure.insn_size, sizeof(run->emulation_failure.insn_bytes));
	size_t at = 0;

	text[0] = 0;
	/* ndata counts quadwords: the flags, then two of size and bytes. */
	if (run->internal.ndata < 3 ||
	    !(run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES))
		return;
	for (u32 i = 0; i < n && at + 4 <= len; i++)
		at += (size_t)snprintf(text + at, len - at, " %02x",
				       run->emulation_failure.insn_bytes[i]);
}

static void print_internal_error(const struct kvm_run *run, unsigned int index)
{
	char insn[64];

	if (run->internal.suberror != KVM_INTERNAL_ERROR_EMULATION) {
		pr_err("vCPU %u: KVM internal error, suberror %u, data %llx", index,
		       run->internal.suberror, run->internal.ndata ? run->internal.data[0] : 0ULL);
		return;
	}
	insn_text(run, insn, sizeof(insn));
	pr_err("vCPU %u: KVM cannot emulate an instruction of the guest%s%s", index,
	       insn[0] ? ":" : "", insn);
}

void vcpu__print_exit(const struct kvm_run *run, unsigned int index)
{
	switch (run->exit_reason) {
	case KVM_EXIT_UNKNOWN:
		pr_err("vCPU %u: the CPU left the guest for reason %#llx, which KVM does not know",
		       index, run->hw.hardware_exit_reason);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		pr_err("vCPU %u: the CPU refuses to enter the guest, reason %#llx", index,
		       run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		print_internal_error(run, index);
		break;
	default:
		pr_err("vCPU %u: KVM exit %u, which lkvm does not know", index, run->exit_reason);
	}
}

void vcpu__print_error(const struct kvm_run *run, unsigned int index, int err)
{
	u64 fault[3]; /* flags, address, size */

	_Static_assert(sizeof(fault) <= sizeof(run->padding), "the fault is in the union");
	memcpy(fault, run->padding, sizeof(fault));
	if ((err == EFAULT || err == EHWPOISON) && run->exit_reason == EXIT_MEMORY_FAULT)
		pr_err("vCPU %u: the host cannot give the guest its memory at %#llx: %s", index,
		       fault[1], strerror(err));
	else
		pr_err("vCPU %u: KVM_RUN failed: %s", index, strerror(err));
}
