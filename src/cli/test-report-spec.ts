import { isFailure, type ObjectResult, type UnitTestResult } from '../cilium/unit-test/result.js';
import type { TestStatus } from '../cilium/unit-test/status.js';
import { bold, dim, green, red, supportsColour, yellow } from './format.js';
import { explainFailure } from './test-failure.js';
import type { Reporter, TestSummary } from './test-report.js';

const MARKS: Readonly<Record<TestStatus, () => string>> = {
  pass: () => green('ok   '),
  fail: () => red('FAIL '),
  error: () => red('ERROR'),
  skip: () => yellow('skip '),
};

/** For people: a line per test, what is known about failures below it, a summary. */
export class SpecReporter implements Reporter {
  object({ file, error, tests }: ObjectResult): void {
    print(bold(file));
    if (error !== undefined) print(`  ${MARKS.error()} ${error}`);
    for (const test of tests) this.#test(test);
  }

  #test(test: UnitTestResult): void {
    const { length } = test.subtests;
    print(`  ${MARKS[test.status]()} ${test.name}${length > 1 ? dim(` (${length} sub-tests)`) : ''}`);
    if (test.status === 'pass') return;
    for (const line of explainFailure(test, { colour: supportsColour() })) print(`        ${line}`);
  }

  end({ objects, counts, milliseconds }: TestSummary): void {
    const failed = objects.flatMap(({ file, tests }) =>
      tests.filter((test) => isFailure(test.status)).map((test) => `  ${file}: ${test.name}`),
    );
    if (failed.length && objects.length > 1) print(['', bold('Failed:'), ...failed].join('\n'));
    const broken = objects.filter((object) => object.error !== undefined).length;
    const parts = [
      green(`${counts.passed} passed`),
      counts.failed ? red(`${counts.failed} failed`) : '0 failed',
      ...(counts.skipped ? [yellow(`${counts.skipped} skipped`)] : []),
      ...(broken ? [red(`${broken} of ${objects.length} objects not run`)] : []),
    ];
    print(`\n${parts.join(', ')} ${dim(`(${objects.length} objects, ${(milliseconds / 1000).toFixed(1)} s)`)}`);
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
