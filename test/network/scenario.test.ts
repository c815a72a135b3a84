import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../src/errors.js';
import { resolveCluster } from '../../src/network/scenario/cluster.js';
import { readScenario } from '../../src/network/scenario/read.js';
import { bundledScenario, scenario, smallCluster } from '../support/scenarios.js';

/** The lines of the error that reading ends in. */
function problems(...lines: string[]): string[] {
  try {
    scenario(...lines);
  } catch (error) {
    return (error as Error).message.split('\n');
  }
  return [];
}

const NODE = 'nodes: { n: { addresses: [192.0.2.1/24], podCIDRs: [10.0.0.0/24] } }';

describe('errors of scenario files', () => {
  const cases: { name: string; lines: string[]; expected: string[] }[] = [
    {
      name: 'text that is no YAML',
      lines: ['name: x', 'nodes: [1'],
      expected: [expect.stringMatching(/^test\.yaml:2:\d+: Flow sequence/) as unknown as string],
    },
    {
      name: 'an empty file',
      lines: [''],
      expected: ['test.yaml: name: missing', 'test.yaml: nodes: missing'],
    },
    {
      name: 'a misspelt name',
      lines: ['name: x', 'nodes:', '  n:', '    adresses: [192.0.2.1/24]'],
      expected: ['test.yaml:4:5: nodes.n.adresses: unknown name adresses (did you mean addresses?)'],
    },
    {
      name: 'a misspelt name inside a list',
      lines: ['name: x', NODE, 'policies:', '  - endpointSelector: {}', '    ingress:', '      - toPort: []'],
      expected: ['test.yaml:6:9: policies[0].ingress[0].toPort: unknown name toPort (did you mean toPorts?)'],
    },
    {
      name: 'a value that is none of the allowed ones',
      lines: ['name: x', NODE, 'features:', '  routing: tunel'],
      expected: [
        'test.yaml:4:12: features.routing: expected one of tunnel, native, not "tunel" (did you mean tunnel?)',
      ],
    },
    {
      name: 'a wrong address',
      lines: ['name: x', NODE, 'pods:', '  p:', '    node: n', '    ipv4: 10.0.0.300'],
      expected: ['test.yaml:6:11: pods.p.ipv4: expected an IPv4 address such as 10.0.0.1, not "10.0.0.300"'],
    },
    {
      name: 'a number out of range',
      lines: ['name: x', NODE, 'services:', '  s: { clusterIPs: [10.9.0.1], ports: [{ port: 70000 }] }'],
      expected: ['test.yaml:4:48: services.s.ports[0].port: expected a port, 1..65535, not 70000'],
    },
    {
      name: 'a value of the wrong kind',
      lines: ['name: x', NODE, 'features:', '  socketLB: maybe'],
      expected: ['test.yaml:4:13: features.socketLB: expected true or false, not "maybe"'],
    },
    {
      name: 'names that refer to nothing',
      lines: ['name: x', NODE, 'pods:', '  p: { node: m }', 'flows:', '  - { from: { pod: q }, to: { service: s } }'],
      expected: [
        'test.yaml:4:14: pods.p.node: no node m (did you mean n?); there are: n',
        'test.yaml:6:20: flows[0].from.pod: no Pod q (did you mean p?); there are: p',
        'test.yaml:6:40: flows[0].to.service: no Service s; there are: none',
        'test.yaml:6:29: flows[0].to: expected a port for tcp',
      ],
    },
    {
      name: 'an address outside the node',
      lines: ['name: x', NODE, 'pods:', '  p: { node: n, ipv4: 10.1.0.1 }'],
      expected: ["test.yaml:4:23: pods.p.ipv4: 10.1.0.1 lies outside n's podCIDRs 10.0.0.0/24"],
    },
    {
      name: 'an address given twice',
      lines: ['name: x', NODE, 'pods:', '  p: { node: n, ipv4: 10.0.0.9 }', '  q: { node: n, ipv4: 10.0.0.9 }'],
      expected: ["test.yaml:5:23: pods.q.ipv4: address 10.0.0.9 is already p's"],
    },
    {
      name: 'a Service port that does not exist',
      lines: [
        'name: x',
        NODE,
        'pods: { p: { node: n } }',
        'services: { s: { clusterIPs: [10.9.0.1], ports: [{ port: 80 }] } }',
        'flows:',
        '  - { from: { pod: p }, to: { service: s, port: 81 } }',
      ],
      expected: ['test.yaml:6:49: flows[0].to.port: Service s has no tcp port 81; there are: 80'],
    },
    {
      name: 'a flow with two ends at once',
      lines: ['name: x', NODE, 'flows:', '  - { from: { pod: p, node: n }, to: { address: 192.0.2.9, port: 1 } }'],
      expected: ['test.yaml:4:13: flows[0].from: expected one of pod, external, node'],
    },
  ];
  it.each(cases)('$name', ({ lines, expected }) => {
    expect(problems(...lines)).toEqual(expected);
  });

  it('are UsageErrors whatever the text', () => {
    const text = bundledScenario('pod-to-service');
    const edit = fc.record({
      at: fc.nat(text.length),
      length: fc.nat(12),
      insert: fc.oneof(
        fc.string({ maxLength: 6 }),
        fc.constantFrom('[', '{', '- ', ': ', '&a ', '*a', '!!x ', '-1', '1e99'),
      ),
    });
    fc.assert(
      fc.property(edit, ({ at, length, insert }) => {
        try {
          resolveCluster(readScenario(text.slice(0, at) + insert + text.slice(at + length), 'edited.yaml'));
        } catch (error) {
          expect(error).toBeInstanceOf(UsageError);
        }
      }),
    );
  });

  it('lists the first ten problems', () => {
    const many = Array.from({ length: 14 }, (_, i) => `  p${i}: { node: m }`);
    const found = problems('name: x', NODE, 'pods:', ...many);
    expect(found).toHaveLength(11);
    expect(found[10]).toBe('and 4 more problems');
  });
});

describe('defaults', () => {
  const cluster = resolveCluster(
    scenario('name: x', NODE, 'pods:', '  p: { node: n }', '  q: { node: n }', '  r: { node: n, labels: { app: p } }'),
  );

  it('gives Pods addresses, ids, identities and devices', () => {
    const [p, q, r] = cluster.endpoints;
    expect(p).toMatchObject({ ipv4: '10.0.0.10', labels: { app: 'p' }, id: 101, mtu: 1500 });
    expect(q).toMatchObject({ ipv4: '10.0.0.11', id: 102 });
    expect(p!.identity).toBeGreaterThanOrEqual(256);
    expect(q!.identity).not.toBe(p!.identity);
    expect(r!.identity).toBe(p!.identity);
    expect(p!.hostInterface.name).toMatch(/^lxc[0-9a-f]{12}$/);
    expect(p!.hostInterface.mac).not.toBe(p!.interface.mac);
    expect(Number.parseInt(p!.interface.mac, 16) & 3).toBe(2);
    expect(p!.routes).toEqual([
      { to: '10.0.0.1/32', device: 'eth0' },
      { to: '0.0.0.0/0', via: '10.0.0.1', device: 'eth0', mtu: 1450 },
    ]);
  });

  it('gives nodes their devices, routes and rules', () => {
    const [node] = cluster.nodes;
    expect(node!.devices.map(({ name, ifindex }) => [name, ifindex])).toEqual([['eth0', 2]]);
    expect([node!.ciliumNet.ifindex, node!.ciliumHost.ifindex, node!.tunnelDevice?.ifindex]).toEqual([3, 4, 5]);
    expect(node!.tunnelDevice?.name).toBe('cilium_vxlan');
    expect(node!.routerIPv4).toBe('10.0.0.1');
    expect(node!.rules.map(({ priority }) => priority)).toEqual([9, 100, 32766, 32767]);
    expect(node!.routes).toContainEqual({
      to: '10.0.0.0/24',
      via: '10.0.0.1',
      device: 'cilium_host',
      source: '10.0.0.1',
    });
  });

  it('are the same every time', () => {
    const text = ['name: x', NODE, 'pods: { p: { node: n } }'];
    expect(resolveCluster(scenario(...text))).toEqual(resolveCluster(scenario(...text)));
  });

  it('turns per-packet LB on where socket LB is off', () => {
    expect(smallCluster().features.perPacketLB).toBe(false);
    expect(smallCluster('features: { socketLB: false }').features.perPacketLB).toBe(true);
  });

  it('sends remote Pods to their node with native routing', () => {
    const { nodes } = smallCluster('features: { routing: native }');
    expect(nodes[0]!.tunnelDevice).toBeUndefined();
    expect(nodes[0]!.routes).toContainEqual({ to: '10.0.2.0/24', via: '192.168.0.2', device: 'eth0' });
  });

  it('changes neighbours as overrides say', () => {
    const text = bundledScenario('pod-to-service');
    const overrides =
      'overrides: { node1: { neighbours: { delete: [192.168.1.13], set: [{ address: 192.168.1.1, mac: 02:00:00:00:00:01, device: eth0 }] } } }';
    const { nodes } = resolveCluster(readScenario(`${text}\n${overrides}`, 'test.yaml'));
    expect(nodes[0]!.neighbours).toEqual([{ address: '192.168.1.1', mac: '02:00:00:00:00:01', device: 'eth0' }]);
    expect(nodes[1]!.neighbours).toHaveLength(2);
  });

  it('needs an address to give', () => {
    const given = scenario('name: x', 'nodes: { n: { addresses: [192.0.2.1/24] } }', 'pods: { p: { node: n } }');
    expect(() => resolveCluster(given)).toThrow(/Pod p gets no IPv4 address.*podCIDRs/);
  });
});

describe('Services', () => {
  const cluster = smallCluster(
    'services:',
    '  web:',
    '    clusterIPs: [172.16.0.1]',
    '    ports: [{ port: 80, targetPort: 8080, nodePort: 30080 }]',
    '    selector: { app: server }',
    '    loadBalancerIPs: [198.51.100.1]',
    '    sourceRanges: [203.0.113.0/24]',
    '  db:',
    '    clusterIPs: [172.16.0.2]',
    '    ports: [{ port: 5432 }, { port: 53, protocol: UDP }]',
    '    backends: [{ pod: other }, { address: 192.0.2.9, port: 5433, state: terminating }]',
    '    id: 3',
  );

  it('has a frontend for every address, NodePorts on every node', () => {
    const found = cluster.frontends.map(({ service, kind, address, port, node }) =>
      [service, kind, address, port, node ?? '*'].join(' '),
    );
    expect(found).toEqual([
      'web ClusterIP 172.16.0.1 80 *',
      'web NodePort 0.0.0.0 30080 a',
      'web NodePort 192.168.0.1 30080 a',
      'web NodePort 0.0.0.0 30080 b',
      'web NodePort 192.168.0.2 30080 b',
      'web LoadBalancer 198.51.100.1 80 *',
      'db ClusterIP 172.16.0.2 5432 *',
      'db ClusterIP 172.16.0.2 53 *',
    ]);
  });

  it('numbers frontends and backends without collisions', () => {
    const ids = cluster.frontends.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(cluster.frontends.find(({ port }) => port === 5432)?.id).toBe(3);
    expect(cluster.backends.map(({ id, address, port }) => [id, address, port])).toEqual([
      [1, '10.0.2.7', 8080],
      [2, '10.0.2.8', 5432],
      [3, '192.0.2.9', 5433],
      [4, '10.0.2.8', 53],
      [5, '192.0.2.9', 5433],
    ]);
  });

  it('limits sources of LoadBalancer addresses alone', () => {
    for (const { kind, sourceRanges } of cluster.frontends)
      if (kind !== 'LoadBalancer') expect(sourceRanges).toEqual([]);
    expect(cluster.frontends.find(({ kind }) => kind === 'LoadBalancer')?.sourceRanges).toEqual(['203.0.113.0/24']);
  });
});

describe('the bundled scenario', () => {
  const cluster = resolveCluster(readScenario(bundledScenario('pod-to-service'), 'pod-to-service.yaml'));

  it('is the cluster of the captured request', () => {
    const [node1, node2] = cluster.nodes;
    expect(node1).toMatchObject({ ipv4: '192.168.1.15', routerIPv4: '10.0.0.175' });
    expect(node2).toMatchObject({ ipv4: '192.168.1.13', routerIPv4: '10.0.1.172' });
    const [network, nginx] = cluster.endpoints;
    expect(network).toMatchObject({
      ipv4: '10.0.0.250',
      interface: { ifindex: 19, mac: 'b6:48:79:16:47:7a' },
      hostInterface: { name: 'lxc7d69da958e9b', ifindex: 20, mac: '66:94:e5:1d:37:df' },
    });
    expect(nginx).toMatchObject({ ipv4: '10.0.1.60', hostInterface: { ifindex: 16, mac: 'fa:fb:bb:ab:82:72' } });
    expect(cluster.frontends).toMatchObject([
      { address: '172.16.16.87', port: 80, kind: 'ClusterIP', backends: [{ address: '10.0.1.60', port: 80 }] },
    ]);
  });

  it('plays ten packets whose sequence numbers fit together', () => {
    const packets = cluster.flows[0]!.packets!;
    expect(packets.map(({ from, flags }) => `${from} ${flags}`)).toEqual([
      'client S',
      'server S.',
      'client .',
      'client P.',
      'server .',
      'server P.',
      'client .',
      'client F.',
      'server F.',
      'client .',
    ]);
    expect(packets.map(({ payload }) => payload?.length ?? 0)).toEqual([0, 0, 0, 77, 0, 238, 0, 0, 0, 0]);
    const next = { client: 3978619682, server: 3647241102 };
    for (const { from, flags, seq, ack, payload } of packets) {
      const peer = from === 'client' ? 'server' : 'client';
      expect(seq).toBe(next[from]);
      if (flags !== 'S') expect(ack).toBe(next[peer]);
      next[from] += (payload?.length ?? 0) + (/[SF]/.test(flags!) ? 1 : 0);
    }
  });
});
