import { describe, expect, test } from 'vitest';
import { Machine } from '../../src/machine/machine.js';
import { EchoFlow } from '../../src/network/echo-flow.js';
import { hookOf, TC } from '../../src/network/hooks.js';
import { environmentOf } from '../../src/network/host.js';
import { formatMac, parseAddress, parseCidr } from '../../src/packet/addresses.js';
import { layersOf, numberOf, parsePacket } from '../../src/packet/parse.js';
import { buildPacket } from '../../src/packet/words.js';
import { attachAct, STEP } from './hooks-object.js';
import { BACKEND, FABRIC, routeNatively, type TwoNodes, twoNodes } from './two-nodes.js';

/** Sends one packet and tells why it ended. */
function dropOf(arrange: (set: TwoNodes) => void, words: string, options: Parameters<typeof twoNodes>[0] = {}): object {
  const set = twoNodes({ hosts: [{ machine: Machine.create() }, {}], ...options });
  const { node1, network } = set;
  arrange(set);
  const to = words.includes('eth=') ? '' : ` eth=${formatMac(node1.podEth0.mac)}>${formatMac(node1.lxc.mac)}`;
  const id = network.inject(node1.lxc, buildPacket(words + to));
  network.run();
  const last = network.journal.of(id).find(({ step }) => step.kind === 'drop' || step.kind === 'deliver');
  return { ...last?.step, at: last?.at.device };
}

/** node1 sends to node2 without asking. */
function knownNeighbour(set: TwoNodes): void {
  routeNatively(set);
  const { node1, node2 } = set;
  node1.host.root.neighbours.set(node1.eth0, parseAddress('192.168.1.13'), node2.eth0.mac);
}

const nothing = (): void => {};
const OUT = 'udp 10.0.0.250:1000 > 10.0.1.60:53';

describe('where a packet ends, and why', () => {
  const withoutFabric = { wire: { fabric: undefined } };

  test.each<[string, (set: TwoNodes) => void, string, object, Parameters<typeof twoNodes>[0]?]>([
    ['no route', nothing, OUT, { reason: 'no route', detail: 'no route to 10.0.1.60', at: 'lxc7d69da958e9b' }],
    [
      'forwarding switched off',
      ({ node1 }) => (node1.host.root.forwarding = false),
      OUT,
      { reason: 'forwarding disabled' },
    ],
    [
      'a hook says no',
      ({ node1 }) => void attachAct(node1.lxc, 'tc-ingress', { verdict: TC.SHOT }),
      OUT,
      { reason: 'hook verdict' },
    ],
    ['TTL 1', routeNatively, `${OUT} ttl=1`, { reason: 'ttl expired', detail: 'TTL is 1' }, withoutFabric],
    [
      'wrong destination MAC',
      nothing,
      `${OUT} eth=02:00:00:00:00:01>02:00:00:00:00:99`,
      { reason: 'not for this host' },
    ],
    ['a VLAN tag nobody takes', nothing, `${OUT} vlan=7`, { reason: 'not for this host' }],
    [
      'an EtherType nobody takes',
      nothing,
      `eth eth=02:00:00:00:00:01>66:94:e5:1d:37:df payload=x`,
      { reason: 'unknown protocol' },
    ],
    ['a wrong header checksum', nothing, `${OUT} badipsum`, { reason: 'bad packet' }],
    ['a loopback source', nothing, 'udp 127.0.0.1:1 > 10.0.1.60:53', { reason: 'martian address' }],
    ['an own address as source', nothing, 'udp 192.168.1.15:1 > 10.0.1.60:53', { reason: 'martian address' }],
    [
      'a way back over another device',
      ({ node1 }) => (node1.lxc.reversePath = 'strict'),
      'udp 192.168.1.77:1 > 10.0.1.60:53',
      { reason: 'reverse path' },
    ],
    ['a closed port', nothing, 'udp 10.0.0.250:1 > 192.168.1.15:9', { reason: 'port unreachable' }],
    [
      'no tunnel key',
      ({ node1 }) => {
        const tunnel = node1.host.addTunnel({ name: 'vx', protocol: 'vxlan', ifindex: 9 });
        attachAct(node1.lxc, 'tc-ingress', { steps: STEP.redirect, ifindex: tunnel.ifindex });
      },
      OUT,
      { reason: 'no tunnel key', at: 'vx' },
    ],
    [
      'a fault of the program',
      ({ node1 }) => {
        const { machine } = node1.host;
        machine!.setHelper('get_socket_cookie', (call) => call.fail('no cookies here'));
        attachAct(node1.lxc, 'tc-ingress');
      },
      OUT,
      { reason: 'program fault' },
    ],
    [
      'lost on the wire',
      knownNeighbour,
      OUT,
      { reason: 'lost on the wire', at: 'eth0' },
      { wire: { fabric: undefined, loss: 1 } },
    ],
    ['a fabric that knows no Pods', routeNatively, OUT, { reason: 'no receiver', at: 'eth0' }],
    [
      'a device that is down',
      (set) => {
        knownNeighbour(set);
        set.node2.eth0.up = false;
      },
      OUT,
      { reason: 'device down' },
      withoutFabric,
    ],
  ])('%s', (_, arrange, words, expected, options) => {
    expect(dropOf(arrange, words, options)).toMatchObject(expected);
  });

  test('a veth takes no frames beyond its MTU', () => {
    const set = twoNodes();
    const { node1, network } = set;
    const id = network.emit(node1.lxc, buildPacket(`udp 10.0.0.1:1 > 10.0.0.250:2 payload=${'x'.repeat(1441)}`));
    network.run();
    expect(network.journal.of(id).at(-1)).toMatchObject({
      step: { reason: 'mtu exceeded', detail: '1483 bytes do not fit the 1468 that eth0 with MTU 1450 takes' },
    });
  });
});

describe('neighbours', () => {
  test('a fabric answers ARP for everybody with its own MAC', () => {
    const { node1, network } = twoNodes();
    new EchoFlow({ client: node1.host.root, destination: parseAddress('192.168.1.13') }).start();
    network.run();
    const entry = node1.host.root.neighbours.find(node1.eth0, parseAddress('192.168.1.13'));
    expect(entry).toMatchObject({ mac: FABRIC, state: 'reachable' });
    const reply = node1.eth0.capture.frames.at(-1)!;
    expect(reply.bytes.subarray(0, 12)).toEqual(Uint8Array.of(...node1.eth0.mac, ...FABRIC));
  });

  test('a fabric hands what belongs to nobody to its gateway', () => {
    const set = twoNodes();
    const { network, node1, wire } = set;
    const outside = network.host('gateway');
    const gateway = wire.attach(outside.root, { name: 'eth0' });
    gateway.addAddress(parseCidr('192.168.1.1/24'));
    wire.options.fabric!.gateway = gateway;
    node1.host.root.routing.addRoute({
      destination: parseCidr('0.0.0.0/0'),
      gateway: parseAddress('192.168.1.1'),
      device: 'eth0',
    });
    new EchoFlow({ client: node1.host.root, destination: parseAddress('203.0.113.5') }).start();
    network.run();
    expect(gateway.capture.text().some((line) => line.includes('192.168.1.15 > 203.0.113.5'))).toBe(true);
  });

  test('the helpers of a machine see what the stack learnt', () => {
    const set = twoNodes({ hosts: [{ machine: Machine.create() }, {}] });
    const { node1, network } = set;
    attachAct(node1.eth0, 'tc-egress');
    new EchoFlow({ client: node1.host.root, destination: parseAddress('192.168.1.13') }).start();
    network.run();
    const { environment } = node1.host.machine!;
    expect(environment.devices.map(({ name }) => name)).toEqual(['lo', 'eth0', 'lxc7d69da958e9b']);
    expect(environment.neighbours).toEqual([{ ifindex: 2, address: parseAddress('192.168.1.13'), mac: FABRIC }]);
    expect(environment.routes).toEqual(environmentOf(node1.host.root).routes);
    expect(environment.routes).toContainEqual(
      expect.objectContaining({ prefix: parseAddress('192.168.1.0'), length: 24, ifindex: 2, table: 254 }),
    );
  });
});

describe('policy routing', () => {
  test('a mark that a hook sets chooses another table', () => {
    const set = twoNodes({ wire: { fabric: undefined }, hosts: [{ machine: Machine.create() }, {}] });
    const { node1, network } = set;
    routeNatively(set);
    attachAct(node1.lxc, 'tc-ingress', { steps: STEP.fields, mark: 0xabc00200 });
    node1.host.root.routing.addRule(4, { priority: 9, mark: { value: 0x200, mask: 0xf00 }, table: 2004 });
    node1.host.root.routing.addRoute({ destination: parseCidr('0.0.0.0/0'), type: 'local', device: 'lo' }, 2004);
    const id = network.inject(
      node1.lxc,
      buildPacket(`${OUT} eth=${formatMac(node1.podEth0.mac)}>${formatMac(node1.lxc.mac)}`),
    );
    network.run();
    const route = network.journal.of(id).find(({ step }) => step.kind === 'route')!.step;
    expect(route).toMatchObject({
      purpose: 'input',
      mark: 0xabc00200,
      rule: { priority: 9, table: 2004 },
      route: { type: 'local' },
    });
  });
});

describe('departure times', () => {
  test('a fair queue holds a packet until its time stamp', () => {
    const set = twoNodes({ wire: { fabric: undefined } });
    const { node1, network } = set;
    routeNatively(set);
    node1.eth0.fairQueue = true;
    const start = network.now;
    node1.eth0.attach(
      'tc-egress',
      hookOf('edt', (skb) => {
        skb.tstamp = start + 50_000_000n;
        skb.tstampType = 1;
        return { verdict: TC.OK };
      }),
    );
    new EchoFlow({ client: node1.pod, destination: BACKEND }).start();
    network.run();
    expect(node1.eth0.capture.frames[0]!.time).toBe(start + 50_000_000n);
  });
});

describe('tunnels over a small underlay', () => {
  test('a frame too long for it goes as outer fragments and arrives whole', () => {
    const set = twoNodes({ wire: { mtu: 1500 }, hosts: [{ machine: Machine.create() }, {}] });
    const { node1, node2, network } = set;
    const tunnels = [node1, node2].map((node) => node.host.addTunnel({ name: 'vx', ifindex: 5, protocol: 'vxlan' }));
    attachAct(node1.lxc, 'tc-ingress', {
      steps: STEP.tunnel | STEP.redirect,
      ...{ ifindex: 5, tunnel_id: 9, tunnel_remote: 0xc0a8010d, tunnel_flags: 2 },
    });
    network.inject(node1.lxc, buildPacket(`${OUT} payload=${'x'.repeat(1450)}`));
    network.run();
    const ip = node1.eth0.capture.frames.filter(({ bytes }) => bytes[13] === 0);
    expect(ip.map(({ bytes }) => numberOf(layersOf(parsePacket(bytes), 'ipv4')[0]!, 'flags'))).toEqual([1, 0]);
    const [inner] = tunnels[1]!.capture.frames;
    expect(inner?.bytes.length).toBe(14 + 20 + 8 + 1450);
  });
});
