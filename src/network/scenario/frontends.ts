import type { ClusterNode, Endpoint } from './cluster.js';
import type { Scenario, ScenarioService } from './schema.js';
import { Numbers } from './stable.js';

export const PROTOCOL_NUMBERS = { TCP: 6, UDP: 17, SCTP: 132 } as const;

export interface Backend {
  /** Cluster-wide here; real agents number their backends on their own. */
  id: number;
  address: string;
  port: number;
  /** IP protocol number. */
  protocol: number;
  state: 'active' | 'terminating' | 'quarantined' | 'maintenance';
  weight: number;
  /** Node of the Pod, undefined for addresses outside the cluster. */
  node: string | undefined;
}

export type FrontendKind = 'ClusterIP' | 'NodePort' | 'ExternalIP' | 'LoadBalancer';

/** One address and port of a Service, as the agent programs it. */
export interface Frontend {
  service: string;
  kind: FrontendKind;
  /** Service id = rev_nat_index. */
  id: number;
  address: string;
  port: number;
  protocol: number;
  /** NodePort frontends exist on this node only; undefined: on every node. */
  node: string | undefined;
  backends: Backend[];
  /** Seconds, undefined without session affinity. */
  affinity: number | undefined;
  /** Prefixes that may use it; empty = everybody. */
  sourceRanges: string[];
  algorithm: 'random' | 'maglev';
  externalTrafficPolicy: 'Cluster' | 'Local';
  internalTrafficPolicy: 'Cluster' | 'Local';
}

/** Frontends and backends of all Services, numbered in the order of the scenario. */
export function resolveServices(
  scenario: Scenario,
  nodes: readonly ClusterNode[],
  endpoints: readonly Endpoint[],
): { frontends: Frontend[]; backends: Backend[] } {
  const services = Object.entries(scenario.services);
  const ids = new Numbers(
    1,
    services.map(([, service]) => service.id),
  );
  const pool = new BackendPool();
  const frontends = services.flatMap(([name, service]) => {
    let given = service.id;
    return service.ports.flatMap((port) => {
      const protocol = PROTOCOL_NUMBERS[port.protocol];
      const candidates = backendsOf(service, port.targetPort ?? port.port, protocol, endpoints);
      return places(service, port, nodes, scenario).map((place): Frontend => {
        const id = ids.take(given);
        given = undefined;
        const isV6 = place.address.includes(':');
        return {
          service: name,
          ...place,
          id,
          protocol,
          backends: candidates
            .filter(({ address }) => address.includes(':') === isV6)
            .map((backend) => pool.add(backend)),
          affinity: scenario.features.sessionAffinity ? service.affinity : undefined,
          sourceRanges:
            place.kind === 'LoadBalancer' ? service.sourceRanges.filter((cidr) => cidr.includes(':') === isV6) : [],
          algorithm: service.algorithm ?? scenario.features.loadBalancer.algorithm,
          externalTrafficPolicy: service.externalTrafficPolicy,
          internalTrafficPolicy: service.internalTrafficPolicy,
        };
      });
    });
  });
  return { frontends, backends: pool.backends };
}

/** Backends with the same address, port and protocol are one. */
class BackendPool {
  readonly backends: Backend[] = [];

  add(backend: Omit<Backend, 'id'>): Backend {
    const known = this.backends.find(
      ({ address, port, protocol }) =>
        address === backend.address && port === backend.port && protocol === backend.protocol,
    );
    if (known) return known;
    const added = { id: this.backends.length + 1, ...backend };
    this.backends.push(added);
    return added;
  }
}

function backendsOf(
  service: ScenarioService,
  port: number,
  protocol: number,
  endpoints: readonly Endpoint[],
): Omit<Backend, 'id'>[] {
  const ofEndpoint = (endpoint: Endpoint, own: Pick<Backend, 'port' | 'state' | 'weight'>) =>
    [endpoint.ipv4, endpoint.ipv6]
      .filter((address): address is string => address !== undefined)
      .map((address) => ({ address, protocol, node: endpoint.node, ...own }));
  if (service.backends) {
    return service.backends.flatMap((backend) => {
      const own = { port: backend.port ?? port, state: backend.state, weight: backend.weight };
      if (backend.address !== undefined) {
        const node = endpoints.find(({ ipv4, ipv6 }) => [ipv4, ipv6].includes(backend.address))?.node;
        return [{ address: backend.address, protocol, node, ...own }];
      }
      return endpoints.filter(({ name }) => name === backend.pod).flatMap((endpoint) => ofEndpoint(endpoint, own));
    });
  }
  if (!service.selector) return [];
  const wanted = Object.entries(service.selector);
  return endpoints
    .filter(({ labels }) => wanted.every(([key, value]) => labels[key] === value))
    .flatMap((endpoint) => ofEndpoint(endpoint, { port, state: 'active', weight: 1 }));
}

type Place = Pick<Frontend, 'kind' | 'address' | 'port' | 'node'>;

/** Every address and port under which one Service port is reached. */
function places(
  service: ScenarioService,
  port: ScenarioService['ports'][number],
  nodes: readonly ClusterNode[],
  scenario: Scenario,
): Place[] {
  const fixed = (kind: FrontendKind, addresses: readonly string[]): Place[] =>
    addresses.map((address) => ({ kind, address, port: port.port, node: undefined }));
  const nodePorts =
    port.nodePort === undefined
      ? []
      : nodes.flatMap((node) =>
          // The zero address stands for all of the node's: the socket LB looks it up for local addresses.
          [
            ...(scenario.features.ipv4 ? ['0.0.0.0', node.ipv4] : []),
            ...(scenario.features.ipv6 ? ['::', node.ipv6] : []),
          ]
            .filter((address): address is string => address !== undefined)
            .map((address): Place => ({ kind: 'NodePort', address, port: port.nodePort!, node: node.name })),
        );
  const inUse = (place: Place) => (place.address.includes(':') ? scenario.features.ipv6 : scenario.features.ipv4);
  return [
    ...fixed('ClusterIP', service.clusterIPs),
    ...nodePorts,
    ...fixed('ExternalIP', service.externalIPs),
    ...fixed('LoadBalancer', service.loadBalancerIPs),
  ].filter(inUse);
}
