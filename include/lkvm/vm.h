/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_VM_H
#define LKVM_VM_H

/*
 * The machine: what the modules' set-ups put together.  Plain fields, each filled by the module that
 * owns it at its level (module.h) and constant while the guest runs.
 */

#include "lkvm/util.h"

struct bus;
struct guest_mem;
struct irqchip;
struct loop;
struct pci_root;
struct vtd;

struct vm {
	/* What the user asked for (x86/run.c). */
	const char *name; /* never NULL */
	const char *kernel, *initrd, *params;
	bool no_kernel_cache; /* no unpacked kernel is used or kept */
	u64 ram_size;
	unsigned int cpus;

	/* MODULE_CORE */
	int kvm_fd, vm_fd;
	struct loop *loop;
	struct guest_mem *mem;
	struct bus *mmio, *pio;
	struct irqchip *irq;
	unsigned int phys_bits; /* guest-physical address width */
	/* MODULE_BUS */
	struct pci_root *pci;
	/* MODULE_IOMMU; NULL with --viommu=off */
	struct vtd *vtd;
	/* MODULE_FIRMWARE: where vCPU 0 starts (x86/boot.h) */
	u64 entry, entry_rsi, entry_rax, entry_rbx;
	bool entry_pvh;
	bool entry_la57; /* not entry_pvh: LA57 on if the processor has it */
};

/*
 * APIC ids are 0, 1, 2, ...  The ids below 255 need nothing; a guest uses those from there on only with
 * interrupt remapping in x2APIC mode, because a plain MSI has no room for them.  The most is what one
 * package can have in CPUID leaf 4 (12 bits of sharing).
 */
#define CPUS_XAPIC 255
#define CPUS_MAX   4096
/* The value of --cpus; for validate(), which runs before there is a struct vm. */
unsigned int run__cpus(void);

/* Exit statuses of `lkvm run` (also in lkvm.1). */
enum vm_status {
	VM_OFF = 0,	  /* powered off or rebooted */
	VM_USAGE = 2,	  /* bad argument */
	VM_HOST = 3,	  /* the host or the set-up failed */
	VM_PANIC = 4,	  /* the guest's kernel panicked */
	VM_TRIPLE = 5,	  /* triple fault */
	VM_KVM = 6,	  /* KVM could not go on (internal error, unknown exit) */
	VM_ISOLATION = 7, /* the host refused to put a device back into a safe state */
	VM_TIMEOUT = 124,
	VM_STOPPED = 130, /* ended from outside or by Ctrl-a x */
};

/* End the run with @status; from any thread.  The first one wins. */
void vm__stop(struct vm *vm, int status);

/* An ACPI table (complete, with its checksum byte anything) to be placed beside lkvm's own.  Copied;
 * before MODULE_FIRMWARE.  0 or -ENOMEM. */
int acpi__add_table(struct vm *vm, const void *table, u32 len);

/*
 * A request that `lkvm debug` and its kin can make of a running machine; a module lists its own (module.h).
 * @handle writes its answer to @out; loop lock held.  @text is what is behind the verb, may be "".  An answer
 * "error: TEXT" is a failure to the one who asks.  @handle is called whether the machine has the device or not.
 *
 * @check, where there is one, finds what is wrong with @text whatever the machine, for lkvm debug
 * to say before it looks for one: true, or false and such an answer.  @handle does not rely on it.
 */
struct control_verb {
	const char *name;
	const char *help; /* NULL: a subcommand's, not for `lkvm debug` */
	const char *arg;  /* "NAME" if it needs one, "[NAME]" if it takes one, NULL if neither */
	bool (*check)(const char *text, void *out /* FILE * */); /* may be NULL */
	void (*handle)(struct vm *vm, const char *text, void *out /* FILE * */);
};

#endif
