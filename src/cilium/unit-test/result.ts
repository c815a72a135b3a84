import type { Fault } from '../../machine/fault.js';
import type { RunEvent } from '../../machine/outcome.js';
import type { LineInfo } from '../../object/spec.js';
import type { PacketMismatch } from './packet-mismatch.js';
import type { TestStatus } from './status.js';
import type { Stage } from './tests.js';

export interface LogLine {
  readonly text: string;
  /** The C source line that the text names (`file.c:12`), where the object's line info has it. */
  readonly source: LineInfo | undefined;
}

export interface SubtestResult {
  readonly name: string;
  readonly status: TestStatus;
  readonly log: readonly LogLine[];
}

/** What a unit test left behind; plain data. */
export interface UnitTestResult {
  readonly name: string;
  /** What CHECK returned; `fail` also if it returned `pass` but a sub-test did not pass. */
  readonly status: TestStatus;
  readonly subtests: readonly SubtestResult[];
  /** Log lines outside of sub-tests, and what the runner itself has to say. */
  readonly log: readonly LogLine[];
  readonly mismatches: readonly PacketMismatch[];
  /** What the programs emitted, by stage. */
  readonly events: readonly { readonly stage: Stage; readonly event: RunEvent }[];
  readonly fault: Fault | undefined;
  readonly instructions: bigint;
}

/** All tests of one object file. */
export interface ObjectResult {
  readonly file: string;
  /** Why the object could not be loaded; its tests are then empty. */
  readonly error: string | undefined;
  readonly tests: readonly UnitTestResult[];
}

export interface TestCounts {
  passed: number;
  failed: number;
  skipped: number;
}

/**
 * Counts over sub-tests. A test counts as one itself if it has no sub-tests, or if it failed though none of them did.
 * `error` counts as failed.
 */
export function countTests(objects: readonly ObjectResult[]): TestCounts {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const test of objects.flatMap((object) => object.tests)) {
    for (const status of countedStatuses(test)) {
      counts[status === 'pass' ? 'passed' : status === 'skip' ? 'skipped' : 'failed']++;
    }
  }
  return counts;
}

function countedStatuses(test: UnitTestResult): TestStatus[] {
  const statuses = test.subtests.map((subtest) => subtest.status);
  const isOwnFailure = isFailure(test.status) && !statuses.some(isFailure);
  return statuses.length === 0 || isOwnFailure ? [...statuses, test.status] : statuses;
}

export function isFailure(status: TestStatus): boolean {
  return status === 'fail' || status === 'error';
}
