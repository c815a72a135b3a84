/**
 * Call frames. Frame 0 is the program; a call saves r6-r9 and the return address in the slot of the frame it opens.
 * Callback helpers (bpf_loop, for_each_map_elem) open a frame whose exit runs the next round instead of returning, so
 * that the interpreter needs no recursion and can stop at any instruction.
 *
 * Slot: r6-r9 at 0, return address u32 at 32, FrameKind u32 at 36, then the callback state (control.ts).
 */
import { FaultKind, RunState } from "../abi";
import { forbid, permit } from "../check";
import {
  CODE,
  CODE_SIZE,
  FRAMES,
  FRAME_SLOTS,
  FRAME_SLOT_SIZE,
  FUNCTION_MAGIC,
  REGISTERS,
  STACK,
  STACK_FRAME,
  STACK_STRIDE,
} from "../memory";
import { copyBytes } from "../bytes";
import { raise, run32, setRegister, setRun32 } from "../state";
import { nextRound } from "./control";

export const FRAME_RETURN: u32 = 32;
export const FRAME_KIND: u32 = 36;
export const FRAME_CALLBACK: u32 = 40;

export enum FrameKind {
  CALL = 0,
  LOOP = 1,
  FOR_EACH = 2,
}

const R6: u32 = REGISTERS + 6 * 8;

// @ts-ignore: decorator
@inline
export function frameSlot(depth: u32): u32 {
  return FRAMES + depth * FRAME_SLOT_SIZE;
}

/** Makes the stack of frame `depth` usable, zeroed, and points r10 at its end. */
export function openStack(depth: u32): void {
  const bottom = STACK + depth * STACK_STRIDE;
  memory.fill(bottom, 0, STACK_FRAME);
  // While reads of uninitialised stack are tracked a byte becomes readable with its first write.
  if (run32(RunState.TRACK_UNINITIALISED)) forbid(bottom, STACK_FRAME);
  else permit(bottom, STACK_FRAME, true);
  setRegister(10, <u64>(bottom + STACK_FRAME));
}

/** True if `address` is the first instruction of a function of this machine. */
export function isFunction(address: u64): bool {
  if (address < <u64>(CODE + 16) || address >= <u64>(CODE + CODE_SIZE) || address & 15) return false;
  return load<u32>(<u32>address - 16) == FUNCTION_MAGIC;
}

/** Opens a frame for `target`, an address of an instruction. Returns the new pc, or 0 after a fault. */
export function enterFrame(target: u64, returnTo: u32, kind: FrameKind): u32 {
  const depth = run32(RunState.DEPTH) + 1;
  if (depth >= FRAME_SLOTS) {
    raise(FaultKind.CALL_DEPTH, 0, 0, false, depth);
    return 0;
  }
  const slot = frameSlot(depth);
  copyBytes(slot, R6, 32);
  store<u32>(slot, returnTo, FRAME_RETURN);
  store<u32>(slot, kind, FRAME_KIND);
  setRun32(RunState.DEPTH, depth);
  openStack(depth);
  return <u32>target;
}

/** bpf-to-bpf call; the linker made sure that the target is an instruction. */
export function enterLocal(target: u32, returnTo: u32): u32 {
  return enterFrame(<u64>target, returnTo, FrameKind.CALL);
}

/** Closes the current frame and returns the pc to go on at: the caller's, or the next round of a callback helper. */
export function leaveFrame(): u32 {
  const depth = run32(RunState.DEPTH);
  const slot = frameSlot(depth);
  const kind = load<u32>(slot, FRAME_KIND);
  if (kind != FrameKind.CALL) {
    const again = nextRound(slot, kind);
    if (again) return again;
  }
  forbid(STACK + depth * STACK_STRIDE, STACK_FRAME);
  copyBytes(R6, slot, 32);
  setRun32(RunState.DEPTH, depth - 1);
  setRegister(10, <u64>(STACK + (depth - 1) * STACK_STRIDE + STACK_FRAME));
  return load<u32>(slot, FRAME_RETURN);
}
