import { ERAS, type Era, holdsIn, overlap, type Span } from './era.js';

/** Ids of the files that hold programs, the same in every version that has ids (1.13+). */
const PROGRAM_FILES: Readonly<Record<number, string>> = {
  1: 'bpf_host.c',
  2: 'bpf_lxc.c',
  3: 'bpf_overlay.c',
  4: 'bpf_xdp.c',
  5: 'bpf_sock.c',
  6: 'bpf_network.c',
  7: 'bpf_wireguard.c',
};

/** Ids from 101 on, of headers in bpf/lib/, were numbered anew several times (source_names_to_ids.h, lib/source_info.h). */
const HEADER_FILES: readonly (Span & { readonly names: readonly string[] })[] = [
  { since: 13, until: 15, names: ['arp.h', 'drop.h', 'egress_policies.h', 'icmp6.h', 'nodeport.h', 'lb.h'] },
  {
    since: 16,
    until: 17,
    names: [
      'arp.h',
      'drop.h',
      'srv6.h',
      'icmp6.h',
      'nodeport.h',
      'lb.h',
      'mcast.h',
      'ipv4.h',
      'conntrack.h',
      'l3.h',
      'trace.h',
      'encap.h',
      'encrypt.h',
      'host_firewall.h',
      'nodeport_egress.h',
    ],
  },
  {
    since: 18,
    until: 18,
    names: [
      'arp.h',
      'drop.h',
      'srv6.h',
      'icmp6.h',
      'nodeport.h',
      'lb.h',
      'mcast.h',
      'ipv4.h',
      'conntrack.h',
      'local_delivery.h',
      'trace.h',
      'encap.h',
      'encrypt.h',
      'host_firewall.h',
      'nodeport_egress.h',
      'ipv6.h',
      'classifiers.h',
    ],
  },
  {
    since: 19,
    names: [
      'drop.h',
      'srv6.h',
      'icmp6.h',
      'nodeport.h',
      'lb.h',
      'mcast.h',
      'ipv4.h',
      'conntrack.h',
      'local_delivery.h',
      'trace.h',
      'encap.h',
      'host_firewall.h',
      'nodeport_egress.h',
      'ipv6.h',
      'classifiers.h',
    ],
  },
];

const FIRST_HEADER = 101;

/** Name of a file id in one version; undefined if it has none (0 in unit tests). */
export function sourceFileName(id: number, era: Era): string | undefined {
  return sourceFileNames(id, { since: era, until: era })[0];
}

/** Names that a file id can stand for in these versions, e.g. 103 in 1.13 to 1.17: egress_policies.h and srv6.h. */
export function sourceFileNames(id: number, span: Span): string[] {
  const program = PROGRAM_FILES[id];
  if (program) return ERAS.some((era) => era >= 13 && holdsIn(span, era)) ? [program] : [];
  const names = HEADER_FILES.filter((files) => overlap(files, span)).map(({ names }) => names[id - FIRST_HEADER]);
  return [...new Set(names.filter((name) => name !== undefined))];
}
