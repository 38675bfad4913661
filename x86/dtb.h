/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef X86_DTB_H
#define X86_DTB_H

#include "lkvm/util.h"

struct vm;

/* The machine as a device tree in @buf of @size bytes; its length, or -ENOSPC. */
int dtb__build(const struct vm *vm, void *buf, u32 size);

#endif
