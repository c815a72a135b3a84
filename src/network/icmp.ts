import { buildNetwork } from '../packet/build.js';
import type { Device } from './device.js';
import { ETHERNET_HEADER, frameOf, ICMP, ICMP6, type IpHeader, isMulticast, isUnspecified } from './ip.js';
import { PacketType, type Skb } from './skb.js';

/** Why the stack refuses a packet with an ICMP error; type and code by IP version (RFC 792, RFC 4443). */
export const ICMP_ERRORS = {
  'no route': { 4: [3, 0], 6: [1, 0] },
  'host unreachable': { 4: [3, 1], 6: [1, 3] },
  'protocol unreachable': { 4: [3, 2], 6: [4, 1] },
  'port unreachable': { 4: [3, 3], 6: [1, 4] },
  'too big': { 4: [3, 4], 6: [2, 0] },
  prohibited: { 4: [3, 13], 6: [1, 1] },
  'ttl exceeded': { 4: [11, 0], 6: [3, 0] },
} as const satisfies Record<string, Record<4 | 6, readonly [number, number]>>;

export type IcmpError = keyof typeof ICMP_ERRORS;

/** Most bytes of an error, IP header included (RFC 1812 section 4.3.2.3, RFC 4443 section 2.4). */
const LONGEST = { 4: 576, 6: 1280 } as const;
/** IP and ICMP header before the quotation. */
const HEADERS = { 4: 28, 6: 48 } as const;
/** Precedence of ICMP errors: internetwork control (IPTOS_PREC_INTERNETCONTROL), in the DSCP field. */
const CONTROL_DSCP = 0x30;

const ECHO_REQUEST = { 4: 8, 6: 128 } as const;
const ECHO_REPLY = { 4: 0, 6: 129 } as const;

/** True for errors, which are never answered with errors. */
function isError(skb: Skb, ip: IpHeader): boolean {
  const type = skb.bytes[ip.transport] ?? 0;
  if (ip.protocol === ICMP) return ![0, 8, 13, 14].includes(type);
  return ip.protocol === ICMP6 && type < 128;
}

/** Answers a packet with an error where RFC and kernel allow one (icmp_send, icmpv6_send). `mtu` is told with 'too big'. */
export function sendIcmpError(device: Device, skb: Skb, ip: IpHeader, cause: IcmpError, mtu = 0): void {
  const { namespace } = device;
  const isAnswerable =
    skb.packetType === PacketType.HOST &&
    !isError(skb, ip) &&
    ip.fragment.offset === 0 &&
    !isUnspecified(ip.source) &&
    !isMulticast(ip.source) &&
    !isMulticast(ip.destination);
  if (!isAnswerable) return;
  const [type, code] = ICMP_ERRORS[cause][ip.version];
  const quotation = skb.bytes.slice(ETHERNET_HEADER, ip.end).slice(0, LONGEST[ip.version] - HEADERS[ip.version]);
  const source = namespace.isLocal(ip.destination) ? ip.destination : namespace.sourceFor(ip.source, device);
  if (!source) return;
  const packet = buildNetwork({
    protocol: ip.version === 4 ? 'icmp' : 'icmp6',
    icmpType: type,
    icmpCode: code,
    mtu,
    source: { address: source },
    destination: { address: ip.source },
    payload: quotation,
    dscp: ip.version === 4 ? CONTROL_DSCP : 0,
    ipId: namespace.nextIpId(),
  });
  const error = namespace.newSkb(frameOf(packet), 'icmp error', skb.id);
  namespace.record(skb, { kind: 'icmp', type, code, answer: error.id }, device);
  namespace.output(error);
}

/** Answers an echo request for an own address. False if it is none. */
export function answeredEcho(device: Device, skb: Skb, ip: IpHeader): boolean {
  const at = ip.transport;
  if (skb.bytes[at] !== ECHO_REQUEST[ip.version] || ip.end < at + 8) return false;
  const { namespace } = device;
  const { bytes } = skb;
  namespace.record(skb, { kind: 'deliver', to: 'icmp echo responder' }, device);
  const source = namespace.isLocal(ip.destination) ? ip.destination : namespace.sourceFor(ip.source, device);
  if (!source) return true;
  const packet = buildNetwork({
    protocol: ip.version === 4 ? 'icmp' : 'icmp6',
    icmpType: ECHO_REPLY[ip.version],
    ident: (bytes[at + 4]! << 8) | bytes[at + 5]!,
    seq: (bytes[at + 6]! << 8) | bytes[at + 7]!,
    source: { address: source },
    destination: { address: ip.source },
    payload: bytes.slice(at + 8, ip.end),
    dscp: ip.tos >> 2,
    ecn: ip.tos & 3,
    ipId: ip.version === 4 ? namespace.nextIpId() : 0,
  });
  namespace.output(namespace.newSkb(frameOf(packet), 'icmp echo reply', skb.id));
  return true;
}
