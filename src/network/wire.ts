import { UsageError } from '../errors.js';
import { formatAddress, formatMac } from '../packet/addresses.js';
import { buildFrame } from '../packet/build.js';
import { equalBytes, u16 } from '../packet/bytes.js';
import type { Device, DeviceOptions } from './device.js';
import { ETH_ARP, ETHERNET_HEADER, readIp } from './ip.js';
import type { Place } from './journal.js';
import type { Namespace } from './namespace.js';
import type { Network } from './network.js';
import { Skb } from './skb.js';

export interface WireOptions {
  /** Nanoseconds from end to end. Default 100 µs. */
  latency?: bigint;
  /** Part of the frames that get lost, 0 to 1. */
  loss?: number;
  /** Part of the frames that later ones overtake, 0 to 1, and by how many nanoseconds they are late (default 1 ms). */
  reorder?: number;
  reorderDelay?: bigint;
  /** Longest frame without Ethernet header and VLAN tag. Default 1500. */
  mtu?: number;
  /**
   * A fabric instead of a switch, as clouds have: this MAC answers every ARP request, and frames sent to it are brought to
   * the device that has their IP destination, or to the fabric's gateway device if none has.
   */
  fabric?: { mac: Uint8Array; gateway?: Device };
}

const BROADCAST_BIT = 1;

/** What physical devices are plugged into: a switch, or a fabric that routes. */
export class Wire {
  readonly name: string;
  readonly devices: Device[] = [];
  readonly options: WireOptions;
  readonly #network: Network;

  constructor(network: Network, name: string, options: WireOptions = {}) {
    this.#network = network;
    this.name = name;
    this.options = options;
    for (const key of ['loss', 'reorder'] as const) {
      const part = options[key] ?? 0;
      if (!(part >= 0 && part <= 1)) throw new UsageError(`${key} of wire ${name} must be 0 to 1, not ${part}`);
    }
  }

  /** Adds a physical device to a namespace and plugs it in. */
  attach(namespace: Namespace, options: DeviceOptions): Device {
    const device = namespace.createDevice('physical', options);
    device.driver = { transmit: (skb) => this.#carry(device, skb) };
    this.devices.push(device);
    return device;
  }

  #carry(from: Device, skb: Skb): void {
    const { namespace } = from;
    const mtu = this.options.mtu ?? 1500;
    if (skb.networkLength > mtu) {
      namespace.drop(skb, 'mtu exceeded', `${skb.networkLength} bytes do not fit wire ${this.name} of ${mtu}`, from);
      return;
    }
    if (this.options.loss && this.#network.random() < this.options.loss) {
      namespace.drop(skb, 'lost on the wire', `wire ${this.name} lost it`, from);
      return;
    }
    if (this.#answeredByFabric(from, skb)) return;
    const receivers = this.#receivers(from, skb);
    if (!receivers.length) {
      namespace.drop(skb, 'no receiver', this.#nobody(skb), from);
      return;
    }
    const latency = this.options.latency ?? 100_000n;
    const reordered = !!this.options.reorder && this.#network.random() < this.options.reorder;
    const total = latency + (reordered ? (this.options.reorderDelay ?? 1_000_000n) : 0n);
    for (const to of receivers) {
      const at: Place = { host: to.namespace.host.name, namespace: to.namespace.name, device: to.name };
      namespace.record(skb, { kind: 'wire', wire: this.name, to: at, latency: total, reordered }, from);
      this.#deliver(to, skb, total);
    }
  }

  /** A new skb on the other side: nothing but the bytes travels. */
  #deliver(to: Device, skb: Skb, delay: bigint): void {
    const arrived = new Skb(skb.id, skb.wireBytes.slice());
    arrived.passes = skb.passes;
    const { fabric } = this.options;
    if (fabric && equalBytes(arrived.bytes.subarray(0, 6), fabric.mac)) arrived.setEthernet(to.mac, fabric.mac);
    arrived.arriveAt(to);
    this.#network.schedule(delay, () => this.#network.backlog(to, arrived));
  }

  #receivers(from: Device, skb: Skb): Device[] {
    const others = this.devices.filter((device) => device !== from);
    const destination = skb.bytes.subarray(0, 6);
    if (destination[0]! & BROADCAST_BIT) return others;
    const { fabric } = this.options;
    if (fabric && equalBytes(destination, fabric.mac)) {
      const address = readIp(skb.bytes)?.destination;
      const owner = address && others.find((device) => device.hasAddress(address));
      const to = owner ?? fabric.gateway;
      return to && to !== from ? [to] : [];
    }
    return others.filter((device) => equalBytes(device.mac, destination));
  }

  #nobody({ bytes }: Skb): string {
    const { fabric } = this.options;
    const address = fabric && equalBytes(bytes.subarray(0, 6), fabric.mac) && readIp(bytes)?.destination;
    if (address) return `the fabric of wire ${this.name} knows nobody with ${formatAddress(address)}`;
    return `wire ${this.name} has no device for ${formatMac(bytes)}`;
  }

  /** True if the frame was an ARP request, which the fabric answers itself. */
  #answeredByFabric(from: Device, skb: Skb): boolean {
    const { fabric } = this.options;
    const { bytes } = skb;
    const at = ETHERNET_HEADER;
    if (!fabric || skb.protocol !== ETH_ARP || bytes.length < at + 28 || u16(bytes, at + 6) !== 1) return false;
    const { namespace } = from;
    namespace.record(skb, { kind: 'deliver', to: `fabric of wire ${this.name}` }, from);
    const answer = buildFrame({
      protocol: 'arp',
      arpOperation: 2,
      ethSource: fabric.mac,
      ethDestination: bytes.slice(at + 8, at + 14),
      arpSenderMac: fabric.mac,
      arpSender: bytes.slice(at + 24, at + 28),
      arpTarget: bytes.slice(at + 14, at + 18),
    });
    const reply = namespace.newSkb(answer, `fabric of wire ${this.name}`, skb.id);
    reply.arriveAt(from);
    this.#network.schedule(this.options.latency ?? 100_000n, () => this.#network.backlog(from, reply));
    return true;
  }
}
