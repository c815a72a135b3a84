import type { Device } from '../../src/network/device.js';
import type { End } from '../../src/network/flow.js';
import type { Host, HostOptions } from '../../src/network/host.js';
import type { Namespace } from '../../src/network/namespace.js';
import { Network, type NetworkOptions } from '../../src/network/network.js';
import { TcpFlow, type TcpSegment } from '../../src/network/tcp-flow.js';
import type { Wire, WireOptions } from '../../src/network/wire.js';
import { parseAddress, parseCidr, parseMac } from '../../src/packet/addresses.js';
import { readHex, setU32 } from '../../src/packet/bytes.js';

export const FABRIC = parseMac('fa:28:00:14:3f:94');
export const CLIENT = parseAddress('10.0.0.250');
export const BACKEND = parseAddress('10.0.1.60');

/** A node with one Pod, as in the scenario "Pod to Service". */
export interface Node {
  host: Host;
  eth0: Device;
  pod: Namespace;
  /** The host's end of the Pod's veth pair, and the Pod's own. */
  lxc: Device;
  podEth0: Device;
}

export interface TwoNodes {
  network: Network;
  wire: Wire;
  node1: Node;
  node2: Node;
}

interface Plan {
  name: string;
  address: string;
  router: string;
  pod: { name: string; address: string; ifindex: number; mac: string; lxc: string; lxcMac: string };
}

const PLANS: readonly [Plan, Plan] = [
  {
    name: 'node1',
    address: '192.168.1.15/24',
    router: '10.0.0.175',
    pod: {
      ...{ name: 'network', address: '10.0.0.250', ifindex: 19, mac: 'b6:48:79:16:47:7a' },
      ...{ lxc: 'lxc7d69da958e9b', lxcMac: '66:94:e5:1d:37:df' },
    },
  },
  {
    name: 'node2',
    address: '192.168.1.13/24',
    router: '10.0.1.172',
    pod: {
      ...{ name: 'nginx', address: '10.0.1.60', ifindex: 15, mac: '86:62:55:e0:8a:5e' },
      ...{ lxc: 'lxc493a9120593a', lxcMac: 'fa:fb:bb:ab:82:72' },
    },
  },
];

/** Host end of a Pod: veth pair, addresses, routes; the router address is on the host side so that ARP answers. */
function addNode(network: Network, wire: Wire, plan: Plan, options: HostOptions): Node {
  const host = network.host(plan.name, options);
  const eth0 = wire.attach(host.root, { name: 'eth0', ifindex: 2 });
  eth0.addAddress(parseCidr(plan.address));
  const pod = host.namespace(plan.pod.name);
  const { near, far } = host.addVeth(
    { name: plan.pod.lxc, ifindex: plan.pod.ifindex + 1, mac: parseMac(plan.pod.lxcMac), mtu: 1450 },
    { namespace: pod, name: 'eth0', ifindex: plan.pod.ifindex, mac: parseMac(plan.pod.mac), mtu: 1450 },
  );
  near.addAddress(parseCidr(`${plan.router}/32`));
  far.addAddress(parseCidr(`${plan.pod.address}/32`));
  pod.routing.addRoute({ destination: parseCidr(`${plan.router}/32`), device: 'eth0' });
  pod.routing.addRoute({ destination: parseCidr('0.0.0.0/0'), gateway: parseAddress(plan.router), device: 'eth0' });
  host.root.routing.addRoute({ destination: parseCidr(`${plan.pod.address}/32`), device: plan.pod.lxc });
  return { host, eth0, pod, lxc: near, podEth0: far };
}

/** Two nodes with a Pod each on a cloud fabric; static routes to each other's Pods, no hooks. */
export function twoNodes(
  options: { network?: NetworkOptions; wire?: WireOptions; hosts?: [HostOptions, HostOptions] } = {},
): TwoNodes {
  const network = new Network(options.network);
  const wire = network.wire('vpc', { fabric: { mac: FABRIC }, ...options.wire });
  const node1 = addNode(network, wire, PLANS[0], options.hosts?.[0] ?? {});
  const node2 = addNode(network, wire, PLANS[1], options.hosts?.[1] ?? {});
  return { network, wire, node1, node2 };
}

/** Routes to the other node's Pods over the underlay; the fabric then has to be a switch. */
export function routeNatively({ node1, node2 }: TwoNodes): void {
  const via = (host: Host, destination: string, gateway: string): void => {
    host.root.routing.addRoute({ destination: parseCidr(destination), gateway: parseAddress(gateway), device: 'eth0' });
  };
  via(node1.host, '10.0.1.0/24', '192.168.1.13');
  via(node2.host, '10.0.0.0/24', '192.168.1.15');
}

const text = (content: string, length: number): Uint8Array => {
  const bytes = new TextEncoder().encode(content);
  const padded = new Uint8Array(length).fill(0x20);
  padded.set(bytes.subarray(0, length));
  return padded;
};

/** mss 1410, sackOK, time stamps, nop, wscale 7. */
function synOptions(value: number, echo: number): Uint8Array {
  const options = readHex('02040582' + '0402' + '080a' + '0000000000000000' + '01' + '030307')!;
  setU32(options, 8, value);
  setU32(options, 12, echo);
  return options;
}

/** The ten segments of `curl -I 172.16.16.87:80`. */
export const CURL: readonly TcpSegment[] = [
  {
    ...{ from: 'client', flags: 'S', seq: 3978619682, window: 64860 },
    options: synOptions(2911480627, 0),
  },
  {
    ...{ from: 'server', flags: 'S.', seq: 3647241102, window: 64308 },
    options: synOptions(2294711974, 2911480627),
  },
  { from: 'client', flags: '.', window: 507 },
  { from: 'client', flags: 'P.', window: 507, payload: text('HEAD / HTTP/1.1\r\n', 77) },
  { from: 'server', flags: '.', window: 502 },
  { from: 'server', flags: 'P.', window: 502, payload: text('HTTP/1.1 200 OK\r\n', 238) },
  { from: 'client', flags: '.', window: 506 },
  { from: 'client', flags: 'F.', window: 506 },
  { from: 'server', flags: 'F.', window: 502 },
  { from: 'client', flags: '.', window: 506 },
];

export const end = (address: string, port: number): End => ({ address: parseAddress(address), port });

export const withoutArp = (lines: string[]): string[] => lines.filter((line) => !line.startsWith('ARP'));

/** Plays {@link CURL} from Pod to Pod, to its end. */
export function curl({ network, node1, node2 }: TwoNodes): TcpFlow {
  const flow = new TcpFlow(
    {
      client: node1.pod,
      clientPort: 40418,
      destination: end('10.0.1.60', 80),
      servers: [{ namespace: node2.pod, port: 80 }],
    },
    CURL,
  ).start();
  network.run();
  return flow;
}
