import { Errno } from '../../assembly/abi.js';
import type { HelperCall, HostHelper } from './helper.js';
import { viewOf, word } from './memory.js';

/** Largest memory a dynptr describes (DYNPTR_MAX_SIZE). */
const MAX_SIZE = (1 << 24) - 1;
const DYNPTR_SIZE = 16;

interface Dynptr {
  data: bigint;
  size: number;
}

/** A dynptr in its 16 bytes of stack: address u64, size u32, offset u32 (0: data already includes it). */
function load(call: HelperCall, address: bigint): Dynptr {
  const view = viewOf(call.read(address, DYNPTR_SIZE));
  return { data: view.getBigUint64(0, true), size: view.getUint32(8, true) & MAX_SIZE };
}

function store(call: HelperCall, address: bigint, { data, size }: Dynptr): void {
  call.write(address, Uint8Array.from([...word(data), ...word(BigInt(size))]));
}

const isOutside = ({ size }: Dynptr, offset: number, length: number): boolean =>
  length > size || offset > size - length;

/** dynptr_from_mem(data, size, flags, *ptr): a null dynptr on errors. */
const fromMemory: HostHelper = (call) => {
  const size = call.u32(2);
  const error = size > MAX_SIZE ? Errno.E2BIG : call.arg(3) !== 0n ? Errno.EINVAL : 0;
  store(call, call.arg(4), error ? { data: 0n, size: 0 } : { data: call.arg(1), size });
  return -error;
};

/** dynptr_read(dst, len, src, offset, flags). */
const read: HostHelper = (call) => {
  const length = call.u32(2);
  const source = load(call, call.arg(3));
  const offset = call.u32(4);
  if (source.data === 0n || call.arg(5) !== 0n) return -Errno.EINVAL;
  if (isOutside(source, offset, length)) return -Errno.E2BIG;
  call.write(call.arg(1), call.read(source.data + BigInt(offset), length));
  return 0;
};

/** dynptr_write(dst, offset, src, len, flags). */
const write: HostHelper = (call) => {
  const target = load(call, call.arg(1));
  const offset = call.u32(2);
  const length = call.u32(4);
  if (target.data === 0n) return -Errno.EINVAL;
  if (isOutside(target, offset, length)) return -Errno.E2BIG;
  if (call.arg(5) !== 0n) return -Errno.EINVAL;
  call.write(target.data + BigInt(offset), call.read(call.arg(3), length));
  return 0;
};

/** dynptr_data(ptr, offset, len): address of a slice, NULL if it is not inside. */
const data: HostHelper = (call) => {
  const source = load(call, call.arg(1));
  const offset = call.u32(2);
  if (source.data === 0n || isOutside(source, offset, call.u32(3))) return 0n;
  return source.data + BigInt(offset);
};

/** kptr_xchg(dst, ptr): stores a pointer, returns the one that was there. */
const exchange: HostHelper = (call) => {
  const old = viewOf(call.read(call.arg(1), 8)).getBigUint64(0, true);
  call.write(call.arg(1), word(call.arg(2)));
  return old;
};

export const DYNPTR_HELPERS: readonly (readonly [number, HostHelper])[] = [
  [194, exchange],
  [197, fromMemory],
  [201, read],
  [202, write],
  [203, data],
];
