/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_LAYOUT_H
#define LKVM_LAYOUT_H

#include "lkvm/util.h"

/*
 * The guest-physical address map.
 *
 *   0 ..............  RAM, at most 3 GiB of it
 *   C000_0000 ......  32-bit PCI memory window
 *   E000_0000 ......  ECAM, 256 buses
 *   FEC0_0000 ......  IOAPIC
 *   FED9_0000 ......  VT-d registers
 *   FEE0_0000 ......  local APICs and MSI
 *   1_0000_0000 ....  the rest of RAM
 *   pci.mmio64 .....  64-bit PCI memory window, chosen from the CPU's physical width
 */
#define RAM_LOW_MAX   0xc0000000ULL
#define PCI_MMIO_BASE 0xc0000000ULL
#define PCI_MMIO_SIZE 0x20000000ULL
#define ECAM_BASE     0xe0000000ULL
#define ECAM_SIZE     0x10000000ULL
#define IOAPIC_BASE   0xfec00000ULL
#define IOAPIC_SIZE   0x1000ULL
#define VTD_BASE      0xfed90000ULL
#define VTD_SIZE      0x1000ULL
#define LAPIC_BASE    0xfee00000ULL
#define RAM_HIGH_BASE 0x100000000ULL

/* Below 1 MiB: what the boot loaders and ACPI place there. */
#define LOW_GDT	      0x00000500ULL
#define LOW_PVH_INFO  0x00001000ULL
#define LOW_ZERO_PAGE 0x00007000ULL
#define LOW_PGTABLE   0x00009000ULL
#define LOW_PML5      (LOW_PGTABLE + 6 * 0x1000)
#define LOW_CMDLINE   0x00020000ULL
#define LOW_EBDA      0x0009fc00ULL
#define ACPI_BASE     0x000e0000ULL /* RSDP first, the tables behind it */
#define ACPI_SIZE     0x00020000ULL
#define RESET_VECTOR  0x000ffff0ULL /* FFFF:0000, the end of what ACPI has */
#define KERNEL_BASE   0x00100000ULL

/* Ports: the legacy ones, and behind them a window for PCI. */
#define PORT_EXIT     0xf4 /* isa-debug-exit: ends with status (value << 1) | 1 */
#define PORT_COM1     0x3f8
#define PORT_PVPANIC  0x505
#define PORT_PM	      0x600 /* ACPI sleep control (+0), sleep status (+1), reset (+2) */
#define PCI_PORT_BASE 0x1000ULL
#define PCI_PORT_SIZE 0xf000ULL

/* IOAPIC pins = GSIs 0..9: no more than the lines need, as Linux accesses each 20 times at boot. */
#define IOAPIC_PINS 10
#define GSI_COM1    4
#define GSI_GED	    9
/* PCI source-ids of the requesters that are no PCI function (DMAR scopes name them). */
#define SID_IOAPIC 0xfff8 /* bus FF, device 1F, function 0 */

#endif
