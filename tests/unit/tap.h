/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TAP_H
#define TAP_H

/* The Test Anything Protocol, as much as unit tests need; the plan comes last. */

#include <stdio.h>

static unsigned int tap_count, tap_failed;

/* One test: passes if @cond holds; the text (printf-style) says what must be true. */
#define ok(cond, ...)                                                                              \
	do {                                                                                       \
		int tap_good = !!(cond);                                                           \
		printf("%sok %u - ", tap_good ? "" : "not ", ++tap_count);                         \
		printf(__VA_ARGS__);                                                               \
		printf("\n");                                                                      \
		if (!tap_good) {                                                                   \
			tap_failed++;                                                              \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #cond);                        \
		}                                                                                  \
	} while (0)

/* The same for two unsigned numbers, which a failure shows. */
#define eq(got, want, ...)                                                                         \
	do {                                                                                       \
		unsigned long long tap_g = (unsigned long long)(got);                              \
		unsigned long long tap_w = (unsigned long long)(want);                             \
		ok(tap_g == tap_w, __VA_ARGS__);                                                   \
		if (tap_g != tap_w)                                                                \
			printf("# got %#llx, want %#llx\n", tap_g, tap_w);                         \
	} while (0)

static inline int tap_done(void)
{
	printf("1..%u\n", tap_count);
	return tap_failed ? 1 : 0;
}

#endif
