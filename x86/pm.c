/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * Power management of hardware-reduced ACPI (ACPI 4.8.3.7): sleep control, sleep status, and the
 * reset register that the FADT names.  A reboot ends the run as a power-off does.
 */

#include <errno.h>
#include <string.h>

#include "lkvm/bus.h"
#include "lkvm/layout.h"
#include "lkvm/module.h"
#include "lkvm/vm.h"

enum { PM_SLEEP_CONTROL, PM_SLEEP_STATUS, PM_RESET, PM_REGS };

#define SLP_EN	   BIT(5)
#define SLP_TYP(v) FIELD(v, 4, 2)
#define TYPE_S5	   5 /* as \_S5 in the DSDT says */
#define RESET	   1

static struct vm *machine;

static void pm_write(unsigned int reg, u8 val)
{
	if (reg == PM_SLEEP_CONTROL && (val & SLP_EN) && SLP_TYP(val) == TYPE_S5)
		vm__stop(machine, VM_OFF);
	if (reg == PM_RESET && val == RESET)
		vm__stop(machine, VM_OFF);
}

static void pm_access(struct bus_region *r, u64 off, u8 *data, u32 len, bool write)
{
	for (u32 i = 0; i < len; i++) {
		if (write)
			pm_write(off + i, data[i]);
		else
			data[i] = 0; /* never woken (WAK_STS), nothing to remember */
	}
}

static struct bus_region region = {
	.base = PORT_PM,
	.size = PM_REGS,
	.access = pm_access,
	.name = "pm",
};

static int pm_setup(struct vm *vm)
{
	int ret = bus__add(vm->pio, &region);

	if (ret < 0)
		pr_err("cannot place the power management ports: %s", strerror(-ret));
	machine = vm;
	return ret;
}

static void pm_teardown(struct vm *vm)
{
	bus__del(&region);
}

static struct module pm_module = {
	.name = "pm",
	.level = MODULE_DEVICE,
	.setup = pm_setup,
	.teardown = pm_teardown,
};
LKVM_MODULE(pm_module);
