// For programs that run a script of calls: OPERATIONS of struct operation in, as many of struct result out.
#pragma once

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct operation[OPERATIONS]);
} script SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct result[OPERATIONS]);
} results SEC(".maps");
