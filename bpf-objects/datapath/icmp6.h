/* The router of an IPv6 Pod: answers neighbour solicitations and echo requests for the router's address. RFC 4861, RFC 4443. */
#pragma once
#include "icmp.h"

#define NEIGHBOUR_SOLICITATION 135
#define NEIGHBOUR_ADVERTISEMENT 136
#define OPTION_TARGET_MAC 2

struct neighbour_advertisement {
	struct icmp6hdr icmp;
	union v6addr target;
	__u8 option;
	__u8 option_length; /* words of 8 bytes */
	__u8 mac[ETH_ALEN];
} __attribute__((packed));

/* Answers a solicitation for the router with the MAC address of the host's end of the device. */
INLINE int answer_solicitation(struct __sk_buff *skb)
{
	union v6addr router = config6(&CONFIG(router_ipv6)), target, sender;
	union macaddr own = config_mac(&CONFIG(interface_mac));
	struct neighbour_advertisement message = {
		.icmp = { .icmp6_type = NEIGHBOUR_ADVERTISEMENT },
		.option = OPTION_TARGET_MAC,
		.option_length = 1,
	};
	struct ipv6hdr ip;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)) < 0 ||
	    bpf_skb_load_bytes(skb, ETH_HLEN + sizeof(ip) + sizeof(struct icmp6hdr), &target, sizeof(target)) < 0)
		return DROP_INVALID;
	if (target.d1 != router.d1 || target.d2 != router.d2)
		return DROP_UNKNOWN_TARGET;
	message.icmp.icmp6_solicited = 1;
	message.icmp.icmp6_override = 1;
	message.target = target;
	__builtin_memcpy(message.mac, own.addr, ETH_ALEN);
	__builtin_memcpy(&sender, &ip.saddr, sizeof(sender));
	__builtin_memcpy(&ip.daddr, &sender, sizeof(sender));
	__builtin_memcpy(&ip.saddr, &router, sizeof(router));
	ip.payload_len = bpf_htons(sizeof(message));
	ip.hop_limit = 255;
	message.icmp.icmp6_cksum = icmp6_checksum(&ip, sizeof(message), bpf_csum_diff(NULL, 0, (void *)&message, sizeof(message), 0));
	if (bpf_skb_change_tail(skb, ETH_HLEN + sizeof(ip) + sizeof(message), 0) < 0)
		return DROP_INVALID;
	if (bpf_skb_store_bytes(skb, ETH_HLEN, &ip, sizeof(ip), BPF_F_INVALIDATE_HASH) < 0 ||
	    bpf_skb_store_bytes(skb, ETH_HLEN + sizeof(ip), &message, sizeof(message), 0) < 0)
		return DROP_WRITE_ERROR;
	/* The solicitation went to a multicast address: the answer comes from the device's own. */
	if (send_back(skb) < 0 || set_source_mac(skb, own.addr) < 0)
		return DROP_WRITE_ERROR;
	return bpf_redirect(skb->ifindex, 0);
}

/* Turns an echo request into its reply. The sum stays, but for the type. */
INLINE int answer_echo(struct __sk_buff *skb)
{
	const __u32 icmp = ETH_HLEN + sizeof(struct ipv6hdr);
	__be16 request = bpf_htons(ICMPV6_ECHO_REQUEST << 8), reply = bpf_htons(ICMPV6_ECHO_REPLY << 8);
	struct in6_addr addresses[2]; /* source, destination */
	struct in6_addr source;

	if (bpf_skb_load_bytes(skb, ETH_HLEN + offsetof(struct ipv6hdr, saddr), addresses, sizeof(addresses)) < 0)
		return DROP_INVALID;
	source = addresses[0];
	addresses[0] = addresses[1];
	addresses[1] = source;
	if (bpf_l4_csum_replace(skb, icmp + offsetof(struct icmp6hdr, icmp6_cksum), request, reply, sizeof(request)) < 0)
		return DROP_CSUM_L4;
	if (bpf_skb_store_bytes(skb, ETH_HLEN + offsetof(struct ipv6hdr, saddr), addresses, sizeof(addresses), 0) < 0 ||
	    bpf_skb_store_bytes(skb, icmp, &reply, sizeof(reply), 0) < 0)
		return DROP_WRITE_ERROR;
	return send_back(skb);
}

/* Messages from a Pod that its router answers itself. Returns 0 for all others, which are forwarded. */
INLINE int handle_icmp6(struct __sk_buff *skb)
{
	union v6addr router = config6(&CONFIG(router_ipv6)), target;
	struct {
		__u8 type;
		__u8 code;
	} icmp;
	__u8 next;

	if (bpf_skb_load_bytes(skb, ETH_HLEN + offsetof(struct ipv6hdr, nexthdr), &next, 1) < 0)
		return DROP_INVALID;
	if (next != IPPROTO_ICMPV6)
		return 0;
	if (bpf_skb_load_bytes(skb, ETH_HLEN + sizeof(struct ipv6hdr), &icmp, sizeof(icmp)) < 0 ||
	    bpf_skb_load_bytes(skb, ETH_HLEN + offsetof(struct ipv6hdr, daddr), &target, sizeof(target)) < 0)
		return DROP_INVALID;
	if (icmp.type == NEIGHBOUR_SOLICITATION) {
		bpf_tail_call(skb, &cilium_calls, CALL_ICMP6_NEIGHBOUR_SOLICITATION);
		return DROP_MISSED_TAIL_CALL;
	}
	if (icmp.type == ICMPV6_ECHO_REQUEST && icmp.code == 0 && target.d1 == router.d1 && target.d2 == router.d2) {
		bpf_tail_call(skb, &cilium_calls, CALL_ICMP6_ECHO_REPLY);
		return DROP_MISSED_TAIL_CALL;
	}
	return 0;
}
