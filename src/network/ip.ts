import { setU16, u16 } from '../packet/bytes.js';
import { internetChecksum } from '../packet/checksum.js';

export const ETHERNET_HEADER = 14;
export const ETH_IPV4 = 0x0800;
export const ETH_IPV6 = 0x86dd;
export const ETH_ARP = 0x0806;
export const ICMP = 1;
export const TCP = 6;
export const UDP = 17;
export const ICMP6 = 58;
const FRAGMENT = 44;
/** Extension headers that are skipped: hop-by-hop, routing, destination options. */
const SKIPPED = new Set([0, 43, 60]);

/** What the stack looks at in an IP header; offsets count from the start of the frame. */
export interface IpHeader {
  readonly version: 4 | 6;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  /** Transport protocol, behind IPv6 extension headers. */
  readonly protocol: number;
  /** TTL or hop limit. */
  readonly ttl: number;
  /** TOS or traffic class byte. */
  readonly tos: number;
  readonly dontFragment: boolean;
  /** Offset of this fragment in bytes, and whether more follow. */
  readonly fragment: { readonly offset: number; readonly more: boolean };
  readonly transport: number;
  /** End of the IP packet. */
  readonly end: number;
}

/** The IP header behind the Ethernet header of a frame; undefined if it is none, is cut or has a wrong checksum. */
export function readIp(frame: Uint8Array): IpHeader | undefined {
  const at = ETHERNET_HEADER;
  const version = (frame[at] ?? 0) >> 4;
  if (version === 4) return readIp4(frame, at);
  return version === 6 ? readIp6(frame, at) : undefined;
}

function readIp4(frame: Uint8Array, at: number): IpHeader | undefined {
  if (frame.length < at + 20) return undefined;
  const length = (frame[at]! & 15) * 4;
  const end = at + u16(frame, at + 2);
  if (length < 20 || end > frame.length || at + length > end) return undefined;
  if (internetChecksum(frame, at, at + length) !== 0) return undefined;
  const bits = u16(frame, at + 6);
  return {
    version: 4,
    source: frame.slice(at + 12, at + 16),
    destination: frame.slice(at + 16, at + 20),
    protocol: frame[at + 9]!,
    ttl: frame[at + 8]!,
    tos: frame[at + 1]!,
    dontFragment: (bits & 0x4000) !== 0,
    fragment: { offset: (bits & 0x1fff) * 8, more: (bits & 0x2000) !== 0 },
    transport: at + length,
    end,
  };
}

function readIp6(frame: Uint8Array, at: number): IpHeader | undefined {
  if (frame.length < at + 40) return undefined;
  const end = at + 40 + u16(frame, at + 4);
  if (end > frame.length) return undefined;
  let protocol = frame[at + 6]!;
  let transport = at + 40;
  let fragment = { offset: 0, more: false };
  while ((SKIPPED.has(protocol) || protocol === FRAGMENT) && transport + 8 <= end) {
    const isFragment = protocol === FRAGMENT;
    if (isFragment) {
      const bits = u16(frame, transport + 2);
      fragment = { offset: bits & 0xfff8, more: (bits & 1) !== 0 };
    }
    protocol = frame[transport]!;
    transport += isFragment ? 8 : (frame[transport + 1]! + 1) * 8;
    if (fragment.offset > 0) break;
  }
  return {
    version: 6,
    source: frame.slice(at + 8, at + 24),
    destination: frame.slice(at + 24, at + 40),
    protocol,
    ttl: frame[at + 7]!,
    tos: ((frame[at]! & 15) << 4) | (frame[at + 1]! >> 4),
    dontFragment: true,
    fragment,
    transport,
    end,
  };
}

/** Lowers TTL or hop limit by one, in place; the IPv4 checksum follows (ip_decrease_ttl). */
export function decrementTtl(frame: Uint8Array): void {
  const at = ETHERNET_HEADER;
  if (frame[at]! >> 4 === 6) {
    frame[at + 7]!--;
    return;
  }
  frame[at + 8]!--;
  const sum = u16(frame, at + 10) + 0x0100;
  setU16(frame, at + 10, (sum + (sum >= 0xffff ? 1 : 0)) & 0xffff);
}

export function isMulticast(address: Uint8Array): boolean {
  return address.length === 4 ? address[0]! >> 4 === 14 : address[0] === 0xff;
}

export function isUnspecified(address: Uint8Array): boolean {
  return address.every((byte) => byte === 0);
}

export function isLoopback(address: Uint8Array): boolean {
  return address.length === 4 ? address[0] === 127 : address.every((byte, i) => byte === (i === 15 ? 1 : 0));
}

export function isLimitedBroadcast(address: Uint8Array): boolean {
  return address.length === 4 && address.every((byte) => byte === 255);
}

/** The Ethernet group of a multicast or broadcast address (RFC 1112, RFC 2464). */
export function groupMac(address: Uint8Array): Uint8Array {
  if (address.length === 16) return Uint8Array.of(0x33, 0x33, ...address.subarray(12));
  if (!isMulticast(address)) return new Uint8Array(6).fill(0xff);
  return Uint8Array.of(0x01, 0x00, 0x5e, address[1]! & 0x7f, address[2]!, address[3]!);
}

/** An Ethernet header with zero addresses in front of an IP packet. */
export function frameOf(packet: Uint8Array): Uint8Array {
  const frame = new Uint8Array(ETHERNET_HEADER + packet.length);
  setU16(frame, 12, packet[0]! >> 4 === 6 ? ETH_IPV6 : ETH_IPV4);
  frame.set(packet, ETHERNET_HEADER);
  return frame;
}
