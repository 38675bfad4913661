/* SPDX-License-Identifier: GPL-2.0-only */
/* vsock, and the vhost it shares with others, against a kernel that remembers what it was asked. */

#include <linux/pci_regs.h>

#define USER "virtio/vsock.c"
#include "tests/unit/vhost_fake.h"

static struct vm vm = { .cpus = 1 };

int parse_uint(const char *s, u64 min, u64 max, u64 *val)
{
	u64 v = strtoull(s, NULL, 10);

	if (v < min || v > max)
		return -ERANGE;
	*val = v;
	return 0;
}

/* --- The tests --- */

static void queues(u64 features)
{
	driven = &vsock.dev;
	driven_queue = QUEUE_TX;
	drv_reset(features);
	drv_queue(QUEUE_RX);
	drv_queue(QUEUE_TX);
}

static bool at_rest(void)
{
	return !kernel.running && kernel.kick[0] == -1 && kernel.kick[1] == -1 &&
	       kernel.call[0] == -1 && kernel.call[1] == -1 && !vsock.vhost.running;
}

static u64 count(int fd)
{
	u64 n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static void test_start(void)
{
	eq(get(VIRTIO_BAR_DEVICE, 8), 42, "the guest reads its context id");
	queues(BIT(VIRTIO_VSOCK_F_SEQPACKET) | BIT(VIRTIO_RING_F_EVENT_IDX));
	ok(at_rest(), "nothing runs before DRIVER_OK");
	put(20, 1, 15);
	eq(kernel.running, 1, "DRIVER_OK: it runs");
	eq(kernel.told,
	   BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_VSOCK_F_SEQPACKET) | BIT(VIRTIO_RING_F_EVENT_IDX),
	   "with what was negotiated");
	ok(kernel.num[0] == 64 && kernel.num[1] == 64 && !kernel.base[0] &&
	       kernel.addr[1].desc_user_addr == (uintptr_t)ram + DRV_DESC &&
	       kernel.addr[1].avail_user_addr == (uintptr_t)ram + DRV_AVAIL &&
	       kernel.addr[0].used_user_addr == (uintptr_t)ram + DRV_USED,
	   "on the driver's rings");
	ok(kernel.call[0] == 1001 && kernel.call[1] == 1002, "interrupts go to the vectors");
	ok(count(kernel.kick[1]) >= 1 && count(kernel.kick[0]) >= 1, "it is told to look");
	ring();
	eq(count(kernel.kick[1]), 1, "a doorbell KVM did not take is passed on");
	put(VIRTIO_BAR_NOTIFY + 8, 2, 2);
	ok(settle(), "the event queue's is not");
	put(22, 2, QUEUE_TX);
	put(26, 2, 0);
	eq(kernel.call[1], 1000, "another vector");
	put(26, 2, 0xffff);
	eq(kernel.call[1], -1, "none");
	put(20, 1, 0);
	ok(at_rest(), "reset: all is given back");
	put(22, 2, QUEUE_RX);
	put(26, 2, 1);
	ok(at_rest(), "a vector that is set then is not passed on");
}

/* The driver's word on whether the function may access memory. */
static void master(bool on)
{
	fake_master = on;
	driven->pci.ops->cfg_written(&driven->pci, PCI_COMMAND, 2, on ? PCI_COMMAND_MASTER : 0);
}

static void test_master(void)
{
	queues(0);
	put(20, 1, 15);
	ok(kernel.running && !kernel.base[1], "a new driver begins with the first entry");
	kernel.base[0] = 3; /* vhost took some */
	kernel.base[1] = 65535;
	master(false);
	ok(at_rest() && !broken_dev(), "no bus mastering: vhost does nothing");
	kernel.base[0] = kernel.base[1] = 0;
	master(true);
	ok(kernel.running && kernel.base[0] == 3 && kernel.base[1] == 65535,
	   "bus mastering: it goes on where it was");
	master(false);
	put(20, 1, 0);
	queues(0);
	put(20, 1, 15);
	ok(at_rest() && !broken_dev(), "a driver that starts without waits for it");
	master(true);
	ok(kernel.running && !kernel.base[0] && !kernel.base[1], "and then begins");
	virtio__fail(driven, "for a test");
	master(false);
	ok(at_rest(), "a device that failed stops as well");
	master(true);
	ok(at_rest(), "but does not start again");
}

static void test_bad_start(void)
{
	static const struct {
		unsigned long req;
		const char *name;
	} steps[] = {
		{ VHOST_SET_FEATURES, "VHOST_SET_FEATURES" },
		{ VHOST_SET_VRING_ADDR, "VHOST_SET_VRING_ADDR" },
		{ VHOST_SET_VRING_KICK, "VHOST_SET_VRING_KICK" },
		{ VHOST_VSOCK_SET_RUNNING, "VHOST_VSOCK_SET_RUNNING" },
	};

	driven = &vsock.dev;
	drv_reset(0);
	drv_queue(QUEUE_RX);
	put(20, 1, 15);
	ok(broken_dev() && at_rest(), "one queue only: NEEDS_RESET");
	drv_reset(0);
	drv_queue(QUEUE_RX);
	put(22, 2, QUEUE_TX);
	put(32, 8, RAM_SIZE);
	put(40, 8, RAM_SIZE);
	put(48, 8, RAM_SIZE);
	put(28, 2, 1);
	put(20, 1, 15);
	ok(broken_dev() && at_rest(), "rings that are not RAM: the same");
	for (unsigned int i = 0; i < ARRAY_SIZE(steps); i++) {
		queues(0);
		refuse = steps[i].req;
		refuse_error = EFAULT;
		messages = 0;
		put(20, 1, 15);
		refuse = 0;
		ok(broken_dev() && at_rest() && messages == 2, "%s fails", steps[i].name);
	}
	queues(0);
	put(20, 1, 15);
	ok(!broken_dev() && kernel.running, "then it works again");
	if (write(kernel.err[1], &(u64){ 1 }, 8) != 8)
		exit(1);
	settle();
	ok(broken_dev(), "vhost gives a ring up: NEEDS_RESET");
	queues(0);
	put(20, 1, 15);
	ok(!broken_dev() && kernel.running, "until the driver resets it");
}

static int parse_cid(const char *arg)
{
	return registered->options[0].parse(arg);
}

static void test_validate(void)
{
	eq(registered->validate(), 0, "not asked for");
	eq(parse_cid("2"), -EINVAL, "the host's own id");
	ok(strstr(last_msg, "--vsock 2") && strstr(last_msg, "3 to"), "says: %s", last_msg);
	eq(parse_cid("4294967295"), -EINVAL, "any id");
	eq(parse_cid("42"), 0, "--vsock 42");
	open_error = ENOENT;
	eq(registered->validate(), -ENOENT, "without vhost");
	ok(strstr(last_msg, "modprobe vhost_vsock"), "says: %s", last_msg);
	open_error = EACCES;
	eq(registered->validate(), -EACCES, "without the right to");
	open_error = 0;
	refuse = VHOST_VSOCK_SET_GUEST_CID;
	refuse_error = EADDRINUSE;
	eq(registered->validate(), -EADDRINUSE, "an id in use");
	ok(strstr(last_msg, "another"), "says: %s", last_msg);
	refuse = 0;
}

static void test_setup(void)
{
	eq(registered->validate(), 0, "validate");
	fake_pci_error = -ENOSPC;
	eq(registered->setup(&vm), -ENOSPC, "no slot");
	fake_pci_error = 0;
	registered->validate();
	refuse = VHOST_SET_MEM_TABLE;
	refuse_error = ENOMEM;
	eq(registered->setup(&vm), -ENOMEM, "vhost refuses the memory");
	ok(strstr(last_msg, "VHOST_SET_MEM_TABLE") && !watching(), "says: %s", last_msg);
	refuse = 0;
	registered->validate();
	kernel.features = 0;
	eq(registered->setup(&vm), -EOPNOTSUPP, "a vhost that is too old");
	registered->validate();
	fake_behind_iommu = true;
	kernel.features &= ~BIT(VIRTIO_F_ACCESS_PLATFORM);
	eq(registered->setup(&vm), -EOPNOTSUPP, "behind an IOMMU, a vhost that cannot translate");
	ok(strstr(last_msg, "ACCESS_PLATFORM") && strstr(last_msg, "leave out --viommu"),
	   "says: %s", last_msg);
	fake_behind_iommu = false;
	ok(!watching() && vsock.vhost.fd < 0 && opened < 0, "nothing is left");
	registered->teardown(&vm);
	registered->validate();
	eq(registered->setup(&vm), 0, "setup");
	ok(kernel.owned == 1 && kernel.cid == 42 && kernel.regions == 2 &&
	       kernel.ram[0].userspace_addr == (uintptr_t)ram &&
	       kernel.ram[1].guest_phys_addr == 4 * GiB && kernel.ram[1].memory_size == PAGE,
	   "vhost knows RAM and the id");
	eq(watching(), 2, "the loop watches the third queue and errors only");
}

/* All of it once more, from the driver's side. */
static void test_translated(void)
{
	fake_behind_iommu = true;
	registered->validate();
	eq(registered->setup(&vm), 0, "behind an IOMMU");
	queues(0);
	put(20, 1, 15);
	ok(kernel.running && kernel.told & BIT(VIRTIO_F_ACCESS_PLATFORM), "it runs, translated");
	ok(kernel.addr[1].desc_user_addr == DRV_DESC && kernel.addr[0].used_user_addr == DRV_USED,
	   "by the driver's addresses");
	put(20, 1, 0);
	ok(at_rest() && !kernel.ntlb, "reset: all is given back");
	registered->teardown(&vm);
	ok(!watching() && !listening, "nothing is left after teardown");
	fake_behind_iommu = false;
}

int main(void)
{
	test_validate();
	test_setup();
	driven = &vsock.dev;
	test_start();
	test_master();
	test_bad_start();
	registered->teardown(&vm);
	ok(!watching() && at_rest(), "nothing is left after teardown");
	test_translated();
	return tap_done();
}
