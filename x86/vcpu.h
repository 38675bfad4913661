/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef X86_VCPU_H
#define X86_VCPU_H

/* vCPUs: what they look like to the guest, how they start and how they end. */

#include <stdio.h>

#include "lkvm/util.h"

struct kvm_cpuid2;
struct kvm_run;
struct vm;

/* Let the threads go; after all set-up.  0 or a negative errno with a printed line. */
int vcpu__start(struct vm *vm);
/* vCPUs do not enter the guest again; from any thread, never blocks. */
void vcpu__quit(void);

/*
 * Keep vCPUs out of the guest until as many releases; each stays where it is at its next exit,
 * which comes at once.  An access of one that waits for the loop lock is still done.  After
 * vcpu__start().
 */
void vcpu__hold(void);
void vcpu__release(void);

/* How often vCPU @index has left the guest and why, and the time its thread has had. */
struct vcpu_stat {
	u64 mmio, port, eoi, other;
	u64 cpu_ns;
};
void vcpu__stat(unsigned int index, struct vcpu_stat *st);
/* The registers of all vCPUs; does not wait for the guest. */
void vcpu__regs(FILE *out);

/*
 * vcpu_init.c: the state of vCPU @index at power-on, and for vCPU 0 that of the boot protocol, with
 * the tables it needs in guest memory.  0 or a negative errno with a printed line.
 */
int vcpu__init_state(struct vm *vm, int vcpu_fd, unsigned int index);

/* vcpu_regs.c: the registers of a vCPU that is not in the guest, to @out or (of one that failed) as
 * errors. */
void vcpu__dump_regs(FILE *out, int vcpu_fd, unsigned int index);
void vcpu__print_regs(int vcpu_fd, unsigned int index);
/* The same file: one line of why a vCPU cannot go on, after an exit or after KVM_RUN failed with @err. */
void vcpu__print_exit(const struct kvm_run *run, unsigned int index);
void vcpu__print_error(const struct kvm_run *run, unsigned int index, int err);

/* cpuid.c: what KVM can do, to be freed; NULL with a printed line on failure. */
struct kvm_cpuid2 *cpuid__supported(int kvm_fd);
/* Set what differs between vCPUs (the topology: one package, one thread per core). */
void cpuid__set_topology(struct kvm_cpuid2 *cpuid, unsigned int index, unsigned int cpus);
/*
 * Tell the rate of the TSC in leaf 15h, where there is one: a kernel that does not know KVM's clock finds
 * no other clock here to measure the TSC by.
 */
void cpuid__set_clock(struct kvm_cpuid2 *cpuid, u32 tsc_khz);
/* Guest-physical address bits. */
unsigned int cpuid__phys_bits(const struct kvm_cpuid2 *cpuid);
/* Whether a guest with it can run guests (VMX or SVM). */
bool cpuid__nests(const struct kvm_cpuid2 *cpuid);

#endif
