import type { ObjectResult, TestCounts } from '../cilium/unit-test/result.js';
import { JsonReporter } from './test-report-json.js';
import { JunitReporter } from './test-report-junit.js';
import { SpecReporter } from './test-report-spec.js';
import { TapReporter } from './test-report-tap.js';

export interface TestSummary {
  readonly objects: readonly ObjectResult[];
  readonly counts: TestCounts;
  readonly milliseconds: number;
}

/** Shows the results of a run; writes to standard output. */
export interface Reporter {
  /** One object is done; called in the order of the files. */
  object(result: ObjectResult): void;
  /** All are done. */
  end(summary: TestSummary): void;
}

export const REPORTERS: Readonly<Record<string, () => Reporter>> = {
  spec: () => new SpecReporter(),
  tap: () => new TapReporter(),
  junit: () => new JunitReporter(),
  json: () => new JsonReporter(),
};
