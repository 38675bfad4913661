/* SPDX-License-Identifier: GPL-2.0-only */

/* The tables that hold no code: FADT, MADT, MCFG. */

#include "lkvm/layout.h"
#include "lkvm/vm.h"
#include "x86/acpi_priv.h"

#define FADT_LEN 276

/* FADT boot architecture flags (ACPI 5.2.9.3): no VGA, no CMOS RTC, no 8042. */
#define BOOT_NO_VGA (1u << 2)
#define BOOT_NO_RTC (1u << 5)

/* FADT flags (5.2.9, table 5.10). */
#define FADT_WBINVD	   (1u << 0)
#define FADT_NO_PWR_BUTTON (1u << 4)
#define FADT_NO_SLP_BUTTON (1u << 5)
#define FADT_RESET_REG	   (1u << 10)
#define FADT_HW_REDUCED	   (1u << 20)

static void pad_to(struct acpi_buf *b, u32 start, u32 off)
{
	acpi_buf__zero(b, start + off - b->len);
}

/* A generic address structure (5.2.3.2): one byte port. */
static void put_port(struct acpi_buf *b, u16 port)
{
	acpi_buf__put8(b, 1); /* I/O space */
	acpi_buf__put8(b, 8);
	acpi_buf__put8(b, 0);
	acpi_buf__put8(b, 1);
	acpi_buf__put64(b, port);
}

/* 5.2.9: hardware-reduced, so almost all of it stays zero. */
void acpi_tables__fadt(struct acpi_buf *b, u64 dsdt)
{
	u32 start = acpi_table__begin(b, "FACP", 6);

	pad_to(b, start, 40);
	acpi_buf__put32(b, dsdt);
	pad_to(b, start, 109);
	acpi_buf__put16(b, BOOT_NO_VGA | BOOT_NO_RTC);
	pad_to(b, start, 112);
	acpi_buf__put32(b, FADT_WBINVD | FADT_NO_PWR_BUTTON | FADT_NO_SLP_BUTTON | FADT_RESET_REG |
			       FADT_HW_REDUCED);
	put_port(b, PORT_PM + 2);
	acpi_buf__put8(b, 1); /* reset value */
	pad_to(b, start, 131);
	acpi_buf__put8(b, 5); /* minor version */
	pad_to(b, start, 140);
	acpi_buf__put64(b, dsdt);
	pad_to(b, start, 244);
	put_port(b, PORT_PM);
	put_port(b, PORT_PM + 1);
	acpi_buf__put(b, "LKVM\0\0\0", 8); /* hypervisor vendor */
	pad_to(b, start, FADT_LEN);
	acpi_table__end(b, start);
}

/* 5.2.12.2 and 5.2.12.12: 255 is the xAPIC broadcast, ids from there on need an x2APIC entry. */
static void put_lapic(struct acpi_buf *b, u32 id)
{
	if (id < 255) {
		acpi_buf__put8(b, 0);
		acpi_buf__put8(b, 8);
		acpi_buf__put8(b, id); /* processor UID */
		acpi_buf__put8(b, id);
		acpi_buf__put32(b, 1); /* enabled */
		return;
	}
	acpi_buf__put8(b, 9);
	acpi_buf__put8(b, 16);
	acpi_buf__put16(b, 0);
	acpi_buf__put32(b, id);
	acpi_buf__put32(b, 1);
	acpi_buf__put32(b, id);
}

void acpi_tables__madt(struct acpi_buf *b, const struct vm *vm)
{
	u32 start = acpi_table__begin(b, "APIC", 5);
	u32 id;

	acpi_buf__put32(b, LAPIC_BASE);
	acpi_buf__put32(b, 0); /* no dual 8259 */
	for (id = 0; id < vm->cpus; id++)
		put_lapic(b, id);
	/* 5.2.12.3 */
	acpi_buf__put8(b, 1);
	acpi_buf__put8(b, 12);
	acpi_buf__put8(b, 0); /* id */
	acpi_buf__put8(b, 0);
	acpi_buf__put32(b, IOAPIC_BASE);
	acpi_buf__put32(b, 0); /* first GSI */
	acpi_table__end(b, start);
}

/*
 * PCI Firmware 4.1.2.  Only bus 0 is told: there are no bridges, and Linux asks for every slot of
 * every bus it is told of, each time with an exit (8160 of them for 255 empty buses).
 */
void acpi_tables__mcfg(struct acpi_buf *b)
{
	u32 start = acpi_table__begin(b, "MCFG", 1);

	acpi_buf__zero(b, 8);
	acpi_buf__put64(b, ECAM_BASE);
	acpi_buf__put16(b, 0); /* segment */
	acpi_buf__put8(b, 0);
	acpi_buf__put8(b, 0);
	acpi_buf__zero(b, 4);
	acpi_table__end(b, start);
}
