// What layouts-1-13.c and layouts-1-20.c have in common.
#pragma once
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

struct lpm_prefix {
	__u32 prefixlen;
	__u8 data[0];
};

struct lb4_key {
	__be32 address;
	__be16 dport;
	__u16 backend_slot;
	__u8 proto;
	__u8 scope;
	__u8 pad[2];
};

/* A pinned map with types. */
#define MAP(NAME, TYPE, KEY, VALUE, MAX, FLAGS)         \
	struct {                                        \
		__uint(type, TYPE);                     \
		__type(key, KEY);                       \
		__type(value, VALUE);                   \
		__uint(max_entries, MAX);               \
		__uint(map_flags, FLAGS);               \
		__uint(pinning, LIBBPF_PIN_BY_NAME);    \
	} NAME SEC(".maps")

/* Looks an all-zero key up, so that the object refers to the map. */
#define TOUCH(MAP, KEY)                                        \
	({                                                     \
		KEY key = {};                                  \
		bpf_map_lookup_elem(&MAP, &key) ? 1 : 0;       \
	})
