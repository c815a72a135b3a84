import { SectionFlag, SectionType, SymbolBinding, SymbolType } from '../elf/constants.js';
import type { ElfFile, ElfSection, ElfSymbol } from '../elf/elf.js';
import { LoadError } from '../errors.js';

/** A function found in an executable section. */
export interface CodeRange {
  readonly name: string;
  readonly section: ElfSection;
  /** Byte offset within the section, a multiple of 8. */
  readonly offset: number;
  /** Bytes, a multiple of 8, at least 8. */
  readonly size: number;
  readonly isLocal: boolean;
}

/** Whether a section holds instructions. */
export function isExecutable(section: ElfSection): boolean {
  return section.type === SectionType.PROGBITS && (section.flags & SectionFlag.EXECINSTR) !== 0;
}

/**
 * Splits all executable sections into functions by their symbols, in section and offset order.
 *
 * FUNC symbols count; sections without any (LLVM up to about 7 writes NOTYPE symbols of size 0) are split at their named
 * NOTYPE symbols, and a section without symbols is one function of the section's name. Of several symbols at one place the
 * first global one is taken.
 *
 * Throws LoadError if a section's size is no multiple of 8 or functions overlap or leave their section.
 */
export function findFunctions(elf: ElfFile): CodeRange[] {
  const functions: CodeRange[] = [];
  for (const section of elf.sections) {
    if (!isExecutable(section) || section.size === 0) continue;
    if (section.size % 8 !== 0) {
      throw new LoadError(`${section.size} bytes of code are no whole number of instructions (8 bytes each)`, {
        file: elf.name,
        section: section.name,
      });
    }
    const symbols = elf.symbolsIn(section.index);
    const real = symbols.filter((symbol) => symbol.type === SymbolType.FUNC);
    for (const range of split(elf.name, section, real.length > 0 ? real : symbols.filter(isOldFunction)))
      functions.push(range);
  }
  return functions;
}

function isOldFunction(symbol: ElfSymbol): boolean {
  // Labels of basic blocks (LBB0_1) are NOTYPE symbols too.
  return symbol.type === SymbolType.NOTYPE && symbol.name !== '' && !/^\.?L(BB|tmp|func|JTI)/.test(symbol.name);
}

function split(file: string, section: ElfSection, symbols: readonly ElfSymbol[]): CodeRange[] {
  if (symbols.length === 0) return [{ name: section.name, section, offset: 0, size: section.size, isLocal: false }];
  const sorted = [...symbols].sort((a, b) => a.value - b.value || rank(a) - rank(b) || a.index - b.index);
  const starts = sorted.filter((symbol, index) => index === 0 || symbol.value !== sorted[index - 1]!.value);
  return starts.map((symbol, index) => {
    const next = starts[index + 1]?.value ?? section.size;
    const size = symbol.size === 0 ? next - symbol.value : symbol.size;
    const place = { file, section: section.name, program: symbol.name, offset: symbol.value };
    if (symbol.value % 8 !== 0 || size % 8 !== 0 || size <= 0) {
      throw new LoadError(
        `the function spans ${size} bytes at ${symbol.value}, which are no whole instructions`,
        place,
      );
    }
    if (symbol.value + size > section.size) {
      throw new LoadError(`the function ends at byte ${symbol.value + size}, its section has ${section.size}`, place);
    }
    if (symbol.value + size > next) throw new LoadError(`the function overlaps ${starts[index + 1]!.name}`, place);
    return { name: symbol.name, section, offset: symbol.value, size, isLocal: symbol.binding === SymbolBinding.LOCAL };
  });
}

function rank(symbol: ElfSymbol): number {
  return symbol.binding === SymbolBinding.LOCAL ? 1 : 0;
}

/** Finds functions by place; built once per object. */
export class FunctionIndex {
  readonly #byPlace = new Map<string, number>();

  constructor(functions: readonly CodeRange[]) {
    for (const [index, fn] of functions.entries()) this.#byPlace.set(`${fn.section.index}:${fn.offset}`, index);
  }

  /** Index of the function that starts there, undefined if none does. */
  at(section: number, offset: number): number | undefined {
    return this.#byPlace.get(`${section}:${offset}`);
  }
}
