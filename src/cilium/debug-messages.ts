import { CT_DIRECTIONS, ctStatusName, tupleFlagsText } from './conntrack.js';
import { dropReasonText } from './drop-reasons.js';
import { identityText } from './identities.js';
import { ipv4OfNumber as ipv4, protocolText, swap16 } from './values.js';

/** The three numbers of a debug message. */
type Arguments = readonly [first: number, second: number, third: number];

export interface DebugMessage {
  readonly id: number;
  /** Name of the constant without DBG_. */
  readonly name: string;
  /** The message in words. */
  readonly text: (args: Arguments) => string;
}

/** The last 4 bytes of an IPv6 address; the messages carry no more. */
function ipv6(value: number): string {
  return `[...:${swap16(value).toString(16)}:${swap16(value >>> 16).toString(16)}]`;
}

const hex = (value: number): string => `0x${value.toString(16)}`;

/** Addresses of a connection; the message has the destination port in its upper half. */
function tuple(address: (value: number) => string): (args: Arguments) => string {
  return ([source, destination, ports]) =>
    `${address(source)}:${ports & 0xffff} -> ${address(destination)}:${ports >>> 16}`;
}

const tuple4 = tuple(ipv4);
const tuple6 = tuple(ipv6);

function tupleState([protocolAndFlags, direction, scope]: Arguments): string {
  const protocol = protocolText(protocolAndFlags >>> 8);
  const flags = tupleFlagsText(protocolAndFlags & 0xff);
  return `${protocol}, tuple flags ${flags}, ${CT_DIRECTIONS[direction] ?? `direction ${direction}`}, scope ${scope}`;
}

function portsAndState([ports, protocolAndFlags]: Arguments): string {
  const flags = tupleFlagsText(protocolAndFlags & 0xff);
  return `source port ${ports >>> 16}, destination port ${ports & 0xffff}, ${protocolText(protocolAndFlags >>> 8)}, tuple flags ${flags}`;
}

/** Status of a look-up; an error is a drop reason, negative since 1.14. */
function lookupResult(value: number): string {
  return ctStatusName(value) ?? `drop ${dropReasonText(value | 0)}`;
}

function created([index, identity]: Arguments): string {
  return `created connection: reverse NAT index ${swap16(index)}, source identity ${identityText(identity)}`;
}

function loopback(action: string, address: (value: number) => string): (args: Arguments) => string {
  return ([from, to]) => `${action} ${address(from)} to ${address(to)}`;
}

/** The eight messages of load balancing that exist for IPv4 and IPv6, the first with number `first`. */
function loadBalancing(first: number, prefix: string, address: (value: number) => string): DebugMessage[] {
  const slot = ([index, port]: Arguments) => `backend slot ${index} of port ${swap16(port)}`;
  const messages: [string, (args: Arguments) => string][] = [
    ['LOOKUP_FRONTEND', ([frontend, port]) => `looking up service ${address(frontend)}:${swap16(port)}`],
    ['LOOKUP_FRONTEND_FAIL', () => 'no such service'],
    ['LOOKUP_BACKEND_SLOT', (args) => `looking up ${slot(args)}`],
    ['LOOKUP_BACKEND_SLOT_SUCCESS', ([backend, port]) => `found backend ${address(backend)}:${swap16(port)}`],
    ['LOOKUP_BACKEND_SLOT_V2_FAIL', (args) => `no ${slot(args)}`],
    ['LOOKUP_BACKEND_FAIL', ([backend]) => `no backend ${backend}`],
    ['REVERSE_NAT_LOOKUP', ([index]) => `looking up reverse NAT index ${swap16(index)}`],
    ['REVERSE_NAT', ([to, port]) => `reverse NAT to ${address(to)}:${swap16(port)}`],
  ];
  return messages.map(([name, text], index) => ({ id: first + index, name: `${prefix}_${name}`, text }));
}

function proxied([ports, address, protocol]: Arguments): string {
  return `${ipv4(address)}:${swap16(ports >>> 16)} to port ${swap16(ports)}, ${protocolText(protocol)}`;
}

/** Debug messages (DBG_* in bpf/lib/dbg.h), numbered the same from 1.10 to 1.20-dev; the argument forms are those of its comments. */
export const DEBUG_MESSAGES: readonly DebugMessage[] = [
  { id: 0, name: 'UNSPEC', text: (args) => `unspecified message: ${args.map(hex).join(' ')}` },
  { id: 1, name: 'GENERIC', text: (args) => `numbers ${args.map((value) => `${value} (${hex(value)})`).join(', ')}` },
  {
    id: 2,
    name: 'LOCAL_DELIVERY',
    text: ([endpoint, identity]) => `delivering to local endpoint ${endpoint}, from identity ${identityText(identity)}`,
  },
  {
    id: 3,
    name: 'ENCAP',
    text: ([node, identity]) =>
      `encapsulating to tunnel endpoint ${hex(node)}, from identity ${identityText(identity)}`,
  },
  {
    id: 4,
    name: 'LXC_FOUND',
    text: ([ifindex, identity]) =>
      `found local endpoint at ifindex ${ifindex}, identity ${identityText(swap16(identity))}`,
  },
  {
    id: 5,
    name: 'POLICY_DENIED',
    text: ([source, destination]) => `policy denies identity ${identityText(source)} -> ${identityText(destination)}`,
  },
  { id: 6, name: 'CT_LOOKUP', text: (args) => `looking up connection: ${portsAndState(args)}` },
  { id: 7, name: 'CT_LOOKUP_REV', text: (args) => `looking up connection in reverse: ${portsAndState(args)}` },
  {
    id: 8,
    name: 'CT_MATCH',
    text: ([lifetime, index]) => `found connection, lifetime ${lifetime}, reverse NAT index ${swap16(index)}`,
  },
  {
    id: 9,
    name: 'CT_CREATED',
    text: (args) => `created connection: ${portsAndState(args)}, reverse NAT index ${swap16(args[2])}`,
  },
  {
    id: 10,
    name: 'CT_CREATED2',
    text: ([address, index]) => `created connection: ${ipv4(address)}, reverse NAT index ${swap16(index)}`,
  },
  { id: 11, name: 'ICMP6_HANDLE', text: ([type]) => `handling ICMPv6 type ${type}` },
  { id: 12, name: 'ICMP6_REQUEST', text: ([offset]) => `ICMPv6 echo request to the router, header at ${offset}` },
  {
    id: 13,
    name: 'ICMP6_NS',
    text: ([, last]) => `neighbour solicitation for ${ipv6(last)}`,
  },
  { id: 14, name: 'ICMP6_TIME_EXCEEDED', text: () => 'sending ICMPv6 time exceeded' },
  {
    id: 15,
    name: 'CT_VERDICT',
    text: ([status, index]) => `connection look-up: ${lookupResult(status)}, reverse NAT index ${swap16(index)}`,
  },
  { id: 16, name: 'DECAP', text: ([id, label]) => `decapsulated, tunnel id ${id}, flow label ${hex(label)}` },
  { id: 17, name: 'PORT_MAP', text: ([from, to]) => `mapping port ${from} to ${to}` },
  { id: 18, name: 'ERROR_RET', text: ([helper, error]) => `helper ${helper} returned ${error | 0}` },
  { id: 19, name: 'TO_HOST', text: ([skip]) => `going to the host, policy skipped ${skip}` },
  { id: 20, name: 'TO_STACK', text: ([skip]) => `going to the network stack, policy skipped ${skip}` },
  { id: 21, name: 'PKT_HASH', text: ([hash, slot]) => `packet hash ${hex(hash)} selects backend slot ${slot}` },
  ...loadBalancing(22, 'LB6', ipv6),
  ...loadBalancing(30, 'LB4', ipv4),
  { id: 38, name: 'LB4_LOOPBACK_SNAT', text: loopback('loopback SNAT', ipv4) },
  { id: 39, name: 'LB4_LOOPBACK_SNAT_REV', text: loopback('reverse loopback SNAT', ipv4) },
  { id: 40, name: 'CT_LOOKUP4', text: ([address]) => `looking up connection of ${ipv4(address)}` },
  {
    id: 41,
    name: 'RR_BACKEND_SLOT_SEL',
    text: ([hash, slot]) => `round robin: hash ${hex(hash)} selects backend slot ${slot}`,
  },
  { id: 42, name: 'REV_PROXY_LOOKUP', text: (args) => `looking up proxy connection ${proxied(args)}` },
  {
    id: 43,
    name: 'REV_PROXY_FOUND',
    text: ([address, port]) => `found proxy connection, original destination ${ipv4(address)}:${port}`,
  },
  { id: 44, name: 'REV_PROXY_UPDATE', text: (args) => `updated proxy connection ${proxied(args)}` },
  {
    id: 45,
    name: 'L4_POLICY',
    text: ([port, direction]) =>
      `policy redirects to proxy port ${swap16(port)}, ${CT_DIRECTIONS[direction] ?? direction}`,
  },
  {
    id: 46,
    name: 'NETDEV_IN_CLUSTER',
    text: ([identity]) => `destination is inside the cluster, source identity ${identityText(identity)}`,
  },
  {
    id: 47,
    name: 'NETDEV_ENCAP4',
    text: ([address, identity]) => `looking up tunnel endpoint of ${ipv4(address)}, identity ${identityText(identity)}`,
  },
  { id: 48, name: 'CT_LOOKUP4_1', text: (args) => `looking up connection ${tuple4(args)}` },
  { id: 49, name: 'CT_LOOKUP4_2', text: (args) => `looking up connection: ${tupleState(args)}` },
  {
    id: 50,
    name: 'CT_CREATED4',
    text: (args) => `${created(args)}${args[2] ? `, address ${ipv4(args[2])}` : ''}`,
  },
  { id: 51, name: 'CT_LOOKUP6_1', text: (args) => `looking up connection ${tuple6(args)}` },
  { id: 52, name: 'CT_LOOKUP6_2', text: (args) => `looking up connection: ${tupleState(args)}` },
  { id: 53, name: 'CT_CREATED6', text: created },
  { id: 54, name: 'SKIP_PROXY', text: ([tcIndex]) => `not redirecting to the proxy, tc_index ${hex(tcIndex)}` },
  {
    id: 55,
    name: 'L4_CREATE',
    text: ([source, destination, portAndProtocol]) =>
      `policy allows identity ${identityText(source)} -> ${identityText(destination)}, port ${swap16(portAndProtocol >>> 16)}, ${protocolText(portAndProtocol & 0xff)}; creating connection`,
  },
  { id: 56, name: 'IP_ID_MAP_FAILED4', text: ([address]) => `no identity is known for ${ipv4(address)}` },
  { id: 57, name: 'IP_ID_MAP_FAILED6', text: ([address]) => `no identity is known for ${ipv6(address)}` },
  {
    id: 58,
    name: 'IP_ID_MAP_SUCCEED4',
    text: ([address, identity]) => `${ipv4(address)} has identity ${identityText(identity)}`,
  },
  {
    id: 59,
    name: 'IP_ID_MAP_SUCCEED6',
    text: ([address, identity]) => `${ipv6(address)} has identity ${identityText(identity)}`,
  },
  {
    id: 60,
    name: 'LB_STALE_CT',
    text: ([service, entry]) =>
      `stale connection: its reverse NAT index is ${swap16(entry)}, the service has ${swap16(service)}`,
  },
  { id: 61, name: 'INHERIT_IDENTITY', text: ([identity]) => `identity ${identityText(identity)} comes from the mark` },
  { id: 62, name: 'SK_LOOKUP4', text: (args) => `looking up socket ${tuple4(args)}` },
  { id: 63, name: 'SK_LOOKUP6', text: (args) => `looking up socket ${tuple6(args)}` },
  {
    id: 64,
    name: 'SK_ASSIGN',
    text: ([error]) => (error === 0 ? 'packet given to the socket' : `packet not given to the socket: errno ${error}`),
  },
  {
    id: 65,
    name: 'L7_LB',
    text: ([source, destination, port]) =>
      `L7 load balancing ${ipv4(source)} -> ${ipv4(destination)}: proxy port ${port}`,
  },
  {
    id: 66,
    name: 'SKIP_POLICY',
    text: ([endpoint, identity]) => `policy skipped for endpoint ${endpoint}, identity ${identityText(identity)}`,
  },
  { id: 67, name: 'LB6_LOOPBACK_SNAT', text: loopback('loopback SNAT', ipv6) },
  { id: 68, name: 'LB6_LOOPBACK_SNAT_REV', text: loopback('reverse loopback SNAT', ipv6) },
];

/** Where a packet was captured for debugging (DBG_CAPTURE_* in bpf/lib/dbg.h). */
export const DEBUG_CAPTURES: readonly {
  readonly id: number;
  readonly name: string;
  readonly text: (first: number) => string;
}[] = [
  { id: 4, name: 'DELIVERY', text: (ifindex) => `delivery to ifindex ${ifindex}` },
  { id: 5, name: 'FROM_LB', text: (ifindex) => `to the load balancer on ifindex ${ifindex}` },
  { id: 6, name: 'AFTER_V46', text: (ifindex) => `translated from IPv4 to IPv6 on ifindex ${ifindex}` },
  { id: 7, name: 'AFTER_V64', text: (ifindex) => `translated from IPv6 to IPv4 on ifindex ${ifindex}` },
  { id: 8, name: 'PROXY_PRE', text: (port) => `before redirection to proxy port ${swap16(port)}` },
  { id: 9, name: 'PROXY_POST', text: (port) => `after redirection to proxy port ${swap16(port)}` },
  { id: 10, name: 'SNAT_PRE', text: (ifindex) => `before source NAT on ifindex ${ifindex}` },
  { id: 11, name: 'SNAT_POST', text: (ifindex) => `after source NAT on ifindex ${ifindex}` },
];

/** Name of a debug message and its arguments in words; numbers for an unknown one. */
export function describeDebugMessage(id: number, args: Arguments): { name: string; text: string } {
  const message = DEBUG_MESSAGES.find((entry) => entry.id === id);
  return message
    ? { name: message.name, text: message.text(args) }
    : { name: String(id), text: `numbers ${args.map(hex).join(' ')}` };
}

/** Name and words of a debug capture; numbers for an unknown one. */
export function describeDebugCapture(id: number, first: number): { name: string; text: string } {
  const capture = DEBUG_CAPTURES.find((entry) => entry.id === id);
  return capture
    ? { name: capture.name, text: capture.text(first) }
    : { name: String(id), text: `number ${hex(first)}` };
}
