/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel images of any content: bzImage, PVH ELF, Multiboot.  The whole input is the file; the payload of a bzImage stands for
 * what it would be unpacked to.
 */

#include <errno.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lkvm/module.h"
#include "x86/boot.c"
#include "x86/boot_bzimage.c"
#include "x86/boot_elf.c"
#include "x86/boot_file.c"
#include "x86/boot_multiboot.c"
#include "x86/boot_pvh.c"
#include "x86/boot_vmlinux.c"
#include "x86/mem.c"

#include "tests/fuzz/fuzz.h"

#define RAM (32 * MiB)

static char kernel[64], initrd[64];
static unsigned int errs;

void pr_err(const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	must(!strchr(line, '\n'), "an error is one line");
	errs++;
}

void module__register(struct module *m)
{
}

static int file_new(char *path, size_t len)
{
	const int fd = memfd_create("image", MFD_CLOEXEC);

	if (fd < 0)
		abort();
	snprintf(path, len, "/proc/self/fd/%d", fd);
	return fd;
}

int boot_payload__open(const struct boot_file *f, u64 at, u64 len, struct boot_file *out)
{
	u8 *p;

	if (at > f->size || len > f->size - at)
		return -EINVAL;
	*out = (struct boot_file){ .path = f->path, .what = "unpacked kernel", .size = len };
	out->fd = memfd_create("unpacked", MFD_CLOEXEC);
	p = malloc(len + 1);
	if (out->fd < 0 || !p || boot_file__read(f, at, p, len) ||
	    pwrite(out->fd, p, len, 0) != (ssize_t)len)
		abort();
	free(p);
	return 0;
}

static void fill(int fd, const void *data, size_t size)
{
	if (ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
}

/* The lowest descriptor that is unused. */
static int next_fd(void)
{
	const int fd = dup(0);

	close(fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct guest_mem *mem;
	static int fd = -1;
	struct vm vm = { .kernel = kernel, .ram_size = RAM, .params = "console=ttyS0" };
	int err, unused;

	if (fd < 0) {
		fd = file_new(kernel, sizeof(kernel));
		fill(file_new(initrd, sizeof(initrd)), "initrd", 6);
		mem = mem__new(-1, RAM); /* what an image leaves there is nothing to the next */
	}
	if (!mem)
		abort();
	fill(fd, data, size);
	if (size & 1)
		vm.initrd = initrd;
	vm.mem = mem;
	errs = 0;
	unused = next_fd();
	err = boot_setup(&vm);
	must(err <= 0 && errs == (err ? 1 : 0), "a refusal is one line, success is silent");
	must(err || boot__check(&vm) == 0, "what boots has been found good before");
	must(err || mem__ptr(mem, vm.entry, 1), "what boots begins in RAM");
	must(err || !vm.entry_pvh || vm.entry < BIT(32), "in 32-bit mode below 4 GiB");
	must(next_fd() == unused, "no file stays open");
	return 0;
}
