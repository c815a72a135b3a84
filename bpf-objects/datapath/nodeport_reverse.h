/* Replies to outside clients of a NodePort service: they get the service's address back. Included per family. */

/*
 * Reverse-translates the reply of a backend and finds its way to the client. Returns TC_ACT_REDIRECT with *ifindex and MAC addresses
 * set, a drop reason, or (no reply of such a connection) goes on with the device's main program.
 */
INLINE int FN(reverse_nodeport)(struct __sk_buff *skb, __u32 *ifindex, int *fib_result)
{
	struct trace why = { .reason = CT_REPLY };
	struct ct_state state = {};
	struct FN(packet) packet;
	struct bpf_fib_lookup fib;
	FN(address) client;
	union macaddr *neighbour, own;
	__be32 node;
	int ret;

	ret = FN(parse)(skb, &packet);
	if (ret < 0)
		return ret;
	client = packet.tuple.daddr;
	ret = FN(ct_lookup)(skb, &packet, CT_INGRESS, &state, &why.monitor);
	if (ret != CT_REPLY || !state.node_port || !state.rev_nat_index) {
		if (skb->tc_index & SKIP_RECIRCULATION)
			return TC_ACT_OK;
		skb->tc_index |= SKIP_NODEPORT;
		bpf_tail_call(skb, &cilium_calls, FAMILY_CALL(FROM_DEVICE));
		return DROP_MISSED_TAIL_CALL;
	}
	ret = FN(reverse_translate)(skb, &packet, &state);
	if (ret < 0)
		return ret;
	skb->mark |= MARK_SNAT_DONE;
	if (CONFIG(encap_ifindex)) {
		node = FN(find_tunnel_endpoint)(&client);
		if (node) {
			*ifindex = CONFIG(encap_ifindex);
			return encapsulate(skb, node, CONFIG(security_label), FN(identity_of)(&client, WORLD_ID), &why);
		}
	}
	*ifindex = state.ifindex;
	*fib_result = FN(find_route)(skb, &fib, &packet.tuple.saddr, &client);
	if (*fib_result == BPF_FIB_LKUP_RET_SUCCESS) {
		*ifindex = fib.ifindex;
		ret = set_destination_mac(skb, fib.dmac);
		return ret < 0 || (ret = set_source_mac(skb, fib.smac)) < 0 ? ret : TC_ACT_REDIRECT;
	}
	/* Nobody asked for the client's MAC address yet; its request showed it. */
	neighbour = bpf_map_lookup_elem(&CONCAT(cilium_nodeport_neigh, FAMILY), &client);
	if (*fib_result != BPF_FIB_LKUP_RET_NO_NEIGH || !neighbour)
		return DROP_NO_FIB;
	own = config_mac(&CONFIG(interface_mac));
	ret = set_destination_mac(skb, neighbour->addr);
	return ret < 0 || (ret = set_source_mac(skb, own.addr)) < 0 ? ret : TC_ACT_REDIRECT;
}

SEC("tc")
int FN(tail_rev_nodeport_lb)(struct __sk_buff *skb)
{
	__u32 ifindex = 0;
	int fib_result = 0, ret = FN(reverse_nodeport)(skb, &ifindex, &fib_result);

	if (ret < 0)
		return DROP_IN(FILE_NODEPORT_REVERSE, skb, 0, ret, fib_result, METRIC_EGRESS);
	skb->queue_mapping = 0;
	return ret == TC_ACT_REDIRECT ? bpf_redirect(ifindex, 0) : ret;
}
