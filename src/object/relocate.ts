import { FIRST_RESERVED_SECTION, SymbolType } from '../elf/constants.js';
import type { ElfFile, ElfRelocation, ElfSection } from '../elf/elf.js';
import { LoadError, type Place } from '../errors.js';
import type { DataSections } from './data.js';
import { type CodeRange, type FunctionIndex, isExecutable } from './functions.js';
import type { ExternSpec, Relocation } from './spec.js';

const OP_LD_IMM64 = 0x18;
const OP_CALL = 0x85;
const PSEUDO_CALL = 1;

/** What relocations can point to in an object. */
export interface RelocationTargets {
  readonly elf: ElfFile;
  readonly functions: readonly CodeRange[];
  readonly functionIndex: FunctionIndex;
  /** Name of the map defined at that place, undefined if there is none. */
  mapAt(section: number, offset: number): string | undefined;
  /** Whether the section holds map definitions. */
  isMapSection(section: number): boolean;
  readonly data: DataSections;
  readonly externs: ReadonlyMap<string, ExternSpec>;
}

/**
 * Relocations of one function, sorted by instruction: those of the ELF file, and calls within a section, which the compiler
 * resolves itself (pc-relative immediate, no ELF relocation).
 *
 * `entries` are the ELF relocations of the function's section that lie within the function. What is asked for follows from
 * the relocated instruction, whose immediate is the addend (REL); relocation numbers differ between LLVM versions.
 *
 * Throws LoadError for a relocation of an instruction that cannot carry one, or against a symbol that is neither map, data,
 * function nor extern.
 */
export function relocateFunction(
  fn: CodeRange,
  entries: readonly ElfRelocation[],
  targets: RelocationTargets,
): Relocation[] {
  const code = fn.section.data.subarray(fn.offset, fn.offset + fn.size);
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  const relocations: Relocation[] = [];
  const relocated = new Set<number>();
  for (const entry of entries) {
    const at = entry.offset - fn.offset;
    const place: Place = { file: targets.elf.name, section: fn.section.name, program: fn.name, instruction: at / 8 };
    if (at % 8 !== 0)
      throw new LoadError(`relocation at byte ${entry.offset}, which is no start of an instruction`, place);
    const opcode = view.getUint8(at);
    if (opcode === OP_LD_IMM64 && at + 16 <= code.length)
      relocations.push(relocateLoad(at, view, entry, targets, place));
    else if (opcode === OP_CALL) relocations.push(relocateCall(at, view, entry, targets, place));
    else {
      throw new LoadError(
        `relocation against ${entry.symbol.name || 'an unnamed symbol'} at opcode 0x${opcode.toString(16)}, expected a 64-bit load or a call`,
        place,
      );
    }
    relocated.add(at);
  }
  for (let at = 0; at + 8 <= code.length; at += 8) {
    const opcode = view.getUint8(at);
    if (opcode === OP_CALL && view.getUint8(at + 1) >> 4 === PSEUDO_CALL && !relocated.has(at)) {
      const place: Place = { file: targets.elf.name, section: fn.section.name, program: fn.name, instruction: at / 8 };
      const offset = fn.offset + at + (view.getInt32(at + 4, true) + 1) * 8;
      relocations.push({ instruction: at / 8, kind: 'call', function: functionAt(fn.section, offset, targets, place) });
    }
    if (opcode === OP_LD_IMM64) at += 8;
  }
  return relocations.sort((a, b) => a.instruction - b.instruction);
}

function relocateCall(
  at: number,
  view: DataView,
  entry: ElfRelocation,
  targets: RelocationTargets,
  place: Place,
): Relocation {
  const { symbol } = entry;
  const instruction = at / 8;
  if (symbol.section === 0) return { instruction, kind: 'kfunc', name: symbol.name };
  const section = definedIn(entry, targets, place);
  if (!isExecutable(section))
    throw new LoadError(`call of ${symbol.name}, which is data in section ${section.name}`, place);
  // Against a section symbol the immediate is the target's index minus one, against a function symbol it is -1.
  const offset = symbol.value + (view.getInt32(at + 4, true) + 1) * 8 + entry.addend;
  return { instruction, kind: 'call', function: functionAt(section, offset, targets, place) };
}

function relocateLoad(
  at: number,
  view: DataView,
  entry: ElfRelocation,
  targets: RelocationTargets,
  place: Place,
): Relocation {
  const { symbol } = entry;
  const instruction = at / 8;
  if (symbol.section === 0) return relocateExtern(instruction, entry, targets, place);
  const section = definedIn(entry, targets, place);
  const addend = view.getInt32(at + 4, true) + entry.addend;
  if (targets.isMapSection(section.index)) {
    const offset = symbol.value + (symbol.type === SymbolType.SECTION ? addend : 0);
    const map = targets.mapAt(section.index, offset);
    if (map === undefined) throw new LoadError(`no map is defined at byte ${offset} of section ${section.name}`, place);
    return { instruction, kind: 'map', map };
  }
  const offset = symbol.value + addend;
  if (isExecutable(section))
    return { instruction, kind: 'callback', function: functionAt(section, offset, targets, place) };
  const map = targets.data.mapName(section.index);
  if (map === undefined)
    throw new LoadError(`reference to ${symbol.name} in section ${section.name}, which holds no data`, place);
  const variable = targets.data.variableAt(section.index, offset);
  if (variable ? variable.isConstant && !isDereferenced(view, at) : targets.data.holdsConstants(section.index)) {
    return { instruction, kind: 'constant', section: map, offset, size: variable?.size || 4, variable: variable?.name };
  }
  return { instruction, kind: 'data', map, offset };
}

function relocateExtern(
  instruction: number,
  entry: ElfRelocation,
  targets: RelocationTargets,
  place: Place,
): Relocation {
  const { name } = entry.symbol;
  const extern = targets.externs.get(name);
  if (!extern) throw new LoadError('reference to an undefined symbol without a name', place);
  return { instruction, kind: extern.kind === 'kconfig' ? 'kconfig' : 'ksym', name };
}

function definedIn(entry: ElfRelocation, targets: RelocationTargets, place: Place): ElfSection {
  const { symbol } = entry;
  const section = targets.elf.sections[symbol.section];
  if (!section || symbol.section >= FIRST_RESERVED_SECTION) {
    throw new LoadError(
      `reference to ${symbol.name}, which is an absolute or common symbol: compile with -fno-common`,
      place,
    );
  }
  return section;
}

function functionAt(section: ElfSection, offset: number, targets: RelocationTargets, place: Place): number {
  const found = targets.functionIndex.at(section.index, offset);
  if (found === undefined)
    throw new LoadError(`reference to byte ${offset} of section ${section.name}, where no function starts`, place);
  return found;
}

/** Instructions looked at after a load; a use as pointer follows soon. */
const LONGEST_SCAN = 64;

/**
 * Whether the register that the load at byte `at` fills is used as a pointer before it is overwritten or the block ends. The
 * value of an address-as-value constant never is.
 */
function isDereferenced(view: DataView, at: number): boolean {
  let pointers = 1 << (view.getUint8(at + 1) & 15);
  const end = Math.min(view.byteLength, at + 16 + LONGEST_SCAN * 8);
  for (let next = at + 16; next + 8 <= end && pointers !== 0; next += 8) {
    const opcode = view.getUint8(next);
    const registers = view.getUint8(next + 1);
    const target = 1 << (registers & 15);
    const source = 1 << (registers >> 4);
    switch (opcode & 7) {
      case 1:
        if (pointers & source) return true;
        pointers &= ~target;
        break;
      case 2:
      case 3:
        if (pointers & target) return true;
        break;
      case 4:
        pointers &= ~target;
        break;
      case 7:
        if (opcode === 0xbf) pointers = pointers & source ? pointers | target : pointers & ~target;
        else if (opcode !== 0x07) pointers &= ~target;
        break;
      case 0:
        pointers &= ~target;
        if (opcode === OP_LD_IMM64) next += 8;
        break;
      default:
        return false;
    }
  }
  return false;
}
