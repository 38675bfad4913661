/* SPDX-License-Identifier: GPL-2.0-only */
/* vhost behind an IOMMU: translations, their ends, and what the IOMMU refuses. */

#include "lkvm/module.h"

#include "tests/unit/vhost_fake.h"

static struct vm vm = { .cpus = 1 };
static struct virtio_dev dev;
static struct vhost vhost = { .fd = -1 };
static unsigned int resets;

/* --- A device of two queues, both vhost's --- */

static void dev_start(struct virtio_dev *d)
{
	if (vhost__start(&vhost, 0))
		virtio__fail(d, vhost.failed);
}

static void dev_notify(struct virtio_dev *d, unsigned int q)
{
}

static void dev_reset(struct virtio_dev *d)
{
	resets++;
	vhost__stop(&vhost);
}

static const struct virtio_ops ops = {
	.device_id = 42, .nqueues = 2, .start = dev_start, .notify = dev_notify, .reset = dev_reset
};

static int init(void)
{
	dev = (struct virtio_dev){ .ops = &ops };
	if (virtio_pci__add(&vm, &dev, "test"))
		exit(1);
	driven = &dev;
	return vhost__init(&vhost, &vm, kernel.fd, &dev, 0, 2);
}

static void end(void)
{
	vhost__exit(&vhost);
	virtio_pci__del(&dev);
}

#define AT(page) ((u64)(page)*PAGE)

/* Up to, but without, DRIVER_OK.  Pages are mixed, so no ring is where its address says. */
static void prepare(void)
{
	drv_reset(0);
	for (unsigned int i = 0; i < PAGES; i++)
		iova[i] = PAGES - 1 - i;
	dma_faults = 0;
	drv_queue(0);
	drv_queue(1);
}

static void go(void)
{
	prepare();
	put(20, 1, 15);
	kernel.updates = kernel.invalidations = 0;
}

/* vhost asks, and the loop turns. */
static const struct vhost_iotlb_msg *asks(u64 addr, u8 perm)
{
	ask(addr, perm);
	settle();
	return tlb_find(addr);
}

static bool is_at(const struct vhost_iotlb_msg *e, u64 addr)
{
	u64 page = (addr >= 0 - (u64)RAM_SIZE ? addr + RAM_SIZE : addr) / PAGE;

	return e && e->iova == ALIGN_DOWN(addr, PAGE) &&
	       e->uaddr == (uintptr_t)ram + AT(iova[page]);
}

/* --- The tests --- */

static void test_init(void)
{
	vhost_open();
	kernel.features &= ~BIT(VIRTIO_F_ACCESS_PLATFORM);
	eq(-init(), EOPNOTSUPP, "a vhost without ACCESS_PLATFORM");
	end();
	vhost_open();
	kernel.backend_features = 0;
	eq(-init(), EOPNOTSUPP, "without messages");
	end();
	vhost_open();
	refuse = VHOST_GET_BACKEND_FEATURES;
	refuse_error = ENOTTY;
	eq(-init(), EOPNOTSUPP, "that does not know what a backend feature is");
	refuse = 0;
	end();
	vhost_open();
	refuse = VHOST_SET_BACKEND_FEATURES;
	refuse_error = EINVAL;
	eq(-init(), EINVAL, "that fails");
	refuse = 0;
	end();
	ok(!watching() && !listening, "nothing is left of any");

	fake_behind_iommu = false;
	vhost_open();
	eq(init(), 0, "without an IOMMU");
	ok(!listening && !kernel.backend_told, "there is nothing to translate");
	drv_reset(0);
	drv_queue(0);
	drv_queue(1);
	put(20, 1, 15);
	ok(vhost.running && !(kernel.told & BIT(VIRTIO_F_ACCESS_PLATFORM)) &&
	       kernel.addr[1].avail_user_addr == (uintptr_t)ram + DRV_AVAIL && !kernel.updates,
	   "and the rings are pointers");
	end();
	fake_behind_iommu = true;
}

static void test_misses(void)
{
	const struct vhost_iotlb_msg *e;

	prepare();
	ok(!kernel.ntlb, "no translation is given before DRIVER_OK");
	put(20, 1, 15);
	ok(vhost.running && kernel.told & BIT(VIRTIO_F_ACCESS_PLATFORM) &&
	       kernel.backend_told == BIT(VHOST_BACKEND_F_IOTLB_MSG_V2),
	   "vhost runs, and translates");
	ok(kernel.addr[0].desc_user_addr == DRV_DESC && kernel.addr[1].avail_user_addr == DRV_AVAIL,
	   "from the driver's addresses");
	e = tlb_find(DRV_USED);
	ok(kernel.updates == 2 && is_at(e, DRV_USED) && e->perm == VHOST_ACCESS_RW,
	   "it is given the used rings and no more");

	e = asks(DRV_DESC + 0x123, VHOST_ACCESS_RO);
	ok(is_at(e, DRV_DESC) && e->size == PAGE && kernel.updates == 3, "a miss is answered");
	eq(e->perm, VHOST_ACCESS_RW, "with all that is allowed there");
	iova_ro[20] = true;
	e = asks(AT(20), VHOST_ACCESS_RO);
	ok(is_at(e, AT(20)) && e->perm == VHOST_ACCESS_RO, "which can be to read only");
	e = asks(-(u64)PAGE + 8, VHOST_ACCESS_WO);
	ok(is_at(e, -(u64)PAGE), "the last page there is");
	ok(!dma_faults && !messages && !broken_dev(), "none of that is a fault");
}

static void test_refused(void)
{
	go();
	iova[30] = IOVA_NONE;
	ok(!asks(AT(30), VHOST_ACCESS_RO) && !kernel.updates, "a refused miss is not answered");
	ok(dma_faults == 1 && messages == 1 && broken_dev(), "it is one fault, and NEEDS_RESET");
	asks(AT(30), VHOST_ACCESS_RO);
	asks(AT(31), VHOST_ACCESS_RO);
	ok(dma_faults == 1 && messages == 1 && !kernel.updates, "however often vhost asks");

	go();
	ok(!broken_dev() && asks(AT(30), VHOST_ACCESS_RO), "until the driver resets it");
	iova_ro[32] = true;
	ok(!asks(AT(32), VHOST_ACCESS_WO), "a write to what is to be read only");
	ok(dma_faults == 1 && broken_dev(), "is refused as well");

	prepare();
	iova[DRV_USED / PAGE] = IOVA_NONE;
	put(20, 1, 15);
	ok(broken_dev() && !vhost.running && kernel.kick[0] == -1 && !kernel.ntlb,
	   "a used ring that is refused");
	ok(dma_faults == 1 && strstr(last_msg, "used ring"), "says: %s", last_msg);

	go();
	refuse_msg = VHOST_IOTLB_UPDATE;
	asks(DRV_DESC, VHOST_ACCESS_RO);
	refuse_msg = 0;
	ok(broken_dev() && strstr(last_msg, "does not take"), "says: %s", last_msg);
}

static void test_invalidate(void)
{
	const struct vhost_iotlb_msg *e;
	struct dma_listener *l;
	unsigned int before;

	go();
	l = listening;
	ok(l && !l->ats, "the IOMMU tells it, as one without ATS");
	for (unsigned int i = 40; i < 48; i++)
		asks(AT(i), VHOST_ACCESS_RO);
	l->invalidate(l, DMA_NO_PASID, AT(42), PAGE, false);
	ok(!tlb_find(AT(42)) && tlb_find(AT(41)) && tlb_find(AT(43)), "a page");
	l->invalidate(l, DMA_NO_PASID, AT(44), 3 * PAGE, false);
	ok(!tlb_find(AT(44)) && !tlb_find(AT(46)) && tlb_find(AT(47)), "a range");
	iova[42] = 7;
	ok(is_at(asks(AT(42), VHOST_ACCESS_RO), AT(42)), "what vhost asks for then is new");
	asks(-(u64)PAGE, VHOST_ACCESS_RO);
	asks(-2 * (u64)PAGE, VHOST_ACCESS_RO);
	l->invalidate(l, DMA_NO_PASID, -(u64)PAGE, PAGE, false);
	ok(!tlb_find(-(u64)PAGE) && tlb_find(-2 * (u64)PAGE), "the last page");
	asks(-(u64)PAGE, VHOST_ACCESS_RO);
	l->invalidate(l, DMA_NO_PASID, -(u64)PAGE, 5 * PAGE, false);
	ok(!tlb_find(-(u64)PAGE) && tlb_find(AT(40)), "a range that runs over the end");
	l->invalidate(l, DMA_NO_PASID, 0, AT(41), false);
	ok(!tlb_find(AT(40)) && tlb_find(AT(41)), "one from the start");
	asks(-(u64)PAGE, VHOST_ACCESS_RO);
	before = kernel.invalidations;
	l->invalidate(l, DMA_NO_PASID, 0, 0, true);
	ok(!kernel.ntlb && kernel.invalidations == before + 2, "everything");
	ok(!broken_dev() && vhost.running && tlb_find(AT(1)) == NULL &&
	       is_at(asks(DRV_USED, VHOST_ACCESS_WO), DRV_USED),
	   "and it goes on");

	iova_identity();
	iova_page = 2 * MiB;
	l->invalidate(l, DMA_NO_PASID, 0, 0, true);
	e = asks(AT(20) + 8, VHOST_ACCESS_RO);
	ok(e && !e->iova && e->size == 2 * MiB && e->uaddr == (uintptr_t)ram,
	   "a large page is given as a whole");
	l->invalidate(l, DMA_NO_PASID, AT(5), PAGE, false);
	ok(!kernel.ntlb, "and goes with any part of it");
	iova_page = PAGE;

	refuse_msg = VHOST_IOTLB_INVALIDATE;
	before = resets;
	l->invalidate(l, DMA_NO_PASID, AT(1), PAGE, false);
	refuse_msg = 0;
	ok(broken_dev() && resets == before + 1 && !vhost.running && kernel.kick[1] == -1 &&
	       !kernel.ntlb,
	   "where that fails the queues are taken back, and all translations with them");
}

static void test_reset(void)
{
	struct dma_listener *l;

	for (int old = 0; old < 2; old++) {
		kernel.keeps_questions = old;
		go();
		l = listening;
		asks(AT(50), VHOST_ACCESS_RO);
		ask(AT(51), VHOST_ACCESS_RO);
		put(20, 1, 0);
		ok(!kernel.ntlb && !kernel.nasked && !vhost.running,
		   "a reset ends translations and questions%s",
		   old ? ", on an old kernel too" : "");
		kernel.invalidations = 0;
		l->invalidate(l, DMA_NO_PASID, 0, 0, true);
		ask(AT(51), VHOST_ACCESS_RO);
		settle();
		ok(!kernel.invalidations && !kernel.ntlb && !dma_faults, "and nothing is told");
	}
	kernel.keeps_questions = false;
	ask(AT(52), VHOST_ACCESS_RO);
	clear_questions();
	ok(settle(), "a question that is gone again blocks nobody");
}

/* Whatever happens, vhost has no translation that the IOMMU would not give it now. */
static void test_random(void)
{
	unsigned int seed = 1, bad = 0, given = 0;

	go();
	for (int step = 0; step < 20000; step++) {
		unsigned int page = 32 + rand_r(&seed) % 24, n = rand_r(&seed) % 4, what;

		if (rand_r(&seed) & 1) {
			if (iova[page] != IOVA_NONE && !tlb_find(AT(page)))
				given += asks(AT(page) + 8, VHOST_ACCESS_RO) != NULL;
		} else {
			for (unsigned int i = page; i <= page + n; i++) {
				what = rand_r(&seed);
				iova[i] = what & 7 ? what >> 8 & (PAGES - 1) : IOVA_NONE;
				iova_ro[i] = what & 8;
			}
			what = rand_r(&seed) & 7;
			listening->invalidate(listening, DMA_NO_PASID, what ? AT(page) : 0,
					      what ? AT(n + 1) : 0, what == 1);
		}
		for (unsigned int i = 0; i < kernel.ntlb; i++) {
			const struct vhost_iotlb_msg *e = &kernel.tlb[i];
			const u64 p = e->iova / PAGE;

			bad += iova[p] == IOVA_NONE || !is_at(e, e->iova) || e->size != PAGE ||
			       e->perm != (iova_ro[p] ? VHOST_ACCESS_RO : VHOST_ACCESS_RW);
		}
	}
	ok(!bad && given > 1000 && !dma_faults, "%u translations, none outlives its end", given);
}

int main(void)
{
	fake_behind_iommu = true;
	test_init();
	vhost_open();
	eq(init(), 0, "a vhost that translates");
	test_misses();
	test_refused();
	test_invalidate();
	test_reset();
	test_random();
	end();
	ok(!watching() && !listening, "nothing is left");
	return tap_done();
}
