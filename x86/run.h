/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef X86_RUN_H
#define X86_RUN_H

/* The machine's name, as soon as options are parsed. */
const char *run__name(void);

/*
 * run_kernel.c: the newest readable one of ./bzImage, arch/x86/boot/bzImage, and the kernels in @boot
 * (/boot); to be freed, NULL if there is none.
 */
char *run__default_kernel(const char *boot);

#endif
