/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef LKVM_CHECK_H
#define LKVM_CHECK_H

/* What the modules' check() have in common: lines "LABEL: yes (DETAIL)" or "LABEL: no: WHY; REMEDY". */

#include "lkvm/util.h"

/*
 * Prints whether the device node @path can be opened for reading and writing; @module is the kernel module
 * that brings it, @use what of lkvm wants it.  Returns whether it can.
 */
bool check__node(const char *label, const char *path, const char *module, const char *use);

#endif
