/**
 * State of a run that helpers keep in the context slot behind every context structure: programs cannot reach it, it is
 * cleared with the slot before a run, and snapshots contain it.
 */

/** s32 set by set_retval. */
export const RETVAL = 240;
/** u32 bytes of TCP header options that reserve_hdr_opt set aside. */
export const RESERVED_OPTIONS = 244;
