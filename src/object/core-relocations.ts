import type { Btf } from '../btf/btf.js';
import { relocateCore } from '../btf/core.js';
import type { BtfExt } from '../btf/ext.js';
import type { ElfFile } from '../elf/elf.js';
import { LoadError } from '../errors.js';
import type { CodeRange } from './functions.js';

export interface RelocatedCode {
  /** The instructions of a function after CO-RE. */
  instructions(range: CodeRange): Uint8Array;
  readonly warnings: string[];
}

/**
 * Applies CO-RE relocations section by section, on copies of the sections that have any. They are resolved against `target`,
 * or against the object's own types without one.
 */
export function relocateTypes(
  elf: ElfFile,
  ranges: readonly CodeRange[],
  btf: Btf | undefined,
  ext: BtfExt | undefined,
  target: Btf | undefined,
): RelocatedCode {
  const warnings: string[] = [];
  const copies = new Map<number, Uint8Array>();
  const done = new Set<string>();
  for (const { section } of ranges) {
    // BTF.ext knows sections by name only: of several with one name the first is meant.
    if (done.has(section.name)) continue;
    done.add(section.name);
    const relocations = ext?.coreRelocations.get(section.name) ?? [];
    if (!btf || relocations.length === 0) continue;
    const copy = section.data.slice();
    try {
      for (const warning of relocateCore(copy, relocations, btf, target ?? btf))
        warnings.push(`${elf.name}, section ${section.name}: ${warning}`);
    } catch (error) {
      throw error instanceof LoadError ? error.at({ section: section.name }) : error;
    }
    copies.set(section.index, copy);
  }
  return {
    warnings,
    instructions: ({ section, offset, size }) =>
      (copies.get(section.index) ?? section.data).subarray(offset, offset + size),
  };
}
