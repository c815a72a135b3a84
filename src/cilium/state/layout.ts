import type { Btf } from '../../btf/btf.js';
import { fieldTypes, isBigEndian } from '../../btf/value.js';
import { UsageError } from '../../errors.js';
import type { MapSpec } from '../../object/spec.js';

/** A 16-bit number that lies in network order, whether or not the field's type says so. */
export class NetworkOrder {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/** Values for fields by C name; fields that a version does not have are left out. */
export type FieldValues = Readonly<Record<string, unknown>>;

/** Fields of a struct by name, undefined where an object carries no types. */
type Fields = ReadonlyMap<string, number> | undefined;

/** The fields of a map's key and value, for choosing among versions of a layout. */
export class MapLayout {
  readonly spec: MapSpec;
  readonly #object: string;
  readonly #btf: Btf | undefined;
  readonly #key: Fields;
  readonly #value: Fields;

  constructor(spec: MapSpec, btf: Btf | undefined, object: string) {
    this.spec = spec;
    this.#object = object;
    this.#btf = btf;
    this.#key = btf && spec.keyTypeId ? fieldTypes(btf, spec.keyTypeId) : undefined;
    this.#value = btf && spec.valueTypeId ? fieldTypes(btf, spec.valueTypeId) : undefined;
  }

  /** Size of a field of the key in bytes, undefined if there is none. */
  keySize(field: string): number | undefined {
    const type = this.#key?.get(field);
    return type === undefined ? undefined : this.#btf?.size(type);
  }

  hasValue(field: string): boolean {
    return this.#value?.has(field) ?? false;
  }

  /** Whether a field of the value has fields itself. */
  isNested(field: string): boolean {
    const type = this.#value?.get(field);
    return this.#btf !== undefined && type !== undefined && fieldTypes(this.#btf, type).size > 0;
  }

  /** Throws UsageError for a key without types. */
  key(values: FieldValues): FieldValues {
    return this.#pick(this.#key, values);
  }

  /** Throws UsageError for a value without types. */
  value(values: FieldValues): FieldValues {
    return this.#pick(this.#value, values);
  }

  #pick(types: Fields, values: FieldValues): FieldValues {
    if (!types || !this.#btf)
      throw new UsageError(
        `${this.#object}: map ${this.spec.name} has no type information (BTF), so its layout is unknown: compile with -g`,
      );
    const picked: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(values)) {
      const type = types.get(name);
      if (type === undefined || value === undefined) continue;
      picked[name] = value instanceof NetworkOrder ? inNetworkOrder(this.#btf, type, value.value) : value;
    }
    return picked;
  }
}

/** The number to give for a field so that its bytes are in network order. */
function inNetworkOrder(btf: Btf, typeId: number, value: number): number {
  return isBigEndian(btf, typeId) ? value : ((value & 0xff) << 8) | (value >> 8);
}
