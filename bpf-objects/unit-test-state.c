/* Unit tests that leave something behind: the second passes only with it (default), the third only without (--isolate). */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "unit-test.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} leftovers SEC(".maps");

static __u32 runs;

TEST_PROGRAM("tc", "a_leaves", "check")
int leaves(struct __sk_buff *skb)
{
	__u32 key = 1;
	__u64 value = 2;

	runs++;
	return bpf_map_update_elem(&leftovers, &key, &value, BPF_ANY) ? TEST_ERROR : TEST_PASS;
}

TEST_PROGRAM("tc", "b_finds", "check")
int finds(struct __sk_buff *skb)
{
	struct results results = test_begin();
	__u32 key = 1;

	if (!results.at)
		return TEST_ERROR;
	test_check(&results, bpf_map_lookup_elem(&leftovers, &key));
	test_check(&results, runs == 1);
	return test_end(&results);
}

TEST_PROGRAM("tc", "c_is_alone", "check")
int is_alone(struct __sk_buff *skb)
{
	struct results results = test_begin();
	__u32 key = 1;

	if (!results.at)
		return TEST_ERROR;
	test_check(&results, !bpf_map_lookup_elem(&leftovers, &key));
	test_check(&results, runs == 0);
	return test_end(&results);
}

char _license[] SEC("license") = "Dual BSD/GPL";
