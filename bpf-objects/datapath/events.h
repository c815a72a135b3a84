/* Monitor events: trace, policy verdict and drop, and the signals to the agent. */
#pragma once
#include "config.h"
#include "metrics.h"
#include "tailcalls.h"

enum {
	EVENT_DROP = 1,
	EVENT_TRACE = 4,
	EVENT_POLICY_VERDICT = 5,
};

/* Observation points of trace events. */
enum trace_point {
	TRACE_TO_LXC,
	TRACE_TO_PROXY,
	TRACE_TO_HOST,
	TRACE_TO_STACK,
	TRACE_TO_OVERLAY,
	TRACE_FROM_LXC,
	TRACE_FROM_PROXY,
	TRACE_FROM_HOST,
	TRACE_FROM_STACK,
	TRACE_FROM_OVERLAY,
	TRACE_FROM_NETWORK,
	TRACE_TO_NETWORK,
};

/* What conntrack says about tracing a packet. */
struct trace {
	__u8 reason; /* enum ct_status or REASON_UNKNOWN */
	__u32 monitor; /* bytes of the packet to show; 0: nothing new */
};

#define UNTRACKED ((struct trace){ .reason = REASON_UNKNOWN })

#define EVENT_HEADER     \
	__u8 type;       \
	__u8 subtype;    \
	__u16 source;    \
	__u32 hash;      \
	__u32 len_orig;  \
	__u16 len_cap;   \
	__u16 version;

struct trace_event {
	EVENT_HEADER
	__u32 src_label;
	__u32 dst_label;
	__u16 dst_id;
	__u8 reason;
	__u8 ipv6 : 1;
	__u8 pad : 7;
	__u32 ifindex;
	union v6addr orig_ip;
};

struct verdict_event {
	EVENT_HEADER
	__u32 remote_label;
	__s32 verdict;
	__u16 dst_port; /* host order */
	__u8 proto;
	__u8 dir : 2;
	__u8 ipv6 : 1;
	__u8 match_type : 3;
	__u8 audited : 1;
	__u8 pad0 : 1;
	__u32 pad1;
};

struct drop_event {
	EVENT_HEADER
	__u32 src_label;
	__u32 dst_label;
	__u32 dst_id;
	__u16 line;
	__u8 file;
	__s8 ext_error;
	__u32 ifindex;
};

#define FILL_HEADER(event_, type_, subtype_, captured_)                                \
	do {                                                                           \
		(event_)->type = (type_);                                              \
		(event_)->subtype = (subtype_);                                        \
		(event_)->source = EVENT_SOURCE;                                       \
		(event_)->hash = bpf_get_hash_recalc(skb);                             \
		(event_)->len_orig = skb->len;                                         \
		(event_)->len_cap = (captured_);                                       \
		(event_)->version = 1;                                                 \
	} while (0)

#define EMIT(event_, captured_)                                                        \
	bpf_perf_event_output(skb, &cilium_events, (__u64)(captured_) << 32 | BPF_F_CURRENT_CPU, (event_), sizeof(*(event_)))

INLINE __u32 captured_length(struct __sk_buff *skb, __u32 wanted)
{
	__u32 most = wanted ? wanted : CONFIG(trace_payload_len);

	return skb->len < most ? skb->len : most;
}

INLINE void count_trace(struct __sk_buff *skb, enum trace_point point)
{
	switch (point) {
	case TRACE_TO_LXC:
		count(skb->len, METRIC_INGRESS, METRIC_FORWARDED);
		break;
	case TRACE_TO_HOST:
	case TRACE_TO_STACK:
	case TRACE_TO_OVERLAY:
	case TRACE_TO_NETWORK:
		count(skb->len, METRIC_EGRESS, METRIC_FORWARDED);
		break;
	case TRACE_FROM_HOST:
	case TRACE_FROM_STACK:
	case TRACE_FROM_OVERLAY:
	case TRACE_FROM_NETWORK:
		count(skb->len, METRIC_INGRESS, METRIC_PLAINTEXT);
		break;
	default:
		break;
	}
}

INLINE bool is_received_point(enum trace_point point)
{
	return point >= TRACE_FROM_LXC && point <= TRACE_FROM_NETWORK;
}

/* Whether the level of aggregation lets a trace event through. */
INLINE bool is_traced(enum trace_point point, const struct trace *trace)
{
	if (CONFIG(monitor_aggregation) >= 1 && is_received_point(point))
		return false;
	return CONFIG(monitor_aggregation) < 3 || trace->monitor;
}

/* orig_ip: source address before reverse translation, or null. Counts the packet also when no event is sent. */
INLINE void trace_from(struct __sk_buff *skb, enum trace_point point, __u32 src, __u32 dst, __u16 dst_id, __u32 ifindex,
		       const struct trace *trace, const union v6addr *orig_ip, bool ipv6)
{
	__u32 captured = captured_length(skb, trace->monitor);
	struct trace_event event = {
		.src_label = src,
		.dst_label = dst,
		.dst_id = dst_id,
		.reason = trace->reason,
		.ipv6 = ipv6,
		.ifindex = ifindex,
	};

	count_trace(skb, point);
	if (!is_traced(point, trace))
		return;
	if (orig_ip)
		event.orig_ip = *orig_ip;
	FILL_HEADER(&event, EVENT_TRACE, point, captured);
	EMIT(&event, captured);
}

INLINE void trace(struct __sk_buff *skb, enum trace_point point, __u32 src, __u32 dst, __u16 dst_id, __u32 ifindex,
		  const struct trace *trace)
{
	trace_from(skb, point, src, dst, dst_id, ifindex, trace, NULL, false);
}

/* direction: METRIC_INGRESS or METRIC_EGRESS, whose numbers are those of the event. */
INLINE void report_verdict(struct __sk_buff *skb, __u32 remote, __be16 port, __u8 proto, __u8 direction, bool ipv6, int verdict,
			   __u8 match_type)
{
	__u32 captured = captured_length(skb, 0);
	struct verdict_event event = {
		.remote_label = remote,
		.verdict = verdict,
		.dst_port = bpf_ntohs(port),
		.proto = proto,
		.dir = direction,
		.ipv6 = ipv6,
		.match_type = match_type,
	};

	if (!(CONFIG(policy_verdict_log_filter) & direction))
		return;
	FILL_HEADER(&event, EVENT_POLICY_VERDICT, 0, captured);
	EMIT(&event, captured);
}

/* Source files by number, for drop events. OBJECT_FILE is the number of the object's main file. */
enum {
	FILE_BPF_HOST = 1,
	FILE_BPF_LXC = 2,
	FILE_BPF_OVERLAY = 3,
	FILE_NODEPORT = 105,
	FILE_NODEPORT_REVERSE = 120, /* own */
	FILE_MASQUERADE = 121, /* own */
	FILE_ICMP = 122, /* own */
};

/* Counts a drop and leaves the event to a program of its own, so that no program carries the code for it. Returns the verdict. */
INLINE int drop_at(struct __sk_buff *skb, __u8 file, __u16 line, __u32 src, __u32 dst, __u32 dst_id, int reason, __u8 ext_error, __u8 direction)
{
	__u8 positive = reason < 0 ? -reason : reason;

	set_cb(skb, 0, src);
	set_cb(skb, 1, dst);
	set_cb(skb, 2, positive | (__u32)ext_error << 8);
	set_cb(skb, 3, dst_id);
	set_cb(skb, 4, TC_ACT_SHOT | file << 8 | (__u32)line << 16);
	count(skb->len, direction, positive);
	bpf_tail_call(skb, &cilium_calls, CALL_DROP_NOTIFY);
	return TC_ACT_SHOT;
}

#define DROP(skb, src, dst, dst_id, reason, direction) drop_at(skb, OBJECT_FILE, __LINE__, src, dst, dst_id, reason, 0, direction)
/* In a header: with its number, and the error of a helper. */
#define DROP_IN(file, skb, src, reason, ext_error, direction) drop_at(skb, file, __LINE__, src, 0, 0, reason, ext_error, direction)

/* Emits the drop event that the cb words describe. */
INLINE void emit_drop(struct __sk_buff *skb)
{
	__u32 captured = captured_length(skb, 128);
	struct drop_event event = {
		.src_label = get_cb(skb, 0),
		.dst_label = get_cb(skb, 1),
		.dst_id = get_cb(skb, 3),
		.line = get_cb(skb, 4) >> 16,
		.file = get_cb(skb, 4) >> 8,
		.ext_error = get_cb(skb, 2) >> 8,
		.ifindex = skb->ifindex,
	};

	FILL_HEADER(&event, EVENT_DROP, (__u8)get_cb(skb, 2), captured);
	EMIT(&event, captured);
}

enum { SIGNAL_NAT_FULL, SIGNAL_CT_FULL };

INLINE void signal_full(struct __sk_buff *skb, __u32 which, bool ipv6)
{
	struct signal signal = { .signal_nr = which, .data = ipv6 };

	bpf_perf_event_output(skb, &cilium_signals, BPF_F_CURRENT_CPU, &signal, sizeof(signal));
}
