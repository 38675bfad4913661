/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * A guest that stays, for tests/guest/program: says "ready", then answers what it is sent on the serial port.  Most
 * bytes come back; a digit N ends the run with status 2N+1, "t" with a triple fault, "!" prints without end.
 */

#include "guest.h"

#define IER	     (PORT_COM1 + 1)
#define MCR	     (PORT_COM1 + 4)
#define LSR	     (PORT_COM1 + 5)
#define LSR_DATA     0x01
#define LSR_TX_EMPTY 0x20

static void put(u8 c)
{
	while (!(in8(LSR) & LSR_TX_EMPTY))
		;
	out8(PORT_COM1, c);
}

static void triple_fault(void)
{
	struct {
		u16 limit;
		u64 base;
	} __attribute__((packed)) none = { 0 };

	asm volatile("lidt %0; ud2" : : "m"(none));
}

int main(void)
{
	out8(IER, 1); /* who wants no interrupts for it gets no input: it is kept for the kernel */
	out8(MCR, 0x0b);
	print("ready\n");
	for (;;) {
		u8 c;

		if (!(in8(LSR) & LSR_DATA))
			continue;
		c = in8(PORT_COM1);
		if (c >= '0' && c <= '9')
			out8(PORT_EXIT, c - '0');
		if (c == 't')
			triple_fault();
		while (c == '!')
			print("and again the same line, as fast as it goes\n");
		put(c);
	}
}
