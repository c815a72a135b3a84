import { equalBytes, toHex } from './bytes.js';
import { type WrongChecksum, wrongChecksums } from './checksum.js';
import {
  fieldOf,
  type Layer,
  numberOf,
  type PacketStart,
  type ParsedField,
  type ParsedPacket,
  parsePacket,
} from './parse.js';

export interface FieldChange {
  /** Label of the layer in the packet after, such as `ipv4` or `ipv4#2`. */
  readonly layer: string;
  readonly field: string;
  /** Undefined: the packet before has no such field (an option that was added). */
  readonly before?: string;
  /** Undefined: the packet after has no such field. */
  readonly after?: string;
  /** For checksums: whether the new one is right; undefined if that cannot be told (fragments, truncated packets). */
  readonly isRight?: boolean;
}

export interface HeaderChange {
  readonly layer: string;
  /** What identifies the header, such as `192.168.1.15 > 192.168.1.13`. */
  readonly summary: string;
  /** Size of the header in bytes. */
  readonly length: number;
}

/** Bytes that differ; equal lengths mean replaced, else inserted or removed. Offset from the start of the payload. */
export interface ByteChange {
  readonly offset: number;
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

export interface PacketDiff {
  readonly identical: boolean;
  readonly beforeLength: number;
  readonly afterLength: number;
  /** Headers only in the packet after, outermost first: encapsulation, VLAN tags, extension headers. */
  readonly added: readonly HeaderChange[];
  /** Headers only in the packet before. */
  readonly removed: readonly HeaderChange[];
  readonly changes: readonly FieldChange[];
  readonly payload: readonly ByteChange[];
  /** Ethernet padding. */
  readonly trailer: readonly ByteChange[];
  /** Differences in bytes that belong to none of these, offsets from the start of the packet. */
  readonly other: readonly ByteChange[];
  /** Checksums of the packet after that are wrong, changed or not. */
  readonly wrongChecksums: readonly WrongChecksum[];
}

export interface DiffOptions {
  start?: PacketStart;
  /** How the packet after starts, if other than the packet before. */
  startAfter?: PacketStart;
}

/** What happened between two packets, header by header and field by field; any bytes compare. */
export function diffPackets(before: Uint8Array, after: Uint8Array, options: DiffOptions = {}): PacketDiff {
  const old = parsePacket(before, { start: options.start });
  const now = parsePacket(after, { start: options.startAfter ?? options.start });
  const wrong = wrongChecksums(now);
  const pairs = alignLayers(old.layers, now.layers);
  const oldMatched = new Set(pairs.map(([layer]) => layer));
  const nowMatched = new Set(pairs.map(([, layer]) => layer));
  const added = now.layers.filter((layer) => !nowMatched.has(layer)).map(headerChange);
  const removed = old.layers.filter((layer) => !oldMatched.has(layer)).map(headerChange);
  const changes = pairs.flatMap(([a, b]) => fieldChanges(a, b, now, wrong));
  const payload = byteChanges(part(old, old.payload), part(now, now.payload));
  const trailer = byteChanges(part(old, old.trailer), part(now, now.trailer));
  const identical = equalBytes(before, after);
  const isExplained = added.length + removed.length + changes.length + payload.length + trailer.length > 0;
  return {
    identical,
    beforeLength: before.length,
    afterLength: after.length,
    added,
    removed,
    changes,
    payload,
    trailer,
    other: identical || isExplained ? [] : byteChanges(before, after),
    wrongChecksums: wrong,
  };
}

function part(packet: ParsedPacket, { offset, length }: { offset: number; length: number }): Uint8Array {
  return packet.bytes.subarray(offset, offset + length);
}

/**
 * Pairs the headers that are the same header before and after: a longest common subsequence by protocol where headers
 * with more equal fields, and headers next to each other in both packets, weigh more. So the inner packet of an
 * encapsulation pairs with the packet that was wrapped, not with the new outer headers.
 */
function alignLayers(before: readonly Layer[], after: readonly Layer[]): [Layer, Layer][] {
  const [rows, columns] = [before.length, after.length];
  // best[i][j]: score of before[i..] and after[j..]; matched[i][j]: the same when i and j are a pair, else -1.
  const best = Array.from({ length: rows + 1 }, () => new Array<number>(columns + 1).fill(0));
  const matched = Array.from({ length: rows + 1 }, () => new Array<number>(columns + 1).fill(-1));
  for (let i = rows - 1; i >= 0; i--) {
    for (let j = columns - 1; j >= 0; j--) {
      if (before[i]!.protocol === after[j]!.protocol) {
        const rest = Math.max(best[i + 1]![j + 1]!, matched[i + 1]![j + 1]! + ADJACENT);
        matched[i]![j] = 1 + similarity(before[i]!, after[j]!) + rest;
      }
      best[i]![j] = Math.max(best[i + 1]![j]!, best[i]![j + 1]!, matched[i]![j]!);
    }
  }
  const pairs: [Layer, Layer][] = [];
  let [i, j] = [0, 0];
  let isForced = false;
  while (i < rows && j < columns) {
    if (matched[i]![j]! >= 0 && (isForced || matched[i]![j] === best[i]![j])) {
      pairs.push([before[i]!, after[j]!]);
      isForced = matched[i + 1]![j + 1]! >= 0 && matched[i + 1]![j + 1]! + ADJACENT >= best[i + 1]![j + 1]!;
      i++;
      j++;
    } else if (best[i + 1]![j]! >= best[i]![j + 1]!) i++;
    else j++;
  }
  return pairs;
}

const ADJACENT = 1.5;

/** 0 to 2 by the share of equal fields. */
function similarity(a: Layer, b: Layer): number {
  let equal = 0;
  for (const [i, field] of a.fields.entries()) if (b.fields[i]?.text === field.text) equal++;
  return (2 * equal) / Math.max(1, a.fields.length, b.fields.length);
}

function fieldChanges(
  before: Layer,
  after: Layer,
  packet: ParsedPacket,
  wrong: readonly WrongChecksum[],
): FieldChange[] {
  const changes: FieldChange[] = [];
  const old = byOccurrence(before.fields);
  const now = byOccurrence(after.fields);
  for (const [key, field] of now) {
    const previous = old.get(key);
    if (previous && sameValue(previous, field)) continue;
    changes.push({
      layer: after.label,
      field: field.name,
      before: previous && shortText(previous),
      after: shortText(field),
      ...(field.isChecksum ? { isRight: isRight(after, packet, wrong) } : {}),
    });
  }
  for (const [key, field] of old) {
    if (!now.has(key)) changes.push({ layer: after.label, field: field.name, before: shortText(field) });
  }
  return changes;
}

/** Undefined where checksums are not looked at. */
function isRight(layer: Layer, packet: ParsedPacket, wrong: readonly WrongChecksum[]): boolean | undefined {
  if (wrong.some((checksum) => checksum.layer === layer.label)) return false;
  const index = packet.layers.indexOf(layer);
  const ip = layer.protocol === 'ipv4' ? undefined : packet.layers.slice(0, index).findLast(isIp);
  if (layer.truncated && layer.protocol !== 'ipv4') return undefined;
  if (ip && (ip.missing > 0 || ((numberOf(ip, 'flags') ?? 0) & 1) !== 0)) return undefined;
  const fragment = packet.layers.slice(0, index).findLast((other) => other.protocol === 'fragment' || isIp(other));
  if (fragment?.protocol === 'fragment' && numberOf(fragment, 'more') !== 0) return undefined;
  return true;
}

function isIp(layer: Layer): boolean {
  return layer.protocol === 'ipv4' || layer.protocol === 'ipv6';
}

/** Fields by name and count, so that the second `options.nop` meets the second. */
function byOccurrence(fields: readonly ParsedField[]): Map<string, ParsedField> {
  const counts = new Map<string, number>();
  const map = new Map<string, ParsedField>();
  for (const field of fields) {
    const count = counts.get(field.name) ?? 0;
    counts.set(field.name, count + 1);
    map.set(`${field.name} ${count}`, field);
  }
  return map;
}

function sameValue(a: ParsedField, b: ParsedField): boolean {
  if (typeof a.value === 'number' || typeof b.value === 'number') return a.value === b.value;
  return equalBytes(a.value, b.value);
}

function shortText(field: ParsedField): string {
  if (field.text === '') return 'present';
  return field.text.length > 48 ? `${field.text.slice(0, 45)}...` : field.text;
}

function headerChange(layer: Layer): HeaderChange {
  return { layer: layer.label, summary: summary(layer), length: layer.headerLength };
}

function summary(layer: Layer): string {
  const text = (name: string) => fieldOf(layer, name)?.text ?? '?';
  switch (layer.protocol) {
    case 'eth':
    case 'ipv4':
    case 'ipv6':
      return `${text('src')} > ${text('dst')}`;
    case 'tcp':
    case 'udp':
    case 'sctp':
      return `${text('srcport')} > ${text('dstport')}`;
    case 'vlan':
      return `id ${text('id')}`;
    case 'vxlan':
    case 'geneve':
      return `vni ${text('vni')}`;
    case 'icmp':
    case 'icmp6':
      return `type ${text('type')} code ${text('code')}`;
    case 'gre':
      return fieldOf(layer, 'key') ? `key ${text('key')}` : '';
    case 'esp':
    case 'ah':
      return `spi ${text('spi')}`;
    case 'arp':
      return text('opcode');
    default:
      return '';
  }
}

/** Where two runs of bytes differ: ranges of equal length, or one range between common ends if lengths differ. */
function byteChanges(before: Uint8Array, after: Uint8Array): ByteChange[] {
  const length = Math.min(before.length, after.length);
  if (before.length !== after.length) {
    let start = 0;
    while (start < length && before[start] === after[start]) start++;
    let end = 0;
    while (end < length - start && before[before.length - 1 - end] === after[after.length - 1 - end]) end++;
    return [
      {
        offset: start,
        before: before.subarray(start, before.length - end),
        after: after.subarray(start, after.length - end),
      },
    ];
  }
  const changes: ByteChange[] = [];
  for (let i = 0; i < length; i++) {
    if (before[i] === after[i]) continue;
    let end = i + 1;
    // Short equal runs within a changed value do not split it.
    for (let j = end; j < length && j < end + 4; j++) if (before[j] !== after[j]) end = j + 1;
    changes.push({ offset: i, before: before.subarray(i, end), after: after.subarray(i, end) });
    i = end;
  }
  return changes;
}

/** One change a line: `+` and `-` for headers, `layer.field old -> new`; empty if the packets are identical. */
export function formatDiff(diff: PacketDiff, options: { colour?: boolean } = {}): string {
  if (diff.identical) return '';
  const paint = (code: number, text: string) => (options.colour ? `\u001b[${code}m${text}\u001b[39m` : text);
  const lines: string[] = [];
  if (diff.beforeLength !== diff.afterLength) lines.push(`length ${diff.beforeLength} -> ${diff.afterLength}`);
  for (const header of diff.removed) lines.push(paint(31, `- ${headerText(header)}`));
  for (const header of diff.added) lines.push(paint(32, `+ ${headerText(header)}`));
  for (const change of diff.changes) {
    const name = `${change.layer}.${change.field}`;
    const right =
      change.isRight === undefined ? '' : change.isRight ? ' (right)' : paint(31, ` (${wrongText(diff, change)})`);
    if (change.before === undefined) lines.push(`${name} ${paint(32, `added ${change.after}`)}${right}`);
    else if (change.after === undefined) lines.push(`${name} ${paint(31, `removed ${change.before}`)}`);
    else lines.push(`${name} ${paint(31, change.before)} -> ${paint(32, change.after)}${right}`);
  }
  for (const checksum of diff.wrongChecksums) {
    const isTold = diff.changes.some((change) => change.layer === checksum.layer && change.isRight === false);
    if (!isTold) {
      const [found, expected] = [hex(checksum.found), hex(checksum.expected)];
      lines.push(paint(31, `${checksum.layer}.checksum ${found} is wrong, ${expected} is right`));
    }
  }
  for (const [name, list] of [
    ['payload', diff.payload],
    ['trailer', diff.trailer],
    ['bytes', diff.other],
  ] as const) {
    for (const change of list) lines.push(`${name}[${change.offset}] ${byteText(change, paint)}`);
  }
  return lines.join('\n');
}

function wrongText(diff: PacketDiff, change: FieldChange): string {
  const checksum = diff.wrongChecksums.find((wrong) => wrong.layer === change.layer);
  return checksum ? `wrong, ${hex(checksum.expected)} is right` : 'wrong';
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(4, '0')}`;
}

function headerText(header: HeaderChange): string {
  return `${header.layer}${header.summary ? ` ${header.summary}` : ''} (${header.length} bytes)`;
}

function byteText({ before, after }: ByteChange, paint: (code: number, text: string) => string): string {
  const short = (bytes: Uint8Array) => {
    const text = toHex(bytes.subarray(0, 24));
    return bytes.length > 24 ? `${text}... (${bytes.length} bytes)` : text;
  };
  if (before.length === 0) return paint(32, `inserted ${short(after)}`);
  if (after.length === 0) return paint(31, `removed ${short(before)}`);
  return `${paint(31, short(before))} -> ${paint(32, short(after))}`;
}
