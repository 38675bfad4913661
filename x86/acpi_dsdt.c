/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * The DSDT: the PCI root and the few devices that cannot be found otherwise.  A further device is
 * one more function here.
 */

#include <string.h>

#include "lkvm/layout.h"
#include "lkvm/pci.h"
#include "lkvm/vm.h"
#include "x86/acpi_priv.h"

#define AML_STRING     0x0d
#define AML_NOTIFY     0x86
#define NOTIFY_PRESSED 0x80 /* of a button (ACPI 5.6.6, table 5.162) */
#define STA_ALL	       0x0f /* present, enabled, shown, functioning (ACPI 6.3.7) */

/* 33DB4D5B-1FF7-401C-9657-7441C03DD766 in the byte order of ToUUID (ACPI 19.6.142). */
static const u8 osc_uuid[16] = { 0x5b, 0x4d, 0xdb, 0x33, 0xf7, 0x1f, 0x1c, 0x40,
				 0x96, 0x57, 0x74, 0x41, 0xc0, 0x3d, 0xd7, 0x66 };

static void create_dword_field(struct acpi_buf *b, u8 arg, u32 off, const char *name)
{
	aml__op(b, AML_CREATE_DWORD_FIELD);
	aml__op(b, arg);
	aml__int(b, off);
	aml__path(b, name);
}

/*
 * _OSC (6.2.11, PCI Firmware 4.5.1): the guest may control every PCIe feature, as there is no
 * firmware that would; so the capabilities go back as they came.  A foreign UUID is an error.
 *
 *	If (Arg0 == UUID) { Return (Arg3) }
 *	CDW1 |= 4; Return (Arg3)
 */
static void put_osc(struct acpi_buf *b)
{
	u32 method = aml__open_method(b, "_OSC", 4), block;

	block = aml__open_if(b);
	aml__op(b, AML_LEQUAL);
	aml__op(b, AML_ARG0);
	aml__buffer(b, osc_uuid, sizeof(osc_uuid));
	aml__op(b, AML_RETURN);
	aml__op(b, AML_ARG3);
	aml__close(b, block);

	create_dword_field(b, AML_ARG3, 0, "CDW1");
	aml__op(b, AML_OR);
	aml__path(b, "CDW1");
	aml__int(b, 4);
	aml__path(b, "CDW1");
	aml__op(b, AML_RETURN);
	aml__op(b, AML_ARG3);
	aml__close(b, method);
}

static void put_pci(struct acpi_buf *b, const struct pci_windows *w)
{
	u32 dev = aml__open_device(b, "PCI0");
	struct acpi_buf res = { 0 };

	aml__name_eisaid(b, "_HID", "PNP0A08");
	aml__name_eisaid(b, "_CID", "PNP0A03");
	aml__name_int(b, "_UID", 0);
	aml__name_int(b, "_SEG", 0);
	aml__name_int(b, "_BBN", 0);
	aml__name_int(b, "_CBA", ECAM_BASE);
	aml__name_int(b, "_CCA", 1);
	aml__res_bus(&res, 0, 0);
	aml__res_window_io(&res, w->io, w->io_size);
	aml__res_window32(&res, w->mmio32, w->mmio32_size);
	aml__res_window64(&res, w->mmio64, w->mmio64_size);
	aml__crs(b, &res);
	put_osc(b);
	aml__close(b, dev);
}

/* What nobody else may use; without it Linux does not trust the MCFG. */
static void put_board(struct acpi_buf *b)
{
	u32 dev = aml__open_device(b, "BRD0");
	struct acpi_buf res = { 0 };

	aml__name_eisaid(b, "_HID", "PNP0C02");
	aml__name_int(b, "_UID", 0);
	aml__res_fixed32(&res, ECAM_BASE, ECAM_SIZE);
	aml__res_io(&res, PORT_PM, 3);
	aml__crs(b, &res);
	aml__close(b, dev);
}

static void put_com1(struct acpi_buf *b)
{
	u32 dev = aml__open_device(b, "COM1");
	struct acpi_buf res = { 0 };

	aml__name_eisaid(b, "_HID", "PNP0501");
	aml__name_int(b, "_UID", 1);
	aml__res_io(&res, PORT_COM1, 8);
	aml__res_irq(&res, GSI_COM1);
	aml__crs(b, &res);
	aml__close(b, dev);
}

/* Name (_HID, "ACPI0013"): ids with four letters do not fit an EISAID (ACPI 6.1.5). */
static void put_hid(struct acpi_buf *b, const char *id)
{
	aml__name(b, "_HID");
	aml__op(b, AML_STRING);
	acpi_buf__put(b, id, strlen(id) + 1);
}

/* Linux tells of its panics here; the device is in x86/exitdev.c. */
static void put_pvpanic(struct acpi_buf *b)
{
	u32 dev = aml__open_device(b, "PEVT");
	struct acpi_buf res = { 0 };

	put_hid(b, "QEMU0001");
	aml__name_int(b, "_STA", STA_ALL);
	aml__res_io(&res, PORT_PVPANIC, 1);
	aml__crs(b, &res);
	aml__close(b, dev);
}

/*
 * The power button (ACPI 4.8.2.2.1.2), and the generic event device that reports it (5.6.9), as a
 * hardware-reduced machine has no fixed events.  x86/ged.c pulses the interrupt.
 */
static void put_button(struct acpi_buf *b)
{
	struct acpi_buf res = { 0 };
	u32 dev, method;

	dev = aml__open_device(b, "PWRB");
	aml__name_eisaid(b, "_HID", "PNP0C0C");
	aml__name_int(b, "_UID", 0);
	aml__close(b, dev);

	dev = aml__open_device(b, "GED0");
	put_hid(b, "ACPI0013");
	aml__name_int(b, "_UID", 0);
	aml__res_irq(&res, GSI_GED);
	aml__crs(b, &res);
	method = aml__open_method(b, "_EVT", 1);
	aml__op(b, AML_NOTIFY);
	aml__path(b, "\\_SB.PWRB");
	aml__int(b, NOTIFY_PRESSED);
	aml__close(b, method);
	aml__close(b, dev);
}

void acpi_dsdt__build(struct acpi_buf *b, const struct vm *vm)
{
	/* Sleep type 5 means off to the sleep control register (ACPI 7.4.2). */
	static const u64 s5[] = { 5, 0, 0, 0 };
	u32 table = acpi_table__begin(b, "DSDT", 2), scope;

	scope = aml__open_scope(b, "\\_SB");
	put_pci(b, pci__windows(vm->pci));
	put_board(b);
	put_com1(b);
	put_pvpanic(b);
	put_button(b);
	aml__close(b, scope);
	aml__name_ints(b, "\\_S5", s5, ARRAY_SIZE(s5));
	acpi_table__end(b, table);
}
