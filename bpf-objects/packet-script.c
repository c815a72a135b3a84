// Runs a script of packet helper calls and records what each returned, with the context fields after it: the same script runs
// here and in the kernel.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define OPERATIONS 16

struct operation {
	__u32 kind;
	__s32 a;
	__u32 b;
	__u32 size;
	__u64 from;
	__u64 to;
	__u64 flags;
};

struct result {
	__s64 code;
	__u32 len;
	__u32 protocol;
	__u32 pkt_type;
	__u32 vlan_present;
	__u32 vlan_tci;
	__u32 vlan_proto;
	__u32 hash;
	__u32 gso_size;
	__u32 gso_segs;
	__u8 buffer[48];
	__u32 pad;
};

#include "script.h"

static __always_inline __u32 length(__u32 size)
{
	return size > 48 ? 48 : size ? size : 1;
}

static __noinline __s64 tc_bytes(struct __sk_buff *skb, struct operation *op, struct result *result)
{
	__u8 bytes[48] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24 };
	__s64 code = 0;

	if (!op || !result)
		return 0;
	switch (op->kind) {
	case 0: code = bpf_skb_store_bytes(skb, op->a, bytes, length(op->size), op->flags); break;
	case 1: code = bpf_skb_load_bytes(skb, op->a, bytes, length(op->size)); break;
	case 2: code = bpf_skb_load_bytes_relative(skb, op->a, bytes, length(op->size), op->b); break;
	case 3: code = bpf_csum_diff((void *)bytes, op->a & 44, (void *)result->buffer, op->b & 44, op->from); break;
	}
	__builtin_memcpy(result->buffer, bytes, 48);
	return code;
}

static __noinline __s64 tc_checksums(struct __sk_buff *skb, struct operation *op)
{
	if (!op)
		return 0;
	switch (op->kind) {
	case 4: return bpf_l3_csum_replace(skb, op->a, op->from, op->to, op->flags);
	case 5: return bpf_l4_csum_replace(skb, op->a, op->from, op->to, op->flags);
	case 6: return bpf_csum_update(skb, op->a);
	case 7: return bpf_csum_level(skb, op->b);
	case 8: return bpf_skb_ecn_set_ce(skb);
	}
	return 0;
}

static __noinline __s64 tc_shape(struct __sk_buff *skb, struct operation *op)
{
	if (!op)
		return 0;
	switch (op->kind) {
	case 10: return bpf_skb_change_tail(skb, op->b, op->flags);
	case 11: return bpf_skb_change_head(skb, op->b, op->flags);
	case 12: return bpf_skb_change_proto(skb, op->b, op->flags);
	case 13: return bpf_skb_change_type(skb, op->b);
	case 14: return bpf_skb_adjust_room(skb, op->a, op->b, op->flags);
	case 15: return bpf_skb_vlan_push(skb, op->b, op->a);
	case 16: return bpf_skb_vlan_pop(skb);
	case 17: return bpf_skb_pull_data(skb, op->b);
	case 18: return bpf_set_hash(skb, op->b);
	case 19: bpf_set_hash_invalid(skb); return 0;
	}
	return 0;
}

static __noinline __s64 tc_tunnel(struct __sk_buff *skb, struct operation *op, struct result *result)
{
	struct bpf_tunnel_key key = { .tunnel_id = 7, .remote_ipv4 = 0x0a000001, .tunnel_tos = 4, .tunnel_ttl = 64, .local_ipv4 = 0x0a000002 };
	__u8 options[48] = { 0x11, 0x22, 0x33, 0x44, 0x55, 0x66 };
	__s64 code = 0;

	if (!op || !result)
		return 0;
	switch (op->kind) {
	case 20: code = bpf_skb_set_tunnel_key(skb, &key, op->size > 44 ? 44 : length(op->size), op->flags); break;
	case 21:
		code = bpf_skb_get_tunnel_key(skb, (void *)options, length(op->size), op->flags);
		__builtin_memcpy(result->buffer, options, 48);
		break;
	case 22: code = bpf_skb_set_tunnel_opt(skb, options, length(op->size)); break;
	case 23:
		code = bpf_skb_get_tunnel_opt(skb, options, length(op->size));
		__builtin_memcpy(result->buffer, options, 48);
		break;
	case 24: code = bpf_redirect(op->a, op->flags); break;
	case 25: code = bpf_redirect_peer(op->a, op->flags); break;
	case 26: code = bpf_skb_set_tstamp(skb, op->from, op->b); break;
	}
	return code;
}

SEC("tc")
int tc_script(struct __sk_buff *skb)
{
	__u32 zero = 0;
	struct operation(*operations)[OPERATIONS] = bpf_map_lookup_elem(&script, &zero);
	struct result(*all)[OPERATIONS] = bpf_map_lookup_elem(&results, &zero);

	if (!operations || !all)
		return -1;
	for (int i = 0; i < OPERATIONS; i++) {
		struct operation *op = &(*operations)[i];
		struct result *result = &(*all)[i];

		if (op->kind < 4)
			result->code = tc_bytes(skb, op, result);
		else if (op->kind < 10)
			result->code = tc_checksums(skb, op);
		else if (op->kind < 20)
			result->code = tc_shape(skb, op);
		else
			result->code = tc_tunnel(skb, op, result);
		result->len = skb->len;
		result->protocol = skb->protocol;
		result->pkt_type = skb->pkt_type;
		result->vlan_present = skb->vlan_present;
		result->vlan_tci = skb->vlan_tci;
		result->vlan_proto = skb->vlan_proto;
		result->hash = skb->hash;
		result->gso_size = skb->gso_size;
		result->gso_segs = skb->gso_segs;
	}
	return skb->len;
}

static __noinline __s64 xdp_operation(struct xdp_md *ctx, struct operation *op, struct result *result)
{
	__u8 bytes[48] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
	__s64 code = 0;

	if (!op || !result)
		return 0;
	switch (op->kind) {
	case 0: code = bpf_xdp_store_bytes(ctx, op->a, bytes, length(op->size)); break;
	case 1:
		code = bpf_xdp_load_bytes(ctx, op->a, bytes, length(op->size));
		__builtin_memcpy(result->buffer, bytes, 48);
		break;
	case 2: code = bpf_xdp_adjust_head(ctx, op->a); break;
	case 3: code = bpf_xdp_adjust_tail(ctx, op->a); break;
	case 4: code = bpf_xdp_adjust_meta(ctx, op->a); break;
	case 5: code = bpf_xdp_get_buff_len(ctx); break;
	case 6: code = bpf_redirect(op->a, op->flags); break;
	}
	return code;
}

SEC("xdp.frags")
int xdp_script(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct operation(*operations)[OPERATIONS] = bpf_map_lookup_elem(&script, &zero);
	struct result(*all)[OPERATIONS] = bpf_map_lookup_elem(&results, &zero);

	if (!operations || !all)
		return -1;
	for (int i = 0; i < OPERATIONS; i++) {
		struct operation *op = &(*operations)[i];
		struct result *result = &(*all)[i];

		result->code = xdp_operation(ctx, op, result);
		result->len = (void *)(long)ctx->data_end - (void *)(long)ctx->data;
		result->protocol = (void *)(long)ctx->data - (void *)(long)ctx->data_meta;
	}
	return bpf_xdp_get_buff_len(ctx);
}

char _license[] SEC("license") = "Dual BSD/GPL";
