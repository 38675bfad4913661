/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef IOMMU_DEBUG_H
#define IOMMU_DEBUG_H

/* What people are shown of the unit: between verbs.c, debug*.c and stat.c.  Nothing here changes it. */

#include "iommu/vtd.h"

/* --- debug.c --- */
/* Registers, the guest's tables, bindings, caches, counts: for `lkvm debug --iommu`.  Bounded. */
void debug__print(struct vtd *vtd, FILE *out);

/* --- debug_walk.c --- */
/*
 * For `lkvm debug --walk`: what a request would meet, entry by entry.  @arg is "BB:DD.F,ADDRESS" or
 * "BB:DD.F,PASID,ADDRESS"; "error: ..." if it is not.  No fault is recorded, nothing cached, no
 * accessed or dirty bit set.
 */
void debug__walk(struct vtd *vtd, const char *arg, FILE *out);
/* Whether it is one of these; that answer if not. */
bool debug__check_walk(const char *arg, FILE *out);

/* --- debug_entry.c: " name" and " name=value" of the fields of an entry (9.1-9.8) --- */
/* The names, a word each, of the bits set in @value: @names[n] is bit n's, or NULL. */
void debug__flags(FILE *out, u64 value, const char *const *names, unsigned int n);
void debug__legacy_context(FILE *out, const u64 *e);
void debug__scalable_context(FILE *out, const u64 *e);
void debug__pasid(FILE *out, const u64 *e);
void debug__fs(FILE *out, u64 e, unsigned int level);
void debug__ss(FILE *out, u64 e, unsigned int level);

/* --- stat.c --- */
/* The counts, a group a line, each behind @prefix; or all in a JSON object, and a newline. */
void stat__print(const struct vtd *vtd, const char *prefix, FILE *out);
void stat__json(const struct vtd *vtd, FILE *out);

#endif
