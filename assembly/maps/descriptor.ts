/** Map descriptors: fields, handles, what the types have in common. */
import { MapField, MapFlag, MapType, RunState } from "../abi";
import { MAPS, MAPS_SIZE } from "../memory";
import { run32 } from "../state";

export const MAP_MAGIC: u32 = 0x6d617021;

// @ts-ignore: decorator
@inline
export function mapField(map: u32, field: MapField): u32 {
  return load<u32>(map + field);
}
// @ts-ignore: decorator
@inline
export function setMapField(map: u32, field: MapField, value: u32): void {
  store<u32>(map + field, value);
}
// @ts-ignore: decorator
@inline
export function mapType(map: u32): u32 {
  return load<u32>(map + MapField.TYPE);
}

/** True if a register value is the handle of a live map. */
// @ts-ignore: decorator
@inline
export function isMapHandle(handle: u64): bool {
  if (handle < <u64>(MAPS + MapField.SIZE) || handle >= <u64>(MAPS + MAPS_SIZE) || handle & (MapField.SIZE - 1)) return false;
  return load<u32>(<u32>handle + MapField.MAGIC) == MAP_MAGIC;
}

export function isPerCpu(type: u32): bool {
  return type == MapType.PERCPU_HASH || type == MapType.PERCPU_ARRAY || type == MapType.LRU_PERCPU_HASH;
}

export function isHashType(type: u32): bool {
  return (
    type == MapType.HASH ||
    type == MapType.PERCPU_HASH ||
    type == MapType.LRU_HASH ||
    type == MapType.LRU_PERCPU_HASH ||
    type == MapType.HASH_OF_MAPS ||
    type == MapType.DEVMAP_HASH ||
    type == MapType.SOCKHASH ||
    isStorage(type)
  );
}

export function isArrayType(type: u32): bool {
  return type == MapType.ARRAY || type == MapType.PERCPU_ARRAY || isSlotArray(type);
}

/** Local storage: a hash keyed by the id of the socket, task, cgroup or inode. */
export function isStorage(type: u32): bool {
  return (
    type == MapType.SK_STORAGE ||
    type == MapType.INODE_STORAGE ||
    type == MapType.TASK_STORAGE ||
    type == MapType.CGRP_STORAGE ||
    type == MapType.CGROUP_STORAGE ||
    type == MapType.PERCPU_CGROUP_STORAGE
  );
}

/** Arrays whose elements the host alone sets: empty slots hold 0. */
export function isSlotArray(type: u32): bool {
  return (
    type == MapType.PROG_ARRAY ||
    type == MapType.PERF_EVENT_ARRAY ||
    type == MapType.CGROUP_ARRAY ||
    type == MapType.ARRAY_OF_MAPS ||
    type == MapType.DEVMAP ||
    type == MapType.CPUMAP ||
    type == MapType.XSKMAP ||
    type == MapType.SOCKMAP ||
    type == MapType.REUSEPORT_SOCKARRAY ||
    type == MapType.STACK_TRACE
  );
}

/** Values that a program reaches through pointers. */
export function hasProgramValues(type: u32): bool {
  return (
    type != MapType.PROG_ARRAY &&
    type != MapType.PERF_EVENT_ARRAY &&
    type != MapType.CGROUP_ARRAY &&
    type != MapType.ARRAY_OF_MAPS &&
    type != MapType.HASH_OF_MAPS &&
    type != MapType.SOCKMAP &&
    type != MapType.SOCKHASH &&
    type != MapType.CPUMAP &&
    type != MapType.XSKMAP
  );
}

export function cpuCount(): u32 {
  return run32(RunState.CPUS);
}

/** May a program read (bit 0) and write (bit 1) values of this map? Look-ups in device maps give read-only values. */
export function programRights(map: u32): u32 {
  const flags = mapField(map, MapField.FLAGS);
  const type = mapType(map);
  if (type == MapType.DEVMAP || type == MapType.DEVMAP_HASH || flags & MapFlag.RDONLY_PROG) return 1;
  return flags & MapFlag.WRONLY_PROG ? 2 : 3;
}
