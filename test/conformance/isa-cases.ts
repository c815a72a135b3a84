import { type Code, concat, EXIT, instruction, loadImmediate, move, moveImmediate } from './assembler.js';

/**
 * The ISA table: what every instruction of RFC 9669 does to r0. A case is the body of a function that is called with r1 = the
 * context of a tc program; r9 is 0 but unknown to the verifier, so that it cannot fold constants. Expectations are computed
 * here with BigInt from the definitions of the RFC, not by any engine.
 */
export interface IsaCase {
  readonly name: string;
  readonly code: Uint8Array;
  /** r0 at exit, 64 bits unsigned. */
  readonly expected: bigint;
  /** The body is the program itself, and the result is 32 bits: legacy loads in subprograms want BTF in the kernel. */
  readonly isProgram: boolean;
}

const U64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const U32 = (value: bigint): bigint => BigInt.asUintN(32, value);
const S64 = (value: bigint): bigint => BigInt.asIntN(64, value);
const S32 = (value: bigint): bigint => BigInt.asIntN(32, value);
const hex = (value: bigint): string => `0x${U64(value).toString(16)}`;

/** r9 = skb->mark: 0 in every run, anything to the verifier. */
const OPAQUE_ZERO = instruction(0x61, 9, 1, 8);
/** dst = value, opaque to the verifier. */
const opaque = (dst: number, value: bigint): Code => [loadImmediate(dst, value), instruction(0x4f, dst, 9)];

const cases: IsaCase[] = [];

function add(name: string, code: Code, expected: bigint, isProgram = false): void {
  cases.push({ name, code: concat([OPAQUE_ZERO, ...code, EXIT]), expected: U64(expected), isProgram });
}

// Arithmetic (sections 4.1, 4.2)

interface Arithmetic {
  name: string;
  code: number;
  /** Offset field: 1 for the signed divisions. */
  offset?: number;
  wide: (a: bigint, b: bigint) => bigint;
  narrow: (a: bigint, b: bigint) => bigint;
  /** Immediates the operation cannot take. */
  refuses?: (imm: bigint, width: 32 | 64) => boolean;
}

const truncated = (a: bigint, b: bigint): bigint => a / b;
const OPERATIONS: readonly Arithmetic[] = [
  { name: 'add', code: 0x00, wide: (a, b) => a + b, narrow: (a, b) => a + b },
  { name: 'sub', code: 0x10, wide: (a, b) => a - b, narrow: (a, b) => a - b },
  { name: 'mul', code: 0x20, wide: (a, b) => a * b, narrow: (a, b) => a * b },
  {
    name: 'div',
    code: 0x30,
    wide: (a, b) => (b ? a / b : 0n),
    narrow: (a, b) => (b ? a / b : 0n),
    refuses: (imm) => imm === 0n,
  },
  {
    name: 'mod',
    code: 0x90,
    wide: (a, b) => (b ? a % b : a),
    narrow: (a, b) => (b ? a % b : a),
    refuses: (imm) => imm === 0n,
  },
  {
    name: 'sdiv',
    code: 0x30,
    offset: 1,
    wide: (a, b) => (b ? truncated(S64(a), S64(b)) : 0n),
    narrow: (a, b) => (b ? truncated(S32(a), S32(b)) : 0n),
    refuses: (imm) => imm === 0n,
  },
  {
    name: 'smod',
    code: 0x90,
    offset: 1,
    wide: (a, b) => (b ? S64(a) % S64(b) : a),
    narrow: (a, b) => (b ? S32(a) % S32(b) : a),
    refuses: (imm) => imm === 0n,
  },
  { name: 'or', code: 0x40, wide: (a, b) => a | b, narrow: (a, b) => a | b },
  { name: 'and', code: 0x50, wide: (a, b) => a & b, narrow: (a, b) => a & b },
  { name: 'xor', code: 0xa0, wide: (a, b) => a ^ b, narrow: (a, b) => a ^ b },
  {
    name: 'lsh',
    code: 0x60,
    wide: (a, b) => a << (b & 63n),
    narrow: (a, b) => a << (b & 31n),
    refuses: (imm, width) => imm < 0n || imm >= BigInt(width),
  },
  {
    name: 'rsh',
    code: 0x70,
    wide: (a, b) => a >> (b & 63n),
    narrow: (a, b) => a >> (b & 31n),
    refuses: (imm, width) => imm < 0n || imm >= BigInt(width),
  },
  {
    name: 'arsh',
    code: 0xc0,
    wide: (a, b) => S64(a) >> (b & 63n),
    narrow: (a, b) => S32(a) >> (b & 31n),
    refuses: (imm, width) => imm < 0n || imm >= BigInt(width),
  },
];

/** Corner values: zero, one, sign bits of both widths, all ones, mixed patterns. */
const PAIRS: readonly (readonly [bigint, bigint])[] = [
  [0x0123456789abcdefn, 0x10n],
  [0xfedcba9876543210n, 0n],
  [0x8000000000000000n, 0xffffffffffffffffn],
  [0xffffffff80000000n, 0xffffffffffffffffn],
  [-7n, 2n],
  [7n, -2n],
  [0x1_0000_0005n, 0x1_0000_0000n],
  [0xffffffffffffffffn, 0x7fffffffn],
  [5n, 0x21n],
];

for (const operation of OPERATIONS) {
  const offset = operation.offset ?? 0;
  for (const [a, b] of PAIRS) {
    add(
      `${operation.name}64 ${hex(a)}, register ${hex(b)}`,
      [...opaque(0, a), ...opaque(2, b), instruction(0x0f | operation.code, 0, 2, offset)],
      operation.wide(U64(a), U64(b)),
    );
    add(
      `${operation.name}32 ${hex(a)}, register ${hex(b)}`,
      [...opaque(0, a), ...opaque(2, b), instruction(0x0c | operation.code, 0, 2, offset)],
      U32(operation.narrow(U32(a), U32(b))),
    );
  }
  for (const [a, b] of PAIRS) {
    const imm = S32(b);
    if (operation.refuses?.(imm, 64)) continue;
    add(
      `${operation.name}64 ${hex(a)}, immediate ${imm}`,
      [...opaque(0, a), instruction(0x07 | operation.code, 0, 0, offset, Number(imm))],
      operation.wide(U64(a), U64(imm)),
    );
    if (operation.refuses?.(imm, 32)) continue;
    add(
      `${operation.name}32 ${hex(a)}, immediate ${imm}`,
      [...opaque(0, a), instruction(0x04 | operation.code, 0, 0, offset, Number(imm))],
      U32(operation.narrow(U32(a), U32(imm))),
    );
  }
}

for (const a of [0n, 1n, -1n, 0x8000000000000000n, 0x123456789abcdef0n]) {
  add(`neg64 ${hex(a)}`, [...opaque(0, a), instruction(0x87, 0)], -a);
  add(`neg32 ${hex(a)}`, [...opaque(0, a), instruction(0x84, 0)], U32(-a));
  add(`mov64 register ${hex(a)}`, [...opaque(2, a), move(0, 2)], a);
  add(`mov32 register ${hex(a)}`, [...opaque(2, a), loadImmediate(0, -1n), instruction(0xbc, 0, 2)], U32(a));
}
for (const imm of [0, 1, -1, 0x7fffffff, -0x80000000]) {
  add(`mov64 immediate ${imm}`, [moveImmediate(0, imm)], BigInt(imm));
  add(`mov32 immediate ${imm}`, [loadImmediate(0, -1n), instruction(0xb4, 0, 0, 0, imm)], U32(BigInt(imm)));
}

// Sign-extending moves (section 4.1)
for (const width of [8, 16, 32]) {
  for (const value of [0x0123456789abcdefn, 0xfedcba9876543281n, 0x7fn, 0x8000n, 0xffffffff80000000n, 0x7fffffffn]) {
    add(
      `movsx${width}_64 ${hex(value)}`,
      [...opaque(2, value), instruction(0xbf, 0, 2, width)],
      BigInt.asIntN(width, value),
    );
    if (width < 32)
      add(
        `movsx${width}_32 ${hex(value)}`,
        [...opaque(2, value), loadImmediate(0, -1n), instruction(0xbc, 0, 2, width)],
        U32(BigInt.asIntN(width, value)),
      );
  }
}

// Byte order (section 4.2), little-endian host
const swapped = (value: bigint, width: number): bigint => {
  let result = 0n;
  for (let i = 0; i < width; i += 8) result = (result << 8n) | ((value >> BigInt(i)) & 0xffn);
  return result;
};
for (const width of [16, 32, 64]) {
  for (const value of [0x0123456789abcdefn, 0xfedcba9876543281n, 0x80n]) {
    add(
      `le${width} ${hex(value)}`,
      [...opaque(0, value), instruction(0xd4, 0, 0, 0, width)],
      BigInt.asUintN(width, value),
    );
    add(`be${width} ${hex(value)}`, [...opaque(0, value), instruction(0xdc, 0, 0, 0, width)], swapped(value, width));
    add(`bswap${width} ${hex(value)}`, [...opaque(0, value), instruction(0xd7, 0, 0, 0, width)], swapped(value, width));
  }
}

// Jumps (section 4.3)

interface Jump {
  name: string;
  code: number;
  wide: (a: bigint, b: bigint) => boolean;
  narrow: (a: bigint, b: bigint) => boolean;
}

const JUMPS: readonly Jump[] = [
  { name: 'jeq', code: 0x10, wide: (a, b) => a === b, narrow: (a, b) => a === b },
  { name: 'jne', code: 0x50, wide: (a, b) => a !== b, narrow: (a, b) => a !== b },
  { name: 'jgt', code: 0x20, wide: (a, b) => a > b, narrow: (a, b) => a > b },
  { name: 'jge', code: 0x30, wide: (a, b) => a >= b, narrow: (a, b) => a >= b },
  { name: 'jlt', code: 0xa0, wide: (a, b) => a < b, narrow: (a, b) => a < b },
  { name: 'jle', code: 0xb0, wide: (a, b) => a <= b, narrow: (a, b) => a <= b },
  { name: 'jset', code: 0x40, wide: (a, b) => (a & b) !== 0n, narrow: (a, b) => (a & b) !== 0n },
  { name: 'jsgt', code: 0x60, wide: (a, b) => S64(a) > S64(b), narrow: (a, b) => S32(a) > S32(b) },
  { name: 'jsge', code: 0x70, wide: (a, b) => S64(a) >= S64(b), narrow: (a, b) => S32(a) >= S32(b) },
  { name: 'jslt', code: 0xc0, wide: (a, b) => S64(a) < S64(b), narrow: (a, b) => S32(a) < S32(b) },
  { name: 'jsle', code: 0xd0, wide: (a, b) => S64(a) <= S64(b), narrow: (a, b) => S32(a) <= S32(b) },
];

const JUMP_PAIRS: readonly (readonly [bigint, bigint])[] = [
  [5n, 5n],
  [0x1_0000_0005n, 5n],
  [-1n, 1n],
  [1n, -1n],
  [0x7fffffffn, -0x80000000n],
  [0x100_0000_0000n, -0x80000000n],
];

/** 1 if the jump at the end of `code` is taken, else 2. */
const branch = (jump: Uint8Array): Code => [jump, moveImmediate(0, 2), EXIT, moveImmediate(0, 1)];

for (const jump of JUMPS) {
  for (const [a, b] of JUMP_PAIRS) {
    const imm = Number(S32(b));
    const verdict = (taken: boolean): bigint => (taken ? 1n : 2n);
    add(
      `${jump.name} ${hex(a)}, register ${hex(b)}`,
      [...opaque(2, a), ...opaque(3, b), ...branch(instruction(0x0d | jump.code, 2, 3, 2))],
      verdict(jump.wide(U64(a), U64(b))),
    );
    add(
      `${jump.name} ${hex(a)}, immediate ${imm}`,
      [...opaque(2, a), ...branch(instruction(0x05 | jump.code, 2, 0, 2, imm))],
      verdict(jump.wide(U64(a), U64(BigInt(imm)))),
    );
    add(
      `${jump.name}32 ${hex(a)}, register ${hex(b)}`,
      [...opaque(2, a), ...opaque(3, b), ...branch(instruction(0x0e | jump.code, 2, 3, 2))],
      verdict(jump.narrow(U32(a), U32(b))),
    );
    add(
      `${jump.name}32 ${hex(a)}, immediate ${imm}`,
      [...opaque(2, a), ...branch(instruction(0x06 | jump.code, 2, 0, 2, imm))],
      verdict(jump.narrow(U32(a), U32(BigInt(imm)))),
    );
  }
}
// What a jump passes over must be reachable for the verifier: the branch on r9 is never taken.
const never = instruction(0x55, 9, 0, 1, 0);
add('ja', [moveImmediate(0, 1), never, instruction(0x05, 0, 0, 1), moveImmediate(0, 2)], 1n);
add(
  'ja backwards',
  [
    moveImmediate(0, 0),
    instruction(0x05, 0, 0, 1),
    instruction(0x05, 0, 0, 2),
    instruction(0x07, 0, 0, 0, 3),
    instruction(0x05, 0, 0, -3),
  ],
  3n,
);
add('gotol', [moveImmediate(0, 1), never, instruction(0x06, 0, 0, 0, 1), moveImmediate(0, 2)], 1n);
add(
  'loop counts down',
  [
    moveImmediate(0, 0),
    moveImmediate(2, 10),
    instruction(0x0f, 0, 2),
    instruction(0x17, 2, 0, 0, 1),
    instruction(0x55, 2, 0, -3, 0),
  ],
  55n,
);
add('may_goto falls through', [moveImmediate(0, 7), instruction(0xe5, 0, 0, 1), moveImmediate(0, 8)], 8n);

// 64-bit constants (section 5.4)
for (const value of [0n, 1n, -1n, 0x8000000000000000n, 0x7fffffffffffffffn, 0x80000000n, 0xffffffff00000000n])
  add(`ld_imm64 ${hex(value)}`, [loadImmediate(0, value)], value);

// Loads and stores on the stack (sections 5.1 to 5.3)
const STORES = [
  { width: 8, stx: 0x73, st: 0x72, ldx: 0x71, ldsx: 0x91 },
  { width: 16, stx: 0x6b, st: 0x6a, ldx: 0x69, ldsx: 0x89 },
  { width: 32, stx: 0x63, st: 0x62, ldx: 0x61, ldsx: 0x81 },
  { width: 64, stx: 0x7b, st: 0x7a, ldx: 0x79, ldsx: undefined },
];
const PATTERN = 0xf1e2d3c4b5a69788n;
const fill = (value: bigint): Code => [...opaque(2, value), instruction(0x7b, 10, 2, -8)];
for (const { width, stx, st, ldx, ldsx } of STORES) {
  const mask = (1n << BigInt(width)) - 1n;
  add(`ldx${width}`, [...fill(PATTERN), instruction(ldx, 0, 10, -8)], PATTERN & mask);
  if (width < 64)
    add(
      `ldx${width} at an offset`,
      [...fill(PATTERN), instruction(ldx, 0, 10, -8 + (64 - width) / 8)],
      PATTERN >> BigInt(64 - width),
    );
  if (ldsx) {
    add(`ldsx${width} negative`, [...fill(PATTERN), instruction(ldsx, 0, 10, -8)], BigInt.asIntN(width, PATTERN));
    add(
      `ldsx${width} positive`,
      [...fill(0x1122334455667788n >> 4n), instruction(ldsx, 0, 10, -8)],
      BigInt.asIntN(width, 0x1122334455667788n >> 4n),
    );
  }
  add(
    `stx${width} keeps the rest`,
    [...fill(-1n), ...opaque(3, PATTERN), instruction(stx, 10, 3, -8), instruction(0x79, 0, 10, -8)],
    (U64(-1n) & ~mask) | (PATTERN & mask),
  );
  add(
    `st${width} -2 keeps the rest`,
    [...fill(0n), instruction(st, 10, 0, -8, -2), instruction(0x79, 0, 10, -8)],
    U64(-2n) & mask,
  );
  add(
    `st${width} 0x12345678`,
    [...fill(-1n), instruction(st, 10, 0, -8, 0x12345678), instruction(0x79, 0, 10, -8)],
    (U64(-1n) & ~mask) | (0x12345678n & mask),
  );
}

// Atomics (section 5.3)
const ATOMICS: readonly { name: string; imm: number; apply: (old: bigint, src: bigint) => bigint }[] = [
  { name: 'add', imm: 0x00, apply: (old, src) => old + src },
  { name: 'or', imm: 0x40, apply: (old, src) => old | src },
  { name: 'and', imm: 0x50, apply: (old, src) => old & src },
  { name: 'xor', imm: 0xa0, apply: (old, src) => old ^ src },
];
const OLD = 0xfedcba98_76543210n;
const OPERAND = 0x0f0f0f0f_f0f0f0f1n;
for (const { width, opcode } of [
  { width: 64, opcode: 0xdb },
  { width: 32, opcode: 0xc3 },
]) {
  const mask = (1n << BigInt(width)) - 1n;
  const merged = (value: bigint): bigint => (OLD & ~mask) | (value & mask);
  const setUp: Code = [...fill(OLD), ...opaque(3, OPERAND)];
  const memory = instruction(0x79, 0, 10, -8);
  for (const { name, imm, apply } of ATOMICS) {
    const after = merged(apply(OLD & mask, OPERAND & mask));
    add(`atomic${width} ${name}: memory`, [...setUp, instruction(opcode, 10, 3, -8, imm), memory], after);
    add(
      `atomic${width} ${name}: source register stays`,
      [...setUp, instruction(opcode, 10, 3, -8, imm), move(0, 3)],
      OPERAND,
    );
    add(`atomic${width} fetch ${name}: memory`, [...setUp, instruction(opcode, 10, 3, -8, imm | 1), memory], after);
    add(
      `atomic${width} fetch ${name}: old value, zero-extended`,
      [...setUp, instruction(opcode, 10, 3, -8, imm | 1), move(0, 3)],
      OLD & mask,
    );
  }
  add(`atomic${width} xchg: memory`, [...setUp, instruction(opcode, 10, 3, -8, 0xe1), memory], merged(OPERAND));
  add(`atomic${width} xchg: old value`, [...setUp, instruction(opcode, 10, 3, -8, 0xe1), move(0, 3)], OLD & mask);
  // r0 is compared: with high bits set beyond the width it still matches in 32 bits.
  const equal = width === 32 ? U64(-1n << 32n) | (OLD & mask) : OLD;
  add(
    `atomic${width} cmpxchg equal: memory`,
    [...setUp, ...opaque(0, equal), instruction(opcode, 10, 3, -8, 0xf1), memory],
    merged(OPERAND),
  );
  add(
    `atomic${width} cmpxchg equal: r0`,
    [...setUp, ...opaque(0, equal), instruction(opcode, 10, 3, -8, 0xf1)],
    OLD & mask,
  );
  add(
    `atomic${width} cmpxchg different: memory`,
    [...setUp, ...opaque(0, 1n), instruction(opcode, 10, 3, -8, 0xf1), memory],
    OLD,
  );
  add(
    `atomic${width} cmpxchg different: r0`,
    [...setUp, ...opaque(0, 1n), instruction(opcode, 10, 3, -8, 0xf1)],
    OLD & mask,
  );
}
for (const { width, opcode } of [
  { width: 8, opcode: 0xd3 },
  { width: 16, opcode: 0xcb },
  { width: 32, opcode: 0xc3 },
  { width: 64, opcode: 0xdb },
]) {
  const mask = (1n << BigInt(width)) - 1n;
  add(`load_acquire${width}`, [...fill(PATTERN), instruction(opcode, 0, 10, -8, 0x100)], PATTERN & mask);
  add(
    `store_release${width}`,
    [...fill(-1n), ...opaque(3, PATTERN), instruction(opcode, 10, 3, -8, 0x110), instruction(0x79, 0, 10, -8)],
    (U64(-1n) & ~mask) | (PATTERN & mask),
  );
}

// Legacy packet loads (section 5.5): the packet of the suite counts its bytes from 0 and is IPv4
const SKB = [move(6, 1)];
const PACKET = packetOfSuite();
const big = (at: number, width: number): bigint => {
  let value = 0n;
  for (let i = 0; i < width / 8; i++) value = (value << 8n) | BigInt(PACKET[at + i]!);
  return value;
};
for (const { width, abs, ind } of [
  { width: 8, abs: 0x30, ind: 0x50 },
  { width: 16, abs: 0x28, ind: 0x48 },
  { width: 32, abs: 0x20, ind: 0x40 },
]) {
  add(`ld_abs${width}`, [...SKB, instruction(abs, 0, 0, 0, 12)], big(12, width), true);
  add(`ld_ind${width}`, [...SKB, moveImmediate(7, 6), instruction(ind, 0, 7, 0, 20)], big(26, width), true);
  add(
    `ld_abs${width} from the network header`,
    [...SKB, instruction(abs, 0, 0, 0, -0x100000 + 8)],
    big(22, width),
    true,
  );
  add(`ld_abs${width} from the L2 header`, [...SKB, instruction(abs, 0, 0, 0, -0x200000 + 6)], big(6, width), true);
  add(
    `ld_abs${width} behind the packet ends the function with 0`,
    [...SKB, moveImmediate(0, 9), instruction(abs, 0, 0, 0, 4000), moveImmediate(0, 5)],
    0n,
    true,
  );
}

/** The packet every case runs on: IPv4, bytes that differ from each other. */
export function packetOfSuite(): Uint8Array {
  const packet = Uint8Array.from({ length: 64 }, (_, i) => i + 0x40);
  packet.set([0x08, 0x00, 0x45], 12);
  return packet;
}

export const ISA_CASES: readonly IsaCase[] = cases;

/** Programs no engine may run: the kernel refuses them, here they fault (or are refused) when reached. */
export const INVALID_PROGRAMS: readonly { name: string; code: Uint8Array }[] = [
  ['unknown opcode 0xff', instruction(0xff)],
  ['unknown ALU operation 0xe7', instruction(0xe7, 0, 0, 0, 1)],
  ['add64 register with an immediate', instruction(0x0f, 0, 0, 0, 1)],
  ['add64 immediate with a source register', instruction(0x07, 0, 1, 0, 1)],
  ['add64 with an offset', instruction(0x07, 0, 0, 1, 1)],
  ['div64 by immediate 0', instruction(0x37, 0, 0, 0, 0)],
  ['div32 by immediate 0', instruction(0x34, 0, 0, 0, 0)],
  ['mod64 by immediate 0', instruction(0x97, 0, 0, 0, 0)],
  ['mod32 by immediate 0', instruction(0x94, 0, 0, 0, 0)],
  ['div64 with offset 2', instruction(0x37, 0, 0, 2, 1)],
  ['lsh64 by 64', instruction(0x67, 0, 0, 0, 64)],
  ['lsh32 by 32', instruction(0x64, 0, 0, 0, 32)],
  ['rsh64 by -1', instruction(0x77, 0, 0, 0, -1)],
  ['arsh32 by 33', instruction(0xc4, 0, 0, 0, 33)],
  ['neg with the register bit', instruction(0x8f, 0, 0)],
  ['neg with an immediate', instruction(0x87, 0, 0, 0, 1)],
  ['mov64 immediate with an offset', instruction(0xb7, 0, 0, 8, 1)],
  ['movsx64 from 24 bits', instruction(0xbf, 0, 0, 24)],
  ['movsx32 from 32 bits', instruction(0xbc, 0, 0, 32)],
  ['le of 8 bits', instruction(0xd4, 0, 0, 0, 8)],
  ['be of 128 bits', instruction(0xdc, 0, 0, 0, 128)],
  ['bswap of 8 bits', instruction(0xd7, 0, 0, 0, 8)],
  ['bswap with the register bit', instruction(0xdf, 0, 0, 0, 16)],
  ['jump with unknown operation', instruction(0xf5, 0, 0, 0, 0)],
  ['ja with an immediate', instruction(0x05, 0, 0, 0, 1)],
  ['ja with a register', instruction(0x05, 0, 1)],
  ['gotol with an offset', instruction(0x06, 0, 0, 1, 0)],
  ['jeq register with an immediate', instruction(0x1d, 0, 0, 0, 1)],
  ['jeq immediate with a source', instruction(0x15, 0, 1, 0, 1)],
  ['jump out of the program', instruction(0x05, 0, 0, 100)],
  ['jump before the program', instruction(0x05, 0, 0, -100)],
  ['jump32 call', instruction(0x86, 0, 0, 0, 1)],
  ['jump32 exit', instruction(0x96)],
  ['call by register', instruction(0x8d, 0, 0, 0, 0)],
  ['call with source 3', instruction(0x85, 0, 3, 0, 1)],
  ['exit with an immediate', instruction(0x95, 0, 0, 0, 1)],
  ['ldx with an immediate', instruction(0x61, 0, 10, -8, 1)],
  ['ldsx64', instruction(0x99, 0, 10, -8)],
  ['st with a source register', instruction(0x7a, 10, 1, -8, 0)],
  ['stx with an immediate', instruction(0x7b, 10, 0, -8, 1)],
  ['atomic with operation 0x10', instruction(0xdb, 10, 0, -8, 0x10)],
  ['atomic xchg without fetch', instruction(0xdb, 10, 0, -8, 0xe0)],
  ['atomic cmpxchg without fetch', instruction(0xdb, 10, 0, -8, 0xf0)],
  ['atomic add of 16 bits', instruction(0xcb, 10, 0, -8, 0)],
  ['atomic add of 8 bits', instruction(0xd3, 10, 0, -8, 0)],
  ['destination register 11', instruction(0xb7, 11, 0, 0, 0)],
  ['source register 11', instruction(0xbf, 0, 11)],
  ['write to r10', instruction(0xb7, 10, 0, 0, 0)],
  ['ld_imm64 with source 7', concat([instruction(0x18, 0, 7, 0, 0), instruction(0)])],
  ['ld_imm64 with a dirty second half', concat([instruction(0x18, 0, 0, 0, 0), instruction(0, 1)])],
  ['ld_imm64 with an offset', concat([instruction(0x18, 0, 0, 1, 0), instruction(0)])],
  ['ld_abs of 64 bits', instruction(0x38, 0, 0, 0, 0)],
  ['ld_abs with a destination', instruction(0x20, 1, 0, 0, 0)],
].map(([name, bytes]) => ({
  name: name as string,
  code: concat([moveImmediate(0, 0), instruction(0x7a, 10, 0, -8, 0), move(6, 1), bytes as Uint8Array, EXIT]),
}));
