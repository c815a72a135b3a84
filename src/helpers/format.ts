import { Errno } from '../../assembly/abi.js';
import { isAlphanumeric, isDigit, isPrintable, isPunctuation, isSpace } from './ctype.js';

/** Reads what %s and %pI4 point to; undefined for a page fault. */
export interface FormatMemory {
  bytes(address: bigint, length: number): Uint8Array | undefined;
  /** NUL-terminated, at most `limit` bytes including the NUL. */
  string(address: bigint, limit: number): Uint8Array | undefined;
}

export interface Formatted {
  /** What fits into the limit, without the terminating NUL. */
  readonly bytes: Uint8Array;
  /** Length the whole text has, without NUL. */
  readonly length: number;
}

/** Most arguments of the bprintf family (MAX_BPRINTF_VARARGS). */
export const MAX_ARGUMENTS = 12;
/** Room for arguments in binary form (MAX_BPRINTF_BIN_ARGS). */
const ARGUMENT_ROOM = 512;
/** FIELD_WIDTH_MAX of lib/vsprintf.c. */
const MAX_WIDTH = (1 << 23) - 1;

type Piece =
  | { readonly kind: 'text'; readonly text: Uint8Array }
  | {
      readonly kind: 'number' | 'char' | 'string' | 'pointer' | 'symbol' | 'address';
      readonly flags: ReadonlySet<string>;
      readonly width: number;
      /** The conversion letter of numbers; `I4`, `i6` ... of addresses. */
      readonly letter: string;
      readonly isLong: boolean;
    };

/** -MAX_ERRNO as a pointer. */
const LOWEST_ERROR_POINTER = (1n << 64n) - 4095n;

const PERCENT = 0x25;
const letterAt = (format: Uint8Array, at: number): string => String.fromCharCode(format[at] ?? 0);

/** The format up to its NUL, undefined if there is none. */
export function terminated(format: Uint8Array): Uint8Array | undefined {
  const end = format.indexOf(0);
  return end < 0 ? undefined : format.subarray(0, end);
}

/** True where a plain %p or %s may end: end of the format, blank or punctuation. */
function endsHere(format: Uint8Array, at: number): boolean {
  return at >= format.length || isSpace(format[at]!) || isPunctuation(format[at]!);
}

/**
 * Splits a format as bpf_bprintf_prepare checks it, undefined where that answers EINVAL: conversions d i u x X with l and
 * ll, c, s, p, pK, px, ps, pS, pB, pks, pus, pi4, pI4, pi6, pI6, with flags `0 + -` and blank, and a width.
 */
function parse(format: Uint8Array, available: number): Piece[] | undefined {
  const pieces: Piece[] = [];
  let conversions = 0;
  let start = 0;
  const flush = (end: number): void => {
    if (end > start) pieces.push({ kind: 'text', text: format.subarray(start, end) });
  };
  for (let i = 0; i < format.length; i++) {
    const byte = format[i]!;
    if (byte < 0x80 && !isPrintable(byte) && !isSpace(byte)) return undefined;
    if (byte !== PERCENT) continue;
    if (format[i + 1] === PERCENT) {
      flush(i + 1);
      start = i + 2;
      i++;
      continue;
    }
    flush(i);
    if (conversions++ >= available) return undefined;
    i++;
    const flags = new Set<string>();
    while ('0+- '.includes(letterAt(format, i)) && i < format.length) flags.add(letterAt(format, i++));
    let width = 0;
    while (isDigit(format[i] ?? 0)) width = Math.min(width * 10 + format[i++]! - 0x30, MAX_WIDTH);
    const conversion = conversionAt(format, i);
    if (!conversion) return undefined;
    const { kind, letter, isLong, length } = conversion;
    pieces.push({ kind, flags, width, letter, isLong });
    i += length - 1;
    // bstr_printf skips what is alphanumeric behind a pointer, whether it belongs to the conversion or not.
    if (kind === 'pointer' || kind === 'symbol' || kind === 'address') {
      while (i + 1 < format.length && isAlphanumeric(format[i + 1]!)) i++;
    }
    start = i + 1;
  }
  flush(format.length);
  return pieces;
}

interface Conversion {
  kind: Exclude<Piece['kind'], 'text'>;
  letter: string;
  isLong: boolean;
  /** Bytes from the conversion letter or its first `l` on. */
  length: number;
}

function conversionAt(format: Uint8Array, at: number): Conversion | undefined {
  const letter = letterAt(format, at);
  if (letter === 'p') return pointerConversion(format, at);
  if (letter === 's') {
    return endsHere(format, at + 1) ? { kind: 'string', letter, isLong: true, length: 1 } : undefined;
  }
  if (letter === 'c') return { kind: 'char', letter, isLong: false, length: 1 };
  let longs = 0;
  while (longs < 2 && letterAt(format, at + longs) === 'l') longs++;
  const number = letterAt(format, at + longs);
  if (!'diuxX'.includes(number)) return undefined;
  return { kind: 'number', letter: number, isLong: longs > 0, length: longs + 1 };
}

function pointerConversion(format: Uint8Array, at: number): Conversion | undefined {
  if (endsHere(format, at + 1)) return { kind: 'pointer', letter: 'p', isLong: true, length: 1 };
  const [first, second] = [letterAt(format, at + 1), letterAt(format, at + 2)];
  if ((first === 'k' || first === 'u') && second === 's') {
    return endsHere(format, at + 3) ? { kind: 'string', letter: 's', isLong: true, length: 3 } : undefined;
  }
  if (first === 'K' || first === 'x') return { kind: 'pointer', letter: first, isLong: true, length: 2 };
  if (first === 's' || first === 'S' || first === 'B')
    return { kind: 'symbol', letter: first, isLong: true, length: 2 };
  if ((first === 'i' || first === 'I') && (second === '4' || second === '6')) {
    return { kind: 'address', letter: first + second, isLong: true, length: 3 };
  }
  return undefined;
}

const ASCII = new TextEncoder();

/**
 * printf of the BPF helpers (bpf_bprintf_prepare and bstr_printf): `format` without NUL, arguments raw, at most `limit`
 * bytes of text kept. Returns -EINVAL for a format the kernel refuses or one with more conversions than arguments, -ENOSPC
 * if the arguments take more than 512 bytes.
 */
export function formatText(
  format: Uint8Array,
  args: readonly bigint[],
  memory: FormatMemory,
  limit: number,
): Formatted | number {
  const pieces = parse(format, args.length);
  if (!pieces) return -Errno.EINVAL;
  const out = new Uint8Array(limit);
  let length = 0;
  let room = ARGUMENT_ROOM;
  let next = 0;
  const put = (bytes: Uint8Array): void => {
    if (length < limit) out.set(bytes.subarray(0, limit - length), length);
    length += bytes.length;
  };
  const pad = (count: number, byte: number): void => {
    if (count <= 0) return;
    if (length < limit) out.fill(byte, length, Math.min(limit, length + count));
    length += count;
  };
  for (const piece of pieces) {
    if (piece.kind === 'text') {
      put(piece.text);
      continue;
    }
    const argument = args[next++]!;
    const { bytes, used, isNumber, isPadded } = convert(piece, argument, memory, room);
    if (used > room) return -Errno.ENOSPC;
    room -= used;
    const missing = isPadded ? piece.width - bytes.length : 0;
    if (piece.flags.has('-')) {
      put(bytes);
      pad(missing, 0x20);
    } else if (isNumber && piece.flags.has('0')) {
      const sign = isDigitOrLetter(bytes[0]!) ? 0 : 1;
      put(bytes.subarray(0, sign));
      pad(missing, 0x30);
      put(bytes.subarray(sign));
    } else {
      pad(missing, 0x20);
      put(bytes);
    }
  }
  return { bytes: out.subarray(0, Math.min(length, limit)), length };
}

const isDigitOrLetter = (byte: number): boolean => isAlphanumeric(byte);

interface Converted {
  bytes: Uint8Array;
  /** Bytes of argument room taken. */
  used: number;
  isNumber: boolean;
  /** False for addresses, which are formatted before the width is looked at. */
  isPadded: boolean;
}

function convert(
  piece: Exclude<Piece, { kind: 'text' }>,
  argument: bigint,
  memory: FormatMemory,
  room: number,
): Converted {
  switch (piece.kind) {
    case 'char':
      return { bytes: Uint8Array.of(Number(argument & 0xffn)), used: 1, isNumber: false, isPadded: true };
    case 'string': {
      const bytes = memory.string(argument, room) ?? new Uint8Array();
      return { bytes, used: bytes.length + 1, isNumber: false, isPadded: true };
    }
    case 'address': {
      const length = piece.letter.endsWith('4') ? 4 : 16;
      const address = memory.bytes(argument, length) ?? new Uint8Array(length);
      const bytes = ASCII.encode(formatKernelAddress(address, piece.letter));
      return { bytes, used: Math.max(bytes.length + 1, length), isNumber: false, isPadded: false };
    }
    case 'symbol':
      return {
        bytes: ASCII.encode(`0x${argument.toString(16)}`),
        used: 8,
        isNumber: false,
        isPadded: piece.letter !== 'B',
      };
    case 'pointer': {
      const hex = (piece.letter === 'x' ? argument : hashed(argument)).toString(16);
      const bytes = ASCII.encode(piece.width ? hex : hex.padStart(16, '0'));
      return { bytes, used: 8, isNumber: true, isPadded: true };
    }
    default:
      return {
        bytes: ASCII.encode(formatInteger(piece, argument)),
        used: piece.isLong ? 8 : 4,
        isNumber: true,
        isPadded: true,
      };
  }
}

/**
 * What stands for a pointer in %p and %pK: the kernel shows 32 bits of a keyed hash, but NULL and error pointers as they
 * are. There is nothing to hide here, so the low 32 bits stand for themselves.
 */
function hashed(pointer: bigint): bigint {
  return pointer >= LOWEST_ERROR_POINTER ? pointer : BigInt.asUintN(32, pointer);
}

function formatInteger(piece: Exclude<Piece, { kind: 'text' }>, argument: bigint): string {
  const bits = piece.isLong ? 64 : 32;
  if (piece.letter === 'd' || piece.letter === 'i') {
    const value = BigInt.asIntN(bits, argument);
    if (value < 0n) return value.toString();
    return `${piece.flags.has('+') ? '+' : piece.flags.has(' ') ? ' ' : ''}${value}`;
  }
  const value = BigInt.asUintN(bits, argument);
  if (piece.letter === 'u') return value.toString();
  const hex = value.toString(16);
  return piece.letter === 'X' ? hex.toUpperCase() : hex;
}

/** %pI4, %pi4 (leading zeros), %pI6 (colons, no shortening), %pi6 (no colons) of lib/vsprintf.c. */
function formatKernelAddress(address: Uint8Array, letter: string): string {
  const bytes = [...address];
  if (letter === 'I4') return bytes.join('.');
  if (letter === 'i4') return bytes.map((byte) => String(byte).padStart(3, '0')).join('.');
  const groups = Array.from({ length: 8 }, (_, i) =>
    [bytes[i * 2]!, bytes[i * 2 + 1]!].map((byte) => byte.toString(16).padStart(2, '0')).join(''),
  );
  return groups.join(letter === 'I6' ? ':' : '');
}
