/** skb_adjust_room: room for, or removal of, headers behind L2 or L3 (kernel bpf_skb_adjust_room). */
import { Errno, Packet } from "../abi";
import { error, packet32, setPacket32 } from "../state";
import { checkContext, insertBytes, invalidatePointers, packetLength, publish, removeBytes } from "./buffer";
import { ETH_IPV4, ETH_IPV6, MAX_LENGTH, SKB_GSO_SIZE, SKB_PROTOCOL, macLength } from "./skb";

const FIXED_GSO: u64 = 0x1;
const ENCAP_L3_IPV4: u64 = 0x2;
const ENCAP_L3_IPV6: u64 = 0x4;
const ENCAP_L3: u64 = ENCAP_L3_IPV4 | ENCAP_L3_IPV6;
const ENCAP_L4_GRE: u64 = 0x8;
const ENCAP_L4_UDP: u64 = 0x10;
const ENCAP_L4: u64 = ENCAP_L4_GRE | ENCAP_L4_UDP;
const NO_CSUM_RESET: u64 = 0x20;
const ENCAP_L2_ETH: u64 = 0x40;
const DECAP_L3_IPV4: u64 = 0x80;
const DECAP_L3_IPV6: u64 = 0x100;
const DECAP_L3: u64 = DECAP_L3_IPV4 | DECAP_L3_IPV6;
const ENCAP_L2: u64 = 0xff00000000000000;
const ALL: u64 = FIXED_GSO | ENCAP_L3 | ENCAP_L4 | NO_CSUM_RESET | ENCAP_L2_ETH | DECAP_L3 | ENCAP_L2;
const SHRINK: u64 = FIXED_GSO | DECAP_L3 | NO_CSUM_RESET;

const MODE_NET: u32 = 0;
const MODE_MAC: u32 = 1;

/** Size of the IP header without options. */
function baseHeader(protocol: u32): u32 {
  return protocol == ETH_IPV4 ? 20 : 40;
}

/** 50: skb_adjust_room(skb, difference, mode, flags). */
export function skbAdjustRoom(context: u64, difference: u64, mode: u64, flags: u64): u64 {
  if (!checkContext(context)) return 0;
  invalidatePointers();
  const problem = adjust(<i32>difference, <u32>mode, flags);
  publish();
  return problem ? error(problem) : 0;
}

function adjust(difference: i32, mode: u32, flags: u64): Errno {
  if (flags & ~ALL) return Errno.EINVAL;
  const isShrink = difference < 0;
  const size = <u32>(isShrink ? -difference : difference);
  if (size > 0xfff) return Errno.EFAULT;
  const protocol = load<u32>(SKB_PROTOCOL);
  if (protocol != ETH_IPV4 && protocol != ETH_IPV6) return Errno.ENOTSUPP;
  if (mode != MODE_NET && mode != MODE_MAC) return Errno.ENOTSUPP;
  const at = mode == MODE_NET ? macLength() + baseHeader(protocol) : macLength();
  let least = baseHeader(protocol);
  if (flags & DECAP_L3) {
    if (!isShrink || (flags & DECAP_L3) == DECAP_L3) return Errno.EINVAL;
    least = flags & DECAP_L3_IPV4 ? 20 : 40;
  }
  const network = packetLength() - packet32(Packet.NETWORK_OFFSET);
  if (isShrink && (size >= network || network - size < least)) return Errno.ENOTSUPP;
  const isGso = load<u32>(SKB_GSO_SIZE) != 0;
  if (!isShrink && !isGso && packetLength() + size > MAX_LENGTH) return Errno.ENOTSUPP;
  return isShrink ? shrink(at, size, flags, isGso) : grow(at, size, flags, isGso, protocol);
}

function shrink(at: u32, size: u32, flags: u64, isGso: bool): Errno {
  if (flags & ~SHRINK) return Errno.EINVAL;
  if (isGso) return Errno.ENOTSUPP;
  if (at + size > packetLength()) return Errno.ENOMEM;
  removeBytes(at, size);
  if (flags & DECAP_L3_IPV4) store<u32>(SKB_PROTOCOL, ETH_IPV4);
  else if (flags & DECAP_L3_IPV6) store<u32>(SKB_PROTOCOL, ETH_IPV6);
  return <Errno>0;
}

function grow(at: u32, size: u32, flags: u64, isGso: bool, protocol: u32): Errno {
  if (isGso) return Errno.ENOTSUPP;
  const isEncap = (flags & ENCAP_L3) != 0;
  const l2 = <u32>(flags >> 56);
  if (isEncap) {
    if ((flags & ENCAP_L3) == ENCAP_L3 || (flags & ENCAP_L4) == ENCAP_L4) return Errno.EINVAL;
    if (flags & ENCAP_L2_ETH && l2 < 14) return Errno.EINVAL;
    if (packet32(Packet.ENCAPSULATION)) return Errno.EALREADY;
    if (l2 > size) return Errno.EINVAL;
  }
  insertBytes(at, size);
  if (isEncap) {
    setPacket32(Packet.ENCAPSULATION, 1);
    const outer = flags & ENCAP_L3_IPV4 ? ETH_IPV4 : ETH_IPV6;
    if (outer != protocol) store<u32>(SKB_PROTOCOL, outer);
  }
  return <Errno>0;
}
