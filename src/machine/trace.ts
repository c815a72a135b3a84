import { RunState, Status } from '../../assembly/abi.js';
import { describeCall } from '../helpers/describe.js';
import type { HelperSpec } from '../helpers/helper.js';
import { helperById } from '../helpers/table.js';
import { disassemble } from '../isa/disassemble.js';
import type { LineInfo, ObjectSpec } from '../object/spec.js';
import type { LinkedFunction } from './link.js';
import type { Machine } from './machine.js';

/** One executed instruction. */
export interface TraceStep {
  function: string;
  /** Call depth, 0 = the program. */
  depth: number;
  instruction: number;
  /** Disassembly, maps and functions named. */
  text: string;
  /** Line info entry that starts a new source line at this instruction, if one does. */
  line: LineInfo | undefined;
  /** Registers that changed, new values. */
  changes: { register: number; value: bigint }[];
  /** Helper call with decoded arguments and result. */
  call: string | undefined;
  /** Function entered by a tail call at this instruction. */
  tailCall: string | undefined;
}

export type TraceSink = (step: TraceStep) => void;

/** Watches a single-stepped run and reports every instruction to a sink. */
export class Tracer {
  readonly #machine: Machine;
  readonly #sink: TraceSink;
  #registers: bigint[] = [];
  #pc = 0;
  #depth = 0;
  #tailCalls = 0;
  #lastLine: LineInfo | undefined;
  #arguments: bigint[] = [];

  constructor(machine: Machine, sink: TraceSink) {
    this.#machine = machine;
    this.#sink = sink;
  }

  #readRegisters(): bigint[] {
    return Array.from({ length: 11 }, (_, n) => this.#machine.core.register(n));
  }

  /** Notes the state before an instruction. */
  before(): void {
    const { core } = this.#machine;
    this.#registers = this.#readRegisters();
    this.#arguments = this.#registers.slice(1, 6);
    this.#pc = core.run32(RunState.PC);
    this.#depth = core.run32(RunState.DEPTH);
    this.#tailCalls = core.run32(RunState.TAIL_CALLS);
  }

  /** Reports the instruction that was just executed. */
  after(status: Status): void {
    const { core } = this.#machine;
    const found = this.#machine.code.find(this.#pc);
    if (!found) return;
    const { linked, instruction } = found;
    const bytes = linked.spec.instructions.subarray(instruction * 8, instruction * 8 + 16);
    const now = this.#readRegisters();
    const line = startOfLine(linked.spec.lines, instruction);
    const tailCalled = core.run32(RunState.TAIL_CALLS) > this.#tailCalls;
    const helper = helperOf(bytes);
    const isNewLine = line !== undefined && (line.file !== this.#lastLine?.file || line.line !== this.#lastLine?.line);
    if (line) this.#lastLine = line;
    this.#sink({
      function: linked.spec.name,
      depth: this.#depth,
      instruction,
      text: this.#text(linked, instruction, bytes),
      line: isNewLine ? line : undefined,
      changes: now.flatMap((value, register) => (value !== this.#registers[register] ? [{ register, value }] : [])),
      call: helper && status !== Status.FAULT ? this.#describe(helper, now[0]!) : undefined,
      tailCall: tailCalled ? this.#machine.code.find(core.run32(RunState.PC))?.linked.spec.name : undefined,
    });
  }

  #text(linked: LinkedFunction, instruction: number, bytes: Uint8Array): string {
    const relocation = linked.spec.relocations.find((candidate) => candidate.instruction === instruction);
    const text = disassemble(bytes, { helperName: (id) => helperById(id)?.name });
    if (!relocation) return text;
    const target = text.split(' = ')[0];
    switch (relocation.kind) {
      case 'map':
        return `${target} = map ${relocation.map}`;
      case 'data':
        return `${target} = &${dataName(linked.object, relocation.map, relocation.offset)}`;
      case 'constant':
        return `${target} = ${relocation.variable ?? relocation.section}`;
      case 'callback':
        return `${target} = &${linked.object.functions[relocation.function]?.name}`;
      case 'call':
        return `call ${linked.object.functions[relocation.function]?.name}`;
      case 'kfunc':
        return `call ${relocation.name}`;
      default:
        return text;
    }
  }

  #describe(helper: HelperSpec, result: bigint): string {
    const machine = this.#machine;
    const { core } = machine;
    const mapAt = (handle: bigint) => machine.maps.find((map) => BigInt(map.handle) === handle);
    return describeCall(helper, this.#arguments, result, {
      readMemory: (address, length) => {
        const inMemory = address >= 4096n && address + BigInt(length) <= BigInt(core.bytes.length);
        return inMemory ? core.copy(Number(address), length) : undefined;
      },
      map: (handle) => {
        const map = mapAt(handle);
        return (
          map && {
            name: map.name,
            keySize: map.keySize,
            valueSize: map.valueSize,
            formatKey: (bytes) => map.formatKey(bytes),
            formatValue: (bytes) => map.formatValue(bytes),
          }
        );
      },
    });
  }
}

/** The variable at an offset of a data section, `name+offset` inside of one, the section where there is none. */
function dataName(object: ObjectSpec, section: string, offset: number): string {
  const variable = object.variables.find(
    (candidate) =>
      candidate.section === section && candidate.offset <= offset && offset < candidate.offset + candidate.size,
  );
  if (!variable) return `${section}+${offset}`;
  return offset === variable.offset ? variable.name : `${variable.name}+${offset - variable.offset}`;
}

/** The helper a call instruction names, undefined for anything else. */
function helperOf(bytes: Uint8Array): HelperSpec | undefined {
  if (bytes[0] !== 0x85 || (bytes[1] ?? 0) >> 4 !== 0) return undefined;
  const id = new DataView(bytes.buffer, bytes.byteOffset).getInt32(4, true);
  return helperById(id);
}

/** The line entry that begins exactly at an instruction. */
function startOfLine(lines: readonly LineInfo[], instruction: number): LineInfo | undefined {
  return lines.find((line) => line.instruction === instruction);
}
