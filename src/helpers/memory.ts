import type { HelperCall } from './helper.js';

/** Bytes at an address that the kernel would read without trusting it: undefined stands for a page fault. */
export function tryRead(call: HelperCall, address: bigint, length: number): Uint8Array | undefined {
  if (length === 0) return new Uint8Array();
  if (address === 0n) return undefined;
  return call.peek ? call.peek(address, length) : call.read(address, length);
}

/**
 * A NUL-terminated string of at most `limit` bytes including the NUL; undefined for a page fault before the end
 * (strncpy_from_kernel_nofault). A string without NUL within the limit is cut by one byte, to make room for it.
 */
export function tryReadString(call: HelperCall, address: bigint, limit: number): Uint8Array | undefined {
  const bytes: number[] = [];
  while (bytes.length < limit) {
    const next = tryRead(call, address + BigInt(bytes.length), 1);
    if (!next) return undefined;
    if (next[0] === 0) return Uint8Array.from(bytes);
    bytes.push(next[0]!);
  }
  return Uint8Array.from(bytes.slice(0, Math.max(0, limit - 1)));
}

/** Little-endian u64 values of a byte array. */
export function words(bytes: Uint8Array): bigint[] {
  const view = viewOf(bytes);
  return Array.from({ length: bytes.length >>> 3 }, (_, i) => view.getBigUint64(i * 8, true));
}

/** A little-endian u64. */
export function word(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  viewOf(bytes).setBigUint64(0, BigInt.asUintN(64, value), true);
  return bytes;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
