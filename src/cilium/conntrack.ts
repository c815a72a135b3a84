import { type Era, holdsIn, type Span } from './era.js';

/** Results of a connection tracking look-up (CT_* in bpf/lib/common.h). */
export const CT_STATUS: readonly (Span & { readonly status: number; readonly name: string })[] = [
  { status: 0, name: 'NEW' },
  { status: 1, name: 'ESTABLISHED' },
  { status: 2, name: 'REPLY' },
  { status: 3, name: 'RELATED' },
  { status: 4, name: 'REOPENED', until: 15 },
];

/** Directions of a connection tracking look-up (CT_EGRESS ... in bpf/lib/common.h). */
export const CT_DIRECTIONS: readonly string[] = ['egress', 'ingress', 'service'];

/** Bits of the tuple's flags (TUPLE_F_* in bpf/lib/common.h); without IN or RELATED the tuple is an outgoing one. */
export const TUPLE_FLAGS: readonly { readonly bit: number; readonly name: string }[] = [
  { bit: 1, name: 'in' },
  { bit: 2, name: 'related' },
  { bit: 4, name: 'service' },
];

/** Name of a look-up's result; undefined for a number that the version does not have. */
export function ctStatusName(status: number, era?: Era): string | undefined {
  return CT_STATUS.find((entry) => entry.status === status && holdsIn(entry, era))?.name;
}

/** The flags of a tuple in words, e.g. `in, related`; `out` for none. */
export function tupleFlagsText(flags: number): string {
  const words = TUPLE_FLAGS.filter(({ bit }) => flags & bit).map(({ name }) => name);
  return words.join(', ') || 'out';
}
