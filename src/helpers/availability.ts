/**
 * Which program types may call which helper, as Linux 6.18 answers for every (type, id): a program of one call is refused
 * with "cannot use helper" or "unknown func" where it may not. cgroup_sock_addr is the union over its attach types, and
 * `lwt` stands for lwt_in, lwt_out, lwt_xmit and lwt_seg6local, `*` for all types below.
 */
const TYPES = [
  'socket_filter',
  'kprobe',
  'sched_cls',
  'tracepoint',
  'xdp',
  'perf_event',
  'cgroup_skb',
  'cgroup_sock',
  'lwt_in',
  'lwt_out',
  'lwt_xmit',
  'sock_ops',
  'sk_skb',
  'cgroup_device',
  'sk_msg',
  'raw_tracepoint',
  'cgroup_sock_addr',
  'lwt_seg6local',
  'sk_reuseport',
  'flow_dissector',
  'cgroup_sysctl',
  'cgroup_sockopt',
  'sk_lookup',
  'syscall',
  'netfilter',
] as const;

const LWT = ['lwt_in', 'lwt_out', 'lwt_xmit', 'lwt_seg6local'];

/** Types that have the helpers of another one. */
const ALIASES: Readonly<Record<string, string>> = {
  sched_act: 'sched_cls',
  raw_tracepoint_writable: 'raw_tracepoint',
};

const ROWS: readonly (readonly [types: string, ids: readonly number[]])[] = [
  [
    '*',
    [
      1, 2, 3, 5, 6, 7, 8, 12, 14, 15, 16, 17, 22, 35, 37, 42, 55, 80, 87, 88, 89, 93, 94, 105, 106, 109, 112, 113, 114,
      115, 117, 118, 120, 123, 125, 130, 131, 132, 133, 134, 141, 148, 149, 153, 154, 156, 157, 158, 164, 165, 169, 170,
      171, 172, 175, 176, 177, 180, 181, 182, 191, 194, 195, 197, 198, 199, 200, 201, 202, 203, 208, 209, 210, 211,
    ],
  ],
  [
    'socket_filter kprobe sched_cls tracepoint xdp perf_event cgroup_skb cgroup_sock sock_ops sk_skb cgroup_device sk_msg raw_tracepoint cgroup_sock_addr cgroup_sysctl cgroup_sockopt sk_lookup syscall lwt',
    [25],
  ],
  [
    'socket_filter sched_cls xdp cgroup_skb cgroup_sock sock_ops sk_skb sk_msg cgroup_sock_addr sk_reuseport flow_dissector cgroup_sysctl sk_lookup lwt',
    [160],
  ],
  [
    'socket_filter sched_cls xdp cgroup_skb sock_ops sk_skb sk_msg cgroup_sock_addr flow_dissector sk_lookup syscall lwt',
    [136, 137, 138, 139, 140, 178, 196],
  ],
  ['socket_filter sched_cls cgroup_skb sk_skb sk_reuseport flow_dissector lwt', [26]],
  ['socket_filter sched_cls cgroup_skb cgroup_sock sock_ops sk_skb cgroup_sock_addr sk_reuseport syscall', [46]],
  ['sched_cls cgroup_skb cgroup_sock sock_ops sk_msg cgroup_sock_addr cgroup_sockopt syscall', [107]],
  ['socket_filter sched_cls cgroup_skb cgroup_sock sock_ops sk_msg cgroup_sock_addr cgroup_sockopt', [122]],
  ['cgroup_skb cgroup_sock sock_ops cgroup_device cgroup_sock_addr cgroup_sysctl cgroup_sockopt', [81]],
  ['sched_cls cgroup_skb sock_ops sk_msg cgroup_sock_addr cgroup_sockopt syscall', [108]],
  ['sched_cls xdp lwt', [28]],
  ['sched_cls sk_skb lwt', [39]],
  ['sched_cls xdp cgroup_skb sk_skb cgroup_sock_addr sk_lookup', [86]],
  ['kprobe tracepoint perf_event raw_tracepoint syscall', [4, 27, 45, 67, 173]],
  ['sched_cls lwt', [24, 33, 34]],
  ['sched_cls xdp cgroup_skb sk_skb cgroup_sock_addr', [84, 85, 99]],
  ['cgroup_sock cgroup_device cgroup_sock_addr cgroup_sysctl cgroup_sockopt', [186, 187]],
  ['socket_filter sched_cls cgroup_skb sk_skb', [47]],
  ['socket_filter sched_cls cgroup_skb sk_reuseport', [68]],
  ['sched_cls cgroup_skb sock_ops cgroup_sockopt', [96]],
  ['kprobe tracepoint perf_event raw_tracepoint', [174]],
  ['sched_cls sk_skb lwt_xmit', [9, 38, 43]],
  ['sched_cls xdp lwt_xmit', [23]],
  ['sock_ops cgroup_sock_addr cgroup_sockopt', [49, 57]],
  ['sched_cls lwt_xmit', [10, 11, 13, 20, 21, 29, 30, 40, 41, 135]],
  ['sched_cls sk_skb', [50]],
  ['sched_cls xdp', [69, 100, 110, 163, 204, 205, 206, 207]],
  ['lwt_in lwt_xmit', [73]],
  ['sched_cls cgroup_skb', [79, 83, 95, 97, 98]],
  ['sched_cls sk_lookup', [124]],
  ['xdp syscall', [188]],
  ['sched_cls', [18, 19, 31, 32, 48, 66, 151, 152, 155, 192]],
  ['xdp', [44, 51, 54, 65, 189, 190]],
  ['sk_skb', [52, 72]],
  ['sock_ops', [53, 59, 70, 142, 143, 144]],
  ['perf_event', [56, 119]],
  ['sk_msg', [60, 61, 62, 63, 71, 90, 91]],
  ['cgroup_sock_addr', [64]],
  ['lwt_seg6local', [74, 75, 76]],
  ['sk_reuseport', [82]],
  ['cgroup_sysctl', [101, 102, 103, 104]],
  ['syscall', [111, 121, 147, 162, 166, 167, 168, 179]],
  ['cgroup_skb', [128, 129]],
];

function expand(types: string): readonly string[] {
  return types === '*' ? TYPES : types.split(' ').flatMap((type) => (type === 'lwt' ? LWT : [type]));
}

const known = new Set<string>(TYPES);
const callers = new Map<number, ReadonlySet<string>>();
for (const [types, ids] of ROWS) for (const id of ids) callers.set(id, new Set(expand(types)));

/** Whether programs of a type (ProgramSpec.type) may call helper `id`; undefined for types not looked at (tracing, lsm ...). */
export function mayCall(id: number, programType: string): boolean | undefined {
  const type = ALIASES[programType] ?? programType;
  if (!known.has(type)) return undefined;
  return callers.get(id)?.has(type) ?? false;
}
