/* The host firewall: the host's own network policy. Included per family. */

/* Policy verdict event and conntrack entry of a packet that may pass. */
INLINE int FN(enforce_host_policy)(struct __sk_buff *skb, struct FN(packet) *packet, __u8 direction, __u32 remote, __u32 source,
				   struct trace *why)
{
	enum ct_direction ct_direction = direction == METRIC_INGRESS ? CT_INGRESS : CT_EGRESS;
	struct FN(ct_tuple) *tuple = &packet->tuple;
	struct ct_state state = {}, new = { .src_sec_id = source };
	int status, verdict;
	__u8 match;

	status = FN(ct_lookup)(skb, packet, ct_direction, &state, &why->monitor);
	if (status < 0)
		return status;
	why->reason = status;
	/* The host may use the tunnel: there is no check for that as with Pods. */
	verdict = policy_check(skb, remote, FN(policy_port)(skb, packet), tuple->nexthdr, direction, &match);
	if (is_reply(status))
		return TC_ACT_OK;
	if (verdict < 0 || status != CT_ESTABLISHED)
		report_verdict(skb, remote, tuple->dport, tuple->nexthdr, direction, IS_IPV6, verdict, match);
	if (verdict < 0)
		return verdict;
	return status == CT_NEW ? FN(ct_create)(skb, tuple, ct_direction, &new, verdict > 0, true) : TC_ACT_OK;
}

/* A packet to this node; those to Pods and others pass. Stores the sender's identity in *source. */
INLINE int FN(host_policy_ingress)(struct __sk_buff *skb, __u32 *source, struct trace *why)
{
	struct FN(packet) packet;
	FN(address) address;
	int ret;

	ret = FN(parse)(skb, &packet);
	if (ret < 0)
		return ret;
	address = packet.tuple.daddr;
	if (FN(identity_of)(&address, WORLD_ID) != HOST_ID)
		return TC_ACT_OK;
	address = packet.tuple.saddr;
	*source = FN(identity_of)(&address, *source);
	return FN(enforce_host_policy)(skb, &packet, METRIC_INGRESS, *source, *source, why);
}

/* Flows of Pods behind the node's address, translated by the stack: an entry lets the answers in. */
INLINE int FN(track_translated)(struct __sk_buff *skb, struct FN(packet) *packet, struct trace *why)
{
	struct ct_state state = {}, new = {};
	int status = FN(ct_lookup)(skb, packet, CT_EGRESS, &state, &why->monitor);

	if (status < 0)
		return status;
	why->reason = status;
	return status == CT_NEW ? FN(ct_create)(skb, &packet->tuple, CT_EGRESS, &new, false, true) : TC_ACT_OK;
}

/* A packet from this node. `source` is the sender by the mark. */
INLINE int FN(host_policy_egress)(struct __sk_buff *skb, __u32 source, struct trace *why)
{
	struct FN(packet) packet;
	FN(address) address;
	int ret;

	ret = FN(parse)(skb, &packet);
	if (ret < 0)
		return ret;
	address = packet.tuple.saddr;
	if (source != HOST_ID) {
		if (FAMILY_SWITCH(enable_masquerade_ipv) || FN(identity_of)(&address, WORLD_ID) != HOST_ID)
			return TC_ACT_OK;
		return FN(track_translated)(skb, &packet, why);
	}
	address = packet.tuple.daddr;
	return FN(enforce_host_policy)(skb, &packet, METRIC_EGRESS, FN(identity_of)(&address, 0), HOST_ID, why);
}
