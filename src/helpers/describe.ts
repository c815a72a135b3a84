import { describeErrno } from './errno.js';
import type { ArgumentKind, HelperSpec } from './helper.js';

export { describeErrno } from './errno.js';

/** What the trace knows of a map. */
export interface MapDescription {
  readonly name: string;
  readonly keySize: number;
  readonly valueSize: number;
  /** Text of a key or value, by BTF where the map has it. */
  formatKey?(bytes: Uint8Array): string;
  formatValue?(bytes: Uint8Array): string;
}

export interface CallResolvers {
  /** Bytes of the machine's memory, undefined where there is none. */
  readMemory(address: bigint, length: number): Uint8Array | undefined;
  /** The map behind a handle. */
  map?(handle: bigint): MapDescription | undefined;
  /** Name of a function by code address, for callbacks. */
  functionName?(address: bigint): string | undefined;
}

/** Bytes of memory arguments shown in full; of longer ones the beginning. */
const SHOWN_BYTES = 32;
/** Characters shown of a key or value: maps that serve as buffers have values of kilobytes. */
const SHOWN_VALUE = 400;
const SHOWN_TEXT = 64;

const hex = (value: bigint): string => `0x${value.toString(16)}`;
const bytesText = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');

/**
 * A call as text, `map_lookup_elem(cilium_ipcache, {...}) = 0x2f40`: arguments decoded by the helper's table entry, keys and
 * values by the map, errors by name. `args` are r1..r5 before, `result` is r0 after the call; all unsigned 64 bits. Memory
 * is read after the call, so that buffers show what the helper wrote.
 */
export function describeCall(
  helper: HelperSpec,
  args: readonly bigint[],
  result: bigint,
  resolvers: CallResolvers,
): string {
  const map = mapOf(helper, args, resolvers);
  const shown = helper.args.map((kind, i) => describeArgument(helper, args, i, kind, map, resolvers));
  const outcome = helper.returns === 'void' ? '' : ` = ${describeResult(helper, result, map, resolvers)}`;
  return `${helper.name}(${shown.join(', ')})${outcome}`;
}

function mapOf(helper: HelperSpec, args: readonly bigint[], resolvers: CallResolvers): MapDescription | undefined {
  const index = helper.args.indexOf('map');
  return index < 0 ? undefined : resolvers.map?.(args[index] ?? 0n);
}

function describeArgument(
  helper: HelperSpec,
  args: readonly bigint[],
  index: number,
  kind: ArgumentKind,
  map: MapDescription | undefined,
  resolvers: CallResolvers,
): string {
  const value = args[index] ?? 0n;
  switch (kind) {
    case 'ctx':
      return 'ctx';
    case 'map':
      return map?.name ?? hex(value);
    case 'key':
    case 'value':
      return element(value, kind, map, resolvers);
    case 'memory':
    case 'buffer':
      return memory(value, sizeAfter(helper, args, index), resolvers);
    case 'string':
      return text(value, resolvers);
    case 'function':
      return resolvers.functionName?.(value) ?? hex(value);
    case 'pointer':
      return value === 0n ? 'NULL' : hex(value);
    case 'u16be':
      return `0x${swap16(Number(value & 0xffffn))
        .toString(16)
        .padStart(4, '0')}`;
    case 'size':
    case 'u32':
    case 'ifindex':
      return String(BigInt.asUintN(32, value));
    case 's32':
      return String(BigInt.asIntN(32, value));
    case 's64':
      return String(BigInt.asIntN(64, value));
    default:
      return value < 10n ? String(value) : hex(value);
  }
}

const swap16 = (value: number): number => ((value & 0xff) << 8) | (value >> 8);

/** The size that belongs to a memory argument: the next one of kind 'size'. */
function sizeAfter(helper: HelperSpec, args: readonly bigint[], index: number): number | undefined {
  const at = helper.args.indexOf('size', index);
  return at < 0 ? undefined : Number(BigInt.asUintN(32, args[at] ?? 0n));
}

function element(
  address: bigint,
  kind: 'key' | 'value',
  map: MapDescription | undefined,
  resolvers: CallResolvers,
): string {
  if (address === 0n) return 'NULL';
  const bytes = map && resolvers.readMemory(address, kind === 'key' ? map.keySize : map.valueSize);
  if (!map || !bytes) return hex(address);
  const format = kind === 'key' ? map.formatKey?.bind(map) : map.formatValue?.bind(map);
  if (!format) return shorten(bytes, bytes.length);
  const text = format(bytes);
  return text.length > SHOWN_VALUE ? `${text.slice(0, SHOWN_VALUE)}...` : text;
}

function shorten(bytes: Uint8Array, length: number): string {
  return `[${bytesText(bytes)}${length > bytes.length ? '...' : ''}]`;
}

function memory(address: bigint, size: number | undefined, resolvers: CallResolvers): string {
  if (address === 0n) return 'NULL';
  if (!size) return hex(address);
  const bytes = resolvers.readMemory(address, Math.min(size, SHOWN_BYTES));
  return bytes ? shorten(bytes, size) : hex(address);
}

function text(address: bigint, resolvers: CallResolvers): string {
  if (address === 0n) return 'NULL';
  const bytes: number[] = [];
  for (let i = 0; i < SHOWN_TEXT; i++) {
    const next = resolvers.readMemory(address + BigInt(i), 1);
    if (!next) return bytes.length ? `${quote(bytes)}...` : hex(address);
    if (next[0] === 0) return quote(bytes);
    bytes.push(next[0]!);
  }
  return `${quote(bytes)}...`;
}

const quote = (bytes: readonly number[]): string => JSON.stringify(new TextDecoder().decode(Uint8Array.from(bytes)));

function describeResult(
  helper: HelperSpec,
  result: bigint,
  map: MapDescription | undefined,
  resolvers: CallResolvers,
): string {
  const signed = BigInt.asIntN(64, result);
  switch (helper.returns) {
    case 'pointer':
      return result === 0n ? 'NULL' : hex(result);
    case 'value': {
      if (result === 0n) return 'NULL';
      // The value of a map of maps is another map.
      const inner = resolvers.map?.(result);
      if (inner) return inner.name;
      return map ? `${hex(result)} ${element(result, 'value', map, resolvers)}` : hex(result);
    }
    case 'u32':
      return String(BigInt.asUintN(32, result));
    case 'u64':
      return String(result);
    case 'verdict':
      return String(BigInt.asIntN(32, result));
    default:
      return signed < 0n && signed >= -4095n ? describeErrno(Number(signed)) : String(signed);
  }
}
