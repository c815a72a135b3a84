import { describe, expect, test } from 'vitest';
import { readHex } from '../../src/packet/bytes.js';
import {
  crc32c,
  fixChecksums,
  internetChecksum,
  onesComplementSum,
  verifyChecksums,
} from '../../src/packet/checksum.js';
import { writePcap } from '../../src/packet/pcap.js';
import { buildPacket } from '../../src/packet/words.js';
import { SAMPLES } from './packet-samples.js';
import { hasTool, runOnFile } from './packet-tools.js';

describe('checksums', () => {
  test('the example of RFC 1071 section 3', () => {
    const bytes = readHex('0001f203f4f5f6f7')!;
    expect(onesComplementSum(bytes)).toBe(0xddf2);
    expect(internetChecksum(bytes)).toBe(0x220d);
  });

  test('odd lengths count the last byte as the high one', () => {
    expect(onesComplementSum(Uint8Array.of(1))).toBe(0x100);
    expect(internetChecksum(new Uint8Array(0))).toBe(0xffff);
    expect(onesComplementSum(new Uint8Array(65535).fill(255))).toBe(0xff00);
  });

  test('CRC-32C: the check value of the catalogue and the vectors of RFC 3720 B.4', () => {
    const swap = (value: number) =>
      new DataView(Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24).buffer).getUint32(0);
    expect(swap(crc32c(new TextEncoder().encode('123456789')))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0xaa36918a);
    expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x43aba862);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x4e79dd46);
  });

  test('every changed byte of a covered packet is noticed and can be put right', () => {
    for (const description of [
      'tcp 10.0.0.1:1 > 10.0.0.2:2 "hello"',
      'udp [fd00::1]:1 > [fd00::2]:2 "hello"',
      'sctp 10.0.0.1:1 > 10.0.0.2:2 "hello"',
    ]) {
      const bytes = buildPacket(description);
      // From the last address byte on: earlier bytes change how the packet is read.
      for (let i = bytes.length - 3; i < bytes.length; i++) {
        const broken = bytes.slice();
        broken[i] = broken[i]! ^ 0x55;
        expect(verifyChecksums(broken)).toHaveLength(1);
        expect(verifyChecksums(fixChecksums(broken))).toEqual([]);
        expect(broken[i]).toBe(bytes[i]! ^ 0x55);
      }
    }
  });

  test('what is wrong says where, found and expected', () => {
    const right = buildPacket('udp 10.0.0.1:1 > 10.0.0.2:2');
    const wrong = right.slice();
    wrong.set([0x12, 0x34], 40);
    const expected = (right[40]! << 8) | right[41]!;
    expect(verifyChecksums(wrong)).toEqual([{ layer: 'udp', offset: 40, found: 0x1234, expected }]);
    expect(fixChecksums(wrong)).toEqual(right);
  });

  test('none over IPv4 is right, over IPv6 only for tunnels', () => {
    expect(verifyChecksums(buildPacket('udp 10.0.0.1:1 > 10.0.0.2:2 nocsum'))).toEqual([]);
    expect(verifyChecksums(buildPacket('udp [fd00::1]:1 > [fd00::2]:2 nocsum'))).toHaveLength(1);
    expect(verifyChecksums(buildPacket('vxlan fd00::1 > fd00::2 nocsum : udp 10.0.0.1:1 > 10.0.0.2:2'))).toEqual([]);
  });

  test('0 and 0xffff are the same sum', () => {
    // A payload chosen so that the checksum computes to 0 and is sent as ffff.
    const base = buildPacket('udp 10.0.0.1:1 > 10.0.0.2:2 payload=hex:0000');
    const sum = (base[40]! << 8) | base[41]!;
    const bytes = buildPacket(`udp 10.0.0.1:1 > 10.0.0.2:2 payload=hex:${sum.toString(16).padStart(4, '0')}`);
    expect([bytes[40], bytes[41]]).toEqual([255, 255]);
    expect(verifyChecksums(bytes)).toEqual([]);
    const icmp = buildPacket('icmp 10.0.0.1 > 10.0.0.2 type=255');
    icmp.set([0, 0xff, 0xff, 0], 34);
    icmp.set([0, 0, 0, 0xff], 38);
    icmp.set([0, 0], 36);
    const fixed = fixChecksums(icmp);
    const other = fixed.slice();
    if (fixed[36] === 0 && fixed[37] === 0) other.set([255, 255], 36);
    expect(verifyChecksums(other)).toEqual([]);
  });

  test('fragments and truncated packets are left alone', () => {
    const first = buildPacket('udp 10.0.0.1:1 > 10.0.0.2:2 len=16 frag=0+ badsum');
    expect(verifyChecksums(first)).toEqual([]);
    expect(verifyChecksums(buildPacket('tcp 10.0.0.1:1 > 10.0.0.2:2 len=16 badsum truncate=60'))).toEqual([]);
  });

  test.runIf(hasTool('tshark'))('Wireshark finds all checksums of the samples right and the bad ones bad', () => {
    const whole = SAMPLES.filter((sample) => !sample.includes('truncate='));
    const bad = ['tcp', 'udp'].map((name) => `${name} 10.0.0.1:1 > 10.0.0.2:2 badsum badipsum`);
    const packets = [...whole, ...bad].map((description, i) => ({
      seconds: i,
      nanoseconds: 0,
      data: buildPacket(description),
    }));
    const protocols = ['ip', 'tcp', 'udp', 'icmp', 'icmpv6', 'sctp', 'igmp'];
    const preferences = [
      'ip.check_checksum:TRUE',
      'tcp.check_checksum:TRUE',
      'udp.check_checksum:TRUE',
      'sctp.checksum:TRUE',
    ];
    const output = runOnFile(
      'tshark',
      [
        '-n',
        ...preferences.flatMap((preference) => ['-o', preference]),
        ...['-T', 'fields', '-E', 'separator=|'],
        ...protocols.flatMap((name) => ['-e', `${name}.checksum.status`]),
        ...['-r', 'FILE'],
      ],
      writePcap(packets),
    );
    const rows = output
      .trimEnd()
      .split('\n')
      .map((row) => row.split('|').flatMap((cell) => cell.split(',')));
    expect(rows).toHaveLength(packets.length);
    for (const [i, description] of whole.entries()) expect(rows[i], description).not.toContain('0');
    expect(rows.flat().filter((status) => status === '1').length).toBeGreaterThan(80);
    for (const row of rows.slice(whole.length)) expect(row.filter((status) => status === '0')).toHaveLength(2);
  });
});
