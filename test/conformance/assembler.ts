/** Instructions as bytes: one function per group of RFC 9669, just enough to write the ISA table. */
export type Code = readonly Uint8Array[];

export function instruction(opcode: number, dst = 0, src = 0, offset = 0, imm = 0): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  bytes[0] = opcode;
  bytes[1] = dst | (src << 4);
  view.setInt16(2, offset, true);
  view.setInt32(4, imm | 0, true);
  return bytes;
}

/** ld_imm64 of a plain constant: two slots. */
export function loadImmediate(dst: number, value: bigint): Uint8Array {
  const bits = BigInt.asUintN(64, value);
  const bytes = new Uint8Array(16);
  bytes.set(instruction(0x18, dst, 0, 0, Number(BigInt.asIntN(32, bits))));
  bytes.set(instruction(0, 0, 0, 0, Number(BigInt.asIntN(32, bits >> 32n))), 8);
  return bytes;
}

export const EXIT = instruction(0x95);
export const move = (dst: number, src: number): Uint8Array => instruction(0xbf, dst, src);
export const moveImmediate = (dst: number, imm: number): Uint8Array => instruction(0xb7, dst, 0, 0, imm);

export function concat(code: Code): Uint8Array {
  const out = new Uint8Array(code.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of code) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
