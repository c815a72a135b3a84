/* Services for clients outside the cluster, in SNAT mode. Included per family. */

/* The client's MAC address, for the way back. */
INLINE int FN(learn_neighbour)(struct __sk_buff *skb, const FN(address) *client)
{
	union macaddr mac = {}, *known;
	FN(address) key = *client;

	if (bpf_skb_load_bytes(skb, offsetof(struct ethhdr, h_source), mac.addr, ETH_ALEN) < 0)
		return DROP_INVALID;
	known = bpf_map_lookup_elem(&CONCAT(cilium_nodeport_neigh, FAMILY), &key);
	if (known && known->p1 == mac.p1 && known->p2 == mac.p2)
		return 0;
	return bpf_map_update_elem(&CONCAT(cilium_nodeport_neigh, FAMILY), &key, &mac, 0) < 0 ? DROP_WRITE_ERROR : 0;
}

/* The entry by which the node knows, when the reply comes, that it translated the request. Returns 0 or a drop reason. */
INLINE int FN(track_nodeport)(struct __sk_buff *skb, struct FN(packet) *packet, const struct lb_service *service,
			      struct ct_state *new)
{
	struct ct_state state = {};
	__u32 monitor;
	int status = FN(ct_lookup)(skb, packet, CT_EGRESS, &state, &monitor);

	if (status < 0)
		return status;
	if (status == CT_RELATED)
		return DROP_UNKNOWN_CT;
	if (status != CT_NEW && state.rev_nat_index == service->rev_nat_index)
		return 0;
	new->src_sec_id = WORLD_ID;
	new->node_port = 1;
	new->ifindex = CONFIG(interface_ifindex);
	return FN(ct_create)(skb, &packet->tuple, CT_EGRESS, new, false, false);
}

/*
 * A packet from outside: if it is for a service, chooses the backend. Returns TC_ACT_OK to go on with the packet as it is now (no
 * service, or a backend on this node) or a drop reason; requests to other nodes and possible replies continue in tail calls.
 */
INLINE int FN(nodeport)(struct __sk_buff *skb, __u32 identity)
{
	struct ct_state state = {};
	struct lb_service *service;
	struct FN(packet) packet;
	struct FN(lb_key) key = {};
	FN(address) client, backend;
	bool is_local;
	int ret;

	ret = FN(parse)(skb, &packet);
	if (ret < 0)
		return ret;
	ret = FN(service_key)(skb, &packet, METRIC_INGRESS, &key);
	if (ret < 0 && ret != DROP_UNKNOWN_L4)
		return ret;
	service = ret < 0 || !CONFIG(enable_nodeport) ? NULL : FN(find_service)(&key, false);
	if (!service) {
		set_cb(skb, CB_SRC_LABEL, identity);
		bpf_tail_call(skb, &cilium_calls, FAMILY_CALL(SNAT_INGRESS));
		return DROP_MISSED_TAIL_CALL;
	}
	client = packet.tuple.saddr;
	if (!FN(is_in_source_range)(service, &client))
		return DROP_NOT_IN_SRC_RANGE;
	ret = FN(translate_service)(skb, &packet, &key, service, &state);
	if (ret < 0)
		return ret;
	if (!(service->flags & SERVICE_ROUTABLE))
		return DROP_IS_CLUSTER_IP;
	backend = packet.tuple.daddr;
	is_local = FN(find_endpoint)(&backend);
	if (!is_local && service->flags & SERVICE_HOSTPORT)
		return DROP_INVALID;
	ret = FN(track_nodeport)(skb, &packet, service, &state);
	if (ret < 0)
		return ret;
	ret = FN(learn_neighbour)(skb, &client);
	if (ret < 0 || is_local)
		return ret;
	skb->queue_mapping = 0;
	bpf_tail_call(skb, &cilium_calls, FAMILY_CALL(NODEPORT_SNAT));
	return DROP_MISSED_TAIL_CALL;
}

/* Program of slot 15 or 16: a request to a backend on another node, with this node as its source. */
INLINE int FN(nodeport_snat)(struct __sk_buff *skb, int *fib_result)
{
	const struct trace why = { .reason = CT_NEW, .monitor = CONFIG(trace_payload_len) };
	FN(address) to = FAMILY_CONFIG(direct_routing_ipv, ), backend;
	struct FN(packet) packet;
	__u32 ifindex;
	__be32 node = 0;
	int ret;

	ret = FN(parse)(skb, &packet);
	if (ret < 0)
		return ret;
	backend = packet.tuple.daddr;
	if (CONFIG(encap_ifindex)) {
		node = FN(find_tunnel_endpoint)(&backend);
		if (node)
			to = FAMILY_CONFIG(router_ipv, );
	}
	ret = FN(snat)(skb, &packet, &to, false);
	if (ret < 0 && ret != NAT_NOT_NEEDED)
		return ret;
	skb->mark |= MARK_SNAT_DONE;
	if (node)
		/* The client is outside, and the policy of the backend shall see it as such. */
		return encapsulate_and_redirect(skb, node, WORLD_ID, FN(identity_of)(&backend, WORLD_ID), &why);
	return FN(redirect_by_route)(skb, &to, &backend, METRIC_EGRESS, &ifindex, fib_result);
}

/* Program of slot 36 or 37: an answer to a translated packet, or something else, which goes on as if services did not exist. */
INLINE int FN(snat_ingress)(struct __sk_buff *skb)
{
	struct FN(packet) packet;
	int ret;

	ret = FN(parse)(skb, &packet);
	if (ret < 0)
		return ret;
	ret = FN(reverse_snat)(skb, &packet);
	if (ret == NAT_NOT_NEEDED) {
		skb->tc_index |= SKIP_NODEPORT;
		bpf_tail_call(skb, &cilium_calls, FAMILY_CALL(FROM_DEVICE));
		return DROP_MISSED_TAIL_CALL;
	}
	if (ret < 0)
		return ret;
	skb->mark |= MARK_SNAT_DONE;
	bpf_tail_call(skb, &cilium_calls, FAMILY_CALL(NODEPORT_REVERSE));
	return DROP_MISSED_TAIL_CALL;
}

SEC("tc")
int FN(tail_nodeport_nat_egress_ipv)(struct __sk_buff *skb)
{
	int fib_result = 0, ret = FN(nodeport_snat)(skb, &fib_result);

	return ret < 0 ? DROP_IN(FILE_NODEPORT, skb, 0, ret, fib_result, METRIC_EGRESS) : ret;
}

SEC("tc")
int FN(tail_nodeport_nat_ingress_ipv)(struct __sk_buff *skb)
{
	return DROP_IN(FILE_NODEPORT, skb, get_cb(skb, CB_SRC_LABEL), FN(snat_ingress)(skb), 0, METRIC_INGRESS);
}
