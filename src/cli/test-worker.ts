import { parentPort, workerData } from 'node:worker_threads';
import type { ObjectResult } from '../cilium/unit-test/result.js';
import type { FileCoverage } from '../machine/coverage.js';
import { newCoverage, type TestOptions, testObject } from './test-object.js';

/** To a worker: the next file, or the end. */
export type WorkerRequest = { readonly file: string; readonly index: number } | 'end';

/** From a worker: the result of a file, or behind the last one its coverage. */
export type WorkerReply =
  | { readonly index: number; readonly result: ObjectResult }
  | { readonly coverage: ReadonlyMap<string, FileCoverage> };

const options = workerData as TestOptions;
const coverage = newCoverage(options);

parentPort?.on('message', (request: WorkerRequest) => {
  if (request === 'end') {
    parentPort?.postMessage({ coverage: coverage.files } satisfies WorkerReply);
    parentPort?.close();
    return;
  }
  const result = testObject(request.file, options, coverage);
  parentPort?.postMessage({ index: request.index, result } satisfies WorkerReply);
});
