import { Errno, MapField, MapType } from '../../assembly/abi.js';
import type { Btf } from '../btf/btf.js';
import { decodeRaw, decodeValue, encodeRaw, encodeValue, type FieldHint, formatValue } from '../btf/value.js';
import { MapError, UsageError } from '../errors.js';
import type { MapSpec } from '../object/spec.js';
import type { Core } from './core.js';

/** BPF_ANY, BPF_NOEXIST, BPF_EXIST. */
export const UPDATE_FLAGS = { any: 0n, noexist: 1n, exist: 2n } as const;
export type UpdateFlag = keyof typeof UPDATE_FLAGS;

const PER_CPU: ReadonlySet<number> = new Set([MapType.PERCPU_HASH, MapType.PERCPU_ARRAY, MapType.LRU_PERCPU_HASH]);

/** Name of an errno number, such as `ENOENT`. */
export function errnoName(errno: number): string {
  return Errno[Math.abs(errno)] ?? `errno ${Math.abs(errno)}`;
}

/** One element as typed values: key and value by BTF (C field names), or numbers and hex where there is no BTF. */
export interface MapEntry {
  key: unknown;
  value: unknown;
}

/** Turns the elements of slot maps (programs, inner maps, devices) into names and back; given by the Machine. */
export interface SlotNames {
  /** What a stored u32 stands for: a program, map or socket name; undefined for plain numbers. */
  nameOf(map: BpfMap, stored: number): string | undefined;
  /** The u32 that a name stands for. Throws UsageError if there is no such program or map. */
  valueOf(map: BpfMap, name: string): number;
}

/**
 * A live map of a machine. Reads and writes go past the program's rights (as the bpf() system call does) with the kernel's
 * errno, thrown as MapError. Per-CPU maps take and give one value per CPU.
 */
export class BpfMap {
  readonly name: string;
  readonly spec: MapSpec;
  /** Address of the descriptor: what a program's `lddw` loads. */
  readonly handle: number;
  readonly #core: Core;
  readonly #btf: Btf | undefined;
  readonly #names: SlotNames;

  constructor(core: Core, name: string, spec: MapSpec, handle: number, btf: Btf | undefined, names: SlotNames) {
    this.#core = core;
    this.name = name;
    this.spec = spec;
    this.handle = handle;
    this.#btf = btf;
    this.#names = names;
  }

  #field(field: MapField): number {
    return this.#core.u32(this.handle + field);
  }

  get type(): number {
    return this.#field(MapField.TYPE);
  }

  get keySize(): number {
    return this.#field(MapField.KEY_SIZE);
  }

  get valueSize(): number {
    return this.#field(MapField.VALUE_SIZE);
  }

  get maxEntries(): number {
    return this.#field(MapField.MAX_ENTRIES);
  }

  get flags(): number {
    return this.#field(MapField.FLAGS);
  }

  get isPerCpu(): boolean {
    return PER_CPU.has(this.type);
  }

  /** Queues, stacks, ring buffers and bloom filters have no keys. */
  get isKeyless(): boolean {
    return this.keySize === 0;
  }

  get #cpus(): number {
    return this.isPerCpu ? (this.#core.exports.cpuCount as () => number)() : 1;
  }

  #call(name: string, ...args: (number | bigint)[]): number {
    return (this.#core.exports[name] as (...args: (number | bigint)[]) => number)(this.handle, ...args);
  }

  #check(result: number, action: string): void {
    if (result < 0) throw new MapError(this.name, errnoName(result), action);
  }

  /** Raw bytes of the value, one after the other for every CPU of a per-CPU map (each rounded up to 8 bytes); undefined if absent. */
  getBytes(key: Uint8Array): Uint8Array | undefined {
    const value = this.addressOf(key);
    return value ? this.#readValue(value) : undefined;
  }

  /** @internal Address of a value in the machine's memory, 0 if absent. */
  addressOf(key: Uint8Array): number {
    this.#checkSize('key', key, this.keySize);
    return this.#core.withBytes(key, 0, (address) => this.#call('mapHostLookup', address) >>> 0);
  }

  #readValue(address: number): Uint8Array {
    const size = this.valueSize;
    const cpus = this.#cpus;
    if (cpus === 1 && !this.isPerCpu) return this.#core.copy(address, size);
    const stride = this.#field(MapField.STRIDE);
    const rounded = (size + 7) & ~7;
    const out = new Uint8Array(rounded * cpus);
    for (let cpu = 0; cpu < cpus; cpu++) out.set(this.#core.copy(address + cpu * stride, size), cpu * rounded);
    return out;
  }

  /** Stores raw bytes. Throws MapError with the kernel's errno (E2BIG, EEXIST, ENOENT, EPERM ...). */
  setBytes(key: Uint8Array, value: Uint8Array, flag: UpdateFlag = 'any'): void {
    this.#checkSize('key', key, this.keySize);
    this.#checkSize('value', value, this.isPerCpu ? ((this.valueSize + 7) & ~7) * this.#cpus : this.valueSize);
    const result = this.#core.withBytes(key, 0, (keyAddress) =>
      this.#core.withBytes(value, 1, (valueAddress) =>
        this.#call('mapHostUpdate', keyAddress, valueAddress, UPDATE_FLAGS[flag]),
      ),
    );
    this.#check(result, 'update');
  }

  /** Removes an element. Throws MapError (ENOENT if absent, EINVAL for arrays). */
  deleteBytes(key: Uint8Array): void {
    this.#checkSize('key', key, this.keySize);
    this.#check(
      this.#core.withBytes(key, 0, (address) => this.#call('mapHostDelete', address)),
      'delete',
    );
  }

  /** Keys in the kernel's order. Elements may be deleted while walking. */
  *keyBytes(): Generator<Uint8Array> {
    if (this.isKeyless) return;
    let key: Uint8Array | undefined;
    while (true) {
      const out: number = this.#core.layout.EXCHANGE + this.#core.layout.EXCHANGE_SIZE / 2;
      const result: number = key
        ? this.#core.withBytes(key, 0, (address) => this.#call('mapNextKey', address, out))
        : this.#call('mapNextKey', 0, out);
      if (result < 0) return;
      const next: Uint8Array = this.#core.copy(out, this.keySize);
      yield next;
      key = next;
    }
  }

  /** Elements as raw bytes, in the kernel's order. */
  *entryBytes(): Generator<[key: Uint8Array, value: Uint8Array]> {
    for (const key of this.keyBytes()) {
      const value = this.getBytes(key);
      if (value) yield [key, value];
    }
  }

  /** Number of elements present (arrays: all). */
  get count(): number {
    return this.#call('mapCount');
  }

  // Typed access

  #encode(what: 'key' | 'value', typeId: number, size: number, value: unknown): Uint8Array {
    if (value instanceof Uint8Array) return value;
    if (this.#btf && typeId) return encodeValue(this.#btf, typeId, value);
    try {
      return encodeRaw(value, size);
    } catch (error) {
      if (error instanceof UsageError) throw new UsageError(`map ${this.name}: ${what}: ${error.message}`);
      throw error;
    }
  }

  #decode(typeId: number, bytes: Uint8Array, hint?: FieldHint): unknown {
    return this.#btf && typeId ? decodeValue(this.#btf, typeId, bytes, hint) : decodeRaw(bytes);
  }

  encodeKey(key: unknown): Uint8Array {
    return this.#encode('key', this.spec.keyTypeId, this.keySize, key);
  }

  /** `hint` says what fields hold where their types do not. */
  decodeKey(bytes: Uint8Array, hint?: FieldHint): unknown {
    return this.#decode(this.spec.keyTypeId, bytes, hint);
  }

  /** Encodes one value; for per-CPU maps an array with one per CPU, or one value for CPU 0 (the others zero). */
  encodeValue(value: unknown): Uint8Array {
    if (typeof value === 'string' && this.isSlotMap) {
      const bytes = new Uint8Array(4);
      new DataView(bytes.buffer).setUint32(0, this.#names.valueOf(this, value), true);
      return bytes;
    }
    if (!this.isPerCpu) return this.#encode('value', this.spec.valueTypeId, this.valueSize, value);
    const rounded = (this.valueSize + 7) & ~7;
    const perCpu = Array.isArray(value) && value.length === this.#cpus ? value : [value];
    const out = new Uint8Array(rounded * this.#cpus);
    for (const [cpu, one] of perCpu.entries())
      out.set(this.#encode('value', this.spec.valueTypeId, this.valueSize, one), cpu * rounded);
    return out;
  }

  decodeValue(bytes: Uint8Array, hint?: FieldHint): unknown {
    if (this.isSlotMap && bytes.length === 4) {
      const stored = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
      return this.#names.nameOf(this, stored) ?? stored;
    }
    if (!this.isPerCpu) return this.#decode(this.spec.valueTypeId, bytes, hint);
    const rounded = (this.valueSize + 7) & ~7;
    return Array.from({ length: bytes.length / rounded }, (_, cpu) =>
      this.#decode(this.spec.valueTypeId, bytes.subarray(cpu * rounded, cpu * rounded + this.valueSize), hint),
    );
  }

  /** One line of C-like text of a key, by BTF where there is some. */
  formatKey(bytes: Uint8Array): string {
    return this.#format(this.spec.keyTypeId, bytes);
  }

  /** One line of C-like text of a value; per-CPU values are separated by ` | `. */
  formatValue(bytes: Uint8Array): string {
    if (this.isSlotMap) return String(this.decodeValue(bytes));
    if (!this.isPerCpu) return this.#format(this.spec.valueTypeId, bytes);
    const rounded = (this.valueSize + 7) & ~7;
    const parts: string[] = [];
    for (let at = 0; at + this.valueSize <= bytes.length; at += rounded)
      parts.push(this.#format(this.spec.valueTypeId, bytes.subarray(at, at + this.valueSize)));
    return parts.join(' | ');
  }

  #format(typeId: number, bytes: Uint8Array): string {
    return this.#btf && typeId ? formatValue(this.#btf, typeId, bytes) : String(decodeRaw(bytes));
  }

  /** Programs, inner maps, perf events: elements the host sets and names. */
  get isSlotMap(): boolean {
    return [MapType.PROG_ARRAY, MapType.ARRAY_OF_MAPS, MapType.HASH_OF_MAPS].includes(this.type);
  }

  /** Typed look-up: `map.get({ address: '10.0.0.1', dport: 80 })`. */
  get(key: unknown): unknown {
    const value = this.getBytes(this.encodeKey(key));
    return value && this.decodeValue(value);
  }

  /** Typed update. */
  set(key: unknown, value: unknown, flag: UpdateFlag = 'any'): void {
    this.setBytes(this.encodeKey(key), this.encodeValue(value), flag);
  }

  /** Typed removal. */
  delete(key: unknown): void {
    this.deleteBytes(this.encodeKey(key));
  }

  /** All elements, typed. */
  *entries(): Generator<MapEntry> {
    for (const [key, value] of this.entryBytes()) yield { key: this.decodeKey(key), value: this.decodeValue(value) };
  }

  /** Removes every element; arrays are zeroed. */
  clear(): void {
    const zero = new Uint8Array(this.isPerCpu ? ((this.valueSize + 7) & ~7) * this.#cpus : this.valueSize);
    const isArray = this.type === MapType.ARRAY || this.type === MapType.PERCPU_ARRAY;
    for (const key of [...this.keyBytes()]) {
      if (isArray) this.setBytes(key, zero);
      else this.deleteBytes(key);
    }
  }

  /** Queue and stack: appends a value. */
  push(value: unknown, flag: UpdateFlag = 'any'): void {
    const result = this.#core.withBytes(this.encodeValue(value), 1, (address) =>
      this.#call('mapPush', address, UPDATE_FLAGS[flag]),
    );
    this.#check(result, 'push');
  }

  /** Queue and stack: takes the next value, undefined if empty. */
  pop(): unknown {
    const out = this.#core.layout.EXCHANGE;
    if (this.#call('mapPop', out) < 0) return undefined;
    return this.decodeValue(this.#core.copy(out, this.valueSize));
  }

  /** Forbids further updates from the host (BPF_MAP_FREEZE). */
  freeze(): void {
    this.#check(this.#call('mapFreeze'), 'freeze');
  }

  #checkSize(what: string, bytes: Uint8Array, size: number): void {
    if (bytes.length !== size)
      throw new UsageError(`map ${this.name}: ${what} has ${bytes.length} bytes, expected ${size}`);
  }
}
