/** Maps as the host sees them (bpf() system calls): no reference bits, all CPUs at once, names of errors as -errno. */
import { Errno, MapField, MapFlag, MapType } from "../abi";
import { MAPS } from "../memory";
import { arrayCheckUpdate, arrayElement, arrayOwns, slotGet, slotSet } from "./array";
import { bloomPeek, bloomPush } from "./bloom";
import { MAP_MAGIC, cpuCount, isArrayType, isHashType, isPerCpu, isSlotArray, mapField, mapType, setMapField } from "./descriptor";
import { elementKey, elementValue, hashDelete, hashFind, hashNext, hashNextKey, hashUpdate } from "./hash";
import { lpmDelete, lpmKey, lpmLookup, lpmNext, lpmOwns, lpmUpdate } from "./lpm";
import { queuePush, queueTake } from "./queue";
import { checkInner } from "./slots";
import { copyBytes } from "../bytes";

export { cpuCount } from "./descriptor";
export { mapCreate } from "./create";
export { ringConsume, ringQuery } from "./ringbuf";

/** Address of the value of CPU 0 (further ones STRIDE apart), 0 if absent. */
export function mapHostLookup(map: u32, key: u32): u32 {
  const type = mapType(map);
  if (isHashType(type)) return hashFind(map, key);
  if (type == MapType.LPM_TRIE) return lpmLookup(map, key);
  if (!isArrayType(type)) return 0;
  const index = load<u32>(key);
  if (isSlotArray(type) && slotGet(map, index) == 0) return 0;
  return arrayElement(map, index);
}

function isFrozen(map: u32): bool {
  return mapField(map, MapField.FROZEN) != 0 || (mapField(map, MapField.FLAGS) & MapFlag.RDONLY) != 0;
}

function updateSlot(map: u32, index: u32, value: u32, flags: u64): i32 {
  const type = mapType(map);
  if (type == MapType.DEVMAP) {
    if (flags > 2) return -Errno.EINVAL;
    if (index >= mapField(map, MapField.MAX_ENTRIES)) return -Errno.E2BIG;
    if (flags == 1) return -Errno.EEXIST;
  } else if (flags != 0) return -Errno.EINVAL;
  if (index >= mapField(map, MapField.MAX_ENTRIES)) return -Errno.E2BIG;
  const stored = load<u32>(value);
  if (type == MapType.ARRAY_OF_MAPS) {
    const problem = checkInner(map, stored);
    if (problem) return problem;
  }
  if (type == MapType.CPUMAP && stored > 16384) return -Errno.EOVERFLOW;
  const problem = slotSet(map, index, stored);
  if (problem == 0 && mapField(map, MapField.VALUE_SIZE) > 4) copyBytes(arrayElement(map, index), value, mapField(map, MapField.VALUE_SIZE));
  return problem;
}

/** Update; per-CPU maps take one value per CPU, each rounded up to 8 bytes. */
export function mapHostUpdate(map: u32, key: u32, value: u32, flags: u64): i32 {
  if (isFrozen(map)) return -Errno.EPERM;
  const type = mapType(map);
  if (type == MapType.HASH_OF_MAPS) {
    const problem = checkInner(map, load<u32>(value));
    if (problem) return problem;
  }
  if (isHashType(type)) return hashUpdate(map, key, value, flags, isPerCpu(type));
  if (type == MapType.LPM_TRIE) return lpmUpdate(map, key, value, flags);
  if (!isArrayType(type)) return -Errno.EINVAL;
  const index = load<u32>(key);
  if (isSlotArray(type)) return updateSlot(map, index, value, flags);
  const problem = arrayCheckUpdate(map, index, flags);
  if (problem) return problem;
  const to = arrayElement(map, index);
  if (!to) return -Errno.ENOMEM;
  const size = mapField(map, MapField.VALUE_SIZE);
  const cpus = isPerCpu(type) ? cpuCount() : 1;
  for (let cpu: u32 = 0; cpu < cpus; cpu++) copyBytes(to + cpu * mapField(map, MapField.STRIDE), value + cpu * ((size + 7) & ~7), size);
  return 0;
}

export function mapHostDelete(map: u32, key: u32): i32 {
  if (isFrozen(map)) return -Errno.EPERM;
  const type = mapType(map);
  if (isHashType(type)) return hashDelete(map, key);
  if (type == MapType.LPM_TRIE) return lpmDelete(map, key);
  if (!isSlotArray(type)) return -Errno.EINVAL;
  const index = load<u32>(key);
  if (index >= mapField(map, MapField.MAX_ENTRIES)) return -Errno.E2BIG;
  if (slotGet(map, index) == 0) return type == MapType.DEVMAP || type == MapType.CPUMAP ? 0 : -Errno.ENOENT;
  return slotSet(map, index, 0);
}

/** Writes the key after `key` (0: the first) to `out`; -ENOENT at the end. Empty slots of slot arrays are passed over. */
export function mapNextKey(map: u32, key: u32, out: u32): i32 {
  const type = mapType(map);
  if (isHashType(type)) {
    const element = hashNextKey(map, key);
    if (!element) return -Errno.ENOENT;
    copyBytes(out, elementKey(element), mapField(map, MapField.KEY_SIZE));
    return 0;
  }
  if (type == MapType.LPM_TRIE) {
    const node = lpmNext(map, key);
    if (!node) return -Errno.ENOENT;
    lpmKey(map, node, out);
    return 0;
  }
  if (!isArrayType(type)) return -Errno.ENOENT;
  const max = mapField(map, MapField.MAX_ENTRIES);
  let index: u32 = key ? load<u32>(key) + 1 : 0;
  if (key && index > max) index = 0;
  while (index < max && isSlotArray(type) && slotGet(map, index) == 0) index++;
  if (index >= max) return -Errno.ENOENT;
  store<u32>(out, index);
  return 0;
}

/** Elements present; arrays have all of theirs. */
export function mapCount(map: u32): u32 {
  const type = mapType(map);
  return type == MapType.ARRAY || type == MapType.PERCPU_ARRAY ? mapField(map, MapField.MAX_ENTRIES) : mapField(map, MapField.COUNT);
}

export function mapPush(map: u32, value: u32, flags: u64): i32 {
  if (mapType(map) == MapType.BLOOM_FILTER) return bloomPush(map, value, flags);
  return mapType(map) == MapType.QUEUE || mapType(map) == MapType.STACK ? queuePush(map, value, flags) : -Errno.EINVAL;
}

export function mapPop(map: u32, out: u32): i32 {
  return mapType(map) == MapType.QUEUE || mapType(map) == MapType.STACK ? queueTake(map, out, true) : -Errno.EINVAL;
}

/** Queue and stack: the next element; bloom filter: whether `out` may have been pushed. */
export function mapPeek(map: u32, out: u32): i32 {
  if (mapType(map) == MapType.BLOOM_FILTER) return bloomPeek(map, out);
  return mapType(map) == MapType.QUEUE || mapType(map) == MapType.STACK ? queueTake(map, out, false) : -Errno.EINVAL;
}

/** BPF_MAP_FREEZE: the host may not change the map any more. */
export function mapFreeze(map: u32): i32 {
  if (mapField(map, MapField.FROZEN)) return -Errno.EBUSY;
  setMapField(map, MapField.FROZEN, 1);
  return 0;
}


/** The map that a value at `address` belongs to, 0 if none: for reports of faults, so it may be slow. */
export function mapOfValue(address: u32): u32 {
  for (let map = MAPS + MapField.SIZE; load<u32>(map) == MAP_MAGIC; map += MapField.SIZE) {
    if (ownsValue(map, address)) return map;
  }
  return 0;
}

function ownsValue(map: u32, address: u32): bool {
  const type = mapType(map);
  const bytes = mapField(map, MapField.STRIDE) * (isPerCpu(type) ? cpuCount() : 1);
  if (isArrayType(type)) return arrayOwns(map, address);
  if (isHashType(type)) {
    for (let element = hashNext(map, 0); element; element = hashNext(map, element)) {
      const value = elementValue(map, element);
      if (address >= value && address < value + bytes) return true;
    }
  }
  return type == MapType.LPM_TRIE && lpmOwns(map, address);
}
