// A tc program that translates packets to a service address to one of its backends: the bundled demonstration.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <stddef.h>

struct service_key {
	__be32 address;
	__be16 port;
	__u16 slot; /* 0 = the service itself, 1.. = its backends */
};

struct service {
	__u32 count;
	__be32 backend_address;
	__be16 backend_port;
	__u16 pad;
};

struct counter {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct service_key);
	__type(value, struct service);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
} services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct counter);
	__uint(max_entries, 2);
} counters SEC(".maps");

enum { PASSED, TRANSLATED };

/* Which backend of a service: set it to 0 to take one by the source port. */
volatile const __u32 fixed_slot = 0;

static __always_inline void count(__u32 what, __u32 bytes)
{
	struct counter *counter = bpf_map_lookup_elem(&counters, &what);

	if (counter) {
		counter->packets++;
		counter->bytes += bytes;
	}
}

static __always_inline int translate(struct __sk_buff *skb, const struct service *backend, __be32 address, __be16 port)
{
	const __u32 l3 = ETH_HLEN, l4 = ETH_HLEN + sizeof(struct iphdr);
	__be32 new_address = backend->backend_address;
	__be16 new_port = backend->backend_port;

	if (bpf_skb_store_bytes(skb, l3 + offsetof(struct iphdr, daddr), &new_address, 4, 0) < 0)
		return TC_ACT_SHOT;
	if (bpf_l3_csum_replace(skb, l3 + offsetof(struct iphdr, check), address, new_address, 4) < 0)
		return TC_ACT_SHOT;
	if (bpf_l4_csum_replace(skb, l4 + offsetof(struct tcphdr, check), address, new_address, BPF_F_PSEUDO_HDR | 4) < 0)
		return TC_ACT_SHOT;
	if (bpf_skb_store_bytes(skb, l4 + offsetof(struct tcphdr, dest), &new_port, 2, 0) < 0)
		return TC_ACT_SHOT;
	if (bpf_l4_csum_replace(skb, l4 + offsetof(struct tcphdr, check), port, new_port, 2) < 0)
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}

SEC("tc")
int service_egress(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct iphdr *ip = data + ETH_HLEN;
	struct tcphdr *tcp = data + ETH_HLEN + sizeof(*ip);
	struct service_key key = {};
	struct service *service;
	int verdict;

	if ((void *)(tcp + 1) > end || skb->protocol != bpf_htons(ETH_P_IP) || ip->ihl != 5 || ip->protocol != IPPROTO_TCP) {
		count(PASSED, skb->len);
		return TC_ACT_OK;
	}
	key.address = ip->daddr;
	key.port = tcp->dest;
	service = bpf_map_lookup_elem(&services, &key);
	if (!service || !service->count) {
		count(PASSED, skb->len);
		return TC_ACT_OK;
	}
	key.slot = fixed_slot ? fixed_slot : 1 + bpf_ntohs(tcp->source) % service->count;
	service = bpf_map_lookup_elem(&services, &key);
	if (!service)
		return TC_ACT_SHOT;
	verdict = translate(skb, service, key.address, key.port);
	count(TRANSLATED, skb->len);
	return verdict;
}

char _license[] SEC("license") = "Dual BSD/GPL";
