import { Errno } from '../../assembly/abi.js';

/** errno values that only host helpers return, beside the ones of assembly/abi.ts. */
export const EPROTOTYPE = 91;

const NAMES = new Map<number, string>([
  ...Object.entries(Errno).flatMap(([name, value]): [number, string][] =>
    typeof value === 'number' ? [[value, name]] : [],
  ),
  [3, 'ESRCH'],
  [5, 'EIO'],
  [6, 'ENXIO'],
  [18, 'EXDEV'],
  [25, 'ENOTTY'],
  [27, 'EFBIG'],
  [33, 'EDOM'],
  [36, 'ENAMETOOLONG'],
  [38, 'ENOSYS'],
  [40, 'ELOOP'],
  [61, 'ENODATA'],
  [88, 'ENOTSOCK'],
  [90, 'EMSGSIZE'],
  [EPROTOTYPE, 'EPROTOTYPE'],
  [92, 'ENOPROTOOPT'],
  [98, 'EADDRINUSE'],
  [99, 'EADDRNOTAVAIL'],
  [100, 'ENETDOWN'],
  [105, 'ENOBUFS'],
  [106, 'EISCONN'],
  [107, 'ENOTCONN'],
  [110, 'ETIMEDOUT'],
  [111, 'ECONNREFUSED'],
  [113, 'EHOSTUNREACH'],
]);

/** Largest errno a pointer or result can carry (MAX_ERRNO of the kernel). */
const MAX_ERRNO = 4095;

/** `-EINVAL` for -22; numbers that are no errno stay numbers. */
export function describeErrno(result: number): string {
  const name = result < 0 && result >= -MAX_ERRNO ? NAMES.get(-result) : undefined;
  return name ? `-${name}` : String(result);
}
