/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VTD_GUEST_H
#define VTD_GUEST_H

/*
 * What tests of translation and binding need: real guest memory with helpers that build the tables
 * of VT-d chapter 9, a unit made of it, and fakes for faults, traces and the end of the VM.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"
#include "vtd_tables.h"

#include "x86/mem.c"
#include "x86/util.c"

#include "iommu/cap.c"
#include "iommu/entry.c"
#include "iommu/entry_sm.c"
#include "iommu/vtd.h"

#include "lkvm/trace.h"

bool trace_on[TRACE_MAX];

static char last_trace[512];

void trace__emit(const char *event, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(last_trace, sizeof(last_trace), fmt, ap);
	va_end(ap);
}

/* --- What the rest of the machine was told --- */

static int stopped = -1;
static unsigned int n_faults;
static struct vtd_fault last_fault;

void vm__stop(struct vm *vm, int status)
{
	if (stopped < 0)
		stopped = status;
}

void vtd_fault__record(struct vtd *vtd, const struct vtd_fault *fault)
{
	n_faults++;
	last_fault = *fault;
}

void vtd_fault__record_ir(struct vtd *vtd, u16 sid, u16 index, u8 reason, bool fpd)
{
	vtd_fault__record(vtd, &(struct vtd_fault){ .sid = sid, .reason = reason, .fpd = fpd });
}

static __attribute__((unused)) unsigned int n_events;

void vtd_event__raise(struct vtd *vtd, struct vtd_event *ev)
{
	n_events++;
}

/* --- The unit --- */

static struct vm guest_vm = { .phys_bits = 46 };

/* All that can be emulated, also what guests are not offered by default. */
static __attribute__((unused)) struct vtd_config config_all(void)
{
	struct vtd_config cfg = vtd_config_emulated;

	cfg.fl5 = true;
	return cfg;
}

static void guest_reset(void)
{
	if (!guest_mem)
		setlinebuf(stdout); /* messages on stderr must not split TAP lines */
	tables_reset();
	n_faults = n_events = 0;
	stopped = -1;
}

/* Translation on, an empty root table, memory starting over. */
static void unit_init(struct vtd *vtd, struct vtd_config cfg, enum vtd_ttm ttm)
{
	guest_reset();
	*vtd = (struct vtd){ .vm = &guest_vm, .mem = guest_mem, .cfg = cfg, .gsts = BIT(31) };
	if (vtd_cap__build(&cfg, &vtd->cap, &vtd->ecap))
		abort();
	vtd->root = page_new() | (u64)ttm << 10;
}

#endif
