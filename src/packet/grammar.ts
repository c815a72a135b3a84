import { formatMac, readAddress, readIPv4, readIPv6, readMac } from './addresses.js';
import { concat, readHex, setU16, setU32 } from './bytes.js';
import { DEFAULT_DESTINATION_MAC, DEFAULT_SOURCE_MAC, type Statement, type StatementProtocol } from './statement.js';

/** A value that is not what its word takes; the parser of words adds the place. */
export class Mismatch {
  constructor(readonly expected: string) {}
}

/** One word of the packet language. The parser and the help text read this table and nothing else. */
export interface Term {
  readonly word: string;
  /** `word=VALUE`: the text for VALUE; `next`: the value is the next word. Neither: the word stands alone. */
  readonly value?: string;
  readonly next?: string;
  readonly protocols: readonly StatementProtocol[];
  readonly help: string;
  /** Writes the meaning into the statement. @throws Mismatch */
  readonly apply: (statement: Statement, value: string) => void;
  /** Words of one meaning stand in one line of the help, under the first. */
  readonly group?: string;
}

export interface StatementShape {
  readonly protocol: StatementProtocol;
  /** How the endpoints are written; undefined: there are none. */
  readonly endpoints?: 'address:port' | 'address' | 'address[:port]';
  /** The only address family, if it is one. */
  readonly family?: 4 | 6;
  /** Takes a packet behind ` : `. */
  readonly takesInner?: boolean;
  readonly help: string;
}

export const SHAPES: readonly StatementShape[] = [
  { protocol: 'tcp', endpoints: 'address:port', help: 'TCP segment' },
  { protocol: 'udp', endpoints: 'address:port', help: 'UDP datagram' },
  { protocol: 'sctp', endpoints: 'address:port', help: 'SCTP packet with one chunk' },
  {
    protocol: 'icmp',
    endpoints: 'address',
    family: 4,
    takesInner: true,
    help: 'ICMP; errors quote a packet after " : "',
  },
  {
    protocol: 'icmp6',
    endpoints: 'address',
    family: 6,
    takesInner: true,
    help: 'ICMPv6, neighbour discovery included',
  },
  { protocol: 'igmp', endpoints: 'address', family: 4, help: 'IGMP' },
  { protocol: 'arp', help: 'ARP for Ethernet and IPv4' },
  { protocol: 'ip', endpoints: 'address', help: 'IP with any protocol number and payload' },
  { protocol: 'esp', endpoints: 'address', help: 'ESP with opaque content' },
  { protocol: 'eth', help: 'Ethernet with any type and payload' },
  { protocol: 'vxlan', endpoints: 'address[:port]', takesInner: true, help: 'VXLAN around the packet after " : "' },
  { protocol: 'geneve', endpoints: 'address[:port]', takesInner: true, help: 'Geneve around the packet after " : "' },
  { protocol: 'gre', endpoints: 'address', takesInner: true, help: 'GRE around the packet after " : "' },
  { protocol: 'ipip', endpoints: 'address', takesInner: true, help: 'IP around the IP packet after " : "' },
];

const ALL = SHAPES.map((shape) => shape.protocol);
const IP = ALL.filter((protocol) => protocol !== 'arp' && protocol !== 'eth');
const PAYLOAD = ALL.filter((protocol) => protocol !== 'arp' && protocol !== 'igmp');
const SUMMED = ALL.filter((protocol) => !['arp', 'eth', 'ip', 'esp', 'ipip'].includes(protocol));
const WITH_OWN_ID: readonly StatementProtocol[] = ['icmp', 'icmp6'];

const FLAG_BITS: Readonly<Record<string, number>> = {
  fin: 1,
  syn: 2,
  rst: 4,
  psh: 8,
  ack: 16,
  urg: 32,
  ece: 64,
  cwr: 128,
};
const FLAG_LETTERS: Readonly<Record<string, number>> = { F: 1, S: 2, R: 4, P: 8, '.': 16, U: 32, E: 64, W: 128 };

/** TCP flags as `syn,ack`, as tcpdump's `S.`, or as a number; undefined if it is none of them. */
export function readFlags(text: string): number | undefined {
  if (text === 'none') return 0;
  if (/^[FSRPUEW.]+$/.test(text)) return [...text].reduce((bits, letter) => bits | FLAG_LETTERS[letter]!, 0);
  let bits = 0;
  for (const name of text.toLowerCase().split(',')) {
    if (!Object.hasOwn(FLAG_BITS, name)) return undefined;
    bits |= FLAG_BITS[name]!;
  }
  return bits;
}

export const FLAG_WORDS = Object.keys(FLAG_BITS);

const icmpWord = (word: string, type: number, code?: number): Term => ({
  word,
  protocols: ['icmp'],
  group: code === undefined ? 'kind of message' : 'code of unreachable',
  help: '',
  apply: (s) => {
    s.icmpType = type;
    if (code !== undefined) s.icmpCode = code;
  },
});

const icmp6Word = (word: string, type: number, code?: number): Term => ({
  ...icmpWord(word, type, code),
  protocols: ['icmp6'],
});

const chunkWord = (word: string, chunk: number): Term => ({
  word,
  protocols: ['sctp'],
  group: 'kind of chunk (data with a payload, else init)',
  help: '',
  apply: (s) => {
    s.chunk = chunk;
  },
});

const igmpWord = (word: string, type: number): Term => ({
  word,
  protocols: ['igmp'],
  group: 'kind of message (report)',
  help: '',
  apply: (s) => {
    s.igmpType = type;
  },
});

export const TERMS: readonly Term[] = [
  {
    word: 'payload',
    value: 'TEXT|"TEXT"|hex:DIGITS',
    protocols: PAYLOAD,
    help: 'what it carries; "TEXT" alone is the same (escapes \\n \\r \\t \\" \\\\ \\xHH)',
    apply: (s, v) => {
      s.payload = v.startsWith('hex:') ? hexValue(v.slice(4)) : new TextEncoder().encode(v);
    },
  },
  {
    word: 'len',
    value: 'N',
    protocols: PAYLOAD,
    help: 'a payload of N bytes counting 00 01 02 ...',
    apply: (s, v) => {
      s.payload = Uint8Array.from({ length: numberValue(v, 0, 65535) }, (_, i) => i);
    },
  },
  {
    word: 'truncate',
    value: 'N',
    protocols: ALL,
    help: 'cuts the packet to N bytes after lengths and checksums are set',
    apply: (s, v) => {
      s.truncate = numberValue(v, 0, 65535);
    },
  },
  {
    word: 'badsum',
    protocols: SUMMED,
    help: 'makes the checksum of this protocol wrong',
    apply: (s) => {
      s.badSum = true;
    },
  },
  {
    word: 'eth',
    value: 'SRC>DST',
    protocols: ALL,
    help: `MAC addresses (${formatMac(DEFAULT_SOURCE_MAC)}>${formatMac(DEFAULT_DESTINATION_MAC)}; multicast, broadcast as IP asks)`,
    apply: (s, v) => {
      const macs = v.split('>').map(readMac);
      if (macs.length !== 2 || !macs[0] || !macs[1]) throw new Mismatch('two MAC addresses SRC>DST');
      [s.ethSource, s.ethDestination] = macs;
    },
  },
  {
    word: 'noeth',
    protocols: ALL,
    help: 'starts at the IP header, as on a device without layer 2',
    apply: (s) => {
      s.noEthernet = true;
    },
  },
  {
    word: 'vlan',
    value: 'ID[:PRIORITY][,ID]',
    protocols: ALL,
    help: 'VLAN tags, outermost first',
    apply: (s, v) => {
      s.vlans = v.split(',').map((tag) => {
        const [id, priority = '0', ...more] = tag.split(':');
        if (more.length > 0) throw new Mismatch('VLAN tags such as 100 or 100:3,200');
        return { id: numberValue(id!, 0, 4095), priority: numberValue(priority, 0, 7) };
      });
    },
  },
  {
    word: 'type',
    value: 'N',
    protocols: ['eth', 'icmp', 'icmp6'],
    help: 'Ethernet type (0x88b5), or type of the ICMP message',
    apply: (s, v) => {
      if (s.protocol === 'eth') s.etherType = numberValue(v, 0, 0xffff);
      else s.icmpType = numberValue(v, 0, 255);
    },
  },
  {
    word: 'ttl',
    value: 'N',
    protocols: IP,
    help: 'time to live or hop limit (64; 255 for neighbour discovery)',
    apply: (s, v) => {
      s.ttl = numberValue(v, 0, 255);
    },
  },
  {
    word: 'tos',
    value: 'N',
    protocols: IP,
    help: 'type of service or traffic class, all 8 bits',
    apply: (s, v) => {
      const tos = numberValue(v, 0, 255);
      s.dscp = tos >> 2;
      s.ecn = tos & 3;
    },
  },
  {
    word: 'dscp',
    value: 'N',
    protocols: IP,
    help: 'upper 6 bits of it',
    apply: (s, v) => {
      s.dscp = numberValue(v, 0, 63);
    },
  },
  {
    word: 'ecn',
    value: 'N',
    protocols: IP,
    help: 'lower 2 bits of it',
    apply: (s, v) => {
      s.ecn = numberValue(v, 0, 3);
    },
  },
  {
    word: 'id',
    value: 'N',
    protocols: IP,
    help: 'IP identification (0); of ICMP messages the echo identifier (1)',
    apply: (s, v) => {
      if (WITH_OWN_ID.includes(s.protocol)) s.ident = numberValue(v, 0, 0xffff);
      else s.ipId = numberValue(v, 0, 0xffffffff);
    },
  },
  {
    word: 'ipid',
    value: 'N',
    protocols: IP,
    help: 'IP identification of any packet',
    apply: (s, v) => {
      s.ipId = numberValue(v, 0, 0xffffffff);
    },
  },
  {
    word: 'df',
    protocols: IP,
    help: "sets IPv4's do-not-fragment bit",
    apply: (s) => {
      s.dontFragment = true;
    },
  },
  {
    word: 'frag',
    value: 'OFFSET[+]',
    protocols: IP,
    help: 'a fragment: offset in bytes, + = more follow; behind offset 0 there is no transport header',
    apply: (s, v) => {
      const more = v.endsWith('+');
      const offset = numberValue(more ? v.slice(0, -1) : v, 0, 65528);
      if (offset % 8 !== 0) throw new Mismatch('a multiple of 8');
      s.fragment = { offset, more };
    },
  },
  {
    word: 'flow',
    value: 'N',
    protocols: IP,
    help: 'IPv6 flow label',
    apply: (s, v) => {
      s.flow = numberValue(v, 0, 0xfffff);
    },
  },
  {
    word: 'ext',
    value: 'NAME[,NAME]',
    protocols: IP,
    help: 'IPv6 extension headers: hopopts, dstopts, routing, fragment',
    apply: (s, v) => {
      const known: Readonly<Record<string, number>> = { hopopts: 0, routing: 43, fragment: 44, dstopts: 60 };
      s.extensions = v.split(',').map((name) => {
        if (!Object.hasOwn(known, name)) throw new Mismatch('some of hopopts, dstopts, routing, fragment');
        return known[name]!;
      });
    },
  },
  {
    word: 'ipopt',
    value: 'DIGITS',
    protocols: IP,
    help: 'IPv4 options in hex, padded to four bytes',
    apply: (s, v) => {
      const options = hexValue(v);
      if (options.length > 40) throw new Mismatch('at most 40 bytes');
      s.ipOptions = options;
    },
  },
  {
    word: 'iplen',
    value: 'N',
    protocols: IP,
    help: "writes N into the IP header's length field",
    apply: (s, v) => {
      s.ipLength = numberValue(v, 0, 0xffff);
    },
  },
  {
    word: 'proto',
    value: 'N',
    protocols: IP,
    help: "writes N into the IP header's protocol field (253 for ip)",
    apply: (s, v) => {
      s.ipProtocol = numberValue(v, 0, 255);
    },
  },
  {
    word: 'badipsum',
    protocols: IP,
    help: 'makes the IPv4 header checksum wrong',
    apply: (s) => {
      s.badIpSum = true;
    },
  },
  {
    word: 'flags',
    value: 'FLAGS',
    protocols: ['tcp'],
    help: 'syn,ack or S. or a number or none; the list alone is the same (ack; psh,ack with a payload)',
    apply: (s, v) => {
      s.flags = readFlags(v) ?? numberValue(v, 0, 0x1ff);
    },
  },
  {
    word: 'seq',
    value: 'N',
    protocols: ['tcp', 'icmp', 'icmp6', 'sctp', 'esp', 'gre'],
    help: 'sequence number (tcp 0, else 1; gre none)',
    apply: (s, v) => {
      s.seq = numberValue(v, 0, WITH_OWN_ID.includes(s.protocol) ? 0xffff : 0xffffffff);
    },
  },
  {
    word: 'ack',
    value: 'N',
    protocols: ['tcp'],
    help: 'acknowledgement number (0)',
    apply: (s, v) => {
      s.ack = numberValue(v, 0, 0xffffffff);
    },
  },
  {
    word: 'win',
    value: 'N',
    protocols: ['tcp', 'sctp'],
    help: 'window, unscaled (tcp 64240, sctp 65535)',
    apply: (s, v) => {
      s.window = numberValue(v, 0, s.protocol === 'tcp' ? 0xffff : 0xffffffff);
    },
  },
  {
    word: 'urp',
    value: 'N',
    protocols: ['tcp'],
    help: 'urgent pointer (0)',
    apply: (s, v) => {
      s.urgent = numberValue(v, 0, 0xffff);
    },
  },
  {
    word: 'options',
    value: 'LIST',
    protocols: ['tcp', 'geneve'],
    help: 'tcp: mss:N,sackOK,TS:VALUE:ECHO,nop,wscale:N,sack:L-R/L-R,eol,KIND:HEX; geneve: CLASS:TYPE:HEX,...',
    apply: (s, v) => {
      if (s.protocol === 'tcp') s.tcpOptions = tcpOptions(v);
      else s.tunnelOptions = geneveOptions(v);
    },
  },
  {
    word: 'nocsum',
    protocols: ['udp', 'vxlan', 'geneve'],
    help: 'sends checksum 0, none (the default of tunnels over IPv4)',
    apply: (s) => {
      s.udpSum = false;
    },
  },
  {
    word: 'csum',
    protocols: ['udp', 'vxlan', 'geneve', 'gre'],
    help: 'computes the UDP checksum of a tunnel, adds one to GRE',
    apply: (s) => {
      if (s.protocol === 'gre') s.greSum = true;
      else s.udpSum = true;
    },
  },
  {
    word: 'udplen',
    value: 'N',
    protocols: ['udp', 'vxlan', 'geneve'],
    help: "writes N into the UDP header's length field",
    apply: (s, v) => {
      s.udpLength = numberValue(v, 0, 0xffff);
    },
  },
  icmpWord('echo', 8),
  icmpWord('echo-request', 8),
  icmpWord('echo-reply', 0),
  icmpWord('unreachable', 3),
  icmpWord('redirect', 5),
  icmpWord('time-exceeded', 11),
  icmpWord('parameter-problem', 12),
  icmpWord('net', 3, 0),
  icmpWord('host', 3, 1),
  icmpWord('protocol', 3, 2),
  icmpWord('port', 3, 3),
  icmpWord('frag-needed', 3, 4),
  icmpWord('admin-prohibited', 3, 13),
  icmp6Word('echo', 128),
  icmp6Word('echo-request', 128),
  icmp6Word('echo-reply', 129),
  icmp6Word('unreachable', 1),
  icmp6Word('too-big', 2),
  icmp6Word('time-exceeded', 3),
  icmp6Word('parameter-problem', 4),
  icmp6Word('rs', 133),
  icmp6Word('ra', 134),
  icmp6Word('ns', 135),
  icmp6Word('na', 136),
  icmp6Word('no-route', 1, 0),
  icmp6Word('admin-prohibited', 1, 1),
  icmp6Word('address', 1, 3),
  icmp6Word('port', 1, 4),
  {
    word: 'code',
    value: 'N',
    protocols: ['icmp', 'icmp6'],
    help: 'code of the message (0)',
    apply: (s, v) => {
      s.icmpCode = numberValue(v, 0, 255);
    },
  },
  {
    word: 'mtu',
    value: 'N',
    protocols: ['icmp', 'icmp6'],
    help: 'MTU of frag-needed or too-big',
    apply: (s, v) => {
      s.mtu = numberValue(v, 0, s.protocol === 'icmp' ? 0xffff : 0xffffffff);
    },
  },
  {
    word: 'pointer',
    value: 'N',
    protocols: ['icmp', 'icmp6'],
    help: 'place of a parameter problem',
    apply: (s, v) => {
      s.pointer = numberValue(v, 0, s.protocol === 'icmp' ? 0xff : 0xffffffff);
    },
  },
  {
    word: 'gateway',
    value: 'IP',
    protocols: ['icmp'],
    help: 'gateway of a redirect',
    apply: (s, v) => {
      s.gateway = ipv4Value(v);
    },
  },
  {
    word: 'target',
    value: 'IP',
    protocols: ['icmp6'],
    help: 'target of ns or na (the destination)',
    apply: (s, v) => {
      s.target = readIPv6(v) ?? mismatch('an IPv6 address');
    },
  },
  {
    word: 'lladdr',
    value: 'MAC',
    protocols: ['icmp6'],
    help: 'link-layer address option: of the source, in na of the target',
    apply: (s, v) => {
      s.linkAddress = macValue(v);
    },
  },
  ...(['override', 'solicited', 'router'] as const).map(
    (word, bit): Term => ({
      word,
      protocols: ['icmp6'],
      group: 'bits of na',
      help: '',
      apply: (s) => {
        s.neighbourFlags = (s.neighbourFlags ?? 0) | (1 << bit);
      },
    }),
  ),
  igmpWord('query', 0x11),
  igmpWord('report', 0x16),
  igmpWord('leave', 0x17),
  {
    word: 'group',
    value: 'IP',
    protocols: ['igmp'],
    help: 'multicast group (0.0.0.0)',
    apply: (s, v) => {
      s.group = ipv4Value(v);
    },
  },
  {
    word: 'who-has',
    next: 'IP',
    protocols: ['arp'],
    help: 'request for the MAC of IP',
    apply: (s, v) => {
      s.arpOperation = 1;
      s.arpTarget = ipv4Value(v);
    },
  },
  {
    word: 'tell',
    next: 'IP',
    protocols: ['arp'],
    help: 'who asks',
    apply: (s, v) => {
      s.arpSender = ipv4Value(v);
    },
  },
  {
    word: 'reply',
    next: 'IP',
    protocols: ['arp'],
    help: 'reply about IP',
    apply: (s, v) => {
      s.arpOperation = 2;
      s.arpSender = ipv4Value(v);
    },
  },
  {
    word: 'is-at',
    next: 'MAC',
    protocols: ['arp'],
    help: 'its MAC (the Ethernet source)',
    apply: (s, v) => {
      s.arpSenderMac = macValue(v);
    },
  },
  {
    word: 'to',
    next: 'IP',
    protocols: ['arp'],
    help: 'whom the reply answers (0.0.0.0)',
    apply: (s, v) => {
      s.arpTarget = ipv4Value(v);
    },
  },
  chunkWord('data', 0),
  chunkWord('init', 1),
  chunkWord('init-ack', 2),
  chunkWord('sack', 3),
  chunkWord('heartbeat', 4),
  chunkWord('heartbeat-ack', 5),
  chunkWord('abort', 6),
  chunkWord('shutdown', 7),
  chunkWord('shutdown-ack', 8),
  chunkWord('error', 9),
  chunkWord('cookie-echo', 10),
  chunkWord('cookie-ack', 11),
  chunkWord('shutdown-complete', 14),
  {
    word: 'vtag',
    value: 'N',
    protocols: ['sctp'],
    help: 'verification tag (0 for init, else 1)',
    apply: (s, v) => {
      s.verificationTag = numberValue(v, 0, 0xffffffff);
    },
  },
  {
    word: 'vni',
    value: 'N',
    protocols: ['vxlan', 'geneve'],
    help: 'virtual network identifier (1)',
    apply: (s, v) => {
      s.vni = numberValue(v, 0, 0xffffff);
    },
  },
  {
    word: 'sport',
    value: 'N',
    protocols: ['vxlan', 'geneve'],
    help: 'outer source port (by the inner flow, 32768 to 60999)',
    apply: (s, v) => {
      s.sourcePort = numberValue(v, 0, 0xffff);
    },
  },
  {
    word: 'port',
    value: 'N',
    protocols: ['vxlan', 'geneve'],
    help: 'outer destination port (vxlan 8472, geneve 6081)',
    apply: (s, v) => {
      s.port = numberValue(v, 0, 0xffff);
    },
  },
  {
    word: 'gbp',
    value: 'N',
    protocols: ['vxlan'],
    help: 'group policy id',
    apply: (s, v) => {
      s.gbp = numberValue(v, 0, 0xffff);
    },
  },
  {
    word: 'oam',
    protocols: ['geneve'],
    help: 'sets the control packet bit',
    apply: (s) => {
      s.tunnelBits = (s.tunnelBits ?? 0) | 0x80;
    },
  },
  {
    word: 'critical',
    protocols: ['geneve'],
    help: 'sets the critical options bit',
    apply: (s) => {
      s.tunnelBits = (s.tunnelBits ?? 0) | 0x40;
    },
  },
  {
    word: 'key',
    value: 'N',
    protocols: ['gre'],
    help: 'adds a key',
    apply: (s, v) => {
      s.key = numberValue(v, 0, 0xffffffff);
    },
  },
  {
    word: 'teb',
    protocols: ['gre'],
    help: 'carries the Ethernet frame of the inner packet, not its IP packet',
    apply: (s) => {
      s.greEthernet = true;
    },
  },
  {
    word: 'spi',
    value: 'N',
    protocols: ['esp'],
    help: 'security parameter index (1)',
    apply: (s, v) => {
      s.spi = numberValue(v, 0, 0xffffffff);
    },
  },
];

/** The words that a protocol knows. */
export function termsOf(protocol: StatementProtocol): Term[] {
  return TERMS.filter((term) => term.protocols.includes(protocol));
}

function mismatch(expected: string): never {
  throw new Mismatch(expected);
}

function numberValue(text: string, low: number, high: number): number {
  const value = /^(0[xX][0-9a-fA-F]{1,8}|\d{1,10})$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= low && value <= high)) throw new Mismatch(`a number from ${low} to ${high}`);
  return value;
}

function hexValue(digits: string): Uint8Array {
  return readHex(digits.replace(/[\s:]/g, '')) ?? mismatch('an even number of hex digits');
}

function ipv4Value(text: string): Uint8Array {
  const isOther = readAddress(text) !== undefined;
  return readIPv4(text) ?? mismatch(isOther ? 'an IPv4 address, not IPv6' : 'an IPv4 address');
}

function macValue(text: string): Uint8Array {
  return readMac(text) ?? mismatch('a MAC address');
}

export function tcpOptions(text: string): Uint8Array {
  const bytes = concat(...text.split(',').map(tcpOption));
  if (bytes.length > 40) throw new Mismatch('options of at most 40 bytes');
  return bytes;
}

function tcpOption(text: string): Uint8Array {
  const [name, ...values] = text.split(':');
  const arity = (count: number) => {
    if (values.length !== count)
      throw new Mismatch(`${name} with ${count === 0 ? 'no value' : count === 1 ? 'one value' : `${count} values`}`);
  };
  switch (name!.toLowerCase()) {
    case 'eol':
      arity(0);
      return Uint8Array.of(0);
    case 'nop':
      arity(0);
      return Uint8Array.of(1);
    case 'mss': {
      arity(1);
      const option = Uint8Array.of(2, 4, 0, 0);
      setU16(option, 2, numberValue(values[0]!, 0, 0xffff));
      return option;
    }
    case 'wscale':
      arity(1);
      return Uint8Array.of(3, 3, numberValue(values[0]!, 0, 255));
    case 'sackok':
      arity(0);
      return Uint8Array.of(4, 2);
    case 'sack': {
      arity(1);
      const edges = values[0]!.split('/').flatMap((block) => {
        const pair = block.split('-');
        if (pair.length !== 2) throw new Mismatch('sack blocks LEFT-RIGHT');
        return pair.map((edge) => numberValue(edge, 0, 0xffffffff));
      });
      const option = new Uint8Array(2 + 4 * edges.length);
      option[0] = 5;
      option[1] = option.length;
      for (const [i, edge] of edges.entries()) setU32(option, 2 + 4 * i, edge);
      return option;
    }
    case 'ts': {
      arity(2);
      const option = Uint8Array.of(8, 10, 0, 0, 0, 0, 0, 0, 0, 0);
      setU32(option, 2, numberValue(values[0]!, 0, 0xffffffff));
      setU32(option, 6, numberValue(values[1]!, 0, 0xffffffff));
      return option;
    }
    default: {
      if (values.length !== 1)
        throw new Mismatch('a list of mss:N, sackOK, TS:VALUE:ECHO, nop, wscale:N, sack:L-R, eol, KIND:HEX');
      const value = hexValue(values[0]!);
      return concat(Uint8Array.of(numberValue(name!, 2, 255), value.length + 2), value);
    }
  }
}

function geneveOptions(text: string): Uint8Array {
  const options = text.split(',').map((option) => {
    const [kind, type, digits = '', ...more] = option.split(':');
    if (type === undefined || more.length > 0) throw new Mismatch('Geneve options CLASS:TYPE:HEX');
    const value = hexValue(digits);
    if (value.length % 4 !== 0 || value.length > 124) throw new Mismatch('a value of 0 to 124 bytes, a multiple of 4');
    const head = Uint8Array.of(0, 0, numberValue(type, 0, 255), value.length / 4);
    setU16(head, 0, numberValue(kind!, 0, 0xffff));
    return concat(head, value);
  });
  const bytes = concat(...options);
  if (bytes.length > 252) throw new Mismatch('options of at most 252 bytes');
  return bytes;
}
