/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VTD_FAKE_H
#define VTD_FAKE_H

/*
 * What the register side of the VT-d unit stands on, for its unit tests: 1 MiB of memory at 0,
 * messages and refreshes that are counted, invalidations that are written down.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "iommu/vtd.h"
#include "iommu/vtd_regs.h"
#include "lkvm/layout.h"
#include "lkvm/trace.h"
#include "tap.h"

#include "iommu/devtlb.c"

bool trace_on[TRACE_MAX];

void trace__emit(const char *event, const char *fmt, ...)
{
}

static unsigned int errors_printed;

void pr_err(const char *fmt, ...)
{
	errors_printed++;
}

int parse_uint(const char *s, u64 min, u64 max, u64 *out)
{
	char *end;

	*out = strtoull(s, &end, 0);
	if (*s < '0' || *s > '9' || *end)
		return -EINVAL;
	return *out < min || *out > max ? -ERANGE : 0;
}

#define FAKE_RAM (1u << 20)

struct guest_mem {
	u8 *ram;
};

void *mem__ptr(const struct guest_mem *mem, u64 gpa, u64 len)
{
	if (!len || gpa >= FAKE_RAM || len > FAKE_RAM - gpa)
		return NULL;
	return mem->ram + gpa;
}

int mem__read(const struct guest_mem *mem, u64 gpa, void *buf, u64 len)
{
	void *p = mem__ptr(mem, gpa, len);

	if (!p)
		return -EFAULT;
	memcpy(buf, p, len);
	return 0;
}

static unsigned int msi_sent, refreshed;
static struct msi_msg msi_last;

int irq__msi_direct(struct irqchip *irq, const struct msi_msg *msg)
{
	msi_sent++;
	msi_last = *msg;
	return 0;
}

void irq__refresh(struct irqchip *irq)
{
	refreshed++;
}

/* How often the queue was left for another turn, and what each invalidation costs of one. */
static unsigned int turns_asked;
static u64 inv_work;

void vtd_turn__ask(struct vtd *vtd)
{
	turns_asked++;
}

/* The invalidations in order: a letter each (c, p, i, P, A for all, s for sync). */
static char inv_log[256];
static struct vtd_inv inv_last;

static void inv__note(char c, const struct vtd_inv *inv)
{
	size_t n = strlen(inv_log);

	if (n < sizeof(inv_log) - 1)
		inv_log[n] = c;
	if (inv)
		inv_last = *inv;
}

void vtd_inv__context(struct vtd *vtd, const struct vtd_inv *inv)
{
	inv__note('c', inv);
	vtd->work += inv_work;
}

void vtd_inv__pasid_cache(struct vtd *vtd, const struct vtd_inv *inv)
{
	inv__note('p', inv);
	vtd->work += inv_work;
}

void vtd_inv__iotlb(struct vtd *vtd, const struct vtd_inv *inv)
{
	inv__note('i', inv);
	vtd->work += inv_work;
}

void vtd_inv__piotlb(struct vtd *vtd, const struct vtd_inv *inv)
{
	inv__note('P', inv);
	vtd->work += inv_work;
}

void vtd_inv__all(struct vtd *vtd)
{
	inv__note('A', NULL);
}

/* What giving up on a device's isolation does during a sync. */
static bool lose_isolation;

void vtd_inv__sync(struct vtd *vtd)
{
	inv__note('s', NULL);
	vtd->isolation_lost |= lose_isolation;
}

static struct vm fake_vm = { .phys_bits = 39 };
static struct guest_mem fake_mem;

static inline void fake__forget(void)
{
	memset(inv_log, 0, sizeof(inv_log));
	memset(&inv_last, 0, sizeof(inv_last));
	memset(&msi_last, 0, sizeof(msi_last));
	msi_sent = refreshed = errors_printed = turns_asked = 0;
}

/* A unit after reset, empty memory, nothing noted. */
static inline struct vtd *fake__new(const struct vtd_config *cfg)
{
	struct vtd *vtd = calloc(1, sizeof(*vtd));

	free(fake_mem.ram);
	fake_mem.ram = calloc(1, FAKE_RAM);
	if (!vtd || !fake_mem.ram)
		abort();
	vtd->vm = &fake_vm;
	vtd->mem = &fake_mem;
	vtd->cfg = *cfg;
	if (vtd_cap__build(cfg, &vtd->cap, &vtd->ecap))
		abort();
	vtd_regs__reset(vtd);
	fake__forget();
	return vtd;
}

static inline void fake__free(struct vtd *vtd)
{
	free(vtd);
	free(fake_mem.ram);
	fake_mem.ram = NULL;
}

static inline u64 rd(struct vtd *vtd, u64 off, u32 len)
{
	u64 v = 0;

	vtd_regs__access(&vtd->mmio, off, (u8 *)&v, len, false);
	return v;
}

static inline void wr(struct vtd *vtd, u64 off, u64 v, u32 len)
{
	vtd_regs__access(&vtd->mmio, off, (u8 *)&v, len, true);
}

#endif
