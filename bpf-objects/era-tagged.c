// The conventions of Cilium objects from 1.17 on: tail calls by decl tags, configuration in .rodata.config, static entry
// functions that share sections, BTF maps with few attributes.
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#define MAPS SEC(".maps")
#define TAIL(slot) SEC("tc/tail") __attribute__((used, btf_decl_tag("tail:cilium_calls/" #slot)))

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(max_entries, 50);
	__uint(pinning, 16);
} cilium_calls MAPS;

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} cilium_events MAPS;

struct tuple {
	__u32 saddr;
	__u32 daddr;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct tuple);
	__uint(max_entries, 1);
} tail_call_buffer MAPS;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 16);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} a_shared_map_with_a_long_name MAPS;

struct backends {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} backends_of_7 MAPS;

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u16);
	__type(value, __u32);
	__array(values, struct backends);
} maglev MAPS = { .values = { [1] = &backends_of_7 } };

__attribute__((section(".rodata.config"), btf_decl_tag("kind:object"))) volatile const __u32 __config_endpoint_id = 7;

SEC("tc/entry")
int entry(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct tuple *buffer = bpf_map_lookup_elem(&tail_call_buffer, &zero);
	__u64 *counter;

	if (!buffer)
		return TC_ACT_SHOT;
	skb->cb[0] = __config_endpoint_id;
	skb->cb[1] = buffer->saddr; /* what an earlier packet left */
	skb->mark = 0xa00;
	buffer->saddr++;
	counter = bpf_map_lookup_elem(&a_shared_map_with_a_long_name, &zero);
	if (counter)
		__sync_fetch_and_add(counter, 1);
	bpf_tail_call(skb, &cilium_calls, 3);
	skb->cb[2] = 1; /* slot 3 is empty: the program goes on */
	bpf_tail_call(skb, &cilium_calls, 26);
	return TC_ACT_SHOT;
}

/* The key of the outer map is 16 bits wide, the variable is wider. */
TAIL(26) static int tail_lookup(struct __sk_buff *skb)
{
	__u32 key = 0xabcd0001, zero = 0;
	void *table = bpf_map_lookup_elem(&maglev, &key);
	__u32 *backend = table ? bpf_map_lookup_elem(table, &zero) : 0;

	skb->cb[3] = backend ? *backend : 0;
	bpf_tail_call(skb, &cilium_calls, 27);
	return TC_ACT_SHOT;
}

static long sum(void *map, const __u32 *key, __u64 *value, __u64 *total)
{
	*total += *value;
	return 0;
}

/* Callbacks live in .text and write into their caller's frame. */
TAIL(27) static int tail_callback(struct __sk_buff *skb)
{
	__u64 total = 0;

	bpf_for_each_map_elem(&a_shared_map_with_a_long_name, sum, &total, 0);
	skb->cb[4] = total;
	return TC_ACT_OK;
}

static __noinline int deeper(__u32 *levels, int depth)
{
	volatile __u8 frame[200];

	frame[0] = depth;
	*levels += frame[0];
	return depth;
}

#define LEVEL(name, next) \
	static __noinline int name(__u32 *levels, int depth) \
	{ \
		volatile __u8 frame[200]; \
		frame[1] = depth; \
		next(levels, depth + 1); \
		*levels += frame[1]; \
		return depth; \
	}
LEVEL(level6, deeper)
LEVEL(level5, level6)
LEVEL(level4, level5)
LEVEL(level3, level4)
LEVEL(level2, level3)
LEVEL(level1, level2)

/* Eight frames, each of which adds to a variable of the first: 0 + 1 + ... + 6. */
SEC("tc/entry")
int eight_frames(struct __sk_buff *skb)
{
	__u32 levels = 0;

	level1(&levels, 0);
	return levels;
}

char _license[] SEC("license") = "Dual BSD/GPL";
