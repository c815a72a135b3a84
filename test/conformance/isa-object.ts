import { cString, EXECUTABLE, type RelocationImage, type SymbolImage, writeElf } from '../support/elf-writer.js';
import { concat, EXIT, instruction, move, moveImmediate } from './assembler.js';

const R_BPF_64_32 = 10;
/** `__sk_buff.cb`: where a program leaves the 64-bit result for the context that comes out of a run. */
const CB = 48;

export interface ObjectCase {
  /** Program name in the object. */
  program: string;
  code: Uint8Array;
  isProgram: boolean;
}

/**
 * An object with one tc program per case. The case's code is a subprogram in .text; the program stores its 64-bit result in
 * cb[0..1] and returns the low half.
 */
export function isaObject(cases: readonly ObjectCase[]): Uint8Array {
  const symbols: SymbolImage[] = [{ name: '', section: '.text', type: 'section', binding: 'local' }];
  const relocations: RelocationImage[] = [];
  const bodies: Uint8Array[] = [];
  const programs: Uint8Array[] = [];
  let bodyAt = 0;
  let programAt = 0;
  for (const one of cases) {
    let program = one.code;
    if (!one.isProgram) {
      const target = bodyAt / 8;
      // Against a section symbol the immediate holds the target's index minus one.
      program = concat([move(6, 1), instruction(0x85, 0, 1, 0, target - 1), instruction(0x7b, 6, 0, CB), EXIT]);
      relocations.push({ section: 'tc', offset: programAt + 8, type: R_BPF_64_32, symbol: 0 });
      symbols.push({
        name: `body_${one.program}`,
        section: '.text',
        value: bodyAt,
        size: one.code.length,
        type: 'func',
        binding: 'local',
      });
      bodies.push(one.code);
      bodyAt += one.code.length;
    }
    symbols.push({ name: one.program, section: 'tc', value: programAt, size: program.length, type: 'func' });
    programs.push(program);
    programAt += program.length;
  }
  const text = bodies.length ? concat(bodies) : concat([moveImmediate(0, 0), EXIT]);
  return writeElf({
    sections: [
      { name: '.text', data: text, flags: EXECUTABLE },
      { name: 'tc', data: concat(programs), flags: EXECUTABLE },
      { name: 'license', data: cString('GPL'), flags: 3 },
    ],
    symbols,
    relocations,
  });
}
