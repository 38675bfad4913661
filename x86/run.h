/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef X86_RUN_H
#define X86_RUN_H

/* The machine's name, as soon as options are parsed. */
const char *run__name(void);

#endif
