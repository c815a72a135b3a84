import type { LineInfo, ObjectSpec } from '../../object/spec.js';

/** Finds C source lines by the places that log lines name. */
export class SourceLines {
  readonly #spec: ObjectSpec;
  #byLine: Map<number, LineInfo[]> | undefined;

  constructor(spec: ObjectSpec) {
    this.#spec = spec;
  }

  /** The source line of the last `file.c:12` or `file.h:12` in a text, undefined if there is none in the object's line info. */
  find(text: string): LineInfo | undefined {
    const place = [...text.matchAll(/([\w./+-]+\.[ch]):(\d+)/g)].at(-1);
    if (!place) return undefined;
    const [, file, line] = place;
    this.#byLine ??= linesByNumber(this.#spec);
    // The compiler was given one path, line info holds another: the shorter one is the end of the other.
    const isSame = (known: string): boolean =>
      known === file || known.endsWith(`/${file}`) || file!.endsWith(`/${known}`);
    return this.#byLine.get(Number(line))?.find((info) => isSame(info.file));
  }
}

function linesByNumber(spec: ObjectSpec): Map<number, LineInfo[]> {
  const lines = new Map<number, LineInfo[]>();
  const seen = new Set<string>();
  for (const info of spec.functions.flatMap((fn) => fn.lines)) {
    const id = `${info.file}:${info.line}`;
    if (seen.has(id)) continue;
    seen.add(id);
    const same = lines.get(info.line);
    if (same) same.push(info);
    else lines.set(info.line, [info]);
  }
  return lines;
}
