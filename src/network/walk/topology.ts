import type { NodePlan } from '../../cilium/state/plan-types.js';
import { UsageError } from '../../errors.js';
import type { Machine } from '../../machine/machine.js';
import { cidrContains, parseAddress, parseCidr, parseMac } from '../../packet/addresses.js';
import type { Device } from '../device.js';
import type { Host } from '../host.js';
import type { Namespace } from '../namespace.js';
import { Network } from '../network.js';
import { DEFAULT_TABLE, LOCAL_TABLE, MAIN_TABLE } from '../routes.js';
import { type Family, familyOf } from '../rules.js';
import type { Cluster, ClusterNode, Endpoint, RouteEntry, RuleEntry } from '../scenario/cluster.js';
import type { Wire } from '../wire.js';

/** Everything of one node that a walk needs while it runs. */
export interface NodeSite {
  readonly node: ClusterNode;
  readonly plan: NodePlan;
  readonly machine: Machine;
}

/** The network of a cluster with its named parts. */
export interface ClusterNetwork {
  readonly network: Network;
  readonly hosts: ReadonlyMap<string, Host>;
  /** Namespaces of Pods and external hosts by name. */
  readonly namespaces: ReadonlyMap<string, Namespace>;
  readonly underlay: Wire;
}

const NANOSECONDS = 1000;
const TABLES: Readonly<Record<string, number>> = { local: LOCAL_TABLE, main: MAIN_TABLE, default: DEFAULT_TABLE };
/** Where packets for a proxy are delivered locally (Cilium's proxy routing table). */
const PROXY_TABLE = 2004;
const ROUTER = 'gateway';

/** Builds hosts, devices, addresses, rules, routes and neighbours of a cluster; hooks are attached elsewhere. */
export function buildClusterNetwork(cluster: Cluster, sites: ReadonlyMap<string, NodeSite>): ClusterNetwork {
  const { wire } = cluster.scenario;
  const network = new Network({ seed: wire.seed || 1 });
  const underlay = network.wire('underlay', {
    ...(wire.latency ? { latency: BigInt(Math.round(wire.latency * NANOSECONDS)) } : {}),
    loss: wire.loss,
    reorder: wire.reorder,
    mtu: cluster.features.mtu,
    ...(wire.fabricMac ? { fabric: { mac: parseMac(wire.fabricMac) } } : {}),
  });
  const hosts = new Map<string, Host>();
  const namespaces = new Map<string, Namespace>();
  for (const site of sites.values()) {
    const host = buildNode(network, underlay, cluster, site);
    hosts.set(site.node.name, host);
    for (const endpoint of cluster.endpoints.filter(({ node }) => node === site.node.name))
      namespaces.set(endpoint.name, buildPod(cluster, host, site, endpoint));
  }
  buildExternals(cluster, network, underlay, namespaces);
  return { network, hosts, namespaces, underlay };
}

function buildNode(network: Network, underlay: Wire, cluster: Cluster, { node, plan, machine }: NodeSite): Host {
  const indexOf = (name: string): number | undefined => plan.devices.get(name)?.ifindex;
  const host = network.host(node.name, { machine, loIfindex: indexOf('lo') });
  const { root } = host;
  const options = ({ name, mtu, mac }: ClusterNode['ciliumHost']) => ({
    name,
    mtu,
    ifindex: indexOf(name),
    mac: parseMac(plan.devices.get(name)?.mac ?? mac),
  });
  for (const device of node.devices) addAddresses(underlay.attach(root, options(device)), device.addresses);
  const pair = host.addVeth(options(node.ciliumNet), options(node.ciliumHost));
  for (const end of [pair.near, pair.far]) {
    // Packets between the two have own addresses as source. The agent allows that, and switches ARP off.
    end.acceptLocal = true;
    end.noArp = true;
  }
  addAddresses(pair.near, node.ciliumNet.addresses);
  addAddresses(pair.far, node.ciliumHost.addresses);
  if (node.tunnelDevice) {
    const { tunnelProtocol: protocol, tunnelPort: port } = cluster.features;
    host.addTunnel({ ...options(node.tunnelDevice), protocol, port });
  }
  for (const endpoint of cluster.endpoints.filter((candidate) => candidate.node === node.name)) {
    const inside = { ...endpoint.interface, mtu: endpoint.mtu, mac: parseMac(endpoint.interface.mac) };
    const namespace = host.namespace(endpoint.name, { cookie: endpoint.netnsCookie });
    host.addVeth(options({ ...endpoint.hostInterface, mtu: endpoint.mtu, addresses: [] }), { ...inside, namespace });
    if (cluster.features.endpointRoutes) {
      for (const address of [endpoint.ipv4, endpoint.ipv6])
        if (address) addRoute(root, { to: hostPrefix(address), device: endpoint.hostInterface.name });
    }
  }
  for (const family of [4, 6] as const) setRules(root, family, node.rules);
  for (const route of node.routes) addRoute(root, route);
  for (const to of ['0.0.0.0/0', '::/0'])
    root.routing.addRoute({ destination: parseCidr(to), type: 'local', device: 'lo' }, PROXY_TABLE);
  setNeighbours(root, node);
  return host;
}

function addAddresses(device: Device, addresses: readonly string[]): void {
  for (const address of addresses) device.addAddress(parseCidr(address));
}

const hostPrefix = (address: string): string => `${address}/${address.includes(':') ? 128 : 32}`;

/** Adds a route; one to a prefix that an address brought along replaces that one, as `ip route replace` does. */
function addRoute(namespace: Namespace, route: RouteEntry): void {
  const destination = parseCidr(route.to);
  const table = route.table ?? MAIN_TABLE;
  namespace.routing.removeRoute(destination, table, route.device);
  namespace.routing.addRoute(
    {
      destination,
      device: route.device,
      ...(route.via === undefined ? {} : { gateway: parseAddress(route.via) }),
      ...(route.source === undefined ? {} : { source: parseAddress(route.source) }),
      ...(route.mtu === undefined ? {} : { mtu: route.mtu }),
      ...(route.metric === undefined ? {} : { metric: route.metric }),
    },
    table,
  );
}

/** Replaces the rules of a family by those of the scenario that can concern it. */
function setRules(namespace: Namespace, family: Family, rules: readonly RuleEntry[]): void {
  const { routing } = namespace;
  for (const rule of [...routing.rules(family)]) routing.removeRule(family, rule.priority);
  for (const rule of rules) {
    const [from, to] = [rule.from, rule.to].map((cidr) => (cidr === undefined ? undefined : parseCidr(cidr)));
    if ([from, to].some((cidr) => cidr && familyOf(cidr.address) !== family)) continue;
    const [value, mask] = (rule.mark ?? '').split('/').map(Number);
    routing.addRule(family, {
      priority: rule.priority,
      table: typeof rule.table === 'number' ? rule.table : TABLES[rule.table],
      ...(rule.mark === undefined ? {} : { mark: { value: value!, mask: mask ?? 0xffffffff } }),
      ...(from ? { from } : {}),
      ...(to ? { to } : {}),
    });
  }
}

function setNeighbours(root: Namespace, node: ClusterNode): void {
  const changes = node.overrides?.neighbours;
  const entries = [...node.neighbours, ...(changes?.set ?? [])];
  for (const { address, mac, device } of entries)
    if (!changes?.delete.includes(address))
      root.neighbours.set(root.device(device), parseAddress(address), parseMac(mac));
}

/** A Pod's namespace: its address, its routes, and the gateway as a neighbour that it has talked to before. */
function buildPod(cluster: Cluster, host: Host, { node }: NodeSite, endpoint: Endpoint): Namespace {
  const namespace = host.namespace(endpoint.name);
  const device = namespace.device(endpoint.interface.name);
  for (const address of [endpoint.ipv4, endpoint.ipv6]) if (address) device.addAddress(parseCidr(hostPrefix(address)));
  for (const route of endpoint.routes) addRoute(namespace, route);
  for (const router of [node.routerIPv4, node.routerIPv6])
    if (router && isFamilyUsed(cluster, router))
      namespace.neighbours.set(device, parseAddress(router), parseMac(endpoint.hostInterface.mac), 'reachable');
  return namespace;
}

function isFamilyUsed({ features }: Cluster, address: string): boolean {
  return address.includes(':') ? features.ipv6 : features.ipv4;
}

/** External hosts on the underlay, and a router for those that no network of a node has, unless a fabric routes. */
function buildExternals(cluster: Cluster, network: Network, underlay: Wire, namespaces: Map<string, Namespace>): void {
  const networks = cluster.nodes.flatMap((node) => node.devices.flatMap(({ addresses }) => addresses));
  const isFabric = cluster.scenario.wire.fabricMac !== undefined;
  const gateways = [...new Set(cluster.nodes.flatMap(({ gateway }) => [gateway.ipv4, gateway.ipv6]))];
  let world: { wire: Wire; router: Host } | undefined;
  for (const external of cluster.externals) {
    const addresses = [external.ipv4, external.ipv6].filter((address): address is string => address !== undefined);
    const root = network.host(external.name, { forwarding: false }).root;
    const isNear =
      isFabric ||
      addresses.every((address) => networks.some((cidr) => sameFamily(cidr, address) && contains(cidr, address)));
    if (!isNear) world ??= buildRouter(cluster, network, underlay, gateways, networks);
    const device = (isNear ? underlay : world!.wire).attach(root, { name: 'eth0', mac: parseMac(external.mac) });
    for (const address of addresses) {
      const own = networks.find((cidr) => sameFamily(cidr, address) && contains(cidr, address));
      const length = own?.split('/')[1] ?? (address.includes(':') ? '128' : '32');
      device.addAddress(parseCidr(`${address}/${length}`));
      const gateway = gateways.find((candidate) => candidate !== undefined && sameFamily(candidate, address));
      addRoute(root, {
        to: address.includes(':') ? '::/0' : '0.0.0.0/0',
        device: 'eth0',
        ...(isNear && own && gateway ? { via: gateway } : {}),
      });
    }
    namespaces.set(external.name, root);
  }
}

/** The nodes' gateway as a host of its own, between the underlay and a wire for the world. It answers ARP for both sides. */
function buildRouter(
  cluster: Cluster,
  network: Network,
  underlay: Wire,
  gateways: readonly (string | undefined)[],
  networks: readonly string[],
): { wire: Wire; router: Host } {
  const router = network.host(ROUTER, { forwarding: true });
  const near = underlay.attach(router.root, { name: 'eth0' });
  const wire = network.wire('world', { mtu: cluster.features.mtu });
  const far = wire.attach(router.root, { name: 'eth1' });
  near.proxyArp = true;
  far.proxyArp = true;
  for (const gateway of gateways) {
    const own = gateway && networks.find((cidr) => sameFamily(cidr, gateway) && contains(cidr, gateway));
    if (own) near.addAddress(parseCidr(`${gateway}/${own.split('/')[1]}`));
  }
  for (const { name, ipv4, ipv6 } of cluster.externals) {
    if (name === ROUTER) throw new UsageError(`an external host may not be called ${ROUTER}: the nodes' gateway is`);
    for (const address of [ipv4, ipv6])
      if (address && !networks.some((cidr) => sameFamily(cidr, address) && contains(cidr, address)))
        addRoute(router.root, { to: hostPrefix(address), device: 'eth1' });
  }
  return { wire, router };
}

const sameFamily = (a: string, b: string): boolean => a.includes(':') === b.includes(':');
const contains = (cidr: string, address: string): boolean => cidrContains(parseCidr(cidr), parseAddress(address));
