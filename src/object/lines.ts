import type { BtfExt, LineRecord } from '../btf/ext.js';
import type { CodeRange } from './functions.js';
import type { LineInfo } from './spec.js';

/** Line info of functions from BTF.ext, decoded when it is asked for. */
export class FunctionLines {
  readonly #ext: BtfExt | undefined;
  /** Records by section, in the order of instructions. */
  readonly #sections = new Map<string, readonly LineRecord[]>();

  constructor(ext: BtfExt | undefined) {
    this.#ext = ext;
  }

  /** Line info of one function, sorted by instruction; empty without BTF.ext. */
  of({ section, offset, size }: CodeRange): LineInfo[] {
    const records = this.#recordsOf(section.name);
    const lines: LineInfo[] = [];
    for (let index = lowerBound(records, offset); index < records.length; index++) {
      const { insnOffset, file, line, column, text } = records[index]!;
      if (insnOffset >= offset + size) break;
      lines.push({ instruction: Math.floor((insnOffset - offset) / 8), file, line, column, text });
    }
    return lines;
  }

  #recordsOf(section: string): readonly LineRecord[] {
    const known = this.#sections.get(section);
    if (known) return known;
    const records = (this.#ext?.linesOf(section) ?? []).sort((a, b) => a.insnOffset - b.insnOffset);
    this.#sections.set(section, records);
    return records;
  }
}

function lowerBound(entries: readonly { insnOffset: number }[], offset: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (entries[middle]!.insnOffset < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
