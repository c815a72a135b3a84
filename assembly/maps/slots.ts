/** Elements that are programs, maps, devices, CPUs or sockets: set by the host, looked at by programs. */
import { Errno, MapField, MapFlag, MapType } from "../abi";
import { slotGet } from "./array";
import { isMapHandle, mapField, mapType } from "./descriptor";
import { hashFind } from "./hash";

/** Program descriptor in a prog array, 0 if the slot is empty or out of range. */
// @ts-ignore: decorator
@inline
export function progArrayGet(map: u32, index: u32): u32 {
  return slotGet(map, index);
}

/** True if redirect_map finds something at that key of a devmap, devmap_hash, cpumap or xskmap. */
export function mapSlotPresent(map: u32, key: u32): bool {
  if (mapType(map) != MapType.DEVMAP_HASH) return slotGet(map, key) != 0;
  store<u32>(SCRATCH_KEY, key);
  return hashFind(map, SCRATCH_KEY) != 0;
}

/** Eight bytes for a key, in the page below AssemblyScript's data. */
const SCRATCH_KEY: u32 = 0xf00;

/** May `inner` be stored in the map-in-map `outer`? 0 or -errno (kernel map_meta_equal). */
export function checkInner(outer: u32, inner: u32): i32 {
  if (!isMapHandle(<u64>inner)) return -Errno.EBADF;
  const template = mapField(outer, MapField.INNER);
  if (!template) return 0;
  if (mapType(template) != mapType(inner)) return -Errno.EINVAL;
  if (mapField(template, MapField.KEY_SIZE) != mapField(inner, MapField.KEY_SIZE)) return -Errno.EINVAL;
  if (mapField(template, MapField.VALUE_SIZE) != mapField(inner, MapField.VALUE_SIZE)) return -Errno.EINVAL;
  if (mapField(template, MapField.FLAGS) != mapField(inner, MapField.FLAGS)) return -Errno.EINVAL;
  const isArray = mapType(inner) == MapType.ARRAY || mapType(inner) == MapType.PERCPU_ARRAY;
  const mayDiffer = (mapField(inner, MapField.FLAGS) & MapFlag.INNER_MAP) != 0;
  if (isArray && !mayDiffer && mapField(template, MapField.MAX_ENTRIES) != mapField(inner, MapField.MAX_ENTRIES)) return -Errno.EINVAL;
  return 0;
}
