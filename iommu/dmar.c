/* SPDX-License-Identifier: GPL-2.0-only */
/* The DMAR ACPI table (VT-d 8): one unit, in charge of all of segment 0 and of the IOAPIC. */

#include <string.h>

#include "iommu/vtd.h"
#include "lkvm/layout.h"

#define DMAR_INTR_REMAP	     1
#define DRHD_INCLUDE_PCI_ALL 1
#define SCOPE_IOAPIC	     3

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
		/* 8.3.1 */
		struct {
			u8 type, length, flags, reserved;
			u8 enumeration_id, bus, device, function;
		} ioapic;
	} drhd;
} __attribute__((packed));

int vtd_dmar__add(struct vtd *vtd)
{
	struct dmar_table t = {
		.length = sizeof(t),
		.revision = 1,
		.oem_revision = 1,
		.creator_revision = 1,
		.haw = vtd->vm->phys_bits - 1,
		/* X2APIC_OPT_OUT stays 0: with EIM the guest may go beyond 255 CPUs. */
		.flags = vtd->cfg.ir ? DMAR_INTR_REMAP : 0,
		.drhd = {
			.type = 0,
			.length = sizeof(t.drhd),
			.flags = DRHD_INCLUDE_PCI_ALL,
			.base = VTD_BASE, /* size 0: one page */
			/* Linux turns interrupt remapping on only if every IOAPIC is in a scope. */
			.ioapic = {
				.type = SCOPE_IOAPIC,
				.length = sizeof(t.drhd.ioapic),
				.bus = SID_IOAPIC >> 8,
				.device = SID_IOAPIC >> 3 & 0x1f,
				.function = SID_IOAPIC & 7,
			},
		},
	};

	memcpy(t.signature, "DMAR", sizeof(t.signature));
	memcpy(t.oem_id, "LKVM  ", sizeof(t.oem_id));
	memcpy(t.oem_table_id, "LKVMDMAR", sizeof(t.oem_table_id));
	memcpy(t.creator_id, "LKVM", sizeof(t.creator_id));
	return acpi__add_table(vtd->vm, &t, sizeof(t));
}
