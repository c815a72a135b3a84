/* Which packets that leave the node get another source address. Included per family. */

INLINE bool FN(is_in_native_cidr)(const FN(address) *address)
{
#if FAMILY == 4
	__be32 mask = CONFIG(native_cidr_ipv4_mask).be32;

	return mask && (*address & mask) == (CONFIG(native_cidr_ipv4).be32 & mask);
#else
	__u8 length = CONFIG(native_cidr_ipv6_prefix);
	union v6addr prefix = config6(&CONFIG(native_cidr_ipv6));
	__be64 high, low;

	if (!length || length > 128)
		return false;
	high = length >= 64 ? ~0ULL : bpf_cpu_to_be64(~(~0ULL >> length));
	low = length <= 64 ? 0 : length == 128 ? ~0ULL : bpf_cpu_to_be64(~(~0ULL >> (length - 64)));
	return !((address->d1 ^ prefix.d1) & high) && !((address->d2 ^ prefix.d2) & low);
#endif
}

/* Whether an agent excluded the destination from masquerading. */
INLINE bool FN(is_excluded)(const FN(address) *address)
{
#if FAMILY == 4
	struct masquerade_cidr4 key = { .lpm_key.prefixlen = 32, .addr = *address };

	return bpf_map_lookup_elem(&cilium_ipmasq_v4, &key);
#else
	return false;
#endif
}

/* True if the packet answers a connection that the other side opened. */
INLINE bool FN(is_reply_of)(struct __sk_buff *skb, const struct FN(packet) *packet)
{
	struct FN(packet) copy = *packet;
	__u8 flags;

	copy.tuple.flags = TUPLE_IN;
	if (FN(ct_load_ports)(skb, &copy, METRIC_EGRESS, &flags) < 0)
		return false;
	copy.tuple.flags = TUPLE_IN;
	return bpf_map_lookup_elem(FN(ct_map)(copy.tuple.nexthdr), &copy.tuple);
}

/*
 * Decides on a packet that leaves by this device. Traffic from the node's own addresses is translated too, so that its ports do not
 * collide with those of others. Returns true with the new source in *to; *from_pod: a Pod's, whose low ports change as well.
 */
INLINE bool FN(needs_snat)(struct __sk_buff *skb, const struct FN(packet) *packet, FN(address) *to, bool *from_pod)
{
	FN(address) source = packet->tuple.saddr;
#if OBJECT_FILE == 3
	*from_pod = false;
	*to = FAMILY_CONFIG(router_ipv, );
	return FN(same)(&source, to);
#else
	FN(address) target = packet->tuple.daddr;
	struct endpoint_info *endpoint;

	*from_pod = false;
	*to = FAMILY_CONFIG(direct_routing_ipv, );
	if (CONFIG(direct_routing_dev_ifindex) == CONFIG(interface_ifindex) && FN(same)(&source, to))
		return true;
	if (!FAMILY_SWITCH(enable_masquerade_ipv))
		return false;
	*to = FAMILY_CONFIG(nat_ipv, _masquerade);
	if (FN(same)(&source, to))
		return true;
	endpoint = FN(find_endpoint)(&source);
	if (!endpoint || endpoint->flags & ENDPOINT_HOST || FN(is_in_native_cidr)(&target) || FN(is_excluded)(&target))
		return false;
	/* With a tunnel, remote nodes are reached past it, and the network between knows no Pods. */
	if (!CONFIG(encap_ifindex) && is_remote_node(FN(identity_of)(&target, WORLD_ID)))
		return false;
	*from_pod = true;
	return !FN(is_reply_of)(skb, packet);
#endif
}

/* Program of slot 19 or 24: SNAT on the way out. Returns TC_ACT_OK or a drop reason. */
INLINE int FN(snat_forward)(struct __sk_buff *skb)
{
	struct FN(packet) packet;
	FN(address) to;
	bool from_pod;
	int ret;

	ret = FN(parse)(skb, &packet);
	if (ret < 0)
		return ret;
	if (!FN(needs_snat)(skb, &packet, &to, &from_pod))
		return TC_ACT_OK;
	ret = FN(snat)(skb, &packet, &to, !from_pod);
	return ret == NAT_NOT_NEEDED ? TC_ACT_OK : ret;
}

SEC("tc")
int FN(tail_handle_nat_fwd_ipv)(struct __sk_buff *skb)
{
	int ret = FN(snat_forward)(skb);

	if (ret < 0)
		return DROP_IN(FILE_MASQUERADE, skb, 0, ret, 0, METRIC_EGRESS);
	trace(skb, SNAT_TRACE_POINT, 0, 0, 0, 0, &UNTRACKED);
	return ret;
}
