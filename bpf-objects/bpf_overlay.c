/*
 * The datapath of the tunnel device (VXLAN): see docs/datapath.md. The last part is
 * compiled per family: the file includes itself for that.
 */
#ifndef FAMILY
#define OBJECT_FILE 3
#define EVENT_SOURCE 0
#define SNAT_TRACE_POINT TRACE_TO_OVERLAY

#include "datapath/config.h"
#include "datapath/tailcalls.h"

int tail_drop_notify(struct __sk_buff *skb);
int tail_icmp4_send_time_exceeded(struct __sk_buff *skb);
int tail_icmp6_send_time_exceeded(struct __sk_buff *skb);
int tail_handle_ipv4(struct __sk_buff *skb);
int tail_handle_ipv6(struct __sk_buff *skb);
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
	   [CALL_IPV4_FROM_DEVICE] = (void *)&tail_handle_ipv4,
	   [CALL_IPV6_FROM_DEVICE] = (void *)&tail_handle_ipv6,
	   [CALL_IPV4_NODEPORT_SNAT] = (void *)&tail_nodeport_nat_egress_ipv4,
	   [CALL_IPV6_NODEPORT_SNAT] = (void *)&tail_nodeport_nat_egress_ipv6,
	   [CALL_IPV4_NODEPORT_REVERSE] = (void *)&tail_rev_nodeport_lb4,
	   [CALL_IPV6_NODEPORT_REVERSE] = (void *)&tail_rev_nodeport_lb6,
	   [CALL_IPV4_SNAT_FORWARD] = (void *)&tail_handle_nat_fwd_ipv4,
	   [CALL_IPV6_SNAT_FORWARD] = (void *)&tail_handle_nat_fwd_ipv6,
	   [CALL_IPV4_SNAT_INGRESS] = (void *)&tail_nodeport_nat_ingress_ipv4,
	   [CALL_IPV6_SNAT_INGRESS] = (void *)&tail_nodeport_nat_ingress_ipv6);

#include "datapath/lib.h"
#include "datapath/snat.h"

#include "datapath/shared_programs.h"

#define FAMILY 4
#include "bpf_overlay.c"
#undef FAMILY
#define FAMILY 6
#include "bpf_overlay.c"
#undef FAMILY

/* tc ingress: what the tunnel device decapsulated. */
SEC("tc")
int cil_from_overlay(struct __sk_buff *skb)
{
	int ret = TC_ACT_OK;

	clear_cb(skb);
	skb->tc_index &= ~SKIP_NODEPORT;
	trace(skb, TRACE_FROM_OVERLAY, 0, 0, 0, skb->ingress_ifindex, &UNTRACKED);
	if (ethertype(skb) == ETH_P_IP) {
		bpf_tail_call(skb, &cilium_calls, CALL_IPV4_FROM_DEVICE);
		ret = DROP_MISSED_TAIL_CALL;
	} else if (CONFIG(enable_ipv6) && ethertype(skb) == ETH_P_IPV6) {
		bpf_tail_call(skb, &cilium_calls, CALL_IPV6_FROM_DEVICE);
		ret = DROP_MISSED_TAIL_CALL;
	}
	return ret < 0 ? DROP(skb, 0, 0, 0, ret, METRIC_INGRESS) : ret;
}

/* tc egress: what goes into the tunnel. */
SEC("tc")
int cil_to_overlay(struct __sk_buff *skb)
{
	/* The sender's bandwidth is enforced on its native device. */
	skb->queue_mapping = 0;
	forward_through_snat(skb);
	trace(skb, TRACE_TO_OVERLAY, 0, 0, 0, 0, &UNTRACKED);
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual BSD/GPL";
#else
#include "datapath/lib_family.h"
#include "datapath/nat.h"
#include "datapath/masquerade.h"
#include "datapath/nodeport.h"
#include "datapath/overlay.h"

SEC("tc")
int FAMILY_NAME(tail_handle_ipv, )(struct __sk_buff *skb)
{
	__u32 identity = get_cb(skb, CB_SRC_LABEL);
	int ret = FN(from_overlay)(skb, &identity);

	return ret < 0 ? DROP(skb, identity, 0, 0, ret, METRIC_INGRESS) : ret;
}
#endif
