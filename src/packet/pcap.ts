import { LoadError, UsageError } from '../errors.js';

export interface PcapPacket {
  /** Seconds since 1970. */
  readonly seconds: number;
  /** 0 to 999,999,999. */
  readonly nanoseconds: number;
  /** Captured bytes; when read, a view into the file. */
  readonly data: Uint8Array;
  /** Bytes that the packet had on the wire. */
  readonly originalLength: number;
  /** Index into `interfaces` of the capture; absent in classic files. */
  readonly interface?: number;
}

export interface PcapInterface {
  readonly linkType: number;
  readonly name?: string;
}

export interface Capture {
  /** Link type of the file, or of the first interface (tcpdump.org/linktypes): 1 = Ethernet, 101 = raw IP. */
  readonly linkType: number;
  /** One for each interface of the capture; one in classic files. */
  readonly interfaces: readonly PcapInterface[];
  readonly packets: PcapPacket[];
}

export const LINK_ETHERNET = 1;
export const LINK_RAW_IP = 101;

const MAGIC_MICRO = 0xa1b2c3d4;
const MAGIC_NANO = 0xa1b23c4d;
const SECTION_HEADER = 0x0a0d0d0a;
const BYTE_ORDER = 0x1a2b3c4d;

/** Whether the bytes start like a classic pcap file or a pcapng file. */
export function isPcap(bytes: Uint8Array): boolean {
  if (bytes.length < 4) return false;
  const view = viewOf(bytes);
  const [big, little] = [view.getUint32(0), view.getUint32(0, true)];
  return [MAGIC_MICRO, MAGIC_NANO, SECTION_HEADER].some((magic) => magic === big || magic === little);
}

/**
 * Reads a capture: classic pcap in either byte order with micro- or nanoseconds, or pcapng (section, interface, enhanced
 * and simple packet blocks, the obsolete packet block; all others are skipped). Packets are views into `bytes`: memory
 * never exceeds what the file has, whatever its length fields say.
 * @throws LoadError if the file is neither, or is cut or contradicts itself; its place has `offset`.
 */
export function readPcap(bytes: Uint8Array): Capture {
  if (bytes.length < 4) throw new LoadError(`not a pcap file: ${bytes.length} bytes are too few`);
  const view = viewOf(bytes);
  if (view.getUint32(0) === SECTION_HEADER) return readBlocks(bytes, view);
  const isLittle = [MAGIC_MICRO, MAGIC_NANO].includes(view.getUint32(0, true));
  const magic = view.getUint32(0, isLittle);
  if (magic !== MAGIC_MICRO && magic !== MAGIC_NANO) {
    throw new LoadError(
      `not a pcap or pcapng file: it starts with 0x${view.getUint32(0).toString(16).padStart(8, '0')}`,
    );
  }
  return readClassic(bytes, view, isLittle, magic === MAGIC_NANO ? 1 : 1000);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function readClassic(bytes: Uint8Array, view: DataView, isLittle: boolean, unit: number): Capture {
  if (bytes.length < 24) throw new LoadError('the pcap header is cut: 24 bytes are needed', { offset: bytes.length });
  // The upper bits tell about frame check sequences.
  const linkType = view.getUint32(20, isLittle) & 0x0fffffff;
  const packets: PcapPacket[] = [];
  let offset = 24;
  while (offset < bytes.length) {
    if (offset + 16 > bytes.length)
      throw new LoadError(`the header of packet ${packets.length + 1} is cut`, { offset });
    const length = view.getUint32(offset + 8, isLittle);
    const left = bytes.length - offset - 16;
    if (length > left) {
      throw new LoadError(`packet ${packets.length + 1} says ${length} bytes, the file has ${left} more`, { offset });
    }
    const nanoseconds = view.getUint32(offset + 4, isLittle) * unit;
    packets.push({
      seconds: view.getUint32(offset, isLittle) + Math.floor(nanoseconds / 1e9),
      nanoseconds: nanoseconds % 1e9,
      data: bytes.subarray(offset + 16, offset + 16 + length),
      originalLength: view.getUint32(offset + 12, isLittle),
    });
    offset += 16 + length;
  }
  return { linkType, interfaces: [{ linkType }], packets };
}

interface OpenInterface extends PcapInterface {
  readonly snapLength: number;
  /** Ticks of a time stamp in a second. */
  readonly ticks: bigint;
  /** Seconds to add to time stamps. */
  readonly offset: bigint;
}

interface Block {
  readonly type: number;
  /** Start and end of the body. */
  readonly start: number;
  readonly end: number;
}

function readBlocks(bytes: Uint8Array, view: DataView): Capture {
  const interfaces: OpenInterface[] = [];
  const packets: PcapPacket[] = [];
  let sectionStart = 0;
  let isLittle = false;
  for (let offset = 0; offset < bytes.length; ) {
    if (offset + 12 > bytes.length) throw new LoadError('a block is cut: 12 bytes are needed', { offset });
    if (view.getUint32(offset) === SECTION_HEADER) {
      isLittle = readByteOrder(view, offset);
      sectionStart = interfaces.length;
    }
    const length = view.getUint32(offset + 4, isLittle);
    const left = bytes.length - offset;
    if (length < 12 || length % 4 !== 0 || length > left) {
      throw new LoadError(`a block has length ${length}, with ${left} bytes left`, { offset });
    }
    if (view.getUint32(offset + length - 4, isLittle) !== length) {
      throw new LoadError(`a block of ${length} bytes ends with another length`, { offset });
    }
    const block = { type: view.getUint32(offset, isLittle), start: offset + 8, end: offset + length - 4 };
    if (block.type === 1) interfaces.push(readInterface(bytes, view, block, isLittle));
    else if (block.type === 2 || block.type === 3 || block.type === 6) {
      packets.push(readPacketBlock(bytes, view, block, isLittle, interfaces, sectionStart));
    }
    offset += length;
  }
  return {
    linkType: interfaces[0]?.linkType ?? LINK_ETHERNET,
    interfaces: interfaces.map(({ linkType, name }) => (name === undefined ? { linkType } : { linkType, name })),
    packets,
  };
}

function readByteOrder(view: DataView, offset: number): boolean {
  if (view.getUint32(offset + 8, true) === BYTE_ORDER) return true;
  if (view.getUint32(offset + 8) === BYTE_ORDER) return false;
  throw new LoadError('the section header has no byte-order magic', { offset });
}

function readInterface(bytes: Uint8Array, view: DataView, block: Block, isLittle: boolean): OpenInterface {
  if (block.end - block.start < 8) throw new LoadError('an interface block is too short', { offset: block.start });
  let ticks = 1_000_000n;
  let timeOffset = 0n;
  let name: string | undefined;
  for (let offset = block.start + 8; offset + 4 <= block.end; ) {
    const code = view.getUint16(offset, isLittle);
    const length = view.getUint16(offset + 2, isLittle);
    const value = offset + 4;
    if (code === 0) break;
    if (value + length > block.end) throw new LoadError('an option passes the end of its block', { offset });
    if (code === 2) name = new TextDecoder().decode(bytes.subarray(value, value + length)).replace(/\0+$/, '');
    if (code === 9 && length === 1) {
      const resolution = bytes[value]!;
      ticks = (resolution & 0x80 ? 2n : 10n) ** BigInt(resolution & 0x7f);
    }
    if (code === 14 && length === 8) timeOffset = view.getBigInt64(value, isLittle);
    offset = value + ((length + 3) & ~3);
  }
  const linkType = view.getUint16(block.start, isLittle);
  return { linkType, name, snapLength: view.getUint32(block.start + 4, isLittle), ticks, offset: timeOffset };
}

function readPacketBlock(
  bytes: Uint8Array,
  view: DataView,
  block: Block,
  isLittle: boolean,
  interfaces: readonly OpenInterface[],
  sectionStart: number,
): PcapPacket {
  const isSimple = block.type === 3;
  const header = isSimple ? 4 : 20;
  const place = { offset: block.start };
  const room = block.end - block.start - header;
  if (room < 0) throw new LoadError('a packet block is too short', place);
  const local = isSimple
    ? 0
    : block.type === 2
      ? view.getUint16(block.start, isLittle)
      : view.getUint32(block.start, isLittle);
  const device = interfaces[sectionStart + local];
  if (!device) throw new LoadError(`a packet block names interface ${local}, which no block describes`, place);
  const originalLength = view.getUint32(block.start + header - 4, isLittle);
  let length = isSimple ? originalLength : view.getUint32(block.start + 12, isLittle);
  if (isSimple && device.snapLength > 0) length = Math.min(length, device.snapLength);
  if (length > room) throw new LoadError(`a packet says ${length} bytes, its block has ${room}`, place);
  let seconds = 0n;
  let nanoseconds = 0n;
  if (!isSimple) {
    const high = view.getUint32(block.start + 4, isLittle);
    const stamp = (BigInt(high) << 32n) | BigInt(view.getUint32(block.start + 8, isLittle));
    seconds = stamp / device.ticks + device.offset;
    nanoseconds = ((stamp % device.ticks) * 1_000_000_000n) / device.ticks;
  }
  return {
    seconds: Number(seconds),
    nanoseconds: Number(nanoseconds),
    data: bytes.subarray(block.start + header, block.start + header + length),
    originalLength,
    interface: sectionStart + local,
  };
}

/**
 * A classic pcap file, little-endian, version 2.4, micro- or nanoseconds.
 * @throws UsageError for time stamps that the format cannot hold (seconds are 32 bits).
 */
export function writePcap(
  packets: readonly (Omit<PcapPacket, 'originalLength'> & { readonly originalLength?: number })[],
  options: { linkType?: number; nanoseconds?: boolean } = {},
): Uint8Array {
  let length = 24;
  let snapLength = 262144;
  for (const packet of packets) {
    length += 16 + packet.data.length;
    snapLength = Math.max(snapLength, packet.data.length);
  }
  const bytes = new Uint8Array(length);
  const view = viewOf(bytes);
  view.setUint32(0, options.nanoseconds ? MAGIC_NANO : MAGIC_MICRO, true);
  view.setUint16(4, 2, true);
  view.setUint16(6, 4, true);
  view.setUint32(16, snapLength, true);
  view.setUint32(20, options.linkType ?? LINK_ETHERNET, true);
  let offset = 24;
  for (const [i, { seconds, nanoseconds, data, originalLength }] of packets.entries()) {
    const isSound = Number.isInteger(seconds) && seconds >= 0 && seconds <= 0xffffffff;
    if (!isSound || !Number.isInteger(nanoseconds) || nanoseconds < 0 || nanoseconds > 999_999_999) {
      throw new UsageError(`packet ${i}: a pcap file cannot hold the time ${seconds} s and ${nanoseconds} ns`);
    }
    view.setUint32(offset, seconds, true);
    view.setUint32(offset + 4, options.nanoseconds ? nanoseconds : Math.floor(nanoseconds / 1000), true);
    view.setUint32(offset + 8, data.length, true);
    view.setUint32(offset + 12, Math.max(originalLength ?? 0, data.length), true);
    bytes.set(data, offset + 16);
    offset += 16 + data.length;
  }
  return bytes;
}
