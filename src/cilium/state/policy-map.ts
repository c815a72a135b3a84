import { MapType } from '../../../assembly/abi.js';
import { UsageError } from '../../errors.js';
import type { VerdictEntry } from '../../network/scenario/verdicts.js';
import { IDENTITY } from '../identities.js';
import { type MapLayout, NetworkOrder } from './layout.js';
import type { PlanContext, PlannedEntry, PlannedMap } from './plan-types.js';

/** Bits in front of the protocol in the key of LPM policy maps: identity and direction. */
const LPM_STATIC_BITS = 40;
const PROTOCOL_BITS = 8;

/** Precedences of 1.20 on the highest tier: deny, proxy redirect without priority, allow. */
const PRECEDENCE_DENY = 0xffffffff;
const PRECEDENCE_PROXY = 0xffffff02;
const PRECEDENCE_ALLOW = 0xffffff01;

/** Contents of a policy map: HASH up to 1.13, LPM_TRIE after that. Throws UsageError if a HASH map would overflow. */
export function policyMap(context: PlanContext, verdicts: readonly VerdictEntry[]): PlannedMap | undefined {
  const layout = context.objects.layout('cilium_policy');
  if (!layout) return undefined;
  const entries = verdicts.flatMap((verdict) =>
    worldIdentities(verdict.identity, context).map((identity) => ({ ...verdict, identity })),
  );
  const isLpm = layout.spec.type === MapType.LPM_TRIE;
  const planned = isLpm
    ? entries.map((entry) => lpmEntry(entry, layout))
    : entries.flatMap((entry) => hashEntries(entry, layout));
  if (planned.length > layout.spec.maxEntries)
    throw new UsageError(
      `policy of node ${context.node.name} needs ${planned.length} entries, map ${layout.spec.name} holds ${layout.spec.maxEntries}: this version has no port ranges, give single ports`,
    );
  return { map: layout.spec.name, entries: planned };
}

/** The world by family where the objects tell the families apart. */
function worldIdentities(identity: number, { world }: PlanContext): number[] {
  if (identity !== IDENTITY.world || world.ipv4 === IDENTITY.world) return [identity];
  return [identity, world.ipv4, world.ipv6];
}

function common(entry: VerdictEntry): Record<string, unknown> {
  return {
    proxy_port: entry.proxyPort === undefined ? undefined : new NetworkOrder(entry.proxyPort),
    deny: entry.deny ? 1 : 0,
  };
}

function hashEntries(entry: VerdictEntry, layout: MapLayout): PlannedEntry[] {
  const ports = entry.prefix === 0 ? 1 : 2 ** (16 - entry.prefix);
  return Array.from({ length: ports }, (_, i) => ({
    key: layout.key({
      sec_label: entry.identity,
      dport: new NetworkOrder(entry.port + i),
      protocol: entry.protocol,
      egress: entry.direction === 'egress' ? 1 : 0,
    }),
    value: layout.value(common(entry)),
  }));
}

function lpmEntry(entry: VerdictEntry, layout: MapLayout): PlannedEntry {
  const l4Bits = entry.protocol === 0 ? 0 : PROTOCOL_BITS + entry.prefix;
  const precedence = entry.deny ? PRECEDENCE_DENY : entry.proxyPort === undefined ? PRECEDENCE_ALLOW : PRECEDENCE_PROXY;
  const value = {
    ...common(entry),
    wildcard_protocol: entry.protocol === 0 ? 1 : 0,
    wildcard_dport: entry.prefix === 0 ? 1 : 0,
    lpm_prefix_length: l4Bits,
    precedence,
  };
  // Builds without bitfields keep the prefix length in the upper bits of the byte that holds `deny`.
  const isPacked = layout.hasValue('precedence') && !layout.hasValue('lpm_prefix_length');
  return {
    key: layout.key({
      lpm_key: { prefixlen: LPM_STATIC_BITS + l4Bits },
      sec_label: entry.identity,
      egress: entry.direction === 'egress' ? 1 : 0,
      protocol: entry.protocol,
      dport: new NetworkOrder(entry.port),
    }),
    value: layout.value(isPacked ? { ...value, deny: (entry.deny ? 1 : 0) | (l4Bits << 3) } : value),
  };
}
