// A datapath in small for tests of the walk's account: a service translated there and back, one policy, one tail call, and
// events in Cilium's formats. Map names and layouts are those of Cilium 1.13.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stddef.h>

#define L3 ETH_HLEN
#define L4 (ETH_HLEN + sizeof(struct iphdr))

enum { SLOT_IPV4 = 7 };
enum { DROP_POLICY = 133, DROP_MISSED_TAIL_CALL = 140, DROP_CT_CREATE_FAILED = 155, DROP_NO_SERVICE = 158 };
enum { NOTIFY_DROP = 1, NOTIFY_TRACE = 4, NOTIFY_POLICY = 5 };
enum { TRACE_TO_STACK = 3, MATCH_L3_L4 = 2, FILE_LXC = 2 };

struct lb4_key {
	__be32 address;
	__be16 dport;
	__u16 backend_slot;
	__u8 proto;
	__u8 scope;
	__u8 pad[2];
};

struct lb4_service {
	__u32 backend_id;
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
};

struct policy_key {
	__u32 sec_label;
	__be16 dport;
	__u8 protocol;
	__u8 egress;
};

struct policy_entry {
	__be16 proxy_port;
	__u8 deny;
	__u8 pad[5];
	__u64 packets;
	__u64 bytes;
};

struct ipv4_ct_tuple {
	__be32 daddr;
	__be32 saddr;
	__be16 dport;
	__be16 sport;
	__u8 nexthdr;
	__u8 flags;
} __attribute__((packed));

struct ct_entry {
	__u64 packets;
	__u32 lifetime;
	__u16 rev_nat_index;
	__u16 pad;
};

struct remote_endpoint_info {
	__u32 sec_label;
	__be32 tunnel_endpoint;
};

#define HASH_MAP(name, key_type, value_type, entries)  \
	struct {                                       \
		__uint(type, BPF_MAP_TYPE_HASH);       \
		__type(key, key_type);                 \
		__type(value, value_type);             \
		__uint(max_entries, entries);          \
	} name SEC(".maps")

HASH_MAP(cilium_lb4_services_v2, struct lb4_key, struct lb4_service, 64);
HASH_MAP(cilium_lb4_backends_v2, __u32, struct lb4_backend, 64);
HASH_MAP(cilium_lb4_reverse_nat, __u16, struct lb4_reverse_nat, 64);
HASH_MAP(cilium_policy, struct policy_key, struct policy_entry, 64);
HASH_MAP(cilium_ct4_global, struct ipv4_ct_tuple, struct ct_entry, 4);
HASH_MAP(cilium_ipcache, __be32, struct remote_endpoint_info, 64);

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} cilium_events SEC(".maps");

volatile const __u32 own_identity = 1001;
volatile const __u16 own_endpoint = 42;
/* Where allowed packets go; 0 = on to the stack. */
volatile const __u32 redirect_ifindex = 0;

/* As Cilium's events begin; what follows differs. */
struct event {
	__u8 type;
	__u8 subtype;
	__u16 source;
	__u32 hash;
	__u32 original_length;
	__u16 captured_length;
	__u8 version;
	__u8 extension;
};

struct drop_event {
	struct event head;
	__u32 source_identity;
	__u32 destination_identity;
	__u32 destination_endpoint;
	__u16 line;
	__u8 file;
	__s8 extended_error;
	__u32 ifindex;
};

struct trace_event {
	struct event head;
	__u32 source_identity;
	__u32 destination_identity;
	__u16 destination_endpoint;
	__u8 reason;
	__u8 flags;
	__u32 ifindex;
	__u8 original_source[16];
};

struct verdict_event {
	struct event head;
	__u32 remote_identity;
	__s32 verdict;
	__be16 destination_port;
	__u8 protocol;
	__u8 flags;
	__u8 auth;
	__u8 pad[3];
};

static __always_inline struct event head(struct __sk_buff *skb, __u8 type, __u8 subtype)
{
	struct event event = {
		.type = type,
		.subtype = subtype,
		.source = own_endpoint,
		.original_length = skb->len,
		.captured_length = skb->len,
		.version = 1,
	};
	return event;
}

#define SEND(skb, event) \
	bpf_perf_event_output(skb, &cilium_events, ((__u64)(skb)->len << 32) | BPF_F_CURRENT_CPU, event, sizeof(*(event)))

static __always_inline int drop(struct __sk_buff *skb, __u8 reason, __u32 remote, __s8 error, __u16 line)
{
	struct drop_event event = {
		.head = head(skb, NOTIFY_DROP, reason),
		.source_identity = own_identity,
		.destination_identity = remote,
		.line = line,
		.file = FILE_LXC,
		.extended_error = error,
		.ifindex = skb->ifindex,
	};
	SEND(skb, &event);
	return TC_ACT_SHOT;
}

static __always_inline void verdict(struct __sk_buff *skb, __u32 remote, __be16 port, __s32 result)
{
	struct verdict_event event = {
		.head = head(skb, NOTIFY_POLICY, 0),
		.remote_identity = remote,
		.verdict = result,
		.destination_port = bpf_ntohs(port),
		.protocol = IPPROTO_TCP,
		.flags = 2 | (result ? 0 : MATCH_L3_L4 << 3),
	};
	SEND(skb, &event);
}

/* Replaces an address and a port and keeps the checksums right; offsets from the headers' starts. */
static __always_inline void translate(struct __sk_buff *skb, __u32 address_offset, __be32 old, __be32 address,
				      __u32 port_offset, __be16 old_port, __be16 port)
{
	const __u32 check = L4 + offsetof(struct tcphdr, check);

	bpf_skb_store_bytes(skb, L3 + address_offset, &address, 4, 0);
	bpf_l3_csum_replace(skb, L3 + offsetof(struct iphdr, check), old, address, 4);
	bpf_l4_csum_replace(skb, check, old, address, BPF_F_PSEUDO_HDR | 4);
	bpf_skb_store_bytes(skb, L4 + port_offset, &port, 2, 0);
	bpf_l4_csum_replace(skb, check, old_port, port, 2);
}

struct packet {
	__be32 saddr;
	__be32 daddr;
	__be16 sport;
	__be16 dport;
};

static __always_inline int parse(struct __sk_buff *skb, struct packet *packet)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct iphdr *ip = data + L3;
	struct tcphdr *tcp = data + L4;

	if ((void *)(tcp + 1) > end || skb->protocol != bpf_htons(ETH_P_IP) || ip->ihl != 5 || ip->protocol != IPPROTO_TCP)
		return -1;
	packet->saddr = ip->saddr;
	packet->daddr = ip->daddr;
	packet->sport = tcp->source;
	packet->dport = tcp->dest;
	return 0;
}

/* Chooses the first backend: 0, or a drop reason. */
static __always_inline int to_backend(struct __sk_buff *skb, struct packet *packet, __u16 *rev_nat_index)
{
	struct lb4_key key = { .address = packet->daddr, .dport = packet->dport };
	struct lb4_service *service = bpf_map_lookup_elem(&cilium_lb4_services_v2, &key);
	struct lb4_backend *backend;
	struct packet old = *packet;
	__u32 id;

	if (!service)
		return 0;
	*rev_nat_index = service->rev_nat_index;
	key.backend_slot = 1;
	service = bpf_map_lookup_elem(&cilium_lb4_services_v2, &key);
	if (!service)
		return DROP_NO_SERVICE;
	id = service->backend_id;
	backend = bpf_map_lookup_elem(&cilium_lb4_backends_v2, &id);
	if (!backend)
		return DROP_NO_SERVICE;
	packet->daddr = backend->address;
	packet->dport = backend->port;
	translate(skb, offsetof(struct iphdr, daddr), old.daddr, packet->daddr, offsetof(struct tcphdr, dest), old.dport,
		  packet->dport);
	return 0;
}

SEC("tc")
int tail_handle_ipv4(struct __sk_buff *skb)
{
	struct ipv4_ct_tuple tuple = { .nexthdr = IPPROTO_TCP };
	struct policy_key policy = { .protocol = IPPROTO_TCP, .egress = 1 };
	struct ct_entry created = { .lifetime = 60 }, *entry;
	struct remote_endpoint_info *info;
	struct policy_entry *allowed;
	struct packet packet;
	__u32 remote = 2;
	int reason, error;

	if (parse(skb, &packet))
		return TC_ACT_OK;
	reason = to_backend(skb, &packet, &created.rev_nat_index);
	if (reason)
		return drop(skb, reason, 0, 0, __LINE__);
	info = bpf_map_lookup_elem(&cilium_ipcache, &packet.daddr);
	if (info)
		remote = info->sec_label;
	tuple.daddr = packet.daddr;
	tuple.saddr = packet.saddr;
	tuple.dport = packet.dport;
	tuple.sport = packet.sport;
	entry = bpf_map_lookup_elem(&cilium_ct4_global, &tuple);
	if (entry) {
		entry->packets++;
	} else {
		policy.sec_label = remote;
		policy.dport = packet.dport;
		allowed = bpf_map_lookup_elem(&cilium_policy, &policy);
		verdict(skb, remote, packet.dport, allowed && !allowed->deny ? 0 : -DROP_POLICY);
		if (!allowed || allowed->deny)
			return drop(skb, DROP_POLICY, remote, 0, __LINE__);
		allowed->packets++;
		created.packets = 1;
		error = bpf_map_update_elem(&cilium_ct4_global, &tuple, &created, BPF_ANY);
		if (error)
			return drop(skb, DROP_CT_CREATE_FAILED, remote, error, __LINE__);
	}
	struct trace_event trace = {
		.head = head(skb, NOTIFY_TRACE, TRACE_TO_STACK),
		.source_identity = own_identity,
		.destination_identity = remote,
		.reason = entry ? 1 : 0,
	};
	SEND(skb, &trace);
	return redirect_ifindex ? bpf_redirect(redirect_ifindex, 0) : TC_ACT_OK;
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 16);
	__uint(key_size, 4);
	__array(values, int(void *));
} cilium_calls SEC(".maps") = {
	.values = { [SLOT_IPV4] = (void *)&tail_handle_ipv4 },
};

SEC("tc")
int cil_from_container(struct __sk_buff *skb)
{
	if (skb->protocol != bpf_htons(ETH_P_IP))
		return TC_ACT_OK;
	bpf_tail_call(skb, &cilium_calls, SLOT_IPV4);
	return drop(skb, DROP_MISSED_TAIL_CALL, 0, SLOT_IPV4, __LINE__);
}

SEC("tc")
int cil_to_container(struct __sk_buff *skb)
{
	struct ipv4_ct_tuple tuple = { .nexthdr = IPPROTO_TCP };
	struct lb4_reverse_nat *service;
	struct ct_entry *entry;
	struct packet packet;

	if (parse(skb, &packet))
		return TC_ACT_OK;
	tuple.daddr = packet.saddr;
	tuple.saddr = packet.daddr;
	tuple.dport = packet.sport;
	tuple.sport = packet.dport;
	entry = bpf_map_lookup_elem(&cilium_ct4_global, &tuple);
	if (!entry || !entry->rev_nat_index)
		return TC_ACT_OK;
	service = bpf_map_lookup_elem(&cilium_lb4_reverse_nat, &entry->rev_nat_index);
	if (service)
		translate(skb, offsetof(struct iphdr, saddr), packet.saddr, service->address, offsetof(struct tcphdr, source),
			  packet.sport, service->port);
	return TC_ACT_OK;
}

SEC("xdp")
int broken(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	__u8 byte = *(__u8 *)(data + 4000);

	return byte ? XDP_PASS : XDP_DROP;
}

SEC("cgroup/connect4")
int cil_sock4_connect(struct bpf_sock_addr *ctx)
{
	struct lb4_key key = { .address = ctx->user_ip4, .dport = ctx->user_port };
	struct lb4_service *service;
	struct lb4_backend *backend;
	__u32 id;

	key.backend_slot = 1;
	service = bpf_map_lookup_elem(&cilium_lb4_services_v2, &key);
	if (!service)
		return 1;
	id = service->backend_id;
	backend = bpf_map_lookup_elem(&cilium_lb4_backends_v2, &id);
	if (!backend)
		return 0;
	ctx->user_ip4 = backend->address;
	ctx->user_port = backend->port;
	return 1;
}

char _license[] SEC("license") = "Dual BSD/GPL";
