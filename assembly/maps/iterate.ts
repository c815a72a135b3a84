/**
 * Walking a map for for_each_map_elem: arrays in index order, hashes in bucket order, robust against the removal of the
 * current element. The caller provides 32 bytes of state: next u32, current element u32, key address u32, value address u32,
 * array key u32.
 */
import { MapField, MapType, RunState } from "../abi";
import { permit } from "../check";
import { run32 } from "../state";
import { arrayLookup } from "./array";
import { isHashType, isPerCpu, mapField, mapType } from "./descriptor";
import { elementKey, elementValue, hashNext, isLive } from "./hash";

const NEXT: u32 = 0;
const CURRENT: u32 = 4;
const KEY: u32 = 8;
const VALUE: u32 = 12;
const INDEX: u32 = 16;

/** False for map types that cannot be walked by a program. */
export function iterStart(map: u32, state: u32): bool {
  const type = mapType(map);
  memory.fill(state, 0, 32);
  return type == MapType.ARRAY || type == MapType.PERCPU_ARRAY || (isHashType(type) && type != MapType.HASH_OF_MAPS);
}

/** Goes to the next element; false at the end. */
export function iterNext(map: u32, state: u32): bool {
  if (isHashType(mapType(map))) return nextOfHash(map, state);
  const index = load<u32>(state, NEXT);
  if (index >= mapField(map, MapField.MAX_ENTRIES)) return false;
  store<u32>(state, index, INDEX);
  store<u32>(state, index + 1, NEXT);
  permit(state + INDEX, 4, false);
  store<u32>(state, state + INDEX, KEY);
  store<u32>(state, arrayLookup(map, index), VALUE);
  return true;
}

function nextOfHash(map: u32, state: u32): bool {
  const current = load<u32>(state, CURRENT);
  let next = load<u32>(state, NEXT);
  // The successor was noted before the callback ran; it may be gone as well by now.
  if (!current) next = hashNext(map, 0);
  else if (isLive(current) || !next || !isLive(next)) next = hashNext(map, current);
  if (!next) return false;
  store<u32>(state, next, CURRENT);
  store<u32>(state, hashNext(map, next), NEXT);
  const value = elementValue(map, next);
  permit(elementKey(next), mapField(map, MapField.KEY_SIZE), false);
  store<u32>(state, elementKey(next), KEY);
  store<u32>(state, isPerCpu(mapType(map)) ? value + run32(RunState.CPU) * mapField(map, MapField.STRIDE) : value, VALUE);
  return true;
}

export function iterSlotKey(state: u32): u32 {
  return load<u32>(state, KEY);
}

export function iterSlotValue(state: u32): u32 {
  return load<u32>(state, VALUE);
}
