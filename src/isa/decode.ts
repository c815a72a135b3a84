import { Op } from '../../assembly/abi.js';
import { fieldsAt, INSTRUCTION_SIZE } from './fields.js';
import { checkInstruction, jumpTarget, secondSlots } from './validate.js';

export { validateProgram } from './validate.js';

/** Bytes of a decoded instruction, see docs/architecture.md. */
export const DECODED_SIZE = 16;

/**
 * The machine's form of a function: 16 bytes per slot, little-endian: op u16, address of dst u16, address of src u16, offset
 * s16, imm s64 (sign-extended; ld_imm64 all 64 bits). Jumps have imm s32 and behind it the target as slot index, which the
 * linker makes an address. What no machine runs becomes Op.INVALID, a fault when it is reached, since dead code may be
 * illegal; one INVALID is appended, so that running off the end faults.
 *
 * @param instructions 8 bytes each; an incomplete one at the end is left out.
 * @param registers address of r0; registers are 8 bytes apart.
 */
export function decodeForMachine(instructions: Uint8Array, registers: number): Uint8Array {
  const count = Math.floor(instructions.length / INSTRUCTION_SIZE);
  const source = new DataView(instructions.buffer, instructions.byteOffset, instructions.byteLength);
  const out = new Uint8Array((count + 1) * DECODED_SIZE);
  const view = new DataView(out.buffer);
  const seconds = secondSlots(source, count);
  let next = count ? fieldsAt(source, 0) : undefined;
  for (let i = 0; i < count; i++) {
    const at = i * DECODED_SIZE;
    const fields = next!;
    next = i + 1 < count ? fieldsAt(source, i + 1) : undefined;
    if (seconds[i]) {
      view.setUint16(at, Op.PADDING, true);
      continue;
    }
    const checked = checkInstruction(fields, next);
    const spec = typeof checked === 'string' ? undefined : checked;
    const target = spec && jumpTarget(i, spec, fields);
    // A call's target is the linker's business: its relocation may lead into another function.
    const isLost =
      target !== undefined && spec?.op !== Op.CALL_LOCAL && (target < 0 || target >= count || seconds[target]);
    const op = !spec || isLost ? Op.INVALID : spec.op;
    view.setUint16(at, op, true);
    view.setUint16(at + 2, registers + fields.dst * 8, true);
    view.setUint16(at + 4, registers + fields.src * 8, true);
    view.setInt16(at + 6, fields.offset, true);
    if (target !== undefined) {
      view.setInt32(at + 8, fields.imm, true);
      view.setInt32(at + 12, target < 0 || target > count ? count : target, true);
    } else if (op === Op.LD_IMM64) {
      view.setInt32(at + 8, fields.imm, true);
      view.setInt32(at + 12, next!.imm, true);
    } else {
      view.setInt32(at + 8, fields.imm, true);
      view.setInt32(at + 12, fields.imm >> 31, true);
    }
  }
  view.setUint16(count * DECODED_SIZE, Op.INVALID, true);
  return out;
}
