import { UsageError } from '../errors.js';
import { slots } from './disassemble.js';
import { encodeInstruction, INSTRUCTION_SIZE, type Instruction } from './fields.js';
import { INSTRUCTIONS, type InstructionSpec } from './instructions.js';
import { type Token, tokenize } from './syntax.js';

/** Options of {@link assemble}. */
export interface AssembleOptions {
  /** Id of a helper name, for `call map_lookup_elem`; without, helpers are called by number. */
  helperId?: (name: string) => number | undefined;
}

/** A spelling of an instruction, as tokens. */
interface Form {
  spec: InstructionSpec;
  tokens: readonly Token[];
}

/** An operand given by name: its value is known once all labels are. */
type Operands = { -readonly [key in keyof Instruction]?: number } & {
  next?: number;
  label?: { field: 'imm' | 'offset'; name: string };
};

interface Line {
  /** 1-based number of the statement, for messages. */
  text: string;
  /** Slot index. */
  index: number;
  spec: InstructionSpec | undefined;
  operands: Operands;
  raw: bigint;
}

/** Words of the syntax; anything else is the name of a label or helper. */
const KEYWORDS = new Set(
  INSTRUCTIONS.flatMap((spec) =>
    spec.texts.flatMap((text) =>
      tokenize(text).flatMap((token) => (token.kind === 'word' && /^\w/.test(token.text) ? [token.text] : [])),
    ),
  ),
);

/** What remains of a line when register numbers, numbers and names are left out: the key of its possible forms. */
function skeleton(tokens: readonly Token[]): string {
  return tokens
    .map((token) => {
      if (token.kind === 'register') return token.letter === 'r' ? 'R' : 'W';
      if (token.kind === 'word') return isName(token.text) ? '#' : token.text;
      return '#';
    })
    .join(' ');
}

function isName(word: string): boolean {
  return /^[A-Za-z_.]/.test(word) && !KEYWORDS.has(word);
}

const FORMS = new Map<string, Form[]>();
for (const spec of INSTRUCTIONS) {
  for (const text of spec.texts) {
    const tokens = tokenize(text);
    const key = skeleton(tokens);
    FORMS.set(key, [...(FORMS.get(key) ?? []), { spec, tokens }]);
  }
}

/**
 * Assembles the pseudo-C that {@link disassemble}, llvm-objdump and bpftool print: statements separated by `;` or newlines,
 * `label:` in front of a statement, `//` comments, jumps by distance (`goto +2`) or label, calls by helper number or name or
 * to a label (bpf-to-bpf), `.8byte N` for a slot of raw bytes. It checks the form only, not whether a machine would run
 * the program (so that faulty programs can be written). Throws UsageError naming the statement.
 */
export function assemble(source: string, options: AssembleOptions = {}): Uint8Array {
  const labels = new Map<string, number>();
  const lines: Line[] = [];
  let index = 0;
  for (const statement of source.replace(/\/\/.*$/gm, '').split(/[;\n]/)) {
    let text = statement.trim();
    for (let label = LABEL.exec(text); label; label = LABEL.exec(text)) {
      const name = label[1]!;
      if (KEYWORDS.has(name) || /^[rw]\d+$/.test(name))
        throw new UsageError(`'${name}' cannot be a label: it is a word of the language`);
      if (labels.has(name)) throw new UsageError(`label '${name}' is there twice`);
      labels.set(name, index);
      text = text.slice(label[0].length).trim();
    }
    if (!text) continue;
    const line = parse(text, index, options);
    lines.push(line);
    index += line.spec ? slots(line.spec) : 1;
  }
  const bytes = new Uint8Array(index * INSTRUCTION_SIZE);
  for (const line of lines) write(bytes, line, labels);
  return bytes;
}

const LABEL = /^([A-Za-z_]\w*)\s*:/;

function parse(text: string, index: number, options: AssembleOptions): Line {
  const tokens = tokenize(text);
  const [first, second] = tokens;
  if (first?.kind === 'word' && first.text === '.8byte' && second?.kind === 'number' && tokens.length === 2) {
    if (second.value < 0n || second.value >> 64n)
      throw new UsageError(`'${text}': the number does not fit into 64 bits`);
    return { text, index, spec: undefined, operands: {}, raw: second.value };
  }
  for (const form of FORMS.get(skeleton(tokens)) ?? []) {
    const operands = bind(form, tokens, text, options);
    if (operands) return { text, index, spec: form.spec, operands, raw: 0n };
  }
  throw new UsageError(`'${text}' is no BPF instruction`);
}

/** Operands of a line in a form with the same skeleton; undefined if the form's fixed parts differ or a name does not fit. */
function bind(form: Form, tokens: readonly Token[], text: string, options: AssembleOptions): Operands | undefined {
  const operands: Operands = {};
  for (const [at, pattern] of form.tokens.entries()) {
    const token = tokens[at]!;
    if (pattern.kind === 'register' && token.kind === 'register') {
      const number = token.number!;
      if (number > 10) throw new UsageError(`'${text}': there is no register ${token.letter}${number}`);
      if (pattern.field === undefined ? pattern.number !== number : (operands[pattern.field] ?? number) !== number)
        return undefined;
      if (pattern.field) operands[pattern.field] = number;
    } else if (pattern.kind === 'placeholder') {
      const isBound =
        token.kind === 'number'
          ? bindNumber(operands, pattern.field, token.value, text)
          : token.kind === 'word' && bindName(operands, pattern.field, token.text, options);
      if (!isBound) return undefined;
    } else if (pattern.kind === 'number' && (token.kind !== 'number' || token.value !== pattern.value))
      return undefined;
  }
  return operands;
}

function bindNumber(operands: Operands, placeholder: string, value: bigint, text: string): boolean {
  if (placeholder === 'function') return false;
  if (placeholder === 'imm64') {
    const bits = inRange(value, 64, text);
    operands.imm = Number(BigInt.asIntN(32, bits));
    operands.next = Number(BigInt.asIntN(32, bits >> 32n));
    return true;
  }
  const field = placeholder === 'helper' ? 'imm' : (placeholder.replace(/^\+ ?/, '') as 'imm' | 'offset' | 'next');
  const width = field === 'offset' ? 16 : 32;
  operands[field] = Number(BigInt.asIntN(width, inRange(value, width, text)));
  return true;
}

/** Immediates may be written signed or unsigned; offsets are signed. */
function inRange(value: bigint, width: number, text: string): bigint {
  const highest = width === 16 ? 1n << 15n : 1n << BigInt(width);
  if (value < -(1n << BigInt(width - 1)) || value >= highest)
    throw new UsageError(`'${text}': ${value} does not fit into ${width} bits`);
  return value;
}

function bindName(operands: Operands, placeholder: string, name: string, options: AssembleOptions): boolean {
  if (placeholder === 'helper') {
    const id = options.helperId?.(name);
    if (id !== undefined) operands.imm = id;
    return id !== undefined;
  }
  if (placeholder !== 'function' && placeholder !== '+imm' && placeholder !== '+offset') return false;
  operands.label = { field: placeholder === '+offset' ? 'offset' : 'imm', name };
  return true;
}

function write(bytes: Uint8Array, line: Line, labels: ReadonlyMap<string, number>): void {
  const at = line.index * INSTRUCTION_SIZE;
  const { spec, operands, text } = line;
  if (!spec) {
    new DataView(bytes.buffer).setBigUint64(at, line.raw, true);
    return;
  }
  const { label, next, ...fields } = operands;
  if (label) {
    const target = labels.get(label.name);
    if (target === undefined) throw new UsageError(`'${text}': there is no label '${label.name}'`);
    const distance = target - line.index - 1;
    if (label.field === 'offset') inRange(BigInt(distance), 16, text);
    fields[label.field] = distance;
  }
  bytes.set(encodeInstruction({ ...spec.fixed, ...fields, opcode: spec.opcode }), at);
  if (slots(spec) === 2) bytes.set(encodeInstruction({ opcode: 0, imm: next ?? 0 }), at + INSTRUCTION_SIZE);
}
