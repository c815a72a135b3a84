/** Options of {@link disassemble}. */
export interface DisassembleOptions {
  /** Name of a helper id; the number is shown without. */
  helperName?: (id: number) => string | undefined;
}

const ALU: Record<number, string> = { 0x00: '+=', 0x10: '-=', 0x20: '*=', 0x30: '/=', 0x40: '|=', 0x50: '&=', 0x60: '<<=', 0x70: '>>=', 0x90: '%=', 0xa0: '^=', 0xb0: '=', 0xc0: 's>>=' };
const JUMPS: Record<number, string> = { 0x10: '==', 0x20: '>', 0x30: '>=', 0x40: '&', 0x50: '!=', 0x60: 's>', 0x70: 's>=', 0xa0: '<', 0xb0: '<=', 0xc0: 's<', 0xd0: 's<=' };
const WIDTHS: Record<number, number> = { 0x00: 32, 0x08: 16, 0x10: 8, 0x18: 64 };
const ATOMICS: Record<number, string> = { 0x00: '+=', 0x40: '|=', 0x50: '&=', 0xa0: '^=' };
const FETCHES: Record<number, string> = { 0x01: 'fetch_add', 0x41: 'fetch_or', 0x51: 'fetch_and', 0xa1: 'fetch_xor', 0xe1: 'xchg' };

const signed = (value: number): string => (value < 0 ? `- ${-value}` : `+ ${value}`);
const target = (offset: number): string => `goto ${offset < 0 ? '' : '+'}${offset}`;

/** One instruction (8 bytes, 16 for ld_imm64) in the pseudo-C of LLVM and bpftool. Unknown ones show their bytes. */
export function disassemble(bytes: Uint8Array, options: DisassembleOptions = {}): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const opcode = view.getUint8(0);
  const dst = view.getUint8(1) & 15;
  const src = view.getUint8(1) >> 4;
  const offset = view.getInt16(2, true);
  const imm = view.getInt32(4, true);
  const text = decode(opcode, dst, src, offset, imm, view, options);
  return text ?? `.8byte ${[...bytes.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')}`;
}

function decode(opcode: number, dst: number, src: number, offset: number, imm: number, view: DataView, options: DisassembleOptions): string | undefined {
  switch (opcode & 7) {
    case 4:
    case 7:
      return alu(opcode, dst, src, offset, imm);
    case 5:
    case 6:
      return jump(opcode, dst, src, offset, imm, options);
    case 0:
      return load(opcode, dst, src, imm, view);
    default:
      return memory(opcode, dst, src, offset, imm);
  }
}

function alu(opcode: number, dst: number, src: number, offset: number, imm: number): string | undefined {
  const is64 = (opcode & 7) === 7;
  const letter = is64 ? 'r' : 'w';
  const isRegister = (opcode & 8) !== 0;
  const operation = opcode & 0xf0;
  if (operation === 0x80) return `${letter}${dst} = -${letter}${dst}`;
  if (operation === 0xd0) return `r${dst} = ${is64 ? 'bswap' : isRegister ? 'be' : 'le'}${imm} r${dst}`;
  const sign = ALU[operation];
  if (!sign) return undefined;
  const operand = isRegister ? `${letter}${src}` : String(imm);
  if (operation === 0xb0 && isRegister && offset) return `${letter}${dst} = (s${offset})${operand}`;
  const isSigned = (operation === 0x30 || operation === 0x90) && offset === 1;
  return `${letter}${dst} ${isSigned ? 's' : ''}${sign} ${operand}`;
}

function jump(opcode: number, dst: number, src: number, offset: number, imm: number, options: DisassembleOptions): string | undefined {
  switch (opcode) {
    case 0x05:
      return target(offset);
    case 0x06:
      return `gotol ${imm < 0 ? '' : '+'}${imm}`;
    case 0xe5:
      return `may_${target(offset)}`;
    case 0x95:
      return 'exit';
    case 0x85:
      if (src === 1) return `call pc${imm < 0 ? '' : '+'}${imm}`;
      if (src === 2) return `call kfunc ${imm}`;
      return `call ${options.helperName?.(imm) ?? imm}`;
  }
  const sign = JUMPS[opcode & 0xf0];
  if (!sign) return undefined;
  const letter = (opcode & 7) === 5 ? 'r' : 'w';
  return `if ${letter}${dst} ${sign} ${opcode & 8 ? `${letter}${src}` : imm} ${target(offset)}`;
}

function load(opcode: number, dst: number, src: number, imm: number, view: DataView): string | undefined {
  if (opcode === 0x18) {
    const high = view.byteLength >= 16 ? view.getUint32(12, true) : 0;
    const value = (BigInt(high) << 32n) | BigInt(imm >>> 0);
    return `r${dst} = 0x${value.toString(16)} ll`;
  }
  const width = WIDTHS[opcode & 0x18];
  if ((opcode & 0xe0) === 0x20) return `r0 = *(u${width} *)skb[${imm}]`;
  return (opcode & 0xe0) === 0x40 ? `r0 = *(u${width} *)skb[r${src} ${signed(imm)}]` : undefined;
}

function memory(opcode: number, dst: number, src: number, offset: number, imm: number): string | undefined {
  const width = WIDTHS[opcode & 0x18];
  const mode = opcode & 0xe0;
  const place = (register: number, kind = 'u'): string => `*(${kind}${width} *)(r${register} ${signed(offset)})`;
  const kind = opcode & 7;
  if (kind === 1) return mode === 0x60 ? `r${dst} = ${place(src)}` : mode === 0x80 ? `r${dst} = ${place(src, 's')}` : undefined;
  if (kind === 2) return mode === 0x60 ? `${place(dst)} = ${imm}` : undefined;
  if (mode === 0x60) return `${place(dst)} = r${src}`;
  if (mode !== 0xc0) return undefined;
  if (imm === 0x100) return `r${dst} = load_acquire(${place(src)})`;
  if (imm === 0x110) return `store_release(${place(dst)}, r${src})`;
  if (imm === 0xf1) return `r0 = cmpxchg_${width}(r${dst} ${signed(offset)}, r0, r${src})`;
  if (FETCHES[imm]) return `r${src} = ${imm === 0xe1 ? 'xchg' : 'atomic_' + FETCHES[imm]}_${width}(r${dst} ${signed(offset)}, r${src})`;
  return ATOMICS[imm] ? `lock ${place(dst)} ${ATOMICS[imm]} r${src}` : undefined;
}
