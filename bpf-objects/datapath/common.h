/* Types and constants that every part of the datapath uses. */
#pragma once

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <stddef.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "headers.h"

#define INLINE static __always_inline

#define CONCAT_(a, b) a##b
#define CONCAT(a, b) CONCAT_(a, b)

#define AF_INET 2
#define AF_INET6 10
#define PACKET_HOST 0 /* skb->pkt_type */

union v4addr {
	__be32 be32;
	__u8 addr[4];
};

union v6addr {
	struct {
		__u32 p1, p2, p3, p4;
	};
	struct {
		__u64 d1, d2;
	};
	__u8 addr[16];
};

union macaddr {
	struct {
		__u32 p1;
		__u16 p2;
	};
	__u8 addr[6];
};

/* Security identities with a fixed meaning. */
enum {
	HOST_ID = 1,
	WORLD_ID = 2,
	UNMANAGED_ID = 3,
	REMOTE_NODE_ID = 6,
	KUBE_APISERVER_ID = 7,
};

INLINE bool is_remote_node(__u32 identity)
{
	return identity == REMOTE_NODE_ID || identity == KUBE_APISERVER_ID;
}

/* Identities that no endpoint has. */
INLINE bool is_reserved_identity(__u32 identity)
{
	return identity < UNMANAGED_ID || is_remote_node(identity);
}

/* Why a packet is dropped; the positive number is the subtype of the drop event and the reason in the metrics. */
enum {
	DROP_INVALID_SIP = -132,
	DROP_POLICY = -133,
	DROP_INVALID = -134,
	DROP_CT_INVALID_HDR = -135,
	DROP_CT_UNKNOWN_PROTO = -137,
	DROP_UNKNOWN_L3 = -139,
	DROP_MISSED_TAIL_CALL = -140,
	DROP_WRITE_ERROR = -141,
	DROP_UNKNOWN_L4 = -142,
	DROP_NO_TUNNEL_KEY = -147,
	DROP_UNKNOWN_TARGET = -150,
	DROP_UNROUTABLE = -151,
	DROP_CSUM_L3 = -153,
	DROP_CSUM_L4 = -154,
	DROP_CT_CREATE_FAILED = -155,
	DROP_INVALID_EXTHDR = -156,
	DROP_FRAG_NOSUPPORT = -157,
	DROP_NO_SERVICE = -158,
	DROP_NO_TUNNEL_ENDPOINT = -160,
	DROP_EDT_HORIZON = -162,
	DROP_UNKNOWN_CT = -163,
	DROP_NAT_NO_MAPPING = -167,
	DROP_NAT_UNSUPP_PROTO = -168,
	DROP_NO_FIB = -169,
	DROP_ENCAP_PROHIBITED = -170,
	DROP_INVALID_IDENTITY = -171,
	NAT_NOT_NEEDED = -173, /* not a reason: let the packet pass untranslated */
	DROP_IS_CLUSTER_IP = -174,
	DROP_FRAG_NOT_FOUND = -175,
	DROP_NOT_IN_SRC_RANGE = -177,
	DROP_POLICY_DENY = -181,
	DROP_VLAN_FILTERED = -182,
	DROP_INVALID_TC_BUFFER = -184,
};

/* Result of a conntrack look-up; also the reason of trace events. */
enum ct_status {
	CT_NEW,
	CT_ESTABLISHED,
	CT_REPLY,
	CT_RELATED,
	CT_REOPENED,
};

enum { REASON_UNKNOWN = 5 };

enum ct_direction {
	CT_EGRESS,
	CT_INGRESS,
	CT_SERVICE,
};

/* TCP flags, byte 13 of the header. */
enum {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
};

/* Seconds since boot: the unit of all lifetimes in maps. */
INLINE __u32 now_seconds(void)
{
	return bpf_ktime_get_ns() / 1000000000ULL;
}

INLINE __u16 ethertype(struct __sk_buff *skb)
{
	return bpf_ntohs((__u16)skb->protocol);
}

/*
 * Words of skb->cb. In assembly, because the compiler likes to compute the address of a word once for several accesses, and the
 * verifier wants context accesses at constant offsets.
 */
#define get_cb(skb, word)                                                                                    \
	({                                                                                                   \
		__u32 value_;                                                                                \
		asm volatile("%0 = *(u32 *)(%1 + %2)"                                                        \
			     : "=r"(value_)                                                                  \
			     : "r"(skb), "i"(offsetof(struct __sk_buff, cb) + 4 * (word)));                  \
		value_;                                                                                      \
	})

#define set_cb(skb, word, value)                                                                             \
	asm volatile("*(u32 *)(%0 + %1) = %2"                                                                \
		     :                                                                                       \
		     : "r"(skb), "i"(offsetof(struct __sk_buff, cb) + 4 * (word)), "r"((__u32)(value)))

INLINE void clear_cb(struct __sk_buff *skb)
{
	set_cb(skb, 0, 0);
	set_cb(skb, 1, 0);
	set_cb(skb, 2, 0);
	set_cb(skb, 3, 0);
	set_cb(skb, 4, 0);
}
