import { FaultKind, Packet, ProgramKind, RunState, Status } from '../../assembly/abi.js';
import { type ContextType, contextFor, decodeContext, encodeContext } from '../contexts/context.js';
import { UsageError } from '../errors.js';
import type { Socket } from '../helpers/helper.js';
import { SOCKET_OFFSETS } from '../helpers/own-socket.js';
import { helperById } from '../helpers/table.js';
import { DECODED_SIZE } from '../isa/decode.js';
import type { LineInfo, ProgramSpec } from '../object/spec.js';
import { countExecutions, type ExecutionCounts } from './coverage.js';
import { FAULT_NAMES, type Fault, type FrameInfo } from './fault.js';
import { type LinkedFunction, programKind, writeProgram } from './link.js';
import type { LoadedObject } from './loaded.js';
import type { Machine } from './machine.js';
import type { BpfMap } from './map.js';
import { type MapChange, type Outcome, type Redirect, verdictName } from './outcome.js';
import { preparePacket, prepareSkb, type SkbInput, startsAtL3 } from './prepare.js';
import { locate } from './region.js';
import { Tracer, type TraceSink } from './trace.js';
import { tunnelOf } from './tunnel.js';

export interface RunInput {
  /** Packet from the L2 header on. Default: 64 zero bytes for packet programs. */
  packet?: Uint8Array;
  /** Context fields by name (`{ mark: 1, cb: [1, 2] }`) or raw bytes (for tracing programs the whole context). */
  context?: Readonly<Record<string, unknown>> | Uint8Array;
  /** xdp metadata in front of the packet (multiple of 4 bytes). */
  metadata?: Uint8Array;
  /** What the skb carries besides the context fields. */
  skb?: SkbInput;
  /**
   * The socket the run is for: of the skb, or of a socket address hook; null: none. Default: an skb gets the one
   * BPF_PROG_TEST_RUN attaches, a hook an unnamed one.
   */
  socket?: Socket | null;
  /** Overrides of the machine's inputs for this run on. */
  cpu?: number;
  clock?: bigint;
  budget?: bigint;
  /** Runs with the same packet and context, as BPF_PROG_TEST_RUN's repeat; the last one's outcome is returned. Default 1. */
  repeat?: number;
  /** Called for every instruction. */
  trace?: TraceSink;
  /** Lists changed map elements in the outcome. */
  recordMaps?: boolean;
  /** Lists in the outcome what helpers looked up, wrote and deleted in maps. */
  recordAccesses?: boolean;
  /** First registers at entry from r1 on, instead of the context pointer (raw bytecode). */
  registers?: readonly bigint[];
  /** Adds to the execution counts of {@link Program.executions}. */
  coverage?: boolean;
}

const REDIRECTS = [undefined, 'redirect', 'redirect_peer', 'redirect_neigh', 'redirect_map'] as const;
const EMPTY_PACKET = 64;

/** A linked program of a loaded object. */
export class Program {
  readonly object: LoadedObject;
  readonly spec: ProgramSpec;
  readonly kind: ProgramKind;
  readonly contextType: ContextType;
  /** Address of the descriptor (what a prog array holds). @internal */
  readonly descriptor: number;
  readonly #linked: LinkedFunction;
  readonly #functions: readonly LinkedFunction[];
  readonly #table: number;

  /** @internal */
  constructor(object: LoadedObject, spec: ProgramSpec, linked: LinkedFunction, functions: readonly LinkedFunction[]) {
    const { machine } = object;
    this.object = object;
    this.spec = spec;
    this.kind = programKind(spec.type);
    this.contextType = contextFor(spec.type, spec.attachType);
    this.#linked = linked;
    this.#functions = functions;
    this.#table = machine.contextTable(this.contextType);
    this.descriptor = machine.addProgram(this);
    writeProgram(machine.core, this.descriptor, {
      entry: linked.address,
      kind: this.kind,
      id: 0,
      contextTable: this.#table,
      frags: spec.frags,
    });
  }

  get name(): string {
    return this.spec.name;
  }

  get #machine(): Machine {
    return this.object.machine;
  }

  /** How often each instruction of the object's functions was executed in runs with `coverage`. */
  executions(): ExecutionCounts[] {
    return countExecutions(this.#machine.core, this.#functions);
  }

  /**
   * Runs the program as BPF_PROG_TEST_RUN does. Never throws for what the program does: see {@link Outcome.fault}.
   * Throws UsageError for inputs the program type cannot take.
   */
  run(input: RunInput = {}): Outcome {
    const machine = this.#machine;
    const { core } = machine;
    const before = input.recordMaps ? this.#dumpMaps() : undefined;
    this.#setInputs(input);
    machine.beginRun(this);
    machine.sockets.reset();
    this.#prepare(input);
    core.setRun64(RunState.BUDGET, input.budget ?? machine.inputs.budget);
    core.setRun32(RunState.TRACK_UNINITIALISED, machine.trackUninitialised ? 1 : 0);
    core.setRun32(RunState.COVERAGE, input.coverage ? 1 : 0);
    core.setRun32(RunState.RECORD_ACCESSES, input.recordAccesses ? 1 : 0);
    const repeat = Math.max(1, input.repeat ?? 1);
    for (let round = 1; round < repeat; round++) {
      if (this.#execute(input, undefined) === Status.FAULT) break;
      machine.takeLog();
    }
    const faulted = repeat > 1 && core.run32(RunState.FAULT_KIND) !== FaultKind.NONE;
    if (!faulted) this.#execute(input, input.trace);
    return this.#outcome(input, before);
  }

  /**
   * Only runs, for benchmarks and fuzzing: packet and context are those the last {@link run} or round left, as with
   * BPF_PROG_TEST_RUN's repeat. Returns r0's low 32 bits of the last round, undefined if one faulted.
   */
  rerun(times: number): number | undefined {
    const { core, inputs } = this.#machine;
    core.setRun32(RunState.SINGLE_STEP, 0);
    const made = (core.exports.runMany as (program: number, times: number, budget: bigint) => number)(
      this.descriptor,
      times,
      inputs.budget,
    );
    return made === times ? Number(core.register(0) & 0xffffffffn) : undefined;
  }

  #setInputs(input: RunInput): void {
    const { core, inputs } = this.#machine;
    if (input.cpu !== undefined && (input.cpu < 0 || input.cpu >= inputs.cpus))
      throw new UsageError(`cpu must be 0..${inputs.cpus - 1}, not ${input.cpu}`);
    core.setRun32(RunState.CPU, input.cpu ?? inputs.cpu);
    if (input.clock !== undefined) core.setRun64(RunState.CLOCK_NS, input.clock);
  }

  #prepare(input: RunInput): void {
    const machine = this.#machine;
    const { core } = machine;
    const { CONTEXTS, CONTEXT_TABLES, CONTEXT_SLOT_SIZE } = core.layout;
    machine.frame.hasPacket = this.kind !== ProgramKind.RAW;
    (core.exports.packetReset as () => void)();
    core.bytes.fill(0, CONTEXTS, CONTEXTS + CONTEXT_SLOT_SIZE);
    core.setU32(CONTEXT_TABLES, this.#table);
    const given = input.context;
    const bytes = given instanceof Uint8Array ? given : encodeContext(this.contextType, given ?? {});
    if (bytes.length > CONTEXT_SLOT_SIZE)
      throw new UsageError(`the context has ${bytes.length} bytes; at most ${CONTEXT_SLOT_SIZE} are possible`);
    core.write(CONTEXTS, bytes);
    if (input.skb && this.kind !== ProgramKind.SKB) throw new UsageError('only programs on skbs take skb state');
    if (this.kind === ProgramKind.RAW) {
      const offset = SOCKET_OFFSETS[this.spec.type];
      if (input.socket && offset !== undefined) core.setU64(CONTEXTS + offset, machine.sockets.expose(input.socket));
      return;
    }
    const metadata = input.metadata ?? new Uint8Array();
    if (metadata.length && this.kind !== ProgramKind.XDP) throw new UsageError('only xdp programs take metadata');
    if (metadata.length % 4) throw new UsageError(`metadata must be a multiple of 4 bytes, not ${metadata.length}`);
    const packet = input.packet ?? new Uint8Array(EMPTY_PACKET);
    if (packet.length > MAX_PACKET)
      throw new UsageError(`the packet has ${packet.length} bytes; at most ${MAX_PACKET} are possible`);
    const all = new Uint8Array(metadata.length + packet.length);
    all.set(metadata);
    all.set(packet, metadata.length);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const ifindex = this.kind === ProgramKind.SKB && bytes.length >= 44 ? view.getUint32(40, true) : 0;
    const device =
      machine.environment.devices.find((candidate) => candidate.ifindex === (ifindex || 1)) ??
      machine.environment.devices[0];
    if (!device) throw new UsageError('the environment has no network device');
    const named =
      given instanceof Uint8Array ? undefined : this.contextType.fields.filter((field) => given && field.name in given);
    preparePacket(
      core,
      this.kind,
      this.spec.type,
      { bytes: all, metaLength: metadata.length, hasContext: given !== undefined, device, socket: input.socket },
      (offset) =>
        named
          ? named.some((field) => field.offset === offset)
          : offset + 4 <= bytes.length && view.getUint32(offset, true) !== 0,
      (socket) => machine.sockets.expose(socket),
    );
    if (input.skb) prepareSkb(core, input.skb);
  }

  #execute(input: RunInput, trace: TraceSink | undefined): Status {
    const { core } = this.#machine;
    core.exports.begin(this.descriptor);
    for (const [n, value] of (input.registers ?? []).entries()) core.setRegister(n + 1, value);
    if (!trace) {
      core.setRun32(RunState.SINGLE_STEP, 0);
      return core.exports.resume() as Status;
    }
    core.setRun32(RunState.SINGLE_STEP, 1);
    const tracer = new Tracer(this.#machine, trace);
    let status: Status;
    do {
      tracer.before();
      status = core.exports.resume() as Status;
      tracer.after(status);
    } while (status === Status.STEP);
    core.setRun32(RunState.SINGLE_STEP, 0);
    return status;
  }

  #outcome(input: RunInput, before: Map<BpfMap, Map<string, Uint8Array>> | undefined): Outcome {
    const machine = this.#machine;
    const { core } = machine;
    const tailCalls = this.#tailCalls();
    const fault = this.#fault(tailCalls);
    core.exports.finish();
    const r0 = core.register(0);
    const retval = Number(r0 & 0xffffffffn);
    return {
      program: this.name,
      engine: 'interpreter',
      r0,
      retval,
      verdict: fault ? 'FAULT' : verdictName(this.spec.type, retval),
      packet: this.#packetAfter(),
      context: core.copy(core.layout.CONTEXTS, this.contextType.size),
      instructions: (input.budget ?? machine.inputs.budget) - core.run64(RunState.BUDGET),
      tailCalls,
      redirect: this.#redirect(),
      tunnel: this.kind === ProgramKind.SKB ? tunnelOf(core.copy(core.layout.PACKET_STATE, Packet.SIZE)) : undefined,
      assignedSocket: machine.frame.assignedSocket,
      ...machine.takeLog(),
      maps: before ? this.#changes(before) : new Map(),
      fault,
    };
  }

  /** Context of an outcome as named fields. */
  decodeContext(outcome: Outcome): Record<string, unknown> {
    return decodeContext(this.contextType, outcome.context);
  }

  #packetAfter(): Uint8Array | undefined {
    const { core } = this.#machine;
    if (this.kind === ProgramKind.RAW) return undefined;
    const data = core.packet32(Packet.DATA);
    const length = core.packet32(Packet.LENGTH);
    if (this.kind === ProgramKind.XDP) {
      const meta = core.packet32(Packet.META_LENGTH);
      return core.copy(data - meta, length + meta);
    }
    const l2 = startsAtL3(this.spec.type) ? -(core.packet32(Packet.MAC_OFFSET) | 0) : 0;
    return core.copy(data - l2, length + l2);
  }

  #tailCalls(): string[] {
    const machine = this.#machine;
    const { core } = machine;
    return Array.from(
      { length: core.run32(RunState.TAIL_CALLS) },
      (_, i) => machine.programAt(core.u32(core.layout.TAIL_CALL_LOG + i * 4))?.name ?? '?',
    );
  }

  #redirect(): Redirect | undefined {
    const { core } = this.#machine;
    const kind = REDIRECTS[core.run32(RunState.REDIRECT_KIND)];
    if (!kind) return undefined;
    const redirect: Redirect = {
      kind,
      ifindex: core.run32(RunState.REDIRECT_IFINDEX),
      flags: core.run64(RunState.REDIRECT_FLAGS),
    };
    const map = core.run32(RunState.REDIRECT_MAP);
    if (kind === 'redirect_map')
      redirect.map = this.#machine.maps.find((candidate) => candidate.handle === map)?.name ?? '?';
    const length = core.run32(RunState.REDIRECT_NEIGH_LENGTH);
    if (kind === 'redirect_neigh' && length)
      redirect.neighbour = core.copy(core.layout.RUN_STATE + RunState.REDIRECT_NEIGH, Math.min(length, 20));
    return redirect;
  }

  #frameAt(address: number): FrameInfo {
    const found = this.#machine.code.find(address);
    if (!found) return { function: '?', instruction: 0, line: undefined };
    return {
      function: found.linked.spec.name,
      instruction: found.instruction,
      line: lineAt(found.linked.spec.lines, found.instruction),
    };
  }

  #fault(tailCalls: string[]): Fault | undefined {
    const machine = this.#machine;
    const { core } = machine;
    const kind = core.run32(RunState.FAULT_KIND) as FaultKind;
    if (kind === FaultKind.NONE) return undefined;
    const address = core.run64(RunState.FAULT_ADDRESS);
    const here = this.#frameAt(core.run32(RunState.PC));
    const located =
      kind === FaultKind.OUT_OF_BOUNDS ||
      kind === FaultKind.READ_ONLY ||
      kind === FaultKind.UNINITIALISED_STACK ||
      kind === FaultKind.BAD_CONTEXT_ACCESS
        ? locate(core, machine.maps, address, this.contextType.size)
        : { region: undefined };
    const helperId = core.run32(RunState.HELPER);
    const detail = core.run32(RunState.FAULT_DETAIL);
    const calls = [here];
    for (let depth = core.run32(RunState.DEPTH); depth > 0; depth--) {
      const returnTo = core.u32(core.layout.FRAMES + depth * core.layout.FRAME_SLOT_SIZE + 32);
      calls.push(this.#frameAt(returnTo - DECODED_SIZE));
    }
    return {
      kind: kind === FaultKind.OUT_OF_BOUNDS && located.kind ? located.kind : FAULT_NAMES[kind],
      program: tailCalls.at(-1) ?? this.name,
      function: here.function,
      instruction: here.instruction,
      address,
      size: core.run32(RunState.FAULT_SIZE),
      write: core.run32(RunState.FAULT_WRITE) === 1,
      region: located.region,
      line: here.line,
      helper: helperId ? (helperById(helperId)?.name ?? String(helperId)) : undefined,
      detail: machine.hostMessage || describeDetail(kind, detail, address),
      registers: Array.from({ length: 11 }, (_, n) => core.register(n)),
      calls,
      tailCalls,
    };
  }

  #dumpMaps(): Map<BpfMap, Map<string, Uint8Array>> {
    const dump = new Map<BpfMap, Map<string, Uint8Array>>();
    for (const map of new Set([...this.object.maps.values(), ...this.#machine.pinned.values()])) {
      const entries = new Map<string, Uint8Array>();
      for (const [key, value] of map.entryBytes()) entries.set(toHex(key), value);
      dump.set(map, entries);
    }
    return dump;
  }

  #changes(before: Map<BpfMap, Map<string, Uint8Array>>): Map<string, MapChange[]> {
    const changes = new Map<string, MapChange[]>();
    for (const [map, old] of before) {
      const list: MapChange[] = [];
      const seen = new Set<string>();
      for (const [key, after] of map.entryBytes()) {
        const id = toHex(key);
        seen.add(id);
        const was = old.get(id);
        if (!was || !equal(was, after)) list.push({ key, before: was, after });
      }
      for (const [id, was] of old) {
        if (!seen.has(id)) list.push({ key: fromHex(id), before: was, after: undefined });
      }
      if (list.length) changes.set(map.name, list);
    }
    return changes;
  }
}

/** Packets larger than this do not fit a packet buffer with room to grow. */
export const MAX_PACKET = 65536 + 14;

/** The line info entry that holds for an instruction. */
export function lineAt(lines: readonly LineInfo[], instruction: number): LineInfo | undefined {
  let found: LineInfo | undefined;
  for (const line of lines) {
    if (line.instruction > instruction) break;
    found = line;
  }
  return found;
}

function describeDetail(kind: FaultKind, detail: number, address: bigint): string {
  switch (kind) {
    case FaultKind.UNKNOWN_HELPER:
      return `${helperById(detail)?.name ?? 'unknown'} (${detail})`;
    case FaultKind.BAD_HELPER_ARGUMENT:
      return detail ? `argument ${detail} is 0x${address.toString(16)}` : `0x${address.toString(16)}`;
    case FaultKind.CALL_DEPTH:
      return 'more than 8 nested calls';
    case FaultKind.INSTRUCTION_BUDGET:
      return 'the instruction budget is used up (endless loop?)';
    case FaultKind.INVALID_INSTRUCTION:
      return 'invalid instruction';
    case FaultKind.OUT_OF_MEMORY:
      return "the machine's memory limit is reached";
    case FaultKind.BAD_JUMP:
      return `call of 0x${address.toString(16)}, which is no function`;
    default:
      return '';
  }
}

function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}

function fromHex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
