import { LoadError } from '../errors.js';
import type { Btf, BtfType } from './btf.js';
import type { CoreRelocation } from './ext.js';
import { isModifier } from './types.js';

/** enum bpf_core_relo_kind (include/uapi/linux/bpf.h). */
enum Kind {
  FIELD_BYTE_OFFSET = 0,
  FIELD_BYTE_SIZE = 1,
  FIELD_EXISTS = 2,
  FIELD_SIGNED = 3,
  FIELD_LSHIFT_U64 = 4,
  FIELD_RSHIFT_U64 = 5,
  TYPE_ID_LOCAL = 6,
  TYPE_ID_TARGET = 7,
  TYPE_EXISTS = 8,
  TYPE_SIZE = 9,
  ENUMVAL_EXISTS = 10,
  ENUMVAL_VALUE = 11,
  TYPE_MATCHES = 12,
}

/** What libbpf puts in place of an instruction it cannot relocate: a call of a helper that does not exist. */
const POISON_HELPER = 0xbad2310;
const DEEPEST = 32;

/** Where an access string leads: a place within a type, or an enumerator. */
interface Access {
  /** Type of the accessed field (or of the whole type). */
  typeId: number;
  bitOffset: number;
  /** Width of a bitfield, 0 otherwise. */
  bitSize: number;
}

const EXISTENCE = new Set<number>([Kind.FIELD_EXISTS, Kind.TYPE_EXISTS, Kind.ENUMVAL_EXISTS, Kind.TYPE_MATCHES]);

/** Name without the `___flavour` suffix. */
function essential(name: string): string {
  const at = name.indexOf('___', 1);
  return at < 0 ? name : name.slice(0, at);
}

function sameKind(a: BtfType, b: BtfType): boolean {
  const isEnum = (type: BtfType): boolean => type.kind === 'enum' || type.kind === 'enum64';
  return a.kind === b.kind || (isEnum(a) && isEnum(b));
}

/**
 * Applies CO-RE relocations to `instructions` in place (offsets of the relocations are bytes from its start). `target` is the
 * kernel's BTF, or `local` itself, which leaves every field where it is. Returns a line for each relocation that names something
 * the target lacks; those instructions are poisoned and fault when reached.
 */
export function relocateCore(
  instructions: Uint8Array,
  relocations: readonly CoreRelocation[],
  local: Btf,
  target: Btf,
): string[] {
  const warnings: string[] = [];
  const candidates = new Candidates(target);
  for (const relocation of relocations) {
    if (relocation.insnOffset % 8 || relocation.insnOffset + 8 > instructions.length) {
      throw new LoadError(`CO-RE relocation at byte ${relocation.insnOffset}, outside of the code`, {
        file: local.name,
      });
    }
    const result = resolve(relocation, local, target, candidates);
    const view = new DataView(
      instructions.buffer,
      instructions.byteOffset + relocation.insnOffset,
      instructions.length - relocation.insnOffset,
    );
    if (result === undefined) {
      warnings.push(
        `insn ${relocation.insnOffset / 8}: ${describe(relocation, local)} does not exist in ${target.name}; the instruction is poisoned`,
      );
      poison(view);
    } else patch(view, result, relocation, local, warnings);
  }
  return warnings;
}

function describe(relocation: CoreRelocation, local: Btf): string {
  return `${local.typeName(relocation.typeId)} (access ${relocation.access})`;
}

/** Types of the target by essential name; built on first use, since vmlinux has many. */
class Candidates {
  readonly #target: Btf;
  #byName: Map<string, BtfType[]> | undefined;

  constructor(target: Btf) {
    this.#target = target;
  }

  of(type: BtfType): BtfType[] {
    if (!this.#byName) {
      this.#byName = new Map();
      for (const candidate of this.#target.types) {
        if (!candidate.name) continue;
        const name = essential(candidate.name);
        const list = this.#byName.get(name);
        if (list) list.push(candidate);
        else this.#byName.set(name, [candidate]);
      }
    }
    return (this.#byName.get(essential(type.name)) ?? []).filter((candidate) => sameKind(type, candidate));
  }
}

interface Result {
  value: bigint;
  /** New and old size of the accessed memory, where the instruction's width follows it. */
  size?: number;
  localSize?: number;
}

function steps(access: string, relocation: CoreRelocation, local: Btf): number[] {
  const parts = access.split(':').map(Number);
  if (!parts.length || parts.length > 64 || parts.some((part) => !Number.isInteger(part) || part < 0)) {
    throw new LoadError(`CO-RE access string '${access}' at insn ${relocation.insnOffset / 8}`, { file: local.name });
  }
  return parts;
}

function resolve(relocation: CoreRelocation, local: Btf, target: Btf, candidates: Candidates): Result | undefined {
  const { kind } = relocation;
  if (kind > Kind.TYPE_MATCHES) throw new LoadError(`CO-RE relocation kind ${kind} is unknown`, { file: local.name });
  if (kind === Kind.TYPE_ID_LOCAL) return { value: BigInt(relocation.typeId) };
  const type = skipModifiers(local, relocation.typeId);
  const found = local === target ? [type] : candidates.of(type);
  if (
    kind === Kind.TYPE_EXISTS ||
    kind === Kind.TYPE_MATCHES ||
    kind === Kind.TYPE_ID_TARGET ||
    kind === Kind.TYPE_SIZE
  ) {
    const match = found.find((candidate) =>
      compatible(local, type.id, target, candidate.id, kind === Kind.TYPE_MATCHES, 0),
    );
    if (kind === Kind.TYPE_EXISTS || kind === Kind.TYPE_MATCHES) return { value: match ? 1n : 0n };
    if (!match) return undefined;
    return { value: BigInt(kind === Kind.TYPE_SIZE ? target.size(match.id) : match.id) };
  }
  if (kind === Kind.ENUMVAL_EXISTS || kind === Kind.ENUMVAL_VALUE)
    return resolveEnumerator(relocation, type, local, found);
  const indices = steps(relocation.access, relocation, local);
  const localAccess = follow(local, type.id, indices);
  if (!localAccess)
    throw new LoadError(`CO-RE access string '${relocation.access}' does not fit ${local.typeName(type.id)}`, {
      file: local.name,
    });
  for (const candidate of found) {
    const access = local === target ? localAccess : match(local, type.id, indices, target, candidate.id);
    if (access) return fieldValue(kind, access, target, localAccess, local);
  }
  return EXISTENCE.has(kind) ? { value: 0n } : undefined;
}

function resolveEnumerator(
  relocation: CoreRelocation,
  type: BtfType,
  local: Btf,
  found: BtfType[],
): Result | undefined {
  const index = steps(relocation.access, relocation, local)[0]!;
  const wanted = type.kind === 'enum' || type.kind === 'enum64' ? type.values[index] : undefined;
  if (!wanted)
    throw new LoadError(`CO-RE access string '${relocation.access}' does not fit ${local.typeName(type.id)}`, {
      file: local.name,
    });
  for (const candidate of found) {
    if (candidate.kind !== 'enum' && candidate.kind !== 'enum64') continue;
    const value = candidate.values.find(({ name }) => essential(name) === essential(wanted.name));
    if (value) return { value: relocation.kind === Kind.ENUMVAL_EXISTS ? 1n : value.value };
  }
  return relocation.kind === Kind.ENUMVAL_EXISTS ? { value: 0n } : undefined;
}

function skipModifiers(btf: Btf, id: number): BtfType {
  // Typedefs are named by relocations on their own (type id, exists); fields are looked for behind them.
  let type = btf.type(id);
  for (let step = 0; isModifier(type) && type.kind !== 'typedef' && step < DEEPEST; step++) type = btf.type(type.type);
  return type;
}

/** Follows an access string within one BTF. */
function follow(btf: Btf, root: number, indices: readonly number[]): Access | undefined {
  let typeId = root;
  let bitOffset = (indices[0] ?? 0) * sizeOf(btf, root) * 8;
  let bitSize = 0;
  for (const index of indices.slice(1)) {
    const type = btf.resolve(typeId);
    bitSize = 0;
    if (type.kind === 'struct' || type.kind === 'union') {
      const member = type.members[index];
      if (!member) return undefined;
      bitOffset += member.bitOffset;
      bitSize = member.bitSize;
      typeId = member.type;
    } else if (type.kind === 'array') {
      bitOffset += index * sizeOf(btf, type.type) * 8;
      typeId = type.type;
    } else return undefined;
  }
  return { typeId, bitOffset, bitSize };
}

function sizeOf(btf: Btf, id: number): number {
  const type = btf.resolve(id);
  return type.kind === 'void' || type.kind === 'func' || type.kind === 'funcProto' || type.kind === 'fwd'
    ? 0
    : btf.size(id);
}

/** Finds in `target` what an access string of `local` names: members by name, array elements by index. */
function match(
  local: Btf,
  localRoot: number,
  indices: readonly number[],
  target: Btf,
  targetRoot: number,
): Access | undefined {
  let localId = localRoot;
  let at: Access = { typeId: targetRoot, bitOffset: (indices[0] ?? 0) * sizeOf(target, targetRoot) * 8, bitSize: 0 };
  for (const index of indices.slice(1)) {
    const localType = local.resolve(localId);
    const targetType = target.resolve(at.typeId);
    if (localType.kind === 'array') {
      if (targetType.kind !== 'array') return undefined;
      if (index >= targetType.count && targetType.count !== 0) return undefined;
      at = {
        typeId: targetType.type,
        bitOffset: at.bitOffset + index * sizeOf(target, targetType.type) * 8,
        bitSize: 0,
      };
      localId = localType.type;
      continue;
    }
    if (localType.kind !== 'struct' && localType.kind !== 'union') return undefined;
    const member = localType.members[index];
    if (!member) return undefined;
    localId = member.type;
    // Anonymous members have no name to look for: the next step looks through them.
    if (!member.name) continue;
    const found = findMember(target, at.typeId, member.name, 0);
    if (!found) return undefined;
    at = { typeId: found.typeId, bitOffset: at.bitOffset + found.bitOffset, bitSize: found.bitSize };
  }
  return compatibleField(local, localId, target, at.typeId) ? at : undefined;
}

function findMember(btf: Btf, id: number, name: string, depth: number): Access | undefined {
  const type = btf.resolve(id);
  if (depth > DEEPEST || (type.kind !== 'struct' && type.kind !== 'union')) return undefined;
  for (const member of type.members) {
    if (member.name === name) return { typeId: member.type, bitOffset: member.bitOffset, bitSize: member.bitSize };
    if (member.name) continue;
    const inner = findMember(btf, member.type, name, depth + 1);
    if (inner) return { ...inner, bitOffset: inner.bitOffset + member.bitOffset };
  }
  return undefined;
}

/** Field types match loosely, as libbpf's bpf_core_fields_are_compat: same kind; names of structs and enums are not compared. */
function compatibleField(local: Btf, localId: number, target: Btf, targetId: number): boolean {
  let a = local.resolve(localId);
  let b = target.resolve(targetId);
  for (let step = 0; a.kind === 'array' && b.kind === 'array' && step < DEEPEST; step++) {
    a = local.resolve(a.type);
    b = target.resolve(b.type);
  }
  const isComposite = (type: BtfType): boolean => type.kind === 'struct' || type.kind === 'union';
  if (isComposite(a) && isComposite(b)) return true;
  if (!sameKind(a, b)) return false;
  if (a.kind === 'fwd' || a.kind === 'enum' || a.kind === 'enum64')
    return !a.name || !b.name || essential(a.name) === essential(b.name);
  return a.kind === 'ptr' || a.kind === 'float' || a.kind === 'int';
}

/** Type compatibility for TYPE_EXISTS and friends (bpf_core_types_are_compat); `strict` compares members too (TYPE_MATCHES). */
function compatible(
  local: Btf,
  localId: number,
  target: Btf,
  targetId: number,
  strict: boolean,
  depth: number,
): boolean {
  if (depth > DEEPEST) return false;
  const a = local.resolve(localId);
  const b = target.resolve(targetId);
  if (!sameKind(a, b)) return false;
  if (a.kind === 'ptr' && b.kind === 'ptr') return compatible(local, a.type, target, b.type, false, depth + 1);
  if (a.kind === 'array' && b.kind === 'array') return compatible(local, a.type, target, b.type, strict, depth + 1);
  if (a.kind === 'funcProto' && b.kind === 'funcProto') {
    if (a.parameters.length !== b.parameters.length) return false;
    return (
      compatible(local, a.type, target, b.type, strict, depth + 1) &&
      a.parameters.every((parameter, i) =>
        compatible(local, parameter.type, target, b.parameters[i]!.type, strict, depth + 1),
      )
    );
  }
  if (!strict) return true;
  if ((a.kind === 'struct' || a.kind === 'union') && (b.kind === 'struct' || b.kind === 'union')) {
    return a.members.every((member) => {
      const found = member.name ? findMember(target, b.id, member.name, 0) : undefined;
      return (
        !member.name ||
        (found !== undefined && compatible(local, member.type, target, found.typeId, depth < 1, depth + 1))
      );
    });
  }
  if ((a.kind === 'enum' || a.kind === 'enum64') && (b.kind === 'enum' || b.kind === 'enum64')) {
    return a.values.every(({ name }) => b.values.some((candidate) => essential(candidate.name) === essential(name)));
  }
  if (a.kind === 'int' && b.kind === 'int') return a.size === b.size && a.signed === b.signed;
  return true;
}

/** Byte offset and size of the aligned unit that holds a bitfield, growing until all bits fit. */
function unitOf(access: Access, btf: Btf): { offset: number; size: number } {
  let size = sizeOf(btf, access.typeId);
  if (!access.bitSize) {
    if (access.bitOffset % 8)
      throw new LoadError(
        `a member of ${btf.typeName(access.typeId)} lies at bit ${access.bitOffset} but is no bitfield`,
        { file: btf.name },
      );
    return { offset: access.bitOffset / 8, size };
  }
  if (size < 1) throw new LoadError('a bitfield of a type without size', { file: btf.name });
  let offset = Math.floor(access.bitOffset / 8 / size) * size;
  while (access.bitOffset + access.bitSize - offset * 8 > size * 8 && size < 8) {
    size *= 2;
    offset = Math.floor(access.bitOffset / 8 / size) * size;
  }
  return { offset, size };
}

function isSigned(btf: Btf, typeId: number): boolean {
  const type = btf.resolve(typeId);
  return (type.kind === 'int' || type.kind === 'enum' || type.kind === 'enum64') && type.signed;
}

function fieldValue(kind: Kind, access: Access, target: Btf, localAccess: Access, local: Btf): Result {
  const unit = unitOf(access, target);
  const bits = access.bitSize || unit.size * 8;
  switch (kind) {
    case Kind.FIELD_EXISTS:
      return { value: 1n };
    case Kind.FIELD_BYTE_OFFSET: {
      // The width of a plain load follows the field's; arrays and structs are not loaded in one piece.
      const isScalar = ['int', 'ptr', 'enum', 'enum64', 'float'].includes(target.resolve(access.typeId).kind);
      return isScalar && !access.bitSize
        ? { value: BigInt(unit.offset), size: unit.size, localSize: unitOf(localAccess, local).size }
        : { value: BigInt(unit.offset) };
    }
    case Kind.FIELD_BYTE_SIZE:
      return { value: BigInt(unit.size) };
    case Kind.FIELD_SIGNED:
      return { value: isSigned(target, access.typeId) ? 1n : 0n };
    case Kind.FIELD_LSHIFT_U64:
      // Little-endian: the field's top bit moves to bit 63.
      return { value: BigInt(64 - (access.bitOffset + bits - unit.offset * 8)) };
    default:
      return { value: BigInt(64 - bits) };
  }
}

function poison(view: DataView): void {
  if (view.getUint8(0) === 0x18 && view.byteLength >= 16) {
    poisonSlot(view, 8);
  }
  poisonSlot(view, 0);
}

function poisonSlot(view: DataView, at: number): void {
  view.setUint8(at, 0x85);
  view.setUint8(at + 1, 0);
  view.setInt16(at + 2, 0, true);
  view.setInt32(at + 4, POISON_HELPER, true);
}

const WIDTHS: Record<number, number> = { 1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18 };

/** Writes the value into the field of the instruction that CO-RE patches: immediate or offset. */
function patch(view: DataView, result: Result, relocation: CoreRelocation, local: Btf, warnings: string[]): void {
  const opcode = view.getUint8(0);
  switch (opcode & 7) {
    case 4:
    case 7:
      view.setInt32(4, Number(BigInt.asIntN(32, result.value)), true);
      return;
    case 0:
      if (opcode === 0x18 && view.byteLength >= 16) {
        view.setUint32(4, Number(BigInt.asUintN(32, result.value)), true);
        view.setInt32(12, Number(BigInt.asIntN(32, result.value >> 32n)), true);
        return;
      }
      break;
    case 1:
    case 2:
    case 3:
      if (result.value <= 0x7fffn) {
        view.setInt16(2, Number(result.value), true);
        const width = WIDTHS[result.size ?? 0];
        if (result.size !== result.localSize && width !== undefined && (opcode & 7) === 1)
          view.setUint8(0, (opcode & ~0x18) | width);
        return;
      }
      break;
  }
  warnings.push(
    `insn ${relocation.insnOffset / 8}: a CO-RE relocation of ${describe(relocation, local)} does not fit the instruction; it is poisoned`,
  );
  poison(view);
}
