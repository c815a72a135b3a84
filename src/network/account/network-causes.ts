import { describeFound, describeMissed } from '../../cilium/drop-cause.js';
import { accessesOf, type DecodedAccess, type MapPurpose } from '../../cilium/map-access.js';
import { formatAddress } from '../../packet/addresses.js';
import { equalBytes } from '../../packet/bytes.js';
import { bytesOf, layersOf, parsePacket } from '../../packet/parse.js';
import type { DropReason, JournalEntry } from '../journal.js';
import { factsOf } from './facts.js';
import { type EntryOf, isStep, type Journey } from './journeys.js';
import type { WalkRecord } from './record.js';
import { placeText } from './steps.js';

/** Maps that say where a packet goes. */
const DIRECTIONS: readonly MapPurpose[] = ['endpoints', 'tunnels', 'ipcache'];

/** Ends of packets that nobody takes, for which an address may be to blame that a program chose. */
const NOBODY: ReadonlySet<DropReason> = new Set([
  'no receiver',
  'neighbour unresolved',
  'no route',
  'not for this host',
]);

/** What programs did earlier on the way that explains why the network dropped the packet, in words. */
export function networkCauses(record: WalkRecord, journey: Journey, drop: EntryOf<'drop'>): string[] {
  const entries = journey.entries.slice(0, journey.entries.indexOf(drop));
  const { reason } = drop.step;
  if (reason === 'ttl expired') return loopCauses(record, entries);
  if (!NOBODY.has(reason)) return [];
  const tunnelled = entries.findLast((entry) => isStep(entry, 'encapsulate'));
  return tunnelled ? endpointCauses(record, entries, tunnelled) : serviceCauses(record, entries);
}

/** A packet that a host forwards more than once the same way goes round: its programs know no other place for it. */
function loopCauses(record: WalkRecord, entries: readonly JournalEntry[]): string[] {
  const forwards = entries.filter((entry) => isStep(entry, 'forward'));
  const last = forwards.at(-1);
  if (!last) return [];
  const rounds = forwards.filter(({ at, step }) => at.device === last.at.device && step.to === last.step.to).length;
  if (rounds < 2) return [];
  const accesses = entries
    .filter(({ at }) => at.host === last.at.host)
    .flatMap((entry) => factsOf(record, entry).accesses);
  return [
    `${placeText(last.at)} forwarded it ${rounds} times from ${last.at.device} to ${last.step.to}: it goes round`,
    ...missed(accesses, DIRECTIONS),
  ];
}

/** The map element that sent the packet to the tunnel endpoint. */
function endpointCauses(
  record: WalkRecord,
  entries: readonly JournalEntry[],
  { step: { tunnel } }: EntryOf<'encapsulate' | 'decapsulate'>,
): string[] {
  const remote = formatAddress(tunnel.remote);
  const accesses = entries.flatMap((entry) => factsOf(record, entry).accesses);
  const chosen = DIRECTIONS.flatMap((purpose) => accessesOf(accesses, purpose)).find(
    ({ operation, error, valueText }) => operation === 'lookup' && error === 0 && valueText?.includes(` ${remote}`),
  );
  return chosen
    ? [`tunnel endpoint ${remote}, which is nobody's address here, comes from ${describeFound(chosen)}`]
    : [];
}

/** Services that were looked for in vain, at the system call or by a program, for the address that nobody has. */
function serviceCauses(record: WalkRecord, entries: readonly JournalEntry[]): string[] {
  const [first] = entries;
  const ip = first && parsePacket(first.bytes);
  const destination = ip && [...layersOf(ip, 'ipv4'), ...layersOf(ip, 'ipv6')].map((layer) => bytesOf(layer, 'dst'))[0];
  if (!destination || record.names.addresses.has(formatAddress(destination))) return [];
  const calls = record.network.journal.entries.filter(
    (entry): entry is EntryOf<'socket'> =>
      isStep(entry, 'socket') &&
      entry.at.namespace === first.at.namespace &&
      equalBytes(entry.step.before.address, destination),
  );
  return missed(
    [...calls, ...entries].flatMap((entry) => factsOf(record, entry).accesses),
    ['services'],
  );
}

function missed(accesses: readonly DecodedAccess[], purposes: readonly MapPurpose[]): string[] {
  const own = purposes.flatMap((purpose) => accessesOf(accesses, purpose)).filter(({ error }) => error !== 0);
  return [...new Set(own.map((access) => describeMissed(access)))];
}
