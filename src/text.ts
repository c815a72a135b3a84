/** Edit distance, bounded by the lengths of two short names. */
function distance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      row[j] = Math.min(row[j - 1]! + 1, previous[j]! + 1, previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    previous = row;
  }
  return previous[b.length]!;
}

/** ` (did you mean NAME?)` for the closest of `names`, or '' if none is close. */
export function didYouMean(name: string, names: readonly string[]): string {
  let best: string | undefined;
  let least = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of names) {
    const d = candidate.includes(name) && name.length > 2 ? 1 : distance(name.slice(0, 64), candidate.slice(0, 64));
    if (d < least) {
      least = d;
      best = candidate;
    }
  }
  return best === undefined ? '' : ` (did you mean ${best}?)`;
}
