/* Bandwidth of Pods: each packet gets the time at which the fq qdisc may send it. */
#pragma once
#include "events.h"

/* Returns TC_ACT_SHOT for a packet that would wait longer than the horizon. */
INLINE int set_departure(struct __sk_buff *skb)
{
	struct edt_id id = { .id = skb->queue_mapping };
	struct edt_info *info;
	__u64 now, earliest, next;

	/* The queue is chosen anew, by the flow. */
	skb->queue_mapping = 0;
	if (!id.id)
		return TC_ACT_OK;
	info = bpf_map_lookup_elem(&cilium_throttle, &id);
	if (!info || !info->bps)
		return TC_ACT_OK;
	now = bpf_ktime_get_ns();
	earliest = skb->tstamp > now ? skb->tstamp : now;
	next = info->t_last + (__u64)skb->wire_len * 1000000000ULL / info->bps;
	if (next <= earliest) {
		info->t_last = earliest;
		return TC_ACT_OK;
	}
	if (next - now >= info->t_horizon_drop)
		return TC_ACT_SHOT;
	info->t_last = next;
	skb->tstamp = next;
	return TC_ACT_OK;
}
