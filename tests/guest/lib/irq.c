/* SPDX-License-Identifier: GPL-2.0-only */

/* The local APIC in x2APIC mode, and an IDT whose handlers count. */

#include "guest.h"

#define MSR_APIC_BASE	 0x1b
#define APIC_BASE_X2	 (BIT(11) | BIT(10))
#define MSR_X2APIC_EOI	 0x80b
#define MSR_X2APIC_SVR	 0x80f
#define SVR_ENABLE	 0x100
#define VECTOR_SPURIOUS	 0x7f
#define VECTOR_FIRST	 0x20
#define STUB_SIZE	 16
#define GATE_INTERRUPT	 0x8e00

extern char irq_stubs[];
volatile u32 irq_count[128];

static struct {
	u16 offset_lo, selector, flags, offset_mid;
	u32 offset_hi, zero;
} idt[128];

void irq_handler(u64 vector, u64 error, u64 rip);
void irq_handler(u64 vector, u64 error, u64 rip)
{
	if (vector < VECTOR_FIRST) {
		print("# exception %lu, error 0x%lx, rip 0x%lx\n", vector, error, rip);
		report(false, "no exception");
		finish();
	}
	irq_count[vector]++;
	if (vector != VECTOR_SPURIOUS)
		wrmsr(MSR_X2APIC_EOI, 0);
}

void irq_init(void)
{
	struct {
		u16 limit;
		u64 base;
	} __attribute__((packed)) idtr = { sizeof(idt) - 1, (u64)idt };

	for (unsigned int i = 0; i < ARRAY_SIZE(idt); i++) {
		u64 at = (u64)irq_stubs + i * STUB_SIZE;

		idt[i].offset_lo = at;
		idt[i].offset_mid = at >> 16;
		idt[i].selector = 0x08;
		idt[i].flags = GATE_INTERRUPT;
	}
	asm volatile("lidt %0" : : "m"(idtr));
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_X2);
	wrmsr(MSR_X2APIC_SVR, SVR_ENABLE | VECTOR_SPURIOUS);
}

void irq_settle(void)
{
	/* Port EDh is nobody's: the VMM's loop gets its turn, and injects on the way back. */
	for (int i = 0; i < 20; i++)
		asm volatile("sti; nop; outb %%al, $0xed; nop; cli" : : "a"(0) : "memory");
}

bool irq_wait(unsigned int vector, u32 n)
{
	for (int i = 0; i < 2000 && irq_count[vector] < n; i++)
		irq_settle();
	return irq_count[vector] == n;
}
