import type { Direction, VerdictEntry } from './verdicts.js';

/** What one rule says about one identity: a protocol and a range of ports. */
export interface Match {
  /** 0 = all. */
  identity: number;
  /** 0 = all; then the range is whole. */
  protocol: number;
  first: number;
  last: number;
  deny: boolean;
  proxyPort: number | undefined;
  rule: string;
}

function covers(outer: Match, inner: Match): boolean {
  return (
    (outer.identity === 0 || outer.identity === inner.identity) &&
    (outer.protocol === 0 || outer.protocol === inner.protocol) &&
    outer.first <= inner.first &&
    inner.last <= outer.last
  );
}

/** What both mean, undefined if nothing. */
function intersection(a: Match, b: Match): Pick<Match, 'identity' | 'protocol' | 'first' | 'last'> | undefined {
  const identity = a.identity === 0 ? b.identity : a.identity;
  const protocol = a.protocol === 0 ? b.protocol : a.protocol;
  if (b.identity !== 0 && identity !== b.identity) return undefined;
  if (b.protocol !== 0 && protocol !== b.protocol) return undefined;
  const first = Math.max(a.first, b.first);
  const last = Math.min(a.last, b.last);
  return first <= last ? { identity, protocol, first, last } : undefined;
}

/**
 * Makes deny rules win in maps whose look-up takes the most specific entry: allow entries inside a deny entry go, and
 * where both only overlap the common part is denied explicitly (what Cilium's map state does when it inserts).
 */
export function settleConflicts(matches: readonly Match[]): Match[] {
  const denies = matches.filter((match) => match.deny);
  const allows = matches.filter((match) => !match.deny && !denies.some((deny) => covers(deny, match)));
  const common = allows.flatMap((allow) =>
    denies.flatMap((deny) => {
      const both = intersection(allow, deny);
      return both && !covers(allow, deny) ? [{ ...both, deny: true, proxyPort: undefined, rule: deny.rule }] : [];
    }),
  );
  return [...allows, ...denies, ...common];
}

/** Entries with port prefixes; of several for the same key, deny wins, then a proxy. */
export function toPrefixes(direction: Direction, matches: readonly Match[]): VerdictEntry[] {
  const entries = new Map<string, VerdictEntry>();
  for (const { identity, protocol, first, last, deny, proxyPort, rule } of matches) {
    for (const { port, prefix } of portPrefixes(first, last)) {
      const key = `${identity} ${protocol} ${port} ${prefix}`;
      const known = entries.get(key);
      if (known && (known.deny || (!deny && proxyPort === undefined))) continue;
      entries.set(key, { direction, identity, protocol, port, prefix, deny, proxyPort, rule });
    }
  }
  return [...entries.values()];
}

/** The fewest prefixes that make up a range of ports. */
export function portPrefixes(first: number, last: number): { port: number; prefix: number }[] {
  const prefixes: { port: number; prefix: number }[] = [];
  for (let port = first; port <= last; ) {
    let bits = 0;
    while (bits < 16 && port % 2 ** (bits + 1) === 0 && port + 2 ** (bits + 1) - 1 <= last) bits++;
    prefixes.push({ port, prefix: 16 - bits });
    port += 2 ** bits;
  }
  return prefixes;
}
