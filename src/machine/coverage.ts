import type { LineInfo } from '../object/spec.js';
import type { Core } from './core.js';
import type { LinkedFunction } from './link.js';

/** Execution counts of one function. */
export interface ExecutionCounts {
  function: string;
  section: string;
  lines: readonly LineInfo[];
  /** One count per instruction slot; the second slot of ld_imm64 stays 0. */
  counts: Uint32Array;
}

/** Reads the counters of `functions` from the core. */
export function countExecutions(core: Core, functions: readonly LinkedFunction[]): ExecutionCounts[] {
  const { CODE, COUNTERS } = core.layout;
  return functions.map((linked) => {
    const instructions = linked.spec.instructions.length / 8;
    const counts = new Uint32Array(instructions);
    for (let i = 0; i < instructions; i++) counts[i] = core.u32(COUNTERS + (linked.address + i * 16 - CODE) / 4);
    return { function: linked.spec.name, section: linked.spec.section, lines: linked.spec.lines, counts };
  });
}

interface FileCoverage {
  lines: Map<number, number>;
  functions: Map<string, { line: number; count: number }>;
}

/**
 * lcov tracefile (geninfo(1)) of execution counts. A line's count is the highest of the instructions compiled from it;
 * counts of several objects built from one source are added. `remap` changes source paths.
 */
export function formatLcov(
  counts: readonly ExecutionCounts[],
  remap: (file: string) => string = (file) => file,
): string {
  const files = new Map<string, FileCoverage>();
  const fileOf = (name: string): FileCoverage => {
    let file = files.get(name);
    if (!file) files.set(name, (file = { lines: new Map(), functions: new Map() }));
    return file;
  };
  for (const fn of counts) {
    const own = new Map<string, Map<number, number>>();
    for (const [index, line] of fn.lines.entries()) {
      const end = fn.lines[index + 1]?.instruction ?? fn.counts.length;
      let most = 0;
      for (let i = line.instruction; i < end; i++) most = Math.max(most, fn.counts[i] ?? 0);
      const file = remap(line.file);
      const lines = own.get(file) ?? new Map<number, number>();
      own.set(file, lines.set(line.line, Math.max(lines.get(line.line) ?? 0, most)));
    }
    for (const [file, lines] of own) {
      const all = fileOf(file).lines;
      for (const [line, count] of lines) all.set(line, (all.get(line) ?? 0) + count);
    }
    const first = fn.lines[0];
    if (first) {
      const functions = fileOf(remap(first.file)).functions;
      const known = functions.get(fn.function);
      functions.set(fn.function, { line: first.line, count: (known?.count ?? 0) + (fn.counts[0] ?? 0) });
    }
  }
  let text = 'TN:\n';
  for (const [name, file] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    text += `SF:${name}\n`;
    for (const [fn, { line }] of file.functions) text += `FN:${line},${fn}\n`;
    for (const [fn, { count }] of file.functions) text += `FNDA:${count},${fn}\n`;
    text += `FNF:${file.functions.size}\nFNH:${[...file.functions.values()].filter((fn) => fn.count > 0).length}\n`;
    const lines = [...file.lines].sort(([a], [b]) => a - b);
    for (const [line, count] of lines) text += `DA:${line},${count}\n`;
    text += `LF:${lines.length}\nLH:${lines.filter(([, count]) => count > 0).length}\nend_of_record\n`;
  }
  return text;
}
