/* IPv4 fragments: only the first one has ports, so they are kept for the ones that follow. */
#pragma once
#include "metrics.h"

#define IP_MORE_FRAGMENTS 0x2000
#define IP_OFFSET 0x1fff

INLINE bool is_fragment(const struct iphdr *ip)
{
	return ip->frag_off & bpf_htons(IP_MORE_FRAGMENTS | IP_OFFSET);
}

INLINE bool has_l4_header(const struct iphdr *ip)
{
	return !(ip->frag_off & bpf_htons(IP_OFFSET));
}

/* Stores the ports of a first fragment, or looks up those of a later one. Returns 0 or a drop reason. */
INLINE int track_fragment(struct __sk_buff *skb, const struct iphdr *ip, __u32 l4, __u8 direction, struct fragment_ports *ports)
{
	struct fragment_id id = { .daddr = ip->daddr, .saddr = ip->saddr, .id = ip->id, .proto = ip->protocol };
	struct fragment_ports *known;

	count(skb->len, direction, METRIC_FRAGMENT);
	if (has_l4_header(ip)) {
		if (bpf_skb_load_bytes(skb, l4, ports, sizeof(*ports)) < 0)
			return DROP_CT_INVALID_HDR;
		if (bpf_map_update_elem(&cilium_ipv4_frag_datagrams, &id, ports, 0) < 0)
			count(skb->len, direction, METRIC_FRAGMENT_UPDATE);
		return 0;
	}
	known = bpf_map_lookup_elem(&cilium_ipv4_frag_datagrams, &id);
	if (!known)
		return DROP_FRAG_NOT_FOUND;
	*ports = *known;
	return 0;
}
