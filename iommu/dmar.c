/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The DMAR ACPI table (VT-d 8): one unit, in charge of all of segment 0 and of the IOAPIC; and the
 * functions that have a device-TLB.  A module of its own, because it must know all functions.
 */

#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "iommu/vtd.h"
#include "iommu/vtd_regs.h"
#include "lkvm/layout.h"
#include "lkvm/module.h"
#include "lkvm/pci.h"

#define DMAR_INTR_REMAP	     1
#define DRHD_INCLUDE_PCI_ALL 1
#define SATC_TYPE	     5
#define SCOPE_ENDPOINT	     1
#define SCOPE_IOAPIC	     3

/* One device (8.3.1): a path of one step from a bus that needs no bridge to be crossed. */
struct dmar_scope {
	u8 type, length, flags, reserved;
	u8 enumeration_id, bus, device, function;
} __attribute__((packed));

struct dmar_table {
	/* The common header (ACPI 5.2.6); x86/acpi.c fills in the checksum. */
	char signature[4];
	u32 length;
	u8 revision, checksum;
	char oem_id[6], oem_table_id[8];
	u32 oem_revision;
	char creator_id[4];
	u32 creator_revision;
	/* 8.1 */
	u8 haw; /* minus one */
	u8 flags;
	u8 reserved[10];
	/* 8.3 */
	struct {
		u16 type, length;
		u8 flags, size;
		u16 segment;
		u64 base;
		struct dmar_scope ioapic;
	} drhd;
	/* 8.8, there if a function has a device-TLB.  ATC_REQUIRED is 0: they work without. */
	struct {
		u16 type, length;
		u8 flags, reserved;
		u16 segment;
		struct dmar_scope functions[256];
	} satc;
} __attribute__((packed));

static struct dmar_scope scope(u8 type, u16 sid)
{
	return (struct dmar_scope){
		.type = type,
		.length = sizeof(struct dmar_scope),
		.bus = sid >> 8,
		.device = sid >> 3 & 0x1f,
		.function = sid & 7,
	};
}

static bool has_ats(const struct pci_func *f)
{
	u32 off = PCI_CFG_SPACE_SIZE, head;

	/* The list goes upwards here; an assigned device's is what its maker wrote. */
	for (u32 n = 0; off >= PCI_CFG_SPACE_SIZE && n < PCI_CFG_SIZE / 8; n++) {
		memcpy(&head, f->cfg + (off & ~3u), sizeof(head));
		if (PCI_EXT_CAP_ID(head) == PCI_EXT_CAP_ID_ATS)
			return true;
		off = PCI_EXT_CAP_NEXT(head);
	}
	return false;
}

static void add_satc(struct pci_func *f, void *arg)
{
	struct dmar_table *t = arg;
	u32 n;

	if (!has_ats(f))
		return;
	if (!t->satc.length)
		t->satc.length = sizeof(t->satc) - sizeof(t->satc.functions);
	n = (t->satc.length - (sizeof(t->satc) - sizeof(t->satc.functions))) /
	    sizeof(struct dmar_scope);
	if (n == ARRAY_SIZE(t->satc.functions))
		return;
	t->satc.functions[n] = scope(SCOPE_ENDPOINT, f->bdf);
	t->satc.length += sizeof(struct dmar_scope);
}

static int dmar__setup(struct vm *vm)
{
	const struct vtd *vtd = vm->vtd;
	struct dmar_table t = {
		.revision = 1,
		.oem_revision = 1,
		.creator_revision = 1,
		.haw = vm->phys_bits - 1,
		.drhd = {
			.type = 0,
			.length = sizeof(t.drhd),
			.flags = DRHD_INCLUDE_PCI_ALL,
			.base = VTD_BASE, /* size 0: one page */
			/* Linux turns interrupt remapping on only if every IOAPIC is in a scope. */
			.ioapic = scope(SCOPE_IOAPIC, SID_IOAPIC),
		},
		.satc = { .type = SATC_TYPE },
	};

	if (!vtd)
		return 0;
	memcpy(t.signature, "DMAR", sizeof(t.signature));
	memcpy(t.oem_id, "LKVM  ", sizeof(t.oem_id));
	memcpy(t.oem_table_id, "LKVMDMAR", sizeof(t.oem_table_id));
	memcpy(t.creator_id, "LKVM", sizeof(t.creator_id));
	/* X2APIC_OPT_OUT stays 0: with EIM the guest may go beyond 255 CPUs. */
	if (vtd->cfg.ir)
		t.flags = DMAR_INTR_REMAP;
	if (vtd->ecap & VTD_ECAP_DT)
		pci__for_each(vm->pci, add_satc, &t);
	t.length = sizeof(t) - sizeof(t.satc) + t.satc.length;
	if (acpi__add_table(vm, &t, t.length)) {
		pr_err("vIOMMU: out of memory for the DMAR table");
		return -ENOMEM;
	}
	return 0;
}

static struct module dmar = {
	.name = "dmar",
	.level = MODULE_TABLES,
	.setup = dmar__setup,
};
LKVM_MODULE(dmar)
