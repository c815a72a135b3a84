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
  0x07, 0x0f, 0x17, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x47, 0x4f, 0x57, 0x5f, 0x67, 0x6f, 0x77, 0x7f, 0x87, 0x97, 0x9f, 0xa7, 0xaf, 0xb7, 0xbf, 0xc7,
  0xcf, 0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3c, 0x44, 0x4c, 0x54, 0x5c, 0x64, 0x6c, 0x74, 0x7c, 0x84, 0x94, 0x9c, 0xa4, 0xac, 0xb4, 0xbc,
  0xc4, 0xcc, 0xd4, 0xdc, 0xd7, 0x05, 0x06, 0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d, 0x55, 0x5d, 0x65, 0x6d, 0x75, 0x7d, 0xa5, 0xad, 0xb5,
  0xbd, 0xc5, 0xcd, 0xd5, 0xdd, 0x16, 0x1e, 0x56, 0x5e, 0x61, 0x69, 0x71, 0x79, 0x81, 0x89, 0x91, 0x62, 0x6a, 0x72, 0x7a, 0x63, 0x6b, 0x73, 0x7b,
  0xc3, 0xdb, 0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x18, 0x85, 0x85, 0x95,
];

/** A random instruction stream that ends in exit; most instructions are well formed, some are noise. */
export function randomBytecode(random) {
  const count = 2 + random.below(48);
  const bytes = new Uint8Array(count * 8);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < count; i++) {
    const at = i * 8;
    const opcode = random.below(64) === 0 ? random.below(256) : OPCODES[random.below(OPCODES.length)];
    bytes[at] = opcode;
    bytes[at + 1] = random.below(11) | (random.below(11) << 4);
    if (random.below(3)) view.setInt16(at + 2, random.below(4) ? random.below(count) - i : random.next() & 0xffff, true);
    if (random.below(3)) view.setInt32(at + 4, random.below(2) ? random.below(256) : random.next(), true);
    if ((opcode & 8) === 8 && random.below(2)) view.setInt32(at + 4, 0, true);
    if (opcode === 0x85) bytes[at + 1] = random.below(8) === 0 ? 0x10 : 0;
  }
  bytes[(count - 1) * 8] = 0x95;
  bytes.fill(0, (count - 1) * 8 + 1);
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
