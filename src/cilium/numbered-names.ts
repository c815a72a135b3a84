import { type Era, holdsIn } from './era.js';

/** A name for a number and the versions, by minor number, in which it stands for it. */
export type NumberedName = readonly [name: string, number: number, since: Era, until?: Era];

/** All names of a number in a version, the defining one first. */
export function namesOf(table: readonly NumberedName[], number: number, era: Era): string[] {
  return table
    .filter(([, value, since, until]) => value === number && holdsIn({ since, until }, era))
    .map(([name]) => name);
}
