/** Entering and leaving runs, and what the host needs to lay out memory. */
import { ProgramField, RunState, Status } from "../abi";
import { forbid } from "../check";
import { heapInit, heapTop } from "../heap";
import {
  CODE,
  CONTEXTS,
  COUNTERS,
  FRAMES,
  FRAME_SLOTS,
  HEAP,
  PACKET_STATE,
  PACKET_STATE_SIZE,
  READABLE,
  REGISTERS,
  STACK,
  STACK_FRAME,
  STACK_STRIDE,
} from "../memory";
import { run32, setRegister, setRun32, setRun64 } from "../state";
import { openStack } from "./frames";
import { resume } from "./interpreter";

export { canRead, checkRead, checkWrite, forbid, permit } from "../check";
export { allocate, free, heapTop } from "../heap";
export * from "../memory";
export { raise } from "../state";
export { resume };

/** Prepares an empty machine. */
export function init(): void {
  heapInit();
}

/** Makes a used machine as empty as a new one. `codeEnd` is the address behind the last instruction. */
export function reset(codeEnd: u32): void {
  const heapSize = heapTop() - HEAP;
  // READABLE follows what is of fixed size; of the regions behind it only the used part is touched.
  forbid(0, READABLE);
  forbid(HEAP, heapSize);
  memory.fill(REGISTERS, 0, PACKET_STATE + PACKET_STATE_SIZE - REGISTERS);
  memory.fill(FRAMES, 0, READABLE - FRAMES);
  memory.fill(CODE, 0, codeEnd - CODE);
  memory.fill(COUNTERS, 0, (codeEnd - CODE) >>> 2);
  memory.fill(HEAP, 0, heapSize);
  init();
}

/**
 * Starts a run of `program` (a descriptor): registers, frame 0, cleared fault and redirect. r1 is the context slot; the
 * host changes it (and r2) afterwards for raw bytecode. The inputs of RunState are the host's.
 */
export function begin(program: u32): void {
  setRun32(RunState.PROGRAM, program);
  setRun32(RunState.PROGRAM_KIND, load<u32>(program, ProgramField.KIND));
  setRun32(RunState.PC, load<u32>(program, ProgramField.ENTRY));
  setRun32(RunState.DEPTH, 0);
  setRun32(RunState.TAIL_CALLS, 0);
  setRun32(RunState.FAULT_KIND, 0);
  setRun32(RunState.HELPER, 0);
  setRun32(RunState.REDIRECT_KIND, 0);
  setRun32(RunState.EVENTS_USED, 0);
  for (let n: u32 = 0; n < 10; n++) setRegister(n, 0);
  setRegister(1, <u64>CONTEXTS);
  openStack(0);
}

/** Ends a run: no stack frame stays accessible. */
export function finish(): void {
  const depth = min(run32(RunState.DEPTH), FRAME_SLOTS - 1);
  for (let d: u32 = 0; d <= depth; d++) forbid(STACK + d * STACK_STRIDE, STACK_FRAME);
}

/** Runs `program` again and again on the packet and context as they are; stops at the first fault. Returns the runs made. */
export function runMany(program: u32, times: u32, budget: u64): u32 {
  for (let i: u32 = 0; i < times; i++) {
    setRun64(RunState.BUDGET, budget);
    begin(program);
    const status = resume();
    finish();
    if (status != Status.EXIT) return i;
  }
  return times;
}
