import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Machine } from '../../src/machine/machine.js';
import { loadObject } from '../../src/object/load.js';
import { buildPacket, fixChecksums } from '../../src/packet/packet.js';

// Node's Buffer is a Uint8Array whose slice() does not copy: what takes bytes must not change those of its caller.

test('configuration of one load does not reach the object, nor the file it was read from', () => {
  const file = readFileSync(new URL('../../bpf-objects/service.o', import.meta.url));
  const before = Buffer.from(file);
  const spec = loadObject(file, { name: 'service.o' });
  Machine.create().load(spec, { config: { fixed_slot: 7 } });
  expect(Machine.create().load(spec).getVariable('fixed_slot')).toBe(0);
  expect(file.equals(before)).toBe(true);
});

test('decoded and encoded values leave the bytes given alone', () => {
  const spec = loadObject(readFileSync(new URL('../../bpf-objects/service.o', import.meta.url)), { name: 'service.o' });
  const map = Machine.create().load(spec).map('services');
  const key = Buffer.from([172, 16, 16, 87, 0, 80, 1, 0]);
  expect(map.decodeKey(key)).toEqual({ address: '172.16.16.87', port: 80, slot: 1 });
  expect([...key]).toEqual([172, 16, 16, 87, 0, 80, 1, 0]);
});

test('fixed checksums are in a copy', () => {
  const packet = Buffer.from(buildPacket('udp 10.0.0.1:1 > 10.0.0.2:2 "x"'));
  packet[24]! ^= 0xff;
  const before = Buffer.from(packet);
  expect(fixChecksums(packet)[24]).not.toBe(packet[24]);
  expect(packet.equals(before)).toBe(true);
});
