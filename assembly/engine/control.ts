/** Helpers that change where execution goes on: tail_call, loop, for_each_map_elem. */
import { Errno, FaultKind, MapType, ProgramField, RunState } from "../abi";
import { forbid } from "../check";
import { iterNext, iterSlotKey, iterSlotValue, iterStart } from "../maps/iterate";
import { isMapHandle, mapType } from "../maps/descriptor";
import { recordTailCall } from "../maps/record";
import { progArrayGet } from "../maps/slots";
import { CONTEXTS, STACK, STACK_FRAME, STACK_STRIDE, TAIL_CALL_LOG } from "../memory";
import { error, faulted, raise, register, run32, setRegister, setRun32 } from "../state";
import { FRAME_CALLBACK, FrameKind, enterFrame, frameSlot, isFunction, leaveFrame } from "./frames";

/** Successful tail calls per run (kernel MAX_TAIL_CALL_CNT). */
export const MAX_TAIL_CALLS: u32 = 33;
/** bpf_loop's limit (kernel BPF_MAX_LOOPS). */
const MAX_LOOPS: u32 = 8 * 1024 * 1024;

const INSTRUCTION: u32 = 16;

// Callback state in the frame slot, relative to FRAME_CALLBACK.
const CALLBACK: u32 = 0; // u32 code address
const ROUND: u32 = 4; // u32 rounds done
const LIMIT: u32 = 8; // u32 rounds wanted
const MAP: u32 = 12; // u32 map descriptor
const CONTEXT: u32 = 16; // u64 callback context
const CURSOR: u32 = 24; // 32 bytes of iteration state

/** Runs one of the control helpers called at `pc`; returns the pc to go on at. */
export function controlHelper(id: u32, pc: u32): u32 {
  setRun32(RunState.HELPER, id);
  let next = pc + INSTRUCTION;
  switch (id) {
    case 12:
      next = tailCall(pc);
      break;
    case 164:
      next = forEach(next);
      break;
    default:
      next = loop(next);
  }
  if (!faulted()) setRun32(RunState.HELPER, 0);
  return next;
}

/** tail_call(ctx, prog_array, index): replaces the current frame; a miss falls through and does not count. */
function tailCall(pc: u32): u32 {
  const fallThrough = pc + INSTRUCTION;
  if (register(1) != <u64>CONTEXTS) {
    raise(FaultKind.BAD_HELPER_ARGUMENT, register(1), 0, false, 1);
    return fallThrough;
  }
  const map = register(2);
  if (!isMapHandle(map) || mapType(<u32>map) != MapType.PROG_ARRAY) {
    raise(FaultKind.BAD_HELPER_ARGUMENT, map, 0, false, 2);
    return fallThrough;
  }
  const calls = run32(RunState.TAIL_CALLS);
  if (calls >= MAX_TAIL_CALLS) return fallThrough;
  const program = progArrayGet(<u32>map, <u32>register(3));
  recordTailCall(<u32>map, <u32>register(3), program);
  if (!program) return fallThrough;
  setRun32(RunState.TAIL_CALLS, calls + 1);
  store<u32>(TAIL_CALL_LOG + (calls << 2), program);
  setRun32(RunState.PROGRAM, program);
  if (run32(RunState.TRACK_UNINITIALISED)) {
    forbid(STACK + run32(RunState.DEPTH) * STACK_STRIDE, STACK_FRAME);
  }
  return load<u32>(program, ProgramField.ENTRY);
}

/** Checks a callback argument before a frame is opened. */
function checkCallback(target: u64, argument: u32): bool {
  if (isFunction(target)) return true;
  raise(FaultKind.BAD_HELPER_ARGUMENT, target, 0, false, argument);
  return false;
}

/** loop(n, callback, context, flags): callback(index, context) until it returns non-zero. */
function loop(returnTo: u32): u32 {
  const rounds = <u32>register(1);
  const target = register(2);
  const context = register(3);
  const flags = register(4);
  if (!checkCallback(target, 2)) return returnTo;
  if (flags != 0 || rounds > MAX_LOOPS) {
    setRegister(0, error(flags != 0 ? Errno.EINVAL : Errno.E2BIG));
    return returnTo;
  }
  if (rounds == 0) {
    setRegister(0, 0);
    return returnTo;
  }
  const pc = enterFrame(target, returnTo, FrameKind.LOOP);
  if (!pc) return returnTo;
  const state = frameSlot(run32(RunState.DEPTH)) + FRAME_CALLBACK;
  store<u32>(state, <u32>target, CALLBACK);
  store<u32>(state, 0, ROUND);
  store<u32>(state, rounds, LIMIT);
  store<u64>(state, context, CONTEXT);
  setRegister(1, 0);
  setRegister(2, context);
  return pc;
}

/** for_each_map_elem(map, callback, context, flags): callback(map, &key, &value, context) until it returns non-zero. */
function forEach(returnTo: u32): u32 {
  const map = register(1);
  const target = register(2);
  const context = register(3);
  if (!isMapHandle(map)) {
    raise(FaultKind.BAD_HELPER_ARGUMENT, map, 0, false, 1);
    return returnTo;
  }
  if (!checkCallback(target, 2)) return returnTo;
  if (register(4) != 0) {
    setRegister(0, error(Errno.EINVAL));
    return returnTo;
  }
  const pc = enterFrame(target, returnTo, FrameKind.FOR_EACH);
  if (!pc) return returnTo;
  const slot = frameSlot(run32(RunState.DEPTH));
  const state = slot + FRAME_CALLBACK;
  store<u32>(state, <u32>target, CALLBACK);
  store<u32>(state, 0, ROUND);
  store<u32>(state, <u32>map, MAP);
  store<u64>(state, context, CONTEXT);
  if (!iterStart(<u32>map, state + CURSOR)) {
    raise(FaultKind.BAD_HELPER_ARGUMENT, map, 0, false, 1);
    return returnTo;
  }
  // The first round is prepared as the end of an imaginary round before it.
  setRegister(0, 0);
  store<u32>(state, <u32>-1, ROUND);
  return leaveFrame();
}

/**
 * Called when a callback frame exits. Returns the callback's address with the arguments of the next round set, or 0
 * when the helper is done (r0 = rounds made, the stopping one included).
 */
export function nextRound(slot: u32, kind: FrameKind): u32 {
  const state = slot + FRAME_CALLBACK;
  const done = load<u32>(state, ROUND) + 1;
  const stopped = register(0) != 0;
  store<u32>(state, done, ROUND);
  if (kind == FrameKind.LOOP) {
    if (stopped || done == load<u32>(state, LIMIT)) {
      setRegister(0, <u64>done);
      return 0;
    }
    setRegister(1, <u64>done);
    setRegister(2, load<u64>(state, CONTEXT));
    return load<u32>(state, CALLBACK);
  }
  const map = load<u32>(state, MAP);
  if (stopped || !iterNext(map, state + CURSOR)) {
    setRegister(0, <u64>done);
    return 0;
  }
  setRegister(1, <u64>map);
  setRegister(2, <u64>iterSlotKey(state + CURSOR));
  setRegister(3, <u64>iterSlotValue(state + CURSOR));
  setRegister(4, load<u64>(state, CONTEXT));
  return load<u32>(state, CALLBACK);
}
