/**
 * Arrays: array, per-CPU array and the slot arrays (programs, devices, inner maps ...). Elements come in chunks of at most
 * 64 KiB that are allocated when first touched, so an untouched array costs only its chunk table. A chunk's elements have
 * a gap between them that no program may touch.
 */
import { Errno, MapField, MapFlag, MapType, RunState } from "../abi";
import { allocate } from "../heap";
import { run32 } from "../state";
import { cpuCount, hasProgramValues, isPerCpu, mapField, mapType, setMapField } from "./descriptor";
import { copyBytes } from "../bytes";
import { permitValue } from "./values";

/** u32 elements per chunk (a power of two), u32 its log2, u32 bytes of one element (all CPUs). */
const PER_CHUNK: u32 = MapField.PRIVATE;
const CHUNK_SHIFT: u32 = MapField.PRIVATE + 4;
const ELEMENT: u32 = MapField.PRIVATE + 8;

/** BPF_F_LOCK. */
const LOCK: u64 = 4;

const CHUNK_BYTES: u32 = 0x8000;
/** Arrays up to this size are allocated at once. */
const LIMIT_ELEMENTS: u32 = 1 << 28;

export function arrayInit(map: u32): bool {
  const max = mapField(map, MapField.MAX_ENTRIES);
  const stride = mapField(map, MapField.STRIDE);
  if (max > LIMIT_ELEMENTS) return false;
  const element = <u64>stride * (isPerCpu(mapType(map)) ? cpuCount() : 1);
  if (element > 0x1fffffff) return false;
  let shift: u32 = 0;
  while (shift < 12 && (element << (shift + 1)) <= <u64>CHUNK_BYTES && (<u32>1 << shift) < max) shift++;
  store<u32>(map, 1 << shift, PER_CHUNK);
  store<u32>(map, shift, CHUNK_SHIFT);
  store<u32>(map, <u32>element, ELEMENT);
  const chunks = (max + (1 << shift) - 1) >>> shift;
  const table = allocate(chunks << 2);
  setMapField(map, MapField.STORAGE, table);
  return table != 0;
}

/** Address of element `index` (CPU 0), allocating its chunk; 0 if out of range or out of memory. */
export function arrayElement(map: u32, index: u32): u32 {
  if (index >= mapField(map, MapField.MAX_ENTRIES)) return 0;
  const shift = load<u32>(map, CHUNK_SHIFT);
  const entry = mapField(map, MapField.STORAGE) + ((index >>> shift) << 2);
  let chunk = load<u32>(entry);
  if (!chunk) {
    chunk = newChunk(map, index >>> shift);
    if (!chunk) return 0;
    store<u32>(entry, chunk);
  }
  return chunk + (index & ((1 << shift) - 1)) * load<u32>(map, ELEMENT);
}

function newChunk(map: u32, number: u32): u32 {
  const perChunk = load<u32>(map, PER_CHUNK);
  const element = load<u32>(map, ELEMENT);
  const chunk = allocate(perChunk * element + 16);
  if (!chunk || !hasProgramValues(mapType(map))) return chunk;
  const stride = mapField(map, MapField.STRIDE);
  const first = number * perChunk;
  const count = min(perChunk, mapField(map, MapField.MAX_ENTRIES) - first);
  for (let i: u32 = 0; i < count; i++) {
    for (let at = chunk + i * element; at < chunk + (i + 1) * element; at += stride) permitValue(map, at);
  }
  return chunk;
}

/** True if the element's chunk exists; slot arrays answer look-ups of untouched slots without allocating. */
function isTouched(map: u32, index: u32): bool {
  return index < mapField(map, MapField.MAX_ENTRIES) && load<u32>(mapField(map, MapField.STORAGE) + ((index >>> load<u32>(map, CHUNK_SHIFT)) << 2)) != 0;
}

/** Look-up by a program: the value on the current CPU, 0 if out of range. */
// @ts-ignore: decorator
@inline
export function arrayLookup(map: u32, index: u32): u32 {
  const element = arrayElement(map, index);
  if (!element || mapType(map) != MapType.PERCPU_ARRAY) return element;
  return element + run32(RunState.CPU) * mapField(map, MapField.STRIDE);
}

/** The word in a slot array, 0 if empty or out of range. */
export function slotGet(map: u32, index: u32): u32 {
  return isTouched(map, index) ? load<u32>(arrayElement(map, index)) : 0;
}

export function slotSet(map: u32, index: u32, value: u32): i32 {
  const element = arrayElement(map, index);
  if (!element) return -Errno.E2BIG;
  store<u32>(element, value);
  return 0;
}

/** Flags and range of an update (kernel array_map_update_elem): 0 or -errno. */
export function arrayCheckUpdate(map: u32, index: u32, flags: u64): i32 {
  if ((flags & ~LOCK) > 2) return -Errno.EINVAL;
  if (index >= mapField(map, MapField.MAX_ENTRIES)) return -Errno.E2BIG;
  if (flags & 1) return -Errno.EEXIST;
  // No value here has a bpf_spin_lock that BPF_F_LOCK could take.
  return flags & LOCK ? -Errno.EINVAL : 0;
}

/** Update by a program, on the current CPU. */
export function arrayUpdate(map: u32, index: u32, value: u32, flags: u64): i32 {
  const problem = arrayCheckUpdate(map, index, flags);
  if (problem) return problem;
  const to = arrayLookup(map, index);
  if (!to) return -Errno.ENOMEM;
  copyBytes(to, value, mapField(map, MapField.VALUE_SIZE));
  return 0;
}

/** True if the address lies in one of the array's chunks. */
export function arrayOwns(map: u32, address: u32): bool {
  const perChunk = load<u32>(map, PER_CHUNK);
  const bytes = perChunk * load<u32>(map, ELEMENT);
  const chunks = (mapField(map, MapField.MAX_ENTRIES) + perChunk - 1) / perChunk;
  const table = mapField(map, MapField.STORAGE);
  for (let i: u32 = 0; i < chunks; i++) {
    const chunk = load<u32>(table + (i << 2));
    if (chunk && address >= chunk && address < chunk + bytes) return true;
  }
  return false;
}
