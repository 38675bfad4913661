/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_NET_H
#define VIRTIO_NET_H

/*
 * A network interface: net_opt.c is the module with the option, net.c the device (virtio 5.1), and
 * behind it is one of two backends: net_tap.c (and net_vhost.c, where the host's kernel does the
 * work), or net_user.c (libslirp, and net_user_poll.c, which ties that to the event loop).
 *
 * A frame is the 12 byte header of virtio 5.1.6, then Ethernet.
 */

#include <linux/if_ether.h>
#include <linux/virtio_net.h>
#include <net/if.h>

#include "lkvm/virtio.h"
#include "virtio/vhost.h"

#define NET_RX 0
#define NET_TX 1

#define NET_HDR sizeof(struct virtio_net_hdr_mrg_rxbuf)
/* The longest frame there is: 64 KiB before segmentation, and room for headers. */
#define NET_FRAME_MAX (64 * KiB + 256)
/* Frames received before others get their turn of the loop. */
#define NET_BATCH 64
#define NET_FWDS  16

struct loop_fd;
struct net;
struct net_user;

struct net_backend {
	/* Before anything of the machine exists.  A negative errno with a printed line. */
	int (*open)(struct net *net);
	void (*close)(struct net *net);
	/* The device exists.  A negative errno with a printed line. */
	int (*init)(struct net *net, struct vm *vm);
	/* Before the device goes. */
	void (*exit)(struct net *net);
	/* The driver is there, with the features it accepted; it has gone. */
	void (*start)(struct net *net);
	void (*stop)(struct net *net);
	/* As virtio_ops.master. */
	void (*master)(struct net *net, bool on);
	/* Send a frame of @len bytes, in @n pieces that the guest may still change; or drop it. */
	void (*tx)(struct net *net, const struct iovec *iov, int n, u64 len);
	/* That was the last one for now. */
	void (*tx_end)(struct net *net);
	/* The driver has added receive buffers. */
	void (*rx_room)(struct net *net);
};

extern const struct net_backend net_tap__backend, net_user__backend;

enum net_vhost_use { NET_VHOST_AUTO, NET_VHOST_MUST, NET_VHOST_OFF };

/* What --network says. */
struct net_options {
	const char *text; /* all of it, for messages */
	const struct net_backend *backend;
	bool has_mac;
	u8 mac[ETH_ALEN];
	/* tap */
	char ifname[IFNAMSIZ];
	enum net_vhost_use vhost;
	/* user */
	bool loopback; /* the guest may reach the host's 127.0.0.1 */
	unsigned int nfwds;
	struct net_fwd {
		bool udp;
		u16 host, guest;
	} fwd[NET_FWDS];
};

struct net {
	struct net_options opt;
	struct virtio_dev dev;
	struct virtio_ops ops;
	struct virtio_net_config config;
	char name[24];
	u64 features;  /* what the backend adds, set by its open() */
	bool live;     /* between start and stop */
	bool rx_dirty; /* the driver was not told of all frames yet */
	/* All three at once: libslirp answers while a chain is being sent. */
	struct virtq_chain rx, more, tx;
	/* net_tap.c */
	int tap;
	bool tap_new; /* the interface did not exist before */
	struct loop_fd *tap_lfd;
	bool tap_watched;
	u64 held; /* length of the frame in bounce that waits for buffers, or 0 */
	/* net_vhost.c */
	int vhost_fd; /* until net_vhost__init() */
	struct vhost vhost;
	bool vhost_on; /* the queues are vhost's */
	/* net_user.c */
	struct net_user *user;
	u8 bounce[NET_FRAME_MAX];
};

/* opt set, zero otherwise.  A negative errno with a printed line. */
int net__open(struct net *net);
void net__close(struct net *net);
int net__init(struct net *net, struct vm *vm, unsigned int index);
void net__exit(struct net *net);

/*
 * Receiving.  take: the next receive buffer is in net->rx (its in pieces, NET_HDR bytes at least);
 * false: there is none, rx_room() follows.  Then one of
 * give: a frame of @len bytes was put there, header and all, as far as it fits; @rest is what did
 * not.  0; -ENOBUFS if there are not enough buffers now, another negative errno if it can never be
 * given: no buffer was used then.
 * cancel: nothing was put there.
 * And flush before going back to the loop.
 *
 * put: take and give for a frame that lies at @frame; -ENOBUFS also if there is no buffer at all.
 */
bool net__rx_take(struct net *net);
int net__rx_give(struct net *net, u64 len, const u8 *rest);
int net__rx_put(struct net *net, const u8 *frame, u64 len);
void net__rx_cancel(struct net *net);
void net__rx_flush(struct net *net);

/* [MODE][,WORD]...; -EINVAL with a printed line. */
int net_opt__parse(struct net_options *opt, const char *arg);

/* At open: with a vhost that is wanted and there, net->vhost_fd is open. */
int net_vhost__open(struct net *net);
/* Makes the queues vhost's if that is possible. */
int net_vhost__init(struct net *net, struct vm *vm);
void net_vhost__exit(struct net *net);
void net_vhost__start(struct net *net);
void net_vhost__stop(struct net *net);

#endif
