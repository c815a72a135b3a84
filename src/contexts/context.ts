import { ContextAccess } from '../../assembly/abi.js';
import { FLOW_KEYS_SIZE, flowKeysFields } from './bpf_flow_keys.js';
import { SK_LOOKUP_SIZE, skLookupFields } from './bpf_sk_lookup.js';
import { SOCK_SIZE, sockFields } from './bpf_sock.js';
import { SOCK_ADDR_SIZE, sockAddrFields } from './bpf_sock_addr.js';
import { SOCK_OPS_SIZE, sockOpsFields } from './bpf_sock_ops.js';
import { TCP_SOCK_SIZE, tcpSockFields } from './bpf_tcp_sock.js';
import {
  CGROUP_DEVICE_SIZE,
  cgroupDeviceFields,
  SOCKOPT_SIZE,
  SYSCTL_SIZE,
  sockoptFields,
  sysctlFields,
} from './cgroup.js';
import type { ContextField } from './field.js';
import { SK_BUFF_SIZE, type SkBuffUser, skBuffFields } from './sk_buff.js';
import { SK_MSG_SIZE, skMsgFields } from './sk_msg_md.js';
import { SK_REUSEPORT_SIZE, skReuseportFields } from './sk_reuseport_md.js';
import {
  NETFILTER_SIZE,
  netfilterFields,
  PERF_EVENT_SIZE,
  PT_REGS_SIZE,
  perfEventFields,
  registerFields,
} from './tracing.js';
import { XDP_MD_SIZE, xdpFields } from './xdp_md.js';

export type { ContextField } from './field.js';

/** Context slots have this many bytes; access tables cover every one of them. */
const SLOT = 256;
const WIDTHS = [1, 2, 4, 8];

/** Which bytes of a context without named fields may be touched, any aligned width. */
export interface RawRights {
  /** First and end offset of readable bytes. */
  readonly first: number;
  readonly end: number;
  readonly isWritable: boolean;
}

/** A context structure as one program type sees it. */
export class ContextType {
  /** Structure and user: `__sk_buff (sched_cls)`. Unique per set of rights. */
  readonly name: string;
  /** Bytes of the structure; of a raw context, the most it may have. */
  readonly size: number;
  readonly fields: readonly ContextField[];
  readonly #raw: RawRights | undefined;

  constructor(name: string, size: number, fields: readonly ContextField[], raw?: RawRights) {
    this.name = name;
    this.size = size;
    this.fields = fields;
    this.#raw = raw;
  }

  /** True for contexts without known fields: the bytes are what the user gives. */
  get isRaw(): boolean {
    return this.#raw !== undefined;
  }

  /** Fields a run may be given: all but those it derives itself (packet pointers, lengths). */
  get inputFields(): readonly ContextField[] {
    return this.fields.filter((one) => one.isInput);
  }

  /** Fields BPF_PROG_TEST_RUN of the kernel takes from ctx_in. */
  get testRunFields(): readonly ContextField[] {
    return this.fields.filter((one) => one.isTestRunInput);
  }

  /** The access table of the core, indexed (write * 256 + offset) * 4 + log2 width: see ContextAccess in assembly/abi.ts. */
  accessTable(): Uint32Array {
    const table = new Uint32Array(2 * SLOT * WIDTHS.length);
    if (this.#raw) fillRaw(table, this.#raw);
    else for (const one of this.fields) fillField(table, one);
    return table;
  }
}

function entry(access: ContextAccess, offset: number, width: number): number {
  return 1 | (Math.log2(width) << 1) | (access << 4) | (offset << 8);
}

function index(isWrite: boolean, offset: number, width: number): number {
  return ((isWrite ? SLOT : 0) + offset) * WIDTHS.length + Math.log2(width);
}

function fillRaw(table: Uint32Array, raw: RawRights): void {
  for (const width of WIDTHS) {
    for (let offset = Math.ceil(raw.first / width) * width; offset + width <= raw.end; offset += width) {
      table[index(false, offset, width)] = entry(ContextAccess.SLICE, offset, width);
      if (raw.isWritable) table[index(true, offset, width)] = entry(ContextAccess.SLICE, offset, width);
    }
  }
}

function fillField(table: Uint32Array, one: ContextField): void {
  const end = one.offset + one.size * one.count;
  for (const isWrite of [false, true]) {
    for (const width of isWrite ? one.writes : one.reads) {
      const first = Math.ceil(one.offset / width) * width;
      for (let offset = first; offset + width <= end; offset += width) {
        const base = one.offset + Math.floor((offset - one.offset) / one.size) * one.size;
        if (!isWrite && width < one.size && offset - base >= one.narrowEnd) continue;
        table[index(isWrite, offset, width)] = isWrite
          ? writeEntry(one, offset, width)
          : readEntry(one, offset, base, width);
      }
    }
  }
}

/**
 * The verifier narrows a load to the kernel's own field: the whole backing field is loaded, and shifted and masked only if
 * the access is smaller than it. So the upper half of a 2-byte field repeats its value, and single bytes there are zero.
 */
function readEntry(one: ContextField, offset: number, base: number, width: number): number {
  if (one.access === 'packet') return entry(ContextAccess.PACKET_POINTER, base, one.size);
  if (one.backing === one.size) return entry(ContextAccess.SLICE, offset, width);
  if (width >= one.backing) return entry(ContextAccess.PLAIN, base, one.backing);
  return offset - base < one.backing
    ? entry(ContextAccess.SLICE, offset, width)
    : entry(ContextAccess.ZERO, base, width);
}

function writeEntry(one: ContextField, offset: number, width: number): number {
  if (one.access === 'queue') return entry(ContextAccess.STORE_QUEUE, one.offset, one.size);
  if (one.backing === 2) return entry(ContextAccess.STORE16, one.offset, one.size);
  return entry(ContextAccess.SLICE, offset, width);
}

const SK_BUFF_USERS: Readonly<Record<string, SkBuffUser>> = {
  sched_cls: 'sched_cls',
  sched_act: 'sched_cls',
  cgroup_skb: 'cgroup_skb',
  socket_filter: 'socket_filter',
  lwt_in: 'lwt',
  lwt_out: 'lwt',
  lwt_xmit: 'lwt',
  lwt_seg6local: 'lwt',
  sk_skb: 'sk_skb',
  flow_dissector: 'flow_dissector',
};

const known = new Map<string, ContextType>();

/** The context of a program type (ProgramSpec.type and attachType); `bpf_sock` and `bpf_tcp_sock` name those structures. */
export function contextFor(programType: string, attachType?: string): ContextType {
  const key = `${programType}/${attachType ?? ''}`;
  const type = known.get(key) ?? build(programType, attachType);
  known.set(key, type);
  return type;
}

/** Types whose context is memory without names; KERNEL verifier: *_is_valid_access of each. */
const RAW_RIGHTS: Readonly<Record<string, RawRights>> = {
  // The first 8 bytes are the kernel's own (tp_prog_is_valid_access).
  tracepoint: { first: 8, end: SLOT, isWritable: false },
  // Twelve 8-byte arguments (bpf_tracing_ctx_access).
  raw_tracepoint: { first: 0, end: 96, isWritable: false },
  raw_tracepoint_writable: { first: 0, end: 96, isWritable: true },
  tracing: { first: 0, end: 96, isWritable: false },
  lsm: { first: 0, end: 96, isWritable: false },
  struct_ops: { first: 0, end: 96, isWritable: false },
  ext: { first: 0, end: SLOT, isWritable: false },
  syscall: { first: 0, end: SLOT, isWritable: true },
};

/** Program types without rules of their own, raw bytecode among them: everything is allowed. */
const UNKNOWN_RIGHTS: RawRights = { first: 0, end: SLOT, isWritable: true };

function build(programType: string, attachType: string | undefined): ContextType {
  const user = SK_BUFF_USERS[programType];
  if (user) return new ContextType(`__sk_buff (${user})`, SK_BUFF_SIZE, skBuffFields(user));
  const by = attachType ? ` (${attachType})` : '';
  switch (programType) {
    case 'xdp':
      return new ContextType(`xdp_md${by}`, XDP_MD_SIZE, xdpFields(attachType === 'xdp_devmap'));
    case 'bpf_sock':
      return new ContextType('bpf_sock', SOCK_SIZE, sockFields(undefined));
    case 'bpf_tcp_sock':
      return new ContextType('bpf_tcp_sock', TCP_SOCK_SIZE, tcpSockFields());
    case 'bpf_flow_keys':
      return new ContextType('bpf_flow_keys', FLOW_KEYS_SIZE, flowKeysFields());
    case 'cgroup_sock': {
      const attached = attachType ?? 'cgroup_inet_sock_create';
      return new ContextType(`bpf_sock (${attached})`, SOCK_SIZE, sockFields(attached));
    }
    case 'cgroup_sock_addr':
      return new ContextType(`bpf_sock_addr${by}`, SOCK_ADDR_SIZE, sockAddrFields(attachType));
    case 'sock_ops':
      return new ContextType('bpf_sock_ops', SOCK_OPS_SIZE, sockOpsFields());
    case 'sk_lookup':
      return new ContextType('bpf_sk_lookup', SK_LOOKUP_SIZE, skLookupFields());
    case 'sk_msg':
      return new ContextType('sk_msg_md', SK_MSG_SIZE, skMsgFields());
    case 'sk_reuseport':
      return new ContextType('sk_reuseport_md', SK_REUSEPORT_SIZE, skReuseportFields());
    case 'cgroup_device':
      return new ContextType('bpf_cgroup_dev_ctx', CGROUP_DEVICE_SIZE, cgroupDeviceFields());
    case 'cgroup_sysctl':
      return new ContextType('bpf_sysctl', SYSCTL_SIZE, sysctlFields());
    case 'cgroup_sockopt':
      return new ContextType(`bpf_sockopt${by}`, SOCKOPT_SIZE, sockoptFields(attachType));
    case 'kprobe':
      return new ContextType('pt_regs', PT_REGS_SIZE, registerFields());
    case 'perf_event':
      return new ContextType('bpf_perf_event_data', PERF_EVENT_SIZE, perfEventFields());
    case 'netfilter':
      return new ContextType('bpf_nf_ctx', NETFILTER_SIZE, netfilterFields());
    default: {
      const rights = RAW_RIGHTS[programType];
      return new ContextType(rights ? `raw (${programType})` : 'raw', SLOT, [], rights ?? UNKNOWN_RIGHTS);
    }
  }
}

export { decodeContext, encodeContext } from './values.js';
