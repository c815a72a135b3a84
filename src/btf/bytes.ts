import { UsageError } from '../errors.js';
import { readIPv4, readIPv6, readMac } from '../packet/addresses.js';

export function hexOf(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}

/** Bytes of hex digits (blanks and colons allowed), undefined if the text is something else. */
export function bytesFromHex(text: string): Uint8Array | undefined {
  const digits = text.replace(/^hex:|^0x/i, '').replace(/[\s:]/g, '');
  if (digits.length % 2 || !/^[0-9a-f]*$/i.test(digits)) return undefined;
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** Little-endian integer. */
export function intFromBytes(bytes: Uint8Array, signed: boolean): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
  return signed ? BigInt.asIntN(bytes.length * 8, value) : value;
}

export function intToBytes(value: bigint, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let rest = BigInt.asUintN(size * 8, value);
  for (let i = 0; i < size; i++) {
    bytes[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}

/** A number, bigint, decimal or 0x text. Throws UsageError for anything else. */
export function parseInteger(value: unknown, path: string): bigint {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'boolean') return BigInt(value);
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value);
  if (typeof value === 'string' && /^-?(\d+|0x[0-9a-f]+)$/i.test(value.trim())) {
    const text = value.trim();
    return text.startsWith('-') ? -BigInt(text.slice(1)) : BigInt(text);
  }
  const shown =
    typeof value === 'object'
      ? JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? String(inner) : inner))
      : `'${value}'`;
  throw new UsageError(`${path}: expected a number, not ${shown}`);
}

const printable = /^[\x20-\x7e\t\n]*$/;

/** Text forms of byte arrays. */
export const bytesOfText = {
  /** NUL-terminated printable text whose rest is zero; undefined if the bytes are something else. */
  decode(bytes: Uint8Array): string | undefined {
    const end = bytes.indexOf(0);
    const text = new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
    if (end >= 0 && bytes.subarray(end).some((byte) => byte !== 0)) return undefined;
    return printable.test(text) ? text : undefined;
  },
  /** An IPv4 (4 bytes), MAC (6, or 8 with padding) or IPv6 (16) address in network order; undefined if the text is none that fits. */
  address(text: string, size: number): Uint8Array | undefined {
    if (size >= 16 && text.includes(':')) {
      const ipv6 = readIPv6(text);
      if (ipv6) return ipv6;
    }
    if (size >= 6) {
      const mac = readMac(text);
      if (mac) return mac;
    }
    return size >= 4 ? readIPv4(text) : undefined;
  },
};
