/* SPDX-License-Identifier: GPL-2.0-only */

/* The Test Anything Protocol for a program of several files; the plan comes last. */

#include <stdarg.h>

#include "nested.h"

static unsigned int count, failed;

bool tap__ok(bool good, const char *where, const char *text, ...)
{
	va_list args;

	printf("%sok %u - ", good ? "" : "not ", ++count);
	va_start(args, text);
	vprintf(text, args);
	va_end(args);
	printf("\n");
	if (!good) {
		failed++;
		printf("# %s\n", where);
	}
	return good;
}

void tap__note(unsigned long long got, unsigned long long want)
{
	printf("# got %#llx, want %#llx\n", got, want);
}

int tap__done(void)
{
	printf("1..%u\n", count);
	return failed ? 1 : 0;
}
