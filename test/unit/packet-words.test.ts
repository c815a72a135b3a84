import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../../src/errors.js';
import { toHex } from '../../src/packet/bytes.js';
import { verifyChecksums } from '../../src/packet/checksum.js';
import { TERMS } from '../../src/packet/grammar.js';
import { fieldOf, layersOf, parsePacket } from '../../src/packet/parse.js';
import { buildPacket, EXAMPLES, PacketWordsError, packetFromText, packetGrammar } from '../../src/packet/words.js';
import { SAMPLES } from './packet-samples.js';

const text = (description: string, layer: Parameters<typeof layersOf>[1], field: string, which = 0) =>
  fieldOf(layersOf(parsePacket(buildPacket(description)), layer)[which]!, field)?.text;

describe('packet in words', () => {
  test('the bytes of a known packet, computed by hand', () => {
    const bytes = buildPacket('udp 10.0.0.1:1000 > 10.0.0.2:53 id=0x1234 ttl=64 payload=hex:0011');
    // IP sum: 4500+001e+1234+4011+0a00+0001+0a00+0002 = ab66 -> complement 5499 (checksum 0 in the sum).
    // UDP sum: 0a00+0001+0a00+0002+0011+000a+03e8+0035+000a+0011 = 1856 -> complement e7a9.
    expect(toHex(bytes)).toBe(
      '020000000002020000000001' + '0800' + '4500001e12340000401154990a0000010a000002' + '03e80035000ae7a9' + '0011',
    );
  });

  test.each(SAMPLES)('parses without a problem and with right checksums: %s', (description) => {
    const bytes = buildPacket(description);
    const packet = parsePacket(bytes);
    expect(packet.layers.map((layer) => layer.problem).filter(Boolean)).toEqual([]);
    expect(verifyChecksums(bytes)).toEqual([]);
    const quotesWhole = !description.includes('truncate=');
    expect(packet.truncated).toBe(!quotesWhole);
  });

  test.each(EXAMPLES)('example of the help works: %s', (description) => {
    expect(verifyChecksums(buildPacket(description))).toEqual([]);
  });

  test('the help names every word of the table', () => {
    const help = packetGrammar();
    for (const term of TERMS) expect(help).toMatch(new RegExp(`(^|[ |])${term.word}([ =|]|$)`, 'm'));
    expect(Math.max(...help.split('\n').map((line) => line.length))).toBeLessThanOrEqual(118);
  });

  test('words reach their fields', () => {
    expect(text('tcp 1.2.3.4:5 > 1.2.3.5:6 syn,ack', 'tcp', 'flags')).toBe('0x012 (SYN, ACK)');
    expect(text('tcp 1.2.3.4:5 > 1.2.3.5:6 syn ack', 'tcp', 'flags')).toBe('0x012 (SYN, ACK)');
    expect(text('tcp 1.2.3.4:5 > 1.2.3.5:6 S.', 'tcp', 'flags')).toBe('0x012 (SYN, ACK)');
    expect(text('tcp 1.2.3.4:5 > 1.2.3.5:6', 'tcp', 'flags')).toBe('0x010 (ACK)');
    expect(text('tcp 1.2.3.4:5 > 1.2.3.5:6 "x"', 'tcp', 'flags')).toBe('0x018 (PSH, ACK)');
    expect(text('tcp 1.2.3.4.5 > 1.2.3.5.6 none', 'tcp', 'srcport')).toBe('5');
    expect(text('tcp 1.2.3.4:5->1.2.3.5:6', 'tcp', 'dstport')).toBe('6');
    expect(text('udp 1.2.3.4:5 > 1.2.3.5:6 dscp=46 ecn=1', 'ipv4', 'dscp')).toBe('46');
    expect(text('udp 1.2.3.4:5 > 1.2.3.5:6 df frag=16+ payload="abc"', 'ipv4', 'frag_offset')).toBe('16');
    expect(text('udp 1.2.3.4:5 > 1.2.3.5:6 df frag=16+', 'ipv4', 'flags')).toBe('0x3 (MF, DF)');
    expect(text('udp 1.2.3.4:5 > 1.2.3.5:6 vlan=100:3,200', 'vlan', 'id', 1)).toBe('200');
    expect(text('udp 1.2.3.4:5 > 1.2.3.5:6 vlan=100:3,200', 'eth', 'type')).toBe('0x88a8 (802.1ad VLAN)');
    expect(text('udp 1.2.3.4:5 > 1.2.3.5:6 eth=aa:bb:cc:dd:ee:ff>00:11:22:33:44:55', 'eth', 'src')).toBe(
      'aa:bb:cc:dd:ee:ff',
    );
    expect(text('udp 1.2.3.4:5 > 224.1.2.3:6', 'eth', 'dst')).toBe('01:00:5e:01:02:03');
    expect(text('arp who-has 1.1.1.1 tell 1.1.1.2', 'eth', 'dst')).toBe('ff:ff:ff:ff:ff:ff');
    expect(text('arp reply 1.1.1.1 is-at aa:aa:aa:aa:aa:aa', 'arp', 'src.hw_mac')).toBe('aa:aa:aa:aa:aa:aa');
    expect(text('icmp 1.1.1.1 > 1.1.1.2 echo id=7 seq=9 ipid=3', 'icmp', 'ident')).toBe('7');
    expect(text('vxlan vni=1234 1.1.1.1 > 1.1.1.2 : udp 1.2.3.4:5 > 1.2.3.5:6 ttl=9', 'ipv4', 'ttl', 1)).toBe('9');
    expect(text('vxlan 1.1.1.1 > 1.1.1.2 : udp 1.2.3.4:5 > 1.2.3.5:6', 'udp', 'dstport')).toBe('8472');
    expect(text('vxlan 1.1.1.1 > 1.1.1.2 : udp 1.2.3.4:5 > 1.2.3.5:6', 'udp', 'checksum')).toBe('0x0000');
  });

  test('the outer source port of a tunnel is one per flow', () => {
    const port = (flow: string) => text(`vxlan 1.1.1.1 > 1.1.1.2 : udp ${flow}`, 'udp', 'srcport');
    expect(port('1.2.3.4:5 > 1.2.3.5:6 len=1')).toBe(port('1.2.3.4:5 > 1.2.3.5:6 len=2'));
    expect(port('1.2.3.4:5 > 1.2.3.5:6')).not.toBe(port('1.2.3.4:5 > 1.2.3.5:7'));
    expect(Number(port('1.2.3.4:5 > 1.2.3.5:6'))).toBeGreaterThanOrEqual(32768);
  });

  test('badsum, badipsum and truncate do what they say', () => {
    const labels = (description: string) => verifyChecksums(buildPacket(description)).map((wrong) => wrong.layer);
    expect(labels('tcp 1.2.3.4:5 > 1.2.3.5:6 badsum')).toEqual(['tcp']);
    expect(labels('tcp 1.2.3.4:5 > 1.2.3.5:6 badipsum')).toEqual(['ipv4']);
    expect(labels('sctp 1.2.3.4:5 > 1.2.3.5:6 badsum')).toEqual(['sctp']);
    expect(labels('icmp 1.2.3.4 > 1.2.3.5 badsum')).toEqual(['icmp']);
    expect(labels('vxlan 1.1.1.1 > 1.1.1.2 badsum : udp 1.2.3.4:5 > 1.2.3.5:6 badsum')).toEqual(['udp', 'udp#2']);
    expect(buildPacket('tcp 1.2.3.4:5 > 1.2.3.5:6 truncate=20')).toHaveLength(20);
    expect(buildPacket('udp 1.2.3.4:5 > 1.2.3.5:6 noeth')).toHaveLength(28);
  });

  test('quoted text keeps blanks and escapes', () => {
    const payload = (description: string) => {
      const { bytes, payload: place } = parsePacket(buildPacket(description));
      return new TextDecoder().decode(bytes.subarray(place.offset, place.offset + place.length));
    };
    expect(payload('udp 1.2.3.4:5 > 1.2.3.5:6 "a > b : c \\"q\\" \\\\ \\x41\\n"')).toBe('a > b : c "q" \\ A\n');
    expect(payload('udp 1.2.3.4:5 > 1.2.3.5:6 payload="x y"')).toBe('x y');
    expect(payload('udp 1.2.3.4:5 > 1.2.3.5:6 payload=text')).toBe('text');
    expect(payload('udp 1.2.3.4:5 > 1.2.3.5:6 "hex:00"')).toBe('hex:00');
    expect(payload('udp 1.2.3.4:5 > 1.2.3.5:6 "é"')).toBe('é');
  });

  test.each([
    ['', 1, 'expected a protocol'],
    ['tpc 1.2.3.4:5 > 1.2.3.5:6', 1, 'did you mean "tcp"?'],
    ['tcp 1.2.3.4:5 > 1.2.3.5:6 sny', 27, 'did you mean "syn"?'],
    ['tcp 1.2.3.4:5 > 1.2.3.5:6 optoins=nop', 27, 'did you mean "options"?'],
    ['tcp 1.2.3.4:5 > 1.2.3.5:6 ttl=300', 31, 'ttl takes a number from 0 to 255, not "300"'],
    ['tcp 1.2.3.4:5 > 1.2.3.5:6 ttl', 27, 'ttl needs a value: ttl=N'],
    ['tcp 1.2.3.4:5 > 1.2.3.5:6 df=1', 27, 'df takes no value'],
    ['tcp 1.2.3.4:5 > 1.2.3.5:6 ttl=1 ttl=2', 33, 'ttl is given twice'],
    ['tcp 1.2.3.4:5 > 1.2.3.5:6 vni=4', 27, 'vni is a word of vxlan, geneve, not of tcp'],
    ['tcp 1.2.3.4:5 > 1.2.3.5:6 options=mss', 35, 'mss with one value'],
    ['tcp 1.2.3.4:5 > 1.2.3.5:6 options=foo', 35, 'mss:N'],
    ['tcp 1.2.3.4:5 1.2.3.5:6', 15, 'expected > and the destination'],
    ['tcp 1.2.3.4:5 >', 16, 'expected the destination behind >'],
    ['tcp 1.2.3.4:5 > [fd00::1]:6', 17, 'not of one family'],
    ['tcp 1.2.3.4:70000 > 1.2.3.5:6', 5, 'expected an endpoint'],
    ['tcp 1.2.3.4:5 > 1.2.3.5:6 1.2.3.4:7', 27, 'both endpoints are given'],
    ['udp 1.2.3.4 > 1.2.3.5', 22, 'udp needs ports: ADDRESS:PORT'],
    ['udp fd00::1 > fd00::2', 22, '[ADDRESS]:PORT'],
    ['udp 1.2.3.4:1 > 1.2.3.5:2 "abc', 27, 'does not end'],
    ['udp 1.2.3.4:1 > 1.2.3.5:2 "abc"d', 32, 'expected a blank'],
    ['udp 1.2.3.4:1 > 1.2.3.5:2 "\\q"', 28, 'unknown escape \\q'],
    ['udp 1.2.3.4:1 > 1.2.3.5:2 payload=hex:012', 35, 'even number of hex digits'],
    ['udp 1.2.3.4:1 > 1.2.3.5:2 frag=7', 32, 'a multiple of 8'],
    ['udp 1.2.3.4:1 > 1.2.3.5:2 : udp 1.2.3.4:1 > 1.2.3.5:2', 27, 'udp carries no packet'],
    ['icmp fd00::1 > fd00::2 echo', 6, 'icmp6 goes over IPv6'],
    ['icmp 1.1.1.1:5 > 1.1.1.2 echo', 6, 'icmp has no ports'],
    ['arp', 4, 'who-has IP tell IP'],
    ['arp who-has', 12, 'expected IP behind who-has'],
    ['arp who-has fd00::1 tell 1.1.1.1', 13, 'an IPv4 address, not IPv6'],
    ['ipip 1.1.1.1 > 1.1.1.2 : arp who-has 1.1.1.1', 26, 'ipip carries IP packets, not arp'],
    ['vxlan 1.1.1.1 > 1.1.1.2 :', 26, 'expected a protocol'],
    ['udp 1.2.3.4:1 > 1.2.3.5:2 eth=aa:bb', 31, 'two MAC addresses'],
  ])('"%s" fails at column %i: %s', (description, column, reason) => {
    let error: unknown;
    try {
      buildPacket(description);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(PacketWordsError);
    expect(error).toBeInstanceOf(UsageError);
    expect((error as PacketWordsError).message).toContain(reason);
    expect((error as PacketWordsError).column).toBe(column);
    expect((error as PacketWordsError).message).not.toContain('\n');
  });

  test('nesting is bounded', () => {
    const nested = (depth: number) => `${'ipip 1.1.1.1 > 1.1.1.2 : '.repeat(depth)}udp 1.2.3.4:1 > 1.2.3.5:2`;
    expect(buildPacket(nested(7))).toHaveLength(14 + 7 * 20 + 28);
    expect(() => buildPacket(nested(8))).toThrow('more than 8');
    expect(() => buildPacket(nested(5000))).toThrow('more than 8');
  });
});

describe('packet from text', () => {
  test.each([
    ['0011aaFF', '0011aaff'],
    ['hex:00 11\n22', '001122'],
    ['00:11:22', '001122'],
    [' 00 11\n\t22 ', '001122'],
    ['0x001122', '001122'],
    ['0x0000:  4500 003c 1c46\n0x0006:  4000', '4500003c1c464000'],
    ['\t0x0000:  4500 003c 1c46 4000 4006 b1e6 ac10 0a63  E..<.F@.@......c', '4500003c1c4640004006b1e6ac100a63'],
  ])('hex %j', (input, hex) => {
    expect(toHex(packetFromText(input))).toBe(hex);
  });

  test('any text gives a packet or a UsageError, soon', () => {
    const word = fc.constantFrom(
      ...'tcp udp icmp arp vxlan : > 1.2.3.4:5 1.2.3.5:6 1.2.3.4 [::1]:5 syn S. df len=9 ttl=3 "a" payload=hex:00 frag=8+'.split(
        ' ',
      ),
      ...'options=mss:1,TS:1:2,nop who-has tell vni=5 truncate=3 vlan=1 flags=300 id=-1 iplen=65535 ext=hopopts noeth'.split(
        ' ',
      ),
    );
    const text = fc.oneof(
      fc
        .tuple(
          fc.constantFrom('', 'udp 1.2.3.4:5 > 1.2.3.5:6 ', 'tcp 1.2.3.4:5->1.2.3.5:6 '),
          fc.array(word, { maxLength: 6 }),
        )
        .map(([head, words]) => head + words.join(' ')),
      fc.string({ unit: 'binary' }),
    );
    let built = 0;
    fc.assert(
      fc.property(text, (description) => {
        try {
          if (packetFromText(description).length > 0) built++;
        } catch (error) {
          if (!(error instanceof UsageError)) throw error;
        }
      }),
      { numRuns: 5000 },
    );
    expect(built).toBeGreaterThan(200);
    const start = performance.now();
    for (const long of [
      `0x0000: ${'a'.repeat(100_000)}z`,
      '"'.repeat(100_001),
      `tcp ${'>'.repeat(20_000)}`,
      'a '.repeat(50_000),
    ]) {
      expect(() => packetFromText(long)).toThrow(UsageError);
    }
    expect(performance.now() - start).toBeLessThan(2000);
  });

  test('words and errors', () => {
    expect(packetFromText('udp 1.2.3.4:5 > 1.2.3.5:6')).toEqual(buildPacket('udp 1.2.3.4:5 > 1.2.3.5:6'));
    expect(() => packetFromText('001')).toThrow('3 digits are not whole bytes');
    expect(() => packetFromText('hex:00zz')).toThrow('"z" (digit 3) is not a hex digit');
    expect(() => packetFromText('  ')).toThrow('the packet is empty');
    expect(() => packetFromText('nonsense')).toThrow('"nonsense" is not a protocol');
  });
});
