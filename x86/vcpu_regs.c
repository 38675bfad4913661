/* SPDX-License-Identifier: GPL-2.0-only */

/* What a vCPU's registers look like, for whoever asks and for the last words of a guest. */

#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "x86/vcpu.h"

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
