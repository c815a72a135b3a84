import { notesOf } from '../../cilium/notes.js';
import { formatAddress } from '../../packet/addresses.js';
import { parsePacket } from '../../packet/parse.js';
import type { HookPoint } from '../hooks.js';
import type { JournalEntry } from '../journal.js';
import { type Answer, answerOf } from './answers.js';
import { endsOf, endText, packetChanges, stateChanges } from './changes.js';
import { type Facts, factsOf } from './facts.js';
import { type EntryOf, isStep } from './journeys.js';
import { nameOfEnd, type WalkRecord } from './record.js';

/** One run of a hook. */
export interface HookAccount {
  /** `tc ingress`, `xdp`, or the system call of a socket hook: `connect4`. */
  readonly hook: string;
  readonly direction: 'ingress' | 'egress' | 'call';
  readonly program: string;
  readonly tailCalls: readonly string[];
  /** In the terms of the hook: TC_ACT_OK ... */
  readonly verdict: string;
  /** Where a redirect leads: `cilium_vxlan`, `lxc7d (ingress)`. */
  readonly target: string | undefined;
  /** What changed in the packet and its state, in few words each. */
  readonly changes: readonly string[];
  /** Changes of state that only programs read. */
  readonly stateChanges: readonly string[];
  /** Sentences about what the program did. */
  readonly notes: readonly string[];
  /** What the program made of the packet instead of sending it on: an ICMP error to its sender. */
  readonly answer: Answer | undefined;
  readonly facts: Facts;
}

const HOOKS: Readonly<Record<HookPoint, Pick<HookAccount, 'hook' | 'direction'>>> = {
  xdp: { hook: 'xdp', direction: 'ingress' },
  'tc-ingress': { hook: 'tc ingress', direction: 'ingress' },
  'tc-egress': { hook: 'tc egress', direction: 'egress' },
};

/** The account of a hook on a device; `next` is the journey's entry behind it. */
export function hookAccount(record: WalkRecord, entry: EntryOf<'hook'>, next: JournalEntry | undefined): HookAccount {
  const { step } = entry;
  const { before, after, outcome } = step;
  const facts = factsOf(record, entry);
  const changes = [...packetChanges(before.bytes, after.bytes), ...stateChanges(before, after, false)];
  return {
    ...HOOKS[step.hook],
    ...{ program: step.name, tailCalls: outcome?.tailCalls ?? [], verdict: step.verdict },
    target: next && isStep(next, 'redirect') ? redirectText(next) : undefined,
    changes,
    stateChanges: stateChanges(before, after, true).filter((change) => !changes.includes(change)),
    notes: notes(record, entry.at.host, facts, endsOf(parsePacket(before.bytes)), endsOf(parsePacket(after.bytes))),
    answer: answerOf(entry),
    facts,
  };
}

function redirectText({ step }: EntryOf<'redirect'>): string {
  return step.how === 'egress' ? step.to : `${step.to} (${step.how})`;
}

/** Hooks on system calls that see where a packet or connection came from, not where it goes. */
const REVERSE = /^(recvmsg|getpeername)/;

/** The account of a hook on a socket's address. */
export function socketAccount(record: WalkRecord, entry: EntryOf<'socket'>): HookAccount {
  const { step } = entry;
  const facts = factsOf(record, entry);
  const text = ({ address, port }: { address: Uint8Array; port: number }): string =>
    endText(formatAddress(address), port);
  const [before, after] = [text(step.before), text(step.after)];
  const ends = (end: string): { source: string; destination: string } =>
    REVERSE.test(step.hook) ? { source: end, destination: '' } : { source: '', destination: end };
  return {
    hook: step.hook,
    direction: 'call',
    program: step.name,
    tailCalls: step.outcome?.tailCalls ?? [],
    verdict: step.outcome?.verdict ?? (step.allowed ? 'ALLOW' : 'REJECT'),
    target: undefined,
    changes: before === after ? [] : [`${before} -> ${after}`],
    stateChanges: [],
    notes: notes(record, entry.at.host, facts, ends(before), ends(after)),
    answer: undefined,
    facts,
  };
}

function notes(
  record: WalkRecord,
  host: string,
  { events, accesses }: Facts,
  before: { source: string; destination: string } | undefined,
  after: { source: string; destination: string } | undefined,
): string[] {
  return notesOf({
    ...{ events, accesses, before, after },
    addressName: (end) => nameOfEnd(record.names, end),
    identityName: (identity) => record.names.identities.get(identity),
    era: record.eraOf?.(host),
  });
}
