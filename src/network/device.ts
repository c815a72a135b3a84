import { UsageError } from '../errors.js';
import { type Cidr, formatCidr } from '../packet/addresses.js';
import { equalBytes } from '../packet/bytes.js';
import { DeviceCapture } from './capture.js';
import type { Hook, HookPoint } from './hooks.js';
import type { Namespace } from './namespace.js';
import type { Skb } from './skb.js';

export type DeviceKind = 'loopback' | 'veth' | 'physical' | 'vxlan' | 'geneve';

export interface DeviceOptions {
  name: string;
  /** Default: the next free number of the namespace. */
  ifindex?: number;
  /** Default: a locally administered address that is unique in the network. */
  mac?: Uint8Array;
  mtu?: number;
  up?: boolean;
}

/** What a device does with a frame that is to leave (ndo_start_xmit). */
export interface Driver {
  transmit(skb: Skb): void;
  /** The other end of a veth pair. */
  readonly peer?: Device;
}

/** A network device in its namespace. */
export class Device {
  readonly name: string;
  readonly ifindex: number;
  readonly kind: DeviceKind;
  readonly namespace: Namespace;
  mac: Uint8Array;
  mtu: number;
  up: boolean;
  /** Sends packets at the departure time that programs stamp on them (the fq queueing discipline). */
  fairQueue = false;
  /** Answers ARP requests for any address (proxy_arp). */
  proxyArp = false;
  /** Resolves no neighbours: frames go to the device's own MAC address (IFF_NOARP, `ip link set DEV arp off`). */
  noArp = false;
  /** Takes packets whose source is an own address (accept_local). */
  acceptLocal = false;
  /** rp_filter: whether the route back has to lead out of this device, or to exist at all. */
  reversePath: 'none' | 'strict' | 'loose' = 'none';
  driver!: Driver;
  readonly capture = new DeviceCapture();
  readonly #addresses: Cidr[] = [];
  readonly #hooks: Record<HookPoint, Hook[]> = { xdp: [], 'tc-ingress': [], 'tc-egress': [] };

  constructor(namespace: Namespace, kind: DeviceKind, options: DeviceOptions, ifindex: number, mac: Uint8Array) {
    this.namespace = namespace;
    this.kind = kind;
    this.name = options.name;
    this.ifindex = ifindex;
    this.mac = mac;
    this.mtu = options.mtu ?? 1500;
    this.up = options.up ?? true;
  }

  /** Own addresses with their prefix lengths, in the order they were added. */
  get addresses(): readonly Cidr[] {
    return this.#addresses;
  }

  /** Adds an address with the routes that come with it. */
  addAddress(address: Cidr): void {
    if (this.#addresses.some((own) => equalBytes(own.address, address.address)))
      throw new UsageError(`${this.name} has the address ${formatCidr(address)} already`);
    this.#addresses.push(address);
    this.namespace.addressAdded(this, address);
  }

  hasAddress(address: Uint8Array): boolean {
    return this.#addresses.some((own) => equalBytes(own.address, address));
  }

  hooks(point: HookPoint): readonly Hook[] {
    return this.#hooks[point];
  }

  /** Adds a hook behind those that are there; a device has one xdp hook. */
  attach(point: HookPoint, hook: Hook): void {
    if (point === 'xdp' && this.#hooks.xdp.length)
      throw new UsageError(`${this.name} has an xdp program already: ${this.#hooks.xdp[0]!.name}`);
    this.#hooks[point].push(hook);
  }

  detach(point: HookPoint, hook: Hook): void {
    const index = this.#hooks[point].indexOf(hook);
    if (index >= 0) this.#hooks[point].splice(index, 1);
  }
}
