/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FAKE_PCI_H
#define FAKE_PCI_H

/* What the PCI root stands on, for its unit tests: real bus and memory, fake interrupts and log. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lkvm/irq.h"
#include "lkvm/layout.h"
#include "lkvm/module.h"
#include "lkvm/trace.h"
#include "lkvm/vm.h"
#include "fake_err.h"
#include "tap.h"
#include "x86/bus.c"
#include "x86/mem.c"

bool trace_on[TRACE_MAX];

void trace__emit(const char *event, const char *fmt, ...)
{
}

void module__register(struct module *m)
{
}

/* Interrupts: a route counts what reached the guest and what waits. */
struct irq_route {
	u16 sid;
	bool live, pending;
	struct msi_msg msg;
	unsigned int delivered, sets;
};

static unsigned int routes, routes_max = 1 << 20;

struct irq_route *irq__route_new(struct irqchip *irq, u16 sid)
{
	struct irq_route *r;

	if (routes == routes_max) {
		errno = EMFILE;
		return NULL;
	}
	r = calloc(1, sizeof(*r));
	r->sid = sid;
	routes++;
	return r;
}

void irq__route_free(struct irq_route *r)
{
	routes--;
	free(r);
}

int irq__route_set(struct irq_route *r, const struct msi_msg *msg)
{
	r->sets++;
	r->live = msg;
	if (msg) {
		r->msg = *msg;
		r->delivered += r->pending;
		r->pending = false;
	}
	return 0;
}

int irq__route_fd(const struct irq_route *r)
{
	return 1000 + r->sid;
}

bool irq__route_pending(const struct irq_route *r)
{
	return r->pending;
}

void irq__route_clear(struct irq_route *r)
{
	r->pending = false;
}

void irq__fire(struct irq_route *r)
{
	if (r->live)
		r->delivered++;
	else
		r->pending = true;
}

/* Guest accesses. */
static inline u64 rd(struct vm *vm, u64 addr, u32 len)
{
	u64 v = 0;

	bus__access(vm->mmio, addr, (u8 *)&v, len, false);
	return v;
}

static inline void wr(struct vm *vm, u64 addr, u32 len, u64 v)
{
	bus__access(vm->mmio, addr, (u8 *)&v, len, true);
}

#endif
