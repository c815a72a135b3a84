import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isPcap, readPcap } from '../../src/packet/pcap.js';
import { type CommandResult, inTemporaryFolder, offkernel, ROOT } from '../support/command.js';

const HAS_XMLLINT = spawnSync('xmllint', ['--version']).error === undefined;
if (!HAS_XMLLINT) console.warn('walk --svg not checked with xmllint: not installed');

const walk = (...args: string[]): CommandResult => offkernel(['walk', ...args]);

/** A scenario of one's own, on top of the bundled one. */
const derived = (...lines: string[]): string =>
  [`extends: ${join(ROOT, 'scenarios/pod-to-service.yaml')}`, 'name: own', ...lines, ''].join('\n');

describe('the bundled scenario', () => {
  const { code, stdout, stderr } = walk();

  test('walks ten packets there and back', () => {
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toBe('pod-to-service');
    expect(lines.filter((line) => /^\d+ {2}IP /.test(line))).toHaveLength(10);
    expect(lines.at(-1)).toBe('curl: complete, 10 of 10 packets arrived (expected: delivered)');
    expect(stdout).toContain('cil_sock4_connect: 172.16.16.87:80 -> 10.0.1.60:80');
    expect(stdout).not.toContain('\u001b');
  });

  test('says more with --verbose', () => {
    const verbose = walk('-v');
    expect(verbose.code).toBe(0);
    expect(verbose.stdout).toContain(
      '        Service 172.16.16.87:80 (Service nginx) -> backend 10.0.1.60:80 (nginx)\n',
    );
    expect(verbose.stdout).toContain(
      'read cilium_ipcache[{ .lpm_key = { .prefixlen = 64 }, .family = 1, .ip4 = 10.0.1.60 }] = { .sec_label = 1002, .tunnel_endpoint = 192.168.1.13, .key = 0 }\n',
    );
    expect(verbose.stdout.length).toBeGreaterThan(2 * stdout.length);
  });

  test('is the same every time', () => {
    expect(walk('pod-to-service').stdout).toBe(stdout);
  });
});

describe('exit codes', () => {
  test('1 for a flow that does not end as the scenario expects', () => {
    inTemporaryFolder((folder) => {
      const file = join(folder, 'own.yaml');
      writeFileSync(
        file,
        derived(
          'flows:',
          '  - { name: a, from: { pod: network }, to: { service: nginx, port: 80 }, expect: { verdict: dropped, reason: POLICY } }',
        ),
      );
      const { code, stdout } = walk(file);
      expect(code).toBe(1);
      expect(stdout).toMatch(/\na: complete, 10 of 10 packets arrived \(not as expected: dropped: POLICY\)\n$/);
    });
  });

  test('2 for a misspelt name, with its place', () => {
    inTemporaryFolder((folder) => {
      const file = join(folder, 'own.yaml');
      writeFileSync(
        file,
        derived('featurs: { ipv6: true }', 'flows:', '  - { from: { pod: network }, to: { pod: nginx, prt: 80 } }'),
      );
      const { code, stdout, stderr } = walk(file);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
      expect(stderr).toContain(`${file}:3:1: featurs: unknown name featurs (did you mean features?)`);
      expect(stderr).toContain(`${file}:5:49: flows[0].to.prt: unknown name prt (did you mean port?)`);
    });
  });

  test.each<[string, string[], string]>([
    ['scenario', ['pod-to-servic'], '(did you mean pod-to-service?)'],
    ['flow', ['--flow', 'crl'], 'no flow crl (did you mean curl?); there are: curl'],
    ['node', ['--explain', 'node3'], "no host is named 'node3' (did you mean node1?); there are: node1, node2"],
    ['device to explain', ['--explain', 'node1/cilium_vxla'], '(did you mean cilium_vxlan?)'],
    ['device to listen on', ['--tcpdump', 'node1-eth'], 'nothing passed a device node1-eth (did you mean node1-eth0?)'],
    ['node of objects', ['--objects', 'nod2=.'], '--objects: no node nod2 (did you mean node2?)'],
    ['objects', ['--objects', 'src'], 'src has no bpf_lxc.o, which a walk cannot do without'],
    ['option', ['--verbos'], '(Did you mean --verbose?)'],
  ])('2 for an unknown %s', (_, args, message) => {
    const { code, stdout, stderr } = walk(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(message);
  });
});

describe('--json', () => {
  type Json = Record<string, unknown>;
  interface Account extends Json {
    calls: Json[];
    packets: (Json & { steps: Json[] })[];
    flows: Json[];
  }
  const { code, stdout } = walk('per-packet-lb', '--json');
  const account = JSON.parse(stdout) as Account;
  const broken = JSON.parse(walk('broken/egress-policy', '--json').stdout) as Account;
  const steps = (kind: string, from = account): Json[] =>
    from.packets.flatMap((packet) => packet.steps).filter((step) => step.kind === kind);

  /** The lines of docs/commands.md between a heading and the next one. */
  const documented = (() => {
    const text = readFileSync(join(ROOT, 'docs/commands.md'), 'utf8');
    return text.split('## `walk --json`')[1]!.split('\n## ')[0]!;
  })();
  /** Field names that a line of a table lists in backquotes. */
  const fieldsOf = (row: RegExp): string[] => {
    const line = documented.split('\n').find((candidate) => row.test(candidate))!;
    const cell = line.split('|')[2]!.replace(/\([^()]*(\([^()]*\)[^()]*)*\)/g, '');
    return [...cell.matchAll(/`(\w+)(?:\[\])?`/g)].map(([, name]) => name!);
  };

  test('is one object with the documented parts', () => {
    expect(code).toBe(0);
    expect(Object.keys(account)).toEqual(['title', 'description', 'calls', 'packets', 'flows']);
    expect(Object.keys(account.packets[0]!)).toEqual([...fieldsOf(/^\| `packets\[\]`/), 'steps']);
    expect(Object.keys(account.flows[0]!)).toEqual(fieldsOf(/^\| `flows\[\]`/));
    expect(account.flows[0]).toEqual({
      ...{ name: 'curl', completed: true, sent: 10, arrived: 10, error: null },
      ...{ expected: 'delivered', asExpected: true },
    });
    expect(account.packets.filter(({ number }) => number !== 0).map(({ number }) => number)).toEqual([
      ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    ]);
    expect(account.packets.at(-1)).toMatchObject({ resolution: false, end: 'delivered', answers: null });
  });

  test.each(['hook', 'route', 'neighbour', 'encapsulate', 'transmit'])(
    'steps of kind %s have the documented fields',
    (kind) => {
      const [step] = steps(kind);
      const common = ['time', 'host', 'namespace', 'device', 'kind'];
      const own = fieldsOf(new RegExp(`^\\| \`${kind}\``));
      expect(Object.keys(step!)).toEqual([...common, ...own, 'text', 'bytes']);
      expect(step!.time).toMatch(/^\d+$/);
      expect(step!.bytes).toMatch(/^([0-9a-f]{2})+$/);
    },
  );

  test('a drop has the documented fields', () => {
    const [step] = steps('drop', broken);
    expect(Object.keys(step!).slice(5, -2)).toEqual(fieldsOf(/^\| `drop`/));
    expect(step).toMatchObject({
      reason: 'POLICY (133)',
      code: 133,
      source: expect.stringMatching(/^bpf_lxc\.c:\d+$/) as unknown,
    });
    expect(broken.packets.at(-1)).toMatchObject({ end: 'dropped' });
  });

  test('a hook says what it did', () => {
    const [hook] = steps('hook') as (Json & { accesses: Json[]; maps: Json[]; events: Json[]; notes: string[] })[];
    expect(hook).toMatchObject({
      ...{ hook: 'tc ingress', direction: 'ingress', program: 'cil_from_container', verdict: 'TC_ACT_REDIRECT' },
      ...{ redirect: 'cilium_vxlan', answer: null, fault: null },
      tailCalls: ['tail_handle_ipv4', 'tail_ipv4_ct_egress', 'tail_handle_ipv4_cont'],
    });
    expect(hook!.notes).toContain(
      'Service 172.16.16.87:80 (Service nginx) -> backend 10.0.1.60:80 (nginx), new connection',
    );
    expect(Object.keys(hook!.accesses[0]!)).toEqual(['map', 'operation', 'key', 'value', 'error']);
    expect(Object.keys(hook!.maps[0]!)).toEqual(['map', 'key', 'before', 'after']);
    expect(hook!.events.map(({ type }) => type)).toEqual(expect.arrayContaining(['trace', 'policy-verdict']));
  });

  test('calls without a packet', () => {
    const { calls } = JSON.parse(walk('broken/egress-policy', '--json').stdout) as Account;
    expect(calls).toHaveLength(1);
    expect(calls[0]).toMatchObject({
      ...{ hook: 'connect4', host: 'node1', namespace: 'network', allowed: true, verdict: 'ALLOW' },
      before: { address: '172.16.16.87', port: 80 },
      after: { address: '10.0.1.60', port: 80 },
    });
  });
});

describe('files and listings', () => {
  test('--pcap writes a capture for every device, --svg a picture', () => {
    inTemporaryFolder((folder) => {
      const captures = join(folder, 'new/captures');
      const svg = join(folder, 'path.svg');
      expect(walk('--pcap', captures, '--svg', svg).code).toBe(0);
      expect(readdirSync(captures).sort()).toEqual([
        ...['node1-cilium_vxlan.pcap', 'node1-eth0.pcap', 'node1-lxc7d69da958e9b.pcap', 'node1-network-eth0.pcap'],
        ...['node2-cilium_vxlan.pcap', 'node2-eth0.pcap', 'node2-lxc493a9120593a.pcap', 'node2-nginx-eth0.pcap'],
      ]);
      for (const file of readdirSync(captures)) {
        const bytes = readFileSync(join(captures, file));
        expect(isPcap(bytes)).toBe(true);
        expect(readPcap(bytes).packets.length).toBeGreaterThanOrEqual(10);
      }
      const text = readFileSync(svg, 'utf8');
      expect(text).toMatch(/^(<\?xml[^>]*>\s*)?<svg /);
      expect(text).toContain('cilium_vxlan');
      if (HAS_XMLLINT) expect(spawnSync('xmllint', ['--noout', svg]).status).toBe(0);
    });
  });

  test('--tcpdump DEVICE and all', () => {
    const one = walk('--tcpdump', 'node1-lxc7d69da958e9b').stdout.trimEnd().split('\n');
    expect(one).toHaveLength(10);
    expect(one[0]).toMatch(/^IP 10\.0\.0\.250\.40418 > 10\.0\.1\.60\.80: Flags \[S\], seq 3978619682,/);
    const all = walk('--tcpdump', 'all').stdout.split('\n');
    expect(all.filter((line) => /^node\d-\S+$/.test(line))).toHaveLength(8);
    for (const line of one) expect(all).toContain(line);
  });

  test('--list', () => {
    const { code, stdout } = walk('--list');
    expect(code).toBe(0);
    const names = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/)[0]!);
    const files = readdirSync(join(ROOT, 'scenarios'), { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('.yaml'),
    );
    expect(names.sort()).toEqual(files.map((file) => file.replace(/\.yaml$/, '')).sort());
    expect(stdout).toMatch(/^native-routing +the same request over native routing$/m);
  });

  test('--explain NODE', () => {
    const { code, stdout } = walk('--explain', 'node1');
    expect(code).toBe(0);
    expect(stdout).toContain('# tc filter show dev lxc7d69da958e9b ingress\n');
    expect(stdout).toMatch(/^9:\tfrom all fwmark 0x200\/0xf00 lookup 2004/m);
    expect(stdout).toMatch(/^default via 192\.168\.1\.1 dev eth0/m);
    expect(stdout).toMatch(/^192\.168\.1\.13 .*fa:28:00:14:3f:94/m);
    expect(stdout).toMatch(
      /^map cilium_ct4_global, 1 of \d+ elements\n {2}\{ \.daddr = 10\.0\.0\.250, \.saddr = 10\.0\.1\.60, \.dport = 80, \.sport = 40418,/m,
    );
  });

  test('--explain NODE/DEVICE shows that device alone, NODE/POD the Pod', () => {
    const device = walk('--explain', 'node1/cilium_vxlan').stdout;
    expect(device).toContain('# tc filter show dev cilium_vxlan ingress\n');
    expect(device).toContain('program cil_from_overlay, ');
    expect(device).not.toContain('dev lxc7d69da958e9b ingress');
    const pod = walk('--explain', 'node1/network').stdout;
    expect(pod).toMatch(/^default via 10\.0\.0\.175 dev eth0/m);
    expect(pod).toMatch(/^10\.0\.0\.175 .*66:94:e5:1d:37:df/m);
    expect(pod).not.toMatch(/^map /m);
  });
});

describe('--objects', () => {
  test('DIR for all nodes, NODE=DIR for one: the same objects, the same walk', () => {
    inTemporaryFolder((folder) => {
      for (const kind of ['lxc', 'host', 'overlay', 'sock'])
        cpSync(join(ROOT, `bpf-objects/bpf_${kind}.o`), join(folder, `bpf_${kind}.o`));
      const bundled = walk().stdout;
      expect(walk('--objects', folder).stdout).toBe(bundled);
      expect(walk('--objects', `node2=${folder}`).stdout).toBe(bundled);
    });
  });

  test("a scenario's own objects, relative to its file, and a node of the command line before them", () => {
    inTemporaryFolder((folder) => {
      for (const kind of ['lxc', 'host', 'overlay'])
        cpSync(join(ROOT, `bpf-objects/bpf_${kind}.o`), join(folder, `objects/bpf_${kind}.o`));
      const file = join(folder, 'own.yaml');
      // Without bpf_sock.o on node1 nobody translates the Service: the packet goes out for an address of the world.
      writeFileSync(file, derived('nodes: { node1: { objects: objects } }', 'features: { socketLB: true }'));
      const own = walk(file);
      expect(own.code).toBe(1);
      expect(own.stdout).not.toContain('cil_sock4_connect');
      expect(walk(file, '--objects', 'node1=bpf-objects').code).toBe(0);
    });
  });
});
