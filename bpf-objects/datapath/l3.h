/* Forwarding: TTL, MAC addresses, delivery to a local Pod. Included per family. */

/* Takes one from the TTL. At its end a program of its own answers with an ICMP error. Returns 0 or a drop reason. */
INLINE int FN(decrement_ttl)(struct __sk_buff *skb, __u8 direction)
{
#if FAMILY == 4
	const __u32 at = ETH_HLEN + offsetof(struct iphdr, ttl);
#else
	const __u32 at = ETH_HLEN + offsetof(struct ipv6hdr, hop_limit);
#endif
	__u8 ttl, next;

	if (bpf_skb_load_bytes(skb, at, &ttl, 1) < 0)
		return DROP_INVALID;
	if (ttl <= 1) {
		set_cb(skb, CB_DIRECTION, direction);
#if FAMILY == 4
		bpf_tail_call(skb, &cilium_calls, CALL_ICMP4_TIME_EXCEEDED);
#else
		bpf_tail_call(skb, &cilium_calls, CALL_ICMP6_TIME_EXCEEDED);
#endif
		return DROP_INVALID;
	}
	next = ttl - 1;
#if FAMILY == 4
	/* TTL and protocol are one word of the checksum, the TTL its first byte. */
	if (bpf_l3_csum_replace(skb, ETH_HLEN + offsetof(struct iphdr, check), ttl, next, 2) < 0)
		return DROP_CSUM_L3;
#endif
	return bpf_skb_store_bytes(skb, at, &next, 1, 0) < 0 ? DROP_WRITE_ERROR : 0;
}

/* What a router does to a packet; the MAC addresses may be null. Returns 0 or a drop reason. */
INLINE int FN(route)(struct __sk_buff *skb, const void *source_mac, const void *destination_mac, __u8 direction)
{
	int ret = FN(decrement_ttl)(skb, direction);

	if (!ret && source_mac)
		ret = set_source_mac(skb, source_mac);
	if (!ret && destination_mac)
		ret = set_destination_mac(skb, destination_mac);
	return ret;
}

/* Delivers to a Pod of this node: its policy program decides, here or (endpoint routes) on its device. */
INLINE int FN(deliver_locally)(struct __sk_buff *skb, __u32 identity, const struct endpoint_info *endpoint, __u8 direction,
			       bool from_host)
{
	__u64 pod_mac = endpoint->mac, host_mac = endpoint->node_mac;
	__u32 ifindex = endpoint->ifindex, id = endpoint->lxc_id;
	int ret = FN(route)(skb, &host_mac, &pod_mac, direction);

	if (ret < 0)
		return ret;
	count(skb->len, direction, METRIC_FORWARDED);
	if (CONFIG(enable_endpoint_routes)) {
		set_identity_mark(skb, identity);
		return bpf_redirect(ifindex, 0);
	}
	set_cb(skb, CB_SRC_LABEL, identity);
	set_cb(skb, CB_IFINDEX, ifindex);
	set_cb(skb, CB_FROM_HOST, from_host);
	bpf_tail_call(skb, &cilium_call_policy, id);
	return DROP_MISSED_TAIL_CALL;
}
