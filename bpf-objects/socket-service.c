// Programs on sockets: connections to a service go to its backend, which getpeername hides again.
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define SERVICE 0xac101057 /* 172.16.16.87 */
#define BACKEND 0x0a00013c /* 10.0.1.60 */

SEC("cgroup/connect4")
int connect4(struct bpf_sock_addr *address)
{
	if (address->family != 2 || address->protocol != 6)
		return 1;
	if (address->user_ip4 != bpf_htonl(SERVICE) || address->user_port != bpf_htons(80))
		return 0;
	address->user_ip4 = bpf_htonl(BACKEND);
	address->user_port = bpf_htons(8080);
	return 1;
}

SEC("cgroup/getpeername4")
int getpeername4(struct bpf_sock_addr *address)
{
	if (address->user_ip4 == bpf_htonl(BACKEND))
		address->user_ip4 = bpf_htonl(SERVICE);
	return 1;
}

SEC("cgroup/connect6")
int connect6(struct bpf_sock_addr *address)
{
	return address->user_family == 10 && address->user_ip6[3] == bpf_htonl(1);
}

SEC("cgroup/post_bind4")
int post_bind4(struct bpf_sock *socket)
{
	return socket->src_port != 22 && socket->type == 1;
}

char _license[] SEC("license") = "Dual BSD/GPL";
