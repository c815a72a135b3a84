import { styleText } from 'node:util';

/** What commands need of an output: `process.stdout` and `process.stderr` are such. */
export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

type Style = Parameters<typeof styleText>[0];

/**
 * Whether to colour what goes to `output`: only a terminal, and not if NO_COLOR is set (no-color.org) or TERM is `dumb`.
 * FORCE_COLOR other than 0 colours anything, NO_COLOR wins over it.
 */
export function supportsColour(output: Output = process.stdout): boolean {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  if (NO_COLOR) return false;
  if (FORCE_COLOR !== undefined) return FORCE_COLOR !== '0';
  return output.isTTY === true && TERM !== 'dumb';
}

/** `text` in a style of node:util if `output` shows colours, else as it is. */
export function style(format: Style, text: string, output: Output = process.stdout): string {
  if (text === '' || !supportsColour(output)) return text;
  return styleText(format, text, { validateStream: false });
}

export const bold = (text: string): string => style('bold', text);
export const dim = (text: string): string => style('dim', text);
export const red = (text: string): string => style('red', text);
export const green = (text: string): string => style('green', text);
export const yellow = (text: string): string => style('yellow', text);
export const cyan = (text: string): string => style('cyan', text);

/** Columns that `text` takes on a terminal: colours take none. */
export function visibleLength(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is how colours start
  return [...text.replace(/\u001b\[[0-9;]*m/g, '')].length;
}

export interface TableOptions {
  /** Columns, from 0, that are aligned at their right end. */
  readonly right?: readonly number[];
  /** What stands in front of each line; two blanks by default. */
  readonly indent?: string;
}

/** Rows as lines with aligned columns, two blanks between; short rows are allowed, nothing trails. */
export function table(rows: readonly (readonly string[])[], options: TableOptions = {}): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, visibleLength(cell));
  }
  const { right = [], indent = '  ' } = options;
  const lines = rows.map((row) => {
    const cells = row.map((cell, i) => {
      const blanks = ' '.repeat(widths[i]! - visibleLength(cell));
      return right.includes(i) ? blanks + cell : cell + blanks;
    });
    return (indent + cells.join('  ')).trimEnd();
  });
  return lines.join('\n');
}

/**
 * JSON text, two blanks a level: keys in the order in which they were written, 64-bit numbers (bigint) as decimal strings,
 * bytes as hex strings, maps with their keys as text, sets as arrays.
 */
export function toJson(value: unknown): string {
  // The value itself, not what its toJSON gave: a Buffer turns itself into a list of numbers first.
  return JSON.stringify(value, replace, 2) ?? 'null';
}

function replace(this: Record<string, unknown>, key: string, converted: unknown): unknown {
  return this[key] instanceof Uint8Array ? hexText(this[key]) : plain(converted);
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof ArrayBuffer) return hexText(new Uint8Array(value));
  if (value instanceof Set) return [...value];
  if (value instanceof Map) {
    return Object.fromEntries(
      [...value].map(([key, inner]) => [key instanceof Uint8Array ? hexText(key) : String(key), inner]),
    );
  }
  return value;
}

function hexText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Writes {@link toJson} and a newline. */
export function printJson(value: unknown, output: Output = process.stdout): void {
  output.write(`${toJson(value)}\n`);
}

/** A line that shows how far a long job is. */
export interface Progress {
  /** Shows `done` of `total` (none: counts only) and a short note; redraws at most ten times a second. */
  update(done: number, total?: number, note?: string): void;
  /** Removes the line. */
  end(): void;
}

/** Progress on standard error if that is a terminal; silent otherwise. `now` is a clock in milliseconds. */
export function progress(label: string, output: Output = process.stderr, now: () => number = Date.now): Progress {
  if (output.isTTY !== true) return { update: () => {}, end: () => {} };
  let last = Number.NEGATIVE_INFINITY;
  return {
    update(done, total, note = '') {
      const time = now();
      if (time - last < 100 && done !== total) return;
      last = time;
      const line = `${label} ${total ? bar(done, total) : done}${note ? ` ${note}` : ''}`;
      // Clears to the end of the line; a longer line would wrap and could not be redrawn.
      output.write(`\r\u001b[K${line.slice(0, (output.columns ?? 80) - 1)}`);
    },
    end() {
      if (last !== Number.NEGATIVE_INFINITY) output.write('\r\u001b[K');
    },
  };
}

function bar(done: number, total: number): string {
  const share = Math.min(1, Math.max(0, done / total));
  const full = Math.round(share * 20);
  return `[${'#'.repeat(full)}${'.'.repeat(20 - full)}] ${Math.floor(share * 100)}% ${done}/${total}`;
}
