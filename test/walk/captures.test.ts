import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { capturePcaps } from '../../src/network/account/captures.js';
import type { Walk } from '../../src/network/walk/walk.js';
import { verifyChecksums } from '../../src/packet/checksum.js';
import { fieldOf, layersOf, numberOf, parsePacket } from '../../src/packet/parse.js';
import { inTemporaryFolder } from '../support/command.js';
import { framesOf, pcapOf, scenarioNames, walkBundled } from './walks.js';

const has = (tool: string): boolean => spawnSync(tool, ['--version']).error === undefined;
const TOOLS = { tcpdump: has('tcpdump'), tshark: has('tshark') };
for (const [tool, isThere] of Object.entries(TOOLS))
  if (!isThere) console.warn(`captures not checked with ${tool}: not installed`);

function run(tool: string, args: (file: string) => string[], pcap: Uint8Array): string[] {
  return inTemporaryFolder((folder) => {
    const file = join(folder, 'capture.pcap');
    writeFileSync(file, pcap);
    const { stdout, stderr, status } = spawnSync(tool, args(file), { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${tool} failed: ${stderr}`);
    return stdout.trimEnd().split('\n');
  });
}

/** The ten packets of the document, as `tcpdump -n -t` prints them. */
const TEN = [
  'IP 10.0.0.250.40418 > 10.0.1.60.80: Flags [S], seq 3978619682, win 64860, options [mss 1410,sackOK,TS val 2911480627 ecr 0,nop,wscale 7], length 0',
  'IP 10.0.1.60.80 > 10.0.0.250.40418: Flags [S.], seq 3647241102, ack 3978619683, win 64308, options [mss 1410,sackOK,TS val 2294711974 ecr 2911480627,nop,wscale 7], length 0',
  'IP 10.0.0.250.40418 > 10.0.1.60.80: Flags [.], ack 1, win 507, options [nop,nop,TS val 2911480628 ecr 2294711974], length 0',
  'IP 10.0.0.250.40418 > 10.0.1.60.80: Flags [P.], seq 1:78, ack 1, win 507, options [nop,nop,TS val 2911480628 ecr 2294711974], length 77: HTTP: HEAD / HTTP/1.1',
  'IP 10.0.1.60.80 > 10.0.0.250.40418: Flags [.], ack 78, win 502, options [nop,nop,TS val 2294711975 ecr 2911480628], length 0',
  'IP 10.0.1.60.80 > 10.0.0.250.40418: Flags [P.], seq 1:239, ack 78, win 502, options [nop,nop,TS val 2294711975 ecr 2911480628], length 238: HTTP: HTTP/1.1 200 OK',
  'IP 10.0.0.250.40418 > 10.0.1.60.80: Flags [.], ack 239, win 506, options [nop,nop,TS val 2911480629 ecr 2294711975], length 0',
  'IP 10.0.0.250.40418 > 10.0.1.60.80: Flags [F.], seq 78, ack 239, win 506, options [nop,nop,TS val 2911480629 ecr 2294711975], length 0',
  'IP 10.0.1.60.80 > 10.0.0.250.40418: Flags [F.], seq 239, ack 79, win 502, options [nop,nop,TS val 2294711976 ecr 2911480629], length 0',
  'IP 10.0.0.250.40418 > 10.0.1.60.80: Flags [.], ack 240, win 506, options [nop,nop,TS val 2911480630 ecr 2294711976], length 0',
];

const CLIENT_SIDE = 'node1-lxc7d69da958e9b';
const SERVER_SIDE = 'node2-lxc493a9120593a';

const played = new Map<string, Walk>();
function walked(name: string): Walk {
  const known = played.get(name) ?? walkBundled(name);
  played.set(name, known);
  return known;
}

interface Ends {
  readonly source: string;
  readonly destination: string;
}

/** Source and destination of the outermost IP header, with ports. */
function endsOf(bytes: Uint8Array): Ends {
  const packet = parsePacket(bytes);
  const ip = packet.layers.find(({ protocol }) => protocol === 'ipv4' || protocol === 'ipv6')!;
  const transport = packet.layers[packet.layers.indexOf(ip) + 1];
  const end = (address: string, port: string): string =>
    `${fieldOf(ip, address)?.text}.${transport && fieldOf(transport, port)?.text}`;
  return { source: end('src', 'srcport'), destination: end('dst', 'dstport') };
}

/** Frames of a device without ARP and neighbour discovery. */
function packetsOf(name: string, device: string): Uint8Array[] {
  return framesOf(walked(name), device)
    .map(({ data }) => data)
    .filter((data) => parsePacket(data).layers.some(({ protocol }) => ['tcp', 'udp'].includes(protocol)));
}

/** Every pair of ends that a device saw, once, in order. */
function pairsOf(name: string, device: string): string[] {
  const pairs = packetsOf(name, device).map(endsOf);
  return [...new Set(pairs.map(({ source, destination }) => `${source} > ${destination}`))];
}

const isTunnelled = (bytes: Uint8Array): boolean =>
  parsePacket(bytes).layers.some(({ protocol }) => protocol === 'vxlan');

describe('the ten packets of the document', () => {
  test.each([
    ["the client Pod's lxc device", CLIENT_SIDE, [64, 63]],
    ["nginx's lxc device", SERVER_SIDE, [63, 64]],
  ] as const)('%s', (_, device, [request, reply]) => {
    const walk = walked('pod-to-service');
    const pcap = pcapOf(walk, device);
    if (TOOLS.tcpdump) expect(run('tcpdump', (file) => ['-n', '-t', '-r', file], pcap)).toEqual(TEN);
    const frames = packetsOf('pod-to-service', device);
    expect(frames).toHaveLength(10);
    // The node of the receiver routes once.
    for (const frame of frames)
      expect(numberOf(layersOf(parsePacket(frame), 'ipv4')[0]!, 'ttl')).toBe(
        endsOf(frame).source === '10.0.0.250.40418' ? request : reply,
      );
    expect(frames.flatMap((frame) => verifyChecksums(frame))).toEqual([]);
    const [client, server] = [
      ['b6:48:79:16:47:7a', '66:94:e5:1d:37:df'],
      ['86:62:55:e0:8a:5e', 'fa:fb:bb:ab:82:72'],
    ];
    const [pod, host] = device === CLIENT_SIDE ? client! : server!;
    for (const frame of frames) {
      const [eth] = layersOf(parsePacket(frame), 'eth');
      expect([fieldOf(eth!, 'src')?.text, fieldOf(eth!, 'dst')?.text].sort()).toEqual([pod, host].sort());
    }
  });

  test('own text of the capture is what tcpdump prints', () => {
    const { network } = walked('pod-to-service').built;
    const device = network.hosts.find(({ name }) => name === 'node1')!.root.device('lxc7d69da958e9b');
    expect(device.capture.text().map((line) => line.replace(/^[\d:.]+ /, ''))).toEqual(TEN);
  });
});

describe('between the nodes', () => {
  const NODES = { request: ['192.168.1.15', '192.168.1.13'], reply: ['192.168.1.13', '192.168.1.15'] } as const;

  test.each(['node1-eth0', 'node2-eth0'])('%s: ten VXLAN frames, VNI = identity of the sender', (device) => {
    const frames = packetsOf('pod-to-service', device);
    expect(frames).toHaveLength(10);
    for (const [i, frame] of frames.entries()) {
      const packet = parsePacket(frame);
      expect(packet.layers.map(({ protocol }) => protocol)).toEqual([
        'eth',
        'ipv4',
        'udp',
        'vxlan',
        'eth',
        'ipv4',
        'tcp',
      ]);
      const isRequest = TEN[i]!.startsWith('IP 10.0.0.250');
      const [from, to] = isRequest ? NODES.request : NODES.reply;
      const [ip] = layersOf(packet, 'ipv4');
      expect([fieldOf(ip!, 'src')?.text, fieldOf(ip!, 'dst')?.text]).toEqual([from, to]);
      expect(numberOf(layersOf(packet, 'udp')[0]!, 'dstport')).toBe(8472);
      expect(numberOf(layersOf(packet, 'vxlan')[0]!, 'vni')).toBe(isRequest ? 1001 : 1002);
      expect(verifyChecksums(frame)).toEqual([]);
    }
  });

  test.skipIf(!TOOLS.tshark)('tshark decodes every frame and finds every checksum right', () => {
    const fields = ['frame.protocols', 'vxlan.vni', 'ip.dst', 'tcp.seq_raw', 'tcp.len', '_ws.expert.message'];
    const lines = run(
      'tshark',
      (file) => [...tsharkArgs(file), ...fields.flatMap((field) => ['-e', field])],
      pcapOf(walked('pod-to-service'), 'node1-eth0'),
    );
    const lengths = [0, 0, 0, 77, 0, 238, 0, 0, 0, 0];
    const rows = lines.map((line) => line.split('\t')).filter(([protocols]) => !protocols!.includes('arp'));
    expect(rows).toHaveLength(10);
    for (const [i, [protocols, vni, addresses, , length, expert]] of rows.entries()) {
      expect(protocols).toMatch(/^eth:ethertype:ip:udp:vxlan:eth:ethertype:ip:tcp/);
      const isRequest = TEN[i]!.startsWith('IP 10.0.0.250');
      expect(vni).toBe(isRequest ? '1001' : '1002');
      expect(addresses).toBe(isRequest ? '192.168.1.13,10.0.1.60' : '192.168.1.15,10.0.0.250');
      expect(length).toBe(String(lengths[i]));
      expect(expert ?? '').not.toMatch(/checksum|malformed/i);
    }
  });
});

function tsharkArgs(file: string): string[] {
  const checks = ['ip', 'udp', 'tcp'].flatMap((protocol) => ['-o', `${protocol}.check_checksum:TRUE`]);
  return ['-r', file, '-n', '-d', 'udp.port==8472,vxlan', ...checks, '-T', 'fields'];
}

describe('checksums of every frame on every device', () => {
  test.each(scenarioNames())('%s', (name) => {
    const { network } = walked(name).built;
    for (const [file, pcap] of capturePcaps(network)) {
      const device = file.replace(/\.pcap$/, '');
      for (const { data } of framesOf(walked(name), device)) expect(verifyChecksums(data), device).toEqual([]);
      if (!TOOLS.tshark) continue;
      const bad = run(
        'tshark',
        (path) => [...tsharkArgs(path), ...['ip', 'udp', 'tcp'].flatMap((layer) => ['-e', `${layer}.checksum.status`])],
        pcap,
      );
      // 0 is bad, 1 good, 2 unverified, 3 not present (the outer UDP checksum of a tunnel is zero).
      expect(
        bad.filter((line) => /(^|[\t,])0([\t,]|$)/.test(line)),
        device,
      ).toEqual([]);
    }
  });
});

describe('other ways through the cluster', () => {
  test('per-packet LB: the Pod sees the Service in both directions, nginx and the wire the backend', () => {
    const own = TEN.map((line) => line.replaceAll('10.0.1.60', '172.16.16.87'));
    const pcap = pcapOf(walked('per-packet-lb'), CLIENT_SIDE);
    if (TOOLS.tcpdump) expect(run('tcpdump', (file) => ['-n', '-t', '-r', file], pcap)).toEqual(own);
    expect(pairsOf('per-packet-lb', CLIENT_SIDE)).toEqual([
      '10.0.0.250.40418 > 172.16.16.87.80',
      '172.16.16.87.80 > 10.0.0.250.40418',
    ]);
    expect(pairsOf('per-packet-lb', SERVER_SIDE)).toEqual([
      '10.0.0.250.40418 > 10.0.1.60.80',
      '10.0.1.60.80 > 10.0.0.250.40418',
    ]);
    const inner = packetsOf('per-packet-lb', 'node1-eth0').map((frame) => layersOf(parsePacket(frame), 'ipv4')[1]!);
    expect(inner).toHaveLength(10);
    for (const ip of inner)
      expect([fieldOf(ip, 'src')?.text, fieldOf(ip, 'dst')?.text].sort()).toEqual(['10.0.0.250', '10.0.1.60']);
  });

  test('native routing: no tunnel on the wire', () => {
    const frames = packetsOf('native-routing', 'node1-eth0');
    expect(frames).toHaveLength(10);
    expect(frames.filter(isTunnelled)).toEqual([]);
    expect(pairsOf('native-routing', 'node1-eth0')).toEqual([
      '10.0.0.250.40418 > 10.0.1.60.80',
      '10.0.1.60.80 > 10.0.0.250.40418',
    ]);
    expect([...capturePcaps(walked('native-routing').built.network).keys()].join()).not.toMatch(/vxlan/);
  });

  test('NodePort: the client talks to node1 alone, node1 masquerades towards node2', () => {
    expect(pairsOf('nodeport-snat', 'laptop-eth0')).toEqual([
      '192.168.1.99.51000 > 192.168.1.15.30080',
      '192.168.1.15.30080 > 192.168.1.99.51000',
    ]);
    // Towards the backend the address of node1's own router takes the client's place, so that the reply comes back.
    expect(pairsOf('nodeport-snat', SERVER_SIDE)).toEqual([
      '10.0.0.175.51000 > 10.0.1.60.80',
      '10.0.1.60.80 > 10.0.0.175.51000',
    ]);
    const tunnelled = packetsOf('nodeport-snat', 'node1-eth0').filter(isTunnelled);
    expect(tunnelled).toHaveLength(10);
    const vnis = tunnelled.map((frame) => {
      const packet = parsePacket(frame);
      return [fieldOf(layersOf(packet, 'ipv4')[0]!, 'dst')?.text, numberOf(layersOf(packet, 'vxlan')[0]!, 'vni')];
    });
    // The world's identity goes with the request.
    expect(vnis).toEqual(vnis.map(([to]) => (to === '192.168.1.13' ? [to, 2] : ['192.168.1.15', 1002])));
    expect(packetsOf('nodeport-snat', 'node2-eth0').every(isTunnelled)).toBe(true);
  });

  test('Pod to world: the world sees the address of node1', () => {
    expect(pairsOf('pod-to-world', 'world-eth0')).toEqual([
      '192.168.1.15.40500 > 93.184.216.34.443',
      '93.184.216.34.443 > 192.168.1.15.40500',
    ]);
    expect(pairsOf('pod-to-world', CLIENT_SIDE)).toEqual([
      '10.0.0.250.40500 > 93.184.216.34.443',
      '93.184.216.34.443 > 10.0.0.250.40500',
    ]);
  });

  test('same node: from one veth pair to the other, nothing leaves the node', () => {
    const devices = [...capturePcaps(walked('same-node').built.network).keys()].sort();
    const pods = devices.filter((device) => !device.includes('lxc'));
    expect(pods).toEqual(['node1-network-eth0.pcap', 'node1-web-eth0.pcap']);
    expect(devices).toHaveLength(4);
    expect(pairsOf('same-node', 'node1-web-eth0')).toEqual([
      '10.0.0.250.40600 > 10.0.0.60.8080',
      '10.0.0.60.8080 > 10.0.0.250.40600',
    ]);
  });

  test('IPv6: the inner packets, in a tunnel over IPv4', () => {
    expect(pairsOf('ipv6', CLIENT_SIDE)).toEqual([
      'fd00:10::fa.40418 > fd00:10:0:1::3c.80',
      'fd00:10:0:1::3c.80 > fd00:10::fa.40418',
    ]);
    const frames = packetsOf('ipv6', 'node2-eth0');
    expect(frames).toHaveLength(10);
    for (const frame of frames)
      expect(parsePacket(frame).layers.map(({ protocol }) => protocol)).toEqual([
        'eth',
        'ipv4',
        'udp',
        'vxlan',
        'eth',
        'ipv6',
        'tcp',
      ]);
  });

  test('endpoint routes: cil_to_container runs on the way into each Pod', () => {
    const { journal } = walked('endpoint-routes').built.network;
    const runs = journal.entries.flatMap(({ at, step }) =>
      step.kind === 'hook' && step.name === 'cil_to_container' ? [`${at.host} ${at.device}`] : [],
    );
    expect(runs.filter((run) => run === 'node2 lxc493a9120593a')).toHaveLength(6);
    expect(runs.filter((run) => run === 'node1 lxc7d69da958e9b')).toHaveLength(4);
    if (TOOLS.tcpdump)
      expect(
        run('tcpdump', (file) => ['-n', '-t', '-r', file], pcapOf(walked('endpoint-routes'), SERVER_SIDE)),
      ).toEqual(TEN);
  });
});
