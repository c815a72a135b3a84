import { UsageError } from '../errors.js';
import type { Device } from './device.js';
import { Host, type HostOptions } from './host.js';
import { Journal } from './journal.js';
import { receive } from './receive.js';
import type { Skb } from './skb.js';
import { Wire, type WireOptions } from './wire.js';

export interface NetworkOptions {
  /** Of all that is random: loss, reordering. Not 0. Default 1. */
  seed?: number;
  /** Nanoseconds at the start (CLOCK_MONOTONIC of every host). Default 1000 s. */
  clock?: bigint;
  /** Nanoseconds between a frame's leaving one device of a host and its arrival at the next. Default 1 µs. */
  hop?: bigint;
}

interface Task {
  readonly time: bigint;
  readonly run: () => void;
}

const DEFAULT_CLOCK = 1_000_000_000_000n;
const DEFAULT_HOP = 1_000n;
/** Tasks a run may take; a network that is still busy then is not going to end. */
const MOST_TASKS = 1_000_000;

/**
 * Hosts on wires, one clock and one queue of what is to happen: the same set-up always gives the same journal.
 *
 * @example
 * const network = new Network();
 * const node1 = network.host('node1', { machine });
 * const wire = network.wire('underlay');
 * const eth0 = wire.attach(node1.root, { name: 'eth0', ifindex: 2 });
 * eth0.addAddress(parseCidr('192.168.1.15/24'));
 */
export class Network {
  readonly journal = new Journal();
  readonly #hosts = new Map<string, Host>();
  readonly #hop: bigint;
  #tasks: Task[] = [];
  #now: bigint;
  #random: number;
  #packets = 0;
  #macs = 0;

  constructor(options: NetworkOptions = {}) {
    this.#now = options.clock ?? DEFAULT_CLOCK;
    this.#hop = options.hop ?? DEFAULT_HOP;
    this.#random = (options.seed ?? 1) >>> 0;
    if (this.#random === 0) throw new UsageError('the seed of a network must not be 0');
  }

  /** Nanoseconds. */
  get now(): bigint {
    return this.#now;
  }

  get hosts(): readonly Host[] {
    return [...this.#hosts.values()];
  }

  /** Adds a host, or gives the one of that name. */
  host(name: string, options?: HostOptions): Host {
    const known = this.#hosts.get(name);
    if (known) return known;
    const host = new Host(this, name, options);
    this.#hosts.set(name, host);
    return host;
  }

  wire(name: string, options?: WireOptions): Wire {
    return new Wire(this, name, options);
  }

  /** Calls `run` after `delay` nanoseconds; tasks of one moment run in the order they came. */
  schedule(delay: bigint, run: () => void): void {
    const task = { time: this.#now + delay, run };
    let at = this.#tasks.length;
    while (at > 0 && this.#tasks[at - 1]!.time > task.time) at--;
    this.#tasks.splice(at, 0, task);
  }

  /** Queues a frame for a device's receive path (netif_rx). */
  backlog(device: Device, skb: Skb): void {
    this.schedule(this.#hop, () => receive(device, skb));
  }

  /**
   * Runs until nothing is left to do.
   * @throws UsageError if the network does not come to rest.
   */
  run(): void {
    for (let count = 0; this.#tasks.length; count++) {
      if (count >= MOST_TASKS) throw new UsageError(`the network is still busy after ${MOST_TASKS} steps`);
      const task = this.#tasks.shift()!;
      this.#now = task.time;
      task.run();
    }
  }

  /** Lets a frame arrive at a device as if a neighbour had sent it; returns its packet number. */
  inject(device: Device, frame: Uint8Array): number {
    const skb = device.namespace.newSkb(frame.slice(), 'injection');
    skb.arriveAt(device);
    this.backlog(device, skb);
    return skb.id;
  }

  /** Sends a frame out of a device as a packet socket does; returns its packet number. */
  emit(device: Device, frame: Uint8Array): number {
    const skb = device.namespace.newSkb(frame.slice(), 'packet socket');
    this.schedule(0n, () => device.namespace.transmit(device, skb));
    return skb.id;
  }

  /** Next number of a repeatable sequence, 0 <= n < 1 (xorshift32). */
  random(): number {
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x >>> 0;
    return this.#random / 0x100000000;
  }

  /** @internal */
  nextPacket(): number {
    return ++this.#packets;
  }

  /** @internal A locally administered address. */
  nextMac(): Uint8Array {
    const n = ++this.#macs;
    return Uint8Array.of(0x02, 0, 0, (n >> 16) & 255, (n >> 8) & 255, n & 255);
  }
}
