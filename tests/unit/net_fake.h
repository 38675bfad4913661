/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef NET_FAKE_H
#define NET_FAKE_H

/*
 * What the tests of virtio-net share: the device with its transport, no vhost, and the driver's
 * side of its two queues.  Each buffer is one descriptor, or as many as the test asks for.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>

#include "virtio/chain.c"
#include "virtio/iov.c"
#include "virtio/net.c"
#include "virtio/pci.c"
#include "virtio/pci_caps.c"
#include "virtio/pci_common.c"
#include "virtio/queue.c"

#define FAKE_TRANSPORT
#include "tests/unit/virtio_fake.h"

static inline void say(const char *fmt, va_list ap)
{
	remember(fmt, ap);
}

void pr_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}

void pr_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}

/* --- vhost, which only remembers --- */

static int vhost_error;
static unsigned int vhost_starts, vhost_stops, vhost_vectors;
static u64 vhost_can = BIT(VIRTIO_NET_F_MRG_RXBUF);

int vhost__init(struct vhost *v, struct vm *vm, int fd, struct virtio_dev *dev, unsigned int first,
		unsigned int n)
{
	*v = (struct vhost){ .fd = fd, .dev = dev, .first = first, .n = n, .features = vhost_can };
	v->failed = "a step";
	return vhost_error;
}

void vhost__exit(struct vhost *v)
{
	if (v->fd >= 0)
		close(v->fd);
	v->fd = -1;
}

int vhost__start(struct vhost *v, u64 extra)
{
	vhost_starts++;
	v->running = true;
	return 0;
}

void vhost__stop(struct vhost *v)
{
	vhost_stops += v->running;
	v->running = false;
}

void vhost__vector(struct vhost *v, unsigned int q)
{
	vhost_vectors++;
}

/* --- The driver --- */

static struct vm machine = { .name = "test", .cpus = 1 };
static struct net net;

#define Q_SIZE	64
#define Q_AT(q) (0x1000 + 0x4000 * (u64)(q)) /* desc; avail 0x1000 behind, used 0x2000 */
#define RX_DATA 0x20000ull
#define TX_DATA 0x80000ull

static u16 q_next[2]; /* descriptor to use next */

static inline void put(u32 off, u32 len, u64 val)
{
	net.dev.pci.ops->bar_access(&net.dev.pci, 0, off, (u8 *)&val, len, true);
}

static inline u64 get(u32 off, u32 len)
{
	u64 val = 0;

	net.dev.pci.ops->bar_access(&net.dev.pci, 0, off, (u8 *)&val, len, false);
	return val;
}

static inline void drive(u64 features)
{
	features |= BIT(VIRTIO_F_VERSION_1);
	memset(ram, 0, sizeof(ram));
	iova_identity();
	q_next[0] = q_next[1] = 0;
	put(20, 1, 0);
	put(20, 1, 3);
	put(8, 4, 0);
	put(12, 4, (u32)features);
	put(8, 4, 1);
	put(12, 4, features >> 32);
	put(20, 1, 11);
	for (unsigned int q = 0; q < 2; q++) {
		put(22, 2, q);
		put(24, 2, Q_SIZE);
		put(26, 2, q);
		put(32, 8, Q_AT(q));
		put(40, 8, Q_AT(q) + 0x1000);
		put(48, 8, Q_AT(q) + 0x2000);
		put(28, 2, 1);
	}
	put(20, 1, 15);
}

static inline void kick(unsigned int q)
{
	put(VIRTIO_BAR_NOTIFY + 4 * q, 2, q);
}

/* Describe one buffer of a chain; the last one makes the chain available. */
static inline void buffer(unsigned int q, u64 addr, u32 len, bool last)
{
	static u16 head[2];
	static bool inside[2];
	u64 avail = Q_AT(q) + 0x1000;
	u16 i = q_next[q]++ % Q_SIZE, idx = peek16(avail + 2);

	if (!inside[q])
		head[q] = i;
	inside[q] = !last;
	drv_desc_at(Q_AT(q), i, addr, len, (q ? 0 : WRITE) | (last ? 0 : NEXT), (i + 1) % Q_SIZE);
	if (last) {
		poke16(avail + 4 + 2 * (idx % Q_SIZE), head[q]);
		poke16(avail + 2, idx + 1);
	}
}

static inline u16 used_idx(unsigned int q)
{
	return peek16(Q_AT(q) + 0x2002);
}

static inline u32 used_len(unsigned int q, u16 i)
{
	return peek32(Q_AT(q) + 0x2008 + 8 * (i % Q_SIZE));
}

/* A frame to send, behind a header of zeroes. */
static inline void send_frame(const void *frame, u32 len)
{
	memset(ram + TX_DATA, 0, NET_HDR);
	memcpy(ram + TX_DATA + NET_HDR, frame, len);
	buffer(NET_TX, TX_DATA, NET_HDR + len, true);
	kick(NET_TX);
}

#endif
