/** One option of a header; offsets are bytes from the start of the packet. */
export interface RawOption {
  readonly kind: number;
  readonly offset: number;
  /** Bytes, kind and length included. */
  readonly length: number;
  readonly dataOffset: number;
  readonly dataLength: number;
}

/**
 * How options are laid out: `tcp` and `ipv4` (kinds 0 and 1 are one byte, 0 ends the list, the length counts all), `ipv6`
 * (kind 0 is one byte, the length counts the value), `ndp` (the length counts all, in units of 8 bytes).
 */
export type OptionLayout = 'tcp' | 'ipv4' | 'ipv6' | 'ndp';

/** Reads options in [start, end); stops at the first that is not whole, which `problem` then tells. */
export function readOptions(
  bytes: Uint8Array,
  start: number,
  end: number,
  layout: OptionLayout,
): { options: RawOption[]; problem?: string } {
  const options: RawOption[] = [];
  const isShort = (kind: number) =>
    layout === 'tcp' || layout === 'ipv4' ? kind <= 1 : layout === 'ipv6' && kind === 0;
  let offset = start;
  while (offset < end) {
    const kind = bytes[offset]!;
    if (isShort(kind)) {
      options.push({ kind, offset, length: 1, dataOffset: offset + 1, dataLength: 0 });
      if (kind === 0 && layout !== 'ipv6') break;
      offset++;
      continue;
    }
    if (offset + 1 >= end) return { options, problem: `option ${kind} has no length` };
    const value = bytes[offset + 1]!;
    const length = layout === 'ndp' ? value * 8 : layout === 'ipv6' ? value + 2 : value;
    if (length < 2) return { options, problem: `option ${kind} has length ${value}` };
    if (offset + length > end) return { options, problem: `option ${kind} of ${length} bytes passes the end` };
    options.push({ kind, offset, length, dataOffset: offset + 2, dataLength: length - 2 });
    offset += length;
  }
  return { options };
}
