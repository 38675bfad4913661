/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A network in lkvm's own process, by libslirp: the guest gets an address by DHCP and reaches out
 * through lkvm's sockets, with nothing to set up on the host.
 *
 *	10.0.2.0/24	the network
 *	10.0.2.2	the gateway; with loopback also the host's 127.0.0.1
 *	10.0.2.3	DNS, answered by the host's server
 *	10.0.2.15	the guest
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "lkvm/vm.h"
#include "virtio/iov.h"
#include "virtio/net_user.h"

#define NETWORK	  0x0a000200
#define NETMASK	  0xffffff00
#define DNS	  0x0a000203
#define GUEST	  0x0a00020f
#define LOCALHOST 0x7f000001

/* --- From libslirp to the guest --- */

static void flush_backlog(struct net_user *u)
{
	while (u->first) {
		struct net_frame *f = u->first;

		if (net__rx_put(u->net, f->data, f->len) == -ENOBUFS)
			return; /* it waits */
		u->first = f->next;
		if (!u->first)
			u->last = &u->first;
		u->backlog -= f->len;
		free(f);
	}
}

static void drop_backlog(struct net_user *u)
{
	while (u->first) {
		struct net_frame *f = u->first;

		u->first = f->next;
		free(f);
	}
	u->last = &u->first;
	u->backlog = 0;
}

static ssize_t send_packet(const void *buf, size_t len, void *opaque)
{
	struct net_user *u = opaque;
	u64 total = NET_HDR + len;
	struct net_frame *f;

	/* What has no place is lost; TCP sends it again. */
	if (!u->net->live || total > NET_FRAME_MAX || u->backlog + total > NET_USER_BACKLOG)
		return len;
	f = malloc(sizeof(*f) + total);
	if (!f)
		return len;
	f->next = NULL;
	f->len = total;
	memset(f->data, 0, NET_HDR);
	memcpy(f->data + NET_HDR, buf, len);
	*u->last = f;
	u->last = &f->next;
	u->backlog += total;
	flush_backlog(u);
	return len;
}

static void guest_error(const char *msg, void *opaque)
{
	static struct ratelimit rl;
	struct net_user *u = opaque;

	pr_guest(&rl, "%s: libslirp: %s", u->net->name, msg);
}

static int64_t clock_get_ns(void *opaque)
{
	return monotonic_ns();
}

/* libslirp's one timer is for IPv6 router advertisements, and IPv6 is off. */
static void *timer_new(SlirpTimerCb cb, void *cb_opaque, void *opaque)
{
	return NULL;
}

static void timer_free(void *timer, void *opaque)
{
}

static void timer_mod(void *timer, int64_t expire, void *opaque)
{
}

static void register_fd(int fd, void *opaque)
{
	/* It leaves sockets of UDP as they are, and sends as if they were not (4.7.0, sosendto()). */
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	net_user_poll__forget(opaque, fd);
}

static void unregister_fd(int fd, void *opaque)
{
	net_user_poll__forget(opaque, fd);
}

/* Everything libslirp does here ends in net_user_poll__rearm() anyway. */
static void notify(void *opaque)
{
}

static const SlirpCb callbacks = {
	.send_packet = send_packet,
	.guest_error = guest_error,
	.clock_get_ns = clock_get_ns,
	.timer_new = timer_new,
	.timer_free = timer_free,
	.timer_mod = timer_mod,
	.register_poll_fd = register_fd,
	.unregister_poll_fd = unregister_fd,
	.notify = notify,
};

/* --- From the guest to libslirp --- */

static void user_tx(struct net *net, const struct iovec *iov, int n, u64 len)
{
	struct net_user *u = net->user;

	/* A copy of our own, which the guest cannot change while it is parsed. */
	iov__read(iov, n, u->frame, len);
	len -= NET_HDR;
	if (net_user__refuse(u, u->frame + NET_HDR, len))
		return;
	slirp_input(u->slirp, u->frame + NET_HDR, len);
}

static void user_tx_end(struct net *net)
{
	net__rx_flush(net);
	net_user_poll__rearm(net->user);
}

static void user_rx_room(struct net *net)
{
	bool waited = net->user->first;

	flush_backlog(net->user);
	net__rx_flush(net);
	if (waited)
		net_user_poll__rearm(net->user);
}

/* --- Life --- */

static void user_start(struct net *net)
{
	net_user_poll__rearm(net->user);
}

static void user_stop(struct net *net)
{
	net->live = false;
	drop_backlog(net->user);
	net_user_poll__rearm(net->user);
}

static struct in_addr in4(u32 addr)
{
	return (struct in_addr){ .s_addr = htonl(addr) };
}

static int forward(struct net *net, const struct net_fwd *fwd)
{
	int err;

	if (!slirp_add_hostfwd(net->user->slirp, fwd->udp, in4(LOCALHOST), fwd->host, in4(GUEST),
			       fwd->guest))
		return 0;
	err = errno ? -errno : -EADDRINUSE;
	pr_err("--network %s: port %u of the host: %s; choose another", net->opt.text, fwd->host,
	       strerror(-err));
	return err;
}

static void user_close(struct net *net)
{
	struct net_user *u = net->user;

	if (!u)
		return;
	if (u->slirp)
		slirp_cleanup(u->slirp);
	net_user_poll__exit(u);
	free(u);
	net->user = NULL;
}

static int user_open(struct net *net)
{
	const SlirpConfig config = {
		.version = 4,
		.in_enabled = true,
		.vnetwork = in4(NETWORK),
		.vnetmask = in4(NETMASK),
		.vhost = in4(NET_USER_GATEWAY),
		.vnameserver = in4(DNS),
		.vdhcp_start = in4(GUEST),
		.disable_host_loopback = !net->opt.loopback,
	};
	struct net_user *u = calloc(1, sizeof(*u));
	int err = -ENOMEM;

	if (!u)
		goto err_say;
	net->user = u;
	u->net = net;
	u->last = &u->first;
	err = net_user_poll__init(u);
	if (err)
		goto err_close;
	err = -ENOMEM;
	u->slirp = slirp_new(&config, &callbacks, u);
	if (!u->slirp)
		goto err_close;
	for (unsigned int i = 0; i < net->opt.nfwds; i++) {
		err = forward(net, &net->opt.fwd[i]);
		if (err) {
			user_close(net);
			return err;
		}
	}
	return 0;

err_close:
	user_close(net);
err_say:
	pr_err("--network %s: the network cannot be made: %s", net->opt.text, strerror(-err));
	return err;
}

static int user_init(struct net *net, struct vm *vm)
{
	int err = net_user_poll__attach(net->user, vm->loop);

	if (err) {
		net_user_poll__detach(net->user);
		pr_err("%s: the network cannot be watched: %s", net->name, strerror(-err));
	}
	return err;
}

static void user_exit(struct net *net)
{
	net_user_poll__detach(net->user);
}

const struct net_backend net_user__backend = {
	.open = user_open,
	.close = user_close,
	.init = user_init,
	.exit = user_exit,
	.start = user_start,
	.stop = user_stop,
	.tx = user_tx,
	.tx_end = user_tx_end,
	.rx_room = user_rx_room,
};
