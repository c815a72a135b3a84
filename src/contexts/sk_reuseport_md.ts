import { type ContextField, field, packetPointer, pointer, whole } from './field.js';

/** Size of `struct sk_reuseport_md`. */
export const SK_REUSEPORT_SIZE = 56;

/** sk_reuseport_is_valid_access. */
export function skReuseportFields(): ContextField[] {
  return [
    packetPointer('data', 0),
    packetPointer('data_end', 8),
    field('len', 16),
    field('eth_protocol', 20, { reads: [2, 4], backing: 2, format: 'be16' }),
    field('ip_protocol', 24, { backing: 2 }),
    field('bind_inany', 28, { backing: 1 }),
    whole('hash', 32),
    pointer('sk', 40),
    pointer('migrating_sk', 48),
  ];
}
