/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BOOT_PACKED_H
#define BOOT_PACKED_H

/* For tests of the boot loaders in which bzImages unpack themselves: there is no cache. */

int boot_payload__open(const struct boot_file *f, u64 at, u64 len, struct boot_file *out)
{
	return -ENOTSUP;
}

int boot_vmlinux__load(const struct boot_file *f, struct guest_mem *mem, struct boot_place *at)
{
	return -ENOTSUP;
}

#endif
