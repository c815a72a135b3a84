import { Errno } from '../../assembly/abi.js';
import type { HelperCall, HostHelper } from './helper.js';
import { tryRead, tryReadString } from './memory.js';

/** probe_read(dst, size, src) and its relatives: EFAULT with a zeroed buffer for memory that is not there. */
const read: HostHelper = (call) => {
  const size = call.u32(2);
  if (size === 0) return 0;
  const bytes = tryRead(call, call.arg(3), size);
  call.write(call.arg(1), bytes ?? new Uint8Array(size));
  return bytes ? 0 : -Errno.EFAULT;
};

/** probe_read_str(dst, size, src): length with the NUL that always ends it; bytes behind it stay as they are. */
const readString: HostHelper = (call: HelperCall) => {
  const size = call.u32(2);
  if (size === 0) return 0;
  const bytes = tryReadString(call, call.arg(3), size);
  call.write(call.arg(1), bytes ? Uint8Array.from([...bytes, 0]) : new Uint8Array(size));
  return bytes ? bytes.length + 1 : -Errno.EFAULT;
};

/** User and kernel memory are one here: the machine's memory as far as the program may read it. */
export const PROBE_HELPERS: readonly (readonly [number, HostHelper])[] = [
  [4, read],
  [45, readString],
  [112, read],
  [113, read],
  [114, readString],
  [115, readString],
  [148, read],
];
