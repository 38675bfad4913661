/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Virtqueues and the PCI transport: a driver with any rings, any registers and any order of things,
 * against a device that reads what it is given and fills what it may.
 */

#include "lkvm/module.h"
#include "tests/unit/virtio_drive.h"

#include "tests/fuzz/fuzz.h"

#define NQ 2

static u8 config[12];
static struct vm vm;
static struct input *program;

/* --- The device --- */

static void dev_read(struct virtio_dev *d, u32 off, u8 *data, u32 len)
{
	must(off < sizeof(config) && len <= sizeof(config) - off, "configuration reads are inside");
	memcpy(data, config + off, len);
}

static void dev_write(struct virtio_dev *d, u32 off, const u8 *data, u32 len)
{
	must(off < sizeof(config) && len <= sizeof(config) - off, "so are writes");
	memcpy(config + off, data, len);
}

static u64 spans(const struct virtq_span *span, int n)
{
	u64 len = 0;

	for (int i = 0; i < n; i++)
		len += span[i].len;
	return len;
}

static void check_chain(const struct virtq_chain *c)
{
	must(c->nout >= 0 && c->nin >= 0 && c->nout + c->nin <= VIRTIO_CHAIN_IOV, "few pieces");
	must(iov__len(c->iov, c->nout) == c->out_len, "the out length is that of the pieces");
	must(iov__len(c->iov + c->nout, c->nin) == c->in_len, "and the in length");
	must(c->span_out + c->span_in <= VIRTIO_QUEUE_MAX, "as few addresses as descriptors");
	must(spans(c->span, c->span_out) == c->out_len, "for all that is read");
	must(spans(c->span + c->span_out, c->span_in) == c->in_len, "and written");
	for (int i = 0; i < c->nout + c->nin; i++) {
		const u8 *p = c->iov[i].iov_base;

		must(p >= ram && p <= ram + RAM_SIZE &&
			     c->iov[i].iov_len <= (u64)(ram + RAM_SIZE - p),
		     "every piece is memory");
	}
}

/* Answers with a sum of what it read, a chain or several at a time, or puts a chain back. */
static void dev_notify(struct virtio_dev *d, unsigned int q)
{
	static struct virtq_chain c;
	struct virtq_used used[8];
	const u8 how = in__u8(program);
	u8 buf[512] = { 0 };
	unsigned int n = 0, turn = 0;

	must(q < NQ, "the queue exists");
	for (; turn < 64 && virtq__pop(d, q, &c) > 0; turn++) {
		check_chain(&c);
		if (how & 1 && turn == 3) {
			virtq__unpop(d, q, 1);
			break;
		}
		iov__read(c.iov, c.nout, buf, sizeof(buf));
		used[n++] = (struct virtq_used){
			c.head, iov__write(c.iov + c.nout, c.nin, buf, sizeof(buf))
		};
		if (n == ARRAY_SIZE(used) || !(how & 2)) {
			virtq__push_all(d, q, used, n);
			n = 0;
		}
	}
	if (n)
		virtq__push_all(d, q, used, n);
	if (turn)
		virtq__interrupt(d, q);
	if (turn == 64)
		virtq__again(d, q);
}

static void dev_nothing(struct virtio_dev *d)
{
}

static const struct virtio_ops ops = {
	.device_id = 4,
	.class_code = 0xff0000,
	.features = BIT(5),
	.nqueues = NQ,
	.cfg_len = sizeof(config),
	.cfg_read = dev_read,
	.cfg_write = dev_write,
	.start = dev_nothing,
	.notify = dev_notify,
	.reset = dev_nothing,
};

/* --- The driver --- */

static struct virtio_dev devs[2]; /* one of them behind an IOMMU */

static void setup(void)
{
	for (int i = 0; i < 2; i++) {
		fake_behind_iommu = i;
		devs[i].ops = &ops;
		if (virtio_pci__add(&vm, &devs[i], "virtio-fuzz"))
			abort();
	}
}

static void descriptor(struct input *in, u64 at)
{
	const u8 what = in__u8(in);
	u64 addr = DRV_DATA + (u64)in__u16(in) * 8;
	u32 len = in__u16(in);

	if (what & 8) { /* anywhere */
		addr = in__u64(in);
		len = in__u32(in);
	} else if (what & 16) { /* an indirect table */
		addr = DRV_TABLE + (addr & 0xff0);
		len &= 0xff0;
	}
	drv_desc_at(at, 0, addr, len, what & 7, in__u8(in));
}

static void registers(struct input *in, u8 what)
{
	const u32 len = 1 + (what >> 3) % 8, off = in__u16(in) % 0x4000;

	if (off > 0x4000 - len)
		return;
	if (what & 0x40)
		put(off, len, in__u64(in));
	else
		get(off, len);
}

static void step(struct input *in)
{
	const u8 what = in__u8(in);
	u16 i;

	switch (what & 7) {
	case 0:
		registers(in, what);
		break;
	case 1:
		descriptor(in, DRV_DESC + 16 * (u64)(in__u8(in) % 64));
		break;
	case 2:
		descriptor(in, DRV_TABLE + 16 * (u64)(in__u8(in) % 64));
		break;
	case 3:
		drv_add(in__u8(in) % 80);
		break;
	case 4: /* rings and what is around them */
		poke16(DRV_DESC + in__u16(in) % (DRV_DATA - DRV_DESC - 1), in__u16(in));
		break;
	case 5: /* the IOMMU changes its mind */
		i = in__u8(in) % 32;
		iova[i] = what & 8 ? IOVA_NONE : in__u8(in);
		iova_ro[i] = what & 16;
		break;
	case 6:
		if (what & 8)
			put(20, 1, in__u8(in));
		else
			fake_master = what & 16;
		break;
	case 7:
		driven_queue = (what >> 3) % NQ;
		ring();
		must(settle(), "the device comes to rest");
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	const u8 how = in__u8(&in);
	u64 features = 0;

	program = &in;
	if (!devs[0].transport)
		setup();
	fake_behind_iommu = how & 1;
	fake_master = true;
	fired_bad = 0;
	memset(ram, 0, sizeof(ram));
	if (how & 2)
		features |= BIT(VIRTIO_RING_F_INDIRECT_DESC);
	if (how & 4)
		features |= BIT(VIRTIO_RING_F_EVENT_IDX);
	drive(&devs[how & 1], 0, features);
	while (in.left)
		step(&in);
	put(20, 1, 0);
	must(settle(), "and after a reset");
	must(get(20, 1) == 0, "which the status shows");
	must(!doorbell_errors, "no doorbell is taken away twice");
	return 0;
}
