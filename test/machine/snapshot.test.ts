import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Machine } from '../../src/machine/machine.js';
import { loadObject } from '../../src/object/load.js';
import { buildPacket } from '../../src/packet/packet.js';

const [SERVICE, MAPS] = ['service.o', 'maps-script.o'].map((name) =>
  loadObject(readFileSync(new URL(`../../bpf-objects/${name}`, import.meta.url)), { name }),
);

test('restoring puts all memory back, that of maps made since the snapshot included', () => {
  const machine = Machine.create();
  const object = machine.load(SERVICE!);
  const { MAPS: start, MAPS_SIZE: size } = machine.core.layout;
  const descriptors = (): Buffer => Buffer.from(machine.core.copy(start, size));
  const map = [...object.maps.values()].find((candidate) => candidate.valueSize === 8) ?? [...object.maps.values()][0]!;
  const old = descriptors();
  const top = machine.core.exports.heapTop();
  const before = map.getBytes(new Uint8Array(map.keySize));
  const snapshot = machine.snapshot();

  machine.load(MAPS!);
  for (const program of object.programs)
    program.run({ packet: buildPacket('tcp 10.0.0.250:40418 > 172.16.16.87:80 syn') });
  map.setBytes(new Uint8Array(map.keySize), new Uint8Array(map.valueSize).fill(7));
  expect(descriptors().equals(old)).toBe(false);
  expect(map.getBytes(new Uint8Array(map.keySize))).not.toEqual(before);

  machine.restore(snapshot);
  expect(descriptors().equals(old)).toBe(true);
  expect(machine.core.exports.heapTop()).toBe(top);
  expect(map.getBytes(new Uint8Array(map.keySize))).toEqual(before);
});

test('a snapshot takes no more than the machine uses', () => {
  const machine = Machine.create();
  machine.load(SERVICE!);
  const used = machine.core.exports.heapTop() - machine.core.layout.HEAP;
  const size = machine.snapshot().pieces.reduce((sum, { bytes }) => sum + bytes.length, 0);
  expect(size).toBeLessThan(machine.core.layout.PROGRAMS + used * 1.25 + 0x4000);
});
