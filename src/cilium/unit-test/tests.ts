import { LoadError } from '../../errors.js';
import type { ObjectSpec, ProgramSpec } from '../../object/spec.js';

/** The programs of a unit test, in the order they run. */
export type Stage = 'pktgen' | 'setup' | 'check';

export interface UnitTest {
  readonly name: string;
  /** Makes the packet (Cilium 1.14 and later). */
  readonly pktgen: ProgramSpec | undefined;
  /** Sends the packet through the datapath. */
  readonly setup: ProgramSpec | undefined;
  /** Looks at what came out. */
  readonly check: ProgramSpec;
}

/** Sections of unit tests (bpf/tests/common.h): `tc/test/<name>/check`. */
const SECTION = /^(?:tc|xdp)\/test\/(.+)\/(pktgen|setup|check)$/;

/**
 * The unit tests of an object, sorted by the bytes of their names as Cilium's runner does; empty if it has none. Several
 * checks of one test (Cilium 1.18 has such) are a test each, `<name> (<program>)`. Throws LoadError for a test without
 * check and for two programs of another stage.
 */
export function findUnitTests(spec: ObjectSpec): UnitTest[] {
  const tests = new Map<string, Record<Stage, ProgramSpec[]>>();
  for (const program of spec.programs) {
    const match = SECTION.exec(program.section);
    if (!match) continue;
    const [, name, stage] = match as unknown as [string, string, Stage];
    const stages = tests.get(name) ?? { pktgen: [], setup: [], check: [] };
    stages[stage].push(program);
    tests.set(name, stages);
  }
  return [...tests]
    .flatMap(([name, { pktgen, setup, check }]) => {
      const [first, second] = [pktgen, setup].find((programs) => programs.length > 1) ?? [];
      if (first && second) {
        throw new LoadError(`the test has two programs for this stage, ${first.name} and ${second.name}`, {
          file: spec.name,
          section: first.section,
        });
      }
      if (!check.length) throw new LoadError(`the test ${name} has no check program`, { file: spec.name });
      return check.map((program) => ({
        name: check.length > 1 ? `${name} (${program.name})` : name,
        pktgen: pktgen[0],
        setup: setup[0],
        check: program,
      }));
    })
    .sort((a, b) => compareCodePoints(a.name, b.name));
}

/** The order of code points is the order of UTF-8 bytes; that of UTF-16 is not. */
function compareCodePoints(a: string, b: string): number {
  const [left, right] = [[...a], [...b]];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = left[i]!.codePointAt(0)! - right[i]!.codePointAt(0)!;
    if (difference) return difference;
  }
  return left.length - right.length;
}
