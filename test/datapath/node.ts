import { readFileSync } from 'node:fs';
import { type BpfMap, type LoadedObject, Machine, type Outcome } from '../../src/machine/machine.js';
import { loadObject } from '../../src/object/load.js';
import { formatIPv4, parseAddress } from '../../src/packet/addresses.js';
import { verifyChecksums } from '../../src/packet/checksum.js';
import { parsePacket } from '../../src/packet/parse.js';
import { tcpdumpLine } from '../../src/packet/tcpdump.js';
import { buildPacket } from '../../src/packet/words.js';

/** The objects of bpf-objects/ that make up the datapath. */
export const OBJECTS = Object.fromEntries(
  (['lxc', 'host', 'overlay', 'sock'] as const).map((name) => [
    name,
    loadObject(readFileSync(new URL(`../../bpf-objects/bpf_${name}.o`, import.meta.url)), { name: `bpf_${name}.o` }),
  ]),
) as Record<'lxc' | 'host' | 'overlay' | 'sock', ReturnType<typeof loadObject>>;

export const CLOCK_S = 1000;

export const ENCAP_IFINDEX = 5;
export const HOST_IFINDEX = 4;

export type Config = Readonly<Record<string, unknown>>;

/** A tunnel key as a program set it. */
export interface TunnelKey {
  id: number;
  remote: string;
  ttl: number;
}

export interface Pod {
  name: string;
  address: string;
  address6?: string;
  /** Endpoint id, security identity, index and MAC addresses of the device. */
  id: number;
  identity: number;
  ifindex: number;
  mac: string;
  hostMac: string;
}

/** The two Pods of the document's cluster. */
export const CLIENT: Pod = {
  name: 'network',
  address: '10.0.0.250',
  address6: 'fd00::250',
  id: 2100,
  identity: 5001,
  ifindex: 20,
  mac: 'b6:48:79:16:47:7a',
  hostMac: '66:94:e5:1d:37:df',
};
export const SERVER: Pod = {
  name: 'nginx',
  address: '10.0.1.60',
  address6: 'fd01::60',
  id: 789,
  identity: 6002,
  ifindex: 16,
  mac: '86:62:55:e0:8a:5e',
  hostMac: 'fa:fb:bb:ab:82:72',
};
export const NODE1 = '192.168.1.15';
export const NODE2 = '192.168.1.13';
export const ROUTER1 = '10.0.0.175';
export const ROUTER2 = '10.0.1.172';

const isV6 = (address: string): boolean => address.includes(':');
const family = (address: string): number => (isV6(address) ? 2 : 1);
const ip = (address: string): Record<string, unknown> =>
  isV6(address) ? { ip6: { addr: parseAddress(address) } } : { ip4: address };
const mac48 = (text: string): bigint =>
  text
    .split(':')
    .reverse()
    .reduce((value, byte) => (value << 8n) | BigInt(`0x${byte}`), 0n);
export const address6 = (text: string): { addr: Uint8Array } => ({ addr: parseAddress(text) });

/** One node: a machine with the objects that its agent would load, and short ways to fill its maps. */
export class Node {
  readonly machine = Machine.create({ clock: BigInt(CLOCK_S) * 1_000_000_000n });
  readonly pods = new Map<string, LoadedObject>();
  /** What skb_get_tunnel_key answers. */
  received: { id: number; remote: string } | undefined;
  /** Tunnel key of the last run, if a program set one. */
  tunnel: TunnelKey | undefined;
  readonly #config: Config;

  constructor(config: Config = {}) {
    this.#config = config;
    this.machine.setHelper('skb_set_tunnel_key', (call) => {
      const key = call.read(call.arg(2), 28);
      const view = new DataView(key.buffer, key.byteOffset);
      this.tunnel = {
        id: view.getUint32(0, true),
        remote: formatIPv4(key.slice(4, 8).reverse()),
        ttl: key[21]!,
      };
      return 0;
    });
    this.machine.setHelper('skb_get_tunnel_key', (call) => {
      if (!this.received) return -22;
      const key = new Uint8Array(28);
      new DataView(key.buffer).setUint32(0, this.received.id, true);
      key.set(parseAddress(this.received.remote).slice().reverse(), 4);
      call.write(call.arg(2), key);
      return 0;
    });
  }

  load(object: 'lxc' | 'host' | 'overlay' | 'sock', config: Config = {}): LoadedObject {
    const known = new Set(OBJECTS[object].variables.map((variable) => variable.label));
    const all = Object.entries({ ...this.#config, ...config }).filter(([name]) => known.has(name));
    return this.machine.load(OBJECTS[object], { config: Object.fromEntries(all) });
  }

  /** Loads bpf_lxc for a Pod, makes the Pod known and registers its policy program. Everything is allowed unless `policy`. */
  pod(pod: Pod, options: { config?: Config; policy?: PolicyRule[] } = {}): LoadedObject {
    const object = this.load('lxc', {
      endpoint_id: pod.id,
      endpoint_ipv4: { addr: parseAddress(pod.address) },
      ...(pod.address6 ? { endpoint_ipv6: address6(pod.address6) } : {}),
      security_label: pod.identity,
      interface_mac: { addr: pod.hostMac.split(':').map((byte) => Number.parseInt(byte, 16)) },
      interface_ifindex: pod.ifindex,
      ...options.config,
    });
    this.pods.set(pod.name, object);
    for (const address of [pod.address, pod.address6]) {
      if (address)
        this.set(
          'cilium_lxc',
          { ...ip(address), family: family(address) },
          { ifindex: pod.ifindex, lxc_id: pod.id, mac: mac48(pod.mac), node_mac: mac48(pod.hostMac) },
        );
    }
    this.slot('cilium_call_policy', pod.id, object, 'cil_lxc_policy');
    this.slot('cilium_egresscall_policy', pod.id, object, 'cil_lxc_policy_egress');
    for (const rule of options.policy ?? [{ direction: 'ingress' }, { direction: 'egress' }]) this.policy(object, rule);
    return object;
  }

  policy(object: LoadedObject, rule: PolicyRule): void {
    object.map('cilium_policy').set(
      {
        sec_label: rule.identity ?? 0,
        dport: rule.port ?? 0,
        protocol: rule.protocol ?? 0,
        egress: rule.direction === 'egress' ? 1 : 0,
      },
      { deny: rule.deny ? 1 : 0, proxy_port: rule.proxyPort ?? 0 },
    );
  }

  slot(map: string, slot: number, object: LoadedObject, program: string): void {
    const key = new Uint8Array(4);
    new DataView(key.buffer).setUint32(0, slot, true);
    const value = new Uint8Array(4);
    new DataView(value.buffer).setUint32(0, object.program(program).descriptor, true);
    object.map(map).setBytes(key, value);
  }

  map(name: string): BpfMap {
    return this.machine.map(name);
  }

  set(map: string, key: unknown, value: unknown): void {
    this.map(map).set(key, value);
  }

  /** Tells an identity, and the node behind which it lives. */
  identity(address: string, identity: number, node = '0.0.0.0', bits = isV6(address) ? 128 : 32): void {
    this.set(
      'cilium_ipcache',
      { lpm_key: { prefixlen: 32 + bits }, family: family(address), ...ip(address) },
      { sec_label: identity, tunnel_endpoint: node },
    );
  }

  /** A service with its backends; returns the ids of the backends. */
  service(options: ServiceOptions): void {
    const v6 = isV6(options.address);
    const [services, backends, reverse] = [
      v6 ? 'cilium_lb6_services_v2' : 'cilium_lb4_services_v2',
      v6 ? 'cilium_lb6_backends_v2' : 'cilium_lb4_backends_v2',
      v6 ? 'cilium_lb6_reverse_nat' : 'cilium_lb4_reverse_nat',
    ];
    const address = (text: string): unknown => (v6 ? address6(text) : text);
    const key = { address: address(options.address), dport: options.port };
    this.set(services, key, {
      count: options.backends.length,
      rev_nat_index: options.index,
      flags: options.flags ?? 0,
      affinity_timeout: options.affinity ?? 0,
    });
    for (const [n, backend] of options.backends.entries()) {
      this.set(services, { ...key, backend_slot: n + 1 }, { backend_id: backend.id, rev_nat_index: options.index });
      this.set(backends, backend.id, {
        address: address(backend.address),
        port: backend.port,
        flags: backend.state ?? 0,
      });
    }
    this.set(reverse, options.index, { address: address(options.address), port: options.port });
  }

  /** Runs a program on a packet in words or bytes; faults are errors of the test. */
  run(
    object: LoadedObject,
    program: string,
    packet: string | Uint8Array,
    context: Readonly<Record<string, unknown>> = {},
  ): Outcome {
    this.tunnel = undefined;
    const outcome = object.program(program).run({
      packet: typeof packet === 'string' ? buildPacket(packet) : packet,
      context,
      recordMaps: true,
    });
    if (outcome.fault)
      throw new Error(
        `${program}: ${JSON.stringify(outcome.fault, (_, v) => (typeof v === 'bigint' ? String(v) : v))}`,
      );
    return outcome;
  }

  /** Packets and bytes of a metric, summed over the CPUs. */
  metric(reason: number, direction: 'ingress' | 'egress'): { count: bigint; bytes: bigint } {
    const values = this.map('cilium_metrics').get({ reason, dir: direction === 'ingress' ? 1 : 2 }) as
      | { count: bigint; bytes: bigint }[]
      | undefined;
    return { count: BigInt(values?.[0]?.count ?? 0), bytes: BigInt(values?.[0]?.bytes ?? 0) };
  }
}

export interface PolicyRule {
  direction: 'ingress' | 'egress';
  identity?: number;
  port?: number;
  protocol?: number;
  deny?: boolean;
  /** As stored: network order. */
  proxyPort?: number;
}

export interface ServiceOptions {
  address: string;
  port: number;
  index: number;
  flags?: number;
  affinity?: number;
  backends: { id: number; address: string; port: number; state?: number }[];
}

/** The packet as tcpdump would print it. */
export const line = (packet: Uint8Array | undefined): string => tcpdumpLine(parsePacket(packet!));

/** Wrong checksums of a packet: should be none. */
export const wrong = (packet: Uint8Array | undefined): unknown[] => verifyChecksums(packet!);

/** Events of cilium_events as [type, subtype, rest by hand]. */
export const events = (outcome: Outcome): { type: number; subtype: number; data: DataView }[] =>
  outcome.events.flatMap((event) =>
    event.kind === 'perf' && event.map === 'cilium_events'
      ? [
          {
            type: event.data[0]!,
            subtype: event.data[1]!,
            data: new DataView(event.data.buffer, event.data.byteOffset, event.data.byteLength),
          },
        ]
      : [],
  );

/** Reason, identities, endpoint and file of the drop event of a run. */
export function dropOf(outcome: Outcome): Record<string, number> | undefined {
  const drop = events(outcome).find((event) => event.type === 1);
  if (!drop) return undefined;
  return {
    reason: drop.subtype,
    source: drop.data.getUint32(16, true),
    destination: drop.data.getUint32(20, true),
    endpoint: drop.data.getUint32(24, true),
    file: drop.data.getUint8(30),
  };
}
