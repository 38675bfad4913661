/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FAKE_ERR_H
#define FAKE_ERR_H

/* What was said to people: the last error, and how many. */

#include <stdarg.h>
#include <stdio.h>

#include "lkvm/util.h"

static char last_err[8192];
static unsigned int errs;

void pr_err(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(last_err, sizeof(last_err), fmt, ap);
	va_end(ap);
	errs++;
}

#endif
