/* SPDX-License-Identifier: GPL-2.0-only */
/* The tap backend and vhost-net's part: a pair of sockets stands for the interface. */

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/pci_regs.h>
#include <linux/vhost.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* --- The kernel --- */

static int wire[2] = { -1, -1 }; /* lkvm's end, ours */
static int open_errno, vhost_errno, setiff_errno, hdrsz_errno, offload_errno, backend_errno;
static unsigned int offload_flags, backends_set;
static int backend_fd[2];
static int read_errno;

static int fake_open(const char *path, int flags)
{
	bool vhost = !strcmp(path, "/dev/vhost-net");
	int err = vhost ? vhost_errno : open_errno;

	if (err) {
		errno = err;
		return -1;
	}
	if (vhost)
		return open("/dev/null", O_RDWR);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, wire))
		exit(1);
	return wire[0];
}

static int fake_result(int err)
{
	errno = err;
	return err ? -1 : 0;
}

static int fake_ioctl(int fd, unsigned long req, void *arg);
#define open(path, flags)   fake_open(path, flags)
#define ioctl(fd, req, arg) fake_ioctl(fd, req, (void *)(uintptr_t)(arg))
#define readv(fd, iov, n)   (read_errno ? fake_result(read_errno) : readv(fd, iov, n))
#include "virtio/net_tap.c"
#include "virtio/net_vhost.c"
#undef open
#undef ioctl
#undef readv
#include "tests/unit/net_fake.h"

static int fake_ioctl(int fd, unsigned long req, void *arg)
{
	struct ifreq *ifr = arg;
	struct vhost_vring_file *file = arg;

	switch (req) {
	case TUNSETIFF:
		if (!ifr->ifr_name[0])
			strcpy(ifr->ifr_name, "tap7");
		return fake_result(setiff_errno);
	case TUNSETVNETHDRSZ:
		return fake_result(hdrsz_errno);
	case TUNSETOFFLOAD:
		offload_flags = (uintptr_t)arg;
		return fake_result(offload_errno);
	case SIOCGIFMTU:
		ifr->ifr_mtu = 9000;
		return 0;
	case VHOST_NET_SET_BACKEND:
		backends_set++;
		backend_fd[file->index] = file->fd;
		return fake_result(backend_errno);
	}
	exit(1);
}

const struct net_backend net_user__backend;

static void begin(enum net_vhost_use vhost, u64 features)
{
	memset(&net, 0, sizeof(net));
	net.opt =
	    (struct net_options){ .text = "tap", .backend = &net_tap__backend, .vhost = vhost };
	messages = 0;
	if (net__open(&net) || net__init(&net, &machine, 0))
		exit(1);
	drive(features);
	memset(fired, 0, sizeof(fired));
}

static void end(void)
{
	if (net.dev.transport)
		net__exit(&net);
	net__close(&net);
	close(wire[1]);
	eq(watching(), 0, "nothing is left in the loop");
	ok(fcntl(wire[0], F_GETFD) < 0, "the interface is closed");
}

static void arrive(u32 len, u8 fill)
{
	static u8 frame[NET_FRAME_MAX];

	memset(frame, fill, len);
	if (write(wire[1], frame, len) != (ssize_t)len)
		exit(1);
}

static int refused(int *where, int err)
{
	int got;

	memset(&net, 0, sizeof(net));
	net.opt = (struct net_options){ .text = "tap",
					.backend = &net_tap__backend,
					.vhost = NET_VHOST_MUST };
	messages = 0;
	*where = err;
	got = net__open(&net);
	*where = 0;
	close(wire[1]);
	return got == -err && messages == 1 && net.tap == -1 && net.vhost_fd == -1;
}

static void test_open(void)
{
	ok(refused(&open_errno, ENOENT) && strstr(last_msg, "modprobe tun"),
	   "no tun: refused with a remedy");
	ok(refused(&setiff_errno, EPERM) && strstr(last_msg, "ip tuntap add"),
	   "no right to: the same");
	ok(refused(&setiff_errno, EBUSY), "an interface in use is refused");
	ok(refused(&setiff_errno, EINVAL), "one of another kind too");
	ok(refused(&hdrsz_errno, EINVAL), "so is one without headers");
	ok(refused(&vhost_errno, ENOENT) && strstr(last_msg, "vhost_net"),
	   "vhost that must be is missed");
}

static void test_frames(void)
{
	const u64 all = BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_GUEST_TSO4) |
			BIT(VIRTIO_NET_F_GUEST_ECN) | BIT(VIRTIO_NET_F_MRG_RXBUF);
	u8 frame[2000];

	begin(NET_VHOST_OFF, all);
	ok(!strcmp(net.opt.ifname, "tap7") && messages == 1,
	   "a new interface is named to the user");
	eq(get(0x20a, 2), 9000, "its MTU is the guest's");
	eq(offload_flags, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN,
	   "offloads are what was accepted");

	arrive(100, 1);
	loop_turn(0);
	eq(loop_turn(0), 0, "a frame without a buffer waits, and the loop does not spin");
	for (int i = 0; i < 8; i++)
		buffer(NET_RX, RX_DATA + 0x1000 * i, 1000, true);
	kick(NET_RX);
	arrive(2500, 2);
	while (loop_turn(0))
		;
	eq(used_idx(NET_RX), 4, "then it is received, and a long one in three buffers");
	eq(used_len(NET_RX, 0), 100, "the first with its length");
	ok(ram[RX_DATA + 20] == 1 && ram[RX_DATA + 0x1000 + 999] == 2 &&
	       ram[RX_DATA + 0x2000] == 2 && ram[RX_DATA + 0x3000 + 499] == 2 &&
	       ram[RX_DATA + 0x3000 + 500] == 0,
	   "the bytes where they belong");
	eq(peek16(RX_DATA + 0x1000 + 10), 3, "and counted");
	arrive(60000, 3);
	arrive(100, 4);
	while (loop_turn(0))
		;
	eq(used_idx(NET_RX), 4, "one that is longer than all buffers is kept");
	for (int i = 8; i < 64; i++)
		buffer(NET_RX, RX_DATA + 0x1000 * i, 1000, true);
	kick(NET_RX);
	while (loop_turn(0))
		;
	eq(used_idx(NET_RX), 64, "until there are enough");
	ok(peek16(RX_DATA + 0x4000 + 10) == 60 && ram[RX_DATA + 0x4000 + 12] == 3 &&
	       ram[RX_DATA + 0x5000] == 3 && ram[RX_DATA + 0x8000 + 999] == 3 &&
	       ram[RX_DATA + 0x3f000 + 999] == 3,
	   "and all of it is there");
	buffer(NET_RX, RX_DATA, 1000, true);
	kick(NET_RX);
	while (loop_turn(0))
		;
	ok(used_idx(NET_RX) == 65 && ram[RX_DATA + 12] == 4, "and then the next one");
	ok(fired[0] >= 2, "the driver was told");

	memset(frame, 9, sizeof(frame));
	send_frame(frame, 1000);
	eq(read(wire[1], frame, sizeof(frame)), NET_HDR + 1000, "a frame is sent, header and all");
	ok(frame[0] == 0 && frame[NET_HDR] == 9, "as it is");

	buffer(NET_RX, RX_DATA, 1000, true);
	arrive(5000, 5);
	arrive(100, 5);
	while (loop_turn(0))
		;
	drive(0);
	buffer(NET_RX, RX_DATA, 1500, true);
	kick(NET_RX);
	while (loop_turn(0))
		;
	eq(used_idx(NET_RX), 0, "what came for the driver before is not for the next one");
	eq(offload_flags, 0, "which wants no offloads");
	end();
}

static void test_lost(void)
{
	u8 generation;

	begin(NET_VHOST_OFF, 0);
	buffer(NET_RX, RX_DATA, 1500, true);
	kick(NET_RX);
	messages = 0;
	generation = get(21, 1);
	eq(get(0x206, 2), VIRTIO_NET_S_LINK_UP, "the link is up");
	arrive(100, 1);
	read_errno = EBADFD;
	loop_turn(0);
	read_errno = 0;
	eq(messages, 1, "an interface that fails is told of");
	ok(get(0x206, 2) == 0 && get(21, 1) != generation, "and to the guest the link is down");
	eq(loop_turn(0), 0, "and not looked at again");
	kick(NET_RX);
	end();
	begin(NET_VHOST_OFF, 0);
	messages = 0;
	readable(&net, EPOLLERR);
	eq(messages, 1, "so is one that was removed");
	end();
}

/* The driver's word on whether the function may access memory. */
static void master(bool on)
{
	fake_master = on;
	net.dev.pci.ops->cfg_written(&net.dev.pci, PCI_COMMAND, 2, on ? PCI_COMMAND_MASTER : 0);
}

static void test_vhost(void)
{
	begin(NET_VHOST_MUST, 0);
	ok(net.vhost_on && vhost_starts == 1, "vhost has the queues");
	ok(backends_set == 2 && backend_fd[0] == net.tap && backend_fd[1] == net.tap,
	   "and the interface");
	put(22, 2, 0);
	put(26, 2, 1);
	ok(vhost_vectors > 0, "and hears of vectors");
	put(20, 1, 0);
	ok(vhost_stops == 1 && backend_fd[0] == -1 && backend_fd[1] == -1, "reset takes them back");
	drive(0);
	eq(vhost_starts, 2, "a new driver gives them again");
	master(false);
	ok(vhost_stops == 2 && backend_fd[0] == -1 && backend_fd[1] == -1,
	   "a function that must not master the bus has vhost do nothing");
	master(false);
	master(true);
	ok(vhost_starts == 3 && backend_fd[1] == net.tap, "until it may again");
	master(false);
	drive(0);
	eq(vhost_starts, 3, "nor does it begin before it may");
	master(true);
	eq(vhost_starts, 4, "but then");
	end();
	eq(vhost_stops, 4, "teardown takes them back");

	backend_errno = EBUSY;
	begin(NET_VHOST_AUTO, 0);
	ok(get(20, 1) & VIRTIO_CONFIG_S_NEEDS_RESET, "a vhost that refuses ends the device");
	ok(!net.vhost.running, "and does not run");
	backend_errno = 0;
	end();

	vhost_errno = ENOENT;
	begin(NET_VHOST_AUTO, 0);
	ok(!net.vhost_on && messages == 1, "a vhost that need not be is not missed");
	vhost_errno = 0;
	end();

	fake_behind_iommu = true;
	begin(NET_VHOST_MUST, BIT(VIRTIO_F_ACCESS_PLATFORM));
	ok(net.vhost_on && net.vhost.running, "behind an IOMMU vhost has the queues as well");
	end();
	begin(NET_VHOST_AUTO, BIT(VIRTIO_F_ACCESS_PLATFORM));
	ok(!net.vhost_on && messages == 1 && fcntl(net.tap, F_GETFD) >= 0, "if that was asked for");
	end();
	vhost_error = -EOPNOTSUPP;
	begin(NET_VHOST_MUST, BIT(VIRTIO_F_ACCESS_PLATFORM));
	ok(!net.vhost_on && strstr(last_msg, "vIOMMU"),
	   "with one that cannot lkvm does the work, and says so");
	buffer(NET_RX, RX_DATA, 1500, true);
	kick(NET_RX);
	arrive(100, 1);
	while (loop_turn(0))
		;
	eq(used_idx(NET_RX), 1, "and it does");
	fake_behind_iommu = false;
	end();
	memset(&net, 0, sizeof(net));
	net.opt = (struct net_options){ .text = "tap", .backend = &net_tap__backend };
	net__open(&net);
	eq(-net__init(&net, &machine, 0), EOPNOTSUPP,
	   "without an IOMMU one that cannot is refused");
	vhost_error = 0;
	end();

	vhost_can = 0;
	memset(&net, 0, sizeof(net));
	net.opt = (struct net_options){ .text = "tap", .backend = &net_tap__backend };
	net__open(&net);
	messages = 0;
	eq(-net__init(&net, &machine, 0), EOPNOTSUPP, "a vhost without merged buffers is refused");
	ok(strstr(last_msg, "vhost=off"), "with a remedy");
	vhost_can = BIT(VIRTIO_NET_F_MRG_RXBUF);
	end();
}

int main(void)
{
	test_open();
	test_frames();
	test_lost();
	test_vhost();
	return tap_done();
}
