import type { Era } from '../../cilium/era.js';
import type { FlowResult } from '../flow.js';
import type { JournalEntry } from '../journal.js';
import type { Network } from '../network.js';

/** What people call addresses and identities. */
export interface Names {
  /** By address as text: `10.0.1.60` is `nginx`, `172.16.16.87` is `Service nginx`. */
  readonly addresses: ReadonlyMap<string, string>;
  /** Security identities that are not reserved ones. */
  readonly identities: ReadonlyMap<number, string>;
}

export const NO_NAMES: Names = { addresses: new Map(), identities: new Map() };

/** A flow that was played and how far it came. */
export interface FlowRecord {
  readonly name: string;
  readonly result: FlowResult;
  /** How the scenario said it would end, `dropped: POLICY`; undefined if it did not say. */
  readonly expected?: string;
  /** Whether it did; undefined if the scenario did not say. */
  readonly asExpected?: boolean;
}

/** A walk that is over: all that its account is made of. The hooks have run with `recordMaps` and `recordAccesses`. */
export interface WalkRecord {
  readonly title: string;
  readonly description: string;
  readonly network: Network;
  readonly names: Names;
  readonly flows: readonly FlowRecord[];
  /** Cilium version of a host's objects, where it is known. */
  readonly eraOf?: (host: string) => Era | undefined;
  /** Load-time constants of the program of a hook, where they are known. */
  readonly constantsOf?: (entry: JournalEntry) => Readonly<Record<string, unknown>> | undefined;
}

/** The name of `address:port` or of its address; undefined if it has none. */
export function nameOfEnd(names: Names, end: string): string | undefined {
  const address = /^\[(.+)\]:\d+$/.exec(end)?.[1] ?? (/^[\d.]+:\d+$/.test(end) ? end.slice(0, end.indexOf(':')) : end);
  return names.addresses.get(end) ?? names.addresses.get(address);
}
