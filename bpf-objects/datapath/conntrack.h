/* Connection tracking: what is the same for both families. */
#pragma once
#include "events.h"

/* Lifetimes and intervals, s. */
#define CT_TCP_LIFETIME 21600
#define CT_ANY_LIFETIME 60
#define CT_SYN_TIMEOUT 60
#define CT_CLOSE_TIMEOUT 10
#define CT_REPORT_INTERVAL 5
#define CT_REBALANCE_DELAY 30

enum ct_action {
	ACTION_NONE,
	ACTION_CREATE, /* a packet that may open a connection again */
	ACTION_CLOSE, /* FIN or RST */
};

INLINE bool ct_is_closing(const struct ct_entry *entry)
{
	return entry->rx_closing || entry->tx_closing;
}

INLINE bool ct_is_alive(const struct ct_entry *entry)
{
	return !entry->rx_closing || !entry->tx_closing;
}

/* Sets the lifetime and notes new TCP flags. Returns how much of the packet to trace: 0 unless there is news. */
INLINE __u32 ct_touch(struct ct_entry *entry, __u32 lifetime, enum ct_direction direction, __u8 flags)
{
	bool is_rx = direction == CT_INGRESS;
	__u8 known = is_rx ? entry->rx_flags_seen : entry->tx_flags_seen;
	__u32 reported = is_rx ? entry->last_rx_report : entry->last_tx_report;
	__u32 now = now_seconds();

	entry->lifetime = now + lifetime;
	if (reported + CT_REPORT_INTERVAL >= now && (known | flags) == known)
		return 0;
	if (is_rx) {
		entry->rx_flags_seen = known | flags;
		entry->last_rx_report = now;
	} else {
		entry->tx_flags_seen = known | flags;
		entry->last_tx_report = now;
	}
	return CONFIG(trace_payload_len);
}

INLINE __u32 ct_update_lifetime(struct ct_entry *entry, bool is_tcp, enum ct_direction direction, __u8 flags)
{
	__u32 lifetime = CT_ANY_LIFETIME;

	if (is_tcp) {
		if (!(flags & TCP_SYN))
			entry->seen_non_syn = 1;
		lifetime = entry->seen_non_syn ? CT_TCP_LIFETIME : CT_SYN_TIMEOUT;
	}
	return ct_touch(entry, lifetime, direction, flags);
}

/* A RST before both sides sent SYN ends the connection at once. Services see one direction only. */
INLINE void ct_close(struct ct_entry *entry, enum ct_direction direction, __u8 flags)
{
	bool seen_both_syns = entry->rx_flags_seen & TCP_SYN && entry->tx_flags_seen & TCP_SYN;
	bool is_aborted = !seen_both_syns && flags & TCP_RST && direction != CT_SERVICE;

	if (is_aborted || direction == CT_INGRESS)
		entry->rx_closing = 1;
	if (is_aborted || direction != CT_INGRESS)
		entry->tx_closing = 1;
	if (!ct_is_alive(entry))
		ct_touch(entry, CT_CLOSE_TIMEOUT, direction, flags);
}

INLINE void ct_count(struct ct_entry *entry, enum ct_direction direction, __u32 bytes)
{
	if (direction == CT_INGRESS) {
		__sync_fetch_and_add(&entry->rx_packets, 1);
		__sync_fetch_and_add(&entry->rx_bytes, bytes);
	} else if (direction == CT_EGRESS) {
		__sync_fetch_and_add(&entry->tx_packets, 1);
		__sync_fetch_and_add(&entry->tx_bytes, bytes);
	}
}

/* Looks up one tuple: CT_NEW, CT_ESTABLISHED or CT_REOPENED. */
INLINE int ct_find(struct __sk_buff *skb, void *map, const void *tuple, bool is_tcp, enum ct_action action,
		   enum ct_direction direction, __u8 flags, struct ct_state *state, __u32 *monitor)
{
	struct ct_entry *entry = bpf_map_lookup_elem(map, tuple);

	*monitor = CONFIG(trace_payload_len);
	if (!entry)
		return CT_NEW;
	/* A new connection of a client that reuses its port may take another backend, once the old one is long closed. */
	if (direction == CT_SERVICE && flags & TCP_SYN && ct_is_closing(entry) &&
	    entry->last_tx_report + CT_REBALANCE_DELAY <= now_seconds())
		return CT_NEW;
	*monitor = ct_is_alive(entry) ? ct_update_lifetime(entry, is_tcp, direction, flags) : 0;
	state->rev_nat_index = entry->rev_nat_index;
	state->loopback = entry->lb_loopback;
	state->node_port = entry->node_port;
	state->ifindex = entry->ifindex;
	state->dsr = entry->dsr;
	state->proxy_redirect = entry->proxy_redirect;
	state->from_l7lb = entry->from_l7lb;
	if (direction == CT_SERVICE) {
		state->backend_id = entry->backend_id;
		state->syn = !!(flags & TCP_SYN);
	}
	ct_count(entry, direction, skb->len);
	if (action == ACTION_CREATE && flags & TCP_SYN && ct_is_closing(entry)) {
		entry->rx_closing = 0;
		entry->tx_closing = 0;
		*monitor = ct_update_lifetime(entry, is_tcp, direction, flags);
		return CT_REOPENED;
	}
	if (action == ACTION_CLOSE) {
		ct_close(entry, direction, flags);
		*monitor = CONFIG(trace_payload_len);
	}
	return CT_ESTABLISHED;
}

INLINE bool is_reply(int status)
{
	return status == CT_REPLY || status == CT_RELATED;
}
