/* SPDX-License-Identifier: GPL-2.0-only */

/* Booting: which loader takes the image, and what all loaders give their kernel. */

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "lkvm/layout.h"
#include "lkvm/mem.h"
#include "lkvm/module.h"
#include "lkvm/vm.h"
#include "x86/boot.h"

#define PAGE 4096

static void add(struct boot_map *map, unsigned int *n, u64 addr, u64 end, u32 type)
{
	if (end > addr)
		map[(*n)++] = (struct boot_map){ addr, end - addr, type };
}

unsigned int boot__map(const struct vm *vm, struct boot_map *map)
{
	unsigned int i, n = 0, regions;
	const struct mem_region *ram = mem__regions(vm->mem, &regions);

	add(map, &n, 0, LOW_EBDA, BOOT_RAM);
	add(map, &n, LOW_EBDA, 0xa0000, BOOT_RESERVED);
	/* Kept by Linux, also for a kernel it may kexec. */
	add(map, &n, ACPI_BASE, ACPI_BASE + ACPI_SIZE, BOOT_ACPI);
	/* Two regions are all there are: around the hole below 4 GiB. */
	for (i = 0; i < regions && i < 2; i++) {
		if (ram[i].gpa >= RAM_HIGH_BASE)
			add(map, &n, ECAM_BASE, ECAM_BASE + ECAM_SIZE, BOOT_RESERVED);
		add(map, &n, MAX(ram[i].gpa, KERNEL_BASE), ram[i].gpa + ram[i].size, BOOT_RAM);
	}
	if (regions < 2)
		add(map, &n, ECAM_BASE, ECAM_BASE + ECAM_SIZE, BOOT_RESERVED);
	return n;
}

u64 boot__low_end(const struct vm *vm)
{
	unsigned int i, n;
	const struct mem_region *ram = mem__regions(vm->mem, &n);

	for (i = 0; i < n; i++)
		if (ram[i].gpa <= KERNEL_BASE && ram[i].size > KERNEL_BASE - ram[i].gpa)
			return MIN(ram[i].gpa + ram[i].size, RAM_LOW_MAX);
	return 0;
}

int boot__check_cmdline(const struct vm *vm, u64 max)
{
	u64 len = vm->params ? strlen(vm->params) : 0;

	max = MIN(max, LOW_EBDA - LOW_CMDLINE - 1);
	if (len <= max)
		return 0;
	pr_err("the kernel command line has %llu characters, this kernel takes %llu; shorten "
	       "--params",
	       len, max);
	return -EINVAL;
}

int boot__cmdline(struct vm *vm, u64 max)
{
	const char *line = vm->params ? vm->params : "";
	u64 len = strlen(line);
	int err = boot__check_cmdline(vm, max);

	if (err)
		return err;
	if (mem__write(vm->mem, LOW_CMDLINE, line, len + 1) < 0) {
		pr_err("no RAM at %#llx for the command line; use more --mem", LOW_CMDLINE);
		return -EINVAL;
	}
	return 0;
}

static int open_initrd(const struct vm *vm, struct boot_file *f)
{
	int err = boot_file__open(f, vm->initrd, "initrd");

	if (err || f->size)
		return err;
	pr_err("initrd %s: is empty; give another, or leave out --initrd", f->path);
	boot_file__close(f);
	return -EINVAL;
}

int boot__initrd(struct vm *vm, u64 floor, u64 limit, u64 *addr, u64 *size)
{
	struct boot_file f;
	int err;

	*addr = *size = 0;
	if (!vm->initrd)
		return 0;
	err = open_initrd(vm, &f);
	if (err)
		return err;
	limit = MIN(limit, boot__low_end(vm));
	if (f.size <= limit)
		*addr = ALIGN_DOWN(limit - f.size, PAGE);
	if (*addr < floor) {
		pr_err("initrd %s: %llu MiB do not fit between the kernel and %#llx; use more "
		       "--mem or a smaller initrd",
		       f.path, f.size / MiB + 1, limit);
		err = -EINVAL;
		goto out;
	}
	*size = f.size;
	err = boot_file__load(&f, 0, vm->mem, *addr, f.size);
out:
	boot_file__close(&f);
	return err;
}

enum format { FORMAT_ELF, FORMAT_BZIMAGE };

/* The opened kernel, and which format it has; a negative errno with a printed line. */
static int open_kernel(const struct vm *vm, struct boot_file *f)
{
	u8 head[0x206] = { 0 };
	int err = boot_file__open(f, vm->kernel, "kernel");

	if (err)
		return err;
	err = boot_file__read(f, 0, head, MIN(f->size, sizeof(head)));
	if (!err && !memcmp(head, ELFMAG, SELFMAG))
		return FORMAT_ELF;
	if (!err && !memcmp(head + 0x202, "HdrS", 4))
		return FORMAT_BZIMAGE;
	if (!err) {
		pr_err(
		    "kernel %s: is neither a bzImage nor an ELF file; give an x86-64 bzImage, or "
		    "a vmlinux with CONFIG_PVH",
		    f->path);
		err = -EINVAL;
	}
	boot_file__close(f);
	return err;
}

int boot__check(const struct vm *vm)
{
	struct boot_file f;
	int ret = open_kernel(vm, &f);

	if (ret < 0)
		return ret;
	ret = ret == FORMAT_ELF ? boot_elf__check(vm, &f) : boot_bzimage__check(vm, &f);
	boot_file__close(&f);
	if (ret < 0 || !vm->initrd)
		return ret;
	ret = open_initrd(vm, &f);
	if (ret == 0)
		boot_file__close(&f);
	return ret;
}

static int boot_setup(struct vm *vm)
{
	struct boot_file f;
	int ret = open_kernel(vm, &f);

	if (ret < 0)
		return ret;
	ret = ret == FORMAT_ELF ? boot_elf__load(vm, &f) : boot_bzimage__load(vm, &f);
	boot_file__close(&f);
	return ret;
}

static struct module boot_module = {
	.name = "boot",
	.level = MODULE_FIRMWARE,
	.setup = boot_setup,
};
LKVM_MODULE(boot_module)
