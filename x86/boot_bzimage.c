/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * Linux's bzImage by the 64-bit boot protocol (Documentation/arch/x86/boot.rst).
 *
 *   file:    boot sector, setup_sects more sectors (real-mode code, unused), the protected-mode part
 *   memory:  zero page at LOW_ZERO_PAGE, command line, the protected-mode part at its preferred address
 *            with init_size bytes to unpack itself into, entered at +200h; or, there or wherever KASLR
 *            puts it, what it would unpack (boot_vmlinux.c); the initrd as high as it may be
 */

#include <asm/bootparam.h>
#include <errno.h>
#include <string.h>

#include "lkvm/layout.h"
#include "lkvm/mem.h"
#include "lkvm/vm.h"
#include "x86/boot.h"

#define HDR_OFFSET   0x1f1
#define SECTOR	     512
#define ENTRY_64     0x200
#define VERSION_MIN  0x020c /* the first with xloadflags */
#define LOADER_OTHER 0xff
#define VID_NORMAL   0xffff

_Static_assert(sizeof(struct boot_params) == 4096, "the zero page is a page");
_Static_assert(offsetof(struct boot_params, hdr) == HDR_OFFSET, "the header is at 1F1h");

/* The header as long as the image says it is (the jump over it tells), the rest zero. */
static int read_header(const struct boot_file *f, struct setup_header *hdr)
{
	u8 head[HDR_OFFSET + sizeof(*hdr)] = { 0 };
	u64 end;
	int err;

	err = boot_file__read(f, 0, head, 0x202);
	if (err)
		return err;
	end = MIN(0x202u + head[0x201], sizeof(head));
	err = boot_file__read(f, 0, head, end);
	if (err)
		return err;
	memcpy(hdr, head + HDR_OFFSET, sizeof(*hdr));
	return 0;
}

static int check_header(const struct boot_file *f, const struct setup_header *hdr)
{
	if (hdr->boot_flag != 0xaa55 || hdr->version < VERSION_MIN ||
	    !(hdr->loadflags & LOADED_HIGH)) {
		pr_err("kernel %s: boot protocol %u.%02u is too old; lkvm needs a bzImage of Linux "
		       "3.8 or newer",
		       f->path, hdr->version >> 8, hdr->version & 0xff);
		return -EINVAL;
	}
	if (!(hdr->xloadflags & XLF_KERNEL_64)) {
		pr_err("kernel %s: has no 64-bit entry point; give an x86-64 kernel", f->path);
		return -EINVAL;
	}
	return 0;
}

/*
 * Where the kernel goes so that [*@load, + @need) is RAM.  A relocatable kernel that is loaded below its
 * preferred address moves up to it all the same, and on to its alignment (boot.rst, init_size).
 */
static int place(struct vm *vm, const struct boot_file *f, const struct setup_header *hdr, u64 need,
		 u64 *load)
{
	u64 end = boot__low_end(vm), align = hdr->kernel_alignment, at = hdr->pref_address;

	if (hdr->relocatable_kernel && align && !(align & (align - 1)))
		at = ALIGN_UP(MAX(at, KERNEL_BASE), align);
	if (at >= KERNEL_BASE && at <= end && need <= end - at) {
		*load = at;
		return 0;
	}
	pr_err("kernel %s: needs %llu MiB of RAM at %#llx, which is not there; use more --mem",
	       f->path, need / MiB + 1, at);
	return -EINVAL;
}

static void fill_map(const struct vm *vm, struct boot_params *bp)
{
	struct boot_map map[BOOT_MAP_MAX];
	unsigned int i, n = boot__map(vm, map);

	for (i = 0; i < n; i++) {
		bp->e820_table[i].addr = map[i].addr;
		bp->e820_table[i].size = map[i].size;
		bp->e820_table[i].type = map[i].type;
	}
	bp->e820_entries = n;
}

/* The header, and where in the file what is behind the real-mode code begins. */
static int examine_bzimage(const struct boot_file *f, struct setup_header *hdr, u64 *off)
{
	int err = read_header(f, hdr);

	if (err)
		return err;
	err = check_header(f, hdr);
	if (err)
		return err;
	/* 0 setup sectors stands for 4. */
	*off = ((hdr->setup_sects ? hdr->setup_sects : 4) + 1) * SECTOR;
	if (*off >= f->size || hdr->syssize * 16ULL > ALIGN_UP(f->size - *off, 16)) {
		pr_err("kernel %s: is truncated: it has %llu bytes and should have %llu; copy or "
		       "build it again",
		       f->path, f->size, *off + hdr->syssize * 16ULL);
		return -EINVAL;
	}
	return 0;
}

int boot_bzimage__check(const struct vm *vm, const struct boot_file *f)
{
	struct setup_header hdr;
	u64 off;
	int err = examine_bzimage(f, &hdr, &off);

	return err ? err : boot__check_cmdline(vm, hdr.cmdline_size);
}

/* Whether @word is one of @params; one that ends in = with whatever is behind that. */
static bool has_word(const char *params, const char *word)
{
	size_t n, len = strlen(word);

	for (; params && *params; params += n) {
		params += strspn(params, " ");
		n = strcspn(params, " ");
		if ((n == len || (n > len && word[len - 1] == '=')) && !strncmp(params, word, len))
			return true;
	}
	return false;
}

/* The unpacker minds these when it chooses a place; what follows is a matter of the kernel's. */
static bool limits_memory(const char *params)
{
	return has_word(params, "mem=") || has_word(params, "memmap=") ||
	       has_word(params, "hugepages=");
}

/*
 * Loads the unpacked kernel in the place of its unpacker, somewhere below @limit: *@load and *@entry are where it is and where
 * it is entered.  False if that cannot be, for whatever reason: the unpacker always can.
 */
static bool load_unpacked(struct vm *vm, const struct boot_file *f, struct setup_header *hdr,
			  u64 off, u64 need, u64 limit, u64 *load, u64 *entry)
{
	struct boot_place at = {
		.base = *load,
		.size = need,
		.limit = limits_memory(vm->params) ? *load + need : limit,
		.align = hdr->kernel_alignment,
		.kaslr = !has_word(vm->params, "nokaslr"),
	};
	struct boot_file u;
	int err;

	if (vm->no_kernel_cache || *load != hdr->pref_address)
		return false;
	if (boot_payload__open(f, off + hdr->payload_offset, hdr->payload_length, &u))
		return false;
	err = boot_vmlinux__load(&u, vm->mem, &at);
	boot_file__close(&u);
	if (err)
		return false;
	/* As the unpacker does: the kernel then randomises what is its own business too, and has five levels of tables. */
	if (at.moved)
		hdr->loadflags |= KASLR_FLAG;
	vm->entry_la57 = (hdr->xloadflags & XLF_5LEVEL_ENABLED) && !has_word(vm->params, "no5lvl");
	*load = at.load;
	*entry = at.entry;
	return true;
}

int boot_bzimage__load(struct vm *vm, const struct boot_file *f)
{
	u64 off, len, need, load, entry, initrd, initrd_size;
	struct boot_params bp = { 0 };
	struct setup_header *hdr = &bp.hdr;
	int err;

	err = examine_bzimage(f, hdr, &off);
	if (err)
		return err;
	len = f->size - off; /* with a signature behind the kernel, if it has one */
	need = MAX(len, (u64)hdr->init_size);
	err = place(vm, f, hdr, need, &load);
	if (err)
		return err;
	err = boot__cmdline(vm, hdr->cmdline_size);
	if (err)
		return err;
	err = boot__initrd(vm, load + need, hdr->initrd_addr_max + 1ULL, &initrd, &initrd_size);
	if (err)
		return err;
	if (!load_unpacked(vm, f, hdr, off, need, initrd_size ? initrd : boot__low_end(vm), &load,
			   &entry)) {
		err = boot_file__load(f, off, vm->mem, load, len);
		if (err)
			return err;
		entry = load + ENTRY_64;
	}

	hdr->type_of_loader = LOADER_OTHER;
	hdr->vid_mode = VID_NORMAL;
	hdr->code32_start = load;
	hdr->cmd_line_ptr = LOW_CMDLINE;
	hdr->ramdisk_image = initrd;
	hdr->ramdisk_size = initrd_size;
	hdr->setup_data = 0;
	bp.acpi_rsdp_addr = ACPI_BASE;
	fill_map(vm, &bp);
	if (mem__write(vm->mem, LOW_ZERO_PAGE, &bp, sizeof(bp)) < 0) {
		pr_err("no RAM at %#llx for the zero page; use more --mem", LOW_ZERO_PAGE);
		return -EINVAL;
	}
	vm->entry = entry;
	vm->entry_rsi = LOW_ZERO_PAGE;
	vm->entry_rbx = 0;
	vm->entry_pvh = false;
	return 0;
}
