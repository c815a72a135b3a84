/* Connection tracking of one family. Included per family. */

INLINE void *FN(ct_map)(__u8 protocol)
{
	return protocol == IPPROTO_TCP ? (void *)&FAMILY_NAME(cilium_ct, _global) : (void *)&FAMILY_NAME(cilium_ct_any, _global);
}

INLINE void FN(reverse_tuple)(struct FN(ct_tuple) *tuple)
{
	FN(address) address = tuple->saddr;
	__be16 port = tuple->sport;

	tuple->saddr = tuple->daddr;
	tuple->daddr = address;
	tuple->sport = tuple->dport;
	tuple->dport = port;
	tuple->flags ^= TUPLE_IN;
}

/*
 * Loads the ports as look-ups want them: dport is the wire's source port, sport the wire's destination port. ICMP echo has its
 * identifier in one of them; ICMP errors have none and set TUPLE_RELATED. Returns the action or a drop reason.
 */
INLINE int FN(ct_load_ports)(struct __sk_buff *skb, struct FN(packet) *packet, __u8 direction, __u8 *flags)
{
	struct FN(ct_tuple) *tuple = &packet->tuple;
	struct fragment_ports ports;
	__be16 identifier;
	__u8 type;
	int ret;

	if (tuple->nexthdr == ICMP_PROTOCOL) {
		ret = FN(read_icmp)(skb, packet, &type, &identifier);
		if (ret < 0)
			return ret;
		tuple->dport = 0;
		tuple->sport = 0;
		if (FN(is_icmp_error)(type)) {
			tuple->flags |= TUPLE_RELATED;
			return ACTION_NONE;
		}
		if (FN(is_echo_reply)(type)) {
			tuple->sport = identifier;
			return ACTION_NONE;
		}
		tuple->dport = identifier;
		return ACTION_CREATE;
	}
	if (!FN(has_ports)(tuple->nexthdr))
		return DROP_CT_UNKNOWN_PROTO;
	ret = FN(read_ports)(skb, packet, direction, &ports);
	if (ret < 0)
		return ret;
	tuple->dport = ports.sport;
	tuple->sport = ports.dport;
	if (tuple->nexthdr == IPPROTO_TCP && packet->has_l4) {
		if (bpf_skb_load_bytes(skb, packet->l4 + 13, flags, 1) < 0)
			return DROP_CT_INVALID_HDR;
		if (*flags & (TCP_FIN | TCP_RST))
			return ACTION_CLOSE;
	}
	return ACTION_CREATE;
}

/*
 * Looks a packet up: first as an answer to an entry of the other direction (replies are exempt from policy), then as its own
 * direction's. Leaves in packet->tuple the key under which a new entry belongs. Returns an enum ct_status or a drop reason.
 */
INLINE int FN(ct_lookup)(struct __sk_buff *skb, struct FN(packet) *packet, enum ct_direction direction, struct ct_state *state,
			 __u32 *monitor)
{
	struct FN(ct_tuple) *tuple = &packet->tuple;
	bool is_tcp = tuple->nexthdr == IPPROTO_TCP;
	void *map = FN(ct_map)(tuple->nexthdr);
	__u8 flags = 0;
	int action, status;

	tuple->flags = direction == CT_INGRESS ? TUPLE_OUT : direction == CT_EGRESS ? TUPLE_IN : TUPLE_SERVICE;
	action = FN(ct_load_ports)(skb, packet, direction == CT_INGRESS ? METRIC_INGRESS : METRIC_EGRESS, &flags);
	if (action < 0)
		return action;
	status = ct_find(skb, map, tuple, is_tcp, action, direction, flags, state, monitor);
	if (direction == CT_SERVICE)
		return status;
	if (status != CT_NEW)
		return tuple->flags & TUPLE_RELATED ? CT_RELATED : CT_REPLY;
	FN(reverse_tuple)(tuple);
	return ct_find(skb, map, tuple, is_tcp, action, direction, flags, state, monitor);
}

/* Creates the entry of a tuple and, if asked, one for ICMP errors about the connection. Returns 0 or a drop reason. */
INLINE int FN(ct_create)(struct __sk_buff *skb, const struct FN(ct_tuple) *tuple, enum ct_direction direction,
			 const struct ct_state *state, bool proxy_redirect, bool with_related)
{
	bool is_tcp = tuple->nexthdr == IPPROTO_TCP;
	void *map = FN(ct_map)(tuple->nexthdr);
	struct ct_entry entry = {
		.lb_loopback = state->loopback,
		.node_port = state->node_port,
		.proxy_redirect = proxy_redirect,
		.from_l7lb = state->from_l7lb,
		.rev_nat_index = state->rev_nat_index,
		.ifindex = state->ifindex,
		.src_sec_id = state->src_sec_id,
	};
	struct FN(ct_tuple) related;

	ct_update_lifetime(&entry, is_tcp, direction, is_tcp ? TCP_SYN : 0);
	if (direction == CT_SERVICE) {
		entry.backend_id = state->backend_id;
	} else if (direction == CT_INGRESS) {
		entry.rx_packets = 1;
		entry.rx_bytes = skb->len;
	} else {
		entry.tx_packets = 1;
		entry.tx_bytes = skb->len;
	}
	if (bpf_map_update_elem(map, tuple, &entry, 0) < 0)
		goto full;
	related = *tuple;
#if FAMILY == 4
	if (state->loopback && state->addr) {
		/* The reply comes from the Pod to its own loopback address. */
		related.flags = TUPLE_IN;
		related.saddr = direction == CT_INGRESS ? state->addr : state->svc_addr;
		related.daddr = direction == CT_INGRESS ? state->svc_addr : state->addr;
		if (bpf_map_update_elem(map, &related, &entry, 0) < 0)
			goto full;
		related = *tuple;
	}
#endif
	if (!with_related)
		return 0;
	related.nexthdr = ICMP_PROTOCOL;
	related.dport = 0;
	related.sport = 0;
	related.flags |= TUPLE_RELATED;
	entry.seen_non_syn = 1;
	if (bpf_map_update_elem(&FAMILY_NAME(cilium_ct_any, _global), &related, &entry, 0) < 0)
		goto full;
	return 0;
full:
	signal_full(skb, SIGNAL_CT_FULL, IS_IPV6);
	return DROP_CT_CREATE_FAILED;
}
