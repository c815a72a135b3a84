import { LoadError } from '../errors.js';
import { validateProgram } from '../isa/decode.js';
import type { ObjectSpec } from '../object/spec.js';
import { type BytecodeResult, Machine, type MachineOptions } from './machine.js';

/** An object with one program of raw instructions and nothing else. */
export function bytecodeSpec(instructions: Uint8Array, type = 'unspec', name = 'program'): ObjectSpec {
  const fn = { name, section: name, offset: 0, instructions, relocations: [], lines: [], btfId: 0, isLocal: false };
  return {
    name: 'bytecode',
    license: 'GPL',
    functions: [fn],
    programs: [{ name, section: name, function: 0, type, attachType: undefined, frags: false, slots: [] }],
    maps: [],
    variables: [],
    externs: [],
    btf: undefined,
    warnings: [],
  };
}

/**
 * Runs raw bytecode: r1 = address of `memory`, r2 = its length (both 0 without memory). bpf-to-bpf calls (src 1) lead into
 * the same stream. Throws LoadError for instructions no BPF machine could run.
 */
export function runBytecode(
  instructions: Uint8Array,
  options: { memory?: Uint8Array; budget?: bigint; machine?: MachineOptions } = {},
): BytecodeResult {
  const problem = validateProgram(instructions);
  if (problem) throw new LoadError(problem.reason, { program: 'program', instruction: problem.instruction });
  const machine = Machine.create({
    ...options.machine,
    ...(options.budget === undefined ? {} : { budget: options.budget }),
  });
  try {
    const program = machine.load(bytecodeSpec(instructions)).programs[0]!;
    return machine.runRaw(program, options.memory ?? new Uint8Array());
  } finally {
    machine.dispose();
  }
}
