import { Errno } from '../../assembly/abi.js';
import type { HostHelper } from './helper.js';
import { socketArgument } from './own-socket.js';

/** BPF_SK_STORAGE_GET_F_CREATE */
const CREATE = 1n;

/** sk_storage_get(map, sk, value, flags): NULL if absent and not to be created; a NULL `value` means zeros. */
const get: HostHelper = (call) => {
  const [map, flags] = [call.arg(1), call.arg(4)];
  if (call.arg(2) === 0n || (flags & ~CREATE) !== 0n) return 0n;
  const socket = socketArgument(call, 2);
  if (flags !== CREATE) return call.storage?.(map, socket.cookie) ?? 0n;
  const size = call.mapAt?.(map)?.valueSize ?? 0;
  const initial = call.arg(3) === 0n ? new Uint8Array(size) : call.read(call.arg(3), size);
  return call.storage?.(map, socket.cookie, initial) ?? 0n;
};

/** sk_storage_delete(map, sk) */
const remove: HostHelper = (call) => {
  if (call.arg(2) === 0n) return -Errno.EINVAL;
  return call.deleteStorage?.(call.arg(1), socketArgument(call, 2).cookie) ? 0 : -Errno.ENOENT;
};

/** Local storage of sockets: a map keeps one value per socket. */
export const SK_STORAGE_HELPERS: readonly (readonly [number, HostHelper])[] = [
  [107, get],
  [108, remove],
];
