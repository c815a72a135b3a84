import { formatAddress } from '../packet/addresses.js';
import { buildFrame } from '../packet/build.js';
import { toHex, u16 } from '../packet/bytes.js';
import type { Device } from './device.js';
import {
  ETHERNET_HEADER,
  groupMac,
  type IpHeader,
  isLimitedBroadcast,
  isMulticast,
  isUnspecified,
  readIp,
} from './ip.js';
import type { Skb } from './skb.js';

/** Probes before a neighbour counts as unreachable (mcast_solicit), and the time between them (retrans_time_ms). */
const PROBES = 3;
const RETRANSMIT = 1_000_000_000n;
/** Packets that wait for one neighbour; more push out the oldest (unres_qlen is in bytes; this is its usual worth). */
const QUEUE = 101;

export const SOLICITATION = 135;
export const ADVERTISEMENT = 136;
/** Solicited and override bits of an advertisement. */
const SOLICITED_OVERRIDE = 3;

export type NeighbourState = 'permanent' | 'reachable' | 'incomplete' | 'failed';

export interface NeighbourEntry {
  readonly device: Device;
  readonly address: Uint8Array;
  mac: Uint8Array | undefined;
  state: NeighbourState;
  probes: number;
  readonly waiting: { readonly skb: Skb; readonly failed: () => void }[];
}

/** The ARP and NDP cache of a namespace. */
export class NeighbourTable {
  readonly #entries = new Map<string, NeighbourEntry>();
  /** Grows with every change. */
  version = 0;

  get entries(): NeighbourEntry[] {
    return [...this.#entries.values()];
  }

  find(device: Device, address: Uint8Array): NeighbourEntry | undefined {
    return this.#entries.get(keyOf(device, address));
  }

  /** Sets an entry that needs no resolution (`ip neigh replace ... nud permanent`), or a learnt one. */
  set(
    device: Device,
    address: Uint8Array,
    mac: Uint8Array,
    state: 'permanent' | 'reachable' = 'permanent',
  ): NeighbourEntry {
    const entry = this.entry(device, address);
    if (entry.state === 'permanent' && state === 'reachable') return entry;
    entry.mac = mac;
    entry.state = state;
    this.version++;
    return entry;
  }

  remove(device: Device, address: Uint8Array): boolean {
    this.version++;
    return this.#entries.delete(keyOf(device, address));
  }

  /** The entry of an address, a new incomplete one if there is none. */
  entry(device: Device, address: Uint8Array): NeighbourEntry {
    const key = keyOf(device, address);
    const known = this.#entries.get(key);
    if (known) return known;
    const entry: NeighbourEntry = { device, address, mac: undefined, state: 'incomplete', probes: 0, waiting: [] };
    this.#entries.set(key, entry);
    return entry;
  }
}

const keyOf = (device: Device, address: Uint8Array): string => `${device.ifindex}/${toHex(address)}`;

/**
 * Gives a frame its Ethernet header for a next hop and sends it, or holds it until the neighbour is known (neigh_output).
 * `failed` is called with the packet lost when nobody answers.
 */
export function neighbourOutput(device: Device, skb: Skb, nextHop: Uint8Array, failed: () => void): void {
  const { namespace } = device;
  if (device.kind === 'loopback') {
    skb.setEthernet(new Uint8Array(6), new Uint8Array(6));
    namespace.transmit(device, skb);
    return;
  }
  if (isMulticast(nextHop) || isLimitedBroadcast(nextHop) || isSubnetBroadcast(device, nextHop)) {
    send(device, skb, nextHop, isMulticast(nextHop) ? groupMac(nextHop) : new Uint8Array(6).fill(0xff));
    return;
  }
  if (device.noArp) {
    // arp_constructor and ndisc_constructor take dev->dev_addr.
    send(device, skb, nextHop, device.mac);
    return;
  }
  const entry = namespace.neighbours.entry(device, nextHop);
  if (entry.mac && entry.state !== 'failed') {
    send(device, skb, nextHop, entry.mac);
    return;
  }
  entry.waiting.push({ skb, failed });
  if (entry.waiting.length > QUEUE) {
    const { skb: oldest } = entry.waiting.shift()!;
    namespace.drop(oldest, 'neighbour unresolved', 'too many packets wait for the neighbour', device);
  }
  if (entry.state === 'failed' || entry.probes === 0) {
    entry.state = 'incomplete';
    entry.probes = 0;
    probe(entry, skb);
  }
}

function send(device: Device, skb: Skb, address: Uint8Array, mac: Uint8Array): void {
  device.namespace.record(skb, { kind: 'neighbour', address, mac, state: 'resolved' }, device);
  skb.setEthernet(mac, device.mac);
  device.namespace.transmit(device, skb);
}

function isSubnetBroadcast(device: Device, address: Uint8Array): boolean {
  if (address.length !== 4) return false;
  const route = device.namespace.routing.table(4, 255).find(address);
  return route?.type === 'broadcast' && route.device === device.name;
}

function probe(entry: NeighbourEntry, cause: Skb | undefined): void {
  const { device } = entry;
  const { namespace } = device;
  if (entry.state !== 'incomplete') return;
  if (entry.probes >= PROBES) {
    entry.state = 'failed';
    for (const { skb, failed } of entry.waiting.splice(0)) {
      namespace.record(skb, { kind: 'neighbour', address: entry.address, mac: undefined, state: 'failed' }, device);
      namespace.drop(
        skb,
        'neighbour unresolved',
        `nobody on ${device.name} answers for ${formatAddress(entry.address)}`,
        device,
      );
      failed();
    }
    return;
  }
  entry.probes++;
  if (cause)
    namespace.record(cause, { kind: 'neighbour', address: entry.address, mac: undefined, state: 'solicit' }, device);
  const question = namespace.newSkb(solicitation(device, entry.address, cause), 'neighbour', cause?.id);
  namespace.transmit(device, question);
  namespace.network.schedule(RETRANSMIT, () => probe(entry, undefined));
}

/** ARP request or neighbour solicitation. The sender is the packet's own source if that is an address of the host. */
function solicitation(device: Device, target: Uint8Array, cause: Skb | undefined): Uint8Array {
  const { namespace } = device;
  const wanted = cause && readIp(cause.bytes)?.source;
  const source =
    wanted && wanted.length === target.length && namespace.isLocal(wanted)
      ? wanted
      : namespace.sourceAddress(device, target);
  if (target.length === 4)
    return buildFrame({
      protocol: 'arp',
      arpOperation: 1,
      ethSource: device.mac,
      arpSenderMac: device.mac,
      arpSender: source ?? new Uint8Array(4),
      arpTarget: target,
    });
  const group = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, ...target.subarray(13));
  return buildFrame({
    protocol: 'icmp6',
    icmpType: SOLICITATION,
    ethSource: device.mac,
    ethDestination: groupMac(group),
    source: { address: source ?? new Uint8Array(16) },
    destination: { address: group },
    target,
    linkAddress: source ? device.mac : undefined,
  });
}

/** Takes a learnt address and sends what waited for it. */
function learn(device: Device, address: Uint8Array, mac: Uint8Array): void {
  const entry = device.namespace.neighbours.set(device, address, mac, 'reachable');
  entry.probes = 0;
  for (const { skb } of entry.waiting.splice(0)) send(device, skb, address, entry.mac!);
}

/** ARP: answers requests for addresses of the host on any device (arp_ignore 0), and learns (arp_process). */
export function arpInput(device: Device, skb: Skb): void {
  const { namespace } = device;
  const at = ETHERNET_HEADER;
  const { bytes } = skb;
  if (bytes.length < at + 28 || u16(bytes, at) !== 1 || u16(bytes, at + 2) !== 0x0800) {
    namespace.drop(skb, 'bad packet', 'no ARP packet for Ethernet and IPv4', device);
    return;
  }
  const operation = u16(bytes, at + 6);
  const senderMac = bytes.slice(at + 8, at + 14);
  const sender = bytes.slice(at + 14, at + 18);
  const target = bytes.slice(at + 24, at + 28);
  if (device.noArp) {
    namespace.record(skb, { kind: 'consume', by: 'arp' }, device);
    return;
  }
  const isOurs = namespace.isLocal(target) || device.proxyArp;
  namespace.record(skb, { kind: 'deliver', to: 'arp' }, device);
  if (!isUnspecified(sender) && (isOurs || namespace.neighbours.find(device, sender))) learn(device, sender, senderMac);
  if (operation !== 1 || !isOurs) return;
  const answer = buildFrame({
    protocol: 'arp',
    arpOperation: 2,
    ethSource: device.mac,
    ethDestination: senderMac,
    arpSenderMac: device.mac,
    arpSender: target,
    arpTarget: sender,
  });
  namespace.transmit(device, namespace.newSkb(answer, 'neighbour', skb.id));
}

/** Neighbour discovery: solicitations for own addresses are answered, advertisements learnt (ndisc_rcv). */
export function ndiscInput(device: Device, skb: Skb, ip: IpHeader): void {
  const { namespace } = device;
  const { bytes } = skb;
  const at = ip.transport;
  if (ip.ttl !== 255 || ip.end < at + 24) {
    namespace.drop(skb, 'bad packet', 'neighbour discovery needs hop limit 255 and 24 bytes', device);
    return;
  }
  const type = bytes[at]!;
  const target = bytes.slice(at + 8, at + 24);
  const mac = linkAddress(bytes, at + 24, ip.end, type === SOLICITATION ? 1 : 2);
  namespace.record(skb, { kind: 'deliver', to: 'ndisc' }, device);
  if (type === ADVERTISEMENT) {
    if (mac && namespace.neighbours.find(device, target)) learn(device, target, mac);
    return;
  }
  if (!device.namespace.isLocal(target)) return;
  if (mac && !isUnspecified(ip.source)) learn(device, ip.source, mac);
  const answer = buildFrame({
    protocol: 'icmp6',
    icmpType: ADVERTISEMENT,
    ethSource: device.mac,
    ethDestination: mac ?? bytes.slice(6, 12),
    source: { address: target },
    destination: { address: ip.source },
    target,
    linkAddress: device.mac,
    neighbourFlags: SOLICITED_OVERRIDE | (namespace.forwarding ? 4 : 0),
  });
  namespace.transmit(device, namespace.newSkb(answer, 'neighbour', skb.id));
}

/** The link-layer address option of a kind (RFC 4861 section 4.6.1). */
function linkAddress(bytes: Uint8Array, start: number, end: number, kind: number): Uint8Array | undefined {
  for (let at = start; at + 8 <= end; ) {
    const length = bytes[at + 1]! * 8;
    if (length === 0) return undefined;
    if (bytes[at] === kind) return bytes.slice(at + 2, at + 8);
    at += length;
  }
  return undefined;
}
