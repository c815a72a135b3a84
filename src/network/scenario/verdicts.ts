import { IDENTITY } from '../../cilium/identities.js';
import { cidrContains, parseCidr } from '../../packet/addresses.js';
import type { Cluster } from './cluster.js';
import { PROTOCOL_NUMBERS } from './frontends.js';
import { canonicalCidr, type Identities } from './identities.js';
import type { EndpointSelector, ScenarioPolicy } from './schema.js';
import { namesNamespace, selectableLabels, selects } from './selectors.js';
import { type Match, settleConflicts, toPrefixes } from './verdict-rules.js';

export type Direction = 'ingress' | 'egress';

/** One entry of an endpoint's policy map, whatever the map's layout. */
export interface VerdictEntry {
  direction: Direction;
  /** Remote identity, 0 = all. */
  identity: number;
  /** IP protocol number, 0 = all. */
  protocol: number;
  /** First destination port (for ICMP the type), host order. */
  port: number;
  /** Bits of the port that count: 16 = this port, 0 = all. */
  prefix: number;
  deny: boolean;
  /** L7 proxy that traffic is redirected to. */
  proxyPort: number | undefined;
  /** Where the entry comes from: name of the policy, `default` or `allow-localhost`. */
  rule: string;
}

type IngressRule = NonNullable<ScenarioPolicy['ingress']>[number];
type EgressRule = NonNullable<ScenarioPolicy['egress']>[number];

/** The peers of a rule, ingress and egress alike. */
interface Peers {
  endpoints: EndpointSelector[] | undefined;
  entities: NonNullable<IngressRule['fromEntities']> | undefined;
  cidrs: string[] | undefined;
  cidrSets: NonNullable<IngressRule['fromCIDRSet']> | undefined;
}

interface Rule {
  peers: Peers;
  toPorts: IngressRule['toPorts'];
  icmps: IngressRule['icmps'];
}

const fromIngress = (rule: IngressRule): Rule => ({
  peers: {
    endpoints: rule.fromEndpoints,
    entities: rule.fromEntities,
    cidrs: rule.fromCIDR,
    cidrSets: rule.fromCIDRSet,
  },
  toPorts: rule.toPorts,
  icmps: rule.icmps,
});
const fromEgress = (rule: EgressRule): Rule => ({
  peers: { endpoints: rule.toEndpoints, entities: rule.toEntities, cidrs: rule.toCIDR, cidrSets: rule.toCIDRSet },
  toPorts: rule.toPorts,
  icmps: rule.icmps,
});

/** Fills the verdict entries of all endpoints and host endpoints. */
export function resolveVerdicts(cluster: Cluster): void {
  const { policies } = cluster.scenario;
  for (const endpoint of cluster.endpoints) {
    const labels = selectableLabels(endpoint);
    const own = policies.filter(
      ({ endpointSelector, namespace }) =>
        endpointSelector &&
        selects(endpointSelector, labels) &&
        (namespace === undefined || namespace === endpoint.namespace),
    );
    endpoint.verdicts = verdictsOf(own, cluster, true);
  }
  for (const node of cluster.nodes) {
    const own = policies.filter(({ nodeSelector }) => nodeSelector && selects(nodeSelector, node.labels));
    node.verdicts = verdictsOf(own, cluster, false);
  }
}

function verdictsOf(policies: readonly ScenarioPolicy[], cluster: Cluster, isPod: boolean): VerdictEntry[] {
  return (['ingress', 'egress'] as const).flatMap((direction) => {
    const sections = policies.map((policy, i) => {
      const name = policy.name ?? `policy ${i + 1}`;
      return direction === 'ingress'
        ? { policy, name, allow: policy.ingress?.map(fromIngress), deny: policy.ingressDeny?.map(fromIngress) }
        : { policy, name, allow: policy.egress?.map(fromEgress), deny: policy.egressDeny?.map(fromEgress) };
    });
    const { policyEnforcement } = cluster.features;
    const selected = sections.some(({ allow, deny }) => allow !== undefined || deny !== undefined);
    // The host endpoint is not in the "always" mode: nodes stay reachable until a host policy selects them.
    const enforced = policyEnforcement !== 'never' && (selected || (policyEnforcement === 'always' && isPod));
    if (!enforced) return toPrefixes(direction, [everything('default')]);
    const matches = sections.flatMap(({ policy, name, allow, deny }) => [
      ...(allow ?? []).flatMap((rule) => matchesOf(rule, policy, name, cluster.identities, false)),
      ...(deny ?? []).flatMap((rule) => matchesOf(rule, policy, name, cluster.identities, true)),
    ]);
    // Kubelets must reach their Pods: the agent lets the local host in (allow-localhost).
    if (isPod && direction === 'ingress') matches.push({ ...everything('allow-localhost'), identity: IDENTITY.host });
    return toPrefixes(direction, settleConflicts(matches));
  });
}

function everything(rule: string): Match {
  return { identity: 0, protocol: 0, first: 0, last: 0xffff, deny: false, proxyPort: undefined, rule };
}

function matchesOf(rule: Rule, policy: ScenarioPolicy, name: string, identities: Identities, deny: boolean): Match[] {
  const remotes = remotesOf(rule.peers, policy, identities);
  const traffic = trafficOf(rule);
  return remotes.flatMap((identity) => traffic.map((part) => ({ identity, ...part, deny, rule: name })));
}

type Traffic = Pick<Match, 'protocol' | 'first' | 'last' | 'proxyPort'>;

/** What a rule's toPorts and icmps allow; without either, everything. */
function trafficOf({ toPorts, icmps }: Rule): Traffic[] {
  const whole = { first: 0, last: 0xffff };
  if (!toPorts && !icmps) return [{ protocol: 0, ...whole, proxyPort: undefined }];
  const ports = (toPorts ?? []).flatMap(({ ports: list, proxyPort }) =>
    (list.length ? list : [{ port: 0, endPort: undefined, protocol: 'ANY' as const }]).flatMap(
      ({ port, endPort, protocol }) => {
        const range = port === 0 ? whole : { first: port, last: Math.max(port, endPort ?? port) };
        if (protocol === 'ANY' && port === 0) return [{ protocol: 0, ...range, proxyPort }];
        const protocols = protocol === 'ANY' ? Object.values(PROTOCOL_NUMBERS) : [PROTOCOL_NUMBERS[protocol]];
        return protocols.map((number) => ({ protocol: number, ...range, proxyPort }));
      },
    ),
  );
  const types = (icmps ?? []).flatMap(({ fields }) =>
    fields.map(({ family, type }) => ({
      protocol: family === 'IPv4' ? 1 : 58,
      first: type,
      last: type,
      proxyPort: undefined,
    })),
  );
  return [...ports, ...types];
}

/** Identities a rule means; [0] = everybody. */
function remotesOf(peers: Peers, policy: ScenarioPolicy, identities: Identities): number[] {
  const { endpoints, entities, cidrs, cidrSets } = peers;
  if (!endpoints && !entities && !cidrs && !cidrSets) return [0];
  const found = new Set<number>();
  for (const selector of endpoints ?? []) {
    for (const pod of identities.pods) {
      const inNamespace =
        policy.namespace === undefined || namesNamespace(selector) || pod.namespace === policy.namespace;
      if (inNamespace && selects(selector, selectableLabels(pod))) found.add(pod.identity);
    }
  }
  for (const entity of entities ?? []) for (const identity of entityIdentities(entity, identities)) found.add(identity);
  const sets = [...(cidrs ?? []).map((cidr) => ({ cidr, except: [] as string[] })), ...(cidrSets ?? [])];
  for (const set of sets) for (const identity of cidrIdentities(set, identities)) found.add(identity);
  return [...found];
}

function entityIdentities(entity: NonNullable<Peers['entities']>[number], identities: Identities): number[] {
  const reserved = IDENTITY;
  const prefixes = (isV6: boolean) =>
    identities.cidrs.filter(({ cidr }) => cidr.includes(':') === isV6).map(({ identity }) => identity);
  switch (entity) {
    case 'all':
      return [0];
    case 'none':
      return [];
    case 'world':
      return [reserved.world, ...prefixes(false), ...prefixes(true)];
    case 'world-ipv4':
      return [reserved['world-ipv4'], ...prefixes(false)];
    case 'world-ipv6':
      return [reserved['world-ipv6'], ...prefixes(true)];
    case 'cluster':
      return [
        reserved.host,
        reserved['remote-node'],
        reserved['kube-apiserver'],
        reserved.ingress,
        reserved.init,
        reserved.health,
        reserved.unmanaged,
        ...identities.pods.map(({ identity }) => identity),
      ];
    case 'remote-node':
      // A node that runs the API server is a remote node as well.
      return [reserved['remote-node'], reserved['kube-apiserver']];
    default:
      return [reserved[entity]];
  }
}

/** Identities of all known prefixes inside a set; the whole world also means those without a prefix of their own. */
function cidrIdentities(set: { cidr: string; except: readonly string[] }, identities: Identities): number[] {
  const outer = parseCidr(canonicalCidr(set.cidr));
  const except = set.except.map((cidr) => parseCidr(canonicalCidr(cidr)));
  const lies = (inner: ReturnType<typeof parseCidr>, within: ReturnType<typeof parseCidr>) =>
    inner.prefixLength >= within.prefixLength && cidrContains(within, inner.address);
  const found = identities.cidrs
    .filter(({ cidr }) => {
      const own = parseCidr(cidr);
      return lies(own, outer) && !except.some((hole) => lies(own, hole));
    })
    .map(({ identity }) => identity);
  return outer.prefixLength === 0 ? [IDENTITY.world, ...found] : found;
}
