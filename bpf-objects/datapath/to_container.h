/* What a Pod receives: conntrack, reverse translation of replies, ingress policy, delivery. Included per family. */

/*
 * ifindex: device to redirect to, 0 to let the packet pass; source: identity of the sender. Runs after the conntrack stage, on its
 * buffer. Returns a verdict or a drop reason.
 */
INLINE int FN(to_container)(struct __sk_buff *skb, __u32 ifindex, __u32 source, bool from_host)
{
	bool skip_proxy = skb->tc_index & SKIP_INGRESS_PROXY;
	struct FN(ct_buffer) *buffer;
	struct FN(packet) packet;
	struct ct_state new = {}, state;
	union v6addr original = {};
	__u32 zero = 0, local = CONFIG(security_label);
	int ret, status, verdict = 0;
	struct trace why;
	__u8 match = MATCH_NONE;

	ret = FN(parse)(skb, &packet);
	if (ret < 0)
		return ret;
	__builtin_memcpy(&original, &packet.tuple.saddr, sizeof(packet.tuple.saddr));
	buffer = bpf_map_lookup_elem(&CONCAT(cilium_tail_call_buffer, FAMILY), &zero);
	if (!buffer || !buffer->tuple.nexthdr)
		return DROP_INVALID_TC_BUFFER;
	packet.tuple = buffer->tuple;
	state = buffer->ct_state;
	status = buffer->ret;
	why.reason = status;
	why.monitor = buffer->monitor;

	/* Return traffic to an egress proxy. */
	if (is_reply(status) && (state.from_l7lb || (state.proxy_redirect && !(skb->tc_index & SKIP_EGRESS_PROXY)))) {
		trace_from(skb, TRACE_TO_PROXY, source, local, 0, ifindex, &why, &original, IS_IPV6);
		return to_proxy(skb, 0);
	}
	if (status == CT_REPLY && state.rev_nat_index && !state.loopback) {
		ret = FN(reverse_translate)(skb, &packet, &state);
		if (ret < 0)
			return ret;
	}
	if (!state.loopback) {
		verdict = policy_check(skb, source, FN(policy_port)(skb, &packet), packet.tuple.nexthdr, METRIC_INGRESS, &match);
		if ((verdict < 0 && !is_reply(status)) || ((status == CT_NEW || status == CT_REOPENED) && !skip_proxy))
			report_verdict(skb, source, packet.tuple.dport, packet.tuple.nexthdr, METRIC_INGRESS, IS_IPV6, verdict,
				       match);
		if (verdict < 0 && !is_reply(status))
			return verdict;
		if (skip_proxy)
			verdict = 0;
	}
	if (status == CT_NEW) {
		if (CONFIG(enable_nodeport)) {
			/* The node made an egress entry when it translated the request of an outside client. */
			struct FN(ct_tuple) request = packet.tuple;
			struct ct_entry *entry;

			request.flags = TUPLE_OUT;
			entry = bpf_map_lookup_elem(FN(ct_map)(request.nexthdr), &request);
			new.node_port = entry && entry->node_port;
		}
		new.src_sec_id = source;
		ret = FN(ct_create)(skb, &packet.tuple, CT_INGRESS, &new, verdict > 0, true);
		if (ret < 0)
			return ret;
	}
	if (verdict > 0 && !is_reply(status)) {
		trace_from(skb, TRACE_TO_PROXY, source, local, bpf_ntohs(verdict), ifindex, &why, &original, IS_IPV6);
		return to_proxy(skb, verdict);
	}
	trace_from(skb, TRACE_TO_LXC, source, local, CONFIG(endpoint_id), ifindex, &why, &original, IS_IPV6);
	if (!ifindex)
		return TC_ACT_OK;
	if (CONFIG(enable_host_routing) && !from_host) {
		/* The tunnel device delivers frames with the other side's MAC addresses. */
		bpf_skb_change_type(skb, PACKET_HOST);
		return bpf_redirect_peer(ifindex, 0);
	}
	return bpf_redirect(ifindex, 0);
}

/* Entry of slot 13 or 14: on the Pod's own device (endpoint routes). Stores the sender's identity in *source. */
INLINE int FN(to_endpoint)(struct __sk_buff *skb, __u32 *source)
{
	struct FN(packet) packet;
	int ret = FN(parse)(skb, &packet);

	if (ret < 0)
		return ret;
	*source = FN(resolve_source)(&packet.tuple.saddr, *source);
	count(skb->len, METRIC_INGRESS, METRIC_FORWARDED);
	set_cb(skb, CB_SRC_LABEL, 0);
	return FN(to_container)(skb, 0, *source, true);
}
