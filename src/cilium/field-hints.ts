import type { FieldHint } from '../btf/value.js';

/** IPv4 addresses, in network order, whose type is a plain `__u32`. */
const ADDRESSES: ReadonlySet<string> = new Set(['ip4', 'tunnel_endpoint', 'addr', 'gateway_ip', 'egress_ip']);

/** What fields of Cilium's structs hold where their types do not say so (bpf/lib/common.h, up to 1.20). */
export const CILIUM_FIELDS: FieldHint = (struct, field) => {
  if (ADDRESSES.has(field)) return 'ipv4';
  // Network order in every version; some declare it as __u16.
  return struct === 'policy_key' && field === 'dport' ? 'be16' : undefined;
};
