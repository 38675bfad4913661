/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * 300 vCPUs: what CPUID tells each about its place, and that an interrupt remapping entry for any of
 * them comes to KVM as a message for that one.  The MADT is in test_acpi.c.
 */

#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "vtd_fake.h"

static int fake_ioctl(int fd, unsigned long req, ...);
static long fake_syscall(long nr, ...);
#define ioctl	fake_ioctl
#define syscall fake_syscall
#include "iommu/cap.c"
#include "iommu/entry.c"
#include "iommu/entry_sm.c"
#include "iommu/fault.c"
#include "iommu/queue.c"
#include "iommu/regs.c"
#include "iommu/remap.c"
#include "x86/cpuid.c"
#include "x86/irq_kvm.c"
#undef ioctl
#undef syscall

#define CPUS  300
#define TABLE 0x20000ULL

static struct kvm_irq_routing_entry routes[CPUS];
static u32 nroutes;
static struct kvm_msi signalled;

static bool amx;

static long fake_syscall(long nr, ...)
{
	va_list ap;

	va_start(ap, nr);
	amx = nr == SYS_arch_prctl && va_arg(ap, int) == ARCH_REQ_XCOMP_GUEST_PERM &&
	      va_arg(ap, int) == 18;
	va_end(ap);
	return -1;
}

/* What KVM_GET_SUPPORTED_CPUID gives. */
static const struct kvm_cpuid_entry2 supported[] = {
	{ .function = 0, .eax = 0x1f },
	{ .function = 1, .ecx = 1, .edx = 2 },
	{ .function = 7, .ebx = 0x5, .ecx = 0x40000004, .edx = 0x8 },
	{ .function = 7, .index = 1, .ebx = 0x4 },
	{ .function = 0x12, .eax = 1 },
	{ .function = 0x12, .index = 1, .eax = 0x36 },
	{ .function = 0x40000001, .eax = 0x0100800b },
	{ .function = 0x80000008, .eax = 0x3030 },
	{ .function = 0x8000001f, .eax = 0x2, .ebx = 51 },
};

static int get_supported(struct kvm_cpuid2 *c)
{
	ok(amx, "what AMX needs was asked for before");
	if (c->nent < ARRAY_SIZE(supported)) {
		errno = E2BIG;
		return -1;
	}
	c->nent = ARRAY_SIZE(supported);
	memcpy(c->entries, supported, sizeof(supported));
	return 0;
}

static int fake_ioctl(int fd, unsigned long req, ...)
{
	const struct kvm_irq_routing *table;
	va_list ap;
	void *arg;

	va_start(ap, req);
	arg = va_arg(ap, void *);
	va_end(ap);
	switch (req) {
	case KVM_SET_GSI_ROUTING:
		table = arg;
		nroutes = table->nr;
		memcpy(routes, table->entries, nroutes * sizeof(routes[0]));
		return 0;
	case KVM_GET_SUPPORTED_CPUID:
		return get_supported(arg);
	case KVM_CHECK_EXTENSION:
		return 1;
	case KVM_SIGNAL_MSI:
		signalled = *(struct kvm_msi *)arg;
		return 0;
	}
	errno = ENOTTY;
	return -1;
}

/* --- CPUID --- */

static struct kvm_cpuid2 *cpuid;

static void leaf(u32 function, u32 index, u32 eax)
{
	cpuid->entries[cpuid->nent++] =
	    (struct kvm_cpuid_entry2){ .function = function, .index = index, .eax = eax };
}

/* Handed through, but for what needs a VM that lkvm does not make. */
static void test_supported(void)
{
	const struct kvm_cpuid_entry2 *e;

	cpuid = cpuid__supported(-1);
	e = find_leaf(cpuid, 1, 0);
	ok(e->ecx == (1 | BIT(31) | BIT(21) | BIT(24)) && e->edx == 2,
	   "a hypervisor, x2APIC and the deadline timer");
	e = find_leaf(cpuid, 7, 0);
	ok(e->ebx == 1 && e->ecx == 4 && e->edx == 8, "no SGX, and no launch control");
	eq(find_leaf(cpuid, 7, 1)->ebx, 4, "the same bit of another index stays");
	ok(!find_leaf(cpuid, 0x12, 0) && !find_leaf(cpuid, 0x12, 1), "no SGX leaf");
	ok(!find_leaf(cpuid, 0x8000001f, 0), "no SEV, whose MSR a plain VM does not have");
	eq(find_leaf(cpuid, 0x40000001, 0)->eax, 0x0100000b, "no 32-bit destinations of MSIs");
	eq(cpuid__phys_bits(cpuid), 48, "address bits");
	free(cpuid);
}

static void test_cpuid(unsigned int cpus, unsigned int id, u32 bits)
{
	const struct kvm_cpuid_entry2 *e;

	cpuid = calloc(1, sizeof(*cpuid) + 32 * sizeof(cpuid->entries[0]));
	leaf(0, 0, 0x1f);
	leaf(1, 0, 0);
	leaf(4, 0, 1 | 1 << 5); /* data, level 1 */
	leaf(4, 1, 3 | 3 << 5); /* unified, level 3 */
	leaf(0xb, 0, 0x77);
	leaf(0x1f, 0, 0x77);
	leaf(0x80000008, 0, 0);
	leaf(0x8000001e, 0, 0);
	cpuid__set_topology(cpuid, id, cpus);

	ok(!find_leaf(cpuid, 0x1f, 0), "%u of %u: no leaf 1Fh", id, cpus);
	e = find_leaf(cpuid, 0xb, 0);
	ok(e && e->eax == 0 && e->ebx == 1 && e->edx == id,
	   "one thread per core, the whole APIC id");
	e = find_leaf(cpuid, 0xb, 1);
	ok(e && e->eax == bits && e->ebx == cpus && e->edx == id, "a package of all, %u bits",
	   bits);
	e = find_leaf(cpuid, 1, 0);
	eq(e->ebx >> 24, id & 0xff, "the low byte of the APIC id in leaf 1");
	eq(FIELD(e->ebx, 23, 16), MIN(1u << bits, 255u), "and as many ids as that field can say");
	e = find_leaf(cpuid, 4, 0);
	ok(e && FIELD(e->eax, 25, 14) == 0, "level 1 is private");
	e = find_leaf(cpuid, 4, 1);
	eq(FIELD(e->eax, 25, 14), (1u << bits) - 1, "level 3 is shared by all");
	eq(FIELD(e->eax, 31, 26), MIN((1u << bits) - 1, 63u), "cores, as far as they can be said");
	e = find_leaf(cpuid, 0x80000008, 0);
	eq(e->ecx, bits << 12 | MIN(cpus - 1, 255u), "AMD's count stays within its byte");
	e = find_leaf(cpuid, 0x8000001e, 0);
	eq(e->eax, id, "AMD's extended APIC id");
	free(cpuid);
}

/* AMD's CmpLegacy: what HTT counts are cores, not threads (CPUID specification 25481, 3). */
static void test_cmp_legacy(const char *vendor, unsigned int cpus, u32 want)
{
	cpuid = calloc(1, sizeof(*cpuid) + 32 * sizeof(cpuid->entries[0]));
	leaf(0, 0, 0xd);
	memcpy(&cpuid->entries[0].ebx, vendor, 4);
	leaf(1, 0, 0);
	leaf(0x80000001, 0, 0);
	cpuid->entries[2].ecx = cpus > 1 ? 1 : 3;
	cpuid__set_topology(cpuid, 0, cpus);
	eq(find_leaf(cpuid, 1, 0)->edx >> 28, cpus > 1, "%.4s, %u vCPUs: HTT", vendor, cpus);
	eq(find_leaf(cpuid, 0x80000001, 0)->ecx, want, "and CmpLegacy");
	free(cpuid);
}

/* TSC Hz = ECX * EBX / EAX (SDM 2A, CPUID, leaf 15h). */
static void test_clock(void)
{
	const struct kvm_cpuid_entry2 *e;

	cpuid = calloc(1, sizeof(*cpuid) + 32 * sizeof(cpuid->entries[0]));
	leaf(0, 0, 0x14);
	memcpy(&cpuid->entries[0].ebx, "Genu", 4);
	cpuid__set_clock(cpuid, 2893437);
	eq(cpuid->nent, 1, "no leaf 15h where leaves end before");
	cpuid->entries[0].eax = 0x16;
	cpuid__set_clock(cpuid, 0);
	eq(cpuid->nent, 1, "nor if the rate is not known");
	leaf(0x15, 0, 0);
	cpuid__set_clock(cpuid, 2893437);
	cpuid__set_clock(cpuid, 2893437);
	e = find_leaf(cpuid, 0x15, 0);
	ok(cpuid->nent == 2 && e && e->eax && (u64)e->ecx * e->ebx / e->eax == 2893437000,
	   "the TSC's rate");
	eq(e->ecx, 1000000000, "and the crystal's, which is the APIC timer's");
	memcpy(&cpuid->entries[0].ebx, "Auth", 4);
	cpuid->nent = 1;
	cpuid__set_clock(cpuid, 2893437);
	eq(cpuid->nent, 1, "AMD has no such leaf");
	free(cpuid);
}

static void test_nests(void)
{
	cpuid = calloc(1, sizeof(*cpuid) + 8 * sizeof(cpuid->entries[0]));
	leaf(1, 0, 0);
	leaf(0x80000001, 0, 0);
	cpuid->entries[1].ecx = LEAF1_ECX_VMX;
	ok(!cpuid__nests(cpuid), "neither VMX nor SVM: guests have no KVM");
	cpuid->entries[1].ecx = LEAF80000001_ECX_SVM;
	ok(cpuid__nests(cpuid), "SVM: they have");
	cpuid->entries[1].ecx = 0;
	cpuid->entries[0].ecx = LEAF1_ECX_VMX;
	ok(cpuid__nests(cpuid), "VMX: too");
	free(cpuid);
}

/* --- Destinations --- */

static void test_destinations(void)
{
	static struct irq_gsi gsi[CPUS];
	struct vtd *vtd = fake__new(&vtd_config_emulated);
	unsigned int wrong = 0;
	u64 *table = (u64 *)(fake_mem.ram + TABLE);

	wr(vtd, VTD_IRTA, TABLE | VTD_IRTA_EIME | 8, 8); /* 512 entries */
	wr(vtd, VTD_GCMD, VTD_GCMD_SIRTP, 4);
	wr(vtd, VTD_GCMD, VTD_GCMD_IRE, 4);
	for (u32 i = 0; i < CPUS; i++) {
		struct msi_msg in = { .addr = 0xfee00010 | i << 5 };

		table[2 * i] = 1 | 0x41ULL << 16 | (u64)i << 32;
		gsi[i].used = vtd_remap_ops.remap(vtd, 8, &in, &gsi[i].msg, true) == 0;
	}
	eq(irq_kvm__set_routes(-1, gsi, CPUS), 0, "routes to %u CPUs", CPUS);
	eq(nroutes, CPUS, "are all there");
	for (u32 i = 0; i < nroutes; i++) {
		const struct kvm_irq_routing_msi *m = &routes[i].u.msi;

		/* KVM api.rst, KVM_SET_GSI_ROUTING: bits 31:8 of the id in address_hi. */
		if (routes[i].gsi != i || m->address_lo != (0xfee00000 | (i & 0xff) << 12) ||
		    m->address_hi != (i & ~0xffu) || (m->data & 0xff) != 0x41)
			wrong++;
	}
	eq(wrong, 0, "each with its CPU's id in both halves of the address");
	eq(irq_kvm__signal(-1, &gsi[299].msg), 0, "a message by itself");
	ok(signalled.address_lo == 0xfee2b000 && signalled.address_hi == 0x100, "is the same");
	fake__free(vtd);
}

/* The unit's own interrupt: UADDR is the upper half as it is (VT-d 5.1.6). */
static void test_event(void)
{
	struct vtd *vtd = fake__new(&vtd_config_emulated);

	wr(vtd, VTD_FECTL + 4, 0x42, 4);
	wr(vtd, VTD_FECTL + 8, 0xfee1f000, 4);
	wr(vtd, VTD_FECTL + 12, 0x100, 4);
	wr(vtd, VTD_FECTL, 0, 4);
	vtd_event__raise(vtd, &vtd->fe);
	eq(msi_sent, 1, "a fault event is sent");
	eq(msi_last.addr, 0x100fee1f000, "to CPU 287");
	fake__free(vtd);
}

int main(void)
{
	test_supported();
	test_cpuid(1, 0, 0);
	test_cpuid(4, 3, 2);
	test_cpuid(255, 254, 8);
	test_cpuid(CPUS, 287, 9);
	test_cpuid(4096, 4095, 12);
	test_cmp_legacy("Auth", 1, 1);
	test_cmp_legacy("Auth", 4, 3);
	test_cmp_legacy("Hygo", 2, 3);
	test_cmp_legacy("Genu", 1, 1);
	test_cmp_legacy("Genu", 4, 1);
	test_clock();
	test_nests();
	test_destinations();
	test_event();
	return tap_done();
}
