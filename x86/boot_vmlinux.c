/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * vmlinux as a bzImage carries it, entered as the unpacker would (boot.rst, "64-bit boot protocol"): at its ELF entry
 * point, rsi = the zero page, and moved (KASLR) to a random place of the RAM and, on its own, of the kernel's part of the
 * address space.
 *
 *   file:   ELF, section headers last; behind it, if the kernel has CONFIG_RANDOMIZE_BASE, the places that hold
 *           virtual addresses, as lists of the lower 32 bits of their own, each behind a 0:
 *           64-bit ones, (in older kernels, as 6.12) 32-bit ones relative to the per-CPU area, 32-bit ones
 *
 * Only what is understood is touched: of anything else nothing is said here, and the caller takes the unpacker.
 */

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lkvm/mem.h"
#include "x86/boot.h"

#define SEGMENTS_MAX 16
#define RELOCS_MAX   (16 * MiB)
#define LISTS_MAX    3
#define MAP_BASE     0x80000000u /* __START_KERNEL_map, its lower half (x86_64/mm.rst) */
#define MAP_SIZE     GiB
#define PMD_SIZE     (2 * MiB)

struct vmlinux {
	const struct boot_file *f;
	u64 base, size; /* where it is linked to be */
	Elf64_Ehdr h;
	Elf64_Phdr seg[SEGMENTS_MAX];
	u64 end; /* of ELF in the file */
	u32 *relocs;
	u64 nr_relocs;
	unsigned int lists;
};

/* Whether all of [@gpa, @gpa + @len) comes from the file. */
static bool loaded(const struct vmlinux *v, u64 gpa, u64 len)
{
	unsigned int i;

	for (i = 0; i < v->h.e_phnum; i++)
		if (v->seg[i].p_type == PT_LOAD && gpa >= v->seg[i].p_paddr &&
		    gpa - v->seg[i].p_paddr < v->seg[i].p_filesz &&
		    len <= v->seg[i].p_filesz - (gpa - v->seg[i].p_paddr))
			return true;
	return false;
}

static bool read_elf(struct vmlinux *v)
{
	const u64 size = v->f->size;
	const Elf64_Phdr *p;
	unsigned int i;

	if (size < sizeof(v->h) || boot_file__read(v->f, 0, &v->h, sizeof(v->h)))
		return false;
	if (memcmp(v->h.e_ident, ELFMAG, SELFMAG) || v->h.e_ident[EI_CLASS] != ELFCLASS64 ||
	    v->h.e_machine != EM_X86_64 || v->h.e_type != ET_EXEC ||
	    v->h.e_phentsize != sizeof(Elf64_Phdr) || v->h.e_shentsize != sizeof(Elf64_Shdr) ||
	    !v->h.e_phnum || v->h.e_phnum > SEGMENTS_MAX || v->h.e_phoff > size ||
	    v->h.e_phnum * sizeof(Elf64_Phdr) > size - v->h.e_phoff || v->h.e_shoff > size ||
	    v->h.e_shnum * sizeof(Elf64_Shdr) > size - v->h.e_shoff ||
	    boot_file__read(v->f, v->h.e_phoff, v->seg, v->h.e_phnum * sizeof(Elf64_Phdr)))
		return false;
	v->end = v->h.e_shoff + v->h.e_shnum * sizeof(Elf64_Shdr);
	for (i = 0; i < v->h.e_phnum; i++) {
		p = &v->seg[i];
		if (p->p_type != PT_LOAD)
			continue;
		if (p->p_offset > v->end || p->p_filesz > v->end - p->p_offset ||
		    p->p_filesz > p->p_memsz || p->p_paddr < v->base ||
		    p->p_paddr - v->base > v->size || p->p_memsz > v->size - (p->p_paddr - v->base))
			return false;
	}
	return loaded(v, v->h.e_entry, 1);
}

static u64 width(unsigned int list, unsigned int lists)
{
	return list == lists - 1 ? sizeof(u64) : sizeof(u32);
}

/* Reads and checks the places to change; true without any.  Lists are numbered from the end of the file. */
static bool read_relocs(struct vmlinux *v)
{
	u64 i, len = v->f->size - v->end;
	unsigned int l = 0;

	v->nr_relocs = len / sizeof(u32);
	if (!len)
		return true;
	if (len % sizeof(u32) || v->nr_relocs > RELOCS_MAX)
		return false;
	v->relocs = malloc(len);
	if (!v->relocs || boot_file__read(v->f, v->end, v->relocs, len))
		return false;
	for (i = 0; i < v->nr_relocs; i++)
		if (!v->relocs[i] && ++v->lists > LISTS_MAX)
			return false;
	if (v->lists < LISTS_MAX - 1 || v->relocs[0])
		return false;
	for (i = v->nr_relocs; i-- > 0;)
		if (!v->relocs[i])
			l++;
		else if (!loaded(v, (u32)(v->relocs[i] - MAP_BASE), width(l, v->lists)))
			return false;
	return true;
}

/* Adds @delta to what is at all places; to what is relative to the per-CPU area, which stays, its opposite. @ram is for @base. */
static void relocate(const struct vmlinux *v, u8 *ram, u64 delta)
{
	unsigned int l = 0;
	u64 i, v64;
	u32 v32;
	u8 *p;

	for (i = v->nr_relocs; i-- > 0;) {
		if (!v->relocs[i]) {
			l++;
			continue;
		}
		p = ram + ((u32)(v->relocs[i] - MAP_BASE) - v->base);
		if (width(l, v->lists) == sizeof(u64)) {
			memcpy(&v64, p, sizeof(v64));
			v64 += delta;
			memcpy(p, &v64, sizeof(v64));
		} else {
			memcpy(&v32, p, sizeof(v32));
			v32 += l ? -(u32)delta : (u32)delta;
			memcpy(p, &v32, sizeof(v32));
		}
	}
}

/* A random multiple of @align of at most @max. */
static bool choose(u64 max, u64 align, u64 *delta)
{
	u64 r;

	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) != sizeof(r))
		return false;
	*delta = r % (max / align + 1) * align;
	return true;
}

/* By how much @v moves up: *@phys in the RAM below @limit, *@virt in its part of the address space. */
static bool move(const struct vmlinux *v, u64 limit, u64 align, u64 *phys, u64 *virt)
{
	u64 end = v->base + v->size;

	if (align < PMD_SIZE || (align & (align - 1)) || end > MAP_SIZE || end > limit)
		return false;
	return choose(limit - end, align, phys) && choose(MAP_SIZE - end, align, virt);
}

static int load(struct vmlinux *v, struct guest_mem *mem, struct boot_place *at)
{
	u64 phys = 0, virt = 0;
	const Elf64_Phdr *p;
	unsigned int i;
	u8 *ram;

	if (!read_elf(v) || !read_relocs(v))
		return -ENOTSUP;
	at->moved = at->kaslr && v->nr_relocs;
	if (at->moved && !move(v, at->limit, at->align, &phys, &virt))
		return -ENOTSUP;
	ram = mem__ptr(mem, v->base + phys, v->size);
	if (!ram)
		return -ENOTSUP;
	for (i = 0; i < v->h.e_phnum; i++) {
		p = &v->seg[i];
		if (p->p_type != PT_LOAD)
			continue;
		/* What is not in the file is to be 0, as new RAM is. */
		if (boot_file__load(v->f, p->p_offset, mem, p->p_paddr + phys, p->p_filesz))
			return -EIO;
	}
	if (virt)
		relocate(v, ram, virt);
	at->load = v->base + phys;
	at->entry = v->h.e_entry + phys;
	return 0;
}

int boot_vmlinux__load(const struct boot_file *f, struct guest_mem *mem, struct boot_place *at)
{
	struct vmlinux v = { .f = f, .base = at->base, .size = at->size };
	int err = load(&v, mem, at);

	free(v.relocs);
	return err;
}
