import { concat, setU16, toHex, u16 } from '../packet/bytes.js';
import { internetChecksum } from '../packet/checksum.js';
import { ETHERNET_HEADER, type IpHeader } from './ip.js';
import type { Skb } from './skb.js';

const MORE = 0x2000;

/** Cuts an IPv4 packet into pieces that fit the MTU (ip_do_fragment). */
export function fragmentIp4(skb: Skb, ip: IpHeader, mtu: number): Skb[] {
  const headerLength = ip.transport - ETHERNET_HEADER;
  const room = (mtu - headerLength) & ~7;
  const content = skb.bytes.subarray(ip.transport, ip.end);
  const pieces: Skb[] = [];
  for (let offset = 0; offset < content.length; offset += room) {
    const piece = concat(skb.bytes.subarray(0, ip.transport), content.subarray(offset, offset + room));
    const isLast = offset + room >= content.length && !ip.fragment.more;
    setU16(piece, ETHERNET_HEADER + 2, piece.length - ETHERNET_HEADER);
    setU16(piece, ETHERNET_HEADER + 6, (isLast ? 0 : MORE) | ((ip.fragment.offset + offset) >> 3));
    writeIp4Checksum(piece, headerLength);
    pieces.push(skb.clone(piece));
  }
  return pieces;
}

function writeIp4Checksum(frame: Uint8Array, headerLength: number): void {
  setU16(frame, ETHERNET_HEADER + 10, 0);
  setU16(frame, ETHERNET_HEADER + 10, internetChecksum(frame, ETHERNET_HEADER, ETHERNET_HEADER + headerLength));
}

/** Pieces of IPv4 packets that wait for the rest. IPv6 fragments are told apart by their callers. */
export class Reassembly {
  readonly #waiting = new Map<string, { pieces: Map<number, Uint8Array>; total: number | undefined }>();

  /** Takes a piece; gives the whole frame back once it is there. */
  add(skb: Skb, ip: IpHeader): Uint8Array | undefined {
    const id = u16(skb.bytes, ETHERNET_HEADER + 4);
    const key = `${toHex(ip.source)} ${toHex(ip.destination)} ${ip.protocol} ${id}`;
    const entry = this.#waiting.get(key) ?? { pieces: new Map<number, Uint8Array>(), total: undefined };
    this.#waiting.set(key, entry);
    entry.pieces.set(ip.fragment.offset, skb.bytes.slice(0, ip.end));
    if (!ip.fragment.more) entry.total = ip.fragment.offset + ip.end - ip.transport;
    const first = entry.pieces.get(0);
    if (entry.total === undefined || !first) return undefined;
    const headerLength = (first[ETHERNET_HEADER]! & 15) * 4;
    const start = ETHERNET_HEADER + headerLength;
    const whole = new Uint8Array(start + entry.total);
    whole.set(first.subarray(0, start));
    let filled = 0;
    for (const [offset, piece] of [...entry.pieces].sort(([a], [b]) => a - b)) {
      if (offset !== filled) return undefined;
      const content = piece.subarray(ETHERNET_HEADER + (piece[ETHERNET_HEADER]! & 15) * 4);
      whole.set(content.subarray(0, entry.total - offset), start + offset);
      filled += content.length;
    }
    if (filled !== entry.total) return undefined;
    this.#waiting.delete(key);
    setU16(whole, ETHERNET_HEADER + 2, headerLength + entry.total);
    setU16(whole, ETHERNET_HEADER + 6, 0);
    writeIp4Checksum(whole, headerLength);
    return whole;
  }
}
