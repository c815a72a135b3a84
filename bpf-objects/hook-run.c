// Runs a program on an skb with state that BPF_PROG_TEST_RUN cannot give it, and writes down the state that it leaves: a tail
// call out of a subprogram comes back to the subprogram's caller.
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

// What run_program returns if the slot is empty.
#define NO_PROGRAM 0x7fffffff
#define RUNS 4096

// Numbers in host order.
struct skb_state {
	__u32 pkt_type;
	__u32 tc_index;
	__u32 queue_mapping;
	__u32 protocol;
	__u32 vlan_present;
	__u32 vlan_proto;
	__u32 vlan_tci;
	// Of an outer IPv4 header. `tunnel`: 1 if there is any.
	__u32 tunnel;
	__u32 tunnel_id;
	__u32 tunnel_source;
	__u32 tunnel_destination;
	__u32 tunnel_tos;
	__u32 tunnel_ttl;
};

struct run {
	__u32 slot;
	struct skb_state skb;
};

// By number of the run, which the caller gives as hwtstamp.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RUNS);
	__type(key, __u32);
	__type(value, struct run);
} hook_run_before SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RUNS);
	__type(key, __u32);
	__type(value, struct skb_state);
} hook_run_after SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 256);
	__uint(key_size, 4);
	__uint(value_size, 4);
} hook_run_programs SEC(".maps");

static __noinline int enter(struct __sk_buff *skb, __u32 slot)
{
	int missing = NO_PROGRAM;

	bpf_tail_call(skb, &hook_run_programs, slot);
	// Keeps the compiler from taking this for the only result.
	asm volatile("" : "+r"(missing));
	return missing;
}

static __always_inline void give(struct __sk_buff *skb, const struct skb_state *state)
{
	if (skb->pkt_type != state->pkt_type)
		bpf_skb_change_type(skb, state->pkt_type);
	skb->tc_index = state->tc_index;
	skb->queue_mapping = state->queue_mapping;
	if (state->vlan_present)
		bpf_skb_vlan_push(skb, bpf_htons(state->vlan_proto), state->vlan_tci);
	if (state->tunnel) {
		// Sender and receiver see a key from opposite sides.
		struct bpf_tunnel_key key = {
			.tunnel_id = state->tunnel_id,
			.remote_ipv4 = state->tunnel_destination,
			.local_ipv4 = state->tunnel_source,
			.tunnel_tos = state->tunnel_tos,
			.tunnel_ttl = state->tunnel_ttl,
		};

		bpf_skb_set_tunnel_key(skb, &key, sizeof(key), 0);
	}
}

static __always_inline void take(struct __sk_buff *skb, struct skb_state *state)
{
	struct bpf_tunnel_key key = {};

	state->pkt_type = skb->pkt_type;
	state->tc_index = skb->tc_index;
	state->queue_mapping = skb->queue_mapping;
	state->protocol = bpf_ntohs(skb->protocol);
	state->vlan_present = skb->vlan_present;
	state->vlan_proto = bpf_ntohs(skb->vlan_proto);
	state->vlan_tci = skb->vlan_tci;
	if (bpf_skb_get_tunnel_key(skb, &key, sizeof(key), 0))
		return;
	state->tunnel = 1;
	state->tunnel_id = key.tunnel_id;
	state->tunnel_source = key.remote_ipv4;
	state->tunnel_destination = key.local_ipv4;
	state->tunnel_tos = key.tunnel_tos;
	state->tunnel_ttl = key.tunnel_ttl;
}

SEC("tc")
int run_program(struct __sk_buff *skb)
{
	__u32 number = skb->hwtstamp;
	struct run *run = bpf_map_lookup_elem(&hook_run_before, &number);
	struct skb_state after = {};
	int verdict;

	if (!run)
		return NO_PROGRAM;
	give(skb, &run->skb);
	verdict = enter(skb, run->slot);
	take(skb, &after);
	bpf_map_update_elem(&hook_run_after, &number, &after, BPF_ANY);
	return verdict;
}

char _license[] SEC("license") = "Dual BSD/GPL";
