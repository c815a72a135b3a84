/* ICMP errors that the datapath itself sends: time exceeded. RFC 792, RFC 4443. */
#pragma once
#include "ethernet.h"
#include "events.h"

#define ERROR_TTL 64

INLINE __u16 fold_checksum(__s64 sum)
{
	__u32 folded = (__u32)sum;

	folded = (folded & 0xffff) + (folded >> 16);
	folded = (folded & 0xffff) + (folded >> 16);
	return ~folded;
}

/* Sends a packet back to where it came from: MAC addresses swapped, out of the device (and tunnel) it came in by. */
INLINE int send_back(struct __sk_buff *skb)
{
	struct ethhdr ethernet;

	if (bpf_skb_load_bytes(skb, 0, &ethernet, sizeof(ethernet)) < 0)
		return DROP_INVALID;
	if (set_destination_mac(skb, ethernet.h_source) < 0 || set_source_mac(skb, ethernet.h_dest) < 0)
		return DROP_WRITE_ERROR;
#if OBJECT_FILE == 3
	/* The VXLAN device needs to be told the node again. */
	struct bpf_tunnel_key key = {};

	if (bpf_skb_get_tunnel_key(skb, &key, offsetof(struct bpf_tunnel_key, local_ipv4), 0) < 0)
		return DROP_NO_TUNNEL_KEY;
	key.tunnel_id = REMOTE_NODE_ID;
	key.tunnel_ttl = ERROR_TTL;
	key.tunnel_ext = 0;
	if (bpf_skb_set_tunnel_key(skb, &key, offsetof(struct bpf_tunnel_key, local_ipv4), BPF_F_ZERO_CSUM_TX) < 0)
		return DROP_WRITE_ERROR;
#endif
	return bpf_redirect(skb->ifindex, 0);
}

/* Reports the packet whose TTL ended as dropped, before it is turned into the answer. */
INLINE void report_expired(struct __sk_buff *skb)
{
	__u8 direction = get_cb(skb, CB_DIRECTION);

	set_cb(skb, 0, CONFIG(security_label));
	set_cb(skb, 1, 0);
	set_cb(skb, 2, -DROP_INVALID);
	set_cb(skb, 3, 0);
	set_cb(skb, 4, TC_ACT_SHOT | FILE_ICMP << 8 | (__u32)__LINE__ << 16);
	count(skb->len, direction, -DROP_INVALID);
	emit_drop(skb);
}

#define MOST_QUOTED4 (60 + 8)

/* Replaces an IPv4 packet by a time exceeded message to its sender, who gets its header and 8 bytes. */
INLINE int send_time_exceeded4(struct __sk_buff *skb)
{
	__u8 quoted[MOST_QUOTED4] = {};
	struct icmphdr icmp = { .type = ICMP_TIME_EXCEEDED };
	struct iphdr old, ip = { .version = 4, .ihl = 5, .ttl = ERROR_TTL, .protocol = IPPROTO_ICMP };
	__u32 length;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &old, sizeof(old)) < 0 || old.ihl < 5)
		return DROP_INVALID;
	length = old.ihl * 4 + 8;
	if (length > sizeof(quoted) || bpf_skb_load_bytes(skb, ETH_HLEN, quoted, length) < 0)
		return DROP_INVALID;
	ip.tot_len = bpf_htons(sizeof(ip) + sizeof(icmp) + length);
	ip.saddr = CONFIG(router_ipv4).be32;
	ip.daddr = old.saddr;
	ip.check = fold_checksum(bpf_csum_diff(NULL, 0, (void *)&ip, sizeof(ip), 0));
	/* Behind the quoted bytes are zeros, which do not change the sum. */
	icmp.checksum = fold_checksum(bpf_csum_diff(NULL, 0, (void *)quoted, sizeof(quoted),
						    bpf_csum_diff(NULL, 0, (void *)&icmp, sizeof(icmp), 0)));
	if (bpf_skb_change_tail(skb, ETH_HLEN + sizeof(ip) + sizeof(icmp) + length, 0) < 0)
		return DROP_INVALID;
	if (bpf_skb_store_bytes(skb, ETH_HLEN, &ip, sizeof(ip), BPF_F_INVALIDATE_HASH) < 0 ||
	    bpf_skb_store_bytes(skb, ETH_HLEN + sizeof(ip), &icmp, sizeof(icmp), 0) < 0 ||
	    bpf_skb_store_bytes(skb, ETH_HLEN + sizeof(ip) + sizeof(icmp), quoted, length, 0) < 0)
		return DROP_WRITE_ERROR;
	return send_back(skb);
}

/* Checksum of an ICMPv6 message of `length` bytes whose own bytes sum up to `sum`. */
INLINE __u16 icmp6_checksum(const struct ipv6hdr *ip, __u32 length, __s64 sum)
{
	struct {
		__be32 length;
		__u8 zero[3];
		__u8 next;
	} pseudo = { .length = bpf_htonl(length), .next = IPPROTO_ICMPV6 };

	sum = bpf_csum_diff(NULL, 0, (void *)&ip->saddr, 32, sum);
	return fold_checksum(bpf_csum_diff(NULL, 0, (void *)&pseudo, sizeof(pseudo), sum));
}

#define QUOTED6 (sizeof(struct ipv6hdr) + 8)

/* Replaces an IPv6 packet by a time exceeded message to its sender. */
INLINE int send_time_exceeded6(struct __sk_buff *skb)
{
	union v6addr router = config6(&CONFIG(router_ipv6));
	struct icmp6hdr icmp = { .icmp6_type = ICMPV6_TIME_EXCEED, .icmp6_code = ICMPV6_EXC_HOPLIMIT };
	struct ipv6hdr ip = { .version = 6, .nexthdr = IPPROTO_ICMPV6, .hop_limit = ERROR_TTL };
	const __u32 length = sizeof(icmp) + QUOTED6;
	__u8 quoted[QUOTED6];

	if (bpf_skb_load_bytes(skb, ETH_HLEN, quoted, sizeof(quoted)) < 0)
		return DROP_INVALID;
	ip.payload_len = bpf_htons(length);
	__builtin_memcpy(&ip.saddr, &router, sizeof(router));
	__builtin_memcpy(&ip.daddr, quoted + offsetof(struct ipv6hdr, saddr), sizeof(ip.daddr));
	icmp.icmp6_cksum = icmp6_checksum(&ip, length,
					  bpf_csum_diff(NULL, 0, (void *)quoted, sizeof(quoted),
							bpf_csum_diff(NULL, 0, (void *)&icmp, sizeof(icmp), 0)));
	if (bpf_skb_change_tail(skb, ETH_HLEN + sizeof(ip) + length, 0) < 0)
		return DROP_INVALID;
	if (bpf_skb_store_bytes(skb, ETH_HLEN, &ip, sizeof(ip), BPF_F_INVALIDATE_HASH) < 0 ||
	    bpf_skb_store_bytes(skb, ETH_HLEN + sizeof(ip), &icmp, sizeof(icmp), 0) < 0 ||
	    bpf_skb_store_bytes(skb, ETH_HLEN + sizeof(ip) + sizeof(icmp), quoted, sizeof(quoted), 0) < 0)
		return DROP_WRITE_ERROR;
	return send_back(skb);
}
