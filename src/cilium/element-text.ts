import { formatDecoded } from '../btf/value.js';
import { formatAddress, formatMac } from '../packet/addresses.js';
import { ipv4OfNumber } from './values.js';

/** Fields that hold nothing, or what one of the other fields of a union says better. */
const FILLERS = /^(pad\d*|reserved\d*|unused\d*)$/;
/** Fields that are IPv4 addresses though their type is a plain `__u32`. */
const ADDRESSES: ReadonlySet<string> = new Set([
  'ip4',
  'tunnel_endpoint',
  'addr',
  'address',
  'gateway_ip',
  'egress_ip',
]);
/** Fields that are MAC addresses in a `__u64` (mac_t). */
const MACS: ReadonlySet<string> = new Set(['mac', 'node_mac', 'macaddr', 'vtep_mac']);
/** The `family` of keys with an address of either family (ENDPOINT_KEY_IPV4, ENDPOINT_KEY_IPV6 in bpf/lib/common.h). */
const UNUSED_BY_FAMILY: ReadonlyMap<unknown, string> = new Map([
  [1, 'ip6'],
  [2, 'ip4'],
]);

/**
 * A decoded key or value of one of Cilium's maps as one line of C-like text for people: addresses as such whatever their type
 * is, of unions the member that is used, no padding.
 */
export function elementText(decoded: unknown): string {
  return formatDecoded(readable(decoded));
}

/** The values of all CPUs, separated by ` | `. */
export function perCpuText(values: readonly unknown[]): string {
  return values.map(elementText).join(' | ');
}

function readable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(readable);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  const fields = Object.entries(value);
  // union v6addr: words, halves and bytes of one address.
  const { addr, p1 } = value as Record<string, unknown>;
  if (typeof addr === 'string' && p1 !== undefined) return ipv6Text(addr);
  const unused = unusedMember(value as Record<string, unknown>);
  const told = fields.filter(([name, inner]) => name !== unused && !(FILLERS.test(name) && isZero(inner)));
  return Object.fromEntries(told.map(([name, inner]) => [name, fieldValue(name, inner)]));
}

/** The member of a union that another one says better. */
function unusedMember(value: Record<string, unknown>): string | undefined {
  if ('ip4' in value && 'ip6' in value) return UNUSED_BY_FAMILY.get(value.family);
  // struct ct_entry: the entry of a Service has a backend and counts nothing.
  if ('rx_bytes' in value && 'backend_id' in value)
    return isZero(value.rx_packets) && !isZero(value.backend_id) ? 'rx_bytes' : 'backend_id';
  return undefined;
}

function fieldValue(name: string, value: unknown): unknown {
  if (typeof value === 'number' && ADDRESSES.has(name)) return ipv4OfNumber(value);
  if (typeof value === 'bigint' && MACS.has(name))
    return formatMac(Uint8Array.from({ length: 6 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn)));
  return readable(value);
}

function ipv6Text(hex: string): string {
  const bytes = hex.match(/../g)?.map((pair) => Number.parseInt(pair, 16)) ?? [];
  return bytes.length === 16 && bytes.every(Number.isInteger) ? formatAddress(Uint8Array.from(bytes)) : hex;
}

function isZero(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isZero);
  return typeof value === 'string' ? /^[0.:]*$/.test(value) : Number(value) === 0;
}
