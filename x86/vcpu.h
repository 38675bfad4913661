/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef X86_VCPU_H
#define X86_VCPU_H

/* vCPUs: what they look like to the guest, how they start and how they end. */

#include "lkvm/util.h"

struct kvm_cpuid2;
struct vm;

/* Let the threads go; after all set-up.  0 or a negative errno with a printed line. */
int vcpu__start(struct vm *vm);
/* vCPUs do not enter the guest again; from any thread, never blocks. */
void vcpu__quit(void);

/*
 * vcpu_init.c: the state of vCPU @index at power-on, and for vCPU 0 that of the boot protocol, with
 * the tables it needs in guest memory.  0 or a negative errno with a printed line.
 */
int vcpu__init_state(struct vm *vm, int vcpu_fd, unsigned int index);
/* Registers, on stderr, of a vCPU that KVM gave up. */
void vcpu__print_regs(int vcpu_fd, unsigned int index);

/* cpuid.c: what KVM can do, to be freed; NULL with a printed line on failure. */
struct kvm_cpuid2 *cpuid__supported(int kvm_fd);
/* Set what differs between vCPUs (the topology: one package, one thread per core). */
void cpuid__set_topology(struct kvm_cpuid2 *cpuid, unsigned int index, unsigned int cpus);
/* Guest-physical address bits. */
unsigned int cpuid__phys_bits(const struct kvm_cpuid2 *cpuid);

#endif
