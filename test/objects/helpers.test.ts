import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MapType } from '../../assembly/abi.js';
import { HOST_HELPERS } from '../../src/helpers/host.js';
import { HELPERS } from '../../src/helpers/table.js';
import { type LoadedObject, Machine } from '../../src/machine/machine.js';
import { callsOf } from '../../src/object/calls.js';
import { loadObject } from '../../src/object/load.js';
import type { ObjectSpec } from '../../src/object/spec.js';
import { Kernel } from '../../src/oracle/kernel.js';
import { possibleCpus } from '../support/cpus.js';

// Every helper and every map type is called from compiled C: here those that no other suite calls, and a check that none is
// left out.

const FOLDER = new URL('../../bpf-objects/', import.meta.url);
const PACKET = new Uint8Array(64).fill(1);
const KEY = new Uint8Array(4);

function read(name: string): ObjectSpec {
  return loadObject(readFileSync(new URL(name, FOLDER)), { name });
}

const words = (bytes: Uint8Array, count: number): bigint[] => {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return Array.from({ length: count }, (_, i) => view.getBigInt64(i * 8, true));
};

function results(object: LoadedObject, program: string, count: number, packet?: Uint8Array): bigint[] {
  const outcome = object.program(program).run({ packet });
  expect(outcome.fault).toBeUndefined();
  return words(object.map('results').getBytes(KEY)!, count);
}

const E = { PERM: -1, NOENT: -2, BIG: -7, FAULT: -14, NODEV: -19, INVAL: -22, OPNOTSUPP: -95, AFNOSUPPORT: -97 };

const available = Kernel.available();
if (!available.ok) console.warn(`helpers-net.c not compared with the kernel: ${available.reason}`);

describe('helpers of packet programs (helpers-net.c)', () => {
  const bytes = readFileSync(new URL('helpers-net.o', FOLDER));
  let kernel: Kernel | undefined;
  beforeAll(() => {
    if (available.ok) kernel = Kernel.open(bytes, { name: 'helpers-net.o' });
  });
  afterAll(() => kernel?.close());

  test.each([
    ['clocks', [1, 1, 1, 1, 1]],
    ['machine', [1, 0, 0]],
    ['packet', [E.INVAL, E.INVAL, 1, E.INVAL, E.INVAL, 7, 2, 0, 65536, E.NODEV, 1, E.INVAL]],
    ['sockets', [0, 1, 1, 0, 7, 8, 0, E.NOENT]],
    ['output', [E.BIG, E.INVAL, E.FAULT, 0, E.INVAL, 16, 4096, 1, 40, 72, 0, 1, E.INVAL]],
    ['values', [3, 0, 5, 0, 0, E.FAULT, E.FAULT]],
    ['rare_maps', [E.NOENT, 0, 0, E.NOENT, E.INVAL, 0, 0, E.INVAL, E.NOENT]],
    ['redirects', [0, 2, 3, 0, 1, 2, 4, 2, 0]],
    ['cgroup', [1, 2, 0]],
  ])('%s', (program, expected) => {
    const machine = Machine.create({ cpus: kernel ? possibleCpus() : 1 });
    const ours = results(machine.load(loadObject(bytes, { name: 'helpers-net.o' })), program, expected.length, PACKET);
    expect(ours).toEqual(expected.map(BigInt));
    if (!kernel) return;
    kernel.updateMap('results', KEY, new Uint8Array(256));
    expect(kernel.run({ program, packet: PACKET }).retval).toBe(0);
    expect(ours).toEqual(words(kernel.dumpMap('results')[0]![1], expected.length));
  });
});

describe('helpers of other hooks (helpers-hooks.c)', () => {
  const task = { pid: 11, tgid: 22, uid: 33, gid: 44, comm: 'task' };
  const run = (program: string, count: number): bigint[] =>
    results(Machine.create({ environment: { task, cgroupId: 5n } }).load(read('helpers-hooks.o')), program, count);

  test('task', () => {
    expect(run('task', 22)).toEqual(
      [
        (22n << 32n) | 11n,
        (44n << 32n) | 33n,
        // There is no task_struct to point to.
        ...[0, 0, 0],
        ...[5, 0],
        ...[E.FAULT, E.INVAL, E.FAULT, E.INVAL],
        ...[0, 0x1122334455667788n, E.FAULT, 0],
        ...[4, 'c'.charCodeAt(0)],
        ...[0, 0x55667788],
        E.OPNOTSUPP,
        ...[5, 9],
      ].map(BigInt),
    );
  });

  test('iterator', () => {
    const object = Machine.create().load(read('helpers-hooks.o'));
    const { events } = object.program('iterator').run({});
    expect(words(object.map('results').getBytes(KEY)!, 3)).toEqual([0, E.INVAL, 0].map(BigInt));
    expect(events).toEqual([
      { kind: 'print', text: 'n=42\n' },
      { kind: 'print', text: 'xyz' },
    ]);
  });

  test('socket_operations', () => {
    // Without a full socket and outside of the callbacks for header options.
    expect(run('socket_operations', 10)).toEqual(
      [E.INVAL, 0, E.INVAL, 0, 0, 77, E.INVAL, E.PERM, E.PERM, E.PERM].map(BigInt),
    );
  });

  test('connect4', () => {
    expect(run('connect4', 6)).toEqual([0, E.AFNOSUPPORT, E.INVAL, 0, 0, -13].map(BigInt));
  });

  test('egress', () => {
    expect(run('egress', 2)).toEqual([5n, 0n]);
  });
});

describe('nothing is left out', () => {
  const specs = readdirSync(FOLDER)
    .filter((name) => name.endsWith('.o'))
    .map(read);

  test('a program calls every helper that is implemented', () => {
    const called = new Set(
      specs.flatMap((spec) => [...spec.functions.keys()].flatMap((fn) => callsOf(spec, fn, false))),
    );
    const missing = HELPERS.filter(({ id, where }) => (where === 'core' || HOST_HELPERS.has(id)) && !called.has(id));
    expect(missing.map(({ id, name }) => `${id} ${name}`)).toEqual([]);
  });

  test('the core implements what the table says it does', () => {
    const machine = Machine.create();
    expect(HELPERS.filter(({ id, where }) => where === 'core' && HOST_HELPERS.has(id))).toEqual([]);
    for (const { id, where } of HELPERS) expect(machine.hasHelper(id)).toBe(where === 'core' || HOST_HELPERS.has(id));
  });

  test('an object has every type of map that a program here can use', () => {
    // Types that only helpers without an implementation, or programs of the kernel itself, use.
    const unused = new Set([
      MapType.UNSPEC,
      MapType.REUSEPORT_SOCKARRAY,
      MapType.STRUCT_OPS,
      MapType.INODE_STORAGE,
      MapType.TASK_STORAGE,
      MapType.USER_RINGBUF,
      MapType.CGRP_STORAGE,
      MapType.ARENA,
    ]);
    const used = new Set(specs.flatMap((spec) => spec.maps.map((map) => map.type)));
    const types = Object.values(MapType).filter((type): type is MapType => typeof type === 'number');
    expect(types.filter((type) => !used.has(type) && !unused.has(type)).map((type) => MapType[type])).toEqual([]);
  });
});
