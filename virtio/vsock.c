/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio-vsock (virtio 5.10): sockets between host and guest.  The host's kernel does all the work,
 * by vhost; the third queue, for events of a migration, never has one.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <linux/virtio_vsock.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lkvm/check.h"
#include "lkvm/module.h"
#include "lkvm/vm.h"
#include "virtio/vhost.h"

#define PATH	    "/dev/vhost-vsock"
#define CLASS_OTHER 0xff0000
/* virtio 5.10.4: 0 to 2 and all ones mean something else. */
#define CID_MIN 3
#define CID_MAX 0xfffffffeULL

enum { QUEUE_RX, QUEUE_TX, QUEUE_EVENT, QUEUES };

static struct vsock {
	struct virtio_dev dev;
	struct virtio_ops ops;
	struct vhost vhost;
} vsock = { .vhost.fd = -1 };

static u64 cid;
/* From validation to set-up. */
static int opened = -1;
static u64 offered; /* by vhost */

static int set_running(int on)
{
	return ioctl(vsock.vhost.fd, VHOST_VSOCK_SET_RUNNING, &on) < 0 ? -errno : 0;
}

static void vsock_start(struct virtio_dev *dev)
{
	static struct ratelimit rl;
	const char *failed = "VHOST_VSOCK_SET_RUNNING";
	int err;

	if (!pci__bus_master(&dev->pci))
		return; /* it comes with that */
	err = vhost__start(&vsock.vhost, 0);
	if (err)
		failed = vsock.vhost.failed;
	else
		err = set_running(1);
	if (!err)
		return;
	vhost__stop(&vsock.vhost);
	pr_guest(&rl, "virtio-vsock: vhost does not start: %s: %s", failed, strerror(-err));
	virtio__fail(dev, "its queues cannot be used");
}

static void stop(void)
{
	if (!vsock.vhost.running)
		return;
	/* It can fail only for who is not the owner. */
	set_running(0);
	vhost__stop(&vsock.vhost);
}

static void reset(struct virtio_dev *dev)
{
	stop();
}

static void vsock_master(struct virtio_dev *dev, bool on)
{
	if (on)
		vsock_start(dev);
	else
		stop();
}

static void notify(struct virtio_dev *dev, unsigned int q)
{
	if (q != QUEUE_EVENT && vsock.vhost.running)
		virtq__again(dev, q);
}

static void vsock_vector(struct virtio_dev *dev, unsigned int q)
{
	vhost__vector(&vsock.vhost, q);
}

static void config_read(struct virtio_dev *dev, u32 off, u8 *data, u32 len)
{
	struct virtio_vsock_config config = { .guest_cid = cid };

	memcpy(data, (u8 *)&config + off, len);
}

static int parse(const char *arg)
{
	if (parse_uint(arg, CID_MIN, CID_MAX, &cid) == 0)
		return 0;
	pr_err("--vsock %s: not a context id; give a number from %d to %llu", arg, CID_MIN,
	       CID_MAX);
	return -EINVAL;
}

/* Takes the context id, as a disk takes its lock: until the descriptor is closed. */
static int validate(void)
{
	int err;

	if (!cid)
		return 0;
	opened = open(PATH, O_RDWR | O_CLOEXEC);
	if (opened < 0) {
		err = -errno;
		pr_err("--vsock %llu: " PATH ": %s; %s", cid, strerror(-err),
		       err == -EACCES || err == -EPERM ? "run as root or change its permissions"
						       : "modprobe vhost_vsock");
		return err;
	}
	if (ioctl(opened, VHOST_GET_FEATURES, &offered) < 0 ||
	    ioctl(opened, VHOST_VSOCK_SET_GUEST_CID, &cid) < 0) {
		err = -errno;
		pr_err("--vsock %llu: %s; %s", cid, strerror(-err),
		       err == -EADDRINUSE ? "another guest has it, choose another number"
					  : "the host's kernel does not take this number");
		close(opened);
		opened = -1;
		return err;
	}
	return 0;
}

static int setup(struct vm *vm)
{
	struct vhost *v = &vsock.vhost;
	int err;

	if (!cid)
		return 0;
	vsock.ops = (struct virtio_ops){
		.device_id = VIRTIO_ID_VSOCK,
		.class_code = CLASS_OTHER,
		.features = offered & BIT(VIRTIO_VSOCK_F_SEQPACKET),
		.nqueues = QUEUES,
		.cfg_len = sizeof(struct virtio_vsock_config),
		.cfg_read = config_read,
		.start = vsock_start,
		.notify = notify,
		.reset = reset,
		.vector = vsock_vector,
		.master = vsock_master,
	};
	vsock.dev = (struct virtio_dev){ .ops = &vsock.ops };
	err = virtio_pci__add(vm, &vsock.dev, "virtio-vsock");
	if (err)
		goto err_fd;
	err = vhost__init(v, vm, opened, &vsock.dev, QUEUE_RX, 2);
	opened = -1;
	if (err) {
		pr_err("--vsock %llu: " PATH ": %s: %s; %s", cid, v->failed, strerror(-err),
		       v->translated ? "leave out --viommu or --vsock"
				     : "the host's kernel cannot serve it");
		goto err_vhost;
	}
	return 0;

err_vhost:
	vhost__exit(v);
	virtio_pci__del(&vsock.dev);
err_fd:
	if (opened >= 0)
		close(opened);
	opened = -1;
	return err;
}

static void teardown(struct vm *vm)
{
	if (!vsock.dev.transport)
		return;
	stop();
	vhost__exit(&vsock.vhost);
	virtio_pci__del(&vsock.dev);
}

static const struct option_def options[] = {
	{
	    .name = "vsock",
	    .arg = "CID",
	    .help = "sockets between host and guest (AF_VSOCK); the guest is CID, 3 or more",
	    .parse = parse,
	},
	{ 0 },
};

/* It is not needed. */
static bool check(void)
{
	check__node("vhost-vsock", PATH, "vhost_vsock", "--vsock");
	return true;
}

static struct module module_vsock = {
	.name = "virtio-vsock",
	.level = MODULE_DEVICE,
	.options = options,
	.validate = validate,
	.setup = setup,
	.teardown = teardown,
	.check = check,
};
LKVM_MODULE(module_vsock)
