import { FaultKind, MapField, MapType, Op, ProgramField, RunState } from '../../assembly/abi.js';
import { type ContextType, contextFor } from '../contexts/context.js';
import { OffkernelError, UsageError } from '../errors.js';
import type { HostHelper, RunEnvironment } from '../helpers/helper.js';
import { HOST_HELPERS } from '../helpers/host.js';
import { HELPERS, helperById, helperByName } from '../helpers/table.js';
import type { ObjectSpec } from '../object/spec.js';
import { type CallFrame, HelperFault, MachineCall } from './call.js';
import { Core } from './core.js';
import { DEFAULT_INPUTS, defaultEnvironment, type MachineInputs } from './environment.js';
import { type RunLog, readLog } from './events.js';
import type { Fault } from './fault.js';
import { CodeRegion } from './link.js';
import { LoadedObject, type LoadOptions } from './loaded.js';
import type { BpfMap, SlotNames } from './map.js';
import type { Program } from './program.js';
import { SocketTable } from './sockets.js';

export interface MachineOptions extends Partial<MachineInputs> {
  /** Reading stack bytes that were never written ends a run in a fault (default: they read as zero). */
  trackUninitialised?: boolean;
  /** What look-ups of routes, neighbours, devices and sockets answer from. */
  environment?: Partial<RunEnvironment>;
}

/** Bytes behind a raw program's memory that nothing else uses, so that overruns fault. */
const GUARD = 64;

/** Result of {@link Machine.runRaw}. */
export interface BytecodeResult {
  r0: bigint;
  fault: Fault | undefined;
  /** Memory after the run. */
  memory: Uint8Array;
  instructions: bigint;
}

/** A copy of all state of a machine, see {@link Machine.snapshot}. */
export interface Snapshot {
  /** Pieces of linear memory. */
  readonly pieces: readonly { readonly address: number; readonly bytes: Uint8Array }[];
  readonly environment: RunEnvironment;
}

/**
 * One host's kernel: several objects load into it and share their pinned maps by name. Machines share no state.
 *
 * @example
 * const machine = Machine.create();
 * const object = machine.load(loadObject(bytes, { name: 'filter.o' }));
 * const outcome = object.program('xdp_filter').run({ packet });
 */
export class Machine {
  /** @internal */ readonly core: Core;
  /** @internal */ readonly code: CodeRegion;
  /** @internal */ readonly sockets: SocketTable;
  /** @internal */ readonly frame: CallFrame;
  readonly inputs: MachineInputs;
  readonly trackUninitialised: boolean;
  readonly environment: RunEnvironment;
  readonly objects: LoadedObject[] = [];
  /** Every map of the machine, shared or not. */
  readonly maps: BpfMap[] = [];
  /** Maps that objects share by name (pinned ones). */
  readonly pinned = new Map<string, BpfMap>();
  readonly #contextTables = new Map<string, number>();
  readonly #programs: Program[] = [];
  readonly #overrides = new Map<number, HostHelper>();
  readonly #kfuncs: { name: string; run: HostHelper | undefined }[] = [];
  readonly #call: MachineCall;
  #message = '';

  private constructor(options: MachineOptions) {
    this.inputs = { ...DEFAULT_INPUTS };
    for (const key of Object.keys(DEFAULT_INPUTS) as (keyof MachineInputs)[]) {
      if (options[key] !== undefined) (this.inputs as unknown as Record<string, unknown>)[key] = options[key];
    }
    if (!Number.isInteger(this.inputs.cpus) || this.inputs.cpus < 1 || this.inputs.cpus > 128)
      throw new UsageError(`cpus must be 1..128, not ${this.inputs.cpus}`);
    this.trackUninitialised = options.trackUninitialised ?? false;
    this.environment = { ...defaultEnvironment(), ...options.environment };
    this.core = new Core({
      helper: (id) => this.#hostHelper(id),
      kfunc: (index) => this.#hostKfunc(index),
      drain: () => this.#drain(),
    });
    this.code = new CodeRegion(this.core);
    this.core.setRun32(RunState.CPUS, this.inputs.cpus);
    this.core.setRun32(RunState.CPU, this.inputs.cpu);
    this.core.setRun64(RunState.RANDOM, this.inputs.seed || 1n);
    this.core.setRun64(RunState.CLOCK_NS, this.inputs.clock);
    this.core.setRun64(RunState.CLOCK_STEP_NS, this.inputs.clockStep);
    this.sockets = new SocketTable(this.core, {
      sock: this.contextTable(contextFor('bpf_sock')),
      tcp: this.contextTable(contextFor('bpf_tcp_sock')),
    });
    this.frame = {
      core: this.core,
      env: this.environment,
      sockets: this.sockets,
      events: [],
      accesses: [],
      mapAt: (handle) => this.maps.find((map) => BigInt(map.handle) === handle),
      programType: 'unspec',
      attachType: undefined,
      hasPacket: false,
      assignedSocket: undefined,
    };
    this.#call = new MachineCall(this.frame);
    for (const helper of HELPERS)
      this.#setMode(helper.id, helper.where === 'core' ? 1 : HOST_HELPERS.has(helper.id) ? 2 : 0);
    this.syncDevices();
  }

  /** A new, empty machine. */
  static create(options: MachineOptions = {}): Machine {
    return new Machine(options);
  }

  /** Loads and links an object. Throws LoadError, UsageError (unknown configuration variable) or MapError. */
  load(spec: ObjectSpec, options: LoadOptions = {}): LoadedObject {
    const object = new LoadedObject(this, spec, options);
    this.objects.push(object);
    return object;
  }

  /** The first map of that name, over all objects. Throws UsageError with the names there are. */
  map(name: string): BpfMap {
    const map = this.maps.find((candidate) => candidate.name === name);
    if (!map)
      throw new UsageError(
        `no map ${name}; there are: ${this.maps.map((candidate) => candidate.name).join(', ') || 'none'}`,
      );
    return map;
  }

  /**
   * Replaces or adds a helper, by id or kernel name; undefined restores the built-in one. The replacement sees the same
   * arguments as the kernel's helper and its result becomes r0.
   */
  setHelper(idOrName: number | string, helper: HostHelper | undefined): void {
    const spec = typeof idOrName === 'number' ? helperById(idOrName) : helperByName(idOrName);
    const id = spec?.id ?? (typeof idOrName === 'number' ? idOrName : undefined);
    if (id === undefined) throw new UsageError(`no helper is named ${idOrName}`);
    if (helper) this.#overrides.set(id, helper);
    else this.#overrides.delete(id);
    this.#setMode(id, helper ? 2 : spec?.where === 'core' ? 1 : HOST_HELPERS.has(id) ? 2 : 0);
  }

  /** True if calling the helper would not fault for want of an implementation. */
  hasHelper(id: number): boolean {
    return id < this.core.layout.HELPER_MODES_SIZE && this.core.bytes[this.core.layout.HELPER_MODES + id] !== 0;
  }

  /** Implements a kfunc by name for objects loaded so far and later. */
  setKfunc(name: string, run: HostHelper): void {
    this.#kfuncs[this.kfuncIndex(name)]!.run = run;
  }

  /** Tells the core the devices of the environment; call after changing `environment.devices`. */
  syncDevices(): void {
    const clear = this.core.exports.clearDevices as () => void;
    const set = this.core.exports.setDevice as (ifindex: number, mtu: number, up: boolean) => void;
    clear();
    for (const device of this.environment.devices) set(device.ifindex, device.mtu, device.up);
  }

  /**
   * Copies all state (maps, globals, clock, random numbers). Loading objects afterwards is fine; restoring forgets only
   * what programs and map updates changed.
   */
  snapshot(): Snapshot {
    const { layout } = this.core;
    const top = this.core.exports.heapTop() >>> 0;
    const pieces = [
      [0, layout.PROGRAMS],
      [layout.MAPS, this.#mapsEnd - layout.MAPS],
      [layout.HEAP, top - layout.HEAP],
      [layout.READABLE + (layout.HEAP >>> 3), ((top - layout.HEAP) >>> 3) + 1],
      [layout.WRITABLE + (layout.HEAP >>> 3), ((top - layout.HEAP) >>> 3) + 1],
    ].map(([address, length]) => ({ address: address!, bytes: this.core.copy(address!, length!) }));
    return { pieces, environment: structuredClone(this.environment) };
  }

  /** Puts a snapshot of this machine back. */
  restore(snapshot: Snapshot): void {
    const { layout } = this.core;
    const top = this.core.exports.heapTop() >>> 0;
    const pieceAt = (address: number) => snapshot.pieces.find((piece) => piece.address === address);
    const heap = pieceAt(layout.HEAP);
    const maps = pieceAt(layout.MAPS);
    if (!heap || !maps) throw new UsageError('not a snapshot of a machine');
    const old = layout.HEAP + heap.bytes.length;
    // What was made or allocated since then becomes fresh memory again: zero and invisible.
    this.core.bytes.fill(0, layout.MAPS + maps.bytes.length, this.#mapsEnd);
    if (top > old) {
      this.core.bytes.fill(0, old, top);
      for (const bitmap of [layout.READABLE, layout.WRITABLE])
        this.core.bytes.fill(0, bitmap + (old >>> 3), bitmap + (top >>> 3) + 1);
    }
    for (const piece of snapshot.pieces) this.core.write(piece.address, piece.bytes);
    Object.assign(this.environment, structuredClone(snapshot.environment));
    this.syncDevices();
  }

  /**
   * Gives the machine's memory to machines made later, which makes those cheap. This machine, its objects, programs and maps
   * throw UsageError from then on; outcomes stay. Not needed otherwise: a forgotten machine is collected as garbage.
   */
  dispose(): void {
    this.core.release(this.code.end);
  }

  /**
   * Runs a program of raw bytecode with r1 = address of a copy of `memory` and r2 = its length (both 0 if it is empty).
   */
  runRaw(program: Program, memory: Uint8Array): BytecodeResult {
    const { core } = this;
    const room = memory.length + GUARD;
    const address = memory.length ? core.exports.allocate(room) >>> 0 : 0;
    if (memory.length && !address)
      throw new OffkernelError(`the machine's memory limit is reached (${memory.length} bytes wanted)`);
    core.write(address, memory);
    if (address) core.exports.permit(address, memory.length, true);
    const outcome = program.run({ registers: [BigInt(address), BigInt(memory.length)] });
    const after = address ? core.copy(address, memory.length) : new Uint8Array();
    if (address) {
      core.exports.forbid(address, memory.length);
      core.exports.free(address, room);
    }
    return { r0: outcome.r0, fault: outcome.fault, memory: after, instructions: outcome.instructions };
  }

  // For the classes of this room

  /** @internal Address of the access table of a context type; one per type and machine. */
  contextTable(type: ContextType): number {
    const known = this.#contextTables.get(type.name);
    if (known !== undefined) return known;
    const table = type.accessTable();
    const address = this.core.exports.allocate(table.byteLength) >>> 0;
    this.core.write(address, new Uint8Array(table.buffer, table.byteOffset, table.byteLength));
    this.#contextTables.set(type.name, address);
    return address;
  }

  /** @internal Takes the next program descriptor. */
  addProgram(program: Program): number {
    const { layout } = this.core;
    if (this.#programs.length >= layout.PROGRAMS_MAX)
      throw new OffkernelError(`a machine holds no more than ${layout.PROGRAMS_MAX} programs`);
    this.#programs.push(program);
    return layout.PROGRAMS + (this.#programs.length - 1) * ProgramField.SIZE;
  }

  /** @internal The program with that descriptor address. */
  programAt(descriptor: number): Program | undefined {
    return this.#programs[(descriptor - this.core.layout.PROGRAMS) / ProgramField.SIZE];
  }

  /** @internal */
  kfuncIndex(name: string): number {
    const known = this.#kfuncs.findIndex((kfunc) => kfunc.name === name);
    return known >= 0 ? known : this.#kfuncs.push({ name, run: undefined }) - 1;
  }

  /** @internal Names of programs and maps stored in slot maps. */
  readonly slotNames: SlotNames = {
    nameOf: (map, stored) =>
      map.type === MapType.PROG_ARRAY
        ? this.programAt(stored)?.name
        : this.maps.find((candidate) => candidate.handle === stored)?.name,
    valueOf: (map, name) => {
      if (map.type === MapType.PROG_ARRAY) {
        const program = this.#programs.find((candidate) => candidate.name === name);
        if (!program) throw new UsageError(`map ${map.name}: no program is named ${name}`);
        return program.descriptor;
      }
      return this.map(name).handle;
    },
  };

  /** @internal Message of the host for the fault that just ended a run. */
  get hostMessage(): string {
    return this.#message;
  }

  /** @internal */
  beginRun(program: Program): void {
    this.frame.programType = program.spec.type;
    this.frame.attachType = program.spec.attachType;
    this.frame.events.length = 0;
    this.frame.accesses.length = 0;
    this.frame.assignedSocket = undefined;
    this.#message = '';
  }

  /** @internal Events and map accesses of the run so far; the core's log is emptied. */
  takeLog(): RunLog {
    this.#drain();
    const { events, accesses } = this.frame;
    return { events: events.splice(0), accesses: accesses.splice(0) };
  }

  /** Address behind the last map descriptor; the first is that of map 1. */
  get #mapsEnd(): number {
    return this.core.layout.MAPS + (this.maps.length + 1) * MapField.SIZE;
  }

  #setMode(id: number, mode: number): void {
    if (id >= 0 && id < this.core.layout.HELPER_MODES_SIZE) this.core.bytes[this.core.layout.HELPER_MODES + id] = mode;
  }

  #drain(): void {
    readLog(this.core, (handle) => this.maps.find((map) => map.handle === handle), this.frame);
    this.core.setRun32(RunState.EVENTS_USED, 0);
  }

  #hostHelper(id: number): number {
    const run = this.#overrides.get(id) ?? HOST_HELPERS.get(id);
    const helper = helperById(id) ?? {
      id,
      name: `helper_${id}`,
      args: [],
      returns: 's64' as const,
      where: 'host' as const,
      invalidates: false,
    };
    // Records of the core that came before must stay before what this helper emits.
    if (this.core.run32(RunState.EVENTS_USED)) this.#drain();
    this.#call.helper = helper;
    return this.#guarded(run);
  }

  #hostKfunc(index: number): number {
    const kfunc = this.#kfuncs[index];
    if (!kfunc?.run) {
      this.#message = `kfunc ${kfunc?.name ?? index}`;
      this.core.exports.raise(FaultKind.UNKNOWN_HELPER, 0n, 0, false, index);
      return 1;
    }
    this.#call.helper = { id: 0, name: kfunc.name, args: [], returns: 's64', where: 'host', invalidates: false };
    return this.#guarded(kfunc.run);
  }

  /** Runs host code; whatever it throws becomes a fault of the program, so that no exception crosses the core. */
  #guarded(run: HostHelper | undefined): number {
    try {
      if (!run) throw new OffkernelError('no implementation');
      this.core.setRegister(0, BigInt(run(this.#call)));
      return 0;
    } catch (error) {
      if (!(error instanceof HelperFault)) {
        this.#message = error instanceof Error ? error.message : String(error);
        this.core.exports.raise(FaultKind.HOST, 0n, 0, false, this.#call.helper.id);
      } else {
        this.#message = this.#call.message;
        this.core.exports.raise(FaultKind.BAD_HELPER_ARGUMENT, 0n, 0, false, this.#call.helper.id);
      }
      return 1;
    }
  }
}

export { type Fault, formatFault, formatFaultLong } from './fault.js';
export { LoadedObject, type LoadOptions } from './loaded.js';
export { BpfMap } from './map.js';
export type { MapAccess, MapChange, Outcome, Redirect, RunEvent } from './outcome.js';
export type { SkbInput } from './prepare.js';
export { Program, type RunInput } from './program.js';
export type { SkbTunnel, TunnelMetadata } from './tunnel.js';
/** Opcode numbers of decoded instructions, for tools that read the code region. */
export { Op };
