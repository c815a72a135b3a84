import { UsageError } from '../errors.js';

/** An address prefix; `address` has 4 or 16 bytes, host bits as they were given. */
export interface Cidr {
  readonly address: Uint8Array;
  /** Bits of the prefix: 0 to 32 or 0 to 128. */
  readonly prefixLength: number;
}

/** Dotted quad to 4 bytes; undefined if it is not one. Leading zeros are refused (they mean octal to some). */
export function readIPv4(text: string): Uint8Array | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  const bytes = new Uint8Array(4);
  for (const [i, part] of parts.entries()) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    bytes[i] = Number(part);
  }
  return bytes;
}

/** Any spelling of RFC 4291 section 2.2 (with `::`, with a dotted quad at the end) to 16 bytes; undefined otherwise. */
export function readIPv6(text: string): Uint8Array | undefined {
  if (text.length > 45 || !text.includes(':')) return undefined;
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = readGroups(halves[0]!, halves.length === 1);
  const tail = halves.length === 2 ? readGroups(halves[1]!, true) : [];
  if (!head || !tail) return undefined;
  const missing = 16 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 2) return undefined;
  return Uint8Array.from([...head, ...new Array<number>(missing).fill(0), ...tail]);
}

function readGroups(text: string, isEnd: boolean): number[] | undefined {
  if (text === '') return [];
  const bytes: number[] = [];
  const groups = text.split(':');
  for (const [i, group] of groups.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(group)) {
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 255);
      continue;
    }
    const quad = isEnd && i === groups.length - 1 ? readIPv4(group) : undefined;
    if (!quad) return undefined;
    bytes.push(...quad);
  }
  return bytes;
}

/** IPv4 or IPv6 by its spelling; undefined if neither. */
export function readAddress(text: string): Uint8Array | undefined {
  return readIPv4(text) ?? readIPv6(text);
}

/** Six hex pairs separated by `:` or `-` to 6 bytes; undefined otherwise. */
export function readMac(text: string): Uint8Array | undefined {
  if (!/^[0-9a-fA-F]{1,2}([:-][0-9a-fA-F]{1,2}){5}$/.test(text)) return undefined;
  return Uint8Array.from(text.split(/[:-]/), (part) => Number.parseInt(part, 16));
}

/** @throws UsageError unless `text` is a dotted quad. */
export function parseIPv4(text: string): Uint8Array {
  return readIPv4(text) ?? refuse(text, 'an IPv4 address such as 10.0.0.1');
}

/** @throws UsageError unless `text` is an IPv6 address. */
export function parseIPv6(text: string): Uint8Array {
  return readIPv6(text) ?? refuse(text, 'an IPv6 address such as fd00::1');
}

/** @throws UsageError unless `text` is an IPv4 or IPv6 address. */
export function parseAddress(text: string): Uint8Array {
  return readAddress(text) ?? refuse(text, 'an IPv4 or IPv6 address');
}

/** @throws UsageError unless `text` is a MAC address. */
export function parseMac(text: string): Uint8Array {
  return readMac(text) ?? refuse(text, 'a MAC address such as 02:00:00:00:00:01');
}

/**
 * `ADDRESS/BITS`; an address alone is a full-length prefix.
 * @throws UsageError if the address or the number of bits is not right.
 */
export function parseCidr(text: string): Cidr {
  const slash = text.indexOf('/');
  const address = readAddress(slash < 0 ? text : text.slice(0, slash));
  if (!address) refuse(text, 'a prefix such as 10.0.0.0/8 or fd00::/64');
  const bits = slash < 0 ? String(address.length * 8) : text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(bits) || Number(bits) > address.length * 8) {
    refuse(text, `a prefix of 0 to ${address.length * 8} bits`);
  }
  return { address, prefixLength: Number(bits) };
}

/** Dotted quad of the 4 bytes at `offset`. */
export function formatIPv4(bytes: Uint8Array, offset = 0): string {
  return `${bytes[offset]}.${bytes[offset + 1]}.${bytes[offset + 2]}.${bytes[offset + 3]}`;
}

/** RFC 5952 text of the 16 bytes at `offset`; IPv4-mapped addresses end in a dotted quad. */
export function formatIPv6(bytes: Uint8Array, offset = 0): string {
  const groups: number[] = [];
  for (let i = 0; i < 8; i++) groups.push((bytes[offset + 2 * i]! << 8) | bytes[offset + 2 * i + 1]!);
  if (groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0)) {
    return `::ffff:${formatIPv4(bytes, offset + 12)}`;
  }
  const run = longestZeroRun(groups);
  const hex = groups.map((group) => group.toString(16));
  if (run.length < 2) return hex.join(':');
  return `${hex.slice(0, run.start).join(':')}::${hex.slice(run.start + run.length).join(':')}`;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let length = 0;
  for (const [i, group] of groups.entries()) {
    length = group === 0 ? length + 1 : 0;
    if (length > best.length) best = { start: i - length + 1, length };
  }
  return best;
}

/** Text of 4 or 16 bytes. */
export function formatAddress(address: Uint8Array): string {
  return address.length === 4 ? formatIPv4(address) : formatIPv6(address);
}

/** Lower-case MAC with colons of the 6 bytes at `offset`. */
export function formatMac(bytes: Uint8Array, offset = 0): string {
  const parts: string[] = [];
  for (let i = 0; i < 6; i++) parts.push(bytes[offset + i]!.toString(16).padStart(2, '0'));
  return parts.join(':');
}

export function formatCidr(cidr: Cidr): string {
  return `${formatAddress(cidr.address)}/${cidr.prefixLength}`;
}

/** Whether `address` (4 or 16 bytes) lies in the prefix; addresses of the other family never do. */
export function cidrContains(cidr: Cidr, address: Uint8Array): boolean {
  if (address.length !== cidr.address.length) return false;
  const whole = cidr.prefixLength >> 3;
  for (let i = 0; i < whole; i++) if (address[i] !== cidr.address[i]) return false;
  const rest = cidr.prefixLength & 7;
  return rest === 0 || (address[whole]! ^ cidr.address[whole]!) >> (8 - rest) === 0;
}

function refuse(text: string, expected: string): never {
  throw new UsageError(`"${text}" is not ${expected}`);
}
