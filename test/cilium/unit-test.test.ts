import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatLog } from '../../src/cilium/unit-test/log.js';
import { countTests, type UnitTestResult } from '../../src/cilium/unit-test/result.js';
import { UnitTestRunner } from '../../src/cilium/unit-test/run.js';
import { readSuiteResult } from '../../src/cilium/unit-test/suite-result.js';
import { findUnitTests } from '../../src/cilium/unit-test/tests.js';
import { LoadError } from '../../src/errors.js';
import { loadObject } from '../../src/object/load.js';
import type { ObjectSpec } from '../../src/object/spec.js';
import { ownObject } from '../support/cli.js';
import { objectFiles } from '../support/corpus.js';

const FOLDER = process.env.OFFKERNEL_UNIT_TESTS;
if (!FOLDER) console.warn('unit tests of your own not run: OFFKERNEL_UNIT_TESTS names no folder');

function specOf(path: string): ObjectSpec {
  return loadObject(readFileSync(path), { name: basename(path) });
}

function runAll(name: string, isolate = false): Map<string, UnitTestResult> {
  const runner = new UnitTestRunner(specOf(ownObject(name)), { isolate });
  return new Map(runner.tests.map((one) => [one.name, runner.run(one)]));
}

const texts = (result: UnitTestResult | undefined) => result?.log.map((line) => line.text);

describe('tests that pass', () => {
  const results = runAll('unit-test-pass');

  test.each([...results])('%s', (_name, result) => {
    expect(texts(result)).toEqual([]);
    expect(result.status).toBe('pass');
    expect(result.fault).toBeUndefined();
  });

  test('are sorted by name', () => {
    expect([...results.keys()]).toEqual([
      'a_stages',
      'b_no_setup',
      'c_check_only',
      'd_subtests',
      'e_metadata_1',
      'e_metadata_2',
      'f_xdp',
    ]);
  });

  test('keep what they emitted, by stage', () => {
    expect(results.get('a_stages')?.events).toEqual([
      {
        stage: 'setup',
        event: {
          kind: 'perf',
          map: 'cilium_events',
          cpu: 0,
          data: Uint8Array.of(4, 3, 2, 1),
          packet: new Uint8Array(),
        },
      },
    ]);
  });

  test('have sub-tests with logs and status', () => {
    const { subtests } = results.get('d_subtests')!;
    expect(subtests.map(({ name, status }) => [name, status])).toEqual([
      ['one', 'pass'],
      ['two with a log', 'pass'],
      ['three is skipped', 'skip'],
    ]);
    expect(subtests[1]!.log[0]!.text).toMatch(/^unit-test-pass\.c:\d+: mark is 0$/);
  });
});

describe('tests that do not pass', () => {
  const results = runAll('unit-test-fail');
  const statusOf = (name: string) => results.get(name)?.status;

  test('a check that fails: logs formatted as printk does, with the source line', () => {
    expect(statusOf('a_check')).toBe('fail');
    const [formatted, failed] = results.get('a_check')!.log;
    expect(formatted!.text).toMatch(/: d -1 u 7 x ffffffff ld -1 llx ffffffffff 04x 00ab %$/);
    expect(failed!.text).toMatch(/^unit-test-fail\.c:\d+: check failed: skb->mark == 1$/);
    expect(failed!.source?.text.trim()).toBe('test_check(&results, skb->mark == 1);');
    expect(results.get('a_check')!.events.map(({ stage }) => stage)).toEqual(['setup']);
  });

  test('a sub-test that fails makes its test fail', () => {
    expect(statusOf('b_subtest')).toBe('fail');
    const { subtests } = results.get('b_subtest')!;
    expect(subtests.map(({ status }) => status)).toEqual(['pass', 'fail']);
    // The macro call goes over two lines; the log names the second.
    expect(subtests[1]!.log[0]!.source?.text.trim()).toBe('test_check(&results,');
  });

  test('a packet comparison that fails', () => {
    const [mismatch, ...more] = results.get('c_packet')!.mismatches;
    expect(more).toEqual([]);
    expect(mismatch).toMatchObject({ name: 'forwarded', file: 'unit-test-fail.c', firstLayer: 'Ether', gotLength: 34 });
    expect([mismatch!.expected[22], mismatch!.got[22]]).toEqual([63, 64]);
    // It stays in the map, but belongs to this test only.
    expect(results.get('i_passes')!.mismatches).toEqual([]);
  });

  test.each([
    ['d_setup', 'fail', 'setup ended the test with fail'],
    ['e_error', 'error', 'check returned 100, an error of the test itself'],
    ['f_no_status', 'error', 'check returned 55, which is no status'],
  ])('%s: %s', (name, status, remark) => {
    expect(statusOf(name)).toBe(status);
    expect(texts(results.get(name))).toEqual([remark]);
  });

  test('a fault is an error of the test', () => {
    expect(statusOf('h_fault')).toBe('error');
    expect(results.get('h_fault')!.fault?.kind).toBe('out-of-bounds');
    expect(texts(results.get('h_fault'))?.[0]).toMatch(/^check: out-of-bounds read of 1 byte at packet\+3520/);
  });

  test('skipped and passed ones among them', () => {
    expect([statusOf('g_skipped'), statusOf('i_passes')]).toEqual(['skip', 'pass']);
    expect(countTests([{ file: '', error: undefined, tests: [...results.values()] }])).toEqual({
      passed: 2,
      failed: 7,
      skipped: 1,
    });
  });
});

test('status codes and lengths up to 1.18', () => {
  const results = runAll('unit-test-old');
  expect([...results.values()].map(({ status }) => status)).toEqual(['pass', 'fail', 'error', 'skip']);
  const [first, second] = results.get('a_drop')!.subtests;
  expect(first).toMatchObject({ name: 'status', status: 'pass', log: [] });
  expect(second).toMatchObject({ name: 'long log', status: 'skip' });
  expect(second!.log[0]!.text).toMatch(/a varint of one byte: 1 and then some more words to get there 2$/);
});

test('maps and globals persist over the tests of an object, unless isolated', () => {
  const statuses = (isolate: boolean) => [...runAll('unit-test-state', isolate).values()].map(({ status }) => status);
  expect(statuses(false)).toEqual(['pass', 'pass', 'fail']);
  expect(statuses(true)).toEqual(['pass', 'fail', 'pass']);
});

test('a test without check and two setups are refused, several checks are a test each', () => {
  const spec = specOf(ownObject('unit-test-state'));
  const [program] = spec.programs;
  const withSections = (...sections: string[]): ObjectSpec => ({
    ...spec,
    programs: sections.map((section) => ({ ...program!, section })),
  });
  expect(() => findUnitTests(withSections('tc/test/x/setup'))).toThrow(LoadError);
  expect(() => findUnitTests(withSections('tc/test/x/check', 'tc/test/x/setup', 'tc/test/x/setup'))).toThrow(LoadError);
  expect(findUnitTests(withSections('tc/test/x/check', 'tc/test/x/setup', 'tc/test/x/check'))).toMatchObject([
    { name: 'x (leaves)', setup: { name: 'leaves' } },
    { name: 'x (leaves)', setup: { name: 'leaves' } },
  ]);
  expect(
    findUnitTests(withSections('tc/entry', 'xdp/test/ä/check', 'tc/test/Z/check')).map(({ name }) => name),
  ).toEqual(['Z', 'ä']);
});

describe('results in protobuf', () => {
  const bytes = (...parts: (number | string)[]) =>
    Uint8Array.from(parts.flatMap((part) => (typeof part === 'number' ? [part] : [...new TextEncoder().encode(part)])));

  test('canonical lengths of one byte', () => {
    const value = bytes(0x0a, 6, 0x0a, 2, 'a', 0, 0x10, 101, 0x12, 6, 0x0a, 4, 'log', 0, 0);
    const { results, log } = readSuiteResult(value);
    expect(results).toEqual([{ name: 'a', status: 101, log: [] }]);
    expect(log.map((line) => new TextDecoder().decode(line.format))).toEqual(['log']);
  });

  test('a sub-test whose length was never filled in', () => {
    const value = bytes(0x0a, 0, 0, 0x0a, 2, 'a', 0, 0x10, 102, 0x1a, 0x87, 0, 0x0a, 0x84, 0, 'log', 0, 0);
    expect(readSuiteResult(value).results).toMatchObject([{ name: 'a', status: 102, log: [{ args: [] }] }]);
  });

  test('never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (value) => {
        expect(readSuiteResult(value).results.length).toBeLessThan(64);
      }),
    );
  });
});

describe('log lines', () => {
  const NO_MEMORY = { bytes: () => undefined, string: () => undefined };
  const format = (text: string, ...args: bigint[]) =>
    formatLog({ format: new TextEncoder().encode(text), args }, NO_MEMORY);

  test.each([
    ['%d', 0xffffffffn, '-1'],
    ['%lu', 0xffffffffffn, '1099511627775'],
    ['%hhu', 0x1ffn, '255'],
    ['%hd', 0xffffn, '-1'],
    ['%#x', 0x1fn, '0x1f'],
    ['%08llx', 0xabn, '000000ab'],
    ['%-4d|', 7n, '7   |'],
    ['%zu', 1n << 40n, '1099511627776'],
    ['%y', 1n, '%y(0x1)'],
  ])('%s', (text, argument, expected) => {
    expect(format(text, argument)).toBe(expected);
  });

  test('too few arguments, too many, percent signs', () => {
    expect(format('%d of %d 100%%', 1n)).toBe('1 of %d 100%');
    expect(format('none', 1n)).toBe('none');
  });
});

describe.runIf(FOLDER)(`unit tests in ${FOLDER}`, () => {
  test.each(FOLDER ? objectFiles(FOLDER) : [])('%s', (path) => {
    const runner = new UnitTestRunner(specOf(path));
    const failed = runner.tests
      .map((one) => runner.run(one))
      .filter(({ status }) => status === 'fail' || status === 'error');
    expect(failed.map((result) => [result.name, ...(texts(result) ?? [])].join(': '))).toEqual([]);
  });
});
