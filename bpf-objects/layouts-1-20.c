// Maps, constants and hooks as objects of Cilium 1.20 have them: the twin of layouts-1-13.c.
#include "layouts.h"

union v4addr {
	__be32 be32;
	__u8 addr[4];
};

union v6addr {
	__u32 words[4];
	__u8 addr[16];
};

union macaddr {
	__u8 addr[6];
	__u64 pad;
};

struct ipcache_key {
	struct lpm_prefix lpm_key;
	__u16 cluster_id;
	__u8 pad1;
	__u8 family;
	union {
		struct {
			__u32 ip4;
			__u32 pad4, pad5, pad6;
		};
		union v6addr ip6;
	};
} __attribute__((packed));

struct remote_endpoint_info {
	__u32 sec_identity;
	union {
		struct {
			__u32 ip4;
			__u32 pad1, pad2, pad3;
		};
		union v6addr ip6;
	} tunnel_endpoint;
	__u16 pad;
	__u8 key;
	__u8 flag_skip_tunnel : 1, flag_has_tunnel_ep : 1, flag_ipv6_tunnel_ep : 1, flag_remote_cluster : 1, pad2 : 4;
};

struct policy_key {
	struct lpm_prefix lpm_key;
	__u32 sec_label;
	__u8 egress : 1, pad : 7;
	__u8 protocol;
	__be16 dport;
};

struct policy_entry {
	__be16 proxy_port;
	__u8 deny : 1, reserved : 2, lpm_prefix_length : 5;
	__u8 auth_type : 7, has_explicit_auth_type : 1;
	__u32 precedence;
	__u32 cookie;
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
	__u16 qcount;
};

struct lb4_backend {
	__be32 address;
	__be16 port;
	__u8 proto;
	__u8 flags;
	__u16 cluster_id;
	__u8 zone;
	__u8 pad;
};

#define LUT_SIZE 251

struct maglev_inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32) * LUT_SIZE);
	__uint(max_entries, 1);
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__type(key, __u16);
	__type(value, __u32);
	__uint(max_entries, 64);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__array(values, struct maglev_inner);
} cilium_lb4_maglev SEC(".maps");

MAP(cilium_ipcache_v2, BPF_MAP_TYPE_LPM_TRIE, struct ipcache_key, struct remote_endpoint_info, 64, BPF_F_NO_PREALLOC);
MAP(cilium_policy_v2, BPF_MAP_TYPE_LPM_TRIE, struct policy_key, struct policy_entry, 64, BPF_F_NO_PREALLOC);
MAP(cilium_call_policy, BPF_MAP_TYPE_PROG_ARRAY, __u32, __u32, 65536, 0);
MAP(cilium_egresscall_policy, BPF_MAP_TYPE_PROG_ARRAY, __u32, __u32, 65536, 0);
MAP(cilium_lb4_services_v2, BPF_MAP_TYPE_HASH, struct lb4_key, struct lb4_service, 64, BPF_F_NO_PREALLOC);
MAP(cilium_lb4_backends_v3, BPF_MAP_TYPE_HASH, __u32, struct lb4_backend, 64, BPF_F_NO_PREALLOC);

#define CONFIG(TYPE, NAME) volatile const TYPE __config_##NAME SEC(".rodata.config") = {}

CONFIG(__u16, endpoint_id);
CONFIG(union v4addr, endpoint_ipv4);
CONFIG(union macaddr, interface_mac);
CONFIG(__u32, interface_ifindex);
CONFIG(__u32, security_label);
CONFIG(__u32, cilium_host_ifindex);

SEC("tc/entry")
int cil_from_container(struct __sk_buff *skb)
{
	if (TOUCH(cilium_ipcache_v2, struct ipcache_key) + TOUCH(cilium_policy_v2, struct policy_key) +
	    TOUCH(cilium_lb4_services_v2, struct lb4_key) + TOUCH(cilium_lb4_backends_v3, __u32) +
	    TOUCH(cilium_lb4_maglev, __u16))
		bpf_tail_call(skb, &cilium_call_policy, __config_endpoint_id);
	skb->cb[0] = __config_endpoint_ipv4.be32;
	skb->cb[1] = __config_interface_mac.addr[0] + __config_interface_ifindex;
	skb->cb[2] = __config_security_label;
	return bpf_redirect(__config_cilium_host_ifindex, 0);
}

SEC("tc/entry")
int cil_to_container(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &cilium_egresscall_policy, 7);
	return TC_ACT_OK;
}

SEC("tc/entry")
int cil_lxc_policy(struct __sk_buff *skb)
{
	return TC_ACT_OK;
}

SEC("tc/entry")
int cil_lxc_policy_egress(struct __sk_buff *skb)
{
	return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "GPL";
