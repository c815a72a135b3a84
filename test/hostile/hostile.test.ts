import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { hostileBytecode, hostileObject, mutate, randomBytecode, randomSource } from '../../scripts/hostile-cases.mjs';
import { OffkernelError } from '../../src/errors.js';
import { bytecodeSpec } from '../../src/machine/bytecode.js';
import { Machine } from '../../src/machine/machine.js';
import { loadObject } from '../../src/object/load.js';

// A small run of `npm run hostile`: only typed errors and faults, each in bounded time.

const LIBRARY = { Machine, loadObject, bytecodeSpec, OffkernelError };
const OBJECTS = new URL('../../bpf-objects/', import.meta.url);
const LIMIT_MS = 2000;
const SEED = 20261124;

const files = readdirSync(OBJECTS)
  .filter((name) => name.endsWith('.o'))
  .map((name) => ({ name, bytes: new Uint8Array(readFileSync(new URL(name, OBJECTS))) }))
  // The datapath's objects take too long for a thousand rounds; `npm run hostile` takes them too.
  .filter(({ bytes }) => bytes.length < 100_000);

function timed(run: () => string): string {
  const start = performance.now();
  const result = run();
  expect(performance.now() - start).toBeLessThan(LIMIT_MS);
  return result;
}

test('1,000 mutated objects end in a typed error or an outcome', () => {
  const seen = new Set<string>();
  for (let i = 0; i < 1000; i++) {
    const random = randomSource(SEED + i);
    seen.add(timed(() => hostileObject(LIBRARY, mutate(files[i % files.length]!.bytes, random), random)));
  }
  // Both happen, or the mutations would be too tame or too wild to test anything.
  expect([...seen].sort()).toEqual(['ran', 'rejected']);
});

test('2,000 random programs end in an outcome', () => {
  const seen = new Set<string>();
  for (let i = 0; i < 2000; i++) {
    const random = randomSource(SEED * 3 + i);
    seen.add(timed(() => hostileBytecode(LIBRARY, randomBytecode(random), random)));
  }
  expect(seen.has('exit')).toBe(true);
  expect(seen.has('out-of-bounds')).toBe(true);
});
