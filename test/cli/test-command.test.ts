import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parseDocument } from 'yaml';
import { offkernel, ownObject, ROOT } from '../support/cli.js';

const PASS = ownObject('unit-test-pass');
const FAIL = ownObject('unit-test-fail');
const OLD = ownObject('unit-test-old');
const STATE = ownObject('unit-test-state');
const ALL = [PASS, FAIL, OLD, STATE];

const folder = mkdtempSync(join(tmpdir(), 'offkernel-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

const HAS_GENHTML = spawnSync('genhtml', ['--version']).status === 0;
if (!HAS_GENHTML) console.warn('coverage not given to genhtml: lcov is not installed');

describe('exit codes', () => {
  test.each([
    ['all pass', [PASS], 0],
    ['one fails', [PASS, FAIL], 1],
    ['filtered to what passes', [FAIL, '--filter', '^i_passes$'], 0],
    ['filtered to what is skipped', [FAIL, '--filter', '^g_skipped$'], 0],
    ['filtered to an error', [FAIL, '--filter', 'e_error'], 1],
    ['filtered to nothing', [PASS, '--filter', 'nothing'], 2],
    ['not a regular expression', [PASS, '--filter', '('], 2],
    ['not an object', [PASS, join(ROOT, 'package.json')], 2],
    ['no such file', ['missing.o'], 2],
    ['no unit tests in it', [ownObject('service')], 2],
    ['no such reporter', [PASS, '--reporter', 'dots'], 2],
    ['no number of jobs', [PASS, '--jobs', 'many'], 2],
    ['no such test to trace', [PASS, '--trace', 'nothing'], 2],
    ['a folder that cannot be watched', ['missing/missing.o', '--watch'], 2],
    ['trace in another report', [PASS, '--trace', 'a_stages', '--json'], 2],
  ])('%s', (_name, args, code) => {
    const run = offkernel('test', ...args);
    expect({ code: run.code, text: run.stdout + run.stderr }).toMatchObject({ code });
  });
});

describe('spec', () => {
  test('shows check, source line, packet diff and events of what failed', () => {
    const { stdout } = offkernel('test', FAIL);
    expect(stdout).toMatch(/FAIL {2}a_check\n.*\n.*\n +unit-test-fail\.c:\d+: check failed: skb->mark == 1\n/);
    expect(stdout).toMatch(/\n +\d+ \| test_check\(&results, skb->mark == 1\);\n/);
    expect(stdout).toContain('setup: undecoded event, message type 221 is not known: ddccbbaa');
    expect(stdout).toMatch(/packet forwarded at unit-test-fail\.c:\d+, expected -> got:\n/);
    expect(stdout).toContain('ipv4.ttl 63 -> 64');
    expect(stdout).toContain('ipv4.checksum 0x66eb -> 0x65eb (right)');
    expect(stdout).toContain('ERROR h_fault');
    expect(stdout).toMatch(/\n2 passed, 7 failed, 1 skipped \(1 objects, [\d.]+ s\)\n$/);
    expect(stdout).not.toContain('\u001b');
  });

  test('--bail stops behind the first failure, with any number of jobs', () => {
    for (const jobs of ['1', '4']) {
      const { stdout } = offkernel('test', ...ALL, '--bail', '--jobs', jobs);
      expect(stdout).toContain('a_check');
      expect(stdout).not.toContain('b_subtest');
      expect(stdout).not.toContain('unit-test-old.o');
    }
  });

  test('--isolate', () => {
    expect(offkernel('test', STATE).stdout).toContain('FAIL  c_is_alone');
    expect(offkernel('test', STATE, '--isolate').stdout).toContain('FAIL  b_finds');
  });

  test('--trace shows all stages of one test', () => {
    const { stdout } = offkernel('test', PASS, '--trace', 'a_stages');
    expect(stdout.match(/^-- .*$/gm)).toEqual(['-- a_stages pktgen', '-- a_stages setup', '-- a_stages check']);
    expect(stdout).toContain('tail call -> forward');
    // suite_result_map has a value of 8 KiB.
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThan(500);
    expect(stdout).toContain('tail call -> rewrite');
    expect(stdout).toMatch(/unit-test-pass\.c:\d+ {2}ip->ttl--;/);
  });
});

interface Json {
  passed: number;
  failed: number;
  skipped: number;
  objects: {
    file: string;
    error: string | null;
    tests: { name: string; status: string; subtests: { name: string; status: string }[]; log: string[] }[];
  }[];
}

describe('json', () => {
  const { stdout, code } = offkernel('test', ...ALL, '--json', '--jobs', '1');
  const report = JSON.parse(stdout) as Json;

  test('counts sub-tests; objects and tests are in order', () => {
    expect(code).toBe(1);
    expect(report).toMatchObject({ passed: 13, failed: 10, skipped: 4 });
    expect(report.objects.map(({ file, error, tests }) => [file, error, tests.length])).toEqual([
      [PASS, null, 7],
      [FAIL, null, 9],
      [OLD, null, 4],
      [STATE, null, 3],
    ]);
    expect(report.objects[0]!.tests[3]).toMatchObject({
      name: 'd_subtests',
      status: 'pass',
      subtests: [{ status: 'pass' }, { status: 'pass' }, { status: 'skip' }],
      log: [],
    });
    expect(report.objects[1]!.tests[7]).toMatchObject({ status: 'error', fault: { kind: 'out-of-bounds' } });
    expect(report.objects[1]!.tests[2]).toMatchObject({ packets: [{ name: 'forwarded', gotLength: 34 }] });
    expect(report.objects[1]!.tests[0]).toMatchObject({
      events: [{ stage: 'setup', kind: 'perf', map: 'cilium_events', cpu: 0, data: 'ddccbbaa', packet: '' }],
    });
  });

  test('is the same whatever the number of jobs', () => {
    expect(offkernel('test', ...ALL, '--reporter', 'json', '--jobs', '3').stdout).toBe(stdout);
  });

  test('tells which object could not be loaded, and runs the others', () => {
    const { objects } = JSON.parse(offkernel('test', 'missing.o', PASS, '--json').stdout) as Json;
    expect(objects.map(({ error }) => error)).toEqual(['cannot read missing.o: ENOENT', null]);
    expect(objects[1]!.tests).toHaveLength(7);
  });
});

test('tap', () => {
  const { stdout, code } = offkernel('test', PASS, FAIL, 'missing.o', '--reporter', 'tap');
  expect(code).toBe(1);
  const lines = stdout.trimEnd().split('\n');
  expect(lines[0]).toBe('TAP version 14');
  expect(lines.at(-1)).toBe('1..3');
  expect(lines.filter((line) => /^(not )?ok/.test(line)).map((line) => line.split(' - ')[0])).toEqual([
    'ok 1',
    'not ok 2',
    'not ok 3',
  ]);
  const points = lines.filter((line) => /^ {4}(not )?ok/.test(line)).map((line) => line.trim());
  expect(points).toHaveLength(16);
  expect(points).toContain('not ok 1 - a_check');
  expect(points).toContain('ok 7 - g_skipped # SKIP');
  expect(lines.filter((line) => /^ {4}1\.\./.test(line))).toEqual(['    1..7', '    1..9']);
  const blocks = stdout.match(/^ *---\n[\s\S]*?^ *\.\.\.$/gm) ?? [];
  expect(blocks).toHaveLength(8);
  for (const block of blocks) {
    const yaml = block
      .split('\n')
      .slice(1, -1)
      .join('\n')
      .replace(/^ {4}(?= {2})/gm, '');
    expect(parseDocument(yaml).errors).toEqual([]);
  }
});

/** Elements of an XML document that are not closed in their order; throws for text that is neither markup nor escaped. */
function openElements(xml: string): string[] {
  const open: string[] = [];
  const rest = xml
    .replace(/^<\?xml[^<>]*\?>/, '')
    .replace(/<(\/?)([a-z]+)((?: [a-z]+="[^"<>]*")*)(\/?)>/g, (_all, end, name, _, empty) => {
      if (end && open.at(-1) === name) open.pop();
      else if (!empty) open.push(end + name);
      return '';
    });
  expect(rest).not.toMatch(/[<>"]|&(?!amp;|lt;|gt;|quot;)/);
  return open;
}

test('junit', () => {
  const { stdout, code } = offkernel('test', ...ALL, 'missing.o', '--reporter', 'junit');
  expect(code).toBe(1);
  const suites = [
    ...stdout.matchAll(/<testsuite name="([^"]*)" tests="(\d+)" failures="(\d+)" errors="(\d+)" skipped="(\d+)">/g),
  ];
  expect(suites.map(([, , ...counts]) => counts.map(Number))).toEqual([
    [9, 0, 0, 1],
    [10, 4, 3, 1],
    [5, 1, 1, 2],
    [3, 1, 0, 0],
    [1, 0, 1, 0],
  ]);
  expect(stdout.match(/<testcase /g)).toHaveLength(28);
  expect(stdout).toContain('name="fails &lt;&amp;&quot;&gt;"');
  expect(openElements(stdout)).toEqual([]);
});

describe('coverage', () => {
  const file = join(folder, 'coverage.info');
  const run = (...args: string[]): string => {
    offkernel('test', ...ALL, '--coverage', file, ...args);
    return readFileSync(file, 'utf8');
  };
  const text = run('--jobs', '2');
  const linesOf = (name: string): Map<number, number> => {
    const record = text.split('end_of_record').find((part) => part.includes(`SF:${name}\n`))!;
    return new Map([...record.matchAll(/^DA:(\d+),(\d+)$/gm)].map(([, line, count]) => [Number(line), Number(count)]));
  };

  test('has every source file, the header that all objects use once', () => {
    const files = [...text.matchAll(/^SF:(.*)$/gm)].map((match) => match[1]);
    expect(files.map((name) => name!.replace(/^\.\//, '')).filter((name) => !name.startsWith('/'))).toEqual([
      'include/unit-test.h',
      'unit-test-fail.c',
      'unit-test-old.c',
      'unit-test-pass.c',
      'unit-test-state.c',
    ]);
  });

  test('counts what ran and what did not', () => {
    const source = readFileSync(join(ROOT, 'bpf-objects/unit-test-pass.c'), 'utf8').split('\n');
    const lines = linesOf('./unit-test-pass.c');
    const count = (code: string) => lines.get(source.findIndex((line) => line.trim() === code) + 1);
    expect(count('ip->ttl--;')).toBe(1);
    expect(count('skb->mark = 0xf00d;')).toBe(1);
    const never = readFileSync(join(ROOT, 'bpf-objects/unit-test-fail.c'), 'utf8').split('\n');
    const neverRun = never.findIndex((line) => line.startsWith('int never_run')) + 3;
    expect(linesOf('./unit-test-fail.c').get(neverRun)).toBe(0);
  });

  test('is the same whatever the number of jobs', () => {
    expect(run('--jobs', '1')).toBe(text);
  });

  test.runIf(HAS_GENHTML)('is accepted by genhtml', () => {
    run('--source-root', `./=${ROOT}bpf-objects/`);
    const { status, stdout, stderr } = spawnSync('genhtml', [file, '-o', join(folder, 'html')], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/lines\.*: [\d.]+%/);
  });
});

test('--watch runs an object again when it is written', async () => {
  const file = join(folder, 'watched.o');
  copyFileSync(PASS, file);
  const child = spawn(process.execPath, [join(ROOT, 'bin/offkernel.js'), 'test', file, '--watch']);
  let text = '';
  const shows = (pattern: RegExp): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (pattern.test(text)) resolve();
      };
      child.stdout.on('data', look);
      child.stderr.on('data', look);
      look();
    });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk));
  await shows(/8 passed, 0 failed[\s\S]*watching/);
  copyFileSync(STATE, file);
  await shows(/2 passed, 1 failed/);
  child.kill('SIGINT');
  expect(await new Promise((resolve) => child.on('exit', resolve))).toBe(1);
});
