import { z } from 'zod';
import { parseCidr, readAddress, readIPv4, readIPv6, readMac } from '../../packet/addresses.js';

/** A text for which `test` holds; otherwise the error says what was expected. */
function text(test: (value: string) => boolean, expected: string) {
  return z.string(`expected ${expected}`).refine(test, `expected ${expected}`);
}

function isCidr(value: string): boolean {
  try {
    parseCidr(value);
    return true;
  } catch {
    return false;
  }
}

/** Integer within bounds. */
function integer(lowest: number, highest: number, what: string) {
  const expected = `expected ${what}, ${lowest}..${highest}`;
  return z.number(expected).int(expected).min(lowest, expected).max(highest, expected);
}

export const address = text((value) => readAddress(value) !== undefined, 'an IPv4 or IPv6 address');
export const ipv4 = text((value) => readIPv4(value) !== undefined, 'an IPv4 address such as 10.0.0.1');
export const ipv6 = text((value) => readIPv6(value) !== undefined, 'an IPv6 address such as fd00::1');
export const mac = text((value) => readMac(value) !== undefined, 'a MAC address such as 02:00:00:00:00:01');
/** Prefix; an address alone is a full-length prefix. */
export const cidr = text(isCidr, 'a prefix such as 10.0.0.0/8 or fd00::/64');
export const ipv4Cidr = text((value) => isCidr(value) && !value.includes(':'), 'an IPv4 prefix such as 10.0.0.0/8');
export const ipv6Cidr = text((value) => isCidr(value) && value.includes(':'), 'an IPv6 prefix such as fd00::/64');
export const port = integer(1, 65535, 'a port');
/** Port of a policy rule: 0 stands for all of the protocol. */
export const anyPort = integer(0, 65535, 'a port (0 = all)');
export const ifindex = integer(1, 0x7fffffff, 'an interface index');
export const mtu = integer(68, 65535, 'an MTU');
export const id16 = integer(1, 65535, 'an id');
export const identity = integer(1, 0xffffffff, 'a security identity');
export const seconds = integer(1, 0xffffff, 'seconds');
export const number32 = integer(0, 0xffffffff, 'a number');
export const fraction = z
  .number('expected a fraction, 0..1')
  .min(0, 'expected a fraction, 0..1')
  .max(1, 'expected a fraction, 0..1');
export const flag = z.boolean('expected true or false');
/** Name of an object or device; what the kernel and Kubernetes allow both. */
export const name = text(
  (value) => /^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/.test(value),
  'a name of letters, digits, dots, dashes',
);
/** Interface names have at most 15 characters (IFNAMSIZ). */
export const interfaceName = text((value) => /^[^\s/]{1,15}$/.test(value), 'an interface name of up to 15 characters');

const scalar = z.union([z.string(), z.number(), z.boolean()], 'expected a text').transform((value) => String(value));
/** Kubernetes labels by key, without source prefix. */
export const labels = z.record(z.string(), scalar, 'expected labels, key: value');
