// What tests of the network model attach: programs that write down the skb they see, change it and send it on as a map says.
#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>

// What tc_act does, in this order.
enum step {
	SET_FIELDS = 1,
	SET_TUNNEL = 2,
	CLONE = 4,
	REDIRECT = 8,
	REDIRECT_PEER = 16,
	REDIRECT_NEIGH = 32,
};

struct settings {
	__u32 steps;
	__s32 verdict;
	__u32 ifindex;
	__u32 redirect_flags;
	__u32 mark;
	__u32 tc_index;
	__u32 queue_mapping;
	__u32 priority;
	__u32 cb[5];
	__u32 tunnel_id;
	__u32 tunnel_remote;
	__u32 tunnel_flags;
	__u64 tstamp;
};

struct seen {
	__u32 runs;
	__u32 len;
	__u32 mark;
	__u32 priority;
	__u32 cb[5];
	__u32 tc_index;
	__u32 queue_mapping;
	__u32 pkt_type;
	__u32 protocol;
	__u32 vlan_present;
	__u32 vlan_tci;
	__u32 ifindex;
	__u32 ingress_ifindex;
	__s32 tunnel;
	__u32 tunnel_id;
	__u32 tunnel_remote;
	__u32 metadata;
	__u64 tstamp;
	__u64 cookie;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct settings);
} settings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct seen);
} seen SEC(".maps");

struct end {
	__u32 address;
	__u32 port;
};

// Where connections to an address really go, and what a socket asked for.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, struct end);
	__type(value, struct end);
} services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u64);
	__type(value, struct end);
} asked SEC(".maps");

static __always_inline void note(struct __sk_buff *skb, struct seen *to)
{
	struct bpf_tunnel_key key = {};

	to->runs++;
	to->len = skb->len;
	to->mark = skb->mark;
	to->priority = skb->priority;
	for (int i = 0; i < 5; i++)
		to->cb[i] = skb->cb[i];
	to->tc_index = skb->tc_index;
	to->queue_mapping = skb->queue_mapping;
	to->pkt_type = skb->pkt_type;
	to->protocol = skb->protocol;
	to->vlan_present = skb->vlan_present;
	to->vlan_tci = skb->vlan_tci;
	to->ifindex = skb->ifindex;
	to->ingress_ifindex = skb->ingress_ifindex;
	to->tstamp = skb->tstamp;
	to->cookie = bpf_get_socket_cookie(skb);
	to->tunnel = bpf_skb_get_tunnel_key(skb, &key, sizeof(key), 0);
	to->tunnel_id = key.tunnel_id;
	to->tunnel_remote = key.remote_ipv4;
	if ((void *)(long)skb->data_meta + 4 <= (void *)(long)skb->data)
		to->metadata = *(__u32 *)(long)skb->data_meta;
}

SEC("tc")
int tc_act(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct settings *set = bpf_map_lookup_elem(&settings, &zero);
	struct seen *to = bpf_map_lookup_elem(&seen, &zero);

	if (!set || !to)
		return -1;
	note(skb, to);
	if (set->steps & SET_FIELDS) {
		skb->mark = set->mark;
		skb->tc_index = set->tc_index;
		skb->queue_mapping = set->queue_mapping;
		skb->priority = set->priority;
		skb->tstamp = set->tstamp;
		for (int i = 0; i < 5; i++)
			skb->cb[i] = set->cb[i];
	}
	if (set->steps & SET_TUNNEL) {
		struct bpf_tunnel_key key = {
			.tunnel_id = set->tunnel_id, .remote_ipv4 = set->tunnel_remote, .tunnel_ttl = 64,
		};

		bpf_skb_set_tunnel_key(skb, &key, sizeof(key), set->tunnel_flags);
	}
	if (set->steps & CLONE)
		bpf_clone_redirect(skb, set->ifindex, set->redirect_flags);
	if (set->steps & REDIRECT)
		return bpf_redirect(set->ifindex, set->redirect_flags);
	if (set->steps & REDIRECT_PEER)
		return bpf_redirect_peer(set->ifindex, 0);
	if (set->steps & REDIRECT_NEIGH)
		return bpf_redirect_neigh(set->ifindex, 0, 0, 0);
	return set->verdict;
}

SEC("xdp")
int xdp_mark(struct xdp_md *ctx)
{
	__u32 *meta;

	if (bpf_xdp_adjust_meta(ctx, -4))
		return XDP_ABORTED;
	meta = (void *)(long)ctx->data_meta;
	if ((void *)(meta + 1) > (void *)(long)ctx->data)
		return XDP_ABORTED;
	*meta = 0x12345678;
	return XDP_PASS;
}

static __always_inline int translate(struct bpf_sock_addr *ctx)
{
	struct end key = { .address = ctx->user_ip4, .port = ctx->user_port };
	struct end *to = bpf_map_lookup_elem(&services, &key);
	__u64 cookie = bpf_get_socket_cookie(ctx);

	if (!to)
		return 1;
	// A service without backend.
	if (!to->address)
		return 0;
	bpf_map_update_elem(&asked, &cookie, &key, BPF_ANY);
	ctx->user_ip4 = to->address;
	ctx->user_port = to->port;
	return 1;
}

SEC("cgroup/connect4")
int sock_connect4(struct bpf_sock_addr *ctx)
{
	return translate(ctx);
}

SEC("cgroup/sendmsg4")
int sock_sendmsg4(struct bpf_sock_addr *ctx)
{
	return translate(ctx);
}

SEC("cgroup/recvmsg4")
int sock_recvmsg4(struct bpf_sock_addr *ctx)
{
	__u64 cookie = bpf_get_socket_cookie(ctx);
	struct end *key = bpf_map_lookup_elem(&asked, &cookie);

	if (key) {
		ctx->user_ip4 = key->address;
		ctx->user_port = key->port;
	}
	return 1;
}

char _license[] SEC("license") = "Dual BSD/GPL";
