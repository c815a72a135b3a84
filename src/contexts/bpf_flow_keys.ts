import { type ContextField, type FieldOptions, field } from './field.js';

/** Size of `struct bpf_flow_keys`, what a flow dissector program fills in. */
export const FLOW_KEYS_SIZE = 56;

const ANY: FieldOptions = { reads: [1, 2, 4], writes: [1, 2, 4] };
const byte = (name: string, offset: number): ContextField => field(name, offset, { size: 1, reads: [1], writes: [1] });
const half = (name: string, offset: number, options: FieldOptions = {}): ContextField =>
  field(name, offset, { size: 2, reads: [1, 2], writes: [1, 2], ...options });

/** Ordinary memory for the verifier (check_flow_keys_access); the addresses are a union of IPv4 and IPv6. */
export function flowKeysFields(): ContextField[] {
  return [
    half('nhoff', 0),
    half('thoff', 2),
    half('addr_proto', 4),
    byte('is_frag', 6),
    byte('is_first_frag', 7),
    byte('is_encap', 8),
    byte('ip_proto', 9),
    half('n_proto', 10, { format: 'be16' }),
    half('sport', 12, { format: 'be16' }),
    half('dport', 14, { format: 'be16' }),
    field('ipv6_src', 16, { ...ANY, count: 4, format: 'ipv6' }),
    field('ipv6_dst', 32, { ...ANY, count: 4, format: 'ipv6' }),
    field('flags', 48, ANY),
    field('flow_label', 52, ANY),
  ];
}
