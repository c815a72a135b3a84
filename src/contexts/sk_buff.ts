import { type ContextField, type FieldOptions, field, NARROW } from './field.js';

/** Size of `struct __sk_buff` (include/uapi/linux/bpf.h). */
export const SK_BUFF_SIZE = 192;

/** Families of program types that see `__sk_buff` with different rights (verifier: *_is_valid_access). */
export type SkBuffUser = 'sched_cls' | 'cgroup_skb' | 'socket_filter' | 'lwt' | 'sk_skb' | 'flow_dissector';

/** One field as sched_cls sees it, and how the rights of other users differ. */
interface Row extends FieldOptions {
  name: string;
  offset: number;
  /** Users that may not touch the field. */
  hiddenFrom?: readonly SkBuffUser[];
  /** Users other than sched_cls that may write it; nobody by default. */
  writers?: readonly SkBuffUser[];
  /** Rights that no rule describes. */
  others?: Partial<Record<SkBuffUser, FieldOptions>>;
}

const DERIVED: FieldOptions = { isInput: false };
const GIVEN: FieldOptions = { isTestRunInput: true };
const PACKET: FieldOptions = { reads: [4], format: 'pointer', access: 'packet', isInput: false };
const SOCKET_ONLY: FieldOptions = { reads: [] };
const NO_SOCKETS = ['cgroup_skb', 'socket_filter', 'lwt', 'sk_skb'] as const;
const NARROW_SOCKETS = { cgroup_skb: { reads: NARROW }, sk_skb: { reads: NARROW } };
const WORD_SOCKETS = { cgroup_skb: { reads: [4] }, sk_skb: { reads: [4] } };

const ROWS: readonly Row[] = [
  { name: 'len', offset: 0, ...DERIVED },
  { name: 'pkt_type', offset: 4, backing: 1 },
  { name: 'mark', offset: 8, ...GIVEN, writes: [4], writers: ['cgroup_skb', 'lwt'], hiddenFrom: ['sk_skb'] },
  { name: 'queue_mapping', offset: 12, backing: 2, writes: [4], access: 'queue' },
  { name: 'protocol', offset: 16, backing: 2, format: 'be16' },
  { name: 'vlan_present', offset: 20 },
  { name: 'vlan_tci', offset: 24, backing: 2 },
  { name: 'vlan_proto', offset: 28, backing: 2, format: 'be16' },
  { name: 'priority', offset: 32, ...GIVEN, writes: [4], writers: ['cgroup_skb', 'lwt', 'sk_skb'] },
  { name: 'ingress_ifindex', offset: 36, ...GIVEN },
  { name: 'ifindex', offset: 40, ...GIVEN },
  { name: 'tc_index', offset: 44, backing: 2, writes: [4], writers: ['sk_skb'] },
  {
    name: 'cb',
    offset: 48,
    ...GIVEN,
    count: 5,
    reads: [1, 2, 4, 8],
    writes: [1, 2, 4, 8],
    writers: ['cgroup_skb', 'socket_filter', 'lwt'],
  },
  { name: 'hash', offset: 68 },
  { name: 'tc_classid', offset: 72, backing: 2, writes: [4], hiddenFrom: NO_SOCKETS },
  { name: 'data', offset: 76, ...PACKET, hiddenFrom: ['socket_filter'] },
  { name: 'data_end', offset: 80, ...PACKET, hiddenFrom: ['socket_filter'] },
  { name: 'napi_id', offset: 84 },
  { name: 'family', offset: 88, ...SOCKET_ONLY, backing: 2, others: NARROW_SOCKETS },
  { name: 'remote_ip4', offset: 92, ...SOCKET_ONLY, format: 'ipv4', others: WORD_SOCKETS },
  { name: 'local_ip4', offset: 96, ...SOCKET_ONLY, format: 'ipv4', others: WORD_SOCKETS },
  { name: 'remote_ip6', offset: 100, ...SOCKET_ONLY, count: 4, format: 'ipv6', others: WORD_SOCKETS },
  { name: 'local_ip6', offset: 116, ...SOCKET_ONLY, count: 4, format: 'ipv6', others: WORD_SOCKETS },
  { name: 'remote_port', offset: 132, ...SOCKET_ONLY, format: 'be16high', others: NARROW_SOCKETS },
  { name: 'local_port', offset: 136, ...SOCKET_ONLY, backing: 2, others: NARROW_SOCKETS },
  { name: 'data_meta', offset: 140, ...PACKET, hiddenFrom: NO_SOCKETS },
  {
    name: 'flow_keys',
    offset: 144,
    ...SOCKET_ONLY,
    size: 8,
    format: 'pointer',
    isInput: false,
    others: { flow_dissector: { reads: [8] } },
  },
  {
    name: 'tstamp',
    offset: 152,
    ...GIVEN,
    size: 8,
    reads: [8],
    writes: [8],
    writers: ['cgroup_skb'],
    hiddenFrom: ['socket_filter', 'lwt', 'sk_skb'],
  },
  { name: 'wire_len', offset: 160, ...GIVEN, hiddenFrom: NO_SOCKETS },
  { name: 'gso_segs', offset: 164, ...GIVEN, backing: 2 },
  { name: 'sk', offset: 168, size: 8, reads: [8], format: 'pointer', isInput: false },
  { name: 'gso_size', offset: 176, ...GIVEN, backing: 2 },
  { name: 'tstamp_type', offset: 180, size: 1, reads: [1], hiddenFrom: NO_SOCKETS },
  { name: 'hwtstamp', offset: 184, ...GIVEN, size: 8, reads: [8], hiddenFrom: ['socket_filter', 'lwt', 'sk_skb'] },
];

/** flow_dissector sees its own small subset (flow_dissector_is_valid_access). */
const FLOW_DISSECTOR_FIELDS = new Set(['data', 'data_end', 'flow_keys']);

function rights(row: Row, user: SkBuffUser): FieldOptions {
  const isHidden =
    user === 'flow_dissector' ? !FLOW_DISSECTOR_FIELDS.has(row.name) : row.hiddenFrom?.includes(user) === true;
  if (isHidden) return { reads: [], writes: [] };
  const isWriter = user === 'sched_cls' || row.writers?.includes(user) === true;
  return { ...(isWriter ? {} : { writes: [] }), ...row.others?.[user] };
}

/** Fields with the rights of one user. */
export function skBuffFields(user: SkBuffUser): ContextField[] {
  return ROWS.map((row) => {
    const { name, offset, hiddenFrom: _hiddenFrom, writers: _writers, others: _others, ...base } = row;
    return field(name, offset, { ...base, ...rights(row, user) });
  });
}
