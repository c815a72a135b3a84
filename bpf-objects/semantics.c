// What compiled programs rely on without saying so: each program returns what it observed. The same object runs in the kernel.
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#define TC SEC("tc")

int tail_self(struct __sk_buff *skb);
int seven(struct __sk_buff *skb);
int chain(struct __sk_buff *skb);

enum { SELF, SEVEN, CHAIN, EMPTY };

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(max_entries, 4);
	__array(values, int(void *));
} calls SEC(".maps") = { .values = { [SELF] = (void *)&tail_self, [SEVEN] = (void *)&seven, [CHAIN] = (void *)&chain } };

#define HASH(name, kind, entries) \
	struct { \
		__uint(type, kind); \
		__uint(max_entries, entries); \
		__type(key, __u32); \
		__type(value, __u64); \
	} name SEC(".maps")

HASH(table, BPF_MAP_TYPE_HASH, 4);
HASH(recent, BPF_MAP_TYPE_LRU_HASH, 8);

struct prefix {
	__u32 length;
	__u32 address;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 4);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, __u64);
} prefixes SEC(".maps");

/* A value pointer does not see an update that came later: hash updates put a new element in place. */
TC int old_value_pointer(struct __sk_buff *skb)
{
	__u32 key = 1;
	__u64 value = 11, *old, *now;

	bpf_map_update_elem(&table, &key, &value, BPF_ANY);
	old = bpf_map_lookup_elem(&table, &key);
	value = 22;
	bpf_map_update_elem(&table, &key, &value, BPF_ANY);
	now = bpf_map_lookup_elem(&table, &key);
	if (!old || !now)
		return -1;
	return *(volatile __u64 *)old * 100 + *now;
}

/* A full LRU map makes room before it looks at the flags: keys 0..7 that are left, as bits. */
TC int failed_update_evicts(struct __sk_buff *skb)
{
	__u64 value = 1;
	__u32 key, left = 0;
	long error;

	for (int i = 0; i < 8; i++) {
		key = i;
		bpf_map_update_elem(&recent, &key, &value, BPF_ANY);
	}
	for (int i = 0; i < 4; i++) {
		key = 1000 + i;
		error = bpf_map_update_elem(&recent, &key, &value, BPF_EXIST);
		if (error != -2)
			return error;
	}
	for (int i = 0; i < 8; i++) {
		key = i;
		if (bpf_map_lookup_elem(&recent, &key))
			left |= 1 << i;
	}
	return left;
}

/* The fifth element of four: E2BIG of a hash, ENOSPC of a trie. */
TC int full_hash(struct __sk_buff *skb)
{
	__u64 value = 1;
	__u32 key;

	for (int i = 0; i < 4; i++) {
		key = 10 + i;
		bpf_map_update_elem(&table, &key, &value, BPF_ANY);
	}
	key = 99;
	return bpf_map_update_elem(&table, &key, &value, BPF_ANY);
}

TC int full_trie(struct __sk_buff *skb)
{
	__u64 value = 1;
	struct prefix prefix = { .length = 32 };

	for (int i = 0; i < 4; i++) {
		prefix.address = 10 + i;
		bpf_map_update_elem(&prefixes, &prefix, &value, BPF_ANY);
	}
	prefix.address = 99;
	return bpf_map_update_elem(&prefixes, &prefix, &value, BPF_ANY);
}

/* How often a body that tail calls itself is executed. */
TC int tail_self(struct __sk_buff *skb)
{
	skb->cb[0]++;
	bpf_tail_call(skb, &calls, SELF);
	return skb->cb[0];
}

TC int seven(struct __sk_buff *skb)
{
	return 7;
}

/* Forty calls of an empty slot, forty beyond the end, then one that succeeds. */
TC int misses_are_free(struct __sk_buff *skb)
{
	for (int i = 0; i < 40; i++) {
		bpf_tail_call(skb, &calls, EMPTY);
		bpf_tail_call(skb, &calls, 1000);
	}
	bpf_tail_call(skb, &calls, SEVEN);
	return 1;
}

static __noinline int call_seven(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &calls, SEVEN);
	return skb->cb[1];
}

/* The program called takes the place of the subprogram, whose caller goes on. */
TC int tail_call_in_subprogram(struct __sk_buff *skb)
{
	int result = call_seven(skb);

	return 100 + result;
}

TC int chain(struct __sk_buff *skb)
{
	skb->cb[2]++;
	bpf_tail_call(skb, &calls, CHAIN);
	return skb->cb[2];
}

static __noinline int call_chain(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &calls, CHAIN);
	return skb->cb[1];
}

/* A chain in a subprogram uses the limit up: the second subprogram cannot tail call and returns cb[1]. */
TC int shared_limit(struct __sk_buff *skb)
{
	int first, second;

	skb->cb[1] = 55;
	first = call_chain(skb);
	second = call_seven(skb);
	return first * 100 + second;
}

/* What side state does to the bytes, and what survives from one repetition to the next. */
TC int tag_twice(struct __sk_buff *skb)
{
	skb->cb[0]++;
	bpf_skb_vlan_push(skb, 0x0081, 100 + skb->cb[0]);
	return skb->vlan_present << 16 | skb->vlan_tci;
}

SEC("xdp")
int packet_length(struct xdp_md *ctx)
{
	return (void *)(long)ctx->data_end - (void *)(long)ctx->data;
}

/* xdp_load_bytes beyond the end leaves the buffer alone; skb_load_bytes zeroes it. */
SEC("xdp")
int load_beyond_xdp(struct xdp_md *ctx)
{
	__u32 word = 0x11111111;
	long error = bpf_xdp_load_bytes(ctx, 1000, &word, 4);

	return error == -22 ? *(volatile __u32 *)&word : 0xffffffff;
}

TC int load_beyond_tc(struct __sk_buff *skb)
{
	__u32 word = 0x11111111;
	long error = bpf_skb_load_bytes(skb, 1000, &word, 4);

	return error == -14 ? *(volatile __u32 *)&word : 0xffffffff;
}

/* From ffff to 0 in a sum of ffff: the helpers agree in nearly all cases, not in this one. */
#define FOLD(name, helper) \
	TC int name(struct __sk_buff *skb) \
	{ \
		__u16 sum = 0xffff; \
		if (bpf_skb_store_bytes(skb, 24, &sum, 2, 0) || helper(skb, 24, 0xffff, 0, 2)) \
			return -1; \
		return bpf_skb_load_bytes(skb, 24, &sum, 2) ? -1 : sum; \
	}
FOLD(fold_l3, bpf_l3_csum_replace)
FOLD(fold_l4, bpf_l4_csum_replace)

TC int redirect_with_flags(struct __sk_buff *skb)
{
	return bpf_redirect(1, 0x100);
}

SEC("xdp")
int redirect_xdp_with_flags(struct xdp_md *ctx)
{
	return bpf_redirect(1, 0x100);
}

char _license[] SEC("license") = "GPL";
