// Runs a script of map operations and records what each returned: the same script runs here and in the kernel.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define OPERATIONS 64

enum { LOOKUP, UPDATE, DELETE, ADD, PUSH, POP, PEEK };

struct operation {
	__u32 map;
	__u32 kind;
	__u32 key;
	__u32 prefix;
	__u64 value;
	__u64 flags;
};

struct result {
	__s64 code;
	__u64 value;
};

struct lpm_key {
	__u32 prefix;
	__u32 address;
};

#include "script.h"

#define MAP(name, kind, entries, bits)                  \
	struct {                                        \
		__uint(type, BPF_MAP_TYPE_##kind);      \
		__uint(max_entries, entries);           \
		__uint(map_flags, bits);                \
		__type(key, __u32);                     \
		__type(value, __u64);                   \
	} name SEC(".maps")

MAP(array, ARRAY, 8, 0);
MAP(percpu_array, PERCPU_ARRAY, 8, 0);
MAP(hash, HASH, 8, BPF_F_ZERO_SEED);
MAP(hash_lazy, HASH, 24, BPF_F_NO_PREALLOC | BPF_F_ZERO_SEED);
MAP(percpu_hash, PERCPU_HASH, 8, BPF_F_ZERO_SEED);
MAP(lru_hash, LRU_HASH, 8, BPF_F_ZERO_SEED);
MAP(lru_large, LRU_HASH, 40, BPF_F_ZERO_SEED);
MAP(lru_private, LRU_HASH, 16, BPF_F_NO_COMMON_LRU | BPF_F_ZERO_SEED);
MAP(lru_percpu, LRU_PERCPU_HASH, 8, BPF_F_ZERO_SEED);

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 12);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct lpm_key);
	__type(value, __u64);
} lpm SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 4);
	__type(value, __u64);
} queue SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 4);
	__type(value, __u64);
} stack SEC(".maps");

static __always_inline __s64 keyed(void *map, const void *key, struct operation *operation, __u64 *seen)
{
	__u64 value = operation->value;
	__u64 *found;

	switch (operation->kind) {
	case UPDATE:
		return bpf_map_update_elem(map, key, &value, operation->flags);
	case DELETE:
		return bpf_map_delete_elem(map, key);
	default:
		found = bpf_map_lookup_elem(map, key);
		if (!found)
			return 0;
		if (operation->kind == ADD)
			__sync_fetch_and_add(found, value);
		*seen = *found;
		return 1;
	}
}

static __always_inline __s64 keyless(void *map, struct operation *operation, __u64 *seen)
{
	__u64 value = operation->value;
	__s64 code;

	if (operation->kind == PUSH)
		return bpf_map_push_elem(map, &value, operation->flags);
	code = operation->kind == POP ? bpf_map_pop_elem(map, &value) : bpf_map_peek_elem(map, &value);
	*seen = value;
	return code;
}

struct context {
	struct operation *operations;
	struct result *results;
};

static long step(__u32 index, struct context *context)
{
	struct operation operation;
	struct lpm_key prefix;
	__u64 seen = 0;
	__s64 code = 0;

	if (index >= OPERATIONS)
		return 1;
	operation = context->operations[index];
	prefix.prefix = operation.prefix;
	prefix.address = operation.key;
	switch (operation.map) {
	case 0: code = keyed(&array, &operation.key, &operation, &seen); break;
	case 1: code = keyed(&percpu_array, &operation.key, &operation, &seen); break;
	case 2: code = keyed(&hash, &operation.key, &operation, &seen); break;
	case 3: code = keyed(&hash_lazy, &operation.key, &operation, &seen); break;
	case 4: code = keyed(&percpu_hash, &operation.key, &operation, &seen); break;
	case 5: code = keyed(&lru_hash, &operation.key, &operation, &seen); break;
	case 6: code = keyed(&lru_large, &operation.key, &operation, &seen); break;
	case 7: code = keyed(&lru_private, &operation.key, &operation, &seen); break;
	case 8: code = keyed(&lru_percpu, &operation.key, &operation, &seen); break;
	case 9: code = keyed(&lpm, &prefix, &operation, &seen); break;
	case 10: code = keyless(&queue, &operation, &seen); break;
	case 11: code = keyless(&stack, &operation, &seen); break;
	}
	context->results[index].code = code;
	context->results[index].value = seen;
	return 0;
}

SEC("tc")
int run_script(struct __sk_buff *skb)
{
	struct context context;
	__u32 zero = 0;

	context.operations = bpf_map_lookup_elem(&script, &zero);
	context.results = bpf_map_lookup_elem(&results, &zero);
	if (!context.operations || !context.results)
		return 0;
	return bpf_loop(OPERATIONS, step, &context, 0);
}

char _license[] SEC("license") = "Dual BSD/GPL";
