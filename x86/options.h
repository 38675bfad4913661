/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef X86_OPTIONS_H
#define X86_OPTIONS_H

#include <stdbool.h>

/*
 * Parse the options of all modules: --opt value, --opt=value, -o value, -ovalue, in any order with
 * positional arguments, which go to @positional; "--" ends the options.  0, or -EINVAL with a printed
 * line.  *@help is set if --help or -h was met (parsing ends there).
 */
int options__parse(int argc, char **argv, int (*positional)(const char *arg), bool *help);
/* All options with their help, on stdout. */
void options__print(void);

#endif
