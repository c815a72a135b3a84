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
    const first = COUNTERS + (linked.address - CODE) / 4;
    const counts = new Uint32Array(core.copy(first, instructions * 4).buffer);
    return { function: linked.spec.name, section: linked.spec.section, lines: linked.spec.lines, counts };
  });
}

/** Counts of one source file: by line, and by function with the line it begins at. */
export interface FileCoverage {
  readonly lines: Map<number, number>;
  readonly functions: Map<string, { line: number; count: number }>;
}

/**
 * Line coverage of any number of objects. A line's count is the highest of the instructions compiled from it; counts of
 * several functions and objects built from one source are added. `remap` changes source paths.
 */
export class LineCoverage {
  /** By source path, remapped. Plain data, so that it can be sent to another thread and merged there. */
  readonly files = new Map<string, FileCoverage>();
  readonly #remap: (file: string) => string;

  constructor(remap: (file: string) => string = (file) => file) {
    this.#remap = remap;
  }

  /** Adds the counts of functions. */
  add(counts: readonly ExecutionCounts[]): void {
    for (const fn of counts) {
      for (const [name, lines] of this.#linesOf(fn)) {
        const all = this.#file(name).lines;
        for (const [line, count] of lines) all.set(line, (all.get(line) ?? 0) + count);
      }
      const first = fn.lines[0];
      if (first) this.#addFunction(this.#remap(first.file), fn.function, first.line, fn.counts[0] ?? 0);
    }
  }

  /** Adds the {@link files} of another coverage. */
  merge(files: ReadonlyMap<string, FileCoverage>): void {
    for (const [name, { lines, functions }] of files) {
      const all = this.#file(name).lines;
      for (const [line, count] of lines) all.set(line, (all.get(line) ?? 0) + count);
      for (const [fn, { line, count }] of functions) this.#addFunction(name, fn, line, count);
    }
  }

  /** lcov tracefile, see geninfo(1). */
  toLcov(): string {
    let text = 'TN:\n';
    for (const [name, file] of [...this.files].sort(([a], [b]) => (a < b ? -1 : 1))) {
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

  #file(name: string): FileCoverage {
    let file = this.files.get(name);
    if (!file) this.files.set(name, (file = { lines: new Map(), functions: new Map() }));
    return file;
  }

  #addFunction(file: string, name: string, line: number, count: number): void {
    const { functions } = this.#file(file);
    functions.set(name, { line, count: (functions.get(name)?.count ?? 0) + count });
  }

  /** Lines of one function, by remapped file. */
  #linesOf(fn: ExecutionCounts): Map<string, Map<number, number>> {
    const files = new Map<string, Map<number, number>>();
    for (const [index, line] of fn.lines.entries()) {
      const end = fn.lines[index + 1]?.instruction ?? fn.counts.length;
      let most = 0;
      for (let i = line.instruction; i < end; i++) most = Math.max(most, fn.counts[i] ?? 0);
      const name = this.#remap(line.file);
      const lines = files.get(name) ?? new Map<number, number>();
      files.set(name, lines.set(line.line, Math.max(lines.get(line.line) ?? 0, most)));
    }
    return files;
  }
}

/** lcov tracefile of the counts of one object. */
export function formatLcov(counts: readonly ExecutionCounts[]): string {
  const coverage = new LineCoverage();
  coverage.add(counts);
  return coverage.toLcov();
}
