/** Creating maps: the kernel's rules for types, sizes and flags. */
import { Errno, MapField, MapFlag, MapType } from "../abi";
import { MAPS, MAPS_MAX } from "../memory";
import { arrayInit } from "./array";
import { bloomInit } from "./bloom";
import { MAP_MAGIC, isArrayType, isHashType, isPerCpu, isStorage, setMapField } from "./descriptor";
import { hashInit } from "./hash";
import { lpmInit } from "./lpm";
import { queueInit } from "./queue";
import { ringInit } from "./ringbuf";

/** Number of descriptors handed out so far; kept in descriptor 0, which is never a map. */
const COUNT: u32 = MAPS;

const PERCPU_VALUE_LIMIT: u32 = 32768;
const VALUE_LIMIT: u32 = 1 << 22;
const ENTRIES_LIMIT: u32 = 0x80000000;

/** Flags each kind of map accepts. */
const COMMON: u32 = MapFlag.NUMA_NODE | MapFlag.RDONLY | MapFlag.WRONLY | MapFlag.RDONLY_PROG | MapFlag.WRONLY_PROG;

function checkArray(type: u32, keySize: u32, valueSize: u32, flags: u32): i32 {
  if (keySize != 4 || flags & ~(COMMON | MapFlag.MMAPABLE | MapFlag.INNER_MAP)) return Errno.EINVAL;
  if (type == MapType.PERCPU_ARRAY) return flags & MapFlag.MMAPABLE ? Errno.EINVAL : valueSize > PERCPU_VALUE_LIMIT ? Errno.E2BIG : 0;
  if (type == MapType.PROG_ARRAY || type == MapType.PERF_EVENT_ARRAY || type == MapType.CGROUP_ARRAY) {
    return valueSize != 4 || flags & (MapFlag.RDONLY_PROG | MapFlag.WRONLY_PROG) ? Errno.EINVAL : 0;
  }
  if (type == MapType.ARRAY_OF_MAPS || type == MapType.XSKMAP) return valueSize != 4 ? Errno.EINVAL : 0;
  if (type == MapType.DEVMAP || type == MapType.CPUMAP || type == MapType.SOCKMAP) return valueSize != 4 && valueSize != 8 ? Errno.EINVAL : 0;
  return valueSize > 0x7fffffff ? Errno.E2BIG : 0;
}

function checkHash(type: u32, keySize: u32, valueSize: u32, maxEntries: u32, flags: u32): i32 {
  if (flags & ~(COMMON | MapFlag.NO_PREALLOC | MapFlag.NO_COMMON_LRU | MapFlag.ZERO_SEED)) return Errno.EINVAL;
  const isLru = type == MapType.LRU_HASH || type == MapType.LRU_PERCPU_HASH;
  if (isLru && flags & MapFlag.NO_PREALLOC) return Errno.ENOTSUPP;
  if (!isLru && flags & MapFlag.NO_COMMON_LRU) return Errno.EINVAL;
  if (type == MapType.HASH_OF_MAPS) return valueSize != 4 ? Errno.EINVAL : 0;
  if (type == MapType.DEVMAP_HASH) return keySize != 4 || (valueSize != 4 && valueSize != 8) ? Errno.EINVAL : 0;
  if (maxEntries > ENTRIES_LIMIT) return Errno.E2BIG;
  if (isPerCpu(type)) return valueSize > PERCPU_VALUE_LIMIT ? Errno.E2BIG : 0;
  return valueSize >= VALUE_LIMIT || keySize >= VALUE_LIMIT ? Errno.E2BIG : 0;
}

/** Why a map of these attributes cannot be created: 0 or an errno. */
function checkAttributes(type: u32, keySize: u32, valueSize: u32, maxEntries: u32, flags: u32): i32 {
  if (type == MapType.RINGBUF || type == MapType.USER_RINGBUF) {
    const isSize = maxEntries != 0 && (maxEntries & (maxEntries - 1)) == 0 && (maxEntries & 4095) == 0;
    return keySize || valueSize || !isSize ? Errno.EINVAL : 0;
  }
  if (type == MapType.QUEUE || type == MapType.STACK || type == MapType.BLOOM_FILTER) {
    return keySize || !valueSize || !maxEntries ? Errno.EINVAL : valueSize >= VALUE_LIMIT ? Errno.E2BIG : 0;
  }
  if (isStorage(type)) return valueSize && valueSize <= PERCPU_VALUE_LIMIT * 2 ? 0 : Errno.EINVAL;
  if (!keySize || !valueSize || !maxEntries) return Errno.EINVAL;
  const program = MapFlag.RDONLY_PROG | MapFlag.WRONLY_PROG;
  const host = MapFlag.RDONLY | MapFlag.WRONLY;
  if ((flags & program) == program || (flags & host) == host) return Errno.EINVAL;
  if (isArrayType(type)) return checkArray(type, keySize, valueSize, flags);
  if (type == MapType.LPM_TRIE) {
    if (!(flags & MapFlag.NO_PREALLOC) || flags & ~(COMMON | MapFlag.NO_PREALLOC)) return Errno.EINVAL;
    return keySize < 5 || keySize > 260 ? Errno.EINVAL : 0;
  }
  return isHashType(type) ? checkHash(type, keySize, valueSize, maxEntries, flags) : Errno.EINVAL;
}

/**
 * Creates a map and returns its handle, or a negative errno. `inner` is the template of a map-in-map (0 = any map fits).
 * Sizes are bytes.
 */
export function mapCreate(type: u32, keySize: u32, valueSize: u32, maxEntries: u32, flags: u32, extra: u64, inner: u32): i32 {
  const problem = checkAttributes(type, keySize, valueSize, maxEntries, flags);
  if (problem) return -problem;
  if (isStorage(type)) {
    keySize = 8;
    if (!maxEntries) maxEntries = 0x7fffffff;
  }
  const id = load<u32>(COUNT) + 1;
  if (id >= MAPS_MAX) return -Errno.ENOSPC;
  const map = MAPS + id * MapField.SIZE;
  memory.fill(map, 0, MapField.SIZE);
  setMapField(map, MapField.TYPE, type);
  setMapField(map, MapField.KEY_SIZE, keySize);
  setMapField(map, MapField.VALUE_SIZE, valueSize);
  setMapField(map, MapField.MAX_ENTRIES, maxEntries);
  setMapField(map, MapField.FLAGS, flags);
  setMapField(map, MapField.ID, id);
  setMapField(map, MapField.INNER, inner);
  store<u64>(map + MapField.EXTRA, extra);
  // One CPU's value and, where values lie side by side, a gap that no program may touch.
  setMapField(map, MapField.STRIDE, ((valueSize + 7) & ~7) + (isArrayType(type) || isPerCpu(type) ? 8 : 0));
  if (!init(map, type)) return -Errno.ENOMEM;
  setMapField(map, MapField.MAGIC, MAP_MAGIC);
  store<u32>(COUNT, id);
  return <i32>map;
}

function init(map: u32, type: u32): bool {
  if (isArrayType(type)) return arrayInit(map);
  if (isHashType(type)) return hashInit(map);
  if (type == MapType.LPM_TRIE) return lpmInit(map);
  if (type == MapType.QUEUE || type == MapType.STACK) return queueInit(map);
  return type == MapType.BLOOM_FILTER ? bloomInit(map) : ringInit(map);
}
