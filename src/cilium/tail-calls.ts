import { type Era, holdsIn } from './era.js';

/** A name for a number and the versions, by minor number, in which it stands for it. */
export type NumberedName = readonly [name: string, number: number, since: Era, until?: Era];

/**
 * Slots of the tail-call map `cilium_calls` (CILIUM_CALL_* in bpf/lib/common.h, from 1.19 in bpf/lib/tailcall.h). The first
 * name of a slot is the one that the datapath defines, the ones behind it are its aliases.
 */
export const TAIL_CALL_SLOTS: readonly NumberedName[] = [
  ['DROP_NOTIFY', 1, 10],
  ['ERROR_NOTIFY', 2, 10],
  ['SEND_ICMP6_ECHO_REPLY', 3, 10, 13],
  ['HANDLE_ICMP6_NS', 4, 10],
  ['SEND_ICMP6_TIME_EXCEEDED', 5, 10],
  ['ARP', 6, 10],
  ['IPV4_FROM_LXC', 7, 10],
  ['IPV4_FROM_NETDEV', 7, 12],
  ['IPV4_FROM_OVERLAY', 7, 12],
  ['IPV4_FROM_WIREGUARD', 7, 18],
  ['NAT64', 8, 10, 11],
  ['IPV46_RFC8215', 8, 13, 17],
  ['IPV46_RFC6052', 8, 18],
  ['NAT46', 9, 10, 11],
  ['IPV64_RFC8215', 9, 13, 17],
  ['IPV64_RFC6052', 9, 18],
  ['IPV6_FROM_LXC', 10, 10],
  ['IPV6_FROM_NETDEV', 10, 12],
  ['IPV6_FROM_OVERLAY', 10, 12],
  ['IPV6_FROM_WIREGUARD', 10, 18],
  ['IPV4_TO_LXC_POLICY_ONLY', 11, 10],
  ['IPV4_TO_HOST_POLICY_ONLY', 11, 10],
  ['IPV6_TO_LXC_POLICY_ONLY', 12, 10],
  ['IPV6_TO_HOST_POLICY_ONLY', 12, 10],
  ['IPV4_TO_ENDPOINT', 13, 10],
  ['IPV6_TO_ENDPOINT', 14, 10],
  ['IPV4_NODEPORT_NAT', 15, 10, 12],
  ['IPV4_NODEPORT_NAT_EGRESS', 15, 13],
  ['IPV6_NODEPORT_NAT', 16, 10, 12],
  ['IPV6_NODEPORT_NAT_EGRESS', 16, 13],
  ['IPV4_NODEPORT_REVNAT', 17, 10],
  ['IPV6_NODEPORT_REVNAT', 18, 10, 17],
  ['IPV6_NODEPORT_REVNAT_INGRESS', 18, 18],
  ['IPV4_ENCAP_NODEPORT_NAT', 19, 10, 13],
  ['IPV4_NODEPORT_NAT_FWD', 19, 14, 17],
  ['IPV6_NODEPORT_REVNAT_EGRESS', 19, 18],
  ['IPV4_NODEPORT_DSR', 20, 10, 17],
  ['IPV4_NODEPORT_NAT_FWD', 20, 18],
  ['IPV6_NODEPORT_DSR', 21, 10, 17],
  ['IPV4_NODEPORT_DSR', 21, 18],
  ['IPV4_FROM_HOST', 22, 10, 17],
  ['IPV6_NODEPORT_DSR', 22, 18],
  ['IPV6_FROM_HOST', 23, 10, 17],
  ['IPV4_FROM_HOST', 23, 18],
  ['IPV6_ENCAP_NODEPORT_NAT', 24, 10, 13],
  ['IPV6_NODEPORT_NAT_FWD', 24, 14, 17],
  ['IPV6_FROM_HOST', 24, 18],
  ['IPV4_FROM_LXC_CONT', 25, 12, 17],
  ['IPV6_NODEPORT_NAT_FWD', 25, 18],
  ['IPV6_FROM_LXC_CONT', 26, 12, 17],
  ['IPV4_FROM_LXC_CONT', 26, 18],
  ['IPV4_CT_INGRESS', 27, 12, 17],
  ['IPV6_FROM_LXC_CONT', 27, 18],
  ['IPV4_CT_INGRESS_POLICY_ONLY', 28, 12, 17],
  ['IPV4_CT_INGRESS', 28, 18],
  ['IPV4_CT_EGRESS', 29, 12, 17],
  ['IPV4_CT_INGRESS_POLICY_ONLY', 29, 18],
  ['IPV6_CT_INGRESS', 30, 12, 17],
  ['IPV4_CT_EGRESS', 30, 18],
  ['IPV6_CT_INGRESS_POLICY_ONLY', 31, 12, 17],
  ['IPV6_CT_INGRESS', 31, 18],
  ['IPV6_CT_EGRESS', 32, 12, 17],
  ['IPV6_CT_INGRESS_POLICY_ONLY', 32, 18],
  ['SRV6_ENCAP', 33, 13, 17],
  ['IPV6_CT_EGRESS', 33, 18],
  ['SRV6_DECAP', 34, 13, 17],
  ['SRV6_ENCAP', 34, 18],
  ['SRV6_REPLY', 35, 13, 15],
  ['SRV6_DECAP', 35, 18],
  ['IPV4_NODEPORT_NAT_INGRESS', 36, 13],
  ['IPV6_NODEPORT_NAT_INGRESS', 37, 13],
  ['IPV4_NODEPORT_SNAT_FWD', 38, 14],
  ['IPV6_NODEPORT_SNAT_FWD', 39, 14],
  ['IPV4_NODEPORT_DSR_INGRESS', 40, 14, 14],
  ['IPV4_INTER_CLUSTER_REVSNAT', 40, 18],
  ['IPV6_NODEPORT_DSR_INGRESS', 41, 14, 14],
  ['IPV4_CONT_FROM_HOST', 41, 18],
  ['IPV4_INTER_CLUSTER_REVSNAT', 42, 14, 17],
  ['IPV4_CONT_FROM_NETDEV', 42, 18],
  ['IPV4_CONT_FROM_HOST', 43, 14, 17],
  ['IPV6_CONT_FROM_HOST', 43, 18],
  ['IPV4_CONT_FROM_NETDEV', 44, 14, 17],
  ['IPV6_CONT_FROM_NETDEV', 44, 18],
  ['IPV6_CONT_FROM_HOST', 45, 14, 17],
  ['IPV4_NO_SERVICE', 45, 18],
  ['IPV6_CONT_FROM_NETDEV', 46, 14, 17],
  ['IPV6_NO_SERVICE', 46, 18],
  ['IPV4_NO_SERVICE', 47, 15, 17],
  ['MULTICAST_EP_DELIVERY', 47, 18],
  ['IPV6_NO_SERVICE', 48, 15, 17],
  ['IPV4_POLICY_DENIED', 48, 19],
  ['MULTICAST_EP_DELIVERY', 49, 16, 17],
];

/** All names of a number in a version, the defining one first. */
export function namesOf(table: readonly NumberedName[], number: number, era: Era): string[] {
  return table
    .filter(([, value, since, until]) => value === number && holdsIn({ since, until }, era))
    .map(([name]) => name);
}

/** Name of a tail-call slot without CILIUM_CALL_, e.g. slot 29 of 1.13: IPV4_CT_EGRESS; undefined if the version has none. */
export function slotName(slot: number, era: Era): string | undefined {
  return namesOf(TAIL_CALL_SLOTS, slot, era)[0];
}

/** Slot of a tail call by its name without CILIUM_CALL_; undefined if the version has none. */
export function slotOf(name: string, era: Era): number | undefined {
  return TAIL_CALL_SLOTS.find(([known, , since, until]) => known === name && holdsIn({ since, until }, era))?.[1];
}
