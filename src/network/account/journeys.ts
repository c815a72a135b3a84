import { parsePacket } from '../../packet/parse.js';
import { FlowNumbers, tcpdumpLine } from '../../packet/tcpdump.js';
import type { Journal, JournalEntry, Step } from '../journal.js';
import { ADVERTISEMENT, SOLICITATION } from '../neighbours.js';

export type EntryOf<Kind extends Step['kind']> = JournalEntry & { readonly step: Extract<Step, { kind: Kind }> };

export function isStep<Kind extends Step['kind']>(entry: JournalEntry, ...kinds: Kind[]): entry is EntryOf<Kind> {
  return (kinds as string[]).includes(entry.step.kind);
}

/** How a packet ended; 'unfinished' if the journal does not say. */
export type JourneyEnd = 'delivered' | 'dropped' | 'consumed' | 'unfinished';

/** The way of one packet from the first step to the last. */
export interface Journey {
  readonly kind: 'packet';
  /** From 1 on over the packets of flows; neighbour resolution is not counted and has 0. */
  readonly number: number;
  /** Number in the journal. */
  readonly packet: number;
  /** Journal number of the packet that this one answers. */
  readonly answers: number | undefined;
  /** ARP and neighbour discovery: there for another packet. */
  readonly isResolution: boolean;
  /** As tcpdump prints it, sequence numbers relative. */
  readonly line: string;
  readonly entries: readonly JournalEntry[];
  readonly end: JourneyEnd;
}

/** A hook on a system call; there is no packet. */
export interface SocketCall {
  readonly kind: 'call';
  readonly entry: EntryOf<'socket'>;
}

/** All that happened, one item a packet or system call, in the order of their beginnings. */
export function journeysOf(journal: Journal): (Journey | SocketCall)[] {
  const flows = new FlowNumbers();
  const byPacket = new Map<number, JournalEntry[]>();
  const items: (SocketCall | { kind: 'packet'; entries: JournalEntry[] })[] = [];
  for (const entry of journal.entries) {
    if (isStep(entry, 'socket')) items.push({ kind: 'call', entry });
    if (entry.packet === 0) continue;
    const known = byPacket.get(entry.packet);
    if (known) {
      known.push(entry);
      continue;
    }
    const entries = [entry];
    byPacket.set(entry.packet, entries);
    items.push({ kind: 'packet', entries });
  }
  let number = 0;
  return items.map((item): Journey | SocketCall => {
    if (item.kind === 'call') return item;
    const { entries } = item;
    const first = entries[0]!;
    const isResolution = resolvesNeighbours(first.bytes);
    return {
      kind: 'packet',
      number: isResolution ? 0 : ++number,
      packet: first.packet,
      answers: isStep(first, 'send') ? first.step.answers : undefined,
      isResolution,
      line: tcpdumpLine(parsePacket(first.bytes), flows),
      entries,
      end: endOf(entries),
    };
  });
}

function resolvesNeighbours(bytes: Uint8Array): boolean {
  const { layers } = parsePacket(bytes);
  const inner = layers.at(-1);
  if (inner?.protocol === 'arp') return true;
  const type = inner?.protocol === 'icmp6' ? bytes[inner.offset] : undefined;
  return type === SOLICITATION || type === ADVERTISEMENT;
}

/** A packet that is copied or broadcast counts as delivered if one of the copies was. */
function endOf(entries: readonly JournalEntry[]): JourneyEnd {
  const has = (kind: Step['kind']): boolean => entries.some((entry) => entry.step.kind === kind);
  if (has('deliver')) return 'delivered';
  if (has('drop')) return 'dropped';
  return has('consume') ? 'consumed' : 'unfinished';
}
