/* Rewrites addresses and ports with the checksums that cover them. */
#pragma once
#include "common.h"

/* Offset of the checksum in an L4 header, 0 if addresses and ports do not touch one that we can update. */
INLINE __u32 l4_checksum_offset(__u8 protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return 16;
	case IPPROTO_UDP:
		return 6;
	case IPPROTO_ICMPV6:
		return offsetof(struct icmp6hdr, icmp6_cksum);
	default:
		return 0;
	}
}

/* A UDP checksum of 0 means there is none, and stays so. */
INLINE __u64 l4_checksum_flags(__u8 protocol)
{
	return protocol == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
}

/* Changes a port at `offset` (0 source, 2 destination) of the L4 header. SCTP's CRC cannot be updated. */
INLINE int rewrite_port(struct __sk_buff *skb, __u8 protocol, __u32 l4, __u32 offset, __be16 old, __be16 new)
{
	if (old == new)
		return 0;
	if (protocol == IPPROTO_SCTP)
		return DROP_CSUM_L4;
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
		return 0;
	if (bpf_l4_csum_replace(skb, l4 + l4_checksum_offset(protocol), old, new, l4_checksum_flags(protocol) | sizeof(new)) < 0)
		return DROP_CSUM_L4;
	return bpf_skb_store_bytes(skb, l4 + offset, &new, sizeof(new), 0) < 0 ? DROP_WRITE_ERROR : 0;
}

/* Changes the identifier of an ICMP echo message. */
INLINE int rewrite_identifier(struct __sk_buff *skb, __u32 l4, __be16 old, __be16 new)
{
	if (old == new)
		return 0;
	/* ICMP and ICMPv6 have checksum and identifier at the same place. */
	if (bpf_l4_csum_replace(skb, l4 + offsetof(struct icmphdr, checksum), old, new, sizeof(new)) < 0)
		return DROP_CSUM_L4;
	return bpf_skb_store_bytes(skb, l4 + offsetof(struct icmphdr, identifier), &new, sizeof(new), 0) < 0 ? DROP_WRITE_ERROR : 0;
}
