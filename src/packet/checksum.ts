import { setU16, setU32, u16, u32 } from './bytes.js';
import { bytesOf, type Layer, numberOf, type PacketStart, type ParsedPacket, parsePacket } from './parse.js';

/** A checksum that is not what the packet's bytes give. */
export interface WrongChecksum {
  /** Label of the layer, such as `tcp` or `ipv4#2`. */
  readonly layer: string;
  /** Byte offset of the checksum field. */
  readonly offset: number;
  readonly found: number;
  readonly expected: number;
}

/**
 * One's complement sum of 16-bit words in network byte order, folded to 16 bits (RFC 1071); an odd last byte counts as
 * the high half of a word. `sum` continues an earlier sum over an even number of bytes.
 */
export function onesComplementSum(bytes: Uint8Array, start = 0, end = bytes.length, sum = 0): number {
  let total = sum;
  let i = start;
  for (; i + 1 < end; i += 2) total += (bytes[i]! << 8) | bytes[i + 1]!;
  if (i < end) total += bytes[i]! << 8;
  while (total > 0xffff) total = (total & 0xffff) + Math.floor(total / 0x10000);
  return total;
}

/** The internet checksum of a range: what a checksum field must hold if it is 0 now. */
export function internetChecksum(bytes: Uint8Array, start = 0, end = bytes.length, sum = 0): number {
  return ~onesComplementSum(bytes, start, end, sum) & 0xffff;
}

/** Sum over the pseudo header (RFC 9293 section 3.1, RFC 8200 section 8.1); addresses have 4 or 16 bytes. */
export function pseudoHeaderSum(source: Uint8Array, destination: Uint8Array, protocol: number, length: number): number {
  const sum = onesComplementSum(destination, 0, destination.length, onesComplementSum(source));
  return fold(sum + protocol + (length & 0xffff) + (length >>> 16));
}

function fold(sum: number): number {
  let total = sum;
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return total;
}

/** CRC-32C of SCTP (RFC 9260 section 6.8 and appendix A) as the number that a big-endian read of the field gives. */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let crc = 0xffffffff;
  for (let i = start; i < end; i++) crc = (crc >>> 8) ^ CRC32C[(crc ^ bytes[i]!) & 255]!;
  crc = ~crc >>> 0;
  return ((crc << 24) | ((crc & 0xff00) << 8) | ((crc >>> 8) & 0xff00) | (crc >>> 24)) >>> 0;
}

const CRC32C = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let i = 0; i < 8; i++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/**
 * All checksums of a packet that are wrong, outermost first. Not looked at: layers that are truncated or one of several
 * fragments, and a UDP checksum of 0 (none; over IPv6 allowed for tunnels only, RFC 6935).
 */
export function verifyChecksums(bytes: Uint8Array, options: { start?: PacketStart } = {}): WrongChecksum[] {
  return wrongChecksums(parsePacket(bytes, options));
}

/** {@link verifyChecksums} of a packet that is parsed already. */
export function wrongChecksums(packet: ParsedPacket): WrongChecksum[] {
  const wrong: WrongChecksum[] = [];
  for (const index of packet.layers.keys()) {
    const check = checkLayer(packet, index, packet.bytes);
    if (check && check.found !== check.expected) wrong.push(check);
  }
  return wrong;
}

/** A copy of the packet with every checksum right that {@link verifyChecksums} would call wrong. */
export function fixChecksums(bytes: Uint8Array, options: { start?: PacketStart } = {}): Uint8Array {
  const fixed = new Uint8Array(bytes);
  const packet = parsePacket(fixed, options);
  // Innermost first: outer checksums cover inner ones.
  for (let index = packet.layers.length - 1; index >= 0; index--) {
    const check = checkLayer(packet, index, fixed);
    if (!check || check.found === check.expected) continue;
    if (packet.layers[index]!.protocol === 'sctp') setU32(fixed, check.offset, check.expected);
    else setU16(fixed, check.offset, check.expected);
  }
  return fixed;
}

function checkLayer(packet: ParsedPacket, index: number, bytes: Uint8Array): WrongChecksum | undefined {
  const layer = packet.layers[index]!;
  const place = layer.fields.find((field) => field.isChecksum);
  if (!place) return undefined;
  const offset = place.offset >> 3;
  const result = (found: number, expected: number): WrongChecksum => ({ layer: layer.label, offset, found, expected });
  const sum16 = (end: number, seed = 0) => {
    const found = u16(bytes, offset);
    const before = onesComplementSum(bytes, layer.offset, offset, seed);
    const sum = onesComplementSum(bytes, offset + 2, end, before);
    // 0 and 0xffff are one number in one's complement: a receiver takes either, so either is right.
    const isRight = fold(sum + found) === 0xffff;
    return { found, expected: isRight ? found : ~sum & 0xffff };
  };
  if (layer.protocol === 'ipv4') {
    const headerLength = numberOf(layer, 'hdr_len')! * 4;
    if (headerLength < 20 || layer.headerLength !== headerLength) return undefined;
    const { found, expected } = sum16(layer.offset + headerLength);
    return result(found, expected);
  }
  const ip = enclosingIp(packet, index);
  if (layer.truncated || !ip || ip.missing > 0 || isFragment(packet, index)) return undefined;
  switch (layer.protocol) {
    case 'sctp': {
      const zeroed = new Uint8Array(bytes.subarray(layer.offset, ip.end));
      setU32(zeroed, offset - layer.offset, 0);
      return result(u32(bytes, offset), crc32c(zeroed));
    }
    case 'icmp':
    case 'igmp':
    case 'gre': {
      const { found, expected } = sum16(ip.end);
      return result(found, expected);
    }
    case 'tcp':
    case 'udp':
    case 'icmp6': {
      if (layer.protocol === 'udp' && u16(bytes, offset) === 0 && mayLackChecksum(packet, index, ip)) return undefined;
      const end = layer.protocol === 'udp' ? layer.end : ip.end;
      const protocol = layer.protocol === 'tcp' ? 6 : layer.protocol === 'udp' ? 17 : 58;
      const seed = pseudoHeaderSum(
        bytesOf(ip, 'src')!,
        finalDestination(packet, index, ip),
        protocol,
        end - layer.offset,
      );
      const { found, expected } = sum16(end, seed);
      return result(found, layer.protocol === 'udp' && expected === 0 ? 0xffff : expected);
    }
    default:
      return undefined;
  }
}

function mayLackChecksum(packet: ParsedPacket, index: number, ip: Layer): boolean {
  const next = packet.layers[index + 1]?.protocol;
  return ip.protocol === 'ipv4' || next === 'vxlan' || next === 'geneve';
}

/** The IP header that a layer belongs to, undefined if there is none with whole addresses. */
function enclosingIp(packet: ParsedPacket, index: number): Layer | undefined {
  for (let i = index - 1; i >= 0; i--) {
    const layer = packet.layers[i]!;
    if (layer.protocol === 'ipv4' || layer.protocol === 'ipv6') return bytesOf(layer, 'dst') ? layer : undefined;
  }
  return undefined;
}

function isFragment(packet: ParsedPacket, index: number): boolean {
  for (let i = index - 1; i >= 0; i--) {
    const layer = packet.layers[i]!;
    if (layer.protocol === 'ipv4') {
      return numberOf(layer, 'frag_offset') !== 0 || (numberOf(layer, 'flags')! & 1) !== 0;
    }
    if (layer.protocol === 'fragment') return numberOf(layer, 'offset') !== 0 || numberOf(layer, 'more') !== 0;
    if (layer.protocol === 'ipv6') return false;
  }
  return false;
}

/** With a routing header that has segments left, the pseudo header holds the last address (RFC 8200 section 8.1). */
function finalDestination(packet: ParsedPacket, index: number, ip: Layer): Uint8Array {
  for (let i = index - 1; i >= 0 && packet.layers[i] !== ip; i--) {
    const layer = packet.layers[i]!;
    if (layer.protocol !== 'routing' || numberOf(layer, 'segleft') === 0) continue;
    const addresses = layer.fields.filter((field) => field.name.startsWith('address['));
    // Segment routing lists its segments backwards (RFC 8754 section 2).
    const last = numberOf(layer, 'type') === 4 ? addresses[0] : addresses.at(-1);
    if (last) return last.value as Uint8Array;
  }
  return bytesOf(ip, 'dst')!;
}
