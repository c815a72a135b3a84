import { MapType, Op, ProgramField, ProgramKind } from '../../assembly/abi.js';
import { LoadError } from '../errors.js';
import { DECODED_SIZE, decodeForMachine } from '../isa/decode.js';
import type { FunctionSpec, ObjectSpec, Relocation } from '../object/spec.js';
import type { Core } from './core.js';

/** A function in the machine's code region. */
export interface LinkedFunction {
  readonly spec: FunctionSpec;
  /** The object it comes from. */
  readonly object: ObjectSpec;
  /** Address of its first decoded instruction. */
  readonly address: number;
  /** Decoded instructions (the appended guard included). */
  readonly count: number;
}

/** What the linker asks about the object being loaded. */
export interface LinkTargets {
  /** Descriptor address of a map. */
  map(name: string): number;
  /** Address of element 0 of a data section map. */
  data(name: string): number;
  /** Value of an address-as-value constant, after configuration. */
  constant(relocation: Extract<Relocation, { kind: 'constant' }>): bigint;
  /** Host number of a kfunc. */
  kfunc(name: string): number;
  /** Address of a kernel variable. */
  ksym(name: string): bigint;
  /** Address of a kconfig value. */
  kconfig(name: string): bigint;
}

/** Puts functions into the code region, one after the other. */
export class CodeRegion {
  readonly #core: Core;
  readonly #functions: LinkedFunction[] = [];
  #top: number;

  constructor(core: Core) {
    this.#core = core;
    this.#top = core.layout.CODE;
  }

  get functions(): readonly LinkedFunction[] {
    return this.#functions;
  }

  /** Address behind the last instruction. */
  get end(): number {
    return this.#top;
  }

  /** The function and instruction index of a code address. */
  find(address: number): { linked: LinkedFunction; instruction: number } | undefined {
    let low = 0;
    let high = this.#functions.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const linked = this.#functions[middle]!;
      if (address < linked.address) high = middle - 1;
      else if (address >= linked.address + linked.count * DECODED_SIZE) low = middle + 1;
      else return { linked, instruction: (address - linked.address) / DECODED_SIZE };
    }
    return undefined;
  }

  /**
   * Decodes and links all functions of an object. Throws LoadError if the code region is full or a relocation names an
   * instruction that cannot carry it.
   */
  add(spec: ObjectSpec, targets: LinkTargets): LinkedFunction[] {
    const { layout } = this.#core;
    const decoded = spec.functions.map((fn) => decodeForMachine(fn.instructions, layout.REGISTERS));
    const linked: LinkedFunction[] = [];
    for (const [index, fn] of spec.functions.entries()) {
      const address = this.#top + DECODED_SIZE;
      const count = decoded[index]!.length / DECODED_SIZE;
      if (address + count * DECODED_SIZE > layout.CODE + layout.CODE_SIZE) {
        throw new LoadError(`the machine holds no more than ${layout.CODE_SIZE / DECODED_SIZE} instructions`, {
          file: spec.name,
          program: fn.name,
        });
      }
      linked.push({ spec: fn, object: spec, address, count });
      this.#top = address + count * DECODED_SIZE;
    }
    for (const [index, fn] of linked.entries()) {
      const code = decoded[index]!;
      const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
      relocateJumps(view, fn.address);
      for (const relocation of fn.spec.relocations)
        this.#relocate(view, relocation, linked, targets, spec.name, fn.spec);
      this.#core.setU32(fn.address - DECODED_SIZE, layout.FUNCTION_MAGIC);
      this.#core.write(fn.address, code);
      this.#functions.push(fn);
    }
    return linked;
  }

  #relocate(
    view: DataView,
    relocation: Relocation,
    linked: readonly LinkedFunction[],
    targets: LinkTargets,
    file: string,
    fn: FunctionSpec,
  ): void {
    const at = relocation.instruction * DECODED_SIZE;
    const wrong = (): LoadError =>
      new LoadError(`a ${relocation.kind} relocation does not fit this instruction`, {
        file,
        program: fn.name,
        instruction: relocation.instruction,
      });
    if (at < 0 || at + DECODED_SIZE > view.byteLength) throw wrong();
    const op = view.getUint16(at, true);
    if (relocation.kind === 'call' || relocation.kind === 'kfunc') {
      const opcode = fn.instructions[relocation.instruction * 8];
      if (opcode !== 0x85) throw wrong();
      if (relocation.kind === 'call') {
        const target = linked[relocation.function];
        if (!target) throw wrong();
        view.setUint16(at, Op.CALL_LOCAL, true);
        view.setUint32(at + 12, target.address, true);
      } else {
        view.setUint16(at, Op.CALL_KFUNC, true);
        view.setBigInt64(at + 8, BigInt(targets.kfunc(relocation.name)), true);
      }
      return;
    }
    // Dead code may hold a broken load; it stays a fault for when it is reached.
    if (op === Op.INVALID) return;
    if (op !== Op.LD_IMM64) throw wrong();
    view.setBigUint64(at + 8, BigInt.asUintN(64, this.#address(relocation, linked, targets, wrong)), true);
  }

  #address(
    relocation: Exclude<Relocation, { kind: 'call' | 'kfunc' }>,
    linked: readonly LinkedFunction[],
    targets: LinkTargets,
    wrong: () => LoadError,
  ): bigint {
    switch (relocation.kind) {
      case 'map':
        return BigInt(targets.map(relocation.map));
      case 'data':
        return BigInt(targets.data(relocation.map)) + BigInt(relocation.offset);
      case 'constant':
        return targets.constant(relocation);
      case 'callback': {
        const target = linked[relocation.function];
        if (!target) throw wrong();
        return BigInt(target.address);
      }
      case 'ksym':
        return targets.ksym(relocation.name);
      case 'kconfig':
        return targets.kconfig(relocation.name);
      default: {
        const missing: never = relocation;
        throw new LoadError(`unknown relocation ${JSON.stringify(missing)}`);
      }
    }
  }
}

/** Turns function-relative targets (instruction indices) into code addresses. */
function relocateJumps(view: DataView, address: number): void {
  for (let at = 0; at < view.byteLength; at += DECODED_SIZE) {
    const op = view.getUint16(at, true);
    const isPlainJump = op < 256 && ((op & 7) === 5 || (op & 7) === 6) && op !== 0x85 && op !== 0x95;
    if (isPlainJump || op === Op.CALL_LOCAL) {
      view.setUint32(at + 12, address + view.getInt32(at + 12, true) * DECODED_SIZE, true);
    }
  }
}

const SKB_TYPES = new Set([
  'socket_filter',
  'sched_cls',
  'sched_act',
  'cgroup_skb',
  'lwt_in',
  'lwt_out',
  'lwt_xmit',
  'lwt_seg6local',
  'sk_skb',
  'flow_dissector',
]);

/** Packet model of a kernel program type. */
export function programKind(type: string): ProgramKind {
  if (type === 'xdp') return ProgramKind.XDP;
  return SKB_TYPES.has(type) ? ProgramKind.SKB : ProgramKind.RAW;
}

/** Writes a program descriptor. */
export function writeProgram(
  core: Core,
  descriptor: number,
  fields: { entry: number; kind: ProgramKind; id: number; contextTable: number; frags: boolean },
): void {
  core.setU32(descriptor + ProgramField.ENTRY, fields.entry);
  core.setU32(descriptor + ProgramField.KIND, fields.kind);
  core.setU32(descriptor + ProgramField.ID, fields.id);
  core.setU32(descriptor + ProgramField.CONTEXT_TABLE, fields.contextTable);
  core.setU32(descriptor + ProgramField.FRAGS, fields.frags ? 1 : 0);
}

/** Map types whose elements are programs, maps, devices or sockets, set by the host only. */
export const SLOT_TYPES: ReadonlySet<number> = new Set([
  MapType.PROG_ARRAY,
  MapType.PERF_EVENT_ARRAY,
  MapType.CGROUP_ARRAY,
  MapType.ARRAY_OF_MAPS,
  MapType.HASH_OF_MAPS,
]);
