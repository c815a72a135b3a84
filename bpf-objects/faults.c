// Programs that a verifier refuses, one per kind of fault: what a run of each must end in is told beside it.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 4);
} table SEC(".maps");

volatile const __u32 limit = 7;

/* out-of-bounds read of 4 bytes at packet+1000 */
SEC("xdp")
int beyond_packet(struct xdp_md *ctx)
{
	__u32 *word = (void *)(long)ctx->data + 1000;

	return *word ? XDP_PASS : XDP_DROP;
}

/* null-pointer: the map is empty */
SEC("xdp")
int absent_value(struct xdp_md *ctx)
{
	__u32 key = 1;
	__u64 *value = bpf_map_lookup_elem(&table, &key);

	return *value ? XDP_PASS : XDP_DROP;
}

/* stale-packet: bpf_skb_pull_data ended the life of the pointer */
SEC("tc")
int stale_pointer(struct __sk_buff *skb)
{
	struct ethhdr *eth = (void *)(long)skb->data;

	if ((void *)(eth + 1) > (void *)(long)skb->data_end)
		return TC_ACT_SHOT;
	bpf_skb_pull_data(skb, 0);
	return eth->h_proto ? TC_ACT_OK : TC_ACT_SHOT;
}

/* read-only: .rodata */
SEC("xdp")
int write_constant(struct xdp_md *ctx)
{
	*(volatile __u32 *)&limit = 8;
	return XDP_PASS;
}

/* uninitialised-stack, where asked for */
SEC("xdp")
int unset_stack(struct xdp_md *ctx)
{
	volatile __u32 words[2];

	return words[1] & XDP_PASS;
}

/* instruction-budget */
SEC("xdp")
int endless(struct xdp_md *ctx)
{
	for (volatile __u32 i = 0;; i++)
		;
}

char _license[] SEC("license") = "Dual BSD/GPL";
