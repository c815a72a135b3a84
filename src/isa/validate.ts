import { Op } from '../../assembly/abi.js';
import { fieldsAt, INSTRUCTION_SIZE, type Instruction } from './fields.js';
import { explainUnknown, findInstruction, type InstructionSpec } from './instructions.js';

export const LD_IMM64 = 0x18;
const EXIT = 0x95;
const JA = 0x05;
const GOTOL = 0x06;
const LAST_REGISTER = 10;

/**
 * The table row of an instruction that a machine can run, or the text why none can: registers, reserved fields, constant
 * divisors and shifts, writes to r10, the second slot of ld_imm64. Jump targets are not looked at.
 *
 * @param next the slot behind it, undefined at the end of the function.
 */
export function checkInstruction(fields: Instruction, next: Instruction | undefined): InstructionSpec | string {
  if (fields.dst > LAST_REGISTER || fields.src > LAST_REGISTER)
    return `register r${Math.max(fields.dst, fields.src)} does not exist`;
  const spec = findInstruction(fields);
  if (!spec) return explainUnknown(fields);
  if (spec.writes !== undefined && fields[spec.writes] === LAST_REGISTER) return `${spec.mnemonic}: r10 is read-only`;
  switch (spec.immediate) {
    case 'divisor':
      if (fields.imm === 0) return `${spec.mnemonic}: division by zero`;
      break;
    case 'shift64':
      if (fields.imm < 0 || fields.imm >= 64) return `${spec.mnemonic}: shift by ${fields.imm}`;
      break;
    case 'shift32':
      if (fields.imm < 0 || fields.imm >= 32) return `${spec.mnemonic}: shift by ${fields.imm}`;
  }
  return spec.op === Op.LD_IMM64 ? (secondSlotProblem(spec, next) ?? spec) : spec;
}

function secondSlotProblem(spec: InstructionSpec, next: Instruction | undefined): string | undefined {
  if (!next) return 'ld_imm64 lacks its second slot';
  if (next.opcode || next.dst || next.src || next.offset) return 'the second slot of ld_imm64 is not zero';
  return next.imm && !spec.operands.includes('next')
    ? `${spec.mnemonic}: the upper half of the immediate is ${next.imm}, not 0`
    : undefined;
}

/** Slot an instruction jumps to or calls, undefined if it does neither. */
export function jumpTarget(index: number, spec: InstructionSpec, fields: Instruction): number | undefined {
  if (spec.class !== 'jmp' && spec.class !== 'jmp32') return undefined;
  if (spec.op === Op.CALL_LOCAL || spec.op === GOTOL) return index + 1 + fields.imm;
  return spec.op === EXIT || spec.op >= 256 ? undefined : index + 1 + fields.offset;
}

/** 1 for every slot of `count` that is the second half of an ld_imm64. */
export function secondSlots(view: DataView, count: number): Uint8Array {
  const seconds = new Uint8Array(count + 1);
  for (let i = 0; i < count; i++)
    if (view.getUint8(i * INSTRUCTION_SIZE) === LD_IMM64 && !seconds[i]) seconds[i + 1] = 1;
  return seconds;
}

/** Why no machine runs the instruction at slot `index`, undefined if one can. Jump targets are not looked at. */
export function validateInstruction(instructions: Uint8Array, index: number): string | undefined {
  const count = Math.floor(instructions.length / INSTRUCTION_SIZE);
  if (index < 0 || index >= count) return `there is no instruction ${index}`;
  const view = new DataView(instructions.buffer, instructions.byteOffset, instructions.byteLength);
  const checked = checkInstruction(fieldsAt(view, index), index + 1 < count ? fieldsAt(view, index + 1) : undefined);
  return typeof checked === 'string' ? checked : undefined;
}

/** Why a program is not worth starting: the first instruction no machine runs, a jump astray, or no way out. */
export function validateProgram(instructions: Uint8Array): { reason: string; instruction: number } | undefined {
  if (instructions.length === 0 || instructions.length % INSTRUCTION_SIZE) {
    return { reason: `${instructions.length} bytes are no whole number of instructions`, instruction: 0 };
  }
  const count = instructions.length / INSTRUCTION_SIZE;
  const view = new DataView(instructions.buffer, instructions.byteOffset, instructions.byteLength);
  const seconds = secondSlots(view, count);
  let last = 0;
  for (let i = 0; i < count; i++) {
    if (seconds[i]) continue;
    last = i;
    const fields = fieldsAt(view, i);
    const checked = checkInstruction(fields, i + 1 < count ? fieldsAt(view, i + 1) : undefined);
    if (typeof checked === 'string') return { reason: checked, instruction: i };
    const target = jumpTarget(i, checked, fields);
    if (target !== undefined && (target < 0 || target >= count))
      return { reason: `jump to ${target}, outside of the program`, instruction: i };
    if (target !== undefined && seconds[target])
      return { reason: `jump to ${target}, the middle of ld_imm64`, instruction: i };
  }
  const opcode = view.getUint8(last * INSTRUCTION_SIZE);
  if (opcode !== EXIT && opcode !== JA && opcode !== GOTOL)
    return { reason: 'the last instruction is neither exit nor a jump', instruction: last };
  return undefined;
}
