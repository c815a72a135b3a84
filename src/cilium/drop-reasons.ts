import { type Era, holdsIn, type Span } from './era.js';

/** Why the datapath dropped a packet. */
export interface DropReason extends Span {
  /** Positive; programs use its negative as return code. */
  readonly code: number;
  /** Name of the constant without DROP_. */
  readonly name: string;
  /** One sentence: what happened and what to look at. */
  readonly explanation: string;
}

/**
 * Drop reasons (DROP_* in bpf/lib/common.h, the subtype of a drop event). Codes 130, 131, 138, 148, 149 and 152 are unused in
 * every version from 1.10 on; 143 and 144 were called UNKNOWN_ICMP_CODE and _TYPE up to 1.17.
 */
export const DROP_REASONS: readonly DropReason[] = [
  {
    code: 132,
    name: 'INVALID_SIP',
    explanation:
      "The endpoint sent from an address that is not its own: compare the packet's source with the address in the endpoint's configuration and cilium_lxc.",
  },
  {
    code: 133,
    name: 'POLICY',
    explanation:
      "No policy entry allows this identity, port and protocol: look at the endpoint's cilium_policy map, and at the identity that cilium_ipcache gives the peer's address.",
  },
  {
    code: 134,
    name: 'INVALID',
    explanation:
      'The packet is malformed or shorter than its headers say, or (before 1.15) its TTL ran out: look at its length and header fields.',
  },
  {
    code: 135,
    name: 'CT_INVALID_HDR',
    explanation:
      'Connection tracking could not read the transport header: the packet is cut or its header lengths are wrong.',
  },
  {
    code: 136,
    name: 'FRAG_NEEDED',
    explanation:
      'The packet is larger than the MTU and must not be fragmented: compare its length with the MTU of device and tunnel.',
  },
  {
    code: 137,
    name: 'CT_UNKNOWN_PROTO',
    explanation: "Connection tracking knows TCP, UDP, SCTP and ICMP only: look at the packet's protocol.",
  },
  {
    code: 139,
    name: 'UNKNOWN_L3',
    explanation:
      'The Ethernet type is neither IPv4 nor IPv6 (nor ARP where it is handled), or the IP version is not enabled in this build.',
  },
  {
    code: 140,
    name: 'MISSED_TAIL_CALL',
    explanation:
      'The slot of the tail call is empty: look whether cilium_calls (or the policy prog array at this endpoint id) holds the program.',
  },
  {
    code: 141,
    name: 'WRITE_ERROR',
    explanation: 'A helper could not write to the packet: it is too short, or shared and could not be copied.',
  },
  {
    code: 142,
    name: 'UNKNOWN_L4',
    explanation: 'The transport protocol is not one that this path handles: look at the protocol field.',
  },
  {
    code: 143,
    name: 'UNKNOWN_ICMP4_CODE',
    explanation: 'The code of the ICMP message is not one that this path handles.',
  },
  {
    code: 144,
    name: 'UNKNOWN_ICMP4_TYPE',
    explanation: 'The type of the ICMP message is not one that this path handles.',
  },
  {
    code: 145,
    name: 'UNKNOWN_ICMP6_CODE',
    explanation: 'The code of the ICMPv6 message is not one that this path handles.',
  },
  {
    code: 146,
    name: 'UNKNOWN_ICMP6_TYPE',
    explanation: 'The type of the ICMPv6 message is not one that this path handles.',
  },
  {
    code: 147,
    name: 'NO_TUNNEL_KEY',
    explanation:
      'The packet came to the tunnel program without tunnel metadata: it was not decapsulated by the tunnel device.',
  },
  {
    code: 150,
    name: 'UNKNOWN_TARGET',
    explanation:
      'The router does not answer for this address: the target of the neighbour solicitation is not its own.',
  },
  {
    code: 151,
    name: 'UNROUTABLE',
    explanation:
      'The node knows no endpoint and no route for the destination: look at cilium_lxc and the routes of the node.',
  },
  {
    code: 153,
    name: 'CSUM_L3',
    explanation: 'The IPv4 header checksum could not be corrected: the packet is shorter than its header.',
  },
  {
    code: 154,
    name: 'CSUM_L4',
    explanation: 'The transport checksum could not be corrected: the packet is shorter than its header.',
  },
  {
    code: 155,
    name: 'CT_CREATE_FAILED',
    explanation: 'The connection could not be stored: the cilium_ct map is full or refused the entry.',
  },
  {
    code: 156,
    name: 'INVALID_EXTHDR',
    explanation: 'An IPv6 extension header is malformed or one that the datapath does not pass over.',
  },
  { code: 157, name: 'FRAG_NOSUPPORT', explanation: 'The packet is a fragment and fragment tracking is not built in.' },
  {
    code: 158,
    name: 'NO_SERVICE',
    explanation:
      'The service exists but has no usable backend, or its entries disagree: look at the count in slot 0 of cilium_lb4_services_v2 (or lb6) and at the backends of its slots.',
  },
  {
    code: 159,
    name: 'UNSUPP_SERVICE_PROTO',
    since: 15,
    explanation: "The service's address takes no traffic of this protocol or port.",
  },
  {
    code: 160,
    name: 'NO_TUNNEL_ENDPOINT',
    explanation:
      'The destination has to go through the tunnel but no node is known for it: look at the tunnel endpoint of its entry in cilium_ipcache (or cilium_tunnel_map).',
  },
  {
    code: 161,
    name: 'NAT_46X64_DISABLED',
    since: 12,
    explanation: 'The packet needs translation between IPv4 and IPv6, which is switched off.',
  },
  {
    code: 162,
    name: 'EDT_HORIZON',
    explanation:
      'The bandwidth limit would delay the packet beyond the horizon: the endpoint sends faster than its rate in cilium_throttle.',
  },
  {
    code: 163,
    name: 'UNKNOWN_CT',
    explanation: 'The connection look-up gave a result that this path does not expect.',
  },
  {
    code: 164,
    name: 'HOST_UNREACHABLE',
    explanation:
      'The node itself may not be reached from here: an endpoint tried to talk to it where that is switched off.',
  },
  { code: 165, name: 'NO_CONFIG', explanation: 'The configuration that a policy decision needs is missing.' },
  { code: 166, name: 'UNSUPPORTED_L2', explanation: 'The frame has no Ethernet header that the datapath understands.' },
  {
    code: 167,
    name: 'NAT_NO_MAPPING',
    explanation: 'No source port was free for the translation: look at the NAT map and its range of ports.',
  },
  {
    code: 168,
    name: 'NAT_UNSUPP_PROTO',
    explanation: 'The protocol cannot be translated: NAT knows TCP, UDP, SCTP and ICMP echo and errors.',
  },
  {
    code: 169,
    name: 'NO_FIB',
    explanation: 'The route look-up failed: look at the extended error and at the routes and neighbours of the node.',
  },
  {
    code: 170,
    name: 'ENCAP_PROHIBITED',
    explanation: 'Encapsulated traffic of an endpoint is not allowed: it would look as if it came from a node.',
  },
  {
    code: 171,
    name: 'INVALID_IDENTITY',
    explanation:
      'The identity that came with the packet may not be used there: the tunnel carries no identity of the local host.',
  },
  {
    code: 172,
    name: 'UNKNOWN_SENDER',
    explanation: 'The sender of the packet is not known: look at the entry of its address in cilium_ipcache.',
  },
  {
    code: 173,
    name: 'NAT_NOT_NEEDED',
    explanation:
      'No translation was needed; the datapath uses the code inside itself and the packet should have gone on.',
  },
  {
    code: 174,
    name: 'IS_CLUSTER_IP',
    explanation: 'The destination is a ClusterIP, which may not be reached from outside the cluster.',
  },
  {
    code: 175,
    name: 'FRAG_NOT_FOUND',
    explanation:
      'The first piece of the fragmented datagram was not seen, so its ports are unknown: look at cilium_ipv4_frag_datagrams.',
  },
  {
    code: 176,
    name: 'FORBIDDEN_ICMP6',
    explanation: 'This ICMPv6 message may not cross the host: the host firewall does not allow its type.',
  },
  {
    code: 177,
    name: 'NOT_IN_SRC_RANGE',
    explanation:
      "The client's address is not in the source ranges of the service: look at cilium_lb4_source_range (or lb6).",
  },
  {
    code: 178,
    name: 'PROXY_LOOKUP_FAILED',
    explanation:
      'No socket of the proxy was found for the packet: the proxy does not listen on the port of the policy.',
  },
  { code: 179, name: 'PROXY_SET_FAILED', explanation: 'The packet could not be given to the socket of the proxy.' },
  { code: 180, name: 'PROXY_UNKNOWN_PROTO', explanation: 'Only TCP and UDP can be redirected to the proxy.' },
  {
    code: 181,
    name: 'POLICY_DENY',
    explanation: "A deny rule matched: look for the entry with the deny flag in the endpoint's cilium_policy map.",
  },
  {
    code: 182,
    name: 'VLAN_FILTERED',
    since: 11,
    explanation: 'The VLAN of the packet is not allowed on this device: look at the list of allowed VLAN ids.',
  },
  {
    code: 183,
    name: 'INVALID_VNI',
    since: 12,
    explanation:
      'The VXLAN tunnel endpoint outside the cluster sent a VNI that is not the one configured for it: look at cilium_vtep_map.',
  },
  {
    code: 184,
    name: 'INVALID_TC_BUFFER',
    since: 12,
    explanation:
      'The buffer between two tail calls is missing or was never filled: the first half of the pair did not run or could not store its result.',
  },
  {
    code: 185,
    name: 'NO_SID',
    since: 13,
    explanation: 'No SRv6 segment is known for the destination: look at cilium_srv6_policy and cilium_srv6_sid.',
  },
  {
    code: 186,
    name: 'MISSING_SRV6_STATE',
    since: 13,
    until: 18,
    explanation: 'The SRv6 state that the packet needs was lost between two tail calls.',
  },
  { code: 187, name: 'NAT46', since: 13, explanation: 'The packet could not be translated from IPv4 to IPv6.' },
  { code: 188, name: 'NAT64', since: 13, explanation: 'The packet could not be translated from IPv6 to IPv4.' },
  {
    code: 189,
    name: 'POLICY_AUTH_REQUIRED',
    since: 14,
    explanation:
      'Policy allows the flow after mutual authentication, which has not been done: look at cilium_auth_map.',
  },
  {
    code: 190,
    name: 'CT_NO_MAP_FOUND',
    since: 14,
    explanation: 'The cluster of the packet has no connection tracking map: look at the outer per-cluster map.',
  },
  {
    code: 191,
    name: 'SNAT_NO_MAP_FOUND',
    since: 14,
    explanation: 'The cluster of the packet has no NAT map: look at the outer per-cluster map.',
  },
  { code: 192, name: 'INVALID_CLUSTER_ID', since: 14, explanation: 'The cluster id of the packet is out of range.' },
  {
    code: 193,
    name: 'DSR_ENCAP_UNSUPP_PROTO',
    since: 14,
    explanation: 'Direct server return with encapsulation handles TCP and UDP only.',
  },
  {
    code: 194,
    name: 'NO_EGRESS_GATEWAY',
    since: 14,
    explanation: 'An egress gateway policy matched but names no gateway node: look at cilium_egress_gw_policy_v4.',
  },
  {
    code: 195,
    name: 'UNENCRYPTED_TRAFFIC',
    since: 14,
    explanation: 'Strict mode allows encrypted traffic only, and the packet would have left in plain text.',
  },
  { code: 196, name: 'TTL_EXCEEDED', since: 15, explanation: "The packet's TTL or hop limit ran out on this node." },
  {
    code: 197,
    name: 'NO_NODE_ID',
    since: 15,
    explanation: 'The node of the peer has no id: look at cilium_node_map (or cilium_node_map_v2).',
  },
  {
    code: 198,
    name: 'RATE_LIMITED',
    since: 15,
    explanation: 'Answering or reporting the packet went over a rate limit.',
  },
  {
    code: 199,
    name: 'IGMP_HANDLED',
    since: 16,
    explanation: 'The IGMP message was handled on the node and ends there; nothing is wrong.',
  },
  {
    code: 200,
    name: 'IGMP_SUBSCRIBED',
    since: 16,
    explanation: 'The endpoint joined or left a multicast group; the message ends there and nothing is wrong.',
  },
  {
    code: 201,
    name: 'MULTICAST_HANDLED',
    since: 16,
    explanation: 'The packet was copied to the subscribers of its group; the original ends there and nothing is wrong.',
  },
  {
    code: 202,
    name: 'HOST_NOT_READY',
    since: 16,
    explanation:
      "The policy program of the host is not loaded yet: look at the policy prog array at the host's endpoint id.",
  },
  {
    code: 203,
    name: 'EP_NOT_READY',
    since: 16,
    explanation:
      'The policy program of the destination endpoint is not loaded yet: look at the policy prog array at its endpoint id.',
  },
  {
    code: 204,
    name: 'NO_EGRESS_IP',
    since: 17,
    explanation: 'An egress gateway policy matched on its gateway node but names no address to send from.',
  },
  {
    code: 205,
    name: 'PUNT_PROXY',
    since: 18,
    explanation:
      'The packet belongs to the proxy and is left to the network stack; the datapath uses the code inside itself.',
  },
  {
    code: 206,
    name: 'NO_DEVICE',
    since: 20,
    explanation: 'The device that the packet should leave through is not known: look at cilium_devices.',
  },
];

const BY_CODE: ReadonlyMap<number, DropReason> = new Map(DROP_REASONS.map((reason) => [reason.code, reason]));

/** The reason with that code (a negative code is taken as its positive), undefined if the version has none. */
export function dropReason(code: number, era?: Era): DropReason | undefined {
  const reason = BY_CODE.get(Math.abs(code));
  return reason && holdsIn(reason, era) ? reason : undefined;
}

/** `POLICY (133)`; the number alone for an unknown reason. */
export function dropReasonText(code: number): string {
  const positive = Math.abs(code);
  const reason = dropReason(positive);
  return reason ? `${reason.name} (${positive})` : String(positive);
}
