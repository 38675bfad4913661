/* SPDX-License-Identifier: GPL-2.0-only */

/* The ACPI tables: linked together, summed up, and understood by iasl where it is installed. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lkvm/module.h"
#include "lkvm/pci.h"
#include "tap.h"
#include "x86/acpi.c"
#include "x86/acpi_dsdt.c"
#include "x86/acpi_tables.c"
#include "x86/aml.c"
#include "x86/mem.c"

static char last_err[512];

void pr_err(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(last_err, sizeof(last_err), fmt, ap);
	va_end(ap);
}

void module__register(struct module *m)
{
}

static const struct pci_windows windows = {
	.io = PCI_PORT_BASE,
	.io_size = PCI_PORT_SIZE,
	.mmio32 = PCI_MMIO_BASE,
	.mmio32_size = PCI_MMIO_SIZE,
	.mmio64 = BIT(45),
	.mmio64_size = BIT(44),
};

const struct pci_windows *pci__windows(const struct pci_root *root)
{
	return &windows;
}

static u32 le32(const u8 *p)
{
	u32 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static u64 le64(const u8 *p)
{
	u64 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static u8 sum(const u8 *p, u32 len)
{
	u8 s = 0;

	while (len--)
		s += *p++;
	return s;
}

/* The table @sig, found as an OS does: RSDP, XSDT, FADT. */
static const u8 *find(const struct guest_mem *mem, const char *sig)
{
	const u8 *rsdp = mem__ptr(mem, ACPI_BASE, 36), *xsdt, *t;
	u32 i, n;

	xsdt = mem__ptr(mem, le64(rsdp + 24), 36);
	n = (le32(xsdt + 4) - 36) / 8;
	for (i = 0; i < n; i++) {
		t = mem__ptr(mem, le64(xsdt + 36 + 8 * i), 36);
		if (!strcmp(sig, "DSDT") && !memcmp(t, "FACP", 4))
			return mem__ptr(mem, le64(t + 140), 36);
		if (!memcmp(t, sig, 4))
			return t;
	}
	return NULL;
}

/* Does the byte sequence occur in the table? */
static bool contains(const u8 *t, const void *what, u32 len)
{
	return memmem(t, le32(t + 4), what, len);
}

/* iasl reads the table back without complaint, and the source it makes has @want in it. */
static void check_iasl(const u8 *t, const char *want)
{
	char dir[] = "/tmp/lkvm-acpi-XXXXXX", cmd[512];
	char sig[5] = { t[0], t[1], t[2], t[3], 0 };
	FILE *f;
	int st;

	if (system("command -v iasl >/dev/null 2>&1")) {
		ok(true, "%s through iasl # SKIP iasl is not installed", sig);
		return;
	}
	if (!mkdtemp(dir)) {
		ok(false, "a temporary directory");
		return;
	}
	snprintf(cmd, sizeof(cmd), "%s/t.aml", dir);
	f = fopen(cmd, "w");
	ok(f && fwrite(t, le32(t + 4), 1, f) == 1 && !fclose(f), "%s is written", sig);
	snprintf(
	    cmd, sizeof(cmd),
	    "cd %s && iasl -d t.aml >out 2>&1 && ! grep -iE 'error|warning|invalid' out && "
	    "grep -q '%s' t.dsl && "
	    "if [ %s = DSDT ]; then iasl -p again -ve t.dsl >out 2>&1; fi || { cat out; exit 1; }",
	    dir, want, sig);
	st = system(cmd);
	ok(WIFEXITED(st) && !WEXITSTATUS(st), "%s: iasl understands it", sig);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	st = system(cmd);
	ok(!st, "%s: tidied up", sig);
}

static void test_tables(void)
{
	static const char *const sigs[] = { "FACP", "APIC", "MCFG", "DSDT", "DMAR" };
	struct vm vm = { .cpus = 3 };
	u8 dmar[64] = "DMAR";
	const u8 *rsdp, *t;
	unsigned int i;

	dmar[4] = sizeof(dmar);
	dmar[9] = 0x77;
	dmar[63] = 0x99;
	vm.mem = mem__new(-1, 16 * MiB);
	eq(acpi__add_table(&vm, dmar, 35), (u64)-EINVAL, "a table without a header is refused");
	eq(acpi__add_table(&vm, dmar, sizeof(dmar)), 0, "a foreign table is taken");
	eq(acpi_setup(&vm), 0, "the tables are built");

	rsdp = mem__ptr(vm.mem, ACPI_BASE, 36);
	ok(!memcmp(rsdp, "RSD PTR ", 8) && rsdp[15] == 2, "RSDP, revision 2");
	eq(sum(rsdp, 20), 0, "its first checksum");
	eq(sum(rsdp, 36), 0, "its second checksum");
	for (i = 0; i < ARRAY_SIZE(sigs); i++) {
		t = find(vm.mem, sigs[i]);
		ok(t, "%s is found", sigs[i]);
		if (t)
			eq(sum(t, le32(t + 4)), 0, "%s: checksum", sigs[i]);
	}
	t = find(vm.mem, "DMAR");
	eq(t[63], 0x99, "the foreign table is as it was");

	t = find(vm.mem, "FACP");
	eq(le32(t + 4), 276, "FADT length");
	eq(t[8], 6, "FADT revision");
	ok(le32(t + 112) & BIT(20), "hardware-reduced");
	ok(le32(t + 112) & BIT(10), "reset register supported");
	eq(t[116], 1, "reset register: I/O space");
	eq(le64(t + 120), PORT_PM + 2, "reset register");
	eq(t[128], 1, "reset value");
	eq(le64(t + 248), PORT_PM, "sleep control");
	eq(le64(t + 260), PORT_PM + 1, "sleep status");
	eq(le32(t + 40), le64(t + 140), "both DSDT pointers agree");

	t = find(vm.mem, "APIC");
	eq(le32(t + 4), 44 + 3 * 8 + 12, "MADT: three CPUs and an IOAPIC");
	eq(le32(t + 40), 0, "no dual 8259");
	eq(le32(t + 44 + 8), 0x01010800, "the second CPU is UID 1, APIC id 1");
	eq(le32(t + 68 + 4), IOAPIC_BASE, "IOAPIC address");
	eq(le32(t + 68 + 8), 0, "first GSI");

	t = find(vm.mem, "MCFG");
	eq(le32(t + 4), 60, "MCFG: one segment");
	eq(le64(t + 44), ECAM_BASE, "ECAM");
	eq(le32(t + 52), 0, "segment 0, bus 0 to 0");

	t = find(vm.mem, "DSDT");
	ok(contains(t, "PCI0\x08_HID\x0c\x41\xd0\x0a\x08", 14), "PCI0 is a PNP0A08");
	ok(contains(t, "COM1\x08_HID\x0c\x41\xd0\x05\x01", 14), "COM1 is a PNP0501");
	ok(contains(t, "\\_S5_\x12", 6), "\\_S5");

	check_iasl(find(vm.mem, "DSDT"), "Method (_OSC, 4, Serialized)");
	check_iasl(find(vm.mem, "DSDT"), "0x0000200000000000, // Range Minimum");
	check_iasl(find(vm.mem, "FACP"), "Hardware Reduced (V5) : 1");
	check_iasl(find(vm.mem, "APIC"), "I/O APIC");
	check_iasl(find(vm.mem, "MCFG"), "Base Address : 00000000E0000000");
	acpi_teardown(&vm);
	ok(!extras, "teardown drops the foreign tables");
	mem__free(vm.mem);
}

static void test_many_cpus(void)
{
	struct vm vm = { .cpus = 300 };
	struct acpi_buf b = { 0 };
	const u8 *p;

	acpi_tables__madt(&b, &vm);
	p = b.data + 44 + 254 * 8;
	eq(p[0], 0, "APIC id 254 is a local APIC entry");
	p += 8;
	eq(le32(p), 0x00001009, "255 is an x2APIC entry");
	eq(le32(p + 4), 255, "with its id");
	eq(le32(p + 12), 255, "and UID");
	eq(le32(b.data + 4), 44 + 255 * 8 + 45 * 16 + 12, "all are there");
	check_iasl(b.data, "Processor Local x2APIC");
	acpi_buf__free(&b);

	vm.cpus = 10000;
	vm.mem = mem__new(-1, 16 * MiB);
	eq(acpi_setup(&vm), (u64)-ENOSPC, "more than fits is refused");
	ok(strstr(last_err, "acpi:"), "with a line");
	mem__free(vm.mem);
}

/* As large as can be: the reset vector is at the end of the tables' place (x86/vcpu_init.c). */
static void test_full(void)
{
	struct vm vm = { .cpus = 1 };
	static u8 table[ACPI_SIZE];
	struct acpi_buf b = { 0 };
	u32 room;

	memcpy(table, "OEM1", 4);
	acpi__add_table(&vm, table, HEADER_LEN);
	eq(acpi__build(&vm, &b), 0, "a small table");
	room = RESET_VECTOR - ACPI_BASE - b.len + ALIGN_UP(HEADER_LEN, TABLE_ALIGN);
	acpi_buf__free(&b);
	acpi_teardown(&vm);
	acpi__add_table(&vm, table, ALIGN_DOWN(room, TABLE_ALIGN));
	eq(acpi__build(&vm, &b), 0, "and one that takes all there is");
	acpi_buf__free(&b);
	acpi_teardown(&vm);
	acpi__add_table(&vm, table, ALIGN_DOWN(room, TABLE_ALIGN) + TABLE_ALIGN);
	eq(acpi__build(&vm, &b), (u64)-ENOSPC, "but not the reset vector's place");
	acpi_buf__free(&b);
	acpi_teardown(&vm);
}

static void test_aml(void)
{
	struct acpi_buf b = { 0 };
	static u8 big[5000];
	u32 mark;

	aml__int(&b, 0);
	aml__int(&b, 1);
	aml__int(&b, 2);
	aml__int(&b, 0x1234);
	aml__int(&b, 0x12345678);
	aml__int(&b, 0x123456789);
	ok(b.len == 21 && !memcmp(b.data,
				  "\x00\x01\x0a\x02\x0b\x34\x12\x0c\x78\x56\x34\x12"
				  "\x0e\x89\x67\x45\x23\x01\0\0\0",
				  21),
	   "integers in their shortest form");
	acpi_buf__free(&b);

	aml__path(&b, "\\_SB.PCI0.S1");
	ok(b.len == 15 && !memcmp(b.data, "\\\x2f\x03_SB_PCI0S1__", 15), "a path of three");
	acpi_buf__free(&b);

	mark = b.len;
	acpi_buf__put(&b, big, 62);
	aml__close(&b, mark);
	ok(b.len == 63 && b.data[0] == 63, "63 bytes: one length byte");
	acpi_buf__free(&b);
	acpi_buf__put(&b, big, 63);
	aml__close(&b, 0);
	ok(b.len == 65 && b.data[0] == 0x41 && b.data[1] == 4, "65 bytes: two length bytes");
	acpi_buf__free(&b);
	acpi_buf__put(&b, big, 4093);
	aml__close(&b, 0);
	ok(b.len == 4095 && b.data[0] == 0x4f && b.data[1] == 0xff, "4095 bytes: two");
	acpi_buf__free(&b);
	acpi_buf__put(&b, big, 4094);
	aml__close(&b, 0);
	ok(b.len == 4097 && b.data[0] == 0x81 && b.data[1] == 0 && b.data[2] == 1, "4097: three");
	acpi_buf__free(&b);
}

int main(void)
{
	test_aml();
	test_tables();
	test_many_cpus();
	test_full();
	return tap_done();
}
