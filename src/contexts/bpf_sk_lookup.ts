import { type ContextField, type FieldOptions, field, pointer } from './field.js';

/** Size of `struct bpf_sk_lookup`. */
export const SK_LOOKUP_SIZE = 72;

const GIVEN: FieldOptions = { isTestRunInput: true };

/** sk_lookup_is_valid_access; ctx_in of BPF_PROG_TEST_RUN gives all of it but the socket. */
export function skLookupFields(): ContextField[] {
  return [
    pointer('sk', 0),
    field('family', 8, { ...GIVEN, backing: 2 }),
    field('protocol', 12, { ...GIVEN, backing: 2 }),
    field('remote_ip4', 16, { ...GIVEN, format: 'ipv4' }),
    field('remote_ip6', 20, { ...GIVEN, count: 4, format: 'ipv6' }),
    field('remote_port', 36, { ...GIVEN, backing: 2, format: 'be16' }),
    field('local_ip4', 40, { ...GIVEN, format: 'ipv4' }),
    field('local_ip6', 44, { ...GIVEN, count: 4, format: 'ipv6' }),
    field('local_port', 60, { ...GIVEN, backing: 2 }),
    field('ingress_ifindex', 64, GIVEN),
  ];
}
