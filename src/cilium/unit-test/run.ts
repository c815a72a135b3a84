import type { FormatMemory } from '../../helpers/format.js';
import { formatFault } from '../../machine/fault.js';
import type { LoadedObject } from '../../machine/loaded.js';
import { Machine, type MachineOptions, type Snapshot } from '../../machine/machine.js';
import type { BpfMap } from '../../machine/map.js';
import type { Outcome } from '../../machine/outcome.js';
import type { Program } from '../../machine/program.js';
import type { TraceSink } from '../../machine/trace.js';
import type { ObjectSpec, ProgramSpec } from '../../object/spec.js';
import { carriedContext } from './context.js';
import { formatLog } from './log.js';
import { MISMATCH_SIZE, readMismatches } from './packet-mismatch.js';
import { isFailure, type LogLine, type UnitTestResult } from './result.js';
import { sourceLineOf } from './source-lines.js';
import { abortsTest, statusOf, type TestStatus } from './status.js';
import { readSuiteResult, type WrittenLog } from './suite-result.js';
import { findUnitTests, type Stage, type UnitTest } from './tests.js';

/** Instructions a program may execute; the port allocation tests of NAT take 70 million. */
const BUDGET = 1_000_000_000n;
/** The first packet of a test: what BPF_PROG_TEST_RUN leaves of a page for xdp, zeros, for tc too (Cilium's runner). */
const FIRST_PACKET = 4096 - 256 - 320;
const STAGES: readonly Stage[] = ['pktgen', 'setup', 'check'];

export interface RunnerOptions {
  /** Puts maps and globals back before every test. By default they persist over the tests of an object. */
  isolate?: boolean;
  /** Adds to the execution counts of the object's programs. */
  coverage?: boolean;
  machine?: MachineOptions;
}

/** Runs the unit tests of one object as Cilium's runner (bpf/tests/bpftest) does on a kernel. */
export class UnitTestRunner {
  readonly object: LoadedObject;
  readonly tests: readonly UnitTest[];
  readonly #options: RunnerOptions;
  readonly #programs: ReadonlyMap<ProgramSpec, Program>;
  readonly #memory: FormatMemory;
  readonly #fresh: Snapshot | undefined;
  #mismatches = 0;

  /** Loads the object into a machine of its own. Throws LoadError for an object or a test that cannot be. */
  constructor(spec: ObjectSpec, options: RunnerOptions = {}) {
    this.tests = findUnitTests(spec);
    this.#options = options;
    this.object = Machine.create({ budget: BUDGET, ...options.machine }).load(spec);
    this.#programs = new Map(this.object.programs.map((program) => [program.spec, program]));
    this.#memory = machineMemory(this.object.machine);
    this.#fresh = options.isolate ? this.object.machine.snapshot() : undefined;
  }

  /** Runs one test. Never throws for what the programs do: that is an `error`. */
  run(test: UnitTest, trace?: (stage: Stage) => TraceSink): UnitTestResult {
    if (this.#fresh) {
      this.object.machine.restore(this.#fresh);
      this.#mismatches = 0;
    }
    const run = new StagedRun(this.#options, trace);
    let last: Outcome | undefined;
    for (const stage of STAGES) {
      const spec = test[stage];
      if (!spec) continue;
      if (stage === 'check' && test.setup && last) run.prependStatus(last.retval);
      last = run.run(stage, this.#programs.get(spec)!);
      if (last.fault || (stage !== 'check' && abortsTest(last.retval))) break;
    }
    const result = this.#result(test, run, last!);
    this.#clear('suite_result_map');
    this.#clear('mock_skb_meta_map');
    return result;
  }

  /** Disposes of the object's machine; results stay. */
  dispose(): void {
    this.object.machine.dispose();
  }

  #result(test: UnitTest, run: StagedRun, last: Outcome): UnitTestResult {
    const map = this.object.maps.get('suite_result_map');
    const written = readSuiteResult(map?.getBytes(firstKey(map)) ?? new Uint8Array());
    const log = this.#log(written.log);
    const { status, remark } = verdictOf(run.stage, last);
    if (remark) log.push({ text: remark, source: undefined });
    const subtests = written.results.map((result) => ({
      name: result.name,
      status: statusOf(result.status) ?? 'error',
      log: this.#log(result.log),
    }));
    return {
      name: test.name,
      status: status === 'pass' && subtests.some((subtest) => isFailure(subtest.status)) ? 'fail' : status,
      subtests,
      log,
      mismatches: this.#newMismatches(),
      events: run.events,
      fault: last.fault,
      instructions: run.instructions,
    };
  }

  #log(lines: readonly WrittenLog[]): LogLine[] {
    return lines.map((line) => {
      const text = formatLog(line, this.#memory);
      return { text, source: sourceLineOf(this.object.spec, text) };
    });
  }

  #newMismatches(): UnitTestResult['mismatches'] {
    const map = this.object.maps.get('scapy_assert_map');
    if (map?.valueSize !== MISMATCH_SIZE) return [];
    const found = readMismatches(map, this.#mismatches);
    this.#mismatches += found.length;
    return found;
  }

  #clear(name: string): void {
    const map = this.object.maps.get(name);
    map?.setBytes(firstKey(map), new Uint8Array(map.valueSize));
  }
}

/** One test on its way: what a stage leaves is what the next one gets. */
class StagedRun {
  readonly #options: RunnerOptions;
  readonly #trace: ((stage: Stage) => TraceSink) | undefined;
  readonly events: UnitTestResult['events'][number][] = [];
  stage: Stage = 'pktgen';
  instructions = 0n;
  #packet = new Uint8Array(FIRST_PACKET);
  #context: Uint8Array | undefined;

  constructor(options: RunnerOptions, trace: ((stage: Stage) => TraceSink) | undefined) {
    this.#options = options;
    this.#trace = trace;
  }

  run(stage: Stage, program: Program): Outcome {
    this.stage = stage;
    const outcome = program.run({
      packet: this.#packet,
      context: program.spec.type === 'xdp' ? undefined : (this.#context ?? new Uint8Array(program.contextType.size)),
      coverage: this.#options.coverage,
      trace: this.#trace?.(stage),
    });
    this.#packet = new Uint8Array(outcome.packet ?? this.#packet);
    this.#context = program.spec.type === 'xdp' ? undefined : carriedContext(program.contextType, outcome.context);
    this.instructions += outcome.instructions;
    for (const event of outcome.events) this.events.push({ stage, event });
    return outcome;
  }

  /** Puts SETUP's return value in front of the packet, as CHECK expects it: 4 bytes little-endian. */
  prependStatus(retval: number): void {
    const packet = new Uint8Array(4 + this.#packet.length);
    new DataView(packet.buffer).setUint32(0, retval, true);
    packet.set(this.#packet, 4);
    this.#packet = packet;
  }
}

/** Status by the stage that ran last, and what to say beside the programs' own log. */
function verdictOf(stage: Stage, { fault, retval }: Outcome): { status: TestStatus; remark?: string } {
  if (fault) return { status: 'error', remark: `${stage}: ${formatFault(fault)}` };
  const status = statusOf(retval);
  if (stage !== 'check') return { status: status ?? 'error', remark: `${stage} ended the test with ${status}` };
  if (status === undefined) return { status: 'error', remark: `check returned ${retval}, which is no status` };
  return { status, ...(status === 'error' ? { remark: `check returned ${retval}, an error of the test itself` } : {}) };
}

function firstKey(map: BpfMap): Uint8Array {
  return new Uint8Array(map.keySize);
}

/** Memory that arguments of log lines point to. */
function machineMemory({ core }: Machine): FormatMemory {
  const isInside = (address: bigint, length: number): boolean =>
    address >= 4096n && address + BigInt(length) <= BigInt(core.bytes.length);
  return {
    bytes: (address, length) => (isInside(address, length) ? core.copy(Number(address), length) : undefined),
    string: (address, limit) => {
      if (!isInside(address, 1)) return undefined;
      const bytes = core.copy(Number(address), limit);
      const end = bytes.indexOf(0);
      return end < 0 ? undefined : bytes.subarray(0, end);
    },
  };
}
