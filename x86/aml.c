/* SPDX-License-Identifier: GPL-2.0-only */

/* AML byte code (ACPI 20.2), as little of it as the DSDT needs, and resource descriptors (6.4). */

#include <string.h>

#include "x86/acpi_priv.h"

#define EXT_OP	     0x5b
#define OP_NAME	     0x08
#define OP_SCOPE     0x10
#define OP_BUFFER    0x11
#define OP_PACKAGE   0x12
#define OP_METHOD    0x14
#define OP_IF	     0xa0
#define EXTOP_DEVICE 0x82

/* 20.2.4: the length counts its own bytes; more than 63 takes two to four of them. */
static u32 pkg_length(u8 out[4], u32 content)
{
	u32 n, i, len;

	if (content + 1 < 64) {
		out[0] = content + 1;
		return 1;
	}
	for (n = 2; n < 4 && content + n >= 1u << (4 + 8 * (n - 1)); n++)
		;
	len = content + n;
	out[0] = (n - 1) << 6 | (len & 0xf);
	for (i = 1; i < n; i++)
		out[i] = len >> (4 + 8 * (i - 1));
	return n;
}

/* The length goes in front of a block when its content is known. */
void aml__close(struct acpi_buf *b, u32 mark)
{
	u8 len[4];

	acpi_buf__insert(b, mark, len, pkg_length(len, b->len - mark));
}

void aml__op(struct acpi_buf *b, u8 op)
{
	acpi_buf__put8(b, op);
}

u32 aml__open_scope(struct acpi_buf *b, const char *name)
{
	u32 mark;

	aml__op(b, OP_SCOPE);
	mark = b->len;
	aml__path(b, name);
	return mark;
}

u32 aml__open_device(struct acpi_buf *b, const char *name)
{
	u32 mark;

	aml__op(b, EXT_OP);
	aml__op(b, EXTOP_DEVICE);
	mark = b->len;
	aml__path(b, name);
	return mark;
}

u32 aml__open_method(struct acpi_buf *b, const char *name, u8 nargs)
{
	u32 mark;

	aml__op(b, OP_METHOD);
	mark = b->len;
	aml__path(b, name);
	acpi_buf__put8(b, nargs | 1 << 3); /* serialized: it creates named fields */
	return mark;
}

u32 aml__open_if(struct acpi_buf *b)
{
	aml__op(b, OP_IF);
	return b->len;
}

static u32 seg_len(const char *s)
{
	return strcspn(s, ".");
}

/* 20.2.2 */
void aml__path(struct acpi_buf *b, const char *name)
{
	u32 n = 1, len;
	const char *s;

	if (*name == '\\') {
		acpi_buf__put8(b, '\\');
		name++;
	}
	for (s = name; *s; s++)
		n += *s == '.';
	if (n == 2)
		acpi_buf__put8(b, 0x2e);
	if (n > 2) {
		acpi_buf__put8(b, 0x2f);
		acpi_buf__put8(b, n);
	}
	for (s = name; n--; s += seg_len(s) + 1) {
		len = MIN(seg_len(s), 4u);
		acpi_buf__put(b, s, len);
		acpi_buf__put(b, "____", 4 - len);
	}
}

void aml__int(struct acpi_buf *b, u64 v)
{
	if (v <= 1) {
		acpi_buf__put8(b, v);
	} else if (v <= 0xff) {
		acpi_buf__put8(b, 0x0a);
		acpi_buf__put8(b, v);
	} else if (v <= 0xffff) {
		acpi_buf__put8(b, 0x0b);
		acpi_buf__put16(b, v);
	} else if (v <= 0xffffffff) {
		acpi_buf__put8(b, 0x0c);
		acpi_buf__put32(b, v);
	} else {
		acpi_buf__put8(b, 0x0e);
		acpi_buf__put64(b, v);
	}
}

static u32 hex(char c)
{
	return c <= '9' ? c - '0' : c - 'A' + 10;
}

/* "PNP0A08": three letters of 5 bits and four hex digits, big endian (ASL's EISAID, 19.6.36). */
void aml__eisaid(struct acpi_buf *b, const char *id)
{
	u32 v = (id[0] & 0x1f) << 26 | (id[1] & 0x1f) << 21 | (id[2] & 0x1f) << 16 |
		hex(id[3]) << 12 | hex(id[4]) << 8 | hex(id[5]) << 4 | hex(id[6]);

	acpi_buf__put8(b, 0x0c);
	acpi_buf__put32(b, __builtin_bswap32(v));
}

void aml__buffer(struct acpi_buf *b, const void *data, u32 len)
{
	u32 mark;

	aml__op(b, OP_BUFFER);
	mark = b->len;
	aml__int(b, len);
	acpi_buf__put(b, data, len);
	aml__close(b, mark);
}

void aml__name(struct acpi_buf *b, const char *name)
{
	aml__op(b, OP_NAME);
	aml__path(b, name);
}

void aml__name_int(struct acpi_buf *b, const char *name, u64 v)
{
	aml__name(b, name);
	aml__int(b, v);
}

void aml__name_eisaid(struct acpi_buf *b, const char *name, const char *id)
{
	aml__name(b, name);
	aml__eisaid(b, id);
}

void aml__name_ints(struct acpi_buf *b, const char *name, const u64 *v, u8 n)
{
	u32 mark;
	u8 i;

	aml__name(b, name);
	aml__op(b, OP_PACKAGE);
	mark = b->len;
	acpi_buf__put8(b, n);
	for (i = 0; i < n; i++)
		aml__int(b, v[i]);
	aml__close(b, mark);
}

/* 6.4.2.5: decodes 16 bits. */
void aml__res_io(struct acpi_buf *r, u16 base, u8 len)
{
	acpi_buf__put8(r, 0x47);
	acpi_buf__put8(r, 1);
	acpi_buf__put16(r, base);
	acpi_buf__put16(r, base);
	acpi_buf__put8(r, 1);
	acpi_buf__put8(r, len);
}

/* 6.4.3.6: consumer, edge, active high, exclusive. */
void aml__res_irq(struct acpi_buf *r, u32 gsi)
{
	acpi_buf__put8(r, 0x89);
	acpi_buf__put16(r, 6);
	acpi_buf__put8(r, 1 << 0 | 1 << 1);
	acpi_buf__put8(r, 1);
	acpi_buf__put32(r, gsi);
}

/* 6.4.3.4: writeable. */
void aml__res_fixed32(struct acpi_buf *r, u32 base, u32 len)
{
	acpi_buf__put8(r, 0x86);
	acpi_buf__put16(r, 9);
	acpi_buf__put8(r, 1);
	acpi_buf__put32(r, base);
	acpi_buf__put32(r, len);
}

/* 6.4.3.5: what a bridge passes on: minimum and maximum fixed, positive decode, producer. */
#define WINDOW_FLAGS	(1 << 2 | 1 << 3)
#define TYPE_MEMORY	0
#define TYPE_IO		1
#define TYPE_BUS	2
#define MEM_WRITE	1
#define IO_ENTIRE_RANGE 3 /* not only what ISA decodes, or does not */

static void put_window16(struct acpi_buf *r, u8 type, u8 type_flags, u16 first, u16 last)
{
	acpi_buf__put8(r, 0x88);
	acpi_buf__put16(r, 13);
	acpi_buf__put8(r, type);
	acpi_buf__put8(r, WINDOW_FLAGS);
	acpi_buf__put8(r, type_flags);
	acpi_buf__put16(r, 0); /* granularity */
	acpi_buf__put16(r, first);
	acpi_buf__put16(r, last);
	acpi_buf__put16(r, 0); /* translation */
	acpi_buf__put16(r, last - first + 1);
}

void aml__res_bus(struct acpi_buf *r, u16 first, u16 last)
{
	put_window16(r, TYPE_BUS, 0, first, last);
}

void aml__res_window_io(struct acpi_buf *r, u16 base, u16 len)
{
	put_window16(r, TYPE_IO, IO_ENTIRE_RANGE, base, base + len - 1);
}

void aml__res_window32(struct acpi_buf *r, u32 base, u32 len)
{
	acpi_buf__put8(r, 0x87);
	acpi_buf__put16(r, 23);
	acpi_buf__put8(r, TYPE_MEMORY);
	acpi_buf__put8(r, WINDOW_FLAGS);
	acpi_buf__put8(r, MEM_WRITE);
	acpi_buf__put32(r, 0);
	acpi_buf__put32(r, base);
	acpi_buf__put32(r, base + len - 1);
	acpi_buf__put32(r, 0);
	acpi_buf__put32(r, len);
}

void aml__res_window64(struct acpi_buf *r, u64 base, u64 len)
{
	acpi_buf__put8(r, 0x8a);
	acpi_buf__put16(r, 43);
	acpi_buf__put8(r, TYPE_MEMORY);
	acpi_buf__put8(r, WINDOW_FLAGS);
	acpi_buf__put8(r, MEM_WRITE);
	acpi_buf__put64(r, 0);
	acpi_buf__put64(r, base);
	acpi_buf__put64(r, base + len - 1);
	acpi_buf__put64(r, 0);
	acpi_buf__put64(r, len);
}

void aml__crs(struct acpi_buf *b, struct acpi_buf *r)
{
	acpi_buf__put8(r, 0x79); /* end tag; a checksum of 0 counts as right (6.4.2.9) */
	acpi_buf__put8(r, 0);
	aml__name(b, "_CRS");
	b->failed |= r->failed;
	aml__buffer(b, r->data, r->len);
	acpi_buf__free(r);
}
