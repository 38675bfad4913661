/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * The power button: an edge on the pin of the generic event device, whose _EVT method in the DSDT
 * notifies the button.  There is no state to read: one event is all the device has.
 */

#include "lkvm/irq.h"
#include "lkvm/layout.h"
#include "lkvm/vm.h"
#include "x86/ged.h"

void ged__press(struct vm *vm)
{
	irq__line(vm->irq, GSI_GED, true);
	irq__line(vm->irq, GSI_GED, false);
}
