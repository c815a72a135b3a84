import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LoadedObject, Machine } from '../../src/machine/machine.js';
import { loadObject } from '../../src/object/load.js';
import { Kernel } from '../../src/oracle/kernel.js';
import { INVALID_PROGRAMS, ISA_CASES, packetOfSuite } from './isa-cases.js';
import { isaObject } from './isa-object.js';

const PACKET = packetOfSuite();
const SUITE = ISA_CASES.map((one, index) => ({ ...one, program: `isa_${index}` }));

/** 64-bit result in cb[0..1] of a context. */
function resultOf(context: Uint8Array): bigint {
  return new DataView(context.buffer, context.byteOffset).getBigUint64(48, true);
}

test('the table covers the instruction set', () => {
  expect(SUITE.length).toBeGreaterThanOrEqual(350);
  expect(new Set(SUITE.map(({ name }) => name)).size).toBe(SUITE.length);
});

describe('interpreter', () => {
  let object: LoadedObject;
  beforeAll(() => {
    object = Machine.create().load(loadObject(isaObject(SUITE), { name: 'isa.o' }));
  });

  test.each(SUITE)('$name', ({ program, expected, isProgram }) => {
    const outcome = object.program(program).run({ packet: PACKET });
    expect(outcome.fault).toBeUndefined();
    expect(isProgram ? outcome.r0 : resultOf(outcome.context)).toBe(expected);
  });

  test.each(INVALID_PROGRAMS)('faults on $name', ({ code }) => {
    const single = isaObject([{ program: 'invalid', code, isProgram: true }]);
    const outcome = Machine.create()
      .load(loadObject(single, { name: 'invalid.o' }))
      .program('invalid')
      .run({ packet: PACKET });
    expect(outcome.fault?.kind).toBe('invalid-instruction');
  });
});

const kernel = Kernel.available();
if (!kernel.ok) console.warn(`ISA suite not compared with the kernel: ${kernel.reason}`);

describe.skipIf(!kernel.ok)('kernel', () => {
  // The verifier gives up objects with too many subprograms at once; a group stays well below.
  const GROUP = 100;
  const groups: { kernel: Kernel; programs: Set<string> }[] = [];
  beforeAll(() => {
    for (let at = 0; at < SUITE.length; at += GROUP) {
      const part = SUITE.slice(at, at + GROUP);
      groups.push({
        kernel: Kernel.open(isaObject(part), { name: `isa_${at}.o` }),
        programs: new Set(part.map(({ program }) => program)),
      });
    }
  });
  afterAll(() => {
    for (const group of groups) group.kernel.close();
  });

  test.each(SUITE)('$name', ({ program, expected, isProgram }) => {
    const group = groups.find(({ programs }) => programs.has(program))!;
    const result = group.kernel.run({ program, packet: PACKET, context: new Uint8Array(192) });
    if (isProgram) expect(BigInt(result.retval)).toBe(expected & 0xffffffffn);
    else expect(resultOf(result.context!)).toBe(expected);
  });

  test('refuses every invalid program', () => {
    const accepted = INVALID_PROGRAMS.filter(({ code }) => {
      try {
        Kernel.open(isaObject([{ program: 'invalid', code, isProgram: true }]), { name: 'invalid.o' }).close();
        return true;
      } catch {
        return false;
      }
    });
    expect(accepted.map(({ name }) => name)).toEqual([]);
  });
});
