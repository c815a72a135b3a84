/* Packet and byte counters by reason and direction. */
#pragma once
#include "maps.h"

enum {
	METRIC_INGRESS = 1,
	METRIC_EGRESS = 2,
};

/* Reasons that are no drops. */
enum {
	METRIC_FORWARDED = 0,
	METRIC_PLAINTEXT = 3,
	METRIC_LB_NO_BACKEND_SLOT = 5,
	METRIC_LB_NO_BACKEND = 6,
	METRIC_LB_REVERSE_NAT_UPDATE = 7,
	METRIC_LB_REVERSE_NAT_STALE = 8,
	METRIC_FRAGMENT = 9,
	METRIC_FRAGMENT_UPDATE = 10,
};

INLINE void count(__u64 bytes, __u8 direction, __u8 reason)
{
	struct metrics_key key = { .reason = reason, .dir = direction };
	struct metrics_value *value = bpf_map_lookup_elem(&cilium_metrics, &key);

	if (value) {
		value->count++;
		value->bytes += bytes;
	} else {
		struct metrics_value first = { .count = 1, .bytes = bytes };

		bpf_map_update_elem(&cilium_metrics, &key, &first, 0);
	}
}
