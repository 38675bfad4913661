/* SPDX-License-Identifier: GPL-2.0-only */

/* bzImages that are booted without their unpacker: payloads, what is kept of them, KASLR, and the ways back. */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lkvm/module.h"
#include "tap.h"
#include "x86/boot.c"
#include "x86/boot_bzimage.c"
#include "x86/boot_cache.c"
#include "x86/boot_elf.c"
#include "x86/boot_file.c"
#include "x86/boot_multiboot.c"
#include "x86/boot_payload.c"
#include "x86/boot_pvh.c"
#include "x86/boot_vmlinux.c"
#include "x86/mem.c"
#include "x86/owner.c"

#include "boot_fake.h"

#define BASE	 0x1000000ULL
#define INIT	 0x800000ULL
#define BZ_OFF	 (5 * 512)
#define PAYLOAD	 0x400 /* behind BZ_OFF */
#define VMAP	 0xffffffff80000000ULL
#define TEXT_LEN 0x200
#define DATA	 (BASE + 0x200000)
#define DATA_LEN 0x100

static char cache[64], cache_lkvm[80];

static struct image {
	Elf64_Ehdr h;
	Elf64_Phdr p[2];
	u8 text[TEXT_LEN], data[DATA_LEN];
	u32 relocs[16];
} elf;

/* As Linux 6.12 has them: places 64-bit at text + 8, relative at text + 16, 32-bit at text + 24 and data + 4. */
static void elf_init(void)
{
	static const u32 relocs[] = { 0, 0x81000008, 0, 0x81000010, 0, 0x81000018, 0x81200004 };
	u64 v64 = VMAP + BASE + 0x123;
	u32 v32 = 0x81000456, rel = 0x7f001000;

	memset(&elf, 0, sizeof(elf));
	elf.h = (Elf64_Ehdr){
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_entry = BASE + 0x40,
		.e_phoff = offsetof(struct image, p),
		.e_shoff = offsetof(struct image, relocs),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2,
		.e_shentsize = sizeof(Elf64_Shdr),
	};
	memcpy(elf.h.e_ident, ELFMAG "\2\1\1", 7);
	elf.p[0] = (Elf64_Phdr){ .p_type = PT_LOAD,
				 .p_offset = offsetof(struct image, text),
				 .p_vaddr = VMAP + BASE,
				 .p_paddr = BASE,
				 .p_filesz = TEXT_LEN,
				 .p_memsz = TEXT_LEN };
	elf.p[1] = (Elf64_Phdr){ .p_type = PT_LOAD,
				 .p_offset = offsetof(struct image, data),
				 .p_vaddr = VMAP + DATA,
				 .p_paddr = DATA,
				 .p_filesz = DATA_LEN,
				 .p_memsz = 0x10000 };
	memset(elf.text, 0x90, sizeof(elf.text));
	memset(elf.data, 0xd0, sizeof(elf.data));
	memcpy(elf.text + 8, &v64, 8);
	memcpy(elf.text + 16, &rel, 4);
	memcpy(elf.text + 24, &v32, 4);
	memcpy(elf.data + 4, &v32, 4);
	memcpy(elf.relocs, relocs, sizeof(relocs));
}

#define ELF_LEN	    (offsetof(struct image, relocs) + 7 * sizeof(u32))
#define ELF_NOKASLR offsetof(struct image, relocs)

static u64 zstd(u8 *out, u64 max, const void *in, u32 len)
{
	u64 n = ZSTD_compress(out, max, in, len, 3);

	memcpy(out + n, &len, 4);
	return n + 4;
}

static u64 gzip(u8 *out, u64 max, const void *in, u32 len)
{
	z_stream z = { .next_in = (u8 *)in, .avail_in = len, .next_out = out, .avail_out = max };

	deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
	deflate(&z, Z_FINISH);
	deflateEnd(&z);
	return z.total_out;
}

static u8 bz[BZ_OFF + PAYLOAD + 64 * KiB];
static u64 bz_len;

/* A bzImage whose payload is @len bytes of elf, packed by @pack. */
static void bz_init(u64 (*pack)(u8 *out, u64 max, const void *in, u32 len), u32 len)
{
	struct setup_header *h = (void *)(bz + HDR_OFFSET);

	memset(bz, 0x11, sizeof(bz));
	*h = (struct setup_header){
		.setup_sects = 4,
		.boot_flag = 0xaa55,
		.jump = 0x6aeb,
		.header = 0x53726448,
		.version = 0x020f,
		.loadflags = LOADED_HIGH,
		.xloadflags = XLF_KERNEL_64,
		.cmdline_size = 2047,
		.initrd_addr_max = 0x7fffffff,
		.kernel_alignment = 0x200000,
		.relocatable_kernel = 1,
		.pref_address = BASE,
		.init_size = INIT,
		.payload_offset = PAYLOAD,
	};
	h->payload_length = pack(bz + BZ_OFF + PAYLOAD, 32 * KiB, &elf, len);
	bz_len = ALIGN_UP(BZ_OFF + PAYLOAD + h->payload_length, 16);
	h->syssize = (bz_len - BZ_OFF) / 16;
}

/* As if @bz had been booted once. */
static void mark(void)
{
	struct boot_file f, kept;

	if (boot_file__open(&f, kernel, "kernel"))
		exit(1);
	if (!boot_payload__open(&f, 0, 0,
				&kept)) /* without a payload, it notes the boot and no more */
		boot_file__close(&kept);
	boot_file__close(&f);
}

/* Boots @bz with @params, not for the first time; @vm's memory is the caller's to free. */
static void boot(struct vm *vm, const char *params)
{
	put(kernel, bz, bz_len);
	mark();
	*vm = (struct vm){ .kernel = kernel, .params = params, .ram_size = 64 * MiB };
	vm->initrd = *initrd ? initrd : NULL;
	vm->mem = mem__new(-1, vm->ram_size);
	errs = 0;
	if (boot_setup(vm))
		vm->entry = 0;
}

/* How many files are kept, and *@size, what is in all of them. */
static unsigned int kept(u64 *size)
{
	struct dirent *e;
	DIR *d = opendir(cache_lkvm);
	unsigned int n = 0;
	struct stat st;

	*size = 0;
	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.' || fstatat(dirfd(d), e->d_name, &st, 0))
			continue;
		n++;
		*size += st.st_size;
	}
	if (d)
		closedir(d);
	return n;
}

static void forget(void)
{
	char cmd[160];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", cache);
	if (system(cmd))
		exit(1);
}

/* Where what was unpacked was put, by where it is entered. */
static u64 put_at(const struct vm *vm)
{
	return vm->entry - 0x40;
}

static bool unpacked(const struct vm *vm)
{
	return put_at(vm) >= BASE && IS_ALIGNED(put_at(vm) - BASE, 0x200000);
}

static u8 flags(const struct vm *vm)
{
	return ((struct boot_params *)mem__ptr(vm->mem, LOW_ZERO_PAGE, 4096))->hdr.loadflags;
}

/* With "nokaslr" all is as in the file. */
static void plain(const char *what)
{
	struct vm vm;

	boot(&vm, "quiet nokaslr");
	eq(vm.entry, BASE + 0x40, "%s: entered at the ELF entry point", what);
	ok(!memcmp(mem__ptr(vm.mem, BASE, TEXT_LEN), elf.text, TEXT_LEN) &&
	       !memcmp(mem__ptr(vm.mem, DATA, DATA_LEN), elf.data, DATA_LEN),
	   "%s: as in the file", what);
	ok(!(flags(&vm) & KASLR_FLAG) && !errs, "%s: not said to be moved", what);
	mem__free(vm.mem);
}

/* The unpacker is taken, and nothing said. */
static void packed(const char *what)
{
	struct vm vm;

	boot(&vm, "quiet");
	ok(vm.entry == BASE + 0x200 && !errs && !(flags(&vm) & KASLR_FLAG),
	   "%s: the unpacker does it", what);
	ok(!memcmp(mem__ptr(vm.mem, BASE, bz_len - BZ_OFF), bz + BZ_OFF, bz_len - BZ_OFF),
	   "%s: it is all there", what);
	mem__free(vm.mem);
}

static void test_formats(void)
{
	u8 *out;
	u64 size;

	bz_init(zstd, ELF_LEN);
	plain("zstd");
	ok(kept(&size) == 1 && size == ELF_LEN, "that is kept");
	forget();
	bz_init(gzip, ELF_LEN);
	plain("gzip");
	forget();
	bz_init(gzip, ELF_NOKASLR);
	plain("without relocations");
	forget();

	memcpy(bz + BZ_OFF + PAYLOAD, "\3757zXZ", 6);
	packed("another format");
	ok(kept(&size) == 1 && !size, "only that it was booted is kept");
	forget();
	bz_init(zstd, ELF_LEN);
	bz[BZ_OFF + PAYLOAD + 40] ^= 0x55;
	packed("a broken payload");
	forget();
	bz_init(zstd, ELF_LEN);
	((struct setup_header *)(bz + HDR_OFFSET))->payload_length = 0x7fffffff;
	packed("a payload beyond the file");
	((struct setup_header *)(bz + HDR_OFFSET))->payload_length = 0;
	packed("none");
	ok(!(kept(&size) && size), "and nothing is kept");
	eq(unpack((const u8 *)"\x28\xb5\x2f\xfd\0\0\0\xff", 8, &out, &size), (u64)-EINVAL,
	   "4 GiB are too much");
	eq(unpack((const u8 *)"\x1f\x8b", 2, &out, &size), (u64)-EINVAL, "two bytes too little");
}

static u64 le(const struct vm *vm, u64 gpa, unsigned int len)
{
	u64 v = 0;

	memcpy(&v, mem__ptr(vm->mem, gpa, len), len);
	return v;
}

/* By how much its virtual addresses were moved, once all places agree; ~0 if they do not. */
static u64 moved(const struct vm *vm, bool relative)
{
	u64 at = put_at(vm), delta = le(vm, at + 8, 8) - (VMAP + BASE + 0x123);
	u8 want[TEXT_LEN];
	u64 v64 = VMAP + BASE + 0x123 + delta;
	u32 v32 = 0x81000456 + delta, rel = 0x7f001000 - (relative ? delta : 0);

	memcpy(want, elf.text, TEXT_LEN);
	memcpy(want + 8, &v64, 8);
	memcpy(want + 16, &rel, 4);
	memcpy(want + 24, &v32, 4);
	if (memcmp(mem__ptr(vm->mem, at, TEXT_LEN), want, TEXT_LEN) ||
	    le(vm, at + DATA - BASE + 4, 4) != v32)
		return ~0ULL;
	return delta;
}

/* Boots @bz often enough to see all places; true if all are good, below @end. */
static bool many(const char *params, u64 end, u64 *virts, u64 *physs)
{
	struct setup_header *hdr;
	struct vm vm;
	u64 at, delta;

	*virts = *physs = 0;
	for (int i = 0; i < 256; i++) {
		boot(&vm, params);
		at = put_at(&vm);
		if (!unpacked(&vm) || at > end - INIT)
			return false;
		delta = moved(&vm, true);
		if (!IS_ALIGNED(delta, 0x200000) || delta > GiB - BASE - INIT)
			return false;
		hdr = &((struct boot_params *)mem__ptr(vm.mem, LOW_ZERO_PAGE, 4096))->hdr;
		if (!(hdr->loadflags & KASLR_FLAG) || hdr->code32_start != at)
			return false;
		*virts |= 1ULL << delta / 0x200000 % 64;
		*physs |= 1ULL << (at - BASE) / 0x200000;
		mem__free(vm.mem);
	}
	return true;
}

static void test_kaslr(void)
{
	u64 virts, physs, end = 64 * MiB;
	struct vm vm;

	bz_init(zstd, ELF_LEN);
	ok(many("nokaslr=1 xnokaslr xmem=1 mem", end, &virts, &physs),
	   "all places move by the same, and the kernel is told");
	ok(virts & (virts - 1), "not always by the same");
	eq(physs, (1ULL << ((end - INIT - BASE) / 0x200000 + 1)) - 1, "it is put anywhere in RAM");
	ok(many("mem=60M", end, &virts, &physs) && (virts & (virts - 1)) && physs == 1,
	   "but not if mem= limits that");
	ok(many("memmap=4M", end, &virts, &physs) && physs == 1, "nor memmap=");

	snprintf(initrd, sizeof(initrd), "/tmp/lkvm-test-initrd-%d", getpid());
	put(initrd, "initrd", 6);
	((struct setup_header *)(bz + HDR_OFFSET))->initrd_addr_max = 0x1bfffff;
	ok(many("", 0x1bff000, &virts, &physs) && physs == 3, "and below the initrd");
	unlink(initrd);
	*initrd = 0;

	/* Newer kernels, as 7.3, have two lists. */
	memmove(elf.relocs + 2, elf.relocs + 4, 3 * sizeof(u32));
	forget();
	bz_init(zstd, ELF_LEN - 2 * sizeof(u32));
	boot(&vm, "");
	ok(moved(&vm, false) <= GiB, "two lists: nothing is relative");
	mem__free(vm.mem);

	bz[HDR_OFFSET + offsetof(struct setup_header, xloadflags)] |= XLF_5LEVEL_ENABLED;
	boot(&vm, "");
	ok(unpacked(&vm) && vm.entry_la57,
	   "a kernel that knows five levels of page tables gets them");
	mem__free(vm.mem);
	boot(&vm, "no5lvl");
	ok(unpacked(&vm) && !vm.entry_la57, "unless it is told otherwise");
	mem__free(vm.mem);

	elf_init();
	forget();
	bz_init(zstd, ELF_NOKASLR);
	boot(&vm, "");
	ok(vm.entry == BASE + 0x40 && !(flags(&vm) & KASLR_FLAG) && !moved(&vm, true),
	   "a kernel that cannot be moved is not");
	mem__free(vm.mem);
	forget();
}

/* What must lead to the unpacker: @change of elf, of which @len bytes are packed. */
#define refused(what, len, change)                                                                 \
	do {                                                                                       \
		elf_init();                                                                        \
		change;                                                                            \
		bz_init(zstd, len);                                                                \
		packed(what);                                                                      \
		forget();                                                                          \
	} while (0)

static void test_refused(void)
{
	refused("no ELF", ELF_LEN, elf.h.e_ident[0] = 0);
	refused("ELF32", ELF_LEN, elf.h.e_ident[EI_CLASS] = ELFCLASS32);
	refused("another machine", ELF_LEN, elf.h.e_machine = EM_AARCH64);
	refused("no segments", ELF_LEN, elf.h.e_phnum = 0);
	refused("too many segments", ELF_LEN, elf.h.e_phnum = SEGMENTS_MAX + 1);
	refused("program headers beyond the end", ELF_LEN, elf.h.e_phoff = ~0ULL);
	refused("section headers beyond the end", ELF_LEN, elf.h.e_shoff = ~0ULL);
	refused("a segment beyond the end", ELF_LEN,
		elf.p[0].p_filesz = elf.p[0].p_memsz = 1 << 20);
	refused("a segment at the end of numbers", ELF_LEN, elf.p[0].p_offset = ~0ULL);
	refused("a segment below", ELF_LEN, elf.p[0].p_paddr = BASE - 1);
	refused("a segment above", ELF_LEN, elf.p[1].p_paddr = BASE + INIT);
	refused("a segment larger in the file", ELF_LEN, elf.p[1].p_memsz = DATA_LEN - 1);
	refused("a huge segment", ELF_LEN, elf.p[1].p_memsz = ~0ULL);
	refused("entered outside", ELF_LEN, elf.h.e_entry = BASE + TEXT_LEN);
	refused("half a number", ELF_LEN - 1, );
	refused("one list", ELF_NOKASLR + 8, );
	refused("four lists", ELF_LEN + 8, elf.relocs[7] = 0);
	refused("no 0 first", ELF_LEN, elf.relocs[0] = 0x81000008);
	refused("a place outside", ELF_LEN, elf.relocs[6] = 0x81000000 + TEXT_LEN);
	refused("a place across the end", ELF_LEN, elf.relocs[1] = 0x81000000 + TEXT_LEN - 7);
	refused("a place below the map", ELF_LEN, elf.relocs[5] = 0x7fffffff);
	elf_init();
}

/* A file kept for @bz is changed to @len bytes at @data. */
static void spoil(const void *data, size_t len)
{
	struct boot_file f;
	char name[NAME_LEN], path[sizeof(cache_lkvm) + NAME_LEN];

	boot_file__open(&f, kernel, "kernel");
	name_of(&f.st, name);
	boot_file__close(&f);
	snprintf(path, sizeof(path), "%s/%s", cache_lkvm, name);
	put(path, data, len);
}

/* A kernel that is overwritten between its opening and the end of the unpacking. */
static void test_changed(void)
{
	struct setup_header *h = (void *)(bz + HDR_OFFSET);
	struct boot_file f, out;
	u64 size;

	bz_init(zstd, ELF_LEN);
	put(kernel, bz, bz_len);
	mark();
	boot_file__open(&f, kernel, "kernel");
	bz[100] ^= 1;
	put(kernel, bz, bz_len + 16);
	eq(boot_payload__open(&f, BZ_OFF + PAYLOAD, h->payload_length, &out), 0,
	   "a kernel that changes meanwhile is unpacked");
	boot_file__close(&out);
	boot_file__close(&f);
	ok(!kept(&size), "but not kept, under its old name or its new one");
	boot_file__open(&f, kernel, "kernel");
	eq(boot_cache__find(&f, &out), (u64)-ENOENT, "so that it is as one never booted");
	boot_file__close(&f);
	forget();
}

static void test_cache(void)
{
	struct vm vm = { .kernel = kernel, .params = "", .ram_size = 64 * MiB };
	u64 size;
	int i;

	bz_init(zstd, ELF_LEN);
	put(kernel, bz, bz_len);
	for (i = 1; i <= 3; i++) {
		vm.mem = mem__new(-1, vm.ram_size);
		ok(!boot_setup(&vm) && unpacked(&vm) == (i > 1), "boot %d: by %s", i,
		   i == 1 ? "the unpacker" : "what it would unpack");
		ok(kept(&size) == 1 && size == (i == 1 ? 0 : ELF_LEN), "%s is kept",
		   i == 1 ? "nothing" : "that");
		mem__free(vm.mem);
	}
	elf.text[100] = 0x55;
	spoil(&elf, ELF_LEN);
	vm.mem = mem__new(-1, vm.ram_size);
	ok(!boot_setup(&vm) && unpacked(&vm) && le(&vm, put_at(&vm) + 100, 1) == 0x55,
	   "the kept file is booted");
	mem__free(vm.mem);
	elf_init();
	vm.mem = mem__new(-1, vm.ram_size);
	spoil(&elf, ELF_LEN / 2);
	eq(boot_setup(&vm), 0, "a kept file that is too short: boots");
	eq(vm.entry, BASE + 0x200, "by the unpacker");
	mem__free(vm.mem);
	forget();
	put(cache, "", 0);
	packed("no place to keep it");
	unlink(cache);

	test_changed();

	vm.mem = mem__new(-1, vm.ram_size);
	vm.no_kernel_cache = true;
	ok(!boot_setup(&vm) && vm.entry == BASE + 0x200 && !kept(&size),
	   "--kernel-cache off: the unpacker, and nothing kept");
	mem__free(vm.mem);
}

int main(void)
{
	snprintf(kernel, sizeof(kernel), "/tmp/lkvm-test-kernel-%d", getpid());
	snprintf(cache, sizeof(cache), "/tmp/lkvm-test-cache-%d", getpid());
	snprintf(cache_lkvm, sizeof(cache_lkvm), "%s/lkvm", cache);
	setenv("XDG_CACHE_HOME", cache, 1);
	elf_init();
	test_formats();
	test_kaslr();
	test_refused();
	test_cache();
	unlink(kernel);
	return tap_done();
}
