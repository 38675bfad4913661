/* SPDX-License-Identifier: GPL-2.0-only */

/* Output, TAP, the end, and the few functions that a compiler expects. */

#include "guest.h"

#define STATUS_PASSED 0x10 /* 33 for whoever waits: no status of lkvm's own */
#define STATUS_FAILED 0x11 /* 35 */

static unsigned int count, failed;

void *memset(void *to, int byte, size_t n)
{
	void *p = to;

	asm volatile("rep stosb" : "+D"(p), "+c"(n) : "a"(byte) : "memory");
	return to;
}

void *memcpy(void *to, const void *from, size_t n)
{
	void *p = to;

	asm volatile("rep movsb" : "+D"(p), "+S"(from), "+c"(n) : : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *p = a, *q = b;

	for (; n; n--, p++, q++)
		if (*p != *q)
			return *p - *q;
	return 0;
}

static void put(char c)
{
	out8(PORT_COM1, c);
}

static void put_number(u64 v, unsigned int base)
{
	char digits[20];
	int n = 0;

	do {
		digits[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v);
	while (n)
		put(digits[--n]);
}

static void vprint(const char *fmt, va_list ap)
{
	for (; *fmt; fmt++) {
		bool wide = false;

		if (*fmt != '%') {
			put(*fmt);
			continue;
		}
		if (*++fmt == 'l') {
			wide = true;
			fmt++;
		}
		if (*fmt == 's') {
			for (const char *s = va_arg(ap, const char *); *s; s++)
				put(*s);
		} else if (*fmt == 'x' || *fmt == 'u') {
			u64 v = wide ? va_arg(ap, u64) : va_arg(ap, u32);

			put_number(v, *fmt == 'x' ? 16 : 10);
		} else {
			put(*fmt);
		}
	}
}

void print(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprint(fmt, ap);
	va_end(ap);
}

static void result(bool good, const char *fmt, va_list ap)
{
	failed += !good;
	print("%sok %u - ", good ? "" : "not ", ++count);
	vprint(fmt, ap);
	put('\n');
}

void report(bool good, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	result(good, fmt, ap);
	va_end(ap);
}

void report_eq(u64 got, u64 want, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	result(got == want, fmt, ap);
	va_end(ap);
	if (got != want)
		print("# got 0x%lx, want 0x%lx\n", got, want);
}

void report_skip(const char *why)
{
	print("ok %u # SKIP %s\n", ++count, why);
}

void finish(void)
{
	print("1..%u\n", count);
	out8(PORT_EXIT, failed || !count ? STATUS_FAILED : STATUS_PASSED);
	for (;;)
		asm volatile("cli; hlt");
}

void guest_main(void);
void guest_main(void)
{
	main();
	finish();
}

extern u64 io_pd[512];

volatile void *io_map(u64 pa)
{
	static unsigned int used;
	u64 va = 4UL << 30 | (u64)used << 21;

	io_pd[used++ % 512] = (pa & ~(BIT(21) - 1)) | 0x9b; /* P, RW, PWT, PCD, PS */
	asm volatile("invlpg (%0)" : : "r"(va) : "memory");
	return (volatile void *)(va | (pa & (BIT(21) - 1)));
}
