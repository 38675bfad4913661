/* SPDX-License-Identifier: GPL-2.0-only */
/* Split virtqueues: what a good driver sees, and that a bad one only stops its device. */

#include "virtio/chain.c"
#include "virtio/queue.c"

#include "tests/unit/virtio_fake.h"

static struct virtq vq;
static struct virtio_dev dev = { .vq = &vq };
static struct virtq_chain chain;
static unsigned int signals, agains, bad_spans;
static const char *failed;

void virtio__fail(struct virtio_dev *d, const char *why)
{
	failed = why;
	d->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
}

void virtio_pci__signal(struct virtio_dev *d, u16 vector)
{
	signals++;
}

void virtq__again(struct virtio_dev *d, unsigned int q)
{
	agains++;
}

static void fresh(u16 size, u64 features)
{
	memset(ram, 0, sizeof(ram));
	iova_identity();
	virtq__reset(&vq);
	drv_size = vq.size = size;
	vq.desc.addr = DRV_DESC;
	vq.avail.addr = DRV_AVAIL;
	vq.used.addr = DRV_USED;
	dev.driver_features = features;
	dev.status = VIRTIO_CONFIG_S_DRIVER_OK;
	dev.pci.dma.ops = fake_behind_iommu ? &fake_iommu_ops : NULL;
	fake_master = true;
	failed = NULL;
	signals = agains = dma_faults = 0;
	dev.walked = 0;
	virtq__enable(&dev, &vq);
}

static u64 spans(int first, int n)
{
	u64 len = 0;

	for (int i = first; i < first + n; i++)
		len += chain.span[i].len;
	return len;
}

static int pop(void)
{
	int n = virtq__pop(&dev, 0, &chain);

	if (n > 0)
		bad_spans += spans(0, chain.span_out) != chain.out_len ||
			     spans(chain.span_out, chain.span_in) != chain.in_len;
	return n;
}

static void test_good(const char *how)
{
	fresh(8, 0);
	eq(pop(), 0, "%s: nothing available", how);
	drv_desc(3, DRV_DATA, 16, NEXT, 5);
	drv_desc(5, DRV_DATA + 0x1000, 512, NEXT | WRITE, 1);
	drv_desc(1, DRV_DATA + 0x3000, 1, WRITE, 0);
	drv_add(3);
	eq(pop(), 1, "%s: a chain", how);
	ok(chain.head == 3 && chain.nout == 1 && chain.nin == 2 && !chain.error, "%s: its shape",
	   how);
	ok(chain.out_len == 16 && chain.in_len == 513, "%s: its lengths", how);
	ok(chain.iov[0].iov_base == ram + DRV_DATA && chain.iov[1].iov_len == 512 &&
	       chain.iov[2].iov_base == ram + DRV_DATA + 0x3000,
	   "%s: its pieces", how);
	ok(chain.span_out == 1 && chain.span_in == 2 && chain.span[1].addr == DRV_DATA + 0x1000 &&
	       chain.span[1].len == 512,
	   "%s: their addresses", how);
	eq(drv_used_idx(), 0, "%s: not yet used", how);
	virtq__push(&dev, 0, chain.head, 513);
	ok(drv_used_idx() == 1 && drv_used_id(0) == 3 && drv_used_len(0) == 513,
	   "%s: on the used ring", how);
	virtq__interrupt(&dev, 0);
	eq(signals, 1, "%s: an interrupt", how);
	poke16(DRV_AVAIL, VRING_AVAIL_F_NO_INTERRUPT);
	virtq__interrupt(&dev, 0);
	eq(signals, 1, "%s: none when the driver's flag forbids", how);
	eq(pop(), 0, "%s: taken once", how);
	ok(!failed, "%s: no complaint", how);
}

/* The 16-bit indices wrap while the ring is in use. */
static void test_wrap(void)
{
	unsigned int bad = 0, n = 70000;

	fresh(4, 0);
	for (u16 i = 0; i < 4; i++)
		drv_desc(i, DRV_DATA + 64 * i, 64, WRITE, 0);
	for (unsigned int i = 0; i < n; i++) {
		drv_add(i % 4);
		if (pop() != 1 || chain.head != i % 4)
			bad++;
		virtq__push(&dev, 0, chain.head, i);
		if (drv_used_idx() != (u16)(i + 1) || drv_used_len(i) != i)
			bad++;
	}
	eq(bad, 0, "%u requests through a ring of 4", n);
}

static void test_event_idx(void)
{
	fresh(4, BIT(VIRTIO_RING_F_EVENT_IDX));
	for (u16 i = 0; i < 4; i++)
		drv_desc(i, DRV_DATA, 1, WRITE, 0);
	eq(pop(), 0, "event-idx: empty");
	eq(peek16(DRV_USED + 4 + 8 * 4), 0, "event-idx: notify me of entry 0");
	drv_add(0);
	drv_add(1);
	eq(pop(), 1, "event-idx: first");
	eq(pop(), 1, "event-idx: second");
	eq(pop(), 0, "event-idx: empty again");
	eq(peek16(DRV_USED + 4 + 8 * 4), 2, "event-idx: notify me of entry 2");
	poke16(DRV_AVAIL + 4 + 2 * 4, 1); /* used_event */
	virtq__push(&dev, 0, 0, 0);
	virtq__interrupt(&dev, 0);
	eq(signals, 1, "event-idx: the first interrupt is always sent");
	virtq__push(&dev, 0, 1, 0);
	virtq__interrupt(&dev, 0);
	eq(signals, 2, "event-idx: entry 1 was waited for");
	virtq__interrupt(&dev, 0);
	eq(signals, 2, "event-idx: but once");
	drv_add(2);
	pop();
	virtq__push(&dev, 0, 2, 0);
	virtq__interrupt(&dev, 0);
	eq(signals, 2, "event-idx: entry 2 was not waited for");
	poke16(DRV_AVAIL + 4 + 2 * 4, 3);
	drv_add(3);
	pop();
	virtq__push(&dev, 0, 3, 0);
	virtq__interrupt(&dev, 0);
	eq(signals, 3, "event-idx: entry 3 was");

	/* Every second entry, for longer than the indices last. */
	signals = 0;
	for (unsigned int i = 4; i < 70004; i++) {
		poke16(DRV_AVAIL + 4 + 2 * 4, i | 1);
		drv_add(i % 4);
		pop();
		virtq__push(&dev, 0, chain.head, 0);
		virtq__interrupt(&dev, 0);
	}
	eq(signals, 35000, "event-idx: half of 70000");
}

static void test_indirect(void)
{
	fresh(8, BIT(VIRTIO_RING_F_INDIRECT_DESC));
	drv_desc(2, DRV_DATA, 16, NEXT, 4);
	/* Flags other than NEXT of an indirect descriptor are ignored: WRITE here */
	drv_desc(4, DRV_TABLE + 8, 3 * 16, INDIRECT | WRITE, 0);
	drv_desc_at(DRV_TABLE + 8, 0, DRV_DATA + 0x100, 16, NEXT, 2);
	drv_desc_at(DRV_TABLE + 8, 2, DRV_DATA + 0x200, 32, WRITE, 0);
	drv_add(2);
	eq(pop(), 1, "direct, then an unaligned indirect table");
	ok(chain.head == 2 && chain.nout == 2 && chain.nin == 1 && chain.out_len == 32,
	   "both parts are there");

	/* More entries than the queue has, as seg_max allows. */
	fresh(8, BIT(VIRTIO_RING_F_INDIRECT_DESC));
	for (unsigned int i = 0; i < 256; i++)
		drv_desc_at(DRV_TABLE, i, DRV_DATA + 32 * i, 16, i < 255 ? NEXT : 0, i + 1);
	drv_desc(0, DRV_TABLE, 256 * 16, INDIRECT, 0);
	drv_add(0);
	eq(pop(), 1, "256 descriptors in an indirect table");
	eq(chain.nout, 256, "as many pieces");
	/* Neighbours become one piece. */
	fresh(8, 0);
	drv_desc(0, DRV_DATA, 16, NEXT, 1);
	drv_desc(1, DRV_DATA + 16, 16, NEXT, 2);
	drv_desc(2, DRV_DATA + 32, 16, NEXT | WRITE, 3);
	drv_desc(3, DRV_DATA + 48, 16, WRITE, 0);
	drv_add(0);
	eq(pop(), 1, "four neighbours");
	ok(chain.nout == 1 && chain.nin == 1 && chain.iov[1].iov_len == 32,
	   "two pieces: directions are not mixed");
}

static void refuse(const char *what)
{
	int got = pop();

	eq(got, -EINVAL, "%s: refused", what);
	ok(failed && (dev.status & VIRTIO_CONFIG_S_NEEDS_RESET), "%s: NEEDS_RESET (%s)", what,
	   failed ? failed : "-");
	virtq__push(&dev, 0, 0, 1);
	virtq__interrupt(&dev, 0);
	ok(drv_used_idx() == 0 && !signals, "%s: nothing is written or signalled after", what);
	eq(pop(), -EINVAL, "%s: and stays refused", what);
}

static void bad_head(u16 head)
{
	fresh(8, 0);
	drv_add(head);
}

static void test_abuse(void)
{
	u64 ind = BIT(VIRTIO_RING_F_INDIRECT_DESC);

	bad_head(8);
	refuse("a head beyond the table");
	bad_head(0xffff);
	refuse("head ffff");

	fresh(8, 0);
	drv_desc(0, DRV_DATA, 1, NEXT, 8);
	drv_add(0);
	refuse("a next beyond the table");

	fresh(8, 0);
	drv_desc(0, DRV_DATA, 1, NEXT, 1);
	drv_desc(1, DRV_DATA, 1, NEXT, 0);
	drv_add(0);
	refuse("a loop");
	fresh(8, 0);
	drv_desc(0, DRV_DATA, 1, NEXT, 0);
	drv_add(0);
	refuse("a loop of one");
	fresh(8, ind);
	drv_desc(0, DRV_TABLE, 16, INDIRECT, 0);
	drv_desc_at(DRV_TABLE, 0, DRV_DATA, 0, NEXT, 0);
	drv_add(0);
	refuse("an indirect loop of empty buffers");

	fresh(8, 0);
	poke16(DRV_AVAIL + 2, 9);
	refuse("avail idx beyond the ring");
	fresh(8, 0);
	poke16(DRV_AVAIL + 2, 0xffff);
	refuse("avail idx backwards");

	fresh(8, 0);
	drv_desc(0, DRV_DATA, 1, NEXT | WRITE, 1);
	drv_desc(1, DRV_DATA, 1, 0, 0);
	drv_add(0);
	refuse("out after in");

	fresh(8, 0);
	drv_desc(0, DRV_TABLE, 16, INDIRECT, 0);
	drv_add(0);
	refuse("indirect without the feature");
	fresh(8, ind);
	drv_desc(0, DRV_TABLE, 32, INDIRECT, 0);
	drv_desc_at(DRV_TABLE, 0, DRV_TABLE, 32, INDIRECT, 0);
	drv_add(0);
	refuse("indirect in indirect");
	fresh(8, ind);
	drv_desc(0, DRV_TABLE, 16, INDIRECT | NEXT, 1);
	drv_add(0);
	refuse("indirect with a next");
	for (u32 len = 0; len < 48; len += 15) {
		fresh(8, ind);
		drv_desc(0, DRV_TABLE, len == 45 ? ~0u : len, INDIRECT, 0);
		drv_add(0);
		refuse("an indirect table of odd length");
	}
	fresh(8, ind);
	drv_desc(0, ~0ULL - 15, 32, INDIRECT, 0);
	drv_add(0);
	refuse("an indirect table that wraps");
	fresh(8, ind);
	drv_desc(0, RAM_SIZE, 16, INDIRECT, 0);
	drv_add(0);
	refuse("an indirect table outside RAM");
	fresh(8, ind);
	drv_desc(0, DRV_TABLE, 0xfffffff0, INDIRECT, 0);
	for (unsigned int i = 0; i < 257; i++)
		drv_desc_at(DRV_TABLE, i, DRV_DATA, 1, i < 256 ? NEXT : 0, i + 1);
	drv_add(0);
	refuse("257 descriptors");

	fresh(8, 0);
	for (u16 i = 0; i < 3; i++)
		drv_desc(i, 0, 0x80000000, i < 2 ? NEXT : 0, i + 1);
	drv_add(0);
	refuse("more than 4 GiB in total");

	/* Each head is out once: a ninth cannot be there. */
	fresh(8, 0);
	drv_desc(0, DRV_DATA, 1, 0, 0);
	for (int i = 0; i < 8; i++) {
		drv_add(0);
		pop();
	}
	drv_add(0);
	refuse("more chains than descriptors");
}

static void test_errors(void)
{
	/* A bad buffer in front: the last one is still found. */
	fresh(8, 0);
	drv_desc(0, DRV_DATA, 16, NEXT, 1);
	drv_desc(1, RAM_SIZE - 8, 16, NEXT | WRITE, 2);
	drv_desc(2, DRV_DATA + 7, 1, WRITE, 0);
	drv_add(0);
	eq(pop(), 1, "a buffer outside RAM costs only the request");
	ok(chain.error == -EFAULT && chain.nout == 0 && chain.nin == 1 && chain.in_len == 1,
	   "only the last piece is given");
	ok(chain.iov[0].iov_base == ram + DRV_DATA + 7, "which is the status");
	virtq__push(&dev, 0, chain.head, 1);
	eq(drv_used_idx(), 1, "and the chain can be given back");
	drv_desc(3, DRV_DATA, 16, NEXT, 4);
	drv_desc(4, ~0ULL, 2, WRITE, 0);
	drv_add(3);
	eq(pop(), 1, "a last buffer that wraps");
	ok(chain.error == -EFAULT && !chain.nin && !chain.nout && !chain.in_len, "gives nothing");
	drv_desc(5, RAM_SIZE, 1, NEXT, 6);
	drv_desc(6, DRV_DATA, 64, 0, 0);
	drv_add(5);
	eq(pop(), 1, "a chain without an in part whose head is bad");
	ok(chain.error && !chain.nin && !chain.nout && !chain.out_len, "gives nothing either");
	ok(!failed, "the device lives");
	drv_desc(7, DRV_DATA, 0, WRITE, 0);
	drv_add(7);
	eq(pop(), 1, "an empty buffer");
	ok(!chain.error && !chain.nin && !chain.in_len, "is no piece");
}

static void test_iommu(void)
{
	fake_behind_iommu = true;
	test_good("iommu");
	test_wrap();

	/* Scattered: pages in reverse are pieces, pages in order are one. */
	fresh(8, 0);
	for (unsigned int i = 0; i < 8; i++)
		iova[0x20 + i] = 0x37 - i;
	drv_desc(0, 0x20800, 7 * PAGE, NEXT, 1);
	drv_desc(1, 0x40800, 0x7000, WRITE, 0);
	drv_add(0);
	eq(pop(), 1, "a scattered buffer");
	ok(chain.nout == 8 && chain.nin == 1, "page by page where it must, whole where it can");
	eq(chain.out_len, 7 * PAGE, "nothing is lost");
	ok(chain.iov[7].iov_base == ram + 0x30000 && chain.iov[7].iov_len == 0x800, "the end");

	/* The last bytes of the IOVA space and the first are no neighbours. */
	fresh(8, 0);
	drv_desc(0, 0 - 256 * KiB, 512 * KiB, NEXT, 1);
	drv_desc(1, DRV_DATA, 1, WRITE, 0);
	drv_add(0);
	eq(pop(), 1, "a buffer around the end of the IOVA space");
	eq(chain.error, -EFAULT, "is refused, though both its halves are mapped");

	/* The IOMMU takes a ring away between two requests. */
	fresh(8, 0);
	drv_desc(0, DRV_DATA, 1, WRITE, 0);
	drv_add(0);
	pop();
	iova_ro[DRV_USED / PAGE] = true;
	virtq__push(&dev, 0, 0, 1);
	ok(failed && drv_used_idx() == 0, "a used ring that became read-only");
	fresh(8, 0);
	drv_desc(0, DRV_DATA, 1, WRITE, 0);
	drv_add(0);
	iova[DRV_DESC / PAGE] = IOVA_NONE;
	refuse("a descriptor table that is gone");
	fresh(8, 0);
	iova[DRV_AVAIL / PAGE] = IOVA_NONE;
	refuse("an available ring that is gone");
	fresh(8, 0);
	drv_desc(0, DRV_DATA, 1, WRITE, 0);
	drv_add(0);
	iova_ro[DRV_DATA / PAGE] = true;
	eq(pop(), 1, "an in buffer that is read-only");
	eq(chain.error, -EFAULT, "is an error of the request");

	/* The ring moves in memory under the same IOVA. */
	fresh(8, 0);
	memcpy(ram + 0x50000, ram + DRV_AVAIL, PAGE);
	iova[DRV_AVAIL / PAGE] = 0x50;
	drv_desc(0, DRV_DATA, 1, WRITE, 0);
	poke16(0x50002, 1);
	eq(pop(), 1, "translations are not kept");

	/* More pieces than fit: every page alternates between two places. */
	fresh(256, BIT(VIRTIO_RING_F_INDIRECT_DESC));
	for (unsigned int i = 0x10; i < PAGES; i++)
		iova[i] = 0x80 + (i & 1) * 4;
	for (unsigned int i = 0; i < 9; i++)
		drv_desc(i, 0x10000, 0xf0000, NEXT | WRITE, i + 1);
	drv_desc(9, 0x5008, 1, WRITE, 0);
	drv_add(0);
	eq(pop(), 1, "more pieces than fit");
	ok(chain.error == -E2BIG && chain.nin == 1 && chain.iov[0].iov_base == ram + 0x5008,
	   "cost the request, and its status is found");
	fake_behind_iommu = false;
}

static void test_enable(void)
{
	static const struct {
		u64 desc, avail, used;
		const char *what;
	} bad[] = {
		{ DRV_DESC + 8, DRV_AVAIL, DRV_USED, "desc" },
		{ DRV_DESC, DRV_AVAIL + 1, DRV_USED, "avail" },
		{ DRV_DESC, DRV_AVAIL, DRV_USED + 2, "used" },
		{ ~0ULL - 15, DRV_AVAIL, DRV_USED, "desc wraps" },
		{ DRV_DESC, ~0ULL - 1, DRV_USED, "avail wraps" },
		{ DRV_DESC, DRV_AVAIL, ~0ULL - 3, "used wraps" },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		fresh(8, 0);
		virtq__reset(&vq);
		vq.desc.addr = bad[i].desc;
		vq.avail.addr = bad[i].avail;
		vq.used.addr = bad[i].used;
		ok(virtq__enable(&dev, &vq) && !vq.enabled, "enable: %s refused", bad[i].what);
		eq(pop(), 0, "enable: %s: and not used", bad[i].what);
	}
	fresh(8, 0);
	virtq__reset(&vq);
	vq.desc.addr = vq.avail.addr = vq.used.addr = RAM_SIZE;
	ok(!virtq__enable(&dev, &vq), "a ring outside RAM is found out when it is used");
	refuse("a ring outside RAM");

	fresh(8, 0);
	drv_desc(0, DRV_DATA, 1, WRITE, 0);
	drv_add(0);
	fake_master = false;
	eq(pop(), 0, "nothing is taken without bus mastering");
	virtq__push(&dev, 0, 0, 1);
	eq(drv_used_idx(), 0, "nor written");
}

/* Looking up gigabytes of buffers takes long: a queue of them is taken in several turns. */
static void test_turns(void)
{
	unsigned int turns = 0, taken = 0;

	fresh(8, BIT(VIRTIO_RING_F_INDIRECT_DESC));
	for (unsigned int i = 0; i < 256; i++)
		drv_desc_at(DRV_TABLE, i, DRV_DATA, 512 * KiB, i < 255 ? NEXT : 0, i + 1);
	for (u16 i = 0; i < 8; i++) {
		drv_desc(i, DRV_TABLE, 256 * 16, INDIRECT, 0);
		drv_add(i);
	}
	while (taken < 8 && turns < 20) {
		agains = 0;
		dev.walked = 0; /* as virtio_pci__notify() does */
		turns++;
		while (pop() == 1)
			taken++;
		if (taken < 8)
			ok(agains == 1 && taken == turns, "a turn ends with 128 MiB");
	}
	ok(taken == 8 && turns == 8 && !failed, "all are taken");
	fresh(8, 0);
	for (u16 i = 0; i < 8; i++) {
		drv_desc(i, DRV_DATA, 512 * KiB, WRITE, 0);
		drv_add(i);
	}
	for (taken = 0; pop() == 1; taken++)
		;
	ok(taken == 8 && !agains, "usual requests are taken in one");
}

/* Random rings: whatever happens, it ends, and the pieces are RAM. */
static void test_random(void)
{
	unsigned int seed = 12345, bad = 0, good = 0, broke = 0;

	for (int round = 0; round < 4000; round++) {
		fake_behind_iommu = round & 1;
		fresh(16, (round & 2 ? BIT(VIRTIO_RING_F_INDIRECT_DESC) : 0) |
			      (round & 4 ? BIT(VIRTIO_RING_F_EVENT_IDX) : 0));
		for (unsigned int i = 0; i < 48; i++) {
			u64 table = i < 16 ? DRV_DESC : DRV_TABLE;
			bool wild = !(rand_r(&seed) % 16);
			u32 addr = wild ? (u32)rand_r(&seed) : DRV_TABLE + i % 3 * 0x990;
			u32 len = wild ? rand_r(&seed) : 16 * (rand_r(&seed) % 64);

			drv_desc_at(table, i % 32, addr, len,
				    rand_r(&seed) & (rand_r(&seed) % 4 ? 3 : 7),
				    rand_r(&seed) % (wild ? 99 : 16));
			iova[rand_r(&seed) % PAGES] = rand_r(&seed) % 8 ? 5 : IOVA_NONE;
		}
		for (int i = 0; i < 16; i++)
			drv_add(rand_r(&seed) % 17);
		while (pop() == 1) {
			good++;
			for (int i = 0; i < chain.nout + chain.nin; i++) {
				u8 *p = chain.iov[i].iov_base;

				if (p < ram || p + chain.iov[i].iov_len > ram + RAM_SIZE)
					bad++;
			}
			virtq__push(&dev, 0, chain.head, chain.in_len);
			virtq__interrupt(&dev, 0);
		}
		broke += failed != NULL;
	}
	fake_behind_iommu = false;
	eq(bad, 0, "random rings: %u chains, %u rings given up", good, broke);
	ok(good > 500 && broke > 500, "random rings: of both kinds there are many");
}

int main(void)
{
	test_good("plain");
	test_wrap();
	test_event_idx();
	test_indirect();
	test_abuse();
	test_errors();
	test_enable();
	test_iommu();
	test_turns();
	test_random();
	eq(bad_spans, 0, "addresses always are as long as pieces");
	return tap_done();
}
