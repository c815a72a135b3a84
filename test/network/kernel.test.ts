import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { Device } from '../../src/network/device.js';
import { EchoFlow } from '../../src/network/echo-flow.js';
import { Network } from '../../src/network/network.js';
import { TcpFlow } from '../../src/network/tcp-flow.js';
import { UdpFlow } from '../../src/network/udp-flow.js';
import { parseAddress, parseCidr, parseMac } from '../../src/packet/addresses.js';
import { readPcap } from '../../src/packet/pcap.js';
import { namespaceTrouble } from '../support/namespace.js';
import { isTraffic, summary } from './frame-summary.js';
import { end } from './two-nodes.js';

// The same hosts and packets here and in the kernel's own network namespaces: c - r1 - r2 - s, and what tcpdump sees on each
// device. Nothing leaves the private namespaces.

const DEVICES = ['c/eth0', 'r1/p', 'r1/w', 'r2/w', 'r2/p', 's/eth0'] as const;
type Name = (typeof DEVICES)[number];

const MACS: Readonly<Record<Name, string>> = {
  'c/eth0': '02:00:00:00:01:01',
  'r1/p': '02:00:00:00:01:02',
  'r1/w': '02:00:00:00:02:01',
  'r2/w': '02:00:00:00:02:02',
  'r2/p': '02:00:00:00:03:01',
  's/eth0': '02:00:00:00:03:02',
};

const ADDRESSES: Readonly<Record<Name, readonly string[]>> = {
  'c/eth0': ['10.0.1.2/24', 'fd01::2/64'],
  'r1/p': ['10.0.1.1/24', 'fd01::1/64'],
  'r1/w': ['192.168.9.1/24', 'fd09::1/64'],
  'r2/w': ['192.168.9.2/24', 'fd09::2/64'],
  'r2/p': ['10.0.2.1/24', 'fd02::1/64'],
  's/eth0': ['10.0.2.2/24', 'fd02::2/64'],
};

const ROUTES: readonly [host: string, destination: string, gateway: string][] = [
  ['c', 'default', '10.0.1.1'],
  ['c', 'default', 'fd01::1'],
  ['s', 'default', '10.0.2.1'],
  ['s', 'default', 'fd02::1'],
  ['r1', '10.0.2.0/24', '192.168.9.2'],
  ['r1', 'fd02::/64', 'fd09::2'],
  ['r2', '10.0.1.0/24', '192.168.9.1'],
  ['r2', 'fd01::/64', 'fd09::1'],
];

/** Routes of r1 that refuse, by type. */
const REFUSALS = ['unreachable 10.8.1.0/24', 'prohibit 10.8.2.0/24', 'blackhole 10.8.3.0/24'] as const;
const WIRE_MTU = 1300;

const SETUP = [
  'mkdir -p /run/netns',
  'mount -t tmpfs none /run/netns',
  ...['c', 'r1', 'r2', 's'].map((host) => `ip netns add ${host}`),
  'ip link add eth0 netns c type veth peer name p netns r1',
  'ip link add w netns r1 type veth peer name w netns r2',
  'ip link add eth0 netns s type veth peer name p netns r2',
  ...DEVICES.flatMap((name) => {
    const [host, device] = name.split('/');
    return [
      `ip -n ${host} link set ${device} address ${MACS[name]}${device === 'w' ? ` mtu ${WIRE_MTU}` : ''}`,
      `ip netns exec ${host} sysctl -qw net.ipv6.conf.${device}.accept_dad=0 net.ipv6.conf.${device}.router_solicitations=0`,
      // No second look at known neighbours while the test runs.
      `ip netns exec ${host} sysctl -qw net.ipv4.neigh.${device}.delay_first_probe_time=60`,
      `ip -n ${host} link set ${device} up`,
      `ip -n ${host} link set lo up`,
      ...ADDRESSES[name].map(
        (address) => `ip -n ${host} addr add ${address} dev ${device}${address.includes(':') ? ' nodad' : ''}`,
      ),
    ];
  }),
  ...['r1', 'r2'].map(
    (host) =>
      `ip netns exec ${host} sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.icmp_ratemask=0 net.ipv6.icmp.ratelimit=0`,
  ),
  ...ROUTES.map(([host, to, via]) => `ip ${via.includes(':') ? '-6 ' : ''}-n ${host} route add ${to} via ${via}`),
  ...REFUSALS.map((route) => `ip -n r1 route add ${route}`),
];

/** What the plays below call: one packet each, then a wait for what comes of it. */
const PYTHON = `
import socket, struct, time

def echo(to, ttl=64, size=56, dont_fragment=True, wait=0.1):
    ip6 = ':' in to
    family, protocol = (socket.AF_INET6, 58) if ip6 else (socket.AF_INET, 1)
    packet = struct.pack('>BBHHH', 128 if ip6 else 8, 0, 0, 1, 1) + bytes(i & 255 for i in range(size))
    if not ip6:
        total = sum(struct.unpack('>%dH' % (len(packet) // 2), packet))
        total = (total & 0xffff) + (total >> 16)
        total = (total & 0xffff) + (total >> 16)
        packet = packet[:2] + struct.pack('>H', ~total & 0xffff) + packet[4:]
    with socket.socket(family, socket.SOCK_RAW, protocol) as s:
        level, hops, discover = (41, 16, 23) if ip6 else (0, 2, 10)
        s.setsockopt(level, hops, ttl)
        s.setsockopt(level, discover, 2 if dont_fragment else 0)
        s.sendto(packet, (to, 0))
    time.sleep(wait)

def datagram(to, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b'hi\\n', (to, port))
        time.sleep(0.1)

def connection(to, port):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        s.connect_ex((to, port))
    time.sleep(0.1)
`;

/** Each step in the kernel's words and in the model's. */
interface Play {
  readonly what: string;
  readonly python: string;
  readonly run: (network: Network) => { start(): unknown };
}

const echo = (network: Network, to: string, more: Partial<ConstructorParameters<typeof EchoFlow>[0]> = {}) =>
  new EchoFlow({ client: network.host('c').root, destination: parseAddress(to), ...more });

const PLAYS: readonly Play[] = [
  { what: 'echo', python: 'echo("10.0.2.2")', run: (network) => echo(network, '10.0.2.2') },
  // Before the client learns the path's MTU, which the model does not.
  {
    what: 'fragments, there and back',
    python: 'echo("10.0.2.2", size=1400, dont_fragment=False)',
    run: (network) => echo(network, '10.0.2.2', { size: 1400, dontFragment: false }),
  },
  { what: 'TTL 1', python: 'echo("10.0.2.2", ttl=1)', run: (network) => echo(network, '10.0.2.2', { ttl: 1 }) },
  { what: 'TTL 2', python: 'echo("10.0.2.2", ttl=2)', run: (network) => echo(network, '10.0.2.2', { ttl: 2 }) },
  {
    what: 'too big',
    python: 'echo("10.0.2.2", size=1400)',
    run: (network) => echo(network, '10.0.2.2', { size: 1400 }),
  },
  { what: 'no route', python: 'echo("10.9.9.9")', run: (network) => echo(network, '10.9.9.9') },
  { what: 'unreachable', python: 'echo("10.8.1.1")', run: (network) => echo(network, '10.8.1.1') },
  { what: 'prohibit', python: 'echo("10.8.2.1")', run: (network) => echo(network, '10.8.2.1') },
  { what: 'blackhole', python: 'echo("10.8.3.1")', run: (network) => echo(network, '10.8.3.1') },
  { what: 'router itself', python: 'echo("192.168.9.2")', run: (network) => echo(network, '192.168.9.2') },
  {
    what: 'closed UDP port',
    python: 'datagram("10.0.2.2", 9)',
    run: (network) =>
      new UdpFlow({ client: network.host('c').root, destination: end('10.0.2.2', 9) }, [
        { from: 'client', payload: Uint8Array.of(104, 105, 10) },
      ]),
  },
  {
    what: 'closed TCP port',
    python: 'connection("10.0.2.2", 9)',
    run: (network) =>
      new TcpFlow({ client: network.host('c').root, destination: end('10.0.2.2', 9) }, [
        { from: 'client', flags: 'S', options: new Uint8Array(20).fill(1) },
      ]),
  },
  { what: 'IPv6 echo', python: 'echo("fd02::2")', run: (network) => echo(network, 'fd02::2') },
  {
    what: 'hop limit 1',
    python: 'echo("fd02::2", ttl=1)',
    run: (network) => echo(network, 'fd02::2', { ttl: 1 }),
  },
  {
    what: 'IPv6 too big',
    python: 'echo("fd02::2", size=1400)',
    run: (network) => echo(network, 'fd02::2', { size: 1400 }),
  },
  { what: 'no IPv6 route', python: 'echo("fd77::1")', run: (network) => echo(network, 'fd77::1') },
  {
    what: 'no neighbour',
    python: 'echo("10.0.2.77", wait=3.6)',
    run: (network) => echo(network, '10.0.2.77'),
  },
];

function inKernel(): Record<Name, string[]> {
  const files = mkdtempSync(join(tmpdir(), 'offkernel-network-'));
  try {
    const file = (name: string): string => join(files, `${name.replace('/', '-')}.pcap`);
    const dumps = DEVICES.map((name) => {
      const [host, device] = name.split('/');
      return `ip netns exec ${host} tcpdump -i ${device} -U --immediate-mode -w ${file(name)} 2>/dev/null & dumps="$dumps $!"`;
    });
    const script = [
      ...['set -e', ...SETUP, 'dumps=', ...dumps, 'sleep 1.5', 'set +e'],
      `ip netns exec c python3 ${join(files, 'plays.py')}`,
      ...['sleep 0.5', 'kill -INT $dumps', 'wait'],
    ];
    writeFileSync(join(files, 'plays.py'), [PYTHON, ...PLAYS.map(({ python }) => python)].join('\n'));
    const result = spawnSync('unshare', ['-n', '-m', 'bash', '-c', script.join('\n')], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    if (result.status !== 0) throw new Error(`${result.error ?? ''}${result.stderr}`);
    return Object.fromEntries(
      DEVICES.map((name) => [
        name,
        readPcap(readFileSync(file(name)))
          .packets.map(({ data }) => data)
          .filter(isTraffic)
          .map(summary),
      ]),
    ) as Record<Name, string[]>;
  } finally {
    rmSync(files, { recursive: true, force: true });
  }
}

function inModel(): Record<Name, string[]> {
  const network = new Network();
  const devices = new Map<Name, Device>();
  for (const [a, b] of [
    ['c/eth0', 'r1/p'],
    ['r1/w', 'r2/w'],
    ['r2/p', 's/eth0'],
  ] as const) {
    const wire = network.wire(`${a} ${b}`);
    for (const name of [a, b]) {
      const [host, device] = name.split('/') as [string, string];
      const { root } = network.host(host, { forwarding: host.startsWith('r') });
      const added = wire.attach(root, {
        name: device,
        mac: parseMac(MACS[name]),
        mtu: device === 'w' ? WIRE_MTU : 1500,
      });
      for (const address of ADDRESSES[name]) added.addAddress(parseCidr(address));
      devices.set(name, added);
    }
  }
  for (const [host, to, via] of ROUTES) {
    const { root } = network.host(host);
    const gateway = parseAddress(via);
    const destination = to === 'default' ? { address: new Uint8Array(gateway.length), prefixLength: 0 } : parseCidr(to);
    root.routing.addRoute({
      destination,
      gateway,
      device: root.lookup({ destination: gateway, mark: 0 })!.route!.device,
    });
  }
  for (const refusal of REFUSALS) {
    const [type, prefix] = refusal.split(' ') as ['unreachable' | 'prohibit' | 'blackhole', string];
    network.host('r1').root.routing.addRoute({ destination: parseCidr(prefix), type });
  }
  for (const play of PLAYS) {
    play.run(network).start();
    network.run();
  }
  return Object.fromEntries(
    DEVICES.map((name) => [
      name,
      devices
        .get(name)!
        .capture.frames.map(({ bytes }) => bytes)
        .filter(isTraffic)
        .map(summary),
    ]),
  ) as Record<Name, string[]>;
}

const trouble =
  process.platform !== 'linux'
    ? 'this is not Linux'
    : namespaceTrouble(
        'ip link add veth8 type veth peer name veth9\nfor tool in tcpdump python3 bash; do command -v $tool >/dev/null; done',
      );
if (trouble) console.log(`skipped: comparison of the network model with the kernel (${trouble})`);

describe.skipIf(trouble)('frames on every device, here and in the kernel', () => {
  const kernel = trouble ? undefined : inKernel();
  const model = inModel();
  afterAll(() => {
    expect(kernel!['c/eth0'].length).toBeGreaterThan(20);
  });

  test.each(DEVICES)('%s', (name) => {
    expect(model[name]).toEqual(kernel![name]);
  });
});
