/* The tunnel: its VNI is the identity of the sender. */
#pragma once
#include "events.h"

#define TUNNEL_TTL 64
/* Size of struct bpf_tunnel_key without the fields that newer kernels added. */
#define TUNNEL_KEY_SIZE offsetof(struct bpf_tunnel_key, local_ipv4)

/* Sets the tunnel key of a packet to another node. Returns TC_ACT_REDIRECT or a drop reason. */
INLINE int encapsulate(struct __sk_buff *skb, __be32 endpoint, __u32 src, __u32 dst, const struct trace *reason)
{
	struct bpf_tunnel_key key = {
		/* The other node knows this host as a remote one. */
		.tunnel_id = src == HOST_ID ? REMOTE_NODE_ID : src,
		.remote_ipv4 = bpf_ntohl(endpoint),
		.tunnel_ttl = TUNNEL_TTL,
	};

	if (bpf_skb_set_tunnel_key(skb, &key, TUNNEL_KEY_SIZE, BPF_F_ZERO_CSUM_TX) < 0)
		return DROP_WRITE_ERROR;
	trace(skb, TRACE_TO_OVERLAY, key.tunnel_id, dst, 0, CONFIG(encap_ifindex), reason);
	return TC_ACT_REDIRECT;
}

INLINE int encapsulate_and_redirect(struct __sk_buff *skb, __be32 endpoint, __u32 src, __u32 dst, const struct trace *reason)
{
	int ret = encapsulate(skb, endpoint, src, dst, reason);

	return ret < 0 ? ret : bpf_redirect(CONFIG(encap_ifindex), 0);
}
