/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef X86_BOOT_H
#define X86_BOOT_H

/*
 * Loading the kernel.  Every loader puts its pieces into guest memory and fills vm->entry and its
 * companions:
 *
 *   bzImage          64-bit mode, rsi = the zero page (Linux boot protocol, "64-bit boot protocol"): its
 *                    unpacker, or what that would unpack, if it was kept (boot_cache.c)
 *   PVH ELF          32-bit mode, rbx = the start info (entry_pvh)
 *   Multiboot ELF32  the same with rbx = its information structure, rax = its magic number
 *
 * Images are not trusted: every number in them is checked against the file and the RAM.
 */

#include <sys/stat.h>

#include "lkvm/util.h"

struct guest_mem;
struct vm;

struct boot_file {
	const char *path;
	const char *what; /* "kernel", "initrd": for messages */
	int fd;
	u64 size;
	struct stat st; /* as it was when it was opened */
};

/* boot_file.c.  All return 0 or a negative errno with a printed line. */
int boot_file__open(struct boot_file *f, const char *path, const char *what);
void boot_file__close(struct boot_file *f);
/* Exactly @len bytes at @off; -EINVAL if the file ends before. */
int boot_file__read(const struct boot_file *f, u64 off, void *buf, u64 len);
/* The same straight into guest memory; -EINVAL if [@gpa, @gpa + @len) is not RAM. */
int boot_file__load(const struct boot_file *f, u64 off, struct guest_mem *mem, u64 gpa, u64 len);

/* A stretch of the address map as e820 tells it. */
enum { BOOT_RAM = 1, BOOT_RESERVED = 2, BOOT_ACPI = 3 };
struct boot_map {
	u64 addr, size;
	u32 type;
};
#define BOOT_MAP_MAX 16

/* Fills @map (BOOT_MAP_MAX entries), ascending; returns how many. */
unsigned int boot__map(const struct vm *vm, struct boot_map *map);
/* The end of the RAM that starts at KERNEL_BASE, or 0. */
u64 boot__low_end(const struct vm *vm);
/*
 * Whether vm->kernel is an image that can be booted, with vm->initrd and vm->params, as far as that can be known before
 * there is RAM.  0 or a negative errno with a printed line.
 */
int boot__check(const struct vm *vm);
/* Whether vm->params fits into @max characters. */
int boot__check_cmdline(const struct vm *vm, u64 max);
/* The command line at LOW_CMDLINE; @max is what the kernel takes, without the terminator. */
int boot__cmdline(struct vm *vm, u64 max);
/*
 * vm->initrd (if any) as high as it goes below @limit and not below @floor, where the kernel ends.
 * *@size is 0 if there is none.
 */
int boot__initrd(struct vm *vm, u64 floor, u64 limit, u64 *addr, u64 *size);

/* boot__check() of one format; @f is the opened kernel. */
int boot_bzimage__check(const struct vm *vm, const struct boot_file *f);
int boot_elf__check(const struct vm *vm, const struct boot_file *f);
/* The loaders. */
int boot_bzimage__load(struct vm *vm, const struct boot_file *f);
int boot_elf__load(struct vm *vm, const struct boot_file *f);
/*
 * Opens what the payload of @f, a bzImage's of @len bytes at @at, unpacks to; to be closed by the caller.  A negative errno if
 * @f has to unpack itself: at its first boot, or because its payload is not understood, or nothing can be kept.  Nothing
 * is printed but that @f cannot be read.
 */
int boot_payload__open(const struct boot_file *f, u64 at, u64 len, struct boot_file *out);
/*
 * Opens what was kept for @f, which is the same file as then; to be closed by the caller.  -ENOENT if nothing was; -ENOTSUP or
 * another negative errno if nothing can be.  Nothing is printed.
 */
int boot_cache__find(const struct boot_file *f, struct boot_file *out);
/*
 * Keeps @size bytes for @f, in the place of what was kept, unless @f has changed since it was opened, and opens them as above.
 * A negative errno if that cannot be; nothing is printed.
 */
int boot_cache__keep(const struct boot_file *f, const void *data, u64 size, struct boot_file *out);
/* Where an unpacked kernel goes. */
struct boot_place {
	u64 base, size; /* it is linked to be in [@base, @base + @size) */
	u64 limit;	/* it may be moved up to here; nothing has been written to this RAM yet */
	u64 align;	/* by multiples of this */
	bool kaslr;	/* at random, the physical address and the virtual one */
	/* Filled in: */
	bool moved; /* the kernel is one that can be */
	u64 load;   /* where @base is now */
	u64 entry;  /* the physical address to enter it at */
};
/*
 * Loads @f, unpacked, as @at says.  -ENOTSUP if @f is not understood: then nothing was written.  -EIO if @f cannot be read:
 * then some may have been, and a line was printed.
 */
int boot_vmlinux__load(const struct boot_file *f, struct guest_mem *mem, struct boot_place *at);
/* Command line, initrd above @kernel_end, and the start info at LOW_PVH_INFO. */
int boot_pvh__start_info(struct vm *vm, u64 kernel_end);
/* What a Multiboot kernel finds in eax. */
#define BOOT_MULTIBOOT_EAX 0x2badb002
/* 1 if @f carries a Multiboot header, which wants the features *@want; 0, or a negative errno. */
int boot_multiboot__find(const struct boot_file *f, u32 *want);
/* As boot_pvh__start_info(), for Multiboot. */
int boot_multiboot__info(struct vm *vm, u32 want, u64 kernel_end);

#endif
