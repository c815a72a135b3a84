import { UsageError } from '../errors.js';
import { didYouMean } from '../text.js';
import type { Btf, BtfEnum, BtfMember, BtfStruct, BtfType } from './btf.js';
import { bytesFromHex, bytesOfText, hexOf, intFromBytes, intToBytes, parseInteger } from './bytes.js';
import { isModifier } from './types.js';

/**
 * Values and bytes by BTF type, little-endian.
 *
 * | type | JavaScript value |
 * |---|---|
 * | integers up to 32 bits | number |
 * | 64-bit and larger integers | bigint (encoding takes numbers, decimal and 0x strings too) |
 * | `__be16`, `__be64` | number or bigint in host view: port 80 is 80 |
 * | `__be32` | IPv4 text (what network-order words nearly always are); encoding takes numbers in host view too |
 * | bool | boolean |
 * | enum | name of the enumerator, or the number if it has none |
 * | char arrays | text if printable and NUL-terminated, else hex |
 * | `__u8` arrays | hex; encoding takes MAC, IPv4 and IPv6 text where the length fits |
 * | structs | object by member names; members of anonymous structs and unions appear as the parent's |
 * | unions | object with every member; encoding takes any of them that agree |
 * | pointers | 0x string |
 */
export type FieldHint = (struct: string, field: string) => 'ipv4' | 'be16' | 'be32' | undefined;

const BIG_ENDIAN = new Set(['__be16', '__be32', '__be64', '__sum16']);
/** Types nested deeper do not occur in C that compiles; they would be cycles. */
const DEEPEST = 32;
/** Largest value that is decoded; larger ones occur only in hostile BTF. */
const LARGEST = 64 * 2 ** 20;

/** True if a typedef on the way to the type says that its bytes are in network order. */
export function isBigEndian(btf: Btf, typeId: number): boolean {
  let type = btf.type(typeId);
  for (let step = 0; step < DEEPEST && isModifier(type); step++) {
    if (type.kind === 'typedef' && BIG_ENDIAN.has(type.name)) return true;
    type = btf.type(type.type);
  }
  return false;
}

function reversed(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes).reverse();
}

function integerValue(bytes: Uint8Array, signed: boolean): number | bigint {
  const value = intFromBytes(bytes, signed);
  return bytes.length <= 4 ? Number(value) : value;
}

/** Decodes bytes of a type. Throws UsageError if there are too few, LoadError for types without size. */
export function decodeValue(btf: Btf, typeId: number, bytes: Uint8Array, hint?: FieldHint): unknown {
  const size = btf.size(typeId);
  if (bytes.length < size)
    throw new UsageError(`${btf.typeName(typeId)} has ${size} bytes, only ${bytes.length} given`);
  if (size > LARGEST) throw new UsageError(`${btf.typeName(typeId)} of ${size} bytes is too large to be shown`);
  return decode(btf, typeId, bytes.subarray(0, size), 0, hint);
}

function decode(btf: Btf, typeId: number, bytes: Uint8Array, depth: number, hint: FieldHint | undefined): unknown {
  if (depth > DEEPEST) return hexOf(bytes);
  const type = btf.resolve(typeId);
  switch (type.kind) {
    case 'int':
      if (type.isBool) return bytes.some((byte) => byte !== 0);
      if (!isBigEndian(btf, typeId)) return integerValue(bytes, type.signed);
      return type.size === 4 ? bytes.join('.') : integerValue(reversed(bytes), type.signed);
    case 'enum':
    case 'enum64':
      return enumName(type, intFromBytes(bytes, type.signed));
    case 'ptr':
      return `0x${intFromBytes(bytes, false).toString(16)}`;
    case 'array':
      return decodeArray(btf, type, bytes, depth, hint);
    case 'struct':
    case 'union':
      return decodeStruct(btf, type, bytes, depth, hint);
    case 'var':
      return decode(btf, type.type, bytes, depth + 1, hint);
    case 'datasec':
      return hexOf(bytes);
    case 'float':
      if (type.size === 4) return new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0, true);
      if (type.size === 8) return new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0, true);
      return hexOf(bytes);
    default:
      return hexOf(bytes);
  }
}

function enumName(type: BtfEnum, value: bigint): string | number | bigint {
  const named = type.values.find((candidate) => candidate.value === value);
  if (named) return named.name;
  return type.size <= 4 ? Number(value) : value;
}

function isByte(type: BtfType): boolean {
  return type.kind === 'int' && type.size === 1 && !type.isBool;
}

/** `char`, as opposed to `__u8`: the element type is an int named char. */
function isText(type: BtfType): boolean {
  return type.kind === 'int' && type.size === 1 && (type.name === 'char' || type.isChar);
}

function decodeArray(
  btf: Btf,
  type: Extract<BtfType, { kind: 'array' }>,
  bytes: Uint8Array,
  depth: number,
  hint: FieldHint | undefined,
): unknown {
  const element = btf.resolve(type.type);
  if (isByte(element)) return isText(element) ? (bytesOfText.decode(bytes) ?? hexOf(bytes)) : hexOf(bytes);
  const size = type.count ? bytes.length / type.count : 0;
  return Array.from({ length: type.count }, (_, i) =>
    decode(btf, type.type, bytes.subarray(i * size, (i + 1) * size), depth + 1, hint),
  );
}

function decodeStruct(
  btf: Btf,
  type: BtfStruct,
  bytes: Uint8Array,
  depth: number,
  hint: FieldHint | undefined,
): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const member of type.members) {
    const value = decodeMember(btf, type, member, bytes, depth, hint);
    if (member.name) result[member.name] = value;
    else if (typeof value === 'object' && value !== null) Object.assign(result, value);
  }
  return result;
}

function decodeMember(
  btf: Btf,
  struct: BtfStruct,
  member: BtfMember,
  bytes: Uint8Array,
  depth: number,
  hint: FieldHint | undefined,
): unknown {
  const resolved = btf.resolve(member.type);
  const bits = bitfieldWidth(member, resolved);
  if (bits) {
    const raw = readBits(bytes, member.bitOffset, bits);
    if (resolved.kind === 'int' && resolved.isBool) return raw !== 0n;
    const signed =
      (resolved.kind === 'int' || resolved.kind === 'enum' || resolved.kind === 'enum64') && resolved.signed;
    const value = signed ? BigInt.asIntN(bits, raw) : raw;
    if (resolved.kind === 'enum' || resolved.kind === 'enum64') return enumName(resolved, value);
    return bits <= 32 ? Number(value) : value;
  }
  const start = member.bitOffset >> 3;
  const size = sizeOrZero(btf, member.type);
  const own = bytes.subarray(start, start + size);
  if (own.length < size) return hexOf(own);
  const as = hint?.(struct.name, member.name);
  if (as === 'ipv4' && size === 4) return own.join('.');
  if ((as === 'be16' || as === 'be32') && resolved.kind === 'int') return integerValue(reversed(own), false);
  return decode(btf, member.type, own, depth + 1, hint);
}

/** Flexible array members have size 0. */
function sizeOrZero(btf: Btf, typeId: number): number {
  const type = btf.resolve(typeId);
  return type.kind === 'array' && type.count === 0 ? 0 : btf.size(typeId);
}

/** Width of a bitfield; old BTF without kind_flag keeps it in the int type itself. */
function bitfieldWidth(member: BtfMember, type: BtfType): number {
  if (member.bitSize) return member.bitSize;
  if (type.kind === 'int' && type.bits !== type.size * 8 && type.bits > 0 && type.bits <= 64) return type.bits;
  return 0;
}

function readBits(bytes: Uint8Array, offset: number, width: number): bigint {
  let value = 0n;
  for (let bit = width - 1; bit >= 0; bit--) {
    const at = offset + bit;
    value = (value << 1n) | BigInt(((bytes[at >> 3] ?? 0) >> (at & 7)) & 1);
  }
  return value;
}

function writeBits(bytes: Uint8Array, offset: number, width: number, value: bigint): void {
  for (let bit = 0; bit < width; bit++) {
    const at = offset + bit;
    const mask = 1 << (at & 7);
    if (at >> 3 >= bytes.length) return;
    if ((value >> BigInt(bit)) & 1n) bytes[at >> 3]! |= mask;
    else bytes[at >> 3]! &= ~mask;
  }
}

/**
 * Encodes a value of a type; missing members are zero. Throws UsageError that names the member and what was expected:
 * unknown members, values out of range, wrong shapes.
 */
export function encodeValue(btf: Btf, typeId: number, value: unknown): Uint8Array {
  const size = btf.size(typeId);
  if (size > LARGEST) throw new UsageError(`${btf.typeName(typeId)} of ${size} bytes is too large to be given`);
  const bytes = new Uint8Array(size);
  encode(btf, typeId, value, bytes, btf.typeName(typeId), 0);
  return bytes;
}

function encode(btf: Btf, typeId: number, value: unknown, into: Uint8Array, path: string, depth: number): void {
  if (depth > DEEPEST) throw new UsageError(`${path}: nested too deep`);
  const type = btf.resolve(typeId);
  switch (type.kind) {
    case 'int':
      encodeInteger(btf, typeId, type, value, into, path);
      return;
    case 'enum':
    case 'enum64':
      into.set(intToBytes(enumValue(type, value, path), type.size));
      return;
    case 'ptr':
      into.set(intToBytes(inRange(parseInteger(value, path), 64, false, path), 8));
      return;
    case 'array':
      encodeArray(btf, type, value, into, path, depth);
      return;
    case 'struct':
    case 'union':
      encodeStruct(btf, type, value, into, path, depth);
      return;
    case 'var':
      encode(btf, type.type, value, into, path, depth + 1);
      return;
    case 'float': {
      const view = new DataView(into.buffer, into.byteOffset, into.byteLength);
      if (type.size === 4) view.setFloat32(0, Number(value), true);
      else if (type.size === 8) view.setFloat64(0, Number(value), true);
      else throw new UsageError(`${path}: floating point of ${type.size} bytes cannot be given`);
      return;
    }
    default:
      into.set(rawBytes(value, into.length, path));
  }
}

function inRange(value: bigint, bits: number, signed: boolean, path: string): bigint {
  const lowest = signed ? -(1n << BigInt(bits - 1)) : 0n;
  // A negative number for an unsigned field (-1 for all ones) is what C programmers write.
  const accepted = signed ? lowest : -(1n << BigInt(bits - 1));
  const highest = signed ? (1n << BigInt(bits - 1)) - 1n : (1n << BigInt(bits)) - 1n;
  if (value < accepted || value > highest)
    throw new UsageError(`${path}: ${value} is out of range ${lowest}..${highest}`);
  return value;
}

function encodeInteger(
  btf: Btf,
  typeId: number,
  type: Extract<BtfType, { kind: 'int' }>,
  value: unknown,
  into: Uint8Array,
  path: string,
): void {
  if (typeof value === 'boolean') {
    into[0] = value ? 1 : 0;
    return;
  }
  const address = typeof value === 'string' ? bytesOfText.address(value, type.size) : undefined;
  if (address) {
    into.set(address);
    return;
  }
  const bytes = intToBytes(inRange(parseInteger(value, path), type.size * 8, type.signed, path), type.size);
  into.set(isBigEndian(btf, typeId) ? reversed(bytes) : bytes);
}

function enumValue(type: BtfEnum, value: unknown, path: string): bigint {
  if (typeof value === 'string') {
    const named = type.values.find((candidate) => candidate.name === value);
    if (named) return named.value;
    if (!/^-?(0x)?[0-9a-f]+$/i.test(value)) {
      const names = type.values.map(({ name }) => name);
      throw new UsageError(
        `${path}: no enumerator ${value}${didYouMean(value, names)}; there are: ${names.slice(0, 20).join(', ')}`,
      );
    }
  }
  return inRange(parseInteger(value, path), type.size * 8, type.signed, path);
}

function rawBytes(value: unknown, size: number, path: string): Uint8Array {
  if (value instanceof Uint8Array) {
    if (value.length > size) throw new UsageError(`${path}: ${value.length} bytes, at most ${size} fit`);
    return value;
  }
  if (typeof value === 'string') {
    const bytes = bytesOfText.address(value, size) ?? bytesFromHex(value);
    if (bytes && bytes.length <= size) return bytes;
  }
  if (
    Array.isArray(value) &&
    value.every((item) => typeof item === 'number' || typeof item === 'bigint') &&
    value.length <= size
  ) {
    return Uint8Array.from(value, (item) => Number(inRange(BigInt(item), 8, false, path)));
  }
  throw new UsageError(
    `${path}: expected hex or an address of up to ${size} bytes, not ${JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? String(inner) : inner))}`,
  );
}

function encodeArray(
  btf: Btf,
  type: Extract<BtfType, { kind: 'array' }>,
  value: unknown,
  into: Uint8Array,
  path: string,
  depth: number,
): void {
  const element = btf.resolve(type.type);
  if (isByte(element) && !(Array.isArray(value) && value.length <= type.count)) {
    if (isText(element) && typeof value === 'string') {
      const text = new TextEncoder().encode(value);
      if (text.length > into.length)
        throw new UsageError(`${path}: the text has ${text.length} bytes, at most ${into.length} fit`);
      into.set(text);
      return;
    }
    into.set(rawBytes(value, into.length, path));
    return;
  }
  // Addresses in arrays of words (__be32 ip6[4]) as well.
  const address =
    typeof value === 'string' ? (bytesOfText.address(value, into.length) ?? bytesFromHex(value)) : undefined;
  if (address && address.length <= into.length) {
    into.set(address);
    return;
  }
  if (!Array.isArray(value)) throw new UsageError(`${path}: expected a list of up to ${type.count} values`);
  if (value.length > type.count) throw new UsageError(`${path}: ${value.length} values, at most ${type.count} fit`);
  const size = type.count ? into.length / type.count : 0;
  for (const [i, item] of value.entries())
    encode(btf, type.type, item, into.subarray(i * size, (i + 1) * size), `${path}[${i}]`, depth + 1);
}

interface Place {
  member: BtfMember;
  /** Bit offset within the outermost struct. */
  bitOffset: number;
}

/** Members by name, those of anonymous structs and unions included. */
function membersOf(
  btf: Btf,
  type: BtfStruct,
  base: number,
  depth: number,
  into: Map<string, Place>,
): Map<string, Place> {
  if (depth > DEEPEST) return into;
  for (const member of type.members) {
    const bitOffset = base + member.bitOffset;
    if (member.name) {
      if (!into.has(member.name)) into.set(member.name, { member, bitOffset });
      continue;
    }
    const inner = btf.resolve(member.type);
    if (inner.kind === 'struct' || inner.kind === 'union') membersOf(btf, inner, bitOffset, depth + 1, into);
  }
  return into;
}

/** Type ids of a struct's or union's fields by name, those of anonymous members included; empty for other types. */
export function fieldTypes(btf: Btf, typeId: number): Map<string, number> {
  const type = btf.resolve(typeId);
  if (type.kind !== 'struct' && type.kind !== 'union') return new Map();
  return new Map([...membersOf(btf, type, 0, 0, new Map())].map(([name, { member }]) => [name, member.type]));
}

function encodeStruct(btf: Btf, type: BtfStruct, value: unknown, into: Uint8Array, path: string, depth: number): void {
  if (typeof value === 'string') {
    // A union or struct that is nothing but an address, such as union v6addr.
    into.set(rawBytes(value, into.length, path));
    return;
  }
  if (value instanceof Uint8Array) {
    into.set(rawBytes(value, into.length, path));
    return;
  }
  const members = membersOf(btf, type, 0, 0, new Map());
  if (value === null || value === undefined) return;
  if (typeof value !== 'object' || Array.isArray(value)) {
    const [only] = members.values();
    if (members.size === 1 && only) {
      encode(btf, only.member.type, value, into, path, depth + 1);
      return;
    }
    throw new UsageError(`${path}: expected an object with ${[...members.keys()].join(', ')}`);
  }
  const written = new Map<number, { name: string; value: number }>();
  for (const [name, item] of Object.entries(value)) {
    const found = members.get(name);
    if (!found)
      throw new UsageError(
        `${path} has no field ${name}${didYouMean(name, [...members.keys()])}; there are: ${[...members.keys()].join(', ')}`,
      );
    const before = new Uint8Array(into);
    encodeMember(btf, found, item, into, `${path}.${name}`, depth);
    noteWritten(btf, found, before, into, name, written, path);
  }
}

function encodeMember(btf: Btf, place: Place, value: unknown, into: Uint8Array, path: string, depth: number): void {
  const resolved = btf.resolve(place.member.type);
  const bits = bitfieldWidth(place.member, resolved);
  if (bits) {
    const signed = resolved.kind === 'int' && resolved.signed;
    const number =
      resolved.kind === 'enum' || resolved.kind === 'enum64'
        ? enumValue(resolved, value, path)
        : typeof value === 'boolean'
          ? BigInt(value)
          : parseInteger(value, path);
    writeBits(into, place.bitOffset, bits, inRange(number, bits, signed, path));
    return;
  }
  const start = place.bitOffset >> 3;
  encode(
    btf,
    place.member.type,
    value,
    into.subarray(start, start + sizeOrZero(btf, place.member.type)),
    path,
    depth + 1,
  );
}

/** Members of a union share bytes: two given ones must not contradict each other. */
function noteWritten(
  btf: Btf,
  place: Place,
  before: Uint8Array,
  after: Uint8Array,
  name: string,
  written: Map<number, { name: string; value: number }>,
  path: string,
): void {
  if (bitfieldWidth(place.member, btf.resolve(place.member.type))) return;
  const start = place.bitOffset >> 3;
  for (let at = start; at < start + sizeOrZero(btf, place.member.type); at++) {
    const earlier = written.get(at);
    if (earlier && earlier.value !== after[at] && before[at] === earlier.value) {
      throw new UsageError(`${path}: ${earlier.name} and ${name} share memory and contradict each other`);
    }
    written.set(at, { name, value: after[at]! });
  }
}

/** One line of C-like text: `{ .address = 10.0.0.1, .port = 80 }`. */
export function formatValue(btf: Btf, typeId: number, bytes: Uint8Array, hint?: FieldHint): string {
  return formatDecoded(decodeValue(btf, typeId, bytes, hint));
}

/** One line of C-like text of a decoded value. */
export function formatDecoded(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(formatDecoded).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).map(([name, inner]) => `.${name} = ${formatDecoded(inner)}`);
    return fields.length ? `{ ${fields.join(', ')} }` : '{}';
  }
  return String(value);
}

/** Without BTF: integers of 1, 2, 4 and 8 bytes as numbers, anything else as hex. */
export function decodeRaw(bytes: Uint8Array): number | bigint | string {
  return [1, 2, 4, 8].includes(bytes.length) ? integerValue(bytes, false) : hexOf(bytes);
}

/** Without BTF: a number for 1, 2, 4 and 8 bytes, else hex, a list of bytes or an address. Throws UsageError. */
export function encodeRaw(value: unknown, size: number): Uint8Array {
  const isNumber = typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean';
  const isNumberText = typeof value === 'string' && /^-?(\d+|0x[0-9a-f]+)$/i.test(value) && [1, 2, 4, 8].includes(size);
  if (isNumber || isNumberText) return intToBytes(inRange(BigInt(value), size * 8, false, 'value'), size);
  const out = new Uint8Array(size);
  out.set(rawBytes(value, size, 'value'));
  return out;
}
