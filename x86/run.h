/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef X86_RUN_H
#define X86_RUN_H

#include "lkvm/util.h"

/* The machine's name, as soon as options are parsed. */
const char *run__name(void);

/*
 * run_kernel.c: the newest readable bzImage of ./bzImage, arch/x86/boot/bzImage, and the kernels in @boot
 * (/boot); to be freed, NULL if there is none.
 */
char *run__default_kernel(const char *boot);
/* The readable initrd that lies beside @kernel under the same version; to be freed, NULL if none does. */
char *run__default_initrd(const char *kernel);
/* Can it be read, and is it a Linux bzImage? */
bool run__is_bzimage(const char *path);

/* run_defaults.c: the processors this process may use, as far as a machine needs nothing special for them. */
unsigned int run__default_cpus(void);
/* 1 GiB; half of what a host with @host bytes has if that is less, but at least 64 MiB. */
u64 run__default_ram(u64 host);
/* The host's RAM in bytes, 0 if it cannot be known. */
u64 run__host_ram(void);

#endif
