/** Bloom filter (kernel bloom_filter.c): map_extra's low four bits are the number of hash functions, 0 = 5. */
import { Errno, MapField } from "../abi";
import { allocate } from "../heap";
import { mapField, setMapField } from "./descriptor";
import { jenkinsSeeded } from "./hashing";

const MASK: u32 = MapField.PRIVATE;
const HASHES: u32 = MapField.PRIVATE + 4;
const MAX_BITS: u64 = 1 << 30;

export function bloomInit(map: u32): bool {
  const given = <u32>load<u64>(map + MapField.EXTRA) & 15;
  const hashes = given ? given : 5;
  // As the kernel sizes it: entries * hashes * 7 / 5 bits, rounded up to a power of two.
  const wanted = (<u64>mapField(map, MapField.MAX_ENTRIES) * <u64>hashes * 7) / 5;
  let bits: u64 = 64;
  while (bits < wanted && bits < MAX_BITS) bits <<= 1;
  const storage = allocate(<u32>(bits >> 3));
  setMapField(map, MapField.STORAGE, storage);
  store<u32>(map, <u32>bits - 1, MASK);
  store<u32>(map, hashes, HASHES);
  return storage != 0;
}

export function bloomPush(map: u32, value: u32, flags: u64): i32 {
  if (flags != 0) return -Errno.EINVAL;
  const size = mapField(map, MapField.VALUE_SIZE);
  for (let i: u32 = 0; i < load<u32>(map, HASHES); i++) {
    const bit = jenkinsSeeded(value, size, i) & load<u32>(map, MASK);
    const at = mapField(map, MapField.STORAGE) + (bit >>> 3);
    store<u8>(at, <u8>(<u32>load<u8>(at) | (1 << (bit & 7))));
  }
  return 0;
}

/** 0 if the value may have been pushed, -ENOENT if it was not. */
export function bloomPeek(map: u32, value: u32): i32 {
  const size = mapField(map, MapField.VALUE_SIZE);
  for (let i: u32 = 0; i < load<u32>(map, HASHES); i++) {
    const bit = jenkinsSeeded(value, size, i) & load<u32>(map, MASK);
    if (!((<u32>load<u8>(mapField(map, MapField.STORAGE) + (bit >>> 3)) >>> (bit & 7)) & 1)) return -Errno.ENOENT;
  }
  return 0;
}
