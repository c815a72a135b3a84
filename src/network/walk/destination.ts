import { UsageError } from '../../errors.js';
import type { Cluster } from '../scenario/cluster.js';
import { type Backend, type Frontend, PROTOCOL_NUMBERS } from '../scenario/frontends.js';
import type { ScenarioFlow } from '../scenario/schema.js';

/** Who may answer a flow: a Pod, an external host or a node, and the port it listens on. */
export interface Server {
  readonly name: string;
  readonly address: string;
  readonly port: number;
}

/** What the client of a flow asks for, and who may answer. */
export interface Destination {
  readonly address: string;
  readonly port: number;
  readonly frontend: Frontend | undefined;
  readonly servers: readonly Server[];
}

/** Finds address and servers of a flow. Throws UsageError if the scenario has no such address. */
export function destinationOf(cluster: Cluster, flow: ScenarioFlow, label: string): Destination {
  const { to } = flow;
  const port = to.port ?? 0;
  const protocol = protocolNumber(flow.protocol);
  const address = to.service === undefined ? plainAddress(cluster, flow) : undefined;
  const frontend = cluster.frontends.find((candidate) =>
    to.service === undefined
      ? candidate.address === address && candidate.port === port && candidate.protocol === protocol
      : candidate.service === to.service &&
        candidate.kind === 'ClusterIP' &&
        candidate.protocol === protocol &&
        (to.port === undefined || candidate.port === to.port),
  );
  if (frontend) {
    const servers = frontend.backends.map((backend) => serverOf(cluster, backend));
    return { address: frontend.address, port: frontend.port, frontend, servers };
  }
  if (address === undefined)
    throw new UsageError(
      `${label}: ${to.service === undefined ? 'the destination has no address of an enabled family' : `Service ${to.service} has no ClusterIP with ${flow.protocol} port ${port}`}`,
    );
  const name = ownerOf(cluster, address);
  return { address, port, frontend: undefined, servers: name ? [{ name, address, port }] : [] };
}

function protocolNumber(protocol: ScenarioFlow['protocol']): number {
  return { tcp: PROTOCOL_NUMBERS.TCP, udp: PROTOCOL_NUMBERS.UDP, sctp: PROTOCOL_NUMBERS.SCTP, icmp: 1 }[protocol];
}

function plainAddress(cluster: Cluster, { to }: ScenarioFlow): string | undefined {
  if (to.address !== undefined) return to.address;
  const found =
    cluster.endpoints.find(({ name }) => name === to.pod) ??
    cluster.nodes.find(({ name }) => name === to.node) ??
    cluster.externals.find(({ name }) => name === to.external);
  return cluster.features.ipv4 ? (found?.ipv4 ?? found?.ipv6) : found?.ipv6;
}

/** Pod, node or external host with an address. */
function ownerOf(cluster: Cluster, address: string): string | undefined {
  return [...cluster.endpoints, ...cluster.externals, ...cluster.nodes].find(({ ipv4, ipv6 }) =>
    [ipv4, ipv6].includes(address),
  )?.name;
}

function serverOf(cluster: Cluster, { address, port }: Backend): Server {
  return { name: ownerOf(cluster, address) ?? address, address, port };
}
