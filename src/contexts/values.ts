import { UsageError } from '../errors.js';
import { formatIPv4, formatIPv6, readIPv4, readIPv6 } from '../packet/addresses.js';
import { didYouMean } from '../text.js';
import type { ContextType } from './context.js';
import type { ContextField } from './field.js';

const isLong = (one: ContextField): boolean => one.count > 1;

function inputNames(type: ContextType): string[] {
  return type.inputFields.map((one) => one.name);
}

/** Bytes of a context with the given fields, the rest zero. Throws UsageError for unknown fields and values out of range. */
export function encodeContext(type: ContextType, values: Readonly<Record<string, unknown>>): Uint8Array {
  const bytes = new Uint8Array(type.size);
  const view = new DataView(bytes.buffer);
  for (const [name, value] of Object.entries(values)) {
    const one = type.fields.find((candidate) => candidate.name === name);
    if (!one) {
      const hint = type.isRaw
        ? 'its context has no named fields: give bytes'
        : `there are: ${inputNames(type).join(', ')}`;
      throw new UsageError(`context ${type.name} has no field ${name}${didYouMean(name, inputNames(type))}; ${hint}`);
    }
    if (!one.isInput) throw new UsageError(`context field ${name} follows from the packet and cannot be given`);
    encodeField(bytes, view, one, value);
  }
  return bytes;
}

function encodeField(bytes: Uint8Array, view: DataView, one: ContextField, value: unknown): void {
  if (one.format === 'ipv6' && typeof value === 'string') {
    const address = readIPv6(value);
    if (!address) throw new UsageError(`context field ${one.name}: '${value}' is no IPv6 address`);
    bytes.set(address, one.offset);
    return;
  }
  if (one.format === 'ipv4' && typeof value === 'string' && value.includes('.')) {
    const address = readIPv4(value);
    if (!address) throw new UsageError(`context field ${one.name}: '${value}' is no IPv4 address`);
    bytes.set(address, one.offset);
    return;
  }
  const items = isLong(one) && Array.isArray(value) ? value : [value];
  if (items.length > one.count)
    throw new UsageError(`context field ${one.name} has ${one.count} elements, ${items.length} given`);
  for (const [i, item] of items.entries()) encodeNumber(view, one, one.offset + i * one.size, item);
}

function encodeNumber(view: DataView, one: ContextField, offset: number, value: unknown): void {
  const number = numberOf(value, one.name);
  const width = one.format === 'be16' || one.format === 'be16high' ? 2 : one.backing;
  const limit = 1n << BigInt(width * 8);
  if (number >= limit || number < -(limit / 2n))
    throw new UsageError(`context field ${one.name}: ${number} does not fit ${width} bytes`);
  const unsigned = BigInt.asUintN(width * 8, number);
  if (one.format === 'be16') view.setUint16(offset, Number(unsigned), false);
  else if (one.format === 'be16high') view.setUint16(offset + 2, Number(unsigned), false);
  else if (one.size === 8) view.setBigUint64(offset, unsigned, true);
  else if (one.size === 1) view.setUint8(offset, Number(unsigned));
  else if (one.size === 2) view.setUint16(offset, Number(unsigned), true);
  else view.setUint32(offset, Number(unsigned), true);
}

function numberOf(value: unknown, name: string): bigint {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value);
  if (typeof value === 'string' && /^(\d+|0x[0-9a-f]+)$/i.test(value)) return BigInt(value);
  throw new UsageError(
    `context field ${name}: expected a number, not ${typeof value === 'string' || typeof value === 'number' ? value : typeof value}`,
  );
}

/** Fields of a context by name: numbers, address texts, lists for arrays. Pointers are left out. */
export function decodeContext(type: ContextType, bytes: Uint8Array): Record<string, unknown> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values: Record<string, unknown> = {};
  for (const one of type.fields) {
    if (one.format === 'pointer' || one.offset + one.size * one.count > bytes.length) continue;
    if (!one.reads.length && !one.writes.length) continue;
    values[one.name] = decodeField(view, bytes, one);
  }
  return values;
}

function decodeField(view: DataView, bytes: Uint8Array, one: ContextField): unknown {
  if (one.format === 'ipv4') return formatIPv4(bytes, one.offset);
  if (one.format === 'ipv6') return formatIPv6(bytes, one.offset);
  if (isLong(one)) return Array.from({ length: one.count }, (_, i) => view.getUint32(one.offset + i * one.size, true));
  if (one.format === 'be16') return view.getUint16(one.offset, false);
  if (one.format === 'be16high') return view.getUint16(one.offset + 2, false);
  if (one.size === 8) return view.getBigUint64(one.offset, true);
  if (one.size === 1) return view.getUint8(one.offset);
  return one.size === 2 ? view.getUint16(one.offset, true) : view.getUint32(one.offset, true);
}
