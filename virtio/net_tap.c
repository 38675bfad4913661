/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A network by a TAP interface of the host.  The header in front of each frame is the guest's own
 * (IFF_VNET_HDR), so checksums and segmentation are done by whoever does them last.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lkvm/loop.h"
#include "lkvm/vm.h"
#include "virtio/iov.h"
#include "virtio/net.h"

#define TUN_PATH "/dev/net/tun"

/* Frames that an interface holds for us, at most; its default queue is 1000 long. */
#define STALE_MAX 1024

/* TUN's word for what the driver accepted; without the checksums there is no segmentation. */
static unsigned int offloads(u64 features)
{
	unsigned int flags = 0;

	if (!(features & BIT(VIRTIO_NET_F_GUEST_CSUM)))
		return 0;
	if (features & BIT(VIRTIO_NET_F_GUEST_TSO4))
		flags |= TUN_F_TSO4;
	if (features & BIT(VIRTIO_NET_F_GUEST_TSO6))
		flags |= TUN_F_TSO6;
	if (flags && features & BIT(VIRTIO_NET_F_GUEST_ECN))
		flags |= TUN_F_TSO_ECN;
	return flags | TUN_F_CSUM;
}

#define SEND_FEATURES                                                                              \
	(BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6) |      \
	 BIT(VIRTIO_NET_F_HOST_ECN))
#define RECEIVE_FEATURES                                                                           \
	(BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4) |                             \
	 BIT(VIRTIO_NET_F_GUEST_TSO6) | BIT(VIRTIO_NET_F_GUEST_ECN))

/* --- Opening --- */

static int open_tun(struct net *net)
{
	const char *remedy;
	int err;

	net->tap = open(TUN_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (net->tap >= 0)
		return 0;
	err = -errno;
	remedy = err == -ENOENT || err == -ENODEV ? "load it with modprobe tun"
						  : "check its permissions";
	pr_err("--network %s: " TUN_PATH ": %s; %s, or use --network user", net->opt.text,
	       strerror(-err), remedy);
	return err;
}

static int attach(struct net *net)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	const char *name = net->opt.ifname, *remedy = "check it with ip -d link";
	int err;

	memcpy(ifr.ifr_name, name, IFNAMSIZ);
	net->tap_new = !name[0] || !if_nametoindex(name);
	if (!ioctl(net->tap, TUNSETIFF, &ifr)) {
		memcpy(net->opt.ifname, ifr.ifr_name, IFNAMSIZ);
		return 0;
	}
	err = -errno;
	if (err == -EPERM && net->tap_new)
		remedy = "only root makes interfaces: ip tuntap add dev NAME mode tap user YOU, "
			 "then tap=NAME";
	else if (err == -EPERM)
		remedy = "it belongs to another user: ip tuntap add with user YOU";
	else if (err == -EBUSY)
		remedy = "another program uses it";
	else if (err == -EINVAL)
		remedy = "it must be a tap interface without multi_queue";
	pr_err("--network %s: interface %s: %s; %s", net->opt.text, name[0] ? name : "tap",
	       strerror(-err), remedy);
	return err;
}

static void read_mtu(struct net *net)
{
	struct ifreq ifr = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	memcpy(ifr.ifr_name, net->opt.ifname, IFNAMSIZ);
	if (!ioctl(fd, SIOCGIFMTU, &ifr) && ifr.ifr_mtu >= 68 && ifr.ifr_mtu <= 65535) {
		net->config.mtu = ifr.ifr_mtu;
		net->features |= BIT(VIRTIO_NET_F_MTU);
	}
	close(fd);
}

static void tap_close(struct net *net)
{
	if (net->vhost_fd >= 0)
		close(net->vhost_fd);
	if (net->tap >= 0)
		close(net->tap);
	net->vhost_fd = net->tap = -1;
}

static int tap_open(struct net *net)
{
	int err, size = NET_HDR;

	err = open_tun(net);
	if (err)
		return err;
	err = attach(net);
	if (err)
		goto err_close;
	if (ioctl(net->tap, TUNSETVNETHDRSZ, &size)) {
		err = -errno;
		pr_err("--network %s: %s: TUNSETVNETHDRSZ: %s; give a tap interface",
		       net->opt.text, net->opt.ifname, strerror(-err));
		goto err_close;
	}
	net->features = SEND_FEATURES;
	if (!ioctl(net->tap, TUNSETOFFLOAD, offloads(RECEIVE_FEATURES)))
		net->features |= RECEIVE_FEATURES;
	read_mtu(net);
	err = net_vhost__open(net);
	if (err)
		goto err_close;
	return 0;

err_close:
	tap_close(net);
	return err;
}

/* --- Frames --- */

static void tap_tx(struct net *net, const struct iovec *iov, int n, u64 len)
{
	/* What the kernel does not take is lost, as on a wire. */
	if (writev(net->tap, iov, n) < 0)
		return;
}

static void tap_tx_end(struct net *net)
{
}

static void watch(struct net *net, bool on)
{
	if (!net->tap_lfd || net->tap_watched == on)
		return;
	net->tap_watched = on;
	if (loop__modify(net->tap_lfd, on ? EPOLLIN : 0))
		virtio__fail(&net->dev, "the tap interface cannot be watched");
}

static void lost(struct net *net, const char *why)
{
	pr_warn("%s: %s: %s; the guest's network is cut off", net->name, net->opt.ifname, why);
	loop__del(net->tap_lfd);
	net->tap_lfd = NULL;
	net->config.status &= ~VIRTIO_NET_S_LINK_UP;
	virtio__config_changed(&net->dev);
}

/* There are too few buffers for a frame of @len now: all of it is kept until there are more. */
static void hold(struct net *net, u64 len)
{
	u64 here = MIN(len, net->rx.in_len);

	memmove(net->bounce + here, net->bounce, len - here);
	iov__read(net->rx.iov + net->rx.nout, net->rx.nin, net->bounce, here);
	net->held = len;
}

/* One frame, into the guest's next buffer and, if that is too small, on into ours. */
static int receive(struct net *net)
{
	struct iovec *iov = net->rx.iov + net->rx.nout;
	ssize_t len;

	iov[net->rx.nin] = (struct iovec){ net->bounce, sizeof(net->bounce) };
	len = readv(net->tap, iov, net->rx.nin + 1);
	if (len > (ssize_t)NET_HDR) {
		if (net__rx_give(net, len, net->bounce) == -ENOBUFS &&
		    (u64)len <= sizeof(net->bounce))
			hold(net, len);
		return 0;
	}
	net__rx_cancel(net);
	return len < 0 ? -errno : 0;
}

static void readable(void *arg, u32 events)
{
	struct net *net = arg;
	int err = 0;

	/* An interface that was removed under us says so for ever. */
	if (events & EPOLLERR) {
		lost(net, "the interface is gone");
		return;
	}
	for (int n = 0; n < NET_BATCH && !err; n++) {
		if (net->held || !net__rx_take(net)) {
			watch(net, false); /* until tap_rx_room() */
			break;
		}
		err = receive(net);
	}
	net__rx_flush(net);
	if (err && err != -EAGAIN && err != -EINTR)
		lost(net, strerror(-err));
}

static void tap_rx_room(struct net *net)
{
	if (net->held) {
		int err = net__rx_put(net, net->bounce, net->held);

		net__rx_flush(net);
		if (err == -ENOBUFS)
			return;
		net->held = 0;
	}
	watch(net, true);
}

/* --- Life --- */

static void tap_start(struct net *net)
{
	int err, stale = 0;

	if (ioctl(net->tap, TUNSETOFFLOAD, offloads(net->dev.driver_features))) {
		virtio__fail(&net->dev, "the tap interface does not take its offloads");
		return;
	}
	/* Frames of before may be such as the driver cannot take. */
	net->held = 0;
	do
		err = read(net->tap, net->bounce, sizeof(net->bounce)) < 0;
	while (!err && ++stale < STALE_MAX);
	if (net->vhost_on)
		net_vhost__start(net);
	else
		watch(net, true);
}

static void tap_stop(struct net *net)
{
	if (net->vhost_on)
		net_vhost__stop(net);
	else
		watch(net, false);
}

static void tap_master(struct net *net, bool on)
{
	if (!net->vhost_on)
		return;
	if (on)
		net_vhost__start(net);
	else
		net_vhost__stop(net);
}

static int tap_init(struct net *net, struct vm *vm)
{
	int err;

	if (net->tap_new)
		pr_info("%s: the host's side is the new interface %s", net->name, net->opt.ifname);
	err = net_vhost__init(net, vm);
	if (err || net->vhost_on)
		return err;
	net->tap_lfd = loop__add(vm->loop, net->tap, 0, readable, net);
	if (net->tap_lfd)
		return 0;
	err = -errno;
	pr_err("%s: %s cannot be watched: %s", net->name, net->opt.ifname, strerror(-err));
	return err;
}

static void tap_exit(struct net *net)
{
	net_vhost__exit(net);
	loop__del(net->tap_lfd);
	net->tap_lfd = NULL;
}

const struct net_backend net_tap__backend = {
	.open = tap_open,
	.close = tap_close,
	.init = tap_init,
	.exit = tap_exit,
	.start = tap_start,
	.stop = tap_stop,
	.master = tap_master,
	.tx = tap_tx,
	.tx_end = tap_tx_end,
	.rx_room = tap_rx_room,
};
