/* Network policy of the endpoint (or of the host): one map, looked up from the most to the least specific key. */
#pragma once
#include "events.h"

enum {
	MATCH_NONE,
	MATCH_L3_ONLY,
	MATCH_L3_L4,
	MATCH_L4_ONLY,
	MATCH_ALL,
};

#define TUNNEL_PORT 8472

INLINE struct policy_entry *policy_find(struct __sk_buff *skb, const struct policy_key *key)
{
	struct policy_entry *entry = bpf_map_lookup_elem(&cilium_policy, key);

	if (entry) {
		__sync_fetch_and_add(&entry->packets, 1);
		__sync_fetch_and_add(&entry->bytes, skb->len);
	}
	return entry;
}

/* direction: METRIC_INGRESS or METRIC_EGRESS. Returns 0 (allowed), a proxy port as stored, or a drop reason. */
INLINE int policy_check(struct __sk_buff *skb, __u32 remote, __be16 port, __u8 protocol, __u8 direction, __u8 *match)
{
	struct policy_key key = { .sec_label = remote, .dport = port, .protocol = protocol, .egress = direction == METRIC_EGRESS };
	struct policy_entry *entry;

	*match = MATCH_L3_L4;
	entry = policy_find(skb, &key);
	if (entry)
		return entry->deny ? DROP_POLICY_DENY : entry->proxy_port;
	key.sec_label = 0;
	*match = MATCH_L4_ONLY;
	entry = policy_find(skb, &key);
	if (entry)
		return entry->deny ? DROP_POLICY_DENY : entry->proxy_port;
	key.dport = 0;
	entry = policy_find(skb, &key);
	if (entry)
		return entry->deny ? DROP_POLICY_DENY : 0;
	key.sec_label = remote;
	key.protocol = 0;
	*match = MATCH_L3_ONLY;
	entry = policy_find(skb, &key);
	if (entry)
		return entry->deny ? DROP_POLICY_DENY : 0;
	key.sec_label = 0;
	*match = MATCH_ALL;
	entry = policy_find(skb, &key);
	if (entry)
		return entry->deny ? DROP_POLICY_DENY : 0;
	*match = MATCH_NONE;
	return get_cb(skb, CB_POLICY) ? 0 : DROP_POLICY;
}

/* As policy_check; Pods must not forge packets of the tunnel. */
INLINE int policy_check_egress(struct __sk_buff *skb, __u32 remote, __be16 port, __u8 protocol, __u8 *match)
{
	*match = MATCH_NONE;
	if (CONFIG(encap_ifindex) && protocol == IPPROTO_UDP && port == bpf_htons(TUNNEL_PORT))
		return DROP_ENCAP_PROHIBITED;
	return policy_check(skb, remote, port, protocol, METRIC_EGRESS, match);
}
