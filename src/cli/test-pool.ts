import { Worker } from 'node:worker_threads';
import type { ObjectResult } from '../cilium/unit-test/result.js';
import type { LineCoverage } from '../machine/coverage.js';
import { endsRun, type TestOptions, testObject } from './test-object.js';
import type { WorkerReply, WorkerRequest } from './test-worker.js';

/**
 * Runs the tests of all files, `jobs` files at a time, and adds to `coverage`. `report` gets the results in the order of the
 * files as soon as they and those before them are known. With `bail`, nothing behind the first object that fails is reported.
 */
export async function testObjects(
  files: readonly string[],
  jobs: number,
  options: TestOptions,
  coverage: LineCoverage,
  report: (result: ObjectResult) => void,
): Promise<void> {
  const workers = Math.min(jobs, files.length);
  if (workers > 1) return testInWorkers(files, workers, options, coverage, report);
  for (const file of files) {
    const result = testObject(file, options, coverage);
    report(result);
    if (endsRun(result, options)) return;
  }
}

async function testInWorkers(
  files: readonly string[],
  workers: number,
  options: TestOptions,
  coverage: LineCoverage,
  report: (result: ObjectResult) => void,
): Promise<void> {
  const waiting = new Map<number, ObjectResult>();
  let next = 0;
  let reported = 0;
  let isEnded = false;
  const request = (): WorkerRequest => {
    const index = next++;
    const file = files[index];
    return isEnded || file === undefined ? 'end' : { file, index };
  };
  const take = (index: number, result: ObjectResult): void => {
    waiting.set(index, result);
    for (let ready = waiting.get(reported); ready && !isEnded; ready = waiting.get(reported)) {
      waiting.delete(reported++);
      report(ready);
      isEnded = endsRun(ready, options);
    }
  };
  const runOne = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL('./test-worker.js', import.meta.url), { workerData: options });
      worker.on('error', reject);
      worker.on('exit', () => resolve());
      worker.on('message', (reply: WorkerReply) => {
        if ('coverage' in reply) {
          coverage.merge(reply.coverage);
          return;
        }
        take(reply.index, reply.result);
        worker.postMessage(request());
      });
      worker.postMessage(request());
    });
  await Promise.all(Array.from({ length: workers }, runOne));
}
