import { fieldsAt, INSTRUCTION_SIZE, type Instruction } from './fields.js';
import { findInstruction, type InstructionSpec } from './instructions.js';
import type { Placeholder } from './syntax.js';

/** Options of {@link disassemble}. */
export interface DisassembleOptions {
  /** Name of a helper id; the number is shown without. */
  helperName?: (id: number) => string | undefined;
}

const LAST_REGISTER = 10;

/**
 * One instruction (8 bytes, 16 for ld_imm64; more are ignored) in the pseudo-C of LLVM and bpftool, numbers in decimal. What
 * is no instruction shows as `.8byte` with its first slot as a little-endian number. The assembler understands all of it but
 * helper names without a resolver.
 */
export function disassemble(bytes: Uint8Array, options: DisassembleOptions = {}): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < INSTRUCTION_SIZE) return `.8byte of ${bytes.length} bytes`;
  const fields = fieldsAt(view, 0);
  const spec = findInstruction(fields);
  const next = spec && slots(spec) === 2 ? nextOf(view) : 0;
  if (
    !spec ||
    next === undefined ||
    (next && !spec.operands.includes('next')) ||
    fields.dst > LAST_REGISTER ||
    fields.src > LAST_REGISTER
  ) {
    return `.8byte 0x${view.getBigUint64(0, true).toString(16).padStart(16, '0')}`;
  }
  return spec.texts[0]!.replace(/\{([^}]+)\}/g, (_, field: Placeholder | 'dst' | 'src') =>
    show(field, fields, next, options),
  );
}

/** 8-byte slots an instruction takes. */
export function slots(spec: InstructionSpec): 1 | 2 {
  return spec.class === 'ld' && spec.opcode === 0x18 ? 2 : 1;
}

/** The immediate of a well-formed second slot of ld_imm64. */
function nextOf(view: DataView): number | undefined {
  if (view.byteLength < 2 * INSTRUCTION_SIZE) return undefined;
  const { opcode, dst, src, offset, imm } = fieldsAt(view, 1);
  return opcode || dst || src || offset ? undefined : imm;
}

function show(
  field: Placeholder | 'dst' | 'src',
  fields: Instruction,
  next: number,
  options: DisassembleOptions,
): string {
  switch (field) {
    case 'dst':
    case 'src':
    case 'imm':
    case 'offset':
      return String(fields[field]);
    case 'next':
      return String(next);
    case '+imm':
      return withSign(fields.imm);
    case '+offset':
      return withSign(fields.offset);
    case '+next':
      return withSign(next);
    case '+ imm':
      return withSign(fields.imm, ' ');
    case '+ offset':
      return withSign(fields.offset, ' ');
    case 'imm64':
      return `0x${((BigInt(next >>> 0) << 32n) | BigInt(fields.imm >>> 0)).toString(16)}`;
    case 'helper':
    case 'function':
      return options.helperName?.(fields.imm) ?? String(fields.imm);
  }
}

function withSign(value: number, blank = ''): string {
  return value < 0 ? `-${blank}${-value}` : `+${blank}${value}`;
}
