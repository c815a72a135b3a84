import { Errno } from '../../assembly/abi.js';
import { isDigit, isSpace } from './ctype.js';
import type { HelperCall, HostHelper } from './helper.js';
import { word } from './memory.js';

const BASES = new Set([0, 8, 10, 16]);
/** Digits that are looked at (size of the kernel's buffer less its NUL). */
const MAX_DIGITS = 63;
const U64 = (1n << 64n) - 1n;
const S64 = (1n << 63n) - 1n;

interface Parsed {
  value: bigint;
  isNegative: boolean;
  /** Bytes consumed, blanks and sign included. */
  consumed: number;
}

function digit(byte: number): number {
  if (isDigit(byte)) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : 16;
}

/** __bpf_strtoull: blanks, a minus, a radix prefix, digits. Negative errno if there is no number. */
function parseInteger(bytes: Uint8Array, flags: bigint): Parsed | number {
  let base = Number(flags & 0x1fn);
  if (!BASES.has(base) || flags > 0x1fn || bytes.length === 0) return -Errno.EINVAL;
  let at = 0;
  while (at < bytes.length && isSpace(bytes[at]!)) at++;
  const isNegative = bytes[at] === 0x2d;
  if (isNegative) at++;
  const text = bytes.subarray(at, at + MAX_DIGITS);
  const hasHexPrefix = text[0] === 0x30 && ((text[1] ?? 0) | 0x20) === 0x78;
  if (base === 0) base = hasHexPrefix && digit(text[2] ?? 0) < 16 ? 16 : text[0] === 0x30 ? 8 : 10;
  const start = base === 16 && hasHexPrefix ? 2 : 0;
  let end = start;
  let value = 0n;
  for (; end < text.length && digit(text[end]!) < base; end++) value = value * BigInt(base) + BigInt(digit(text[end]!));
  if (end === start) return -Errno.EINVAL;
  if (value > U64) return -Errno.ERANGE;
  return { value, isNegative, consumed: at + end };
}

function convert(call: HelperCall, toValue: (parsed: Parsed) => bigint | number): number {
  call.write(call.arg(4), word(0n));
  const parsed = parseInteger(call.read(call.arg(1), call.u32(2)), call.arg(3));
  if (typeof parsed === 'number') return parsed;
  const value = toValue(parsed);
  if (typeof value === 'number') return value;
  call.write(call.arg(4), word(value));
  return parsed.consumed;
}

/** strtol(buf, len, flags, *res): flags is the base 0, 8, 10 or 16; the result is 0 after an error. */
const strtol: HostHelper = (call) =>
  convert(call, ({ value, isNegative }) => {
    if (value > (isNegative ? S64 + 1n : S64)) return -Errno.ERANGE;
    return isNegative ? -value : value;
  });

/** strtoul(buf, len, flags, *res): as strtol; a minus is EINVAL. */
const strtoul: HostHelper = (call) => convert(call, ({ value, isNegative }) => (isNegative ? -Errno.EINVAL : value));

/** strncmp(s1, s1_size, s2): -1, 0 or 1, bytes unsigned. */
const strncmp: HostHelper = (call) => {
  const size = call.u32(2);
  const first = call.read(call.arg(1), size);
  const second = call.readString(call.arg(3), size);
  for (let i = 0; i < size; i++) {
    const [a, b] = [first[i]!, second[i] ?? 0];
    if (a !== b) return a < b ? -1 : 1;
    if (a === 0) break;
  }
  return 0;
};

export const STRING_HELPERS: readonly (readonly [number, HostHelper])[] = [
  [105, strtol],
  [106, strtoul],
  [182, strncmp],
];
