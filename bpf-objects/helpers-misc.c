// Helpers without packets or maps worth speaking of: what they answer to good and bad arguments, one result per call.
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "GPL";

#define RESULTS 64

struct results {
	__s64 values[RESULTS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct results);
} results SEC(".maps");

#define START()                                                       \
	__u32 zero = 0, next = 0;                                     \
	struct results *out = bpf_map_lookup_elem(&results, &zero);   \
	if (!out)                                                     \
		return TC_ACT_SHOT

#define RESULT(expression) out->values[next++] = (__s64)(expression)

// fib_lookup on parameters that a test gives
#define LOOKUPS 64

struct lookups {
	struct {
		struct bpf_fib_lookup params;
		__u32 length;
		__u32 flags;
		__s64 result;
	} cases[LOOKUPS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lookups);
} lookups SEC(".maps");

static __always_inline void look_up(void *ctx)
{
	__u32 zero = 0;
	struct lookups *lookups_ = bpf_map_lookup_elem(&lookups, &zero);

	if (!lookups_)
		return;
	for (int i = 0; i < LOOKUPS; i++) {
		__u32 length = lookups_->cases[i].length;

		if (length == 0 || length > sizeof(struct bpf_fib_lookup))
			continue;
		lookups_->cases[i].result =
			bpf_fib_lookup(ctx, &lookups_->cases[i].params, length, lookups_->cases[i].flags);
	}
}

SEC("tc")
int fib_tc(struct __sk_buff *skb)
{
	look_up(skb);
	return TC_ACT_OK;
}

SEC("xdp")
int fib_xdp(struct xdp_md *xdp)
{
	look_up(xdp);
	return XDP_PASS;
}

struct timer_value {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct timer_value);
} timers SEC(".maps"), idle SEC(".maps");

static int fired(void *map, __u32 *key, struct timer_value *value)
{
	return 0;
}

SEC("tc")
int timer(struct __sk_buff *skb)
{
	struct timer_value *value, *unused;

	START();
	value = bpf_map_lookup_elem(&timers, &zero);
	unused = bpf_map_lookup_elem(&idle, &zero);
	if (!value || !unused)
		return TC_ACT_SHOT;
	RESULT(bpf_timer_start(&unused->timer, 1, 0));
	RESULT(bpf_timer_cancel(&unused->timer));
	RESULT(bpf_timer_set_callback(&unused->timer, fired));
	RESULT(bpf_timer_init(&value->timer, &timers, 2));
	RESULT(bpf_timer_init(&value->timer, &timers, 17));
	RESULT(bpf_timer_init(&value->timer, &timers, 1));
	RESULT(bpf_timer_init(&value->timer, &timers, 1));
	RESULT(bpf_timer_start(&value->timer, 1000000000000000, 0));
	RESULT(bpf_timer_cancel(&value->timer));
	RESULT(bpf_timer_set_callback(&value->timer, fired));
	RESULT(bpf_timer_start(&value->timer, 1000000000000000, 4));
	RESULT(bpf_timer_start(&value->timer, 1000000000000000, 0));
	RESULT(bpf_timer_start(&value->timer, 1000000000000000, 1));
	RESULT(bpf_timer_cancel(&value->timer));
	RESULT(bpf_timer_cancel(&value->timer));
	RESULT(bpf_timer_start(&value->timer, 1000000000000000, 0));
	return TC_ACT_OK;
}

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64[8]);
} scratch SEC(".maps");

SEC("tc")
int dynptr(struct __sk_buff *skb)
{
	struct bpf_dynptr pointer, null;
	__u64 *memory, word = 0;

	START();
	memory = bpf_map_lookup_elem(&scratch, &zero);
	if (!memory)
		return TC_ACT_SHOT;
	RESULT(bpf_dynptr_from_mem(memory, 16, 0, &pointer));
	RESULT(bpf_dynptr_from_mem(memory, 16, 1, &null));
	word = 0x1122334455667788;
	RESULT(bpf_dynptr_write(&pointer, 4, &word, 8, 0));
	RESULT(bpf_dynptr_write(&pointer, 9, &word, 8, 0));
	RESULT(bpf_dynptr_write(&pointer, 4, &word, 8, 1));
	RESULT(bpf_dynptr_write(&pointer, 0xffffffff, &word, 8, 0));
	RESULT(bpf_dynptr_write(&null, 0, &word, 8, 0));
	RESULT(memory[0]);
	RESULT(memory[1]);
	word = 0;
	RESULT(bpf_dynptr_read(&word, 8, &pointer, 5, 0));
	RESULT(word);
	RESULT(bpf_dynptr_read(&word, 8, &pointer, 9, 0));
	RESULT(bpf_dynptr_read(&word, 8, &pointer, 0, 1));
	RESULT(bpf_dynptr_read(&word, 8, &null, 0, 0));
	RESULT(bpf_dynptr_data(&pointer, 8, 8) == memory + 1);
	RESULT(bpf_dynptr_data(&pointer, 9, 8) == 0);
	RESULT(bpf_dynptr_data(&null, 0, 8) == 0);
	return TC_ACT_OK;
}

SEC("tc")
int probe(struct __sk_buff *skb)
{
	char text[8] = "abcdefg", small[4] = "123";
	__u64 word = 7;

	START();
	RESULT(bpf_probe_read_kernel(&word, 8, 0));
	RESULT(word);
	word = 7;
	RESULT(bpf_probe_read_kernel(&word, 0, 0));
	RESULT(word);
	RESULT(bpf_probe_read_kernel(&word, 8, text));
	RESULT(word);
	word = -1;
	RESULT(bpf_probe_read_kernel_str(&word, 8, small));
	RESULT(word);
	RESULT(bpf_probe_read_kernel_str(&word, 4, text));
	RESULT(word);
	RESULT(bpf_probe_read_kernel_str(&word, 8, text));
	RESULT(word);
	RESULT(bpf_probe_read_kernel_str(&word, 8, 0));
	RESULT(word);
	RESULT(bpf_get_current_comm(&word, 8));
	RESULT(word);
	RESULT(bpf_get_current_comm(&word, 4));
	RESULT(word);
	return TC_ACT_OK;
}

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__uint(value_size, 4);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__uint(value_size, 4);
} cgroups SEC(".maps");

SEC("tc")
int ambient(struct __sk_buff *skb)
{
	struct bpf_perf_event_value value = { 1, 2, 3 };

	START();
	RESULT(bpf_perf_event_read(&counters, 0));
	RESULT(bpf_perf_event_read(&counters, 2));
	RESULT(bpf_perf_event_read(&counters, 1ULL << 32));
	RESULT(bpf_perf_event_read_value(&counters, 0, &value, sizeof(value)));
	RESULT(value.counter | value.running);
	value.counter = 5;
	RESULT(bpf_perf_event_read_value(&counters, 0, &value, 16));
	RESULT(value.counter);
	RESULT(bpf_skb_under_cgroup(skb, &cgroups, 2));
	RESULT(bpf_skb_under_cgroup(skb, &cgroups, 0));
	RESULT(bpf_current_task_under_cgroup(&cgroups, 2));
	RESULT(bpf_current_task_under_cgroup(&cgroups, 1));
	RESULT(bpf_skb_cgroup_id(skb));
	RESULT(bpf_skb_ancestor_cgroup_id(skb, 0));
	RESULT(bpf_skb_ancestor_cgroup_id(skb, 1));
	RESULT(bpf_skb_ancestor_cgroup_id(skb, -1));
	RESULT(bpf_get_cgroup_classid(skb));
	RESULT(bpf_skb_cgroup_classid(skb));
	RESULT(bpf_get_route_realm(skb));
	RESULT(bpf_get_socket_uid(skb));
	RESULT(bpf_get_branch_snapshot(&value, sizeof(value), 1));
	return TC_ACT_OK;
}

static __always_inline __s64 found(struct bpf_sock *sk)
{
	if (!sk)
		return 0;
	bpf_sk_release(sk);
	return 1;
}

SEC("tc")
int socket(struct __sk_buff *skb)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;
	struct iphdr ip = { .version = 4, .ihl = 5 };
	struct tcphdr tcp = { .doff = 5, .syn = 1 };

	START();
	RESULT(found(bpf_sk_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), -1, 0)));
	RESULT(found(bpf_sk_lookup_udp(skb, &tuple, sizeof(tuple.ipv6), -1, 0)));
	RESULT(found(bpf_sk_lookup_udp(skb, &tuple, 20, -1, 0)));
	sk = skb->sk;
	if (!sk)
		return TC_ACT_SHOT;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return TC_ACT_SHOT;
	RESULT(bpf_sk_assign(skb, sk, 1));
	RESULT(bpf_sk_assign(skb, sk, 0));
	RESULT(bpf_tcp_sock(sk) == 0);
	RESULT(bpf_get_listener_sock(sk) == 0);
	RESULT(bpf_tcp_check_syncookie(sk, &ip, sizeof(ip), &tcp, sizeof(tcp)));
	RESULT(bpf_tcp_check_syncookie(sk, &ip, sizeof(ip), &tcp, 8));
	RESULT(bpf_tcp_gen_syncookie(sk, &ip, sizeof(ip), &tcp, sizeof(tcp)));
	RESULT(bpf_tcp_gen_syncookie(sk, &ip, sizeof(ip), &tcp, 8));
	return TC_ACT_OK;
}

struct synced {
	struct tcphdr tcp;
	__u8 options[8];
};

static __always_inline __s64 cookie4(struct iphdr *ip, struct synced *syn, __u8 kind, __u8 length, __u16 size)
{
	syn->options[0] = kind;
	syn->options[1] = length;
	syn->options[2] = size >> 8;
	syn->options[3] = size;
	return bpf_tcp_raw_gen_syncookie_ipv4(ip, &syn->tcp, 24);
}

SEC("tc")
int syncookie(struct __sk_buff *skb)
{
	struct iphdr ip = { .version = 4, .ihl = 5, .saddr = 0x0100000a, .daddr = 0x0200000a };
	struct { __u8 header[8]; __u8 addresses[32]; } ip6 = { { 0x60 }, { 0xfd, 1, 2, 3 } };
	struct synced syn = { .tcp = { .doff = 6, .syn = 1, .source = 0x1234, .dest = 0x5000, .seq = 0x11223344 } };
	struct tcphdr ack = { .doff = 5, .ack = 1, .source = 0x1234, .dest = 0x5000 };
	__s64 cookie;

	START();
	RESULT(bpf_tcp_raw_gen_syncookie_ipv4(&ip, &syn.tcp, 20));
	RESULT(cookie4(&ip, &syn, 1, 1, 0x101) >> 32);
	RESULT(cookie4(&ip, &syn, 2, 4, 100) >> 32);
	RESULT(cookie4(&ip, &syn, 2, 4, 1299) >> 32);
	RESULT(cookie4(&ip, &syn, 2, 4, 1300) >> 32);
	RESULT(cookie4(&ip, &syn, 2, 4, 1460) >> 32);
	RESULT(cookie4(&ip, &syn, 2, 4, 9000) >> 32);
	RESULT(cookie4(&ip, &syn, 2, 4, 0) >> 32);
	RESULT(cookie4(&ip, &syn, 3, 4, 1460) >> 32);
	cookie = cookie4(&ip, &syn, 2, 4, 1450);
	ack.seq = bpf_htonl(bpf_ntohl(syn.tcp.seq) + 1);
	ack.ack_seq = bpf_htonl((__u32)cookie + 1);
	RESULT(bpf_tcp_raw_check_syncookie_ipv4(&ip, &ack));
	ack.ack_seq = bpf_htonl((__u32)cookie + 2000);
	RESULT(bpf_tcp_raw_check_syncookie_ipv4(&ip, &ack));
	cookie = bpf_tcp_raw_gen_syncookie_ipv6((struct ipv6hdr *)&ip6, &syn.tcp, 24);
	RESULT(cookie >> 32);
	ack.ack_seq = bpf_htonl((__u32)cookie + 1);
	RESULT(bpf_tcp_raw_check_syncookie_ipv6((struct ipv6hdr *)&ip6, &ack));
	ip6.addresses[3] = 4;
	RESULT(bpf_tcp_raw_check_syncookie_ipv6((struct ipv6hdr *)&ip6, &ack));
	return TC_ACT_OK;
}
