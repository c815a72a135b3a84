/** Queue and stack (kernel queue_stack_maps.c): a ring of max_entries + 1 slots that grows with its content. */
import { Errno, MapField, MapType } from "../abi";
import { allocate, free } from "../heap";
import { mapField, mapType, setMapField } from "./descriptor";
import { clearBytes, copyBytes } from "../bytes";

/** u32 index of the oldest element, u32 slots allocated. */
const TAIL: u32 = MapField.PRIVATE;
const SLOTS: u32 = MapField.PRIVATE + 4;

export function queueInit(map: u32): bool {
  return mapField(map, MapField.STRIDE) < 0x1000000;
}

function slot(map: u32, position: u32): u32 {
  const slots = load<u32>(map, SLOTS);
  return mapField(map, MapField.STORAGE) + ((load<u32>(map, TAIL) + position) % slots) * mapField(map, MapField.STRIDE);
}

/** Makes room for one more element. */
function reserve(map: u32): bool {
  const count = mapField(map, MapField.COUNT);
  const slots = load<u32>(map, SLOTS);
  if (count < slots) return true;
  const stride = mapField(map, MapField.STRIDE);
  const wanted = min(max<u32>(8, slots * 2), mapField(map, MapField.MAX_ENTRIES));
  if (<u64>wanted * <u64>stride > 0x1fffffff) return false;
  const storage = allocate(wanted * stride);
  if (!storage) return false;
  for (let i: u32 = 0; i < count; i++) copyBytes(storage + i * stride, slot(map, i), stride);
  if (slots) free(mapField(map, MapField.STORAGE), slots * stride);
  setMapField(map, MapField.STORAGE, storage);
  store<u32>(map, wanted, SLOTS);
  store<u32>(map, 0, TAIL);
  return true;
}

/** flags: 0, or 2 (BPF_EXIST) to discard the oldest element when full. */
export function queuePush(map: u32, value: u32, flags: u64): i32 {
  if (flags == 1 || flags > 2) return -Errno.EINVAL;
  if (mapField(map, MapField.COUNT) >= mapField(map, MapField.MAX_ENTRIES)) {
    if (flags != 2) return -Errno.E2BIG;
    store<u32>(map, (load<u32>(map, TAIL) + 1) % load<u32>(map, SLOTS), TAIL);
    setMapField(map, MapField.COUNT, mapField(map, MapField.COUNT) - 1);
  }
  if (!reserve(map)) return -Errno.ENOMEM;
  const count = mapField(map, MapField.COUNT);
  copyBytes(slot(map, count), value, mapField(map, MapField.VALUE_SIZE));
  setMapField(map, MapField.COUNT, count + 1);
  return 0;
}

/** Copies the next element out; `remove` takes it away. An empty one zeroes the output. */
export function queueTake(map: u32, to: u32, remove: bool): i32 {
  const count = mapField(map, MapField.COUNT);
  const size = mapField(map, MapField.VALUE_SIZE);
  if (!count) {
    clearBytes(to, size);
    return -Errno.ENOENT;
  }
  const isStack = mapType(map) == MapType.STACK;
  copyBytes(to, slot(map, isStack ? count - 1 : 0), size);
  if (!remove) return 0;
  if (!isStack) store<u32>(map, (load<u32>(map, TAIL) + 1) % load<u32>(map, SLOTS), TAIL);
  setMapField(map, MapField.COUNT, count - 1);
  return 0;
}
