// npm run hostile -- [--objects N] [--programs N] [--seed S] [FILE...]
// Mutated objects and random bytecode against the compiled library: only typed errors and faults, each within 2 s of
// processor time (a busy machine is no fault of ours), the process within 512 MiB. The bundled objects are the seeds unless files are given.
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { OffkernelError } from '../dist/src/errors.js';
import { bytecodeSpec } from '../dist/src/machine/bytecode.js';
import { Machine } from '../dist/src/machine/machine.js';
import { loadObject } from '../dist/src/object/load.js';
import { hostileBytecode, hostileObject, mutate, randomBytecode, randomSource } from './hostile-cases.mjs';

const LIMIT_MS = 2000;
const LIMIT_BYTES = 512 * 2 ** 20;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    objects: { type: 'string', default: '100000' },
    programs: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
  },
});
const bundled = new URL('../bpf-objects/', import.meta.url);
const files = positionals.length
  ? positionals.map((path) => ({ name: basename(path), bytes: new Uint8Array(readFileSync(path)) }))
  : readdirSync(bundled)
      .filter((name) => name.endsWith('.o'))
      .map((name) => ({ name, bytes: new Uint8Array(readFileSync(new URL(name, bundled))) }));
const library = { Machine, loadObject, bytecodeSpec, OffkernelError };
const tally = {};
let slowest = 0;
let largest = 0;
let failures = 0;

function attempt(label, run) {
  const started = process.cpuUsage();
  let result;
  try {
    result = run();
  } catch (error) {
    failures++;
    result = 'BUG';
    console.error(`${label}: ${error.stack}`);
  }
  const { user, system } = process.cpuUsage(started);
  const took = (user + system) / 1000;
  slowest = Math.max(slowest, took);
  if (took > LIMIT_MS) {
    failures++;
    console.error(`${label}: took ${took.toFixed(0)} ms`);
  }
  tally[result] = (tally[result] ?? 0) + 1;
}

function progress(what, done, total) {
  if (done % 1000 && done !== total) return;
  const { rss } = process.memoryUsage();
  if (rss > LIMIT_BYTES && largest <= LIMIT_BYTES) {
    failures++;
    console.error(`${what} ${done}: the process uses ${(rss / 2 ** 20).toFixed(0)} MiB`);
  }
  largest = Math.max(largest, rss);
  if (process.stderr.isTTY) process.stderr.write(`\r${what}: ${done} of ${total}`);
}

const seed = Number(values.seed);
const objects = Number(values.objects);
for (let i = 0; i < objects; i++) {
  const random = randomSource(seed * 1_000_003 + i);
  const file = files[i % files.length];
  attempt(`object ${i} (${file.name}, seed ${seed})`, () => hostileObject(library, mutate(file.bytes, random), random));
  progress('mutated objects', i + 1, objects);
}
const programs = Number(values.programs);
for (let i = 0; i < programs; i++) {
  const random = randomSource(seed * 7_000_003 + i);
  attempt(`program ${i} (seed ${seed})`, () => hostileBytecode(library, randomBytecode(random), random));
  progress('random programs', i + 1, programs);
}
if (process.stderr.isTTY) process.stderr.write('\n');
console.log(`${objects} mutated objects from ${files.length} files, ${programs} random programs, seed ${seed}`);
for (const [result, count] of Object.entries(tally).sort(([, a], [, b]) => b - a))
  console.log(`  ${String(count).padStart(7)} ${result}`);
console.log(
  `slowest ${slowest.toFixed(0)} ms, largest process ${(largest / 2 ** 20).toFixed(0)} MiB, ${failures} failures`,
);
process.exitCode = failures ? 1 : 0;
