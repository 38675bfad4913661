/* SPDX-License-Identifier: GPL-2.0-only */

/* Multiboot images: which are taken, what they find in memory, which are refused and how. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
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

static struct image {
	Elf32_Ehdr eh;
	Elf32_Phdr ph[1];
	u32 pad;
	u32 header[3];
	u8 far[10000];
} im;

static void init(void)
{
	memset(&im, 0, sizeof(im));
	memcpy(im.eh.e_ident, ELFMAG, SELFMAG);
	im.eh.e_ident[EI_CLASS] = ELFCLASS32;
	im.eh.e_ident[EI_DATA] = ELFDATA2LSB;
	im.eh.e_type = ET_EXEC;
	im.eh.e_machine = EM_386;
	im.eh.e_entry = 0x400010;
	im.eh.e_phoff = offsetof(struct image, ph);
	im.eh.e_phentsize = sizeof(Elf32_Phdr);
	im.eh.e_phnum = 1;
	im.ph[0] = (Elf32_Phdr){ .p_type = PT_LOAD,
				 .p_offset = offsetof(struct image, header),
				 .p_paddr = 0x400000,
				 .p_filesz = 64,
				 .p_memsz = 0x2000 };
	im.header[0] = HEADER_MAGIC;
	im.header[2] = -HEADER_MAGIC;
}

static int boot(struct vm *vm)
{
	put(kernel, &im, sizeof(im));
	vm->kernel = kernel;
	vm->mem = mem__new(-1, 64 * MiB);
	errs = 0;
	last_err[0] = 0;
	return boot_setup(vm);
}

static void refused(struct vm *vm, const char *why, const char *text)
{
	int err = boot(vm);

	ok(err == -EINVAL && errs == 1 && strstr(last_err, why), "%s", text);
	if (errs != 1 || !strstr(last_err, why))
		printf("# %d, %u lines: %.200s\n", err, errs, last_err);
	mem__free(vm->mem);
}

static void test_good(void)
{
	struct vm vm = { .params = "one two", .initrd = initrd };
	const struct mb_page *p;
	char want[128];

	init();
	put(initrd, "ramdisk", 8);
	eq(boot(&vm), 0, "an image boots");
	eq(vm.entry, 0x400010, "where its ELF header says");
	eq(vm.entry_rax, 0x2badb002, "with the magic number");
	eq(vm.entry_rbx, LOW_PVH_INFO, "and the information");
	ok(vm.entry_pvh, "in 32-bit mode");
	p = mem__ptr(vm.mem, LOW_PVH_INFO, sizeof(*p));
	eq(p->info.mem_upper, 63 * 1024, "upper memory in KiB");
	eq(p->info.mods_count, 1, "one module");
	eq(p->module.end - p->module.start, 8, "of that size");
	ok(!strcmp(mem__ptr(vm.mem, p->module.start, 8), "ramdisk"), "with these bytes");
	snprintf(want, sizeof(want), "%s one two", kernel);
	ok(!strcmp(mem__ptr(vm.mem, p->info.cmdline, strlen(want) + 1), want), "the command line");
	eq(p->info.mmap_length, 5 * 24, "the map has five entries");
	ok(p->map[3].addr == MiB && p->map[3].len == 63 * MiB && p->map[3].size == 20, "RAM");
	ok(!strcmp(mem__ptr(vm.mem, p->info.loader_name, 5), "lkvm"), "who loaded it");
	mem__free(vm.mem);

	vm.params = vm.initrd = NULL;
	im.header[1] = WANT_PAGE_ALIGN | WANT_MEMORY;
	im.header[2] -= im.header[1];
	eq(boot(&vm), 0, "page-aligned modules and memory sizes can be asked for");
	p = mem__ptr(vm.mem, LOW_PVH_INFO, sizeof(*p));
	eq(p->info.mods_count, 0, "no module");
	snprintf(want, sizeof(want), "%s ", kernel);
	ok(!strcmp(mem__ptr(vm.mem, p->info.cmdline, strlen(want) + 1), want), "no parameters");
	mem__free(vm.mem);

	/* A PVH or bzImage kernel must find zero there, whatever ran before. */
	init();
	im.eh.e_ident[EI_CLASS] = ELFCLASS64;
	refused(&vm, "program headers", "ELF64 is not looked at for Multiboot");
}

static void test_refused(void)
{
	struct vm vm = { 0 };
	char *line = malloc(MiB), *path = malloc(6000);

	init();
	im.header[1] = BIT(2);
	im.header[2] -= im.header[1];
	refused(&vm, "0x4", "a video mode");
	init();
	im.header[2]++;
	refused(&vm, "PVH entry", "a checksum that does not add up is no header");
	init();
	memcpy(im.far + 9000, im.header, sizeof(im.header));
	im.header[0] = 0;
	refused(&vm, "PVH entry", "a header beyond 8 KiB is none");
	init();
	im.eh.e_entry = 0x402000;
	refused(&vm, "entry point outside", "an entry point behind its segment");
	init();
	im.ph[0].p_paddr = 0x1000;
	refused(&vm, "below 1 MiB", "a segment in low memory");
	init();
	memset(line, 'x', MiB - 1);
	line[MiB - 1] = 0;
	vm.params = line;
	refused(&vm, "shorten --params", "a command line that is too long");
	vm.params = NULL;
	memset(path, '/', 5999);
	path[5999] = 0;
	vm.kernel = path;
	vm.mem = mem__new(-1, 64 * MiB);
	errs = 0;
	eq(boot_multiboot__info(&vm, 0, 0x402000), (u64)-EINVAL, "a path that is too long");
	eq(errs, 1, "in one line");
	mem__free(vm.mem);
	free(line);
	free(path);
}

/* Any file of any length: found or not, never an access outside. */
static void test_search(void)
{
	struct boot_file f;
	u32 want;
	bool good = true;

	init();
	for (size_t len = 0; len < offsetof(struct image, far) + 40; len++) {
		put(kernel, &im, len);
		if (boot_file__open(&f, kernel, "kernel"))
			exit(1);
		good &= boot_multiboot__find(&f, &want) == (len >= offsetof(struct image, far));
		boot_file__close(&f);
	}
	ok(good, "a header counts when all of it is there");
}

int main(void)
{
	snprintf(kernel, sizeof(kernel), "/tmp/lkvm-test-mb-kernel-%d", getpid());
	snprintf(initrd, sizeof(initrd), "/tmp/lkvm-test-mb-initrd-%d", getpid());
	test_good();
	test_refused();
	test_search();
	unlink(kernel);
	unlink(initrd);
	return tap_done();
}
