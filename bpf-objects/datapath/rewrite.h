/* Changes an address of a packet. Included per family. */

/* `at` is L3_SADDR or L3_DADDR. Returns 0 or a drop reason. */
INLINE int FN(rewrite_address)(struct __sk_buff *skb, const struct FN(packet) *packet, __u32 at, const FN(address) *old,
			       const FN(address) *new)
{
	FN(address) from = *old, to = *new;
	__u8 protocol = packet->tuple.nexthdr;
	__u32 checksum = l4_checksum_offset(protocol);
	__s64 difference;

	if (FN(same)(&from, &to))
		return 0;
	difference = bpf_csum_diff((void *)&from, sizeof(from), (void *)&to, sizeof(to), 0);
	if (bpf_skb_store_bytes(skb, at, &to, sizeof(to), 0) < 0)
		return DROP_WRITE_ERROR;
#if FAMILY == 4
	if (bpf_l3_csum_replace(skb, ETH_HLEN + offsetof(struct iphdr, check), 0, difference, 0) < 0)
		return DROP_CSUM_L3;
#endif
	if (packet->has_l4 && checksum &&
	    bpf_l4_csum_replace(skb, packet->l4 + checksum, 0, difference, l4_checksum_flags(protocol) | BPF_F_PSEUDO_HDR) < 0)
		return DROP_CSUM_L4;
	return 0;
}

/* Changes the source or destination (address and port) of a packet; ports only where there are any and `port` is not 0. */
INLINE int FN(rewrite_source)(struct __sk_buff *skb, const struct FN(packet) *packet, const FN(address) *old, const FN(address) *new,
			      __be16 old_port, __be16 port)
{
	int ret = FN(rewrite_address)(skb, packet, L3_SADDR, old, new);

	if (ret < 0 || !packet->has_l4 || !port)
		return ret;
	return rewrite_port(skb, packet->tuple.nexthdr, packet->l4, 0, old_port, port);
}

INLINE int FN(rewrite_destination)(struct __sk_buff *skb, const struct FN(packet) *packet, const FN(address) *old,
				   const FN(address) *new, __be16 old_port, __be16 port)
{
	int ret = FN(rewrite_address)(skb, packet, L3_DADDR, old, new);

	if (ret < 0 || !packet->has_l4 || !port)
		return ret;
	return rewrite_port(skb, packet->tuple.nexthdr, packet->l4, 2, old_port, port);
}
