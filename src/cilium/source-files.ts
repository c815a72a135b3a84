import { type Era, overlap, type Span } from './era.js';
import { type NumberedName, namesOf } from './numbered-names.js';

/** Ids of source files in drop events and metrics (source_names_to_ids.h, from 1.16 lib/source_info.h; 1.12 has none). */
export const SOURCE_FILES: readonly NumberedName[] = [
  ['bpf_host.c', 1, 13],
  ['bpf_lxc.c', 2, 13],
  ['bpf_overlay.c', 3, 13],
  ['bpf_xdp.c', 4, 13],
  ['bpf_sock.c', 5, 16],
  ['bpf_network.c', 6, 16],
  ['bpf_wireguard.c', 7, 17],
  ['arp.h', 101, 13, 18],
  ['drop.h', 101, 19],
  ['drop.h', 102, 13, 18],
  ['srv6.h', 102, 19],
  ['egress_policies.h', 103, 13, 15],
  ['srv6.h', 103, 16, 18],
  ['icmp6.h', 103, 19],
  ['icmp6.h', 104, 13, 18],
  ['nodeport.h', 104, 19],
  ['nodeport.h', 105, 13, 18],
  ['lb.h', 105, 19],
  ['lb.h', 106, 15, 18],
  ['mcast.h', 106, 19],
  ['mcast.h', 107, 16, 18],
  ['ipv4.h', 107, 19],
  ['ipv4.h', 108, 16, 18],
  ['conntrack.h', 108, 19],
  ['conntrack.h', 109, 16, 18],
  ['local_delivery.h', 109, 19],
  ['l3.h', 110, 16, 17],
  ['local_delivery.h', 110, 18, 18],
  ['trace.h', 110, 19],
  ['trace.h', 111, 16, 18],
  ['encap.h', 111, 19],
  ['encap.h', 112, 16, 18],
  ['host_firewall.h', 112, 19],
  ['encrypt.h', 113, 16, 18],
  ['nodeport_egress.h', 113, 19],
  ['host_firewall.h', 114, 17, 18],
  ['ipv6.h', 114, 19],
  ['nodeport_egress.h', 115, 17, 18],
  ['classifiers.h', 115, 19],
  ['ipv6.h', 116, 18, 18],
  ['classifiers.h', 117, 18, 18],
  // Of offkernel's own datapath.
  ['nodeport_reverse.h', 120, 13],
  ['masquerade.h', 121, 13],
  ['icmp.h', 122, 13],
];

/** Name of a file id in one version; undefined if it has none (0 in unit tests). */
export function sourceFileName(id: number, era: Era): string | undefined {
  return namesOf(SOURCE_FILES, id, era)[0];
}

/** Names that a file id can stand for in these versions, e.g. 103 in 1.13 to 1.17: egress_policies.h and srv6.h. */
export function sourceFileNames(id: number, span: Span): string[] {
  const found = SOURCE_FILES.filter(([, number, since, until]) => number === id && overlap({ since, until }, span));
  return [...new Set(found.map(([name]) => name))];
}
