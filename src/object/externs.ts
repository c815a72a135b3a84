import { SymbolBinding, SymbolType } from '../elf/constants.js';
import type { ElfFile } from '../elf/elf.js';
import type { BtfLookup } from './btf-lookup.js';
import { isExecutable } from './functions.js';
import type { ExternSpec } from './spec.js';

const OP_CALL = 0x85;

/**
 * What the object expects from the kernel, by name: its undefined symbols. BTF tells kernel configuration (`.kconfig`),
 * kernel variables and kernel functions (`.ksyms`) apart; without it functions are those that code calls, and configuration
 * what is named like it.
 */
export function readExterns(elf: ElfFile, btf: BtfLookup): Map<string, ExternSpec> {
  const externs = new Map<string, ExternSpec>();
  const undefinedSymbols = elf
    .symbolsIn(0)
    .filter((symbol) => symbol.name !== '' && symbol.type !== SymbolType.SECTION);
  if (undefinedSymbols.length === 0) return externs;
  const called = calledSymbols(elf);
  for (const { name, binding } of undefinedSymbols) {
    const known = btf.extern(name);
    const guess = called.has(name) ? 'kfunc' : /^(CONFIG_|LINUX_)/.test(name) ? 'kconfig' : 'ksym';
    externs.set(name, {
      name,
      kind: known?.kind ?? guess,
      weak: binding === SymbolBinding.WEAK,
      typeId: known?.typeId ?? 0,
    });
  }
  return externs;
}

function calledSymbols(elf: ElfFile): Set<string> {
  const called = new Set<string>();
  for (const section of elf.sections) {
    if (!isExecutable(section)) continue;
    for (const { symbol, offset } of elf.relocations(section.index)) {
      if (symbol.section === 0 && section.data[offset] === OP_CALL) called.add(symbol.name);
    }
  }
  return called;
}
