/* Packets that come out of the tunnel. Included per family. */

/* Program of slot 7 or 10. Stores the sender's identity in *identity. */
INLINE int FN(from_overlay)(struct __sk_buff *skb, __u32 *identity)
{
	union macaddr host = config_mac(&CONFIG(cilium_host_mac)), router = config_mac(&CONFIG(interface_mac));
	struct bpf_tunnel_key tunnel = {};
	struct endpoint_info *endpoint;
	struct FN(packet) packet;
	FN(address) target;
	int ret;

	if (CONFIG(enable_nodeport) && !(skb->tc_index & SKIP_NODEPORT)) {
		ret = FN(nodeport)(skb, *identity);
		if (ret < 0)
			return ret;
	}
	ret = FN(parse)(skb, &packet);
	if (ret < 0)
		return ret;
	if (bpf_skb_get_tunnel_key(skb, &tunnel, TUNNEL_KEY_SIZE, 0) < 0)
		return DROP_NO_TUNNEL_KEY;
	*identity = tunnel.tunnel_id;
	/* Nobody else is this host. */
	if (*identity == HOST_ID)
		return DROP_INVALID_IDENTITY;
	target = packet.tuple.saddr;
	if (is_remote_node(*identity))
		*identity = FN(identity_of)(&target, *identity);
	target = packet.tuple.daddr;
	endpoint = FN(find_endpoint)(&target);
	if (endpoint && !(endpoint->flags & ENDPOINT_HOST))
		return FN(deliver_locally)(skb, *identity, endpoint, METRIC_INGRESS, false);
	ret = FN(route)(skb, &router, &host, METRIC_INGRESS);
	return ret < 0 ? ret : bpf_redirect(CONFIG(cilium_host_ifindex), 0);
}
