import { availableParallelism } from 'node:os';
import { Command, Option } from 'commander';
import { countTests, type ObjectResult } from '../cilium/unit-test/result.js';
import { UsageError } from '../errors.js';
import { writeOutput } from './files.js';
import { dim, progress } from './format.js';
import { EXIT } from './main.js';
import { newCoverage, type TestOptions } from './test-object.js';
import { testObjects } from './test-pool.js';
import { REPORTERS } from './test-report.js';
import { watchFiles } from './test-watch.js';

const EXAMPLE = `
Tests are the programs in sections tc/test/<name>/check and xdp/test/<name>/check, with .../pktgen and .../setup before them,
as in Cilium's bpf/tests. Maps and globals persist over the tests of one object unless --isolate is given.

Example:
  $ offkernel test bpf/tests/*.o --jobs 2
  $ offkernel test tc_nodeport.o --filter '^tc_nodeport_dsr' --trace tc_nodeport_dsr_fwd
  $ offkernel test *.o --coverage coverage.info --source-root /build/cilium/= && genhtml coverage.info -o html`;

interface Options {
  filter?: string;
  bail?: boolean;
  isolate?: boolean;
  jobs: string;
  trace?: string;
  coverage?: string;
  sourceRoot: string[];
  watch?: boolean;
  reporter: string;
  json?: boolean;
}

/** Unit tests in Cilium's protocol. */
export function testCommand(done: (code: number) => void): Command {
  return new Command('test')
    .description("run BPF unit tests in the protocol of Cilium's (PKTGEN, SETUP, CHECK)")
    .argument('<files...>', 'object files')
    .option('--filter <regexp>', 'run only tests whose name matches')
    .option('--bail', 'stop behind the first test that fails')
    .option('--isolate', 'put maps and globals back before every test')
    .option('--jobs <n>', 'objects to run at a time', String(availableParallelism()))
    .option('--trace <test>', 'show C source lines, instructions and helper calls of one test')
    .option('--coverage <file>', 'write line coverage over all objects (lcov)')
    .addOption(
      new Option('--source-root <from=to>', 'replace a prefix of source paths in the coverage (repeatable)')
        .default([])
        .argParser((value: string, all: string[]) => [...all, value]),
    )
    .option('--watch', 'run an object again whenever it is written, until interrupted')
    .addOption(new Option('--reporter <name>', 'form of the results').choices(Object.keys(REPORTERS)).default('spec'))
    .option('--json', 'the same as --reporter json')
    .addHelpText('after', EXAMPLE)
    .action(async (files: string[], options: Options) => done(await test(files, options)));
}

async function test(files: readonly string[], options: Options): Promise<number> {
  if (!/^[1-9]\d{0,3}$/.test(options.jobs))
    throw new UsageError(`--jobs takes a number from 1 on, not '${options.jobs}'`);
  const reporter = options.json ? 'json' : options.reporter;
  if (options.trace !== undefined && reporter !== 'spec')
    throw new UsageError(`--trace prints among the results and goes with the spec reporter only, not with ${reporter}`);
  const testOptions: TestOptions = {
    filter: regularExpression(options.filter),
    isolate: options.isolate ?? false,
    bail: options.bail ?? false,
    trace: options.trace,
    coverage: options.coverage !== undefined,
    sourceRoots: options.sourceRoot.map(sourceRoot),
  };
  // Lines of a trace come from the thread that runs the test.
  const jobs = options.trace === undefined ? Number(options.jobs) : 1;
  const runAll = async (some: readonly string[]): Promise<number> =>
    exitCode(await runOnce(some, jobs, reporter, testOptions, options.coverage), testOptions);
  if (!options.watch) return runAll(files);
  const interrupted = new AbortController();
  process.once('SIGINT', () => interrupted.abort());
  let last: number = EXIT.ok;
  const first = async (): Promise<void> => {
    last = await runAll(files);
    process.stderr.write(dim('watching; Ctrl-C ends\n'));
  };
  const again = async (changed: readonly string[]): Promise<void> => {
    try {
      last = await runAll(changed);
    } catch (error) {
      // A filter may leave nothing of one object; the next change is another matter.
      if (!(error instanceof UsageError)) throw error;
      process.stderr.write(`offkernel: ${error.message}\n`);
      last = EXIT.usage;
    }
  };
  try {
    await watchFiles(files, first, again, interrupted.signal);
  } finally {
    interrupted.abort();
  }
  return last;
}

async function runOnce(
  files: readonly string[],
  jobs: number,
  reporterName: string,
  options: TestOptions,
  coverageFile: string | undefined,
): Promise<ObjectResult[]> {
  const started = performance.now();
  const reporter = REPORTERS[reporterName]!();
  const coverage = newCoverage(options);
  const results: ObjectResult[] = [];
  const line = progress('tests');
  await testObjects(files, jobs, options, coverage, (result) => {
    results.push(result);
    line.end();
    reporter.object(result);
    line.update(results.length, files.length, result.file);
  });
  line.end();
  reporter.end({ objects: results, counts: countTests(results), milliseconds: performance.now() - started });
  if (coverageFile !== undefined) writeOutput(coverageFile, coverage.toLcov());
  return results;
}

/** 1 if a test failed, 2 if an object could not be run or the filter left nothing. */
function exitCode(results: readonly ObjectResult[], options: TestOptions): number {
  if (countTests(results).failed) return EXIT.failed;
  if (results.some((result) => result.error !== undefined)) return EXIT.usage;
  const names = results.flatMap((result) => result.tests.map((one) => one.name));
  if (!names.length) throw new UsageError(`no test matches --filter '${options.filter}'`);
  if (options.trace !== undefined && !names.includes(options.trace))
    throw new UsageError(`no test is named ${options.trace} (--trace)`);
  return EXIT.ok;
}

function regularExpression(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  try {
    return new RegExp(text).source;
  } catch (error) {
    throw new UsageError(`--filter: ${(error as Error).message}`);
  }
}

function sourceRoot(text: string): { from: string; to: string } {
  const equals = text.indexOf('=');
  if (equals < 0) throw new UsageError(`--source-root takes FROM=TO, not '${text}'`);
  return { from: text.slice(0, equals), to: text.slice(equals + 1) };
}
