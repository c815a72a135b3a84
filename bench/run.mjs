// npm run bench: offkernel's interpreter beside the kernel's JIT, in one run. Rates from the benchmark package.
import Benchmark from 'benchmark';
import { Machine } from '../dist/src/machine/machine.js';
import { loadObject } from '../dist/src/object/load.js';
import { Kernel } from '../dist/src/oracle/kernel.js';
import { BENCHMARKS } from './programs.mjs';

const WARM_UP = 5_000;
/** Runs per call of the benchmarked function, so that the timer's own cost disappears. */
const BATCH = 100;

function prepare(benchmark) {
  const machine = Machine.create();
  const object = machine.load(loadObject(benchmark.object, { name: benchmark.file }));
  for (const [name, entries] of Object.entries(benchmark.maps ?? {}))
    for (const { key, value } of entries) object.map(name).set(key, value);
  const program = object.program(benchmark.program);
  const outcome = program.run({ packet: benchmark.packet });
  if (outcome.fault) throw new Error(`${benchmark.name}: ${outcome.fault.kind}`);
  program.rerun(WARM_UP);
  return { object, program, outcome };
}

function measure(name, run) {
  return new Promise((resolve, reject) => {
    new Benchmark(name, run, {
      maxTime: 2,
      onComplete: (event) => resolve(event.target),
      onError: (event) => reject(event.target.error),
    }).run({ async: true });
  });
}

async function kernelNanoseconds(benchmark, object) {
  const available = Kernel.available();
  if (!available.ok) return { reason: available.reason };
  const kernel = Kernel.open(benchmark.object, { name: benchmark.file });
  try {
    for (const name of Object.keys(benchmark.maps ?? {})) {
      for (const [key, value] of object.map(name).entryBytes()) kernel.updateMap(name, key, value);
    }
    const { retval, duration } = kernel.run({ program: benchmark.program, packet: benchmark.packet, repeat: 200_000 });
    return { retval, nanoseconds: duration };
  } finally {
    kernel.close();
  }
}

const format = (value, digits = 0) =>
  value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });

console.log('program        instructions   interpreter ns   M insns/s   kernel JIT ns   interpreter / kernel');
let without;
for (const benchmark of BENCHMARKS) {
  const { object, program, outcome } = prepare(benchmark);
  const result = await measure(benchmark.name, () => program.rerun(BATCH));
  const nanoseconds = (result.stats.mean * 1e9) / BATCH;
  const instructions = Number(outcome.instructions);
  const kernel = await kernelNanoseconds(benchmark, object);
  if (kernel.retval !== undefined && kernel.retval !== outcome.retval)
    throw new Error(`${benchmark.name}: the kernel returns ${kernel.retval}, offkernel ${outcome.retval}`);
  without ??= kernel.reason;
  console.log(
    [
      benchmark.name.padEnd(14),
      format(instructions).padStart(12),
      format(nanoseconds, 1).padStart(16),
      format(((instructions / nanoseconds) * 1e9) / 1e6).padStart(11),
      (kernel.nanoseconds === undefined ? '-' : format(kernel.nanoseconds)).padStart(15),
      (kernel.nanoseconds ? `${format(nanoseconds / kernel.nanoseconds, 1)}x` : '-').padStart(22),
    ].join(' '),
  );
}
if (without) console.log(`no kernel beside it: ${without}`);
