/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio-net (virtio 5.1): one pair of queues.  What carries the frames is a backend (net.h).
 *
 * Receive buffers are taken only when a frame is there for them, and none is kept over a return to
 * the loop, so no address is used that the IOMMU has meanwhile been told to forget.
 */
#include <errno.h>
#include <limits.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <stdio.h>
#include <string.h>

#include "lkvm/vm.h"
#include "virtio/iov.h"
#include "virtio/net.h"
#include "virtio/queue.h"

#define CLASS_ETHERNET 0x020000

static struct net *to_net(struct virtio_dev *dev)
{
	return container_of(dev, struct net, dev);
}

static bool negotiated(const struct net *net, unsigned int feature)
{
	return net->dev.driver_features & BIT(feature);
}

/* --- Receiving --- */

bool net__rx_take(struct net *net)
{
	struct virtio_dev *dev = &net->dev;

	if (!net->live)
		return false;
	for (unsigned int i = 0; i < VIRTIO_QUEUE_MAX; i++) {
		if (virtq__pop(dev, NET_RX, &net->rx) <= 0)
			return false;
		if (net->rx.error) { /* it cannot be reached: given back empty */
			virtq__push(dev, NET_RX, net->rx.head, 0);
			net->rx_dirty = true;
			continue;
		}
		/* The backend adds a piece, and the host takes so many at a time. */
		while (net->rx.nin &&
		       (net->rx.nin >= IOV_MAX || net->rx.nout + net->rx.nin == VIRTIO_CHAIN_IOV))
			net->rx.in_len -= net->rx.iov[net->rx.nout + --net->rx.nin].iov_len;
		if (net->rx.in_len < NET_HDR) {
			virtio__fail(dev, "a receive buffer is too small for the header");
			return false;
		}
		return true;
	}
	virtq__again(dev, NET_RX);
	return false;
}

void net__rx_cancel(struct net *net)
{
	virtq__unpop(&net->dev, NET_RX, 1);
}

void net__rx_flush(struct net *net)
{
	if (net->rx_dirty)
		virtq__interrupt(&net->dev, NET_RX);
	net->rx_dirty = false;
}

/* virtio 5.1.6.4.1: no word on checksums unless wanted, and how many buffers hold the frame. */
static void finish_header(struct net *net, u16 n)
{
	struct iovec *iov = net->rx.iov + net->rx.nout;
	int niov = net->rx.nin;
	u8 flags = 0;

	if (!negotiated(net, VIRTIO_NET_F_GUEST_CSUM))
		iov__write(iov, niov, &flags, sizeof(flags));
	iov__skip(&iov, &niov, offsetof(struct virtio_net_hdr_mrg_rxbuf, num_buffers));
	iov__write(iov, niov, &n, sizeof(n));
}

int net__rx_give(struct net *net, u64 len, const u8 *rest)
{
	u64 here = MIN(len, net->rx.in_len), left = len - here;
	struct virtq_used used[VIRTIO_QUEUE_MAX];
	unsigned int n = 0;
	int err;

	used[n++] = (struct virtq_used){ net->rx.head, here };
	while (left) {
		struct virtq_chain *c = &net->more;
		u64 step;

		err = -EMSGSIZE; /* for ever, once the driver has no buffer left to add */
		if (!negotiated(net, VIRTIO_NET_F_MRG_RXBUF) || n == net->dev.vq[NET_RX].size)
			goto undo;
		err = -ENOBUFS;
		if (virtq__pop(&net->dev, NET_RX, c) <= 0)
			goto undo;
		/* A bad one waits until it comes first, where net__rx_take() deals with it. */
		err = -EFAULT;
		if (c->error || !c->in_len) {
			n++;
			goto undo;
		}
		step = iov__write(c->iov + c->nout, c->nin, rest, left);
		used[n++] = (struct virtq_used){ c->head, step };
		rest += step;
		left -= step;
	}
	finish_header(net, n);
	virtq__push_all(&net->dev, NET_RX, used, n);
	net->rx_dirty = true;
	return 0;

undo:
	virtq__unpop(&net->dev, NET_RX, n);
	return err;
}

int net__rx_put(struct net *net, const u8 *frame, u64 len)
{
	u64 here;

	if (!net__rx_take(net))
		return -ENOBUFS;
	here = iov__write(net->rx.iov + net->rx.nout, net->rx.nin, frame, len);
	return net__rx_give(net, len, frame + here);
}

/* --- Sending --- */

static void transmit(struct net *net)
{
	struct virtio_dev *dev = &net->dev;
	struct virtq_chain *c = &net->tx;
	int n;

	for (n = 0; n < VIRTIO_QUEUE_MAX && virtq__pop(dev, NET_TX, c) > 0; n++) {
		if (!c->error && c->out_len > NET_HDR && c->out_len <= NET_FRAME_MAX)
			net->opt.backend->tx(net, c->iov, c->nout, c->out_len);
		virtq__push(dev, NET_TX, c->head, 0);
	}
	if (n) {
		net->opt.backend->tx_end(net);
		virtq__interrupt(dev, NET_TX);
	}
	if (n == VIRTIO_QUEUE_MAX)
		virtq__again(dev, NET_TX);
}

/* --- The device --- */

static void net_notify(struct virtio_dev *dev, unsigned int q)
{
	struct net *net = to_net(dev);

	if (net->vhost_on)
		virtq__again(dev, q); /* a doorbell that KVM did not take */
	else if (q == NET_TX)
		transmit(net);
	else
		net->opt.backend->rx_room(net);
}

static void net_start(struct virtio_dev *dev)
{
	struct net *net = to_net(dev);

	net->live = true;
	net->opt.backend->start(net);
}

static void net_stop(struct virtio_dev *dev)
{
	struct net *net = to_net(dev);

	if (net->live)
		net->opt.backend->stop(net);
	net->live = net->rx_dirty = false;
}

static void net_vector(struct virtio_dev *dev, unsigned int q)
{
	vhost__vector(&to_net(dev)->vhost, q);
}

static void net_master(struct virtio_dev *dev, bool on)
{
	struct net *net = to_net(dev);

	if (net->opt.backend->master)
		net->opt.backend->master(net, on);
}

static void config_read(struct virtio_dev *dev, u32 off, u8 *data, u32 len)
{
	memcpy(data, (u8 *)&to_net(dev)->config + off, len);
}

/*
 * The same address for the same machine and interface at each start, and different ones on a
 * network: an FNV-1a hash of both, in a locally administered address.
 */
static void default_mac(u8 *mac, const char *name, unsigned int index)
{
	u64 hash = 0xcbf29ce484222325ULL;

	for (; *name; name++)
		hash = (hash ^ (u8)*name) * 0x100000001b3ULL;
	hash = (hash ^ index) * 0x100000001b3ULL;
	mac[0] = 0x02;
	for (int i = 1; i < ETH_ALEN; i++)
		mac[i] = hash >> 8 * i;
}

static void describe(struct net *net, struct vm *vm, unsigned int index)
{
	if (net->opt.has_mac)
		memcpy(net->config.mac, net->opt.mac, ETH_ALEN);
	else
		default_mac(net->config.mac, vm->name, index);
	net->config.status = VIRTIO_NET_S_LINK_UP;
	net->config.max_virtqueue_pairs = 1;
	net->ops = (struct virtio_ops){
		.device_id = VIRTIO_ID_NET,
		.class_code = CLASS_ETHERNET,
		.features = BIT(VIRTIO_NET_F_MAC) | BIT(VIRTIO_NET_F_STATUS) |
			    BIT(VIRTIO_NET_F_MRG_RXBUF) | net->features,
		.nqueues = 2,
		.cfg_len = offsetof(struct virtio_net_config, speed),
		.cfg_read = config_read,
		.start = net_start,
		.notify = net_notify,
		.reset = net_stop,
		.vector = net_vector,
		.master = net_master,
	};
	net->dev.ops = &net->ops;
}

int net__open(struct net *net)
{
	net->tap = net->vhost_fd = net->vhost.fd = -1;
	return net->opt.backend->open(net);
}

void net__close(struct net *net)
{
	net->opt.backend->close(net);
}

int net__init(struct net *net, struct vm *vm, unsigned int index)
{
	int err;

	snprintf(net->name, sizeof(net->name), "virtio-net.%u", index);
	describe(net, vm, index);
	err = virtio_pci__add(vm, &net->dev, net->name);
	if (err)
		return err;
	err = net->opt.backend->init(net, vm);
	if (err)
		virtio_pci__del(&net->dev);
	return err;
}

void net__exit(struct net *net)
{
	net_stop(&net->dev);
	net->opt.backend->exit(net);
	virtio_pci__del(&net->dev);
}
