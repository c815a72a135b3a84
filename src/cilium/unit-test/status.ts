/** What became of a test or sub-test. `error`: it could not be run to its end, so nothing is known about what it checks. */
export type TestStatus = 'pass' | 'fail' | 'skip' | 'error';

/**
 * Status codes that test programs return and write (bpf/tests/common.h). From Cilium 1.19 on they begin at 100, so that
 * they cannot be mistaken for verdicts; up to 1.18 they are 0 to 3.
 */
const CODES: ReadonlyMap<number, TestStatus> = new Map([
  [0, 'error'],
  [1, 'pass'],
  [2, 'fail'],
  [3, 'skip'],
  [100, 'error'],
  [101, 'pass'],
  [102, 'fail'],
  [103, 'skip'],
]);

/** Status of a code, undefined for a number that is none. */
export function statusOf(code: number): TestStatus | undefined {
  return CODES.get(code);
}

/** Whether a return value of PKTGEN or SETUP says that the test ends here; codes up to 1.18 cannot, they may be verdicts. */
export function abortsTest(retval: number): boolean {
  return retval === 100 || retval === 102;
}
