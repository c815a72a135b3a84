/**
 * Ring buffer (kernel ringbuf.c). The data area has twice its size in memory, so that every record is contiguous; a program
 * may touch a record only between reserve and submit or discard.
 *
 * Record: u32 length (bit 31 busy, bit 30 discarded), u32 page offset, payload; rounded up to 8.
 */
import { copyBytes } from "../bytes";
import { Errno, EventKind, MapField, MapType } from "../abi";
import { forbid, permit } from "../check";
import { logEvent } from "../events";
import { allocate } from "../heap";
import { MAPS, MAPS_MAX } from "../memory";
import { MAP_MAGIC, mapField, mapType, setMapField } from "./descriptor";

const CONSUMER: u32 = MapField.PRIVATE; // u64
const PRODUCER: u32 = MapField.PRIVATE + 8; // u64

const HEADER: u32 = 8;
const BUSY: u32 = 0x80000000;
const DISCARDED: u32 = 0x40000000;
const LENGTH: u32 = 0x3fffffff;

export function ringInit(map: u32): bool {
  const size = mapField(map, MapField.MAX_ENTRIES);
  if (size > 0x8000000) return false;
  const storage = allocate(size * 2);
  setMapField(map, MapField.STORAGE, storage);
  return storage != 0;
}

function round8(length: u32): u32 {
  return (length + 7) & ~7;
}

/** Address of the payload of a new record, 0 if there is no room. */
export function ringReserve(map: u32, length: u64): u32 {
  const size = mapField(map, MapField.MAX_ENTRIES);
  if (length > <u64>LENGTH) return 0;
  const total = round8(<u32>length + HEADER);
  const producer = load<u64>(map + PRODUCER);
  if (producer + <u64>total - load<u64>(map + CONSUMER) > <u64>size - 1) return 0;
  const record = mapField(map, MapField.STORAGE) + <u32>(producer & (size - 1));
  store<u32>(record, <u32>length | BUSY);
  store<u32>(record, (record - mapField(map, MapField.STORAGE)) >>> 12, 4);
  memory.fill(record + HEADER, 0, <u32>length);
  store<u64>(map + PRODUCER, producer + <u64>total);
  permit(record + HEADER, <u32>length, true);
  return record + HEADER;
}

/** The ring buffer and record of a payload address: 0 if it is no record that is being written. */
export function ringOf(payload: u32): u32 {
  for (let map = MAPS + MapField.SIZE; map < MAPS + MAPS_MAX * MapField.SIZE; map += MapField.SIZE) {
    if (load<u32>(map) != MAP_MAGIC) return 0;
    if (mapType(map) != MapType.RINGBUF) continue;
    const storage = mapField(map, MapField.STORAGE);
    if (payload < storage + HEADER || payload >= storage + mapField(map, MapField.MAX_ENTRIES) + HEADER || payload & 7) continue;
    return isBusy(map, payload - HEADER) ? map : 0;
  }
  return 0;
}

/** Walks the records from the consumer on, so that bytes which only look like a header are not taken for one. */
function isBusy(map: u32, wanted: u32): bool {
  const mask = mapField(map, MapField.MAX_ENTRIES) - 1;
  let at = load<u64>(map + CONSUMER);
  while (at < load<u64>(map + PRODUCER)) {
    const record = mapField(map, MapField.STORAGE) + <u32>(at & mask);
    const header = load<u32>(record);
    if (record == wanted) return (header & BUSY) != 0;
    at += <u64>round8((header & LENGTH) + HEADER);
  }
  return false;
}

/** Ends the writing of a record. */
export function ringCommit(map: u32, payload: u32, discard: bool): void {
  const record = payload - HEADER;
  const length = load<u32>(record) & LENGTH;
  store<u32>(record, discard ? length | DISCARDED : length);
  forbid(payload, length);
  if (discard) return;
  const event = logEvent(EventKind.RINGBUF, map, 0, length, 0);
  if (event) copyBytes(event, payload, length);
}

export function ringOutput(map: u32, data: u32, length: u32): i32 {
  const payload = ringReserve(map, <u64>length);
  if (!payload) return -Errno.EAGAIN;
  copyBytes(payload, data, length);
  ringCommit(map, payload, false);
  return 0;
}

/** 0 unread bytes, 1 size, 2 consumer position, 3 producer position. */
export function ringQuery(map: u32, what: u64): u64 {
  if (what == 0) return load<u64>(map + PRODUCER) - load<u64>(map + CONSUMER);
  if (what == 1) return <u64>mapField(map, MapField.MAX_ENTRIES);
  if (what == 2) return load<u64>(map + CONSUMER);
  return what == 3 ? load<u64>(map + PRODUCER) : 0;
}

/**
 * Takes the oldest record for the host: returns the address of its payload with the length at `lengthOut`, 0 if there is
 * none that is complete. Discarded records are passed over.
 */
export function ringConsume(map: u32, lengthOut: u32): u32 {
  const mask = mapField(map, MapField.MAX_ENTRIES) - 1;
  while (load<u64>(map + CONSUMER) < load<u64>(map + PRODUCER)) {
    const at = load<u64>(map + CONSUMER);
    const record = mapField(map, MapField.STORAGE) + <u32>(at & mask);
    const header = load<u32>(record);
    if (header & BUSY) return 0;
    store<u64>(map + CONSUMER, at + <u64>round8((header & LENGTH) + HEADER));
    if (header & DISCARDED) continue;
    store<u32>(lengthOut, header & LENGTH);
    return record + HEADER;
  }
  return 0;
}
