/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef GUEST_H
#define GUEST_H

/*
 * What a payload stands on: a freestanding 64-bit program with the low 4 GiB mapped one to one,
 * interrupts off, one processor.  It defines main(), reports, and ends by returning.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef unsigned long u64;

#define BIT(n)	      (1UL << (n))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The machine (docs/testdev.md, include/lkvm/layout.h). */
#define ECAM_BASE   0xe0000000UL
#define IOAPIC_BASE 0xfec00000UL
#define VTD_BASE    0xfed90000UL
#define MSI_BASE    0xfee00000UL
#define PORT_EXIT   0xf4
#define PORT_COM1   0x3f8

/* What the loader left in eax and ebx. */
extern u32 start_magic, start_info;

/* report.c */
int main(void);
void print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* One TAP line; the text may have %s %u %d %x %lx. */
void report(bool good, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void report_eq(u64 got, u64 want, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void report_skip(const char *why);
/* Plan, and status 33 if every test passed, else 35. */
void finish(void) __attribute__((noreturn));

void *memset(void *to, int byte, size_t n);
void *memcpy(void *to, const void *from, size_t n);
int memcmp(const void *a, const void *b, size_t n);

/* A pointer to 2 MiB of any physical address space around @pa, for what is beyond 4 GiB. */
volatile void *io_map(u64 pa);

/* irq.c: x2APIC and IDT; vectors 20h to 7fh are counted. */
extern volatile u32 irq_count[128];
void irq_init(void);
/* The message for @vector of this processor. */
#define MSI_DATA(vector) (vector)
/* Let interrupts in until @vector has come @n times in all, or for a while; true if it has. */
bool irq_wait(unsigned int vector, u32 n);
/* Let interrupts in for a moment. */
void irq_settle(void);

/* Accesses of one width each, whatever the compiler would make of a pointer. */
#define MMIO(bits, reg)                                                             \
	static inline u##bits read##bits(u64 addr)                                  \
	{                                                                           \
		u##bits v;                                                          \
		asm volatile("mov (%1), %0" : "=" reg(v) : "r"(addr) : "memory");   \
		return v;                                                           \
	}                                                                           \
	static inline void write##bits(u64 addr, u##bits v)                         \
	{                                                                           \
		asm volatile("mov %0, (%1)" : : reg(v), "r"(addr) : "memory");      \
	}
MMIO(8, "q")
MMIO(16, "r")
MMIO(32, "r")
MMIO(64, "r")

#define PIO(bits)                                                                   \
	static inline u##bits in##bits(u16 port)                                    \
	{                                                                           \
		u##bits v;                                                          \
		asm volatile("in %1, %0" : "=a"(v) : "Nd"(port));                   \
		return v;                                                           \
	}                                                                           \
	static inline void out##bits(u16 port, u##bits v)                           \
	{                                                                           \
		asm volatile("out %0, %1" : : "a"(v), "Nd"(port));                  \
	}
PIO(8)
PIO(16)
PIO(32)

static inline u64 rdmsr(u32 msr)
{
	u32 lo, hi;

	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (u64)hi << 32 | lo;
}

static inline void wrmsr(u32 msr, u64 v)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}

#endif
