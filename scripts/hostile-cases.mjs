// Hostile input, seeded and repeatable: mutated objects and random bytecode. Used by `npm run hostile` (compiled library)
// and by test/hostile (sources), so the library comes as an argument.

/** mulberry32: the same seed gives the same cases everywhere. */
export function randomSource(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
  return { next, below: (n) => next() % n };
}

const INTERESTING = [0, 1, 2, 7, 8, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];

/** A copy of `bytes` with one to eight changes: bits, bytes, interesting numbers, blocks, truncation. */
export function mutate(bytes, random) {
  let copy = bytes.slice();
  for (let changes = 1 + random.below(8); changes > 0 && copy.length > 8; changes--) {
    const at = random.below(copy.length);
    const view = new DataView(copy.buffer, copy.byteOffset, copy.byteLength);
    switch (random.below(9)) {
      case 0:
        copy[at] ^= 1 << random.below(8);
        break;
      case 1:
        copy[at] = random.below(256);
        break;
      case 2:
        if (at + 4 <= copy.length) view.setUint32(at, INTERESTING[random.below(INTERESTING.length)], true);
        break;
      case 3:
        if (at + 2 <= copy.length) view.setUint16(at, INTERESTING[random.below(INTERESTING.length)], true);
        break;
      case 4:
        copy.copyWithin(at, random.below(copy.length), random.below(copy.length));
        break;
      case 5:
        copy.fill(random.below(256), at, at + random.below(32));
        break;
      case 6:
        // The ELF header and the section headers at the end decide most: hit them often.
        copy[random.below(64)] = random.below(256);
        break;
      case 7: {
        const tail = Math.min(copy.length, 2048);
        copy[copy.length - 1 - random.below(tail)] = random.below(256);
        break;
      }
      default:
        if (random.below(8) === 0) copy = copy.slice(0, 1 + random.below(copy.length));
    }
  }
  return copy;
}

const PACKETS = [new Uint8Array(64), Uint8Array.from({ length: 90 }, (_, i) => (i * 37) & 255), new Uint8Array(14)];

/**
 * Loads one mutated object and runs its first programs. Returns what happened: 'rejected' (typed error) or 'ran'.
 * Anything else is thrown: a bug.
 */
export function hostileObject(library, bytes, random) {
  const { loadObject, Machine, OffkernelError } = library;
  try {
    const machine = Machine.create({ budget: 20_000n });
    const object = machine.load(loadObject(bytes, { name: 'hostile.o' }));
    for (const program of object.programs.slice(0, 4)) program.run({ packet: PACKETS[random.below(PACKETS.length)] });
    return 'ran';
  } catch (error) {
    if (error instanceof OffkernelError) return 'rejected';
    throw error;
  }
}

const OPCODES = [
  0x07, 0x0f, 0x17, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x47, 0x4f, 0x57, 0x5f, 0x67, 0x6f, 0x77, 0x7f, 0x87, 0x97, 0x9f,
  0xa7, 0xaf, 0xb7, 0xbf, 0xc7, 0xcf, 0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3c, 0x44, 0x4c, 0x54, 0x5c, 0x64,
  0x6c, 0x74, 0x7c, 0x84, 0x94, 0x9c, 0xa4, 0xac, 0xb4, 0xbc, 0xc4, 0xcc, 0xd4, 0xdc, 0xd7, 0x05, 0x06, 0x15, 0x1d,
  0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d, 0x55, 0x5d, 0x65, 0x6d, 0x75, 0x7d, 0xa5, 0xad, 0xb5, 0xbd, 0xc5, 0xcd, 0xd5,
  0xdd, 0x16, 0x1e, 0x56, 0x5e, 0x61, 0x69, 0x71, 0x79, 0x81, 0x89, 0x91, 0x62, 0x6a, 0x72, 0x7a, 0x63, 0x6b, 0x73,
  0x7b, 0xc3, 0xdb, 0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x18, 0x85, 0x85, 0x95,
];

const ATOMICS = [0x00, 0x40, 0x50, 0xa0, 0x01, 0x41, 0x51, 0xa1, 0xe1, 0xf1];
const HELPERS = [
  1, 2, 3, 5, 7, 8, 9, 10, 11, 12, 13, 18, 19, 20, 21, 23, 25, 26, 28, 31, 38, 39, 43, 44, 50, 51, 54, 65, 68, 69, 84,
  87, 130, 131, 132, 165, 181, 189, 1000,
];

/** Makes the fields of an instruction fit its opcode, with addresses that are often right. */
function shape(view, at, random, left) {
  const opcode = view.getUint8(at);
  const kind = opcode & 7;
  const set = (registers, offset, imm) => {
    view.setUint8(at + 1, registers);
    view.setInt16(at + 2, offset, true);
    view.setInt32(at + 4, imm, true);
  };
  const register = () => random.below(10);
  const forward = () => random.below(Math.max(1, left - 1));
  const isRegister = (opcode & 8) !== 0;
  const stack = () => -8 * (1 + random.below(66));
  if (opcode === 0x85) set(0, 0, HELPERS[random.below(HELPERS.length)]);
  else if (opcode === 0x95) set(0, 0, 0);
  else if (opcode === 0x05) set(0, forward(), 0);
  else if (opcode === 0x06) set(0, 0, forward());
  else if (opcode === 0xd4 || opcode === 0xdc || opcode === 0xd7) set(register(), 0, [16, 32, 64][random.below(3)]);
  else if (opcode === 0x87 || opcode === 0x84) set(register(), 0, 0);
  else if (kind === 4 || kind === 7)
    set(register() | (isRegister ? register() << 4 : 0), 0, isRegister ? 0 : 1 + random.below(31));
  else if (kind === 5 || kind === 6)
    set(
      register() | (isRegister ? register() << 4 : 0),
      random.below(8) ? forward() : -random.below(4),
      isRegister ? 0 : random.below(256),
    );
  else if (kind === 1)
    set(
      register() | ((random.below(3) ? 10 : random.below(11)) << 4),
      random.below(3) ? stack() : random.below(200),
      0,
    );
  else if (kind === 2) set(random.below(3) ? 10 : register(), stack(), random.next() | 0);
  else if (opcode === 0xc3 || opcode === 0xdb)
    set((random.below(3) ? 10 : register()) | (register() << 4), stack(), ATOMICS[random.below(ATOMICS.length)]);
  else if (kind === 3) set((random.below(3) ? 10 : register()) | (register() << 4), stack(), 0);
  else set(opcode >= 0x40 ? register() << 4 : 0, 0, random.below(80));
}

/** A random instruction stream that ends in exit: three of four well formed, the rest with noise in every field. */
export function randomBytecode(random) {
  const count = 2 + random.below(48);
  const bytes = new Uint8Array(count * 8);
  const view = new DataView(bytes.buffer);
  const isShaped = random.below(4) !== 0;
  for (let i = 0; i < count - 1; i++) {
    const at = i * 8;
    const isNoise = random.below(isShaped ? 500 : 30) === 0;
    let opcode = isNoise ? random.below(256) : OPCODES[random.below(OPCODES.length)];
    // Exits and calls in random code end most runs at once: fewer of them.
    if (!isNoise && (opcode === 0x95 || opcode === 0x85) && random.below(3)) opcode = 0xbf;
    // ld_imm64 takes two slots.
    if (opcode === 0x18 && i + 2 < count && !isNoise) {
      bytes[at] = 0x18;
      bytes[at + 1] = random.below(10);
      view.setInt32(at + 4, random.next() | 0, true);
      if (random.below(2)) view.setInt32(at + 12, random.next() | 0, true);
      i++;
      continue;
    }
    bytes[at] = opcode === 0x18 ? 0xb7 : opcode;
    if (isShaped && !isNoise) shape(view, at, random, count - 1 - i);
    else {
      bytes[at + 1] = random.below(11) | (random.below(11) << 4);
      view.setInt16(at + 2, random.below(4) ? random.below(count) - i : random.next() & 0xffff, true);
      view.setInt32(at + 4, random.below(2) ? random.below(256) : random.next(), true);
    }
  }
  bytes[(count - 1) * 8] = 0x95;
  return bytes;
}

/** Runs one random program as xdp, tc and raw code. Returns 'rejected', 'exit' or the fault's kind. */
export function hostileBytecode(library, bytes, random) {
  const { Machine, bytecodeSpec, OffkernelError } = library;
  try {
    const type = ['xdp', 'sched_cls', 'unspec', 'cgroup_sock_addr'][random.below(4)];
    const machine = Machine.create({ budget: 20_000n });
    const program = machine.load(bytecodeSpec(bytes, type)).programs[0];
    const outcome = program.run({ packet: PACKETS[random.below(PACKETS.length)] });
    return outcome.fault ? outcome.fault.kind : 'exit';
  } catch (error) {
    if (error instanceof OffkernelError) return 'rejected';
    throw error;
  }
}
