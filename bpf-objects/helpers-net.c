// Helpers of packet programs that no other object here calls: every program leaves what it was given in `results`, in a form
// that does not depend on clocks, addresses or hash seeds. The same object runs in the kernel.
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include "results.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
	__uint(max_entries, 2);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

struct locked {
	struct bpf_spin_lock lock;
	__u32 count;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct locked);
} guarded SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} per_cpu SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} of_socket SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__uint(value_size, 4);
} devices SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__uint(value_size, 4);
} devices_by_number SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CPUMAP);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 4);
} processors SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, struct bpf_cgroup_storage_key);
	__type(value, __u64);
} of_cgroup SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE);
	__type(key, struct bpf_cgroup_storage_key);
	__type(value, __u64);
} of_cgroup_and_cpu SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
	__uint(max_entries, 100);
	__type(value, __u64);
} seen SEC(".maps");

#define SLOTS(name, kind) \
	struct { \
		__uint(type, kind); \
		__uint(max_entries, 4); \
		__uint(key_size, 4); \
		__uint(value_size, 4); \
	} name SEC(".maps")

SLOTS(sockets_by_index, BPF_MAP_TYPE_SOCKMAP);
SLOTS(sockets_by_key, BPF_MAP_TYPE_SOCKHASH);
SLOTS(queues, BPF_MAP_TYPE_XSKMAP);

SEC("tc")
int clocks(struct __sk_buff *skb)
{
	BEGIN(1);
	__u64 first = bpf_ktime_get_ns();

	RESULT(bpf_ktime_get_ns() >= first);
	first = bpf_ktime_get_boot_ns();
	RESULT(bpf_ktime_get_boot_ns() >= first);
	first = bpf_ktime_get_coarse_ns();
	RESULT(bpf_ktime_get_coarse_ns() >= first);
	first = bpf_ktime_get_tai_ns();
	RESULT(bpf_ktime_get_tai_ns() >= first);
	first = bpf_jiffies64();
	RESULT(bpf_jiffies64() >= first);
	return 0;
}

SEC("tc")
int machine(struct __sk_buff *skb)
{
	BEGIN(1);
	__u32 random = bpf_get_prandom_u32();
	int different = 0;

	for (int i = 0; i < 8; i++)
		different |= bpf_get_prandom_u32() != random;
	RESULT(different);
	RESULT(bpf_get_smp_processor_id());
	RESULT(bpf_get_numa_node_id());
	return 0;
}

SEC("tc")
int packet(struct __sk_buff *skb)
{
	BEGIN(1);
	struct bpf_xfrm_state state = {};
	__u32 mtu = 0;

	RESULT(bpf_clone_redirect(skb, 99, 0));
	RESULT(bpf_clone_redirect(skb, 1, 4));
	RESULT(bpf_get_hash_recalc(skb) == bpf_get_hash_recalc(skb));
	RESULT(bpf_skb_get_xfrm_state(skb, 0, &state, sizeof(state), 0));
	RESULT(bpf_skb_get_xfrm_state(skb, 0, &state, sizeof(state), 1));
	RESULT(bpf_redirect_neigh(1, 0, 0, 0));
	RESULT(bpf_redirect_neigh(1, 0, 0, 1));
	RESULT(bpf_check_mtu(skb, 0, &mtu, 0, 0));
	RESULT(mtu);
	mtu = 0;
	RESULT(bpf_check_mtu(skb, 99, &mtu, 0, 0));
	RESULT(bpf_check_mtu(skb, 0, &mtu, 70000, 0));
	RESULT(bpf_check_mtu(skb, 0, &mtu, 0, 0x80));
	return 0;
}

SEC("tc")
int sockets(struct __sk_buff *skb)
{
	BEGIN(1);
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *socket = bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	__u64 *stored, initial = 7;

	RESULT(socket != 0);
	if (socket)
		bpf_sk_release(socket);
	RESULT(bpf_get_socket_cookie(skb) == bpf_get_socket_cookie(skb));
	RESULT(bpf_get_netns_cookie(skb) == bpf_get_netns_cookie(skb));
	socket = skb->sk;
	if (!socket)
		return 2;
	socket = bpf_sk_fullsock(socket);
	if (!socket)
		return 3;
	RESULT(bpf_sk_storage_get(&of_socket, socket, 0, 0) != 0);
	stored = bpf_sk_storage_get(&of_socket, socket, &initial, BPF_SK_STORAGE_GET_F_CREATE);
	RESULT(stored ? *stored : -1);
	if (stored)
		*stored = 8;
	stored = bpf_sk_storage_get(&of_socket, socket, 0, 0);
	RESULT(stored ? *stored : -1);
	RESULT(bpf_sk_storage_delete(&of_socket, socket));
	RESULT(bpf_sk_storage_delete(&of_socket, socket));
	return 0;
}

SEC("tc")
int output(struct __sk_buff *skb)
{
	BEGIN(1);
	__u64 word = 1, *record;

	RESULT(bpf_perf_event_output(skb, &events, 2, &word, 8));
	RESULT(bpf_perf_event_output(skb, &events, 1ull << 60, &word, 8));
	RESULT(bpf_perf_event_output(skb, &events, (1ull << 47), &word, 8));
	RESULT(bpf_ringbuf_output(&ring, &word, 8, 0));
	RESULT(bpf_ringbuf_output(&ring, &word, 8, 4));
	RESULT(bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA));
	RESULT(bpf_ringbuf_query(&ring, BPF_RB_RING_SIZE));
	record = bpf_ringbuf_reserve(&ring, 16, 0);
	RESULT(record != 0);
	if (record) {
		record[0] = record[1] = 2;
		bpf_ringbuf_submit(record, 0);
	}
	RESULT(bpf_ringbuf_query(&ring, BPF_RB_PROD_POS));
	record = bpf_ringbuf_reserve(&ring, 24, 0);
	if (record)
		bpf_ringbuf_discard(record, 0);
	RESULT(bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA));
	record = bpf_ringbuf_reserve(&ring, 4096, 0);
	RESULT(record != 0);
	if (record)
		bpf_ringbuf_discard(record, 0);
	RESULT(bpf_trace_vprintk("%d", 3, &word, 8));
	RESULT(bpf_trace_vprintk("%d %d", 6, &word, 8));
	return 0;
}

SEC("tc")
int values(struct __sk_buff *skb)
{
	BEGIN(1);
	__u32 key = 1, beyond = 2;
	struct locked *locked = bpf_map_lookup_elem(&guarded, &zero);
	__u64 *value;

	if (!locked)
		return 2;
	bpf_spin_lock(&locked->lock);
	locked->count += 3;
	bpf_spin_unlock(&locked->lock);
	RESULT(locked->count);
	value = bpf_map_lookup_percpu_elem(&per_cpu, &key, 0);
	RESULT(value ? *value : -1);
	if (value)
		*value = 5;
	value = bpf_map_lookup_percpu_elem(&per_cpu, &key, 0);
	RESULT(value ? *value : -1);
	RESULT(bpf_map_lookup_percpu_elem(&per_cpu, &key, 100000) != 0);
	RESULT(bpf_map_lookup_percpu_elem(&per_cpu, &beyond, 0) != 0);
	RESULT(bpf_probe_read_user(&key, 4, 0));
	RESULT(bpf_probe_read_user_str(&key, 4, 0));
	return 0;
}

SEC("tc")
int rare_maps(struct __sk_buff *skb)
{
	BEGIN(1);
	__u64 word = 77, other = 78;
	__u32 key = 9;
	struct bpf_sock *socket;

	RESULT(bpf_map_peek_elem(&seen, &word));
	RESULT(bpf_map_push_elem(&seen, &word, 0));
	RESULT(bpf_map_peek_elem(&seen, &word));
	RESULT(bpf_map_peek_elem(&seen, &other));
	RESULT(bpf_map_push_elem(&seen, &word, 4));
	socket = bpf_map_lookup_elem(&sockets_by_index, &zero);
	RESULT(socket != 0);
	if (socket)
		bpf_sk_release(socket);
	socket = bpf_map_lookup_elem(&sockets_by_key, &key);
	RESULT(socket != 0);
	if (socket)
		bpf_sk_release(socket);
	RESULT(bpf_map_delete_elem(&sockets_by_index, &key));
	RESULT(bpf_map_delete_elem(&sockets_by_key, &key));
	return 0;
}

SEC("xdp")
int redirects(struct xdp_md *ctx)
{
	BEGIN(1);
	RESULT(bpf_redirect_map(&devices, 0, 0));
	RESULT(bpf_redirect_map(&devices, 0, XDP_PASS));
	RESULT(bpf_redirect_map(&devices, 100, XDP_TX));
	RESULT(bpf_redirect_map(&devices, 0, 1 << 20));
	RESULT(bpf_redirect_map(&devices_by_number, 7, XDP_DROP));
	RESULT(bpf_redirect_map(&processors, 0, XDP_PASS));
	RESULT(bpf_redirect_map(&devices, 0, BPF_F_BROADCAST));
	RESULT(bpf_redirect_map(&queues, 0, XDP_PASS));
	RESULT(bpf_map_lookup_elem(&queues, &zero) != 0);
	return 0;
}

SEC("cgroup_skb/egress")
int cgroup(struct __sk_buff *skb)
{
	BEGIN(1);
	__u64 *value = bpf_get_local_storage(&of_cgroup, 0);

	RESULT(value != 0);
	if (value)
		*value += 2;
	value = bpf_get_local_storage(&of_cgroup, 0);
	RESULT(value ? *value : 0);
	value = bpf_get_local_storage(&of_cgroup_and_cpu, 0);
	RESULT(value ? *value : -1);
	return 0;
}

char _license[] SEC("license") = "GPL";
