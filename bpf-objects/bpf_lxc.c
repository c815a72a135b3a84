/*
 * The datapath of one Pod, on the host's end of its device: see docs/datapath.md. The last part is
 * compiled per family: the file includes itself for that.
 */
#ifndef FAMILY
#define OBJECT_FILE 2
#define EVENT_SOURCE CONFIG(endpoint_id)

#include "datapath/config.h"
#include "datapath/tailcalls.h"

int tail_drop_notify(struct __sk_buff *skb);
int tail_icmp4_send_time_exceeded(struct __sk_buff *skb);
int tail_icmp6_send_time_exceeded(struct __sk_buff *skb);
int tail_icmp6_send_echo_reply(struct __sk_buff *skb);
int tail_icmp6_handle_ns(struct __sk_buff *skb);
int tail_handle_arp(struct __sk_buff *skb);
int tail_handle_ipv4(struct __sk_buff *skb);
int tail_handle_ipv6(struct __sk_buff *skb);
int tail_ipv4_ct_egress(struct __sk_buff *skb);
int tail_ipv6_ct_egress(struct __sk_buff *skb);
int tail_handle_ipv4_cont(struct __sk_buff *skb);
int tail_handle_ipv6_cont(struct __sk_buff *skb);
int tail_ipv4_ct_ingress_policy_only(struct __sk_buff *skb);
int tail_ipv6_ct_ingress_policy_only(struct __sk_buff *skb);
int tail_ipv4_policy(struct __sk_buff *skb);
int tail_ipv6_policy(struct __sk_buff *skb);
int tail_ipv4_ct_ingress(struct __sk_buff *skb);
int tail_ipv6_ct_ingress(struct __sk_buff *skb);
int tail_ipv4_to_endpoint(struct __sk_buff *skb);
int tail_ipv6_to_endpoint(struct __sk_buff *skb);
int tail_rev_nodeport_lb4(struct __sk_buff *skb);
int tail_rev_nodeport_lb6(struct __sk_buff *skb);

TAIL_CALLS([CALL_DROP_NOTIFY] = (void *)&tail_drop_notify,
	   [CALL_ICMP4_TIME_EXCEEDED] = (void *)&tail_icmp4_send_time_exceeded,
	   [CALL_ICMP6_ECHO_REPLY] = (void *)&tail_icmp6_send_echo_reply,
	   [CALL_ICMP6_NEIGHBOUR_SOLICITATION] = (void *)&tail_icmp6_handle_ns,
	   [CALL_ICMP6_TIME_EXCEEDED] = (void *)&tail_icmp6_send_time_exceeded,
	   [CALL_ARP] = (void *)&tail_handle_arp,
	   [CALL_IPV4_FROM_DEVICE] = (void *)&tail_handle_ipv4,
	   [CALL_IPV6_FROM_DEVICE] = (void *)&tail_handle_ipv6,
	   [CALL_IPV4_POLICY] = (void *)&tail_ipv4_policy,
	   [CALL_IPV6_POLICY] = (void *)&tail_ipv6_policy,
	   [CALL_IPV4_TO_ENDPOINT] = (void *)&tail_ipv4_to_endpoint,
	   [CALL_IPV6_TO_ENDPOINT] = (void *)&tail_ipv6_to_endpoint,
	   [CALL_IPV4_NODEPORT_REVERSE] = (void *)&tail_rev_nodeport_lb4,
	   [CALL_IPV6_NODEPORT_REVERSE] = (void *)&tail_rev_nodeport_lb6,
	   [CALL_IPV4_FROM_LXC_CONT] = (void *)&tail_handle_ipv4_cont,
	   [CALL_IPV6_FROM_LXC_CONT] = (void *)&tail_handle_ipv6_cont,
	   [CALL_IPV4_CT_INGRESS] = (void *)&tail_ipv4_ct_ingress,
	   [CALL_IPV6_CT_INGRESS] = (void *)&tail_ipv6_ct_ingress,
	   [CALL_IPV4_CT_INGRESS_POLICY_ONLY] = (void *)&tail_ipv4_ct_ingress_policy_only,
	   [CALL_IPV6_CT_INGRESS_POLICY_ONLY] = (void *)&tail_ipv6_ct_ingress_policy_only,
	   [CALL_IPV4_CT_EGRESS] = (void *)&tail_ipv4_ct_egress,
	   [CALL_IPV6_CT_EGRESS] = (void *)&tail_ipv6_ct_egress);

#include "datapath/lib.h"
#include "datapath/arp.h"
#include "datapath/icmp6.h"

#define DROP_EGRESS(destination, reason) DROP(skb, CONFIG(security_label), destination, 0, reason, METRIC_EGRESS)
#define DROP_INGRESS(source, reason) DROP(skb, source, CONFIG(security_label), CONFIG(endpoint_id), reason, METRIC_INGRESS)

/* Continues with the program in a slot that has to be there. Returns a drop reason. */
INLINE int continue_in(struct __sk_buff *skb, __u32 slot)
{
	bpf_tail_call(skb, &cilium_calls, slot);
	return DROP_MISSED_TAIL_CALL;
}

/* cb[0] becomes the mark, where cil_to_host of the other end of a veth finds a proxy's port. */
INLINE int finish_policy(struct __sk_buff *skb, int ret)
{
	if (ret >= 0)
		set_cb(skb, CB_PROXY_PORT, skb->mark);
	return ret;
}

#include "datapath/shared_programs.h"

#define FAMILY 4
#include "bpf_lxc.c"
#undef FAMILY
#define FAMILY 6
#include "bpf_lxc.c"
#undef FAMILY

INLINE int dispatch_from_container(struct __sk_buff *skb)
{
	switch (ethertype(skb)) {
	case ETH_P_IP:
		return continue_in(skb, CALL_IPV4_FROM_DEVICE);
	case ETH_P_IPV6:
		return CONFIG(enable_ipv6) ? continue_in(skb, CALL_IPV6_FROM_DEVICE) : DROP_UNKNOWN_L3;
	default:
		return DROP_UNKNOWN_L3;
	}
}

/* tc ingress: what the Pod sends. */
SEC("tc")
int cil_from_container(struct __sk_buff *skb)
{
	int ret;

	clear_cb(skb);
	/* The bandwidth manager on the native device finds the sender here. */
	skb->queue_mapping = CONFIG(enable_bandwidth_manager) ? CONFIG(endpoint_id) : 0;
	trace(skb, TRACE_FROM_LXC, CONFIG(security_label), 0, 0, 0, &UNTRACKED);
	ret = ethertype(skb) == ETH_P_ARP ? continue_in(skb, CALL_ARP) : dispatch_from_container(skb);
	return DROP_EGRESS(0, ret);
}

/* Policy program of the endpoint for what a proxy sends on its behalf (cilium_egresscall_policy). */
SEC("tc")
int cil_lxc_policy_egress(struct __sk_buff *skb)
{
	skb->queue_mapping = 0;
	trace(skb, TRACE_FROM_PROXY, CONFIG(security_label), 0, 0, 0, &UNTRACKED);
	clear_cb(skb);
	return DROP_EGRESS(0, dispatch_from_container(skb));
}

SEC("tc")
int tail_handle_arp(struct __sk_buff *skb)
{
	int ret = answer_arp(skb);

	return ret < 0 ? DROP_EGRESS(0, ret) : ret;
}

/* Policy program of the endpoint for what comes to it (cilium_call_policy): cb has the sender's identity and the device. */
SEC("tc")
int cil_lxc_policy(struct __sk_buff *skb)
{
	__u32 source = get_cb(skb, CB_SRC_LABEL);
	int ret = DROP_UNKNOWN_L3;

	if (ethertype(skb) == ETH_P_IP)
		ret = continue_in(skb, CALL_IPV4_CT_INGRESS_POLICY_ONLY);
	else if (CONFIG(enable_ipv6) && ethertype(skb) == ETH_P_IPV6)
		ret = continue_in(skb, CALL_IPV6_CT_INGRESS_POLICY_ONLY);
	return DROP_INGRESS(source, ret);
}

/* tc egress, with endpoint routes: what the host's stack sends to the Pod. */
SEC("tc")
int cil_to_container(struct __sk_buff *skb)
{
	__u32 identity = 0, magic;
	int ret = DROP_UNKNOWN_L3;

	clear_cb(skb);
	magic = take_mark(skb, &identity);
	if (magic == MARK_PROXY_EGRESS_EPID) {
		bpf_tail_call(skb, &cilium_egresscall_policy, identity);
		return DROP_INGRESS(0, DROP_MISSED_TAIL_CALL);
	}
	trace(skb, magic == MARK_PROXY_INGRESS || magic == MARK_PROXY_EGRESS ? TRACE_FROM_PROXY : TRACE_FROM_STACK, identity, 0, 0,
	      skb->ingress_ifindex, &UNTRACKED);
	if (ethertype(skb) == ETH_P_ARP)
		return TC_ACT_OK;
	if (CONFIG(enable_host_firewall) && identity == HOST_ID) {
		/* The host's egress policy first; cil_host_policy comes back to cil_lxc_policy. */
		set_cb(skb, CB_FROM_HOST, 1);
		set_cb(skb, CB_DST_ENDPOINT_ID, CONFIG(endpoint_id));
		bpf_tail_call(skb, &cilium_call_policy, CONFIG(host_ep_id));
		return DROP_INGRESS(identity, DROP_MISSED_TAIL_CALL);
	}
	set_cb(skb, CB_SRC_LABEL, identity);
	if (ethertype(skb) == ETH_P_IP)
		ret = continue_in(skb, CALL_IPV4_CT_INGRESS);
	else if (CONFIG(enable_ipv6) && ethertype(skb) == ETH_P_IPV6)
		ret = continue_in(skb, CALL_IPV6_CT_INGRESS);
	return DROP_INGRESS(identity, ret);
}

SEC("tc")
int tail_icmp6_handle_ns(struct __sk_buff *skb)
{
	int ret = answer_solicitation(skb);

	return ret < 0 ? DROP_EGRESS(0, ret) : ret;
}

SEC("tc")
int tail_icmp6_send_echo_reply(struct __sk_buff *skb)
{
	int ret = answer_echo(skb);

	return ret < 0 ? DROP_EGRESS(0, ret) : ret;
}

char _license[] SEC("license") = "Dual BSD/GPL";
#else
#include "datapath/lib_family.h"
#include "datapath/from_container.h"
#include "datapath/to_container.h"

SEC("tc")
int FAMILY_NAME(tail_handle_ipv, )(struct __sk_buff *skb)
{
	return DROP_EGRESS(0, FN(from_container)(skb));
}

SEC("tc")
int FAMILY_NAME(tail_ipv, _ct_egress)(struct __sk_buff *skb)
{
	int ret = FN(ct_to_buffer)(skb, CT_EGRESS);

	return DROP_EGRESS(0, ret < 0 ? ret : continue_in(skb, FAMILY_CALL(FROM_LXC_CONT)));
}

SEC("tc")
int FAMILY_NAME(tail_handle_ipv, _cont)(struct __sk_buff *skb)
{
	__u32 destination = 0;
	int fib_result = 0, ret = FN(from_container_continued)(skb, &destination, &fib_result);

	return ret < 0 ? drop_at(skb, OBJECT_FILE, __LINE__, CONFIG(security_label), destination, 0, ret, fib_result, METRIC_EGRESS) : ret;
}

SEC("tc")
int FAMILY_NAME(tail_ipv, _ct_ingress_policy_only)(struct __sk_buff *skb)
{
	__u32 source = get_cb(skb, CB_SRC_LABEL);
	int ret = FN(ct_to_buffer)(skb, CT_INGRESS);

	return DROP_INGRESS(source, ret < 0 ? ret : continue_in(skb, FAMILY_CALL(POLICY)));
}

SEC("tc")
int FAMILY_NAME(tail_ipv, _policy)(struct __sk_buff *skb)
{
	__u32 source = get_cb(skb, CB_SRC_LABEL);
	int ret = FN(to_container)(skb, get_cb(skb, CB_IFINDEX), source, get_cb(skb, CB_FROM_HOST));

	return ret < 0 ? DROP_INGRESS(source, ret) : finish_policy(skb, ret);
}

SEC("tc")
int FAMILY_NAME(tail_ipv, _ct_ingress)(struct __sk_buff *skb)
{
	__u32 source = get_cb(skb, CB_SRC_LABEL);
	int ret = FN(ct_to_buffer)(skb, CT_INGRESS);

	return DROP_INGRESS(source, ret < 0 ? ret : continue_in(skb, FAMILY_CALL(TO_ENDPOINT)));
}

SEC("tc")
int FAMILY_NAME(tail_ipv, _to_endpoint)(struct __sk_buff *skb)
{
	__u32 source = get_cb(skb, CB_SRC_LABEL);
	int ret = FN(to_endpoint)(skb, &source);

	return ret < 0 ? DROP_INGRESS(source, ret) : ret;
}
#endif
