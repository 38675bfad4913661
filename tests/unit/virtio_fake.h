/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_FAKE_H
#define VIRTIO_FAKE_H

/*
 * What virtio/ stands on, in miniature: 1 MiB of RAM, an IOMMU of one flat table, a PCI root that
 * only remembers, a loop that is polled.  And the driver's side of a split virtqueue.
 */

#include <errno.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "lkvm/bus.h"
#include "lkvm/check.h"
#include "lkvm/loop.h"
#include "lkvm/pci.h"
#include "lkvm/trace.h"
#include "lkvm/virtio.h"
#include "lkvm/vm.h"
#include "tests/unit/tap.h"

#define RAM_SIZE (1 * MiB)
#define PAGE	 4096u
#define PAGES	 (RAM_SIZE / PAGE)

static u8 ram[RAM_SIZE] __attribute__((aligned(4096)));

/* --- Memory --- */

#define IOVA_NONE 0xffff
static u16 iova[PAGES]; /* page of an IOVA, or IOVA_NONE */
static bool iova_ro[PAGES];
static unsigned int dma_faults;
static const struct dma_ops fake_iommu_ops;

static inline void iova_identity(void)
{
	for (unsigned int i = 0; i < PAGES; i++) {
		iova[i] = i;
		iova_ro[i] = false;
	}
}

static inline int fake_refuse(u8 access)
{
	dma_faults += !(access & DMA_PROBE);
	return -EFAULT;
}

int dma__map(struct dma_as *as, u64 addr, u64 len, u8 access, struct iovec *iov, int max)
{
	int n = 0;

	if (as->ops && addr >= 0 - RAM_SIZE) /* the top of the IOVA space mirrors the bottom */
		addr += RAM_SIZE;
	if (!len || addr >= RAM_SIZE || len > RAM_SIZE - addr)
		return fake_refuse(access);
	if (!as->ops) {
		iov[0] = (struct iovec){ ram + addr, len };
		return 1;
	}
	while (len) {
		u64 page = addr / PAGE, off = addr % PAGE, step = MIN(len, PAGE - off);

		if (iova[page] == IOVA_NONE || ((access & DMA_WRITE) && iova_ro[page]))
			return fake_refuse(access);
		if (n == max)
			return -E2BIG;
		iov[n++] = (struct iovec){ ram + iova[page] * PAGE + off, step };
		addr += step;
		len -= step;
	}
	return n;
}

/* The rest of a page, whose size the test can change to more than it has. */
static u64 iova_page = PAGE;

void *dma__piece(struct dma_as *as, u64 addr, u64 *len, u8 access)
{
	struct iovec iov;

	if (dma__map(as, addr, 1, access, &iov, 1) != 1)
		return NULL;
	*len = MIN(*len, iova_page - addr % iova_page);
	return iov.iov_base;
}

static struct dma_listener *listening;

void dma__listen(struct dma_as *as, struct dma_listener *l)
{
	listening = l;
}

void dma__unlisten(struct dma_as *as, struct dma_listener *l)
{
	listening = NULL;
}

int dma__read(struct dma_as *as, u64 addr, void *buf, u64 len)
{
	struct iovec iov[4];
	int n = dma__map(as, addr, len, DMA_READ, iov, 4);

	for (int i = 0; i < n; i++) {
		memcpy(buf, iov[i].iov_base, iov[i].iov_len);
		buf = (u8 *)buf + iov[i].iov_len;
	}
	return n < 0 ? n : 0;
}

int dma__write(struct dma_as *as, u64 addr, const void *buf, u64 len)
{
	struct iovec iov[4];
	int n = dma__map(as, addr, len, DMA_WRITE, iov, 4);

	for (int i = 0; i < n; i++) {
		memcpy(iov[i].iov_base, buf, iov[i].iov_len);
		buf = (const u8 *)buf + iov[i].iov_len;
	}
	return n < 0 ? n : 0;
}

/* --- Messages --- */

static char last_msg[512];
static unsigned int messages;

static inline void remember(const char *fmt, va_list ap)
{
	vsnprintf(last_msg, sizeof(last_msg), fmt, ap);
	messages++;
}

bool check__node(const char *label, const char *path, const char *module, const char *use)
{
	return true;
}

void pr_err(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	remember(fmt, ap);
	va_end(ap);
}

void pr_guest(struct ratelimit *rl, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	remember(fmt, ap);
	va_end(ap);
}

bool trace_on[TRACE_MAX];
void trace__emit(const char *event, const char *fmt, ...)
{
}

/* --- PCI --- */

static bool fake_master = true, fake_behind_iommu;

bool pci__bus_master(const struct pci_func *f)
{
	return fake_master;
}

#ifdef FAKE_TRANSPORT
static bool fake_msix = true;
static int fake_pci_error;
static unsigned int fired[VIRTIO_QUEUES + 1], fired_bad, nvectors;

void pci__init_func(struct pci_func *f, u16 vendor, u16 device, u32 class_code, u8 revision)
{
	memcpy(f->cfg, &vendor, 2);
	memcpy(f->cfg + 2, &device, 2);
	f->cfg[8] = revision;
	f->cap_free = 0x40;
}

void pci__set_subsystem(struct pci_func *f, u16 vendor, u16 device)
{
	memcpy(f->cfg + 0x2c, &vendor, 2);
	memcpy(f->cfg + 0x2e, &device, 2);
}

int pci__add_cap(struct pci_func *f, u8 id, const void *body, u32 len)
{
	u32 off = f->cap_free;

	f->cfg[off] = id;
	f->cfg[off + 1] = 0;
	memcpy(f->cfg + off + 2, body, len - 2);
	f->cfg[f->cap_last ? f->cap_last + 1 : 0x34] = off;
	f->cap_last = off;
	f->cap_free = ALIGN_UP(off + len, 4);
	return off;
}

int pci__add_bar(struct pci_func *f, int bar, u64 size, u32 flags)
{
	f->bar[bar].size = size;
	f->bar[bar].io = flags & 1;
	return 0;
}

int pci__add_msix(struct pci_func *f, int bar, unsigned int nvec, u32 table, u32 pba)
{
	nvectors = nvec;
	return 0;
}

void pci__msix_fire(struct pci_func *f, unsigned int vec)
{
	if (vec < nvectors)
		fired[vec]++;
	else
		fired_bad++;
}

bool pci__msix_enabled(const struct pci_func *f)
{
	return fake_msix;
}

int pci__add(struct pci_root *root, struct pci_func *f, int devfn)
{
	if (fake_pci_error)
		return fake_pci_error;
	f->dma.ops = fake_behind_iommu ? &fake_iommu_ops : NULL;
	return 0;
}

void pci__del(struct pci_func *f)
{
	if (f->ops && f->ops->bar_moved)
		f->ops->bar_moved(f, 0, PCI_BAR_UNMAPPED);
}

/* --- Doorbells --- */

static struct {
	struct bus *bus;
	u64 addr, match;
	int fd;
} doorbell[2 * VIRTIO_QUEUES];
static unsigned int doorbells, doorbell_errors;
static bool fake_no_ioeventfd;

int bus__ioeventfd(struct bus *bus, u64 addr, u32 len, const u64 *match, int fd)
{
	if (fake_no_ioeventfd || doorbells == ARRAY_SIZE(doorbell) || (match && len != 2))
		return -ENOSPC;
	doorbell[doorbells].bus = bus;
	doorbell[doorbells].match = match ? *match : ~0ULL;
	doorbell[doorbells].addr = addr;
	doorbell[doorbells++].fd = fd;
	return 0;
}

int bus__ioeventfd_del(struct bus *bus, u64 addr, u32 len, const u64 *match, int fd)
{
	for (unsigned int i = 0; i < doorbells; i++) {
		if (doorbell[i].bus == bus && doorbell[i].addr == addr && doorbell[i].fd == fd &&
		    doorbell[i].match == (match ? *match : ~0ULL)) {
			doorbell[i] = doorbell[--doorbells];
			return 0;
		}
	}
	doorbell_errors++;
	return -ENOENT;
}

/* --- The loop --- */

struct loop_fd {
	int fd;
	loop_fn fn;
	void *arg;
};

static struct loop_fd watched[VIRTIO_QUEUES + 1];
static int loop_epfd = -1;

struct loop_fd *loop__add(struct loop *loop, int fd, u32 events, loop_fn fn, void *arg)
{
	if (loop_epfd < 0)
		loop_epfd = epoll_create1(EPOLL_CLOEXEC);
	for (unsigned int i = 0; i < ARRAY_SIZE(watched); i++) {
		if (!watched[i].fn) {
			struct epoll_event ev = { .events = events, .data.u32 = i };

			if (epoll_ctl(loop_epfd, EPOLL_CTL_ADD, fd, &ev))
				return NULL;
			watched[i] = (struct loop_fd){ fd, fn, arg };
			return &watched[i];
		}
	}
	errno = ENOSPC;
	return NULL;
}

int loop__modify(struct loop_fd *lfd, u32 events)
{
	struct epoll_event ev = { .events = events, .data.u32 = lfd - watched };

	return epoll_ctl(loop_epfd, EPOLL_CTL_MOD, lfd->fd, &ev) ? -errno : 0;
}

void loop__del(struct loop_fd *lfd)
{
	if (!lfd)
		return;
	epoll_ctl(loop_epfd, EPOLL_CTL_DEL, lfd->fd, NULL);
	lfd->fn = NULL;
}

/* Dispatch what is ready within @ms; how many that were. */
static inline int loop_turn(int ms)
{
	struct epoll_event ev[ARRAY_SIZE(watched)];
	int n = epoll_wait(loop_epfd, ev, ARRAY_SIZE(ev), ms);

	for (int i = 0; i < n; i++) {
		struct loop_fd *lfd = &watched[ev[i].data.u32];

		if (lfd->fn)
			lfd->fn(lfd->arg, ev[i].events);
	}
	return MAX(n, 0);
}

static inline int watching(void)
{
	int n = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(watched); i++)
		n += watched[i].fn != NULL;
	return n;
}
#endif

/* --- The driver's side of a queue, at fixed places in RAM --- */

#define DRV_DESC  0x1000u
#define DRV_AVAIL 0x3000u
#define DRV_USED  0x4000u
#define DRV_TABLE 0x6000u /* an indirect table */
#define DRV_DATA  0x10000u

static u16 drv_size;

static inline void poke16(u64 at, u16 v)
{
	memcpy(ram + at, &v, 2);
}

static inline u16 peek16(u64 at)
{
	u16 v;

	memcpy(&v, ram + at, 2);
	return v;
}

static inline u32 peek32(u64 at)
{
	u32 v;

	memcpy(&v, ram + at, 4);
	return v;
}

static inline void drv_desc_at(u64 table, u16 i, u64 addr, u32 len, u16 flags, u16 next)
{
	struct vring_desc d = { .addr = addr, .len = len, .flags = flags, .next = next };

	memcpy(ram + table + 16 * (u64)i, &d, sizeof(d));
}

static inline void drv_desc(u16 i, u64 addr, u32 len, u16 flags, u16 next)
{
	drv_desc_at(DRV_DESC, i, addr, len, flags, next);
}

static inline u16 drv_avail_idx(void)
{
	return peek16(DRV_AVAIL + 2);
}

static inline void drv_add(u16 head)
{
	u16 idx = drv_avail_idx();

	poke16(DRV_AVAIL + 4 + 2 * (idx % drv_size), head);
	poke16(DRV_AVAIL + 2, idx + 1);
}

static inline u16 drv_used_idx(void)
{
	return peek16(DRV_USED + 2);
}

static inline u32 drv_used_id(u16 idx)
{
	return peek32(DRV_USED + 4 + 8 * (idx % drv_size));
}

static inline u32 drv_used_len(u16 idx)
{
	return peek32(DRV_USED + 8 + 8 * (idx % drv_size));
}

#define NEXT	 VRING_DESC_F_NEXT
#define WRITE	 VRING_DESC_F_WRITE
#define INDIRECT VRING_DESC_F_INDIRECT

#endif
