import { Errno } from '../../assembly/abi.js';
import type { HelperCall, HostHelper, Socket } from './helper.js';
import { viewOf } from './memory.js';
import { socketArgument } from './own-socket.js';

const TCP = 6;
const LISTEN = 10;
const TCP_HEADER = 20;
const IPV4_HEADER = 20;
const IPV6_HEADER = 40;
const AF_INET6 = 10;

/** Segment sizes a cookie can carry (msstab of net/ipv4 and net/ipv6 syncookies). */
const SIZES4 = [536, 1300, 1440, 1460] as const;
const SIZES6 = [1220, 1420, 1440, 8940] as const;
/** TCP_MSS_DEFAULT, and the IPv6 minimum less the headers. */
const DEFAULT4 = 536;
const DEFAULT6 = 1220;
/** Bits of a cookie that carry the segment size. */
const DATA_MASK = 0xffffff;
const MSS_OPTION = 2;

/** Fixed instead of random, so that runs repeat; a cookie proves nothing outside the machine. */
const SECRETS = [0x243f6a88, 0x85a308d3] as const;

/** A 32-bit mixing hash (multiply, rotate, xor) over addresses and ports. */
function hash(parts: readonly number[], secret: number): number {
  let value = secret;
  for (const part of parts) {
    value = Math.imul(value ^ part, 0x9e3779b1);
    value = ((value << 13) | (value >>> 19)) ^ (value >>> 7);
  }
  return value >>> 0;
}

interface Segment {
  /** Addresses and ports as 32-bit words. */
  parts: number[];
  sequence: number;
  acknowledged: number;
  flags: number;
  /** Header length in bytes as the header says. */
  headerLength: number;
}

function segment(ip: Uint8Array, tcp: Uint8Array, isV6: boolean): Segment {
  const addresses = isV6 ? ip.subarray(8, 40) : ip.subarray(12, 20);
  const view = viewOf(tcp);
  const parts = Array.from({ length: addresses.length / 4 }, (_, i) => viewOf(addresses).getUint32(i * 4, false));
  return {
    parts: [...parts, view.getUint32(0, false)],
    sequence: view.getUint32(4, false),
    acknowledged: view.getUint32(8, false),
    flags: tcp[13]!,
    headerLength: (tcp[12]! >> 4) * 4,
  };
}

/** Cookie for a SYN: two hashes, the client's sequence number and the index of the segment size (secure_tcp_syn_cookie). */
function makeCookie(parts: readonly number[], sequence: number, index: number): number {
  return (hash(parts, SECRETS[0]) + sequence + ((hash(parts, SECRETS[1]) + index) & DATA_MASK)) >>> 0;
}

/** Index of the segment size in a cookie; anything else if the cookie is not ours. */
function checkCookie(parts: readonly number[], cookie: number, sequence: number): number {
  const data = (cookie - hash(parts, SECRETS[0]) - sequence) >>> 0;
  if (data > DATA_MASK) return -1;
  return (data - hash(parts, SECRETS[1])) & DATA_MASK;
}

/** Value of the MSS option, undefined without a well-formed one. */
function segmentSize(tcp: Uint8Array): number | undefined {
  for (let at = TCP_HEADER; at < tcp.length; ) {
    const kind = tcp[at]!;
    if (kind === 0) return undefined;
    if (kind === 1) {
      at++;
      continue;
    }
    const length = tcp[at + 1];
    if (length === undefined || length < 2 || at + length > tcp.length) return undefined;
    if (kind === MSS_OPTION && length === 4) return viewOf(tcp).getUint16(at + 2, false) || undefined;
    at += length;
  }
  return undefined;
}

/** tcp_raw_gen_syncookie_*(iph, th, th_len): cookie in the low half, segment size above it. */
function generate(call: HelperCall, isV6: boolean): bigint | number {
  const length = call.u32(3);
  if (length < TCP_HEADER) return -Errno.EINVAL;
  const tcp = call.read(call.arg(2), length);
  const ip = call.read(call.arg(1), isV6 ? IPV6_HEADER : IPV4_HEADER);
  const { parts, sequence, headerLength } = segment(ip, tcp, isV6);
  if (length !== headerLength) return -Errno.EINVAL;
  const sizes = isV6 ? SIZES6 : SIZES4;
  const wanted = segmentSize(tcp) ?? (isV6 ? DEFAULT6 : DEFAULT4);
  const index = Math.max(
    0,
    sizes.findLastIndex((size) => size <= wanted),
  );
  return BigInt(makeCookie(parts, sequence, index)) | (BigInt(sizes[index]!) << 32n);
}

/** tcp_raw_check_syncookie_*(iph, th): 0 for the ACK that answers a cookie, else EACCES. */
function check(call: HelperCall, isV6: boolean): number {
  const ip = call.read(call.arg(1), isV6 ? IPV6_HEADER : IPV4_HEADER);
  return isAnswer(ip, call.read(call.arg(2), TCP_HEADER), isV6) ? 0 : -Errno.EACCES;
}

function isAnswer(ip: Uint8Array, tcp: Uint8Array, isV6: boolean): boolean {
  const { parts, sequence, acknowledged } = segment(ip, tcp, isV6);
  const index = checkCookie(parts, (acknowledged - 1) >>> 0, (sequence - 1) >>> 0);
  return index >= 0 && index < (isV6 ? SIZES6 : SIZES4).length;
}

const isListener = (socket: Socket): boolean => socket.protocol === TCP && socket.state === LISTEN;
const FIN = 1;
const SYN = 2;
const RST = 4;
const ACK = 16;

/** Negative errno for an IP header the socket cannot answer, 0 for a good one. */
function versionError(ip: Uint8Array, socket: Socket): number {
  const version = ip[0]! >> 4;
  if (version === 4) return 0;
  if (version !== 6) return -Errno.EPROTONOSUPPORT;
  return ip.length < IPV6_HEADER || socket.family !== AF_INET6 ? -Errno.EINVAL : 0;
}

/**
 * tcp_check_syncookie(sk, iph, iph_len, th, th_len). A listener here never overflows (that is when it sends cookies), so
 * that a well-formed ACK is ENOENT.
 */
const checkForSocket: HostHelper = (call) => {
  if (call.u32(5) < TCP_HEADER) return -Errno.EINVAL;
  const socket = socketArgument(call, 1);
  if (!isListener(socket)) return -Errno.EINVAL;
  const flags = call.read(call.arg(4), TCP_HEADER)[13]!;
  if ((flags & (ACK | RST | SYN)) !== ACK) return -Errno.ENOENT;
  return call.u32(3) < IPV4_HEADER ? -Errno.EINVAL : -Errno.ENOENT;
};

/** tcp_gen_syncookie(sk, iph, iph_len, th, th_len): ENOENT, as the queue of a listener here is never full. */
const generateForSocket: HostHelper = (call) => {
  const length = call.u32(5);
  if (length < TCP_HEADER) return -Errno.EINVAL;
  const socket = socketArgument(call, 1);
  const tcp = call.read(call.arg(4), length);
  if (length !== (tcp[12]! >> 4) * 4 || !isListener(socket)) return -Errno.EINVAL;
  if ((tcp[13]! & (SYN | ACK | FIN | RST)) !== SYN) return -Errno.EINVAL;
  if (call.u32(3) < IPV4_HEADER) return -Errno.EINVAL;
  return versionError(call.read(call.arg(2), call.u32(3)), socket) || -Errno.ENOENT;
};

export const SYNCOOKIE_HELPERS: readonly (readonly [number, HostHelper])[] = [
  [100, checkForSocket],
  [110, generateForSocket],
  [204, (call) => generate(call, false)],
  [205, (call) => generate(call, true)],
  [206, (call) => check(call, false)],
  [207, (call) => check(call, true)],
];
