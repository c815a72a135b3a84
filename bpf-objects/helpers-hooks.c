// Helpers of hooks that no test run of the kernel reaches: sockets, cgroups, tracing. Every program leaves what it was given in
// `results`.
#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_helpers.h>
#include "results.h"

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__uint(value_size, 64);
} stacks SEC(".maps");

SEC("tp_btf/sched_switch")
int task(__u64 *ctx)
{
	BEGIN(0);
	__u64 stack[4] = {}, word = 0x1122334455667788, copy = 0;
	char text[8] = "abc", copied[8] = {};
	__u64 slot = 5;

	RESULT(bpf_get_current_pid_tgid());
	RESULT(bpf_get_current_uid_gid());
	RESULT(bpf_get_current_task());
	RESULT((long)bpf_get_current_task_btf());
	RESULT(bpf_task_pt_regs((void *)0));
	RESULT(bpf_get_current_cgroup_id());
	RESULT(bpf_get_current_ancestor_cgroup_id(100));
	RESULT(bpf_get_stackid(ctx, &stacks, 0));
	RESULT(bpf_get_stackid(ctx, &stacks, 1 << 20));
	RESULT(bpf_get_stack(ctx, stack, sizeof(stack), 0));
	RESULT(bpf_get_stack(ctx, stack, sizeof(stack), 1 << 20));
	RESULT(bpf_probe_read(&copy, 8, &word));
	RESULT(copy);
	RESULT(bpf_probe_read(&copy, 8, (void *)8));
	RESULT(copy);
	RESULT(bpf_probe_read_str(copied, sizeof(copied), text));
	RESULT(copied[2]);
	RESULT(bpf_copy_from_user(&copy, 4, &word));
	RESULT(copy);
	RESULT(bpf_ima_inode_hash((void *)0, stack, 8));
	RESULT(bpf_kptr_xchg(&slot, (void *)9));
	RESULT(slot);
	return 0;
}

SEC("iter/task")
int iterator(void *ctx)
{
	BEGIN(0);
	__u64 number = 42;

	RESULT(bpf_seq_printf((void *)1, "n=%d\n", 6, &number, 8));
	RESULT(bpf_seq_printf((void *)1, "%d %d\n", 7, &number, 8));
	RESULT(bpf_seq_write((void *)1, "xyz", 3));
	return 0;
}

SEC("sockops")
int socket_operations(struct bpf_sock_ops *ctx)
{
	BEGIN(0);
	__u32 value = 0, mark = 77;
	__u8 option[4] = { 253, 4, 1, 2 }, found[4] = { 253, 4 };

	RESULT(bpf_sock_ops_cb_flags_set(ctx, BPF_SOCK_OPS_RTO_CB_FLAG));
	RESULT(ctx->bpf_sock_ops_cb_flags);
	RESULT(bpf_sock_ops_cb_flags_set(ctx, 0x1000));
	RESULT(bpf_setsockopt(ctx, 1 /* SOL_SOCKET */, 36 /* SO_MARK */, &mark, 4));
	RESULT(bpf_getsockopt(ctx, 1, 36, &value, 4));
	RESULT(value);
	RESULT(bpf_getsockopt(ctx, 99, 36, &value, 4));
	RESULT(bpf_reserve_hdr_opt(ctx, 4, 0));
	RESULT(bpf_store_hdr_opt(ctx, option, sizeof(option), 0));
	RESULT(bpf_load_hdr_opt(ctx, found, sizeof(found), 0));
	return 1;
}

SEC("cgroup/connect4")
int connect4(struct bpf_sock_addr *ctx)
{
	BEGIN(0);
	struct sockaddr_in address = { .sin_family = 2, .sin_addr.s_addr = 0x0100007f };

	RESULT(bpf_bind(ctx, (void *)&address, sizeof(address)));
	address.sin_family = 3;
	RESULT(bpf_bind(ctx, (void *)&address, sizeof(address)));
	RESULT(bpf_bind(ctx, (void *)&address, 1));
	RESULT(bpf_get_retval());
	RESULT(bpf_set_retval(-13));
	RESULT(bpf_get_retval());
	return 1;
}

SEC("cgroup_skb/egress")
int egress(struct __sk_buff *skb)
{
	BEGIN(0);
	struct bpf_sock *socket = skb->sk;

	if (socket)
		socket = bpf_sk_fullsock(socket);
	RESULT(socket ? bpf_sk_cgroup_id(socket) : -1);
	RESULT(socket ? bpf_sk_ancestor_cgroup_id(socket, 100) : -1);
	return 1;
}

char _license[] SEC("license") = "GPL";
