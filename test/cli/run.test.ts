import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { buildPacket, readPcap, writePcap } from '../../src/packet/packet.js';
import { type CommandResult, inTemporaryFolder, offkernel, ROOT } from '../support/command.js';
import { systemObjects } from '../support/corpus.js';

const SERVICE = 'bpf-objects/service.o';
const FAULTS = 'bpf-objects/faults.o';
const SYN = 'tcp 10.0.0.250:40418 > 172.16.16.87:80 syn';
const TRANSLATED = ['run', SERVICE, '--maps', 'bpf-objects/service.yaml', '--packet', SYN];
const FILTER = systemObjects().find((path) => path.endsWith('/xdpfilt_alw_all.o'));
if (!FILTER) console.warn('run of xdp-filter skipped: xdp-tools is not installed');
const hasGenhtml = spawnSync('genhtml', ['--version']).status === 0;
if (!hasGenhtml) console.warn('lcov output not read by genhtml: lcov is not installed');

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Exit code 0, nothing on standard error; the output as JSON. */
function runJson(...args: string[]): Record<string, unknown> {
  const { code, stdout, stderr } = offkernel(['run', ...args, '--json']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as Record<string, unknown>;
}

function expectRefused({ code, stdout, stderr }: CommandResult, reason: RegExp): void {
  expect(stderr).toMatch(reason);
  expect(stderr).toMatch(/^offkernel: [^\n]+\n$/);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
}

describe('packets', () => {
  test('in words: verdict, packet before and after, fields that changed, maps that changed', () => {
    const { code, stdout, stderr } = offkernel(TRANSLATED);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.split('\n')).toEqual([
      'in  IP 10.0.0.250.40418 > 172.16.16.87.80: Flags [S], seq 0, win 64240, length 0',
      'service_egress: TC_ACT_OK  (r0 = 0x0, 103 instructions)',
      'out IP 10.0.0.250.40418 > 10.0.1.60.80: Flags [S], seq 0, win 64240, length 0',
      '  ipv4.checksum 0xb36f -> 0x649b (right)',
      '  ipv4.dst 172.16.16.87 -> 10.0.1.60',
      '  tcp.checksum 0x4f5e -> 0x008a (right)',
      '  map counters[1]: { .packets = 0, .bytes = 0 } -> { .packets = 1, .bytes = 54 }',
      '',
    ]);
  });

  test('in words, in hex, from a file and from the pcap of one packet: the same result', () => {
    const packet = buildPacket(SYN);
    const inWords = runJson(...TRANSLATED.slice(1));
    inTemporaryFolder((folder) => {
      const [raw, capture] = [join(folder, 'raw'), join(folder, 'one.pcap')];
      writeFileSync(raw, packet);
      writeFileSync(capture, writePcap([{ seconds: 1, nanoseconds: 2, data: packet }]));
      const others = [
        ['--packet', hex(packet)],
        ['--packet', `@${raw}`],
        ['--packet', `@${capture}`],
        ['--pcap', capture],
      ];
      for (const input of others)
        expect(runJson(SERVICE, '--maps', 'bpf-objects/service.yaml', ...input)).toEqual(inWords);
    });
  });

  test('none given: the program still runs', () => {
    expect(runJson(SERVICE)).toMatchObject({ verdict: 'TC_ACT_OK', fault: null });
  });

  test('a whole pcap in and out, times kept', () => {
    inTemporaryFolder((folder) => {
      const [input, output] = [join(folder, 'in.pcap'), join(folder, 'out.pcap')];
      const packets = [SYN, 'udp 10.0.0.1:1 > 10.0.0.2:2 "x"', SYN].map((words, index) => ({
        seconds: 100 + index,
        nanoseconds: 5000 * index,
        data: buildPacket(words),
      }));
      writeFileSync(input, writePcap(packets, { nanoseconds: true }));
      const args = ['run', SERVICE, '--maps', 'bpf-objects/service.yaml', '--pcap', input, '--pcap-out', output];
      const { code, stdout } = offkernel([...args, '--json']);
      expect(code).toBe(0);
      const results = JSON.parse(stdout) as { packet: string; maps: Record<string, { after: unknown }[]> }[];
      expect(results).toHaveLength(3);
      // Maps live as long as the command: the second translation counts on.
      expect(results[2]!.maps.counters![0]!.after).toEqual([{ packets: '2', bytes: '108' }]);
      const out = readPcap(readFileSync(output)).packets;
      expect(out.map(({ seconds, nanoseconds }) => [seconds, nanoseconds])).toEqual([
        [100, 0],
        [101, 5000],
        [102, 10000],
      ]);
      expect(out.map(({ data }) => hex(data))).toEqual(results.map(({ packet }) => packet));
      expect(offkernel(args).stdout).toContain('packet 3 of 3\n');
    });
  });

  test('captures without Ethernet are refused', () => {
    inTemporaryFolder((folder) => {
      const path = join(folder, 'raw.pcap');
      const data = buildPacket(`${SYN} noeth`);
      writeFileSync(path, writePcap([{ seconds: 0, nanoseconds: 0, data }], { linkType: 101 }));
      expectRefused(offkernel(['run', SERVICE, '--pcap', path]), /raw\.pcap: packets of link type 101/);
    });
  });
});

describe('--json', () => {
  test('the documented keys in the documented order', () => {
    const result = runJson(...TRANSLATED.slice(1));
    expect(Object.keys(result)).toEqual([
      'program',
      'engine',
      'retval',
      'verdict',
      'packet',
      'ctx',
      'instructions',
      'tailCalls',
      'redirect',
      'events',
      'maps',
      'fault',
    ]);
    expect(result).toMatchObject({
      program: 'service_egress',
      engine: 'interpreter',
      retval: 0,
      verdict: 'TC_ACT_OK',
      instructions: 103,
      tailCalls: [],
      redirect: null,
      events: [],
      maps: {
        counters: [{ key: 1, before: [{ packets: '0', bytes: '0' }], after: [{ packets: '1', bytes: '54' }] }],
      },
      fault: null,
    });
    expect(result.packet).toMatch(/^[0-9a-f]{108}$/);
    expect(result.ctx).toMatchObject({ len: 54, protocol: 0x0800, mark: 0, cb: [0, 0, 0, 0, 0] });
  });

  test('a fault', () => {
    const { code, stdout } = offkernel(['run', FAULTS, '-p', 'beyond_packet', '--json']);
    expect(code).toBe(1);
    const { fault } = JSON.parse(stdout) as { fault: Record<string, unknown> };
    expect(Object.keys(fault)).toEqual([
      'kind',
      'message',
      'program',
      'function',
      'instruction',
      'address',
      'size',
      'write',
      'region',
      'source',
      'helper',
      'registers',
      'calls',
    ]);
    expect(fault).toMatchObject({
      kind: 'out-of-bounds',
      program: 'beyond_packet',
      instruction: 1,
      size: 4,
      write: false,
      region: { name: 'packet', offset: 1000, size: 64 },
      helper: null,
    });
    expect(fault.source).toMatch(/faults\.c:22$/);
  });
});

describe('inputs', () => {
  test('--config sets globals and configuration variables', () => {
    const args = [SERVICE, '--maps', 'bpf-objects/service.yaml', '--packet', SYN];
    expect(runJson(...args, '--config', 'fixed_slot=7')).toMatchObject({ verdict: 'TC_ACT_SHOT' });
    expect(runJson(...args, '--config', 'fixed_slot=0x1')).toMatchObject({ verdict: 'TC_ACT_OK' });
  });

  test('--ctx sets context fields', () => {
    const { ctx } = runJson(SERVICE, '--packet', SYN, '--ctx', 'mark=0x10,cb=[1,2,3,4,5]');
    expect(ctx).toMatchObject({ mark: 16, cb: [1, 2, 3, 4, 5] });
  });

  test.skipIf(!FILTER)('--maps fills maps by BTF field names: xdp-filter drops what the rules name', () => {
    inTemporaryFolder((folder) => {
      const rules = join(folder, 'rules.yaml');
      writeFileSync(
        rules,
        'filter_ipv6:\n  - key: { in6_u: { u6_addr8: "fd00::9" } }\n    value: 1\nfilter_ethernet:\n  - key: { addr: "02:00:00:00:00:09" }\n    value: 1\n',
      );
      const verdictOf = (packet: string): unknown => runJson(FILTER!, '--maps', rules, '--packet', packet).verdict;
      expect(verdictOf('udp [fd00::9]:1 > [fd00::2]:2 "x"')).toBe('XDP_DROP');
      expect(verdictOf('udp [fd00::8]:1 > [fd00::2]:2 "x"')).toBe('XDP_PASS');
      expect(verdictOf('tcp 10.0.0.1:1 > 10.0.0.2:2 eth=02:00:00:00:00:09>02:00:00:00:00:02')).toBe('XDP_DROP');
    });
  });

  test('--dump-maps shows what the maps file stored', () => {
    const { stdout } = offkernel([...TRANSLATED, '--dump-maps']);
    expect(stdout).toContain('"address": "172.16.16.87"');
    expect(stdout).toContain('"backend_address": "10.0.1.60"');
  });

  test('the same inputs give the same output', () => {
    expect(offkernel([...TRANSLATED, '--json']).stdout).toBe(offkernel([...TRANSLATED, '--json']).stdout);
  });
});

describe('--trace', () => {
  const { stdout } = offkernel([...TRANSLATED, '--trace']);
  const lines = stdout.split('\n');

  test('source lines stand above their instructions', () => {
    const at = lines.findIndex((line) =>
      line.includes('service.c:101  service = bpf_map_lookup_elem(&services, &key);'),
    );
    expect(at).toBeGreaterThan(0);
    expect(lines[at + 1]).toMatch(/^ +\d+: r1 = map services +r1=0x[0-9a-f]+$/);
    expect(lines[at + 2]).toMatch(/^ +\d+: call map_lookup_elem +r0=0x[0-9a-f]+$/);
  });

  test('helper calls have their arguments and results decoded, maps by BTF', () => {
    expect(stdout).toMatch(
      /map_lookup_elem\(services, \{ \.address = 172\.16\.16\.87, \.port = 80, \.slot = 1 \}\) = 0x[0-9a-f]+ \{ .*\.backend_address = 10\.0\.1\.60, \.backend_port = 80/,
    );
    expect(stdout).toContain('skb_store_bytes(ctx, 30, [0a00013c], 4, 0) = 0');
  });

  test('variables, functions and tail calls have their names', () => {
    expect(stdout).toMatch(/: r2 = &fixed_slot +r2=0x/);
    const tagged = offkernel(['run', 'bpf-objects/era-tagged.o', '-p', 'entry', '--trace']).stdout;
    expect(tagged).toMatch(/: r2 = &sum +r2=0x/);
    expect(tagged).toContain('tail call -> tail_lookup\ntail_lookup:\n');
    expect(tagged).toMatch(/tail_call\(ctx, cilium_calls, 3\) *\n/);
    const frames = offkernel(['run', 'bpf-objects/era-tagged.o', '-p', 'eight_frames', '--trace']).stdout;
    expect(frames).toMatch(/: call level1 +r10=0x[0-9a-f]+\n {2}level1:\n/);
  });

  test('every executed instruction is there once', () => {
    expect(lines.filter((line) => /^ +\d+: /.test(line))).toHaveLength(103);
  });
});

describe('--cover', () => {
  test('lcov with the lines that ran and those that did not', () => {
    inTemporaryFolder((folder) => {
      const file = join(folder, 'cover.info');
      // The paths of the source are relative to where the object was compiled.
      const cwd = join(ROOT, 'bpf-objects');
      const args = ['run', 'service.o', '--maps', 'service.yaml', '--packet', SYN, '--cover', file];
      expect(offkernel(args, { cwd }).code).toBe(0);
      const text = readFileSync(file, 'utf8');
      expect(text).toMatch(/^SF:.*service\.c$/m);
      expect(text).toMatch(/^FNDA:1,service_egress$/m);
      expect(text).toMatch(/^DA:101,1$/m);
      expect(text).toMatch(/^DA:\d+,0$/m);
      if (!hasGenhtml) return;
      const report = spawnSync('genhtml', [file, '-o', join(folder, 'html')], { cwd, encoding: 'utf8' });
      expect(report.stderr).toBe('');
      expect(report.status).toBe(0);
      expect(report.stdout).toMatch(/lines\.+: [\d.]+% \(\d+ of \d+ lines\)/);
      expect(report.stdout).toMatch(/functions\.+: 100\.0% \(1 of 1 function\)/);
    });
  });
});

describe('exit code 1: the program faulted', () => {
  test('one line with region, place and source line', () => {
    const { code, stdout, stderr } = offkernel(['run', FAULTS, '-p', 'beyond_packet', '--packet', SYN]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    expect(stdout).toMatch(
      /out-of-bounds read of 4 bytes at packet\+1000 \(packet is 54 bytes\) in beyond_packet insn 1, .*faults\.c:22/,
    );
  });

  test('the long form on demand', () => {
    const { code, stderr } = offkernel(['run', FAULTS, '-p', 'beyond_packet', '-v']);
    expect(code).toBe(1);
    expect(stderr).toContain('r10');
  });

  test('--uninitialised and --budget', () => {
    const fault = (...args: string[]): string => offkernel(['run', FAULTS, ...args]).stdout;
    expect(offkernel(['run', FAULTS, '-p', 'unset_stack']).code).toBe(0);
    expect(fault('-p', 'unset_stack', '--uninitialised')).toContain('uninitialised stack at stack-4');
    expect(fault('-p', 'endless', '--budget', '5000')).toMatch(/FAULT .*5000 instructions.*budget/s);
  });
});

describe('exit code 2: bad usage or input, with a hint', () => {
  test.each([
    [
      'a program',
      ['run', SERVICE, '-p', 'service_egres'],
      /no program service_egres \(did you mean service_egress\?\)/,
    ],
    ['a variable', ['run', SERVICE, '--config', 'fixed_slt=1'], /no variable fixed_slt \(did you mean fixed_slot\?\)/],
    ['a context field', ['run', SERVICE, '--ctx', 'mrk=1'], /no field mrk \(did you mean mark\?\)/],
    ['a word of the packet', ['run', SERVICE, '--packet', 'tpc 1 > 2'], /did you mean "tcp"\?/],
    ['an object file', ['run', 'nowhere.o'], /cannot read nowhere\.o/],
    ['no object', ['run', 'bpf-objects/service.c'], /service\.c.*not an ELF file/],
    ['one of several programs', ['run', FAULTS], /has 6 programs; choose one with -p: beyond_packet,/],
    ['a number', ['run', SERVICE, '--repeat', 'x'], /--repeat takes a number, not 'x'/],
    ['an assignment', ['run', SERVICE, '--config', 'fixed_slot'], /--config takes NAME=VALUE/],
    ['--packet and --pcap', ['run', SERVICE, '--packet', SYN, '--pcap', 'x'], /not both/],
    ['a file to write', [...TRANSLATED, '--json', '--cover', '/nowhere/x'], /cannot write \/nowhere\/x: ENOENT/],
    ['an engine', ['run', SERVICE, '--engine', 'quantum'], /no engine quantum/],
  ] as [string, string[], RegExp][])('%s', (_, args, reason) => {
    const { code, stderr } = offkernel(args);
    expect(stderr).toMatch(reason);
    expect(stderr).toMatch(/^offkernel: [^\n]+\n$/);
    expect(code).toBe(2);
  });

  test.each([
    ['a map', 'servces: []', /:1: service\.o has no map servces \(did you mean services\?\)/],
    [
      'a field of a key',
      'services:\n  - key: { adress: 1.2.3.4 }\n    value: {}',
      /:2: .*adress.*did you mean address\?/,
    ],
    ['a value out of range', 'services:\n  - key: { port: 65536 }\n    value: {}', /:2: .*65536/],
    ['the shape', 'services: 5', /:1: services: expected a list/],
    ['YAML itself', 'services: [', /rules\.yaml: /],
    ['a refused update', 'counters:\n  - { key: 2, value: { packets: 1 } }', /:2: .*counters.*E2BIG/],
  ])('%s of the maps file', (_, text, reason) => {
    inTemporaryFolder((folder) => {
      const path = join(folder, 'rules.yaml');
      writeFileSync(path, text);
      const { code, stdout, stderr } = offkernel(['run', SERVICE, '--maps', path]);
      expect(stderr).toMatch(reason);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    });
  });

  test.each([[['inspec']], [['run']], [['run', SERVICE, '--pakcet', 'x']]])('usage: %s', (args) => {
    const { code, stdout, stderr } = offkernel(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).not.toBe('');
  });
});

test('--help of every command has an example, --version the version', () => {
  for (const command of ['inspect', 'run', 'exec']) {
    const { code, stdout } = offkernel([command, '--help']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/Example:\n +\$ .*offkernel/);
  }
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  expect(offkernel(['--version']).stdout).toBe(`${manifest.version}\n`);
});

test('a reader that goes away ends the output, not the command', () => {
  const command = `node bin/offkernel.js ${TRANSLATED.slice(0, 4).join(' ')} --packet '${SYN}' --trace | head -n 1`;
  const { status, stdout, stderr } = spawnSync('bash', ['-o', 'pipefail', '-c', command], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: 'service_egress:\n', stderr: '' });
});

test('npm start walks the request of the bundled scenario and its reply', () => {
  const { status, stdout } = spawnSync('npm', ['start', '--silent'], { cwd: ROOT, encoding: 'utf8' });
  expect(status).toBe(0);
  expect(stdout).toContain('connect4(172.16.16.87:80, Service nginx)');
  expect(stdout.match(/^ *\d+ {2}IP .*Flags/gm)).toHaveLength(10);
});
