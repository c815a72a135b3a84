const OP_LDX_W = 0x61;
const OP_MOV64_REG = 0xbf;
const OP_CALL = 0x85;
const OP_EXIT = 0x95;
const OP_LD_IMM64 = 0x18;
const CLASS_LD = 0;
const CLASS_LDX = 1;
const CLASS_ALU32 = 4;
const CLASS_ALU64 = 7;

/** Helpers that only XDP programs may call: xdp_adjust_head, redirect_map, xdp_adjust_meta, xdp_adjust_tail, fragments. */
const XDP_HELPERS = new Set([44, 51, 54, 65, 188, 189, 190]);
/** Helpers on struct __sk_buff that XDP programs may not call: skb_store_bytes, l3/l4_csum_replace, clone_redirect, skb_* ... */
const SKB_HELPERS = new Set([
  9, 10, 11, 13, 17, 18, 19, 20, 21, 24, 26, 29, 30, 31, 32, 33, 34, 38, 39, 40, 43, 48, 50, 152, 155,
]);

/** Offsets of the 32-bit fields data and data_end in struct __sk_buff and struct xdp_md. */
const SKB_DATA = 76;
const SKB_DATA_END = 80;
const XDP_DATA = 0;
const XDP_DATA_END = 4;

/**
 * Decides from its code whether a program works on struct __sk_buff or struct xdp_md: by helpers that only one of both may
 * call, then by where it reads the packet bounds. Entry sections of Cilium up to 1.13 have the same name in tc and XDP
 * objects. Undefined if nothing in the code tells.
 *
 * `code` holds the instructions of one program, little-endian. Registers that carry the context are followed in program
 * order: r1 on entry, copies of it, forgotten when overwritten; branches keep the state, so the answer is a good guess.
 */
export function inferContext(code: Uint8Array): 'sched_cls' | 'xdp' | undefined {
  const view = new DataView(code.buffer, code.byteOffset, code.byteLength);
  let context = 1 << 1;
  const read = new Set<number>();
  for (let at = 0; at + 8 <= code.length; at += 8) {
    const opcode = view.getUint8(at);
    const registers = view.getUint8(at + 1);
    const target = registers & 15;
    const source = registers >> 4;
    const offset = view.getInt16(at + 2, true);
    const kind = opcode & 7;
    if (opcode === OP_CALL) {
      const helper = view.getInt32(at + 4, true);
      if (source === 0 && XDP_HELPERS.has(helper)) return 'xdp';
      if (source === 0 && SKB_HELPERS.has(helper)) return 'sched_cls';
      context &= ~0b111111;
    } else if (kind === CLASS_LDX) {
      if (opcode === OP_LDX_W && context & (1 << source)) read.add(offset);
      context &= ~(1 << target);
    } else if (opcode === OP_MOV64_REG) {
      context = context & (1 << source) ? context | (1 << target) : context & ~(1 << target);
    } else if (kind === CLASS_ALU32 || kind === CLASS_ALU64) {
      context &= ~(1 << target);
    } else if (kind === CLASS_LD) {
      if (opcode === OP_LD_IMM64) at += 8;
      context &= ~(1 << target);
    } else if (opcode === OP_EXIT) {
      // Code behind an exit is reached by a jump from where r6, the usual home of the context, was set.
      context &= ~0b111111;
    }
  }
  if (read.has(SKB_DATA) && read.has(SKB_DATA_END)) return 'sched_cls';
  return read.has(XDP_DATA) && read.has(XDP_DATA_END) ? 'xdp' : undefined;
}
