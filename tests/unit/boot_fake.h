/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BOOT_FAKE_H
#define BOOT_FAKE_H

/* For the boot loaders' tests: what was said to people, and image files to load. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lkvm/module.h"
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

void module__register(struct module *m)
{
}

static char kernel[64];
static char __attribute__((unused)) initrd[64];

static void put(const char *path, const void *data, size_t len)
{
	FILE *f = fopen(path, "w");

	if (!f || fwrite(data, 1, len, f) != len || fclose(f)) {
		perror(path);
		exit(1);
	}
}

#endif
