import { Op } from '../../assembly/abi.js';

/** Bytes of a decoded instruction, see docs/architecture.md. */
export const DECODED_SIZE = 16;

const LD_IMM64 = 0x18;
const CALL = 0x85;
const EXIT = 0x95;
const JA = 0x05;
const GOTOL = 0x06;
const MAY_GOTO = 0xe5;
const MAX_PSEUDO_SOURCE = 6;

interface Instruction {
  opcode: number;
  dst: number;
  src: number;
  offset: number;
  imm: number;
}

function instructionAt(view: DataView, index: number): Instruction {
  const registers = view.getUint8(index * 8 + 1);
  return { opcode: view.getUint8(index * 8), dst: registers & 15, src: registers >> 4, offset: view.getInt16(index * 8 + 2, true), imm: view.getInt32(index * 8 + 4, true) };
}

/** Atomic operations by their immediate, in the order of the Op enum (RFC 9669 section 5.3). */
const ATOMICS = new Map([
  [0x00, 0],
  [0x40, 1],
  [0x50, 2],
  [0xa0, 3],
  [0x01, 4],
  [0x41, 5],
  [0x51, 6],
  [0xa1, 7],
  [0xe1, 8],
  [0xf1, 9],
]);

const BYTE_ORDERS = new Map([
  [16, 0],
  [32, 1],
  [64, 2],
]);

const invalid = (reason: string): { reason: string } => ({ reason });
type Decoded = number | { reason: string };

function decodeAlu(insn: Instruction): Decoded {
  const { opcode, offset, imm, src } = insn;
  const is64 = (opcode & 7) === 7;
  const isRegister = (opcode & 8) !== 0;
  const operation = opcode & 0xf0;
  if (operation === 0xd0) {
    const width = BYTE_ORDERS.get(imm);
    if (width === undefined || offset !== 0 || src !== 0) return invalid('bad byte order conversion');
    if (is64) return isRegister ? invalid('bad byte order conversion') : Op.BSWAP16 + width;
    return (isRegister ? Op.BE16 : Op.LE16) + width;
  }
  if (operation > 0xd0) return invalid('unknown arithmetic operation');
  if (isRegister ? imm !== 0 : src !== 0) return invalid('reserved field is not zero');
  if (operation === 0x80) {
    return isRegister || offset !== 0 || imm !== 0 ? invalid('reserved field is not zero') : opcode;
  }
  if (!isRegister && (operation === 0x30 || operation === 0x90) && imm === 0) return invalid('division by zero');
  const isShift = operation === 0x60 || operation === 0x70 || operation === 0xc0;
  if (!isRegister && isShift && (imm < 0 || imm >= (is64 ? 64 : 32))) return invalid(`shift by ${imm}`);
  if (operation === 0xb0 && isRegister && offset !== 0) {
    if (offset === 8) return is64 ? Op.MOVSX8_64 : Op.MOVSX8_32;
    if (offset === 16) return is64 ? Op.MOVSX16_64 : Op.MOVSX16_32;
    if (offset === 32 && is64) return Op.MOVSX32_64;
    return invalid('bad sign extension width');
  }
  if ((operation === 0x30 || operation === 0x90) && offset === 1) {
    const first = operation === 0x30 ? Op.SDIV64_K : Op.SMOD64_K;
    return first + (is64 ? 0 : 2) + (isRegister ? 1 : 0);
  }
  return offset === 0 ? opcode : invalid('reserved field is not zero');
}

function decodeJump(insn: Instruction): Decoded {
  const { opcode, dst, src, offset, imm } = insn;
  const is32 = (opcode & 7) === 6;
  const isRegister = (opcode & 8) !== 0;
  switch (opcode) {
    case JA:
      return dst || src || imm ? invalid('reserved field is not zero') : opcode;
    case GOTOL:
      return dst || src || offset ? invalid('reserved field is not zero') : opcode;
    case MAY_GOTO:
      return dst || src || imm ? invalid('reserved field is not zero') : opcode;
    case EXIT:
      return dst || src || offset || imm ? invalid('reserved field is not zero') : opcode;
    case CALL:
      if (dst || (offset && src !== 2)) return invalid('reserved field is not zero');
      if (src === 0) return Op.CALL_HELPER;
      if (src === 1) return Op.CALL_LOCAL;
      return src === 2 ? Op.CALL_KFUNC : invalid('unknown kind of call');
  }
  const operation = opcode & 0xf0;
  if (operation === 0 || operation === 0x80 || operation === 0x90 || operation > 0xd0) return invalid(is32 ? 'unknown 32-bit jump' : 'unknown jump');
  return (isRegister ? imm !== 0 : src !== 0) ? invalid('reserved field is not zero') : opcode;
}

function decodeMemory(insn: Instruction): Decoded {
  const { opcode, dst, src, offset, imm } = insn;
  const mode = opcode & 0xe0;
  const size = opcode & 0x18;
  switch (opcode & 7) {
    case 0: // LD
      if (mode !== 0x20 && mode !== 0x40) return invalid('unknown load');
      if (size === 0x18 || dst || offset || (mode === 0x20 && src)) return invalid('reserved field is not zero');
      return opcode;
    case 1: // LDX
      if (imm !== 0) return invalid('reserved field is not zero');
      return mode === 0x60 || (mode === 0x80 && size !== 0x18) ? opcode : invalid('unknown load');
    case 2: // ST
      return mode === 0x60 && src === 0 ? opcode : invalid('unknown store');
    default: {
      // STX
      if (mode === 0x60) return imm === 0 ? opcode : invalid('reserved field is not zero');
      if (mode !== 0xc0) return invalid('unknown store');
      const width = [2, 1, 0, 3][size >> 3]!;
      if (imm === 0x100) return Op.LOAD_ACQUIRE8 + width;
      if (imm === 0x110) return Op.STORE_RELEASE8 + width;
      const operation = ATOMICS.get(imm);
      if (operation === undefined || (size !== 0 && size !== 0x18)) return invalid('unknown atomic operation');
      return (size === 0x18 ? Op.ATOMIC64_ADD : Op.ATOMIC32_ADD) + operation;
    }
  }
}

/** Decoded op of an instruction, or why no BPF machine runs it. `next` is the slot after it (second half of ld_imm64). */
function decodeOne(insn: Instruction, next: Instruction | undefined): Decoded {
  if (insn.dst > 10 || insn.src > 10) return invalid(`register r${Math.max(insn.dst, insn.src)} does not exist`);
  if (insn.opcode === LD_IMM64) {
    if (!next) return invalid('ld_imm64 lacks its second half');
    if (next.opcode || next.dst || next.src || next.offset) return invalid('second half of ld_imm64 is not zero');
    if (insn.offset) return invalid('reserved field is not zero');
    return insn.src <= MAX_PSEUDO_SOURCE ? Op.LD_IMM64 : invalid(`unknown source ${insn.src} of ld_imm64`);
  }
  const kind = insn.opcode & 7;
  const decoded = kind === 4 || kind === 7 ? decodeAlu(insn) : kind >= 5 ? decodeJump(insn) : decodeMemory(insn);
  if (typeof decoded === 'number' && writesDestination(decoded, insn) && insn.dst === 10) return invalid('r10 is read-only');
  return decoded;
}

function writesDestination(op: number, insn: Instruction): boolean {
  const kind = insn.opcode & 7;
  if (kind === 4 || kind === 7 || kind === 1) return true;
  return op >= Op.LOAD_ACQUIRE8 && op <= Op.LOAD_ACQUIRE64;
}

/** Slot an instruction jumps to, undefined if it does not jump. */
function jumpTarget(index: number, op: number, insn: Instruction): number | undefined {
  if (op === Op.CALL_LOCAL) return index + 1 + insn.imm;
  if (op === GOTOL) return index + 1 + insn.imm;
  const kind = insn.opcode & 7;
  if (kind !== 5 && kind !== 6) return undefined;
  return op === EXIT || op >= 256 ? undefined : index + 1 + insn.offset;
}

/** Slots that are second halves of ld_imm64. */
function secondHalves(view: DataView, count: number): Uint8Array {
  const halves = new Uint8Array(count + 1);
  for (let i = 0; i < count; i++) if (view.getUint8(i * 8) === LD_IMM64 && !halves[i]) halves[i + 1] = 1;
  return halves;
}

/**
 * The machine's form of a function: 16 bytes per slot. Registers become addresses from `registers` on, jump targets stay
 * slot indices (the linker makes addresses of them). What no machine runs becomes Op.INVALID, a fault when it is reached,
 * since dead code may be illegal; one INVALID is appended, so that running off the end faults.
 */
export function decodeForMachine(instructions: Uint8Array, registers: number): Uint8Array {
  const count = Math.floor(instructions.length / 8);
  const source = new DataView(instructions.buffer, instructions.byteOffset, instructions.byteLength);
  const out = new Uint8Array((count + 1) * DECODED_SIZE);
  const view = new DataView(out.buffer);
  const halves = secondHalves(source, count);
  for (let i = 0; i < count; i++) {
    const at = i * DECODED_SIZE;
    if (halves[i]) {
      view.setUint16(at, Op.PADDING, true);
      continue;
    }
    const insn = instructionAt(source, i);
    const next = i + 1 < count ? instructionAt(source, i + 1) : undefined;
    const decoded = decodeOne(insn, next);
    const target = typeof decoded === 'number' ? jumpTarget(i, decoded, insn) : undefined;
    const isLinked = insn.opcode === CALL && insn.src === 1;
    const isLost = target !== undefined && !isLinked && (target < 0 || target >= count || halves[target]);
    const op = typeof decoded !== 'number' || isLost ? Op.INVALID : decoded;
    view.setUint16(at, op, true);
    view.setUint16(at + 2, registers + insn.dst * 8, true);
    view.setUint16(at + 4, registers + insn.src * 8, true);
    view.setInt16(at + 6, insn.offset, true);
    if (target !== undefined) {
      view.setInt32(at + 8, insn.imm, true);
      view.setInt32(at + 12, target < 0 || target > count ? count : target, true);
    } else if (op === Op.LD_IMM64) {
      view.setUint32(at + 8, insn.imm >>> 0, true);
      view.setInt32(at + 12, next!.imm, true);
    } else {
      view.setBigInt64(at + 8, BigInt(insn.imm), true);
    }
  }
  view.setUint16(count * DECODED_SIZE, Op.INVALID, true);
  return out;
}

/** Why a program is not worth starting: the first instruction no machine runs, a jump astray, or no way out. */
export function validateProgram(instructions: Uint8Array): { reason: string; instruction: number } | undefined {
  if (instructions.length === 0 || instructions.length % 8) return { reason: `${instructions.length} bytes are no whole number of instructions`, instruction: 0 };
  const count = instructions.length / 8;
  const view = new DataView(instructions.buffer, instructions.byteOffset, instructions.byteLength);
  const halves = secondHalves(view, count);
  let last = 0;
  for (let i = 0; i < count; i++) {
    if (halves[i]) continue;
    last = i;
    const insn = instructionAt(view, i);
    const decoded = decodeOne(insn, i + 1 < count ? instructionAt(view, i + 1) : undefined);
    if (typeof decoded !== 'number') return { reason: decoded.reason, instruction: i };
    const target = jumpTarget(i, decoded, insn);
    if (target !== undefined && (target < 0 || target >= count)) return { reason: `jump to ${target}, outside of the program`, instruction: i };
    if (target !== undefined && halves[target]) return { reason: `jump to ${target}, the middle of ld_imm64`, instruction: i };
  }
  const opcode = view.getUint8(last * 8);
  if (opcode !== EXIT && opcode !== JA && opcode !== GOTOL) return { reason: 'the last instruction is neither exit nor a jump', instruction: last };
  return undefined;
}
