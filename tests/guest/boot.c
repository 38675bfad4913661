/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * What a loader hands over: by PVH (Xen's hvm_start_info) or, for the same program as ELF32, by
 * Multiboot.  Run with the parameters "one two" and a module of 5000 bytes, all of them 'm'.
 */

#include "guest.h"

#define MULTIBOOT_EAX 0x2badb002
#define PVH_MAGIC     0x336ec578
#define MODULE_SIZE   5000
#define RAM	      0x20000000UL /* 512 MiB */

struct pvh {
	u32 magic, version, flags, nr_modules;
	u64 modules, cmdline, rsdp, map;
	u32 map_entries, reserved;
};

struct multiboot {
	u32 flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4];
	u32 mmap_length, mmap_addr, drives_length, drives_addr, config_table, loader_name;
};

static bool ends_in(const char *s, const char *end)
{
	size_t n = 0, m = 0;

	while (s[n])
		n++;
	while (end[m])
		m++;
	return n >= m && !memcmp(s + n - m, end, m);
}

static void module(u64 at, u64 size)
{
	const u8 *p = (const u8 *)at;

	report_eq(size, MODULE_SIZE, "the module has its size");
	report(!(at & 0xfff), "and starts on a page");
	report(p[0] == 'm' && p[size - 1] == 'm', "and its bytes");
	report(at + size <= RAM, "and is in RAM");
}

static u64 ram, top;
static bool sorted = true;

static void region(u64 addr, u64 size, u32 type)
{
	sorted &= addr >= top;
	top = addr + size;
	if (type == 1)
		ram += size;
}

static void map_checked(void)
{
	report(sorted, "the memory map is sorted and without overlaps");
	report(ram > RAM - 0x100000 && ram <= RAM, "its RAM is the RAM (%lx)", ram);
}

static void pvh(void)
{
	const struct pvh *info = (const void *)(u64)start_info;
	const u64 *mod = (const u64 *)info->modules;

	report(info->magic == PVH_MAGIC && info->version == 1, "PVH start info, version 1");
	report(ends_in((const char *)info->cmdline, "one two"), "the command line");
	report(!memcmp((const void *)info->rsdp, "RSD PTR ", 8), "the RSDP");
	report_eq(info->nr_modules, 1, "one module");
	module(mod[0], mod[1]);
	for (u32 i = 0; i < info->map_entries; i++) {
		const u64 *e = (const u64 *)(info->map + 24 * i);

		region(e[0], e[1], e[2]);
	}
	map_checked();
}

static void multiboot(void)
{
	const struct multiboot *info = (const void *)(u64)start_info;
	const u32 *mod = (const u32 *)(u64)info->mods_addr;

	report_eq(info->flags, 0x24d, "memory, command line, modules, map, loader's name");
	report(info->mem_lower >= 512 && info->mem_lower <= 640, "lower memory (%u KiB)",
	       info->mem_lower);
	report_eq(info->mem_upper, (RAM >> 10) - 1024, "upper memory");
	report(ends_in((const char *)(u64)info->cmdline, "boot32.elf one two"),
	       "the command line begins with the image's name");
	report(!memcmp((const char *)(u64)info->loader_name, "lkvm", 5), "the loader's name");
	report_eq(info->mods_count, 1, "one module");
	module(mod[0], mod[1] - mod[0]);
	for (u32 at = 0; at < info->mmap_length;) {
		const u32 *e = (const u32 *)(u64)(info->mmap_addr + at);

		region(e[1] | (u64)e[2] << 32, e[3] | (u64)e[4] << 32, e[5]);
		at += e[0] + 4;
	}
	map_checked();
}

int main(void)
{
	if (start_magic == MULTIBOOT_EAX)
		multiboot();
	else
		pvh();
	return 0;
}
