// The conventions of Cilium objects up to 1.17: numbered tail-call sections, legacy map definitions, configuration words in
// .data whose address stands for their value, beside ordinary variables.
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

struct bpf_elf_map {
	__u32 type;
	__u32 size_key;
	__u32 size_value;
	__u32 max_elem;
	__u32 flags;
	__u32 id;
	__u32 pinning;
	__u32 inner_id;
	__u32 inner_idx;
};

#define MAP __attribute__((section("maps"), used))

struct bpf_elf_map MAP policy_calls = { .type = BPF_MAP_TYPE_PROG_ARRAY, .size_key = 4, .size_value = 4, .max_elem = 65536, .id = 1 };
struct bpf_elf_map MAP calls = { .type = BPF_MAP_TYPE_PROG_ARRAY, .size_key = 4, .size_value = 4, .max_elem = 32, .id = 2 };
struct bpf_elf_map MAP inner = { .type = BPF_MAP_TYPE_HASH, .size_key = 4, .size_value = 4, .max_elem = 8, .id = 5, .inner_idx = -1 };
struct bpf_elf_map MAP outer = { .type = BPF_MAP_TYPE_ARRAY_OF_MAPS, .size_key = 4, .size_value = 4, .max_elem = 2, .inner_id = 5 };

/* Configuration words: in .data, and in .bss where they are zero. */
__u32 LXC_ID = 0x1234;
__u32 SECLABEL;
/* Ordinary variables in the same sections. */
volatile __u32 runs = 100;
volatile __u32 failures;

#define value_of(word) ((__u32)(unsigned long)&(word))

SEC("from-container")
int handle_xgress(struct __sk_buff *skb)
{
	skb->mark = value_of(LXC_ID);
	skb->cb[0] = value_of(SECLABEL);
	skb->cb[1] = ++runs;
	bpf_tail_call(skb, &calls, 10);
	skb->cb[2] = ++failures;
	bpf_tail_call(skb, &calls, 11);
	return TC_ACT_SHOT;
}

/* Slot 10 is written 10, not 0x10 = 16. */
SEC("2/11")
int tail_decimal(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &policy_calls, 0x1010);
	return TC_ACT_UNSPEC;
}

SEC("1/0x1010")
int handle_policy(struct __sk_buff *skb)
{
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual BSD/GPL";
