/** Map helpers as programs call them: arguments checked as the verifier would, r0 as result. */
import { copyBytes } from "../bytes";
import { Errno, EventKind, FaultKind, MapField, MapType, RunState } from "../abi";
import { checkRead, checkWrite } from "../check";
import { logEvent } from "../events";
import { allocate, free } from "../heap";
import { error, raise, run32 } from "../state";
import { DELETE, LOOKUP, UPDATE, programDelete, programLookup, programOperations, programUpdate } from "./access";
import { arrayElement, slotGet } from "./array";
import { bloomPeek, bloomPush } from "./bloom";
import { cpuCount, isMapHandle, isPerCpu, mapField, mapType } from "./descriptor";
import { hashFind, hashUpdate } from "./hash";
import { queuePush, queueTake } from "./queue";
import { ringCommit, ringOf, ringOutput, ringQuery, ringReserve } from "./ringbuf";

/** The descriptor behind a map argument that allows an operation, 0 after a fault. */
function checkMap(map: u64, operation: u32): u32 {
  if (isMapHandle(map) && programOperations(mapType(<u32>map)) & operation) return <u32>map;
  raise(FaultKind.BAD_HELPER_ARGUMENT, map, 0, false, 1);
  return 0;
}

/** The descriptor behind a map argument of one of two types, 0 after a fault. */
function checkType(map: u64, a: u32, b: u32): u32 {
  if (isMapHandle(map)) {
    const type = mapType(<u32>map);
    if (type == a || type == b) return <u32>map;
  }
  raise(FaultKind.BAD_HELPER_ARGUMENT, map, 0, false, 1);
  return 0;
}

function checkKey(map: u32, key: u64): bool {
  return checkRead(key, mapField(map, MapField.KEY_SIZE));
}

/** errno (or 0) of a map operation as r0. */
function result(code: i32): u64 {
  return <u64>(<i64>code);
}

/** 1: map_lookup_elem(map, key). */
export function helperMapLookup(map: u64, key: u64): u64 {
  const handle = checkMap(map, LOOKUP);
  return handle && checkKey(handle, key) ? <u64>programLookup(handle, <u32>key) : 0;
}

/** 2: map_update_elem(map, key, value, flags). */
export function helperMapUpdate(map: u64, key: u64, value: u64, flags: u64): u64 {
  const handle = checkMap(map, UPDATE);
  if (!handle || !checkKey(handle, key) || !checkRead(value, mapField(handle, MapField.VALUE_SIZE))) return 0;
  return result(programUpdate(handle, <u32>key, <u32>value, flags));
}

/** 3: map_delete_elem(map, key). */
export function helperMapDelete(map: u64, key: u64): u64 {
  const handle = checkMap(map, DELETE);
  return handle && checkKey(handle, key) ? result(programDelete(handle, <u32>key)) : 0;
}

/** 195: map_lookup_percpu_elem(map, key, cpu). */
export function helperMapLookupPercpu(map: u64, key: u64, cpu: u64): u64 {
  if (!isMapHandle(map) || !isPerCpu(mapType(<u32>map))) {
    raise(FaultKind.BAD_HELPER_ARGUMENT, map, 0, false, 1);
    return 0;
  }
  const handle = <u32>map;
  if (!checkKey(handle, key)) return 0;
  if (<u32>cpu >= cpuCount()) return 0;
  const isArray = mapType(handle) == MapType.PERCPU_ARRAY;
  const value = isArray ? arrayElement(handle, load<u32>(<u32>key)) : hashFind(handle, <u32>key);
  return value ? <u64>(value + <u32>cpu * mapField(handle, MapField.STRIDE)) : 0;
}

/** 87: map_push_elem(map, value, flags). */
export function helperMapPush(map: u64, value: u64, flags: u64): u64 {
  if (isMapHandle(map) && mapType(<u32>map) == MapType.BLOOM_FILTER) {
    const bloom = <u32>map;
    return checkRead(value, mapField(bloom, MapField.VALUE_SIZE)) ? result(bloomPush(bloom, <u32>value, flags)) : 0;
  }
  const handle = checkType(map, MapType.QUEUE, MapType.STACK);
  if (!handle || !checkRead(value, mapField(handle, MapField.VALUE_SIZE))) return 0;
  return result(queuePush(handle, <u32>value, flags));
}

/** 88: map_pop_elem(map, value). */
export function helperMapPop(map: u64, value: u64): u64 {
  const handle = checkType(map, MapType.QUEUE, MapType.STACK);
  if (!handle || !checkWrite(value, mapField(handle, MapField.VALUE_SIZE))) return 0;
  return result(queueTake(handle, <u32>value, true));
}

/** 89: map_peek_elem(map, value); for a bloom filter the value is the question. */
export function helperMapPeek(map: u64, value: u64): u64 {
  if (isMapHandle(map) && mapType(<u32>map) == MapType.BLOOM_FILTER) {
    const bloom = <u32>map;
    return checkRead(value, mapField(bloom, MapField.VALUE_SIZE)) ? result(bloomPeek(bloom, <u32>value)) : 0;
  }
  const handle = checkType(map, MapType.QUEUE, MapType.STACK);
  if (!handle || !checkWrite(value, mapField(handle, MapField.VALUE_SIZE))) return 0;
  return result(queueTake(handle, <u32>value, false));
}

const RING_FLAGS: u64 = 3;

/** 130: ringbuf_output(map, data, size, flags). */
export function helperRingbufOutput(map: u64, data: u64, size: u64, flags: u64): u64 {
  const handle = checkType(map, MapType.RINGBUF, MapType.RINGBUF);
  if (!handle || !checkRead(data, <u32>size)) return 0;
  if (flags & ~RING_FLAGS) return error(Errno.EINVAL);
  return result(ringOutput(handle, <u32>data, <u32>size));
}

/** 131: ringbuf_reserve(map, size, flags). */
export function helperRingbufReserve(map: u64, size: u64, flags: u64): u64 {
  const handle = checkType(map, MapType.RINGBUF, MapType.RINGBUF);
  return handle && flags == 0 ? <u64>ringReserve(handle, size) : 0;
}

function commit(record: u64, discard: bool): u64 {
  const map = record < 0x100000000 ? ringOf(<u32>record) : 0;
  if (!map) {
    raise(FaultKind.BAD_HELPER_ARGUMENT, record, 0, false, 1);
    return 0;
  }
  ringCommit(map, <u32>record, discard);
  return 0;
}

/** 132: ringbuf_submit(record, flags). */
export function helperRingbufSubmit(record: u64, flags: u64): u64 {
  return commit(record, false);
}

/** 133: ringbuf_discard(record, flags). */
export function helperRingbufDiscard(record: u64, flags: u64): u64 {
  return commit(record, true);
}

/** 134: ringbuf_query(map, what). */
export function helperRingbufQuery(map: u64, what: u64): u64 {
  const handle = checkType(map, MapType.RINGBUF, MapType.RINGBUF);
  return handle ? ringQuery(handle, what) : 0;
}

/** 81: get_local_storage(map, flags): the storage of the cgroup the program is attached to, which is one here. */
export function helperLocalStorage(map: u64): u64 {
  const handle = checkType(map, MapType.CGROUP_STORAGE, MapType.PERCPU_CGROUP_STORAGE);
  if (!handle) return 0;
  store<u64>(STORAGE_KEY, 0);
  const value = hashFind(handle, STORAGE_KEY);
  if (value) return <u64>value;
  const size = mapField(handle, MapField.VALUE_SIZE);
  const zero = allocate(size);
  if (!zero) return 0;
  const problem = hashUpdate(handle, STORAGE_KEY, zero, 0, false);
  free(zero, size);
  return problem ? 0 : <u64>hashFind(handle, STORAGE_KEY);
}

/** Eight bytes for a key, in the page below AssemblyScript's data. */
const STORAGE_KEY: u32 = 0xf08;

const CURRENT_CPU: u32 = 0xffffffff;
const INDEX_MASK: u64 = 0xffffffff;
const CONTEXT_MASK: u64 = 0xfffff00000000;

/**
 * 25: perf_event_output(ctx, map, flags, data, size); the flags' bits 32..51 are the number of packet bytes to append, which
 * only programs with a packet may ask for.
 */
export function helperPerfEventOutput(map: u64, flags: u64, data: u64, size: u32, hasPacket: bool, packet: u32, packetLength: u32): u64 {
  const handle = checkType(map, MapType.PERF_EVENT_ARRAY, MapType.PERF_EVENT_ARRAY);
  if (!handle || !checkRead(data, size)) return 0;
  if (flags & ~(INDEX_MASK | (hasPacket ? CONTEXT_MASK : 0))) return error(Errno.EINVAL);
  const appended = <u32>((flags & CONTEXT_MASK) >> 32);
  if (appended > packetLength) return error(Errno.EFAULT);
  const cpu = run32(RunState.CPU);
  const index = <u32>flags == CURRENT_CPU ? cpu : <u32>flags;
  if (index >= mapField(handle, MapField.MAX_ENTRIES)) return error(Errno.E2BIG);
  if (!perfSlotOpen(handle, index)) return error(Errno.ENOENT);
  if (index != cpu) return error(Errno.EOPNOTSUPP);
  const payload = logEvent(EventKind.PERF, handle, index, size + appended, size);
  if (!payload) return error(Errno.ENOSPC);
  copyBytes(payload, <u32>data, size);
  memory.copy(payload + size, packet, appended);
  return 0;
}

/** Slots of perf arrays are open until the host closes them (stores 1). */
function perfSlotOpen(map: u32, index: u32): bool {
  return index < cpuCount() && slotGet(map, index) == 0;
}
