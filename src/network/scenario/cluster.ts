import { addressOf, resolveEndpoints } from './endpoints.js';
import { type Backend, type Frontend, resolveServices } from './frontends.js';
import { type Identities, resolveIdentities } from './identities.js';
import { resolveNodes } from './nodes.js';
import type { Scenario, ScenarioFeatures, ScenarioFlow, ScenarioOverride } from './schema.js';
import { resolveVerdicts, type VerdictEntry } from './verdicts.js';

/** A network device; `addresses` with prefix length. */
export interface Device {
  name: string;
  ifindex: number;
  mac: string;
  mtu: number;
  addresses: string[];
}

export interface RouteEntry {
  /** Prefix, `0.0.0.0/0` and `::/0` for the default. */
  to: string;
  via?: string;
  device: string;
  source?: string;
  mtu?: number;
  metric?: number;
  table?: number;
}

export interface RuleEntry {
  priority: number;
  mark?: string;
  from?: string;
  to?: string;
  table: string | number;
}

export interface ClusterNode {
  name: string;
  /** First addresses of the first device, without prefix length. */
  ipv4: string | undefined;
  ipv6: string | undefined;
  /** Cilium's node id (node_map), from 1. */
  id: number;
  /** Native devices. */
  devices: Device[];
  ciliumHost: Device;
  ciliumNet: Device;
  /** cilium_vxlan or cilium_geneve; undefined with native routing. */
  tunnelDevice: Device | undefined;
  /** Router addresses: those of cilium_host. */
  routerIPv4: string | undefined;
  routerIPv6: string | undefined;
  podCIDRs: string[];
  gateway: { ipv4?: string | undefined; ipv6?: string | undefined };
  neighbours: { address: string; mac: string; device: string }[];
  routes: RouteEntry[];
  rules: RuleEntry[];
  labels: Record<string, string>;
  hostEndpointId: number;
  /** Policy of the host endpoint. */
  verdicts: VerdictEntry[];
  /** Directory of the node's own objects. */
  objects: string | undefined;
  overrides: ScenarioOverride | undefined;
}

/** One end of a veth pair. */
export interface PodInterface {
  name: string;
  ifindex: number;
  mac: string;
}

/** A Pod as a Cilium endpoint. */
export interface Endpoint {
  name: string;
  namespace: string;
  node: string;
  labels: Record<string, string>;
  ipv4: string | undefined;
  ipv6: string | undefined;
  /** Inside the Pod. */
  interface: PodInterface;
  /** On the node: where the programs are attached. */
  hostInterface: PodInterface;
  mtu: number;
  routes: RouteEntry[];
  /** Endpoint id, unique on its node. */
  id: number;
  /** Security identity. */
  identity: number;
  netnsCookie: bigint;
  /** Bytes per second, undefined without a limit. */
  egressLimit: number | undefined;
  verdicts: VerdictEntry[];
}

export interface ExternalHost {
  name: string;
  ipv4: string | undefined;
  ipv6: string | undefined;
  mac: string;
}

export interface ClusterFeatures extends ScenarioFeatures {
  perPacketLB: boolean;
  tunnelPort: number;
  /** MTU of Pods: the underlay's less 50 bytes behind a tunnel. */
  podMtu: number;
}

/** A scenario with everything decided that the agents of all nodes would decide: ids, identities, policies, frontends. */
export interface Cluster {
  scenario: Scenario;
  features: ClusterFeatures;
  nodes: ClusterNode[];
  endpoints: Endpoint[];
  externals: ExternalHost[];
  identities: Identities;
  frontends: Frontend[];
  backends: Backend[];
  flows: ScenarioFlow[];
}

/** VXLAN and Geneve over IPv4 with Ethernet inside: 20 + 8 + 8 + 14 bytes. */
const TUNNEL_OVERHEAD = 50;

/** Throws UsageError if a Pod CIDR has no address left. */
export function resolveCluster(scenario: Scenario): Cluster {
  const { features: given } = scenario;
  const isTunnel = given.routing === 'tunnel';
  const features: ClusterFeatures = {
    ...given,
    perPacketLB: given.perPacketLB ?? !given.socketLB,
    tunnelPort: given.tunnelPort ?? (given.tunnelProtocol === 'vxlan' ? 8472 : 6081),
    podMtu: given.mtu - (isTunnel ? TUNNEL_OVERHEAD : 0),
  };
  const nodes = resolveNodes(scenario, features);
  const endpoints = resolveEndpoints(scenario, features, nodes);
  const identities = resolveIdentities(scenario, endpoints);
  const { frontends, backends } = resolveServices(scenario, nodes, endpoints);
  const cluster: Cluster = {
    scenario,
    features,
    nodes,
    endpoints,
    externals: Object.entries(scenario.external).map(([name, host]) => ({
      name,
      ipv4: host.ipv4,
      ipv6: host.ipv6,
      mac: addressOf(host.mac, `external ${name}`),
    })),
    identities,
    frontends,
    backends,
    flows: scenario.flows,
  };
  resolveVerdicts(cluster);
  return cluster;
}

/** Endpoints of one node. */
export function localEndpoints(cluster: Cluster, node: string): Endpoint[] {
  return cluster.endpoints.filter((endpoint) => endpoint.node === node);
}
