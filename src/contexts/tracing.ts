import { type ContextField, type FieldOptions, pointer, whole } from './field.js';

/** Size of `struct pt_regs` on x86-64, the context of kprobes and uprobes. */
export const PT_REGS_SIZE = 168;
/** Size of `struct bpf_perf_event_data` on x86-64. */
export const PERF_EVENT_SIZE = 184;
/** Size of `struct bpf_nf_ctx`. */
export const NETFILTER_SIZE = 16;

/** Registers in the order of `struct pt_regs` (arch/x86/include/uapi/asm/ptrace.h). */
const REGISTERS = [
  'r15',
  'r14',
  'r13',
  'r12',
  'bp',
  'bx',
  'r11',
  'r10',
  'r9',
  'r8',
  'ax',
  'cx',
  'dx',
  'si',
  'di',
  'orig_ax',
  'ip',
  'cs',
  'flags',
  'sp',
  'ss',
];

const ANY_WIDTH: FieldOptions = { size: 8, reads: [1, 2, 4, 8] };

/** kprobe_prog_is_valid_access: any aligned read. */
export function registerFields(): ContextField[] {
  return REGISTERS.map((name, index) => whole(name, index * 8, ANY_WIDTH));
}

/** pe_prog_is_valid_access: registers as a whole, then the sample. */
export function perfEventFields(): ContextField[] {
  return [
    ...REGISTERS.map((name, index) => whole(name, index * 8, { size: 8 })),
    whole('sample_period', 168, ANY_WIDTH),
    whole('addr', 176, ANY_WIDTH),
  ];
}

/** nf_is_valid_access. */
export function netfilterFields(): ContextField[] {
  return [pointer('state', 0), pointer('skb', 8)];
}
