/**
 * Hash maps of all kinds: chained elements with stable addresses. Buckets grow with the content, except with ZERO_SEED,
 * where their number and the hash function are the kernel's, so that the order of elements is too.
 *
 * Element: next u32, hash u32, LRU links (lru.ts) u32 x 3, live u32, then the key (rounded up to 8), then one value per CPU.
 */
import { Errno, MapField, MapFlag, MapType, RunState } from "../abi";
import { allocate, free } from "../heap";
import { run32 } from "../state";
import { cpuCount, hasProgramValues, isPerCpu, mapField, mapType, setMapField } from "./descriptor";
import { foldHash, jenkinsHash } from "./hashing";
import { lruFree, lruInit, lruTake } from "./lru";
import { copyBytes } from "../bytes";
import { equalBytes, permitValue } from "./values";

const MASK: u32 = MapField.PRIVATE;
const FREE: u32 = MapField.PRIVATE + 4;
const ELEMENT: u32 = MapField.PRIVATE + 8;
const VALUE: u32 = MapField.PRIVATE + 12;
const SLAB: u32 = MapField.PRIVATE + 16;
const SLAB_END: u32 = MapField.PRIVATE + 20;
/** u32 address of the LRU state, 0 for maps that do not evict. */
export const LRU: u32 = MapField.PRIVATE + 24;

const NEXT: u32 = 0;
const HASH: u32 = 4;
/** Links of lru.ts at 8..20. */
const LIVE: u32 = 20;
/** u32 LRU reference bit, u32 unused. */
export const REFERENCE: u32 = 24;
const KEY: u32 = 32;

const FIRST_BUCKETS: u32 = 16;
const SLAB_BYTES: u32 = 0x4000;

export function isLru(type: u32): bool {
  return type == MapType.LRU_HASH || type == MapType.LRU_PERCPU_HASH;
}

function isKernelOrder(map: u32): bool {
  return (mapField(map, MapField.FLAGS) & MapFlag.ZERO_SEED) != 0;
}

function roundUpPowerOfTwo(n: u32): u32 {
  return n <= 1 ? 1 : 1 << (32 - clz(n - 1));
}

export function hashInit(map: u32): bool {
  const keySize = mapField(map, MapField.KEY_SIZE);
  const value = KEY + ((keySize + 7) & ~7);
  const cpus = isPerCpu(mapType(map)) ? cpuCount() : 1;
  const element = <u64>value + <u64>mapField(map, MapField.STRIDE) * cpus + 8;
  if (element > 0x1fffffff) return false;
  store<u32>(map, value, VALUE);
  store<u32>(map, (<u32>element + 7) & ~7, ELEMENT);
  const buckets = isKernelOrder(map) ? roundUpPowerOfTwo(mapField(map, MapField.MAX_ENTRIES)) : FIRST_BUCKETS;
  if (buckets > 1 << 26) return false;
  const table = allocate(buckets << 2);
  if (!table) return false;
  store<u32>(map, buckets - 1, MASK);
  setMapField(map, MapField.STORAGE, table);
  return !isLru(mapType(map)) || lruInit(map);
}

// @ts-ignore: decorator
@inline
function hashKey(map: u32, key: u32): u32 {
  const length = mapField(map, MapField.KEY_SIZE);
  return isKernelOrder(map) ? jenkinsHash(key, length) : foldHash(key, length);
}

// @ts-ignore: decorator
@inline
function bucketOf(map: u32, hash: u32): u32 {
  return mapField(map, MapField.STORAGE) + ((hash & load<u32>(map, MASK)) << 2);
}

/** The live element of a key, 0 if absent. */
function find(map: u32, key: u32, hash: u32): u32 {
  const length = mapField(map, MapField.KEY_SIZE);
  let element = load<u32>(bucketOf(map, hash));
  while (element) {
    if (load<u32>(element, HASH) == hash && equalBytes(element + KEY, key, length)) return element;
    element = load<u32>(element, NEXT);
  }
  return 0;
}

export function elementKey(element: u32): u32 {
  return element + KEY;
}

/** Value of CPU 0. */
export function elementValue(map: u32, element: u32): u32 {
  return element + load<u32>(map, VALUE);
}

/** Value address of a key (CPU 0), 0 if absent; does not count as a use. */
export function hashFind(map: u32, key: u32): u32 {
  const element = find(map, key, hashKey(map, key));
  return element ? elementValue(map, element) : 0;
}

/** Look-up by a program: counts as a use for LRU maps; the value of the current CPU. */
export function hashLookup(map: u32, key: u32): u32 {
  const element = find(map, key, hashKey(map, key));
  if (!element) return 0;
  if (load<u32>(map, LRU)) store<u32>(element, 1, REFERENCE);
  const value = elementValue(map, element);
  return isPerCpu(mapType(map)) ? value + run32(RunState.CPU) * mapField(map, MapField.STRIDE) : value;
}

/** Memory for an element: the one freed last, else the next of the slab. Rights on its values are set once. */
export function newElement(map: u32): u32 {
  const freed = load<u32>(map, FREE);
  if (freed) {
    store<u32>(map, load<u32>(freed, NEXT), FREE);
    return freed;
  }
  const size = load<u32>(map, ELEMENT);
  let at = load<u32>(map, SLAB);
  if (at + size > load<u32>(map, SLAB_END)) {
    // Slabs grow with the map, so that small maps stay small.
    const count = mapField(map, MapField.COUNT);
    const bytes = max(size, min(SLAB_BYTES, max(size * 4, size * count)));
    at = allocate(bytes);
    if (!at) return 0;
    store<u32>(map, at + bytes, SLAB_END);
  }
  store<u32>(map, at + size, SLAB);
  if (hasProgramValues(mapType(map))) {
    const stride = mapField(map, MapField.STRIDE);
    const cpus = isPerCpu(mapType(map)) ? cpuCount() : 1;
    for (let cpu: u32 = 0; cpu < cpus; cpu++) permitValue(map, elementValue(map, at) + cpu * stride);
  }
  return at;
}

export function freeElement(map: u32, element: u32): void {
  store<u32>(element, 0, LIVE);
  store<u32>(element, load<u32>(map, FREE), NEXT);
  store<u32>(map, element, FREE);
}

/** Puts an element at the head of its chain, doubling the buckets when chains get long. */
function link(map: u32, element: u32, hash: u32): void {
  store<u32>(element, hash, HASH);
  store<u32>(element, 1, LIVE);
  const count = mapField(map, MapField.COUNT) + 1;
  setMapField(map, MapField.COUNT, count);
  if (count > load<u32>(map, MASK) && !isKernelOrder(map)) grow(map);
  const bucket = bucketOf(map, hash);
  store<u32>(element, load<u32>(bucket), NEXT);
  store<u32>(bucket, element);
}

function grow(map: u32): void {
  const buckets = load<u32>(map, MASK) + 1;
  if (buckets >= 1 << 26) return;
  const table = allocate(buckets << 3);
  if (!table) return;
  const old = mapField(map, MapField.STORAGE);
  const mask = buckets * 2 - 1;
  for (let i: u32 = 0; i < buckets; i++) {
    let element = load<u32>(old + (i << 2));
    while (element) {
      const next = load<u32>(element, NEXT);
      const bucket = table + ((load<u32>(element, HASH) & mask) << 2);
      store<u32>(element, load<u32>(bucket), NEXT);
      store<u32>(bucket, element);
      element = next;
    }
  }
  store<u32>(map, mask, MASK);
  setMapField(map, MapField.STORAGE, table);
  free(old, buckets << 2);
}

/** Takes an element out of its chain; false if it is in none. */
export function unlink(map: u32, element: u32): bool {
  if (!load<u32>(element, LIVE)) return false;
  let at = bucketOf(map, load<u32>(element, HASH));
  while (load<u32>(at)) {
    if (load<u32>(at) == element) {
      store<u32>(at, load<u32>(element, NEXT));
      store<u32>(element, 0, LIVE);
      setMapField(map, MapField.COUNT, mapField(map, MapField.COUNT) - 1);
      return true;
    }
    at = load<u32>(at) + NEXT;
  }
  return false;
}

function release(map: u32, element: u32): void {
  if (load<u32>(map, LRU)) lruFree(map, element);
  else freeElement(map, element);
}

/** 0 or -errno for the flags of an update and the presence of the key. */
function checkFlags(present: bool, flags: u64): i32 {
  if (present && flags == 1) return -Errno.EEXIST;
  return !present && flags == 2 ? -Errno.ENOENT : 0;
}

/** Writes one CPU's value, zero for the others (`allCpus`: `value` holds one per CPU, each rounded up to 8). */
function writeValues(map: u32, element: u32, value: u32, allCpus: bool, isNew: bool): void {
  const size = mapField(map, MapField.VALUE_SIZE);
  const to = elementValue(map, element);
  if (!isPerCpu(mapType(map))) {
    copyBytes(to, value, size);
    return;
  }
  const stride = mapField(map, MapField.STRIDE);
  const cpus = cpuCount();
  const current = run32(RunState.CPU);
  for (let cpu: u32 = 0; cpu < cpus; cpu++) {
    if (allCpus) copyBytes(to + cpu * stride, value + cpu * ((size + 7) & ~7), size);
    else if (cpu == current) copyBytes(to + cpu * stride, value, size);
    else if (isNew) memory.fill(to + cpu * stride, 0, size);
  }
}

/**
 * Update as the kernel's htab_map_update_elem and relatives: plain and LRU hashes replace the element (an old value
 * pointer keeps the old value), per-CPU ones write in place. Returns 0 or -errno.
 */
export function hashUpdate(map: u32, key: u32, value: u32, flags: u64, allCpus: bool): i32 {
  if (flags > 2) return -Errno.EINVAL;
  const hash = hashKey(map, key);
  const inPlace = isPerCpu(mapType(map));
  let fresh: u32 = 0;
  if (load<u32>(map, LRU) && !(inPlace && flags == 2)) {
    // The kernel takes an element before it looks at the key, so even a failing update may evict another key.
    fresh = lruTake(map, hash);
    if (!fresh) return -Errno.ENOMEM;
  }
  const old = find(map, key, hash);
  const problem = checkFlags(old != 0, flags);
  if (problem) {
    if (fresh) lruFree(map, fresh);
    return problem;
  }
  if (old && inPlace) {
    if (load<u32>(map, LRU)) store<u32>(old, 1, REFERENCE);
    writeValues(map, old, value, allCpus, false);
    if (fresh) lruFree(map, fresh);
    return 0;
  }
  if (!fresh) {
    if (!old && mapField(map, MapField.COUNT) >= mapField(map, MapField.MAX_ENTRIES)) return -Errno.E2BIG;
    fresh = newElement(map);
    if (!fresh) return -Errno.ENOMEM;
  }
  copyBytes(fresh + KEY, key, mapField(map, MapField.KEY_SIZE));
  writeValues(map, fresh, value, allCpus, true);
  if (old) unlink(map, old);
  link(map, fresh, hash);
  if (old) {
    if (load<u32>(map, LRU)) store<u32>(fresh, 1, REFERENCE);
    release(map, old);
  }
  return 0;
}

export function hashDelete(map: u32, key: u32): i32 {
  const element = find(map, key, hashKey(map, key));
  if (!element) return -Errno.ENOENT;
  unlink(map, element);
  release(map, element);
  return 0;
}

/** First element of bucket `bucket` or a later one, 0 at the end. `bucket` of the element found can be had by its hash. */
function firstFrom(map: u32, bucket: u32): u32 {
  const table = mapField(map, MapField.STORAGE);
  const mask = load<u32>(map, MASK);
  for (let i = bucket; i <= mask; i++) {
    const element = load<u32>(table + (i << 2));
    if (element) return element;
  }
  return 0;
}

/** The element after `element` in bucket order; 0 = start. If it was removed meanwhile, goes on with the next bucket. */
export function hashNext(map: u32, element: u32): u32 {
  if (!element) return firstFrom(map, 0);
  const next = load<u32>(element, LIVE) ? load<u32>(element, NEXT) : 0;
  return next ? next : firstFrom(map, (load<u32>(element, HASH) & load<u32>(map, MASK)) + 1);
}

/** Element after that of `key`; the first one if the key is absent or 0. */
export function hashNextKey(map: u32, key: u32): u32 {
  return hashNext(map, key ? find(map, key, hashKey(map, key)) : 0);
}

export function isLive(element: u32): bool {
  return load<u32>(element, LIVE) != 0;
}
