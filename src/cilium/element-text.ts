import { formatDecoded } from '../btf/value.js';
import { formatAddress, formatMac } from '../packet/addresses.js';

/** Fields that hold nothing. */
const FILLERS = /^(pad\d*|reserved\d*|unused\d*)$/;
/** Fields that are MAC addresses in a `__u64` (mac_t). */
const MACS: ReadonlySet<string> = new Set(['mac', 'node_mac', 'macaddr', 'vtep_mac']);
/** The `family` of keys with an address of either family (ENDPOINT_KEY_IPV4, ENDPOINT_KEY_IPV6 in bpf/lib/common.h). */
const UNUSED_BY_FAMILY: ReadonlyMap<unknown, string> = new Map([
  [1, 'ip6'],
  [2, 'ip4'],
]);

type Fields = Readonly<Record<string, unknown>>;

/**
 * A key or value of one of Cilium's maps, decoded with CILIUM_FIELDS, as one line of C-like text for people: addresses as such,
 * of unions the member that is used, no padding.
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
  const address = addressOf(value as Fields);
  if (address !== undefined) return address;
  const unused = unusedMember(value as Fields);
  const told = Object.entries(value).filter(([name, inner]) => name !== unused && !isFiller(name, inner));
  return Object.fromEntries(told.map(([name, inner]) => [name, fieldValue(name, inner)]));
}

/** Padding, and arrays without elements. */
function isFiller(name: string, value: unknown): boolean {
  return value === '' || (FILLERS.test(name) && isZero(value));
}

/** Unions that are one address: union v6addr with its words, halves and bytes, and `ip4` and `ip6` without a family. */
function addressOf({ addr, p, p1, ip4, ip6, family }: Fields): string | undefined {
  if (typeof addr === 'string' && (p ?? p1) !== undefined) return ipv6Text(addr);
  if (typeof ip4 !== 'string' || ip6 === undefined || family !== undefined) return undefined;
  const { addr: bytes } = ip6 as Fields;
  if (typeof bytes !== 'string') return undefined;
  const isIp4 = isZero(bytes.slice(8));
  return isIp4 ? ip4 : ipv6Text(bytes);
}

/** The member of a union that another one says better. */
function unusedMember(value: Fields): string | undefined {
  if ('ip4' in value && 'ip6' in value) return UNUSED_BY_FAMILY.get(value.family);
  // struct ct_entry: the entry of a Service has a backend and counts nothing.
  if ('rx_bytes' in value && 'backend_id' in value)
    return isZero(value.rx_packets) && !isZero(value.backend_id) ? 'rx_bytes' : 'backend_id';
  return undefined;
}

function fieldValue(name: string, value: unknown): unknown {
  if (typeof value === 'bigint' && MACS.has(name))
    return formatMac(Uint8Array.from({ length: 6 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn)));
  return readable(value);
}

function ipv6Text(hex: string): string {
  return formatAddress(Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)));
}

function isZero(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isZero);
  return typeof value === 'string' ? /^[0.:]*$/.test(value) : Number(value) === 0;
}
