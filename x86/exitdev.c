/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * Ports by which a guest says how it ended: the exit device (a status), pvpanic (its kernel crashed),
 * and the keyboard controller's reset line, which kernels try last of all.  And the one that Linux
 * reads to learn why it got an NMI: were it all ones, every NMI would be a memory error.
 */

#include <errno.h>
#include <string.h>

#include "lkvm/bus.h"
#include "lkvm/layout.h"
#include "lkvm/module.h"
#include "lkvm/vm.h"

#define PVPANIC_PANICKED BIT(0)
#define PVPANIC_EVENTS	 0x01 /* what a read says is understood */
#define PORT_I8042	 0x64
#define I8042_RESET	 0xfe
#define PORT_NMI_REASON	 0x61
#define TIMER2_OUT	 BIT(5) /* there is no timer: who waits for this one is not kept waiting */

static struct vm *machine;

static void exit_access(struct bus_region *r, u64 off, u8 *data, u32 len, bool write)
{
	/* Of a wide value the lowest byte decides: the status has no more bits. */
	if (write)
		vm__stop(machine, (data[0] << 1 | 1) & 0xff);
}

static void pvpanic_access(struct bus_region *r, u64 off, u8 *data, u32 len, bool write)
{
	if (!write)
		data[0] = PVPANIC_EVENTS;
	else if (data[0] & PVPANIC_PANICKED)
		vm__stop(machine, VM_PANIC);
}

static void i8042_access(struct bus_region *r, u64 off, u8 *data, u32 len, bool write)
{
	if (!write)
		data[0] = 0; /* its input buffer is empty: go ahead */
	else if (data[0] == I8042_RESET)
		vm__stop(machine, VM_OFF);
}

static void nmi_reason_access(struct bus_region *r, u64 off, u8 *data, u32 len, bool write)
{
	if (!write)
		data[0] = TIMER2_OUT;
}

static struct bus_region ports[] = {
	{ .base = PORT_EXIT, .size = 4, .access = exit_access, .name = "exit" },
	{ .base = PORT_PVPANIC, .size = 1, .access = pvpanic_access, .name = "pvpanic" },
	{ .base = PORT_I8042, .size = 1, .access = i8042_access, .name = "i8042" },
	{ .base = PORT_NMI_REASON, .size = 1, .access = nmi_reason_access, .name = "nmi-reason" },
};

static void exitdev_teardown(struct vm *vm)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(ports); i++)
		bus__del(&ports[i]);
}

static int exitdev_setup(struct vm *vm)
{
	machine = vm;
	for (unsigned int i = 0; i < ARRAY_SIZE(ports); i++) {
		int ret = bus__add(vm->pio, &ports[i]);

		if (ret < 0) {
			pr_err("cannot place port %s: %s", ports[i].name, strerror(-ret));
			exitdev_teardown(vm);
			return ret;
		}
	}
	return 0;
}

static struct module exitdev_module = {
	.name = "exitdev",
	.level = MODULE_DEVICE,
	.setup = exitdev_setup,
	.teardown = exitdev_teardown,
};
LKVM_MODULE(exitdev_module);
