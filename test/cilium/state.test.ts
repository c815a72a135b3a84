import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { hexOf } from '../../src/btf/bytes.js';
import { loadPlan } from '../../src/cilium/state/load.js';
import { canonicalMapName } from '../../src/cilium/state/map-names.js';
import type { ObjectSpecs } from '../../src/cilium/state/node-objects.js';
import { planNode } from '../../src/cilium/state/plan.js';
import { Machine } from '../../src/machine/machine.js';
import { loadObject } from '../../src/object/load.js';
import type { ObjectSpec } from '../../src/object/spec.js';
import { smallCluster } from '../support/scenarios.js';

function object(name: string): ObjectSpec {
  return loadObject(readFileSync(new URL(`../../bpf-objects/${name}.o`, import.meta.url)), { name });
}

const V113: ObjectSpecs = { lxc: object('layouts-1-13'), overlay: object('layouts-1-13') };
const V120: ObjectSpecs = { lxc: object('layouts-1-20') };

const SERVICE = [
  'services:',
  '  web:',
  '    clusterIPs: [10.96.0.10]',
  '    ports: [{ port: 80, targetPort: 8080 }]',
  '    backends: [{ pod: other }, { pod: server, state: terminating }, { address: 192.0.2.7 }]',
  '    id: 5',
];

/** Plans and loads a node; `dump` gives a map's elements in hex, by its canonical name. */
function load(node: string, specs: ObjectSpecs, ...lines: string[]) {
  const cluster = smallCluster(...lines);
  const plan = planNode(cluster, node, specs);
  const machine = Machine.create();
  const instances = loadPlan(machine, plan, specs);
  const dump = (canonical: string, instance = instances[0]!): Record<string, string> => {
    const map = [...instance.object.maps.values()].find(
      ({ name, type }) => canonicalMapName(name, type) === canonical,
    )!;
    return Object.fromEntries([...map.entryBytes()].map(([key, value]) => [hexOf(key), hexOf(value)]));
  };
  const instance = (name: string) => instances.find((candidate) => candidate.plan.name === name)!;
  return { plan, machine, dump, instance };
}

const hex = (text: string): string => text.replaceAll(' ', '');
const zeros = (bytes: number): string => '00'.repeat(bytes);

describe('map contents of 1.13', () => {
  // The least that a node needs: client 10.0.1.5, Service 10.96.0.10:80 with rev_nat_index 5, backend id 3.
  const lines = [
    'services:',
    '  first: { clusterIPs: [10.96.0.1], ports: [{ port: 1 }], backends: [{ address: 192.0.2.1 }, { address: 192.0.2.2 }] }',
    '  web: { clusterIPs: [10.96.0.10], ports: [{ port: 80, targetPort: 8080 }], backends: [{ pod: server }], id: 5 }',
  ];
  const client = load('a', V113, ...lines);
  const server = load('b', V113, ...lines);

  it('translates the Service', () => {
    const services = client.dump('cilium_lb4_services_v2');
    expect(services[hex('0a60000a 0050 0000 00 00 0000')]).toBe(hex('00000000 0100 0500 00 00 0000'));
    expect(services[hex('0a60000a 0050 0100 00 00 0000')]).toBe(hex('03000000 0000 0500 00 00 0000'));
    expect(client.dump('cilium_lb4_backends')['03000000']).toBe(hex('0a000207 1f90 00 00'));
    expect(client.dump('cilium_lb4_reverse_nat')['0500']).toBe(hex('0a60000a 0050'));
  });

  it('knows identity and node of addresses', () => {
    const ipcache = client.dump('cilium_ipcache');
    expect(ipcache[hex('40000000 00000001 0a000207') + zeros(12)]).toBe(hex('d2040000 c0a80002 00 000000'));
    expect(ipcache[hex('20000000 00000001') + zeros(16)]).toBe(hex('02000000 00000000 00 000000'));
    expect(ipcache[hex('40000000 00000001 c0a80001') + zeros(12)]).toBe(hex('01000000 00000000 00 000000'));
    expect(ipcache[hex('40000000 00000001 c0a80002') + zeros(12)]).toBe(hex('06000000 00000000 00 000000'));
    expect(server.dump('cilium_ipcache')[hex('40000000 00000001 0a000105') + zeros(12)]).toBe(
      hex('e8030000 c0a80001 00 000000'),
    );
    expect(client.dump('cilium_tunnel_map')).toEqual({
      [hex('0a000200') + zeros(12) + hex('01 00 0000')]: hex('c0a80002') + zeros(12) + hex('01 00 0000'),
    });
  });

  it('allows everything without policies', () => {
    expect(client.dump('cilium_policy', client.instance('lxc client'))).toEqual({
      [zeros(8)]: zeros(24),
      [hex('00000000 0000 00 01')]: zeros(24),
    });
  });

  it('finds the Pod and its policy program', () => {
    const endpoint = server.instance('lxc server');
    const [pod] = server.plan.instances.filter(({ name }) => name === 'lxc server');
    const { hostInterface, interface: inside } = smallCluster().endpoints[1]!;
    const mac = (text: string) => `${text.replaceAll(':', '')}0000`;
    expect(server.dump('cilium_lxc')[hex('0a000207') + zeros(12) + hex('01 00 0000')]).toBe(
      `${hostInterface.ifindex.toString(16)}000000${hex('0000 0c00 00000000 00000000')}${mac(inside.mac)}${mac(hostInterface.mac)}${zeros(16)}`,
    );
    expect(pod!.policySlots).toEqual([{ map: 'test_cilium_policy', slot: 12, program: 'handle_policy' }]);
    expect(endpoint.object.map('test_cilium_policy').get(12)).toBe('handle_policy');
    expect(server.dump('cilium_lxc')[hex('c0a80002') + zeros(12) + hex('01 00 0000')]).toBe(
      hex('00000000 0000 0000 01000000') + zeros(36),
    );
  });

  it('writes denied and redirected ports in network order', () => {
    const { dump, instance } = load(
      'b',
      V113,
      'policies:',
      '  - endpointSelector: { matchLabels: { app: server } }',
      '    ingress:',
      '      - toPorts: [{ ports: [{ port: 80, protocol: TCP }], proxyPort: 9000 }]',
      '    ingressDeny:',
      '      - { fromEndpoints: [{ matchLabels: { app: client } }] }',
    );
    const found = dump('cilium_policy', instance('lxc server'));
    expect(found[hex('00000000 0050 06 00')]).toBe(hex('2328 00') + zeros(21));
    expect(found[hex('e8030000 0050 06 00')]).toBe(hex('0000 01') + zeros(21));
    expect(found[hex('e8030000 0000 00 00')]).toBe(hex('0000 01') + zeros(21));
    expect(dump('cilium_policy', instance('lxc other'))[zeros(8)]).toBe(zeros(24));
  });

  it('refuses port ranges that the map has no room for', () => {
    const range = [
      'policies:',
      '  - endpointSelector: {}',
      '    ingress: [{ toPorts: [{ ports: [{ port: 1, endPort: 200, protocol: TCP }] }] }]',
    ];
    expect(() => planNode(smallCluster(...range), 'a', V113)).toThrow(/202 entries.*holds 64/);
  });

  it('gives addresses in the order of memory, and each Pod its own constants', () => {
    expect(client.plan.instances.find(({ object }) => object === 'lxc')?.config).toMatchObject({
      LXC_ID: 11,
      LXC_IPV4: '10.0.1.5',
      SECLABEL: 1000,
      SECLABEL_NB: 0xe8030000,
    });
    const { object } = client.instance('lxc client');
    expect(object.getVariable('LXC_IPV4')).toBe(0x0501000a);
    const mac = smallCluster().endpoints[0]!.hostInterface.mac.replaceAll(':', '');
    const word = (name: string) => Number(object.getVariable(name)) >>> 0;
    const bytes = new DataView(new ArrayBuffer(8));
    bytes.setUint32(0, word('NODE_MAC_1'), true);
    bytes.setUint32(4, word('NODE_MAC_2'), true);
    expect(hexOf(new Uint8Array(bytes.buffer))).toBe(`${mac}0000`);
  });

  it('reads what is compiled in and makes room for it', () => {
    expect(client.plan.constants).toMatchObject({ encapIfindex: 20, hostIfindex: 1, hostEndpointId: 0x1092 });
    const index = (name: string) => client.plan.devices.get(name)?.ifindex;
    expect([index('cilium_vxlan'), index('cilium_host'), index('eth0')]).toEqual([20, 1, 2]);
    expect(index('lo')).toBeGreaterThan(1000);
  });

  it('can be told what is compiled in', () => {
    const { plan } = load('a', V113, 'overrides: { a: { objectConstants: { encapIfindex: 7 } } }');
    expect(plan.devices.get('cilium_vxlan')?.ifindex).toBe(7);
  });
});

describe('map contents of 1.20', () => {
  it('has tunnel flags in ipcache, and precedence in policies', () => {
    const { dump } = load('a', V120);
    expect(dump('cilium_ipcache')[hex('40000000 0000 00 01 0a000207') + zeros(12)]).toBe(
      hex('d2040000 c0a80002') + zeros(12) + hex('0000 00 02'),
    );
    expect(dump('cilium_policy')).toEqual({
      [hex('28000000 00000000 00 00 0000')]: hex('0000 00 00 01ffffff 00000000'),
      [hex('28000000 00000000 01 00 0000')]: hex('0000 00 00 01ffffff 00000000'),
    });
  });

  it('keeps prefix lengths of ports', () => {
    const { dump, instance } = load(
      'b',
      V120,
      'policies:',
      '  - endpointSelector: { matchLabels: { app: server } }',
      '    ingress: [{ toPorts: [{ ports: [{ port: 80, endPort: 95, protocol: TCP }] }] }]',
      '    ingressDeny: [{ fromEntities: [world] }]',
    );
    const found = dump('cilium_policy', instance('lxc server'));
    // 40 fixed bits, 8 of the protocol, 12 of the port; the value repeats the last two.
    expect(found[hex('3c000000 00000000 00 06 0050')]).toBe(hex('0000 a0 00 01ffffff 00000000'));
    expect(found[hex('28000000 02000000 00 00 0000')]).toBe(hex('0000 01 00 ffffffff 00000000'));
    expect(found[hex('3c000000 02000000 00 06 0050')]).toBe(hex('0000 a1 00 ffffffff 00000000'));
  });

  it('keys Services by protocol and leaves native prefixes out of the tunnel', () => {
    const { dump } = load('a', V120, ...SERVICE, 'features: { routing: native }');
    expect(dump('cilium_lb4_services_v2')[hex('0a60000a 0050 0000 06 00 0000')]).toBe(
      hex('00000001 0200 0500 00 00 0000'),
    );
    expect(dump('cilium_ipcache')[hex('40000000 0000 00 01 0a000207') + zeros(12)]).toBe(
      hex('d2040000 c0a80002') + zeros(12) + hex('0000 00 03'),
    );
  });

  it('tells the families of the world apart with both', () => {
    const { dump } = load('a', V120, 'features: { ipv6: true }');
    const ipcache = dump('cilium_ipcache');
    expect(ipcache[hex('20000000 0000 00 01') + zeros(16)]).toBe(hex('09000000') + zeros(20));
    expect(ipcache[hex('20000000 0000 00 02') + zeros(16)]).toBe(hex('0a000000') + zeros(20));
    expect(ipcache[`${hex('a0000000 0000 00 02 fd000002') + zeros(11)}0a`]).toBe(
      hex('d2040000 c0a80002') + zeros(12) + hex('0000 00 02'),
    );
  });

  it('fills Maglev tables with the usable backends', () => {
    const maglev = 'features: { loadBalancer: { algorithm: maglev } }';
    const { machine, instance, dump } = load('a', V120, ...SERVICE, maglev);
    expect(dump('cilium_lb4_services_v2')[hex('0a60000a 0050 0000 06 00 0000')]).toBe(
      hex('00000002 0200 0500 00 00 0000'),
    );
    const outer = instance('lxc client').object.map('cilium_lb4_maglev');
    expect(outer.get(5)).toBe('cilium_lb4_maglev[5]');
    const table = new Uint32Array(machine.map('cilium_lb4_maglev[5]').getBytes(new Uint8Array(4))!.buffer);
    expect(new Set(table)).toEqual(new Set([1, 3]));
  });

  it('attaches by era: endpoint routes, egress policy programs', () => {
    const { plan } = load('a', V120, 'features: { endpointRoutes: true }');
    const [pod] = plan.instances;
    const device = smallCluster().endpoints[0]!.hostInterface.name;
    expect(pod!.attach).toEqual([
      { program: 'cil_from_container', device, hook: 'tc-ingress' },
      { program: 'cil_to_container', device, hook: 'tc-egress' },
    ]);
    expect(pod!.policySlots).toEqual([
      { map: 'cilium_call_policy', slot: 11, program: 'cil_lxc_policy' },
      { map: 'cilium_egresscall_policy', slot: 11, program: 'cil_lxc_policy_egress' },
    ]);
    expect(pod!.config).toMatchObject({ endpoint_id: 11, endpoint_ipv4: '10.0.1.5', cilium_host_ifindex: 4 });
  });
});

describe('instances', () => {
  it('share maps but not policies', () => {
    const { instance } = load('b', V113);
    const [server, other] = [instance('lxc server').object, instance('lxc other').object];
    expect(server.map('test_cilium_ipcache')).toBe(other.map('test_cilium_ipcache'));
    expect(server.map('test_cilium_policy')).toBe(other.map('test_cilium_policy'));
    expect(server.map('test_cilium_policy_65535')).not.toBe(other.map('test_cilium_policy_65535'));
    expect(server.map('test_cilium_policy').get(12)).toBe('handle_policy');
    expect(server.map('test_cilium_policy').get(13)).toBe('handle_policy');
  });

  it('come in the order host, overlay, Pods', () => {
    expect(load('b', V113).plan.instances.map(({ name }) => name)).toEqual(['overlay', 'lxc server', 'lxc other']);
  });
});

describe('overrides', () => {
  it('remove, add and replace elements by the canonical name of a map', () => {
    const { dump, instance } = load(
      'a',
      V113,
      'overrides:',
      '  a:',
      '    maps:',
      '      cilium_ipcache:',
      '        delete: [{ ip4: 10.0.2.7 }]',
      '        set: [{ key: { lpm_key: { prefixlen: 64 }, family: 1, ip4: 10.0.2.8 }, value: { sec_label: 77 } }]',
      '      cilium_policy: { clear: true }',
      '    config: { SECLABEL: 99, unknown_here: 1 }',
    );
    const ipcache = dump('cilium_ipcache');
    expect(ipcache[hex('40000000 00000001 0a000207') + zeros(12)]).toBeUndefined();
    expect(ipcache[hex('40000000 00000001 0a000208') + zeros(12)]).toBe(hex('4d000000 00000000 00 000000'));
    expect(dump('cilium_policy', instance('lxc client'))).toEqual({});
  });

  it('change constants', () => {
    const { plan } = load('a', V113, 'overrides: { a: { config: { SECLABEL: 99 } } }');
    expect(plan.instances.find(({ object }) => object === 'lxc')?.config.SECLABEL).toBe(99);
  });

  it('empty tail-call slots', () => {
    const { instance } = load('b', V113, 'overrides: { b: { emptySlots: [handle_policy] } }');
    expect(instance('lxc server').object.map('test_cilium_policy').get(12)).toBeUndefined();
  });

  it('refuses a program that no object has in emptySlots', () => {
    const cluster = smallCluster('overrides: { a: { emptySlots: [handle_polcy] } }');
    expect(() => planNode(cluster, 'a', V113)).toThrow(
      /overrides of a: emptySlots: no object has a program handle_polcy \(did you mean handle_policy\?\)/,
    );
  });

  it('name maps that exist', () => {
    const cluster = smallCluster('overrides: { a: { maps: { cilium_ipcash: { clear: true } } } }');
    expect(() => planNode(cluster, 'a', V113)).toThrow(
      /no object has a map cilium_ipcash \(did you mean cilium_ipcache\?\)/,
    );
  });
});

describe('map names', () => {
  it.each([
    ['test_cilium_policy', 3, 'cilium_call_policy'],
    ['test_cilium_policy_65535', 1, 'cilium_policy'],
    ['cilium_policy_01234', 1, 'cilium_policy'],
    ['cilium_policy_v2_00042', 11, 'cilium_policy'],
    ['cilium_calls_netdev_00003', 3, 'cilium_calls'],
    ['cilium_calls_overlay_2', 3, 'cilium_calls'],
    ['POLICY_EGRESSCALL_MAP', 3, 'cilium_egresscall_policy'],
    ['test_cilium_ct_tcp4_65535', 9, 'cilium_ct4_global'],
    ['cilium_ct_any6_global', 9, 'cilium_ct_any6_global'],
    ['test_cilium_lb4_maglev_outer', 13, 'cilium_lb4_maglev'],
    ['cilium_lb6_backends_v3', 1, 'cilium_lb6_backends'],
  ])('%s of type %i is %s', (name, type, expected) => {
    expect(canonicalMapName(name, type)).toBe(expected);
  });
});
