import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../src/errors.js';
import {
  cidrContains,
  formatCidr,
  formatIPv4,
  formatIPv6,
  formatMac,
  parseAddress,
  parseCidr,
  parseIPv4,
  parseIPv6,
  parseMac,
} from '../../src/packet/addresses.js';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

describe('addresses', () => {
  test.each([
    ['0:0:0:0:0:0:0:0', '::'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['fe80::', 'fe80::'],
    ['::ffff:10.0.0.1', '::ffff:10.0.0.1'],
    ['64:ff9b::10.0.0.1', '64:ff9b::a00:1'],
    ['fd00::00ff', 'fd00::ff'],
  ])('IPv6 %s reads as RFC 5952 %s', (text, canonical) => {
    expect(formatIPv6(parseIPv6(text))).toBe(canonical);
  });

  test.each([
    '',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '12345::',
    'g::',
    '1:2:3:4:5:6:7:8::',
    '::1.2.3',
    '1.2.3.4::',
    ':1:2:3:4:5:6:7',
    'fd00::1%eth0',
  ])('IPv6 "%s" is refused', (text) => {
    expect(() => parseIPv6(text)).toThrow(UsageError);
  });

  test.each(['', '1.2.3', '1.2.3.4.5', '1.2.3.256', '01.2.3.4', '1.2.3.4 ', '1.2..4', 'a.b.c.d', '1.2.3.-4'])(
    'IPv4 "%s" is refused',
    (text) => {
      expect(() => parseIPv4(text)).toThrow(UsageError);
    },
  );

  test('all addresses survive text', () => {
    fc.assert(fc.property(bytes(4), (address) => void expect(parseIPv4(formatIPv4(address))).toEqual(address)));
    fc.assert(fc.property(bytes(16), (address) => void expect(parseIPv6(formatIPv6(address))).toEqual(address)));
    const sparse = fc
      .array(fc.constantFrom(0, 0, 0, 1, 255), { minLength: 16, maxLength: 16 })
      .map((a) => Uint8Array.from(a));
    fc.assert(fc.property(sparse, (address) => void expect(parseAddress(formatIPv6(address))).toEqual(address)));
    fc.assert(fc.property(bytes(6), (address) => void expect(parseMac(formatMac(address))).toEqual(address)));
  });

  test('MACs take dashes and refuse others', () => {
    expect(formatMac(parseMac('AA-BB-cc-dd-ee-0'))).toBe('aa:bb:cc:dd:ee:00');
    expect(() => parseMac('aa:bb:cc:dd:ee')).toThrow('"aa:bb:cc:dd:ee" is not a MAC address');
  });

  test('prefixes', () => {
    expect(formatCidr(parseCidr('10.0.0.0/8'))).toBe('10.0.0.0/8');
    expect(formatCidr(parseCidr('fd00::1'))).toBe('fd00::1/128');
    expect(() => parseCidr('10.0.0.0/33')).toThrow('0 to 32 bits');
    expect(() => parseCidr('10.0.0/8')).toThrow(UsageError);
    const contains = (prefix: string, address: string) => cidrContains(parseCidr(prefix), parseAddress(address));
    expect(contains('10.0.0.0/9', '10.127.255.255')).toBe(true);
    expect(contains('10.0.0.0/9', '10.128.0.0')).toBe(false);
    expect(contains('0.0.0.0/0', '1.2.3.4')).toBe(true);
    expect(contains('::/0', '1.2.3.4')).toBe(false);
    expect(contains('fd00::/63', 'fd00:0:0:1::5')).toBe(true);
    expect(contains('fd00::/64', 'fd00:0:0:1::5')).toBe(false);
  });
});
