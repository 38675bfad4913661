/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * ELF images with a PVH entry point: a vmlinux with CONFIG_PVH, or any freestanding program with
 * the same note (Xen's docs/misc/pvh.pandoc).  Segments go to their physical addresses; the note of
 * owner "Xen" and type 18 holds the 32-bit entry point.  An ELF32 image with a Multiboot header
 * starts by that (boot_multiboot.c).
 */

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lkvm/layout.h"
#include "lkvm/mem.h"
#include "lkvm/vm.h"
#include "x86/boot.h"

#define NOTE_PHYS32_ENTRY 18
#define PHDRS_MAX	  64
#define NOTES_MAX	  (64 * KiB)

/* A program header, whatever the class of the file. */
struct segment {
	u32 type;
	u64 off, paddr, filesz, memsz, align;
};

struct elf {
	const struct boot_file *f;
	bool is64;
	u64 phoff;
	u16 phentsize;
	u64 entry;
	unsigned int n;
	struct segment seg[PHDRS_MAX];
};

static int bad(const struct boot_file *f, const char *why)
{
	pr_err("kernel %s: %s", f->path, why);
	return -EINVAL;
}

static int read_ehdr(struct elf *elf)
{
	union {
		Elf32_Ehdr e32;
		Elf64_Ehdr e64;
		u8 ident[EI_NIDENT];
	} h;
	const struct boot_file *f = elf->f;
	u16 machine, type;
	int err;

	err = boot_file__read(f, 0, h.ident, EI_NIDENT);
	if (err)
		return err;
	elf->is64 = h.ident[EI_CLASS] == ELFCLASS64;
	if ((!elf->is64 && h.ident[EI_CLASS] != ELFCLASS32) || h.ident[EI_DATA] != ELFDATA2LSB)
		return bad(f, "is an ELF file that is not little-endian; give an x86-64 kernel");
	err = boot_file__read(f, 0, &h, elf->is64 ? sizeof(h.e64) : sizeof(h.e32));
	if (err)
		return err;
	/* Type and machine are at the same place in both classes. */
	type = h.e64.e_type;
	machine = h.e64.e_machine;
	if (machine != EM_X86_64 && machine != EM_386)
		return bad(f, "is an ELF file for another machine; give an x86-64 kernel");
	if (type != ET_EXEC && type != ET_DYN)
		return bad(
		    f, "is an ELF file that is not executable; give a vmlinux, not an object file");
	elf->entry = elf->is64 ? h.e64.e_entry : h.e32.e_entry;
	elf->phoff = elf->is64 ? h.e64.e_phoff : h.e32.e_phoff;
	elf->phentsize = elf->is64 ? h.e64.e_phentsize : h.e32.e_phentsize;
	elf->n = elf->is64 ? h.e64.e_phnum : h.e32.e_phnum;
	if (elf->phentsize != (elf->is64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)) || !elf->n ||
	    elf->n > PHDRS_MAX || elf->phoff > f->size)
		return bad(f, "has no usable program headers");
	return 0;
}

static int read_phdrs(struct elf *elf)
{
	struct segment *s;
	Elf64_Phdr p64;
	Elf32_Phdr p32;
	unsigned int i;
	int err;

	for (i = 0; i < elf->n; i++) {
		s = &elf->seg[i];
		err = boot_file__read(elf->f, elf->phoff + i * elf->phentsize,
				      elf->is64 ? (void *)&p64 : (void *)&p32, elf->phentsize);
		if (err)
			return err;
		if (elf->is64)
			*s = (struct segment){ p64.p_type,   p64.p_offset, p64.p_paddr,
					       p64.p_filesz, p64.p_memsz,  p64.p_align };
		else
			*s = (struct segment){ p32.p_type,   p32.p_offset, p32.p_paddr,
					       p32.p_filesz, p32.p_memsz,  p32.p_align };
	}
	return 0;
}

/* Segments must be in the file, in RAM above the low structures, and apart from each other. */
static int check_segments(const struct elf *elf, u64 low_end)
{
	const struct segment *s, *t;
	unsigned int i, j, loads = 0;

	for (i = 0; i < elf->n; i++) {
		s = &elf->seg[i];
		if (s->type != PT_LOAD || !s->memsz)
			continue;
		loads++;
		if (s->off > elf->f->size || s->filesz > elf->f->size - s->off)
			return bad(elf->f, "is truncated: a segment reaches beyond its end; copy "
					   "or build it again");
		if (s->filesz > s->memsz)
			return bad(elf->f,
				   "has a segment that is larger in the file than in memory");
		if (s->paddr < KERNEL_BASE)
			return bad(elf->f, "has a segment below 1 MiB; link it higher");
		if (s->paddr > low_end || s->memsz > low_end - s->paddr)
			return bad(elf->f, "has a segment outside of RAM; use more --mem");
		for (j = 0; j < i; j++) {
			t = &elf->seg[j];
			if (t->type == PT_LOAD && t->memsz && s->paddr < t->paddr + t->memsz &&
			    t->paddr < s->paddr + s->memsz)
				return bad(elf->f, "has segments that overlap");
		}
	}
	return loads ? 0 : bad(elf->f, "has nothing to load");
}

static int load_segments(struct vm *vm, const struct elf *elf, u64 *end)
{
	const struct segment *s;
	unsigned int i;
	u8 *p;
	int err;

	*end = 0;
	for (i = 0; i < elf->n; i++) {
		s = &elf->seg[i];
		if (s->type != PT_LOAD || !s->memsz)
			continue;
		err = boot_file__load(elf->f, s->off, vm->mem, s->paddr, s->filesz);
		if (err)
			return err;
		p = mem__ptr(vm->mem, s->paddr, s->memsz);
		if (!p)
			return bad(elf->f, "has a segment outside of RAM; use more --mem");
		memset(p + s->filesz, 0, s->memsz - s->filesz);
		*end = MAX(*end, s->paddr + s->memsz);
	}
	return 0;
}

/* Looks for the entry point among the notes in @p; true if it is there. */
static bool find_note(const u8 *p, u64 len, u64 align, u64 *entry)
{
	Elf64_Nhdr n; /* the same as Elf32_Nhdr */
	u64 name, desc;
	u32 v32;

	while (len >= sizeof(n)) {
		memcpy(&n, p, sizeof(n));
		name = sizeof(n);
		desc = ALIGN_UP(name + n.n_namesz, align);
		if (desc > len || n.n_descsz > len - desc)
			return false;
		if (n.n_type == NOTE_PHYS32_ENTRY && n.n_namesz == 4 &&
		    !memcmp(p + name, "Xen", 4)) {
			if (n.n_descsz == sizeof(*entry)) {
				memcpy(entry, p + desc, sizeof(*entry));
				return true;
			}
			if (n.n_descsz == sizeof(v32)) {
				memcpy(&v32, p + desc, sizeof(v32));
				*entry = v32;
				return true;
			}
		}
		desc = ALIGN_UP(desc + n.n_descsz, align);
		if (desc >= len)
			return false;
		p += desc;
		len -= desc;
	}
	return false;
}

static int find_entry(const struct elf *elf, u64 *entry)
{
	const struct segment *s;
	bool found = false;
	unsigned int i;
	u8 *notes;
	int err;

	for (i = 0; i < elf->n && !found; i++) {
		s = &elf->seg[i];
		if (s->type != PT_NOTE || !s->filesz || s->filesz > NOTES_MAX)
			continue;
		notes = malloc(s->filesz);
		if (!notes)
			return bad(elf->f, "out of memory for its notes");
		err = boot_file__read(elf->f, s->off, notes, s->filesz);
		if (!err)
			found = find_note(notes, s->filesz, s->align == 8 ? 8 : 4, entry);
		free(notes);
		if (err)
			return err;
	}
	if (!found)
		return bad(elf->f, "is an ELF file without a PVH entry point; give a bzImage, or a "
				   "vmlinux with CONFIG_PVH");
	return 0;
}

static int check_entry(const struct elf *elf, u64 entry, const char *why)
{
	const struct segment *s;
	unsigned int i;

	for (i = 0; i < elf->n; i++) {
		s = &elf->seg[i];
		if (s->type == PT_LOAD && entry >= s->paddr && entry - s->paddr < s->memsz)
			return 0;
	}
	return bad(elf->f, why);
}

/* All that can be said of the file where RAM ends at @low_end; 1 if it is a Multiboot image that wants *@want. */
static int examine_elf(struct elf *elf, u64 low_end, u64 *entry, u32 *want)
{
	int err, multiboot = 0;

	err = read_ehdr(elf);
	if (err)
		return err;
	err = read_phdrs(elf);
	if (err)
		return err;
	err = check_segments(elf, low_end);
	if (err)
		return err;
	if (!elf->is64)
		multiboot = boot_multiboot__find(elf->f, want);
	if (multiboot < 0)
		return multiboot;
	*entry = elf->entry;
	err = multiboot ? 0 : find_entry(elf, entry);
	if (err)
		return err;
	err = check_entry(elf, *entry,
			  multiboot ? "has an entry point outside of its segments"
				    : "has a PVH entry point outside of its segments");
	return err ? err : multiboot;
}

int boot_elf__check(const struct vm *vm, const struct boot_file *f)
{
	struct elf elf = { .f = f };
	u64 entry;
	u32 want = 0;
	int ret = examine_elf(&elf, ~0ULL, &entry, &want);

	return ret < 0 ? ret : boot__check_cmdline(vm, ~0ULL);
}

int boot_elf__load(struct vm *vm, const struct boot_file *f)
{
	struct elf elf = { .f = f };
	int err, multiboot;
	u64 entry, end;
	u32 want = 0;

	multiboot = examine_elf(&elf, boot__low_end(vm), &entry, &want);
	if (multiboot < 0)
		return multiboot;
	err = load_segments(vm, &elf, &end);
	if (err)
		return err;
	err = multiboot ? boot_multiboot__info(vm, want, end) : boot_pvh__start_info(vm, end);
	if (err)
		return err;
	vm->entry = entry;
	vm->entry_rax = multiboot ? BOOT_MULTIBOOT_EAX : 0;
	vm->entry_rsi = 0;
	vm->entry_rbx = LOW_PVH_INFO;
	vm->entry_pvh = true;
	return 0;
}
