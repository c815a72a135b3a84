/** Rounds of which only the first is shown. */
const FEWEST = 3;
/** Steps that one round has at most. */
const LONGEST = 16;

/** Something that is told, or so many steps that only repeat the ones before them. */
export type Told<T> = { readonly item: T } | { readonly repeats: number; readonly steps: number };

/** Leaves out what goes round: of equal runs of items behind one another only the first stays. Items are equal by `keyOf`. */
export function withoutRounds<T>(items: readonly T[], keyOf: (item: T) => string): Told<T>[] {
  const keys = items.map(keyOf);
  const told: Told<T>[] = [];
  for (let at = 0; at < items.length; ) {
    const round = roundAt(keys, at);
    told.push(...items.slice(at, at + (round?.steps ?? 1)).map((item) => ({ item })));
    if (round) told.push({ repeats: round.count - 1, steps: round.steps });
    at += round ? round.steps * round.count : 1;
  }
  return told;
}

/** The shortest run from a place on that is there often enough. */
function roundAt(keys: readonly string[], at: number): { steps: number; count: number } | undefined {
  for (let steps = 1; steps <= LONGEST && at + steps * FEWEST <= keys.length; steps++) {
    let count = 1;
    const isSame = (_: unknown, i: number): boolean => keys[at + i] === keys[at + count * steps + i];
    while (at + (count + 1) * steps <= keys.length && Array.from({ length: steps }).every(isSame)) count++;
    if (count >= FEWEST) return { steps, count };
  }
  return undefined;
}
