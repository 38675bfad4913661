/* SPDX-License-Identifier: GPL-2.0-only */
/* The DMAR table (VT-d 8): the unit, the IOAPIC, the functions with a device-TLB. */

#include "vtd_fake.h"

#include "iommu/cap.c"
#include "iommu/dmar.c"
#include "iommu/fault.c"
#include "iommu/queue.c"
#include "iommu/regs.c"

static const struct module *registered;
static u8 table[4096];
static u32 table_len;
static int add_result;
static struct pci_func funcs[3];
static unsigned int n_funcs;

void module__register(struct module *m)
{
	registered = m;
}

int acpi__add_table(struct vm *vm, const void *t, u32 len)
{
	table_len = len;
	memcpy(table, t, MIN(len, sizeof(table)));
	return add_result;
}

void pci__for_each(struct pci_root *root, void (*fn)(struct pci_func *f, void *arg), void *arg)
{
	for (unsigned int i = 0; i < n_funcs; i++)
		fn(&funcs[i], arg);
}

static int build(const struct vtd_config *cfg)
{
	int err;

	fake_vm.vtd = fake__new(cfg);
	memset(table, 0xee, sizeof(table));
	table_len = 0;
	err = registered->setup(&fake_vm);
	fake__free(fake_vm.vtd);
	fake_vm.vtd = NULL;
	return err;
}

static void ext_cap(struct pci_func *f, u32 at, u16 id, u32 next)
{
	const u32 head = id | 1 << 16 | next << 20;

	memcpy(f->cfg + at, &head, sizeof(head));
}

static void test_unit(void)
{
	struct vtd_config cfg = vtd_config_emulated;
	u64 base;

	eq(registered->setup(&fake_vm), 0, "without a vIOMMU");
	eq(table_len, 0, "there is no table");
	eq(build(&cfg), 0, "the DMAR table is handed over");
	eq(table_len, 48 + 24, "header, one DRHD with one scope");
	ok(!memcmp(table, "DMAR", 4) && table[4] == table_len, "signature and length");
	eq(table[36], 38, "host address width minus one");
	eq(table[37], 1, "INTR_REMAP, no x2APIC opt-out");
	eq(table[48] | table[49], 0, "a DRHD");
	eq(table[50], 24, "of 24 bytes");
	eq(table[52], 1, "INCLUDE_PCI_ALL");
	eq(table[53] | table[54] | table[55], 0, "one page, segment 0");
	memcpy(&base, table + 56, 8);
	eq(base, VTD_BASE, "the register base");
	eq(table[64], 3, "the IOAPIC");
	eq(table[65], 8, "as a scope of 8 bytes");
	eq(table[68], 0, "with its enumeration id");
	eq(table[69] << 8 | table[70] << 3 | table[71], SID_IOAPIC, "and its source id");
	cfg.ir = cfg.eim = false;
	build(&cfg);
	eq(table[37], 0, "without IR: no INTR_REMAP");
	add_result = -ENOMEM;
	eq(build(&cfg), -ENOMEM, "out of memory");
	eq(errors_printed, 1, "is said");
	add_result = 0;
}

static void test_satc(void)
{
	static const u8 want[] = {
		5, 0, 24, 0, 0, 0,    0, 0, /* SATC, no ATC_REQUIRED, segment 0 */
		1, 8, 0,  0, 0, 0,    4, 0, /* 00:04.0 */
		1, 8, 0,  0, 0, 0x12, 5, 3
	};
	struct vtd_config cfg = vtd_config_emulated;

	n_funcs = 3;
	funcs[0].bdf = 0x20;
	ext_cap(&funcs[0], 0x100, PCI_EXT_CAP_ID_PASID, 0x110);
	ext_cap(&funcs[0], 0x110, PCI_EXT_CAP_ID_ATS, 0);
	funcs[1].bdf = 0x28;
	ext_cap(&funcs[1], 0x100, PCI_EXT_CAP_ID_PASID, 0x100); /* a loop */
	funcs[2].bdf = 0x122b;
	ext_cap(&funcs[2], 0x100, PCI_EXT_CAP_ID_ATS, 0);
	build(&cfg);
	eq(table_len, 48 + 24 + 24, "a SATC with two scopes");
	eq(table[4], table_len, "is counted");
	ok(!memcmp(table + 72, want, sizeof(want)), "of the functions with ATS");
	cfg.ats = cfg.pri = false;
	build(&cfg);
	eq(table_len, 48 + 24, "no SATC without ATS");
}

int main(void)
{
	test_unit();
	test_satc();
	return tap_done();
}
