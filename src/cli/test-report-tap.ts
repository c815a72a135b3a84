import { stringify } from 'yaml';
import { isFailure, type ObjectResult, type UnitTestResult } from '../cilium/unit-test/result.js';
import { explainFailure } from './test-failure.js';
import type { Reporter } from './test-report.js';

/** Test Anything Protocol, version 14: one test point per object, its tests as a subtest. */
export class TapReporter implements Reporter {
  #objects = 0;

  object({ file, error, tests }: ObjectResult): void {
    if (this.#objects++ === 0) print('TAP version 14', 0);
    const isOk = error === undefined && tests.every((test) => !isFailure(test.status));
    if (error === undefined) {
      print(`# Subtest: ${escaped(file)}`, 0);
      for (const [index, test] of tests.entries()) printTest(test, index + 1);
      print(`1..${tests.length}`, 1);
    }
    print(`${isOk ? 'ok' : 'not ok'} ${this.#objects} - ${escaped(file)}`, 0);
    if (error !== undefined) printDiagnostic({ error }, 0);
  }

  end(): void {
    print(`1..${this.#objects}`, 0);
  }
}

function printTest(test: UnitTestResult, number: number): void {
  const skip = test.status === 'skip' ? ' # SKIP' : '';
  print(`${isFailure(test.status) ? 'not ok' : 'ok'} ${number} - ${escaped(test.name)}${skip}`, 1);
  if (isFailure(test.status)) printDiagnostic({ status: test.status, details: explainFailure(test).join('\n') }, 1);
}

/** A YAML block below a test point. */
function printDiagnostic(content: Readonly<Record<string, string>>, depth: number): void {
  print(`  ---\n${stringify(content).trimEnd().replace(/^/gm, '  ')}\n  ...`, depth);
}

function print(text: string, depth: number): void {
  process.stdout.write(`${text.replace(/^/gm, '    '.repeat(depth))}\n`);
}

/** `#` begins a directive, a backslash escapes. */
function escaped(text: string): string {
  return text.replace(/[\\#]/g, '\\$&');
}
