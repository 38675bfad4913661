/* SPDX-License-Identifier: GPL-2.0-only */
/* User mode: the real libslirp, real sockets of the host, and a driver that speaks just enough IP.
 */

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "virtio/net_user.c"
#include "virtio/net_user_filter.c"
#include "virtio/net_user_poll.c"
#include "tests/unit/net_fake.h"

const struct net_backend net_tap__backend;

/* --- The guest's end of the wire --- */

static const u8 our_mac[6] = { 2, 0, 0, 0, 0, 1 };
static u16 taken; /* of the used ring of receive buffers */
/* The last frame taken, without header; what follows Ethernet is aligned. */
static u8 got_space[2050] __attribute__((aligned(4)));
static u8 *const got = got_space + 2;

static void post(unsigned int n)
{
	while (n--) {
		buffer(NET_RX, RX_DATA + 0x800 * (q_next[0] % Q_SIZE), 1526, true);
	}
	kick(NET_RX);
}

/* The next frame within @turns of the loop; its length, or 0. */
static u32 next_frame(int turns)
{
	u32 id, len;

	while (used_idx(NET_RX) == taken) {
		if (!turns--)
			return 0;
		loop_turn(50);
	}
	id = peek32(Q_AT(0) + 0x2004 + 8 * (taken % Q_SIZE));
	len = used_len(NET_RX, taken++) - NET_HDR;
	memcpy(got, ram + RX_DATA + 0x800 * id + NET_HDR, MIN(len, 2048));
	return len;
}

static u16 checksum(const void *data, u32 len, u32 sum)
{
	const u8 *p = data;

	for (u32 i = 0; i < len; i++)
		sum += i % 2 ? p[i] : p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum);
}

/* Send @len bytes of @l4 to @dst; the checksum of TCP is filled in, UDP's may be 0. */
static void send_ip(u32 src, u32 dst, u8 proto, void *l4, u32 len)
{
	static u8 space[1516] __attribute__((aligned(4)));
	u8 *frame = space + 2;
	struct iphdr *ip = (void *)(frame + 14);

	memcpy(frame, "\x52\x55\x0a\x00\x02\x02", 6);
	memcpy(frame + 6, our_mac, 6);
	frame[12] = 8;
	*ip = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.ttl = 64,
		.protocol = proto,
		.tot_len = htons(20 + len),
		.saddr = htonl(src),
		.daddr = htonl(dst),
	};
	ip->check = checksum(ip, 20, 0);
	if (proto == IPPROTO_TCP) {
		u32 sum = proto + len + (src >> 16) + (src & 0xffff) + (dst >> 16) + (dst & 0xffff);

		((struct tcphdr *)l4)->check = 0;
		((struct tcphdr *)l4)->check = checksum(l4, len, sum);
	}
	memcpy(frame + 34, l4, len);
	send_frame(frame, 34 + len);
}

static void send_tcp(u16 sport, u16 dport, u32 seq, u32 ack, u8 flags, const void *data, u32 len)
{
	u8 segment[1480] __attribute__((aligned(4))) = { 0 };
	struct tcphdr *t = (void *)segment;

	t->source = htons(sport);
	t->dest = htons(dport);
	t->seq = htonl(seq);
	t->ack_seq = htonl(ack);
	t->doff = 5;
	segment[13] = flags;
	t->window = htons(65535);
	memcpy(segment + 20, data, len);
	send_ip(GUEST, NET_USER_GATEWAY, IPPROTO_TCP, segment, 20 + len);
}

/* libslirp learns the guest's address from what it says first. */
static void send_arp(void)
{
	u8 arp[60] = {
		255, 255, 255, 255, 255, 255, 2, 0,  0, 0, 0,  1, 8, 6, 0, 1, 8, 0,  6, 4, 0,
		1,   2,	  0,   0,   0,	 0,   1, 10, 0, 2, 15, 0, 0, 0, 0, 0, 0, 10, 0, 2, 2
	};

	send_frame(arp, sizeof(arp));
}

/* --- Set-up --- */

static void begin(const struct net_options *opt)
{
	memset(&net, 0, sizeof(net));
	net.opt = *opt;
	net.opt.text = "user";
	net.opt.backend = &net_user__backend;
	messages = 0;
	if (net__open(&net) || net__init(&net, &machine, 0))
		exit(1);
	taken = 0;
	drive(0);
}

static void end(void)
{
	net__exit(&net);
	net__close(&net);
	eq(watching(), 0, "nothing is left in the loop");
}

/* A socket of the host on a free port of 127.0.0.1. */
static int host_socket(int type, u16 *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(LOCALHOST) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (void *)&a, sizeof(a)) || getsockname(fd, (void *)&a, &len) ||
	    (type == SOCK_STREAM && listen(fd, 5)))
		exit(1);
	*port = ntohs(a.sin_port);
	return fd;
}

/* --- Tests --- */

static void test_arp_dhcp(void)
{
	u8 dhcp[8 + 300] = { 0, 68, 0, 67, (8 + 300) >> 8, (8 + 300) & 0xff };
	u8 *bootp = dhcp + 8;
	static const u8 discover[] = { 99, 130, 83, 99, 53, 1, 1, 255 };

	begin(&(struct net_options){ 0 });
	post(8);
	send_arp();
	ok(next_frame(5) >= 42 && got[12] == 8 && got[13] == 6 && got[21] == 2,
	   "the gateway answers ARP");
	ok(!memcmp(got, our_mac, 6), "to us");

	bootp[0] = bootp[1] = 1;
	bootp[2] = 6;
	memcpy(bootp + 28, our_mac, 6);
	memcpy(bootp + 236, discover, sizeof(discover));
	send_ip(0, 0xffffffff, IPPROTO_UDP, dhcp, sizeof(dhcp));
	ok(next_frame(5) > 282, "a DHCP server answers");
	ok(got[42] == 2 && !memcmp(got + 42 + 16, "\x0a\0\x02\x0f", 4),
	   "with an offer of 10.0.2.15");
	eq(messages, 0, "without a word");
	end();
}

static void test_udp(bool loopback)
{
	u8 datagram[8 + 5] = { 0x30, 0x39, 0, 0, 0, 13, 0, 0, 'h', 'e', 'l', 'l', 'o' };
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	char buf[16];
	u16 port;
	int fd = host_socket(SOCK_DGRAM, &port);

	begin(&(struct net_options){ .loopback = loopback });
	post(8);
	send_arp();
	next_frame(5);
	datagram[2] = port >> 8;
	datagram[3] = port;
	send_ip(GUEST, NET_USER_GATEWAY, IPPROTO_UDP, datagram, sizeof(datagram));
	if (loopback) {
		eq(recvfrom(fd, buf, sizeof(buf), 0, (void *)&from, &len), 5,
		   "with loopback a datagram arrives");
		sendto(fd, "world!", 6, 0, (void *)&from, len);
		eq(next_frame(20), 42 + 6, "and its answer");
		ok(!memcmp(got + 42, "world!", 6) && got[23] == IPPROTO_UDP, "as it was sent");
	} else {
		ok(recv(fd, buf, sizeof(buf), 0) < 0, "without loopback 10.0.2.2 is not the host");
	}
	send_ip(GUEST, LOCALHOST, IPPROTO_UDP, datagram, sizeof(datagram));
	send_ip(GUEST, 0, IPPROTO_UDP, datagram, sizeof(datagram));
	len = recv(fd, buf, sizeof(buf), 0);
	ok(loopback || (int)len < 0, "nor are 127.0.0.1 and 0.0.0.0");
	close(fd);
	end();
}

/* The host sends more than there are buffers for: it waits, and nothing is lost. */
static void test_tcp(void)
{
	u32 seq, want = 256 * KiB, have = 0, waits = 0;
	static u8 page[256 * KiB];
	bool good = true;
	u16 port;
	int one, sent = 0, fd = host_socket(SOCK_STREAM, &port);

	for (u32 i = 0; i < want; i++)
		page[i] = i * 13 + i / 251;
	begin(&(struct net_options){ .loopback = true });
	post(4);
	send_arp();
	next_frame(5);
	send_tcp(1000, port, 100, 0, TH_SYN, "", 0);
	ok(next_frame(20) && got[23] == IPPROTO_TCP && got[47] == (TH_SYN | TH_ACK),
	   "a connection is made");
	seq = ntohl(((struct tcphdr *)(got + 34))->seq) + 1;
	send_tcp(1000, port, 101, seq, TH_ACK, "abc", 3);
	one = accept(fd, NULL, NULL);
	ok(one >= 0, "the host sees it");
	fcntl(one, F_SETFL, O_NONBLOCK);
	for (int tries = 0; have < want && tries < 5000; tries++) {
		struct tcphdr *t = (void *)(got + 34);
		int n = write(one, page + sent, want - sent);
		u32 len;

		sent += MAX(n, 0);
		len = next_frame(2);
		if (!len) { /* all buffers are used */
			waits++;
			post(4);
			continue;
		}
		len = ntohs(((struct iphdr *)(got + 14))->tot_len) - 20 - 4 * t->doff;
		if (ntohl(t->seq) == seq && len) {
			good = good && !memcmp(got + 34 + 4 * t->doff, page + have, len);
			have += len;
			seq += len;
			send_tcp(1000, port, 104, seq, TH_ACK, "", 0);
		}
	}
	eq(have, want, "256 KiB from the host arrive");
	ok(good, "intact");
	ok(waits > 10, "though buffers ran out %u times", waits);
	eq(read(one, page, 10), 3, "and 3 bytes to the host");
	/* The driver leaves in the middle. */
	write(one, page, 10000);
	put(20, 1, 0);
	ok(!net.user->first && !net.user->on, "a reset drops what waits, and the sockets rest");
	eq(loop_turn(100), 0, "so that the loop does not spin");
	close(one);
	close(fd);
	end();
}

static void test_forward(void)
{
	struct net_options opt = { .nfwds = 2,
				   .fwd = { { .guest = 22 }, { .udp = true, .guest = 53 } } };
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(LOCALHOST) };
	u16 port, uport;
	int fd = host_socket(SOCK_STREAM, &port), ufd = host_socket(SOCK_DGRAM, &uport);

	memset(&net, 0, sizeof(net));
	opt.fwd[0].host = port;
	net.opt = opt;
	net.opt.text = "user";
	net.opt.backend = &net_user__backend;
	messages = 0;
	eq(-net__open(&net), EADDRINUSE, "a port in use is refused");
	ok(messages == 1 && !net.user, "in one line");
	close(fd);
	close(ufd);
	opt.fwd[1].host = uport;
	begin(&opt);
	post(8);
	send_arp();
	next_frame(5);
	a.sin_port = htons(port);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	eq(connect(fd, (void *)&a, sizeof(a)), 0, "the host connects to a forwarded port");
	ok(next_frame(20) && got[23] == IPPROTO_TCP && got[47] == TH_SYN && got[37] == 22,
	   "and the guest's port is connected to");
	close(fd);
	a.sin_port = htons(uport);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	sendto(fd, "x", 1, 0, (void *)&a, sizeof(a));
	for (int i = 0; i < 10 && next_frame(5) && got[23] != IPPROTO_UDP; i++)
		;
	ok(got[23] == IPPROTO_UDP && got[37] == 53, "so does a datagram");
	close(fd);
	end();
}

/* Fragments are not for libslirp, which can be crashed by them. */
static void test_fragments(void)
{
	static u8 frame[42] = { 0x52, 0x55, 10,	  0, 2, 2,  2,	  0,	0,    0,    0, 1,
				8,    0,    0x45, 0, 0, 20, 0x07, 0x2f, 0x20, 0x09, 1, 1,
				0,    0,    10,	  0, 2, 15, 10,	  0,	2,    2 };
	u16 sum = checksum(frame + 14, 20, 0);

	memcpy(frame + 24, &sum, 2);
	begin(&(struct net_options){ 0 });
	post(4);
	send_frame(frame, 34);
	send_arp();
	ok(next_frame(5) >= 42, "an empty fragment does no harm");
	end();
}

/* Whether a frame is refused: @type, and IPv4 of @proto to @dst with @len bytes of @l4 behind the header. */
static bool refused(u16 type, u8 proto, u32 dst, const u8 *l4, u32 len)
{
	u8 frame[34 + 40] = { 0 };

	frame[12] = type >> 8;
	frame[13] = type;
	frame[14] = 0x45;
	frame[23] = proto;
	for (int i = 0; i < 4; i++)
		frame[30 + i] = dst >> (24 - 8 * i);
	memcpy(frame + 34, l4, len);
	return net_user__refuse(net.user, frame, 34 + len);
}

static bool tcp_refused(u8 flags)
{
	u8 tcp[20] = { [12] = 0x50, [13] = flags };

	return refused(ETHERTYPE_IP, IPPROTO_TCP, 0x08080808, tcp, sizeof(tcp));
}

static void test_filter(void)
{
	static const u8 options[34] = { [12] = 8, [14] = 0x46 },
			short_ip[34] = { [12] = 8, [14] = 0x44 };
	u8 udp[8] = { [3] = 69 };

	begin(&(struct net_options){ 0 });
	ok(!tcp_refused(TH_SYN) && !tcp_refused(TH_ACK) && !tcp_refused(TH_FIN | TH_ACK),
	   "what a connection is made of passes");
	ok(tcp_refused(TH_ACK | TH_URG), "urgent data do not");
	ok(refused(ETHERTYPE_IP, IPPROTO_UDP, NET_USER_GATEWAY, udp, 8) &&
	       refused(ETHERTYPE_IP, IPPROTO_UDP, ~0u, udp, 8),
	   "nor does TFTP of the gateway's");
	ok(!refused(ETHERTYPE_IP, IPPROTO_UDP, 0x08080808, udp, 8), "but that of others");
	ok(refused(ETHERTYPE_IPV6, IPPROTO_UDP, 0x08080808, udp, 8) &&
	       refused(0x88f8, 0, 0, udp, 8),
	   "other protocols than ARP and IPv4 do not");
	ok(refused(ETHERTYPE_IP, IPPROTO_UDP, 0x08080808, udp, 7) &&
	       refused(ETHERTYPE_IP, IPPROTO_TCP, 0x08080808, udp, 8) &&
	       net_user__refuse(net.user, options, 34) &&
	       net_user__refuse(net.user, short_ip, 34) &&
	       net_user__refuse(net.user, options, 20) && net_user__refuse(net.user, options, 13),
	   "nor do headers that are cut off");
	udp[3] = 53;
	net.user->sockets = NET_USER_SOCKETS;
	ok(tcp_refused(TH_SYN) && refused(ETHERTYPE_IP, IPPROTO_UDP, 0x08080808, udp, 8) &&
	       refused(ETHERTYPE_IP, IPPROTO_ICMP, 0x08080808, udp, 8),
	   "with as many sockets as there may be, nothing that wants another passes");
	ok(!tcp_refused(TH_ACK) && !refused(ETHERTYPE_ARP, 0, 0, udp, 8), "the others do");
	end();
}

/* A datagram from each of more ports than there may be sockets. */
static void test_flood(void)
{
	u8 datagram[8 + 1] = { 0, 0, 0, 0, 0, 9, 0, 0, 'x' };
	const unsigned int n = NET_USER_SOCKETS + 600;
	unsigned int flags = 0;
	u16 port;
	int fd = host_socket(SOCK_DGRAM, &port);
	struct rlimit r;

	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	begin(&(struct net_options){ .loopback = true });
	post(8);
	send_arp();
	next_frame(5);
	datagram[2] = port >> 8;
	datagram[3] = port;
	for (unsigned int i = 0; i < n; i++) {
		datagram[0] = (10000 + i) >> 8;
		datagram[1] = 10000 + i;
		send_ip(GUEST, NET_USER_GATEWAY, IPPROTO_UDP, datagram, sizeof(datagram));
	}
	eq(net.user->sockets, NET_USER_SOCKETS, "%u ports: so many sockets", n);
	for (int i = 0; i < net.user->nfds; i++)
		if (net.user->fds[i].watched)
			flags |= !(fcntl(i, F_GETFL) & O_NONBLOCK);
	ok(!flags, "none of which can block us");
	close(fd);
	end();
}

/* A frame of noise that libslirp looks into: ARP, or IP with sums that hold and a port of ours. */
static void make_noise(u8 *frame, u32 len, unsigned int kind, u16 port)
{
	static const u8 protos[] = { IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_TCP };
	struct iphdr *ip = (void *)(frame + 14);
	u32 l4, n, sum;

	if (kind % 8 == 0) {
		memcpy(frame + 12, "\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01", 10);
		return;
	}
	memcpy(frame + 12, "\x08\x00", 2);
	ip->version = 4;
	ip->ihl = kind % 5 ? 5 : ip->ihl;
	l4 = 14 + 4 * ip->ihl;
	ip->tot_len = htons(len > 14 && kind % 7 ? len - 14 : ip->tot_len);
	ip->frag_off = 0;
	ip->protocol = protos[kind / 8 % 4];
	ip->saddr = htonl(GUEST);
	ip->daddr = htonl(NET_USER_GATEWAY);
	ip->check = 0;
	if (len < l4 + 20)
		return;
	ip->check = checksum(ip, 4 * ip->ihl, 0);
	n = len - l4;
	sum = ip->protocol == IPPROTO_ICMP ? 0 : ip->protocol + n + 2 * 0x0a00 + 0x20f + 0x202;
	if (ip->protocol != IPPROTO_ICMP) {
		frame[l4 + 2] = kind % 11 ? port >> 8 : 0;
		frame[l4 + 3] = kind % 11 ? port : 67;
	}
	if (ip->protocol == IPPROTO_TCP && kind % 3)
		frame[l4 + 12] = 0x50;
	if (ip->protocol == IPPROTO_UDP) {
		frame[l4 + 6] = frame[l4 + 7] = 0;
		frame[l4 + 4] = kind % 3 ? n >> 8 : frame[l4 + 4];
		frame[l4 + 5] = kind % 3 ? n : frame[l4 + 5];
	} else {
		u32 at = l4 + (ip->protocol == IPPROTO_TCP ? 16 : 2);

		memset(frame + at, 0, 2);
		sum = checksum(frame + l4, n, sum);
		memcpy(frame + at, &sum, 2);
	}
}

/* Whatever the guest says, nothing must come of it; ASan watches. */
static void test_noise(unsigned int frames, u32 seed)
{
	static u8 space[256] __attribute__((aligned(4)));
	int fd[2];
	u16 port;

	/* The same number for both, so that frames of either kind get through. */
	do {
		struct sockaddr_in a = { .sin_family = AF_INET,
					 .sin_addr.s_addr = htonl(LOCALHOST) };

		fd[0] = host_socket(SOCK_STREAM, &port);
		fd[1] = socket(AF_INET, SOCK_DGRAM, 0);
		a.sin_port = htons(port);
		if (!bind(fd[1], (void *)&a, sizeof(a)))
			break;
		close(fd[0]);
		close(fd[1]);
	} while (1);
	begin(&(struct net_options){ .loopback = true });
	post(16);
	send_arp();
	for (unsigned int i = 0; i < frames; i++) {
		u32 len = 1 + i % 200;

		for (u32 j = 0; j < len; j++) {
			seed = seed * 1664525 + 1013904223;
			space[2 + j] = seed >> 24;
		}
		make_noise(space + 2, len, i, port);
		send_frame(space + 2, len);
		if (i % 16 == 0) {
			post((u16)(used_idx(NET_RX) - taken));
			taken = used_idx(NET_RX);
			loop_turn(0);
		}
	}
	ok(!(get(20, 1) & VIRTIO_CONFIG_S_NEEDS_RESET), "%u frames of noise are survived", frames);
	close(fd[0]);
	close(fd[1]);
	end();
}

int main(void)
{
	test_arp_dhcp();
	test_udp(true);
	test_udp(false);
	test_tcp();
	test_forward();
	test_fragments();
	test_filter();
	test_flood();
	test_noise(20000, 1);
	return tap_done();
}
