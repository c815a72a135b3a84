/**
 * Copies and fills of bytes a program named. memory.copy and memory.fill trap on an address outside memory even for length 0,
 * and a program may name any address with length 0.
 */

/** Copies between places that do not overlap; memory.copy has a fixed cost that exceeds short copies, which are the most. */
// @ts-ignore: decorator
@inline
export function copyBytes(to: u32, from: u32, length: u32): void {
  if (length > 64) {
    memory.copy(to, from, length);
    return;
  }
  let i: u32 = 0;
  for (; i + 8 <= length; i += 8) store<u64>(to + i, load<u64>(from + i));
  if (length & 4) {
    store<u32>(to + i, load<u32>(from + i));
    i += 4;
  }
  if (length & 2) {
    store<u16>(to + i, load<u16>(from + i));
    i += 2;
  }
  if (length & 1) store<u8>(to + i, load<u8>(from + i));
}

/** Zeroes `length` bytes. */
export function clearBytes(at: u32, length: u32): void {
  if (length) memory.fill(at, 0, length);
}

/** Copies `length` bytes between places that may overlap. */
export function moveBytes(to: u32, from: u32, length: u32): void {
  if (length) memory.copy(to, from, length);
}
