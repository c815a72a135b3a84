/** Reading, writing and resizing an skb; its hash, type and time stamp (kernel net/core/filter.c). */
import { clearBytes, moveBytes } from "../bytes";
import { Errno, Packet } from "../abi";
import { checkRead, checkWrite } from "../check";
import { CONTEXTS } from "../memory";
import { error, packet32, setPacket32 } from "../state";
import { checkContext, insertBytes, invalidatePointers, packetData, packetLength, publish, removeBytes, setLength } from "./buffer";
import { COMPLETE, NONE, sumBytes } from "./checksum";

/** 4 pages minus struct skb_shared_info (BPF_SKB_MAX_LEN). */
export const MAX_LENGTH: u32 = 16064;
/** Most a length or offset may be. */
const MAX_OFFSET: u32 = 0x7fffffff;

/** Context fields that are the skb's own storage. */
export const SKB_TYPE: u32 = CONTEXTS + 4;
export const SKB_PROTOCOL: u32 = CONTEXTS + 16;
const SKB_HASH: u32 = CONTEXTS + 68;
const SKB_TSTAMP: u32 = CONTEXTS + 152;
const SKB_GSO_SEGS: u32 = CONTEXTS + 164;
export const SKB_GSO_SIZE: u32 = CONTEXTS + 176;
const SKB_TSTAMP_TYPE: u32 = CONTEXTS + 180;

/** EtherTypes as the 16-bit fields hold them, in network order. */
export const ETH_IPV4: u32 = 0x0008;
export const ETH_IPV6: u32 = 0xdd86;

const RECOMPUTE_CSUM: u64 = 1;
const INVALIDATE_HASH: u64 = 2;

/** True if [offset, offset + length) lies in the packet. */
function inPacket(offset: u32, length: u32): bool {
  return offset <= MAX_OFFSET && <u64>offset + <u64>length <= <u64>packetLength();
}

function clearHash(): void {
  store<u32>(SKB_HASH, 0);
  setPacket32(Packet.HASH_VALID, 0);
}

/** 9: skb_store_bytes(skb, offset, from, length, flags). */
export function skbStoreBytes(context: u64, offset: u64, from: u64, length: u64, flags: u64): u64 {
  const size = <u32>length;
  if (!checkContext(context) || !checkRead(from, size)) return 0;
  if (flags & ~(RECOMPUTE_CSUM | INVALIDATE_HASH)) {
    invalidatePointers();
    return error(Errno.EINVAL);
  }
  const at = <u32>offset;
  if (!inPacket(at, size)) {
    invalidatePointers();
    return error(Errno.EFAULT);
  }
  // The source may be packet memory itself: copy before the packet moves.
  const to = packetData() + at;
  if (flags & RECOMPUTE_CSUM && packet32(Packet.IP_SUMMED) == COMPLETE) {
    const before = sumBytes(to, size, 0);
    moveBytes(to, <u32>from, size);
    setPacket32(Packet.CSUM, packet32(Packet.CSUM) - before + sumBytes(to, size, 0));
  } else moveBytes(to, <u32>from, size);
  if (flags & INVALIDATE_HASH) clearHash();
  invalidatePointers();
  return 0;
}

/** 26: skb_load_bytes(skb, offset, to, length): zeroes the buffer on failure. */
export function skbLoadBytes(context: u64, offset: u64, to: u64, length: u64): u64 {
  const size = <u32>length;
  if (!checkContext(context) || !checkWrite(to, size)) return 0;
  if (!inPacket(<u32>offset, size)) {
    clearBytes(<u32>to, size);
    return error(Errno.EFAULT);
  }
  moveBytes(<u32>to, packetData() + <u32>offset, size);
  return 0;
}

/** 68: skb_load_bytes_relative(skb, offset, to, length, header): 0 from the L2, 1 from the network header. */
export function skbLoadBytesRelative(context: u64, offset: u64, to: u64, length: u64, header: u64): u64 {
  const size = <u32>length;
  if (!checkContext(context) || !checkWrite(to, size)) return 0;
  const start = header == 0 ? packet32(Packet.MAC_OFFSET) : packet32(Packet.NETWORK_OFFSET);
  const from = <i64>(<i32>start) + <i64>(<u32>offset);
  if (header > 1 || <u32>offset > 0xffff || from + <i64>size > <i64>packetLength()) {
    clearBytes(<u32>to, size);
    return error(Errno.EFAULT);
  }
  moveBytes(<u32>to, packetData() + <u32>from, size);
  return 0;
}

/** 39: skb_pull_data(skb, length): skbs here are always linear. */
export function skbPullData(context: u64, length: u64): u64 {
  if (!checkContext(context)) return 0;
  invalidatePointers();
  return <u32>length > packetLength() ? error(Errno.ENOMEM) : 0;
}

/** Fewest bytes change_tail leaves: the transport header where the kernel thinks there is one, else the network header. */
function smallestLength(): u32 {
  const transport = <i32>packet32(Packet.TRANSPORT) - <i32>packet32(Packet.HEADROOM);
  const isSet = packet32(Packet.TRANSPORT) != 0xffff;
  if (isSet && transport > 0) return <u32>transport;
  return packet32(Packet.NETWORK_OFFSET);
}

function clearGso(): void {
  if (load<u32>(SKB_GSO_SIZE) == 0) return;
  store<u32>(SKB_GSO_SIZE, 0);
  store<u32>(SKB_GSO_SEGS, 0);
}

/** 38: skb_change_tail(skb, length, flags). */
export function skbChangeTail(context: u64, length: u64, flags: u64): u64 {
  if (!checkContext(context)) return 0;
  invalidatePointers();
  const wanted = <u32>length;
  if (flags != 0 || wanted > MAX_LENGTH || wanted < smallestLength()) return error(Errno.EINVAL);
  if (packet32(Packet.ENCAPSULATION)) return error(Errno.ENOTSUPP);
  if (wanted != packetLength()) {
    if (packet32(Packet.IP_SUMMED) == COMPLETE) setPacket32(Packet.IP_SUMMED, NONE);
    setLength(wanted);
  }
  clearGso();
  publish();
  return 0;
}

/** 43: skb_change_head(skb, count, flags): `count` zero bytes in front; they become L2. */
export function skbChangeHead(context: u64, count: u64, flags: u64): u64 {
  if (!checkContext(context)) return 0;
  invalidatePointers();
  const room = <u32>count;
  const length = <u64>packetLength() + <u64>room;
  const isGso = load<u32>(SKB_GSO_SIZE) != 0;
  if (flags != 0 || length > 0xffffffff || (!isGso && length > <u64>MAX_LENGTH)) return error(Errno.EINVAL);
  insertBytes(0, room);
  setPacket32(Packet.MAC_OFFSET, 0);
  setPacket32(Packet.NETWORK_OFFSET, packet32(Packet.NETWORK_OFFSET) + room);
  publish();
  return 0;
}

/** Bytes between the L2 and the network header. */
export function macLength(): u32 {
  return packet32(Packet.NETWORK_OFFSET) - packet32(Packet.MAC_OFFSET);
}

/** 31: skb_change_proto(skb, protocol, flags): makes room for, or removes, the difference between IPv4 and IPv6 headers. */
export function skbChangeProto(context: u64, protocol: u64, flags: u64): u64 {
  if (!checkContext(context)) return 0;
  invalidatePointers();
  if (flags != 0) return error(Errno.EINVAL);
  const to = <u32>protocol & 0xffff;
  const from = load<u32>(SKB_PROTOCOL);
  const at = macLength();
  if (from == ETH_IPV4 && to == ETH_IPV6) {
    insertBytes(at, 20);
  } else if (from == ETH_IPV6 && to == ETH_IPV4) {
    if (packetLength() < at + 20) return error(Errno.ENOMEM);
    removeBytes(at, 20);
  } else return error(Errno.ENOTSUPP);
  store<u32>(SKB_PROTOCOL, to);
  clearHash();
  publish();
  return 0;
}

/** 32: skb_change_type(skb, type): PACKET_HOST 0, BROADCAST 1, MULTICAST 2, OTHERHOST 3. */
export function skbChangeType(context: u64, type: u64): u64 {
  if (!checkContext(context)) return 0;
  if (load<u32>(SKB_TYPE) > 3 || <u32>type > 3) return error(Errno.EINVAL);
  store<u32>(SKB_TYPE, <u32>type);
  return 0;
}

/** A flow hash over addresses, protocol and ports: deterministic, unlike the kernel's keyed one. Never 0. */
function flowHash(): u32 {
  const network = packetData() + packet32(Packet.NETWORK_OFFSET);
  const left = <i32>packetLength() - <i32>packet32(Packet.NETWORK_OFFSET);
  const protocol = load<u32>(SKB_PROTOCOL);
  let hash: u64 = <u64>protocol;
  let transport: u32 = 0;
  let next: u32 = 0;
  if (protocol == ETH_IPV4 && left >= 20) {
    hash = mix(hash, load<u64>(network + 12));
    next = <u32>load<u8>(network + 9);
    transport = (<u32>load<u8>(network) & 15) * 4;
  } else if (protocol == ETH_IPV6 && left >= 40) {
    for (let i: u32 = 8; i < 40; i += 8) hash = mix(hash, load<u64>(network + i));
    next = <u32>load<u8>(network + 6);
    transport = 40;
  }
  hash = mix(hash, <u64>next);
  const hasPorts = next == 6 || next == 17 || next == 132 || next == 33;
  if (hasPorts && <i32>transport + 4 <= left) hash = mix(hash, <u64>load<u32>(network + transport));
  const folded = <u32>(hash ^ (hash >> 32));
  return folded ? folded : 1;
}

function mix(hash: u64, word: u64): u64 {
  hash = (hash ^ word) * 0x9e3779b97f4a7c15;
  return hash ^ (hash >> 29);
}

/** 34: get_hash_recalc(skb). */
export function getHashRecalc(context: u64): u64 {
  if (!checkContext(context)) return 0;
  if (!packet32(Packet.HASH_VALID) && load<u32>(SKB_HASH) == 0) store<u32>(SKB_HASH, flowHash());
  setPacket32(Packet.HASH_VALID, 1);
  return <u64>load<u32>(SKB_HASH);
}

/** 41: set_hash_invalid(skb). */
export function setHashInvalid(context: u64): u64 {
  if (!checkContext(context)) return 0;
  clearHash();
  return 0;
}

/** 48: set_hash(skb, hash). */
export function setHash(context: u64, hash: u64): u64 {
  if (!checkContext(context)) return 0;
  store<u32>(SKB_HASH, <u32>hash);
  setPacket32(Packet.HASH_VALID, 1);
  return 0;
}

/** 192: skb_set_tstamp(skb, time, type): 0 unspecified or real time, 1 monotonic, 2 TAI. */
export function skbSetTstamp(context: u64, time: u64, type: u64): u64 {
  if (!checkContext(context)) return 0;
  const protocol = load<u32>(SKB_PROTOCOL);
  if (protocol != ETH_IPV4 && protocol != ETH_IPV6) return error(Errno.EOPNOTSUPP);
  const kind = <u32>type;
  if (kind > 2 || (kind != 0 && time == 0)) return error(Errno.EINVAL);
  store<u64>(SKB_TSTAMP, time);
  store<u32>(SKB_TSTAMP_TYPE, kind);
  return 0;
}

const ETH_8021Q: u32 = 0x0081;
const ETH_8021AD: u32 = 0xa888;
/** Tags looked through (VLAN_MAX_DEPTH). */
const MAX_TAGS: i32 = 8;

/** The protocol behind VLAN tags in the bytes (kernel vlan_get_protocol); 0 if they end the packet. */
function protocolBehindTags(): u32 {
  let protocol = load<u32>(SKB_PROTOCOL);
  const mac = packet32(Packet.MAC_OFFSET);
  for (let i = 0, at: u32 = mac + 14; i < MAX_TAGS && (protocol == ETH_8021Q || protocol == ETH_8021AD); i++, at += 4) {
    if (<i32>at + 4 > <i32>packetLength()) return 0;
    protocol = <u32>load<u16>(packetData() + at, 2);
  }
  return protocol;
}

/** 97: skb_ecn_set_ce(skb): 1 if the packet is or becomes "congestion experienced". */
export function skbEcnSetCe(context: u64): u64 {
  if (!checkContext(context)) return 0;
  const offset = packet32(Packet.NETWORK_OFFSET);
  const network = packetData() + offset;
  const left = <i32>packetLength() - <i32>offset;
  const protocol = protocolBehindTags();
  if (protocol == ETH_IPV4) {
    if (left < 20) return 0;
    const tos = <u32>load<u8>(network + 1);
    if ((tos & 3) == 0) return 0;
    if ((tos & 3) == 3) return 1;
    // Incremental update of the header checksum (kernel IP_ECN_set_ce): the byte's gain is taken from the sum.
    const gain = 3 - (tos & 3);
    let sum = <u32>load<u16>(network + 10) + ((0xffff - (gain << 8)) & 0xffff);
    sum += <u32>(sum >= 0xffff);
    store<u16>(network + 10, <u16>sum);
    store<u8>(network + 1, <u8>(tos | 3));
    return 1;
  }
  if (protocol != ETH_IPV6 || left < 40) return 0;
  const ecn = (<u32>load<u8>(network + 1) >>> 4) & 3;
  if (ecn == 0) return 0;
  store<u8>(network + 1, <u8>(<u32>load<u8>(network + 1) | 0x30));
  return 1;
}

/** 66: skb_get_xfrm_state: no packet here came out of IPsec. */
export function skbGetXfrmState(context: u64, index: u64, to: u64, size: u64, flags: u64): u64 {
  if (!checkContext(context) || !checkWrite(to, <u32>size)) return 0;
  clearBytes(<u32>to, <u32>size);
  return error(Errno.EINVAL);
}

