/* SPDX-License-Identifier: GPL-2.0-only */
/* vhost-net: the host's kernel moves frames between the guest's rings and the tap interface. */
#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lkvm/vm.h"
#include "virtio/net.h"

#define VHOST_PATH "/dev/vhost-net"

int net_vhost__open(struct net *net)
{
	int err;

	if (net->opt.vhost == NET_VHOST_OFF)
		return 0;
	net->vhost_fd = open(VHOST_PATH, O_RDWR | O_CLOEXEC);
	if (net->vhost_fd >= 0 || net->opt.vhost == NET_VHOST_AUTO)
		return 0;
	err = -errno;
	pr_err("--network %s: " VHOST_PATH ": %s; %s, or leave out vhost", net->opt.text,
	       strerror(-err),
	       err == -EACCES ? "check its permissions" : "load it with modprobe vhost_net");
	return err;
}

/* Give the tap interface to queue @i, or with -1 take it back. */
static int set_backend(struct net *net, unsigned int i, int fd)
{
	struct vhost_vring_file file = { .index = i, .fd = fd };

	return ioctl(net->vhost.fd, VHOST_NET_SET_BACKEND, &file) ? -errno : 0;
}

int net_vhost__init(struct net *net, struct vm *vm)
{
	const bool translated = net->dev.pci.dma.ops;
	int err, fd = net->vhost_fd;

	if (fd < 0)
		return 0;
	net->vhost_fd = -1;
	/* Guests map each frame anew, so vhost asks for each, and then lkvm itself is faster. */
	if (translated && net->opt.vhost == NET_VHOST_AUTO) {
		close(fd);
		return 0;
	}
	err = vhost__init(&net->vhost, vm, fd, &net->dev, 0, 2);
	if (translated && err == -EOPNOTSUPP) {
		pr_info("%s: the host's vhost-net cannot be behind the vIOMMU (%s); lkvm moves the "
			"frames",
			net->name, net->vhost.failed);
		vhost__exit(&net->vhost);
		return 0;
	}
	if (!err && !(net->vhost.features & BIT(VIRTIO_NET_F_MRG_RXBUF))) {
		net->vhost.failed = "VIRTIO_NET_F_MRG_RXBUF";
		err = -EOPNOTSUPP;
	}
	if (err) {
		pr_err("%s: " VHOST_PATH ": %s: %s; use --network tap,vhost=off", net->name,
		       net->vhost.failed, strerror(-err));
		vhost__exit(&net->vhost);
		return err;
	}
	net->vhost_on = true;
	return 0;
}

void net_vhost__start(struct net *net)
{
	unsigned int i;
	int err;

	if (!pci__bus_master(&net->dev.pci))
		return; /* it comes with that */
	err = vhost__start(&net->vhost, 0);
	if (err) {
		virtio__fail(&net->dev, net->vhost.failed);
		return;
	}
	for (i = 0; i < 2 && !err; i++)
		err = set_backend(net, i, net->tap);
	if (err) {
		net_vhost__stop(net);
		virtio__fail(&net->dev, "vhost-net does not take the queues");
	}
}

void net_vhost__stop(struct net *net)
{
	/* This waits until the kernel's worker has let go of the rings. */
	for (unsigned int i = 0; net->vhost.running && i < 2; i++) {
		if (set_backend(net, i, -1))
			pr_warn("%s: vhost-net does not give queue %u back", net->name, i);
	}
	vhost__stop(&net->vhost);
}

void net_vhost__exit(struct net *net)
{
	if (!net->vhost_on)
		return;
	net_vhost__stop(net);
	vhost__exit(&net->vhost);
	net->vhost_on = false;
}
