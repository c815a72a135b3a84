import { LoadError } from '../errors.js';
import { BtfStrings } from './strings.js';
import { type BtfEnumerator, type BtfMember, type BtfStruct, type BtfType, isModifier } from './types.js';

export type { BtfEnum, BtfEnumerator, BtfKind, BtfMember, BtfStruct, BtfType } from './types.js';

const MAGIC = 0xeb9f;
const HEADER = 24;
const TYPE = 12;
/** Types behind one another (typedefs, arrays of arrays, nested structs); more mean a cycle. */
const DEEPEST = 64;
/** Larger types exist only in hostile BTF; sizes stay exact integers. */
const LARGEST = 2 ** 32;

/** Bytes behind the common 12 for each kind, per element and fixed. Index = BTF_KIND. */
const EXTRA: readonly (readonly [fixed: number, each: number] | undefined)[] = [
  undefined,
  [4, 0], // INT
  [0, 0], // PTR
  [12, 0], // ARRAY
  [0, 12], // STRUCT
  [0, 12], // UNION
  [0, 8], // ENUM
  [0, 0], // FWD
  [0, 0], // TYPEDEF
  [0, 0], // VOLATILE
  [0, 0], // CONST
  [0, 0], // RESTRICT
  [0, 0], // FUNC
  [0, 8], // FUNC_PROTO
  [4, 0], // VAR
  [0, 12], // DATASEC
  [0, 0], // FLOAT
  [4, 0], // DECL_TAG
  [0, 0], // TYPE_TAG
  [0, 12], // ENUM64
];

const VOID: BtfType = { id: 0, name: '', kind: 'void' };

/** Types of an object or kernel. Parsed types are immutable. */
export class Btf {
  /** All types by id; index 0 is void. */
  readonly types: readonly BtfType[];
  /** File name for errors. */
  readonly name: string;
  readonly #byName = new Map<string, number[]>();
  readonly #tags = new Map<number, { value: string; component: number }[]>();

  /** The string section, which BTF.ext shares. */
  readonly strings: BtfStrings;

  private constructor(types: readonly BtfType[], strings: BtfStrings, name: string) {
    this.types = types;
    this.strings = strings;
    this.name = name;
    for (const type of types) {
      if (type.name) {
        const ids = this.#byName.get(type.name);
        if (ids) ids.push(type.id);
        else this.#byName.set(type.name, [type.id]);
      }
      if (type.kind === 'declTag') {
        const tags = this.#tags.get(type.type);
        const tag = { value: type.name, component: type.component };
        if (tags) tags.push(tag);
        else this.#tags.set(type.type, [tag]);
      }
    }
  }

  /**
   * Parses a little-endian `.BTF` section or raw BTF file. Throws LoadError for anything malformed: bad header, unknown
   * kinds, string offsets or type ids out of range.
   */
  static parse(data: Uint8Array, name: string): Btf {
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const place = { file: name, section: '.BTF' };
    if (data.length < HEADER) throw new LoadError(`BTF has ${data.length} bytes, less than its header`, place);
    const magic = view.getUint16(0, true);
    if (magic === 0x9feb) throw new LoadError('big-endian BTF is not supported', place);
    if (magic !== MAGIC) throw new LoadError(`BTF magic is 0x${magic.toString(16)}, expected 0xeb9f`, place);
    const version = view.getUint8(2);
    if (version !== 1) throw new LoadError(`BTF version ${version} is unknown`, place);
    const header = view.getUint32(4, true);
    const typeStart = header + view.getUint32(8, true);
    const typeLength = view.getUint32(12, true);
    const stringStart = header + view.getUint32(16, true);
    const stringLength = view.getUint32(20, true);
    if (header < HEADER || typeStart + typeLength > data.length || stringStart + stringLength > data.length) {
      throw new LoadError('BTF header points outside of the data', place);
    }
    const strings = new BtfStrings(data.subarray(stringStart, stringStart + stringLength), name);
    const types = readTypes(view, typeStart, typeStart + typeLength, strings, name);
    return new Btf(types, strings, name);
  }

  /** The type of an id. Throws LoadError if there is none. */
  type(id: number): BtfType {
    const type = this.types[id];
    if (!type)
      throw new LoadError(`BTF type ${id} does not exist (there are ${this.types.length})`, { file: this.name });
    return type;
  }

  /** All types of that name, in order. */
  typesNamed(name: string): BtfType[] {
    return (this.#byName.get(name) ?? []).map((id) => this.types[id]!);
  }

  /** Names of all named types. */
  names(): IterableIterator<string> {
    return this.#byName.keys();
  }

  /** Decl tags of a type; `component` is -1 for the type itself, else the member or parameter. */
  declTags(typeId: number): readonly { value: string; component: number }[] {
    return this.#tags.get(typeId) ?? [];
  }

  /** The type behind typedefs and modifiers. Throws LoadError on a cycle. */
  resolve(id: number): BtfType {
    let type = this.type(id);
    for (let step = 0; isModifier(type); step++) {
      if (step > DEEPEST) throw new LoadError(`BTF type ${id} refers to itself`, { file: this.name });
      type = this.type(type.type);
    }
    return type;
  }

  /** Size of a value of the type in bytes. Throws LoadError for types without size (void, functions, forward declarations). */
  size(id: number): number {
    let count = 1;
    for (let step = 0; step <= DEEPEST; step++) {
      const type = this.resolve(id);
      switch (type.kind) {
        case 'int':
        case 'struct':
        case 'union':
        case 'enum':
        case 'enum64':
        case 'float':
        case 'datasec':
          return this.#bounded(count * type.size, id);
        case 'ptr':
          return this.#bounded(count * 8, id);
        case 'array':
          count = this.#bounded(count * type.count, id);
          id = type.type;
          break;
        case 'var':
          id = type.type;
          break;
        default:
          throw new LoadError(`BTF type ${id} (${type.kind}${type.name ? ` ${type.name}` : ''}) has no size`, {
            file: this.name,
          });
      }
    }
    throw new LoadError(`BTF type ${id} refers to itself`, { file: this.name });
  }

  #bounded(size: number, id: number): number {
    if (size > LARGEST) throw new LoadError(`BTF type ${id} is larger than 4 GiB`, { file: this.name });
    return size;
  }

  /** C spelling of a type: `struct ipv4_ct_tuple`, `__u32`, `const char *`, `__u8[16]`. */
  typeName(id: number): string {
    return this.#spell(id, 0);
  }

  #spell(id: number, depth: number): string {
    if (depth > DEEPEST) return '...';
    const type = this.type(id);
    switch (type.kind) {
      case 'void':
        return 'void';
      case 'struct':
      case 'union':
      case 'enum':
        return type.name ? `${type.kind} ${type.name}` : `${type.kind} {...}`;
      case 'enum64':
        return type.name ? `enum ${type.name}` : 'enum {...}';
      case 'fwd':
        return `${type.isUnion ? 'union' : 'struct'} ${type.name}`;
      case 'ptr': {
        const target = this.#spell(type.type, depth + 1);
        return target.endsWith('*') ? `${target}*` : `${target} *`;
      }
      case 'array': {
        // Dimensions read from the outermost in: int[2][3] is 2 arrays of 3.
        const element = this.#spell(type.type, depth + 1);
        const bracket = element.indexOf('[');
        return bracket < 0
          ? `${element}[${type.count}]`
          : `${element.slice(0, bracket)}[${type.count}]${element.slice(bracket)}`;
      }
      case 'const':
      case 'volatile':
      case 'restrict':
        return `${type.kind} ${this.#spell(type.type, depth + 1)}`;
      case 'typeTag':
        return this.#spell(type.type, depth + 1);
      case 'funcProto':
        return `${this.#spell(type.type, depth + 1)} (${type.parameters.map((parameter) => this.#spell(parameter.type, depth + 1)).join(', ')})`;
      case 'func':
      case 'var':
        return type.name;
      default:
        return type.name || type.kind;
    }
  }

  /** C declaration of a struct, union or enum with byte offsets, as `pahole` prints it. */
  format(id: number): string {
    const type = this.resolve(id);
    if (type.kind === 'struct' || type.kind === 'union') {
      const lines = type.members.map((member) => this.#formatMember(member));
      return `${this.typeName(type.id)} { /* ${type.size} bytes */\n${lines.join('')}}`;
    }
    if (type.kind === 'enum' || type.kind === 'enum64') {
      return `${this.typeName(type.id)} {\n${type.values.map(({ name, value }) => `\t${name} = ${value},\n`).join('')}}`;
    }
    return this.typeName(id);
  }

  #formatMember(member: BtfMember): string {
    const bits = member.bitSize ? ` : ${member.bitSize}` : '';
    const offset = member.bitSize ? `${member.bitOffset >> 3}.${member.bitOffset & 7}` : String(member.bitOffset / 8);
    return `\t${this.typeName(member.type)} ${member.name || '(anonymous)'}${bits}; /* ${offset} */\n`;
  }

  /** The struct or union behind an id. Throws LoadError if it is something else. */
  struct(id: number): BtfStruct {
    const type = this.resolve(id);
    if (type.kind !== 'struct' && type.kind !== 'union')
      throw new LoadError(`BTF type ${id} is of kind ${type.kind}, expected a struct`, { file: this.name });
    return type;
  }
}

function readTypes(view: DataView, start: number, end: number, strings: BtfStrings, file: string): BtfType[] {
  const types: BtfType[] = [VOID];
  let at = start;
  while (at < end) {
    const id = types.length;
    const wrong = (reason: string): LoadError =>
      new LoadError(`BTF type ${id}: ${reason}`, { file, section: '.BTF', offset: at - start });
    if (at + TYPE > end) throw wrong('the type section ends within it');
    const info = view.getUint32(at + 4, true);
    const kind = (info >>> 24) & 0x1f;
    const extra = EXTRA[kind];
    if (!extra) throw wrong(`unknown kind ${kind}`);
    const count = info & 0xffff;
    const length = TYPE + extra[0] + extra[1] * count;
    if (at + length > end) throw wrong('the type section ends within it');
    types.push(readType(view, at, id, kind, info, strings));
    at += length;
  }
  checkReferences(types, file);
  return types;
}

function readType(view: DataView, at: number, id: number, kind: number, info: number, strings: BtfStrings): BtfType {
  const name = strings.at(view.getUint32(at, true));
  const last = view.getUint32(at + 8, true);
  const count = info & 0xffff;
  const flag = info >>> 31 === 1;
  const body = at + TYPE;
  const named = { id, name };
  switch (kind) {
    case 1: {
      const encoding = view.getUint32(body, true);
      return {
        ...named,
        kind: 'int',
        size: last,
        signed: ((encoding >>> 24) & 1) === 1,
        isChar: ((encoding >>> 24) & 2) !== 0,
        isBool: ((encoding >>> 24) & 4) !== 0,
        bits: encoding & 0xff,
        bitOffset: (encoding >>> 16) & 0xff,
      };
    }
    case 2:
      return { ...named, kind: 'ptr', type: last };
    case 3:
      return {
        ...named,
        kind: 'array',
        type: view.getUint32(body, true),
        indexType: view.getUint32(body + 4, true),
        count: view.getUint32(body + 8, true),
      };
    case 4:
    case 5: {
      const members: BtfMember[] = [];
      for (let i = 0; i < count; i++) {
        const member = body + i * 12;
        const offset = view.getUint32(member + 8, true);
        members.push({
          name: strings.at(view.getUint32(member, true)),
          type: view.getUint32(member + 4, true),
          bitOffset: flag ? offset & 0xffffff : offset,
          bitSize: flag ? offset >>> 24 : 0,
        });
      }
      return { ...named, kind: kind === 4 ? 'struct' : 'union', size: last, members };
    }
    case 6: {
      const values: BtfEnumerator[] = [];
      for (let i = 0; i < count; i++) {
        const value = flag ? view.getInt32(body + i * 8 + 4, true) : view.getUint32(body + i * 8 + 4, true);
        values.push({ name: strings.at(view.getUint32(body + i * 8, true)), value: BigInt(value) });
      }
      return { ...named, kind: 'enum', size: last, signed: flag, values };
    }
    case 7:
      return { ...named, kind: 'fwd', isUnion: flag };
    case 8:
      return { ...named, kind: 'typedef', type: last };
    case 9:
      return { ...named, kind: 'volatile', type: last };
    case 10:
      return { ...named, kind: 'const', type: last };
    case 11:
      return { ...named, kind: 'restrict', type: last };
    case 12:
      return { ...named, kind: 'func', type: last, linkage: count };
    case 13: {
      const parameters = Array.from({ length: count }, (_, i) => ({
        name: strings.at(view.getUint32(body + i * 8, true)),
        type: view.getUint32(body + i * 8 + 4, true),
      }));
      return { ...named, kind: 'funcProto', type: last, parameters };
    }
    case 14:
      return { ...named, kind: 'var', type: last, linkage: view.getUint32(body, true) };
    case 15: {
      const variables = Array.from({ length: count }, (_, i) => ({
        type: view.getUint32(body + i * 12, true),
        offset: view.getUint32(body + i * 12 + 4, true),
        size: view.getUint32(body + i * 12 + 8, true),
      }));
      return { ...named, kind: 'datasec', size: last, variables };
    }
    case 16:
      return { ...named, kind: 'float', size: last };
    case 17:
      return { ...named, kind: 'declTag', type: last, component: view.getInt32(body, true) };
    case 18:
      return { ...named, kind: 'typeTag', type: last };
    default: {
      const values: BtfEnumerator[] = [];
      for (let i = 0; i < count; i++) {
        const value =
          (BigInt(view.getUint32(body + i * 12 + 8, true)) << 32n) | BigInt(view.getUint32(body + i * 12 + 4, true));
        values.push({
          name: strings.at(view.getUint32(body + i * 12, true)),
          value: flag ? BigInt.asIntN(64, value) : value,
        });
      }
      return { ...named, kind: 'enum64', size: last, signed: flag, values };
    }
  }
}

/** Type ids that a type names must exist, so that later look-ups cannot fail half-way. */
function checkReferences(types: readonly BtfType[], file: string): void {
  for (const type of types) {
    for (const id of referencesOf(type)) {
      if (id >= types.length)
        throw new LoadError(
          `BTF type ${type.id} (${type.kind}${type.name ? ` ${type.name}` : ''}) refers to type ${id}, which does not exist`,
          { file, section: '.BTF' },
        );
    }
  }
}

function* referencesOf(type: BtfType): Generator<number> {
  if ('type' in type) yield type.type;
  switch (type.kind) {
    case 'array':
      yield type.indexType;
      break;
    case 'struct':
    case 'union':
      for (const member of type.members) yield member.type;
      break;
    case 'funcProto':
      for (const parameter of type.parameters) yield parameter.type;
      break;
    case 'datasec':
      for (const variable of type.variables) yield variable.type;
      break;
  }
}
