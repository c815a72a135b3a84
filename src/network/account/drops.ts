import { countedDropReason, dropCauses } from '../../cilium/drop-cause.js';
import { dropReason, dropReasonText } from '../../cilium/drop-reasons.js';
import type { DropEvent } from '../../cilium/events/event.js';
import { explainDrop, sourceText } from '../../cilium/events/format.js';
import { identitiesText } from '../../cilium/notes.js';
import type { JournalEntry } from '../journal.js';
import { constantCauses } from './constant-causes.js';
import { DROP_HELP } from './drop-help.js';
import { type Facts, factsOf, missedElements } from './facts.js';
import { type EntryOf, isStep, type Journey } from './journeys.js';
import { networkCauses } from './network-causes.js';
import type { WalkRecord } from './record.js';

/** Why a packet ended. */
export interface DropAccount {
  /** Cilium's reason, `POLICY (133)`, or the network's own: `no route`. */
  readonly reason: string;
  /** Code of Cilium's reason. */
  readonly code: number | undefined;
  /** Program that dropped it, with its tail calls. */
  readonly programs: readonly string[];
  /** Place in the C source, `bpf_lxc.c:1263`. */
  readonly source: string | undefined;
  /** The network's words. */
  readonly detail: string;
  /** Identities of both ends, map elements that were missing, denied or refused, constants that forbid the packet. */
  readonly causes: readonly string[];
  /** What happened and what to look at, in sentences. */
  readonly explanation: string;
}

/** Explains a drop step of a journey: by the drop event of the hook right before it, else by the network's own reason. */
export function dropAccount(record: WalkRecord, journey: Journey, drop: EntryOf<'drop'>): DropAccount {
  const { reason, detail } = drop.step;
  const hook = hookBefore(journey.entries, drop);
  if (!hook) {
    const causes = networkCauses(record, journey, drop);
    return {
      ...{ reason, code: undefined, programs: [], source: undefined, detail, causes },
      explanation: DROP_HELP[reason],
    };
  }
  const facts = factsOf(record, hook);
  const programs = [hook.step.name, ...(hook.step.outcome?.tailCalls ?? [])];
  const fault = hook.step.outcome?.fault;
  if (fault) {
    const source = fault.line && `${fault.line.file}:${fault.line.line}`;
    return { reason, code: undefined, programs, source, detail, causes: [], explanation: DROP_HELP[reason] };
  }
  return ciliumDrop(record, hook, facts, programs, detail) ?? plainVerdict(drop, facts, programs);
}

/** The hook whose verdict or fault the drop is; undefined for drops of the network itself. */
function hookBefore(entries: readonly JournalEntry[], drop: EntryOf<'drop'>): EntryOf<'hook'> | undefined {
  if (drop.step.reason !== 'hook verdict' && drop.step.reason !== 'program fault') return undefined;
  return entries
    .slice(0, entries.indexOf(drop))
    .findLast((entry): entry is EntryOf<'hook'> => isStep(entry, 'hook') && entry.at.host === drop.at.host);
}

function ciliumDrop(
  record: WalkRecord,
  hook: EntryOf<'hook'>,
  facts: Facts,
  programs: readonly string[],
  detail: string,
): DropAccount | undefined {
  const event = facts.events.findLast((candidate): candidate is DropEvent => candidate.type === 'drop');
  const code = event?.reason ?? countedDropReason(facts.accesses);
  if (code === undefined) return undefined;
  const known = dropReason(code);
  const era = record.eraOf?.(hook.at.host);
  const isPolicy = known?.name.startsWith('POLICY') && event?.sourceIdentity && event.destinationIdentity;
  return {
    ...{ reason: dropReasonText(code), code, programs, detail },
    source: event && sourceText(event),
    causes: [
      ...(isPolicy ? [identitiesText(event, (identity) => record.names.identities.get(identity), era)] : []),
      ...dropCauses(code, facts.accesses, era).map(({ text }) => text),
      ...constantCauses(record, hook, known?.name),
    ],
    explanation: event ? explainDrop(event, era) : (known?.explanation ?? `Reason ${code} is not known.`),
  };
}

/** A verdict without event and counter: everything that the program looked for in vain may be the cause. */
function plainVerdict(drop: EntryOf<'drop'>, facts: Facts, programs: readonly string[]): DropAccount {
  const { reason, detail } = drop.step;
  const causes = missedElements(facts);
  return {
    ...{ reason, code: undefined, programs, source: undefined, detail, causes },
    explanation: DROP_HELP[reason],
  };
}
