/**
 * The heap: blocks of powers of two from 16 bytes to 64 KiB on free lists, larger ones rounded to 64 KiB. Freed and
 * fresh blocks read as zero. Nothing here is visible to a program until `permit` is called.
 */
import { FaultKind } from "./abi";
import { HEAP, LIMIT } from "./memory";
import { raise } from "./state";

/** Free list heads by log2 of the size (4..31), in the first bytes of the heap so that snapshots include them. */
const FREE_LISTS: u32 = HEAP;
const TOP: u32 = HEAP + 256;
const FIRST: u32 = HEAP + 512;

export function heapInit(): void {
  store<u32>(TOP, FIRST);
}

/** Address after the last byte ever allocated. */
export function heapTop(): u32 {
  return load<u32>(TOP);
}

// @ts-ignore: decorator
@inline
function sizeClass(size: u32): u32 {
  return size <= 16 ? 4 : 32 - clz(size - 1);
}

/** Bytes really reserved for a request. */
function blockSize(size: u32): u32 {
  return size <= 0x10000 ? 1 << sizeClass(size) : (size + 0xffff) & ~0xffff;
}

/** Allocates zeroed memory, 16-byte aligned, or returns 0 when the machine's limit is reached. */
export function allocate(size: u32): u32 {
  if (size > LIMIT) return 0;
  const isSmall = size <= 0x10000;
  const head = FREE_LISTS + (sizeClass(size) << 2);
  if (isSmall) {
    const free = load<u32>(head);
    if (free) {
      store<u32>(head, load<u32>(free));
      store<u32>(free, 0);
      return free;
    }
  }
  const bytes = blockSize(size);
  const address = load<u32>(TOP);
  const end = <u64>address + <u64>bytes;
  if (end > <u64>LIMIT) return 0;
  const have = <u64>memory.size() << 16;
  if (end > have) {
    const wanted = <i32>((end - have + 0xffff) >>> 16);
    // By an eighth, since growing costs much and pages that are not touched nothing.
    if (memory.grow(max(wanted, memory.size() >>> 3)) < 0 && memory.grow(wanted) < 0) return 0;
  }
  store<u32>(TOP, <u32>end);
  return address;
}

/** Allocates, or records an OUT_OF_MEMORY fault and returns 0. */
export function allocateOrFault(size: u32): u32 {
  const address = allocate(size);
  if (!address) raise(FaultKind.OUT_OF_MEMORY, 0, size, false, 0);
  return address;
}

/** Gives a block back; `size` as it was asked for. Blocks above 64 KiB are only zeroed, not reused. */
export function free(address: u32, size: u32): void {
  memory.fill(address, 0, size);
  if (size > 0x10000) return;
  const head = FREE_LISTS + (sizeClass(size) << 2);
  store<u32>(address, load<u32>(head));
  store<u32>(head, address);
}
