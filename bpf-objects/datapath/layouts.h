/*
 * Keys and values of the maps: an interface to whoever fills and reads them. Addresses and ports are in network order, identities,
 * counts and indexes in host order, padding is zero.
 */
#pragma once
#include "common.h"

/*
 * A connection. Entries are kept with swapped addresses and unswapped ports: of A:a -> B:b, daddr = A, saddr = B, dport = b, sport = a.
 * Only SERVICE entries and NAT keep the order of the wire.
 */
struct ct_tuple4 {
	__be32 daddr;
	__be32 saddr;
	__be16 dport;
	__be16 sport;
	__u8 nexthdr;
	__u8 flags;
} __attribute__((packed));

struct ct_tuple6 {
	union v6addr daddr;
	union v6addr saddr;
	__be16 dport;
	__be16 sport;
	__u8 nexthdr;
	__u8 flags;
} __attribute__((packed));

enum {
	TUPLE_OUT = 0,
	TUPLE_IN = 1,
	TUPLE_RELATED = 2,
	TUPLE_SERVICE = 4,
};

struct ct_entry {
	__u64 rx_packets;
	union {
		__u64 rx_bytes;
		__u64 backend_id; /* SERVICE entries */
	};
	__u64 tx_packets;
	__u64 tx_bytes;
	__u32 lifetime; /* s, absolute */
	__u16 rx_closing : 1;
	__u16 tx_closing : 1;
	__u16 nat46 : 1;
	__u16 lb_loopback : 1;
	__u16 seen_non_syn : 1;
	__u16 node_port : 1;
	__u16 proxy_redirect : 1;
	__u16 dsr : 1;
	__u16 from_l7lb : 1;
	__u16 reserved : 7;
	__u16 rev_nat_index;
	__u16 ifindex;
	__u8 tx_flags_seen;
	__u8 rx_flags_seen;
	__u32 src_sec_id;
	__u32 last_tx_report;
	__u32 last_rx_report;
};

struct ct_state {
	__u16 rev_nat_index;
	__u16 loopback : 1;
	__u16 node_port : 1;
	__u16 dsr : 1;
	__u16 syn : 1;
	__u16 proxy_redirect : 1;
	__u16 from_l7lb : 1;
	__u16 reserved : 10;
	__be32 addr; /* loopback: the source address after translation */
	__be32 svc_addr; /* loopback: the source address before */
	__u32 src_sec_id;
	__u16 ifindex;
	__u32 backend_id;
};

/* Carries a conntrack result from one tail call to the next. */
struct ct_buffer4 {
	struct ct_tuple4 tuple;
	struct ct_state ct_state;
	__u32 monitor;
	int ret;
};

struct ct_buffer6 {
	struct ct_tuple6 tuple;
	struct ct_state ct_state;
	__u32 monitor;
	int ret;
};

struct nat_entry {
	__u64 created;
	__u64 host_local;
	__u64 pad1;
	__u64 pad2;
};

/* Egress entries say what the source becomes (to_saddr, to_sport), ingress entries what the destination becomes. */
struct nat_entry4 {
	struct nat_entry common;
	union {
		__be32 to_saddr;
		__be32 to_daddr;
	};
	union {
		__be16 to_sport;
		__be16 to_dport;
	};
	__u16 pad;
};

struct nat_entry6 {
	struct nat_entry common;
	union {
		union v6addr to_saddr;
		union v6addr to_daddr;
	};
	union {
		__be16 to_sport;
		__be16 to_dport;
	};
	__u16 pad[3];
};

enum { ENDPOINT_KEY_4 = 1, ENDPOINT_KEY_6 = 2 };

struct endpoint_key {
	union {
		struct {
			__u32 ip4, pad1, pad2, pad3;
		};
		union v6addr ip6;
	};
	__u8 family;
	__u8 key;
	__u16 pad5;
} __attribute__((packed));

enum { ENDPOINT_HOST = 1 };

struct endpoint_info {
	__u32 ifindex;
	__u16 unused;
	__u16 lxc_id;
	__u32 flags;
	__u64 mac; /* inside the Pod */
	__u64 node_mac; /* of the host's end */
	__u32 pad[4];
};

struct lpm_prefix {
	__u32 prefixlen;
};

struct ipcache_key {
	struct lpm_prefix lpm_key;
	__u16 pad1;
	__u8 pad2;
	__u8 family;
	union {
		struct {
			__u32 ip4, pad4, pad5, pad6;
		};
		union v6addr ip6;
	};
};

struct remote_endpoint_info {
	__u32 sec_label;
	__u32 tunnel_endpoint; /* network order */
	__u8 key;
};

struct policy_key {
	__u32 sec_label;
	__be16 dport;
	__u8 protocol;
	__u8 egress : 1;
	__u8 pad : 7;
};

struct policy_entry {
	__be16 proxy_port;
	__u8 deny : 1;
	__u8 pad : 7;
	__u8 pad0;
	__u16 pad1;
	__u16 pad2;
	__u64 packets;
	__u64 bytes;
};

struct lb_key4 {
	__be32 address;
	__be16 dport;
	__u16 backend_slot; /* 0: the frontend, 1..count: its backends */
	__u8 proto;
	__u8 scope;
	__u8 pad[2];
};

struct lb_key6 {
	union v6addr address;
	__be16 dport;
	__u16 backend_slot;
	__u8 proto;
	__u8 scope;
	__u8 pad[2];
};

struct lb_service {
	union {
		__u32 backend_id;
		__u32 affinity_timeout; /* s */
		__u32 l7_lb_proxy_port;
	};
	__u16 count;
	__u16 rev_nat_index;
	__u8 flags;
	__u8 flags2;
	__u8 pad[2];
};

/* Flags of a frontend. */
enum {
	SERVICE_EXTERNAL_IP = 0x01,
	SERVICE_NODEPORT = 0x02,
	SERVICE_LOCAL_SCOPE = 0x04,
	SERVICE_HOSTPORT = 0x08,
	SERVICE_AFFINITY = 0x10,
	SERVICE_LOADBALANCER = 0x20,
	SERVICE_ROUTABLE = 0x40,
	SERVICE_SOURCE_RANGE = 0x80,
};

struct lb_backend4 {
	__be32 address;
	__be16 port;
	__u8 proto;
	__u8 flags;
};

struct lb_backend6 {
	union v6addr address;
	__be16 port;
	__u8 proto;
	__u8 flags;
} __attribute__((packed));

enum { BACKEND_ACTIVE = 0 };

struct lb_reverse_nat4 {
	__be32 address;
	__be16 port;
} __attribute__((packed));

struct lb_reverse_nat6 {
	union v6addr address;
	__be16 port;
} __attribute__((packed));

struct lb_affinity_key4 {
	union {
		__u32 client_ip;
		__u64 client_cookie;
	} client_id;
	__u16 rev_nat_id;
	__u8 netns_cookie : 1;
	__u8 reserved : 7;
	__u8 pad1;
	__u32 pad2;
};

struct lb_affinity_key6 {
	union {
		union v6addr client_ip;
		__u64 client_cookie;
	} client_id;
	__u16 rev_nat_id;
	__u8 netns_cookie : 1;
	__u8 reserved : 7;
	__u8 pad1;
	__u32 pad2;
};

struct lb_affinity_val {
	__u64 last_used; /* s */
	__u32 backend_id;
	__u32 pad;
};

struct lb_affinity_match {
	__u32 backend_id;
	__u16 rev_nat_id;
	__u16 pad;
};

struct lb_source_range_key4 {
	struct lpm_prefix lpm_key;
	__u16 rev_nat_id;
	__u16 pad;
	__u32 addr;
};

struct lb_source_range_key6 {
	struct lpm_prefix lpm_key;
	__u16 rev_nat_id;
	__u16 pad;
	union v6addr addr;
};

struct reverse_sk_key4 {
	__u64 cookie;
	__be32 address;
	__be16 port;
	__u16 pad;
};

struct reverse_sk_value4 {
	__be32 address;
	__be16 port;
	__u16 rev_nat_index;
};

struct reverse_sk_key6 {
	__u64 cookie;
	union v6addr address;
	__be16 port;
	__u16 pad;
	__u32 pad2;
};

struct reverse_sk_value6 {
	union v6addr address;
	__be16 port;
	__u16 rev_nat_index;
} __attribute__((packed));

struct fragment_id {
	__be32 daddr;
	__be32 saddr;
	__be16 id;
	__u8 proto;
	__u8 pad;
};

struct fragment_ports {
	__be16 sport;
	__be16 dport;
};

struct metrics_key {
	__u8 reason;
	__u8 dir : 2;
	__u8 pad : 6;
	__u16 reserved[3];
};

struct metrics_value {
	__u64 count;
	__u64 bytes;
};

struct edt_id {
	__u64 id; /* endpoint */
};

struct edt_info {
	__u64 bps; /* bytes per second */
	__u64 t_last; /* ns */
	__u64 t_horizon_drop; /* ns */
	__u64 pad[4];
};

struct masquerade_cidr4 {
	struct lpm_prefix lpm_key;
	__u32 addr;
};

struct signal {
	__u32 signal_nr; /* 0: NAT map fills up, 1: conntrack map fills up */
	__u32 data; /* 0: IPv4, 1: IPv6 */
};
