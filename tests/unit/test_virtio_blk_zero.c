/* SPDX-License-Identifier: GPL-2.0-only */
/* The disk: discard and the writing of zeroes. */

#include "tests/unit/blk_fake.h"

/* A discard or a writing of zeroes with one segment of @n sectors. */
static u8 zero(u32 type, u64 sector, u32 n, u32 flags)
{
	struct virtio_blk_discard_write_zeroes seg = {
		.sector = sector,
		.num_sectors = n,
		.flags = flags,
	};

	memcpy(ram + BUF, &seg, sizeof(seg));
	return io(type, 0, BUF, sizeof(seg));
}

static void test_zero(u32 type, const char *how)
{
	static const u8 zeroes[8192];
	bool discard = type == VIRTIO_BLK_T_DISCARD;
	u64 feature = BIT(discard ? VIRTIO_BLK_F_DISCARD : VIRTIO_BLK_F_WRITE_ZEROES);
	struct virtio_blk_discard_write_zeroes seg[17] = { { .sector = 0 } };

	start_with("", FEATURES);
	eq(zero(type, 0, 8, 0), VIRTIO_BLK_S_UNSUPP, "%s: not negotiated", how);
	if (!(blk.ops.features & feature)) {
		ok(true, "%s # SKIP the file system of /tmp cannot", how);
		return;
	}
	start_with("", FEATURES | feature);
	eq(get(VIRTIO_BAR_DEVICE + (discard ? 36 : 48), 4), discard ? 131072 : 8192, "%s: limit",
	   how);
	eq(get(VIRTIO_BAR_DEVICE + (discard ? 40 : 52), 4), discard ? 16 : 1, "%s: segments", how);
	eq(zero(type, 16, 16, 0), 0, "%s: 16 sectors", how);
	ok(on_disk(8192, zeroes, 8192) && on_disk(0, image, 8192) &&
	       on_disk(16384, image + 16384, SIZE - 16384),
	   "%s: those, and no other", how);
	eq(last_len(), 1, "%s: only the status is written to memory", how);
	eq(zero(type, SECTORS - 1, 1, 0), 0, "%s: the last sector", how);
	eq(zero(type, SECTORS, 0, 0), 0, "%s: nothing at the end", how);
	write_image();
	eq(zero(type, SECTORS, 1, 0), VIRTIO_BLK_S_IOERR, "%s: behind the end", how);
	eq(zero(type, SECTORS - 1, 2, 0), VIRTIO_BLK_S_IOERR, "%s: across the end", how);
	eq(zero(type, ~0ULL, 2, 0), VIRTIO_BLK_S_IOERR, "%s: wraps", how);
	eq(zero(type, 1ULL << 55, 1, 0), VIRTIO_BLK_S_IOERR, "%s: wraps as bytes", how);
	eq(zero(type, 0, ~0u, 0), VIRTIO_BLK_S_IOERR, "%s: more than the limit", how);
	eq(zero(type, 0, 8, 2), VIRTIO_BLK_S_UNSUPP, "%s: an unknown flag", how);
	if (discard)
		eq(zero(type, 0, 8, 1), VIRTIO_BLK_S_UNSUPP, "%s: unmap is not for it", how);
	eq(io(type, 0, BUF, 15), VIRTIO_BLK_S_IOERR, "%s: part of a segment", how);
	eq(io(type, 0, BUF, 0), VIRTIO_BLK_S_IOERR, "%s: no segment", how);
	for (int i = 0; i < 17; i++)
		seg[i].num_sectors = 1;
	memcpy(ram + BUF, seg, sizeof(seg));
	eq(io(type, 0, BUF, 17 * 16), VIRTIO_BLK_S_IOERR, "%s: 17 segments", how);
	seg[1].sector = SECTORS;
	memcpy(ram + BUF, seg, sizeof(seg));
	eq(io(type, 0, BUF, 32), VIRTIO_BLK_S_IOERR, "%s: the second of two is bad", how);
	ok(on_disk(0, image, SIZE), "%s: none of these did anything", how);
	host_full = true;
	messages = 0;
	eq(zero(type, 0, 8, 0), VIRTIO_BLK_S_IOERR, "%s: on a full disk", how);
	ok(messages == 1 && strstr(last_msg, strerror(ENOSPC)), "%s: is told: %s", how, last_msg);
	host_full = false;
	if (!discard) {
		eq(zero(type, 0, 16, 1), 0, "%s: with a hole", how);
		ok(on_disk(0, zeroes, 8192), "%s: reads as zeroes", how);
		start_with("", BIT(VIRTIO_F_VERSION_1) | feature);
		eq(zero(type, 0, 16, 0), 0, "%s: a driver that cannot flush", how);
		ok(on_disk(0, zeroes, 8192), "%s: is served as well", how);
	} else {
		seg[1].sector = 8;
		memcpy(ram + BUF, seg, sizeof(seg));
		eq(io(type, 0, BUF, 32), 0, "%s: two segments", how);
		ok(on_disk(0, zeroes, 512) && on_disk(512, image + 512, 3584) &&
		       on_disk(4096, zeroes, 512) && on_disk(4608, image + 4608, 3584),
		   "%s: both", how);
	}
	start_with(",ro", FEATURES | BIT(VIRTIO_BLK_F_RO));
	ok(!(blk.ops.features & feature), "%s: not of a read-only disk", how);
}

int main(void)
{
	blk_image();
	test_zero(VIRTIO_BLK_T_DISCARD, "discard");
	test_zero(VIRTIO_BLK_T_WRITE_ZEROES, "zeroes");
	stop();
	unlink(path);
	return tap_done();
}
