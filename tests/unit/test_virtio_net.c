/* SPDX-License-Identifier: GPL-2.0-only */
/* The network device and its option, in front of a backend that only counts. */

#include "tests/unit/net_fake.h"

#include "virtio/net_opt.c"

int parse_uint(const char *s, u64 min, u64 max, u64 *out)
{
	char *end;

	*out = strtoull(s, &end, 10);
	return *s < '0' || *s > '9' || *end || *out < min || *out > max ? -EINVAL : 0;
}

static struct module *registered;
void module__register(struct module *m)
{
	registered = m;
}

/* --- The backend --- */

static unsigned int opens, closes, inits, exits, starts, stops, ends, rooms, sent;
static int open_error, init_error;
static u8 last_frame[NET_FRAME_MAX];
static u64 last_len;

static int fake_open(struct net *n)
{
	opens++;
	return open_error;
}

static void fake_close(struct net *n)
{
	closes++;
}

static int fake_init(struct net *n, struct vm *v)
{
	inits++;
	return init_error;
}

static void fake_exit(struct net *n)
{
	exits++;
}

static void fake_start(struct net *n)
{
	starts++;
}

static void fake_stop(struct net *n)
{
	stops++;
}

static void fake_tx(struct net *n, const struct iovec *iov, int cnt, u64 len)
{
	sent++;
	last_len = iov__read(iov, cnt, last_frame, sizeof(last_frame));
	if (last_len != len)
		exit(1);
}

static void fake_tx_end(struct net *n)
{
	ends++;
}

static void fake_rx_room(struct net *n)
{
	rooms++;
}

#define FAKE                                                                                       \
	{                                                                                          \
		.open = fake_open, .close = fake_close, .init = fake_init, .exit = fake_exit,      \
		.start = fake_start, .stop = fake_stop, .tx = fake_tx, .tx_end = fake_tx_end,      \
		.rx_room = fake_rx_room,                                                           \
	}
const struct net_backend net_tap__backend = FAKE, net_user__backend = FAKE;

static void begin(u64 features)
{
	memset(&net, 0, sizeof(net));
	net.opt.backend = &net_user__backend;
	net.features = BIT(VIRTIO_NET_F_GUEST_CSUM);
	net__open(&net);
	if (net__init(&net, &machine, 0))
		exit(1);
	drive(features);
	sent = rooms = ends = messages = dma_faults = 0;
	memset(fired, 0, sizeof(fired));
}

static void end(void)
{
	net__exit(&net);
	net__close(&net);
	eq(watching(), 0, "nothing is left in the loop");
}

/* As a backend does: a frame of @len bytes with the value of its offset at each. */
static int receive(u64 len)
{
	u8 frame[8192];
	u64 here;
	int err;

	for (u64 i = 0; i < len; i++)
		frame[i] = i * 7 + i / 256;
	if (!net__rx_take(&net))
		return -EAGAIN;
	here = iov__write(net.rx.iov + net.rx.nout, net.rx.nin, frame, len);
	err = net__rx_give(&net, len, frame + here);
	net__rx_flush(&net);
	return err;
}

static bool bytes_ok(u64 at, u64 from, u64 to)
{
	for (u64 i = from; i < to; i++) {
		if (ram[at + i - from] != (u8)(i * 7 + i / 256))
			return false;
	}
	return true;
}

/* --- Tests --- */

static void test_config(void)
{
	u8 mac[6];

	begin(0);
	ok(get(0x200, 1) == 0x02, "the default address is locally administered");
	memcpy(mac, net.config.mac, 6);
	eq(get(0x206, 2), VIRTIO_NET_S_LINK_UP, "the link is up");
	eq(get(0x20c, 4), 0, "nothing is behind the configuration");
	end();
	begin(0);
	ok(!memcmp(mac, net.config.mac, 6), "the address is the same the next time");
	end();
	net__init(&net, &machine, 1);
	ok(memcmp(mac, net.config.mac, 6), "another interface has another");
	net__exit(&net);
}

static void test_transmit(void)
{
	begin(0);
	for (int i = 0; i < 60; i++)
		ram[TX_DATA + NET_HDR + i] = i + 1;
	buffer(NET_TX, TX_DATA, 5, false); /* the header may be cut anywhere */
	buffer(NET_TX, TX_DATA + 5, 17, false);
	buffer(NET_TX, TX_DATA + 22, 50, true);
	kick(NET_TX);
	eq(sent, 1, "a frame in three pieces is sent");
	eq(last_len, 72, "with all its bytes");
	ok(last_frame[NET_HDR] == 1 && last_frame[71] == 60, "in order");
	eq(used_idx(NET_TX), 1, "and given back");
	eq(ends, 1, "the backend is told of the end");
	eq(fired[1], 1, "and the driver interrupted");

	buffer(NET_TX, TX_DATA, NET_HDR, true);
	buffer(NET_TX, TX_DATA, NET_FRAME_MAX + 1, true);
	buffer(NET_TX, RAM_SIZE - 10, 100, true);
	kick(NET_TX);
	eq(sent, 1, "a header alone, a frame too long, and one not in RAM are dropped");
	eq(used_idx(NET_TX), 4, "but given back");
	eq(messages, 0, "and the device goes on");
	end();
}

static void test_receive(void)
{
	begin(0);
	eq(-receive(100), EAGAIN, "without buffers there is nothing to take");
	buffer(NET_RX, RX_DATA, 7, false);
	buffer(NET_RX, RX_DATA + 7, 1519, true);
	kick(NET_RX);
	eq(rooms, 1, "the backend hears of buffers");
	eq(receive(100), 0, "a frame is received");
	eq(used_len(NET_RX, 0), 100, "with its length");
	ok(bytes_ok(RX_DATA + 12, 12, 100), "and bytes");
	eq(ram[RX_DATA], 0, "and no word about checksums, which were not negotiated");
	eq(peek16(RX_DATA + 10), 1, "and a number of buffers of 1");
	eq(fired[0], 1, "the driver is interrupted");

	buffer(NET_RX, RX_DATA, 64, true);
	buffer(NET_RX, RX_DATA + 64, 64, true);
	eq(-receive(100), EMSGSIZE, "without MRG_RXBUF a frame does not continue elsewhere");
	eq(used_idx(NET_RX), 1, "and uses nothing");
	eq(receive(64), 0, "the next one does");
	ok(net__rx_take(&net), "a buffer can be taken");
	net__rx_cancel(&net);
	eq(receive(60), 0, "and put back");
	eq(used_idx(NET_RX), 3, "to be used once");
	end();
}

static void test_merge(void)
{
	begin(BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_GUEST_CSUM));
	for (int i = 0; i < 3; i++)
		buffer(NET_RX, RX_DATA + 0x1000 * i, 500, true);
	eq(-receive(1600), ENOBUFS, "a frame longer than all buffers is not given");
	eq(used_idx(NET_RX), 0, "and uses none");
	eq(receive(1200), 0, "one over three buffers is");
	eq(used_idx(NET_RX), 3, "by all three");
	ok(used_len(NET_RX, 0) == 500 && used_len(NET_RX, 1) == 500 && used_len(NET_RX, 2) == 200,
	   "each with its length");
	eq(peek16(RX_DATA + 10), 3, "the header says 3");
	ok(bytes_ok(RX_DATA + 12, 12, 500) && bytes_ok(RX_DATA + 0x1000, 500, 1000) &&
	       bytes_ok(RX_DATA + 0x2000, 1000, 1200),
	   "the bytes are right");

	buffer(NET_RX, RX_DATA, 100, true);
	buffer(NET_RX, RAM_SIZE, 100, true);
	buffer(NET_RX, RX_DATA, 100, true);
	eq(-receive(150), EFAULT, "a bad buffer in between costs the frame");
	eq(used_idx(NET_RX), 3, "and nothing else");
	eq(receive(90), 0, "the next frame fits the good one");
	eq(receive(90), 0, "the one after that the third");
	eq(used_idx(NET_RX), 6, "the bad one was given back");
	eq(used_len(NET_RX, 4), 0, "empty");
	drive(BIT(VIRTIO_NET_F_MRG_RXBUF));
	for (int i = 0; i < Q_SIZE; i++)
		buffer(NET_RX, RX_DATA + 20 * i, 20, true);
	eq(-receive(1526), EMSGSIZE, "a frame that a full ring has no room for will never fit");
	end();
}

static void test_hostile(void)
{
	u16 before;

	begin(0);
	buffer(NET_RX, RX_DATA, 11, true);
	eq(-receive(60), EAGAIN, "a buffer smaller than the header is not used");
	ok(get(20, 1) & VIRTIO_CONFIG_S_NEEDS_RESET, "and ends the device");
	put(20, 1, 0);
	eq(stops, starts, "reset stops the backend");
	drive(0);
	buffer(NET_RX, RX_DATA, 1500, true);
	eq(receive(60), 0, "after which it works again");
	put(20, 1, 0);
	ok(!net__rx_take(&net), "without a driver nothing is taken");
	drive(0);
	for (int i = 0; i < Q_SIZE; i++)
		buffer(NET_TX, TX_DATA, 100, true);
	poke16(Q_AT(1) + 0x1002, 1000);
	before = sent;
	kick(NET_TX);
	eq(sent, before, "a jump of the index sends nothing");
	end();

	/* A vIOMMU that refuses one page of a buffer. */
	fake_behind_iommu = true;
	begin(BIT(VIRTIO_F_ACCESS_PLATFORM));
	iova[(RX_DATA >> 12) + 1] = IOVA_NONE;
	buffer(NET_RX, RX_DATA, 0x2000, true);
	buffer(NET_RX, RX_DATA + 0x4000, 0x2000, true);
	eq(receive(5000), 0, "behind an IOMMU, a buffer it refuses is passed over");
	eq(used_len(NET_RX, 0), 0, "given back empty");
	eq(used_len(NET_RX, 1), 5000, "and the next one used");
	ok(bytes_ok(RX_DATA + 0x4000 + 12, 12, 5000), "with all bytes");

	/* As many pieces as a chain can have, and nothing in them to receive into. */
	for (unsigned int i = 0x10; i < PAGES; i++)
		iova[i] = 0x80 + (i & 1) * 4;
	for (u16 i = 0; i < 9; i++)
		drv_desc_at(Q_AT(NET_RX), 20 + i, 0x10000, (i < 8 ? 240 : 128) * PAGE,
			    i < 8 ? NEXT : 0, 21 + i);
	before = peek16(Q_AT(NET_RX) + 0x1002);
	poke16(Q_AT(NET_RX) + 0x1004 + 2 * (before % Q_SIZE), 20);
	poke16(Q_AT(NET_RX) + 0x1002, before + 1);
	ok(!net__rx_take(&net) && get(20, 1) & VIRTIO_CONFIG_S_NEEDS_RESET,
	   "%d pieces to read from are no receive buffer", net.rx.nout);
	eq(net.rx.nout, VIRTIO_CHAIN_IOV, "which are as many as there can be");
	fake_behind_iommu = false;
	end();
}

static void test_options(void)
{
	static const char *const bad[] = {
		"",
		"foo",
		"tap=",
		"tap=averyveryverylongname",
		"tap=a/b",
		"tap=t%d",
		"none,mac=02:00:00:00:00:01",
		"user,vhost",
		"tap,hostfwd=tcp:1:2",
		"user,",
		"user,mac=",
		"user,mac=01:00:00:00:00:01",
		"user,mac=00:00:00:00:00:00",
		"user,mac=02:00:00:00:00",
		"user,mac=02:00:00:00:00:0g",
		"user,mac=02:00:00:00:00:01:",
		"user,mac=2::0:00:00:00:00:1",
		"user,hostfwd=",
		"user,hostfwd=tcp",
		"user,hostfwd=tcp:",
		"user,hostfwd=tcp:1",
		"user,hostfwd=tcp:1:",
		"user,hostfwd=tcp::1",
		"user,hostfwd=tcp:0:1",
		"user,hostfwd=tcp:1:65536",
		"user,hostfwd=sctp:1:1",
		"user,hostfwd=tcp:1:2:3",
		"user,hostfwd=tcp:123456789:1",
		"tap,vhost=maybe",
		"tap,loopback",
	};
	struct net_options o;
	char many[1024] = "user";

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		messages = 0;
		ok(net_opt__parse(&o, bad[i]) == -EINVAL && messages == 1,
		   "'%s' is refused in one line", bad[i]);
	}
	ok(!net_opt__parse(&o, "none") && !o.backend, "none is no network");
	ok(!net_opt__parse(
	       &o, "user,hostfwd=tcp:2222:22,hostfwd=udp:53:5353,loopback,mac=02:0A:0b:00:00:01"),
	   "user with everything is taken");
	ok(o.backend == &net_user__backend && o.nfwds == 2 && o.fwd[0].host == 2222 &&
	       o.fwd[0].guest == 22 && !o.fwd[0].udp && o.fwd[1].udp && o.fwd[1].guest == 5353 &&
	       o.loopback,
	   "as it was meant");
	ok(o.has_mac && !memcmp(o.mac, (u8[]){ 2, 10, 11, 0, 0, 1 }, 6), "so is the address");
	ok(!net_opt__parse(&o, "tap") && !o.ifname[0] && o.vhost == NET_VHOST_AUTO, "tap alone");
	ok(!net_opt__parse(&o, "tap=br-tap0,vhost") && !strcmp(o.ifname, "br-tap0") &&
	       o.vhost == NET_VHOST_MUST,
	   "tap with a name and vhost");
	ok(!net_opt__parse(&o, "tap,vhost=off") && o.vhost == NET_VHOST_OFF, "tap without vhost");
	for (int i = 0; i <= NET_FWDS; i++)
		strcat(many, ",hostfwd=tcp:1:1");
	ok(net_opt__parse(&o, many) == -EINVAL, "too many forwarded ports are refused");
}

static void test_module(void)
{
	const struct option_def *o = registered->options;

	opens = closes = inits = exits = 0;
	eq(registered->validate(), 0, "nothing said");
	ok(opens == 1 && nnets == 1 && nets[0]->opt.backend == &net_user__backend,
	   "is a user network");
	free(nets[0]);
	nnets = opens = 0;
	asked = false;
	eq(o->parse("none"), 0, "none adds nothing");
	eq(registered->validate(), 0, "and needs nothing");
	eq(opens, 0, "and opens nothing");
	for (int i = 0; i < NETS_MAX; i++)
		o->parse("user");
	eq(-o->parse("user"), EINVAL, "there is an end to networks");
	open_error = -EBUSY;
	eq(-registered->validate(), EBUSY, "one that cannot be opened is an error");
	open_error = 0;
	opens = 0;
	eq(registered->validate(), 0, "they are opened");
	init_error = -ENOSPC;
	eq(-registered->setup(&machine), ENOSPC, "one that cannot be set up is an error");
	eq(closes, NETS_MAX, "and all are closed");
	eq(exits, 0, "and none left");
	for (unsigned int i = 0; i < nnets; i++)
		free(nets[i]);
	nnets = 0;
}

int main(void)
{
	test_config();
	test_transmit();
	test_receive();
	test_merge();
	test_hostile();
	test_options();
	test_module();
	return tap_done();
}
