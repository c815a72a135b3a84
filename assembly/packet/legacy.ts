/** Legacy packet loads, LD_ABS and LD_IND: big-endian, relative to the data or, negative, to a header (RFC 9669 5.5). */
import { FaultKind, Packet } from "../abi";
import { packet32, raise } from "../state";
import { isXdp, packetData, packetLength } from "./buffer";

/** SKF_NET_OFF and SKF_LL_OFF of the kernel's uapi. */
const NETWORK: i32 = -0x100000;
const LINK_LAYER: i32 = -0x200000;

/** Where `loadAbsolute` leaves whether the packet was too short. */
let failed: bool = false;

export function loadAbsoluteFailed(): bool {
  return failed;
}

/** Loads 1, 2 or 4 bytes at an offset; 0, and loadAbsoluteFailed, where the packet has none. */
export function loadAbsolute(offset: i32, size: u32): u64 {
  failed = true;
  if (isXdp() || !packet32(Packet.DATA)) {
    raise(FaultKind.INVALID_INSTRUCTION, 0, 0, false, 0);
    return 0;
  }
  let at = <i64>offset;
  if (offset < 0) {
    if (offset >= NETWORK) at = <i64>(offset - NETWORK) + <i64>(<i32>packet32(Packet.NETWORK_OFFSET));
    else if (offset >= LINK_LAYER) at = <i64>(offset - LINK_LAYER) + <i64>(<i32>packet32(Packet.MAC_OFFSET));
    else return 0;
  }
  if (at < <i64>(<i32>packet32(Packet.MAC_OFFSET)) || at + <i64>size > <i64>packetLength()) return 0;
  failed = false;
  const address = <u32>(<i64>packetData() + at);
  if (size == 1) return <u64>load<u8>(address);
  if (size == 2) return <u64>bswap<u16>(load<u16>(address));
  return <u64>bswap<u32>(load<u32>(address));
}
