import { Op } from '../../assembly/abi.js';
import { FIELDS, type Field, type Instruction } from './fields.js';

export type InstructionClass = 'ld' | 'ldx' | 'st' | 'stx' | 'alu' | 'jmp' | 'jmp32' | 'alu64';

/**
 * One instruction of the set. Of the fields dst, src, offset and imm each is an operand, fixed (it selects this variant of
 * the opcode), or must be zero. The second slot of ld_imm64 is `next`.
 */
export interface InstructionSpec {
  /** Unique together with the opcode: `add64`, `jsgt32`, `ldxw`, `atomic_fetch_add64` ... */
  readonly mnemonic: string;
  readonly opcode: number;
  readonly class: InstructionClass;
  readonly operands: readonly Operand[];
  readonly fixed: Readonly<Partial<Record<Field, number>>>;
  readonly zero: readonly Field[];
  /** What it does, in C; registers are 64 bits wide, `(u32)` and the like say where that differs. */
  readonly semantics: string;
  /** CPU version of LLVM (`-mcpu=v1` .. `v4`) that introduced it. Kernels take 32-bit arithmetic (v3) from the beginning. */
  readonly version: 1 | 2 | 3 | 4;
  /** Number of the decoded instruction in the machine: the opcode, or a member of Op where the opcode alone does not tell. */
  readonly op: number;
  /** The register it writes, which cannot be r10. */
  readonly writes: 'dst' | 'src' | undefined;
  /** Values the immediate must not have: 0 for a divisor, the width of the operation and more for a shift. */
  readonly immediate: 'divisor' | 'shift32' | 'shift64' | undefined;
  /** Bytes of memory it accesses, 0 if none. */
  readonly size: 0 | 1 | 2 | 4 | 8;
  /**
   * How LLVM (or, for what LLVM does not print, bpftool) writes it; the first spelling is printed, all are understood.
   * Placeholders: see syntax.ts.
   */
  readonly texts: readonly string[];
}

export type Operand = Field | 'next';

type Row = Pick<InstructionSpec, 'mnemonic' | 'opcode' | 'operands' | 'semantics' | 'texts'> & Partial<InstructionSpec>;

const CLASSES: readonly InstructionClass[] = ['ld', 'ldx', 'st', 'stx', 'alu', 'jmp', 'jmp32', 'alu64'];

function complete(row: Row): InstructionSpec {
  const fixed = row.fixed ?? {};
  return {
    class: CLASSES[row.opcode & 7]!,
    fixed,
    zero: FIELDS.filter((field) => !row.operands.includes(field) && fixed[field] === undefined),
    version: 1,
    op: row.opcode,
    writes: undefined,
    immediate: undefined,
    size: 0,
    ...row,
  };
}

// Arithmetic (RFC 9669 section 4.1). The result of 32-bit operations is zero-extended.

interface Arithmetic {
  name: string;
  code: number;
  sign: string;
  /** The result from a (dst) and b (the other operand). */
  result: (a: string, b: string, bits: 32 | 64) => string;
  /** Value of the offset field that selects the operation. */
  offset?: number;
  op?: { 64: readonly [k: Op, x: Op]; 32: readonly [k: Op, x: Op] };
  kind?: 'divisor' | 'shift';
}

const binary =
  (operator: string) =>
  (a: string, b: string): string =>
    `${a} ${operator} ${b}`;

const ARITHMETIC: readonly Arithmetic[] = [
  { name: 'add', code: 0x00, sign: '+=', result: binary('+') },
  { name: 'sub', code: 0x10, sign: '-=', result: binary('-') },
  { name: 'mul', code: 0x20, sign: '*=', result: binary('*') },
  { name: 'div', code: 0x30, sign: '/=', result: (a, b) => `${b} ? ${a} / ${b} : 0`, kind: 'divisor' },
  { name: 'or', code: 0x40, sign: '|=', result: binary('|') },
  { name: 'and', code: 0x50, sign: '&=', result: binary('&') },
  { name: 'lsh', code: 0x60, sign: '<<=', result: (a, b, bits) => `${a} << (${b} & ${bits - 1})`, kind: 'shift' },
  { name: 'rsh', code: 0x70, sign: '>>=', result: (a, b, bits) => `${a} >> (${b} & ${bits - 1})`, kind: 'shift' },
  { name: 'mod', code: 0x90, sign: '%=', result: (a, b) => `${b} ? ${a} % ${b} : ${a}`, kind: 'divisor' },
  { name: 'xor', code: 0xa0, sign: '^=', result: binary('^') },
  { name: 'mov', code: 0xb0, sign: '=', result: (_, b) => b },
  {
    name: 'arsh',
    code: 0xc0,
    sign: 's>>=',
    result: (a, b, bits) => `(s${bits})${a} >> (${b} & ${bits - 1})`,
    kind: 'shift',
  },
  {
    name: 'sdiv',
    code: 0x30,
    sign: 's/=',
    offset: 1,
    op: { 64: [Op.SDIV64_K, Op.SDIV64_X], 32: [Op.SDIV32_K, Op.SDIV32_X] },
    result: (a, b, bits) => `${b} ? (s${bits})${a} / (s${bits})${b} : 0, INT_MIN / -1 = INT_MIN`,
    kind: 'divisor',
  },
  {
    name: 'smod',
    code: 0x90,
    sign: 's%=',
    offset: 1,
    op: { 64: [Op.SMOD64_K, Op.SMOD64_X], 32: [Op.SMOD32_K, Op.SMOD32_X] },
    result: (a, b, bits) => `${b} ? (s${bits})${a} % (s${bits})${b} : ${a}, INT_MIN % -1 = 0`,
    kind: 'divisor',
  },
];

function arithmetic(): Row[] {
  return ARITHMETIC.flatMap(({ name, code, sign, result, offset, op, kind }) =>
    ([64, 32] as const).flatMap((bits) =>
      ([0, 1] as const).map((isRegister): Row => {
        const letter = bits === 64 ? 'r' : 'w';
        const opcode = code | (bits === 64 ? 7 : 4) | (isRegister << 3);
        const expression = result('dst', isRegister ? 'src' : 'imm', bits);
        const immediate =
          isRegister || !kind ? undefined : kind === 'divisor' ? 'divisor' : bits === 64 ? 'shift64' : 'shift32';
        return {
          mnemonic: `${name}${bits}`,
          opcode,
          operands: ['dst', isRegister ? 'src' : 'imm'],
          fixed: offset === undefined ? {} : { offset },
          op: op ? op[bits][isRegister] : opcode,
          semantics: bits === 64 ? `dst = ${expression}` : `dst = (u32)(${expression}), operands cut to 32 bits`,
          version: offset === undefined ? (bits === 64 ? 1 : 3) : 4,
          writes: 'dst',
          immediate,
          texts: [`${letter}{dst} ${sign} ${isRegister ? `${letter}{src}` : '{imm}'}`],
        };
      }),
    ),
  );
}

function unaryArithmetic(): Row[] {
  const rows: Row[] = [
    {
      mnemonic: 'neg64',
      opcode: 0x87,
      operands: ['dst'],
      semantics: 'dst = -dst',
      writes: 'dst',
      texts: ['r{dst} = -r{dst}'],
    },
    {
      mnemonic: 'neg32',
      opcode: 0x84,
      operands: ['dst'],
      semantics: 'dst = (u32)-dst',
      version: 3,
      writes: 'dst',
      texts: ['w{dst} = -w{dst}'],
    },
  ];
  const extensions = [
    [8, 64, Op.MOVSX8_64],
    [16, 64, Op.MOVSX16_64],
    [32, 64, Op.MOVSX32_64],
    [8, 32, Op.MOVSX8_32],
    [16, 32, Op.MOVSX16_32],
  ] as const;
  for (const [from, to, op] of extensions) {
    const letter = to === 64 ? 'r' : 'w';
    rows.push({
      mnemonic: `movsx${from}_${to}`,
      opcode: to === 64 ? 0xbf : 0xbc,
      operands: ['dst', 'src'],
      fixed: { offset: from },
      op,
      semantics: to === 64 ? `dst = (s64)(s${from})src` : `dst = (u32)(s32)(s${from})src`,
      version: 4,
      writes: 'dst',
      texts: [`${letter}{dst} = (s${from})${letter}{src}`],
    });
  }
  const conversions = [
    ['le', 0xd4, [Op.LE16, Op.LE32, Op.LE64], 'dst as little-endian value of', 1],
    ['be', 0xdc, [Op.BE16, Op.BE32, Op.BE64], 'dst as big-endian value of', 1],
    ['bswap', 0xd7, [Op.BSWAP16, Op.BSWAP32, Op.BSWAP64], 'bytes of dst swapped within', 4],
  ] as const;
  for (const [name, opcode, ops, what, version] of conversions) {
    for (const [index, bits] of [16, 32, 64].entries()) {
      rows.push({
        mnemonic: `${name}${bits}`,
        opcode,
        operands: ['dst'],
        fixed: { imm: bits },
        op: ops[index]!,
        semantics: `dst = ${what} ${bits} bits, zero-extended`,
        version,
        writes: 'dst',
        texts: [`r{dst} = ${name}${bits} r{dst}`],
      });
    }
  }
  return rows;
}

// Jumps (sections 4.3, 4.3.1, 4.3.2)

const CONDITIONS = [
  ['jeq', 0x10, '==', '', 1],
  ['jgt', 0x20, '>', 'u', 1],
  ['jge', 0x30, '>=', 'u', 1],
  ['jset', 0x40, '&', '', 1],
  ['jne', 0x50, '!=', '', 1],
  ['jsgt', 0x60, 's>', 's', 1],
  ['jsge', 0x70, 's>=', 's', 1],
  ['jlt', 0xa0, '<', 'u', 2],
  ['jle', 0xb0, '<=', 'u', 2],
  ['jslt', 0xc0, 's<', 's', 2],
  ['jsle', 0xd0, 's<=', 's', 2],
] as const;

function jumps(): Row[] {
  const conditional = CONDITIONS.flatMap(([name, code, sign, signedness, version]) =>
    ([64, 32] as const).flatMap((bits) =>
      ([0, 1] as const).map((isRegister): Row => {
        const letter = bits === 64 ? 'r' : 'w';
        const cast = signedness ? `(${signedness}${bits})` : bits === 32 ? '(u32)' : '';
        return {
          mnemonic: bits === 64 ? name : `${name}32`,
          opcode: code | (bits === 64 ? 5 : 6) | (isRegister << 3),
          operands: ['dst', isRegister ? 'src' : 'imm', 'offset'],
          semantics: `if (${cast}dst ${sign.replace('s', '')} ${cast}${isRegister ? 'src' : 'imm'}) goto offset`,
          version: bits === 32 ? 3 : version,
          texts: [`if ${letter}{dst} ${sign} ${isRegister ? `${letter}{src}` : '{imm}'} goto {+offset}`],
        };
      }),
    ),
  );
  return [
    ...conditional,
    { mnemonic: 'ja', opcode: 0x05, operands: ['offset'], semantics: 'goto offset', texts: ['goto {+offset}'] },
    { mnemonic: 'gotol', opcode: 0x06, operands: ['imm'], semantics: 'goto imm', version: 4, texts: ['gotol {+imm}'] },
    {
      mnemonic: 'may_goto',
      opcode: 0xe5,
      operands: ['offset'],
      semantics: 'if the loop budget of the frame is used up: goto offset',
      version: 4,
      texts: ['may_goto {+offset}'],
    },
    { mnemonic: 'exit', opcode: 0x95, operands: [], semantics: 'return r0', texts: ['exit'] },
    {
      mnemonic: 'call',
      opcode: 0x85,
      operands: ['imm'],
      fixed: { src: 0 },
      op: Op.CALL_HELPER,
      semantics: 'r0 = helper imm (r1 .. r5)',
      texts: ['call {helper}'],
    },
    {
      mnemonic: 'call_local',
      opcode: 0x85,
      operands: ['imm'],
      fixed: { src: 1 },
      op: Op.CALL_LOCAL,
      semantics: 'r0 = function at imm (r1 .. r5), own frame, r6 .. r9 kept',
      texts: ['call pc{+imm}', 'call {function}'],
    },
    {
      mnemonic: 'call_kfunc',
      opcode: 0x85,
      operands: ['imm', 'offset'],
      fixed: { src: 2 },
      op: Op.CALL_KFUNC,
      semantics: 'r0 = kernel function with BTF id imm of module BTF offset (r1 .. r5)',
      texts: ['call kfunc[btf:{imm} fd:{offset}]'],
    },
  ];
}

// Loads, stores, atomics (section 5)

const SIZES = [
  { letter: 'b', bits: 8, size: 1, code: 0x10 },
  { letter: 'h', bits: 16, size: 2, code: 0x08 },
  { letter: 'w', bits: 32, size: 4, code: 0x00 },
  { letter: 'dw', bits: 64, size: 8, code: 0x18 },
] as const;

function memory(): Row[] {
  return SIZES.flatMap(({ letter, bits, size, code }): Row[] => {
    const load = `*(u${bits} *)(r{src} {+ offset})`;
    const store = `*(u${bits} *)(r{dst} {+ offset})`;
    // LLVM writes w where the value has 32 bits or less; bpftool and older CPU versions write r.
    const both = (text: (letter: string) => string): string[] => (bits === 64 ? [text('r')] : [text('r'), text('w')]);
    const rows: Row[] = [
      {
        mnemonic: `ldx${letter}`,
        opcode: 0x61 | code,
        operands: ['dst', 'src', 'offset'],
        semantics: `dst = *(u${bits} *)(src + offset)`,
        writes: 'dst',
        size,
        texts: both((register) => `${register}{dst} = ${load}`),
      },
      {
        mnemonic: `st${letter}`,
        opcode: 0x62 | code,
        operands: ['dst', 'offset', 'imm'],
        semantics: `*(u${bits} *)(dst + offset) = imm${bits === 64 ? ', sign-extended' : ''}`,
        size,
        texts: [`${store} = {imm}`],
      },
      {
        mnemonic: `stx${letter}`,
        opcode: 0x63 | code,
        operands: ['dst', 'src', 'offset'],
        semantics: `*(u${bits} *)(dst + offset) = src`,
        size,
        texts: both((register) => `${store} = ${register}{src}`),
      },
    ];
    if (bits < 64) {
      rows.push({
        mnemonic: `ldxs${letter}`,
        opcode: 0x81 | code,
        operands: ['dst', 'src', 'offset'],
        semantics: `dst = (s64)*(s${bits} *)(src + offset)`,
        version: 4,
        writes: 'dst',
        size,
        texts: [`r{dst} = *(s${bits} *)(r{src} {+ offset})`],
      });
      rows.push({
        mnemonic: `ldabs${letter}`,
        opcode: 0x20 | code,
        operands: ['imm'],
        semantics: `r0 = big-endian *(u${bits} *)(packet + imm), exit with 0 if that is outside`,
        size,
        texts: [`r0 = *(u${bits} *)skb[{imm}]`],
      });
      rows.push({
        mnemonic: `ldind${letter}`,
        opcode: 0x40 | code,
        operands: ['src', 'imm'],
        semantics: `r0 = big-endian *(u${bits} *)(packet + (s32)(src + imm)), exit with 0 if that is outside`,
        size,
        texts: [`r0 = *(u${bits} *)skb[r{src} {+ imm}]`, `r0 = *(u${bits} *)skb[r{src}]`],
      });
    }
    return rows;
  });
}

const ATOMICS = [
  ['add', 0x00, '+'],
  ['or', 0x40, '|'],
  ['and', 0x50, '&'],
  ['xor', 0xa0, '^'],
] as const;

/** Op numbers of the atomic operations follow one another in the order of the rows below. */
function atomics(): Row[] {
  return ([64, 32] as const).flatMap((bits): Row[] => {
    const first = bits === 64 ? Op.ATOMIC64_ADD : Op.ATOMIC32_ADD;
    const [letter, opcode, size] = bits === 64 ? (['r', 0xdb, 8] as const) : (['w', 0xc3, 4] as const);
    const place = `*(u${bits} *)(dst + offset)`;
    const both = (text: (letter: string) => string): string[] => (bits === 64 ? [text('r')] : [text('w'), text('r')]);
    const common = { opcode, size, operands: ['dst', 'src', 'offset'] as Operand[] };
    const plain = ATOMICS.map(
      ([name, imm, sign], index): Row => ({
        ...common,
        mnemonic: `atomic_${name}${bits}`,
        fixed: { imm },
        op: first + index,
        semantics: `atomically ${place} ${sign}= src`,
        version: name === 'add' ? 1 : 3,
        texts: both((register) => `lock *(u${bits} *)(r{dst} {+ offset}) ${sign}= ${register}{src}`),
      }),
    );
    const fetch = ATOMICS.map(
      ([name, imm, sign], index): Row => ({
        ...common,
        mnemonic: `atomic_fetch_${name}${bits}`,
        fixed: { imm: imm | 1 },
        op: first + 4 + index,
        semantics: `atomically old = ${place}, ${place} = old ${sign} src, src = old`,
        version: 3,
        writes: 'src',
        texts: both(
          (register) => `${register}{src} = atomic_fetch_${name}((u${bits} *)(r{dst} {+ offset}), ${register}{src})`,
        ),
      }),
    );
    const infix = bits === 64 ? '_64' : '32_32';
    return [
      ...plain,
      ...fetch,
      {
        ...common,
        mnemonic: `xchg${bits}`,
        fixed: { imm: 0xe1 },
        op: first + 8,
        semantics: `atomically old = ${place}, ${place} = src, src = old`,
        version: 3,
        writes: 'src',
        texts: [`${letter}{src} = xchg${infix}(r{dst} {+ offset}, ${letter}{src})`],
      },
      {
        ...common,
        mnemonic: `cmpxchg${bits}`,
        fixed: { imm: 0xf1 },
        op: first + 9,
        semantics: `atomically old = ${place}, if (old == (u${bits})r0) ${place} = src, r0 = old`,
        version: 3,
        texts: [`${letter}0 = cmpxchg${infix}(r{dst} {+ offset}, ${letter}0, ${letter}{src})`],
      },
    ];
  });
}

function ordered(): Row[] {
  return SIZES.flatMap(({ bits, size, code }, index): Row[] => {
    const letters = bits === 64 ? ['r'] : ['w', 'r'];
    return [
      {
        mnemonic: `load_acquire${bits}`,
        opcode: 0xc3 | code,
        operands: ['dst', 'src', 'offset'],
        fixed: { imm: 0x100 },
        op: Op.LOAD_ACQUIRE8 + index,
        semantics: `dst = *(u${bits} *)(src + offset), acquire`,
        version: 4,
        writes: 'dst',
        size,
        texts: letters.map((letter) => `${letter}{dst} = load_acquire((u${bits} *)(r{src} {+ offset}))`),
      },
      {
        mnemonic: `store_release${bits}`,
        opcode: 0xc3 | code,
        operands: ['dst', 'src', 'offset'],
        fixed: { imm: 0x110 },
        op: Op.STORE_RELEASE8 + index,
        semantics: `*(u${bits} *)(dst + offset) = src, release`,
        version: 4,
        size,
        texts: letters.map((letter) => `store_release((u${bits} *)(r{dst} {+ offset}), ${letter}{src})`),
      },
    ];
  });
}

// 64-bit constants (section 5.4): what imm and the second slot mean depends on src. Where `next` is no operand it must be 0.

function constants(): Row[] {
  const row = (mnemonic: string, src: number, operands: Operand[], semantics: string, text: string): Row => ({
    mnemonic,
    opcode: 0x18,
    operands: ['dst', ...operands],
    fixed: { src },
    op: Op.LD_IMM64,
    semantics,
    writes: 'dst',
    texts: [`r{dst} = ${text}`],
  });
  return [
    row('lddw', 0, ['imm', 'next'], 'dst = next << 32 | imm', '{imm64} ll'),
    row('lddw_map_fd', 1, ['imm'], 'dst = map with file descriptor imm', 'map[fd:{imm}]'),
    row(
      'lddw_map_value',
      2,
      ['imm', 'next'],
      'dst = address of byte next of element 0 of the map with file descriptor imm',
      'map[fd:{imm}][0]{+next}',
    ),
    row(
      'lddw_btf_id',
      3,
      ['imm', 'next'],
      'dst = address of the kernel variable with BTF id imm of module BTF next',
      'ksym[btf:{imm} fd:{next}]',
    ),
    row('lddw_func', 4, ['imm'], 'dst = address of the function at imm, for callbacks', 'subprog[{+imm}]'),
    row('lddw_map_idx', 5, ['imm'], 'dst = map number imm of the array of file descriptors', 'map[idx:{imm}]'),
    row(
      'lddw_map_idx_value',
      6,
      ['imm', 'next'],
      'dst = address of byte next of element 0 of map number imm',
      'map[idx:{imm}][0]{+next}',
    ),
  ];
}

/** The instruction set: RFC 9669 plus may_goto, load-acquire and store-release as Linux 6.18 has them. */
export const INSTRUCTIONS: readonly InstructionSpec[] = [
  ...arithmetic(),
  ...unaryArithmetic(),
  ...jumps(),
  ...memory(),
  ...atomics(),
  ...ordered(),
  ...constants(),
].map(complete);

/** Variants of each opcode. */
const BY_OPCODE: readonly (readonly InstructionSpec[])[] = Array.from({ length: 256 }, (_, opcode) =>
  INSTRUCTIONS.filter((spec) => spec.opcode === opcode),
);

/** All variants of an opcode byte, none for one that does not exist. */
export function variantsOf(opcode: number): readonly InstructionSpec[] {
  return BY_OPCODE[opcode] ?? [];
}

function selects(spec: InstructionSpec, fields: Instruction): boolean {
  const { fixed } = spec;
  return (
    (fixed.src ?? fields.src) === fields.src &&
    (fixed.offset ?? fields.offset) === fields.offset &&
    (fixed.imm ?? fields.imm) === fields.imm
  );
}

/** What the fields of an instruction must hold, undefined where anything goes. One shape for all: this is a hot loop. */
interface Pattern {
  readonly spec: InstructionSpec;
  readonly dst: number | undefined;
  readonly src: number | undefined;
  readonly offset: number | undefined;
  readonly imm: number | undefined;
}

function patternOf(spec: InstructionSpec): Pattern {
  const required = (field: Field): number | undefined =>
    spec.fixed[field] ?? (spec.zero.includes(field) ? 0 : undefined);
  return { spec, dst: required('dst'), src: required('src'), offset: required('offset'), imm: required('imm') };
}

const PATTERNS: readonly (readonly Pattern[])[] = BY_OPCODE.map((variants) => variants.map(patternOf));

/** The instruction that these fields encode, undefined if there is none or a reserved field is not zero. */
export function findInstruction(fields: Instruction): InstructionSpec | undefined {
  for (const { spec, dst, src, offset, imm } of PATTERNS[fields.opcode] ?? []) {
    if (
      (dst === undefined || dst === fields.dst) &&
      (src === undefined || src === fields.src) &&
      (offset === undefined || offset === fields.offset) &&
      (imm === undefined || imm === fields.imm)
    )
      return spec;
  }
  return undefined;
}

/** Why {@link findInstruction} finds nothing. */
export function explainUnknown(fields: Instruction): string {
  const variants = variantsOf(fields.opcode);
  const opcode = `0x${fields.opcode.toString(16).padStart(2, '0')}`;
  if (!variants.length) return `unknown opcode ${opcode}`;
  const nearest = variants.find((spec) => selects(spec, fields));
  if (nearest) {
    const field = nearest.zero.find((candidate) => fields[candidate] !== 0)!;
    return `${nearest.mnemonic}: reserved field ${field} is ${fields[field]}, not 0`;
  }
  const selector = (Object.keys(variants[0]!.fixed)[0] ?? Object.keys(variants[1]!.fixed)[0]) as Field;
  const value = selector === 'imm' ? `0x${(fields.imm >>> 0).toString(16)}` : fields[selector];
  return `opcode ${opcode} has no variant with ${selector} ${value}`;
}
