/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VFIO_FAKE_H
#define VFIO_FAKE_H

/* What the tests of vfio/ have in common: the last line that was printed to a person. */

#include <stdio.h>
#include <string.h>

#include "lkvm/util.h"

static char fake_said[4096];
static unsigned int fake_lines;

static void fake_say(const char *fmt, va_list ap)
{
	vsnprintf(fake_said, sizeof(fake_said), fmt, ap);
	fake_lines++;
}

#define FAKE_PR(name)                                                                              \
	void name(const char *fmt, ...)                                                            \
	{                                                                                          \
		va_list ap;                                                                        \
                                                                                                   \
		va_start(ap, fmt);                                                                 \
		fake_say(fmt, ap);                                                                 \
		va_end(ap);                                                                        \
	}

FAKE_PR(pr_err)
FAKE_PR(pr_warn)
FAKE_PR(pr_info)

void pr_guest(struct ratelimit *rl, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fake_say(fmt, ap);
	va_end(ap);
}

static inline bool fake_has(const char *text)
{
	return strstr(fake_said, text);
}

#endif
