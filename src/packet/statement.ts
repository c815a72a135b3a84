import { readMac } from './addresses.js';

export type StatementProtocol =
  | 'tcp'
  | 'udp'
  | 'sctp'
  | 'icmp'
  | 'icmp6'
  | 'igmp'
  | 'arp'
  | 'ip'
  | 'esp'
  | 'eth'
  | 'vxlan'
  | 'geneve'
  | 'gre'
  | 'ipip';

export interface Endpoint {
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly port?: number;
}

/** A packet in words after reading; what is undefined gets its default when bytes are built. */
export interface Statement {
  readonly protocol: StatementProtocol;
  source?: Endpoint;
  destination?: Endpoint;
  /** The packet inside: of a tunnel, or quoted by an ICMP error. */
  inner?: Statement;
  payload?: Uint8Array;
  /** Cuts the built packet to so many bytes. */
  truncate?: number;
  /** Makes the checksum of the protocol wrong. */
  badSum?: boolean;

  ethSource?: Uint8Array;
  ethDestination?: Uint8Array;
  etherType?: number;
  noEthernet?: boolean;
  vlans?: readonly { readonly id: number; readonly priority: number }[];

  ttl?: number;
  dscp?: number;
  ecn?: number;
  ipId?: number;
  flow?: number;
  dontFragment?: boolean;
  /** Offset in bytes. */
  fragment?: { readonly offset: number; readonly more: boolean };
  ipProtocol?: number;
  ipLength?: number;
  ipOptions?: Uint8Array;
  /** Protocol numbers of IPv6 extension headers. */
  extensions?: readonly number[];
  badIpSum?: boolean;

  flags?: number;
  seq?: number;
  ack?: number;
  window?: number;
  urgent?: number;
  tcpOptions?: Uint8Array;

  udpLength?: number;
  /** UDP checksum: true computes it, false leaves 0. */
  udpSum?: boolean;

  icmpType?: number;
  icmpCode?: number;
  ident?: number;
  mtu?: number;
  pointer?: number;
  gateway?: Uint8Array;
  /** Target of a neighbour solicitation or advertisement. */
  target?: Uint8Array;
  linkAddress?: Uint8Array;
  /** R, S, O bits of a neighbour advertisement: 4, 2, 1. */
  neighbourFlags?: number;

  group?: Uint8Array;
  igmpType?: number;

  chunk?: number;
  verificationTag?: number;

  arpOperation?: number;
  arpSender?: Uint8Array;
  arpSenderMac?: Uint8Array;
  arpTarget?: Uint8Array;

  vni?: number;
  gbp?: number;
  tunnelOptions?: Uint8Array;
  tunnelBits?: number;
  sourcePort?: number;
  port?: number;

  spi?: number;
  key?: number;
  greSum?: boolean;
  greEthernet?: boolean;
}

/** MAC addresses of built packets unless `eth=` says otherwise. */
export const DEFAULT_SOURCE_MAC = readMac('02:00:00:00:00:01')!;
export const DEFAULT_DESTINATION_MAC = readMac('02:00:00:00:00:02')!;
