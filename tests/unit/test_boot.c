/* SPDX-License-Identifier: GPL-2.0-only */

/* The boot loaders, with images made here: good ones, and every kind of broken one. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lkvm/module.h"
#include "tap.h"
#include "x86/boot.c"
#include "x86/boot_bzimage.c"
#include "x86/boot_elf.c"
#include "x86/boot_file.c"
#include "x86/boot_multiboot.c"
#include "x86/boot_pvh.c"
#include "x86/mem.c"

#include "boot_fake.h"
#include "boot_packed.h"

/* Boot @len bytes of @image in @ram bytes; the VM's memory is the caller's to free. */
static int boot(struct vm *vm, const void *image, size_t len, u64 ram)
{
	int err;

	put(kernel, image, len);
	vm->kernel = kernel;
	vm->ram_size = ram;
	vm->mem = mem__new(-1, ram);
	errs = 0;
	last_err[0] = 0;
	err = boot_setup(vm);
	return err;
}

/* The same for an image that must be refused with one line that contains @why. */
static void refused(const void *image, size_t len, u64 ram, const char *why, const char *text)
{
	struct vm vm = { 0 };
	int err = boot(&vm, image, len, ram);

	ok(err == -EINVAL && errs == 1 && strstr(last_err, why), "%s", text);
	if (errs != 1 || !strstr(last_err, why))
		printf("# %d, %u lines: %s\n", err, errs, last_err);
	mem__free(vm.mem);
	/* All but what RAM has to say about it is known before there is any. */
	last_err[0] = 0;
	if (!strstr(why, "RAM") && !strstr(why, "--mem"))
		ok(boot__check(&vm) == -EINVAL && errs == 2 && strstr(last_err, why),
		   "%s: and before anything is made", text);
}

#define BZ_SETUP  4
#define BZ_OFF	  ((BZ_SETUP + 1) * 512)
#define BZ_LEN	  (BZ_OFF + 4096)
#define BZ_HDR(p) ((struct setup_header *)((p) + HDR_OFFSET))

static u8 bz[BZ_LEN];

static void bz_init(void)
{
	struct setup_header *h = BZ_HDR(bz);

	memset(bz, 0x11, sizeof(bz));
	memset(h, 0, sizeof(*h));
	h->setup_sects = BZ_SETUP;
	h->boot_flag = 0xaa55;
	h->jump = 0x6aeb; /* to 26Ch, the end of the 2.15 header */
	memcpy(&h->header, "HdrS", 4);
	h->version = 0x020f;
	h->loadflags = LOADED_HIGH;
	h->xloadflags = XLF_KERNEL_64;
	h->syssize = 4096 / 16;
	h->cmdline_size = 2047;
	h->initrd_addr_max = 0x7fffffff;
	h->kernel_alignment = 0x200000;
	h->relocatable_kernel = 1;
	h->pref_address = 0x1000000;
	h->init_size = 0x800000;
	memset(bz + BZ_OFF, 0xcc, 4096);
}

static void test_bzimage(void)
{
	struct vm vm = { .params = "console=ttyS0" };
	const struct boot_params *bp;
	const struct boot_e820_entry *e;
	static u8 rd[5000];
	char *cmdline;

	bz_init();
	memset(rd, 0x77, sizeof(rd));
	put(initrd, rd, sizeof(rd));
	vm.initrd = initrd;
	eq(boot(&vm, bz, BZ_LEN, 64 * MiB), 0, "a bzImage boots");
	eq(vm.entry, 0x1000200, "entry: preferred address + 200h");
	eq(vm.entry_rsi, LOW_ZERO_PAGE, "rsi: the zero page");
	ok(!vm.entry_pvh, "64-bit mode");
	ok(!memcmp(mem__ptr(vm.mem, 0x1000000, 4096), bz + BZ_OFF, 4096), "the kernel is there");
	bp = mem__ptr(vm.mem, LOW_ZERO_PAGE, 4096);
	eq(bp->hdr.boot_flag, 0xaa55, "header is copied");
	eq(bp->hdr.init_size, 0x800000, "to its end");
	eq(bp->hdr.type_of_loader, 0xff, "loader type");
	eq(bp->sentinel, 0, "sentinel is clear");
	eq(bp->acpi_rsdp_addr, ACPI_BASE, "RSDP address");
	cmdline = mem__ptr(vm.mem, bp->hdr.cmd_line_ptr, 14);
	ok(cmdline && !strcmp(cmdline, "console=ttyS0"), "command line");
	eq(bp->hdr.ramdisk_size, sizeof(rd), "initrd size");
	eq(bp->hdr.ramdisk_image, 64 * MiB - 8192, "initrd at the end of RAM, page aligned");
	ok(!memcmp(mem__ptr(vm.mem, bp->hdr.ramdisk_image, sizeof(rd)), rd, sizeof(rd)),
	   "initrd content");
	e = bp->e820_table;
	eq(bp->e820_entries, 5, "five e820 entries");
	ok(e[0].addr == 0 && e[0].size == 0x9fc00 && e[0].type == 1, "low RAM");
	ok(e[1].addr == 0x9fc00 && e[1].type == 2, "EBDA");
	ok(e[2].addr == ACPI_BASE && e[2].size == ACPI_SIZE && e[2].type == 3, "ACPI tables");
	ok(e[3].addr == MiB && e[3].size == 63 * MiB && e[3].type == 1, "RAM from 1 MiB");
	ok(e[4].addr == ECAM_BASE && e[4].size == ECAM_SIZE && e[4].type == 2, "ECAM");
	mem__free(vm.mem);

	/* The limits of the header. */
	BZ_HDR(bz)->initrd_addr_max = 0x37fffff;
	eq(boot(&vm, bz, BZ_LEN, 64 * MiB), 0, "a limit for the initrd");
	bp = mem__ptr(vm.mem, LOW_ZERO_PAGE, 4096);
	eq(bp->hdr.ramdisk_image, 0x3800000 - 8192, "is respected");
	mem__free(vm.mem);
	BZ_HDR(bz)->initrd_addr_max = 0x1000fff;
	eq(boot(&vm, bz, BZ_LEN, 64 * MiB), (u64)-EINVAL, "a limit below the kernel's end");
	ok(errs == 1 && strstr(last_err, initrd), "is an error that names the file");
	mem__free(vm.mem);
	vm.initrd = NULL;

	bz_init();
	BZ_HDR(bz)->cmdline_size = 12;
	eq(boot(&vm, bz, BZ_LEN, 64 * MiB), (u64)-EINVAL, "a command line too long");
	ok(errs == 1 && strstr(last_err, "13 characters"), "is an error that says how long");
	mem__free(vm.mem);
	BZ_HDR(bz)->cmdline_size = 13;
	eq(boot(&vm, bz, BZ_LEN, 64 * MiB), 0, "just as long as allowed");
	mem__free(vm.mem);

	bz_init();
	eq(boot(&vm, bz, BZ_LEN, 24 * MiB), 0, "just enough RAM at the preferred address");
	eq(vm.entry, 0x1000200, "is enough");
	mem__free(vm.mem);
	BZ_HDR(bz)->pref_address = 0;
	eq(boot(&vm, bz, BZ_LEN, 12 * MiB), 0, "no preferred address");
	eq(vm.entry, 0x200200, "is the lowest aligned one");
	bp = mem__ptr(vm.mem, LOW_ZERO_PAGE, 4096);
	eq(bp->hdr.code32_start, 0x200000, "of which the header tells");
	mem__free(vm.mem);
	bz_init();

	eq(boot(&vm, bz, BZ_LEN, 4 * GiB), 0, "RAM on both sides of the hole");
	bp = mem__ptr(vm.mem, LOW_ZERO_PAGE, 4096);
	e = bp->e820_table;
	eq(bp->e820_entries, 6, "six e820 entries");
	ok(e[3].size == RAM_LOW_MAX - MiB, "RAM up to the hole");
	ok(e[4].addr == ECAM_BASE, "ECAM");
	ok(e[5].addr == RAM_HIGH_BASE && e[5].size == GiB && e[5].type == 1, "RAM above 4 GiB");
	mem__free(vm.mem);
}

static void test_bzimage_refused(void)
{
	struct setup_header *h = BZ_HDR(bz);

	bz_init();
	refused(bz, 100, 64 * MiB, "neither", "100 bytes");
	refused(bz, 0, 64 * MiB, "neither", "an empty file");
	refused(bz, 0x210, 64 * MiB, "truncated", "ends in the header");
	refused(bz, BZ_OFF, 64 * MiB, "truncated", "ends behind the setup sectors");
	refused(bz, BZ_LEN - 17, 64 * MiB, "truncated", "ends in the kernel");
	refused(bz, BZ_LEN, 9 * MiB, "more --mem", "RAM too small for it anywhere");
	refused(bz, BZ_LEN, 24 * MiB - 4096, "more --mem", "RAM too small where it moves to");
	h->version = 0x020b;
	refused(bz, BZ_LEN, 64 * MiB, "too old", "protocol 2.11");
	bz_init();
	h->xloadflags = 0;
	refused(bz, BZ_LEN, 64 * MiB, "x86-64", "no 64-bit entry");
	bz_init();
	h->pref_address = 0x7000;
	h->relocatable_kernel = 0;
	refused(bz, BZ_LEN, 64 * MiB, "RAM", "wants to be in the zero page");
	h->pref_address = ~0ULL - 0xfff;
	refused(bz, BZ_LEN, 64 * MiB, "RAM", "wants to be at the end of the address space");
	bz_init();
	h->init_size = 0xffffffff;
	refused(bz, BZ_LEN, 64 * MiB, "more --mem", "wants 4 GiB");
	bz_init();
	h->kernel_alignment = 0x80000000;
	h->pref_address = 0;
	refused(bz, BZ_LEN, 64 * MiB, "RAM", "an absurd alignment");
	memset(bz, 0xff, sizeof(bz));
	memcpy(&h->header, "HdrS", 4);
	refused(bz, BZ_LEN, 64 * MiB, "too old", "all ones");
}

struct image64 {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[3];
	struct {
		Elf64_Nhdr h;
		char name[4];
		u32 entry;
	} note[2];
	u8 text[256];
};

static struct image64 el;

static void el_init(void)
{
	memset(&el, 0, sizeof(el));
	memcpy(el.eh.e_ident, ELFMAG, SELFMAG);
	el.eh.e_ident[EI_CLASS] = ELFCLASS64;
	el.eh.e_ident[EI_DATA] = ELFDATA2LSB;
	el.eh.e_type = ET_EXEC;
	el.eh.e_machine = EM_X86_64;
	el.eh.e_phoff = offsetof(struct image64, ph);
	el.eh.e_phentsize = sizeof(Elf64_Phdr);
	el.eh.e_phnum = 3;
	el.ph[0] = (Elf64_Phdr){ .p_type = PT_LOAD,
				 .p_offset = offsetof(struct image64, text),
				 .p_vaddr = 0xffffffff81000000,
				 .p_paddr = 0x200000,
				 .p_filesz = 256,
				 .p_memsz = 0x3000 };
	el.ph[1] = (Elf64_Phdr){ .p_type = PT_LOAD,
				 .p_offset = offsetof(struct image64, text),
				 .p_paddr = 0x203000,
				 .p_filesz = 16,
				 .p_memsz = 16 };
	el.ph[2] = (Elf64_Phdr){ .p_type = PT_NOTE,
				 .p_offset = offsetof(struct image64, note),
				 .p_filesz = sizeof(el.note),
				 .p_align = 4 };
	el.note[0].h = (Elf64_Nhdr){ 4, 4, 3 };
	memcpy(el.note[0].name, "GNU", 4);
	el.note[1].h = (Elf64_Nhdr){ 4, 4, NOTE_PHYS32_ENTRY };
	memcpy(el.note[1].name, "Xen", 4);
	el.note[1].entry = 0x200040;
	memset(el.text, 0xcc, sizeof(el.text));
}

static void test_elf(void)
{
	struct vm vm = { .params = "hello" };
	const struct pvh_page *p;
	const u8 *text;

	el_init();
	put(initrd, "ramdisk", 8);
	vm.initrd = initrd;
	eq(boot(&vm, &el, sizeof(el), 64 * MiB), 0, "a PVH ELF boots");
	eq(vm.entry, 0x200040, "entry: the note's");
	eq(vm.entry_rbx, LOW_PVH_INFO, "rbx: the start info");
	ok(vm.entry_pvh, "32-bit mode");
	text = mem__ptr(vm.mem, 0x200000, 0x3010);
	ok(!memcmp(text, el.text, 256) && text[256] == 0 && text[0x300f] == 0xcc, "segments");
	p = mem__ptr(vm.mem, LOW_PVH_INFO, sizeof(*p));
	eq(p->info.magic, 0x336ec578, "magic");
	eq(p->info.version, 1, "version 1");
	eq(p->info.rsdp, ACPI_BASE, "RSDP");
	ok(!strcmp(mem__ptr(vm.mem, p->info.cmdline, 6), "hello"), "command line");
	eq(p->info.nr_modules, 1, "one module");
	eq(p->module.size, 8, "the initrd");
	ok(!strcmp(mem__ptr(vm.mem, p->module.addr, 8), "ramdisk"), "its content");
	eq(p->info.map_entries, 5, "memory map");
	ok(p->map[3].addr == MiB && p->map[3].size == 63 * MiB, "RAM from 1 MiB");
	mem__free(vm.mem);
	vm.initrd = NULL;

	/* BSS is zero even in memory that is not. */
	vm.mem = mem__new(-1, 16 * MiB);
	memset(mem__ptr(vm.mem, 0x200000, 0x4000), 0xee, 0x4000);
	put(kernel, &el, sizeof(el));
	eq(boot_setup(&vm), 0, "in used memory");
	text = mem__ptr(vm.mem, 0x200000, 0x3010);
	ok(text[256] == 0 && text[0x2fff] == 0, "BSS is cleared");
	mem__free(vm.mem);
}

static void test_elf32(void)
{
	struct {
		Elf32_Ehdr eh;
		Elf32_Phdr ph[2];
		struct {
			Elf64_Nhdr h;
			char name[4];
			u32 entry;
		} note;
		u8 text[64];
	} e = { 0 };
	struct vm vm = { 0 };

	memcpy(e.eh.e_ident, ELFMAG, SELFMAG);
	e.eh.e_ident[EI_CLASS] = ELFCLASS32;
	e.eh.e_ident[EI_DATA] = ELFDATA2LSB;
	e.eh.e_type = ET_EXEC;
	e.eh.e_machine = EM_386;
	e.eh.e_phoff = (u8 *)e.ph - (u8 *)&e;
	e.eh.e_phentsize = sizeof(Elf32_Phdr);
	e.eh.e_phnum = 2;
	e.ph[0].p_type = PT_NOTE;
	e.ph[0].p_offset = (u8 *)&e.note - (u8 *)&e;
	e.ph[0].p_filesz = sizeof(e.note);
	e.ph[1].p_type = PT_LOAD;
	e.ph[1].p_offset = (u8 *)e.text - (u8 *)&e;
	e.ph[1].p_paddr = 0x100000;
	e.ph[1].p_filesz = e.ph[1].p_memsz = 64;
	e.note.h = (Elf64_Nhdr){ 4, 4, NOTE_PHYS32_ENTRY };
	memcpy(e.note.name, "Xen", 4);
	e.note.entry = 0x100000;
	e.text[5] = 0x42;
	eq(boot(&vm, &e, sizeof(e), 16 * MiB), 0, "a 32-bit one boots");
	eq(vm.entry, 0x100000, "entry");
	eq(((u8 *)mem__ptr(vm.mem, 0x100000, 64))[5], 0x42, "content");
	mem__free(vm.mem);
}

static void test_elf_refused(void)
{
	el_init();
	refused(&el, 10, 64 * MiB, "truncated", "ends in the identification");
	refused(&el, 40, 64 * MiB, "truncated", "ends in the header");
	refused(&el, 100, 64 * MiB, "truncated", "ends in the program headers");
	refused(&el, sizeof(el) - 1, 64 * MiB, "truncated", "ends in a segment");
	el.eh.e_machine = EM_AARCH64;
	refused(&el, sizeof(el), 64 * MiB, "another machine", "for arm64");
	el_init();
	el.eh.e_type = ET_REL;
	refused(&el, sizeof(el), 64 * MiB, "executable", "an object file");
	el_init();
	el.eh.e_ident[EI_DATA] = ELFDATA2MSB;
	refused(&el, sizeof(el), 64 * MiB, "endian", "big endian");
	el_init();
	el.eh.e_phnum = 0xffff;
	refused(&el, sizeof(el), 64 * MiB, "program headers", "65535 program headers");
	el_init();
	el.eh.e_phentsize = 8;
	refused(&el, sizeof(el), 64 * MiB, "program headers", "odd program headers");
	el_init();
	el.eh.e_phoff = ~0ULL - 8;
	refused(&el, sizeof(el), 64 * MiB, "program headers", "program headers far away");
	el_init();
	el.ph[0].p_paddr = 0x7000;
	refused(&el, sizeof(el), 64 * MiB, "below 1 MiB", "a segment over the zero page");
	el_init();
	el.ph[0].p_memsz = 16;
	refused(&el, sizeof(el), 64 * MiB, "larger in the file", "memsz below filesz");
	el_init();
	el.ph[0].p_paddr = ~0ULL - 0x1000;
	refused(&el, sizeof(el), 64 * MiB, "outside of RAM", "an address that wraps");
	el_init();
	el.ph[0].p_memsz = ~0ULL;
	refused(&el, sizeof(el), 64 * MiB, "outside of RAM", "a size that wraps");
	el_init();
	el.ph[0].p_offset = ~0ULL - 16;
	refused(&el, sizeof(el), 64 * MiB, "truncated", "an offset that wraps");
	el_init();
	el.ph[1].p_paddr = 0x202ff8;
	refused(&el, sizeof(el), 64 * MiB, "overlap", "overlapping segments");
	el_init();
	el.ph[0].p_type = el.ph[1].p_type = PT_NULL;
	refused(&el, sizeof(el), 64 * MiB, "nothing to load", "no segments");
	el_init();
	el.note[1].h.n_type = 17;
	refused(&el, sizeof(el), 64 * MiB, "CONFIG_PVH", "no PVH note");
	el_init();
	el.note[0].h.n_namesz = 0xfffffffc;
	refused(&el, sizeof(el), 64 * MiB, "CONFIG_PVH", "a note with an endless name");
	el_init();
	el.note[0].h.n_descsz = 0xffffffff;
	refused(&el, sizeof(el), 64 * MiB, "CONFIG_PVH", "a note with an endless descriptor");
	el_init();
	el.note[1].entry = 0x300000;
	refused(&el, sizeof(el), 64 * MiB, "entry point outside", "an entry elsewhere");
	el_init();
	refused(&el, sizeof(el), 2 * MiB, "more --mem", "RAM too small");
}

/* Bytes flipped at random must never do worse than an error. */
static void test_elf_storm(void)
{
	unsigned int seed = 1, i, j, good = 0, silent = 0;
	struct vm vm = { 0 };
	int err;

	vm.kernel = kernel;
	vm.mem = mem__new(-1, 16 * MiB);
	for (i = 0; i < 2000; i++) {
		el_init();
		for (j = rand_r(&seed) % 4; j; j--)
			((u8 *)&el)[rand_r(&seed) % offsetof(struct image64, text)] = rand_r(&seed);
		put(kernel, &el, sizeof(el));
		errs = 0;
		err = boot_setup(&vm);
		good += !err;
		silent += err && errs != 1;
	}
	ok(good > 0 && good < 2000, "some of 2000 damaged images boot, some do not");
	eq(silent, 0, "every refusal is one line");
	mem__free(vm.mem);
}

static void test_files(void)
{
	static char long_line[4096];
	struct vm vm = { 0 };

	vm.mem = mem__new(-1, 16 * MiB);
	errs = 0;
	vm.kernel = "/nonexistent/bzImage";
	eq(boot_setup(&vm), (u64)-ENOENT, "a kernel that does not exist");
	ok(strstr(last_err, "/nonexistent/bzImage"), "is named");
	vm.kernel = "/tmp";
	eq(boot_setup(&vm), (u64)-EINVAL, "a directory");
	unlink(kernel);
	mkfifo(kernel, 0600);
	vm.kernel = kernel;
	eq(boot_setup(&vm), (u64)-EINVAL, "a FIFO does not hang");
	eq(errs, 3, "one line each");
	unlink(kernel);
	put(initrd, "", 0);
	bz_init();
	vm.initrd = initrd;
	mem__free(vm.mem);
	eq(boot(&vm, bz, BZ_LEN, 64 * MiB), (u64)-EINVAL, "an empty initrd");
	mem__free(vm.mem);
	eq(boot__check(&vm), (u64)-EINVAL, "is found before anything is made");
	vm.initrd = "/nonexistent/initrd";
	eq(boot__check(&vm), (u64)-ENOENT, "as is one that is not there");
	vm.initrd = NULL;
	eq(boot__check(&vm), 0, "without one all is well");
	vm.params = memset(long_line, 'x', sizeof(long_line) - 1);
	ok(boot__check(&vm) == -EINVAL && strstr(last_err, "shorten"), "but for a line too long");
	put(kernel,
	    "\x7f"
	    "ELF",
	    4);
	vm.params = NULL;
	ok(boot__check(&vm) == -EINVAL && strstr(last_err, "truncated"), "half a header");
}

int main(void)
{
	snprintf(kernel, sizeof(kernel), "/tmp/lkvm-test-kernel-%d", getpid());
	snprintf(initrd, sizeof(initrd), "/tmp/lkvm-test-initrd-%d", getpid());
	test_bzimage();
	test_bzimage_refused();
	test_elf();
	test_elf32();
	test_elf_refused();
	test_elf_storm();
	test_files();
	unlink(kernel);
	unlink(initrd);
	return tap_done();
}
