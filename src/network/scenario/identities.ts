import { formatAddress, parseCidr } from '../../packet/addresses.js';
import type { Endpoint } from './cluster.js';
import type { Scenario, ScenarioPolicy } from './schema.js';

/** Local identities of prefixes: the scope bit and a number from 1 (CIDR_IDENTITY_RANGE_START). */
const CIDR_IDENTITY_BASE = 1 << 24;

export interface CidrIdentity {
  /** With host bits cleared. */
  readonly cidr: string;
  readonly identity: number;
}

export interface Identities {
  /** Identities of Pods with their labels, namespace included. */
  readonly pods: readonly {
    readonly identity: number;
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
  }[];
  /** One for each prefix that a policy names. */
  readonly cidrs: readonly CidrIdentity[];
}

/** A prefix with its host bits cleared. */
export function canonicalCidr(text: string): string {
  const { address, prefixLength } = parseCidr(text);
  const network = address.map((byte, i) => {
    const kept = Math.max(0, Math.min(8, prefixLength - 8 * i));
    return byte & (0xff00 >> kept) & 0xff;
  });
  return `${formatAddress(network)}/${prefixLength}`;
}

export function resolveIdentities(scenario: Scenario, endpoints: readonly Endpoint[]): Identities {
  const pods = new Map(endpoints.map(({ identity, namespace, labels }) => [identity, { identity, namespace, labels }]));
  const cidrs = new Set(scenario.policies.flatMap(policyCidrs).map(canonicalCidr));
  return {
    pods: [...pods.values()],
    cidrs: [...cidrs].map((cidr, i) => ({ cidr, identity: CIDR_IDENTITY_BASE + i + 1 })),
  };
}

/** All prefixes of a policy except those that stand for the whole world. */
function policyCidrs(policy: ScenarioPolicy): string[] {
  const rules = [...(policy.ingress ?? []), ...(policy.ingressDeny ?? [])].map(
    (rule) => [rule.fromCIDR, rule.fromCIDRSet] as const,
  );
  const egress = [...(policy.egress ?? []), ...(policy.egressDeny ?? [])].map(
    (rule) => [rule.toCIDR, rule.toCIDRSet] as const,
  );
  return [...rules, ...egress]
    .flatMap(([plain, sets]) => [...(plain ?? []), ...(sets ?? []).flatMap((set) => [set.cidr, ...set.except])])
    .filter((cidr) => parseCidr(cidr).prefixLength > 0);
}
