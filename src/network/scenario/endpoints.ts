import { UsageError } from '../../errors.js';
import type { ClusterFeatures, ClusterNode, Endpoint, RouteEntry } from './cluster.js';
import { hostAddress, routeEntry } from './nodes.js';
import type { Scenario, ScenarioPod } from './schema.js';
import { Numbers, stableHash, stableMac } from './stable.js';

/** Interface indexes of Pods that have none given: behind those of the node's own devices, in pairs as the kernel gives them. */
const FIRST_POD_INDEX = 101;
const FIRST_ENDPOINT_ID = 101;
/** Identities of Pods are 256 to 65535. */
const FIRST_IDENTITY = 1001;
/** Host number of the first Pod that has no address given. */
const FIRST_HOST_NUMBER = 10;
const FIRST_COOKIE = 4096n;

/** `given`, or a MAC address that depends on the name alone. */
export function addressOf(given: string | undefined, name: string): string {
  return given ?? stableMac(name);
}

/** Throws UsageError if a Pod gets no address from its node's podCIDRs. */
export function resolveEndpoints(
  scenario: Scenario,
  features: ClusterFeatures,
  nodes: readonly ClusterNode[],
): Endpoint[] {
  const pods = Object.entries(scenario.pods);
  const identities = new IdentityNumbers(pods.map(([, pod]) => pod));
  // Ids are the node's own affair; different ones on all nodes are easier to read.
  const ids = new Numbers(FIRST_ENDPOINT_ID, [
    ...nodes.map((node) => node.hostEndpointId),
    ...pods.map(([, pod]) => pod.endpointId),
  ]);
  const endpoints: Endpoint[] = [];
  for (const node of nodes) {
    const local = pods.filter(([, pod]) => pod.node === node.name);
    const indexes = new Numbers(
      FIRST_POD_INDEX,
      local.map(([, pod]) => pod.hostInterface.ifindex),
    );
    const addresses = new PodAddresses(
      node,
      local.map(([, pod]) => pod),
    );
    for (const [name, pod] of local) {
      const insideIndex = pod.interface.ifindex ?? indexes.take();
      const hostIndex = indexes.take(pod.hostInterface.ifindex);
      const ipv4 = features.ipv4 ? (pod.ipv4 ?? addresses.take(4, name)) : undefined;
      const ipv6 = features.ipv6 ? (pod.ipv6 ?? addresses.take(16, name)) : undefined;
      const labels = pod.labels ?? { app: name };
      const inside = pod.interface.name ?? 'eth0';
      endpoints.push({
        name,
        namespace: pod.namespace,
        node: node.name,
        labels,
        ipv4,
        ipv6,
        interface: { name: inside, ifindex: insideIndex, mac: addressOf(pod.interface.mac, `${name} eth0`) },
        hostInterface: {
          name: pod.hostInterface.name ?? `lxc${stableHash(name).toString(16).padStart(16, '0').slice(0, 12)}`,
          ifindex: hostIndex,
          mac: addressOf(pod.hostInterface.mac, `${name} lxc`),
        },
        mtu: features.mtu,
        routes:
          pod.routes?.map((route) => routeEntry(route, route.device ?? inside)) ?? podRoutes(node, inside, features),
        id: ids.take(pod.endpointId),
        identity: pod.identity ?? identities.of(pod.namespace, labels),
        netnsCookie: FIRST_COOKIE + BigInt(endpoints.length),
        egressLimit: pod.egressBandwidth === undefined ? undefined : Math.floor(pod.egressBandwidth / 8),
        verdicts: [],
      });
    }
  }
  return endpoints;
}

/** As Cilium's CNI plugin sets them: everything through the router address, which is on link. */
function podRoutes(node: ClusterNode, device: string, features: ClusterFeatures): RouteEntry[] {
  return [node.routerIPv4, node.routerIPv6]
    .filter((router): router is string => router !== undefined)
    .flatMap((router) => {
      const isV6 = router.includes(':');
      return [
        { to: `${router}/${isV6 ? 128 : 32}`, device },
        { to: isV6 ? '::/0' : '0.0.0.0/0', via: router, device, mtu: features.podMtu },
      ];
    });
}

/** One identity for each set of labels, in order of appearance. */
class IdentityNumbers {
  readonly #numbers: Numbers;
  readonly #known = new Map<string, number>();

  constructor(pods: readonly ScenarioPod[]) {
    this.#numbers = new Numbers(
      FIRST_IDENTITY,
      pods.map((pod) => pod.identity),
    );
    for (const pod of pods) {
      if (pod.identity !== undefined && pod.labels) this.#known.set(labelKey(pod.namespace, pod.labels), pod.identity);
    }
  }

  of(namespace: string, labels: Readonly<Record<string, string>>): number {
    const key = labelKey(namespace, labels);
    const known = this.#known.get(key) ?? this.#numbers.take();
    this.#known.set(key, known);
    return known;
  }
}

function labelKey(namespace: string, labels: Readonly<Record<string, string>>): string {
  return JSON.stringify([namespace, Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))]);
}

/** Addresses of a node's Pod prefixes that nobody has. */
class PodAddresses {
  readonly #node: ClusterNode;
  readonly #taken: Set<string | undefined>;
  readonly #next = new Map<number, number>();

  constructor(node: ClusterNode, pods: readonly ScenarioPod[]) {
    this.#node = node;
    this.#taken = new Set([node.routerIPv4, node.routerIPv6, ...pods.flatMap((pod) => [pod.ipv4, pod.ipv6])]);
  }

  take(length: 4 | 16, pod: string): string {
    for (let n = this.#next.get(length) ?? FIRST_HOST_NUMBER; ; n++) {
      const address = hostAddress(this.#node.podCIDRs, length, n);
      if (address === undefined)
        throw new UsageError(
          `Pod ${pod} gets no IPv${length === 4 ? 4 : 6} address: node ${this.#node.name} has no podCIDR with a free one; give the Pod ipv${length === 4 ? 4 : 6} or the node podCIDRs`,
        );
      if (this.#taken.has(address)) continue;
      this.#next.set(length, n + 1);
      return address;
    }
  }
}
