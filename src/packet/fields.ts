/**
 * Protocol headers as data. The parser walks these tables, the field tree and the diff print from them; names are
 * those of Wireshark's display filters where they are short, else of the RFC.
 */

export type FieldKind = 'number' | 'hex' | 'ipv4' | 'ipv6' | 'mac' | 'bytes';

export interface FieldDescription {
  readonly name: string;
  /** Size in bits, most significant first, directly behind the field before. */
  readonly bits: number;
  /** How the value reads. `ipv4`, `ipv6`, `mac` and `bytes` lie on byte bounds and give bytes, the others numbers. */
  readonly kind: FieldKind;
  /** Text of known values. */
  readonly names?: Readonly<Record<number, string>>;
  /** Names of single bits, least significant first; '' = unnamed. */
  readonly flags?: readonly string[];
  /** The value counts units of so many bytes. */
  readonly unit?: number;
  /** An internet checksum or CRC. */
  readonly isChecksum?: boolean;
}

export interface ProtocolDescription {
  readonly title: string;
  /** The part that every packet of the protocol has. */
  readonly fields: readonly FieldDescription[];
}

export const ETHER_TYPES: Readonly<Record<number, string>> = {
  2048: 'IPv4',
  2054: 'ARP',
  25944: 'Transparent Ethernet Bridging',
  33024: '802.1Q VLAN',
  34525: 'IPv6',
  34887: 'MPLS',
  34915: 'PPPoE Discovery',
  34916: 'PPPoE Session',
  34984: '802.1ad VLAN',
  35006: 'ERSPAN',
  35020: 'LLDP',
  35045: 'MACsec',
  37120: 'QinQ VLAN (old)',
};

export const IP_PROTOCOLS: Readonly<Record<number, string>> = {
  0: 'hop-by-hop options',
  1: 'ICMP',
  2: 'IGMP',
  4: 'IPIP',
  6: 'TCP',
  17: 'UDP',
  41: 'IPv6',
  43: 'routing header',
  44: 'fragment header',
  47: 'GRE',
  50: 'ESP',
  51: 'AH',
  58: 'ICMPv6',
  59: 'no next header',
  60: 'destination options',
  89: 'OSPF',
  112: 'VRRP',
  132: 'SCTP',
  135: 'mobility header',
  136: 'UDP-Lite',
};

export const ICMP_TYPES: Readonly<Record<number, string>> = {
  0: 'echo reply',
  3: 'destination unreachable',
  4: 'source quench',
  5: 'redirect',
  8: 'echo request',
  9: 'router advertisement',
  10: 'router solicitation',
  11: 'time exceeded',
  12: 'parameter problem',
  13: 'timestamp request',
  14: 'timestamp reply',
};

export const ICMP6_TYPES: Readonly<Record<number, string>> = {
  1: 'destination unreachable',
  2: 'packet too big',
  3: 'time exceeded',
  4: 'parameter problem',
  128: 'echo request',
  129: 'echo reply',
  130: 'multicast listener query',
  131: 'multicast listener report',
  132: 'multicast listener done',
  133: 'router solicitation',
  134: 'router advertisement',
  135: 'neighbor solicitation',
  136: 'neighbor advertisement',
  137: 'redirect',
  143: 'multicast listener report v2',
};

export const IGMP_TYPES: Readonly<Record<number, string>> = {
  17: 'membership query',
  18: 'v1 membership report',
  22: 'v2 membership report',
  23: 'leave group',
  34: 'v3 membership report',
};

export const SCTP_CHUNKS: Readonly<Record<number, string>> = {
  0: 'DATA',
  1: 'INIT',
  2: 'INIT ACK',
  3: 'SACK',
  4: 'HEARTBEAT',
  5: 'HEARTBEAT ACK',
  6: 'ABORT',
  7: 'SHUTDOWN',
  8: 'SHUTDOWN ACK',
  9: 'ERROR',
  10: 'COOKIE ECHO',
  11: 'COOKIE ACK',
  14: 'SHUTDOWN COMPLETE',
};

/** UDP destination ports that carry tunnels: IANA's, and Linux's older default for VXLAN that Cilium uses. */
export const TUNNEL_PORTS: Readonly<Record<number, 'vxlan' | 'geneve'>> = {
  4789: 'vxlan',
  8472: 'vxlan',
  6081: 'geneve',
};

export const TCP_FLAGS = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR', 'AE'] as const;

function number(name: string, bits: number, more: Partial<FieldDescription> = {}): FieldDescription {
  return { name, bits, kind: 'number', ...more };
}

function hex(name: string, bits: number, more: Partial<FieldDescription> = {}): FieldDescription {
  return { name, bits, kind: 'hex', ...more };
}

function bytes(name: string, length: number): FieldDescription {
  return { name, bits: length * 8, kind: 'bytes' };
}

const mac = (name: string): FieldDescription => ({ name, bits: 48, kind: 'mac' });
const ipv4 = (name: string): FieldDescription => ({ name, bits: 32, kind: 'ipv4' });
const ipv6 = (name: string): FieldDescription => ({ name, bits: 128, kind: 'ipv6' });
const checksum = (): FieldDescription => hex('checksum', 16, { isChecksum: true });

export const PROTOCOLS = {
  eth: { title: 'Ethernet', fields: [mac('dst'), mac('src'), hex('type', 16, { names: ETHER_TYPES })] },
  vlan: {
    title: '802.1Q VLAN',
    fields: [number('priority', 3), number('dei', 1), number('id', 12), hex('type', 16, { names: ETHER_TYPES })],
  },
  arp: {
    title: 'ARP',
    fields: [
      number('hw.type', 16, { names: { 1: 'Ethernet' } }),
      hex('proto.type', 16, { names: ETHER_TYPES }),
      number('hw.size', 8),
      number('proto.size', 8),
      number('opcode', 16, { names: { 1: 'request', 2: 'reply' } }),
    ],
  },
  ipv4: {
    title: 'IPv4',
    fields: [
      number('version', 4),
      number('hdr_len', 4, { unit: 4 }),
      number('dscp', 6),
      number('ecn', 2),
      number('len', 16),
      number('id', 16),
      hex('flags', 3, { flags: ['MF', 'DF', 'reserved'] }),
      number('frag_offset', 13, { unit: 8 }),
      number('ttl', 8),
      number('proto', 8, { names: IP_PROTOCOLS }),
      checksum(),
      ipv4('src'),
      ipv4('dst'),
    ],
  },
  ipv6: {
    title: 'IPv6',
    fields: [
      number('version', 4),
      number('dscp', 6),
      number('ecn', 2),
      hex('flow', 20),
      number('plen', 16),
      number('nxt', 8, { names: IP_PROTOCOLS }),
      number('hlim', 8),
      ipv6('src'),
      ipv6('dst'),
    ],
  },
  hopopts: {
    title: 'IPv6 hop-by-hop options',
    fields: [number('nxt', 8, { names: IP_PROTOCOLS }), number('len', 8, { unit: 8 })],
  },
  dstopts: {
    title: 'IPv6 destination options',
    fields: [number('nxt', 8, { names: IP_PROTOCOLS }), number('len', 8, { unit: 8 })],
  },
  routing: {
    title: 'IPv6 routing header',
    fields: [
      number('nxt', 8, { names: IP_PROTOCOLS }),
      number('len', 8, { unit: 8 }),
      number('type', 8, { names: { 0: 'source route', 2: 'mobile', 3: 'RPL', 4: 'segment routing' } }),
      number('segleft', 8),
      hex('data', 32),
    ],
  },
  fragment: {
    title: 'IPv6 fragment header',
    fields: [
      number('nxt', 8, { names: IP_PROTOCOLS }),
      hex('reserved', 8),
      number('offset', 13, { unit: 8 }),
      hex('reserved2', 2),
      number('more', 1),
      hex('id', 32),
    ],
  },
  ah: {
    title: 'Authentication header',
    fields: [
      number('nxt', 8, { names: IP_PROTOCOLS }),
      number('len', 8, { unit: 4 }),
      hex('reserved', 16),
      hex('spi', 32),
      number('sequence', 32),
    ],
  },
  esp: { title: 'ESP', fields: [hex('spi', 32), number('sequence', 32)] },
  tcp: {
    title: 'TCP',
    fields: [
      number('srcport', 16),
      number('dstport', 16),
      number('seq', 32),
      number('ack', 32),
      number('hdr_len', 4, { unit: 4 }),
      hex('reserved', 3),
      hex('flags', 9, { flags: TCP_FLAGS }),
      number('window', 16),
      checksum(),
      number('urgent', 16),
    ],
  },
  udp: { title: 'UDP', fields: [number('srcport', 16), number('dstport', 16), number('len', 16), checksum()] },
  sctp: {
    title: 'SCTP',
    fields: [
      number('srcport', 16),
      number('dstport', 16),
      hex('verification_tag', 32),
      hex('checksum', 32, { isChecksum: true }),
    ],
  },
  icmp: { title: 'ICMP', fields: [number('type', 8, { names: ICMP_TYPES }), number('code', 8), checksum()] },
  icmp6: { title: 'ICMPv6', fields: [number('type', 8, { names: ICMP6_TYPES }), number('code', 8), checksum()] },
  igmp: {
    title: 'IGMP',
    fields: [hex('type', 8, { names: IGMP_TYPES }), number('max_resp', 8), checksum(), ipv4('group')],
  },
  vxlan: {
    title: 'VXLAN',
    fields: [hex('flags', 16), number('gbp', 16), number('vni', 24), hex('reserved', 8)],
  },
  geneve: {
    title: 'Geneve',
    fields: [
      number('version', 2),
      number('option_len', 6, { unit: 4 }),
      number('oam', 1),
      number('critical', 1),
      hex('reserved', 6),
      hex('proto', 16, { names: ETHER_TYPES }),
      number('vni', 24),
      hex('reserved2', 8),
    ],
  },
  gre: {
    title: 'GRE',
    fields: [
      hex('flags', 13, { flags: ['', '', '', '', '', '', '', '', '', 'sequence', 'key', 'routing', 'checksum'] }),
      number('version', 3),
      hex('proto', 16, { names: ETHER_TYPES }),
    ],
  },
} as const satisfies Record<string, ProtocolDescription>;

export type ProtocolName = keyof typeof PROTOCOLS;

/** Behind the fixed part of ARP for Ethernet and IPv4. */
export const ARP_IPV4: readonly FieldDescription[] = [
  mac('src.hw_mac'),
  ipv4('src.proto_ipv4'),
  mac('dst.hw_mac'),
  ipv4('dst.proto_ipv4'),
];

const ECHO: readonly FieldDescription[] = [number('ident', 16), number('seq', 16)];

/** Bytes 4 to 7 of an ICMP message by type; others are `rest`. */
export const ICMP_BODIES: Readonly<Record<number, readonly FieldDescription[]>> = {
  0: ECHO,
  3: [hex('unused', 16), number('mtu', 16)],
  5: [ipv4('gateway')],
  8: ECHO,
  12: [number('pointer', 8), hex('unused', 24)],
  13: ECHO,
  14: ECHO,
};

/** What follows the first four bytes of an ICMPv6 message by type; others have `rest`. */
export const ICMP6_BODIES: Readonly<Record<number, readonly FieldDescription[]>> = {
  2: [number('mtu', 32)],
  4: [number('pointer', 32)],
  128: ECHO,
  129: ECHO,
  130: [number('max_resp', 16), hex('reserved', 16), ipv6('group')],
  131: [number('max_resp', 16), hex('reserved', 16), ipv6('group')],
  132: [number('max_resp', 16), hex('reserved', 16), ipv6('group')],
  134: [
    number('hop_limit', 8),
    hex('flags', 8, { flags: ['', '', '', '', '', '', 'O', 'M'] }),
    number('lifetime', 16),
    number('reachable', 32),
    number('retrans', 32),
  ],
  135: [hex('reserved', 32), ipv6('target')],
  136: [hex('flags', 3, { flags: ['override', 'solicited', 'router'] }), hex('reserved', 29), ipv6('target')],
  137: [hex('reserved', 32), ipv6('target'), ipv6('destination')],
  143: [hex('reserved', 16), number('records', 16)],
};

export const REST: readonly FieldDescription[] = [hex('rest', 32)];

/** IGMP queries of version 3, behind the group. */
export const IGMP3_QUERY: readonly FieldDescription[] = [number('flags', 8), number('qqic', 8), number('sources', 16)];

export const GRE_CHECKSUM: readonly FieldDescription[] = [checksum(), hex('offset', 16)];
export const GRE_KEY: readonly FieldDescription[] = [hex('key', 32)];
export const GRE_SEQUENCE: readonly FieldDescription[] = [number('sequence', 32)];

export const SCTP_CHUNK: readonly FieldDescription[] = [
  number('type', 8, { names: SCTP_CHUNKS }),
  hex('flags', 8),
  number('len', 16),
];

/** Fixed parts of SCTP chunks behind their header. */
export const SCTP_CHUNK_BODIES: Readonly<Record<number, readonly FieldDescription[]>> = {
  0: [number('tsn', 32), number('stream', 16), number('stream_seq', 16), number('ppid', 32)],
  1: [
    hex('initiate_tag', 32),
    number('a_rwnd', 32),
    number('out_streams', 16),
    number('in_streams', 16),
    number('initial_tsn', 32),
  ],
  2: [
    hex('initiate_tag', 32),
    number('a_rwnd', 32),
    number('out_streams', 16),
    number('in_streams', 16),
    number('initial_tsn', 32),
  ],
  3: [number('cumulative_tsn', 32), number('a_rwnd', 32), number('gaps', 16), number('duplicates', 16)],
  7: [number('cumulative_tsn', 32)],
};

/** Geneve option header (RFC 8926 section 3.5). */
export const GENEVE_OPTION: readonly FieldDescription[] = [
  hex('class', 16),
  hex('type', 8),
  hex('reserved', 3),
  number('len', 5, { unit: 4 }),
];

export interface OptionDescription {
  readonly name: string;
  /** The fields of the value, if its length is their sum; else it reads as bytes. None: an option without value. */
  readonly fields: readonly FieldDescription[];
}

export const TCP_OPTIONS: Readonly<Record<number, OptionDescription>> = {
  0: { name: 'eol', fields: [] },
  1: { name: 'nop', fields: [] },
  2: { name: 'mss', fields: [number('mss', 16)] },
  3: { name: 'wscale', fields: [number('wscale', 8)] },
  4: { name: 'sackOK', fields: [] },
  5: { name: 'sack', fields: [bytes('sack', 8)] },
  8: { name: 'timestamp', fields: [number('tsval', 32), number('tsecr', 32)] },
  19: { name: 'md5', fields: [bytes('md5', 16)] },
  28: { name: 'user_timeout', fields: [hex('user_timeout', 16)] },
  30: { name: 'mptcp', fields: [] },
  34: { name: 'fast_open', fields: [bytes('fast_open', 8)] },
};

export const IPV4_OPTIONS: Readonly<Record<number, OptionDescription>> = {
  0: { name: 'eol', fields: [] },
  1: { name: 'nop', fields: [] },
  7: { name: 'record_route', fields: [] },
  68: { name: 'timestamp', fields: [] },
  131: { name: 'loose_source_route', fields: [] },
  137: { name: 'strict_source_route', fields: [] },
  148: { name: 'router_alert', fields: [number('router_alert', 16)] },
};

export const IPV6_OPTIONS: Readonly<Record<number, OptionDescription>> = {
  0: { name: 'pad1', fields: [] },
  1: { name: 'padn', fields: [] },
  5: { name: 'router_alert', fields: [number('router_alert', 16)] },
  194: { name: 'jumbo', fields: [number('jumbo', 32)] },
  201: { name: 'home_address', fields: [ipv6('home_address')] },
};

export const NDP_OPTIONS: Readonly<Record<number, OptionDescription>> = {
  1: { name: 'source_lladdr', fields: [mac('source_lladdr')] },
  2: { name: 'target_lladdr', fields: [mac('target_lladdr')] },
  3: {
    name: 'prefix',
    fields: [
      number('prefix_len', 8),
      hex('flags', 8),
      number('valid', 32),
      number('preferred', 32),
      hex('reserved', 32),
      ipv6('prefix'),
    ],
  },
  4: { name: 'redirected', fields: [] },
  5: { name: 'mtu', fields: [hex('reserved', 16), number('mtu', 32)] },
};
