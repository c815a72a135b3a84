import { ROOT_NAMESPACE } from '../host.js';
import type { DropReason, JournalEntry } from '../journal.js';
import { dropAccount } from './drops.js';
import { hookAccount } from './hook-account.js';
import { isStep, type Journey, journeysOf } from './journeys.js';
import type { WalkRecord } from './record.js';
import { stepText } from './steps.js';

/** A stay of a packet at a device, in the IP stack of a host, or at an application of a Pod. */
export interface Visit {
  /** Key of the place, see {@link deviceKey}, {@link stackKey} and {@link applicationKey}. */
  readonly place: string;
  /** From 1 on over the packet's way. */
  readonly number: number;
  /** What happened there, in words. */
  readonly texts: string[];
  isDropped: boolean;
}

export const deviceKey = (host: string, namespace: string, device: string): string => `${host}/${namespace}/${device}`;
export const stackKey = (host: string): string => `${host}/stack`;
export const applicationKey = (host: string, namespace: string): string => `${host}/${namespace}/application`;

/** The way of a packet from place to place. */
export function visitsOf(record: WalkRecord, journey: Journey): Visit[] {
  const visits: Visit[] = [];
  const { entries } = journey;
  for (const [i, entry] of entries.entries()) {
    const place = placeOf(entry) ?? visits.at(-1)?.place;
    if (place === undefined) continue;
    let visit = visits.at(-1);
    if (visit?.place !== place) {
      visit = { place, number: visits.length + 1, texts: [], isDropped: false };
      visits.push(visit);
    }
    const text = textOf(record, journey, entry, entries[i + 1]);
    if (text) visit.texts.push(text);
    if (isStep(entry, 'drop')) visit.isDropped = true;
  }
  return visits;
}

/** Steps that concern no place of their own stay where the packet is. */
function placeOf({ at, step }: JournalEntry): string | undefined {
  const isRoot = at.namespace === ROOT_NAMESPACE;
  switch (step.kind) {
    case 'hook':
    case 'transmit':
    case 'receive':
      return at.device === undefined ? undefined : deviceKey(at.host, at.namespace, at.device);
    case 'route':
    case 'forward':
      return isRoot ? stackKey(at.host) : undefined;
    case 'send':
    case 'deliver':
      return isRoot ? stackKey(at.host) : applicationKey(at.host, at.namespace);
    case 'drop':
      return at.device !== undefined && DROPPED_AT_DEVICE.has(step.reason)
        ? deviceKey(at.host, at.namespace, at.device)
        : undefined;
    default:
      return undefined;
  }
}

/** Drops of the device that should have sent the packet, not of the stack. */
const DROPPED_AT_DEVICE: ReadonlySet<DropReason> = new Set([
  'neighbour unresolved',
  'device down',
  'no receiver',
  'lost on the wire',
]);

function textOf(
  record: WalkRecord,
  journey: Journey,
  entry: JournalEntry,
  next: JournalEntry | undefined,
): string | undefined {
  if (isStep(entry, 'hook')) {
    const { hook, program, tailCalls, verdict, target, changes } = hookAccount(record, entry, next);
    const chain = [program, ...tailCalls].join(' > ');
    return [`${hook} ${chain}: ${verdict}${target ? ` ${target}` : ''}`, ...changes].join(', ');
  }
  if (isStep(entry, 'drop')) {
    const { reason, source, causes } = dropAccount(record, journey, entry);
    return [`dropped: ${reason}`, ...(source ? [source] : []), ...causes].join(', ');
  }
  if (isStep(entry, 'neighbour', 'redirect', 'wire')) return undefined;
  const step = stepText(entry, record.names);
  return step && `${step.what} ${step.text}`;
}

/** The first packet of a walk and the first one that came back. */
export function requestAndReply(record: WalkRecord): { request?: Journey; reply?: Journey } {
  const journeys = journeysOf(record.network.journal).filter(
    (item): item is Journey => item.kind === 'packet' && !item.isResolution,
  );
  const [request] = journeys;
  const namespaceOf = ({ at }: JournalEntry): string => `${at.host}/${at.namespace}`;
  const start = request && namespaceOf(request.entries[0]!);
  const reply = journeys.find(
    ({ entries }) => namespaceOf(entries[0]!) !== start && entries.some((entry) => namespaceOf(entry) === start),
  );
  return { request, reply };
}
