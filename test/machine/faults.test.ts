import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { formatFault, Machine } from '../../src/machine/machine.js';
import { loadObject } from '../../src/object/load.js';
import { buildPacket } from '../../src/packet/packet.js';

const OBJECT = loadObject(readFileSync(new URL('../../bpf-objects/faults.o', import.meta.url)), { name: 'faults.o' });
const DEMONSTRATION = loadObject(readFileSync(new URL('../../bpf-objects/service.o', import.meta.url)), {
  name: 'service.o',
});

function run(program: string, options: Parameters<typeof Machine.create>[0] = {}) {
  return Machine.create(options)
    .load(OBJECT)
    .program(program)
    .run({ packet: new Uint8Array(64) });
}

test.each([
  ['beyond_packet', 'out-of-bounds', 'out-of-bounds read of 4 bytes at packet+1000 (packet is 64 bytes)', 22],
  ['absent_value', 'null-pointer', 'read of 8 bytes through a null pointer (offset 0)', 32],
  [
    'stale_pointer',
    'stale-packet',
    'read of 1 byte through a packet pointer that an earlier helper call invalidated',
    44,
  ],
  ['write_constant', 'read-only', 'write of 4 bytes to read-only .rodata+0 (.rodata is 4 bytes)', 51],
  ['endless', 'instruction-budget', 'the instruction budget is used up (endless loop?)', 68],
])('%s ends in %s and names the source line', (program, kind, text, line) => {
  const { fault } = run(program, { budget: 10_000n });
  expect(fault).toMatchObject({ kind, program, function: program, line: { line } });
  expect(formatFault(fault!)).toContain(`${text} in ${program} insn ${fault!.instruction}`);
});

describe('reads of stack that was never written', () => {
  test('give zero by default', () => {
    expect(run('unset_stack')).toMatchObject({ fault: undefined, retval: 0 });
  });

  test('end in a fault where asked for', () => {
    const { fault } = run('unset_stack', { trackUninitialised: true });
    expect(fault).toMatchObject({ kind: 'uninitialised-stack', size: 4, region: { name: 'stack', offset: -4 } });
  });

  test('written stack serves as keys and buffers of helpers', () => {
    expect(run('absent_value', { trackUninitialised: true }).fault).toMatchObject({ kind: 'null-pointer' });
    const object = Machine.create({ trackUninitialised: true }).load(DEMONSTRATION);
    object.map('services').set({ address: '172.16.16.87', port: 80 }, { count: 1 });
    object.map('services').set({ address: '172.16.16.87', port: 80, slot: 1 }, { backend_address: '10.0.1.60' });
    const packet = buildPacket('tcp 10.0.0.1:1 > 172.16.16.87:80 syn');
    const program = object.program('service_egress');
    const first = program.run({ packet });
    expect(first).toMatchObject({ fault: undefined, verdict: 'TC_ACT_OK' });
    // What the last run wrote counts for nothing in the next.
    expect(program.run({ packet })).toMatchObject({ fault: undefined, instructions: first.instructions });
  });
});
