/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef X86_ACPI_PRIV_H
#define X86_ACPI_PRIV_H

/* What builds the ACPI tables: a buffer that grows, AML on top of it, the tables (ACPI 6.5). */

#include "lkvm/util.h"

struct vm;

/*
 * Bytes that grow at the end.  Once memory runs out @failed stays set and appending does nothing,
 * so that only the end of the construction has to look.
 */
struct acpi_buf {
	u8 *data;
	u32 len, cap;
	bool failed;
};

void acpi_buf__put(struct acpi_buf *b, const void *data, u32 len);
void acpi_buf__put8(struct acpi_buf *b, u8 v);
void acpi_buf__put16(struct acpi_buf *b, u16 v);
void acpi_buf__put32(struct acpi_buf *b, u32 v);
void acpi_buf__put64(struct acpi_buf *b, u64 v);
void acpi_buf__zero(struct acpi_buf *b, u32 len);
/* Make room for @len bytes at @at, moving what is behind. */
void acpi_buf__insert(struct acpi_buf *b, u32 at, const void *data, u32 len);
/* Overwrite what was appended before. */
void acpi_buf__patch(struct acpi_buf *b, u32 at, const void *data, u32 len);
void acpi_buf__align(struct acpi_buf *b, u32 align);
void acpi_buf__free(struct acpi_buf *b);

/* A table: everything appended between the two calls, with header and checksum. */
u32 acpi_table__begin(struct acpi_buf *b, const char sig[4], u8 revision);
void acpi_table__end(struct acpi_buf *b, u32 start);

/* RSDP first, then every table, as it is at ACPI_BASE.  0, or -ENOMEM or -ENOSPC with a line. */
int acpi__build(struct vm *vm, struct acpi_buf *b);

/* acpi_tables.c, acpi_dsdt.c; @dsdt is a guest-physical address. */
void acpi_tables__fadt(struct acpi_buf *b, u64 dsdt);
void acpi_tables__madt(struct acpi_buf *b, const struct vm *vm);
void acpi_tables__mcfg(struct acpi_buf *b);
void acpi_dsdt__build(struct acpi_buf *b, const struct vm *vm);

/*
 * AML (ACPI 20.2).  Blocks nest: what is appended between aml__open_*() and aml__close() is inside.
 * Names are ASL's: "_SB_" or "\\_SB.PCI0"; short segments are padded.
 */
u32 aml__open_scope(struct acpi_buf *b, const char *name);
u32 aml__open_device(struct acpi_buf *b, const char *name);
u32 aml__open_method(struct acpi_buf *b, const char *name, u8 nargs);
u32 aml__open_if(struct acpi_buf *b); /* the predicate is the first thing inside */
void aml__close(struct acpi_buf *b, u32 mark);

void aml__path(struct acpi_buf *b, const char *name);
void aml__op(struct acpi_buf *b, u8 op);
void aml__int(struct acpi_buf *b, u64 v);
void aml__eisaid(struct acpi_buf *b, const char *id);
void aml__buffer(struct acpi_buf *b, const void *data, u32 len);
/* Name (@name, ...): the object follows. */
void aml__name(struct acpi_buf *b, const char *name);
void aml__name_int(struct acpi_buf *b, const char *name, u64 v);
void aml__name_eisaid(struct acpi_buf *b, const char *name, const char *id);
/* Name (@name, Package () { values }) */
void aml__name_ints(struct acpi_buf *b, const char *name, const u64 *v, u8 n);

#define AML_ARG0	       0x68
#define AML_ARG3	       0x6b
#define AML_RETURN	       0xa4
#define AML_LEQUAL	       0x93
#define AML_OR		       0x7d
#define AML_CREATE_DWORD_FIELD 0x8a

/* Resource descriptors (ACPI 6.4), collected in a buffer of their own. */
void aml__res_io(struct acpi_buf *r, u16 base, u8 len);
void aml__res_irq(struct acpi_buf *r, u32 gsi); /* edge, active high, exclusive */
void aml__res_fixed32(struct acpi_buf *r, u32 base, u32 len);
void aml__res_bus(struct acpi_buf *r, u16 first, u16 last);
void aml__res_window_io(struct acpi_buf *r, u16 base, u16 len);
void aml__res_window32(struct acpi_buf *r, u32 base, u32 len);
void aml__res_window64(struct acpi_buf *r, u64 base, u64 len);
/* Name (_CRS, ResourceTemplate () { @r }), and frees @r. */
void aml__crs(struct acpi_buf *b, struct acpi_buf *r);

#endif
