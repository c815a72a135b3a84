import { type Era, holdsIn, type Span } from './era.js';
import { type NumberedName, namesOf } from './numbered-names.js';

/** Meanings of skb->cb[0..4] (CB_* in bpf/lib/common.h): which of them holds depends on the stage of the packet. */
export const CB_SLOTS: readonly NumberedName[] = [
  ['SRC_LABEL', 0, 10],
  ['PORT', 0, 10],
  ['HINT', 0, 10],
  ['PROXY_MAGIC', 0, 10],
  ['ENCRYPT_MAGIC', 0, 10],
  ['DST_ENDPOINT_ID', 0, 10],
  ['NAT_46X64', 0, 12, 13],
  ['SRV6_SID_1', 0, 13],
  ['ENCAP_NODEID', 0, 13, 13],
  ['VERDICT', 0, 19],
  ['IFINDEX', 1, 10, 16],
  ['ADDR_V4', 1, 10],
  ['ADDR_V6_1', 1, 10],
  ['ENCRYPT_IDENTITY', 1, 10, 13],
  ['IPCACHE_SRC_LABEL', 1, 10],
  ['SRV6_SID_2', 1, 13],
  ['ENCAP_SECLABEL', 1, 13, 13],
  ['NAT_46X64', 1, 14],
  ['CLUSTER_ID_EGRESS', 1, 14],
  ['HSIPC_ADDR_V4', 1, 14, 17],
  ['TRACED', 1, 16],
  ['DELIVERY_REDIRECT', 1, 17],
  ['POLICY', 2, 10, 16],
  ['ADDR_V6_2', 2, 10],
  ['BACKEND_ID', 2, 12, 13],
  ['SRV6_SID_3', 2, 13],
  ['ENCAP_DSTID', 2, 13, 13],
  ['CLUSTER_ID_INGRESS', 2, 14],
  ['HSIPC_PORT', 2, 14, 17],
  ['DSR_SRC_LABEL', 2, 14, 17],
  ['NAT_FLAGS', 2, 17],
  ['NAT46_STATE', 3, 10, 11],
  ['NAT', 3, 10, 14],
  ['ADDR_V6_3', 3, 10],
  ['FROM_HOST', 3, 10],
  ['SRV6_SID_4', 3, 13],
  ['DSR_L3_OFF', 3, 14],
  ['CT_STATE', 4, 10],
  ['ADDR_V6_4', 4, 10],
  ['ENCRYPT_DST', 4, 10, 16],
  ['CUSTOM_CALLS', 4, 10, 18],
  ['SRV6_VRF_ID', 4, 13],
  ['ENCRYPT_IDENTITY', 4, 14],
  ['FROM_TUNNEL', 4, 14],
];

/** Names of a cb slot without CB_, e.g. slot 4: CT_STATE, ADDR_V6_4 ... */
export function cbNames(slot: number, era: Era): string[] {
  return namesOf(CB_SLOTS, slot, era);
}

/** Flags of skb->tc_index (TC_INDEX_F_* in bpf/lib/common.h). */
export const TC_INDEX_FLAGS: readonly (Span & { readonly bit: number; readonly name: string })[] = [
  { bit: 1, name: 'SKIP_INGRESS_PROXY', until: 14 },
  { bit: 1, name: 'FROM_INGRESS_PROXY', since: 15 },
  { bit: 2, name: 'SKIP_EGRESS_PROXY', until: 14 },
  { bit: 2, name: 'FROM_EGRESS_PROXY', since: 15 },
  { bit: 4, name: 'SKIP_NODEPORT' },
  { bit: 8, name: 'SKIP_RECIRCULATION', until: 15 },
  { bit: 8, name: 'SKIP_HEALTH_CHECK', since: 20 },
  { bit: 16, name: 'SKIP_HOST_FIREWALL' },
];

/** The flags of a tc_index in words, e.g. `SKIP_NODEPORT | 0x20`; `0` for none. */
export function describeTcIndex(tcIndex: number, era: Era): string {
  const known = TC_INDEX_FLAGS.filter((flag) => tcIndex & flag.bit && holdsIn(flag, era));
  const rest = known.reduce((left, flag) => left & ~flag.bit, tcIndex) >>> 0;
  const words = known.map((flag) => flag.name);
  if (rest) words.push(`0x${rest.toString(16)}`);
  return words.join(' | ') || '0';
}
