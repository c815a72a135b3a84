import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { bytecodeSpec } from '../../src/machine/bytecode.js';
import { Machine } from '../../src/machine/machine.js';
import { loadObject } from '../../src/object/load.js';
import { buildPacket } from '../../src/packet/packet.js';

const OBJECTS = ['faults.o', 'service.o', 'maps-script.o', 'helpers-misc.o'].map((name) =>
  loadObject(readFileSync(new URL(`../../bpf-objects/${name}`, import.meta.url)), { name }),
);

/** All memory a program or the core may have written, without zeros at the end. */
function memoryOf(machine: Machine): Buffer {
  const { bytes } = machine.core;
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return Buffer.from(bytes.buffer, 0, end);
}

function fill(machine: Machine): void {
  for (const spec of OBJECTS) {
    for (const program of machine.load(spec).programs)
      program.run({
        packet: buildPacket('tcp 10.0.0.250:40418 > 172.16.16.87:80 syn'),
        coverage: true,
        budget: 10_000n,
      });
  }
}

test('a machine made from the memory of another one is as new', () => {
  const first = Machine.create({ seed: 7n, trackUninitialised: true });
  const memory = first.core.exports.memory;
  const asNew = Buffer.from(memoryOf(first));
  fill(first);
  expect(memoryOf(first).equals(asNew)).toBe(false);
  first.dispose();
  const second = Machine.create({ seed: 7n, trackUninitialised: true });
  expect(second.core.exports.memory).toBe(memory);
  expect(memoryOf(second).equals(asNew)).toBe(true);
});

test('the machine that has the memory now answers its helper calls', () => {
  const callAndExit = Uint8Array.of(0x85, 0, 0, 0, 7, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0);
  const results = [1n, 2n].map((value) => {
    const machine = Machine.create();
    machine.setHelper('get_prandom_u32', () => value);
    const outcome = machine.load(bytecodeSpec(callAndExit)).programs[0]!.run();
    machine.dispose();
    return outcome.r0;
  });
  expect(results).toEqual([1n, 2n]);
});

test('a machine that was disposed of refuses everything and harms no other', () => {
  const machine = Machine.create();
  const object = machine.load(OBJECTS[1]!);
  const map = [...object.maps.values()][0]!;
  machine.dispose();
  machine.dispose();
  const other = Machine.create();
  const before = Buffer.from(memoryOf(other));
  expect(() => object.programs[0]!.run({ packet: new Uint8Array(64) })).toThrow('this machine was disposed of');
  expect(() => map.getBytes(new Uint8Array(map.keySize))).toThrow('this machine was disposed of');
  expect(() => machine.load(OBJECTS[0]!)).toThrow('this machine was disposed of');
  expect(() => machine.snapshot()).toThrow('this machine was disposed of');
  expect(memoryOf(other).equals(before)).toBe(true);
});
