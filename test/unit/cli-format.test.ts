import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type Output,
  printJson,
  progress,
  style,
  supportsColour,
  table,
  toJson,
  visibleLength,
} from '../../src/cli/format.js';

const variables = ['NO_COLOR', 'FORCE_COLOR', 'TERM'] as const;
const saved = new Map<string, string | undefined>();

function output(isTTY: boolean): Output & { text: string } {
  return {
    isTTY,
    columns: 40,
    text: '',
    write(text: string) {
      this.text += text;
    },
  };
}

describe('what commands print', () => {
  beforeEach(() => {
    for (const name of variables) {
      saved.set(name, process.env[name]);
      delete process.env[name];
    }
    process.env.TERM = 'xterm';
  });
  afterEach(() => {
    for (const [name, value] of saved) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });

  test('colour only on terminals, and as the environment asks', () => {
    expect(supportsColour(output(true))).toBe(true);
    expect(supportsColour(output(false))).toBe(false);
    expect(style('red', 'x', output(true))).toBe('\u001b[31mx\u001b[39m');
    expect(style('red', 'x', output(false))).toBe('x');
    process.env.FORCE_COLOR = '1';
    expect(supportsColour(output(false))).toBe(true);
    process.env.NO_COLOR = '1';
    expect(supportsColour(output(true))).toBe(false);
    delete process.env.NO_COLOR;
    process.env.FORCE_COLOR = '0';
    expect(supportsColour(output(true))).toBe(false);
    delete process.env.FORCE_COLOR;
    process.env.TERM = 'dumb';
    expect(supportsColour(output(true))).toBe(false);
  });

  test('tables align by what is seen', () => {
    const red = '\u001b[31mab\u001b[39m';
    expect(visibleLength(red)).toBe(2);
    expect(table([['name', 'n'], [red, '10'], ['c']], { right: [1] })).toBe(`  name   n\n  ${red}    10\n  c`);
    expect(table([['a', 'b']], { indent: '' })).toBe('a  b');
    expect(table([])).toBe('');
  });

  test('JSON of numbers, bytes, maps in written order', () => {
    const value = {
      z: 1n << 63n,
      a: Uint8Array.of(0, 255),
      buffer: Buffer.from([1]),
      m: new Map([['k', 2n]]),
      s: new Set([1]),
      n: null,
    };
    expect(JSON.parse(toJson(value))).toEqual({
      z: '9223372036854775808',
      a: '00ff',
      buffer: '01',
      m: { k: '2' },
      s: [1],
      n: null,
    });
    expect(Object.keys(JSON.parse(toJson(value)))).toEqual(['z', 'a', 'buffer', 'm', 's', 'n']);
    expect(toJson(undefined)).toBe('null');
    expect(toJson(Uint8Array.of(1))).toBe('"01"');
    const out = output(false);
    printJson({ a: 1 }, out);
    expect(out.text).toBe('{\n  "a": 1\n}\n');
  });

  test('progress redraws one line on a terminal, rarely, and is silent elsewhere', () => {
    const terminal = output(true);
    let time = 0;
    const line = progress('fuzz', terminal, () => time);
    line.update(1, 4);
    time = 50;
    line.update(2, 4);
    time = 200;
    line.update(3, 4, 'a note that is far longer than the line has room for');
    line.update(4, 4);
    line.end();
    const drawn = terminal.text.split('\r\u001b[K').slice(1);
    expect(drawn).toEqual([
      'fuzz [#####...............] 25% 1/4',
      'fuzz [###############.....] 75% 3/4 a n',
      'fuzz [####################] 100% 4/4',
      '',
    ]);
    const pipe = output(false);
    const silent = progress('fuzz', pipe);
    silent.update(1, 2);
    silent.end();
    expect(pipe.text).toBe('');
  });
});
