/* What a Pod sends: service, conntrack, egress policy, and the way to the destination. Included per family. */

/* First stage (slot 7 or 10): is the sender who it says it is, and is the destination a service? */
INLINE int FN(from_container)(struct __sk_buff *skb)
{
	FN(address) own = FAMILY_CONFIG(endpoint_ipv, );
	struct ct_state state = {};
	struct lb_service *service;
	struct FN(packet) packet;
	struct FN(lb_key) key = {};
	int ret;

#if FAMILY == 6
	ret = handle_icmp6(skb);
	if (ret < 0)
		return ret;
#endif
	ret = FN(parse)(skb, &packet);
	if (ret < 0)
		return ret;
	if (!FN(same)(&packet.tuple.saddr, &own))
		return DROP_INVALID_SIP;
	if (CONFIG(enable_per_packet_lb)) {
		ret = FN(service_key)(skb, &packet, METRIC_EGRESS, &key);
		if (ret < 0 && ret != DROP_UNKNOWN_L4)
			return ret;
		service = ret < 0 ? NULL : FN(find_service)(&key, true);
		if (service) {
			ret = FN(translate_service)(skb, &packet, &key, service, &state);
			if (ret < 0)
				return ret;
		}
	}
	set_cb(skb, CB_PROXY_PORT, 0);
	set_cb(skb, CB_BACKEND_ID, state.backend_id);
	set_cb(skb, CB_CT_STATE, (__u32)state.rev_nat_index << 16 | state.loopback);
	bpf_tail_call(skb, &cilium_calls, FAMILY_CALL(CT_EGRESS));
	return DROP_MISSED_TAIL_CALL;
}

/* What the first stage left in cb; the words are cleared, since the policy check reads one of them. */
INLINE void FN(restore_service_state)(struct __sk_buff *skb, const struct FN(packet) *packet, struct ct_state *state)
{
	__u32 word = get_cb(skb, CB_CT_STATE);

	state->rev_nat_index = word >> 16;
	state->backend_id = get_cb(skb, CB_BACKEND_ID);
#if FAMILY == 4
	if (word & 1) {
		state->loopback = 1;
		state->addr = CONFIG(service_loopback_ipv4).be32;
		state->svc_addr = packet->tuple.daddr;
	}
#endif
	set_cb(skb, CB_PROXY_PORT, 0);
	set_cb(skb, CB_BACKEND_ID, 0);
	set_cb(skb, CB_CT_STATE, 0);
}

/* To the host's stack, which routes on: with the identity in the mark. */
INLINE int FN(pass_to_stack)(struct __sk_buff *skb, __u32 destination, const struct trace *why)
{
	union macaddr router = config_mac(&CONFIG(interface_mac));
	int ret = FN(route)(skb, NULL, &router, METRIC_EGRESS);

	if (ret < 0)
		return ret;
	set_identity_mark(skb, CONFIG(security_label));
	trace(skb, TRACE_TO_STACK, CONFIG(security_label), destination, 0, 0, why);
	return TC_ACT_OK;
}

/* Sends an allowed packet on its way. `wire` has the addresses as they are now. */
INLINE int FN(forward_from_container)(struct __sk_buff *skb, const struct FN(packet) *wire, __u32 destination, bool loopback,
				      const struct trace *why, int *fib_result)
{
	FN(address) source = wire->tuple.saddr, target = wire->tuple.daddr;
	struct endpoint_info *endpoint = FN(find_endpoint)(&target);
	__u32 ifindex = 0;
	__be32 node;
	int ret;

	if (endpoint && !(endpoint->flags & ENDPOINT_HOST) && (!CONFIG(enable_endpoint_routes) || loopback)) {
		set_cb(skb, CB_POLICY, loopback);
		return FN(deliver_locally)(skb, CONFIG(security_label), endpoint, METRIC_EGRESS, false);
	}
	if (CONFIG(enable_host_firewall) && destination == HOST_ID) {
		if (!CONFIG(enable_endpoint_routes)) {
			trace(skb, TRACE_TO_HOST, CONFIG(security_label), HOST_ID, 0, CONFIG(cilium_host_ifindex), why);
			return bpf_redirect(CONFIG(cilium_host_ifindex), BPF_F_INGRESS);
		}
		set_cb(skb, CB_FROM_HOST, 0);
		bpf_tail_call(skb, &cilium_call_policy, CONFIG(host_ep_id));
		return DROP_MISSED_TAIL_CALL;
	}
	if (!endpoint && CONFIG(encap_ifindex)) {
		node = FN(find_tunnel_endpoint)(&target);
		if (node)
			return encapsulate_and_redirect(skb, node, CONFIG(security_label), destination, why);
	} else if (!endpoint && CONFIG(enable_host_routing)) {
		ret = FN(redirect_by_route)(skb, &source, &target, METRIC_EGRESS, &ifindex, fib_result);
		if (ret == TC_ACT_REDIRECT)
			trace(skb, TRACE_TO_NETWORK, CONFIG(security_label), destination, 0, ifindex, why);
		return ret;
	}
	return FN(pass_to_stack)(skb, destination, why);
}

/* Last stage (slot 25 or 26): egress policy, the connection's entry, and forwarding. */
INLINE int FN(from_container_continued)(struct __sk_buff *skb, __u32 *destination, int *fib_result)
{
	struct FN(ct_buffer) *buffer;
	struct ct_state new = {}, state;
	struct FN(packet) wire, known;
	__u32 zero = 0, local = CONFIG(security_label);
	int ret, status, verdict = 0;
	struct trace why;
	__u8 match = MATCH_NONE;
	bool loopback;

	ret = FN(parse)(skb, &wire);
	if (ret < 0)
		return ret;
	*destination = FN(identity_of)(&wire.tuple.daddr, WORLD_ID);
	FN(restore_service_state)(skb, &wire, &new);
	loopback = new.loopback;
	buffer = bpf_map_lookup_elem(&CONCAT(cilium_tail_call_buffer, FAMILY), &zero);
	if (!buffer || !buffer->tuple.nexthdr)
		return DROP_INVALID_TC_BUFFER;
	known = wire;
	known.tuple = buffer->tuple;
	state = buffer->ct_state;
	status = buffer->ret;
	why.reason = status;
	why.monitor = buffer->monitor;

	/* Return traffic to an ingress proxy. */
	if (is_reply(status) && state.proxy_redirect)
		return to_proxy(skb, 0);
	/* A Pod may always talk to itself. */
	if (!loopback) {
		verdict = policy_check_egress(skb, *destination, FN(policy_port)(skb, &known), known.tuple.nexthdr, &match);
		if ((verdict < 0 && !is_reply(status)) || status == CT_NEW || status == CT_REOPENED)
			report_verdict(skb, *destination, known.tuple.dport, known.tuple.nexthdr, METRIC_EGRESS, IS_IPV6, verdict,
				       match);
		if (verdict < 0 && !is_reply(status))
			return verdict;
	}
	switch (status) {
	case CT_ESTABLISHED:
	case CT_REOPENED:
		if (state.rev_nat_index == new.rev_nat_index)
			break;
		/* fall through: the entry is of another service, or none */
	case CT_NEW:
		new.src_sec_id = local;
		ret = FN(ct_create)(skb, &known.tuple, CT_EGRESS, &new, verdict > 0, true);
		if (ret < 0)
			return ret;
		break;
	case CT_REPLY:
	case CT_RELATED:
		set_cb(skb, CB_POLICY, 1);
		if (CONFIG(enable_nodeport) && state.node_port) {
			trace(skb, TRACE_TO_NETWORK, local, *destination, 0, 0, &why);
			skb->tc_index |= SKIP_RECIRCULATION;
			bpf_tail_call(skb, &cilium_calls, FAMILY_CALL(NODEPORT_REVERSE));
			return DROP_MISSED_TAIL_CALL;
		}
		if (state.rev_nat_index) {
			ret = FN(reverse_translate)(skb, &known, &state);
			if (ret < 0)
				return ret;
			ret = FN(parse)(skb, &wire);
			if (ret < 0)
				return ret;
		}
		break;
	default:
		return DROP_UNKNOWN_CT;
	}
	if (verdict > 0 && (status == CT_NEW || status == CT_ESTABLISHED || status == CT_REOPENED)) {
		trace(skb, TRACE_TO_PROXY, local, 0, bpf_ntohs(verdict), 0, &why);
		return to_proxy(skb, verdict);
	}
	return FN(forward_from_container)(skb, &wire, *destination, loopback || state.loopback, &why, fib_result);
}

/* Looks a packet up and leaves the result for the next tail call. */
INLINE int FN(ct_to_buffer)(struct __sk_buff *skb, enum ct_direction direction)
{
	struct FN(ct_buffer) *buffer, result = {};
	struct FN(packet) packet;
	__u32 zero = 0;
	int ret;

	ret = FN(parse)(skb, &packet);
	if (ret < 0)
		return ret;
	ret = FN(ct_lookup)(skb, &packet, direction, &result.ct_state, &result.monitor);
	if (ret < 0)
		return ret;
	result.tuple = packet.tuple;
	result.ret = ret;
	buffer = bpf_map_lookup_elem(&CONCAT(cilium_tail_call_buffer, FAMILY), &zero);
	if (!buffer)
		return DROP_INVALID_TC_BUFFER;
	*buffer = result;
	return 0;
}
