/* Source NAT: when, with which ports, and the way to its program. */
#pragma once
#include "mark.h"

/* Whether the node changes the source of packets at all. */
INLINE bool has_snat(void)
{
	return CONFIG(enable_nodeport) || CONFIG(enable_masquerade_ipv4) || CONFIG(enable_masquerade_ipv6);
}

/* Ports above those of NodePort services belong to it. */
INLINE __u16 snat_port_min(void)
{
	return CONFIG(nodeport_port_max) + 1;
}

INLINE __u16 snat_port(__u16 any)
{
	return any % (__u16)(65535 - snat_port_min()) + snat_port_min();
}

/* A flow keeps its port if that is in the range. */
INLINE __u16 first_snat_port(__u16 wanted)
{
	return wanted >= snat_port_min() ? wanted : snat_port((__u16)bpf_get_prandom_u32());
}

/* Leaves SNAT to its program; returns if there is none or the packet is no IP. */
INLINE void forward_through_snat(struct __sk_buff *skb)
{
	if (!has_snat() || is_snat_done(skb))
		return;
	if (ethertype(skb) == ETH_P_IP)
		bpf_tail_call(skb, &cilium_calls, CALL_IPV4_SNAT_FORWARD);
	else if (CONFIG(enable_ipv6) && ethertype(skb) == ETH_P_IPV6)
		bpf_tail_call(skb, &cilium_calls, CALL_IPV6_SNAT_FORWARD);
}
