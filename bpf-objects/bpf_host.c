/*
 * The datapath of the host: native devices and cilium_host / cilium_net. See docs/datapath.md. The last part is
 * compiled per family: the file includes itself for that.
 */
#ifndef FAMILY
#define OBJECT_FILE 1
#define EVENT_SOURCE CONFIG(host_ep_id)
#define SNAT_TRACE_POINT TRACE_TO_NETWORK

#include "datapath/config.h"
#include "datapath/tailcalls.h"

int tail_drop_notify(struct __sk_buff *skb);
int tail_icmp4_send_time_exceeded(struct __sk_buff *skb);
int tail_icmp6_send_time_exceeded(struct __sk_buff *skb);
int tail_handle_ipv4_from_netdev(struct __sk_buff *skb);
int tail_handle_ipv6_from_netdev(struct __sk_buff *skb);
int tail_handle_ipv4_cont_from_netdev(struct __sk_buff *skb);
int tail_handle_ipv6_cont_from_netdev(struct __sk_buff *skb);
int tail_handle_ipv4_from_host(struct __sk_buff *skb);
int tail_handle_ipv6_from_host(struct __sk_buff *skb);
int tail_ipv4_host_policy_ingress(struct __sk_buff *skb);
int tail_ipv6_host_policy_ingress(struct __sk_buff *skb);
int tail_nodeport_nat_egress_ipv4(struct __sk_buff *skb);
int tail_nodeport_nat_egress_ipv6(struct __sk_buff *skb);
int tail_nodeport_nat_ingress_ipv4(struct __sk_buff *skb);
int tail_nodeport_nat_ingress_ipv6(struct __sk_buff *skb);
int tail_rev_nodeport_lb4(struct __sk_buff *skb);
int tail_rev_nodeport_lb6(struct __sk_buff *skb);
int tail_handle_nat_fwd_ipv4(struct __sk_buff *skb);
int tail_handle_nat_fwd_ipv6(struct __sk_buff *skb);

TAIL_CALLS([CALL_DROP_NOTIFY] = (void *)&tail_drop_notify,
	   [CALL_ICMP4_TIME_EXCEEDED] = (void *)&tail_icmp4_send_time_exceeded,
	   [CALL_ICMP6_TIME_EXCEEDED] = (void *)&tail_icmp6_send_time_exceeded,
	   [CALL_IPV4_FROM_DEVICE] = (void *)&tail_handle_ipv4_from_netdev,
	   [CALL_IPV6_FROM_DEVICE] = (void *)&tail_handle_ipv6_from_netdev,
	   [CALL_IPV4_POLICY] = (void *)&tail_ipv4_host_policy_ingress,
	   [CALL_IPV6_POLICY] = (void *)&tail_ipv6_host_policy_ingress,
	   [CALL_IPV4_NODEPORT_SNAT] = (void *)&tail_nodeport_nat_egress_ipv4,
	   [CALL_IPV6_NODEPORT_SNAT] = (void *)&tail_nodeport_nat_egress_ipv6,
	   [CALL_IPV4_NODEPORT_REVERSE] = (void *)&tail_rev_nodeport_lb4,
	   [CALL_IPV6_NODEPORT_REVERSE] = (void *)&tail_rev_nodeport_lb6,
	   [CALL_IPV4_SNAT_FORWARD] = (void *)&tail_handle_nat_fwd_ipv4,
	   [CALL_IPV6_SNAT_FORWARD] = (void *)&tail_handle_nat_fwd_ipv6,
	   [CALL_IPV4_FROM_HOST] = (void *)&tail_handle_ipv4_from_host,
	   [CALL_IPV6_FROM_HOST] = (void *)&tail_handle_ipv6_from_host,
	   [CALL_IPV4_FROM_DEVICE_CONT] = (void *)&tail_handle_ipv4_cont_from_netdev,
	   [CALL_IPV6_FROM_DEVICE_CONT] = (void *)&tail_handle_ipv6_cont_from_netdev,
	   [CALL_IPV4_SNAT_INGRESS] = (void *)&tail_nodeport_nat_ingress_ipv4,
	   [CALL_IPV6_SNAT_INGRESS] = (void *)&tail_nodeport_nat_ingress_ipv6);

#include "datapath/lib.h"
#include "datapath/bandwidth.h"
#include "datapath/snat.h"

#include "datapath/shared_programs.h"

/* Identity of the sender from the program before; cil_to_host would take it for a proxy's mark. */
INLINE __u32 take_source(struct __sk_buff *skb)
{
	__u32 identity = get_cb(skb, CB_SRC_LABEL);

	set_cb(skb, CB_SRC_LABEL, 0);
	return identity;
}

#define FAMILY 4
#include "bpf_host.c"
#undef FAMILY
#define FAMILY 6
#include "bpf_host.c"
#undef FAMILY

INLINE bool is_ipv4(struct __sk_buff *skb)
{
	return ethertype(skb) == ETH_P_IP;
}

INLINE bool is_ipv6(struct __sk_buff *skb)
{
	return CONFIG(enable_ipv6) && ethertype(skb) == ETH_P_IPV6;
}

/* What is neither IP nor ARP passes, unless a firewall is to see everything. */
INLINE int pass_other(struct __sk_buff *skb)
{
	return !CONFIG(enable_host_firewall) || ethertype(skb) == ETH_P_ARP ? TC_ACT_OK : DROP_UNKNOWN_L3;
}

/* True if the packet has a VLAN tag of an id; *allowed says whether it is a listed one. */
INLINE bool has_vlan(struct __sk_buff *skb, bool *allowed)
{
	__u16 id = skb->vlan_tci & 0xfff;

	*allowed = false;
	if (!CONFIG(enable_vlan_filter) || !skb->vlan_present || !id)
		return false;
	for (int i = 0; i < 8 && CONFIG(vlan_allowed)[i]; i++)
		if (CONFIG(vlan_allowed)[i] == id)
			*allowed = true;
	return true;
}

/* Without its tail call a packet goes on to the stack: the node shall stay reachable. */
INLINE int continue_or_pass(struct __sk_buff *skb, __u32 slot, __u32 identity)
{
	set_cb(skb, CB_SRC_LABEL, identity);
	bpf_tail_call(skb, &cilium_calls, slot);
	DROP(skb, identity, 0, 0, DROP_MISSED_TAIL_CALL, METRIC_INGRESS);
	return TC_ACT_OK;
}

/* tc ingress of a native device. */
SEC("tc")
int cil_from_netdev(struct __sk_buff *skb)
{
	bool allowed;
	int ret;

	if (has_vlan(skb, &allowed))
		return allowed ? TC_ACT_OK : DROP(skb, 0, 0, 0, DROP_VLAN_FILTERED, METRIC_INGRESS);
	skb->tc_index &= ~(SKIP_NODEPORT | SKIP_HOST_FIREWALL);
	trace(skb, TRACE_FROM_NETWORK, 0, 0, 0, skb->ingress_ifindex, &UNTRACKED);
	clear_cb(skb);
	if (is_ipv4(skb))
		return continue_or_pass(skb, CALL_IPV4_FROM_DEVICE, source_of_network4(skb));
	if (is_ipv6(skb))
		return continue_or_pass(skb, CALL_IPV6_FROM_DEVICE, source_of_network6(skb));
	ret = pass_other(skb);
	return ret < 0 ? DROP(skb, 0, 0, 0, ret, METRIC_INGRESS) : ret;
}

/* tc egress of cilium_host: what the host's stack sends to Pods. */
SEC("tc")
int cil_from_host(struct __sk_buff *skb)
{
	__u32 identity = 0, magic;
	int ret;

	skb->queue_mapping = 0;
	magic = take_mark(skb, &identity);
	if (magic == MARK_PROXY_EGRESS_EPID) {
		bpf_tail_call(skb, &cilium_egresscall_policy, identity);
		return DROP(skb, 0, 0, 0, DROP_MISSED_TAIL_CALL, METRIC_INGRESS);
	}
	trace(skb, magic == MARK_PROXY_INGRESS || magic == MARK_PROXY_EGRESS ? TRACE_FROM_PROXY : TRACE_FROM_HOST, identity, 0, 0,
	      skb->ingress_ifindex, &UNTRACKED);
	clear_cb(skb);
	if (is_ipv4(skb))
		return continue_or_pass(skb, CALL_IPV4_FROM_HOST, source_of_host4(skb, identity));
	if (is_ipv6(skb))
		return continue_or_pass(skb, CALL_IPV6_FROM_HOST, source_of_host6(skb, identity));
	ret = pass_other(skb);
	return ret < 0 ? DROP(skb, identity, 0, 0, ret, METRIC_INGRESS) : ret;
}

/* The sender of a packet on a native device, by the mark of the stack. */
INLINE __u32 source_of_mark(struct __sk_buff *skb)
{
	return (skb->mark & MARK_MASK) == MARK_HOST ? HOST_ID : 0;
}

INLINE int egress_firewall(struct __sk_buff *skb, struct trace *why)
{
	set_cb(skb, CB_POLICY, 0);
	if (is_ipv4(skb))
		return host_policy_egress4(skb, source_of_host4(skb, source_of_mark(skb)), why);
	if (is_ipv6(skb))
		return host_policy_egress6(skb, source_of_host6(skb, source_of_mark(skb)), why);
	return pass_other(skb);
}

/* tc egress of a native device. */
SEC("tc")
int cil_to_netdev(struct __sk_buff *skb)
{
	struct trace why = UNTRACKED;
	bool allowed;
	int ret;

	if (has_vlan(skb, &allowed))
		return allowed ? TC_ACT_OK : DROP(skb, 0, 0, 0, DROP_VLAN_FILTERED, METRIC_EGRESS);
	if (CONFIG(enable_host_firewall)) {
		ret = egress_firewall(skb, &why);
		if (ret < 0)
			return DROP(skb, 0, 0, 0, ret, METRIC_EGRESS);
	}
	if (CONFIG(enable_bandwidth_manager) && (is_ipv4(skb) || is_ipv6(skb)) && set_departure(skb) == TC_ACT_SHOT) {
		/* No event: dropping is how the rate is kept. */
		count(skb->len, METRIC_EGRESS, -DROP_EDT_HORIZON);
		return TC_ACT_SHOT;
	}
	forward_through_snat(skb);
	trace(skb, TRACE_TO_NETWORK, 0, 0, 0, 0, &why);
	return TC_ACT_OK;
}

INLINE int ingress_firewall(struct __sk_buff *skb, __u32 *source, struct trace *why)
{
	set_cb(skb, CB_POLICY, 0);
	if (is_ipv4(skb))
		return host_policy_ingress4(skb, source, why);
	if (is_ipv6(skb))
		return host_policy_ingress6(skb, source, why);
	return pass_other(skb);
}

/* tc ingress of cilium_host and cilium_net: what Pods and proxies send to the host. */
SEC("tc")
int cil_to_host(struct __sk_buff *skb)
{
	struct trace why = UNTRACKED;
	__u32 magic = get_cb(skb, CB_PROXY_PORT), source = 0;
	int ret;

	/* The policy program of a Pod left its mark here, since a veth clears marks. */
	if ((magic & 0xffff) == MARK_TO_PROXY) {
		set_cb(skb, CB_PROXY_PORT, 0);
		return to_proxy(skb, magic >> 16);
	}
	if (CONFIG(enable_host_firewall)) {
		ret = ingress_firewall(skb, &source, &why);
		if (ret < 0)
			return DROP(skb, source, 0, 0, ret, METRIC_INGRESS);
	}
	trace(skb, TRACE_TO_STACK, source, 0, 0, CONFIG(cilium_host_ifindex), &why);
	return TC_ACT_OK;
}

/* The host endpoint's program in cilium_call_policy: with endpoint routes, Pods' traffic to and from the host. */
SEC("tc")
int cil_host_policy(struct __sk_buff *skb)
{
	__u32 endpoint = get_cb(skb, CB_DST_ENDPOINT_ID);
	struct trace why = UNTRACKED;
	int ret = DROP_UNKNOWN_L3;

	if (get_cb(skb, CB_FROM_HOST)) {
		if (is_ipv4(skb))
			ret = host_policy_egress4(skb, HOST_ID, &why);
		else if (is_ipv6(skb))
			ret = host_policy_egress6(skb, HOST_ID, &why);
		else
			ret = pass_other(skb);
		if (ret < 0)
			return DROP(skb, HOST_ID, 0, 0, ret, METRIC_EGRESS);
		set_cb(skb, CB_SRC_LABEL, HOST_ID);
		bpf_tail_call(skb, &cilium_call_policy, endpoint);
		return DROP(skb, HOST_ID, 0, endpoint, DROP_MISSED_TAIL_CALL, METRIC_EGRESS);
	}
	if (ethertype(skb) == ETH_P_ARP)
		return TC_ACT_OK;
	if (is_ipv4(skb)) {
		bpf_tail_call(skb, &cilium_calls, CALL_IPV4_POLICY);
		ret = DROP_MISSED_TAIL_CALL;
	} else if (is_ipv6(skb)) {
		bpf_tail_call(skb, &cilium_calls, CALL_IPV6_POLICY);
		ret = DROP_MISSED_TAIL_CALL;
	}
	return DROP(skb, 0, 0, 0, ret, METRIC_INGRESS);
}

char _license[] SEC("license") = "Dual BSD/GPL";
#else
#include "datapath/lib_family.h"
#include "datapath/nat.h"
#include "datapath/masquerade.h"
#include "datapath/nodeport.h"
#include "datapath/host_policy.h"
#include "datapath/host.h"

SEC("tc")
int FAMILY_NAME(tail_handle_ipv, _from_netdev)(struct __sk_buff *skb)
{
	__u32 identity = take_source(skb);
	int ret = FN(from_netdev)(skb, &identity);

	return ret < 0 ? DROP(skb, identity, 0, 0, ret, METRIC_INGRESS) : ret;
}

SEC("tc")
int FAMILY_NAME(tail_handle_ipv, _cont_from_netdev)(struct __sk_buff *skb)
{
	__u32 identity = take_source(skb);
	int ret = FN(from_netdev_continued)(skb, &identity);

	return ret < 0 ? DROP(skb, identity, 0, 0, ret, METRIC_INGRESS) : ret;
}

SEC("tc")
int FAMILY_NAME(tail_handle_ipv, _from_host)(struct __sk_buff *skb)
{
	__u32 identity = take_source(skb);
	int ret = FN(from_host)(skb, identity);

	return ret < 0 ? DROP(skb, identity, 0, 0, ret, METRIC_INGRESS) : ret;
}

SEC("tc")
int FAMILY_NAME(tail_ipv, _host_policy_ingress)(struct __sk_buff *skb)
{
	struct trace why = UNTRACKED;
	__u32 source = 0;
	int ret = FN(host_policy_ingress)(skb, &source, &why);

	return ret < 0 ? DROP(skb, source, 0, 0, ret, METRIC_INGRESS) : ret;
}
#endif
