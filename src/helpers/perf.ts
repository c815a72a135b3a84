import { Errno } from '../../assembly/abi.js';
import type { HelperCall, HostHelper } from './helper.js';

/** Index bits of the flags; all ones = current CPU. */
const INDEX = 0xffffffffn;
/** Size of struct bpf_perf_event_value. */
const VALUE_SIZE = 24;

/** Errors of get_map_perf_counter. No hardware counter is ever opened, so a valid slot is empty. */
function readCounter(call: HelperCall): number {
  const flags = call.arg(2);
  if ((flags & ~INDEX) !== 0n) return -Errno.EINVAL;
  const info = call.mapAt?.(call.arg(1));
  if (info && flags !== INDEX && flags >= BigInt(info.maxEntries)) return -Errno.E2BIG;
  return -Errno.ENOENT;
}

/** perf_event_read_value(map, flags, buf, size): the buffer is zeroed on every error. */
const readValue: HostHelper = (call) => {
  const size = call.u32(4);
  call.write(call.arg(3), new Uint8Array(size));
  return size === VALUE_SIZE ? readCounter(call) : -Errno.EINVAL;
};

export const PERF_HELPERS: readonly (readonly [number, HostHelper])[] = [
  [22, readCounter],
  [55, readValue],
];
