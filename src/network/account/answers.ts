import { formatAddress } from '../../packet/addresses.js';
import { bytesOf, fieldOf, type Layer, numberOf, parsePacket } from '../../packet/parse.js';
import type { DropReason } from '../journal.js';
import type { EntryOf } from './journeys.js';

/** A packet that a program turned into an ICMP error to its sender: it goes no further, though nothing dropped it. */
export interface Answer {
  /** What the network calls the end of such a packet. */
  readonly reason: DropReason;
  /** In words: `ICMP time exceeded to 10.0.0.250 in its place, its TTL was 1`. */
  readonly text: string;
}

interface ErrorKind {
  readonly reason: DropReason;
  readonly name: string;
}

const UNREACHABLE: ErrorKind = { reason: 'hook verdict', name: 'unreachable' };
const TIME_EXCEEDED: ErrorKind = { reason: 'ttl expired', name: 'time exceeded' };
const TOO_BIG: ErrorKind = { reason: 'mtu exceeded', name: 'packet too big' };
/** Code of ICMP unreachable: fragmentation needed (RFC 792). */
const FRAGMENTATION_NEEDED = 4;

/** Errors by type (RFC 792, RFC 4443). */
const ERRORS: Readonly<Record<'icmp' | 'icmp6', Readonly<Record<number, ErrorKind>>>> = {
  icmp: { 3: UNREACHABLE, 11: TIME_EXCEEDED },
  icmp6: { 1: UNREACHABLE, 2: TOO_BIG, 3: TIME_EXCEEDED },
};

/** The answer that a run put in the packet's place; undefined if it did no such thing. */
export function answerOf({ step }: EntryOf<'hook'>): Answer | undefined {
  const [before, after] = [outermost(step.before.bytes), outermost(step.after.bytes)];
  if (!before || !after || after.error === undefined || before.error !== undefined) return undefined;
  if (after.to === undefined || after.to !== before.from) return undefined;
  const expired = after.error.reason === 'ttl expired' ? `, whose ${before.ttlName} was ${before.ttl}` : '';
  return {
    reason: after.error.reason,
    text: `ICMP ${after.error.name} to ${after.to} in place of the packet${expired}`,
  };
}

interface Outermost {
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly ttl: number | undefined;
  readonly ttlName: string;
  readonly error: ErrorKind | undefined;
}

/** First IP header and the ICMP error behind it. */
function outermost(bytes: Uint8Array): Outermost | undefined {
  const { layers } = parsePacket(bytes);
  const at = layers.findIndex(({ protocol }) => protocol === 'ipv4' || protocol === 'ipv6');
  const ip = layers[at];
  if (!ip) return undefined;
  const isIp4 = ip.protocol === 'ipv4';
  const address = (name: string): string | undefined => {
    const own = bytesOf(ip, name);
    return own && formatAddress(own);
  };
  return {
    ...{ from: address('src'), to: address('dst'), error: errorOf(layers[at + 1]) },
    ...{ ttl: numberOf(ip, isIp4 ? 'ttl' : 'hlim'), ttlName: isIp4 ? 'TTL' : 'hop limit' },
  };
}

function errorOf(layer: Layer | undefined): ErrorKind | undefined {
  if (layer?.protocol !== 'icmp' && layer?.protocol !== 'icmp6') return undefined;
  const kind = ERRORS[layer.protocol][numberOf(layer, 'type') ?? -1];
  return kind === UNREACHABLE &&
    fieldOf(layer, 'code')?.text === String(FRAGMENTATION_NEEDED) &&
    layer.protocol === 'icmp'
    ? TOO_BIG
    : kind;
}
