import type { FieldValues } from './layout.js';

/** ENDPOINT_KEY_IPV4, ENDPOINT_KEY_IPV6. */
export function familyOf(address: string): 1 | 2 {
  return address.includes(':') ? 2 : 1;
}

/** The address fields of keys with a family: `ip4` or `ip6`. */
export function familyFields(address: string): FieldValues {
  return familyOf(address) === 2 ? { family: 2, ip6: address } : { family: 1, ip4: address };
}

/** A prefix as address and length in bits. */
export function splitCidr(cidr: string): { address: string; length: number } {
  const [address = '', length] = cidr.split('/');
  return { address, length: length === undefined ? (address.includes(':') ? 128 : 32) : Number(length) };
}
