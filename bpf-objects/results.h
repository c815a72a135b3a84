// For programs that only report what helpers gave them: results of one run, one after the other.
#pragma once

#define RESULTS 32

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __s64[RESULTS]);
} results SEC(".maps");

/* In front of the declarations of a program: ends it with `otherwise` if there is no place for results. */
#define BEGIN(otherwise) \
	__u32 zero = 0, at = 0; \
	__s64 *out = bpf_map_lookup_elem(&results, &zero); \
	if (!out) \
		return otherwise
#define RESULT(value) out[at++ & (RESULTS - 1)] = (__s64)(value)
