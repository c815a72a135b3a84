import { Errno } from '../../assembly/abi.js';
import type { HelperCall, HostHelper } from './helper.js';
import { RESERVED_OPTIONS } from './hidden.js';

/** Offsets in struct bpf_sock_ops. */
const OP = 0;
const IS_FULLSOCK = 72;
const CALLBACK_FLAGS = 84;
const SKB_DATA = 192;
const SKB_DATA_END = 200;

/** BPF_SOCK_OPS_HDR_OPT_LEN_CB and BPF_SOCK_OPS_WRITE_HDR_OPT_CB. */
const OP_LENGTH = 14;
const OP_WRITE = 15;
const ALL_CALLBACKS = 0x7f;
const LOAD_SYN = 1n;

const TCP_HEADER = 20;
const MOST_OPTIONS = 40;
/** Option kinds: end of list, padding, and the two experimental ones with a magic number (RFC 6994). */
const END = 0;
const NOP = 1;
const EXPERIMENTAL = new Set([253, 254]);

/** sock_ops_cb_flags_set(ctx, flags): the bits that are not known. */
const setFlags: HostHelper = (call) => {
  const flags = call.s32(2);
  if (call.context.getUint32(IS_FULLSOCK, true) === 0) return -Errno.EINVAL;
  call.context.setUint32(CALLBACK_FLAGS, flags & ALL_CALLBACKS, true);
  return flags & ~ALL_CALLBACKS;
};

interface Options {
  /** Address behind the last option byte. */
  end: bigint;
  bytes: Uint8Array;
}

/** The option bytes of the TCP header the context points to, undefined without one. */
function options(call: HelperCall): Options | undefined {
  const data = call.context.getBigUint64(SKB_DATA, true);
  const end = call.context.getBigUint64(SKB_DATA_END, true);
  if (data === 0n || end < data) return undefined;
  const length = Math.min(Number(end - data), TCP_HEADER + MOST_OPTIONS);
  return { end, bytes: call.read(data, length).subarray(TCP_HEADER) };
}

/** Offset of an option, or a negative errno; `ended` if an end-of-list option came first (bpf_search_tcp_opt). */
function search(bytes: Uint8Array, kind: number, magic: Uint8Array): { at: number; ended: boolean } {
  let at = 0;
  while (at < bytes.length) {
    if (bytes[at] === END) return { at: -Errno.ENOMSG, ended: true };
    if (bytes[at] === NOP) {
      at++;
      continue;
    }
    const length = bytes[at + 1];
    if (length === undefined || length < 2 || at + length > bytes.length) return { at: -Errno.EFAULT, ended: false };
    const hasMagic = length >= 2 + magic.length && magic.every((byte, i) => bytes[at + 2 + i] === byte);
    if (bytes[at] === kind && hasMagic) return { at, ended: false };
    at += length;
  }
  return { at: -Errno.ENOMSG, ended: false };
}

/** load_hdr_opt(ctx, search_res, len, flags): kind, length and magic in, the whole option out. */
const load: HostHelper = (call) => {
  const length = call.u32(3);
  const flags = call.arg(4);
  if (length < 2 || (flags & ~LOAD_SYN) !== 0n) return -Errno.EINVAL;
  const wanted = call.read(call.arg(2), length);
  const [kind, size] = [wanted[0]!, wanted[1]!];
  if (size > length || kind === NOP || kind === END) return -Errno.EINVAL;
  if (EXPERIMENTAL.has(kind) ? size !== 4 && size !== 6 : size !== 0) return -Errno.EINVAL;
  // Saved SYN packets are not kept here.
  if (flags & LOAD_SYN) return -Errno.ENOENT;
  const found = call.context.getUint32(OP, true) === OP_LENGTH ? undefined : options(call);
  if (!found) return -Errno.EPERM;
  const { at } = search(found.bytes, kind, wanted.subarray(2, EXPERIMENTAL.has(kind) ? size : 2));
  if (at < 0) return at;
  const option = found.bytes.subarray(at, at + found.bytes[at + 1]!);
  call.write(call.arg(2), option.subarray(0, length));
  return option.length > length ? -Errno.ENOSPC : option.length;
};

/** Bytes that further options may take in this callback. */
function room(call: HelperCall): number {
  return MOST_OPTIONS - (options(call)?.bytes.length ?? 0) - call.context.getUint32(RESERVED_OPTIONS, true);
}

/** store_hdr_opt(ctx, from, len, flags): appends an option to the header being written. */
const store: HostHelper = (call) => {
  if (call.context.getUint32(OP, true) !== OP_WRITE) return -Errno.EPERM;
  const length = call.u32(3);
  if (length < 2 || call.arg(4) !== 0n) return -Errno.EINVAL;
  const option = call.read(call.arg(2), length);
  const [kind, size] = [option[0]!, option[1]!];
  if (size > length || kind === NOP || kind === END) return -Errno.EINVAL;
  const found = options(call);
  if (!found || size > room(call)) return -Errno.ENOSPC;
  if (EXPERIMENTAL.has(kind) && size < 4) return -Errno.EINVAL;
  const { at, ended } = search(found.bytes, kind, option.subarray(2, EXPERIMENTAL.has(kind) ? 4 : 2));
  if (at >= 0) return -Errno.EEXIST;
  if (at !== -Errno.ENOMSG) return at;
  if (ended) return -Errno.ENOSPC;
  call.write(found.end, option.subarray(0, size));
  call.context.setBigUint64(SKB_DATA_END, found.end + BigInt(size), true);
  return 0;
};

/** reserve_hdr_opt(ctx, len, flags). */
const reserve: HostHelper = (call) => {
  if (call.context.getUint32(OP, true) !== OP_LENGTH) return -Errno.EPERM;
  const length = call.u32(2);
  if (call.arg(3) !== 0n || length < 2) return -Errno.EINVAL;
  if (length > room(call)) return -Errno.ENOSPC;
  const reserved = call.context.getUint32(RESERVED_OPTIONS, true);
  call.context.setUint32(RESERVED_OPTIONS, reserved + length, true);
  return 0;
};

export const SOCK_OPS_HELPERS: readonly (readonly [number, HostHelper])[] = [
  [59, setFlags],
  [142, load],
  [143, store],
  [144, reserve],
];
