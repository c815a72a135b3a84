/**
 * Which bytes a BPF program may read and write: two bitmaps with one bit per byte of memory. Every access of the
 * interpreter and every pointer argument of a helper goes through here; compiled code does the same test inline.
 */
import { FaultKind, RunState } from "./abi";
import { LIMIT, READABLE, STACK, STACK_FRAME, STACK_STRIDE, WRITABLE } from "./memory";
import { raise, run32 } from "./state";

/** True if all `size` (1, 2, 4 or 8) bytes at `address` may be read. */
// @ts-ignore: decorator
@inline
export function readable(address: u64, size: u32): bool {
  if (address >= <u64>LIMIT) return false;
  const a = <u32>address;
  const mask: u32 = (1 << size) - 1;
  return ((<u32>load<u16>(READABLE + (a >>> 3)) >>> (a & 7)) & mask) == mask;
}

/** True if all `size` (1, 2, 4 or 8) bytes at `address` may be written. */
// @ts-ignore: decorator
@inline
export function writable(address: u64, size: u32): bool {
  if (address >= <u64>LIMIT) return false;
  const a = <u32>address;
  const mask: u32 = (1 << size) - 1;
  return ((<u32>load<u16>(WRITABLE + (a >>> 3)) >>> (a & 7)) & mask) == mask;
}

/** Sets or clears `length` bits of the bitmap from byte address `address` on. */
function fillBits(bitmap: u32, address: u32, length: u32, value: bool): void {
  if (length == 0) return;
  if (((address | length) & 63) == 0 && length <= 1024) {
    // Stack frames come by here with every call and run; memory.fill costs more than a few stores.
    const word: u64 = value ? 0xffffffffffffffff : 0;
    const start = bitmap + (address >>> 3);
    for (let at: u32 = 0; at < length >>> 3; at += 8) store<u64>(start + at, word);
    return;
  }
  const last = address + length - 1;
  const first = bitmap + (address >>> 3);
  const end = bitmap + (last >>> 3);
  const firstMask: u32 = (0xff << (address & 7)) & 0xff;
  const lastMask: u32 = 0xff >>> (7 - (last & 7));
  if (first == end) {
    const mask = firstMask & lastMask;
    store<u8>(first, value ? load<u8>(first) | mask : load<u8>(first) & ~mask);
    return;
  }
  store<u8>(first, value ? load<u8>(first) | firstMask : load<u8>(first) & ~firstMask);
  store<u8>(end, value ? load<u8>(end) | lastMask : load<u8>(end) & ~lastMask);
  const inner = end - first - 1;
  if (inner) memory.fill(first + 1, value ? 0xff : 0, inner);
}

/** Lets the program read, and write if `write`, `length` bytes at `address`. */
export function permit(address: u32, length: u32, write: bool): void {
  fillBits(READABLE, address, length, true);
  fillBits(WRITABLE, address, length, write);
}

/** Takes `length` bytes at `address` away from the program. */
export function forbid(address: u32, length: u32): void {
  fillBits(READABLE, address, length, false);
  fillBits(WRITABLE, address, length, false);
}

/** Index of the first byte of [address, address + length) whose bit is clear, or `length`. */
function firstClear(bitmap: u32, address: u32, length: u32): u32 {
  let i: u32 = 0;
  while (i < length) {
    const at = address + i;
    // Of 64 bits from a byte boundary on, 57 are there whatever the address.
    const width = min<u32>(length - i, 57);
    const clear = ~(load<u64>(bitmap + (at >>> 3)) >> <u64>(at & 7));
    const first = <u32>ctz(clear | (<u64>1 << <u64>width));
    if (first < width) return i + first;
    i += width;
  }
  return length;
}

/** True if all bytes lie in the stack of a live frame. */
export function inLiveStack(address: u64, size: u32): bool {
  if (address < <u64>STACK) return false;
  const position = address - <u64>STACK;
  const frame = position / STACK_STRIDE;
  return frame <= <u64>run32(RunState.DEPTH) && (position % STACK_STRIDE) + size <= <u64>STACK_FRAME;
}

/**
 * True for stack whose first writes are watched (TRACK_UNINITIALISED). A byte of it becomes readable when it is written,
 * and is never writable for the fast path, so that every store comes by.
 */
export function inTrackedStack(address: u64, size: u32): bool {
  return run32(RunState.TRACK_UNINITIALISED) != 0 && inLiveStack(address, size);
}

/** Notes that bytes of tracked stack were written. */
export function markWritten(address: u32, length: u32): void {
  fillBits(READABLE, address, length, true);
}

/** True if a program may read all `length` bytes at `address`. */
export function canRead(address: u64, length: u32): bool {
  if (length == 0) return true;
  if (address >= <u64>LIMIT || <u64>length > <u64>LIMIT - address) return false;
  return firstClear(READABLE, <u32>address, length) == length;
}

/**
 * Checks memory that a helper reads on behalf of the program. On failure records a fault (OUT_OF_BOUNDS, or
 * UNINITIALISED_STACK where that is tracked) and returns false. Length 0 is always fine.
 */
export function checkRead(address: u64, length: u32): bool {
  if (canRead(address, length)) return true;
  const kind = inTrackedStack(address, length) ? FaultKind.UNINITIALISED_STACK : FaultKind.OUT_OF_BOUNDS;
  raise(kind, address, length, false, run32(RunState.HELPER));
  return false;
}

/** Checks memory that a helper writes on behalf of the program; as {@link checkRead}, READ_ONLY where only reading is allowed. */
export function checkWrite(address: u64, length: u32): bool {
  if (length == 0) return true;
  if (address < <u64>LIMIT && <u64>length <= <u64>LIMIT - address) {
    if (firstClear(WRITABLE, <u32>address, length) == length) return true;
    if (inTrackedStack(address, length)) {
      markWritten(<u32>address, length);
      return true;
    }
    if (firstClear(READABLE, <u32>address, length) == length) {
      raise(FaultKind.READ_ONLY, address, length, true, run32(RunState.HELPER));
      return false;
    }
  }
  raise(FaultKind.OUT_OF_BOUNDS, address, length, true, run32(RunState.HELPER));
  return false;
}

/** Lets the program write, but not read, `length` bytes at `address` (WRONLY_PROG maps). */
export function permitWriteOnly(address: u32, length: u32): void {
  fillBits(READABLE, address, length, false);
  fillBits(WRITABLE, address, length, true);
}
