import { type FormatMemory, formatText } from '../../helpers/format.js';
import type { WrittenLog } from './suite-result.js';

/** A printk conversion with what formatText knows (flags, width, l, ll) and what it does not (`#`, precision, h, hh, z). */
const CONVERSION = /%(?:%|([-+ 0#]*)(\d*)(?:\.\d+)?(hh|h|ll|l|z|t|j)?(p[A-Za-z0-9]*|[a-zA-Z]))/g;

const LENGTH_BITS: Readonly<Record<string, number>> = { hh: 8, h: 16, z: 64, t: 64, j: 64 };
const LONGEST_PIECE = 256;

/**
 * The text of a log line, conversions as the kernel's printk means them: `%d` is 32 bits, `%ld` and `%lld` 64. A conversion
 * without argument and one that printk does not know stay as they are.
 */
export function formatLog(log: WrittenLog, memory: FormatMemory): string {
  let next = 0;
  return new TextDecoder().decode(log.format).replace(CONVERSION, (whole, flags, width, length, conversion) => {
    if (whole === '%%') return '%';
    const argument = log.args[next];
    if (argument === undefined) return whole;
    next++;
    return formatOne(whole, { flags, width, length: length ?? '', conversion }, argument, memory);
  });
}

interface Conversion {
  readonly flags: string;
  readonly width: string;
  readonly length: string;
  readonly conversion: string;
}

function formatOne(whole: string, piece: Conversion, argument: bigint, memory: FormatMemory): string {
  const { flags, width, length, conversion } = piece;
  const bits = LENGTH_BITS[length];
  const isSigned = conversion === 'd' || conversion === 'i';
  const value =
    bits === undefined ? argument : isSigned ? BigInt.asIntN(bits, argument) : BigInt.asUintN(bits, argument);
  const prefix = flags.includes('#') && /^[xX]$/.test(conversion) ? '0x' : '';
  const known = `%${flags.replaceAll('#', '')}${width}${bits === undefined ? length : 'll'}${conversion}`;
  const text = formatText(new TextEncoder().encode(known), [BigInt.asUintN(64, value)], memory, LONGEST_PIECE);
  return typeof text === 'number'
    ? `${whole}(0x${argument.toString(16)})`
    : prefix + new TextDecoder().decode(text.bytes);
}
