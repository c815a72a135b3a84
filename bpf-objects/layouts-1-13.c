// Maps, constants and hooks as objects of Cilium 1.13 have them, compiled without the agent: for tests of what the plan of a
// node puts where. The programs only look the maps up.
#include "layouts.h"

union address6 {
	__u32 words[4];
	__u8 addr[16];
};

struct endpoint_key {
	union {
		struct {
			__u32 ip4;
			__u32 pad1, pad2, pad3;
		};
		union address6 ip6;
	};
	__u8 family;
	__u8 key;
	__u16 pad5;
} __attribute__((packed));

struct endpoint_info {
	__u32 ifindex;
	__u16 unused;
	__u16 lxc_id;
	__u32 flags;
	__u64 mac;
	__u64 node_mac;
	__u32 pad[4];
};

struct ipcache_key {
	struct lpm_prefix lpm_key;
	__u16 pad1;
	__u8 pad2;
	__u8 family;
	union {
		struct {
			__u32 ip4;
			__u32 pad4, pad5, pad6;
		};
		union address6 ip6;
	};
} __attribute__((packed));

struct remote_endpoint_info {
	__u32 sec_label;
	__u32 tunnel_endpoint;
	__u8 key;
};

struct policy_key {
	__u32 sec_label;
	__u16 dport; /* network order */
	__u8 protocol;
	__u8 egress : 1, pad : 7;
};

struct policy_entry {
	__be16 proxy_port;
	__u8 deny : 1, pad : 7;
	__u8 pad0;
	__u16 pad1, pad2;
	__u64 packets;
	__u64 bytes;
};

struct lb4_service {
	union {
		__u32 backend_id;
		__u32 affinity_timeout;
		__u32 l7_lb_proxy_port;
	};
	__u16 count;
	__u16 rev_nat_index;
	__u8 flags;
	__u8 flags2;
	__u8 pad[2];
};

struct lb4_backend {
	__be32 address;
	__be16 port;
	__u8 proto;
	__u8 flags;
};

struct lb4_reverse_nat {
	__be32 address;
	__be16 port;
} __attribute__((packed));

struct lb4_src_range_key {
	struct lpm_prefix lpm_key;
	__u16 rev_nat_id;
	__u16 pad;
	__u32 addr;
};

struct lb_affinity_match {
	__u32 backend_id;
	__u16 rev_nat_id;
	__u16 pad;
};

MAP(test_cilium_lxc, BPF_MAP_TYPE_HASH, struct endpoint_key, struct endpoint_info, 64, BPF_F_NO_PREALLOC);
MAP(test_cilium_ipcache, BPF_MAP_TYPE_LPM_TRIE, struct ipcache_key, struct remote_endpoint_info, 64, BPF_F_NO_PREALLOC);
MAP(test_cilium_tunnel_map, BPF_MAP_TYPE_HASH, struct endpoint_key, struct endpoint_key, 64, BPF_F_NO_PREALLOC);
MAP(test_cilium_policy_65535, BPF_MAP_TYPE_HASH, struct policy_key, struct policy_entry, 64, BPF_F_NO_PREALLOC);
MAP(test_cilium_policy, BPF_MAP_TYPE_PROG_ARRAY, __u32, __u32, 65536, 0);
MAP(test_cilium_lb4_services, BPF_MAP_TYPE_HASH, struct lb4_key, struct lb4_service, 64, BPF_F_NO_PREALLOC);
MAP(test_cilium_lb4_backends, BPF_MAP_TYPE_HASH, __u32, struct lb4_backend, 64, BPF_F_NO_PREALLOC);
MAP(test_cilium_lb4_reverse_nat, BPF_MAP_TYPE_HASH, __u16, struct lb4_reverse_nat, 64, BPF_F_NO_PREALLOC);
MAP(test_cilium_lb4_source_range, BPF_MAP_TYPE_LPM_TRIE, struct lb4_src_range_key, __u8, 64, BPF_F_NO_PREALLOC);
MAP(test_cilium_lb_affinity_match, BPF_MAP_TYPE_HASH, struct lb_affinity_match, __u8, 64, BPF_F_NO_PREALLOC);

/* Written by the loader; in memory order where they stand for addresses. */
volatile __u16 LXC_ID = 0x2a;
volatile __u32 LXC_IPV4 = 0x10203040;
volatile __u32 SECLABEL = 0xfffff;
volatile __u32 SECLABEL_NB = 0xfffff;
volatile __u32 NODE_MAC_1 = 0xdeadbeef;
volatile __u32 NODE_MAC_2 = 0xc0de;

/* The tunnel device and cilium_host are compiled in. */
#define ENCAP_IFINDEX 20
#define HOST_IFINDEX 1

SEC("from-container")
int cil_from_container(struct __sk_buff *skb)
{
	struct bpf_tunnel_key tunnel = {};

	if (TOUCH(test_cilium_lxc, struct endpoint_key) + TOUCH(test_cilium_ipcache, struct ipcache_key) +
	    TOUCH(test_cilium_tunnel_map, struct endpoint_key) + TOUCH(test_cilium_policy_65535, struct policy_key))
		bpf_tail_call(skb, &test_cilium_policy, 7);
	bpf_skb_set_tunnel_key(skb, &tunnel, sizeof(tunnel), BPF_F_ZERO_CSUM_TX);
	return bpf_redirect(ENCAP_IFINDEX, 0);
}

SEC("from-overlay")
int cil_from_overlay(struct __sk_buff *skb)
{
	if (TOUCH(test_cilium_lb4_services, struct lb4_key) + TOUCH(test_cilium_lb4_backends, __u32) +
	    TOUCH(test_cilium_lb4_reverse_nat, __u16) + TOUCH(test_cilium_lb4_source_range, struct lb4_src_range_key) +
	    TOUCH(test_cilium_lb_affinity_match, struct lb_affinity_match))
		return TC_ACT_OK;
	return bpf_redirect(HOST_IFINDEX, 0);
}

SEC("1/0xffff")
int handle_policy(struct __sk_buff *skb)
{
	return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "GPL";
