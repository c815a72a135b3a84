/** One entry per operation, by map type: what programs and the host share. */
import { Errno, MapType } from "../abi";
import { arrayLookup, arrayUpdate } from "./array";
import { isArrayType, isHashType, mapType } from "./descriptor";
import { hashDelete, hashLookup, hashUpdate } from "./hash";
import { lpmDelete, lpmLookup, lpmUpdate } from "./lpm";

/** Value address for a program, 0 if absent. The map type has been checked. */
export function programLookup(map: u32, key: u32): u32 {
  const type = mapType(map);
  if (isHashType(type)) {
    const value = hashLookup(map, key);
    return type == MapType.HASH_OF_MAPS && value ? load<u32>(value) : value;
  }
  if (type == MapType.LPM_TRIE) return lpmLookup(map, key);
  const element = arrayLookup(map, load<u32>(key));
  if (type == MapType.ARRAY || type == MapType.PERCPU_ARRAY || !element) return element;
  // Slots hold the address of an inner map, or a device whose value is shown only while the slot is used.
  const stored = load<u32>(element);
  if (!stored) return 0;
  return type == MapType.ARRAY_OF_MAPS ? stored : element;
}

export function programUpdate(map: u32, key: u32, value: u32, flags: u64): i32 {
  const type = mapType(map);
  if (isHashType(type)) return hashUpdate(map, key, value, flags, false);
  if (type == MapType.LPM_TRIE) return lpmUpdate(map, key, value, flags);
  return arrayUpdate(map, load<u32>(key), value, flags);
}

export function programDelete(map: u32, key: u32): i32 {
  const type = mapType(map);
  if (isHashType(type)) return hashDelete(map, key);
  return type == MapType.LPM_TRIE ? lpmDelete(map, key) : -Errno.EINVAL;
}

/** May a program look up, update (bit 1) or delete (bit 2) in a map of this type? The verifier's check_map_func_compatibility. */
export function programOperations(type: u32): u32 {
  switch (type) {
    case MapType.ARRAY:
    case MapType.PERCPU_ARRAY:
    case MapType.HASH:
    case MapType.PERCPU_HASH:
    case MapType.LRU_HASH:
    case MapType.LRU_PERCPU_HASH:
    case MapType.LPM_TRIE:
      return LOOKUP | UPDATE | DELETE;
    case MapType.ARRAY_OF_MAPS:
    case MapType.HASH_OF_MAPS:
    case MapType.DEVMAP:
    case MapType.DEVMAP_HASH:
    case MapType.XSKMAP:
      return LOOKUP;
    case MapType.SOCKMAP:
    case MapType.SOCKHASH:
      return LOOKUP | DELETE;
    default:
      return 0;
  }
}

export const LOOKUP: u32 = 1;
export const UPDATE: u32 = 2;
export const DELETE: u32 = 4;

/** True for arrays whose key is an index. */
export function isIndexed(map: u32): bool {
  return isArrayType(mapType(map));
}

