import { countTests, isFailure, type ObjectResult, type UnitTestResult } from '../cilium/unit-test/result.js';
import { UnitTestRunner } from '../cilium/unit-test/run.js';
import type { UnitTest } from '../cilium/unit-test/tests.js';
import { OffkernelError, UsageError } from '../errors.js';
import { LineCoverage } from '../machine/coverage.js';
import { readObject } from './files.js';
import { bold } from './format.js';
import { TracePrinter } from './trace-text.js';

/** How the tests of objects are run; plain data, so that workers get it too. */
export interface TestOptions {
  /** Regular expression that names of tests must match; all tests if undefined. */
  readonly filter: string | undefined;
  readonly isolate: boolean;
  /** Stop behind the first test that fails. */
  readonly bail: boolean;
  /** Name of the test to trace. */
  readonly trace: string | undefined;
  readonly coverage: boolean;
  /** Prefixes of source paths in coverage and what replaces them. */
  readonly sourceRoots: readonly { readonly from: string; readonly to: string }[];
}

/** Coverage with the paths remapped as the options say. */
export function newCoverage({ sourceRoots }: TestOptions): LineCoverage {
  return new LineCoverage((file) => {
    const root = sourceRoots.find(({ from }) => file.startsWith(from));
    return root ? root.to + file.slice(root.from.length) : file;
  });
}

/** Runs the tests of an object file. A file that cannot be read or loaded is a result too. */
export function testObject(file: string, options: TestOptions, coverage: LineCoverage): ObjectResult {
  let runner: UnitTestRunner | undefined;
  try {
    runner = new UnitTestRunner(readObject(file), { isolate: options.isolate, coverage: options.coverage });
    if (!runner.tests.length)
      throw new UsageError('no unit tests: no program is in a section tc/test/<name>/check or xdp/test/<name>/check');
    const tests = runTests(runner, options);
    const [anyProgram] = runner.object.programs;
    if (options.coverage && anyProgram) coverage.add(anyProgram.executions());
    return { file, error: undefined, tests };
  } catch (error) {
    if (!(error instanceof OffkernelError)) throw error;
    return { file, error: error.message, tests: [] };
  } finally {
    runner?.dispose();
  }
}

function runTests(runner: UnitTestRunner, options: TestOptions): UnitTestResult[] {
  const filter = options.filter === undefined ? undefined : new RegExp(options.filter);
  const results: UnitTestResult[] = [];
  for (const test of runner.tests) {
    if (filter && !filter.test(test.name)) continue;
    const result = test.name === options.trace ? traced(runner, test) : runner.run(test);
    results.push(withoutUnshown(result));
    if (options.bail && isFailure(result.status)) break;
  }
  return results;
}

function traced(runner: UnitTestRunner, test: UnitTest): UnitTestResult {
  return runner.run(test, (stage) => {
    process.stdout.write(`${bold(`-- ${test.name} ${stage}`)}\n`);
    return new TracePrinter().sink;
  });
}

/** Reports show events with failed tests only; those of hundreds of passed ones need not be kept. */
function withoutUnshown(result: UnitTestResult): UnitTestResult {
  return isFailure(result.status) ? result : { ...result, events: [] };
}

/** Whether a run must stop at this object. */
export function endsRun(result: ObjectResult, options: TestOptions): boolean {
  return options.bail && countTests([result]).failed > 0;
}
