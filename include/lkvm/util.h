/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_UTIL_H
#define LKVM_UTIL_H

/*
 * What every room uses: the short integer types, a few macros, and the one way to talk to people.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef unsigned long long u64; /* as the kernel's __u64, so that %llx fits both */

#define BIT(n) (1ULL << (n))
/* Bits h..l set, 63 >= h >= l >= 0. */
#define GENMASK(h, l) ((~0ULL << (l)) & (~0ULL >> (63 - (h))))
/* The field h..l of v, shifted down. */
#define FIELD(v, h, l)			(((v)&GENMASK(h, l)) >> (l))
#define ARRAY_SIZE(a)			(sizeof(a) / sizeof((a)[0]))
#define ALIGN_DOWN(x, a)		((x) & ~((u64)(a)-1))
#define ALIGN_UP(x, a)			ALIGN_DOWN((x) + (u64)(a)-1, a)
#define IS_ALIGNED(x, a)		(((x) & ((u64)(a)-1)) == 0)
#define MIN(a, b)			((a) < (b) ? (a) : (b))
#define MAX(a, b)			((a) > (b) ? (a) : (b))
#define likely(x)			__builtin_expect(!!(x), 1)
#define unlikely(x)			__builtin_expect(!!(x), 0)
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define __printf(f, a)			__attribute__((format(printf, f, a)))

/* A value that another agent (the guest, a vCPU) may change is read once, into a local. */
#define READ_ONCE(x)	 (*(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile typeof(x) *)&(x) = (v))

#define KiB (1ULL << 10)
#define MiB (1ULL << 20)
#define GiB (1ULL << 30)

#define NSEC_PER_SEC 1000000000ULL

/* CLOCK_MONOTONIC in ns. */
static inline u64 monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * NSEC_PER_SEC + (u64)t.tv_nsec;
}

/*
 * One line to a person, on stderr, prefixed "lkvm: " and ended with a newline.  An error names what
 * failed, on which device or file, why, and the remedy.  It is printed where the cause is known;
 * callers up the stack unwind with the negative errno and print nothing more.
 */
void pr_err(const char *fmt, ...) __printf(1, 2);
void pr_warn(const char *fmt, ...) __printf(1, 2);
/* As pr_warn, silent under --quiet. */
void pr_info(const char *fmt, ...) __printf(1, 2);
void pr__set_quiet(bool quiet);

/*
 * A message that a guest can provoke: at most ten lines a second per call site's @rl (zero
 * initialised, static), the number of suppressed lines is told with the next one printed.
 */
struct ratelimit {
	u64 window; /* start of the current second, CLOCK_MONOTONIC */
	u32 printed, dropped;
};
void pr_guest(struct ratelimit *rl, const char *fmt, ...) __printf(2, 3);

/*
 * Parse an unsigned number with an optional suffix K, M or G (powers of 1024) that fills all of @s.
 * Base 10, or 16 with 0x.  0 or -EINVAL (not a number, trailing text) or -ERANGE (does not fit u64).
 */
int parse_size(const char *s, u64 *out);
/* The same without suffixes, within [@min, @max]: else -ERANGE. */
int parse_uint(const char *s, u64 min, u64 max, u64 *out);
/* The same as parse_size(), but a bare number counts MiB. */
int parse_mib(const char *s, u64 *out);

/*
 * What a person may have meant by @word: offer it what there is; @best is then the name that fewest
 * slips of the keys (a letter changed, missed, added, or two swapped) lead to, NULL if none is close.
 */
struct nearest {
	const char *word, *best;
	unsigned int slips;
};
void nearest__offer(struct nearest *n, const char *name);

/* What was printed has been written; else a negative errno with a printed line. */
int flush_stdout(void);

/* Raise this process's soft limit of @resource (RLIMIT_*) to the hard one, as far as that goes. */
void raise_limit(int resource);

/*
 * Whether we are root, and the directory that @path, which begins with /, is or would be in is another user's: nothing of root's
 * belongs there.
 */
bool parent_is_foreign(const char *path);

#endif
