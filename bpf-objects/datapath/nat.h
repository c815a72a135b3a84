/* Source NAT with port allocation, and its reverse. Tuples have the order of the wire. Included per family. */

#define SNAT_RETRIES 32
#define SNAT_SIGNAL_RETRIES 16

/* Loads the ports (echo: the identifier in place of the requester's) in the order of the wire. Returns 0 or a drop reason. */
INLINE int FN(nat_load_ports)(struct __sk_buff *skb, struct FN(packet) *packet, __u8 direction, bool *is_answer)
{
	struct FN(ct_tuple) *tuple = &packet->tuple;
	struct fragment_ports ports;
	__be16 identifier;
	__u8 type;
	int ret;

	*is_answer = false;
	if (tuple->nexthdr == ICMP_PROTOCOL) {
		ret = FN(read_icmp)(skb, packet, &type, &identifier);
		if (ret < 0)
			return ret;
		if (FN(is_echo_request)(type)) {
			tuple->sport = identifier;
		} else if (FN(is_echo_reply)(type)) {
			tuple->dport = identifier;
			*is_answer = true;
		} else {
			return DROP_NAT_UNSUPP_PROTO;
		}
		return 0;
	}
	if (!FN(has_ports)(tuple->nexthdr))
		return NAT_NOT_NEEDED;
	ret = FN(read_ports)(skb, packet, direction, &ports);
	if (ret < 0)
		return ret;
	tuple->sport = ports.sport;
	tuple->dport = ports.dport;
	return 0;
}

/* Flows of the host itself get a conntrack entry, whose end frees the mapping. */
INLINE int FN(track_host_flow)(struct __sk_buff *skb, const struct FN(packet) *packet, enum ct_direction direction)
{
	struct FN(packet) copy = *packet;
	struct ct_state state = {};
	__u32 monitor;
	int status = FN(ct_lookup)(skb, &copy, direction, &state, &monitor);

	return status == CT_NEW ? FN(ct_create)(skb, &copy.tuple, direction, &(struct ct_state){}, false, false) : status;
}

/* Finds a free port for the flow of `key` at the address `to` and stores both directions. Returns the port or a drop reason. */
INLINE int FN(allocate_port)(struct __sk_buff *skb, const struct FN(ct_tuple) *key, const FN(address) *to)
{
	struct FN(nat_entry) forward = {}, reverse = {};
	struct FN(ct_tuple) answer = {};
	FN(address) source = key->saddr;
	__u16 port = first_snat_port(bpf_ntohs(key->sport));
	int i;

	forward.common.created = now_seconds();
	forward.common.host_local = FN(same)(&source, to);
	forward.to_saddr = *to;
	reverse.common = forward.common;
	reverse.to_daddr = source;
	reverse.to_dport = key->sport;
	answer.nexthdr = key->nexthdr;
	answer.flags = TUPLE_IN;
	answer.saddr = key->daddr;
	answer.sport = key->dport;
	answer.daddr = *to;
	for (i = 0; i < SNAT_RETRIES; i++) {
		answer.dport = forward.to_sport = bpf_htons(port);
		if (!bpf_map_update_elem(&FAMILY_NAME(cilium_snat_v, _external), &answer, &reverse, BPF_NOEXIST)) {
			if (!bpf_map_update_elem(&FAMILY_NAME(cilium_snat_v, _external), key, &forward, BPF_NOEXIST))
				break;
			bpf_map_delete_elem(&FAMILY_NAME(cilium_snat_v, _external), &answer);
		}
		port = snat_port(i ? port + 1 : (__u16)bpf_get_prandom_u32());
	}
	if (i > SNAT_SIGNAL_RETRIES)
		signal_full(skb, SIGNAL_NAT_FULL, IS_IPV6);
	return i == SNAT_RETRIES ? DROP_NAT_NO_MAPPING : port;
}

/* Gives a packet `to` as source address and a port there. Returns 0, NAT_NOT_NEEDED or a drop reason. */
INLINE int FN(snat)(struct __sk_buff *skb, struct FN(packet) *packet, const FN(address) *to, bool keep_low_ports)
{
	struct FN(ct_tuple) *tuple = &packet->tuple;
	struct FN(nat_entry) *entry;
	FN(address) source = tuple->saddr, target = *to;
	__be16 port;
	bool is_answer;
	int ret;

	ret = FN(nat_load_ports)(skb, packet, METRIC_EGRESS, &is_answer);
	if (ret < 0)
		return ret;
	if (is_answer || (keep_low_ports && bpf_ntohs(tuple->sport) < snat_port_min()))
		return NAT_NOT_NEEDED;
	tuple->flags = TUPLE_OUT;
	entry = bpf_map_lookup_elem(&FAMILY_NAME(cilium_snat_v, _external), tuple);
	if (entry ? entry->common.host_local : FN(same)(&source, &target)) {
		ret = FN(track_host_flow)(skb, packet, CT_EGRESS);
		if (ret < 0)
			return ret;
	}
	if (entry) {
		target = entry->to_saddr;
		port = entry->to_sport;
	} else {
		ret = FN(allocate_port)(skb, tuple, &target);
		if (ret < 0)
			return ret;
		port = bpf_htons(ret);
	}
	ret = FN(rewrite_source)(skb, packet, &source, &target, tuple->sport, port);
	if (ret < 0 || tuple->nexthdr != ICMP_PROTOCOL)
		return ret;
	return rewrite_identifier(skb, packet->l4, tuple->sport, port);
}

/* Restores the destination of an answer. Returns 0, NAT_NOT_NEEDED if there is no mapping, or a drop reason. */
INLINE int FN(reverse_snat)(struct __sk_buff *skb, struct FN(packet) *packet)
{
	struct FN(ct_tuple) *tuple = &packet->tuple;
	struct FN(nat_entry) *entry;
	FN(address) destination = tuple->daddr, target;
	__be16 port;
	bool is_answer;
	int ret;

	ret = FN(nat_load_ports)(skb, packet, METRIC_INGRESS, &is_answer);
	if (ret < 0)
		return NAT_NOT_NEEDED;
	if (bpf_ntohs(tuple->dport) < snat_port_min())
		return NAT_NOT_NEEDED;
	tuple->flags = TUPLE_IN;
	entry = bpf_map_lookup_elem(&FAMILY_NAME(cilium_snat_v, _external), tuple);
	if (!entry)
		return NAT_NOT_NEEDED;
	if (entry->common.host_local) {
		ret = FN(track_host_flow)(skb, packet, CT_INGRESS);
		if (ret < 0)
			return ret;
	}
	target = entry->to_daddr;
	port = entry->to_dport;
	ret = FN(rewrite_destination)(skb, packet, &destination, &target, tuple->dport, port);
	if (ret < 0 || tuple->nexthdr != ICMP_PROTOCOL)
		return ret;
	return rewrite_identifier(skb, packet->l4, tuple->dport, port);
}
