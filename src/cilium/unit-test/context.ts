import type { ContextType } from '../../contexts/context.js';

/**
 * What of a context after a run the next run gets, as bytes: the fields that BPF_PROG_TEST_RUN hands out and takes in again
 * (kernel convert_skb_to___skb). Everything else is zero.
 */
export function carriedContext(type: ContextType, after: Uint8Array): Uint8Array {
  const next = new Uint8Array(type.size);
  for (const { offset, size, count } of type.testRunFields) {
    next.set(after.subarray(offset, offset + size * count), offset);
  }
  return next;
}
