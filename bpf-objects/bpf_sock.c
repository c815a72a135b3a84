/* Service translation at the sockets of a cgroup: see docs/datapath.md. */
#define SOCKET_OBJECT

#include "datapath/config.h"
#include "datapath/maps.h"
#include "datapath/metrics.h"

#define FAMILY 4
#include "datapath/family.h"
#include "datapath/endpoints.h"
#include "datapath/service.h"
#include "datapath/sock.h"
#undef FAMILY
#define FAMILY 6
#include "datapath/family.h"
#include "datapath/endpoints.h"
#include "datapath/service.h"
#include "datapath/sock.h"

/* The programs never reject: a socket without a service or backend goes where it wanted to. */
enum { ALLOW = 1 };

SEC("cgroup/connect4")
int cil_sock4_connect(struct bpf_sock_addr *ctx)
{
	translate_socket4(ctx);
	return ALLOW;
}

SEC("cgroup/connect6")
int cil_sock6_connect(struct bpf_sock_addr *ctx)
{
	if (CONFIG(enable_ipv6))
		translate_socket6(ctx);
	return ALLOW;
}

SEC("cgroup/sendmsg4")
int cil_sock4_sendmsg(struct bpf_sock_addr *ctx)
{
	translate_socket4(ctx);
	return ALLOW;
}

SEC("cgroup/sendmsg6")
int cil_sock6_sendmsg(struct bpf_sock_addr *ctx)
{
	if (CONFIG(enable_ipv6))
		translate_socket6(ctx);
	return ALLOW;
}

SEC("cgroup/recvmsg4")
int cil_sock4_recvmsg(struct bpf_sock_addr *ctx)
{
	reverse_socket4(ctx);
	return ALLOW;
}

SEC("cgroup/recvmsg6")
int cil_sock6_recvmsg(struct bpf_sock_addr *ctx)
{
	if (CONFIG(enable_ipv6))
		reverse_socket6(ctx);
	return ALLOW;
}

SEC("cgroup/getpeername4")
int cil_sock4_getpeername(struct bpf_sock_addr *ctx)
{
	reverse_socket4(ctx);
	return ALLOW;
}

SEC("cgroup/getpeername6")
int cil_sock6_getpeername(struct bpf_sock_addr *ctx)
{
	if (CONFIG(enable_ipv6))
		reverse_socket6(ctx);
	return ALLOW;
}

char _license[] SEC("license") = "Dual BSD/GPL";
