/** A Cilium version 1.x by its minor number: 13 for 1.13, 20 for 1.20-dev. */
export type Era = number;

/** Versions that have something, both ends inclusive; without an end it holds from 1.10 or up to the newest. */
export interface Span {
  readonly since?: Era;
  readonly until?: Era;
}

/** The versions that the tables of this directory know. */
export const ERAS: readonly Era[] = [10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20];

/** Whether the version has it; an unknown version may have everything. */
export function holdsIn(span: Span, era: Era | undefined): boolean {
  return era === undefined || (era >= (span.since ?? 0) && era <= (span.until ?? Number.POSITIVE_INFINITY));
}

/** Whether the two spans have a version in common. */
export function overlap(a: Span, b: Span): boolean {
  return (
    (a.since ?? 0) <= (b.until ?? Number.POSITIVE_INFINITY) && (b.since ?? 0) <= (a.until ?? Number.POSITIVE_INFINITY)
  );
}
