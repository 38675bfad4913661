/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef RND_H
#define RND_H

/* Random numbers that are the same in every run (xorshift64*). */

#include "lkvm/util.h"

static inline u64 rnd64(void)
{
	static u64 state = 88172645463325252ULL;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1dULL;
}

/* Below @n. */
static inline u32 rnd(u32 n)
{
	return (u32)(rnd64() >> 33) % n;
}

#endif
