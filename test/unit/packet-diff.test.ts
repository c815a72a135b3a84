import { describe, expect, test } from 'vitest';
import { concat } from '../../src/packet/bytes.js';
import { diffPackets, formatDiff } from '../../src/packet/diff.js';
import { buildPacket } from '../../src/packet/words.js';

const lines = (before: string, after: string) =>
  formatDiff(diffPackets(buildPacket(before), buildPacket(after))).split('\n');
/** The names of what changed, sums included. */
const names = (before: string, after: string) => {
  const diff = diffPackets(buildPacket(before), buildPacket(after));
  return {
    added: diff.added.map((header) => header.layer),
    removed: diff.removed.map((header) => header.layer),
    changed: diff.changes.map((change) => `${change.layer}.${change.field}`),
  };
};

describe('differences', () => {
  test('TTL and destination, with right checksums', () => {
    const text = lines(
      'tcp 10.0.0.250:40418 > 172.16.16.87:80 syn ttl=64',
      'tcp 10.0.0.250:40418 > 10.0.1.60:80 syn ttl=63',
    );
    expect(text).toContain('ipv4.ttl 64 -> 63');
    expect(text).toContain('ipv4.dst 172.16.16.87 -> 10.0.1.60');
    expect(text.find((line) => line.startsWith('ipv4.checksum'))).toMatch(/0x[0-9a-f]{4} -> 0x[0-9a-f]{4} \(right\)$/);
    expect(text.find((line) => line.startsWith('tcp.checksum'))).toMatch(/\(right\)$/);
    expect(text).toHaveLength(4);
  });

  test('a field changed without its checksum is told', () => {
    const before = buildPacket('udp 10.0.0.1:1 > 10.0.0.2:2 ttl=64');
    const after = before.slice();
    after[22] = 63;
    expect(formatDiff(diffPackets(before, after)).split('\n')).toEqual([
      'ipv4.ttl 64 -> 63',
      expect.stringMatching(/^ipv4\.checksum 0x[0-9a-f]{4} is wrong, 0x[0-9a-f]{4} is right$/),
    ]);
    const other = after.slice();
    other.set([1, 2], 24);
    const text = formatDiff(diffPackets(before, other));
    expect(text).toMatch(/^ipv4\.checksum 0x[0-9a-f]{4} -> 0x0102 \(wrong, 0x[0-9a-f]{4} is right\)$/m);
  });

  const inner = 'tcp 10.0.0.250:40418 > 10.0.1.60:80 syn';

  test('encapsulation pairs the inner packet', () => {
    expect(names(inner, `vxlan vni=1234 192.168.1.15 > 192.168.1.13 : ${inner} ttl=63`)).toEqual({
      added: ['eth', 'ipv4', 'udp', 'vxlan'],
      removed: [],
      changed: ['ipv4#2.ttl', 'ipv4#2.checksum'],
    });
    expect(lines(inner, `vxlan vni=1234 192.168.1.15 > 192.168.1.13 : ${inner}`)).toContain(
      '+ vxlan vni 1234 (8 bytes)',
    );
    expect(names(inner, `geneve 1.1.1.1 > 1.1.1.2 : ${inner}`).added).toEqual(['eth', 'ipv4', 'udp', 'geneve']);
  });

  test('encapsulation pairs the inner packet even when MACs and addresses change', () => {
    const changed = 'tcp 10.0.0.9:40418 > 10.0.1.60:8080 syn ttl=63 eth=0a:00:00:00:00:01>0a:00:00:00:00:02';
    expect(names(inner, `vxlan 192.168.1.15 > 192.168.1.13 : ${changed}`).added).toEqual([
      'eth',
      'ipv4',
      'udp',
      'vxlan',
    ]);
  });

  test('decapsulation', () => {
    expect(names(`vxlan 192.168.1.15 > 192.168.1.13 : ${inner}`, inner)).toEqual({
      added: [],
      removed: ['eth', 'ipv4', 'udp', 'vxlan'],
      changed: [],
    });
  });

  test('IP in IP keeps the Ethernet header', () => {
    expect(names(inner, `ipip 1.1.1.1 > 1.1.1.2 : ${inner}`)).toEqual({ added: ['ipv4'], removed: [], changed: [] });
  });

  test('VLAN tags', () => {
    expect(names(inner, `${inner} vlan=100`)).toEqual({ added: ['vlan'], removed: [], changed: ['eth.type'] });
    expect(names(`${inner} vlan=100`, inner)).toEqual({ added: [], removed: ['vlan'], changed: ['eth.type'] });
    expect(lines(inner, `${inner} vlan=100`)).toEqual([
      'length 54 -> 58',
      '+ vlan id 100 (4 bytes)',
      'eth.type 0x0800 (IPv4) -> 0x8100 (802.1Q VLAN)',
    ]);
  });

  test('an extension header, and a change of family', () => {
    const six = 'udp [fd00::1]:1 > [fd00::2]:2 "abc"';
    expect(names(six, `${six} ext=hopopts`)).toMatchObject({ added: ['hopopts'], removed: [] });
    expect(names('udp 10.0.0.1:1 > 10.0.0.2:2 "abc"', six)).toMatchObject({ added: ['ipv6'], removed: ['ipv4'] });
  });

  test('options that come and go', () => {
    const diff = diffPackets(
      buildPacket(`${inner} options=mss:1400,nop,wscale:7`),
      buildPacket(`${inner} options=mss:1300,sackOK,nop,nop`),
    );
    expect(diff.changes.filter((change) => change.field.startsWith('options'))).toEqual([
      { layer: 'tcp', field: 'options.mss', before: '1400', after: '1300' },
      { layer: 'tcp', field: 'options.sackOK', before: undefined, after: 'present' },
      { layer: 'tcp', field: 'options.nop', before: undefined, after: 'present' },
      { layer: 'tcp', field: 'options.wscale', before: '7' },
    ]);
  });

  test('payload: replaced, inserted, removed', () => {
    const udp = (payload: string) => `udp 10.0.0.1:1 > 10.0.0.2:2 nocsum payload=${payload}`;
    const payload = (a: string, b: string) => lines(udp(a), udp(b)).filter((line) => line.startsWith('payload'));
    expect(payload('hex:00112233445566778899', 'hex:00112233445566ff8899')).toEqual(['payload[7] 77 -> ff']);
    expect(payload('hex:00112233445566778899', 'hex:ff11ff3344556677889a')).toEqual([
      'payload[0] 001122 -> ff11ff',
      'payload[9] 99 -> 9a',
    ]);
    expect(payload('hex:0011', 'hex:00aabb11')).toEqual(['payload[1] inserted aabb']);
    expect(payload('hex:00aabb11', 'hex:0011')).toEqual(['payload[1] removed aabb']);
  });

  test('padding, equal packets, colour', () => {
    const packet = buildPacket('udp 10.0.0.1:1 > 10.0.0.2:2');
    expect(formatDiff(diffPackets(packet, concat(packet, Uint8Array.of(1, 2))))).toBe(
      'length 42 -> 44\ntrailer[0] inserted 0102',
    );
    expect(diffPackets(packet, packet.slice())).toMatchObject({ identical: true, changes: [], payload: [] });
    expect(formatDiff(diffPackets(packet, packet.slice()))).toBe('');
    const other = buildPacket('udp 10.0.0.1:1 > 10.0.0.2:3 nocsum');
    expect(formatDiff(diffPackets(packet, other), { colour: true })).toContain(
      'udp.dstport \u001b[31m2\u001b[39m -> \u001b[32m3\u001b[39m',
    );
  });

  test('packets that start at IP', () => {
    const before = buildPacket(`${inner} noeth`);
    expect(diffPackets(before, buildPacket(inner), { start: 'ip', startAfter: 'ethernet' })).toMatchObject({
      added: [{ layer: 'eth' }],
      changes: [],
    });
  });
});
