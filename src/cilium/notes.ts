import { dropReasonText } from './drop-reasons.js';
import type { Era } from './era.js';
import type { CiliumEvent, DropEvent, PolicyVerdictEvent, TraceEvent } from './events/event.js';
import { identityText } from './identities.js';
import { accessesOf, type DecodedAccess } from './map-access.js';
import { protocolText } from './values.js';

/** Source and destination as `address:port`. */
export interface NotedEnds {
  readonly source: string;
  readonly destination: string;
}

/** What notes are made of: one run of a datapath program. */
export interface NotedRun {
  readonly events: readonly CiliumEvent[];
  readonly accesses: readonly DecodedAccess[];
  /** Of the packet, or of the socket, before and after; undefined for what has no addresses. */
  readonly before: NotedEnds | undefined;
  readonly after: NotedEnds | undefined;
  /** What people call an address, `address:port` without its port; undefined if it has no name. */
  readonly addressName: (address: string) => string | undefined;
  readonly identityName: (identity: number) => string | undefined;
  readonly era: Era | undefined;
}

/**
 * What a run of a datapath program did, in sentences: translations, connection tracking, identities, policy. They follow
 * from its events, from the elements it found and made in maps, and from the addresses before and after.
 */
export function notesOf(run: NotedRun): string[] {
  return [...translationNotes(run), ...conntrackNotes(run), ...ipcacheNotes(run), ...eventNotes(run)];
}

const found = (accesses: readonly DecodedAccess[]): boolean =>
  accesses.some(({ operation, error }) => operation === 'lookup' && error === 0);
const made = (accesses: readonly DecodedAccess[]): boolean =>
  accesses.some(({ operation, error }) => operation === 'update' && error === 0);

function translationNotes({ accesses, before, after, addressName }: NotedRun): string[] {
  if (!before || !after) return [];
  const named = (end: string): string => {
    const name = addressName(end);
    return name ? `${end} (${name})` : end;
  };
  const notes: string[] = [];
  if (before.destination !== after.destination) {
    const change = `${named(before.destination)} -> `;
    if (found(accessesOf(accesses, 'services'))) {
      notes.push(`Service ${change}backend ${named(after.destination)}${connectionText(accesses)}`);
    } else if (found(accessesOf(accesses, 'sourceNat'))) {
      notes.push(`reverse source translation: ${change}${named(after.destination)}`);
    }
  }
  if (before.source !== after.source) {
    const change = `${named(before.source)} -> ${named(after.source)}`;
    if (found(accessesOf(accesses, 'reverseNat'))) notes.push(`reverse translation: ${change}`);
    else if (accessesOf(accesses, 'sourceNat').length) notes.push(`source translation: ${change}`);
  }
  return notes;
}

/** An entry is made for the first packet of a connection; later ones change it in place. */
function connectionText(accesses: readonly DecodedAccess[]): string {
  const conntrack = accessesOf(accesses, 'conntrack');
  if (!conntrack.length) return '';
  return made(conntrack) ? ', new connection' : ', known connection';
}

/** Flags of the tuple that is a key of connection tracking, its last byte (TUPLE_F_* in bpf/lib/common.h). */
const TUPLE_SERVICE = 4;
const TUPLE_RELATED = 2;
const TUPLE_IN = 1;

function tupleText(flags: number): string {
  if (flags & TUPLE_SERVICE) return 'to the Service';
  const related = flags & TUPLE_RELATED ? ', related' : '';
  return (flags & TUPLE_IN ? 'incoming' : 'outgoing') + related;
}

function conntrackNotes({ accesses }: NotedRun): string[] {
  const updates = accessesOf(accesses, 'conntrack').filter(({ operation }) => operation === 'update');
  return updates.map(({ map, keyBytes, error, errorName }) => {
    const connection = tupleText(keyBytes.at(-1) ?? 0);
    if (error) return `conntrack: ${map} refused a new entry, ${connection}: ${errorName}`;
    return `conntrack: new entry, ${connection}`;
  });
}

/** The address in a decoded key or value: the first text with dots or colons in it that is not all zero. */
function addressIn(value: unknown): string | undefined {
  if (typeof value === 'string') return /^[\da-f.:]*[.:]/.test(value) && /[1-9a-f]/.test(value) ? value : undefined;
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return undefined;
  for (const inner of Object.values(value)) {
    const address = addressIn(inner);
    if (address) return address;
  }
  return undefined;
}

function ipcacheNotes({ accesses, addressName, identityName, era }: NotedRun): string[] {
  const notes = accessesOf(accesses, 'ipcache').flatMap(({ key, value, error }) => {
    const address = addressIn(key);
    if (!address) return [];
    const name = addressName(address);
    const shown = name ? `${address} (${name})` : address;
    if (error) return [`ipcache: nothing about ${shown}`];
    const { sec_label, sec_identity, tunnel_endpoint } = (value ?? {}) as Record<string, unknown>;
    const identity = Number(sec_identity ?? sec_label);
    if (!Number.isInteger(identity)) return [];
    const tunnel = addressIn(tunnel_endpoint);
    const behind = tunnel ? `, behind the tunnel endpoint ${tunnel}` : '';
    return [`ipcache: ${shown} has ${identityShown(identity, identityName, era)}${behind}`];
  });
  return [...new Set(notes)];
}

function identityShown(identity: number, nameOf: NotedRun['identityName'], era: Era | undefined): string {
  return `identity ${numberAndName(identity, nameOf, era)}`;
}

function numberAndName(identity: number, nameOf: NotedRun['identityName'], era: Era | undefined): string {
  const name = nameOf(identity) ?? identityText(identity, era);
  return name === String(identity) ? name : `${identity} (${name})`;
}

function eventNotes({ events, identityName, era }: NotedRun): string[] {
  const shown = (identity: number): string => numberAndName(identity, identityName, era);
  const notes = events.flatMap((event) => {
    switch (event.type) {
      case 'policy-verdict':
        return [policyNote(event, shown(event.remoteIdentity))];
      case 'drop':
      case 'trace':
        if (!event.sourceIdentity && !event.destinationIdentity) return [];
        return [identitiesText(event, identityName, era)];
      default:
        return [];
    }
  });
  return [...new Set(notes)];
}

/** Identities of both ends: `identity 1001 (network) -> 1002 (nginx)`. */
export function identitiesText(
  { sourceIdentity, destinationIdentity }: DropEvent | TraceEvent,
  nameOf: NotedRun['identityName'],
  era: Era | undefined,
): string {
  const [source, destination] = [sourceIdentity, destinationIdentity].map((one) => numberAndName(one, nameOf, era));
  return `identity ${source} -> ${destination}`;
}

function policyNote(event: PolicyVerdictEvent, remote: string): string {
  const how = {
    allowed: `allowed (${event.match})`,
    redirected: `redirected to the proxy on port ${event.proxyPort} (${event.match})`,
    denied: `denied, ${dropReasonText(event.verdict)}`,
  }[event.action];
  const peer = event.direction === 'egress' ? 'to' : 'from';
  const audited = event.audited ? ', in audit mode' : '';
  return `policy verdict: ${how}${audited}, ${event.direction} ${peer} identity ${remote}, ${protocolText(event.protocol)} port ${event.destinationPort}`;
}
