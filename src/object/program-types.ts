import type { CodeRange } from './functions.js';
import { inferContext } from './infer-type.js';
import { numberedSection, type SectionMeaning, sectionMeaning } from './sections.js';

/** Section that held both the tc and the XDP entry of Cilium up to 1.13. */
const AMBIGUOUS_SECTION = 'from-netdev';

/**
 * Types of the programs of one object, in the order given:
 *
 * 1. by the section name, where it says one;
 * 2. else by `wanted`, if the caller gave a type;
 * 3. `from-netdev` by the code, then by the code of the object's other functions, then by `xdp` in the object's name;
 * 4. numbered tail-call sections like the first program whose type is known from 1 or 3, else as in 3;
 * 5. else by the code, else the one type that all others have, else 'unspec'.
 */
export function programTypes(
  programs: readonly CodeRange[],
  functions: readonly CodeRange[],
  objectName: string,
  wanted: string | undefined,
): SectionMeaning[] {
  let fallback: 'sched_cls' | 'xdp' | undefined;
  const cilium = (program: CodeRange): string => {
    const own = inferContext(codeOf(program));
    if (own) return own;
    fallback ??= commonContext(functions) ?? (/xdp/i.test(objectName) ? 'xdp' : 'sched_cls');
    return fallback;
  };
  const fixed = programs.map((program): SectionMeaning | undefined => {
    if (program.section.name !== AMBIGUOUS_SECTION) return sectionMeaning(program.section.name);
    return { type: wanted ?? cilium(program) };
  });
  const sibling = fixed.find((meaning) => meaning !== undefined);
  const known = programs.map((program, index): SectionMeaning | undefined => {
    if (fixed[index]) return fixed[index];
    if (wanted !== undefined) return { type: wanted };
    if (numberedSection(program.section.name)) return { type: sibling?.type ?? cilium(program) };
    const context = inferContext(codeOf(program));
    return context && { type: context };
  });
  const types = new Set(known.flatMap((meaning) => (meaning ? [meaning.type] : [])));
  const [common] = types.size === 1 ? types : [];
  return known.map((meaning) => meaning ?? { type: common ?? 'unspec' });
}

/** What most functions of the object work on. */
function commonContext(functions: readonly CodeRange[]): 'sched_cls' | 'xdp' | undefined {
  let balance = 0;
  for (const fn of functions) {
    const context = inferContext(codeOf(fn));
    if (context) balance += context === 'xdp' ? 1 : -1;
  }
  if (balance === 0) return undefined;
  return balance > 0 ? 'xdp' : 'sched_cls';
}

function codeOf(range: CodeRange): Uint8Array {
  return range.section.data.subarray(range.offset, range.offset + range.size);
}
