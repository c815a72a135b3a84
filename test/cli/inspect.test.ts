import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { inTemporaryFolder, offkernel, ROOT } from '../support/command.js';
import { systemObjects } from '../support/corpus.js';

const BUNDLED = readdirSync(join(ROOT, 'bpf-objects'))
  .filter((name) => name.endsWith('.o'))
  .map((name) => join('bpf-objects', name));
const SYSTEM = systemObjects();
if (!SYSTEM.length) console.warn('objects of xdp-tools and libxdp1 not inspected: the packages are not installed');

const FILE_KEYS = [
  'file',
  'license',
  'programs',
  'maps',
  'variables',
  'tailCalls',
  'helpers',
  'externs',
  'warnings',
] as const;

interface Report {
  file: string;
  license: string;
  programs: { name: string; type: string; helpers: string[]; instructions: number }[];
  maps: { name: string; type: string }[];
  variables: { name: string; default: unknown; config: boolean }[];
  tailCalls: { from: string; map: string; slot: number | null; to: string | null }[];
  helpers: { name: string; implemented: boolean }[];
}

function inspect(...files: string[]): Report[] {
  const { code, stdout, stderr } = offkernel(['inspect', '--json', ...files]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as Report[];
}

test('text of the bundled demonstration', () => {
  const { code, stdout, stderr } = offkernel(['inspect', 'bpf-objects/service.o']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain('service.o  license Dual BSD/GPL');
  expect(stdout).toMatch(/service_egress +sched_cls +tc +129/);
  expect(stdout).toMatch(/services +HASH +struct service_key \(8\) +struct service \(12\) +1024 +NO_PREALLOC/);
  expect(stdout).toMatch(/counters +PERCPU_ARRAY +__u32 \(4\) +struct counter \(16\) +2/);
  expect(stdout).toMatch(/fixed_slot +.*\(4\) +\.rodata +0/);
  expect(stdout).toMatch(/9 +skb_store_bytes +1/);
  expect(stdout).not.toContain('not implemented');
  // No escape codes when nobody looks.
  expect(stdout).not.toContain('\u001b');
});

test('colours where they are asked for', () => {
  const { stdout } = offkernel(['inspect', 'bpf-objects/service.o'], { env: { FORCE_COLOR: '1' } });
  expect(stdout).toContain('\u001b[1mPrograms');
});

test('JSON of the bundled demonstration', () => {
  const [report] = inspect('bpf-objects/service.o');
  expect(Object.keys(report!)).toEqual([...FILE_KEYS]);
  expect(report!.programs).toEqual([
    {
      name: 'service_egress',
      section: 'tc',
      type: 'sched_cls',
      attachType: null,
      instructions: 129,
      static: false,
      slots: [],
      helpers: ['map_lookup_elem', 'skb_store_bytes', 'l3_csum_replace', 'l4_csum_replace'],
    },
  ]);
  expect(report!.maps[0]).toEqual({
    name: 'services',
    type: 'HASH',
    key: 'struct service_key',
    keySize: 8,
    value: 'struct service',
    valueSize: 12,
    maxEntries: 1024,
    flags: 'NO_PREALLOC',
    pinning: 0,
    origin: 'btf',
    readOnly: false,
    template: false,
    inner: null,
    values: [],
  });
  expect(report!.variables).toMatchObject([{ name: 'fixed_slot', section: '.rodata', size: 4, default: 0 }]);
});

test('all bundled objects at once, in the order given', () => {
  const reports = inspect(...BUNDLED);
  expect(reports.map(({ file }) => file)).toEqual(BUNDLED.map((path) => basename(path)));
  for (const report of reports) {
    expect(report.programs.length).toBeGreaterThan(0);
    expect(report.helpers.filter((helper) => !helper.implemented)).toEqual([]);
  }
});

describe.skipIf(!SYSTEM.length)('objects of xdp-tools and libxdp1', () => {
  test('JSON', () => {
    const reports = inspect(...SYSTEM);
    expect(reports).toHaveLength(SYSTEM.length);
    for (const report of reports) {
      expect(Object.keys(report)).toEqual([...FILE_KEYS]);
      expect(report.license).toBe('GPL');
      expect(report.programs.every(({ name, instructions }) => name && instructions > 0)).toBe(true);
    }
    const filter = reports.find(({ file }) => file === 'xdpfilt_dny_all.o')!;
    expect(filter.programs).toMatchObject([{ name: 'xdpfilt_dny_all', type: 'xdp' }]);
    expect(filter.maps.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['filter_ports', 'filter_ipv4', 'filter_ipv6', 'filter_ethernet', 'xdp_stats_map']),
    );
  });

  test.each(SYSTEM.map((path) => [basename(path), path]))('text of %s', (name, path) => {
    const { code, stdout, stderr } = offkernel(['inspect', path]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.startsWith(name)).toBe(true);
    expect(stdout).toContain('\nPrograms\n');
  });
});

describe('bad input: exit code 2 and one line', () => {
  test.each([
    ['no ELF file', Buffer.from('not an object'), /bad\.o.*: not an ELF file/],
    ['an empty file', Buffer.alloc(0), /bad\.o.*ELF/],
    ['half an object', readFileSync(join(ROOT, BUNDLED[0]!)).subarray(0, 3000), /bad\.o/],
  ])('%s', (_, bytes, reason) => {
    inTemporaryFolder((folder) => {
      const path = join(folder, 'bad.o');
      writeFileSync(path, bytes);
      const { code, stdout, stderr } = offkernel(['inspect', path]);
      expect(stderr).toMatch(reason);
      expect(stderr).toMatch(/^offkernel: [^\n]+\n$/);
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    });
  });

  test('a file that does not exist', () => {
    expect(offkernel(['inspect', 'nowhere.o'])).toEqual({
      code: 2,
      stdout: '',
      stderr: 'offkernel: cannot read nowhere.o: ENOENT\n',
    });
  });

  test('the good files are still reported', () => {
    const { code, stdout, stderr } = offkernel(['inspect', '--json', 'nowhere.o', 'bpf-objects/service.o']);
    expect(code).toBe(2);
    expect(stderr).toContain('nowhere.o');
    expect((JSON.parse(stdout) as Report[]).map(({ file }) => file)).toEqual(['service.o']);
  });
});
