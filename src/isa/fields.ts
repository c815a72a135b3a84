/** Bytes of an instruction; ld_imm64 takes two such slots. */
export const INSTRUCTION_SIZE = 8;

/** The fields of one 8-byte instruction slot (RFC 9669 section 3.1). */
export interface Instruction {
  opcode: number;
  /** Register number 0..15 as encoded; only 0..10 exist. */
  dst: number;
  src: number;
  /** Signed 16 bits. */
  offset: number;
  /** Signed 32 bits. */
  imm: number;
}

export type Field = 'dst' | 'src' | 'offset' | 'imm';
export const FIELDS: readonly Field[] = ['dst', 'src', 'offset', 'imm'];

/** Fields of slot `index` of a little-endian instruction stream. The slot must lie within `view`. */
export function fieldsAt(view: DataView, index: number): Instruction {
  const at = index * INSTRUCTION_SIZE;
  const registers = view.getUint8(at + 1);
  return {
    opcode: view.getUint8(at),
    dst: registers & 15,
    src: registers >> 4,
    offset: view.getInt16(at + 2, true),
    imm: view.getInt32(at + 4, true),
  };
}

/** Fields of slot `index`, undefined behind the end of the stream (an incomplete last slot included). */
export function decodeInstruction(bytes: Uint8Array, index: number): Instruction | undefined {
  if (index < 0 || (index + 1) * INSTRUCTION_SIZE > bytes.length) return undefined;
  return fieldsAt(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), index);
}

/** The 8 bytes of an instruction slot; fields are truncated to their width. */
export function encodeInstruction(fields: Partial<Instruction> & { opcode: number }): Uint8Array {
  const { opcode, dst = 0, src = 0, offset = 0, imm = 0 } = fields;
  const bytes = new Uint8Array(INSTRUCTION_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, opcode);
  view.setUint8(1, (src << 4) | (dst & 15));
  view.setInt16(2, offset, true);
  view.setInt32(4, imm, true);
  return bytes;
}
