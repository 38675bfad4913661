/* SPDX-License-Identifier: GPL-2.0-only */

/* The device tree of --dump-dtb: what is in it, and that dtc takes it without a warning. */

#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"
#include "x86/dtb.c"

static const struct mem_region ram[] = {
	{ .gpa = 0, .size = RAM_LOW_MAX },
	{ .gpa = RAM_HIGH_BASE, .size = 5 * GiB },
};

const struct mem_region *mem__regions(const struct guest_mem *mem, unsigned int *n)
{
	*n = ARRAY_SIZE(ram);
	return ram;
}

const struct pci_windows *pci__windows(const struct pci_root *root)
{
	static const struct pci_windows w = {
		.mmio32 = PCI_MMIO_BASE,
		.mmio32_size = PCI_MMIO_SIZE,
		.mmio64 = BIT(45),
		.mmio64_size = BIT(44),
	};

	return &w;
}

static struct pci_func funcs[] = {
	{ .name = "virtio-blk.0", .bdf = 0x08, .cfg = { 0xf4, 0x1a, 0x42, 0x10 } },
	{ .name = "test", .bdf = 0x0b, .cfg = { 0x34, 0x12, 0xe8, 0x11 } },
};

void pci__for_each(struct pci_root *root, void (*fn)(struct pci_func *f, void *arg), void *arg)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(funcs); i++)
		fn(&funcs[i], arg);
}

static u64 cells(const void *fdt, const char *path, const char *name, unsigned int at)
{
	int len, node = fdt_path_offset(fdt, path);
	const fdt32_t *p = node < 0 ? NULL : fdt_getprop(fdt, node, name, &len);

	if (!p || len < (int)((at + 2) * 4))
		return ~0ULL;
	return (u64)fdt32_to_cpu(p[at]) << 32 | fdt32_to_cpu(p[at + 1]);
}

static void test_dtc(const void *fdt, int size)
{
	char path[] = "/tmp/lkvm-dtb-XXXXXX", cmd[256];
	int fd, st;

	if (system("command -v dtc >/dev/null 2>&1")) {
		ok(true, "dtc takes it # SKIP dtc is not installed");
		return;
	}
	fd = mkstemp(path);
	ok(fd >= 0 && write(fd, fdt, (size_t)size) == size, "the tree is written");
	close(fd);
	snprintf(cmd, sizeof(cmd),
		 "e=$(dtc -I dtb -O dts -o /dev/null %s 2>&1) || exit 1; "
		 "[ -z \"$e\" ] || { echo \"$e\" | sed 's/^/# /'; exit 1; }",
		 path);
	st = system(cmd);
	ok(WIFEXITED(st) && WEXITSTATUS(st) == 0, "dtc takes it without a warning");
	unlink(path);
}

static u8 tree[64 * KiB] __attribute__((aligned(8)));

int main(void)
{
	struct vm vm = { .cpus = 200, .params = "console=ttyS0 quiet" };
	int size = dtb__build(&vm, tree, sizeof(tree)), node;
	u32 small;

	ok(size > 0 && fdt_check_full(tree, (size_t)size) == 0, "a tree is built");
	if (size < 0)
		return tap_done();
	node = fdt_path_offset(tree, "/chosen");
	ok(!strcmp(fdt_getprop(tree, node, "bootargs", NULL), vm.params), "the command line");
	ok(fdt_path_offset(tree, "/cpus/cpu@c7") >= 0, "the last of 200 CPUs");
	ok(fdt_path_offset(tree, "/cpus/cpu@c8") < 0, "and none behind it");
	eq(cells(tree, "/memory@0", "reg", 2), RAM_LOW_MAX, "RAM below 4 GiB");
	eq(cells(tree, "/memory@100000000", "reg", 0), RAM_HIGH_BASE, "RAM above");
	eq(cells(tree, "/memory@100000000", "reg", 2), 5 * GiB, "of the right size");
	eq(cells(tree, "/pcie@e0000000", "ranges", 1), PCI_MMIO_BASE, "the 32-bit window");
	eq(cells(tree, "/pcie@e0000000", "ranges", 10), BIT(45), "the 64-bit window");
	ok(fdt_path_offset(tree, "/pcie@e0000000/device@1,3") >= 0, "a PCI function");
	ok(fdt_path_offset(tree, "/isa/serial@i3f8") >= 0, "the serial port");
	test_dtc(tree, size);

	for (small = 0; small < (u32)size; small += 61)
		if (dtb__build(&vm, tree, small) != -ENOSPC)
			break;
	ok(small >= (u32)size, "a buffer that is too small is told so, whatever its size");
	return tap_done();
}
