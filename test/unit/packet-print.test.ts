import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { writePcap } from '../../src/packet/pcap.js';
import { formatPacket } from '../../src/packet/print.js';
import { FlowNumbers } from '../../src/packet/tcpdump.js';
import { buildPacket } from '../../src/packet/words.js';
import { BROKEN, SAMPLES } from './packet-samples.js';
import { hasTool, runOnFile } from './packet-tools.js';

const hasTcpdump = hasTool('tcpdump');

/** The lines of tcpdump (without blanks at their ends, which SCTP has) for Ethernet frames, or packets that start at IP. */
function tcpdump(packets: readonly Uint8Array[], linkType: number, flags: readonly string[] = []): string[] {
  const capture = writePcap(
    packets.map((data, i) => ({ seconds: 1000 + i, nanoseconds: 5000, data })),
    { linkType },
  );
  return runOnFile('tcpdump', ['-n', ...flags, '-r', 'FILE'], capture)
    .trimEnd()
    .split('\n')
    .map((line) => line.trimEnd());
}

describe('lines', () => {
  test('the SYN of the document', () => {
    expect(formatPacket(buildPacket(SAMPLES[0]!))).toBe(
      'IP 10.0.0.250.40418 > 172.16.16.87.80: Flags [S], seq 3978619682, win 64860, options [mss 1410,sackOK,TS val 2911480627 ecr 0,nop,wscale 7], length 0',
    );
  });

  test('time, unknown and empty packets', () => {
    const arp = buildPacket('arp who-has 10.0.0.2 tell 10.0.0.1');
    expect(formatPacket(arp, { timestamp: { seconds: 86400 * 9 + 3661, nanoseconds: 5999 } })).toBe(
      '01:01:01.000005 ARP, Request who-has 10.0.0.2 tell 10.0.0.1, length 28',
    );
    expect(formatPacket(new Uint8Array(0))).toBe(' [|ether]');
    expect(formatPacket(new Uint8Array(0), { start: 'ip' })).toBe(' [|ip]');
    expect(formatPacket(buildPacket('eth type=0x1234 "abc"'))).toBe(
      '02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype Unknown (0x1234), length 17',
    );
  });

  test('port 8472 is VXLAN here', () => {
    expect(formatPacket(buildPacket('vxlan vni=1234 sport=5 1.1.1.1 > 1.1.1.2 : udp 1.1.1.1:1 > 1.1.1.2:2'))).toBe(
      'IP 1.1.1.1.5 > 1.1.1.2.8472: VXLAN, flags [I] (0x08), vni 1234\nIP 1.1.1.1.1 > 1.1.1.2.2: UDP, length 0',
    );
  });

  test.runIf(hasTcpdump).each([...SAMPLES, ...BROKEN])('as tcpdump -n prints it: %s', (description) => {
    const bytes = buildPacket(description);
    expect(formatPacket(bytes).split('\n')).toEqual(tcpdump([bytes], 1, ['-t', '-S']));
  });

  test.runIf(hasTcpdump)('as tcpdump prints packets without Ethernet header', () => {
    const plain = SAMPLES.filter((sample) => !/^(arp|eth)| : |len=0/.test(sample));
    const packets = plain.map((sample) => buildPacket(`${sample} noeth`));
    const ours = packets.map((packet) => formatPacket(packet, { start: 'ip' }));
    expect(ours.length).toBeGreaterThan(40);
    expect(ours).toEqual(tcpdump(packets, 101, ['-t', '-S']));
  });

  test.runIf(hasTcpdump)('relative numbers of flows, and times, as in tcpdump without -S and -t', () => {
    const packets = SAMPLES.map(buildPacket);
    const flows = new FlowNumbers();
    const ours = packets.flatMap((packet, i) =>
      formatPacket(packet, { flows, timestamp: { seconds: 1000 + i, nanoseconds: 5000 } }).split('\n'),
    );
    expect(ours.find((line) => line.includes('HEAD'))).toContain('seq 1:29, ack 1,');
    const before = process.env.TZ;
    process.env.TZ = 'UTC';
    try {
      expect(ours).toEqual(tcpdump(packets, 1));
    } finally {
      if (before === undefined) delete process.env.TZ;
      else process.env.TZ = before;
    }
  });

  test.runIf(hasTcpdump)('generated TCP, UDP and ICMP packets as tcpdump prints them', () => {
    const quad = fc.tuple(fc.nat(255), fc.nat(255)).map(([a, b]) => `10.${a}.${b}.1`);
    // Ports that no printer of tcpdump claims.
    const port = fc.integer({ min: 20100, max: 20999 });
    const word = fc.nat(0xffffffff);
    const tcp = fc
      .tuple(
        quad,
        port,
        quad,
        port,
        word,
        word,
        fc.nat(0xff),
        fc.nat(40),
        fc.subarray(['mss:9', 'sackOK', 'TS:5:6', 'nop', 'wscale:3']),
      )
      .map(([a, p, b, q, seq, ack, flags, len, options]) => {
        const list = options.length > 0 ? `options=${options.join(',')}` : '';
        return `tcp ${a}:${p} > ${b}:${q} seq=${seq} ack=${ack} flags=${flags} len=${len} ${list}`;
      });
    const udp = fc
      .tuple(quad, port, quad, port, fc.nat(40))
      .map(([a, p, b, q, len]) => `udp ${a}:${p} > ${b}:${q} len=${len}`);
    const icmp = fc
      .tuple(quad, quad, fc.nat(0xffff), fc.nat(40))
      .map(([a, b, id, len]) => `icmp ${a} > ${b} echo id=${id} len=${len}`);
    const packets = fc.sample(fc.oneof(tcp, udp, icmp), { numRuns: 500, seed: 7 }).map(buildPacket);
    expect(packets.map((packet) => formatPacket(packet))).toEqual(tcpdump(packets, 1, ['-t', '-S']));
  });
});
