import { describe, expect, test } from 'vitest';
import { verifyChecksums } from '../../src/packet/checksum.js';
import { layersOf, numberOf, parsePacket } from '../../src/packet/parse.js';
import { readPcap } from '../../src/packet/pcap.js';
import { curl, routeNatively, twoNodes, withoutArp } from './two-nodes.js';

const LINES = [
  'IP 10.0.0.250.40418 > 10.0.1.60.80: Flags [S], seq 3978619682, win 64860, options [mss 1410,sackOK,TS val 2911480627 ecr 0,nop,wscale 7], length 0',
  'IP 10.0.1.60.80 > 10.0.0.250.40418: Flags [S.], seq 3647241102, ack 3978619683, win 64308, options [mss 1410,sackOK,TS val 2294711974 ecr 2911480627,nop,wscale 7], length 0',
  'IP 10.0.0.250.40418 > 10.0.1.60.80: Flags [.], ack 1, win 507, length 0',
  'IP 10.0.0.250.40418 > 10.0.1.60.80: Flags [P.], seq 1:78, ack 1, win 507, length 77: HTTP: HEAD / HTTP/1.1',
  'IP 10.0.1.60.80 > 10.0.0.250.40418: Flags [.], ack 78, win 502, length 0',
  'IP 10.0.1.60.80 > 10.0.0.250.40418: Flags [P.], seq 1:239, ack 78, win 502, length 238: HTTP: HTTP/1.1 200 OK',
  'IP 10.0.0.250.40418 > 10.0.1.60.80: Flags [.], ack 239, win 506, length 0',
  'IP 10.0.0.250.40418 > 10.0.1.60.80: Flags [F.], seq 78, ack 239, win 506, length 0',
  'IP 10.0.1.60.80 > 10.0.0.250.40418: Flags [F.], seq 239, ack 79, win 502, length 0',
  'IP 10.0.0.250.40418 > 10.0.1.60.80: Flags [.], ack 240, win 506, length 0',
];

describe('ten packets of TCP over two nodes, natively routed', () => {
  // A switch, not a fabric: a fabric does not know where Pods are.
  const set = twoNodes({ wire: { fabric: undefined } });
  routeNatively(set);
  const flow = curl(set);
  const devices = [set.node1.podEth0, set.node1.lxc, set.node1.eth0, set.node2.eth0, set.node2.lxc, set.node2.podEth0];

  test('all arrive, none is dropped', () => {
    expect(flow.result).toEqual({ completed: true, sent: 10, arrived: 10, error: undefined });
    expect(set.network.journal.drops()).toEqual([]);
  });

  test.each(devices.map((device) => [`${device.namespace.path} ${device.name}`, device] as const))(
    '%s shows them as tcpdump does, checksums right',
    (_, device) => {
      expect(withoutArp(device.capture.text())).toEqual(LINES);
      for (const { bytes } of device.capture.frames) expect(verifyChecksums(bytes)).toEqual([]);
    },
  );

  test('every router lowers the TTL by one', () => {
    const ttls = devices.map((device) => {
      const frame = device.capture.frames.find(({ bytes }) => bytes[12] === 0x08 && bytes[13] === 0x00)!;
      return numberOf(layersOf(parsePacket(frame.bytes), 'ipv4')[0]!, 'ttl');
    });
    expect(ttls).toEqual([64, 64, 63, 63, 62, 62]);
  });

  test('the capture becomes a pcap file with rising times', () => {
    const { packets } = readPcap(set.node1.podEth0.capture.pcap());
    expect(packets).toHaveLength(set.node1.podEth0.capture.frames.length);
    const times = packets.map(({ seconds, nanoseconds }) => seconds * 1e9 + nanoseconds);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  test('the journal names rule, route and neighbour of the first packet', () => {
    const [syn] = set.network.journal.packets();
    const kinds = set.network.journal.of(syn!).map((entry) => `${entry.at.namespace} ${entry.step.kind}`);
    expect(kinds).toEqual([
      'network send',
      'network route',
      'network neighbour',
      'network neighbour',
      'network transmit',
      'root receive',
      'root route',
      'root forward',
      'root neighbour',
      'root neighbour',
      'root transmit',
      'root wire',
      'root receive',
      'root route',
      'root forward',
      'root neighbour',
      'root neighbour',
      'root transmit',
      'nginx receive',
      'nginx route',
      'nginx deliver',
    ]);
  });

  test('the same set-up gives the same journal', () => {
    const again = twoNodes({ wire: { fabric: undefined } });
    routeNatively(again);
    curl(again);
    expect(again.network.journal.entries.map(({ time, bytes }) => [time, bytes])).toEqual(
      set.network.journal.entries.map(({ time, bytes }) => [time, bytes]),
    );
  });
});
