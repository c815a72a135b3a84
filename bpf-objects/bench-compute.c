// Compute programs for the benchmark: each works over the packet and returns a checksum of what it did, so that engines
// can be compared by result as well as by time.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define ROUNDS 1024

SEC("xdp")
int sum64(struct xdp_md *ctx)
{
	__u64 a = 1, b = 3;

#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < ROUNDS; i++) {
		a += b ^ i;
		b = (b << 7 | b >> 57) + a;
	}
	return (__u32)(a ^ b);
}

static __always_inline __u32 rotate(__u32 value, int by)
{
	return value << by | value >> (32 - by);
}

SEC("xdp")
int mix32(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 a = 0x9e3779b9, b = 0x85ebca6b, c = 0xc2b2ae35;

#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < ROUNDS; i += 4) {
		__u32 *word = (void *)(data + (i & 1023));

		if ((void *)(word + 1) > (void *)end)
			break;
		a += *word;
		b ^= rotate(a, 13);
		c += b * 5;
		a ^= rotate(c, 21);
	}
	return a ^ b ^ c;
}

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u32[256]);
	__uint(max_entries, 1);
} histogram SEC(".maps");

SEC("xdp")
int count_bytes(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 zero = 0, most = 0;
	__u32 *bins = bpf_map_lookup_elem(&histogram, &zero);

	if (!bins)
		return 0;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < ROUNDS; i++) {
		__u8 *byte = data + (i & 1023);

		if (byte + 1 > end)
			break;
		bins[*byte]++;
		if (*byte > most)
			most = *byte;
	}
	return most;
}

char _license[] SEC("license") = "Dual BSD/GPL";
