/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * The ACPI tables' frame: one image that starts with the RSDP, written to ACPI_BASE once all
 * devices are known.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lkvm/layout.h"
#include "lkvm/mem.h"
#include "lkvm/module.h"
#include "lkvm/vm.h"
#include "x86/acpi_priv.h"

#define RSDP_LEN     36
#define HEADER_LEN   36
#define TABLES_MAX   64
#define TABLE_ALIGN  16
#define OFF_LENGTH   4
#define OFF_CHECKSUM 9

/* Tables of other rooms: the IOMMU's DMAR. */
static struct acpi_extra {
	struct acpi_extra *next;
	u32 len;
	u8 data[];
} * extras;

void acpi_buf__put(struct acpi_buf *b, const void *data, u32 len)
{
	u32 cap = b->cap ? b->cap : 4096;
	u8 *p;

	if (b->failed || len > INT32_MAX - b->len) {
		b->failed = true;
		return;
	}
	while (cap < b->len + len)
		cap *= 2;
	if (cap != b->cap) {
		p = realloc(b->data, cap);
		if (!p) {
			b->failed = true;
			return;
		}
		b->data = p;
		b->cap = cap;
	}
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
}

void acpi_buf__put8(struct acpi_buf *b, u8 v)
{
	acpi_buf__put(b, &v, sizeof(v));
}

void acpi_buf__put16(struct acpi_buf *b, u16 v)
{
	acpi_buf__put(b, &v, sizeof(v));
}

void acpi_buf__put32(struct acpi_buf *b, u32 v)
{
	acpi_buf__put(b, &v, sizeof(v));
}

void acpi_buf__put64(struct acpi_buf *b, u64 v)
{
	acpi_buf__put(b, &v, sizeof(v));
}

void acpi_buf__zero(struct acpi_buf *b, u32 len)
{
	while (len--)
		acpi_buf__put8(b, 0);
}

void acpi_buf__insert(struct acpi_buf *b, u32 at, const void *data, u32 len)
{
	u32 tail = b->len - at;

	acpi_buf__put(b, data, len); /* for the room */
	if (b->failed)
		return;
	memmove(b->data + at + len, b->data + at, tail);
	memcpy(b->data + at, data, len);
}

void acpi_buf__patch(struct acpi_buf *b, u32 at, const void *data, u32 len)
{
	if (!b->failed)
		memcpy(b->data + at, data, len);
}

void acpi_buf__align(struct acpi_buf *b, u32 align)
{
	acpi_buf__zero(b, ALIGN_UP(b->len, align) - b->len);
}

void acpi_buf__free(struct acpi_buf *b)
{
	free(b->data);
	*b = (struct acpi_buf){ 0 };
}

/* Make the bytes [@at, @at + @len) sum up to zero through the byte at @sum, which is zero yet. */
static void checksum(struct acpi_buf *b, u32 at, u32 len, u32 sum)
{
	u8 v = 0;
	u32 i;

	for (i = 0; !b->failed && i < len; i++)
		v -= b->data[at + i];
	acpi_buf__patch(b, sum, &v, 1);
}

/* ACPI 5.2.6 */
u32 acpi_table__begin(struct acpi_buf *b, const char sig[4], u8 revision)
{
	u32 start;

	acpi_buf__align(b, TABLE_ALIGN);
	start = b->len;
	acpi_buf__put(b, sig, 4);
	acpi_buf__put32(b, 0); /* length */
	acpi_buf__put8(b, revision);
	acpi_buf__put8(b, 0); /* checksum */
	acpi_buf__put(b, "LKVM  ", 6);
	acpi_buf__put(b, "LKVM    ", 8);
	acpi_buf__put32(b, 1); /* OEM revision */
	acpi_buf__put(b, "LKVM", 4);
	acpi_buf__put32(b, 1); /* creator revision */
	return start;
}

void acpi_table__end(struct acpi_buf *b, u32 start)
{
	u32 len = b->len - start;

	acpi_buf__patch(b, start + OFF_LENGTH, &len, sizeof(len));
	checksum(b, start, len, start + OFF_CHECKSUM);
}

/* ACPI 5.2.5.3; the first 20 bytes have a checksum of their own. */
static void fill_rsdp(struct acpi_buf *b, u32 xsdt)
{
	struct acpi_buf r = { 0 };

	acpi_buf__put(&r, "RSD PTR ", 8);
	acpi_buf__put8(&r, 0);
	acpi_buf__put(&r, "LKVM  ", 6);
	acpi_buf__put8(&r, 2);	/* revision */
	acpi_buf__put32(&r, 0); /* no RSDT */
	acpi_buf__put32(&r, RSDP_LEN);
	acpi_buf__put64(&r, ACPI_BASE + xsdt);
	acpi_buf__zero(&r, 4);
	checksum(&r, 0, 20, 8);
	checksum(&r, 0, RSDP_LEN, 32);
	b->failed |= r.failed;
	acpi_buf__patch(b, 0, r.data, RSDP_LEN);
	acpi_buf__free(&r);
}

int acpi__build(struct vm *vm, struct acpi_buf *b)
{
	u32 at[TABLES_MAX], n = 0, i, dsdt, xsdt;
	const struct acpi_extra *x;

	acpi_buf__zero(b, RSDP_LEN);
	acpi_buf__align(b, TABLE_ALIGN);
	dsdt = b->len;
	acpi_dsdt__build(b, vm);

	acpi_buf__align(b, TABLE_ALIGN);
	at[n++] = b->len;
	acpi_tables__fadt(b, ACPI_BASE + dsdt);
	acpi_buf__align(b, TABLE_ALIGN);
	at[n++] = b->len;
	acpi_tables__madt(b, vm);
	acpi_buf__align(b, TABLE_ALIGN);
	at[n++] = b->len;
	acpi_tables__mcfg(b);
	for (x = extras; x && n < TABLES_MAX; x = x->next) {
		acpi_buf__align(b, TABLE_ALIGN);
		at[n] = b->len;
		acpi_buf__put(b, x->data, x->len);
		acpi_buf__patch(b, at[n] + OFF_CHECKSUM, "", 1);
		checksum(b, at[n], x->len, at[n] + OFF_CHECKSUM);
		n++;
	}

	xsdt = acpi_table__begin(b, "XSDT", 1);
	for (i = 0; i < n; i++)
		acpi_buf__put64(b, ACPI_BASE + at[i]);
	acpi_table__end(b, xsdt);
	fill_rsdp(b, xsdt);

	if (b->failed) {
		pr_err("acpi: out of memory");
		return -ENOMEM;
	}
	if (x || b->len > RESET_VECTOR - ACPI_BASE) {
		pr_err("acpi: the tables do not fit into %llu KiB; use fewer CPUs or devices",
		       ACPI_SIZE / KiB);
		return -ENOSPC;
	}
	return 0;
}

int acpi__add_table(struct vm *vm, const void *table, u32 len)
{
	struct acpi_extra *x, **end;

	if (len < HEADER_LEN || len > ACPI_SIZE)
		return -EINVAL;
	x = malloc(sizeof(*x) + len);
	if (!x)
		return -ENOMEM;
	x->next = NULL;
	x->len = len;
	memcpy(x->data, table, len);
	for (end = &extras; *end; end = &(*end)->next)
		;
	*end = x;
	return 0;
}

static void acpi_teardown(struct vm *vm)
{
	struct acpi_extra *x;

	while ((x = extras)) {
		extras = x->next;
		free(x);
	}
}

static int acpi_setup(struct vm *vm)
{
	struct acpi_buf b = { 0 };
	int err = acpi__build(vm, &b);

	if (!err) {
		err = mem__write(vm->mem, ACPI_BASE, b.data, b.len);
		if (err)
			pr_err("acpi: no RAM at %#llx for the tables; use --mem 2M or more",
			       ACPI_BASE);
	}
	acpi_buf__free(&b);
	if (err)
		acpi_teardown(vm);
	return err;
}

static struct module acpi_module = {
	.name = "acpi",
	.level = MODULE_FIRMWARE,
	.setup = acpi_setup,
	.teardown = acpi_teardown,
};
LKVM_MODULE(acpi_module)
