import { concat, setU16, setU32 } from './bytes.js';
import { crc32c, internetChecksum, pseudoHeaderSum } from './checksum.js';
import { DEFAULT_DESTINATION_MAC, DEFAULT_SOURCE_MAC, type Endpoint, type Statement } from './statement.js';

/** Linux's default for VXLAN, which Cilium uses; IANA's is 4789. */
export const VXLAN_PORT = 8472;
export const GENEVE_PORT = 6081;

/** Bytes of a whole packet: an Ethernet frame unless the statement says to start at IP. */
export function buildFrame(statement: Statement): Uint8Array {
  if (statement.noEthernet) return buildNetwork(statement);
  const destination = statement.ethDestination ?? defaultDestination(statement);
  const parts = [destination, statement.ethSource ?? DEFAULT_SOURCE_MAC];
  for (const [i, vlan] of (statement.vlans ?? []).entries()) {
    const tag = new Uint8Array(4);
    // The outer of two tags is a service tag (802.1ad).
    setU16(tag, 0, i === 0 && statement.vlans!.length > 1 ? 0x88a8 : 0x8100);
    setU16(tag, 2, (vlan.priority << 13) | vlan.id);
    parts.push(tag);
  }
  const type = new Uint8Array(2);
  setU16(type, 0, etherType(statement));
  return cut(concat(...parts, type, networkBytes(statement)), statement);
}

/** Bytes of a packet from its IP (or ARP) header on. */
export function buildNetwork(statement: Statement): Uint8Array {
  return cut(networkBytes(statement), statement);
}

function cut(bytes: Uint8Array, statement: Statement): Uint8Array {
  return statement.truncate === undefined ? bytes : bytes.slice(0, statement.truncate);
}

function etherType(statement: Statement): number {
  if (statement.etherType !== undefined) return statement.etherType;
  if (statement.protocol === 'arp') return 0x0806;
  if (statement.protocol === 'eth') return 0x88b5; // local experimental (IEEE 802)
  return isIPv6(statement) ? 0x86dd : 0x0800;
}

/** Broadcast for ARP requests, the mapped group for multicast (RFC 1112, RFC 2464), else the default. */
function defaultDestination(statement: Statement): Uint8Array {
  if (statement.protocol === 'arp' && (statement.arpOperation ?? 1) === 1) return new Uint8Array(6).fill(0xff);
  const address = statement.destination?.address;
  if (address?.length === 16 && address[0] === 0xff) return concat(Uint8Array.of(0x33, 0x33), address.subarray(12));
  if (address?.length === 4) {
    if (address.every((byte) => byte === 255)) return new Uint8Array(6).fill(0xff);
    if (address[0]! >> 4 === 14) return Uint8Array.of(0x01, 0x00, 0x5e, address[1]! & 0x7f, address[2]!, address[3]!);
  }
  return DEFAULT_DESTINATION_MAC;
}

function isIPv6(statement: Statement): boolean {
  return statement.source?.address.length === 16;
}

function networkBytes(statement: Statement): Uint8Array {
  if (statement.protocol === 'arp') return arp(statement);
  if (statement.protocol === 'eth') return statement.payload ?? new Uint8Array(0);
  return isIPv6(statement) ? ipv6(statement) : ipv4(statement);
}

function arp(statement: Statement): Uint8Array {
  const bytes = new Uint8Array(28);
  const operation = statement.arpOperation ?? 1;
  setU16(bytes, 0, 1);
  setU16(bytes, 2, 0x0800);
  bytes[4] = 6;
  bytes[5] = 4;
  setU16(bytes, 6, operation);
  bytes.set(statement.arpSenderMac ?? statement.ethSource ?? DEFAULT_SOURCE_MAC, 8);
  if (statement.arpSender) bytes.set(statement.arpSender, 14);
  if (operation !== 1) bytes.set(statement.ethDestination ?? DEFAULT_DESTINATION_MAC, 18);
  if (statement.arpTarget) bytes.set(statement.arpTarget, 24);
  return bytes;
}

function ipv4(statement: Statement): Uint8Array {
  const [protocol, content] = transport(statement);
  const options = statement.ipOptions ?? new Uint8Array(0);
  const headerLength = 20 + ((options.length + 3) & ~3);
  const bytes = new Uint8Array(headerLength + content.length);
  bytes[0] = 0x40 | (headerLength / 4);
  bytes[1] = ((statement.dscp ?? 0) << 2) | (statement.ecn ?? 0);
  setU16(bytes, 2, statement.ipLength ?? bytes.length & 0xffff);
  setU16(bytes, 4, statement.ipId ?? 0);
  const fragment = statement.fragment;
  setU16(
    bytes,
    6,
    (statement.dontFragment ? 0x4000 : 0) | (fragment?.more ? 0x2000 : 0) | ((fragment?.offset ?? 0) >> 3),
  );
  bytes[8] = statement.ttl ?? (statement.protocol === 'igmp' ? 1 : 64);
  bytes[9] = statement.ipProtocol ?? protocol;
  bytes.set(statement.source!.address, 12);
  bytes.set(statement.destination!.address, 16);
  bytes.set(options, 20);
  setU16(bytes, 10, internetChecksum(bytes, 0, headerLength) ^ (statement.badIpSum ? 0xbad : 0));
  bytes.set(content, headerLength);
  return bytes;
}

function ipv6(statement: Statement): Uint8Array {
  const [protocol, content] = transport(statement);
  const extensions = [...(statement.extensions ?? [])];
  if (statement.fragment && !extensions.includes(44)) extensions.push(44);
  const chain = [...extensions, statement.ipProtocol ?? protocol];
  const headers = extensions.map((kind, i) => extension(kind, chain[i + 1]!, statement));
  const body = concat(...headers, content);
  const bytes = new Uint8Array(40 + body.length);
  setU32(
    bytes,
    0,
    (0x60000000 | ((statement.dscp ?? 0) << 22) | ((statement.ecn ?? 0) << 20) | (statement.flow ?? 0)) >>> 0,
  );
  setU16(bytes, 4, statement.ipLength ?? body.length & 0xffff);
  bytes[6] = chain[0]!;
  bytes[7] = statement.ttl ?? defaultHopLimit(statement);
  bytes.set(statement.source!.address, 8);
  bytes.set(statement.destination!.address, 24);
  bytes.set(body, 40);
  return bytes;
}

/** Neighbour discovery is valid with 255 only (RFC 4861 section 7.1). */
function defaultHopLimit(statement: Statement): number {
  const type = statement.icmpType ?? 0;
  return statement.protocol === 'icmp6' && type >= 133 && type <= 137 ? 255 : 64;
}

function extension(kind: number, next: number, statement: Statement): Uint8Array {
  if (kind === 44) {
    const bytes = Uint8Array.of(next, 0, 0, 0, 0, 0, 0, 0);
    setU16(bytes, 2, (statement.fragment?.offset ?? 0) | (statement.fragment?.more ? 1 : 0));
    setU32(bytes, 4, statement.ipId ?? 0);
    return bytes;
  }
  // A routing header without segments, or options that are all padding.
  return kind === 43 ? Uint8Array.of(next, 0, 0, 0, 0, 0, 0, 0) : Uint8Array.of(next, 0, 1, 4, 0, 0, 0, 0);
}

/** IP protocol number and what follows the IP headers. */
function transport(statement: Statement): [protocol: number, content: Uint8Array] {
  const number = protocolNumber(statement);
  const payload = statement.payload ?? new Uint8Array(0);
  // Fragments behind the first have no transport header.
  if (statement.fragment && statement.fragment.offset > 0) return [number, payload];
  switch (statement.protocol) {
    case 'tcp':
      return [number, tcp(statement, payload)];
    case 'udp':
      return [number, udp(statement, payload, ports(statement), statement.udpSum ?? true)];
    case 'sctp':
      return [number, sctp(statement, payload)];
    case 'icmp':
      return [number, icmp(statement, payload)];
    case 'icmp6':
      return [number, icmp6(statement, payload)];
    case 'igmp':
      return [number, igmp(statement)];
    case 'esp':
      return [number, concat(words(statement.spi ?? 1, statement.seq ?? 1), payload)];
    case 'vxlan':
      return [number, tunnel(statement, vxlanHeader(statement), VXLAN_PORT)];
    case 'geneve':
      return [number, tunnel(statement, geneveHeader(statement), GENEVE_PORT)];
    case 'gre':
      return [number, gre(statement)];
    case 'ipip':
      return [number, statement.inner ? buildNetwork(statement.inner) : payload];
    default:
      return [number, payload];
  }
}

function protocolNumber(statement: Statement): number {
  switch (statement.protocol) {
    case 'tcp':
      return 6;
    case 'sctp':
      return 132;
    case 'icmp':
      return 1;
    case 'icmp6':
      return 58;
    case 'igmp':
      return 2;
    case 'esp':
      return 50;
    case 'gre':
      return 47;
    case 'ipip':
      return statement.inner && isIPv6(statement.inner) ? 41 : 4;
    case 'ip':
      return 253; // for experiments (RFC 3692)
    default:
      return 17;
  }
}

function words(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  for (const [i, value] of values.entries()) setU32(bytes, i * 4, value);
  return bytes;
}

function ports(statement: Statement): { source: number; destination: number } {
  return { source: statement.source!.port ?? 0, destination: statement.destination!.port ?? 0 };
}

/** Checksum over pseudo header and `bytes`, whose checksum field is 0; made wrong if the statement asks for it. */
function transportSum(statement: Statement, protocol: number, bytes: Uint8Array): number {
  const seed = pseudoHeaderSum(statement.source!.address, statement.destination!.address, protocol, bytes.length);
  return internetChecksum(bytes, 0, bytes.length, seed) ^ (statement.badSum ? 0xbad : 0);
}

function tcp(statement: Statement, payload: Uint8Array): Uint8Array {
  const options = statement.tcpOptions ?? new Uint8Array(0);
  const headerLength = 20 + ((options.length + 3) & ~3);
  const bytes = new Uint8Array(headerLength + payload.length);
  const { source, destination } = ports(statement);
  setU16(bytes, 0, source);
  setU16(bytes, 2, destination);
  setU32(bytes, 4, statement.seq ?? 0);
  setU32(bytes, 8, statement.ack ?? 0);
  setU16(bytes, 12, ((headerLength / 4) << 12) | (statement.flags ?? 0x10));
  setU16(bytes, 14, statement.window ?? 64240);
  setU16(bytes, 18, statement.urgent ?? 0);
  bytes.set(options, 20);
  bytes.set(payload, headerLength);
  setU16(bytes, 16, transportSum(statement, 6, bytes));
  return bytes;
}

function udp(
  statement: Statement,
  payload: Uint8Array,
  { source, destination }: { source: number; destination: number },
  withSum: boolean,
): Uint8Array {
  const bytes = new Uint8Array(8 + payload.length);
  setU16(bytes, 0, source);
  setU16(bytes, 2, destination);
  setU16(bytes, 4, statement.udpLength ?? bytes.length & 0xffff);
  bytes.set(payload, 8);
  // A sum of 0 is sent as 0xffff: 0 means none (RFC 768).
  if (withSum) setU16(bytes, 6, transportSum(statement, 17, bytes) || 0xffff);
  return bytes;
}

function sctp(statement: Statement, payload: Uint8Array): Uint8Array {
  const kind = statement.chunk ?? (payload.length > 0 ? 0 : 1);
  const tag = statement.verificationTag ?? (kind === 1 ? 0 : 1);
  const seq = statement.seq ?? 1;
  let body: Uint8Array;
  if (kind === 0) body = concat(words(seq, 0, 0), payload);
  else if (kind === 1 || kind === 2) body = concat(words(1, statement.window ?? 65535, 0x000a000a, seq), payload);
  else if (kind === 3) body = words(seq, statement.window ?? 65535, 0);
  else if (kind === 7) body = words(seq);
  else body = payload;
  const chunk = new Uint8Array((4 + body.length + 3) & ~3);
  chunk[0] = kind;
  chunk[1] = kind === 0 ? 3 : 0; // first and last fragment of the user message
  setU16(chunk, 2, (4 + body.length) & 0xffff);
  chunk.set(body, 4);
  const { source, destination } = ports(statement);
  const bytes = concat(words(((source << 16) | destination) >>> 0, tag, 0), chunk);
  setU32(bytes, 8, crc32c(bytes) ^ (statement.badSum ? 0xbad : 0));
  return bytes;
}

function icmp(statement: Statement, payload: Uint8Array): Uint8Array {
  const type = statement.icmpType ?? 8;
  const bytes = concat(new Uint8Array(8), statement.inner ? buildNetwork(statement.inner) : payload);
  bytes[0] = type;
  bytes[1] = statement.icmpCode ?? 0;
  if (type === 0 || type === 8 || type === 13 || type === 14) {
    setU16(bytes, 4, statement.ident ?? 1);
    setU16(bytes, 6, statement.seq ?? 1);
  } else if (type === 3) setU16(bytes, 6, statement.mtu ?? 0);
  else if (type === 5 && statement.gateway) bytes.set(statement.gateway, 4);
  else if (type === 12) bytes[4] = statement.pointer ?? 0;
  setU16(bytes, 2, internetChecksum(bytes) ^ (statement.badSum ? 0xbad : 0));
  return bytes;
}

function icmp6(statement: Statement, payload: Uint8Array): Uint8Array {
  const type = statement.icmpType ?? 128;
  const head = new Uint8Array(8);
  head[0] = type;
  head[1] = statement.icmpCode ?? 0;
  if (type === 128 || type === 129) {
    setU16(head, 4, statement.ident ?? 1);
    setU16(head, 6, statement.seq ?? 1);
  } else if (type === 2) setU32(head, 4, statement.mtu ?? 1280);
  else if (type === 4) setU32(head, 4, statement.pointer ?? 0);
  else if (type === 134) {
    head[4] = 64;
    setU16(head, 6, 1800);
  } else if (type === 136) head[4] = (statement.neighbourFlags ?? 0) << 5;
  const parts: Uint8Array[] = [head];
  if (type === 134) parts.push(new Uint8Array(8));
  if (type === 135 || type === 136) parts.push(statement.target ?? statement.destination!.address);
  if (statement.linkAddress) parts.push(Uint8Array.of(type === 136 ? 2 : 1, 1), statement.linkAddress);
  parts.push(statement.inner ? buildNetwork(statement.inner) : payload);
  const bytes = concat(...parts);
  setU16(bytes, 2, transportSum(statement, 58, bytes));
  return bytes;
}

function igmp(statement: Statement): Uint8Array {
  const type = statement.igmpType ?? 0x16;
  const bytes = new Uint8Array(8);
  bytes[0] = type;
  bytes[1] = type === 0x11 ? 100 : 0;
  if (statement.group) bytes.set(statement.group, 4);
  setU16(bytes, 2, internetChecksum(bytes) ^ (statement.badSum ? 0xbad : 0));
  return bytes;
}

function vxlanHeader(statement: Statement): Uint8Array {
  const bytes = words(0x08000000, 0);
  if (statement.gbp !== undefined) {
    bytes[0] = 0x88;
    setU16(bytes, 2, statement.gbp);
  }
  setU32(bytes, 4, ((statement.vni ?? 1) << 8) >>> 0);
  return bytes;
}

function geneveHeader(statement: Statement): Uint8Array {
  const options = statement.tunnelOptions ?? new Uint8Array(0);
  const bytes = concat(new Uint8Array(8), options);
  bytes[0] = options.length / 4;
  bytes[1] = statement.tunnelBits ?? 0;
  setU16(bytes, 2, 0x6558);
  setU32(bytes, 4, ((statement.vni ?? 1) << 8) >>> 0);
  return bytes;
}

function tunnel(statement: Statement, header: Uint8Array, defaultPort: number): Uint8Array {
  const inner = statement.inner ? buildFrame(statement.inner) : (statement.payload ?? new Uint8Array(0));
  const source = statement.sourcePort ?? statement.source!.port ?? flowPort(statement.inner);
  const destination = statement.port ?? statement.destination!.port ?? defaultPort;
  // Without checksum over IPv4, as Linux sends by default and Cilium asks for; IPv6 has none of its own to rest on.
  const withSum = statement.udpSum ?? (isIPv6(statement) || statement.badSum === true);
  return udp(statement, concat(header, inner), { source, destination }, withSum);
}

/** Source port of a tunnel: one per inner flow, within Linux's local port range 32768 to 60999. */
function flowPort(inner: Statement | undefined): number {
  const part = (endpoint: Endpoint | undefined) =>
    endpoint ? [...endpoint.address, (endpoint.port ?? 0) >> 8, (endpoint.port ?? 0) & 255] : [];
  const key = Uint8Array.from([...part(inner?.source), ...part(inner?.destination)]);
  return 32768 + (crc32c(key) % 28232);
}

function gre(statement: Statement): Uint8Array {
  const { inner } = statement;
  const asFrame = statement.greEthernet === true || inner?.protocol === 'eth' || inner?.protocol === 'arp';
  const content = inner
    ? asFrame
      ? buildFrame(inner)
      : buildNetwork(inner)
    : (statement.payload ?? new Uint8Array(0));
  const head = new Uint8Array(4);
  const parts: Uint8Array[] = [head];
  if (statement.greSum) {
    head[0] = head[0]! | 0x80;
    parts.push(new Uint8Array(4));
  }
  if (statement.key !== undefined) {
    head[0] = head[0]! | 0x20;
    parts.push(words(statement.key));
  }
  if (statement.seq !== undefined) {
    head[0] = head[0]! | 0x10;
    parts.push(words(statement.seq));
  }
  setU16(head, 2, asFrame ? 0x6558 : inner && isIPv6(inner) ? 0x86dd : 0x0800);
  const bytes = concat(...parts, content);
  if (statement.greSum) setU16(bytes, 4, internetChecksum(bytes) ^ (statement.badSum ? 0xbad : 0));
  return bytes;
}
