import type { ObjectSpec } from './spec.js';

const CALL = 0x85;
const LD_IMM64 = 0x18;
const MOV_K = [0xb7, 0xb4];
const TAIL_CALL = 12;

/** Helper ids that a function calls, ascending; with its bpf-to-bpf callees and callbacks unless `deep` is false. */
export function callsOf(spec: ObjectSpec, index: number, deep = true): number[] {
  const ids = new Set<number>();
  const seen = new Set<number>();
  const visit = (fn: number): void => {
    const found = spec.functions[fn];
    if (!found || seen.has(fn)) return;
    seen.add(fn);
    const { instructions } = found;
    const view = new DataView(instructions.buffer, instructions.byteOffset, instructions.byteLength);
    for (let at = 0; at + 8 <= instructions.length; at += 8) {
      const opcode = instructions[at]!;
      if (opcode === CALL && instructions[at + 1]! >> 4 === 0) ids.add(view.getInt32(at + 4, true));
      if (opcode === LD_IMM64) at += 8;
    }
    if (!deep) return;
    for (const relocation of found.relocations)
      if (relocation.kind === 'call' || relocation.kind === 'callback') visit(relocation.function);
  };
  visit(index);
  return [...ids].sort((a, b) => a - b);
}

export interface TailCall {
  /** Function that calls. */
  from: string;
  map: string;
  /** Slot, null if it is computed at run time. */
  slot: number | null;
  /** Program the object itself puts there, null if none. */
  to: string | null;
}

/**
 * The tail-call graph: every call of helper 12 with the prog array and slot found by looking back for the loads of r2 and r3
 * (compilers put them right before the call).
 */
export function tailCallsOf(spec: ObjectSpec): TailCall[] {
  const targets = new Map<string, string>();
  for (const program of spec.programs)
    for (const { map, slot } of program.slots) targets.set(`${map}/${slot}`, program.name);
  for (const map of spec.maps)
    for (const { slot, program } of map.values) if (program) targets.set(`${map.name}/${slot}`, program);
  const calls: TailCall[] = [];
  for (const fn of spec.functions) {
    const { instructions } = fn;
    const view = new DataView(instructions.buffer, instructions.byteOffset, instructions.byteLength);
    const mapAt = new Map(
      fn.relocations.flatMap((relocation) =>
        relocation.kind === 'map' ? [[relocation.instruction, relocation.map] as const] : [],
      ),
    );
    let map: string | undefined;
    let slot: number | null = null;
    for (let at = 0; at + 8 <= instructions.length; at += 8) {
      const opcode = instructions[at]!;
      const register = instructions[at + 1]! & 15;
      if (opcode === LD_IMM64) {
        if (register === 2) map = mapAt.get(at / 8);
        at += 8;
      } else if (register === 3 && MOV_K.includes(opcode)) {
        slot = view.getInt32(at + 4, true) >>> 0;
      } else if (opcode === CALL) {
        if (view.getInt32(at + 4, true) === TAIL_CALL && instructions[at + 1]! >> 4 === 0 && map) {
          calls.push({ from: fn.name, map, slot, to: slot === null ? null : (targets.get(`${map}/${slot}`) ?? null) });
        }
        map = undefined;
        slot = null;
      } else if (
        register === 3 &&
        (opcode & 7) !== 5 &&
        (opcode & 7) !== 6 &&
        (opcode & 7) !== 2 &&
        (opcode & 7) !== 3
      ) {
        slot = null;
      }
    }
  }
  return calls;
}
