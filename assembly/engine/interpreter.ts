/**
 * The interpreter: one switch over decoded instructions (docs/architecture.md), registers in linear memory, every
 * memory access tested. Semantics: RFC 9669; corner cases as the kernel has them (division by zero, shift masks,
 * zero extension of 32-bit results).
 */
import { FaultKind, Op, RunState, Status } from "../abi";
import { readable, writable } from "../check";
import { hostKfunc } from "../host";
import { CODE, COUNTERS, REGISTERS } from "../memory";
import { loadAbsolute, loadAbsoluteFailed } from "../packet/legacy";
import { faulted, raise, run32, run64, setRun32, setRun64 } from "../state";
import { loadSlow, storeSlow } from "./access";
import { enterLocal, leaveFrame } from "./frames";
import { callHelper, isControlHelper } from "./helpers";
import { controlHelper } from "./control";

const R0: u32 = REGISTERS;

/** Bytes of a decoded instruction. */
export const INSTRUCTION: u32 = 16;

// @ts-ignore: decorator
@inline
function dst(pc: u32): u32 {
  return load<u16>(pc, 2);
}
// @ts-ignore: decorator
@inline
function src(pc: u32): u32 {
  return load<u16>(pc, 4);
}
// @ts-ignore: decorator
@inline
function offset(pc: u32): u64 {
  return <u64>(<i64>load<i16>(pc, 6));
}
// @ts-ignore: decorator
@inline
function imm64(pc: u32): u64 {
  return load<u64>(pc, 8);
}
// @ts-ignore: decorator
@inline
function imm32(pc: u32): u32 {
  return load<u32>(pc, 8);
}
// @ts-ignore: decorator
@inline
function jumpImm64(pc: u32): u64 {
  return <u64>(<i64>load<i32>(pc, 8));
}
// @ts-ignore: decorator
@inline
function next(pc: u32, taken: bool): u32 {
  return taken ? load<u32>(pc, 12) : pc + INSTRUCTION;
}

/** Instructions executed per call of {@link run}: an engine may replace code by faster code only between calls. */
const ROUND: i64 = 1 << 20;

/**
 * Runs from RunState.PC until the program exits, faults or, in single-step mode, has executed one instruction.
 */
export function resume(): Status {
  const singleStep = run32(RunState.SINGLE_STEP) != 0;
  const counting = run32(RunState.COVERAGE) != 0;
  const round: i64 = singleStep || counting ? 1 : ROUND;
  while (true) {
    const budget = <i64>run64(RunState.BUDGET);
    if (budget <= 0) {
      raise(FaultKind.INSTRUCTION_BUDGET, 0, 0, false, 0);
      return Status.FAULT;
    }
    if (counting) {
      const counter = COUNTERS + ((run32(RunState.PC) - CODE) >>> 2);
      store<u32>(counter, load<u32>(counter) + 1);
    }
    const limit = min(round, budget);
    setRun64(RunState.BUDGET, <u64>(budget - limit));
    const status = run(<i32>limit);
    if (status != Status.STEP || singleStep) return status;
  }
}

/** Saves where the run stopped and gives back what is left of its share of the budget. */
function stop(pc: u32, left: i32, status: Status): Status {
  setRun32(RunState.PC, pc);
  setRun64(RunState.BUDGET, run64(RunState.BUDGET) + left);
  return status;
}

/** Runs no more than `left` instructions; STEP if all of them were executed and the program goes on. */
function run(left: i32): Status {
  let pc = run32(RunState.PC);
  while (true) {
    if (--left < 0) return stop(pc, 0, Status.STEP);
    switch (<i32>load<u16>(pc)) {
      // ADD; the inner cast matters: AssemblyScript would widen load<u32> to the 64 bits asked for around it
      case 0x07: {
        store<u64>(dst(pc), load<u64>(dst(pc)) + imm64(pc));
        pc += INSTRUCTION;
        break;
      }
      case 0x0f: {
        store<u64>(dst(pc), load<u64>(dst(pc)) + load<u64>(src(pc)));
        pc += INSTRUCTION;
        break;
      }
      case 0x04: {
        store<u64>(dst(pc), <u64><u32>(load<u32>(dst(pc)) + imm32(pc)));
        pc += INSTRUCTION;
        break;
      }
      case 0x0c: {
        store<u64>(dst(pc), <u64><u32>(load<u32>(dst(pc)) + load<u32>(src(pc))));
        pc += INSTRUCTION;
        break;
      }
      // SUB
      case 0x17: {
        store<u64>(dst(pc), load<u64>(dst(pc)) - imm64(pc));
        pc += INSTRUCTION;
        break;
      }
      case 0x1f: {
        store<u64>(dst(pc), load<u64>(dst(pc)) - load<u64>(src(pc)));
        pc += INSTRUCTION;
        break;
      }
      case 0x14: {
        store<u64>(dst(pc), <u64><u32>(load<u32>(dst(pc)) - imm32(pc)));
        pc += INSTRUCTION;
        break;
      }
      case 0x1c: {
        store<u64>(dst(pc), <u64><u32>(load<u32>(dst(pc)) - load<u32>(src(pc))));
        pc += INSTRUCTION;
        break;
      }
      // MUL
      case 0x27: {
        store<u64>(dst(pc), load<u64>(dst(pc)) * imm64(pc));
        pc += INSTRUCTION;
        break;
      }
      case 0x2f: {
        store<u64>(dst(pc), load<u64>(dst(pc)) * load<u64>(src(pc)));
        pc += INSTRUCTION;
        break;
      }
      case 0x24: {
        store<u64>(dst(pc), <u64><u32>(load<u32>(dst(pc)) * imm32(pc)));
        pc += INSTRUCTION;
        break;
      }
      case 0x2c: {
        store<u64>(dst(pc), <u64><u32>(load<u32>(dst(pc)) * load<u32>(src(pc))));
        pc += INSTRUCTION;
        break;
      }
      // OR
      case 0x47: {
        store<u64>(dst(pc), load<u64>(dst(pc)) | imm64(pc));
        pc += INSTRUCTION;
        break;
      }
      case 0x4f: {
        store<u64>(dst(pc), load<u64>(dst(pc)) | load<u64>(src(pc)));
        pc += INSTRUCTION;
        break;
      }
      case 0x44: {
        store<u64>(dst(pc), <u64><u32>(load<u32>(dst(pc)) | imm32(pc)));
        pc += INSTRUCTION;
        break;
      }
      case 0x4c: {
        store<u64>(dst(pc), <u64><u32>(load<u32>(dst(pc)) | load<u32>(src(pc))));
        pc += INSTRUCTION;
        break;
      }
      // AND
      case 0x57: {
        store<u64>(dst(pc), load<u64>(dst(pc)) & imm64(pc));
        pc += INSTRUCTION;
        break;
      }
      case 0x5f: {
        store<u64>(dst(pc), load<u64>(dst(pc)) & load<u64>(src(pc)));
        pc += INSTRUCTION;
        break;
      }
      case 0x54: {
        store<u64>(dst(pc), <u64><u32>(load<u32>(dst(pc)) & imm32(pc)));
        pc += INSTRUCTION;
        break;
      }
      case 0x5c: {
        store<u64>(dst(pc), <u64><u32>(load<u32>(dst(pc)) & load<u32>(src(pc))));
        pc += INSTRUCTION;
        break;
      }
      // XOR
      case 0xa7: {
        store<u64>(dst(pc), load<u64>(dst(pc)) ^ imm64(pc));
        pc += INSTRUCTION;
        break;
      }
      case 0xaf: {
        store<u64>(dst(pc), load<u64>(dst(pc)) ^ load<u64>(src(pc)));
        pc += INSTRUCTION;
        break;
      }
      case 0xa4: {
        store<u64>(dst(pc), <u64><u32>(load<u32>(dst(pc)) ^ imm32(pc)));
        pc += INSTRUCTION;
        break;
      }
      case 0xac: {
        store<u64>(dst(pc), <u64><u32>(load<u32>(dst(pc)) ^ load<u32>(src(pc))));
        pc += INSTRUCTION;
        break;
      }
      // DIV, MOD: by zero 0 and the dividend
      case 0x37: {
        store<u64>(dst(pc), divide64(load<u64>(dst(pc)), imm64(pc)));
        pc += INSTRUCTION;
        break;
      }
      case 0x3f: {
        store<u64>(dst(pc), divide64(load<u64>(dst(pc)), load<u64>(src(pc))));
        pc += INSTRUCTION;
        break;
      }
      case 0x34: {
        store<u64>(dst(pc), <u64>divide32(load<u32>(dst(pc)), imm32(pc)));
        pc += INSTRUCTION;
        break;
      }
      case 0x3c: {
        store<u64>(dst(pc), <u64>divide32(load<u32>(dst(pc)), load<u32>(src(pc))));
        pc += INSTRUCTION;
        break;
      }
      case 0x97: {
        store<u64>(dst(pc), modulo64(load<u64>(dst(pc)), imm64(pc)));
        pc += INSTRUCTION;
        break;
      }
      case 0x9f: {
        store<u64>(dst(pc), modulo64(load<u64>(dst(pc)), load<u64>(src(pc))));
        pc += INSTRUCTION;
        break;
      }
      case 0x94: {
        store<u64>(dst(pc), <u64>modulo32(load<u32>(dst(pc)), imm32(pc)));
        pc += INSTRUCTION;
        break;
      }
      case 0x9c: {
        store<u64>(dst(pc), <u64>modulo32(load<u32>(dst(pc)), load<u32>(src(pc))));
        pc += INSTRUCTION;
        break;
      }
      case Op.SDIV64_K: {
        store<u64>(dst(pc), signedDivide64(load<i64>(dst(pc)), <i64>imm64(pc)));
        pc += INSTRUCTION;
        break;
      }
      case Op.SDIV64_X: {
        store<u64>(dst(pc), signedDivide64(load<i64>(dst(pc)), load<i64>(src(pc))));
        pc += INSTRUCTION;
        break;
      }
      case Op.SDIV32_K: {
        store<u64>(dst(pc), <u64>signedDivide32(load<i32>(dst(pc)), <i32>imm32(pc)));
        pc += INSTRUCTION;
        break;
      }
      case Op.SDIV32_X: {
        store<u64>(dst(pc), <u64>signedDivide32(load<i32>(dst(pc)), load<i32>(src(pc))));
        pc += INSTRUCTION;
        break;
      }
      case Op.SMOD64_K: {
        store<u64>(dst(pc), signedModulo64(load<i64>(dst(pc)), <i64>imm64(pc)));
        pc += INSTRUCTION;
        break;
      }
      case Op.SMOD64_X: {
        store<u64>(dst(pc), signedModulo64(load<i64>(dst(pc)), load<i64>(src(pc))));
        pc += INSTRUCTION;
        break;
      }
      case Op.SMOD32_K: {
        store<u64>(dst(pc), <u64>signedModulo32(load<i32>(dst(pc)), <i32>imm32(pc)));
        pc += INSTRUCTION;
        break;
      }
      case Op.SMOD32_X: {
        store<u64>(dst(pc), <u64>signedModulo32(load<i32>(dst(pc)), load<i32>(src(pc))));
        pc += INSTRUCTION;
        break;
      }
      // shifts: the amount is masked to the width
      case 0x67: {
        store<u64>(dst(pc), <u64>(load<u64>(dst(pc)) << (<u64>imm64(pc) & 63)));
        pc += INSTRUCTION;
        break;
      }
      case 0x6f: {
        store<u64>(dst(pc), <u64>(load<u64>(dst(pc)) << (load<u64>(src(pc)) & 63)));
        pc += INSTRUCTION;
        break;
      }
      case 0x64: {
        store<u64>(dst(pc), <u64><u32>(load<u32>(dst(pc)) << (<u32>imm32(pc) & 31)));
        pc += INSTRUCTION;
        break;
      }
      case 0x6c: {
        store<u64>(dst(pc), <u64><u32>(load<u32>(dst(pc)) << (load<u32>(src(pc)) & 31)));
        pc += INSTRUCTION;
        break;
      }
      case 0x77: {
        store<u64>(dst(pc), <u64>(load<u64>(dst(pc)) >> (<u64>imm64(pc) & 63)));
        pc += INSTRUCTION;
        break;
      }
      case 0x7f: {
        store<u64>(dst(pc), <u64>(load<u64>(dst(pc)) >> (load<u64>(src(pc)) & 63)));
        pc += INSTRUCTION;
        break;
      }
      case 0x74: {
        store<u64>(dst(pc), <u64><u32>(load<u32>(dst(pc)) >> (<u32>imm32(pc) & 31)));
        pc += INSTRUCTION;
        break;
      }
      case 0x7c: {
        store<u64>(dst(pc), <u64><u32>(load<u32>(dst(pc)) >> (load<u32>(src(pc)) & 31)));
        pc += INSTRUCTION;
        break;
      }
      case 0xc7: {
        store<u64>(dst(pc), <u64>(load<i64>(dst(pc)) >> (<i64>imm64(pc) & 63)));
        pc += INSTRUCTION;
        break;
      }
      case 0xcf: {
        store<u64>(dst(pc), <u64>(load<i64>(dst(pc)) >> (load<i64>(src(pc)) & 63)));
        pc += INSTRUCTION;
        break;
      }
      case 0xc4: {
        store<u64>(dst(pc), <u64><u32>(load<i32>(dst(pc)) >> (<i32>imm32(pc) & 31)));
        pc += INSTRUCTION;
        break;
      }
      case 0xcc: {
        store<u64>(dst(pc), <u64><u32>(load<i32>(dst(pc)) >> (load<i32>(src(pc)) & 31)));
        pc += INSTRUCTION;
        break;
      }
      // NEG, MOV
      case 0x87: {
        store<u64>(dst(pc), 0 - load<u64>(dst(pc)));
        pc += INSTRUCTION;
        break;
      }
      case 0x84: {
        store<u64>(dst(pc), <u64><u32>(<u32>0 - load<u32>(dst(pc))));
        pc += INSTRUCTION;
        break;
      }
      case 0xb7: {
        store<u64>(dst(pc), imm64(pc));
        pc += INSTRUCTION;
        break;
      }
      case 0xbf: {
        store<u64>(dst(pc), load<u64>(src(pc)));
        pc += INSTRUCTION;
        break;
      }
      case 0xb4: {
        store<u64>(dst(pc), <u64>imm32(pc));
        pc += INSTRUCTION;
        break;
      }
      case 0xbc: {
        store<u64>(dst(pc), <u64>load<u32>(src(pc)));
        pc += INSTRUCTION;
        break;
      }
      case Op.MOVSX8_64: {
        store<u64>(dst(pc), <u64><i64>load<i8>(src(pc)));
        pc += INSTRUCTION;
        break;
      }
      case Op.MOVSX16_64: {
        store<u64>(dst(pc), <u64><i64>load<i16>(src(pc)));
        pc += INSTRUCTION;
        break;
      }
      case Op.MOVSX32_64: {
        store<u64>(dst(pc), <u64><i64>load<i32>(src(pc)));
        pc += INSTRUCTION;
        break;
      }
      case Op.MOVSX8_32: {
        store<u64>(dst(pc), <u64><u32><i32>load<i8>(src(pc)));
        pc += INSTRUCTION;
        break;
      }
      case Op.MOVSX16_32: {
        store<u64>(dst(pc), <u64><u32><i32>load<i16>(src(pc)));
        pc += INSTRUCTION;
        break;
      }
      // byte order
      case Op.LE16: {
        store<u64>(dst(pc), <u64>load<u16>(dst(pc)));
        pc += INSTRUCTION;
        break;
      }
      case Op.LE32: {
        store<u64>(dst(pc), <u64>load<u32>(dst(pc)));
        pc += INSTRUCTION;
        break;
      }
      case Op.LE64: {
        pc += INSTRUCTION;
        break;
      }
      case Op.BE16: {
        store<u64>(dst(pc), <u64>bswap<u16>(load<u16>(dst(pc))));
        pc += INSTRUCTION;
        break;
      }
      case Op.BE32: {
        store<u64>(dst(pc), <u64>bswap<u32>(load<u32>(dst(pc))));
        pc += INSTRUCTION;
        break;
      }
      case Op.BE64: {
        store<u64>(dst(pc), bswap<u64>(load<u64>(dst(pc))));
        pc += INSTRUCTION;
        break;
      }
      case Op.BSWAP16: {
        store<u64>(dst(pc), <u64>bswap<u16>(load<u16>(dst(pc))));
        pc += INSTRUCTION;
        break;
      }
      case Op.BSWAP32: {
        store<u64>(dst(pc), <u64>bswap<u32>(load<u32>(dst(pc))));
        pc += INSTRUCTION;
        break;
      }
      case Op.BSWAP64: {
        store<u64>(dst(pc), bswap<u64>(load<u64>(dst(pc))));
        pc += INSTRUCTION;
        break;
      }
      // loads
      case 0x71: {
        const address = load<u64>(src(pc)) + offset(pc);
        if (readable(address, 1)) store<u64>(dst(pc), <u64>load<u8>(<u32>address));
        else if (!loadSlow(address, 0, dst(pc), false)) return stop(pc, left, Status.FAULT);
        pc += INSTRUCTION;
        break;
      }
      case 0x69: {
        const address = load<u64>(src(pc)) + offset(pc);
        if (readable(address, 2)) store<u64>(dst(pc), <u64>load<u16>(<u32>address));
        else if (!loadSlow(address, 1, dst(pc), false)) return stop(pc, left, Status.FAULT);
        pc += INSTRUCTION;
        break;
      }
      case 0x61: {
        const address = load<u64>(src(pc)) + offset(pc);
        if (readable(address, 4)) store<u64>(dst(pc), <u64>load<u32>(<u32>address));
        else if (!loadSlow(address, 2, dst(pc), false)) return stop(pc, left, Status.FAULT);
        pc += INSTRUCTION;
        break;
      }
      case 0x79: {
        const address = load<u64>(src(pc)) + offset(pc);
        if (readable(address, 8)) store<u64>(dst(pc), <u64>load<u64>(<u32>address));
        else if (!loadSlow(address, 3, dst(pc), false)) return stop(pc, left, Status.FAULT);
        pc += INSTRUCTION;
        break;
      }
      case 0x91: {
        const address = load<u64>(src(pc)) + offset(pc);
        if (readable(address, 1)) store<u64>(dst(pc), <u64><i64>load<i8>(<u32>address));
        else if (!loadSlow(address, 0, dst(pc), true)) return stop(pc, left, Status.FAULT);
        pc += INSTRUCTION;
        break;
      }
      case 0x89: {
        const address = load<u64>(src(pc)) + offset(pc);
        if (readable(address, 2)) store<u64>(dst(pc), <u64><i64>load<i16>(<u32>address));
        else if (!loadSlow(address, 1, dst(pc), true)) return stop(pc, left, Status.FAULT);
        pc += INSTRUCTION;
        break;
      }
      case 0x81: {
        const address = load<u64>(src(pc)) + offset(pc);
        if (readable(address, 4)) store<u64>(dst(pc), <u64><i64>load<i32>(<u32>address));
        else if (!loadSlow(address, 2, dst(pc), true)) return stop(pc, left, Status.FAULT);
        pc += INSTRUCTION;
        break;
      }
      // stores
      case 0x73: {
        const address = load<u64>(dst(pc)) + offset(pc);
        if (writable(address, 1)) store<u8>(<u32>address, load<u8>(src(pc)));
        else if (!storeSlow(address, 0, load<u64>(src(pc)))) return stop(pc, left, Status.FAULT);
        pc += INSTRUCTION;
        break;
      }
      case 0x6b: {
        const address = load<u64>(dst(pc)) + offset(pc);
        if (writable(address, 2)) store<u16>(<u32>address, load<u16>(src(pc)));
        else if (!storeSlow(address, 1, load<u64>(src(pc)))) return stop(pc, left, Status.FAULT);
        pc += INSTRUCTION;
        break;
      }
      case 0x63: {
        const address = load<u64>(dst(pc)) + offset(pc);
        if (writable(address, 4)) store<u32>(<u32>address, load<u32>(src(pc)));
        else if (!storeSlow(address, 2, load<u64>(src(pc)))) return stop(pc, left, Status.FAULT);
        pc += INSTRUCTION;
        break;
      }
      case 0x7b: {
        const address = load<u64>(dst(pc)) + offset(pc);
        if (writable(address, 8)) store<u64>(<u32>address, load<u64>(src(pc)));
        else if (!storeSlow(address, 3, load<u64>(src(pc)))) return stop(pc, left, Status.FAULT);
        pc += INSTRUCTION;
        break;
      }
      case 0x72: {
        const address = load<u64>(dst(pc)) + offset(pc);
        if (writable(address, 1)) store<u8>(<u32>address, <u8>imm64(pc));
        else if (!storeSlow(address, 0, imm64(pc))) return stop(pc, left, Status.FAULT);
        pc += INSTRUCTION;
        break;
      }
      case 0x6a: {
        const address = load<u64>(dst(pc)) + offset(pc);
        if (writable(address, 2)) store<u16>(<u32>address, <u16>imm64(pc));
        else if (!storeSlow(address, 1, imm64(pc))) return stop(pc, left, Status.FAULT);
        pc += INSTRUCTION;
        break;
      }
      case 0x62: {
        const address = load<u64>(dst(pc)) + offset(pc);
        if (writable(address, 4)) store<u32>(<u32>address, <u32>imm64(pc));
        else if (!storeSlow(address, 2, imm64(pc))) return stop(pc, left, Status.FAULT);
        pc += INSTRUCTION;
        break;
      }
      case 0x7a: {
        const address = load<u64>(dst(pc)) + offset(pc);
        if (writable(address, 8)) store<u64>(<u32>address, <u64>imm64(pc));
        else if (!storeSlow(address, 3, imm64(pc))) return stop(pc, left, Status.FAULT);
        pc += INSTRUCTION;
        break;
      }
      // jumps
      case 0x05: {
        pc = load<u32>(pc, 12);
        break;
      }
      case 0x06: {
        pc = load<u32>(pc, 12);
        break;
      }
      case 0xe5: {
        pc += INSTRUCTION; // may_goto: the budget of 8 million rounds is the kernel's; ours is the instruction budget
        break;
      }
      case 0x15: {
        pc = next(pc, load<u64>(dst(pc)) == <u64>jumpImm64(pc));
        break;
      }
      case 0x1d: {
        pc = next(pc, load<u64>(dst(pc)) == load<u64>(src(pc)));
        break;
      }
      case 0x16: {
        pc = next(pc, load<u32>(dst(pc)) == <u32>imm32(pc));
        break;
      }
      case 0x1e: {
        pc = next(pc, load<u32>(dst(pc)) == load<u32>(src(pc)));
        break;
      }
      case 0x25: {
        pc = next(pc, load<u64>(dst(pc)) > <u64>jumpImm64(pc));
        break;
      }
      case 0x2d: {
        pc = next(pc, load<u64>(dst(pc)) > load<u64>(src(pc)));
        break;
      }
      case 0x26: {
        pc = next(pc, load<u32>(dst(pc)) > <u32>imm32(pc));
        break;
      }
      case 0x2e: {
        pc = next(pc, load<u32>(dst(pc)) > load<u32>(src(pc)));
        break;
      }
      case 0x35: {
        pc = next(pc, load<u64>(dst(pc)) >= <u64>jumpImm64(pc));
        break;
      }
      case 0x3d: {
        pc = next(pc, load<u64>(dst(pc)) >= load<u64>(src(pc)));
        break;
      }
      case 0x36: {
        pc = next(pc, load<u32>(dst(pc)) >= <u32>imm32(pc));
        break;
      }
      case 0x3e: {
        pc = next(pc, load<u32>(dst(pc)) >= load<u32>(src(pc)));
        break;
      }
      case 0x55: {
        pc = next(pc, load<u64>(dst(pc)) != <u64>jumpImm64(pc));
        break;
      }
      case 0x5d: {
        pc = next(pc, load<u64>(dst(pc)) != load<u64>(src(pc)));
        break;
      }
      case 0x56: {
        pc = next(pc, load<u32>(dst(pc)) != <u32>imm32(pc));
        break;
      }
      case 0x5e: {
        pc = next(pc, load<u32>(dst(pc)) != load<u32>(src(pc)));
        break;
      }
      case 0xa5: {
        pc = next(pc, load<u64>(dst(pc)) < <u64>jumpImm64(pc));
        break;
      }
      case 0xad: {
        pc = next(pc, load<u64>(dst(pc)) < load<u64>(src(pc)));
        break;
      }
      case 0xa6: {
        pc = next(pc, load<u32>(dst(pc)) < <u32>imm32(pc));
        break;
      }
      case 0xae: {
        pc = next(pc, load<u32>(dst(pc)) < load<u32>(src(pc)));
        break;
      }
      case 0xb5: {
        pc = next(pc, load<u64>(dst(pc)) <= <u64>jumpImm64(pc));
        break;
      }
      case 0xbd: {
        pc = next(pc, load<u64>(dst(pc)) <= load<u64>(src(pc)));
        break;
      }
      case 0xb6: {
        pc = next(pc, load<u32>(dst(pc)) <= <u32>imm32(pc));
        break;
      }
      case 0xbe: {
        pc = next(pc, load<u32>(dst(pc)) <= load<u32>(src(pc)));
        break;
      }
      case 0x65: {
        pc = next(pc, load<i64>(dst(pc)) > <i64>jumpImm64(pc));
        break;
      }
      case 0x6d: {
        pc = next(pc, load<i64>(dst(pc)) > load<i64>(src(pc)));
        break;
      }
      case 0x66: {
        pc = next(pc, load<i32>(dst(pc)) > <i32>imm32(pc));
        break;
      }
      case 0x6e: {
        pc = next(pc, load<i32>(dst(pc)) > load<i32>(src(pc)));
        break;
      }
      case 0x75: {
        pc = next(pc, load<i64>(dst(pc)) >= <i64>jumpImm64(pc));
        break;
      }
      case 0x7d: {
        pc = next(pc, load<i64>(dst(pc)) >= load<i64>(src(pc)));
        break;
      }
      case 0x76: {
        pc = next(pc, load<i32>(dst(pc)) >= <i32>imm32(pc));
        break;
      }
      case 0x7e: {
        pc = next(pc, load<i32>(dst(pc)) >= load<i32>(src(pc)));
        break;
      }
      case 0xc5: {
        pc = next(pc, load<i64>(dst(pc)) < <i64>jumpImm64(pc));
        break;
      }
      case 0xcd: {
        pc = next(pc, load<i64>(dst(pc)) < load<i64>(src(pc)));
        break;
      }
      case 0xc6: {
        pc = next(pc, load<i32>(dst(pc)) < <i32>imm32(pc));
        break;
      }
      case 0xce: {
        pc = next(pc, load<i32>(dst(pc)) < load<i32>(src(pc)));
        break;
      }
      case 0xd5: {
        pc = next(pc, load<i64>(dst(pc)) <= <i64>jumpImm64(pc));
        break;
      }
      case 0xdd: {
        pc = next(pc, load<i64>(dst(pc)) <= load<i64>(src(pc)));
        break;
      }
      case 0xd6: {
        pc = next(pc, load<i32>(dst(pc)) <= <i32>imm32(pc));
        break;
      }
      case 0xde: {
        pc = next(pc, load<i32>(dst(pc)) <= load<i32>(src(pc)));
        break;
      }
      case 0x45: {
        pc = next(pc, (load<u64>(dst(pc)) & jumpImm64(pc)) != 0);
        break;
      }
      case 0x4d: {
        pc = next(pc, (load<u64>(dst(pc)) & load<u64>(src(pc))) != 0);
        break;
      }
      case 0x46: {
        pc = next(pc, (load<u32>(dst(pc)) & imm32(pc)) != 0);
        break;
      }
      case 0x4e: {
        pc = next(pc, (load<u32>(dst(pc)) & load<u32>(src(pc))) != 0);
        break;
      }
      // calls and exit
      case Op.LD_IMM64: {
        store<u64>(dst(pc), imm64(pc));
        pc += 2 * INSTRUCTION;
        break;
      }
      case Op.CALL_HELPER: {
        const id = imm32(pc);
        setRun32(RunState.PC, pc);
        if (isControlHelper(id)) {
          pc = controlHelper(id, pc);
        } else {
          const result = callHelper(id);
          store<u64>(R0, result);
          pc += INSTRUCTION;
        }
        if (faulted()) return stop(run32(RunState.PC), left, Status.FAULT);
        break;
      }
      case Op.CALL_LOCAL: {
        setRun32(RunState.PC, pc);
        pc = enterLocal(load<u32>(pc, 12), pc + INSTRUCTION);
        if (!pc) return stop(run32(RunState.PC), left, Status.FAULT);
        break;
      }
      case Op.CALL_KFUNC: {
        setRun32(RunState.PC, pc);
        if (hostKfunc(imm32(pc)) || faulted()) return stop(pc, left, Status.FAULT);
        pc += INSTRUCTION;
        break;
      }
      case 0x95: {
        if (!run32(RunState.DEPTH)) return stop(pc, left, Status.EXIT);
        pc = leaveFrame();
        if (faulted()) return stop(pc, left, Status.FAULT);
        break;
      }
      // legacy packet loads: a miss leaves the frame with r0 = 0
      case 0x20: {
        const value = loadAbsolute(<i32>imm32(pc), 4);
        if (faulted()) return stop(pc, left, Status.FAULT);
        store<u64>(R0, value);
        if (!loadAbsoluteFailed()) pc += INSTRUCTION;
        else if (run32(RunState.DEPTH)) {
          pc = leaveFrame();
          if (faulted()) return stop(pc, left, Status.FAULT);
        } else return stop(pc, left, Status.EXIT);
        break;
      }
      case 0x28: {
        const value = loadAbsolute(<i32>imm32(pc), 2);
        if (faulted()) return stop(pc, left, Status.FAULT);
        store<u64>(R0, value);
        if (!loadAbsoluteFailed()) pc += INSTRUCTION;
        else if (run32(RunState.DEPTH)) {
          pc = leaveFrame();
          if (faulted()) return stop(pc, left, Status.FAULT);
        } else return stop(pc, left, Status.EXIT);
        break;
      }
      case 0x30: {
        const value = loadAbsolute(<i32>imm32(pc), 1);
        if (faulted()) return stop(pc, left, Status.FAULT);
        store<u64>(R0, value);
        if (!loadAbsoluteFailed()) pc += INSTRUCTION;
        else if (run32(RunState.DEPTH)) {
          pc = leaveFrame();
          if (faulted()) return stop(pc, left, Status.FAULT);
        } else return stop(pc, left, Status.EXIT);
        break;
      }
      case 0x40: {
        const value = loadAbsolute(<i32>(load<u32>(src(pc)) + imm32(pc)), 4);
        if (faulted()) return stop(pc, left, Status.FAULT);
        store<u64>(R0, value);
        if (!loadAbsoluteFailed()) pc += INSTRUCTION;
        else if (run32(RunState.DEPTH)) {
          pc = leaveFrame();
          if (faulted()) return stop(pc, left, Status.FAULT);
        } else return stop(pc, left, Status.EXIT);
        break;
      }
      case 0x48: {
        const value = loadAbsolute(<i32>(load<u32>(src(pc)) + imm32(pc)), 2);
        if (faulted()) return stop(pc, left, Status.FAULT);
        store<u64>(R0, value);
        if (!loadAbsoluteFailed()) pc += INSTRUCTION;
        else if (run32(RunState.DEPTH)) {
          pc = leaveFrame();
          if (faulted()) return stop(pc, left, Status.FAULT);
        } else return stop(pc, left, Status.EXIT);
        break;
      }
      case 0x50: {
        const value = loadAbsolute(<i32>(load<u32>(src(pc)) + imm32(pc)), 1);
        if (faulted()) return stop(pc, left, Status.FAULT);
        store<u64>(R0, value);
        if (!loadAbsoluteFailed()) pc += INSTRUCTION;
        else if (run32(RunState.DEPTH)) {
          pc = leaveFrame();
          if (faulted()) return stop(pc, left, Status.FAULT);
        } else return stop(pc, left, Status.EXIT);
        break;
      }
      // atomics
      case Op.ATOMIC64_ADD: {
        const address = load<u64>(dst(pc)) + offset(pc);
        if (!atomicAccess(address, 8)) return stop(pc, left, Status.FAULT);
        store<u64>(<u32>address, load<u64>(<u32>address) + load<u64>(src(pc)));
        pc += INSTRUCTION;
        break;
      }
      case Op.ATOMIC64_OR: {
        const address = load<u64>(dst(pc)) + offset(pc);
        if (!atomicAccess(address, 8)) return stop(pc, left, Status.FAULT);
        store<u64>(<u32>address, load<u64>(<u32>address) | load<u64>(src(pc)));
        pc += INSTRUCTION;
        break;
      }
      case Op.ATOMIC64_AND: {
        const address = load<u64>(dst(pc)) + offset(pc);
        if (!atomicAccess(address, 8)) return stop(pc, left, Status.FAULT);
        store<u64>(<u32>address, load<u64>(<u32>address) & load<u64>(src(pc)));
        pc += INSTRUCTION;
        break;
      }
      case Op.ATOMIC64_XOR: {
        const address = load<u64>(dst(pc)) + offset(pc);
        if (!atomicAccess(address, 8)) return stop(pc, left, Status.FAULT);
        store<u64>(<u32>address, load<u64>(<u32>address) ^ load<u64>(src(pc)));
        pc += INSTRUCTION;
        break;
      }
      case Op.ATOMIC64_FETCH_ADD: {
        const address = load<u64>(dst(pc)) + offset(pc);
        if (!atomicAccess(address, 8)) return stop(pc, left, Status.FAULT);
        const old = load<u64>(<u32>address);
        store<u64>(<u32>address, old + load<u64>(src(pc)));
        store<u64>(src(pc), <u64>old);
        pc += INSTRUCTION;
        break;
      }
      case Op.ATOMIC64_FETCH_OR: {
        const address = load<u64>(dst(pc)) + offset(pc);
        if (!atomicAccess(address, 8)) return stop(pc, left, Status.FAULT);
        const old = load<u64>(<u32>address);
        store<u64>(<u32>address, old | load<u64>(src(pc)));
        store<u64>(src(pc), <u64>old);
        pc += INSTRUCTION;
        break;
      }
      case Op.ATOMIC64_FETCH_AND: {
        const address = load<u64>(dst(pc)) + offset(pc);
        if (!atomicAccess(address, 8)) return stop(pc, left, Status.FAULT);
        const old = load<u64>(<u32>address);
        store<u64>(<u32>address, old & load<u64>(src(pc)));
        store<u64>(src(pc), <u64>old);
        pc += INSTRUCTION;
        break;
      }
      case Op.ATOMIC64_FETCH_XOR: {
        const address = load<u64>(dst(pc)) + offset(pc);
        if (!atomicAccess(address, 8)) return stop(pc, left, Status.FAULT);
        const old = load<u64>(<u32>address);
        store<u64>(<u32>address, old ^ load<u64>(src(pc)));
        store<u64>(src(pc), <u64>old);
        pc += INSTRUCTION;
        break;
      }
      case Op.ATOMIC64_XCHG: {
        const address = load<u64>(dst(pc)) + offset(pc);
        if (!atomicAccess(address, 8)) return stop(pc, left, Status.FAULT);
        const old = load<u64>(<u32>address);
        store<u64>(<u32>address, load<u64>(src(pc)));
        store<u64>(src(pc), <u64>old);
        pc += INSTRUCTION;
        break;
      }
      case Op.ATOMIC64_CMPXCHG: {
        const address = load<u64>(dst(pc)) + offset(pc);
        if (!atomicAccess(address, 8)) return stop(pc, left, Status.FAULT);
        const old = load<u64>(<u32>address);
        if (old == load<u64>(R0)) store<u64>(<u32>address, load<u64>(src(pc)));
        store<u64>(R0, <u64>old);
        pc += INSTRUCTION;
        break;
      }
      case Op.ATOMIC32_ADD: {
        const address = load<u64>(dst(pc)) + offset(pc);
        if (!atomicAccess(address, 4)) return stop(pc, left, Status.FAULT);
        store<u32>(<u32>address, load<u32>(<u32>address) + load<u32>(src(pc)));
        pc += INSTRUCTION;
        break;
      }
      case Op.ATOMIC32_OR: {
        const address = load<u64>(dst(pc)) + offset(pc);
        if (!atomicAccess(address, 4)) return stop(pc, left, Status.FAULT);
        store<u32>(<u32>address, load<u32>(<u32>address) | load<u32>(src(pc)));
        pc += INSTRUCTION;
        break;
      }
      case Op.ATOMIC32_AND: {
        const address = load<u64>(dst(pc)) + offset(pc);
        if (!atomicAccess(address, 4)) return stop(pc, left, Status.FAULT);
        store<u32>(<u32>address, load<u32>(<u32>address) & load<u32>(src(pc)));
        pc += INSTRUCTION;
        break;
      }
      case Op.ATOMIC32_XOR: {
        const address = load<u64>(dst(pc)) + offset(pc);
        if (!atomicAccess(address, 4)) return stop(pc, left, Status.FAULT);
        store<u32>(<u32>address, load<u32>(<u32>address) ^ load<u32>(src(pc)));
        pc += INSTRUCTION;
        break;
      }
      case Op.ATOMIC32_FETCH_ADD: {
        const address = load<u64>(dst(pc)) + offset(pc);
        if (!atomicAccess(address, 4)) return stop(pc, left, Status.FAULT);
        const old = load<u32>(<u32>address);
        store<u32>(<u32>address, old + load<u32>(src(pc)));
        store<u64>(src(pc), <u64>old);
        pc += INSTRUCTION;
        break;
      }
      case Op.ATOMIC32_FETCH_OR: {
        const address = load<u64>(dst(pc)) + offset(pc);
        if (!atomicAccess(address, 4)) return stop(pc, left, Status.FAULT);
        const old = load<u32>(<u32>address);
        store<u32>(<u32>address, old | load<u32>(src(pc)));
        store<u64>(src(pc), <u64>old);
        pc += INSTRUCTION;
        break;
      }
      case Op.ATOMIC32_FETCH_AND: {
        const address = load<u64>(dst(pc)) + offset(pc);
        if (!atomicAccess(address, 4)) return stop(pc, left, Status.FAULT);
        const old = load<u32>(<u32>address);
        store<u32>(<u32>address, old & load<u32>(src(pc)));
        store<u64>(src(pc), <u64>old);
        pc += INSTRUCTION;
        break;
      }
      case Op.ATOMIC32_FETCH_XOR: {
        const address = load<u64>(dst(pc)) + offset(pc);
        if (!atomicAccess(address, 4)) return stop(pc, left, Status.FAULT);
        const old = load<u32>(<u32>address);
        store<u32>(<u32>address, old ^ load<u32>(src(pc)));
        store<u64>(src(pc), <u64>old);
        pc += INSTRUCTION;
        break;
      }
      case Op.ATOMIC32_XCHG: {
        const address = load<u64>(dst(pc)) + offset(pc);
        if (!atomicAccess(address, 4)) return stop(pc, left, Status.FAULT);
        const old = load<u32>(<u32>address);
        store<u32>(<u32>address, load<u32>(src(pc)));
        store<u64>(src(pc), <u64>old);
        pc += INSTRUCTION;
        break;
      }
      case Op.ATOMIC32_CMPXCHG: {
        const address = load<u64>(dst(pc)) + offset(pc);
        if (!atomicAccess(address, 4)) return stop(pc, left, Status.FAULT);
        const old = load<u32>(<u32>address);
        if (old == load<u32>(R0)) store<u32>(<u32>address, load<u32>(src(pc)));
        store<u64>(R0, <u64>old);
        pc += INSTRUCTION;
        break;
      }
      case Op.LOAD_ACQUIRE8: {
        const address = load<u64>(src(pc)) + offset(pc);
        if (!aligned(address, 1)) return stop(pc, left, Status.FAULT);
        if (readable(address, 1)) store<u64>(dst(pc), <u64>load<u8>(<u32>address));
        else if (!loadSlow(address, 0, dst(pc), false)) return stop(pc, left, Status.FAULT);
        pc += INSTRUCTION;
        break;
      }
      case Op.STORE_RELEASE8: {
        const address = load<u64>(dst(pc)) + offset(pc);
        if (!aligned(address, 1)) return stop(pc, left, Status.FAULT);
        if (writable(address, 1)) store<u8>(<u32>address, load<u8>(src(pc)));
        else if (!storeSlow(address, 0, load<u64>(src(pc)))) return stop(pc, left, Status.FAULT);
        pc += INSTRUCTION;
        break;
      }
      case Op.LOAD_ACQUIRE16: {
        const address = load<u64>(src(pc)) + offset(pc);
        if (!aligned(address, 2)) return stop(pc, left, Status.FAULT);
        if (readable(address, 2)) store<u64>(dst(pc), <u64>load<u16>(<u32>address));
        else if (!loadSlow(address, 1, dst(pc), false)) return stop(pc, left, Status.FAULT);
        pc += INSTRUCTION;
        break;
      }
      case Op.STORE_RELEASE16: {
        const address = load<u64>(dst(pc)) + offset(pc);
        if (!aligned(address, 2)) return stop(pc, left, Status.FAULT);
        if (writable(address, 2)) store<u16>(<u32>address, load<u16>(src(pc)));
        else if (!storeSlow(address, 1, load<u64>(src(pc)))) return stop(pc, left, Status.FAULT);
        pc += INSTRUCTION;
        break;
      }
      case Op.LOAD_ACQUIRE32: {
        const address = load<u64>(src(pc)) + offset(pc);
        if (!aligned(address, 4)) return stop(pc, left, Status.FAULT);
        if (readable(address, 4)) store<u64>(dst(pc), <u64>load<u32>(<u32>address));
        else if (!loadSlow(address, 2, dst(pc), false)) return stop(pc, left, Status.FAULT);
        pc += INSTRUCTION;
        break;
      }
      case Op.STORE_RELEASE32: {
        const address = load<u64>(dst(pc)) + offset(pc);
        if (!aligned(address, 4)) return stop(pc, left, Status.FAULT);
        if (writable(address, 4)) store<u32>(<u32>address, load<u32>(src(pc)));
        else if (!storeSlow(address, 2, load<u64>(src(pc)))) return stop(pc, left, Status.FAULT);
        pc += INSTRUCTION;
        break;
      }
      case Op.LOAD_ACQUIRE64: {
        const address = load<u64>(src(pc)) + offset(pc);
        if (!aligned(address, 8)) return stop(pc, left, Status.FAULT);
        if (readable(address, 8)) store<u64>(dst(pc), <u64>load<u64>(<u32>address));
        else if (!loadSlow(address, 3, dst(pc), false)) return stop(pc, left, Status.FAULT);
        pc += INSTRUCTION;
        break;
      }
      case Op.STORE_RELEASE64: {
        const address = load<u64>(dst(pc)) + offset(pc);
        if (!aligned(address, 8)) return stop(pc, left, Status.FAULT);
        if (writable(address, 8)) store<u64>(<u32>address, load<u64>(src(pc)));
        else if (!storeSlow(address, 3, load<u64>(src(pc)))) return stop(pc, left, Status.FAULT);
        pc += INSTRUCTION;
        break;
      }
      default:
        raise(FaultKind.INVALID_INSTRUCTION, 0, 0, false, load<u16>(pc));
        return stop(pc, left, Status.FAULT);
    }
  }
}

/** Atomics must be aligned to their size (the verifier rejects others). */
function aligned(address: u64, size: u32): bool {
  if ((address & (size - 1)) == 0) return true;
  raise(FaultKind.MISALIGNED, address, size, true, 0);
  return false;
}

/** True if an atomic of `size` bytes may touch the address; a fault is recorded otherwise. */
function atomicAccess(address: u64, size: u32): bool {
  if (!aligned(address, size)) return false;
  if (writable(address, size)) return true;
  return storeProbe(address, size);
}

/** An atomic on the stack while uninitialised reads are tracked, or a fault. */
function storeProbe(address: u64, size: u32): bool {
  const log2 = size == 8 ? 3 : 2;
  if (!loadSlow(address, log2, SCRATCH, false)) return false;
  return storeSlow(address, log2, load<u64>(SCRATCH));
}

/** Register slot 11: never named by an instruction. */
const SCRATCH: u32 = REGISTERS + 11 * 8;

// @ts-ignore: decorator
@inline
function divide64(a: u64, b: u64): u64 {
  return b ? a / b : 0;
}
// @ts-ignore: decorator
@inline
function divide32(a: u32, b: u32): u32 {
  return b ? a / b : 0;
}
// @ts-ignore: decorator
@inline
function modulo64(a: u64, b: u64): u64 {
  return b ? a % b : a;
}
// @ts-ignore: decorator
@inline
function modulo32(a: u32, b: u32): u32 {
  return b ? a % b : a;
}
function signedDivide64(a: i64, b: i64): u64 {
  if (b == 0) return 0;
  return b == -1 ? 0 - <u64>a : <u64>(a / b);
}
function signedDivide32(a: i32, b: i32): u32 {
  if (b == 0) return 0;
  return b == -1 ? 0 - <u32>a : <u32>(a / b);
}
function signedModulo64(a: i64, b: i64): u64 {
  if (b == 0) return <u64>a;
  return b == -1 ? 0 : <u64>(a % b);
}
function signedModulo32(a: i32, b: i32): u32 {
  if (b == 0) return <u32>a;
  return b == -1 ? 0 : <u32>(a % b);
}
