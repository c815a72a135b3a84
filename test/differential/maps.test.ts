import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LoadedObject, Machine } from '../../src/machine/machine.js';
import { loadObject } from '../../src/object/load.js';
import { Kernel } from '../../src/oracle/kernel.js';
import { possibleCpus } from '../support/cpus.js';
import { randomSource } from '../support/random.js';

const OBJECT = readFileSync(new URL('../../bpf-objects/maps-script.o', import.meta.url));
const PACKET = new Uint8Array(64);
const OPERATIONS = 64;
const SCRIPTS = 40;
const KEY = new Uint8Array(4);

const MAPS = [
  'array',
  'percpu_array',
  'hash',
  'hash_lazy',
  'percpu_hash',
  'lru_hash',
  'lru_large',
  'lru_private',
  'lru_percpu',
  'lpm',
  'queue',
  'stack',
];
enum Kind {
  LOOKUP,
  UPDATE,
  DELETE,
  ADD,
  PUSH,
  POP,
  PEEK,
}

/** 64 random operations on one map; keys fall in a range somewhat larger than the map. */
function script(map: number, seed: number): Uint8Array {
  const random = randomSource(seed);
  const bytes = new Uint8Array(OPERATIONS * 32);
  const view = new DataView(bytes.buffer);
  const isKeyless = map >= 10;
  const range = map === 6 ? 60 : map === 3 ? 36 : 14;
  for (let i = 0; i < OPERATIONS; i++) {
    const at = i * 32;
    const roll = random.below(10);
    const kind = isKeyless
      ? [Kind.PUSH, Kind.PUSH, Kind.POP, Kind.PEEK][random.below(4)]!
      : roll < 5
        ? Kind.UPDATE
        : roll < 7
          ? Kind.LOOKUP
          : roll < 8
            ? Kind.ADD
            : Kind.DELETE;
    view.setUint32(at, map, true);
    view.setUint32(at + 4, kind, true);
    const isPrefix = map === 9;
    view.setUint32(at + 8, isPrefix ? (random.next() & 0x0f0f0f0f) >>> 0 : random.below(range), true);
    view.setUint32(at + 12, isPrefix ? random.below(34) : 0, true);
    view.setBigUint64(at + 16, BigInt(random.next()), true);
    view.setBigUint64(at + 24, BigInt(random.below(4) ? 0 : random.below(6)), true);
  }
  return bytes;
}

/** Results as text, so that a difference shows the operation. */
function readResults(operations: Uint8Array, results: Uint8Array): string[] {
  const given = new DataView(operations.buffer, operations.byteOffset, operations.byteLength);
  const got = new DataView(results.buffer, results.byteOffset, results.byteLength);
  return Array.from({ length: OPERATIONS }, (_, i) => {
    const [map, kind, key, prefix] = [0, 4, 8, 12].map((offset) => given.getUint32(i * 32 + offset, true));
    const flags = given.getBigUint64(i * 32 + 24, true);
    return `${i} ${MAPS[map!]} ${Kind[kind!]} key ${key} prefix ${prefix} flags ${flags}: ${got.getBigInt64(i * 16, true)}, value ${got.getBigUint64(i * 16 + 8, true)}`;
  });
}

const kernel = Kernel.available();
if (!kernel.ok) console.warn(`map operations not compared with the kernel: ${kernel.reason}`);

describe.skipIf(!kernel.ok)('map operations give what the kernel gives', () => {
  describe.each(MAPS.map((name, index) => ({ name, index })))('$name', ({ name, index }) => {
    let inKernel: Kernel;
    let here: LoadedObject;
    beforeAll(() => {
      inKernel = Kernel.open(OBJECT, { name: 'maps-script.o' });
      here = Machine.create({ cpus: possibleCpus() }).load(loadObject(OBJECT, { name: 'maps-script.o' }));
    });
    afterAll(() => inKernel.close());

    test(`${SCRIPTS} scripts of ${OPERATIONS} operations, one after the other`, () => {
      for (let round = 0; round < SCRIPTS; round++) {
        const operations = script(index, index * 1000 + round);
        inKernel.updateMap('script', KEY, operations);
        here.map('script').setBytes(KEY, operations);
        const theirs = inKernel.run({ program: 'run_script', packet: PACKET });
        const ours = here.program('run_script').run({ packet: PACKET });
        expect(ours.fault).toBeUndefined();
        expect(ours.retval).toBe(theirs.retval);
        expect(readResults(operations, here.map('results').getBytes(KEY)!)).toEqual(
          readResults(operations, inKernel.dumpMap('results')[0]![1]),
        );
      }
    });

    // Queues and stacks have no keys to walk.
    if (index >= 10) return;
    test('the same elements in the same order afterwards', () => {
      const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
      const ours = [...here.map(name).entryBytes()].map(([key, value]) => `${hex(key)} ${hex(value)}`);
      const theirs = inKernel.dumpMap(name).map(([key, value]) => `${hex(key)} ${hex(value)}`);
      expect(ours).toEqual(theirs);
    });
  });
});
