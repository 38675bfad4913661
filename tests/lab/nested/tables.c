/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * Memory with two addresses, the program's and the nesting parent's, so that a walk which forgets the
 * second stage finds nothing; and four-level first-stage tables in it (VT-d 9.8).
 */

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "nested.h"

#define ADDR_MASK GENMASK(51, 12)

static u8 *ram;
static u64 used;

u8 *ram__base(void)
{
	u8 *p;

	if (ram)
		return ram;
	p = mmap(NULL, RAM_SIZE + 2 * MiB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		 0);
	if (p == MAP_FAILED) {
		perror("nested: memory");
		exit(1);
	}
	ram = (u8 *)ALIGN_UP((uintptr_t)p, 2 * MiB);
	memset(ram, 0, RAM_SIZE);
	return ram;
}

void *ram__at(u64 gpa)
{
	return ram__base() + (gpa - RAM_BASE);
}

u64 ram__page(void)
{
	u64 gpa = RAM_BASE + used;

	used += PAGE;
	/* The upper half is the tests' own, for large pages. */
	if (used > RAM_SIZE / 2) {
		fprintf(stderr, "nested: RAM_SIZE is too small for the tests\n");
		exit(1);
	}
	return gpa;
}

bool ram__holds(u64 gpa, u32 len, u8 fill)
{
	const volatile u8 *p = ram__at(gpa);

	for (u32 i = 0; i < len; i++)
		if (p[i] != fill)
			return false;
	return true;
}

volatile u64 *table__entry(u64 root, u64 iova, int level)
{
	u64 table = root;

	for (int at = 4;; at--) {
		u64 *entry = (u64 *)ram__at(table) + (iova >> (12 + 9 * (at - 1)) & 511);

		if (at == level)
			return entry;
		if (!(*entry & PTE_P))
			*entry = ram__page() | PTE_USER;
		table = *entry & ADDR_MASK;
	}
}
