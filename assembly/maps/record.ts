/** Map accesses of a run in the event log, for runs that ask for them (RunState.RECORD_ACCESSES). */
import { copyBytes } from "../bytes";
import { EventKind, MapField, RunState } from "../abi";
import { logEvent } from "../events";
import { register, run32 } from "../state";
import { isMapHandle, mapField } from "./descriptor";

/** Logs a call of lookup (1), update (2), delete (3) or lookup_percpu (195) that ended with `result` in r0. */
export function recordMapHelper(id: u32, result: u64): void {
  if (!run32(RunState.RECORD_ACCESSES)) return;
  if (id != 1 && id != 2 && id != 3 && id != 195) return;
  const handle = register(1);
  if (!isMapHandle(handle)) return;
  const map = <u32>handle;
  const value: u32 = id == 2 ? <u32>register(3) : id == 3 ? 0 : <u32>result;
  const code: u32 = id == 2 || id == 3 ? <u32>result : u32(result != 0);
  const keySize = mapField(map, MapField.KEY_SIZE);
  const valueSize = value ? mapField(map, MapField.VALUE_SIZE) : 0;
  const payload = logEvent(EventKind.MAP_ACCESS, map, id, keySize + valueSize, code);
  if (!payload) return;
  copyBytes(payload, <u32>register(2), keySize);
  // What a look-up of an inner map finds is the map itself.
  if (id == 1 && isMapHandle(result)) store<u32>(payload + keySize, <u32>result);
  else if (value) copyBytes(payload + keySize, value, valueSize);
}

/** Logs a tail call through a slot of a program array; `program` is the descriptor found there, 0 for none. */
export function recordTailCall(map: u32, slot: u32, program: u32): void {
  if (!run32(RunState.RECORD_ACCESSES)) return;
  const length: u32 = program ? 8 : 4;
  const payload = logEvent(EventKind.MAP_ACCESS, map, 12, length, u32(program != 0));
  if (!payload) return;
  store<u32>(payload, slot);
  if (program) store<u32>(payload + 4, program);
}
