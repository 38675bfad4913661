/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames that libslirp must not see.  It parses what the guest sends in our process, and each connection of the guest
 * is a socket of ours.
 */
#include <net/ethernet.h>
#include <netinet/in.h>

#include "virtio/net_user.h"

#define IP_HLEN	 20 /* without options */
#define TCP_HLEN 20
#define UDP_HLEN 8

#define TCP_SYN 0x02
#define TCP_ACK 0x10
#define TCP_URG 0x20

#define PORT_TFTP 69

static u32 be32(const u8 *p)
{
	return (u32)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static bool refuse_tcp(const struct net_user *u, const u8 *tcp, u64 len)
{
	/* It sends more urgent data than there are (4.7.0, sosendoob()). */
	if (len < TCP_HLEN || (tcp[13] & TCP_URG))
		return true;
	return net_user_poll__full(u) && (tcp[13] & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

static bool refuse_udp(const struct net_user *u, u32 dst, const u8 *udp, u64 len)
{
	if (len < UDP_HLEN || net_user_poll__full(u))
		return true;
	/* There is no server, but it would parse the request. */
	return (udp[2] << 8 | udp[3]) == PORT_TFTP && (dst == NET_USER_GATEWAY || dst == ~0u);
}

static bool refuse_ip(const struct net_user *u, const u8 *ip, u64 len)
{
	const u32 hlen = (ip[0] & 0xf) * 4, dst = be32(ip + 16);

	if (hlen < IP_HLEN || len < hlen)
		return true;
	/* Fragments: an empty one crashes it (4.7.0, ip_reass()), so they are lost, as behind many a firewall. */
	if ((ip[6] & 0x3f) || ip[7])
		return true;
	/*
	 * Destinations that mean the host itself to its kernel: it closes its own alias for 127.0.0.1 only, and hands
	 * others to connect() as they are.
	 */
	if (!u->net->opt.loopback && (dst >> 24 == 127 || dst >> 24 == 0))
		return true;
	switch (ip[9]) {
	case IPPROTO_TCP:
		return refuse_tcp(u, ip + hlen, len - hlen);
	case IPPROTO_UDP:
		return refuse_udp(u, dst, ip + hlen, len - hlen);
	default:
		return net_user_poll__full(u);
	}
}

bool net_user__refuse(const struct net_user *u, const u8 *eth, u64 len)
{
	if (len < ETH_HLEN)
		return true;
	switch (eth[12] << 8 | eth[13]) {
	case ETHERTYPE_ARP:
		return false;
	case ETHERTYPE_IP:
		return len < ETH_HLEN + IP_HLEN || refuse_ip(u, eth + ETH_HLEN, len - ETH_HLEN);
	default:
		return true;
	}
}
