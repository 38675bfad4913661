/* SPDX-License-Identifier: GPL-2.0-only */

/* What a PVH kernel finds behind ebx: Xen's hvm_start_info, version 1, all of it in one page. */

#include <errno.h>
#include <stddef.h>

#include "lkvm/layout.h"
#include "lkvm/mem.h"
#include "lkvm/vm.h"
#include "x86/boot.h"

#define START_MAGIC 0x336ec578

struct pvh_module {
	u64 addr, size, cmdline, reserved;
};

struct pvh_map {
	u64 addr, size;
	u32 type, reserved;
};

struct pvh_info {
	u32 magic, version, flags, nr_modules;
	u64 modules, cmdline, rsdp, map;
	u32 map_entries, reserved;
};

struct pvh_page {
	struct pvh_info info;
	struct pvh_module module;
	struct pvh_map map[BOOT_MAP_MAX];
};

_Static_assert(sizeof(struct pvh_info) == 56, "hvm_start_info version 1");
_Static_assert(sizeof(struct pvh_module) == 32, "hvm_modlist_entry");
_Static_assert(sizeof(struct pvh_map) == 24, "hvm_memmap_table_entry");
_Static_assert(sizeof(struct pvh_page) <= LOW_ZERO_PAGE - LOW_PVH_INFO, "it has to fit");

int boot_pvh__start_info(struct vm *vm, u64 kernel_end)
{
	struct pvh_page page = { 0 };
	struct boot_map map[BOOT_MAP_MAX];
	unsigned int i, n = boot__map(vm, map);
	u64 addr, size;
	int err;

	/* The image does not tell what it takes. */
	err = boot__cmdline(vm, ~0ULL);
	if (err)
		return err;
	err = boot__initrd(vm, kernel_end, RAM_LOW_MAX, &addr, &size);
	if (err)
		return err;

	page.info = (struct pvh_info){
		.magic = START_MAGIC,
		.version = 1,
		.cmdline = LOW_CMDLINE,
		.rsdp = ACPI_BASE,
		.map = LOW_PVH_INFO + offsetof(struct pvh_page, map),
		.map_entries = n,
	};
	if (size) {
		page.info.nr_modules = 1;
		page.info.modules = LOW_PVH_INFO + offsetof(struct pvh_page, module);
		page.module = (struct pvh_module){ .addr = addr, .size = size };
	}
	for (i = 0; i < n; i++)
		page.map[i] = (struct pvh_map){ map[i].addr, map[i].size, map[i].type, 0 };
	if (mem__write(vm->mem, LOW_PVH_INFO, &page, sizeof(page)) < 0) {
		pr_err("no RAM at %#llx for the PVH start info; use more --mem", LOW_PVH_INFO);
		return -EINVAL;
	}
	return 0;
}
