/* Packets of native devices and of cilium_host. Included per family. */

/* Identity of a packet that came in by a native device: the ipcache is believed for endpoints only. */
INLINE __u32 FN(source_of_network)(struct __sk_buff *skb)
{
	FN(address) source;
	__u32 identity;

	if (bpf_skb_load_bytes(skb, L3_SADDR, &source, sizeof(source)) < 0)
		return WORLD_ID;
	identity = FN(resolve_source)(&source, WORLD_ID);
	return is_reserved_identity(identity) ? WORLD_ID : identity;
}

/* Identity of a packet from the host's stack, which may have told it in the mark. */
INLINE __u32 FN(source_of_host)(struct __sk_buff *skb, __u32 claimed)
{
	FN(address) source;

	if (bpf_skb_load_bytes(skb, L3_SADDR, &source, sizeof(source)) < 0)
		return claimed;
	return FN(resolve_source)(&source, claimed);
}

/* From a native device, after services: program of slot 33 or 34, or part of the first one. */
INLINE int FN(from_netdev_continued)(struct __sk_buff *skb, __u32 *identity)
{
	struct trace why = UNTRACKED;
	struct endpoint_info *endpoint;
	struct FN(packet) packet;
	FN(address) target;
	__u32 source = WORLD_ID;
	int ret;

	if (CONFIG(enable_host_firewall) && !(skb->tc_index & SKIP_HOST_FIREWALL)) {
		ret = FN(host_policy_ingress)(skb, &source, &why);
		if (ret < 0) {
			*identity = source;
			return ret;
		}
	}
	ret = FN(parse)(skb, &packet);
	if (ret < 0)
		return ret;
	target = packet.tuple.daddr;
	endpoint = FN(find_endpoint)(&target);
	if (!endpoint || endpoint->flags & ENDPOINT_HOST)
		return TC_ACT_OK;
	return FN(deliver_locally)(skb, *identity, endpoint, METRIC_INGRESS, false);
}

/* Program of slot 7 or 10. The services and the firewall together would be too much for the verifier. */
INLINE int FN(from_netdev)(struct __sk_buff *skb, __u32 *identity)
{
	int ret;

	if (!has_snat() || skb->tc_index & SKIP_NODEPORT)
		return FN(from_netdev_continued)(skb, identity);
	ret = FN(nodeport)(skb, *identity);
	if (ret < 0)
		return ret;
	set_cb(skb, CB_SRC_LABEL, *identity);
	bpf_tail_call(skb, &cilium_calls, FAMILY_CALL(FROM_DEVICE_CONT));
	return DROP_MISSED_TAIL_CALL;
}

/* Program of slot 22 or 23: from the host's stack, through cilium_host. */
INLINE int FN(from_host)(struct __sk_buff *skb, __u32 identity)
{
	union macaddr peer = config_mac(&CONFIG(cilium_net_mac));
	struct trace why = { .reason = REASON_UNKNOWN, .monitor = CONFIG(trace_payload_len) };
	struct endpoint_info *endpoint;
	struct FN(packet) packet;
	FN(address) target;
	__u32 destination;
	__be32 node;
	int ret;

	if (CONFIG(enable_host_firewall)) {
		ret = FN(host_policy_egress)(skb, identity, &why);
		if (ret < 0)
			return ret;
	}
	/* What stays on this host comes out of cilium_net, whose stack shall take it. */
	ret = set_destination_mac(skb, peer.addr);
	if (ret < 0)
		return ret;
	ret = FN(parse)(skb, &packet);
	if (ret < 0)
		return ret;
	target = packet.tuple.daddr;
	endpoint = FN(find_endpoint)(&target);
	if (endpoint)
		return endpoint->flags & ENDPOINT_HOST ? TC_ACT_OK
						       : FN(deliver_locally)(skb, identity, endpoint, METRIC_INGRESS, true);
	destination = FN(identity_of)(&target, WORLD_ID);
	if (CONFIG(encap_ifindex)) {
		node = FN(find_tunnel_endpoint)(&target);
		if (node)
			return encapsulate_and_redirect(skb, node, identity, destination, &why);
	}
	/* Nothing but Pods is routed to this device: the packet would come back here. */
	return destination == WORLD_ID ? DROP_UNROUTABLE : TC_ACT_OK;
}
