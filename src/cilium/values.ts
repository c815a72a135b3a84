import { formatIPv4 } from '../packet/addresses.js';
import { IP_PROTOCOLS } from '../packet/fields.js';

/** A 16-bit number, such as a port, that lies in the low half of a host-order number as in the packet. */
export function swap16(value: number): number {
  return ((value & 0xff) << 8) | ((value >>> 8) & 0xff);
}

/** An IPv4 address that lies in a little-endian number as in the packet. */
export function ipv4OfNumber(value: number): string {
  return formatIPv4(Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24));
}

/** `TCP`, or `protocol 200` for a number without a name. */
export function protocolText(protocol: number): string {
  return IP_PROTOCOLS[protocol] ?? `protocol ${protocol}`;
}
