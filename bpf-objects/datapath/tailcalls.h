/*
 * Tail calls: slots of cilium_calls, and what the words of skb->cb carry from one program to the next. Both are an interface:
 * bpf_host, bpf_overlay and bpf_lxc hand packets to each other through cilium_call_policy.
 */
#pragma once
#include "maps.h"

enum {
	CALL_DROP_NOTIFY = 1,
	CALL_ICMP4_TIME_EXCEEDED = 2, /* own; unused elsewhere */
	CALL_ICMP6_ECHO_REPLY = 3,
	CALL_ICMP6_NEIGHBOUR_SOLICITATION = 4,
	CALL_ICMP6_TIME_EXCEEDED = 5,
	CALL_ARP = 6,
	CALL_IPV4_FROM_DEVICE = 7, /* from lxc, netdev or overlay */
	CALL_IPV6_FROM_DEVICE = 10,
	CALL_IPV4_POLICY = 11,
	CALL_IPV6_POLICY = 12,
	CALL_IPV4_TO_ENDPOINT = 13,
	CALL_IPV6_TO_ENDPOINT = 14,
	CALL_IPV4_NODEPORT_SNAT = 15,
	CALL_IPV6_NODEPORT_SNAT = 16,
	CALL_IPV4_NODEPORT_REVERSE = 17,
	CALL_IPV6_NODEPORT_REVERSE = 18,
	CALL_IPV4_SNAT_FORWARD = 19,
	CALL_IPV4_FROM_HOST = 22,
	CALL_IPV6_FROM_HOST = 23,
	CALL_IPV6_SNAT_FORWARD = 24,
	CALL_IPV4_FROM_LXC_CONT = 25,
	CALL_IPV6_FROM_LXC_CONT = 26,
	CALL_IPV4_CT_INGRESS = 27,
	CALL_IPV4_CT_INGRESS_POLICY_ONLY = 28,
	CALL_IPV4_CT_EGRESS = 29,
	CALL_IPV6_CT_INGRESS = 30,
	CALL_IPV6_CT_INGRESS_POLICY_ONLY = 31,
	CALL_IPV6_CT_EGRESS = 32,
	CALL_IPV4_FROM_DEVICE_CONT = 33, /* own */
	CALL_IPV6_FROM_DEVICE_CONT = 34, /* own */
	CALL_IPV4_SNAT_INGRESS = 36,
	CALL_IPV6_SNAT_INGRESS = 37,
	CALL_SIZE = 38,
};

/* The slot of the family being compiled; the pairs are not at a constant distance. */
#define FAMILY_CALL(name) (FAMILY == 4 ? CALL_IPV4_##name : CALL_IPV6_##name)

/* Declares cilium_calls with the programs of an object: TAIL_CALLS([CALL_DROP_NOTIFY] = (void *)&tail_drop_notify, ...) */
#define TAIL_CALLS(...)                                   \
	struct {                                          \
		__uint(type, BPF_MAP_TYPE_PROG_ARRAY);    \
		__uint(key_size, 4);                      \
		__uint(value_size, 4);                    \
		__uint(max_entries, CALL_SIZE);           \
		__array(values, int(void *));             \
	} cilium_calls SEC(".maps") = { .values = { __VA_ARGS__ } }

/* Words of skb->cb; one word has different meanings at different stages. */
enum {
	CB_SRC_LABEL = 0, /* to policy programs, netdev and overlay: identity of the sender */
	CB_PROXY_PORT = 0, /* after service translation: port of a proxy << 16; to cil_to_host: a mark */
	CB_DST_ENDPOINT_ID = 0, /* to cil_host_policy */
	CB_IFINDEX = 1, /* to policy programs: the endpoint's device */
	CB_BACKEND_ID = 2, /* after service translation */
	CB_POLICY = 2, /* not 0: what no rule allows is not denied */
	CB_FROM_HOST = 3, /* to policy programs: the packet comes from the host's stack */
	CB_DIRECTION = 3, /* to the ICMP error programs: direction of the metrics */
	CB_CT_STATE = 4, /* after service translation: reverse NAT index << 16 | loopback */
};

/* skb->tc_index: what later programs of the same packet shall skip. */
enum {
	SKIP_INGRESS_PROXY = 1,
	SKIP_EGRESS_PROXY = 2,
	SKIP_NODEPORT = 4,
	SKIP_RECIRCULATION = 8,
	SKIP_HOST_FIREWALL = 16,
};
