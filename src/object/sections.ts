/** What a section name says about the programs in it. */
export interface SectionMeaning {
  /** Program type without BPF_PROG_TYPE_, lower case. */
  readonly type: string;
  /** Attach type without BPF_, lower case, where the program type alone does not say it. */
  readonly attachType?: string;
  readonly frags?: boolean;
}

/**
 * Section names by program type: the convention of libbpf (its table of section definitions), older spellings of iproute2
 * and kernel samples, and Cilium's own. A name ending in `/` or `.` matches as prefix; `name+` matches `name` alone or
 * followed by `/...`; others match exactly. The first match counts.
 */
const SECTIONS: readonly (readonly [pattern: string, type: string, attachType?: string])[] = [
  ['socket+', 'socket_filter'],
  ['socket_filter+', 'socket_filter'],
  ['sk_reuseport/migrate', 'sk_reuseport', 'sk_reuseport_select_or_migrate'],
  ['sk_reuseport', 'sk_reuseport', 'sk_reuseport_select'],
  ['kprobe+', 'kprobe'],
  ['uprobe+', 'kprobe'],
  ['uprobe.s+', 'kprobe'],
  ['kretprobe+', 'kprobe'],
  ['uretprobe+', 'kprobe'],
  ['uretprobe.s+', 'kprobe'],
  ['kprobe.multi+', 'kprobe', 'trace_kprobe_multi'],
  ['kretprobe.multi+', 'kprobe', 'trace_kprobe_multi'],
  ['kprobe.session+', 'kprobe', 'trace_kprobe_session'],
  ['uprobe.multi+', 'kprobe', 'trace_uprobe_multi'],
  ['uretprobe.multi+', 'kprobe', 'trace_uprobe_multi'],
  ['uprobe.session+', 'kprobe', 'trace_uprobe_session'],
  ['uprobe.multi.s+', 'kprobe', 'trace_uprobe_multi'],
  ['uretprobe.multi.s+', 'kprobe', 'trace_uprobe_multi'],
  ['uprobe.session.s+', 'kprobe', 'trace_uprobe_session'],
  ['ksyscall+', 'kprobe'],
  ['kretsyscall+', 'kprobe'],
  ['usdt+', 'kprobe'],
  ['usdt.s+', 'kprobe'],
  ['tc/test/', 'sched_cls'],
  ['tc/ingress', 'sched_cls', 'tcx_ingress'],
  ['tc/egress', 'sched_cls', 'tcx_egress'],
  ['tcx/ingress', 'sched_cls', 'tcx_ingress'],
  ['tcx/egress', 'sched_cls', 'tcx_egress'],
  ['netkit/primary', 'sched_cls', 'netkit_primary'],
  ['netkit/peer', 'sched_cls', 'netkit_peer'],
  ['tc+', 'sched_cls'],
  ['tcx+', 'sched_cls'],
  ['classifier+', 'sched_cls'],
  ['action+', 'sched_act'],
  ['tracepoint+', 'tracepoint'],
  ['tp+', 'tracepoint'],
  ['raw_tracepoint.w+', 'raw_tracepoint_writable'],
  ['raw_tp.w+', 'raw_tracepoint_writable'],
  ['raw_tracepoint+', 'raw_tracepoint'],
  ['raw_tp+', 'raw_tracepoint'],
  ['tp_btf+', 'tracing', 'trace_raw_tp'],
  ['fentry+', 'tracing', 'trace_fentry'],
  ['fentry.s+', 'tracing', 'trace_fentry'],
  ['fmod_ret+', 'tracing', 'modify_return'],
  ['fmod_ret.s+', 'tracing', 'modify_return'],
  ['fexit+', 'tracing', 'trace_fexit'],
  ['fexit.s+', 'tracing', 'trace_fexit'],
  ['freplace+', 'ext'],
  ['lsm_cgroup+', 'lsm', 'lsm_cgroup'],
  ['lsm+', 'lsm', 'lsm_mac'],
  ['lsm.s+', 'lsm', 'lsm_mac'],
  ['iter+', 'tracing', 'trace_iter'],
  ['iter.s+', 'tracing', 'trace_iter'],
  ['syscall', 'syscall'],
  ['xdp/devmap', 'xdp', 'xdp_devmap'],
  ['xdp.frags/devmap', 'xdp', 'xdp_devmap'],
  ['xdp_devmap+', 'xdp', 'xdp_devmap'],
  ['xdp/cpumap', 'xdp', 'xdp_cpumap'],
  ['xdp.frags/cpumap', 'xdp', 'xdp_cpumap'],
  ['xdp_cpumap+', 'xdp', 'xdp_cpumap'],
  ['xdp.frags+', 'xdp'],
  ['xdp+', 'xdp'],
  ['perf_event+', 'perf_event'],
  ['lwt_in+', 'lwt_in'],
  ['lwt_out+', 'lwt_out'],
  ['lwt_xmit+', 'lwt_xmit'],
  ['lwt_seg6local+', 'lwt_seg6local'],
  ['sockops+', 'sock_ops', 'cgroup_sock_ops'],
  ['sk_skb/stream_parser+', 'sk_skb', 'sk_skb_stream_parser'],
  ['sk_skb/stream_verdict+', 'sk_skb', 'sk_skb_stream_verdict'],
  ['sk_skb/verdict+', 'sk_skb', 'sk_skb_verdict'],
  ['sk_skb+', 'sk_skb'],
  ['sk_msg+', 'sk_msg', 'sk_msg_verdict'],
  ['lirc_mode2+', 'lirc_mode2', 'lirc_mode2'],
  ['flow_dissector+', 'flow_dissector', 'flow_dissector'],
  ['cgroup_skb/ingress', 'cgroup_skb', 'cgroup_inet_ingress'],
  ['cgroup_skb/egress', 'cgroup_skb', 'cgroup_inet_egress'],
  ['cgroup_skb+', 'cgroup_skb'],
  ['cgroup/skb+', 'cgroup_skb'],
  ['cgroup/sock_create', 'cgroup_sock', 'cgroup_inet_sock_create'],
  ['cgroup/sock_release', 'cgroup_sock', 'cgroup_inet_sock_release'],
  ['cgroup/sock', 'cgroup_sock', 'cgroup_inet_sock_create'],
  ['cgroup/post_bind4', 'cgroup_sock', 'cgroup_inet4_post_bind'],
  ['cgroup/post_bind6', 'cgroup_sock', 'cgroup_inet6_post_bind'],
  ['cgroup/bind4', 'cgroup_sock_addr', 'cgroup_inet4_bind'],
  ['cgroup/bind6', 'cgroup_sock_addr', 'cgroup_inet6_bind'],
  ['cgroup/connect4', 'cgroup_sock_addr', 'cgroup_inet4_connect'],
  ['cgroup/connect6', 'cgroup_sock_addr', 'cgroup_inet6_connect'],
  ['cgroup/connect_unix', 'cgroup_sock_addr', 'cgroup_unix_connect'],
  ['cgroup/sendmsg4', 'cgroup_sock_addr', 'cgroup_udp4_sendmsg'],
  ['cgroup/sendmsg6', 'cgroup_sock_addr', 'cgroup_udp6_sendmsg'],
  ['cgroup/sendmsg_unix', 'cgroup_sock_addr', 'cgroup_unix_sendmsg'],
  ['cgroup/recvmsg4', 'cgroup_sock_addr', 'cgroup_udp4_recvmsg'],
  ['cgroup/recvmsg6', 'cgroup_sock_addr', 'cgroup_udp6_recvmsg'],
  ['cgroup/recvmsg_unix', 'cgroup_sock_addr', 'cgroup_unix_recvmsg'],
  ['cgroup/getpeername4', 'cgroup_sock_addr', 'cgroup_inet4_getpeername'],
  ['cgroup/getpeername6', 'cgroup_sock_addr', 'cgroup_inet6_getpeername'],
  ['cgroup/getpeername_unix', 'cgroup_sock_addr', 'cgroup_unix_getpeername'],
  ['cgroup/getsockname4', 'cgroup_sock_addr', 'cgroup_inet4_getsockname'],
  ['cgroup/getsockname6', 'cgroup_sock_addr', 'cgroup_inet6_getsockname'],
  ['cgroup/getsockname_unix', 'cgroup_sock_addr', 'cgroup_unix_getsockname'],
  ['cgroup/sysctl', 'cgroup_sysctl', 'cgroup_sysctl'],
  ['cgroup/getsockopt', 'cgroup_sockopt', 'cgroup_getsockopt'],
  ['cgroup/setsockopt', 'cgroup_sockopt', 'cgroup_setsockopt'],
  ['cgroup/dev', 'cgroup_device', 'cgroup_device'],
  // Cilium up to 1.7.
  ['from-sock4', 'cgroup_sock_addr', 'cgroup_inet4_connect'],
  ['from-sock6', 'cgroup_sock_addr', 'cgroup_inet6_connect'],
  ['snd-sock4', 'cgroup_sock_addr', 'cgroup_udp4_sendmsg'],
  ['snd-sock6', 'cgroup_sock_addr', 'cgroup_udp6_sendmsg'],
  ['rcv-sock4', 'cgroup_sock_addr', 'cgroup_udp4_recvmsg'],
  ['rcv-sock6', 'cgroup_sock_addr', 'cgroup_udp6_recvmsg'],
  ['post-bind-sock4', 'cgroup_sock', 'cgroup_inet4_post_bind'],
  ['post-bind-sock6', 'cgroup_sock', 'cgroup_inet6_post_bind'],
  ['struct_ops+', 'struct_ops'],
  ['struct_ops.s+', 'struct_ops'],
  ['sk_lookup+', 'sk_lookup', 'sk_lookup'],
  ['netfilter+', 'netfilter', 'netfilter'],
];

/** Stems after which anything may follow: early libbpf and the kernel's samples (`xdp_prog1`, `socket2`, `cgroup/sock1`). */
const LOOSE_STEMS: readonly (readonly [stem: string, type: string])[] = [
  ['xdp', 'xdp'],
  ['socket', 'socket_filter'],
  ['tc_', 'sched_cls'],
  ['classifier', 'sched_cls'],
  ['cgroup/sock', 'cgroup_sock'],
  ['sk_skb', 'sk_skb'],
  ['sk_msg', 'sk_msg'],
];

/** Cilium's entry sections up to 1.13; `from-netdev` alone is shared by tc and XDP objects. */
const CILIUM_TC_SECTIONS = new Set([
  'from-container',
  'to-container',
  'to-netdev',
  'from-host',
  'to-host',
  'from-overlay',
  'to-overlay',
  'from-network',
]);

/** The meaning of a section name, undefined if the name says nothing about the type of its programs. */
export function sectionMeaning(section: string): SectionMeaning | undefined {
  // A leading ? marks programs that libbpf does not load by default.
  const name = section.startsWith('?') ? section.slice(1) : section;
  if (CILIUM_TC_SECTIONS.has(name)) return { type: 'sched_cls' };
  for (const [pattern, type, attachType] of SECTIONS) {
    if (matches(name, pattern)) return { type, attachType, frags: name.startsWith('xdp.frags') };
  }
  // Cilium 1.8 to 1.10 leave the cgroup/ out.
  if (/^(connect|sendmsg|recvmsg|getpeername|post_bind|bind)[46]$/.test(name)) return sectionMeaning(`cgroup/${name}`);
  const loose = LOOSE_STEMS.find(([stem]) => name.startsWith(stem));
  return loose && { type: loose[1] };
}

function matches(name: string, pattern: string): boolean {
  if (pattern.endsWith('/')) return name.startsWith(pattern);
  if (!pattern.endsWith('+')) return name === pattern;
  const stem = pattern.slice(0, -1);
  return name === stem || name.startsWith(`${stem}/`);
}

/** A tail-call section of Cilium up to 1.17: `<prog array id>/<slot>`, the slot decimal or 0x-hexadecimal. */
export interface NumberedSection {
  readonly mapId: number;
  readonly slot: number;
}

/** Reads a section name of the form `2/7` or `1/0xffff`; undefined for all others. */
export function numberedSection(section: string): NumberedSection | undefined {
  const match = /^(\d{1,9})\/(0x[0-9a-fA-F]{1,8}|\d{1,9})$/.exec(section);
  return match ? { mapId: Number(match[1]), slot: Number(match[2]) } : undefined;
}
