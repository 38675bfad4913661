/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BOOT_FAKE_H
#define BOOT_FAKE_H

/* For the boot loaders' tests: image files to load, and what is said to people. */

#include <stdio.h>
#include <stdlib.h>

#include "lkvm/module.h"
#include "lkvm/util.h"

#include "tests/unit/fake_err.h"

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
