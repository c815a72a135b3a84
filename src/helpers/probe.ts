import { Errno } from '../../assembly/abi.js';
import type { HelperCall, HostHelper } from './helper.js';
import { tryRead, tryReadString } from './memory.js';

/** Below this lies no kernel memory: copy_from_kernel_nofault_allowed says no, which is ERANGE and not EFAULT. */
const LOWEST_ADDRESS = 4096n;

type Read = (call: HelperCall, address: bigint, size: number) => Uint8Array | undefined;

/**
 * probe_read(dst, size, src) and its relatives: a negative errno and a zeroed buffer for memory that is not there, else
 * what `result` makes of the bytes.
 */
function probe(read: Read, result: (bytes: Uint8Array) => number, isKernel: boolean): HostHelper {
  return (call) => {
    const size = call.u32(2);
    const address = call.arg(3);
    const isRefused = isKernel && address < LOWEST_ADDRESS;
    if (size === 0) return isRefused ? -Errno.ERANGE : 0;
    const bytes = isRefused ? undefined : read(call, address, size);
    call.write(call.arg(1), bytes ?? new Uint8Array(size));
    if (bytes) return result(bytes);
    return isRefused ? -Errno.ERANGE : -Errno.EFAULT;
  };
}

const plain = (isKernel: boolean): HostHelper => probe(tryRead, () => 0, isKernel);

/** The string with the NUL that always ends it; bytes of the buffer behind it stay as they are. */
const text = (isKernel: boolean): HostHelper =>
  probe(
    (call, address, size) => {
      const bytes = tryReadString(call, address, size);
      return bytes && Uint8Array.from([...bytes, 0]);
    },
    (bytes) => bytes.length,
    isKernel,
  );

export const PROBE_HELPERS: readonly (readonly [number, HostHelper])[] = [
  [4, plain(false)],
  [45, text(false)],
  [112, plain(false)],
  [113, plain(true)],
  [114, text(false)],
  [115, text(true)],
  [148, plain(false)],
];
