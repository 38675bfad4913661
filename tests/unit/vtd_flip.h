/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VTD_FLIP_H
#define VTD_FLIP_H

/* A vCPU that keeps replacing the 128 bits of an entry at once, as software may (VT-d 6.2.2.1, 6.2.3.1). */

#include <pthread.h>

#include "lkvm/util.h"

static u64 *flipped;
static u64 sides[2][2]; /* between these */
static bool flip_stop;
static pthread_t flip_thread;

static void store16(u64 *p, const u64 *val)
{
	u64 lo = p[0], hi = p[1];
	bool done;

	do
		__asm__ volatile("lock cmpxchg16b %1"
				 : "=@cce"(done), "+m"(*(u64(*)[2])p), "+a"(lo), "+d"(hi)
				 : "b"(val[0]), "c"(val[1])
				 : "memory");
	while (!done);
}

static void *flip(void *arg)
{
	for (unsigned int i = 0; !__atomic_load_n(&flip_stop, __ATOMIC_RELAXED); i++)
		store16(flipped, sides[i & 1]);
	return arg;
}

static void flip_start(u64 *entry)
{
	flipped = entry;
	store16(flipped, sides[0]);
	__atomic_store_n(&flip_stop, false, __ATOMIC_RELAXED);
	pthread_create(&flip_thread, NULL, flip, NULL);
}

static void flip_end(void)
{
	__atomic_store_n(&flip_stop, true, __ATOMIC_RELAXED);
	pthread_join(flip_thread, NULL);
}

#endif
