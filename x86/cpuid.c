/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * CPUID: what KVM supports on this host, handed through (nested virtualisation included), but for the
 * leaves that describe where a CPU sits.  The guest sees one package of cores with one thread each,
 * APIC ids 0, 1, 2, ...
 */

#include <asm/prctl.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "x86/vcpu.h"

#define ENTRIES_FIRST 128
#define ENTRIES_MAX   4096
/* Room for what cpuid__set_topology() and cpuid__set_clock() add. */
#define ENTRIES_SPARE 4

/* What AMX's tiles are in XCR0 (SDM 1, 13.1). */
#define XCR0_TILE_DATA 18

#define KVM_FEATURES		0x40000001
#define KVM_FEATURE_EXT_DEST_ID BIT(15)

#define LEAF1_ECX_VMX	       BIT(5)
#define LEAF1_ECX_X2APIC       BIT(21)
#define LEAF1_ECX_TSC_DEADLINE BIT(24)
#define LEAF1_ECX_HYPERVISOR   BIT(31)
#define LEAF1_EDX_HTT	       BIT(28)
#define LEAF7_EBX_SGX	       BIT(2)
#define LEAF7_ECX_SGX_LC       BIT(30)
#define LEAF80000001_ECX_CMP   BIT(1)
#define LEAF80000001_ECX_SVM   BIT(2)

/* What clocks the APIC timer (SDM 3A 12.5.4): KVM's counts nanoseconds. */
#define CRYSTAL_HZ 1000000000u

/* Level types of leaf 0Bh, ECX bits 15:8. */
#define LEVEL_SMT  (1 << 8)
#define LEVEL_CORE (2 << 8)

static struct kvm_cpuid_entry2 *find_leaf(struct kvm_cpuid2 *c, u32 function, u32 index)
{
	for (u32 i = 0; i < c->nent; i++)
		if (c->entries[i].function == function && c->entries[i].index == index)
			return &c->entries[i];
	return NULL;
}

static void drop_leaf(struct kvm_cpuid2 *c, u32 function)
{
	u32 n = 0;

	for (u32 i = 0; i < c->nent; i++)
		if (c->entries[i].function != function)
			c->entries[n++] = c->entries[i];
	c->nent = n;
}

static void add_leaf(struct kvm_cpuid2 *c, struct kvm_cpuid_entry2 e)
{
	c->entries[c->nent++] = e;
}

/*
 * What KVM can do only for a VM that was made for it.  Linux reads the SEV_STATUS MSR before it can take
 * a fault where leaf 8000001Fh says that there is one, and there is none; without sections of enclave
 * memory (leaf 12h) SGX is nothing but an error in the log.
 */
static void drop_unserved(struct kvm_cpuid2 *c)
{
	struct kvm_cpuid_entry2 *e = find_leaf(c, 7, 0);

	if (e) {
		e->ebx &= ~(u32)LEAF7_EBX_SGX;
		e->ecx &= ~(u32)LEAF7_ECX_SGX_LC;
	}
	drop_leaf(c, 0x12);
	drop_leaf(c, 0x8000001f);
	/* 32-bit destinations come with interrupt remapping, not with this interface. */
	e = find_leaf(c, KVM_FEATURES, 0);
	if (e)
		e->eax &= ~KVM_FEATURE_EXT_DEST_ID;
}

struct kvm_cpuid2 *cpuid__supported(int kvm_fd)
{
	/*
	 * To be asked for before, or leaf 0Dh lacks the state of the AMX that leaf 7 tells of (xstate.rst
	 * in the kernel's documentation).  It fails where there is no AMX, or no right to it.
	 */
	syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_GUEST_PERM, XCR0_TILE_DATA);

	for (u32 n = ENTRIES_FIRST; n <= ENTRIES_MAX; n *= 2) {
		struct kvm_cpuid2 *c =
		    calloc(1, sizeof(*c) + (n + ENTRIES_SPARE) * sizeof(c->entries[0]));
		struct kvm_cpuid_entry2 *e;

		if (!c) {
			pr_err("out of memory for CPUID");
			return NULL;
		}
		c->nent = n;
		if (ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, c) < 0) {
			int err = errno;

			free(c);
			if (err == E2BIG)
				continue;
			pr_err("KVM does not tell the CPUID it supports: %s", strerror(err));
			return NULL;
		}
		e = find_leaf(c, 1, 0);
		if (e) {
			e->ecx |= LEAF1_ECX_HYPERVISOR | LEAF1_ECX_X2APIC;
			/* KVM leaves this one to whoever has its LAPIC. */
			if (ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0)
				e->ecx |= LEAF1_ECX_TSC_DEADLINE;
		}
		drop_unserved(c);
		return c;
	}
	pr_err("KVM supports more CPUID leaves than lkvm can take");
	return NULL;
}

/* The number of APIC id bits for @cpus cores. */
static u32 core_bits(unsigned int cpus)
{
	u32 bits = 0;

	while ((1u << bits) < cpus)
		bits++;
	return bits;
}

/* Cache leaves (Intel 4, AMD 8000001Dh): levels 1 and 2 are private, others shared by all. */
static void set_cache_sharing(struct kvm_cpuid_entry2 *e, u32 bits)
{
	u32 level = FIELD(e->eax, 7, 5);

	e->eax &= ~(u32)GENMASK(25, 14);
	if (level >= 3)
		e->eax |= ((1u << bits) - 1) << 14;
	if (e->function == 4) {
		e->eax &= ~(u32)GENMASK(31, 26);
		e->eax |= MIN((1u << bits) - 1, 63u) << 26;
	}
}

/* The vendor by its first letters. */
#define AMD   0x68747541 /* "Auth" */
#define HYGON 0x6f677948
#define INTEL 0x756e6547 /* "Genu" */

static u32 vendor(struct kvm_cpuid2 *c)
{
	const struct kvm_cpuid_entry2 *e = find_leaf(c, 0, 0);

	return e ? e->ebx : 0;
}

static void set_leaf(struct kvm_cpuid_entry2 *e, bool amd, u32 id, unsigned int cpus, u32 bits)
{
	switch (e->function) {
	case 1:
		e->ebx &= 0x0000ffff;
		e->ebx |= id << 24 | MIN(1u << bits, 255u) << 16;
		e->edx &= ~(u32)LEAF1_EDX_HTT;
		e->edx |= cpus > 1 ? LEAF1_EDX_HTT : 0;
		break;
	case 4:
	case 0x8000001d:
		if (FIELD(e->eax, 4, 0)) /* a cache, not the end of the list */
			set_cache_sharing(e, bits);
		break;
	case 0x80000001:
		/* AMD's way to say that HTT means cores; reserved elsewhere. */
		e->ecx &= ~(u32)LEAF80000001_ECX_CMP;
		e->ecx |= amd && cpus > 1 ? LEAF80000001_ECX_CMP : 0;
		break;
	case 0x80000008:
		e->ecx &= ~(u32)(GENMASK(15, 12) | GENMASK(7, 0));
		e->ecx |= bits << 12 | MIN(cpus - 1, 255u);
		break;
	case 0x8000001e:
		e->eax = id;
		e->ebx = id & 0xff; /* core id; one thread per core */
		e->ecx = 0;	    /* node 0, one node */
		break;
	}
}

void cpuid__set_topology(struct kvm_cpuid2 *c, unsigned int index, unsigned int cpus)
{
	u32 bits = core_bits(cpus);
	const struct kvm_cpuid_entry2 *max;
	bool amd = vendor(c) == AMD || vendor(c) == HYGON;

	/* Newer forms of leaf 0Bh; without them software falls back to it. */
	drop_leaf(c, 0x1f);
	drop_leaf(c, 0x80000026);
	drop_leaf(c, 0xb);
	for (u32 i = 0; i < c->nent; i++)
		set_leaf(&c->entries[i], amd, index, cpus, bits);

	max = find_leaf(c, 0, 0);
	if (!max || max->eax < 0xb)
		return;
	add_leaf(c, (struct kvm_cpuid_entry2){ .function = 0xb,
					       .index = 0,
					       .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
					       .eax = 0,
					       .ebx = 1,
					       .ecx = 0 | LEVEL_SMT,
					       .edx = index });
	add_leaf(c, (struct kvm_cpuid_entry2){ .function = 0xb,
					       .index = 1,
					       .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
					       .eax = bits,
					       .ebx = cpus,
					       .ecx = 1 | LEVEL_CORE,
					       .edx = index });
	add_leaf(c, (struct kvm_cpuid_entry2){ .function = 0xb,
					       .index = 2,
					       .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
					       .ecx = 2,
					       .edx = index });
}

void cpuid__set_clock(struct kvm_cpuid2 *c, u32 tsc_khz)
{
	const struct kvm_cpuid_entry2 *max = find_leaf(c, 0, 0);
	struct kvm_cpuid_entry2 clock = {
		.function = 0x15,
		.eax = CRYSTAL_HZ / 1000,
		.ebx = tsc_khz,
		.ecx = CRYSTAL_HZ,
	};

	if (vendor(c) != INTEL || max->eax < 0x15 || !tsc_khz)
		return;
	drop_leaf(c, 0x15);
	add_leaf(c, clock);
}

unsigned int cpuid__phys_bits(const struct kvm_cpuid2 *c)
{
	for (u32 i = 0; i < c->nent; i++) {
		u32 eax = c->entries[i].eax;

		if (c->entries[i].function != 0x80000008)
			continue;
		/* Bits 23:16: what nested paging can reach, if that is less. */
		if (FIELD(eax, 23, 16) && FIELD(eax, 23, 16) < FIELD(eax, 7, 0))
			return FIELD(eax, 23, 16);
		return FIELD(eax, 7, 0);
	}
	return 36; /* what processors without the leaf have */
}

bool cpuid__nests(const struct kvm_cpuid2 *c)
{
	for (u32 i = 0; i < c->nent; i++) {
		const struct kvm_cpuid_entry2 *e = &c->entries[i];

		if ((e->function == 1 && (e->ecx & LEAF1_ECX_VMX)) ||
		    (e->function == 0x80000001 && (e->ecx & LEAF80000001_ECX_SVM)))
			return true;
	}
	return false;
}
