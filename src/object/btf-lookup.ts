import type { Btf, BtfType } from '../btf/btf.js';
import type { BtfExt } from '../btf/ext.js';
import { LoadError, type Place } from '../errors.js';
import type { ExternSpec } from './spec.js';

/** A member of a map definition struct. */
export interface DefinitionField {
  readonly name: string;
  readonly typeId: number;
  /** Byte offset within the definition. */
  readonly offset: number;
}

/** Attributes of a map definition; more members mean that it is none. */
const MOST_FIELDS = 32;
/** Decl tags of one type; more occur only in hostile BTF. */
const MOST_TAGS = 256;
/** DATASECs of extern variables and functions. */
const KCONFIG_SECTION = '.kconfig';
const KSYMS_SECTION = '.ksyms';

/** What the object loader asks of BTF; answers "unknown" (0, empty, undefined) for an object without BTF. */
export class BtfLookup {
  readonly #btf: Btf | undefined;
  /** FUNC type ids by `<section>:<byte offset>`. */
  readonly #functions = new Map<string, number>();
  /** FUNC type ids by name. */
  readonly #functionNames = new Map<string, number>();
  /** VAR type ids by the name of their DATASEC and their own. */
  readonly #variables = new Map<string, number>();
  /** Type ids of DATASECs by name. */
  readonly #datasecs = new Map<string, number>();
  readonly #externs = new Map<string, { kind: ExternSpec['kind']; typeId: number }>();

  constructor(btf: Btf | undefined, ext: BtfExt | undefined) {
    this.#btf = btf;
    if (!btf) return;
    for (const [section, infos] of ext?.funcInfo ?? []) {
      for (const { insnOffset, typeId } of infos) {
        if (btf.type(typeId).kind !== 'func')
          throw new LoadError(`func info names BTF type ${typeId}, which is no function`, {
            file: btf.name,
            section,
            offset: insnOffset,
          });
        this.#functions.set(`${section}:${insnOffset}`, typeId);
      }
    }
    for (const type of btf.types) {
      if (type.kind === 'datasec') this.#addDatasec(btf, type);
      else if (type.kind === 'func' && !this.#functionNames.has(type.name)) this.#functionNames.set(type.name, type.id);
    }
  }

  /** Whether the object has BTF. */
  get present(): boolean {
    return this.#btf !== undefined;
  }

  /** Type id of a DATASEC, 0 if unknown. */
  datasec(name: string): number {
    return this.#datasecs.get(name) ?? 0;
  }

  /** Type id and decl tags of a variable of a section. */
  variable(name: string, section: string): { typeId: number; tags: readonly string[] } {
    const id = this.#variables.get(`${section}:${name}`);
    if (id === undefined || !this.#btf) return { typeId: 0, tags: [] };
    const type = this.#btf.type(id);
    return { typeId: type.kind === 'var' ? type.type : 0, tags: this.tags(id) };
  }

  /** FUNC type id of the function at that place (BTF.ext), else of that name; 0 if unknown. */
  functionId(name: string, section: string, offset: number): number {
    return this.#functions.get(`${section}:${offset}`) ?? this.#functionNames.get(name) ?? 0;
  }

  /** Decl tags of a type itself (not of its members or parameters). Throws LoadError if there are absurdly many. */
  tags(typeId: number): readonly string[] {
    if (typeId === 0 || !this.#btf) return [];
    const all = this.#btf.declTags(typeId);
    if (all.length > MOST_TAGS)
      throw new LoadError(`BTF type ${typeId} carries ${all.length} decl tags, more than ${MOST_TAGS}`, {
        file: this.#btf.name,
      });
    return all.filter((tag) => tag.component === -1).map((tag) => tag.value);
  }

  /** What BTF knows of an extern. */
  extern(name: string): { kind: ExternSpec['kind']; typeId: number } | undefined {
    return this.#externs.get(name);
  }

  /** Members of the struct that defines a map. Throws LoadError if BTF has no such variable or it is no struct. */
  mapDefinition(name: string, section: string, place: Place): readonly DefinitionField[] {
    const { typeId } = this.variable(name, section);
    if (typeId === 0) throw new LoadError('BTF has no variable of this name in DATASEC .maps', place);
    return this.#fields(typeId, place);
  }

  /** The number an attribute encodes: the length of the array behind a pointer. */
  definitionNumber(field: DefinitionField, place: Place): number {
    const array = this.#resolve(this.definitionType(field, place), place);
    if (array.kind !== 'array')
      throw new LoadError(`attribute ${field.name} is a pointer to ${array.kind}, expected an array (__uint)`, place);
    return array.count;
  }

  /** The type behind the pointer of an attribute. */
  definitionType(field: DefinitionField, place: Place): number {
    const pointer = this.#resolve(field.typeId, place);
    if (pointer.kind !== 'ptr')
      throw new LoadError(`attribute ${field.name} is of kind ${pointer.kind}, expected a pointer`, place);
    return pointer.type;
  }

  /** Members of the inner map definition that `values` names, undefined if it holds programs or names no definition. */
  innerDefinition(field: DefinitionField, place: Place): readonly DefinitionField[] | undefined {
    const array = this.#resolve(field.typeId, place);
    if (array.kind !== 'array')
      throw new LoadError(`attribute values is of kind ${array.kind}, expected an array (__array)`, place);
    const pointer = this.#resolve(array.type, place);
    if (pointer.kind !== 'ptr')
      throw new LoadError(`attribute values holds elements of kind ${pointer.kind}, expected pointers`, place);
    if (pointer.type === 0) return undefined;
    return this.#resolve(pointer.type, place).kind === 'struct' ? this.#fields(pointer.type, place) : undefined;
  }

  /** Size of a type in bytes. */
  sizeOf(typeId: number, place: Place): number {
    if (!this.#btf || typeId === 0) throw new LoadError('a type of unknown size', place);
    try {
      return this.#btf.size(typeId);
    } catch (error) {
      throw error instanceof LoadError ? error.at(place) : error;
    }
  }

  #fields(typeId: number, place: Place): readonly DefinitionField[] {
    const struct = this.#resolve(typeId, place);
    if (struct.kind !== 'struct')
      throw new LoadError(`the map definition is of kind ${struct.kind}, expected a struct`, place);
    if (struct.members.length > MOST_FIELDS)
      throw new LoadError(
        `the map definition has ${struct.members.length} members, more than there are attributes`,
        place,
      );
    return struct.members.map((member) => ({ name: member.name, typeId: member.type, offset: member.bitOffset / 8 }));
  }

  /** The type without typedefs and modifiers. */
  #resolve(typeId: number, place: Place): BtfType {
    if (!this.#btf) throw new LoadError('the object has no BTF', place);
    try {
      return this.#btf.resolve(typeId);
    } catch (error) {
      throw error instanceof LoadError ? error.at(place) : error;
    }
  }

  #addDatasec(btf: Btf, section: Extract<BtfType, { kind: 'datasec' }>): void {
    this.#datasecs.set(section.name, section.id);
    for (const { type: id } of section.variables) {
      const type = btf.type(id);
      if (type.kind !== 'var' && type.kind !== 'func') continue;
      this.#variables.set(`${section.name}:${type.name}`, id);
      if (section.name === KCONFIG_SECTION) this.#externs.set(type.name, { kind: 'kconfig', typeId: type.type });
      else if (section.name === KSYMS_SECTION) {
        const isFunction = type.kind === 'func';
        this.#externs.set(type.name, { kind: isFunction ? 'kfunc' : 'ksym', typeId: isFunction ? id : type.type });
      }
    }
  }
}
