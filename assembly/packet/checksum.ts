/** Checksum helpers (kernel net/core/filter.c, lib/checksum). Sums are host-order words of the raw bytes. */
import { Errno, Packet } from "../abi";
import { checkRead } from "../check";
import { error, packet32, setPacket32 } from "../state";
import { checkContext, invalidatePointers, packetData, packetLength } from "./buffer";

/** 32-bit addition with end-around carry. */
// @ts-ignore: decorator
@inline
export function add32(a: u32, b: u32): u32 {
  const sum = a + b;
  return sum + <u32>(sum < a);
}

/** Folds to 16 bits and complements: the value of a checksum field. */
// @ts-ignore: decorator
@inline
export function fold(sum: u32): u32 {
  sum = (sum & 0xffff) + (sum >>> 16);
  sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** Adds the 32-bit little-endian words of memory to a sum; missing bytes of the last word are zero. */
export function sumBytes(address: u32, length: u32, sum: u32): u32 {
  let i: u32 = 0;
  for (; i + 4 <= length; i += 4) sum = add32(sum, load<u32>(address + i));
  let last: u32 = 0;
  for (let shift: u32 = 0; i < length; i++, shift += 8) last |= (<u32>load<u8>(address + i)) << shift;
  return add32(sum, last);
}

/** A field of the kernel's inet_proto_csum_replace4. */
function replace4(old: u32, from: u32, to: u32): u32 {
  return fold(add32(add32(~old, ~from), to));
}

function add16(a: u32, b: u32): u32 {
  const sum = (a & 0xffff) + (b & 0xffff);
  return (sum + (sum >>> 16)) & 0xffff;
}

/** csum_replace2: 16-bit arithmetic, which differs from replace4 when everything is ones. */
function replace2(old: u32, from: u32, to: u32): u32 {
  return ~add16(add16(~old, ~from), to) & 0xffff;
}

function replaceByDifference(old: u32, difference: u32): u32 {
  return fold(add32(difference, ~old));
}

/** Address of a 16-bit field, or 0 with `problem` as errno. */
function fieldProblem(offset: u32): Errno {
  if (offset > 0xffff || offset & 1) return Errno.EFAULT;
  return offset + 2 > packetLength() ? Errno.EFAULT : <Errno>0;
}

const SIZE_MASK: u64 = 0xf;

/** 10: l3_csum_replace(skb, offset, from, to, flags). */
export function l3CsumReplace(context: u64, offset: u64, from: u64, to: u64, flags: u64): u64 {
  if (!checkContext(context)) return 0;
  invalidatePointers();
  if (flags & ~SIZE_MASK) return error(Errno.EINVAL);
  const problem = fieldProblem(<u32>offset);
  if (problem) return error(problem);
  const at = packetData() + <u32>offset;
  const old = <u32>load<u16>(at);
  switch (<u32>(flags & SIZE_MASK)) {
    case 0:
      if (from != 0) return error(Errno.EINVAL);
      store<u16>(at, <u16>replaceByDifference(old, <u32>to));
      return 0;
    case 2:
      store<u16>(at, <u16>replace2(old, <u32>from, <u32>to));
      return 0;
    case 4:
      store<u16>(at, <u16>replace4(old, <u32>from, <u32>to));
      return 0;
    default:
      return error(Errno.EINVAL);
  }
}

const PSEUDO_HDR: u64 = 0x10;
const MARK_MANGLED_0: u64 = 0x20;
const MARK_ENFORCE: u64 = 0x40;
const IPV6: u64 = 0x80;

/** 11: l4_csum_replace(skb, offset, from, to, flags). */
export function l4CsumReplace(context: u64, offset: u64, from: u64, to: u64, flags: u64): u64 {
  if (!checkContext(context)) return 0;
  invalidatePointers();
  if (flags & ~(SIZE_MASK | PSEUDO_HDR | MARK_MANGLED_0 | MARK_ENFORCE | IPV6)) return error(Errno.EINVAL);
  const problem = fieldProblem(<u32>offset);
  if (problem) return error(problem);
  const at = packetData() + <u32>offset;
  const old = <u32>load<u16>(at);
  const isMangled = (flags & MARK_MANGLED_0) != 0;
  if (isMangled && !(flags & MARK_ENFORCE) && old == 0) return 0;
  let value: u32 = 0;
  let difference: u32 = 0;
  switch (<u32>(flags & SIZE_MASK)) {
    case 0:
      if (from != 0) return error(Errno.EINVAL);
      difference = <u32>to;
      value = replaceByDifference(old, difference);
      break;
    case 2:
      difference = add32(~(<u32>from & 0xffff), <u32>to & 0xffff);
      value = replace4(old, <u32>from & 0xffff, <u32>to & 0xffff);
      break;
    case 4:
      difference = add32(~(<u32>from), <u32>to);
      value = replace4(old, <u32>from, <u32>to);
      break;
    default:
      return error(Errno.EINVAL);
  }
  const isDifference = (flags & SIZE_MASK) == 0;
  if (flags & PSEUDO_HDR && packet32(Packet.IP_SUMMED) == COMPLETE && !(isDifference && flags & IPV6)) {
    setPacket32(Packet.CSUM, ~add32(~packet32(Packet.CSUM), difference));
  }
  if (isMangled && value == 0) value = 0xffff;
  store<u16>(at, <u16>value);
  return 0;
}

/** ip_summed values. */
export const NONE: u32 = 0;
export const UNNECESSARY: u32 = 1;
export const COMPLETE: u32 = 2;

/** 28: csum_diff(from, from_size, to, to_size, seed), as since Linux 6.13: any sizes, folded to 16 bits. */
export function csumDiff(from: u64, fromSize: u64, to: u64, toSize: u64, seed: u64): u64 {
  const fromLength = <u32>fromSize;
  const toLength = <u32>toSize;
  if (!checkRead(from, fromLength) || !checkRead(to, toLength)) return 0;
  let sum = <u32>seed;
  if (fromLength && toLength) sum = add32(sumBytes(<u32>to, toLength, sum), ~sumBytes(<u32>from, fromLength, 0));
  else if (toLength) sum = sumBytes(<u32>to, toLength, sum);
  else if (fromLength) sum = ~sumBytes(<u32>from, fromLength, ~sum);
  sum = (sum & 0xffff) + (sum >>> 16);
  return <u64>((sum & 0xffff) + (sum >>> 16));
}

/** 40: csum_update(skb, csum). */
export function csumUpdate(context: u64, csum: u64): u64 {
  if (!checkContext(context)) return 0;
  if (packet32(Packet.IP_SUMMED) != COMPLETE) return error(Errno.ENOTSUPP);
  const sum = add32(packet32(Packet.CSUM), <u32>csum);
  setPacket32(Packet.CSUM, sum);
  return <u64>sum;
}

/** 135: csum_level(skb, level): 0 query, 1 increase, 2 decrease, 3 reset. */
export function csumLevel(context: u64, level: u64): u64 {
  if (!checkContext(context)) return 0;
  if (level > 3) return error(Errno.EINVAL);
  const summed = packet32(Packet.IP_SUMMED);
  const now = packet32(Packet.CSUM_LEVEL);
  if (level == 0) return summed == UNNECESSARY ? <u64>now : error(Errno.EACCES);
  if (summed == COMPLETE) return 0;
  if (level == 1) {
    if (summed == UNNECESSARY) setPacket32(Packet.CSUM_LEVEL, min<u32>(now + 1, 3));
    else {
      setPacket32(Packet.IP_SUMMED, UNNECESSARY);
      setPacket32(Packet.CSUM_LEVEL, 0);
    }
  } else if (level == 3) {
    setPacket32(Packet.IP_SUMMED, NONE);
    setPacket32(Packet.CSUM_LEVEL, 0);
  } else if (summed == UNNECESSARY) {
    if (now == 0) setPacket32(Packet.IP_SUMMED, NONE);
    else setPacket32(Packet.CSUM_LEVEL, now - 1);
  }
  return 0;
}
