import { formatAddress, parseCidr } from '../../packet/addresses.js';
import type { ClusterFeatures, ClusterNode, Device, RouteEntry, RuleEntry } from './cluster.js';
import type { Scenario, ScenarioNode, ScenarioOverride } from './schema.js';
import { Numbers, stableMac } from './stable.js';

/** Where Cilium's devices are unless the scenario says otherwise: behind lo (1) and the first native device (2). */
const FIRST_NATIVE_INDEX = 2;
const CILIUM_NET_INDEX = 3;
const CILIUM_HOST_INDEX = 4;
const TUNNEL_INDEX = 5;
/** Native devices after the first, behind Cilium's own. */
const FURTHER_NATIVE_INDEX = 6;

/** Endpoint ids of Pods grow from low numbers: the host endpoint's is out of their way. */
const FIRST_HOST_ENDPOINT_ID = 4001;

/** MARK_MAGIC_TO_PROXY and its mask: packets for a proxy are routed by table 2004. */
const PROXY_RULE: RuleEntry = { priority: 9, mark: '0x200/0xf00', table: 2004 };
const KERNEL_RULES: RuleEntry[] = [
  { priority: 100, table: 'local' },
  { priority: 32766, table: 'main' },
  { priority: 32767, table: 'default' },
];

export function resolveNodes(scenario: Scenario, features: ClusterFeatures): ClusterNode[] {
  const hostIds = new Numbers(
    FIRST_HOST_ENDPOINT_ID,
    Object.values(scenario.nodes).map((node) => node.hostEndpointId),
  );
  const nodes = Object.entries(scenario.nodes).map(([name, given], i): ClusterNode => {
    const devices = resolveDevices(name, given, features);
    const addresses = devices.flatMap((device) => device.addresses.map((address) => address.split('/')[0]!));
    const routerIPv4 = features.ipv4 ? (given.ciliumHost.ipv4 ?? firstAddress(given.podCIDRs, 4)) : undefined;
    const routerIPv6 = features.ipv6 ? (given.ciliumHost.ipv6 ?? firstAddress(given.podCIDRs, 16)) : undefined;
    const virtual = (device: string, settings: ScenarioNode['ciliumNet'], ifindex: number, own: string[]): Device => ({
      name: device,
      ifindex: settings.ifindex ?? ifindex,
      mac: settings.mac ?? stableMac(`${name} ${device}`),
      mtu: settings.mtu ?? features.mtu,
      addresses: own,
    });
    return {
      name,
      ipv4: addresses.find((address) => !address.includes(':')),
      ipv6: addresses.find((address) => address.includes(':')),
      id: i + 1,
      devices,
      ciliumHost: virtual('cilium_host', given.ciliumHost, CILIUM_HOST_INDEX, [
        ...(routerIPv4 ? [`${routerIPv4}/32`] : []),
        ...(routerIPv6 ? [`${routerIPv6}/128`] : []),
      ]),
      ciliumNet: virtual('cilium_net', given.ciliumNet, CILIUM_NET_INDEX, []),
      tunnelDevice:
        features.routing === 'tunnel'
          ? virtual(`cilium_${features.tunnelProtocol}`, given.tunnelDevice, TUNNEL_INDEX, [])
          : undefined,
      routerIPv4,
      routerIPv6,
      podCIDRs: given.podCIDRs,
      gateway: given.gateway,
      neighbours: neighboursOf(given, scenario.overrides[name]),
      routes: [],
      rules: given.rules.length ? given.rules.map(rule) : [PROXY_RULE, ...KERNEL_RULES],
      labels: given.labels,
      hostEndpointId: hostIds.take(given.hostEndpointId),
      verdicts: [],
      objects: given.objects,
      overrides: scenario.overrides[name],
    };
  });
  for (const node of nodes) {
    const given = scenario.nodes[node.name]!.routes;
    node.routes = given.length
      ? given.map((entry) => routeEntry(entry, entry.device))
      : defaultRoutes(node, nodes, features);
  }
  return nodes;
}

/** The given neighbours with the changes of a scenario's overrides. */
function neighboursOf(given: ScenarioNode, override: ScenarioOverride | undefined): ClusterNode['neighbours'] {
  const { delete: deleted, set } = override?.neighbours ?? { delete: [], set: [] };
  const replaced = new Set([...deleted, ...set.map(({ address }) => address)]);
  return [...given.neighbours.filter(({ address }) => !replaced.has(address)), ...set];
}

function rule(given: ScenarioNode['rules'][number]): RuleEntry {
  return {
    priority: given.priority,
    table: given.table,
    ...defined({ mark: given.mark, from: given.from, to: given.to }),
  };
}

/** A route of the scenario with `default` spelled out. */
export function routeEntry(given: Omit<ScenarioNode['routes'][number], 'device'>, device: string): RouteEntry {
  const { to, via, source, mtu, metric, table } = given;
  const family = (via ?? source ?? '').includes(':') ? '::/0' : '0.0.0.0/0';
  return { to: to === 'default' ? family : to, device, ...defined({ via, source, mtu, metric, table }) };
}

/** Without the members that are undefined. */
function defined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

function resolveDevices(node: string, given: ScenarioNode, features: ClusterFeatures): Device[] {
  const indexes = new Numbers(FURTHER_NATIVE_INDEX, [
    ...Object.values(given.devices).map((device) => device.ifindex),
    given.ciliumHost.ifindex ?? CILIUM_HOST_INDEX,
    given.ciliumNet.ifindex ?? CILIUM_NET_INDEX,
    given.tunnelDevice.ifindex ?? TUNNEL_INDEX,
  ]);
  return Object.entries(given.devices).map(([name, device], i) => ({
    name,
    ifindex: indexes.take(device.ifindex ?? (i === 0 ? FIRST_NATIVE_INDEX : undefined)),
    mac: device.mac ?? stableMac(`${node} ${name}`),
    mtu: device.mtu ?? features.mtu,
    addresses: [...(i === 0 ? given.addresses : []), ...device.addresses],
  }));
}

/** The first host address of the first prefix of a family. */
function firstAddress(cidrs: readonly string[], length: number): string | undefined {
  return hostAddress(cidrs, length, 1);
}

/** The n-th host address of the first prefix of a family; undefined if there is none. */
export function hostAddress(cidrs: readonly string[], length: number, n: number): string | undefined {
  const prefix = cidrs.map(parseCidr).find((cidr) => cidr.address.length === length);
  if (!prefix) return undefined;
  const bits = length * 8 - prefix.prefixLength;
  if (bits < 32 && n >= 2 ** bits - 1) return undefined;
  const address = prefix.address.slice();
  let carry = n;
  for (let i = length - 1; i >= 0 && carry > 0; i--) {
    const sum = address[i]! + (carry & 0xff);
    address[i] = sum & 0xff;
    carry = (carry >>> 8) + (sum >> 8);
  }
  return formatAddress(address);
}

/**
 * The main table as agent and kernel fill it: the default route, cilium_host's own address, Pod prefixes of every node
 * through cilium_host (tunnel) or through their node (native); with endpoint routes the Pods' own come from the network.
 */
function defaultRoutes(node: ClusterNode, nodes: readonly ClusterNode[], features: ClusterFeatures): RouteEntry[] {
  const [native] = node.devices;
  if (!native) return [];
  const routes: RouteEntry[] = [];
  for (const gateway of [node.gateway.ipv4, node.gateway.ipv6])
    if (gateway !== undefined)
      routes.push({ to: gateway.includes(':') ? '::/0' : '0.0.0.0/0', via: gateway, device: native.name });
  for (const router of [node.routerIPv4, node.routerIPv6])
    if (router !== undefined)
      routes.push({ to: `${router}/${router.includes(':') ? 128 : 32}`, device: 'cilium_host' });
  for (const other of nodes) {
    for (const cidr of other.podCIDRs) {
      const isV6 = cidr.includes(':');
      if (!(isV6 ? features.ipv6 : features.ipv4)) continue;
      const router = isV6 ? node.routerIPv6 : node.routerIPv4;
      const peer = isV6 ? other.ipv6 : other.ipv4;
      if (other === node || features.routing === 'tunnel') {
        if (router === undefined) continue;
        const mtu = other === node ? {} : { mtu: features.podMtu };
        // The kernel refuses an own IPv6 address as gateway, so the agent leaves it away.
        routes.push({ to: cidr, ...(isV6 ? {} : { via: router }), device: 'cilium_host', source: router, ...mtu });
      } else if (peer !== undefined) {
        routes.push({ to: cidr, via: peer, device: native.name });
      }
    }
  }
  return routes;
}
