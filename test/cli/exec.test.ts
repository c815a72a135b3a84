import { describe, expect, test } from 'vitest';
import { offkernel } from '../support/command.js';

const EXIT = '95 00 00 00 00 00 00 00';
const LOAD_WORD = `61 10 00 00 00 00 00 00 ${EXIT}`;

/** Ends with exit code 2, nothing on standard output and one line on standard error, which must match. */
function expectRefused(args: readonly string[], input: string, reason: RegExp): void {
  const { code, stdout, stderr } = offkernel(['exec', ...args], { input });
  expect(stderr).toMatch(reason);
  expect(stderr).toMatch(/^[^\n]+\n$/);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
}

describe('exec prints r0 in lower-case hex', () => {
  test.each([
    ['r0 = 42', `b7 00 00 00 2a 00 00 00\n${EXIT}\n`, [], '2a'],
    ['without blanks', 'b70000002a0000009500000000000000', [], '2a'],
    ['upper-case digits, lower-case result', `B7 00 00 00 FF FF FF FF ${EXIT}`, [], 'ffffffffffffffff'],
    ['r0 = 0', `b7 00 00 00 00 00 00 00 ${EXIT}`, [], '0'],
    ['a word of memory, little-endian', LOAD_WORD, ['aa bb CC dd'], 'ddccbbaa'],
    ['r2 = length of the memory', `bf 20 00 00 00 00 00 00 ${EXIT}`, ['0102030405'], '5'],
    ['r1 = 0 without memory', `bf 10 00 00 00 00 00 00 ${EXIT}`, [], '0'],
    ['r2 = 0 without memory', `bf 20 00 00 00 00 00 00 ${EXIT}`, [], '0'],
    ['r1 = r2 = 0 for empty memory', `bf 10 00 00 00 00 00 00 0f 20 00 00 00 00 00 00 ${EXIT}`, [''], '0'],
    ['memory can be written', `62 01 00 00 78 56 34 12 ${LOAD_WORD}`, ['00000000'], '12345678'],
    [
      'a 64-bit immediate',
      `18 00 00 00 88 77 66 55 00 00 00 00 44 33 22 11 ${EXIT}`,
      ['--engine', 'interpreter'],
      '1122334455667788',
    ],
    ['a call of a subprogram', `85 10 00 00 01 00 00 00 ${EXIT} b7 00 00 00 07 00 00 00 ${EXIT}`, [], '7'],
  ] as [string, string, string[], string][])('%s', (_, input, args, r0) => {
    expect(offkernel(['exec', ...args], { input })).toEqual({ code: 0, stdout: `${r0}\n`, stderr: '' });
  });

  test('a program given as an option', () => {
    const { code, stdout } = offkernel(['exec', '--program', `b7 00 00 00 2a 00 00 00 ${EXIT}`]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '2a\n' });
  });
});

describe('exec refuses with exit code 2 and one line', () => {
  test.each([
    ['nothing on standard input', '', [], /the program has 0 bytes/],
    ['an odd number of digits', '950', [], /program: an odd number of hex digits \(3\)/],
    ['what is no hex', 'exit', [], /program: 'x' is no hex digit/],
    ['half an instruction', '95 00 00 00', [], /4 bytes; instructions are 8 bytes each/],
    ['an unknown opcode', `ff 00 00 00 00 00 00 00 ${EXIT}`, [], /insn 0: unknown opcode 0xff/],
    ['a program without an end', 'b7 00 00 00 2a 00 00 00', [], /neither exit nor a jump/],
    ['a jump out of the program', `05 00 05 00 00 00 00 00 ${EXIT}`, [], /insn 0: .*jump/],
    ['odd memory', EXIT, ['abc'], /memory: an odd number of hex digits \(3\)/],
    ['memory that is no hex', EXIT, ['0g'], /memory: 'g' is no hex digit/],
    [
      'a read behind the memory',
      LOAD_WORD,
      ['aabbcc'],
      /out-of-bounds read of 4 bytes at memory\+0 \(memory is 3 bytes\)/,
    ],
    ['a read without memory', LOAD_WORD, [], /read of 4 bytes through a null pointer/],
    ['an endless loop', `05 00 ff ff 00 00 00 00 ${EXIT}`, ['--budget', '1000'], /instruction budget/],
    ['an engine that does not exist', EXIT, ['--engine', 'quantum'], /no engine quantum/],
    ['an argument too many', EXIT, ['aa', 'bb'], /too many arguments/],
  ] as [string, string, string[], RegExp][])('%s', (_, input, args, reason) => {
    expectRefused(args, input, reason);
  });
});
