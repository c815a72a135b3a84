import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fixChecksums, verifyChecksums } from '../../src/packet/checksum.js';
import { diffPackets, formatDiff } from '../../src/packet/diff.js';
import {
  fieldOf,
  layersOf,
  MAX_LAYERS,
  MAX_NESTING,
  numberOf,
  type PacketStart,
  parsePacket,
} from '../../src/packet/parse.js';
import { formatFields, formatPacket, hexdump } from '../../src/packet/print.js';
import { buildPacket } from '../../src/packet/words.js';
import { SAMPLES } from './packet-samples.js';

const chain = (description: string) => parsePacket(buildPacket(description)).layers.map((layer) => layer.label);

/** What must hold for the result of any bytes. */
function checkShape(bytes: Uint8Array, start: PacketStart): void {
  const packet = parsePacket(bytes, { start });
  let offset = 0;
  for (const layer of packet.layers) {
    expect(layer.offset).toBe(offset);
    offset += layer.headerLength;
    expect(layer.end).toBeLessThanOrEqual(bytes.length);
    for (const field of layer.fields) {
      expect(field.offset).toBeGreaterThanOrEqual(layer.offset * 8);
      expect(field.offset + field.size).toBeLessThanOrEqual(bytes.length * 8);
    }
  }
  expect(packet.layers.length).toBeLessThanOrEqual(MAX_LAYERS);
  expect(packet.payload.offset + packet.payload.length).toBeLessThanOrEqual(bytes.length);
  expect(packet.payload.offset).toBe(offset);
  expect(packet.trailer.offset + packet.trailer.length).toBe(bytes.length);
}

/** Sample packets with bytes replaced, inserted, removed: they reach deep where random bytes do not. */
const mutated = fc
  .tuple(
    fc.constantFrom(...SAMPLES.map(buildPacket)),
    fc.array(fc.tuple(fc.nat(200), fc.integer({ min: 0, max: 255 }), fc.constantFrom('set', 'insert', 'cut')), {
      maxLength: 6,
    }),
  )
  .map(([sample, edits]) => {
    let bytes = [...sample];
    for (const [place, value, kind] of edits) {
      const at = bytes.length ? place % bytes.length : 0;
      if (kind === 'set' && bytes.length) bytes[at] = value;
      else if (kind === 'insert') bytes.splice(at, 0, value);
      else if (kind === 'cut' && value < 64) bytes = bytes.slice(0, at);
    }
    return Uint8Array.from(bytes);
  });

describe('parsing', () => {
  test.each([
    ['tcp 10.0.0.1:1 > 10.0.0.2:2 vlan=1,2', ['eth', 'vlan', 'vlan#2', 'ipv4', 'tcp']],
    [
      'udp [fd00::1]:1 > [fd00::2]:2 ext=hopopts,routing,fragment,dstopts',
      ['eth', 'ipv6', 'hopopts', 'routing', 'fragment', 'dstopts', 'udp'],
    ],
    ['vxlan 1.1.1.1 > 1.1.1.2 : tcp 1.1.1.1:1 > 1.1.1.2:2', ['eth', 'ipv4', 'udp', 'vxlan', 'eth#2', 'ipv4#2', 'tcp']],
    [
      'geneve 1.1.1.1 > 1.1.1.2 : udp 1.1.1.1:1 > 1.1.1.2:2',
      ['eth', 'ipv4', 'udp', 'geneve', 'eth#2', 'ipv4#2', 'udp#2'],
    ],
    ['gre fd00::1 > fd00::2 : udp 1.1.1.1:1 > 1.1.1.2:2', ['eth', 'ipv6', 'gre', 'ipv4', 'udp']],
    ['ipip 1.1.1.1 > 1.1.1.2 : icmp6 fd00::1 > fd00::2', ['eth', 'ipv4', 'ipv6', 'icmp6']],
    ['icmp 1.1.1.1 > 1.1.1.2 unreachable port : udp 1.1.1.1:1 > 1.1.1.2:2', ['eth', 'ipv4', 'icmp', 'ipv4#2', 'udp']],
    ['esp 1.1.1.1 > 1.1.1.2 len=8', ['eth', 'ipv4', 'esp']],
    ['udp 1.1.1.1:1 > 1.1.1.2:2 frag=8', ['eth', 'ipv4']],
  ])('layers of %s', (description, layers) => {
    expect(chain(description)).toEqual(layers);
  });

  test('every byte of every sample belongs to a header, the payload or the trailer', () => {
    for (const sample of SAMPLES) {
      const packet = parsePacket(buildPacket(sample));
      const headers = packet.layers.reduce((sum, layer) => sum + layer.headerLength, 0);
      expect(headers + packet.payload.length + packet.trailer.length, sample).toBe(packet.bytes.length);
    }
  });

  test('built from numbers, parsed to the same numbers', () => {
    const port = fc.integer({ min: 0, max: 65535 });
    const word = fc.integer({ min: 0, max: 0xffffffff });
    const byte = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(
        port,
        port,
        word,
        word,
        byte,
        port,
        fc.nat(0x1ff),
        fc.nat(300),
        (sport, dport, seq, ack, ttl, win, flags, len) => {
          const bytes = buildPacket(
            `tcp 10.1.2.3:${sport} > 10.4.5.6:${dport} seq=${seq} ack=${ack} ttl=${ttl} win=${win} flags=${flags} len=${len}`,
          );
          const packet = parsePacket(bytes);
          const [ip] = layersOf(packet, 'ipv4');
          const [tcp] = layersOf(packet, 'tcp');
          const read = ['srcport', 'dstport', 'seq', 'ack', 'window', 'flags'].map((name) => numberOf(tcp!, name));
          expect(read).toEqual([sport, dport, seq, ack, win, flags]);
          expect(numberOf(ip!, 'ttl')).toBe(ttl);
          expect(packet.payload.length).toBe(len);
          expect(verifyChecksums(bytes)).toEqual([]);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('options of TCP, IP, neighbour discovery and Geneve have names', () => {
    const fields = (description: string, protocol: Parameters<typeof layersOf>[1]) =>
      Object.fromEntries(
        layersOf(parsePacket(buildPacket(description)), protocol)[0]!.fields.map((field) => [field.name, field.text]),
      );
    expect(fields('tcp 1.1.1.1:1 > 1.1.1.2:2 options=mss:1410,sackOK,TS:7:8,nop,wscale:9', 'tcp')).toMatchObject({
      'options.mss': '1410',
      'options.sackOK': '',
      'options.timestamp.tsval': '7',
      'options.timestamp.tsecr': '8',
      'options.wscale': '9',
      hdr_len: '40',
    });
    expect(fields('udp 1.1.1.1:1 > 1.1.1.2:2 ipopt=94040005', 'ipv4')['options.router_alert']).toBe('5');
    expect(fields('icmp6 fd00::1 > fd00::2 na lladdr=02:00:00:00:00:09', 'icmp6')['options.target_lladdr']).toBe(
      '02:00:00:00:00:09',
    );
    expect(
      fields('geneve options=0x14b:1:00112233 1.1.1.1 > 1.1.1.2 : udp 1.1.1.1:1 > 1.1.1.2:2', 'geneve'),
    ).toMatchObject({
      'options[0].class': '0x014b',
      'options[0].data': '00112233',
    });
  });

  test('truncation anywhere is told and never thrown', () => {
    for (const sample of SAMPLES) {
      const whole = buildPacket(sample);
      const headers = parsePacket(whole).payload.offset;
      for (let length = 0; length < headers; length++) {
        const packet = parsePacket(whole.slice(0, length));
        checkShape(whole.slice(0, length), 'ethernet');
        if (length > 0 && length < 14) expect(packet.truncated, `${sample} at ${length}`).toBe(true);
        expect(packet.layers.length).toBeLessThanOrEqual(parsePacket(whole).layers.length);
      }
    }
    const cut = parsePacket(buildPacket('tcp 1.1.1.1:1 > 1.1.1.2:2 len=10 truncate=60'));
    expect(cut.layers[1]).toMatchObject({ truncated: true, missing: 4 });
  });

  test('contradictions are told in words', () => {
    const problem = (hex: (bytes: Uint8Array) => void) => {
      const bytes = buildPacket('tcp 1.1.1.1:1 > 1.1.1.2:2 len=10');
      hex(bytes);
      return parsePacket(bytes).layers.find((layer) => layer.problem)?.problem;
    };
    expect(problem((b) => b.set([0x44], 14))).toBe('header length is 16, less than 20');
    expect(problem((b) => b.set([0x65], 14))).toBe('version is 6');
    expect(problem((b) => b.set([0, 10], 16))).toBe("length 10 is less than the header's 20");
    expect(problem((b) => b.set([0x40], 46))).toBe('header length is 16, less than 20');
    expect(problem((b) => b.set([0x60, 0x10, 0, 0, 0, 0, 0, 0, 2, 1], 46))).toBe('option 2 has length 1');
  });

  test('nesting and the number of headers are bounded', () => {
    const inner = buildPacket('udp 1.1.1.1:1 > 1.1.1.2:2 noeth');
    let bytes = inner;
    for (let i = 0; i < 12; i++) {
      const outer = new Uint8Array(20 + bytes.length);
      outer.set(inner.subarray(0, 20));
      outer.set([4], 9);
      outer.set([outer.length >> 8, outer.length & 255], 2);
      outer.set(bytes, 20);
      bytes = outer;
    }
    const packet = parsePacket(bytes, { start: 'ip' });
    expect(packet.layers).toHaveLength(1 + MAX_NESTING);
    expect(packet.layers.at(-1)!.problem).toBe(`more than ${MAX_NESTING} packets within packets`);
    const chainOfHeaders = new Uint8Array(40 + 8 * 8000);
    chainOfHeaders.set([0x60, 0, 0, 0, 0xfa, 0, 60, 64]);
    for (let i = 40; i < chainOfHeaders.length; i += 8) chainOfHeaders.set([60, 0, 1, 4], i);
    expect(parsePacket(chainOfHeaders, { start: 'ip' }).layers).toHaveLength(MAX_LAYERS);
  });

  test('what lies behind the IP packet is a trailer', () => {
    const bytes = new Uint8Array(60);
    bytes.set(buildPacket('udp 1.1.1.1:1 > 1.1.1.2:2 "abc"'));
    const packet = parsePacket(bytes);
    expect(packet.payload).toEqual({ offset: 42, length: 3 });
    expect(packet.trailer).toEqual({ offset: 45, length: 15 });
    expect(verifyChecksums(bytes)).toEqual([]);
  });

  test('start at IP takes the version from the first byte', () => {
    expect(parsePacket(buildPacket('udp [fd00::1]:1 > [fd00::2]:2 noeth'), { start: 'ip' }).layers[0]!.protocol).toBe(
      'ipv6',
    );
    expect(parsePacket(Uint8Array.of(0x10), { start: 'ip' }).layers).toEqual([]);
  });

  test('10,000 random and mutated packets: nothing throws, all places lie within the packet', () => {
    const start = fc.constantFrom<PacketStart>('ethernet', 'ip');
    const random = fc.uint8Array({ maxLength: 200 });
    const all = (bytes: Uint8Array, from: PacketStart) => {
      checkShape(bytes, from);
      expect(typeof formatPacket(bytes, { start: from })).toBe('string');
      expect(typeof formatFields(bytes, { start: from })).toBe('string');
      verifyChecksums(bytes, { start: from });
      expect(fixChecksums(bytes, { start: from })).toHaveLength(bytes.length);
    };
    fc.assert(fc.property(random, start, all), { numRuns: 2000 });
    fc.assert(fc.property(mutated, start, all), { numRuns: 8000 });
  }, 60_000);

  test('fixed checksums are right, whatever the packet', () => {
    fc.assert(
      fc.property(mutated, (bytes) => {
        const fixed = fixChecksums(bytes);
        expect(verifyChecksums(fixed)).toEqual([]);
      }),
      { numRuns: 3000 },
    );
  }, 30_000);

  test('differences of any two packets are told, and none of equal ones', () => {
    fc.assert(
      fc.property(mutated, mutated, (a, b) => {
        expect(formatDiff(diffPackets(a, a))).toBe('');
        const isSame = a.length === b.length && a.every((byte, i) => byte === b[i]);
        expect(formatDiff(diffPackets(a, b)) === '').toBe(isSame);
      }),
      { numRuns: 2000 },
    );
  }, 30_000);

  test('the field tree shows values, wrong checksums, cuts', () => {
    const tree = formatFields(buildPacket('tcp 1.1.1.1:1 > 1.1.1.2:2 syn ttl=9 badsum len=3'));
    expect(tree).toContain('ipv4 (IPv4), 20 bytes at 14');
    expect(tree).toMatch(/^ {2}ttl +9$/m);
    expect(tree).toMatch(/^ {2}checksum +0x[0-9a-f]{4} \(wrong, 0x[0-9a-f]{4} is right\)$/m);
    expect(tree).toContain('payload, 3 bytes at 54\n  0000  00 01 02');
    expect(formatFields(buildPacket('tcp 1.1.1.1:1 > 1.1.1.2:2 truncate=40'))).toContain(
      'tcp (TCP), 6 bytes at 34, truncated',
    );
    const field = fieldOf(parsePacket(buildPacket('udp 1.1.1.1:1 > 1.1.1.2:2')).layers[1]!, 'frag_offset')!;
    expect([field.offset, field.size]).toEqual([(14 + 6) * 8 + 3, 13]);
  });

  test('hexdump', () => {
    expect(hexdump(Uint8Array.from({ length: 18 }, (_, i) => i + 0x40))).toBe(
      '0000  40 41 42 43 44 45 46 47  48 49 4a 4b 4c 4d 4e 4f  @ABCDEFGHIJKLMNO\n' +
        `0010  50 51${' '.repeat(18 + 2 + 23)}  PQ`,
    );
    expect(hexdump(new Uint8Array(0))).toBe('');
  });
});
