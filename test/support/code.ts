/** A few instructions as bytes, for hand-made objects (RFC 9669 encoding, little-endian). */

function instruction(opcode: number, target: number, source: number, offset: number, immediate: number): number[] {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, opcode);
  view.setUint8(1, (source << 4) | target);
  view.setInt16(2, offset, true);
  view.setInt32(4, immediate, true);
  return [...bytes];
}

/** r = immediate */
export const move = (target: number, immediate: number): number[] => instruction(0xb7, target, 0, 0, immediate);
/** target = source */
export const copy = (target: number, source: number): number[] => instruction(0xbf, target, source, 0, 0);
/** 64-bit immediate load, to be relocated; `addend` is the low immediate. */
export const load64 = (target: number, addend = 0): number[] => [
  ...instruction(0x18, target, 0, 0, addend),
  ...instruction(0, 0, 0, 0, 0),
];
/** target = *(u32 *)(source + offset) */
export const load32 = (target: number, source: number, offset: number): number[] =>
  instruction(0x61, target, source, offset, 0);
/** Call of a helper by number. */
export const helper = (id: number): number[] => instruction(0x85, 0, 0, 0, id);
/** Call of a function: -1 for a relocated one, else the distance in instructions. */
export const call = (immediate = -1): number[] => instruction(0x85, 0, 1, 0, immediate);
export const exit = (): number[] => instruction(0x95, 0, 0, 0, 0);

/** Instructions as section data. */
export const code = (...parts: readonly number[][]): Uint8Array => Uint8Array.from(parts.flat());
