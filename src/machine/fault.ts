import { FaultKind } from '../../assembly/abi.js';
import type { LineInfo } from '../object/spec.js';

/** Names of FaultKind as users and JSON see them. 'stale-packet' and 'null-pointer' are told apart from out-of-bounds by region. */
export const FAULT_NAMES: Readonly<Record<FaultKind, string>> = {
  [FaultKind.NONE]: 'none',
  [FaultKind.OUT_OF_BOUNDS]: 'out-of-bounds',
  [FaultKind.READ_ONLY]: 'read-only',
  [FaultKind.UNINITIALISED_STACK]: 'uninitialised-stack',
  [FaultKind.BAD_CONTEXT_ACCESS]: 'bad-context-access',
  [FaultKind.UNKNOWN_HELPER]: 'unknown-helper',
  [FaultKind.BAD_HELPER_ARGUMENT]: 'bad-helper-argument',
  [FaultKind.CALL_DEPTH]: 'call-depth',
  [FaultKind.INSTRUCTION_BUDGET]: 'instruction-budget',
  [FaultKind.INVALID_INSTRUCTION]: 'invalid-instruction',
  [FaultKind.MISALIGNED]: 'misaligned',
  [FaultKind.OUT_OF_MEMORY]: 'out-of-memory',
  [FaultKind.HOST]: 'host',
  [FaultKind.BAD_JUMP]: 'bad-jump',
};

/** A region of memory as a program's author thinks of it. */
export interface Region {
  /** 'packet', 'stack', 'ctx', 'map cilium_lxc value', 'socket', 'null' ... */
  name: string;
  /** Offset of the access relative to the region's start (negative before it). */
  offset: number;
  /** Size of the region in bytes. */
  size: number;
}

export interface FrameInfo {
  function: string;
  instruction: number;
  line: LineInfo | undefined;
}

/** What went wrong in a program. A value, never thrown. */
export interface Fault {
  kind: string;
  /** Program that was running (after tail calls). */
  program: string;
  /** Function and instruction index within it. */
  function: string;
  instruction: number;
  address: bigint;
  /** Bytes of the access, 0 where the fault is no access. */
  size: number;
  write: boolean;
  region: Region | undefined;
  line: LineInfo | undefined;
  /** Helper being called, if any. */
  helper: string | undefined;
  /** Further words of the machine or of a host helper. */
  detail: string;
  /** r0..r10 when the run stopped. */
  registers: bigint[];
  /** Call chain, innermost first. */
  calls: FrameInfo[];
  tailCalls: string[];
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** `packet+54 (packet is 54 bytes)`. */
function describeRegion(region: Region): string {
  const sign = region.offset < 0 ? '-' : '+';
  return `${region.name}${sign}${Math.abs(region.offset)} (${region.name} is ${region.size} bytes)`;
}

function describeWhat(fault: Fault): string {
  const access = fault.write ? 'write' : 'read';
  const bytes = `${fault.size} byte${fault.size === 1 ? '' : 's'}`;
  const at = fault.region ? describeRegion(fault.region) : `address ${hex(fault.address)}`;
  const by = fault.helper ? ` by helper ${fault.helper}` : '';
  switch (fault.kind) {
    case 'out-of-bounds':
      return `out-of-bounds ${access} of ${bytes} at ${at}${by}`;
    case 'stale-packet':
      return `${access} of ${bytes} through a packet pointer that an earlier helper call invalidated${by}`;
    case 'null-pointer':
      return `${access} of ${bytes} through a null pointer (offset ${fault.address})${by}`;
    case 'read-only':
      return `write of ${bytes} to read-only ${at}${by}`;
    case 'uninitialised-stack':
      return `read of ${bytes} of uninitialised stack at ${at}${by}`;
    case 'bad-context-access':
      return `context ${access} of ${bytes} at ${at} is not allowed for this program type`;
    case 'unknown-helper':
      return `call of a helper without implementation: ${fault.detail}`;
    case 'bad-helper-argument':
      return `bad argument${by}: ${fault.detail}`;
    case 'misaligned':
      return `misaligned atomic access of ${bytes} at ${hex(fault.address)}`;
    default:
      return fault.detail;
  }
}

/** One line: what, where, C source line. */
export function formatFault(fault: Fault): string {
  const source = fault.line ? `, ${fault.line.file}:${fault.line.line}` : '';
  return `${describeWhat(fault)} in ${fault.function} insn ${fault.instruction}${source}`;
}

/** The long form: one-liner, source text, call and tail-call chain, registers. */
export function formatFaultLong(fault: Fault): string {
  const lines = [formatFault(fault)];
  if (fault.line?.text) lines.push(`    ${fault.line.text.trim()}`);
  for (const frame of fault.calls.slice(1)) {
    const source = frame.line ? ` (${frame.line.file}:${frame.line.line})` : '';
    lines.push(`  called from ${frame.function} insn ${frame.instruction}${source}`);
  }
  if (fault.tailCalls.length) lines.push(`  tail calls: ${fault.tailCalls.join(' -> ')}`);
  lines.push(`  registers: ${fault.registers.map((value, n) => `r${n}=${hex(value)}`).join(' ')}`);
  return lines.join('\n');
}
