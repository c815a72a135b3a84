import { countTests, type ObjectResult, type UnitTestResult } from '../cilium/unit-test/result.js';
import type { TestStatus } from '../cilium/unit-test/status.js';
import { explainFailure } from './test-failure.js';
import type { Reporter, TestSummary } from './test-report.js';

/** JUnit XML: a test suite per object, a test case per sub-test (or test without sub-tests). */
export class JunitReporter implements Reporter {
  object(): void {}

  end({ objects, milliseconds }: TestSummary): void {
    const time = (milliseconds / 1000).toFixed(3);
    process.stdout.write(
      `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites time="${time}">\n${objects.map(suite).join('')}</testsuites>\n`,
    );
  }
}

interface Case {
  readonly test: string;
  readonly name: string;
  readonly status: TestStatus;
  /** What to say if it did not pass. */
  readonly details: readonly string[];
}

function suite({ file, error, tests }: ObjectResult): string {
  const cases: Case[] =
    error === undefined ? tests.flatMap(casesOf) : [{ test: file, name: 'load', status: 'error', details: [error] }];
  const count = (status: TestStatus): number => cases.filter((one) => one.status === status).length;
  const attributes = `name="${escaped(file)}" tests="${cases.length}" failures="${count('fail')}" errors="${count('error')}" skipped="${count('skip')}"`;
  return `  <testsuite ${attributes}>\n${cases.map((one) => testCase(file, one)).join('')}  </testsuite>\n`;
}

/** The sub-tests, or the test itself where it counts as one (see countTests). */
function casesOf(test: UnitTestResult): Case[] {
  const details = test.status === 'pass' ? [] : explainFailure(test);
  const cases = test.subtests.map(({ name, status }) => ({ test: test.name, name, status, details }));
  const counts = countTests([{ file: '', error: undefined, tests: [test] }]);
  const isCounted = counts.passed + counts.failed + counts.skipped > cases.length;
  return isCounted ? [...cases, { test: test.name, name: test.name, status: test.status, details }] : cases;
}

function testCase(file: string, { test, name, status, details }: Case): string {
  const open = `    <testcase classname="${escaped(`${file}.${test}`)}" name="${escaped(name)}"`;
  if (status === 'pass') return `${open}/>\n`;
  if (status === 'skip') return `${open}><skipped/></testcase>\n`;
  const element = status === 'fail' ? 'failure' : 'error';
  const message = escaped(details[0] ?? status);
  return `${open}>\n      <${element} message="${message}">${escaped(details.join('\n'))}</${element}>\n    </testcase>\n`;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** Text and attribute values; characters that XML 1.0 cannot hold become U+FFFD. */
function escaped(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: those are the ones to replace
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
      .replace(/[&<>"]/g, (character) => ENTITIES[character]!)
  );
}
