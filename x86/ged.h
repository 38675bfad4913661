/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef X86_GED_H
#define X86_GED_H

struct vm;

/* Press the power button.  A guest that does not listen misses it.  Loop lock held. */
void ged__press(struct vm *vm);

#endif
