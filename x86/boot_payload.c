/* SPDX-License-Identifier: GPL-2.0-only */

/*
 * What a bzImage's own unpacker would unpack (boot.rst, payload_offset): vmlinux, in one of several formats told by its
 * first bytes, of which two are known here.  The last four bytes are the size it unpacks to, little-endian; gzip has
 * them of its own.
 *
 * It is unpacked at the second boot of a kernel, and kept.  Not at the first: most kernels that are built to be tried are booted
 * once, and to try a kernel is to try its unpacker too.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "x86/boot.h"

#define SIZE_LEN     4
#define UNPACKED_MAX (512 * MiB)

static int unpack_zstd(const u8 *in, u64 len, u8 *out, u64 size)
{
	return ZSTD_decompress(out, size, in, len - SIZE_LEN) == size ? 0 : -EINVAL;
}

static int unpack_gzip(const u8 *in, u64 len, u8 *out, u64 size)
{
	z_stream z = {
		.next_in = (u8 *)in,
		.avail_in = (uInt)len,
		.next_out = out,
		.avail_out = (uInt)size,
	};
	int err;

	if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK) /* 16: with a gzip header */
		return -ENOMEM;
	err = inflate(&z, Z_FINISH) == Z_STREAM_END && !z.avail_out ? 0 : -EINVAL;
	inflateEnd(&z);
	return err;
}

static const struct {
	u8 magic[4];
	unsigned int len;
	int (*unpack)(const u8 *in, u64 len, u8 *out, u64 size);
} formats[] = {
	{ { 0x28, 0xb5, 0x2f, 0xfd }, 4, unpack_zstd },
	{ { 0x1f, 0x8b }, 2, unpack_gzip },
};

/* *@out, malloc()ed, gets *@size bytes. */
static int unpack(const u8 *in, u64 len, u8 **out, u64 *size)
{
	const u8 *end = in + len;
	unsigned int i;
	int err;

	if (len < 2 * SIZE_LEN)
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(formats); i++)
		if (!memcmp(in, formats[i].magic, formats[i].len))
			break;
	if (i == ARRAY_SIZE(formats))
		return -ENOTSUP;
	*size = end[-4] | end[-3] << 8 | end[-2] << 16 | (u64)end[-1] << 24;
	if (!*size || *size > UNPACKED_MAX)
		return -EINVAL;
	*out = malloc(*size);
	if (!*out)
		return -ENOMEM;
	err = formats[i].unpack(in, len, *out, *size);
	if (err)
		free(*out);
	return err;
}

static int unpack_and_keep(const struct boot_file *f, u64 at, u64 len, struct boot_file *out)
{
	u8 *payload, *data;
	u64 size;
	int err;

	if (!len || len > UNPACKED_MAX || at > f->size || len > f->size - at)
		return -EINVAL;
	payload = malloc(len);
	if (!payload)
		return -ENOMEM;
	err = boot_file__read(f, at, payload, len);
	if (!err)
		err = unpack(payload, len, &data, &size);
	free(payload);
	if (err)
		return err;
	err = boot_cache__keep(f, data, size, out);
	free(data);
	return err;
}

int boot_payload__open(const struct boot_file *f, u64 at, u64 len, struct boot_file *out)
{
	int err = boot_cache__find(f, out);

	if (err == -ENOENT) {
		if (!boot_cache__keep(f, NULL, 0, out))
			boot_file__close(out);
		return err;
	}
	if (err || out->size)
		return err;
	boot_file__close(out);
	return unpack_and_keep(f, at, len, out);
}
