/* The maps. Pinned ones are shared by all objects of a node; policy, tail calls and scratch space belong to one instance. */
#pragma once
#include "layouts.h"

#define MAGLEV_TABLE_SIZE 16381
/* Connections, NAT mappings, neighbours: LRU maps, whose memory the kernel takes at once. */
#define CONNECTIONS 65536

#define HASH_MAP(kind, name_, key_, value_, entries, flags)   \
	struct {                                              \
		__uint(type, BPF_MAP_TYPE_##kind);            \
		__type(key, key_);                            \
		__type(value, value_);                        \
		__uint(max_entries, entries);                 \
		__uint(map_flags, flags);                     \
		__uint(pinning, LIBBPF_PIN_BY_NAME);          \
	} name_ SEC(".maps")

#define EVENT_MAP(name_)                                      \
	struct {                                              \
		__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);  \
		__uint(key_size, 4);                          \
		__uint(value_size, 4);                        \
		__uint(pinning, LIBBPF_PIN_BY_NAME);          \
	} name_ SEC(".maps")

#define PROGRAM_MAP(name_)                                    \
	struct {                                              \
		__uint(type, BPF_MAP_TYPE_PROG_ARRAY);        \
		__uint(key_size, 4);                          \
		__uint(value_size, 4);                        \
		__uint(max_entries, 65535);                   \
		__uint(pinning, LIBBPF_PIN_BY_NAME);          \
	} name_ SEC(".maps")

struct maglev_inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 4 * MAGLEV_TABLE_SIZE);
};

#define MAGLEV_MAP(name_)                                     \
	struct {                                              \
		__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);      \
		__type(key, __u16);                           \
		__type(value, __u32);                         \
		__uint(max_entries, 65536);                   \
		__uint(map_flags, BPF_F_NO_PREALLOC);         \
		__uint(pinning, LIBBPF_PIN_BY_NAME);          \
		__array(values, struct maglev_inner);         \
	} name_ SEC(".maps")

/* Endpoints and identities. */
HASH_MAP(HASH, cilium_lxc, struct endpoint_key, struct endpoint_info, 65535, BPF_F_NO_PREALLOC);
HASH_MAP(LPM_TRIE, cilium_ipcache, struct ipcache_key, struct remote_endpoint_info, 512000, BPF_F_NO_PREALLOC);
HASH_MAP(HASH, cilium_tunnel_map, struct endpoint_key, struct endpoint_key, 65536, BPF_F_NO_PREALLOC);

/* Services. */
HASH_MAP(HASH, cilium_lb4_services_v2, struct lb_key4, struct lb_service, 65536, BPF_F_NO_PREALLOC);
HASH_MAP(HASH, cilium_lb4_backends_v2, __u32, struct lb_backend4, 65536, BPF_F_NO_PREALLOC);
HASH_MAP(HASH, cilium_lb4_reverse_nat, __u16, struct lb_reverse_nat4, 65536, BPF_F_NO_PREALLOC);
HASH_MAP(LRU_HASH, cilium_lb4_affinity, struct lb_affinity_key4, struct lb_affinity_val, 65536, 0);
HASH_MAP(LPM_TRIE, cilium_lb4_source_range, struct lb_source_range_key4, __u8, 1000, BPF_F_NO_PREALLOC);
HASH_MAP(LRU_HASH, cilium_lb4_reverse_sk, struct reverse_sk_key4, struct reverse_sk_value4, CONNECTIONS, 0);
MAGLEV_MAP(cilium_lb4_maglev);
HASH_MAP(HASH, cilium_lb6_services_v2, struct lb_key6, struct lb_service, 65536, BPF_F_NO_PREALLOC);
HASH_MAP(HASH, cilium_lb6_backends_v2, __u32, struct lb_backend6, 65536, BPF_F_NO_PREALLOC);
HASH_MAP(HASH, cilium_lb6_reverse_nat, __u16, struct lb_reverse_nat6, 65536, BPF_F_NO_PREALLOC);
HASH_MAP(LRU_HASH, cilium_lb6_affinity, struct lb_affinity_key6, struct lb_affinity_val, 65536, 0);
HASH_MAP(LPM_TRIE, cilium_lb6_source_range, struct lb_source_range_key6, __u8, 1000, BPF_F_NO_PREALLOC);
HASH_MAP(LRU_HASH, cilium_lb6_reverse_sk, struct reverse_sk_key6, struct reverse_sk_value6, CONNECTIONS, 0);
MAGLEV_MAP(cilium_lb6_maglev);
HASH_MAP(HASH, cilium_lb_affinity_match, struct lb_affinity_match, __u8, 65536, BPF_F_NO_PREALLOC);

/* Counters. */
HASH_MAP(PERCPU_HASH, cilium_metrics, struct metrics_key, struct metrics_value, 1024, BPF_F_NO_PREALLOC);

#ifndef SOCKET_OBJECT
/* Connections and NAT: TCP apart from everything else. */
HASH_MAP(LRU_HASH, cilium_ct4_global, struct ct_tuple4, struct ct_entry, CONNECTIONS, 0);
HASH_MAP(LRU_HASH, cilium_ct_any4_global, struct ct_tuple4, struct ct_entry, CONNECTIONS, 0);
HASH_MAP(LRU_HASH, cilium_snat_v4_external, struct ct_tuple4, struct nat_entry4, CONNECTIONS, 0);
HASH_MAP(LRU_HASH, cilium_nodeport_neigh4, __be32, union macaddr, CONNECTIONS, 0);
HASH_MAP(LRU_HASH, cilium_ct6_global, struct ct_tuple6, struct ct_entry, CONNECTIONS, 0);
HASH_MAP(LRU_HASH, cilium_ct_any6_global, struct ct_tuple6, struct ct_entry, CONNECTIONS, 0);
HASH_MAP(LRU_HASH, cilium_snat_v6_external, struct ct_tuple6, struct nat_entry6, CONNECTIONS, 0);
HASH_MAP(LRU_HASH, cilium_nodeport_neigh6, union v6addr, union macaddr, CONNECTIONS, 0);
HASH_MAP(LRU_HASH, cilium_ipv4_frag_datagrams, struct fragment_id, struct fragment_ports, 8192, 0);
HASH_MAP(LPM_TRIE, cilium_ipmasq_v4, struct masquerade_cidr4, __u8, 16384, BPF_F_NO_PREALLOC);

HASH_MAP(HASH, cilium_throttle, struct edt_id, struct edt_info, 65535, BPF_F_NO_PREALLOC);
EVENT_MAP(cilium_events);
EVENT_MAP(cilium_signals);
PROGRAM_MAP(cilium_call_policy);
PROGRAM_MAP(cilium_egresscall_policy);

/* Of one instance. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct policy_key);
	__type(value, struct policy_entry);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} cilium_policy SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct ct_buffer4);
	__uint(max_entries, 1);
} cilium_tail_call_buffer4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct ct_buffer6);
	__uint(max_entries, 1);
} cilium_tail_call_buffer6 SEC(".maps");
#endif
