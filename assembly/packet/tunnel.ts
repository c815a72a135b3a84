/** Tunnel metadata beside an skb: key and options (kernel bpf_skb_set_tunnel_key and relatives). */
import { clearBytes, moveBytes } from "../bytes";
import { Errno, Packet } from "../abi";
import { checkRead, checkWrite } from "../check";
import { PACKET_STATE } from "../memory";
import { error, packet32, setPacket32 } from "../state";
import { checkContext } from "./buffer";

const KEY: u32 = PACKET_STATE + Packet.TUNNEL_KEY;
const OPTIONS: u32 = PACKET_STATE + Packet.TUNNEL_OPTIONS;
const KEY_SIZE: u32 = 44;
const MAX_OPTIONS: u32 = 255;

// struct bpf_tunnel_key
const REMOTE: u32 = 4;
const TOS: u32 = 20;
const EXT: u32 = 22;
const LABEL: u32 = 24;
const LOCAL: u32 = 28;

const INFO_IPV6: u64 = 0x1;
const ZERO_CSUM_TX: u64 = 0x2;
const DONT_FRAGMENT: u64 = 0x4;
const SEQ_NUMBER: u64 = 0x8;
const NO_TUNNEL_KEY: u64 = 0x10;
const GET_FLAGS: u64 = 0x10;

/** Kernel TUNNEL_* flags in network order, as get_tunnel_key shows them. */
const FLAG_CSUM: u32 = 0x0100;
const FLAG_DONT_FRAGMENT: u32 = 0x0001;
const FLAG_KEY: u32 = 0x0400;
const FLAG_SEQ: u32 = 0x0800;
const FLAG_NOCACHE: u32 = 0x0020;

/** Who put the metadata there. */
const RECEIVED: u32 = 1;
const SET: u32 = 2;

function isKeySize(size: u32): bool {
  return size == 44 || size == 28 || size == 24 || size == 22 || size == 8;
}

/** The host's tunnel metadata of a received packet: a bpf_tunnel_key of 44 bytes at `key` and options at `options`. */
export function tunnelReceive(key: u32, isIpv6: bool, flags: u32, options: u32, length: u32): void {
  memory.copy(KEY, key, KEY_SIZE);
  setPacket32(Packet.TUNNEL_PRESENT, RECEIVED);
  setPacket32(Packet.TUNNEL_IPV6, isIpv6 ? 1 : 0);
  setPacket32(Packet.TUNNEL_FLAGS, flags);
  const size = min(length, MAX_OPTIONS);
  setPacket32(Packet.TUNNEL_OPTIONS_LENGTH, size);
  memory.copy(OPTIONS, options, size);
}

/** 21: skb_set_tunnel_key(skb, key, size, flags). */
export function skbSetTunnelKey(context: u64, key: u64, size: u64, flags: u64): u64 {
  const length = <u32>size;
  if (!checkContext(context) || !checkRead(key, length)) return 0;
  if (flags & ~(INFO_IPV6 | ZERO_CSUM_TX | DONT_FRAGMENT | SEQ_NUMBER | NO_TUNNEL_KEY) || !isKeySize(length)) return error(Errno.EINVAL);
  const from = <u32>key;
  const label = length >= LABEL + 4 ? load<u32>(from, LABEL) : 0;
  const ext = length >= EXT + 2 ? <u32>load<u16>(from, EXT) : 0;
  if ((label && !(flags & INFO_IPV6)) || ext) return error(Errno.EINVAL);
  memory.fill(KEY, 0, KEY_SIZE);
  memory.copy(KEY, from, length);
  const isIpv6 = (flags & INFO_IPV6) != 0;
  let shown: u32 = FLAG_NOCACHE;
  if (!(flags & ZERO_CSUM_TX)) shown |= FLAG_CSUM;
  if (flags & DONT_FRAGMENT) shown |= FLAG_DONT_FRAGMENT;
  if (!(flags & NO_TUNNEL_KEY)) shown |= FLAG_KEY;
  if (flags & SEQ_NUMBER) shown |= FLAG_SEQ;
  setPacket32(Packet.TUNNEL_FLAGS, shown);
  setPacket32(Packet.TUNNEL_IPV6, isIpv6 ? 1 : 0);
  setPacket32(Packet.TUNNEL_PRESENT, SET);
  setPacket32(Packet.TUNNEL_OPTIONS_LENGTH, 0);
  return 0;
}

function fail(to: u64, length: u32, errno: Errno): u64 {
  clearBytes(<u32>to, length);
  return error(errno);
}

/** 20: skb_get_tunnel_key(skb, to, size, flags). Addresses set in this run come back swapped: the reader is the receiver. */
export function skbGetTunnelKey(context: u64, to: u64, size: u64, flags: u64): u64 {
  const length = <u32>size;
  if (!checkContext(context) || !checkWrite(to, length)) return 0;
  const present = packet32(Packet.TUNNEL_PRESENT);
  if (!present || flags & ~(INFO_IPV6 | GET_FLAGS)) return fail(to, length, Errno.EINVAL);
  const isIpv6 = packet32(Packet.TUNNEL_IPV6) != 0;
  if (isIpv6 != ((flags & INFO_IPV6) != 0)) return fail(to, length, Errno.EPROTO);
  if (!isKeySize(length) || (length == 8 && isIpv6)) return fail(to, length, Errno.EINVAL);
  const result = KEY_SCRATCH;
  memory.fill(result, 0, KEY_SIZE);
  store<u32>(result, load<u32>(KEY));
  const remote = present == SET ? LOCAL : REMOTE;
  const local = present == SET ? REMOTE : LOCAL;
  const addressSize: u32 = isIpv6 ? 16 : 4;
  memory.copy(result + REMOTE, KEY + remote, addressSize);
  memory.copy(result + LOCAL, KEY + local, addressSize);
  store<u16>(result, load<u16>(KEY, TOS), TOS);
  if (flags & GET_FLAGS) store<u16>(result, <u16>packet32(Packet.TUNNEL_FLAGS), EXT);
  if (isIpv6) store<u32>(result, load<u32>(KEY, LABEL), LABEL);
  moveBytes(<u32>to, result, length);
  return 0;
}

/** Where a key is put together before it is cut to the size asked for. */
const KEY_SCRATCH: u32 = PACKET_STATE + Packet.TUNNEL_SCRATCH;

/** 30: skb_set_tunnel_opt(skb, from, size). */
export function skbSetTunnelOpt(context: u64, from: u64, size: u64): u64 {
  const length = <u32>size;
  if (!checkContext(context) || !checkRead(from, length)) return 0;
  if (packet32(Packet.TUNNEL_PRESENT) != SET || length % 4) return error(Errno.EINVAL);
  if (length > MAX_OPTIONS) return error(Errno.ENOMEM);
  moveBytes(OPTIONS, <u32>from, length);
  setPacket32(Packet.TUNNEL_OPTIONS_LENGTH, length);
  return 0;
}

/** 29: skb_get_tunnel_opt(skb, to, size): returns the length of the options. */
export function skbGetTunnelOpt(context: u64, to: u64, size: u64): u64 {
  const length = <u32>size;
  if (!checkContext(context) || !checkWrite(to, length)) return 0;
  const options = packet32(Packet.TUNNEL_OPTIONS_LENGTH);
  if (!packet32(Packet.TUNNEL_PRESENT) || options == 0) return fail(to, length, Errno.ENOENT);
  if (length < options) return fail(to, length, Errno.ENOMEM);
  moveBytes(<u32>to, OPTIONS, options);
  clearBytes(<u32>to + options, length - options);
  return <u64>options;
}
