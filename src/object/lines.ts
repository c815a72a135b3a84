import type { BtfExt } from '../btf/ext.js';
import type { CodeRange } from './functions.js';
import type { LineInfo } from './spec.js';

/** Line info of each function, in the order given (section and offset order), from BTF.ext; empty without. */
export function linesOf(ranges: readonly CodeRange[], ext: BtfExt | undefined): LineInfo[][] {
  const bySection = new Map<
    string,
    readonly { insnOffset: number; file: string; line: number; column: number; text: string }[]
  >();
  return ranges.map((range) => {
    if (!ext) return [];
    const name = range.section.name;
    let entries = bySection.get(name);
    if (!entries) {
      entries = [...(ext.lineInfo.get(name) ?? [])].sort((a, b) => a.insnOffset - b.insnOffset);
      bySection.set(name, entries);
    }
    const lines: LineInfo[] = [];
    for (let index = lowerBound(entries, range.offset); index < entries.length; index++) {
      const { insnOffset, file, line, column, text } = entries[index]!;
      if (insnOffset >= range.offset + range.size) break;
      lines.push({ instruction: Math.floor((insnOffset - range.offset) / 8), file, line, column, text });
    }
    return lines;
  });
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
