import { describe, expect, test } from 'vitest';
import { elementText, perCpuText } from '../../src/cilium/element-text.js';
import { CILIUM_FIELDS } from '../../src/cilium/field-hints.js';

/** union v6addr as objects up to 1.17 and from 1.18 on decode. */
const v6 = (addr: string) => ({ p1: 1, p2: 0, p3: 0, p4: 0, d1: 1n, d2: 0n, addr });
const newV6 = (addr: string) => ({ addr, p: { p1: 1 }, d: { d1: 1n } });
const IP4_AS_6 = '0a00013d000000000000000000000000';
const IP6 = 'fd000010000000010000000000000001';

describe('elements of maps in words', () => {
  test.each<[string, unknown, string]>([
    [
      'a key of either family, IPv4',
      { ip4: '10.0.1.61', pad1: 0, pad2: 0, ip6: v6(IP4_AS_6), family: 1, key: 0, pad5: 0 },
      '{ .ip4 = 10.0.1.61, .family = 1, .key = 0 }',
    ],
    [
      'a key of either family, IPv6',
      { ip4: '253.0.0.16', ip6: v6(IP6), family: 2 },
      '{ .ip6 = fd00:10:0:1::1, .family = 2 }',
    ],
    [
      'a tunnel endpoint of 1.20, IPv4',
      { tunnel_endpoint: { ip4: '10.0.1.61', pad1: 0, ip6: newV6(IP4_AS_6) } },
      '{ .tunnel_endpoint = 10.0.1.61 }',
    ],
    [
      'a tunnel endpoint of 1.20, IPv6',
      { tunnel_endpoint: { ip4: '253.0.0.16', ip6: newV6(IP6) } },
      '{ .tunnel_endpoint = fd00:10:0:1::1 }',
    ],
    [
      'MAC addresses',
      { mac: 0x7a471679_48b6n, node_mac: 0n },
      '{ .mac = b6:48:79:16:47:7a, .node_mac = 00:00:00:00:00:00 }',
    ],
    ['padding that holds something stays', { pad: 3, pad0: 0, reserved: [0, 0], unused: '0000' }, '{ .pad = 3 }'],
    ['arrays without elements', { lpm_key: { prefixlen: 64, data: '' } }, '{ .lpm_key = { .prefixlen = 64 } }'],
    ['a connection', { rx_packets: 1n, rx_bytes: 74n, backend_id: 74 }, '{ .rx_packets = 1, .rx_bytes = 74 }'],
    [
      'a connection to a Service',
      { rx_packets: 0n, rx_bytes: 5n, backend_id: 5 },
      '{ .rx_packets = 0, .backend_id = 5 }',
    ],
    ['a plain number', 7, '7'],
    ['a list', [{ pad: 0, a: 1 }, 2], '[{ .a = 1 }, 2]'],
  ])('%s', (_, decoded, expected) => {
    expect(elementText(decoded)).toBe(expected);
  });

  test('values of every CPU', () => {
    expect(perCpuText([{ count: 1n }, { count: 0n }])).toBe('{ .count = 1 } | { .count = 0 }');
  });

  test('fields whose type does not say what they hold', () => {
    expect(CILIUM_FIELDS('endpoint_key', 'ip4')).toBe('ipv4');
    expect(CILIUM_FIELDS('remote_endpoint_info', 'tunnel_endpoint')).toBe('ipv4');
    expect(CILIUM_FIELDS('policy_key', 'dport')).toBe('be16');
    expect(CILIUM_FIELDS('ipv4_ct_tuple', 'dport')).toBeUndefined();
  });
});
