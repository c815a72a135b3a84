import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LoadedObject } from '../../src/machine/machine.js';
import { Kernel } from '../../src/oracle/kernel.js';
import { parseAddress, parseMac } from '../../src/packet/addresses.js';
import { buildPacket } from '../../src/packet/words.js';
import { configuredObject, skbContext, skbFieldsOf, type TestRunFields } from '../support/kernel-input.js';
import { COMPARED, FILLED, mapContents } from '../support/kernel-maps.js';
import { address6, CLIENT, type Config, ENCAP_IFINDEX, NODE1, NODE2, Node, OBJECTS, ROUTER1, SERVER } from './node.js';

const available = Kernel.available();
if (!available.ok) console.warn(`test/datapath/kernel.test.ts skipped: ${available.reason}`);

type ObjectName = keyof typeof OBJECTS;

const configured = (name: ObjectName, config: Config): Uint8Array =>
  configuredObject(
    readFileSync(new URL(`../../bpf-objects/bpf_${name}.o`, import.meta.url)),
    new Node(config).load(name),
  );

const EVERYTHING: Config = {
  enable_ipv6: true,
  enable_per_packet_lb: true,
  enable_nodeport: true,
  enable_masquerade_ipv4: true,
  enable_masquerade_ipv6: true,
  enable_host_firewall: true,
  enable_bandwidth_manager: true,
  enable_vlan_filter: true,
  vlan_allowed: [10],
  native_cidr_ipv4_mask: { addr: parseAddress('255.0.0.0') },
  native_cidr_ipv6_prefix: 70,
};

/** The verifier leaves out what is switched off, so it has to see every feature switched on. */
describe.skipIf(!available.ok)('the verifier accepts', () => {
  const variants: [string, Config][] = [
    ['defaults', {}],
    ['everything over a tunnel', { ...EVERYTHING, encap_ifindex: ENCAP_IFINDEX }],
    ['everything by host routing', { ...EVERYTHING, enable_host_routing: true, monitor_aggregation: 3 }],
    ['everything with endpoint routes', { ...EVERYTHING, enable_endpoint_routes: true }],
  ];
  const cases = (Object.keys(OBJECTS) as ObjectName[]).flatMap((name) =>
    variants.map(([label, config]) => [name, label, config] as const),
  );
  test.each(cases)('bpf_%s.o with %s', (name, _, config) => {
    const kernel = Kernel.open(configured(name, config), { name: `bpf_${name}.o` });
    try {
      expect(kernel.programs().sort()).toEqual(OBJECTS[name].programs.map((program) => program.name).sort());
    } finally {
      kernel.close();
    }
  });
});

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** The same object in a machine and in the kernel, fed with the same packets. */
class Pair {
  readonly kernel: Kernel;

  constructor(
    readonly node: Node,
    readonly object: LoadedObject,
    name: ObjectName,
    config: Config,
  ) {
    // The machine's own tunnel helpers, not the ones that tests look into.
    node.machine.setHelper('skb_set_tunnel_key', undefined);
    node.machine.setHelper('skb_get_tunnel_key', undefined);
    this.kernel = Kernel.open(configured(name, config), { name: `bpf_${name}.o` });
    for (const [mapName, map] of object.maps) {
      if (!FILLED.includes(map.type)) continue;
      for (const [key, value] of map.entryBytes()) this.kernel.updateMap(mapName, key, value);
    }
  }

  /** Runs a packet on both and compares verdict, bytes and context. Returns the packet after. */
  run(program: string, packet: string | Uint8Array, context: TestRunFields = {}): Uint8Array {
    const bytes = typeof packet === 'string' ? buildPacket(packet) : packet;
    const input = skbContext(context);
    const ours = this.object.program(program).run({ packet: bytes, context: input });
    const theirs = this.kernel.run({ program, packet: bytes, context: input });
    expect(ours.fault).toBeUndefined();
    const shown = (packetAfter: Uint8Array, contextAfter: Uint8Array, retval: number): unknown => {
      const { mark, cb } = skbFieldsOf(contextAfter);
      return { retval, packet: hex(packetAfter), mark, cb };
    };
    expect(shown(ours.packet!, ours.context, ours.retval)).toEqual(
      shown(theirs.packet, theirs.context!, theirs.retval),
    );
    return ours.packet!;
  }

  /** Compares all maps that programs change. */
  compareMaps(): void {
    for (const [name, map] of this.object.maps) {
      if (!COMPARED.includes(map.type)) continue;
      expect({ [name]: mapContents(map, map.entryBytes()) }).toEqual({
        [name]: mapContents(map, this.kernel.dumpMap(name)),
      });
    }
  }
}

describe.skipIf(!available.ok)('the kernel gives the same bytes, verdicts and maps', () => {
  let pair: Pair | undefined;
  beforeEach(() => {
    pair = undefined;
  });
  afterEach(() => pair?.kernel.close());

  const podConfig: Config = {
    endpoint_id: CLIENT.id,
    endpoint_ipv4: { addr: parseAddress(CLIENT.address) },
    endpoint_ipv6: address6(CLIENT.address6!),
    security_label: CLIENT.identity,
    interface_mac: { addr: [...parseMac(CLIENT.hostMac)] },
    router_ipv4: { addr: parseAddress(ROUTER1) },
    router_ipv6: address6('fd00::1'),
    enable_ipv6: true,
    enable_per_packet_lb: true,
    encap_ifindex: ENCAP_IFINDEX,
  };

  /** Both LB frontends have one backend, so that the choice is no choice. */
  function podPair(): Pair {
    const node = new Node(podConfig);
    const object = node.pod(CLIENT, {
      policy: [
        { direction: 'egress', identity: SERVER.identity, port: 80, protocol: 6 },
        { direction: 'egress', port: 53, protocol: 17, deny: true },
        { direction: 'egress', protocol: 1 },
        { direction: 'egress', protocol: 58 },
        { direction: 'ingress', identity: SERVER.identity },
      ],
    });
    node.identity(SERVER.address, SERVER.identity, NODE2);
    node.identity(SERVER.address6!, SERVER.identity, NODE2);
    node.service({
      address: '172.16.16.87',
      port: 80,
      index: 7,
      backends: [{ id: 3, address: SERVER.address, port: 80 }],
    });
    node.service({
      address: 'fd10::87',
      port: 80,
      index: 8,
      backends: [{ id: 4, address: SERVER.address6!, port: 80 }],
    });
    return new Pair(node, object, 'lxc', podConfig);
  }

  test.each([
    ['IPv4', CLIENT.address, '172.16.16.87', SERVER.address],
    ['IPv6', `[${CLIENT.address6}]`, '[fd10::87]', `[${SERVER.address6}]`],
  ])('cil_from_container and cil_lxc_policy, %s', (_, from, service, server) => {
    pair = podPair();
    for (const flags of ['syn', 'ack', 'psh ack "GET /"', 'fin ack', 'rst', 'syn'])
      pair.run('cil_from_container', `tcp ${from}:40418 > ${service}:80 ${flags}`);
    pair.run('cil_from_container', `tcp ${from}:40419 > ${server}:80 syn`);
    pair.run('cil_from_container', `tcp ${from}:40420 > ${server}:81 syn`);
    pair.run('cil_from_container', `udp ${from}:40421 > ${server}:53`);
    pair.run('cil_from_container', `tcp ${service}:1 > ${server}:80 syn`);
    pair.run('cil_from_container', `tcp ${from}:40418 > ${service}:80 ack ttl=1`);
    const fromServer = { cb: [SERVER.identity, CLIENT.ifindex] };
    pair.run('cil_lxc_policy', `tcp ${server}:80 > ${from}:40418 syn ack`, fromServer);
    pair.run('cil_lxc_policy', `tcp ${server}:5000 > ${from}:8080 syn`, fromServer);
    pair.run('cil_lxc_policy', `tcp ${server}:5001 > ${from}:8080 syn`, { cb: [2, CLIENT.ifindex] });
    pair.run('cil_to_container', `tcp ${server}:5002 > ${from}:8080 syn`, { mark: (SERVER.identity << 16) | 0xf00 });
    pair.compareMaps();
  });

  test('answers of the router, ICMP and fragments', () => {
    pair = podPair();
    pair.run('cil_from_container', `arp who-has ${ROUTER1} tell ${CLIENT.address} eth=${CLIENT.mac}>ff:ff:ff:ff:ff:ff`);
    pair.run('cil_from_container', `icmp ${CLIENT.address} > ${SERVER.address} echo id=7 seq=1`);
    pair.run('cil_from_container', `icmp6 [${CLIENT.address6}] > [${SERVER.address6}] echo id=7 seq=1`);
    pair.run('cil_from_container', `icmp6 [${CLIENT.address6}] > [fd00::1] echo id=7 seq=1 "x"`);
    pair.run('cil_from_container', `icmp6 [${CLIENT.address6}] > [ff02::1:ff00:1] ns target=fd00::1`);
    pair.run('cil_from_container', `icmp6 [${CLIENT.address6}] > [ff02::1:ff00:2] ns target=fd00::2`);
    pair.run('cil_from_container', `udp ${CLIENT.address}:7 > ${SERVER.address}:99 id=5 frag=0+ "0123456789abcdef"`);
    pair.run('cil_from_container', `ip ${CLIENT.address} > ${SERVER.address} proto=17 id=5 frag=24 "x"`);
    pair.run('cil_from_container', `ip ${CLIENT.address} > ${SERVER.address} proto=17 id=6 frag=24 "x"`);
    pair.run('cil_from_container', `sctp ${CLIENT.address}:7 > ${SERVER.address}:99`);
    pair.run('cil_from_container', 'eth type=0x88cc "lldp"');
    pair.run('cil_from_container', buildPacket(`tcp ${CLIENT.address}:7 > ${SERVER.address}:80 syn`).slice(0, 40));
    pair.compareMaps();
  });

  test.each([
    ['IPv4', NODE1, '203.0.113.9', SERVER.address, CLIENT.address],
    ['IPv6', '[fd99::15]', '[2001:db8::9]', `[${SERVER.address6}]`, `[${CLIENT.address6}]`],
  ])('bpf_host: NodePort, masquerading, firewall, %s', (_, own, world, server, pod) => {
    const config: Config = {
      ...EVERYTHING,
      interface_ifindex: 1,
      interface_mac: { addr: [...parseMac('fa:28:00:14:3f:01')] },
      direct_routing_dev_ifindex: 1,
      direct_routing_ipv4: { addr: parseAddress(NODE1) },
      direct_routing_ipv6: address6('fd99::15'),
      nat_ipv4_masquerade: { addr: parseAddress(NODE1) },
      nat_ipv6_masquerade: address6('fd99::15'),
      router_ipv4: { addr: parseAddress(ROUTER1) },
      router_ipv6: address6('fd00::1'),
      encap_ifindex: ENCAP_IFINDEX,
    };
    const node = new Node(config);
    const object = node.load('host');
    const bare = (address: string): string => address.replace(/[[\]]/g, '');
    node.identity('0.0.0.0', 2, undefined, 0);
    node.identity('::', 2, undefined, 0);
    node.identity(bare(own), 1);
    node.identity(bare(server), SERVER.identity, NODE2);
    node.service({
      address: bare(own),
      port: 31000,
      index: 21,
      flags: 0x42,
      backends: [{ id: 5, address: bare(server), port: 8080 }],
    });
    node.set(
      'cilium_lxc',
      { ...(pod.startsWith('[') ? { ip6: address6(bare(pod)), family: 2 } : { ip4: pod, family: 1 }) },
      { ifindex: 9, lxc_id: 77, mac: 1n, node_mac: 2n },
    );
    node.policy(object, { direction: 'ingress', port: 22, protocol: 6 });
    pair = new Pair(node, object, 'host', config);
    pair.run('cil_from_netdev', `tcp ${world}:40000 > ${own}:31000 syn`);
    pair.run('cil_from_netdev', `tcp ${world}:40000 > ${own}:31000 ack`);
    pair.run('cil_from_netdev', `tcp ${server}:8080 > ${own}:40000 syn ack`);
    pair.run('cil_from_netdev', `tcp ${world}:50000 > ${own}:22 syn`);
    pair.run('cil_from_netdev', `tcp ${world}:50000 > ${own}:23 syn`);
    pair.run('cil_from_netdev', `tcp ${world}:50000 > ${pod}:80 syn`);
    pair.run('cil_from_netdev', 'eth type=0x88cc "lldp"');
    // Ports in the range of SNAT are kept, which spares the choice.
    const masqueraded = pair.run('cil_to_netdev', `tcp ${pod}:45000 > ${world}:443 syn`);
    expect(hex(masqueraded)).toContain(hex(parseAddress(bare(own))));
    pair.run('cil_to_netdev', `tcp ${own}:45001 > ${world}:443 syn`, { mark: 0xc00 });
    pair.run('cil_to_netdev', `tcp ${own}:22 > ${world}:50000 syn ack`, { mark: 0xc00 });
    pair.run('cil_from_host', `tcp ${own}:45002 > ${server}:80 syn`, { mark: 0xc00 });
    pair.run('cil_from_host', `tcp ${own}:45002 > ${server}:80 syn`, { mark: (4242 << 16) | 0xf00 });
    pair.run('cil_to_host', `tcp ${pod}:45002 > ${own}:22 syn`);
    pair.run('cil_to_host', `tcp ${pod}:45003 > ${own}:23 syn`, { cb: [0x993a0200] });
    pair.run('cil_host_policy', `tcp ${pod}:45004 > ${own}:24 syn`);
    pair.compareMaps();
  });

  test('bpf_overlay', () => {
    const config: Config = {
      ...EVERYTHING,
      encap_ifindex: ENCAP_IFINDEX,
      router_ipv4: { addr: parseAddress(ROUTER1) },
    };
    const node = new Node(config);
    pair = new Pair(node, node.load('overlay'), 'overlay', config);
    // Test runs have no tunnel key: a drop, on both sides.
    pair.run('cil_from_overlay', `tcp ${CLIENT.address}:1 > ${SERVER.address}:80 syn`);
    pair.run('cil_from_overlay', `tcp [${CLIENT.address6}]:1 > [${SERVER.address6}]:80 syn`);
    pair.run('cil_from_overlay', 'eth type=0x88cc "lldp"');
    pair.run('cil_to_overlay', `tcp ${CLIENT.address}:1 > ${SERVER.address}:80 syn`);
    pair.run('cil_to_overlay', `tcp ${ROUTER1}:45000 > ${SERVER.address}:80 syn`);
    pair.compareMaps();
  });

  test('from a device to a Pod: bpf_host calls the policy program of bpf_lxc', () => {
    const node = new Node(podConfig);
    const lxc = node.pod(CLIENT);
    const host = node.load('host');
    node.identity(SERVER.address, SERVER.identity, NODE2);
    pair = new Pair(node, lxc, 'lxc', podConfig);
    pair.kernel.load(configured('host', podConfig), { name: 'bpf_host.o' });
    const slot = new Uint8Array(4);
    new DataView(slot.buffer).setUint32(0, CLIENT.id, true);
    pair.kernel.setProgram('cilium_call_policy', slot, 'cil_lxc_policy');
    const both = new Proxy(pair, { get: (target, name) => (name === 'object' ? host : Reflect.get(target, name)) });
    for (const flags of ['syn', 'ack'])
      both.run('cil_from_netdev', `tcp ${SERVER.address}:4000 > ${CLIENT.address}:80 ${flags}`);
    pair.compareMaps();
  });
});
