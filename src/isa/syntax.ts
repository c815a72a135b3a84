/**
 * The spelling of instructions: the texts of the table (instructions.ts) and lines of source are cut into the same tokens, so
 * that one description serves the disassembler and the assembler.
 *
 * Placeholders of a text: `{dst}`, `{src}` register number; `{imm}`, `{offset}`, `{next}` decimal; `{+imm}`, `{+offset}`,
 * `{+next}` with sign (`+5`; for imm and offset a distance in slots, so the assembler takes a label too); `{+ imm}`,
 * `{+ offset}` with sign and blank (`+ 5`); `{imm64}` imm and next as one 64-bit number; `{helper}` imm as number or name of
 * a helper; `{function}` imm as distance to a label, only understood, never printed.
 */
export type Placeholder =
  | 'imm'
  | 'offset'
  | 'next'
  | '+imm'
  | '+offset'
  | '+next'
  | '+ imm'
  | '+ offset'
  | 'imm64'
  | 'helper'
  | 'function';

export type Token =
  /** `r0`, `w7`, or in a table text `r{dst}`: then the field instead of the number. */
  | { kind: 'register'; letter: string; number: number | undefined; field: 'dst' | 'src' | undefined }
  /** A number with its sign. */
  | { kind: 'number'; value: bigint }
  | { kind: 'placeholder'; field: Placeholder }
  /** Name or operator. */
  | { kind: 'word'; text: string };

const TOKEN = new RegExp(
  [
    String.raw`(?<blank>\s+)`,
    String.raw`(?<letter>[rw])(?:(?<number>\d+)\b|\{(?<field>dst|src)\})`,
    String.raw`\{(?<placeholder>[^}]*)\}`,
    String.raw`(?<value>[+-]?\s*(?:0[xX][0-9a-fA-F]+|\d+)\b)`,
    String.raw`(?<operator>s?>>=|<<=|s?[<>]=?|s?[/%]=|[-+*&|^=!]=|[^\s\w.])`,
    String.raw`(?<name>[\w.]+)`,
  ].join('|'),
  'y',
);

/** Cuts a text into tokens. Every character belongs to one. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  for (TOKEN.lastIndex = 0; TOKEN.lastIndex < text.length; ) {
    const groups = TOKEN.exec(text)?.groups;
    if (!groups) break;
    const { letter, number, field, placeholder, value, operator, name } = groups;
    if (letter)
      tokens.push({
        kind: 'register',
        letter,
        number: number === undefined ? undefined : Number(number),
        field: field as 'dst' | 'src' | undefined,
      });
    else if (placeholder !== undefined) tokens.push({ kind: 'placeholder', field: placeholder as Placeholder });
    else if (value) tokens.push({ kind: 'number', value: numberOf(value) });
    else if (operator || name) tokens.push({ kind: 'word', text: (operator ?? name)! });
  }
  return tokens;
}

function numberOf(text: string): bigint {
  const isNegative = text.startsWith('-');
  const digits = BigInt(text.replace(/[+\-\s]/g, ''));
  return isNegative ? -digits : digits;
}
