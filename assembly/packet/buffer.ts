/**
 * Where the packet lies and what a program sees of it. The context slot shows `len`, `data`, `data_end` and `data_meta`; this
 * file alone changes them. Offsets of the kernel's fields are in abi.ts (Packet).
 */
import { FaultKind, Packet, ProgramKind, RunState } from "../abi";
import { forbid, permit } from "../check";
import { CONTEXTS, PACKETS, PACKET_BUFFERS, PACKET_BUFFER_SIZE, PACKET_STATE, PACKET_STATE_SIZE } from "../memory";
import { packet32, raise, run32, setPacket32, setRun32 } from "../state";

/** Bytes kept free in a buffer before the packet, so that it can grow at the front. */
const FRONT: u32 = 0x8000;
/** Fewest bytes between the start of a buffer and the packet, and the longest packet a buffer takes. */
const MARGIN: u32 = 0x800;
const LARGEST: u32 = 0x1e000;
/** Headroom the kernel's test run gives an skb (NET_SKB_PAD + NET_IP_ALIGN) and an xdp frame. */
const SKB_HEADROOM: u32 = 64;
const XDP_HEADROOM: u32 = 256;
/** Frame size minus struct skb_shared_info: what head- and tailroom of a linear xdp frame share. */
const XDP_FRAME: u32 = 4096 - 320;
const XDP_FRAG: u32 = 4096;
export const TRANSPORT_UNSET: u32 = 0xffff;

// Offsets of the context fields that follow from the packet.
const SKB_LEN: u32 = 0;
const SKB_DATA: u32 = 76;
const SKB_DATA_END: u32 = 80;
const SKB_DATA_META: u32 = 140;

// @ts-ignore: decorator
@inline
export function isXdp(): bool {
  return run32OfPacketKind() == ProgramKind.XDP;
}

/** The kind of packet that was loaded; tail calls do not change it. */
// @ts-ignore: decorator
@inline
function run32OfPacketKind(): u32 {
  return packet32(Packet.XDP_LIMIT) ? ProgramKind.XDP : ProgramKind.SKB;
}

/** Address of the first byte a program sees. */
// @ts-ignore: decorator
@inline
export function packetData(): u32 {
  return packet32(Packet.DATA);
}

/** Length from there, xdp frags included. */
// @ts-ignore: decorator
@inline
export function packetLength(): u32 {
  return packet32(Packet.LENGTH);
}

/** Checks the context argument of a packet helper. */
export function checkContext(context: u64): bool {
  if (context == <u64>CONTEXTS && packet32(Packet.DATA)) return true;
  raise(FaultKind.BAD_HELPER_ARGUMENT, context, 0, false, 1);
  return false;
}

/** Forgets the packet; done before every run. */
export function packetReset(): void {
  const length = packet32(Packet.PERMITTED_LENGTH);
  if (length) forbid(packet32(Packet.PERMITTED), length);
  memory.fill(PACKET_STATE, 0, PACKET_STATE_SIZE);
  setRun32(RunState.PACKET_EXPOSED, 0);
}

/** Shows the packet to the program: rights and context fields follow the state. */
export function publish(): void {
  const data = packet32(Packet.DATA);
  const linear = packet32(Packet.LINEAR);
  const meta = packet32(Packet.META_LENGTH);
  const start = data - meta;
  const length = meta + linear;
  if (packet32(Packet.PERMITTED) != start || packet32(Packet.PERMITTED_LENGTH) != length) {
    forbid(packet32(Packet.PERMITTED), packet32(Packet.PERMITTED_LENGTH));
    permit(start, length, true);
    setPacket32(Packet.PERMITTED, start);
    setPacket32(Packet.PERMITTED_LENGTH, length);
  }
  if (isXdp()) {
    store<u32>(CONTEXTS, data);
    store<u32>(CONTEXTS, data + linear, 4);
    store<u32>(CONTEXTS, start, 8);
  } else {
    store<u32>(CONTEXTS + SKB_LEN, packet32(Packet.LENGTH));
    store<u32>(CONTEXTS + SKB_DATA, data);
    store<u32>(CONTEXTS + SKB_DATA_END, data + linear);
    store<u32>(CONTEXTS + SKB_DATA_META, start);
  }
}

function bufferAddress(number: u32): u32 {
  return PACKETS + number * PACKET_BUFFER_SIZE;
}

/**
 * Loads an skb from `source` (`length` bytes from the L2 header on, `l2` of them L2). With `l3` the program sees it from the
 * network header on.
 */
export function packetLoadSkb(source: u32, length: u32, l2: u32, l3: bool): void {
  packetReset();
  const skip = l3 ? l2 : 0;
  const start = bufferAddress(0) + FRONT;
  memory.copy(start, source, length);
  setPacket32(Packet.DATA, start + skip);
  setPacket32(Packet.LENGTH, length - skip);
  setPacket32(Packet.LINEAR, length - skip);
  setPacket32(Packet.HEADROOM, SKB_HEADROOM + skip);
  setPacket32(Packet.MAC_OFFSET, 0 - skip);
  setPacket32(Packet.NETWORK_OFFSET, l2 - skip);
  setPacket32(Packet.TRANSPORT, TRANSPORT_UNSET);
  publish();
}

/** Puts metadata in front of a loaded skb, as an xdp program leaves it for tc ingress. */
export function packetSetMetadata(source: u32, length: u32): void {
  memory.copy(packet32(Packet.DATA) - length, source, length);
  setPacket32(Packet.META_LENGTH, length);
  publish();
}

/**
 * Loads an xdp frame: `meta` bytes of metadata and then the packet at `source`. What exceeds `linearLimit` bytes is kept
 * behind the linear part, out of the program's reach, as the kernel keeps it in frags.
 */
export function packetLoadXdp(source: u32, length: u32, meta: u32, linearLimit: u32): void {
  packetReset();
  const packet = length - meta;
  const linear = min(packet, linearLimit);
  const hard = bufferAddress(0) + FRONT;
  memory.fill(hard, 0, XDP_HEADROOM);
  const data = hard + XDP_HEADROOM;
  memory.copy(data - meta, source, length);
  setPacket32(Packet.DATA, data);
  setPacket32(Packet.LENGTH, packet);
  setPacket32(Packet.LINEAR, linear);
  setPacket32(Packet.META_LENGTH, meta);
  setPacket32(Packet.HEADROOM, XDP_HEADROOM - meta);
  setPacket32(Packet.XDP_LIMIT, max(XDP_FRAME, XDP_HEADROOM + linearLimit));
  const frags = packet - linear;
  setPacket32(Packet.XDP_LAST_FRAG, frags ? ((frags - 1) & (XDP_FRAG - 1)) + 1 : 0);
  publish();
}

/**
 * What the kernel does to packet pointers after many helpers: they are dead. If any was handed out since the last time,
 * the packet moves to the next buffer, so that the old address leads nowhere.
 */
export function invalidatePointers(): void {
  if (!run32(RunState.PACKET_EXPOSED)) return;
  setRun32(RunState.PACKET_EXPOSED, 0);
  const data = packet32(Packet.DATA);
  const number = packet32(Packet.BUFFER);
  const next = number + 1 < PACKET_BUFFERS ? number + 1 : 0;
  const mac = <i32>packet32(Packet.MAC_OFFSET);
  const meta = packet32(Packet.META_LENGTH);
  // xdp programs can get headroom bytes back as they left them; an skb keeps its L2 header or metadata before the data.
  const front = isXdp() ? packet32(Packet.HEADROOM) + meta : max(mac < 0 ? <u32>-mac : 0, meta);
  const to = bufferAddress(next) + FRONT + (isXdp() ? front : 0);
  memory.copy(to - front, data - front, front + packet32(Packet.LENGTH));
  forbid(packet32(Packet.PERMITTED), packet32(Packet.PERMITTED_LENGTH));
  setPacket32(Packet.PERMITTED_LENGTH, 0);
  setPacket32(Packet.BUFFER, next);
  setPacket32(Packet.DATA, to);
  publish();
}

/**
 * Grows the skb by `count` bytes at the front of its data, or shrinks it (negative). Headroom and the kernel's transport
 * header follow: every reallocation adds the extra headroom to the 16-bit transport position, "unset" or not.
 */
export function moveFront(count: i32): void {
  if (count > 0 && !makeRoom(count)) return;
  let headroom = <i32>packet32(Packet.HEADROOM);
  if (count > headroom) {
    const extra = (count - headroom + 63) & ~63;
    setPacket32(Packet.TRANSPORT, (packet32(Packet.TRANSPORT) + extra) & 0xffff);
    headroom += extra;
  }
  setPacket32(Packet.HEADROOM, headroom - count);
  setPacket32(Packet.DATA, packet32(Packet.DATA) - count);
  setPacket32(Packet.LENGTH, packet32(Packet.LENGTH) + count);
  setPacket32(Packet.LINEAR, packet32(Packet.LENGTH));
}

/** Sees to it that `count` bytes before the data are free in the buffer. False after a fault: the packet is too large. */
function makeRoom(count: u32): bool {
  const length = packet32(Packet.LENGTH);
  if (<u64>length + <u64>count > <u64>LARGEST) {
    raise(FaultKind.OUT_OF_MEMORY, 0, count, true, 0);
    return false;
  }
  const first = bufferAddress(packet32(Packet.BUFFER)) + MARGIN;
  if (packet32(Packet.DATA) >= first + count) return true;
  memory.copy(first + count, packet32(Packet.DATA), length);
  setPacket32(Packet.DATA, first + count);
  return true;
}

/** Inserts `count` zero bytes at `offset` from the data. */
export function insertBytes(offset: u32, count: u32): void {
  const length = packet32(Packet.LENGTH);
  moveFront(count);
  if (packet32(Packet.LENGTH) != length + count) return;
  const data = packet32(Packet.DATA);
  memory.copy(data, data + count, offset);
  memory.fill(data + offset, 0, count);
}

/** Removes `count` bytes at `offset` from the data. */
export function removeBytes(offset: u32, count: u32): void {
  const data = packet32(Packet.DATA);
  memory.copy(data + count, data, offset);
  moveFront(-(<i32>count));
}

/** Lengthens or shortens the skb at its tail; new bytes are zero. */
export function setLength(length: u32): void {
  const old = packet32(Packet.LENGTH);
  if (length > old) memory.fill(packet32(Packet.DATA) + old, 0, length - old);
  setPacket32(Packet.LENGTH, length);
  setPacket32(Packet.LINEAR, length);
}
