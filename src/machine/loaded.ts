import { MapFlag, MapType } from '../../assembly/abi.js';
import { decodeValue, encodeRaw, encodeValue } from '../btf/value.js';
import { LoadError, MapError, UsageError } from '../errors.js';
import type { MapSpec, ObjectSpec, ProgramSpec, Relocation, VariableSpec } from '../object/spec.js';
import { didYouMean } from '../text.js';
import type { LinkedFunction } from './link.js';
import type { Machine } from './machine.js';
import { BpfMap, errnoName } from './map.js';
import { Program } from './program.js';

export interface LoadOptions {
  /** Values of configuration variables and globals, by label (`LXC_ID`, `endpoint_id`) or symbol name. */
  config?: Readonly<Record<string, unknown>>;
  /** Live maps to use instead of creating them, by name in the object. */
  maps?: Readonly<Record<string, BpfMap>>;
  /**
   * Which maps are shared by name with other objects of the machine. By default the pinned ones, except prog arrays that
   * the object fills itself (tail calls are per instance).
   */
  share?: (map: MapSpec) => boolean;
  /** Values of kconfig externs, by name (`CONFIG_HZ`); missing ones are zero. */
  kconfig?: Readonly<Record<string, bigint | number | boolean>>;
}

const RINGS: readonly number[] = [MapType.RINGBUF, MapType.USER_RINGBUF];
const OPEN_VALUES: readonly number[] = [
  MapType.PROG_ARRAY,
  MapType.PERF_EVENT_ARRAY,
  MapType.CGROUP_ARRAY,
  MapType.ARRAY_OF_MAPS,
  MapType.HASH_OF_MAPS,
];

/** Pinning values of libbpf (1) and iproute2 (2) that share a map by name; Cilium's 16 always makes a new one. */
const SHARED_PINNINGS = new Set([1, 2]);

/** An object in a machine: its live maps, variables and programs. */
export class LoadedObject {
  readonly spec: ObjectSpec;
  readonly machine: Machine;
  /** Live maps by name in the object, data sections included. */
  readonly maps = new Map<string, BpfMap>();
  readonly programs: readonly Program[];
  readonly #config = new Map<VariableSpec, Uint8Array>();
  readonly #kconfig = new Map<string, bigint>();

  /** @internal Use {@link Machine.load}. */
  constructor(machine: Machine, spec: ObjectSpec, options: LoadOptions) {
    this.machine = machine;
    this.spec = spec;
    for (const [name, value] of Object.entries(options.config ?? {})) this.#configure(name, value);
    const filled = new Set(spec.programs.flatMap((program) => program.slots.map((slot) => slot.map)));
    const share = options.share ?? ((map: MapSpec) => SHARED_PINNINGS.has(map.pinning) && !filled.has(map.name));
    for (const map of spec.maps) {
      if (!map.template) this.maps.set(map.name, options.maps?.[map.name] ?? this.#createMap(map, share(map)));
    }
    this.#createKconfig(options.kconfig ?? {});
    const linked = this.#link();
    this.programs = spec.programs.map((program) => new Program(this, program, linked[program.function]!, linked));
    this.#fillSlots();
  }

  /** The program of that name. Throws UsageError with the names there are. */
  program(name: string): Program {
    const found =
      this.programs.find((program) => program.name === name) ??
      this.programs.find((program) => program.spec.section === name);
    if (found) return found;
    const names = this.programs.map((program) => program.name);
    throw new UsageError(
      `${this.spec.name} has no program ${name}${didYouMean(name, names)}; there are: ${names.join(', ') || 'none'}`,
    );
  }

  /** The map of that name in the object. Throws UsageError with the names there are. */
  map(name: string): BpfMap {
    const map = this.maps.get(name);
    if (map) return map;
    const names = [...this.maps.keys()];
    throw new UsageError(
      `${this.spec.name} has no map ${name}${didYouMean(name, names)}; there are: ${names.join(', ') || 'none'}`,
    );
  }

  /**
   * A new inner map for a map-in-map of this object, made from its template; give its name as value to put it in.
   * Throws UsageError if the object has no template for it.
   */
  createInner(outer: string, name: string): BpfMap {
    const template = this.map(outer).spec.inner;
    if (!template) throw new UsageError(`${this.spec.name}: map ${outer} has no definition of its inner maps`);
    return this.#newMap(name, template);
  }

  /** Current value of a global or configuration variable, typed by BTF. */
  getVariable(name: string): unknown {
    const variable = this.#variable(name);
    const bytes =
      this.#dataMap(variable)
        ?.getBytes(new Uint8Array(4))
        ?.subarray(variable.offset, variable.offset + variable.size) ?? this.#initial(variable);
    if (this.spec.btf && variable.typeId) return decodeValue(this.spec.btf, variable.typeId, bytes);
    return bytes;
  }

  /** Sets a global variable between runs (constants of address-as-value objects are fixed at load time). */
  setVariable(name: string, value: unknown): void {
    const variable = this.#variable(name);
    const map = this.#dataMap(variable);
    if (!map)
      throw new UsageError(`${name} has no storage in ${this.spec.name}: give it as configuration when loading`);
    const address = map.handle && this.#dataAddress(map);
    this.machine.core.write(address + variable.offset, this.#encodeVariable(variable, value));
  }

  #variable(name: string): VariableSpec {
    const found =
      this.spec.variables.find((variable) => variable.label === name) ??
      this.spec.variables.find((variable) => variable.name === name);
    if (found) return found;
    const names = this.spec.variables.map((variable) => variable.label);
    throw new UsageError(`${this.spec.name} has no variable ${name}${didYouMean(name, names)}`);
  }

  #encodeVariable(variable: VariableSpec, value: unknown): Uint8Array {
    if (value instanceof Uint8Array) {
      if (value.length !== variable.size)
        throw new UsageError(`variable ${variable.label} has ${variable.size} bytes, not ${value.length}`);
      return value;
    }
    try {
      return this.spec.btf && variable.typeId
        ? encodeValue(this.spec.btf, variable.typeId, value)
        : encodeRaw(value, variable.size);
    } catch (error) {
      if (error instanceof UsageError) throw new UsageError(`variable ${variable.label}: ${error.message}`);
      throw error;
    }
  }

  #configure(name: string, value: unknown): void {
    const variable = this.#variable(name);
    this.#config.set(variable, this.#encodeVariable(variable, value));
  }

  #initial(variable: VariableSpec): Uint8Array {
    return this.#config.get(variable) ?? variable.initial;
  }

  #dataMap(variable: VariableSpec): BpfMap | undefined {
    const map = this.maps.get(variable.section);
    return map && map.valueSize >= variable.offset + variable.size ? map : undefined;
  }

  #createMap(spec: MapSpec, shared: boolean): BpfMap {
    const known = shared ? this.machine.pinned.get(spec.name) : undefined;
    if (known) {
      this.#checkCompatible(known, spec);
      return known;
    }
    const map = this.#newMap(spec.name, spec);
    if (shared) this.machine.pinned.set(spec.name, map);
    return map;
  }

  #checkCompatible(known: BpfMap, spec: MapSpec): void {
    if (known.type === spec.type && known.keySize === spec.keySize && known.valueSize === valueSize(spec)) return;
    throw new LoadError(
      `a map of this name with another layout is already loaded (type ${known.type}, key ${known.keySize}, value ${known.valueSize} bytes; here type ${spec.type}, key ${spec.keySize}, value ${valueSize(spec)} bytes)`,
      { file: this.spec.name, map: spec.name },
    );
  }

  /** Creates the core's map for a definition. */
  #newMap(name: string, spec: MapSpec): BpfMap {
    const { core } = this.machine;
    const inner = spec.inner ? this.#newMap(`${name}.inner`, spec.inner).handle : 0;
    const isCpuSized = spec.type === MapType.PERF_EVENT_ARRAY && spec.maxEntries === 0;
    const flags =
      (spec.flags & ~MapFlag.NUMA_NODE) |
      (spec.readOnly ? MapFlag.RDONLY_PROG : 0) |
      (spec.type === MapType.LPM_TRIE ? MapFlag.NO_PREALLOC : 0);
    const create = core.exports.mapCreate as (
      type: number,
      key: number,
      value: number,
      max: number,
      flags: number,
      extra: bigint,
      inner: number,
    ) => number;
    const handle = create(
      spec.type,
      RINGS.includes(spec.type) ? 0 : spec.keySize,
      valueSize(spec),
      isCpuSized ? this.machine.inputs.cpus : spec.maxEntries,
      flags,
      spec.extra,
      inner,
    );
    if (handle <= 0) {
      throw new LoadError(
        `the map cannot be created: ${errnoName(handle)} (type ${MapType[spec.type] ?? spec.type}, key ${spec.keySize}, value ${valueSize(spec)} bytes, max ${spec.maxEntries}, flags 0x${flags.toString(16)})`,
        { file: this.spec.name, map: name },
      );
    }
    const map = new BpfMap(core, name, spec, handle, this.spec.btf, this.machine.slotNames);
    this.machine.maps.push(map);
    if (spec.data) core.write(this.#dataAddress(map), this.#initialData(spec));
    return map;
  }

  /** Contents of a data section with the configuration applied. */
  #initialData(spec: MapSpec): Uint8Array {
    const bytes = spec.data!.slice();
    for (const [variable, value] of this.#config) {
      if (variable.section === spec.name && variable.offset + variable.size <= bytes.length)
        bytes.set(value, variable.offset);
    }
    return bytes;
  }

  /** Address of element 0 of a one-element array. */
  #dataAddress(map: BpfMap): number {
    return map.addressOf(new Uint8Array(4));
  }

  #createKconfig(values: Readonly<Record<string, bigint | number | boolean>>): void {
    for (const extern of this.spec.externs) {
      if (extern.kind !== 'kconfig') continue;
      const address = this.machine.core.exports.allocate(8) >>> 0;
      this.machine.core.setU64(address, BigInt(values[extern.name] ?? 0));
      this.machine.core.exports.permit(address, 8, false);
      this.#kconfig.set(extern.name, BigInt(address));
    }
  }

  #link(): LinkedFunction[] {
    return this.machine.code.add(this.spec, {
      map: (name) => this.map(name).handle,
      data: (name) => this.#dataAddress(this.map(name)),
      constant: (relocation) => this.#constant(relocation),
      kfunc: (name) => this.machine.kfuncIndex(name),
      // A kernel variable has no storage outside the kernel: weak externs read as null, as when the kernel lacks them.
      ksym: () => 0n,
      kconfig: (name) => this.#kconfig.get(name) ?? 0n,
    });
  }

  #constant(relocation: Extract<Relocation, { kind: 'constant' }>): bigint {
    const variable = this.spec.variables.find(
      (candidate) =>
        candidate.section === relocation.section &&
        candidate.offset <= relocation.offset &&
        relocation.offset < candidate.offset + Math.max(candidate.size, 1),
    );
    const section = this.spec.maps.find((map) => map.name === relocation.section)?.data;
    const bytes = variable
      ? this.#initial(variable).subarray(relocation.offset - variable.offset)
      : section?.subarray(relocation.offset);
    let value = 0n;
    for (let i = Math.min(relocation.size, bytes?.length ?? 0) - 1; i >= 0; i--)
      value = (value << 8n) | BigInt(bytes![i]!);
    return value;
  }

  /** Tail-call slots and inner maps that the object itself defines. */
  #fillSlots(): void {
    for (const program of this.programs) {
      for (const { map, slot } of program.spec.slots) this.#setSlot(map, slot, program.descriptor);
    }
    for (const map of this.spec.maps) {
      for (const { slot, program, map: inner } of map.template ? [] : map.values) {
        if (inner) this.#setSlot(map.name, slot, this.map(inner).handle);
        else if (program && this.maps.has(map.name)) this.#setSlot(map.name, slot, this.program(program).descriptor);
      }
    }
  }

  #setSlot(name: string, slot: number, value: number): void {
    const map = this.maps.get(name);
    if (!map) return;
    const bytes = new Uint8Array(map.keySize);
    const key = new DataView(bytes.buffer);
    if (map.keySize >= 4) key.setUint32(0, slot, true);
    else if (map.keySize === 2) key.setUint16(0, slot, true);
    else if (map.keySize === 1) key.setUint8(0, slot);
    const stored = new Uint8Array(4);
    new DataView(stored.buffer).setUint32(0, value, true);
    try {
      map.setBytes(bytes, stored);
    } catch (error) {
      if (!(error instanceof MapError)) throw error;
      throw new LoadError(
        `slot ${slot} cannot be filled: ${error.code}`,
        { file: this.spec.name, map: name },
        { cause: error },
      );
    }
  }
}

/** Value size with the defaults of types that leave it open; the value type of a ring buffer only tells what its records are. */
function valueSize(spec: MapSpec): number {
  if (RINGS.includes(spec.type)) return 0;
  return spec.valueSize === 0 && OPEN_VALUES.includes(spec.type) ? 4 : spec.valueSize;
}

export type { ProgramSpec };
