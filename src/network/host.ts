import type { RunEnvironment } from '../helpers/helper.js';
import type { Machine } from '../machine/machine.js';
import type { Device, DeviceOptions } from './device.js';
import { Namespace } from './namespace.js';
import type { Network } from './network.js';
import type { AddressHook, AddressHookPoint } from './sockets.js';
import { TunnelDriver, type TunnelProtocol } from './tunnel.js';
import { pairVeth } from './veth.js';

export interface HostOptions {
  /** What runs the programs of the host's hooks; its environment follows the host's tables. */
  machine?: Machine;
  /** Whether the root namespace forwards. Default true: hosts here are nodes. */
  forwarding?: boolean;
  /** Index of the loopback device. Default 1, as every kernel has it; programs with an index compiled in may need that one. */
  loIfindex?: number;
}

export interface TunnelOptions extends DeviceOptions {
  protocol: TunnelProtocol;
  /** UDP port of both ends. Default 8472 (VXLAN), 6081 (Geneve). */
  port?: number;
  /** Default: the root namespace. */
  namespace?: Namespace;
}

/** Name of the namespace a host starts with. */
export const ROOT_NAMESPACE = 'root';
/** Cookie of the initial network namespace. */
const ROOT_COOKIE = 1n;

/** One machine on the network with its namespaces. */
export class Host {
  readonly network: Network;
  readonly name: string;
  readonly machine: Machine | undefined;
  readonly root: Namespace;
  readonly #namespaces = new Map<string, Namespace>();
  readonly #addressHooks = new Map<AddressHookPoint, AddressHook[]>();
  /** Egress redirects in progress within each other. @internal */
  redirectDepth = 0;
  #cookies = 0n;
  #entered: { namespace: Namespace; version: number } | undefined;

  constructor(network: Network, name: string, options: HostOptions = {}) {
    this.network = network;
    this.name = name;
    this.machine = options.machine;
    this.root = new Namespace(this, ROOT_NAMESPACE, ROOT_COOKIE, options.forwarding ?? true, options.loIfindex);
    this.#namespaces.set(ROOT_NAMESPACE, this.root);
  }

  get namespaces(): readonly Namespace[] {
    return [...this.#namespaces.values()];
  }

  /** The namespace of that name; made if there is none. `cookie`: SO_NETNS_COOKIE, default counted. */
  namespace(name: string, options: { cookie?: bigint; forwarding?: boolean } = {}): Namespace {
    const known = this.#namespaces.get(name);
    if (known) return known;
    const cookie = options.cookie ?? ROOT_COOKIE + BigInt(this.#namespaces.size);
    const namespace = new Namespace(this, name, cookie, options.forwarding ?? false);
    this.#namespaces.set(name, namespace);
    return namespace;
  }

  /** The next socket cookie: unique over the namespaces of a host. @internal */
  nextCookie(): bigint {
    return ++this.#cookies;
  }

  /** Adds a veth pair; both ends may be in the same namespace. */
  addVeth(
    near: DeviceOptions & { namespace?: Namespace },
    far: DeviceOptions & { namespace?: Namespace },
  ): { near: Device; far: Device } {
    const a = (near.namespace ?? this.root).createDevice('veth', near);
    const b = (far.namespace ?? this.root).createDevice('veth', far);
    pairVeth(a, b);
    return { near: a, far: b };
  }

  /** Adds a VXLAN or Geneve device in external (collect_md) mode: programs say where packets go. */
  addTunnel(options: TunnelOptions): Device {
    const namespace = options.namespace ?? this.root;
    const device = namespace.createDevice(options.protocol, options);
    const driver = new TunnelDriver(device, options.protocol, options.port);
    device.driver = driver;
    namespace.tunnels.set(driver.port, driver);
    return device;
  }

  /** Attaches a hook to the cgroup that all processes of the host are in. */
  attachAddressHook(point: AddressHookPoint, hook: AddressHook): void {
    this.#addressHooks.set(point, [...this.addressHooks(point), hook]);
  }

  addressHooks(point: AddressHookPoint): readonly AddressHook[] {
    return this.#addressHooks.get(point) ?? [];
  }

  /** Gives the machine's helpers the view of a namespace: done before every run, cheap when nothing changed. */
  enter(namespace: Namespace): void {
    const { machine } = this;
    if (!machine) return;
    const version = namespace.version + namespace.routing.version + namespace.neighbours.version;
    if (this.#entered?.namespace === namespace && this.#entered.version === version) return;
    this.#entered = { namespace, version };
    Object.assign(machine.environment, environmentOf(namespace));
    machine.syncDevices();
  }
}

/** What helpers may ask of a namespace: devices, routes, neighbours, sockets. */
export function environmentOf(namespace: Namespace): Omit<RunEnvironment, 'cgroupId' | 'task'> {
  const index = (name: string | undefined): number =>
    name === undefined ? 0 : (namespace.findDevice(name)?.ifindex ?? 0);
  const { routing } = namespace;
  const routes: RunEnvironment['routes'] = [];
  for (const family of [4, 6] as const) {
    for (const table of routing.tables(family)) {
      for (const route of routing.table(family, table).routes) {
        if (route.type === 'throw') continue;
        routes.push({
          prefix: route.destination.address,
          length: route.destination.prefixLength,
          gateway: route.gateway,
          ifindex: index(route.device),
          source: route.source,
          table,
          metric: route.metric,
          // Broadcast addresses are not forwarded either, which is all that a look-up tells.
          type: route.type === 'broadcast' ? 'local' : route.type,
        });
      }
    }
  }
  return {
    devices: namespace.devices.map((device) => ({
      ifindex: device.ifindex,
      name: device.name,
      mac: device.mac,
      mtu: device.mtu,
      up: device.up,
      forwarding: namespace.forwarding,
      addresses: device.addresses.map((own) => own.address),
    })),
    routes,
    neighbours: namespace.neighbours.entries.flatMap(({ device, address, mac }) =>
      mac ? [{ ifindex: device.ifindex, address, mac }] : [],
    ),
    sockets: namespace.sockets.list,
    netnsCookie: namespace.cookie,
  };
}
