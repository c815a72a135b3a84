import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { hookOf } from '../../src/network/hooks.js';
import {
  listAddresses,
  listArp,
  listFilters,
  listLinks,
  listNeighbours,
  listRoutes,
  listRules,
} from '../../src/network/listing.js';
import { Network } from '../../src/network/network.js';
import { parseAddress, parseCidr, parseMac } from '../../src/packet/addresses.js';
import { namespaceTrouble } from '../support/namespace.js';

const MAC = '66:94:e5:1d:37:df';

/** The same namespace here ... */
function model() {
  const host = new Network().host('node1');
  const { root } = host;
  const pod = host.namespace('pod');
  const { near, far } = host.addVeth(
    { name: 'lxc1', ifindex: 20, mac: parseMac(MAC), mtu: 1450 },
    { namespace: pod, name: 'eth0', ifindex: 19, mac: parseMac('b6:48:79:16:47:7a') },
  );
  host.addVeth(
    { name: 'cilium_net', ifindex: 3, mac: parseMac('02:00:00:00:00:03') },
    { name: 'cilium_host', ifindex: 4, mac: parseMac('02:00:00:00:00:04') },
  );
  host.addTunnel({ name: 'cilium_vxlan', ifindex: 5, protocol: 'vxlan', mac: parseMac('02:00:00:00:00:05') });
  near.addAddress(parseCidr('10.0.0.175/24'));
  near.addAddress(parseCidr('fd00::175/64'));
  far.addAddress(parseCidr('10.0.0.250/32'));
  root.device('cilium_host').addAddress(parseCidr('10.9.0.1/32'));
  root.routing.addRoute({ destination: parseCidr('0.0.0.0/0'), gateway: parseAddress('10.0.0.1'), device: 'lxc1' });
  root.routing.addRoute({
    destination: parseCidr('10.1.0.0/16'),
    device: 'cilium_host',
    source: parseAddress('10.9.0.1'),
    mtu: 1400,
  });
  root.routing.addRoute({ destination: parseCidr('10.1.2.0/24'), type: 'unreachable' });
  root.routing.addRoute({
    destination: parseCidr('10.2.0.0/16'),
    gateway: parseAddress('10.0.0.9'),
    device: 'lxc1',
    metric: 7,
  });
  root.routing.addRoute({ destination: parseCidr('fd01::/64'), gateway: parseAddress('fd00::1'), device: 'lxc1' });
  root.routing.addRoute({ destination: parseCidr('0.0.0.0/0'), type: 'local', device: 'lo' }, 2004);
  root.routing.addRule(4, { priority: 9, mark: { value: 0x200, mask: 0xf00 }, table: 2004 });
  root.routing.removeRule(4, 0);
  root.routing.addRule(4, { priority: 100, table: 255 });
  root.routing.addRule(4, {
    priority: 200,
    from: parseCidr('10.0.0.0/8'),
    to: parseCidr('10.1.2.3/32'),
    input: 'lxc1',
    table: 7,
  });
  root.neighbours.set(near, parseAddress('10.0.0.250'), parseMac('b6:48:79:16:47:7a'));
  return { root, near, far };
}

/** ... and in the kernel. */
const SETUP = `
mkdir -p /run/netns
mount -t tmpfs none /run/netns
ip netns add pod
ip link set lo up
ip link add lxc1 index 20 address ${MAC} mtu 1450 type veth peer name eth0 netns pod index 19 address b6:48:79:16:47:7a
ip link add cilium_net index 3 address 02:00:00:00:00:03 type veth peer name cilium_host index 4 address 02:00:00:00:00:04
ip link add cilium_vxlan index 5 address 02:00:00:00:00:05 type vxlan external dstport 8472
for d in lxc1 cilium_net cilium_host cilium_vxlan; do
  sysctl -qw net.ipv6.conf.$d.addr_gen_mode=1 net.ipv6.conf.$d.accept_dad=0
  ip link set $d up
done
ip -n pod link set eth0 up
ip addr add 10.0.0.175/24 dev lxc1
ip addr add fd00::175/64 dev lxc1
ip -n pod addr add 10.0.0.250/32 dev eth0
ip addr add 10.9.0.1/32 dev cilium_host
ip route add default via 10.0.0.1 dev lxc1
ip route add 10.1.0.0/16 dev cilium_host src 10.9.0.1 mtu 1400
ip route add unreachable 10.1.2.0/24
ip route add 10.2.0.0/16 via 10.0.0.9 dev lxc1 metric 7
ip route add fd01::/64 via fd00::1 dev lxc1
ip route add local default dev lo table 2004
ip rule add priority 9 fwmark 0x200/0xf00 lookup 2004
ip rule add priority 100 lookup local
ip rule del priority 0
ip rule add priority 200 from 10.0.0.0/8 to 10.1.2.3 iif lxc1 lookup 7
ip neigh add 10.0.0.250 lladdr b6:48:79:16:47:7a dev lxc1
`;

const { root, near } = model();

const LISTINGS: readonly [command: string, lines: string[]][] = [
  ['ip rule', listRules(root)],
  ['ip -6 rule', listRules(root, 6)],
  ['ip route', listRoutes(root)],
  ['ip route show table local', listRoutes(root, 255)],
  ['ip route show table 2004', listRoutes(root, 2004)],
  ['ip -6 route', listRoutes(root, 254, 6)],
  ['ip neigh', listNeighbours(root)],
  ['ip addr', listAddresses(root)],
  ['ip link show dev cilium_net', listLinks(root, 'cilium_net')],
];

/** Multicast routes and link-local networks that the kernel adds, and trailing blanks. */
const trimmed = (lines: readonly string[]): string[] =>
  lines
    .map((line) => line.replace(/ +$/, ''))
    .filter((line) => line !== '' && !/^multicast|^fe80|^ff00/.test(line) && !/valid_lft/.test(line));

const trouble =
  process.platform !== 'linux'
    ? 'this is not Linux'
    : namespaceTrouble('ip link add veth8 type veth peer name veth9\nip link add vx type vxlan external dstport 8472');
if (trouble) console.log(`skipped: comparison of listings with iproute2 (${trouble})`);

describe.skipIf(trouble)('listings are what iproute2 prints', () => {
  test('all of them', () => {
    const script = ['set -e', SETUP, ...LISTINGS.map(([command]) => `echo "== ${command}"; ${command}`)].join('\n');
    const result = spawnSync('unshare', ['-n', '-m', 'bash', '-c', script], { encoding: 'utf8', timeout: 60_000 });
    expect(result.stderr).toBe('');
    const sections = result.stdout.split(/^== .*\n/m).slice(1);
    for (const [i, [command, lines]] of LISTINGS.entries())
      expect([command, ...trimmed(lines)]).toEqual([command, ...trimmed(sections[i]!.split('\n'))]);
  });
});

describe('listings', () => {
  test('arp and tc', () => {
    near.attach(
      'tc-ingress',
      hookOf('cil_from_container', () => ({ verdict: 0 })),
    );
    expect(listArp(root)).toEqual([
      'Address                  HWtype  HWaddress           Flags Mask            Iface',
      '10.0.0.250               ether   b6:48:79:16:47:7a   CM                    lxc1',
    ]);
    expect(listFilters(near, 'ingress')).toEqual([
      'filter protocol all pref 1 bpf chain 0',
      'filter protocol all pref 1 bpf chain 0 handle 0x1 cil_from_container direct-action not_in_hw',
    ]);
    expect(listFilters(near, 'egress')).toEqual([]);
  });
});
