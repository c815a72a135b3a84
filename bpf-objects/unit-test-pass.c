/* Unit tests that pass, one per feature of the protocol. The datapath under test is in tc/entry, tc/tail and xdp/entry. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "unit-test.h"

#define TAIL(map, slot) __attribute__((btf_decl_tag("tail:" #map "/" #slot)))
#define SLOT_REWRITE 3
#define FIRST_PACKET 3520

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(max_entries, 8);
	__uint(pinning, 16);
} cilium_calls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} cilium_events SEC(".maps");

struct mock_metadata {
	__u32 cb[5];
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct mock_metadata);
} mock_skb_meta_map SEC(".maps");

/* The datapath: the entry tail calls what is in the object's own array. */

SEC("tc/tail") TAIL(cilium_calls, 3)
int rewrite(struct __sk_buff *skb)
{
	void *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = (void *)(long)skb->data;
	struct iphdr *ip = (void *)(eth + 1);
	__u32 event = 0x01020304;

	if ((void *)(ip + 1) > end)
		return TC_ACT_SHOT;
	ip->ttl--;
	bpf_perf_event_output(skb, &cilium_events, BPF_F_CURRENT_CPU, &event, sizeof(event));
	return TC_ACT_REDIRECT;
}

SEC("tc/entry")
int forward(struct __sk_buff *skb)
{
	skb->mark = 0xf00d;
	bpf_tail_call(skb, &cilium_calls, SLOT_REWRITE);
	return TC_ACT_SHOT;
}

SEC("xdp/entry")
int xdp_forward(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;

	if ((void *)(eth + 1) > end)
		return XDP_DROP;
	eth->h_dest[5] = 0x99;
	return XDP_TX;
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(max_entries, 2);
	__array(values, int());
} entry_call_map SEC(".maps") = { .values = { [1] = (void *)&forward } };

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(max_entries, 1);
	__array(values, int());
} xdp_call_map SEC(".maps") = { .values = { [0] = (void *)&xdp_forward } };

/* Packet, context and status go from stage to stage. */

static __always_inline int make_packet(void *data, void *end)
{
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);

	if ((void *)(ip + 1) > end)
		return TEST_ERROR;
	eth->h_proto = bpf_htons(ETH_P_IP);
	ip->version = 4;
	ip->ihl = 5;
	ip->ttl = 64;
	return 0;
}

TEST_PROGRAM("tc", "a_stages", "pktgen")
int stages_pktgen(struct __sk_buff *skb)
{
	if (skb->len != FIRST_PACKET || bpf_skb_change_tail(skb, 64, 0))
		return TEST_ERROR;
	skb->cb[2] = 22;
	skb->tc_index = 5;
	return make_packet((void *)(long)skb->data, (void *)(long)skb->data_end);
}

TEST_PROGRAM("tc", "a_stages", "setup")
int stages_setup(struct __sk_buff *skb)
{
	if (skb->cb[2] != 22 || skb->tc_index != 0 || skb->len != 64)
		return TEST_ERROR;
	skb->cb[3] = 33;
	skb->priority = 7;
	bpf_tail_call(skb, &entry_call_map, 1);
	return TEST_ERROR;
}

TEST_PROGRAM("tc", "a_stages", "check")
int stages_check(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct iphdr *ip = data + 4 + sizeof(struct ethhdr);
	struct results results = test_begin();

	if (!results.at || (void *)(ip + 1) > end)
		return TEST_ERROR;
	test_check(&results, *(__u32 *)data == TC_ACT_REDIRECT);
	test_check(&results, ip->ttl == 63);
	test_check(&results, skb->mark == 0xf00d);
	test_check(&results, skb->priority == 7);
	test_check(&results, skb->cb[2] == 22 && skb->cb[3] == 33);
	test_check(&results, skb->len == 68);
	return test_end(&results);
}

TEST_PROGRAM("tc", "b_no_setup", "pktgen")
int no_setup_pktgen(struct __sk_buff *skb)
{
	if (bpf_skb_change_tail(skb, 80, 0))
		return TEST_ERROR;
	return make_packet((void *)(long)skb->data, (void *)(long)skb->data_end);
}

/* No SETUP, no status in front of the packet. */
TEST_PROGRAM("tc", "b_no_setup", "check")
int no_setup_check(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = data;
	struct results results = test_begin();

	if (!results.at || (void *)(eth + 1) > end)
		return TEST_ERROR;
	test_check(&results, eth->h_proto == bpf_htons(ETH_P_IP));
	test_check(&results, skb->len == 80);
	return test_end(&results);
}

/* CHECK alone gets the first packet: zeros. */
TEST_PROGRAM("tc", "c_check_only", "check")
int check_only(struct __sk_buff *skb)
{
	struct results results = test_begin();
	__u64 first = 1;

	if (!results.at)
		return TEST_ERROR;
	test_check(&results, skb->len == FIRST_PACKET);
	test_check(&results, bpf_skb_load_bytes(skb, 14, &first, sizeof(first)) == 0 && first == 0);
	test_check(&results, skb->ifindex == 1 && skb->mark == 0);
	return test_end(&results);
}

TEST_PROGRAM("tc", "d_subtests", "check")
int subtests(struct __sk_buff *skb)
{
	struct results results = test_begin();

	if (!results.at)
		return TEST_ERROR;
	SUBTEST_BEGIN(&results, "one");
	test_check(&results, skb->len == FIRST_PACKET);
	SUBTEST_END(&results);
	SUBTEST_BEGIN(&results, "two with a log");
	test_log(&results, "mark is %u", skb->mark);
	SUBTEST_END(&results);
	SUBTEST_BEGIN(&results, "three is skipped");
	set_status(&results, TEST_SKIP);
	SUBTEST_END(&results);
	return test_end(&results);
}

/* The runner clears mock_skb_meta_map behind every test. */
TEST_PROGRAM("tc", "e_metadata_1", "check")
int metadata_set(struct __sk_buff *skb)
{
	struct results results = test_begin();
	__u32 key = 0;
	struct mock_metadata *metadata = bpf_map_lookup_elem(&mock_skb_meta_map, &key);

	if (!results.at || !metadata)
		return TEST_ERROR;
	test_check(&results, metadata->cb[0] == 0);
	metadata->cb[0] = 1;
	return test_end(&results);
}

TEST_PROGRAM("tc", "e_metadata_2", "check")
int metadata_cleared(struct __sk_buff *skb)
{
	struct results results = test_begin();
	__u32 key = 0;
	struct mock_metadata *metadata = bpf_map_lookup_elem(&mock_skb_meta_map, &key);

	if (!results.at || !metadata)
		return TEST_ERROR;
	test_check(&results, metadata->cb[0] == 0);
	return test_end(&results);
}

/* XDP gets no context, else everything is the same. */

TEST_PROGRAM("xdp", "f_xdp", "pktgen")
int xdp_pktgen(struct xdp_md *ctx)
{
	if (bpf_xdp_adjust_tail(ctx, 60 - FIRST_PACKET))
		return TEST_ERROR;
	return make_packet((void *)(long)ctx->data, (void *)(long)ctx->data_end);
}

TEST_PROGRAM("xdp", "f_xdp", "setup")
int xdp_setup(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &xdp_call_map, 0);
	return TEST_ERROR;
}

TEST_PROGRAM("xdp", "f_xdp", "check")
int xdp_check(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data + 4;
	struct results results = test_begin();

	if (!results.at || (void *)(eth + 1) > end)
		return TEST_ERROR;
	test_check(&results, *(__u32 *)data == XDP_TX);
	test_check(&results, eth->h_dest[5] == 0x99);
	test_check(&results, end - data == 64);
	return test_end(&results);
}

char _license[] SEC("license") = "Dual BSD/GPL";
