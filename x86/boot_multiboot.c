/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * Multiboot (version 1, GNU 0.6.96) images in ELF32 form, as kvm-unit-tests and hobby kernels are:
 * segments and entry point come from the ELF headers, and the kernel finds eax = 2BADB002h and
 * behind ebx the information structure, all of it in one page.
 */

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "lkvm/layout.h"
#include "lkvm/mem.h"
#include "lkvm/vm.h"
#include "x86/boot.h"

#define HEADER_MAGIC  0x1badb002
#define HEADER_WITHIN 8192 /* 3.1: where in the file it has to be */
#define NAME_MAX_LEN  4096

/* 3.1.2: features the image cannot do without (15:0), and an a.out kludge that ELF does not need */
#define WANT_PAGE_ALIGN BIT(0)
#define WANT_MEMORY	BIT(1)
#define WANT_KNOWN	(WANT_PAGE_ALIGN | WANT_MEMORY)
#define WANT_MASK	0xffffu

/* 3.3 */
#define INFO_MEMORY  BIT(0)
#define INFO_CMDLINE BIT(2)
#define INFO_MODS    BIT(3)
#define INFO_MMAP    BIT(6)
#define INFO_LOADER  BIT(9)

struct mb_info {
	u32 flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4];
	u32 mmap_length, mmap_addr, drives_length, drives_addr, config_table, loader_name;
	u32 apm_table, vbe[4];
};

struct mb_module {
	u32 start, end, string, reserved;
};

struct mb_map {
	u32 size; /* of the rest */
	u64 addr, len;
	u32 type;
} __attribute__((packed));

struct mb_page {
	struct mb_info info;
	struct mb_module module;
	struct mb_map map[BOOT_MAP_MAX];
	char loader[8], none[1];
};

_Static_assert(sizeof(struct mb_map) == 24, "the size field does not count itself");
_Static_assert(sizeof(struct mb_page) <= LOW_ZERO_PAGE - LOW_PVH_INFO, "it has to fit");

#define AT(member) (LOW_PVH_INFO + offsetof(struct mb_page, member))

int boot_multiboot__find(const struct boot_file *f, u32 *want)
{
	u8 head[HEADER_WITHIN];
	u64 len = MIN(f->size, sizeof(head));
	u32 h[3];
	int err;

	err = boot_file__read(f, 0, head, len);
	if (err)
		return err;
	for (u64 off = 0; off + sizeof(h) <= len; off += 4) {
		memcpy(h, head + off, sizeof(h));
		if (h[0] == HEADER_MAGIC && !(h[0] + h[1] + h[2])) {
			*want = h[1];
			return 1;
		}
	}
	return 0;
}

/* The image's name is the first word, as boot loaders have it. */
static int put_cmdline(struct vm *vm)
{
	u64 len = strlen(vm->kernel);
	int err;

	if (len > NAME_MAX_LEN) {
		pr_err("kernel %s: its path is longer than %d characters; give a shorter one",
		       vm->kernel, NAME_MAX_LEN);
		return -EINVAL;
	}
	err = boot__cmdline(vm, LOW_EBDA - LOW_CMDLINE - 2 - len);
	if (err)
		return err;
	if (mem__write(vm->mem, LOW_CMDLINE, vm->kernel, len) < 0 ||
	    mem__write(vm->mem, LOW_CMDLINE + len, " ", 1) < 0 ||
	    mem__write(vm->mem, LOW_CMDLINE + len + 1, vm->params ? vm->params : "",
		       vm->params ? strlen(vm->params) + 1 : 1) < 0) {
		pr_err("no RAM at %#llx for the command line; use more --mem", LOW_CMDLINE);
		return -EINVAL;
	}
	return 0;
}

int boot_multiboot__info(struct vm *vm, u32 want, u64 kernel_end)
{
	struct mb_page page = { .loader = "lkvm" };
	struct boot_map map[BOOT_MAP_MAX];
	unsigned int i, n = boot__map(vm, map);
	u64 addr, size;
	int err;

	if (want & WANT_MASK & ~WANT_KNOWN) {
		pr_err("kernel %s: wants Multiboot features %#llx, which lkvm does not have; "
		       "build it without",
		       vm->kernel, want & WANT_MASK & ~WANT_KNOWN);
		return -EINVAL;
	}
	err = put_cmdline(vm);
	if (err)
		return err;
	/* Modules are always page aligned. */
	err = boot__initrd(vm, kernel_end, RAM_LOW_MAX, &addr, &size);
	if (err)
		return err;

	page.info = (struct mb_info){
		.flags = INFO_MEMORY | INFO_CMDLINE | INFO_MODS | INFO_MMAP | INFO_LOADER,
		.mem_lower = LOW_EBDA / KiB,
		.mem_upper = (boot__low_end(vm) - KERNEL_BASE) / KiB,
		.cmdline = LOW_CMDLINE,
		.mods_addr = AT(module),
		.mmap_length = n * sizeof(page.map[0]),
		.mmap_addr = AT(map),
		.loader_name = AT(loader),
	};
	if (size) {
		page.info.mods_count = 1;
		page.module = (struct mb_module){ addr, addr + size, AT(none), 0 };
	}
	for (i = 0; i < n; i++)
		page.map[i] = (struct mb_map){
			sizeof(page.map[i]) - sizeof(page.map[i].size),
			map[i].addr,
			map[i].size,
			map[i].type,
		};
	if (mem__write(vm->mem, LOW_PVH_INFO, &page, sizeof(page)) < 0) {
		pr_err("no RAM at %#llx for the Multiboot information; use more --mem",
		       LOW_PVH_INFO);
		return -EINVAL;
	}
	return 0;
}
