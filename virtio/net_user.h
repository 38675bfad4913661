/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VIRTIO_NET_USER_H
#define VIRTIO_NET_USER_H

/*
 * The network without privileges: net_user.c feeds libslirp and takes its frames, of which net_user_filter.c holds
 * some back, net_user_poll.c lets its sockets and its clock into the event loop.
 */

#include <slirp/libslirp.h>

#include "virtio/net.h"

/* Frames that wait for receive buffers, in bytes. */
#define NET_USER_BACKLOG (1 * MiB)

/*
 * At the same time, between all of a guest's connections: a flood of them ends here, not at the host's limits.  What a
 * turn of the guest's adds on top is a queue of frames at most.
 */
#define NET_USER_SOCKETS 1024

#define NET_USER_GATEWAY 0x0a000202 /* 10.0.2.2 */

struct loop_fd;

struct net_frame {
	struct net_frame *next;
	u32 len;
	u8 data[]; /* header and all */
};

/* What is known of one of libslirp's descriptors, by its number. */
struct net_user_fd {
	u32 watched; /* EPOLL*: what epfd has */
	u32 wanted;  /* what libslirp asked for last */
	u32 ready;   /* what epfd told last */
};

struct net_user {
	struct net *net;
	Slirp *slirp;
	/* Frames that found no buffer, in order. */
	struct net_frame *first, **last;
	u64 backlog;
	/* net_user_poll.c */
	int epfd, timerfd;
	struct loop_fd *ep_lfd, *timer_lfd;
	bool on;
	struct net_user_fd *fds;
	int nfds;
	unsigned int sockets; /* that libslirp waits for */
	u8 frame[NET_FRAME_MAX];
};

/* Descriptors only; the loop comes with attach.  Negative errno, nothing printed. */
int net_user_poll__init(struct net_user *u);
void net_user_poll__exit(struct net_user *u);
int net_user_poll__attach(struct net_user *u, struct loop *loop);
void net_user_poll__detach(struct net_user *u);
/* Wait for what libslirp waits for now; after everything that it was made to do. */
void net_user_poll__rearm(struct net_user *u);
/* libslirp begins or ceases to use @fd. */
void net_user_poll__forget(struct net_user *u, int fd);
/* Are there as many sockets as there may be? */
bool net_user_poll__full(const struct net_user *u);

/* Must the frame of @len bytes at @eth be dropped? */
bool net_user__refuse(const struct net_user *u, const u8 *eth, u64 len);

#endif
