/*
 * Configuration that a loader sets per instance (endpoint, device, node). Each variable is a constant of the verifier: branches
 * on switches that are off cost nothing. Addresses are in network order.
 */
#pragma once
#include "common.h"

#define CONFIG(name) CONCAT(__config_, name)
#define CONFIGURE(type, name, ...) volatile const type __config_##name SEC(".rodata.config") = __VA_ARGS__

/* The endpoint of bpf_lxc. */
CONFIGURE(__u16, endpoint_id, 0);
CONFIGURE(union v4addr, endpoint_ipv4, {});
CONFIGURE(union v6addr, endpoint_ipv6, {});
CONFIGURE(__u32, security_label, 0);
/* Bits of the directions (1 ingress, 2 egress) that emit policy verdict events. */
CONFIGURE(__u32, policy_verdict_log_filter, 3);

/* The device a program is attached to, and the node. */
CONFIGURE(union macaddr, interface_mac, {});
CONFIGURE(__u32, interface_ifindex, 0);
CONFIGURE(__u16, device_mtu, 1500);
CONFIGURE(__u16, host_ep_id, 0);
CONFIGURE(__u32, cilium_host_ifindex, 0);
CONFIGURE(union macaddr, cilium_host_mac, {});
CONFIGURE(__u32, cilium_net_ifindex, 0);
CONFIGURE(union macaddr, cilium_net_mac, {});
CONFIGURE(union v4addr, router_ipv4, {});
CONFIGURE(union v6addr, router_ipv6, {});
CONFIGURE(__u32, encap_ifindex, 0); /* 0: no tunnel, native routing */
CONFIGURE(__u32, direct_routing_dev_ifindex, 0);
CONFIGURE(union v4addr, direct_routing_ipv4, {});
CONFIGURE(union v6addr, direct_routing_ipv6, {});
/* Part of an IPv4 address that is a key of cilium_tunnel_map. */
CONFIGURE(union v4addr, pod_cidr_ipv4_mask, { .addr = { 255, 255, 255, 0 } });

/* Services and NAT. */
CONFIGURE(union v4addr, service_loopback_ipv4, { .addr = { 169, 254, 42, 1 } });
CONFIGURE(union v4addr, nat_ipv4_masquerade, {});
CONFIGURE(union v6addr, nat_ipv6_masquerade, {});
CONFIGURE(union v4addr, native_cidr_ipv4, {});
CONFIGURE(union v4addr, native_cidr_ipv4_mask, {}); /* 0: no native CIDR */
CONFIGURE(union v6addr, native_cidr_ipv6, {});
CONFIGURE(__u8, native_cidr_ipv6_prefix, 0);
CONFIGURE(__u16, nodeport_port_min, 30000);
CONFIGURE(__u16, nodeport_port_max, 32767);
CONFIGURE(__u32, hash_init4_seed, 0);
CONFIGURE(__u32, hash_init6_seed, 0);

/* Events: bytes of the packet in them; 0 = all, 1 = none on receive, 3 = only new flows, new TCP flags and every 5 s. */
CONFIGURE(__u32, trace_payload_len, 128);
CONFIGURE(__u8, monitor_aggregation, 0);

/* Features. */
CONFIGURE(bool, enable_ipv6, false);
CONFIGURE(bool, enable_per_packet_lb, false);
CONFIGURE(bool, enable_endpoint_routes, false);
CONFIGURE(bool, enable_host_routing, false);
CONFIGURE(bool, enable_nodeport, false);
CONFIGURE(bool, enable_masquerade_ipv4, false);
CONFIGURE(bool, enable_masquerade_ipv6, false);
CONFIGURE(bool, enable_host_firewall, false);
CONFIGURE(bool, enable_bandwidth_manager, false);
CONFIGURE(bool, enable_icmp_rule, false); /* policies may name ICMP types */
CONFIGURE(bool, enable_vlan_filter, false);
typedef __u16 vlan_list[8];
CONFIGURE(vlan_list, vlan_allowed, {}); /* 0 ends the list */

INLINE union v6addr config6(const volatile union v6addr *from)
{
	union v6addr address;

	address.d1 = from->d1;
	address.d2 = from->d2;
	return address;
}

INLINE union macaddr config_mac(const volatile union macaddr *from)
{
	union macaddr mac;

	mac.p1 = from->p1;
	mac.p2 = from->p2;
	return mac;
}
