import type { LineInfo, ObjectSpec } from '../../object/spec.js';

/** Most lines of a macro call: the preprocessor counts its last line, line info its first one. */
const CALL_LINES = 8;

/** The C source line that a text names last (`file.c:12`), undefined if the object's line info does not have it. */
export function sourceLineOf(spec: ObjectSpec, text: string): LineInfo | undefined {
  const place = [...text.matchAll(/([\w./+-]+\.[ch]):(\d+)/g)].at(-1);
  if (!place) return undefined;
  const file = place[1]!;
  const line = Number(place[2]);
  // The compiler was given one path, line info holds another: the shorter one is the end of the other.
  const isSame = (known: string): boolean => known === file || known.endsWith(`/${file}`) || file.endsWith(`/${known}`);
  let best: LineInfo | undefined;
  let bestLine = line - CALL_LINES;
  for (const fn of spec.functions) {
    for (const info of fn.lines) {
      if (info.line <= bestLine || info.line > line || !isSame(info.file)) continue;
      best = info;
      bestLine = info.line;
    }
  }
  return best;
}
