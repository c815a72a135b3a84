import { describeMissed } from '../../cilium/drop-cause.js';
import { elementText, perCpuText } from '../../cilium/element-text.js';
import type { Era } from '../../cilium/era.js';
import type { CiliumEvent } from '../../cilium/events/event.js';
import { decodeRunEvent } from '../../cilium/events/run-event.js';
import { CILIUM_FIELDS } from '../../cilium/field-hints.js';
import { type DecodedAccess, MAPS } from '../../cilium/map-access.js';
import type { BpfMap, MapAccess, Outcome } from '../../machine/machine.js';
import { errnoName } from '../../machine/map.js';
import type { JournalEntry } from '../journal.js';
import type { WalkRecord } from './record.js';

export interface DecodedChange {
  readonly map: string;
  readonly key: unknown;
  readonly keyText: string;
  readonly before: unknown;
  readonly beforeText: string | undefined;
  readonly after: unknown;
  readonly afterText: string | undefined;
}

/** What a program run tells, decoded. */
export interface Facts {
  readonly events: readonly CiliumEvent[];
  /** Events of other kinds, in words. */
  readonly otherEvents: readonly string[];
  readonly accesses: readonly DecodedAccess[];
  readonly changes: readonly DecodedChange[];
}

/** The facts of a hook's run; none for a hook that is no program. */
export function factsOf(record: WalkRecord, entry: JournalEntry): Facts {
  const outcome = 'outcome' in entry.step ? entry.step.outcome : undefined;
  if (!outcome) return { events: [], otherEvents: [], accesses: [], changes: [] };
  const machine = record.network.hosts.find(({ name }) => name === entry.at.host)?.machine;
  const mapOf = (name: string): BpfMap | undefined => machine?.maps.find((map) => map.name === name);
  return {
    ...eventsOf(outcome, record.eraOf?.(entry.at.host)),
    accesses: outcome.accesses.map((access) => decodeAccess(access, mapOf(access.map))),
    changes: [...outcome.maps].flatMap(([name, changes]) => {
      const map = mapOf(name);
      if (!map) return [];
      return changes.map((change) => {
        const key = map.decodeKey(change.key, CILIUM_FIELDS);
        const before = change.before && map.decodeValue(change.before, CILIUM_FIELDS);
        const after = change.after && map.decodeValue(change.after, CILIUM_FIELDS);
        return {
          ...{ map: name, key, keyText: elementText(key) },
          ...{ before, beforeText: change.before && valueText(map, before) },
          ...{ after, afterText: change.after && valueText(map, after) },
        };
      });
    }),
  };
}

function eventsOf(outcome: Outcome, era: Era | undefined): Pick<Facts, 'events' | 'otherEvents'> {
  const events: CiliumEvent[] = [];
  const otherEvents: string[] = [];
  for (const event of outcome.events) {
    const decoded = decodeRunEvent(event, era);
    if (decoded) events.push(decoded);
    else if (event.kind === 'print') otherEvents.push(`printed: ${event.text.trimEnd()}`);
    else if (event.kind !== 'clone') otherEvents.push(`${event.map}: ${event.data.length} bytes`);
  }
  return { events, otherEvents };
}

function decodeAccess(access: MapAccess, map: BpfMap | undefined): DecodedAccess {
  const { operation, value, error } = access;
  const key = map ? map.decodeKey(access.key, CILIUM_FIELDS) : access.key;
  const shown = value && map ? oneValue(map, value) : undefined;
  return {
    map: access.map,
    operation,
    key,
    keyText: map ? elementText(key) : '',
    keyBytes: access.key,
    value: shown?.value ?? value,
    valueText: shown?.text,
    valueBytes: value,
    error,
    errorName: error ? errnoName(error) : undefined,
  };
}

/** A decoded value as the map has it: of a per-CPU map a list. */
export function valueText(map: BpfMap, value: unknown): string {
  return map.isPerCpu && Array.isArray(value) ? perCpuText(value) : elementText(value);
}

/** A value of one CPU: a per-CPU map decodes a whole row of values, each in whole words. */
function oneValue(map: BpfMap, bytes: Uint8Array): { value: unknown; text: string } {
  if (!map.isPerCpu) {
    const value = map.decodeValue(bytes, CILIUM_FIELDS);
    return { value, text: elementText(value) };
  }
  const padded = new Uint8Array((bytes.length + 7) & ~7);
  padded.set(bytes);
  const [value] = map.decodeValue(padded, CILIUM_FIELDS) as unknown[];
  return { value, text: elementText(value) };
}

/** Elements that a run looked for in vain or could not change, in words; counters do not count. */
export function missedElements({ accesses }: Facts): string[] {
  const missed = accesses.filter(({ map, error }) => error !== 0 && !MAPS.metrics.test(map));
  return [...new Set(missed.map((access) => describeMissed(access)))];
}
