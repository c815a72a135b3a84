import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LoadError, OffkernelError, UsageError } from '../../src/errors.js';
import { concat } from '../../src/packet/bytes.js';
import { isPcap, readPcap, writePcap } from '../../src/packet/pcap.js';
import { buildPacket } from '../../src/packet/words.js';
import { SAMPLES } from './packet-samples.js';
import { hasTool, runOnFile } from './packet-tools.js';

const samples = SAMPLES.map((sample, i) => ({
  seconds: 1700000000 + i,
  nanoseconds: 123456789,
  data: buildPacket(sample),
}));

/** Integers of 16 (negative count of bits) or 32 bits in one byte order. */
function packed(isLittle: boolean, ...values: (['u16' | 'u32', number] | Uint8Array)[]): Uint8Array {
  return concat(
    ...values.map((value) => {
      if (value instanceof Uint8Array) return value;
      const bytes = new Uint8Array(value[0] === 'u16' ? 2 : 4);
      const view = new DataView(bytes.buffer);
      if (value[0] === 'u16') view.setUint16(0, value[1], isLittle);
      else view.setUint32(0, value[1], isLittle);
      return bytes;
    }),
  );
}

function block(isLittle: boolean, type: number, ...body: (['u16' | 'u32', number] | Uint8Array)[]): Uint8Array {
  const content = packed(isLittle, ...body);
  const padded = concat(content, new Uint8Array(-content.length & 3));
  const length = padded.length + 12;
  return packed(isLittle, ['u32', type], ['u32', length], padded, ['u32', length]);
}

const section = (isLittle: boolean) =>
  block(isLittle, 0x0a0d0d0a, ['u32', 0x1a2b3c4d], ['u16', 1], ['u16', 0], ['u32', 0xffffffff], ['u32', 0xffffffff]);

describe('pcap', () => {
  test('round trip of any packets', () => {
    const packet = fc.record({
      seconds: fc.nat(0xffffffff),
      nanoseconds: fc.nat(999_999_999),
      data: fc.uint8Array({ maxLength: 100 }),
      extra: fc.nat(1000),
    });
    fc.assert(
      fc.property(
        fc.array(packet, { maxLength: 8 }),
        fc.boolean(),
        fc.constantFrom(1, 101, 113),
        (packets, nanoseconds, linkType) => {
          const written = packets.map(({ extra, ...rest }) => ({ ...rest, originalLength: rest.data.length + extra }));
          const file = writePcap(written, { linkType, nanoseconds });
          expect(isPcap(file)).toBe(true);
          const read = readPcap(file);
          expect(read.linkType).toBe(linkType);
          const cut = (value: number) => (nanoseconds ? value : value - (value % 1000));
          expect(read.packets).toEqual(written.map((p) => ({ ...p, nanoseconds: cut(p.nanoseconds) })));
        },
      ),
      { numRuns: 500 },
    );
  });

  test.each([true, false])('classic files, little-endian %s, both resolutions', (isLittle) => {
    for (const [magic, fraction] of [
      [0xa1b2c3d4, 5],
      [0xa1b23c4d, 5000],
    ] as const) {
      const header = packed(
        isLittle,
        ['u32', magic],
        ['u16', 2],
        ['u16', 4],
        ['u32', 0],
        ['u32', 0],
        ['u32', 65535],
        ['u32', 0x10000065],
      );
      const record = packed(isLittle, ['u32', 7], ['u32', fraction], ['u32', 2], ['u32', 9], Uint8Array.of(1, 2));
      expect(readPcap(concat(header, record))).toEqual({
        linkType: 101,
        interfaces: [{ linkType: 101 }],
        packets: [{ seconds: 7, nanoseconds: 5000, data: Uint8Array.of(1, 2), originalLength: 9 }],
      });
    }
  });

  test.each([true, false])(
    'pcapng, little-endian %s: several interfaces, resolutions, simple packets, unknown blocks',
    (isLittle) => {
      const u16 = (value: number): ['u16', number] => ['u16', value];
      const u32 = (value: number): ['u32', number] => ['u32', value];
      const name = new TextEncoder().encode('lxc0');
      const file = concat(
        section(isLittle),
        block(isLittle, 1, u16(1), u16(0), u32(3), u16(2), u16(4), name, u16(0), u16(0)),
        block(
          isLittle,
          1,
          u16(101),
          u16(0),
          u32(0),
          u16(9),
          u16(1),
          Uint8Array.of(9, 0, 0, 0),
          u16(14),
          u16(8),
          packed(isLittle, ...(isLittle ? [u32(100), u32(0)] : [u32(0), u32(100)])),
          u16(0),
          u16(0),
        ),
        block(isLittle, 1, u16(113), u16(0), u32(0), u16(9), u16(1), Uint8Array.of(0x81, 0, 0, 0)),
        block(isLittle, 0xbad, u32(1)),
        block(isLittle, 6, u32(0), u32(0), u32(3_000_007), u32(2), u32(2), Uint8Array.of(1, 2)),
        block(isLittle, 6, u32(1), u32(1), u32(5), u32(1), u32(8), Uint8Array.of(3)),
        block(isLittle, 6, u32(2), u32(0), u32(5), u32(0), u32(0)),
        block(isLittle, 3, u32(10), Uint8Array.of(4, 5, 6, 0)),
        section(!isLittle),
        block(!isLittle, 1, u16(1), u16(0), u32(0)),
        block(!isLittle, 2, u16(0), u16(0), u32(0), u32(1), u32(1), u32(1), Uint8Array.of(9)),
      );
      expect(isPcap(file)).toBe(true);
      const { linkType, interfaces, packets } = readPcap(file);
      expect(linkType).toBe(1);
      expect(interfaces).toEqual([
        { linkType: 1, name: 'lxc0' },
        { linkType: 101 },
        { linkType: 113 },
        { linkType: 1 },
      ]);
      expect(packets).toEqual([
        { seconds: 3, nanoseconds: 7000, data: Uint8Array.of(1, 2), originalLength: 2, interface: 0 },
        { seconds: 104, nanoseconds: 294967301, data: Uint8Array.of(3), originalLength: 8, interface: 1 },
        { seconds: 2, nanoseconds: 500_000_000, data: new Uint8Array(0), originalLength: 0, interface: 2 },
        { seconds: 0, nanoseconds: 0, data: Uint8Array.of(4, 5, 6), originalLength: 10, interface: 0 },
        { seconds: 0, nanoseconds: 1000, data: Uint8Array.of(9), originalLength: 1, interface: 3 },
      ]);
    },
  );

  test('malformed files say what is wrong and where', () => {
    const good = writePcap(samples.slice(0, 2));
    expect(() => readPcap(new Uint8Array(3))).toThrow('too few');
    expect(() => readPcap(Uint8Array.of(1, 2, 3, 4, 5))).toThrow('it starts with 0x01020304');
    expect(() => readPcap(good.slice(0, 20))).toThrow('the pcap header is cut');
    expect(() => readPcap(good.slice(0, 30))).toThrow('offset 24: the header of packet 1 is cut');
    expect(() => readPcap(good.slice(0, -1))).toThrow(/packet 2 says \d+ bytes, the file has \d+ more/);
    const huge = good.slice();
    huge.set([255, 255, 255, 255], 32);
    expect(() => readPcap(huge)).toThrow('packet 1 says 4294967295 bytes');
    const ng = concat(section(true), block(true, 6, ['u32', 0], ['u32', 0], ['u32', 0], ['u32', 0], ['u32', 0]));
    expect(() => readPcap(ng)).toThrow('names interface 0, which no block describes');
    expect(() => writePcap([{ seconds: -1, nanoseconds: 0, data: new Uint8Array(0) }])).toThrow(UsageError);
    expect(() => writePcap([{ seconds: 1, nanoseconds: 1e9, data: new Uint8Array(0) }])).toThrow('packet 0');
  });

  test('mutated files: packets or a LoadError', () => {
    const classic = writePcap(samples.slice(0, 3));
    const ng = concat(
      section(true),
      block(true, 1, ['u16', 1], ['u16', 0], ['u32', 0], ['u16', 9], ['u16', 1], Uint8Array.of(9, 0, 0, 0)),
      block(true, 6, ['u32', 0], ['u32', 0], ['u32', 1], ['u32', 8], ['u32', 8], new Uint8Array(8)),
      block(true, 3, ['u32', 8], new Uint8Array(8)),
    );
    let refused = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(classic, ng),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
        fc.nat(),
        (file, edits, cut) => {
          const bytes = file.slice(0, cut % 3 === 0 ? cut % file.length : file.length);
          for (const [place, value] of edits) if (bytes.length) bytes[place % bytes.length] = value;
          try {
            const { packets } = readPcap(bytes);
            for (const packet of packets) expect(packet.data.length).toBeLessThanOrEqual(bytes.length);
          } catch (error) {
            if (!(error instanceof OffkernelError)) throw error;
            expect(error).toBeInstanceOf(LoadError);
            refused++;
          }
        },
      ),
      { numRuns: 5000 },
    );
    expect(refused).toBeGreaterThan(500);
  });

  test.runIf(hasTool('tcpdump'))('tcpdump reads what is written', () => {
    for (const nanoseconds of [false, true]) {
      const file = writePcap(samples, { nanoseconds });
      const precision = nanoseconds ? 'nano' : 'micro';
      const lines = runOnFile(
        'tcpdump',
        ['-n', '-tt', `--time-stamp-precision=${precision}`, '-r', 'FILE'],
        file,
      ).split('\n');
      expect(lines[0]).toMatch(nanoseconds ? /^1700000000\.123456789 IP 10/ : /^1700000000\.123456 IP 10/);
      expect(lines.filter((line) => line.startsWith('17'))).toHaveLength(samples.length);
    }
  });

  test.runIf(hasTool('editcap'))('pcapng of Wireshark holds the same packets', () => {
    const folder = mkdtempSync(join(tmpdir(), 'offkernel-test-'));
    try {
      const [input, output] = [join(folder, 'in.pcap'), join(folder, 'out.pcapng')];
      writeFileSync(input, writePcap(samples, { nanoseconds: true }));
      execFileSync('editcap', ['-F', 'pcapng', input, output]);
      const { packets, linkType } = readPcap(readFileSync(output));
      expect(linkType).toBe(1);
      expect(packets.map(({ seconds, nanoseconds }) => [seconds, nanoseconds])).toEqual(
        samples.map((s) => [s.seconds, s.nanoseconds]),
      );
      expect(packets.map((packet) => Uint8Array.from(packet.data))).toEqual(samples.map((sample) => sample.data));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
