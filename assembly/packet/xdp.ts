/** XDP frames: head, tail and metadata, access across frags (kernel net/core/filter.c, xdp.c). */
import { moveBytes } from "../bytes";
import { Errno, Packet } from "../abi";
import { checkRead, checkWrite } from "../check";
import { error, packet32, setPacket32 } from "../state";
import { checkContext, invalidatePointers, packetData, packetLength, publish } from "./buffer";

/** sizeof(struct xdp_frame): headroom the kernel keeps for itself. */
const RESERVED: i32 = 40;
const ETH_HLEN: i32 = 14;
const FRAG: u32 = 4096;
const MAX_ARGUMENT: u32 = 0xffff;
/** Longest metadata: it must fit a byte and be a multiple of four. */
const MAX_META: i32 = 255;

/** Moves data and metadata start by `delta`; headroom, lengths follow. */
function shiftData(delta: i32): void {
  setPacket32(Packet.DATA, packetData() + delta);
  setPacket32(Packet.HEADROOM, packet32(Packet.HEADROOM) + delta);
  setPacket32(Packet.LENGTH, packetLength() - delta);
  setPacket32(Packet.LINEAR, packet32(Packet.LINEAR) - delta);
}

/** 44: xdp_adjust_head(ctx, delta). Bytes are not cleared; metadata moves along. */
export function xdpAdjustHead(context: u64, delta: u64): u64 {
  if (!checkContext(context)) return 0;
  invalidatePointers();
  const move = <i32>delta;
  const linear = <i32>packet32(Packet.LINEAR);
  const room = <i64>packet32(Packet.HEADROOM) + <i64>move;
  if (room < <i64>RESERVED || <i64>linear - <i64>move < <i64>ETH_HLEN) return error(Errno.EINVAL);
  const meta = packet32(Packet.META_LENGTH);
  const start = packetData() - meta;
  shiftData(move);
  if (meta) memory.copy(packetData() - meta, start, meta);
  publish();
  return 0;
}

/** 54: xdp_adjust_meta(ctx, delta). */
export function xdpAdjustMeta(context: u64, delta: u64): u64 {
  if (!checkContext(context)) return 0;
  invalidatePointers();
  const move = <i32>delta;
  const meta = <i64>packet32(Packet.META_LENGTH) - <i64>move;
  const room = <i64>packet32(Packet.HEADROOM) + <i64>move;
  if (room < <i64>RESERVED || meta < 0) return error(Errno.EINVAL);
  if ((meta & 3) != 0 || meta > <i64>MAX_META) return error(Errno.EACCES);
  setPacket32(Packet.META_LENGTH, <u32>meta);
  setPacket32(Packet.HEADROOM, <u32>room);
  publish();
  return 0;
}

/** 65: xdp_adjust_tail(ctx, delta): grown bytes are zero. */
export function xdpAdjustTail(context: u64, delta: u64): u64 {
  if (!checkContext(context)) return 0;
  invalidatePointers();
  const move = <i32>delta;
  const problem = packetLength() > packet32(Packet.LINEAR) ? adjustFrags(move) : adjustLinear(move);
  publish();
  return problem ? error(problem) : 0;
}

function adjustLinear(move: i32): Errno {
  const length = <i64>packet32(Packet.LINEAR) + <i64>move;
  const used = <i64>packet32(Packet.HEADROOM) + <i64>packet32(Packet.META_LENGTH) + length;
  if (length < <i64>ETH_HLEN || used > <i64>packet32(Packet.XDP_LIMIT)) return Errno.EINVAL;
  if (move > 0) memory.fill(packetData() + packet32(Packet.LINEAR), 0, move);
  setPacket32(Packet.LINEAR, <u32>length);
  setPacket32(Packet.LENGTH, <u32>length);
  return <Errno>0;
}

/** With frags: grows in the last frag only; shrinks from the end, frags first. */
function adjustFrags(move: i32): Errno {
  const last = packet32(Packet.XDP_LAST_FRAG);
  const total = packetLength();
  if (move >= 0) {
    if (<u32>move > FRAG - last) return Errno.EINVAL;
    memory.fill(packetData() + total, 0, move);
    setPacket32(Packet.XDP_LAST_FRAG, last + move);
    setPacket32(Packet.LENGTH, total + move);
    return <Errno>0;
  }
  const length = <i64>total + <i64>move;
  if (length < <i64>ETH_HLEN) return Errno.EINVAL;
  const linear = packet32(Packet.LINEAR);
  setPacket32(Packet.LENGTH, <u32>length);
  if (<u32>length <= linear) {
    setPacket32(Packet.LINEAR, <u32>length);
    setPacket32(Packet.XDP_LAST_FRAG, 0);
  } else setPacket32(Packet.XDP_LAST_FRAG, ((<u32>length - linear - 1) & (FRAG - 1)) + 1);
  return <Errno>0;
}

/** 188: xdp_get_buff_len(ctx). */
export function xdpGetBuffLen(context: u64): u64 {
  return checkContext(context) ? <u64>packetLength() : 0;
}

function rangeProblem(offset: u32, length: u32): Errno {
  if (offset > MAX_ARGUMENT || length > MAX_ARGUMENT) return Errno.EFAULT;
  return offset + length > packetLength() ? Errno.EINVAL : <Errno>0;
}

/** 189: xdp_load_bytes(ctx, offset, to, length): the buffer is untouched on failure. */
export function xdpLoadBytes(context: u64, offset: u64, to: u64, length: u64): u64 {
  if (!checkContext(context) || !checkWrite(to, <u32>length)) return 0;
  const problem = rangeProblem(<u32>offset, <u32>length);
  if (problem) return error(problem);
  moveBytes(<u32>to, packetData() + <u32>offset, <u32>length);
  return 0;
}

/** 190: xdp_store_bytes(ctx, offset, from, length). */
export function xdpStoreBytes(context: u64, offset: u64, from: u64, length: u64): u64 {
  if (!checkContext(context) || !checkRead(from, <u32>length)) return 0;
  const problem = rangeProblem(<u32>offset, <u32>length);
  if (problem) return error(problem);
  moveBytes(packetData() + <u32>offset, <u32>from, <u32>length);
  return 0;
}
