import { UsageError } from '../errors.js';
import type { Redirect } from '../machine/outcome.js';
import { type Cidr, cidrContains } from '../packet/addresses.js';
import { deliver } from './deliver.js';
import { Device, type DeviceKind, type DeviceOptions } from './device.js';
import { ipInput } from './forward.js';
import { Reassembly } from './fragments.js';
import type { HookPoint } from './hooks.js';
import type { Host } from './host.js';
import { sendIcmpError } from './icmp.js';
import type { IpHeader } from './ip.js';
import type { DropReason, Step } from './journal.js';
import { loopbackDriver } from './loopback.js';
import { arpInput, NeighbourTable, neighbourOutput } from './neighbours.js';
import type { Network } from './network.js';
import { localOutput, type OutputOptions } from './output.js';
import { doRedirect, toDevice } from './redirect.js';
import { LOCAL_TABLE, type Route } from './routes.js';
import { type FlowKey, type RouteDecision, RoutingPolicy } from './rules.js';
import { Skb } from './skb.js';
import { SocketTable } from './sockets.js';
import { transmit } from './transmit.js';

/** Devices a packet may pass before it counts as looping: more than a TTL of 64 allows within a few namespaces per hop. */
const MOST_PASSES = 512;

/** Metric of IPv6 routes that come with an address (IP6_RT_PRIO_ADDRCONF). */
const CONNECTED_METRIC = 256;

/** Takes UDP packets of a tunnel's port from the stack (udp encap_rcv). */
export interface TunnelReceiver {
  receive(skb: Skb, ip: IpHeader): void;
}

/** A network namespace: devices, addresses, rules, routes, neighbours and sockets, and the IP stack over them. */
export class Namespace {
  readonly host: Host;
  readonly name: string;
  /** SO_NETNS_COOKIE. */
  readonly cookie: bigint;
  readonly routing = new RoutingPolicy();
  readonly neighbours = new NeighbourTable();
  readonly sockets: SocketTable;
  readonly reassembly = new Reassembly();
  /** Tunnel devices by UDP port. */
  readonly tunnels = new Map<number, TunnelReceiver>();
  /** net.ipv4.ip_forward and net.ipv6.conf.all.forwarding. */
  forwarding: boolean;
  /** Grows when devices or their addresses change. */
  version = 0;
  readonly #devices: Device[] = [];
  #ipId = 0;

  constructor(host: Host, name: string, cookie: bigint, forwarding: boolean, loIfindex = 1) {
    this.host = host;
    this.name = name;
    this.cookie = cookie;
    this.forwarding = forwarding;
    this.sockets = new SocketTable(this);
    const lo = this.createDevice('loopback', { name: 'lo', ifindex: loIfindex, mac: new Uint8Array(6), mtu: 65536 });
    lo.driver = loopbackDriver(lo);
    lo.addAddress({ address: Uint8Array.of(127, 0, 0, 1), prefixLength: 8 });
    lo.addAddress({ address: Uint8Array.from({ length: 16 }, (_, i) => (i === 15 ? 1 : 0)), prefixLength: 128 });
  }

  get network(): Network {
    return this.host.network;
  }

  // Devices

  get devices(): readonly Device[] {
    return this.#devices;
  }

  /** @internal Devices are made by {@link Host}'s and {@link Network}'s methods, which give them a driver. */
  createDevice(kind: DeviceKind, options: DeviceOptions): Device {
    const ifindex = options.ifindex ?? 1 + Math.max(0, ...this.#devices.map((device) => device.ifindex));
    if (this.findDevice(options.name)) throw new UsageError(`${this.path} has a device ${options.name} already`);
    if (this.deviceByIndex(ifindex)) throw new UsageError(`${this.path} has a device with ifindex ${ifindex} already`);
    const device = new Device(this, kind, options, ifindex, options.mac ?? this.network.nextMac());
    this.#devices.push(device);
    this.version++;
    return device;
  }

  findDevice(name: string): Device | undefined {
    return this.#devices.find((device) => device.name === name);
  }

  deviceByIndex(ifindex: number): Device | undefined {
    return this.#devices.find((device) => device.ifindex === ifindex);
  }

  /** @throws UsageError if there is no such device. */
  device(name: string): Device {
    const device = this.findDevice(name);
    if (!device)
      throw new UsageError(
        `${this.path} has no device ${name}; there are: ${this.#devices.map((other) => other.name).join(', ')}`,
      );
    return device;
  }

  /** Host and namespace for messages. */
  get path(): string {
    return this === this.host.root ? this.host.name : `${this.host.name}/${this.name}`;
  }

  // Addresses and routes

  /** @internal Routes that come with an address (fib_add_ifaddr, addrconf). */
  addressAdded(device: Device, { address, prefixLength }: Cidr): void {
    this.version++;
    const bits = address.length * 8;
    const own = { device: device.name, protocol: 'kernel' } as const;
    const source = bits === 32 ? { source: address } : {};
    this.routing.addRoute(
      { destination: { address, prefixLength: bits }, type: 'local', ...own, ...source },
      LOCAL_TABLE,
    );
    if (prefixLength === bits) return;
    const destination = prefixOf({ address, prefixLength });
    if (device.kind === 'loopback')
      this.routing.addRoute({ destination, type: 'local', ...own, ...source }, LOCAL_TABLE);
    else {
      const more = bits === 32 ? { scope: 'link' as const } : { metric: CONNECTED_METRIC };
      this.routing.addRoute({ destination, ...own, ...source, ...more });
    }
    if (bits === 32 && prefixLength < 31)
      this.routing.addRoute(
        { destination: { address: lastOf(destination), prefixLength: 32 }, type: 'broadcast', ...own, ...source },
        LOCAL_TABLE,
      );
  }

  /** True for addresses of the namespace itself, whichever device they are on. */
  isLocal(address: Uint8Array): boolean {
    return this.lookup({ destination: address, mark: 0 })?.route?.type === 'local';
  }

  /** Looks a route up without writing it down. Routes of devices that are down do not count. */
  lookup(key: FlowKey): RouteDecision | undefined {
    return this.routing.lookup(key, (route) => this.#isUsable(route));
  }

  #isUsable(route: Route): boolean {
    return route.device === undefined || this.findDevice(route.device)?.up === true;
  }

  /** Looks a route up for a packet. */
  route(
    skb: Skb,
    key: FlowKey,
    purpose: Extract<Step, { kind: 'route' }>['purpose'],
    device?: Device,
  ): RouteDecision | undefined {
    const decision = this.lookup(key);
    if (decision)
      this.record(skb, { kind: 'route', purpose, destination: key.destination, mark: key.mark, ...decision }, device);
    return decision;
  }

  /** The source address for packets to `destination`: the route's, else one of its device, else any of the namespace. */
  sourceFor(destination: Uint8Array, fallback?: Device, mark = 0): Uint8Array | undefined {
    const route = this.lookup({ destination, mark })?.route;
    if (route?.type === 'local' && route.source === undefined) return destination;
    if (route?.type === 'local' && !isWholeLoopback(route)) return destination;
    const device = route?.device === undefined ? fallback : this.findDevice(route.device);
    return route?.source ?? (device && this.sourceAddress(device, route?.gateway ?? destination));
  }

  /** An address of a device for packets to `target`: on its network if possible (inet_select_addr). */
  sourceAddress(device: Device, target: Uint8Array): Uint8Array | undefined {
    const others = this.#devices.filter((other) => other !== device && other.kind !== 'loopback');
    for (const one of [device, ...others]) {
      const fitting = one.addresses.filter((own) => own.address.length === target.length);
      const found = fitting.find((own) => cidrContains(prefixOf(own), target)) ?? fitting[0];
      if (found) return found.address;
    }
    return undefined;
  }

  // The stack; each step lives in its own file

  transmit(device: Device, skb: Skb): void {
    transmit(device, skb);
  }

  redirect(from: Device, skb: Skb, redirect: Redirect, point: HookPoint): Device | undefined {
    return doRedirect(from, skb, redirect, point);
  }

  /** A copy that clone_redirect made; the helper has checked that the device exists and is up. */
  cloneRedirect(from: Device, clone: { ifindex: number; ingress: boolean; skb: Skb }): void {
    const to = this.deviceByIndex(clone.ifindex);
    if (to) toDevice(from, to, clone.skb, clone.ingress);
  }

  ipInput(device: Device, skb: Skb): void {
    ipInput(device, skb);
  }

  arpInput(device: Device, skb: Skb): void {
    arpInput(device, skb);
  }

  deliver(device: Device, skb: Skb, ip: IpHeader): void {
    deliver(device, skb, ip);
  }

  /** Sends an IP packet that the host made (a frame whose Ethernet header is still empty). */
  output(skb: Skb, options?: OutputOptions): boolean {
    return localOutput(this, skb, options);
  }

  /** `ip` is given by the IP layer: a neighbour that does not answer then makes an ICMP error. */
  neighbourOutput(device: Device, skb: Skb, nextHop: Uint8Array, ip?: IpHeader): void {
    neighbourOutput(device, skb, nextHop, () => {
      if (ip) sendIcmpError(device, skb, ip, 'host unreachable');
    });
  }

  // Packets and the journal

  /** A new packet with its number, written down as sent. */
  newSkb(frame: Uint8Array, by: string, answers?: number): Skb {
    const skb = new Skb(this.network.nextPacket(), frame);
    this.record(skb, { kind: 'send', by, answers });
    return skb;
  }

  record(skb: Skb, step: Step, device?: Device): void {
    this.network.journal.add({
      time: this.network.now,
      packet: skb.id,
      at: { host: this.host.name, namespace: this.name, device: device?.name },
      step,
      bytes: skb.bytes.slice(),
    });
  }

  drop(skb: Skb, reason: DropReason, detail: string, device?: Device): void {
    this.record(skb, { kind: 'drop', reason, detail }, device);
  }

  /** Counts a device passed; false, and the packet is dropped, when it goes in circles. */
  passes(skb: Skb, device: Device): boolean {
    if (++skb.passes <= MOST_PASSES) return true;
    this.drop(skb, 'forwarding loop', `it passed ${MOST_PASSES} devices`, device);
    return false;
  }

  /** IPv4 identification of the next packet that may be fragmented. */
  nextIpId(): number {
    this.#ipId = (this.#ipId + 1) & 0xffff;
    return this.#ipId;
  }
}

function prefixOf({ address, prefixLength }: Cidr): Cidr {
  const network = address.slice();
  for (let bit = prefixLength; bit < network.length * 8; bit++) network[bit >> 3]! &= ~(0x80 >> (bit & 7));
  return { address: network, prefixLength };
}

function lastOf({ address, prefixLength }: Cidr): Uint8Array {
  const last = address.slice();
  for (let bit = prefixLength; bit < last.length * 8; bit++) last[bit >> 3]! |= 0x80 >> (bit & 7);
  return last;
}

const isWholeLoopback = (route: Route): boolean =>
  route.destination.prefixLength < route.destination.address.length * 8;
